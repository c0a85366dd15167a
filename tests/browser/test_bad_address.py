"""Addresses that are wrong; servers, sessions and links that are gone: a sentence and a way on, never a blank page."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.query import Lakehouse
from pixelake.web.api import create
from pixelake.web.server import server
from tests.browser.house import House

PATIENCE = 30_000
"""Milliseconds: other work may take the processor."""
SITE = "shop.example"
HASTY = 1.0
"""Seconds that a query in SQL may take here."""


class Standing:
    """A web role that can be stopped in the middle, over a lake with some events."""

    def __init__(self, folder: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.house = House(folder, self._listening.getsockname()[1])
        at = datetime.now(UTC) - timedelta(minutes=30)
        self.house.arrive(
            *({"site": SITE, "host": SITE, "path": f"/{n}", "title": f"Page {n}", "received_at": at} for n in range(5)),
            {"site": "blog.example"},
        )
        lake = Lakehouse(folder / "lake", HASTY, clocks=self.clocks)
        told = replace(self.house.sources(), lake=lake, clocks=self.clocks, questions=Questions(lake, self.clocks))
        self._role = server(create(told))
        self._thread = threading.Thread(target=self._role.run, kwargs={"sockets": [self._listening]})
        self._thread.start()
        while not self._role.started:
            time.sleep(0.005)

    def clocks(self) -> Clocks:
        """As `serve` has them: a site that nobody knows is none."""
        return Clocks.of_registry(self.house.registry.snapshot(), "UTC")

    def stop(self) -> None:
        """Nobody listens any more."""
        self._role.should_exit = True
        self._role.force_exit = True
        self._thread.join(10)
        self._listening.close()

    def close(self) -> None:
        """Let everything go."""
        self.stop()
        self.house.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """One for the tests that leave it as it is."""
    made = Standing(tmp_path_factory.mktemp("bad"))
    yield made
    made.close()


@pytest.fixture
def fragile(tmp_path: Path) -> Iterator[Standing]:
    """One of a test's own, which it may stop."""
    made = Standing(tmp_path)
    yield made
    made.close()


Opened = Callable[..., Page]


