"""The dashboard of a `serve` on a machine without a network, and of one whose lake is in a bucket."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect

from tests import s3
from tests.browser.conftest import CHROMIUM
from tests.running import Running, running

PATIENCE = 60_000
"""ms: the lake follows within its window, the page looks every four seconds, other work may take the processor."""
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
LOOPBACK = """
import fcntl, socket, struct
with socket.socket() as made:
    fcntl.ioctl(made, 0x8914, struct.pack("16sh", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
print("up", flush=True)
input()
"""


def sees_its_hits(page: Page, serve: Running, within: Sequence[str] = ()) -> None:
    """Hits are in all figures; every page of the dashboard is there, and none has a fault."""
    faults: list[str] = []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(f"{request.url}: {request.failure}"))
    gone = "net::ERR_ABORTED"  # what was under way when the page was left
    pixel = f"{serve.pixel}/pixel.gif?site=alone.example"
    for path in ("/", "/a", "/b"):
        curl = ["curl", "-sSf", "-o", "/dev/null", "-A", CHROME, "-e", f"https://alone.example{path}", pixel]
        subprocess.run([*within, *curl], check=True)
    page.goto(serve.dashboard)
    expect(page.locator(".figure", has_text="Page views").locator(".value")).to_have_text("3", timeout=PATIENCE)
    root = serve.dashboard.partition("?")[0]
    shown = {"live": ".stream-rows", "events": "#rows tbody tr", "explore": "main textarea", "sites": ".sites-table"}
    for name, part in shown.items():
        page.goto(root + name)
        expect(page.locator(part).first).to_be_visible(timeout=PATIENCE)
        expect(page.locator("main [aria-busy=true]")).to_have_count(0, timeout=PATIENCE)
        expect(page.locator("main .failed")).to_have_count(0)
        assert [fault for fault in faults if gone not in fault] == [], name


@contextmanager
def cut_off() -> Iterator[list[str]]:
    """A network that has a loopback and nothing else; the command that runs another in it."""
    command = ["unshare", "--net", sys.executable, "-c", LOOPBACK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        if process.stdout.readline() != b"up\n":
            pytest.skip("no network of one's own can be made here: it needs root")
        try:
            yield ["nsenter", f"--net=/proc/{process.pid}/ns/net"]
        finally:
            process.kill()


def test_without_a_network(playwright: Playwright, tmp_path: Path) -> None:
    """Server and browser have a loopback alone: nothing is missed, on no page."""
    with cut_off() as within:
        outside = subprocess.run(
            [*within, "cat", "/proc/net/route"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert len(outside) <= 1, "there is a way out"
        start = tmp_path / "chromium"
        start.write_text(f'#!/bin/sh\nexec {" ".join(within)} {CHROMIUM} "$@"\n')
        start.chmod(0o700)
        with running(tmp_path, within=within) as serve:
            chromium = playwright.chromium.launch(executable_path=str(start), args=["--no-sandbox"])
            sees_its_hits(chromium.new_page(), serve, within)
            chromium.close()


@pytest.mark.parametrize("s3", ["seaweedfs"], indirect=True)
def test_a_lake_in_a_bucket(s3: s3.Server, browser: Browser, tmp_path: Path) -> None:
    """All pages answer from there, and nothing of the lake is on the disk."""
    bucket = {"PIXELAKE_LAKE": f"s3://{s3.bucket()}/lake", "PIXELAKE_LAKE_WINDOW": "2"}
    with browser.new_context() as context, running(tmp_path, environment={**s3.environment, **bucket}) as serve:
        sees_its_hits(context.new_page(), serve)
    assert not (tmp_path / "data" / "lake").exists()
