"""The whole way in one browser: from the first start to the log-out; and every filter, to the address and back."""

import csv
import re
from collections.abc import Callable, Iterator
from io import StringIO
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from pixelake.operate.demo import sample_page
from tests.browser.town import SITE, inhabited
from tests.running import running

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
"""One that does not call itself headless, which would be a machine."""
PATIENCE = 30_000
"""ms: the lake follows within its window, the page looks every four seconds, other work may take the processor."""
NAME, PASSWORD = "olga", "correct horse battery"
WAY = "shop.example"


@pytest.fixture
def away(browser: Browser) -> Iterator[Callable[[], BrowserContext]]:
    """Opens browsers of different people; at the end none may have had a fault."""
    faults: list[str] = []
    contexts = []

    def opened() -> BrowserContext:
        context = browser.new_context(user_agent=CHROME, locale="en-GB")
        context.set_default_timeout(PATIENCE)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.on("weberror", lambda error: faults.append(str(error.error)))
        contexts.append(context)
        return context

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def views(page: Page) -> str:
    """The headline figure."""
    return page.locator(".figure", has_text="Page views").locator(".value").inner_text()


def shows(page: Page, number: str) -> None:
    """Wait for the headline figure to be this."""
    figure = page.locator(".figure", has_text="Page views").locator(".value")
    expect(figure).to_have_text(number)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)


def chips(page: Page, *told: str) -> None:
    """Wait for the chips to say this, as the address does."""
    expect(page.locator(".chip .outside")).to_have_text(list(told))
    assert parse_qs(urlsplit(page.url).query).get("filter", []) == list(told)


def first_user(page: Page, root: str) -> None:
    """Whoever came by the printed address makes a user, logs out, and logs in by name."""
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Account and access").click()
    page.get_by_role("button", name="Add a user").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill(NAME)
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Role").select_option("owner")
    form.get_by_role("button", name="Save").click()
    expect(page.get_by_role("rowheader", name=NAME)).to_be_visible()
    log_out(page)
    page.get_by_label("Name").fill(NAME)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(root)


def log_out(page: Page) -> None:
    """By the menu; the log-in is shown."""
    page.get_by_role("button", name="Account").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def copied_tag(page: Page) -> str:
    """A new site's tag, as its button puts it into the clipboard; the page waits for the first hit."""
    page.get_by_role("link", name="Sites", exact=True).click()
    page.get_by_label("Name").fill(WAY)
    page.get_by_label("Time zone").fill("Europe/Zurich")
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_text("Waiting for the first hit")).to_be_visible()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    tag: str = page.evaluate("navigator.clipboard.readText()")
    return tag


def shared(page: Page) -> str:
    """A new link to what is shown."""
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Share a read-only link").click()
    page.get_by_label("Name").fill("The board")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The link", exact=True).input_value()
    page.keyboard.press("Escape")
    return link


def exported(page: Page, panel: str) -> list[dict[str, str]]:
    """The rows of a panel, as its CSV has them."""
    page.locator(f"[data-panel={panel}]").get_by_role("button", name="Save").click()
    with page.expect_download() as saved:
        page.get_by_role("menuitem", name="CSV").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(StringIO(text)))


