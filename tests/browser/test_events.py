"""The page of events in a real browser: search, filters, columns, pages, new ones, and the panel of one hit."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.house import House

ROWS = "#rows tbody tr"
NAUGHTY = "<script>alert(1)</script>\u202e=cmd|' /C calc'!A0"


@pytest.fixture
def events(house: House, visit):
    """Opens the page of events of a house."""

    def opened(rest: str = "", **options) -> Page:
        page = visit(**options)
        page.goto(f"{house.origin}events{rest}")
        expect(page.locator("#rows")).to_have_attribute("aria-busy", "false")
        return page

    return opened


def pages(*paths: str, **more) -> list[dict]:
    """Views of these pages."""
    return [{"host": "a.example", "path": path, **more} for path in paths]


def test_the_newest_stand_on_top(house: House, events) -> None:
    """A row an event, with its page, source and country in words."""
    house.arrive(*pages("/one"), *pages("/two", country="DE", referrer="https://www.news.example/x"))
    page = events()
    rows = page.locator(ROWS)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("a.example/two")
    expect(rows.first).to_contain_text("news.example")
    expect(rows.first).to_contain_text("Germany")


def test_search_and_filters_live_in_the_address(house: House, events) -> None:
    """What is typed and filtered survives a reload; taken away, all is there again."""
    house.arrive(*pages("/red", country="DE"), *pages("/red", country="FR"), *pages("/blue", country="DE"))
    page = events("?filter=country+is+DE")
    expect(page.locator(ROWS)).to_have_count(2)
    page.get_by_role("searchbox", name="Search events").fill("RED")
    expect(page.locator(ROWS)).to_have_count(1)
    page.reload()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.get_by_role("searchbox", name="Search events")).to_have_value("RED")
    page.get_by_role("searchbox", name="Search events").fill("nothing of the kind")
    page.get_by_role("button", name="Take filters and search away").click()
    expect(page.locator(ROWS)).to_have_count(3)


def test_a_broken_filter_is_a_sentence(house: House, visit) -> None:
    """Never a blank page."""
    page = visit(away=["**/nothing-else-is-away"])
    page.goto(f"{house.origin}events?filter=nonsense+is+DE")
    expect(page.locator(".wrong")).to_contain_text("nonsense")


def test_older_ones_come_page_by_page(house: House, events) -> None:
    """Behind the last one's cursor: none twice, none left out, also while new ones come."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    house.arrive(*(each | {"received_at": start} for each in pages(*(f"/{number}" for number in range(130)))))
    page = events()
    expect(page.locator(ROWS)).to_have_count(100)
    house.arrive(*pages("/new"))
    page.get_by_role("button", name="Older").click()
    expect(page.locator(ROWS)).to_have_count(130)
    shown = set(page.locator(f"{ROWS} .c-page").all_inner_texts())
    assert shown == {f"a.example/{number}" for number in range(130)}
    expect(page.get_by_role("button", name="Older")).to_have_count(0)


@pytest.mark.parametrize(
    ("new", "at_once", "then"),
    [(2, 232, []), (120, 100, [200, 300, 350])],
    ids=["some new", "more than a page"],
)
def test_older_and_new_at_once_lose_and_double_nothing(
    house: House, events, new: int, at_once: int, then: list[int]
) -> None:
    """Older pressed (twice), then the new ones, before the older ones have come: each row stands there once."""
    start = datetime.now(UTC) - timedelta(minutes=5)
    house.arrive(*(each | {"received_at": start} for each in pages(*(f"/{number}" for number in range(230)))))
    page = events()
    rows, older = page.locator(ROWS), page.get_by_role("button", name="Older")
    older.click()
    expect(rows).to_have_count(200)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/v1/newest?*before=*", hold)
    older.evaluate("button => (button.click(), button.click())")
    loading = page.get_by_role("button", name="Loading")
    expect(loading).to_be_visible()
    house.arrive(*pages(*(f"/new/{number}" for number in range(new))))
    page.get_by_role("button", name="new events: show").click()
    expect(rows.first).to_contain_text("/new/")
    assert len(held) == 1
    held[0].continue_()
    page.unroute("**/api/v1/newest?*before=*")
    expect(loading).to_have_count(0)
    expect(rows).to_have_count(at_once)
    for wanted in then:
        older.click()
        expect(rows).to_have_count(wanted)
    expect(older).to_have_count(0)
    shown = page.locator(f"{ROWS} .c-page").all_inner_texts()
    assert len(set(shown)) == len(shown) == 230 + new


def test_new_ones_are_announced_and_wait(house: House, events) -> None:
    """Nothing moves until one asks for them."""
    house.arrive(*pages("/old"))
    page = events()
    expect(page.locator(ROWS)).to_have_count(1)
    house.arrive(*pages("/new", "/newer"))
    button = page.get_by_role("button", name="2 new events: show")
    expect(button).to_be_visible()
    expect(page.locator(ROWS)).to_have_count(1)
    button.click()
    expect(page.locator(ROWS)).to_have_count(3)
    expect(button).to_have_count(0)


def test_columns_that_are_chosen_stay(house: House, events) -> None:
    """In this browser, also after a reload."""
    house.arrive(*pages("/", title="A title"))
    page = events()
    expect(page.get_by_role("columnheader", name="Title")).to_have_count(0)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="Title").check()
    page.get_by_role("checkbox", name="Browser").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator(ROWS).first).to_contain_text("A title")
    page.reload()
    expect(page.get_by_role("columnheader", name="Title")).to_be_visible()
    expect(page.get_by_role("columnheader", name="Browser")).to_have_count(0)