def _context(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")


@pytest.fixture(scope="module")
def known(browser: Browser) -> Iterator[BrowserContext]:
    """Of who has logged in; it keeps what all pages load."""
    context = _context(browser)
    yield context
    context.close()


@pytest.fixture
def look(browser: Browser, known: BrowserContext) -> Iterator[Opened]:
    """Opens a page of a house; at the end no script may have failed."""
    told: list[str] = []
    pages: list[Page] = []

    def opened(house: House, behind: str, *, stranger: bool = False) -> Page:
        page = (_context(browser) if stranger else known).new_page()
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
        if not stranger:
            page.request.get(house.address)  # the cookie, of a name of its own for each house
        page.goto(house.origin + behind)
        return page

    yield opened
    for page in pages:
        page.close()
    for context in {page.context for page in pages} - {known}:
        context.close()
    assert told == []


def is_whole(page: Page) -> None:
    """The page says something, in words, and is no wider than its window."""
    expect(page.locator("#page")).to_have_text(re.compile(r"\S"))
    text = page.locator("body").inner_text()
    for never in ("[object", "undefined", "NaN", "Traceback", "TypeError", "    at "):
        assert never not in text, never
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


FILTERS = {
    "unknown column": "zork is 1",
    "no test": "country",
    "unknown test": "country zork DE",
    "unbalanced": '["is","country"',
    "no text": '["is","country",{"a":1}]',
    "no list": '["not"]',
    "no pattern": "title matches (((",
    "too long": "x" * 3_000,
    "markup": "<img src=x onerror=alert(1)> is 1",
}
MENDED = {name: (f"?site={SITE}&filter={quote(text)}", "Take all filters away") for name, text in FILTERS.items()} | {
    "unknown period": ("?period=zork", "Look at the last 30 days"),
    "huge period": ("?period=99999999999d", "Look at the last 30 days"),
    "from after to": ("?from=2026-03-01&to=2026-01-01", "Look at the last 30 days"),
    "no dates": ("?from=zork&to=<b>", "Look at the last 30 days"),
    "huge date": ("?from=999999-01-01", "Look at the last 30 days"),
    "unknown zone": ("?zone=Mars/Olympus", "Use the site's own time zone"),
    "unknown interval": ("?interval=zork", "Choose by the length of the period"),
    "too many buckets": ("?interval=minute&period=12mo", "Choose by the length of the period"),
    "no switch": ("?people=zork", "Count people alone"),
    "no comparison": ("?compare=zork", "Leave the comparison out"),
    "no such site": ("?site=removed.example", "Look at all sites"),
    "no site at all": ("?site=<img src=x>", "Look at all sites"),
    "a long site": ("?site=" + "x" * 3_000, "Look at all sites"),
    "no escape": ("?%ZZ=%ZZ&site=%ZZ", "Look at all sites"),
}
"""An address of the overview, and the button that mends it."""


@pytest.mark.parametrize("name", MENDED)
def test_one_sentence_and_a_button_that_mends_it(standing: Standing, look: Opened, name: str) -> None:
    """In the place of panels that all say the same; a click, and the figures are there."""
    search, button = MENDED[name]
    page = look(standing.house, search)
    told = page.locator(".wrong")
    expect(told.locator("p").first).to_contain_text(". ")
    is_whole(page)
    assert page.locator(".failed:visible").count() == 0
    told.get_by_role("button", name=button).click()
    expect(page.locator(".panel")).not_to_have_count(0)
    expect(told).to_have_count(0)


@pytest.mark.parametrize("page_of", ["events", "explore#goals", "explore#cohorts", "explore#shop", "live", "sites"])
def test_the_other_pages_say_so_too(standing: Standing, look: Opened, page_of: str) -> None:
    """Each says what is wrong with its address, and goes on after a click."""
    path, _, place = page_of.partition("#")
    search = {"live": "?site=removed.example", "sites": "?period=zork"}.get(path, "?filter=zork+is+1")
    page = look(standing.house, f"{path}{search}#{place}")
    page.locator(".wrong").wait_for()
    is_whole(page)
    page.locator(".wrong button").click()
    expect(page.locator(".wrong")).to_have_count(0)
    expect(page.locator("main .card")).not_to_have_count(0)
    is_whole(page)


@pytest.mark.parametrize(
    "behind",
    [
        "?zork=1&filter=&period=&site=",
        "?" + "&".join(f"filter=path+is+%2F{n}" for n in range(9)),
        "live#hit=zork&at=zork",
        "events#hit=%ZZ&at=99999999999999",
        "events#tab=zork&reason=zork",
        "events#tab=rejects&reason=<b>&search=" + "x" * 3_000,
        "explore#zork?step=1",
        "explore#funnels?window=zork&step=zork&step=zork",
        "explore#funnels?funnel=zork",
        f"explore?site={SITE}#funnels?funnel=zork&window=-1",
        "explore#cohorts?by=zork",
        "explore#shop?order=x&cart=x",
        "explore#sql?q=" + "x" * 3_000,
        "sites#list?page=-1e99&order=zork",
        "sites#settings?site=removed.example",
        "sites#tag?site=%3Cb%3E",
        "account#zork",
    ],
)
def test_what_is_behind_the_hash(standing: Standing, look: Opened, behind: str) -> None:
    """Unknown tabs, hits, steps, names: the page is there, and every fault has a sentence."""
    page = look(standing.house, behind)
    page.locator("main").first.wait_for()
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)
    is_whole(page)
    for fault in page.locator(".failed:visible").all_inner_texts():
        assert "." in fault


def test_a_range_that_is_none_can_be_changed(standing: Standing, look: Opened) -> None:
    """The dialog for a range opens, and a good one takes the place of the bad."""
    page = look(standing.house, "?from=zork&to=275760-09-13")
    page.locator(".wrong").wait_for()
    page.get_by_role("button", name="Period").click()
    page.get_by_role("menuitemradio", name="Custom range").click()
    page.get_by_label("First day").fill("2026-01-01")
    page.get_by_label("Last day").fill("2026-01-31")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".panel")).not_to_have_count(0)


def test_the_card_stays_while_the_same_is_asked(standing: Standing, look: Opened) -> None:
    """What is behind the `#` changes nothing: the card is not taken away, and nothing is asked and refused again."""
    page = look(standing.house, "?filter=zork")
    page.locator(".wrong").wait_for()
    page.evaluate("window.card = document.querySelector('.wrong')")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "filter=zork" in request.url else None)
    page.evaluate("location.hash = 'x'")
    page.evaluate("dispatchEvent(new Event('address'))")
    page.wait_for_timeout(500)
    assert page.evaluate("window.card.isConnected")
    assert asked == []
    page.locator(".wrong button").click()
    expect(page.locator(".panel")).not_to_have_count(0)


def test_a_page_that_there_is_not(standing: Standing, look: Opened) -> None:
    """A sentence and a link for people; JSON for programs."""
    page = look(standing.house, "zork/%ZZ")
    expect(page.get_by_role("heading")).to_have_text("There is no such page")
    page.get_by_role("link", name="Go to the overview").click()
    expect(page.locator(".panel")).not_to_have_count(0)
    answer = page.request.get(f"{standing.house.origin}api/v1/zork")
    assert (answer.status, list(answer.json())) == (404, ["error", "hint"])


# --- shared links ----------------------------------------------------------------------------------


def _shared(house: House, expires: int = 0) -> str:
    _, secret = house.registry.access.add_share("x", SITE, expires)
    time.sleep(1.2)  # so long a web role may not know of it
    return f"share/{secret}"


