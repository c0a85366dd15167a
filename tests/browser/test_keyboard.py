"""Everything by keyboard alone: Tab comes to whatever a click does, the focus is seen, and each action has its keys."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.town import SITE, Town

PATIENCE = 30_000
"""ms: other work may take the processor."""
MOST = 250
"""Stops of a page."""
WATCH = """() => {
  const look = (one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return JSON.stringify([outlineStyle === "none" ? "" : outlineStyle + outlineWidth, boxShadow]);
  };
  const told = (one) => one.getAttribute("aria-label") ?? one.textContent.slice(0, 40);
  const label = (one) => `${one.tagName} ${one.className} ${told(one)}`;
  window.walk = { stops: new Set(), looks: new Map(), look, label };
}"""
STEP = """() => {
  const { stops, looks, look } = window.walk;
  const one = document.activeElement;
  if (!one || one === document.body || stops.has(one)) return false;
  const { left, top, width, height } = one.getBoundingClientRect();
  const above = document.elementFromPoint(left + width / 2, top + height / 2)?.closest(".top");
  stops.add(one), looks.set(one, [look(one), Boolean(above) && !above.contains(one)]);
  return true;
}"""
FAULTS = """() => {
  const { stops, looks, look, label } = window.walk;
  document.activeElement.blur();
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  const isSeen = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.matches(":disabled, [type=hidden]");
  const isStop = (one) => [...stops].some((stop) => one.contains(stop));
  // one of a list of tabs is a stop, arrows lead to the others
  const isWalked = (one) => one.matches("[role=tab][tabindex='-1']") && isStop(one.closest("[role=tablist]"));
  const listens = (one) => Object.keys(one.l ?? one.__l ?? {}).some((name) => /^(on)?click/i.test(name));
  const clicked = [...document.querySelectorAll("#page *")].filter(listens);
  const all = new Set([...document.querySelectorAll(kinds), ...clicked]);
  const missed = [...all].filter((one) => isSeen(one) && !isWalked(one) && !isStop(one));
  const unseen = [...looks].filter(([one, [focused]]) => document.contains(one) && focused === look(one));
  const below = [...looks].filter(([, [, isBelow]]) => isBelow);
  const labels = (found) => found.map(([one]) => label(one));
  return {
    clicked: clicked.length, stops: stops.size,
    missed: missed.map(label), unseen: labels(unseen), below: labels(below),
  };
}"""
"""What a click does and Tab does not come to; stops that look as they do without the focus; those below the header."""


@pytest.fixture(scope="module")
def shared(browser: Browser, town: Town) -> Iterator[Page]:
    """The page of all tests, let in; its mouse is never used."""
    with browser.new_context(reduced_motion="reduce", locale="en-GB") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(town.house.address)
        yield page


@pytest.fixture
def visit(shared: Page, town: Town) -> Callable[..., Page]:
    """Opens a page, and waits until no part of it is busy."""

    def opened(path: str, ready: str = "main h1") -> Page:
        shared.goto("about:blank")
        shared.goto(town.house.origin + path)
        expect(shared.locator(ready).first).to_be_attached(timeout=PATIENCE)
        expect(shared.locator("main [aria-busy=true]")).to_have_count(0, timeout=PATIENCE)
        return shared

    return opened


def tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """Press Tab until this has the focus."""
    for _ in range(MOST):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    pytest.fail(f"Tab does not come to {wanted}")


def press(page: Page, *keys: str) -> None:
    """One key after the other."""
    for key in keys:
        page.keyboard.press(key)


def filters(page: Page) -> list[str]:
    """Those of the address."""
    return parse_qs(urlsplit(page.url).query).get("filter", [])


BOARD = f"?site={SITE}"
WALKS = {
    "overview": (f"?site={SITE}&filter=country+is+DE&filter=browser+is+Firefox", ".world-box[tabindex]"),
    "live": ("live", ".stream-rows"),
    "events": ("events", "#rows tbody"),
    "rejects": ("events#tab=rejects", "#rows tbody"),
    "sql": (f"explore?site={SITE}", ".schema-table"),
    "funnels": (f"explore?site={SITE}#funnels?step=path+is+%2F&step=event+is+purchase", ".way"),
    "goals": (f"explore?site={SITE}#goals", ".goals tbody"),
    "shop": (f"explore?site={SITE}#shop", ".facts"),
    "cohorts": (f"explore?site={SITE}#cohorts", ".heat"),
    "sites": ("sites", ".sites-table"),
    "account": ("account", "main tbody"),
}


@pytest.mark.parametrize(("name", "key"), [*((name, "Tab") for name in WALKS), ("overview", "Shift+Tab")])
def test_tab_comes_to_everything(visit, name: str, key: str) -> None:
    """Both ways: whatever a click does has a stop, each stop shows that it has the focus, and none is hidden."""
    page = visit(*WALKS[name])
    page.evaluate("document.querySelectorAll('details').forEach((each, at) => (each.open = at === 0))")
    page.evaluate(WATCH)
    for _ in range(MOST * 4):
        page.keyboard.press(key)
        if not page.evaluate(STEP) and page.evaluate("document.activeElement === document.body"):
            break
    faults = page.evaluate(FAULTS)
    assert faults["stops"] > 10
    assert faults["clicked"] > 5
    assert [faults["missed"], faults["unseen"], faults["below"]] == [[], [], []], faults


def test_the_period(visit) -> None:
    """Enter opens the menu, arrows walk, Enter chooses; Escape closes; the button has the focus again."""
    page = visit(BOARD, ".panel .list")
    button = page.get_by_role("button", name="Period")
    tab_to(page, button)
    focused = page.get_by_role("menu").locator(":focus")  # before that, keys go to the page
    press(page, "Enter")
    expect(focused).to_have_count(1)
    press(page, "ArrowDown", "Enter")
    expect(page).to_have_url(re.compile("period=yesterday"))
    expect(button).to_be_focused()
    press(page, "Enter")
    expect(focused).to_have_count(1)
    press(page, "End", "Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(button).to_be_focused()
    press(page, "Enter")
    expect(focused).to_have_count(1)
    press(page, "End", "Enter")
    expect(page.get_by_role("dialog", name="Range, interval, zone")).to_be_visible()
    press(page, "Escape")
    expect(button).to_be_focused()


def test_filters(visit) -> None:
    """One is added by its key and the form, and taken away at its chip; the focus stays near."""
    page = visit(BOARD, ".panel .list")
    more = page.get_by_role("button", name="+ Filter")
    tab_to(page, more)
    press(page, "f")
    dialog = page.get_by_role("dialog", name="Add a filter")
    tab_to(page, dialog.get_by_role("combobox", name="Column"))
    page.keyboard.type("Country")
    tab_to(page, dialog.get_by_role("combobox", name="Test"))
    press(page, "ArrowDown")
    tab_to(page, dialog.get_by_role("combobox", name="Value"))
    page.keyboard.type("DE")
    press(page, "Enter")
    expect(dialog).to_have_count(0)
    assert filters(page) == ["country is not DE"]
    expect(more).to_be_focused()
    tab_to(page, page.get_by_role("button", name="Take away"), "Shift+Tab")
    press(page, "Enter")
    expect(page.locator(".chip")).to_have_count(0)
    expect(more).to_be_focused()


def test_a_panel(visit) -> None:
    """Arrows change its tab, Enter on a row filters, the whole list is searched and closed; the focus comes back."""
    page = visit(BOARD, ".panel .list")
    panel = page.locator("[data-panel=Devices]")
    tab_to(page, panel.get_by_role("tab", selected=True))
    press(page, "ArrowRight")
    expect(panel.get_by_role("tab", name="Systems")).to_be_focused()
    expect(panel.get_by_role("tab", name="Systems")).to_have_attribute("aria-selected", "true")
    whole = panel.get_by_role("button", name="All")
    expect(whole).to_be_enabled()
    tab_to(page, whole)
    press(page, "Enter")
    dialog = page.get_by_role("dialog", name="Systems")
    expect(dialog.get_by_role("row")).to_have_count(4)
    tab_to(page, dialog.get_by_role("searchbox"))
    page.keyboard.type("linux")
    expect(dialog.get_by_role("row")).to_have_count(2)
    press(page, "Escape", "Escape")
    expect(dialog).to_have_count(0)
    expect(whole).to_be_focused()
    tab_to(page, panel.locator(".list button", has_text="Linux"), "Shift+Tab")
    press(page, "Enter")
    expect(page.locator(".chip")).to_have_text(["os is Linux✕"])


def test_the_map(visit) -> None:
    """Arrows walk through its countries, from the most to the fewest, each is told; Enter filters by it."""
    page = visit(BOARD, ".world-box[tabindex]")
    world = page.locator(".world-box")
    tab_to(page, world)
    press(page, "ArrowRight")
    first = world.get_attribute("aria-valuetext")
    assert first
    assert re.fullmatch(r"(Germany|Switzerland): \d+ visitors", first)
    expect(page.locator(".world-tip")).to_contain_text(first.partition(":")[0])
    press(page, "ArrowRight")
    assert world.get_attribute("aria-valuetext") != first
    press(page, "Escape")
    expect(page.locator(".world-tip")).to_have_count(0)
    press(page, "End", "Enter")
    expect(page.locator(".chip")).to_have_count(1)
    assert filters(page) in (["country is DE"], ["country is CH"])


def test_the_chart(visit) -> None:
    """Arrows read it bucket by bucket, in words; with Shift they take a stretch, and Enter shows that alone."""
    page = visit(BOARD, ".u-over")
    chart = page.locator(".chart-plot")
    tab_to(page, chart)
    press(page, "End")
    last = chart.get_attribute("aria-valuetext")
    press(page, "ArrowLeft")
    assert chart.get_attribute("aria-valuetext") != last
    expect(page.locator(".chart-tip")).to_be_visible()
    press(page, "Shift+ArrowLeft", "Shift+ArrowLeft", "Enter")
    expect(page).to_have_url(re.compile("from=.*to="))


def test_figures(visit) -> None:
    """Enter chooses the one that is drawn."""
    page = visit(BOARD, ".u-over")
    figure = page.get_by_role("radio", name="Page views")
    tab_to(page, figure)
    press(page, "Enter")
    expect(figure).to_be_checked()
    expect(page.locator(".chart-keys")).to_contain_text("Page views")


def test_the_pause(visit) -> None:
    """Enter holds the live page, and lets it go on."""
    page = visit("live", ".stream-rows")
    button = page.locator(".stream-tools button")
    tab_to(page, button)
    press(page, "Enter")
    expect(button).to_have_text("Go on")
    expect(page.locator(".live")).to_have_attribute("data-state", "paused")
    press(page, "Space")
    expect(button).to_have_text("Pause")


def test_the_site(visit) -> None:
    """`s` opens the list with the focus in its search; Enter takes the first, Escape leaves it as it was."""
    page = visit("", ".panel .list")
    press(page, "s")
    page.keyboard.type("blog")
    expect(page.locator(".choices li")).to_have_count(1)
    press(page, "Enter")
    expect(page).to_have_url(re.compile(r"site=blog\.example"))
    button = page.get_by_role("button", name="Site: ")
    expect(button).to_be_focused()
    press(page, "Enter", "Escape")
    expect(page.locator(".choices")).to_have_count(0)
    expect(button).to_be_focused()


DIALOGS = {
    "filter": (BOARD, ".panel .list", "+ Filter"),
    "whole list": (BOARD, ".panel .list", "All"),
    "columns": ("events", "#rows tbody", "Columns"),
    "goal": (f"explore?site={SITE}#goals", ".goals tbody", "Add a goal …"),
    "goal to remove": (f"explore?site={SITE}#goals", ".goals tbody", "Remove thanks"),
    "site": ("sites", ".sites-table", "Add a site"),
    "user": ("account", "main tbody", "Add a user"),
    "user to remove": ("account", "main tbody", "Remove vera"),
}


@pytest.mark.parametrize("name", DIALOGS)
def test_dialogs_hold_the_focus(visit, name: str) -> None:
    """Tab goes round within one, never to the page behind it; Escape closes it, and its button has the focus again."""
    path, ready, label = DIALOGS[name]
    page = visit(path, ready)
    button = page.get_by_role("button", name=label, exact=True).first
    tab_to(page, button)
    press(page, "Enter")
    expect(page.locator("dialog[open]")).to_be_visible()
    within = []
    for _ in range(40):
        within.append(
            page.evaluate(
                "document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))"
            )
        )
        press(page, "Tab")
    assert all(within)
    press(page, "Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(button).to_be_focused()
