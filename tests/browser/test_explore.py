"""Explore in a real browser, over a real lake and registry: SQL, funnels, goals, the shop, cohorts."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pixelake.registry.sqlite import SqliteRegistry
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.query import Lakehouse
from pixelake.web.api import TOKEN, create
from pixelake.web.server import server
from tests.browser.house import House

HOSTILE = "<img src=x onerror=alert(1)>\u202eeman\x00\t"
LONG = "x" * 100_000
SHOPPERS = 9
PATIENCE = 30_000
"""Milliseconds: other work may take the processor."""


def _events() -> Iterator[dict]:
    """Nine people look at the start; six put something into a cart; three of them buy."""
    at = datetime.now(UTC) - timedelta(hours=30)
    for number in range(SHOPPERS):
        who = {"visitor_id": f"v{number}", "user_id": f"u-{number}", "site": "shop.example", "host": "shop.example"}
        way = [("pageview", "/"), ("add_to_cart", "/lamp"), ("purchase", "/thanks")][
            : 1 + (number >= 3) + (number >= 6)
        ]
        for step, (event, path) in enumerate(way):
            paid = {"value": Decimal("12.50"), "currency": "EUR"} if event == "purchase" else {}
            yield {
                **who,
                **paid,
                "event": event,
                "path": path,
                "received_at": at + timedelta(minutes=10 * number + step),
            }
    yield {"site": "shop.example", "event": HOSTILE, "title": LONG, "received_at": at, "bot": False}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a web role over the events, with the token in it."""
    folder = tmp_path_factory.mktemp("explore")
    listening = socket.create_server(("127.0.0.1", 0))
    house, registry = House(folder, listening.getsockname()[1]), SqliteRegistry(folder / "registry.sqlite")
    house.arrive(*_events())
    registry.add_sites(["shop.example", "blog.example"])

    def clocks() -> Clocks:
        return Clocks.of_registry(registry.snapshot(), "UTC")

    lake = Lakehouse(folder / "lake", clocks=clocks)
    questions = Questions(lake, clocks, lambda what: getattr(registry.snapshot(), what))
    told = replace(house.sources(), registry=registry, lake=lake, clocks=clocks, questions=questions)
    running = server(create(told))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.005)
        yield f"{house.origin}?token={registry.secret(TOKEN)}"
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()
        house.close()
        registry.close()