def test_links_that_are_over(standing: Standing, look: Opened) -> None:
    """Expired, or never one: a page that says so, with a way to log in."""
    soon = int((time.time() + 0.5) * 1e6)
    expired = _shared(standing.house, soon)
    time.sleep(1.6)  # the door is looked at each second
    for behind in (expired, "share/never-was", "share/%ZZ", "share/"):
        page = look(standing.house, behind, stranger=True)
        expect(page.get_by_role("heading").first).to_have_text("This link no longer works")
        assert page.get_by_role("link").count()


def test_a_link_that_is_taken_back_in_the_middle(standing: Standing, look: Opened) -> None:
    """What is seen stays, and the next look says that it is over."""
    behind = _shared(standing.house)
    page = look(standing.house, behind, stranger=True)
    expect(page.locator(".panel")).not_to_have_count(0)
    for share in standing.house.registry.access.door().shares.values():
        standing.house.registry.access.remove_share(share.id)
    time.sleep(1.2)  # so long it may hold
    page.get_by_role("switch", name="Compare").click()
    expect(page.locator(".failed").first).to_contain_text("This link holds no longer")
    is_whole(page)
    page.reload()
    expect(page.get_by_role("heading")).to_have_text("This link no longer works")


def test_a_bad_address_of_a_link(standing: Standing, look: Opened) -> None:
    """Another site, or a filter that is none: a sentence and a way back to what the link shows."""
    behind = _shared(standing.house)
    for search in ("?site=blog.example", "?filter=user_id+is+anna"):
        page = look(standing.house, behind + search, stranger=True)
        page.locator(".wrong").wait_for()
        is_whole(page)
        page.locator(".wrong button").click()
        expect(page.locator(".panel")).not_to_have_count(0)


def test_a_mistyped_page_of_a_link(standing: Standing, look: Opened) -> None:
    """It leads back to what the link shows, not to the log-in."""
    behind = _shared(standing.house)
    time.sleep(1.2)  # the door is looked at each second
    page = look(standing.house, f"{behind}/pages/x", stranger=True)
    expect(page.get_by_role("heading")).to_have_text("There is no such page")
    page.get_by_role("link", name="Go to the overview").click()
    expect(page.locator(".panel")).not_to_have_count(0)


# --- SQL -------------------------------------------------------------------------------------------


def test_sql_that_fails_or_takes_too_long(standing: Standing, look: Opened) -> None:
    """The reason in a sentence, and the text stays where it was."""
    page = look(standing.house, f"explore?site={SITE}#sql")
    field, fault = page.get_by_label("Query in SQL"), page.locator("#sql-fault .failed")
    for text, why in (
        ("select zork from events", "zork"),
        ("select count(*) from range(10000000) a, range(1000000) b", "1 s"),
        ("drop table events", "SELECT"),
        ("select 1;;select 2", ""),
    ):
        field.fill(text)
        field.press("Control+Enter")
        expect(fault).to_contain_text(why)
        is_whole(page)
        expect(field).to_have_value(text)
        page.get_by_role("button", name="Run", exact=True).wait_for()


# --- gone in the middle ----------------------------------------------------------------------------


def test_the_server_goes(fragile: Standing, look: Opened) -> None:
    """What was there stays, dimmed; it says that nobody answers, and has a button to try again."""
    board = look(fragile.house, f"?site={SITE}")
    expect(board.locator("[data-panel=Pages] .list li")).to_have_count(5)
    expect(board.get_by_role("switch", name="Machines")).to_be_visible()  # it comes with the figures, not with the list
    sql = look(fragile.house, "explore#sql")
    sql.get_by_role("button", name="Run", exact=True).wait_for()
    fragile.stop()
    board.get_by_role("switch", name="Machines").click()
    expect(board.locator("[data-panel=Pages] .failed")).to_contain_text("The dashboard's server does not answer.")
    assert board.locator("[data-panel=Pages]").get_by_role("button", name="Try again").is_visible()
    assert board.locator("[data-panel=Pages] .list li").count() == 5
    expect(board.locator(".live")).to_contain_text("Reconnecting")
    is_whole(board)
    sql.get_by_role("button", name="Run", exact=True).click()
    expect(sql.locator("#sql-fault .failed")).to_contain_text("The dashboard's server does not answer.")
    is_whole(sql)


def test_the_session_ends(fragile: Standing, look: Opened) -> None:
    """The next question leads to the log-in page, which knows the way back, with the query that was typed."""
    page = look(fragile.house, f"explore?site={SITE}#sql")
    page.get_by_label("Query in SQL").fill("select 42 as answer")
    fragile.house.registry.access.close_sessions("")
    time.sleep(1.2)  # so long it may hold
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("heading", name="Log in").wait_for()
    expect(page.locator("[name=next]")).to_have_value(f"/explore?site={SITE}#sql?q=select+42+as+answer")
