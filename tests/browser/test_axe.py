"""Every page and everything that opens on one, looked at by axe-core: WCAG 2.0 to 2.2 A and AA, and its best practices.

One server that has seen something of every kind, one that has seen nothing, and one page for all of it, wide and
narrow. In dark it is the colours that are looked at: nothing else is different there.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests.browser.house import House, serving
from tests.browser.town import PASSWORD, QUIET, SITE, Town

PATIENCE = 30_000
"""ms: other work may take the processor."""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
RULES = {"type": "tag", "values": TAGS}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
WAYS = (("wide", "light", RULES), ("wide", "dark", COLOURS))
LOOK = """([part, only]) =>
  axe.run(part || document, { runOnly: only, resultTypes: ["violations"], preload: false }).then(
    ({ violations, passes }) => [passes.length, violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${failureSummary.replace(/\\s+/g, " ")}`))])"""
"""How many rules passed, and what did not."""

Steps = Callable[[Page], object]
DIALOG, SHEET = "dialog[open]", ".sheet"


class Opening(NamedTuple):
    """Something that opens on a page, and is closed by Escape.

    Attributes:
        steps: what opens it.
        part: what it is.
    """

    steps: Steps
    part: str


class View(NamedTuple):
    """A page as a whole, and what opens on it.

    Attributes:
        path: behind the origin.
        ready: what is there once the page has its figures.
        steps: what is done before axe looks.
        openings: are looked at by themselves, one after the other.
    """

    path: str
    ready: str
    steps: Steps = lambda _: None
    openings: Mapping[str, Opening] = {}


def press(*names: str, role: str = "button", part: str = "") -> Steps:
    """Clicks on buttons of these names, one after the other; of all of them the last has another role."""

    def steps(page: Page) -> None:
        for name in names:
            kind = role if name is names[-1] else "button"
            page.locator(part or "body").get_by_role(kind, name=name, exact=True).first.click()  # type: ignore[arg-type]

    return steps


def menu(*names: str) -> Opening:
    """The sheet below a button."""
    return Opening(press(*names), SHEET)


def dialog(*names: str, role: str = "button") -> Opening:
    """What a button, or a line of a menu opens."""
    return Opening(press(*names, role=role), DIALOG)


def type_in(label: str, text: str, button: str) -> Steps:
    """Fills a field, goes on, and waits for what is said to it."""

    def steps(page: Page) -> None:
        page.get_by_label(label).first.fill(text)
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.locator(".failed, .answer").last).to_be_visible(timeout=PATIENCE)

    return steps


def _wrong_filter(page: Page) -> None:
    press("+ Filter")(page)
    page.get_by_label("Test").select_option("matches")
    type_in("Value", "(", "Add")(page)


def _new_link(page: Page) -> None:
    press("More", "Share a read-only link …", role="menuitem")(page)
    page.get_by_label("It may be embedded").check()
    page.get_by_label("In pages of").fill("https://www.example.com")
    page.get_by_role("button", name="Make the link").click()
    expect(page.get_by_label("The link", exact=True)).to_be_visible()


def _tip(page: Page) -> None:
    page.locator(".chart-plot").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".chart-tip")).to_be_visible()


def _chart(page: Page) -> None:
    query = "select received_at::date as day, count(*) as n from events group by 1 order by 1"
    type_in("Query in SQL", query, "Run")(page)
    press("Chart")(page)
    expect(page.locator(".picture .chart")).to_be_visible()


def _each_tab(page: Page) -> None:
    for tab in page.locator(".panel [role=tab]").all():
        tab.click()


def _row(page: Page) -> None:
    page.locator("#rows tbody button, .stream-rows button").first.click()
    expect(page.locator("dialog .fields").first).to_be_visible(timeout=PATIENCE)


ROWS, FIGURES = "#rows tbody", ".panel .list"
WITH_DATA = {
    "overview": View(
        f"?site={SITE}&compare=true&filter=country+is+DE&filter=path+is+%2F",
        FIGURES,
        openings={
            "period": menu("Period"),
            "range": dialog("Period", "Custom range, interval, zone …", role="menuitemradio"),
            "filter": dialog("+ Filter"),
            "wrong filter": Opening(_wrong_filter, DIALOG),
            "whole list": dialog("All"),
            "files": menu("Save these rows"),
            "site": menu(f"Site: {SITE}"),
            "account": menu("Account"),
            "shortcuts": Opening(lambda page: page.keyboard.press("?"), DIALOG),
            "more": menu("More"),
            "sharing": dialog("More", "Share a read-only link …", role="menuitem"),
            "new link": Opening(_new_link, DIALOG),
            "tip": Opening(_tip, ".over-time"),
        },
    ),
    "overview of all sites": View("", FIGURES),
    "the last tabs, and a table": View(
        f"?site={SITE}", FIGURES, lambda page: (_each_tab(page), press("Show as table")(page))
    ),
    "a site that waits": View(f"?site={QUIET}", ".arrival"),
    "an address that says too much": View(f"?site={SITE}&period=zork", "main .wrong"),
    "live": View("live", ".stream-rows", openings={"event": Opening(_row, DIALOG)}),
    "live, paused": View("live", ".stream-rows", press("Pause")),
    "events": View(
        "events",
        ROWS,
        openings={"event": Opening(_row, DIALOG), "columns": dialog("Columns"), "more": menu("Save these rows")},
    ),
    "no such events": View("events#search=zork", ".rows-none"),
    "rejects": View("events#tab=rejects", ROWS, openings={"reject": Opening(_row, DIALOG)}),
    "sql": View(
        f"explore?site={SITE}",
        ".schema-table",
        type_in("Query in SQL", "select * from events limit 3", "Run"),
        {
            "row": dialog("Row 1, whole"),
            "examples": Opening(press("Examples"), ".side"),
            "save": dialog("Saved", "Save this query …"),
        },
    ),
    "sql, wrong": View("explore", ".schema-table", type_in("Query in SQL", "select\n  zork from events", "Run")),
    "sql as a chart": View("explore", ".schema-table", _chart),
    "funnels": View(
        f"explore?site={SITE}#funnels?step=path+is+%2F&step=event+is+purchase",
        ".way",
        openings={"save": dialog("Save this funnel …"), "remove": dialog("Remove buy")},
    ),
    "goals": View(
        f"explore?site={SITE}#goals",
        ".goals tbody",
        openings={"add": dialog("Add a goal …"), "remove": dialog("Remove thanks")},
    ),
    "shop": View(f"explore?site={SITE}#shop", ".shop table"),
    "cohorts": View(f"explore?site={SITE}#cohorts", ".heat"),
    "sites": View(
        "sites",
        ".sites-table",
        openings={
            "menu": menu(f"More of {SITE}"),
            "add": dialog("Add a site"),
            "settings": dialog(f"More of {SITE}", "Settings …", role="menuitem"),
            "tag": dialog(f"More of {SITE}", "Its tag", role="menuitem"),
            "tag that waits": dialog(f"More of {QUIET}", "Its tag", role="menuitem"),
        },
    ),
    "account": View(
        "account",
        "main tbody",
        openings={
            "user": dialog("Add a user"),
            "other user": dialog("Change vera"),
            "no more": dialog("Remove vera"),
            "link": dialog("Share a site"),
            "token": dialog("Add a token"),
        },
    ),
}
WITHOUT = {
    "first": View("", ".first form"),
    "live": View("live", ".stream-empty"),
    "events": View("events", ".rows-none"),
    "rejects": View("events#tab=rejects", ".rows-none"),
    "sql": View("explore", ".schema-table"),
    "funnels": View("explore#funnels", ".funnel .nothing"),
    "goals": View("explore#goals", ".goals .nothing"),
    "shop": View("explore#shop", ".shop .nothing"),
    "cohorts": View("explore#cohorts", ".cohorts .nothing"),
    "sites": View("sites", ".first form", openings={"site": menu("Site: all sites")}),
    "account": View("account", "main .lead"),
}
"""Before anything was there."""


@pytest.fixture(scope="module")
def desert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Nothing."""
    with serving(tmp_path_factory.mktemp("desert")) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """The one that all share; nothing moves on it."""
    with browser.new_context(reduced_motion="reduce", locale="en-GB") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        yield page


@pytest.fixture
def owner(page: Page, town: Town, desert: House) -> Iterator[Page]:
    """The page, let in everywhere."""
    page.request.get(town.house.address)
    page.request.get(desert.address)
    yield page
    page.context.clear_cookies()


@pytest.fixture
def stranger(page: Page) -> Page:
    """The page, let in nowhere."""
    page.context.clear_cookies()
    return page


def against(page: Page, name: str = "page", part: str = "") -> list[str]:
    """What axe says against what is shown, in both colours and on a phone; or against a part of it, in both colours."""
    wrong = []
    for width, scheme, only in (*WAYS, *([] if part else [("narrow", "light", RULES)])):
        page.set_viewport_size(WIDE if width == "wide" else NARROW)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        passed, told = page.evaluate(LOOK, [part, only])
        assert passed or part, f"nothing was looked at: {name}"
        wrong += [f"{name}, {width}, {scheme}: {each}" for each in told]
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    return wrong


def arrive(page: Page, address: str, ready: str) -> None:
    """Open a page, and wait until no part of it is busy."""
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.goto("about:blank")  # what differs behind the # alone is no other page
    page.goto(address)
    expect(page.locator(ready).first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0, timeout=PATIENCE)
    page.evaluate(AXE_SCRIPT)


def looked_at(page: Page, origin: str, view: View) -> list[str]:
    """What axe says against a page and all that opens on it."""
    arrive(page, origin + view.path, view.ready)
    view.steps(page)
    wrong = against(page)
    for name, (steps, part) in view.openings.items():
        steps(page)
        expect(page.locator(part).first).to_be_visible(timeout=PATIENCE)
        expect(page.locator(f"{part} .skeleton")).to_have_count(0, timeout=PATIENCE)
        wrong += against(page, name, part)
        page.keyboard.press("Escape")
        expect(page.locator(f"{DIALOG}, {SHEET}")).to_have_count(0)
    return wrong


@pytest.mark.parametrize("name", WITH_DATA)
def test_pages_with_data(owner: Page, town: Town, name: str) -> None:
    """Nothing is wrong with a page, or with what opens on it."""
    wrong = looked_at(owner, town.house.origin, WITH_DATA[name])
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", WITHOUT)
def test_pages_without_data(owner: Page, desert: House, name: str) -> None:
    """Nothing is wrong with what stands in the place of figures."""
    wrong = looked_at(owner, desert.origin, WITHOUT[name])
    assert not wrong, "\n".join(wrong)


def test_the_log_in(stranger: Page, town: Town) -> None:
    """Nothing is wrong with it: at first, with its help open, and after a wrong password."""
    arrive(stranger, town.house.origin, "form")
    stranger.locator("summary").click()
    wrong = against(stranger)
    stranger.get_by_label("Name").fill("olga")
    stranger.get_by_label("Password").fill("wrong password")
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("alert")).to_be_visible()
    wrong += against(stranger, "wrong")
    assert not wrong, "\n".join(wrong)


def test_shared_links(stranger: Page, town: Town) -> None:
    """Nothing is wrong with a link: open, behind a password, expired."""
    arrive(stranger, town.house.origin + town.shared, FIGURES)
    wrong = against(stranger, "open")
    arrive(stranger, town.house.origin + town.locked, "form")
    wrong += against(stranger, "locked")
    stranger.get_by_label("Password").fill(PASSWORD)
    stranger.get_by_role("button", name="Open").click()
    expect(stranger.locator(FIGURES).first).to_be_visible(timeout=PATIENCE)
    arrive(stranger, town.house.origin + town.over, "h1")
    expect(stranger.get_by_role("heading", name="no longer works")).to_be_visible()
    wrong += against(stranger, "over")
    assert not wrong, "\n".join(wrong)
