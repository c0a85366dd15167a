"""A real Chromium before a real web role."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.browser.house import House, Seen, serving

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium: Playwright's own cannot be fetched everywhere.

    No longer than a module: while it is open, an event loop runs in this thread
    and other tests can start none.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def house(tmp_path) -> Iterator[House]:
    """A running web role over empty stores."""
    with serving(tmp_path) as running:
        yield running


def _unavailable(route: Route) -> None:
    route.fulfill(status=503, json={"error": "the lake cannot be read", "hint": "look at its folder"})


@pytest.fixture
def visit(browser, house) -> Iterator[Callable[..., Page]]:
    """Opens the dashboard; at the end nothing may have been complained of, asked or fetched elsewhere."""
    seen = Seen([], [], [])
    contexts = []

    def opened(width: int = 1280, height: int = 900, away: Sequence[str] = (), **options) -> Page:
        """The page; the addresses that match `away` are answered with 503."""
        context = browser.new_context(
            viewport={"width": width, "height": height}, timezone_id="Europe/Berlin", **options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        for pattern in away:
            page.route(pattern, _unavailable)
        page.on("console", lambda message: away or seen.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: seen.console.append(str(error)))
        page.on("dialog", lambda dialog: (seen.dialogs.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda request: None if request.url.startswith(house.origin) else seen.requests.append(request.url),
        )
        page.goto(house.address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert seen.console == []
    assert seen.dialogs == []
    assert [url for url in seen.requests if not url.startswith(house.origin)] == []