def test_from_the_first_start_to_the_log_out(tmp_path: Path, away: Callable[[], BrowserContext]) -> None:
    """Log-in, site, tag, live, filters, comparison, link, file, log-out: each as a person does it, and each holds."""
    with running(tmp_path) as served:
        root = served.dashboard.partition("?")[0]
        mine, theirs = away(), away()
        page, live = mine.new_page(), mine.new_page()
        page.goto(served.dashboard)
        expect(page.get_by_text("Which site do you want to count?")).to_be_visible()
        assert "token" not in page.url
        first_user(page, root)
        tag = copied_tag(page)
        assert f"{served.pixel}/pixel.gif?site={WAY}" in tag
        live.goto(root + "live")
        expect(live.locator(".live[data-state=live]")).to_be_visible()
        with sample_page(tag) as elsewhere:
            host = urlsplit(elsewhere).hostname
            visitor = theirs.new_page()
            visitor.goto(elsewhere + "pricing")
            expect(page.get_by_text("It works: a hit has arrived")).to_be_visible()
            expect(page.locator(".hit")).to_contain_text(f"{host}/pricing")
            expect(live.locator(".stream-rows li")).to_contain_text([f"{host}/pricing"])
            for path in ("home", "docs", "pricing"):
                visitor.goto(elsewhere + path)
            expect(live.locator(".stream-rows li")).to_have_count(4)
        page.get_by_role("link", name="Open its dashboard").click()
        shows(page, "4")
        filtered(page, host)
        compared(page)
        friend = away().new_page()
        friend.goto(shared(page))
        shows(friend, "4")
        assert not friend.context.cookies()
        rows = exported(page, "Pages")
        assert [(row["value"], row["views"]) for row in rows] == [
            (f"{host}/pricing", "2"),
            (f"{host}/docs", "1"),
            (f"{host}/home", "1"),
        ]
        assert page.request.get(root + "api/v1/overview").status == 200
        log_out(page)
        assert page.request.get(root + "api/v1/overview").status == 401
        page.goto(root)
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        friend.reload()
        shows(friend, "4")


def filtered(page: Page, host: str | None) -> None:
    """A click on a row filters, a second one filters more; reload keeps it, back undoes one by one."""
    page.locator("[data-panel=Pages] .list button", has_text=f"{host}/pricing").click()
    here = [f"host is {host}", "path is /pricing"]
    shows(page, "2")
    chips(page, *here)
    page.locator("[data-panel=Devices]").get_by_role("tab", name="Browsers").click()
    page.locator("[data-panel=Devices] .list button", has_text="Chrome").click()
    chips(page, *here, "browser is Chrome")
    shows(page, "2")
    page.reload()
    chips(page, *here, "browser is Chrome")
    shows(page, "2")
    page.go_back()
    chips(page, *here)
    page.locator(".chip", has_text="path is /pricing").get_by_role("button").click()
    chips(page, here[0])
    shows(page, "4")
    page.go_back()
    chips(page, *here)
    page.get_by_role("button", name="Clear all").click()
    chips(page)
    shows(page, "4")


def compared(page: Page) -> None:
    """The period before stands beside this one, in the chart and in the lists, until it is taken away."""
    page.get_by_role("switch", name="Compare").click()
    expect(page.locator(".chart-keys")).to_contain_text("Before")
    expect(page.locator("[data-panel=Pages] .list .change").first).to_be_visible()
    assert parse_qs(urlsplit(page.url).query)["compare"] == ["true"]
    page.go_back()
    expect(page.get_by_role("switch", name="Compare")).not_to_be_checked()
    expect(page.locator(".chart-keys")).not_to_contain_text("Before")


# --- each filter, to the address and back ---------------------------------------------------------

VALUES = ("DE", "a b", "not a", "Not", "is", " x ", "a&b=c#d?e+f%20", "ü✓🦊", '"quoted"', "[1]", "{", "\\d", "0")
"""Ordinary and odd ones; "": where there is none, is offered too."""
FAR = """async (filters) => {
  const { read, write, parameters, inWords } = await import("/static/address.js");
  return filters.map((filter) => {
    const state = read(write({ ...read(""), filter: [filter] }));
    return { filter: state.filter, asked: parameters(state).filter, chip: inWords(filter) };
  });
}"""
SAY = """async (wanted) => {
  const { test } = await import("/static/address.js");
  return wanted.map(([column, operator, value]) => test(column, operator, value));
}"""


