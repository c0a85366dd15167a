"""The pictures of the documentation: the dashboard over the demo's made-up weeks, in a real browser."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM: Final = "/usr/bin/chromium"
CLI: Final = [sys.executable, "-P", "-m", "pixelake"]
SITE: Final = "shop.example"
BOARD: Final = f"/?site={SITE}&compare=true"
LIVELY: Final = 20.0
"""Seconds of live visitors before the first picture."""
PATIENCE: Final = 120.0
"""Seconds until the past is there."""
SQL: Final = """select path, count(*) as views, count(distinct visitor_id) as visitors
from events
where site = 'shop.example' and event = 'pageview' and not bot
group by path
order by views desc"""


@contextmanager
def running(folder: Path, command: str) -> Iterator[str]:
    """The demo, or an installation that nobody has sent anything to; the address of its dashboard."""
    data, told = ["--data", str(folder / "data")], folder / "log"
    with told.open("wb") as output:
        arguments = [*CLI, command, *data, "--collect", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        process = subprocess.Popen(arguments, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not (found := re.search(r"Dashboard: (\S+)", told.read_text())):
            if process.poll() is not None:
                sys.exit(told.read_text())
            time.sleep(0.2)
        if command == "demo":
            _await_past(data)
        yield found[1]
    finally:
        process.terminate()
        process.wait(60)


def _await_past(data: list[str]) -> None:
    """Wait until the past is there, and somebody has come by since."""
    question = [*CLI, "sql", "select count(*) > 0 from events where source = 'demo'", "--format", "csv", *data]
    deadline = time.monotonic() + PATIENCE
    while b"true" not in subprocess.run(question, stdout=subprocess.PIPE, check=True).stdout:
        if time.monotonic() > deadline:
            sys.exit("the demo has no past")
        time.sleep(1)
    time.sleep(LIVELY)


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
    """Wait until no part of the page is busy, also those below that are asked for when they come near."""
    page.wait_for_timeout(1_000)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(700)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_selector("main [aria-busy=true], main .chart-wait", state="detached", timeout=60_000)
    page.wait_for_timeout(1_000)


def take(browser: Browser, address: str, target: Path) -> None:
    """All that need traffic."""
    _boards(browser, address, target)
    _places(browser, address, target)
    with opened(browser, address, "/live") as page:
        page.wait_for_timeout(4_000)
        page.screenshot(path=target / "live.png")
    with opened(browser, address, f"/events?site={SITE}&filter=event is purchase") as page:
        page.locator("tbody tr").first.click()
        settled(page)
        page.screenshot(path=target / "events.png")
    _explore(browser, address, target)
    with opened(browser, address, f"/sites?site={SITE}", viewport={"width": 1440, "height": 480}) as page:
        page.screenshot(path=target / "sites.png")
    _shared(browser, address, target)


def _boards(browser: Browser, address: str, target: Path) -> None:
    with opened(browser, address, BOARD) as page:
        page.wait_for_selector(".unusual")
        page.screenshot(path=target.parent / "dashboard.png")
    tall = {"color_scheme": "dark", "viewport": {"width": 1280, "height": 1370}}
    with opened(browser, address, BOARD, **tall) as page:
        page.wait_for_selector(".unusual")
        page.screenshot(path=target / "dashboard-dark.png")
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
    with opened(browser, address, BOARD, **phone) as page:
        page.screenshot(path=target / "dashboard-phone.png")


def _places(browser: Browser, address: str, target: Path) -> None:
    with opened(browser, address, BOARD) as page:
        page.locator(".card", has=page.get_by_role("heading", name="Places")).first.screenshot(path=target / "map.png")


def _explore(browser: Browser, address: str, target: Path) -> None:
    with opened(browser, address, "/explore") as page:
        page.locator("textarea").first.fill(SQL)
        page.keyboard.press("Control+Enter")
        settled(page)
        page.screenshot(path=target / "sql.png")
    with opened(browser, address, f"/explore?site={SITE}#funnels", viewport={"width": 1440, "height": 720}) as page:
        page.locator(".declared .plain").first.click()
        settled(page)
        page.screenshot(path=target / "funnel.png")


def _shared(browser: Browser, address: str, target: Path) -> None:
    """What somebody sees to whom a read-only link was given."""
    origin = address.partition("/?")[0]
    with opened(browser, address, "/") as page:
        guard = {"Origin": origin, "x-csrf-token": page.request.get(f"{origin}/api/v1/me").json()["csrf"]}
        wanted = {"name": "For the team", "site": SITE}
        made = page.request.post(f"{origin}/api/v1/shares", data=wanted, headers=guard)
        link = made.json()["address"]
    with opened(browser, f"{origin}/?", f"{link}?compare=true&filter=country is DE") as page:
        page.screenshot(path=target / "shared.png")


def main() -> None:
    """Take them all."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/pictures")
    target.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with tempfile.TemporaryDirectory() as folder, running(Path(folder), "demo") as address:
            take(browser, address, target)
        with (
            tempfile.TemporaryDirectory() as folder,
            running(Path(folder), "serve") as address,
            opened(browser, address, "/") as page,
        ):
            page.screenshot(path=target / "empty.png")
        browser.close()


if __name__ == "__main__":
    main()