@pytest.fixture
def explore(browser, shop: str) -> Iterator[Callable[..., Page]]:
    """Opens the page; at the end nothing may have run that came from outside, failed, or been fetched elsewhere."""
    complaints: list[str] = []
    contexts = []
    origin = shop.partition("?")[0]

    def told(message) -> None:
        is_refusal = "Failed to load resource" in message.text  # a 400 is shown on the page
        complaints.extend([] if is_refusal else [f"{message.type}: {message.text}"])

    def opened(behind: str = "", *, width: int = 1280, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.request.get(shop)  # the cookie
        page.on("console", told)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda one: one.url.startswith((origin, "blob:", "data:")) or complaints.append(one.url))
        page.goto(f"{origin}explore{behind}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _run(page: Page, text: str) -> None:
    field = page.get_by_label("Query in SQL")
    field.fill(text)
    field.press("Control+Enter")


def test_a_query_is_run_and_shared(explore) -> None:
    """Rows come with their types; the text is in the address, and a link shows it without running it."""
    page = explore()
    text = "select event, count(*) as n, null::text as nothing from events group by event order by n desc, event"
    _run(page, f"{text} limit 3")
    rows = page.locator(".answer-rows tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first).to_contain_text("pageview")
    expect(rows.first.locator("td.number").last).to_have_text("9")
    expect(rows.first.locator(".null")).to_have_text("null")
    page.reload()
    expect(page.get_by_label("Query in SQL")).to_have_value(
        page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('q')")
    )
    expect(page.locator(".answer")).to_have_count(0)


def test_whoever_logs_in_anew_elsewhere_can_still_ask(explore, shop: str) -> None:
    """Another tab has another session by now: the query is sent again with what that asks for, and so is a file."""
    page = explore()
    _run(page, "select 1 as one")
    expect(page.locator(".answer-rows tbody tr")).to_have_count(1)
    page.context.clear_cookies()
    page.request.get(shop)
    _run(page, "select 1 as one union all select 2")
    expect(page.locator(".answer-rows tbody tr")).to_have_count(2)
    page.context.clear_cookies()
    page.request.get(shop)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the whole answer").click()
        page.get_by_role("menuitem", name="CSV").click()
    assert len(Path(saved.value.path()).read_text().splitlines()) == 3


def test_an_error_points_at_its_place(explore) -> None:
    """A sentence, the line with a mark, and a way there; the answer before stays, dimmed."""
    page = explore()
    _run(page, "select 1 as one")
    expect(page.locator(".answer-rows tbody tr")).to_have_count(1)
    _run(page, "select one,\n  two\nform events")
    expect(page.locator("#sql-fault .failed")).to_contain_text("(line 3, column 6)")
    expect(page.locator(".spot")).to_have_text("form events\n     ^^^^^^")
    page.get_by_role("button", name="Go to line 3").click()
    chosen = "[document.activeElement.selectionStart, document.activeElement.selectionEnd]"
    assert page.evaluate(chosen) == [23, 29]
    expect(page.locator(".answer")).to_have_attribute("data-old", "true")


def test_hostile_cells_are_text(explore) -> None:
    """Markup, directions and zero bytes are seen as what they are; a huge text is cut, and exact numbers stay exact."""
    page = explore()
    _run(page, "select event, title, 12345678901234567890::hugeint as huge from events where title is not null")
    cells = page.locator(".answer-rows tbody td")
    expect(cells.nth(1)).to_contain_text("<img src=x onerror=alert(1)>\u2039U+202E\u203a")
    assert page.locator(".answer img").count() == 0
    assert len(cells.nth(2).inner_text()) < 200
    expect(cells.nth(3)).to_have_text("12,345,678,901,234,567,890")
    page.get_by_role("button", name="Row 1, whole").click()
    expect(page.locator("dialog dd").nth(2)).to_have_text("12345678901234567890")


def test_large_answers_are_drawn_in_pages(explore) -> None:
    """50,000 rows are there, some hundred are drawn; the file has all."""
    page = explore()
    _run(page, "select range as n, range % 7 as rest from range(50000)")
    expect(page.locator(".answer h2")).to_contain_text("50,000 rows")
    assert page.locator(".answer-rows tbody tr").count() == 200
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pager")).to_contain_text("201 to 400 of 50,000")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the whole answer").click()
        page.get_by_role("menuitem", name="CSV").click()
    assert saved.value.suggested_filename == "query.csv"
    assert len(Path(saved.value.path()).read_text().splitlines()) == 50_001


def test_a_query_can_be_given_up(explore) -> None:
    """Cancel ends the wait at once, and says nothing is wrong."""
    page = explore()
    _run(page, "select count(*) from range(100000000) a, range(100000) b")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Run")).to_be_visible()
    expect(page.locator("#sql-fault .failed")).to_have_count(0)


def test_every_example_runs(explore) -> None:
    """Each SELECT that is offered is answered by this lake."""
    page = explore()
    found = page.evaluate("import('/static/examples.js').then(({ EXAMPLES }) => EXAMPLES)")
    assert len(found) >= 8
    page.get_by_role("button", name="Examples").click()
    for example in found:
        page.get_by_role("button", name=example["name"]).click()
        page.get_by_role("button", name="Run", exact=True).click()
        expect(page.locator(".answer[data-old=false]")).to_be_visible()
        expect(page.locator("#sql-fault .failed")).to_have_count(0)


def test_the_answer_as_a_chart(explore) -> None:
    """Over time it is lines with a table behind them; by a text it is bars."""
    page = explore()
    _run(page, "select event, count(*) as n from events where title is null group by event order by n desc")
    page.get_by_role("button", name="Chart").click()
    expect(page.locator(".bars li")).to_have_count(3)
    _run(page, "select date_trunc('minute', received_at) as minute, count(*) as n from events group by 1 order by 1")
    expect(page.locator(".picture .chart")).to_be_visible()


def test_a_query_is_kept_and_removed(explore) -> None:
    """Under a name, which is only ever text; opened by a click; gone after a question."""
    page, name = explore(), "<b>Tops & more"
    _run(page, "select 42 as answer")
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name="Save this query").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    _run(page, "select 1 as other")
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_label("Query in SQL")).to_have_value("select 42 as answer")
    page.get_by_role("button", name=f"Remove {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Nothing is saved yet")).to_be_visible()