@pytest.fixture(scope="module")
def board(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The overview, over something to count."""
    with inhabited(tmp_path_factory.mktemp("filters")) as town, browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(town.house.address)
        page.goto(f"{town.house.origin}?site={SITE}")
        yield page


def chosen(page: Page, name: str) -> Locator:
    """A field of the filter editor."""
    return page.get_by_role("combobox", name=name, exact=True)


def offered(page: Page, label: str) -> list[str]:
    """What a list of the filter editor offers."""
    page.get_by_role("button", name="+ Filter").click()
    expect(chosen(page, label)).to_be_visible()
    found: list[str] = (
        chosen(page, label).locator("option").evaluate_all("options => options.map(({ value }) => value)")
    )
    page.keyboard.press("Escape")
    return [f"{each}colour" if each.endswith(".") else each for each in found]


def asked(page: Page, filters: list[str]) -> list[str]:
    """The filters of what is asked when an address with them is opened, once it is answered."""
    wanted = page.evaluate(
        """async ([site, filter]) => (await import("/static/address.js")).write(
             { ...(await import("/static/address.js")).read(""), site, filter })""",
        [SITE, filters],
    )
    path = re.compile(r"/api/v1/overview\?")
    here = urlsplit(page.url)
    page.goto("about:blank")  # what the page before asked is none of this
    with page.expect_response(lambda answer: bool(path.search(answer.url))) as answer:
        page.goto(here._replace(query=wanted[1:], fragment="").geturl())
    assert answer.value.status == 200, answer.value.text()
    return parse_qs(urlsplit(answer.value.url).query).get("filter", [])


def test_every_filter_survives_the_address(board: Page) -> None:
    """Each column with each test and odd values: in the address, the state and the request it is one and the same."""
    every = list(product(offered(board, "Column"), offered(board, "Test"), ("", *VALUES)))
    assert len(every) == 21 * 6 * (1 + len(VALUES))
    filters = board.evaluate(SAY, every)
    assert len(set(filters)) == len(every)
    for filter_, told, (column, operator, value) in zip(filters, board.evaluate(FAR, filters), every, strict=True):
        assert told["filter"] == told["asked"] == [filter_]
        assert column in told["chip"]
        assert value.strip() in told["chip"]
        assert operator.removeprefix("is ").removeprefix("does ").split()[0] in told["chip"]


@pytest.mark.parametrize("test", ["is", "is not", "contains", "does not contain", "matches", "does not match"])
def test_every_filter_is_asked_and_shown(board: Page, test: str) -> None:
    """Loaded anew, the page shows a chip for each column's filter, and asks with the same; the API takes them all."""
    columns = offered(board, "Column")
    filters = board.evaluate(SAY, [[column, test, value] for column in columns for value in ("DE", " not & x ")])
    assert asked(board, filters) == filters
    words = [told["chip"] for told in board.evaluate(FAR, filters)]
    expect(board.locator(".chip .outside")).to_have_text(words, use_inner_text=False)
    board.get_by_role("button", name="Clear all").click()
    expect(board.locator(".chip")).to_have_count(0)


@pytest.mark.parametrize(
    ("column", "test", "value", "number"),
    [
        ("country", "is", "DE", "35"),
        ("title", "contains", "lamp", "35"),
        ("path", "does not match", "^/l", "35"),
        ("referrer_host", "is", "", "35"),
    ],
)
def test_a_filter_is_chosen(board: Page, column: str, test: str, value: str, number: str) -> None:
    """By the editor: it is in the address and on a chip, counts at once, and is still there after a reload."""
    board.goto(urlsplit(board.url)._replace(query=f"site={SITE}&period=12mo", fragment="").geturl())
    board.get_by_role("button", name="+ Filter").click()
    chosen(board, "Column").select_option(column)
    chosen(board, "Test").select_option(test)
    chosen(board, "Value").fill(value)
    board.get_by_role("button", name="Add", exact=True).click()
    told = f"{column} {test} {value}".strip()
    chips(board, told)
    shows(board, number)
    board.reload()
    chips(board, told)
    shows(board, number)
    board.locator(".chip button").click()
    chips(board)
