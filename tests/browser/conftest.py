"""A real Chromium before a real web role."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Route, expect, sync_playwright

from tests.browser.house import House, Seen, serving
from tests.browser.town import Town, inhabited

CHROMIUM = Path("/usr/bin/chromium")
PATIENCE = 30_000
"""ms: other work may take the processor."""


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """What starts browsers.

    No longer than a module: while it is open, an event loop runs in this thread
    and other tests can start none.
    """
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Debian's Chromium: Playwright's own cannot be fetched everywhere."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
    yield chromium
    chromium.close()


@pytest.fixture(autouse=True)
def patient(request: pytest.FixtureRequest) -> Iterator[None]:
    """What is expected has as long to come as `PATIENCE` says (ms), of the module if it has one."""
    expect.set_options(timeout=getattr(request.module, "PATIENCE", PATIENCE))
    yield
    expect.set_options(timeout=None)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Something of every kind."""
    with inhabited(tmp_path_factory.mktemp("town")) as found:
        yield found


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
        page.set_default_timeout(PATIENCE)
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