def test_the_schema_stands_beside(explore) -> None:
    """A column is found by its meaning, and put into the query where the caret is."""
    page = explore()
    page.get_by_label("Query in SQL").fill("select ")
    page.get_by_label("Search columns").fill("currency")
    page.get_by_title("Put currency into the query").click()
    expect(page.get_by_label("Query in SQL")).to_have_value("select currency")


def test_a_funnel_is_built(explore) -> None:
    """Steps are chosen, the numbers show at once, and the address brings them back; saved, it is the site's."""
    page = explore("?site=shop.example#funnels")
    page.get_by_label("Step 1: value").fill("/")
    page.get_by_label("Step 2: what").select_option("event")
    page.get_by_label("Step 2: value").fill("add_to_cart")
    page.get_by_role("button", name="+ Step").click()
    page.get_by_label("Step 3: what").select_option("event")
    page.get_by_label("Step 3: value").fill("purchase")
    people = page.locator(".way-bar b")
    expect(people).to_have_text(["9", "6", "3"])
    expect(page.locator(".way-lost").last).to_contain_text("\u22123 (50%)")
    page.reload()
    expect(people).to_have_text(["9", "6", "3"])
    page.get_by_role("button", name="Save this funnel").click()
    page.get_by_label("Name").fill("buy")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Take step 3 away").click()
    expect(people).to_have_count(2)
    page.get_by_role("button", name="buy 3 steps").click()
    expect(people).to_have_text(["9", "6", "3"])
    page.get_by_role("button", name="Remove buy").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("shop.example has none yet")).to_be_visible()


def test_a_goal_is_declared(explore) -> None:
    """It is counted at once, also for the past, and is taken away after a question."""
    page = explore("?site=shop.example#goals")
    page.get_by_role("button", name="Add a goal").click()
    page.get_by_label("Name").fill("thanks")
    page.get_by_label("Filter 1: value").fill("/thanks")
    page.get_by_label("Worth each time").fill("2.50")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    row = page.locator(".goals tbody tr", has_text="thanks")
    expect(row).to_contain_text("7.50")
    expect(row.locator("td").first).to_have_text("3")
    row.get_by_role("button", name="Remove thanks").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("declares no goal")).to_be_visible()


def test_what_is_new_among_goals(explore) -> None:
    """Compared, a goal that was reached for the first time is new; one that nobody reached, then or now, is not."""
    page = explore("?site=shop.example&compare=true#goals")
    for name, path in (("thanks", "/thanks"), ("never", "/never")):
        page.get_by_role("button", name="Add a goal").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Filter 1: value").fill(path)
        page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
        cells = page.locator(".goals tbody tr", has_text=name).locator("td")
        expect(cells.nth(0)).to_have_text("3" if name == "thanks" else "0")
        expect(cells.nth(1)).to_have_text("new" if name == "thanks" else "")
    for name in ("thanks", "never"):
        page.get_by_role("button", name=f"Remove {name}").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_text("declares no goal")).to_be_visible()


def test_what_cannot_be_a_goal(explore) -> None:
    """A sentence in the dialog says why, and what was typed stays."""
    page = explore("?site=shop.example#goals")
    page.get_by_role("button", name="Add a goal").click()
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Filter 1: what").select_option("Filter")
    page.get_by_label("Filter 1: value").fill("user_id is anna")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("dialog").locator(".failed")).to_contain_text("is of one person")
    expect(page.get_by_label("Name")).to_have_value("anna")


def test_shop_and_cohorts(explore) -> None:
    """Revenue, carts and who comes back, with the tabs by keyboard; on a phone nothing stands out of the page."""
    page = explore("?site=shop.example#shop", width=360, scheme="dark")
    expect(page.get_by_label("Revenue", exact=True)).to_contain_text("€37.50")
    expect(page.get_by_label("Carts", exact=True)).to_contain_text("50%")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("tab", name="Shop").press("ArrowRight")
    expect(page.get_by_role("tab", name="Cohorts")).to_be_focused()
    expect(page.locator(".heat tbody tr").first).to_contain_text("100%")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