def test_a_row_opens_every_field_by_keyboard(house: House, events) -> None:
    """Enter opens, Escape closes and gives the focus back; the address opens it again."""
    house.arrive(*pages("/", user_id="u1", utm_campaign="spring", properties=[("size", ["4", "5"])]))
    page = events()
    row = page.locator(f"{ROWS} button").first
    row.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("dialog", name="Event")
    for text in ("size", "utm_campaign", "spring", "u1", "hit_id"):
        expect(panel).to_contain_text(text)
    page.reload()
    expect(panel).to_contain_text("spring")
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    row.press("Enter")
    expect(panel.locator(":focus")).to_have_count(1)  # open, and listening: a key before goes to the page
    page.keyboard.press("Escape")
    expect(row).to_be_focused()


def test_a_value_leads_to_its_events(house: House, events) -> None:
    """`only` filters by it."""
    house.arrive(*pages("/", user_id="u1"), *pages("/", user_id="u2"))
    page = events()
    page.locator(f"{ROWS} button").first.click()
    page.get_by_role("link", name="Only events with this user_id").click()
    expect(page.locator(ROWS)).to_have_count(1)
    expect(page.locator(".chip")).to_contain_text("user_id is u2")


def test_a_hit_that_is_gone_is_a_sentence(house: House, events) -> None:
    """The panel says so; the table behind it is whole."""
    house.arrive(*pages("/"))
    page = events("#hit=p-4f1c9a2e-999", away=["**/nothing-else-is-away"])
    expect(page.get_by_role("dialog").locator(".failed")).to_contain_text("There is no hit")


def test_a_reject_says_why_and_is_replayed(house: House, events) -> None:
    """By reason; with the fault, the remedy, what is kept of the hit, and what became of it."""
    name = house.refuse(
        "bad_number", detail='[{"field":"value","text":"12,5 is no number"}]', raw='{"body":"value=12,5"}'
    )
    house.refuse("bad_site")
    page = events()
    page.get_by_role("tab", name="Rejects").click()
    expect(page.locator(ROWS)).to_have_count(2)
    page.locator(".reasons").get_by_role("button", name="bad_number").click()
    expect(page.locator(ROWS)).to_have_count(1)
    page.locator(f"{ROWS} button").first.click()
    panel = page.get_by_role("dialog", name="Reject")
    for text in ("12,5 is no number", "no unit, no comma", '"body": "value=12,5"'):
        expect(panel).to_contain_text(text)
    expect(panel.locator("code", has_text="12.50")).to_be_visible()
    panel.get_by_role("button", name="Replay").click()
    expect(panel).to_contain_text("It is an event now.")
    assert house.judged == [name]


def test_text_from_outside_is_text(house: House, events) -> None:
    """In cells, the panel and the reject."""
    house.arrive(*pages("/" + NAUGHTY, title=NAUGHTY, event=NAUGHTY, properties=[(NAUGHTY, [NAUGHTY])]))
    house.refuse("schema", detail=f'[{{"field":"x","text":"{NAUGHTY}"}}]')
    page = events()
    page.locator(f"{ROWS} button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("<script>alert(1)</script>\u2039U+202E\u203a")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Rejects").click()
    expect(page.locator(ROWS).first).to_contain_text("<script>")


def test_the_rows_are_saved_without_formulas(house: House, events, tmp_path: Path) -> None:
    """CSV of what is shown: the search holds, and nothing begins like a formula."""
    house.arrive(*pages("/", title='=HYPERLINK("http://x")'), *pages("/other"))
    page = events("#search=HYPERLINK")
    expect(page.locator(ROWS)).to_have_count(1)
    page.get_by_role("button", name="Save these rows").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV").click()
    download.value.save_as(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["title"] for row in rows] == ['\'=HYPERLINK("http://x")']


def test_a_file_is_whole(house: House, events) -> None:
    """All rows are in it, however many pages they are on the screen."""
    house.arrive(*pages(*(f"/{number}" for number in range(10_050))), live=False)
    page = events()
    page.get_by_role("button", name="Save these rows").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="JSON").click()
    rows = json.loads(download.value.path().read_text())
    assert len({row["hit_id"] for row in rows}) == len(rows) == 10_050
    expect(page.locator(".tools .failed")).to_have_count(0)


def test_a_file_that_is_cut_says_so(house: House, events) -> None:
    """Where there are more rows than a file may have: the file comes, and a sentence beside it."""
    house.arrive(*pages("/one", "/two"))
    page = events()

    def smaller(route: Route) -> None:
        route.continue_(url=route.request.url.replace("limit=100000", "limit=1"))

    page.route("**/api/v1/newest?*format=csv*", smaller)
    page.get_by_role("button", name="Save these rows").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 2
    expect(page.locator(".tools .failed")).to_contain_text("there are more")


def test_an_empty_period_says_what_to_do(house: House, events) -> None:
    """And does it by a click."""
    house.arrive(*pages("/", received_at=datetime.now(UTC) - timedelta(days=100)))
    page = events()
    page.get_by_role("button", name="Look at 12 months").click()
    expect(page.locator(ROWS)).to_have_count(1)


def test_what_is_away_says_so(house: House, events) -> None:
    """A sentence with a way to try again."""
    page = events(away=["**/api/v1/newest*"])
    expect(page.locator(".failed").first).to_contain_text("Try again")
