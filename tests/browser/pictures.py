"""The pictures of the documentation: the dashboard over five weeks of the demo's traffic, in a real browser.

The weeks before now are written as an access log and imported; the demo goes on from there.
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import cos, pi
from pathlib import Path
from random import Random
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from pixelake.testing import traffic

CHROMIUM: Final = "/usr/bin/chromium"
CLI: Final = [sys.executable, "-P", "-m", "pixelake"]
DAYS: Final = 70
HITS: Final = 900
"""A day, on average."""
SITE: Final = "shop.example"
SQL: Final = """select path, count(*) as views, count(distinct visitor_id) as visitors
from events
where site = 'shop.example' and event = 'pageview' and not bot
group by path
order by views desc"""


def log(random: Random) -> Iterator[str]:
    """Lines of an access log: quiet nights and weekends, a little more each week."""
    requests, now = traffic(random, 9_000), datetime.now(UTC)
    for hour in range(DAYS * 24, 0, -1):
        at = now - timedelta(hours=hour)
        share = (1.1 - cos(2 * pi * (at.hour - 3) / 24)) * (0.7 if at.weekday() >= 5 else 1) * (1.3 - hour / DAYS / 60)
        for _ in range(int(HITS / 24 * share * random.uniform(0.85, 1.15))):
            request, moment = next(requests), at + timedelta(seconds=random.uniform(0, 3599))
            head = f'{request.address} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET {request.target} HTTP/1.1" 200 43'
            referrer = request.headers.get("Referer", "-")
            yield f'{head} "{referrer}" "{request.headers["User-Agent"]}"\n'


@contextmanager
def demo(folder: Path, *, past: bool) -> Iterator[str]:
    """The demo, with a past or without; the address of its dashboard."""
    data = ["--data", str(folder / "data")]
    if past:
        (folder / "access.log").write_text("".join(log(Random(7))))
        past_log = ["import", str(folder / "access.log"), "--format", "combined", "--site", SITE]
        subprocess.run([*CLI, *past_log, *data], check=True)
    told = folder / "log"
    command = [*CLI, "demo" if past else "serve", *data, "--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"]
    with told.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(r"Dashboard: (\S+)", told.read_text())):
            if process.poll() is not None:
                sys.exit(told.read_text())
            time.sleep(0.2)
        time.sleep(20 if past else 1)
        yield found[1]
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def opened(browser: Browser, address: str, path: str, **options: Any) -> Iterator[Page]:
    """A page of the dashboard, filled."""
    context = browser.new_context(**({"viewport": {"width": 1440, "height": 900}} | options))
    page = context.new_page()
    page.goto(address)
    page.goto(address.partition("/?")[0] + path)
    settled(page)
    yield page
    context.close()


def settled(page: Page) -> None:
    """Wait until no part of the page is busy."""
    page.wait_for_timeout(1_000)
    page.wait_for_selector("main [aria-busy=true], main .chart-wait", state="detached", timeout=60_000)
    page.wait_for_timeout(1_000)


def take(browser: Browser, address: str, target: Path) -> None:
    """All that need traffic."""
    board = f"/?site={SITE}&compare=true"
    with opened(browser, address, board) as page:
        page.screenshot(path=target.parent / "dashboard.png")
    with opened(browser, address, board, color_scheme="dark") as page:
        page.screenshot(path=target / "dashboard-dark.png", full_page=True)
    with opened(browser, address, board, viewport={"width": 390, "height": 844}, device_scale_factor=2) as page:
        page.screenshot(path=target / "dashboard-phone.png")
    with opened(browser, address, "/live") as page:
        page.wait_for_timeout(4_000)
        page.screenshot(path=target / "live.png")
    with opened(browser, address, "/explore") as page:
        page.locator("textarea").first.fill(SQL)
        page.keyboard.press("Control+Enter")
        settled(page)
        page.screenshot(path=target / "sql.png")
    with opened(browser, address, f"/sites?site={SITE}") as page:
        page.screenshot(path=target / "sites.png")


def main() -> None:
    """Take them all."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/pictures")
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as folder, demo(Path(folder), past=True) as address:
            take(browser, address, target)
        with (
            tempfile.TemporaryDirectory() as folder,
            demo(Path(folder), past=False) as address,
            opened(browser, address, "/") as page,
        ):
            page.screenshot(path=target / "empty.png")
        browser.close()


if __name__ == "__main__":
    main()
