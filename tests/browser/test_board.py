"""The overview in a real browser.

The fixture `visit` fails a test on any console message, dialog or request to elsewhere.
"""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
WHY = "The lake cannot be read. Look at its folder."
HOME = {"url": "https://example.com/", "host": "example.com", "path": "/", "title": "Home"}
SLOW = 30_000
"""ms: the lake follows within its window, and the page looks every four seconds."""

SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ value, sources, hadRecentInput }) => hadRecentInput
  || window.shifts.push([value, ...sources.map(({ node }) => node?.outerHTML ?? String(node?.data))])))
  .observe({ type: "layout-shift", buffered: true });"""


def panel(page, title):
    """The card of that title."""
    return page.locator(f'[data-panel="{title}"]')


def figure(page, name):
    """The value of a headline figure."""
    return page.locator(".figure", has=page.get_by_text(name, exact=True)).locator(".value")


def filled(page):
    """Wait until no part of the page is busy."""
    expect(page.locator(".panel")).to_have_count(7)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)


def filters(page):
    """The filters in the address."""
    return parse_qs(urlsplit(page.url).query).get("filter", [])


def test_figures_and_panels(house, visit):
    """People and machines are told apart, in figures and panels; the lake's figures follow without a reload."""
    now = datetime.now(UTC)
    visits = [{**HOME, "received_at": now - timedelta(minutes=5 * n), "visitor_id": f"a{n}"} for n in range(5)]
    house.arrive(*visits, {**HOME, "bot": True, "bot_name": "Googlebot"})
    page = visit()
    filled(page)
    expect(figure(page, "Page views")).to_have_text("5")
    expect(page.locator(".left")).to_contain_text("16.7% of 6 hits are no person's")
    expect(panel(page, "Pages").locator(".list li")).to_have_text(["example.com/5"], use_inner_text=False)
    expect(panel(page, "People and machines").locator(".list li")).to_contain_text(["Googlebot"])
    page.get_by_role("button", name="Put them back").click()
    expect(figure(page, "Page views")).to_have_text("6")
    page.go_back()
    expect(figure(page, "Page views")).to_have_text("5")
    house.arrive({**HOME, "path": "/new"})
    expect(figure(page, "Page views")).to_have_text("6", timeout=SLOW)


def test_both_sums_are_always_in_sight(house, visit):
    """The sums are shown with a tick, below and in the header, and with a cross as soon as they do not hold."""
    house.arrive(HOME, HOME)
    page = visit()
    expect(page.locator(".trust h2")).to_have_text(re.compile("Every hit is accounted for"))
    expect(page.locator(".sum").nth(0)).to_contain_text("2 hits accepted = 0 in the stream + 2 settled")
    expect(page.locator(".sum").nth(1)).to_contain_text("2 outcomes = 2 in the lake + 0 rejected")
    expect(page.locator(".trust-mark .mark")).to_have_attribute("data-state", "good")
    house.lost = 1
    expect(page.locator(".trust h2")).to_have_text(re.compile("The sums do not add up"))
    expect(page.locator(".trust-mark .mark")).to_have_attribute("data-state", "bad")


def test_notices_say_which_setting_to_set(house, visit):
    """What a role has noticed is on the page while it is so, as text only, with the setting marked."""
    house.arrive(HOME)
    page = visit()
    expect(page.locator(".live")).to_have_attribute("data-state", "live")
    expect(page.locator(".notices")).to_be_hidden()
    text = f"headers come from {EVIL}: name it in trusted_proxies"
    house.notices = [{"level": "error", "code": "undeclared_proxy", "text": text, "setting": "trusted_proxies"}]
    expect(page.locator(".notice")).to_have_text(f"Headers come from {EVIL}: name it in trusted_proxies.")
    expect(page.locator(".notice code")).to_have_text("trusted_proxies")
    house.notices = []
    expect(page.locator(".notices")).to_be_hidden()


@pytest.mark.parametrize(
    ("title", "tab", "row", "wanted"),
    [
        ("Pages", "Pages", "a.example/shop", ["host is a.example", "path is /shop"]),
        ("Pages", "Entry", "a.example/shop", ["host is a.example", "path is /shop"]),
        ("Pages", "Titles", "Shop", ["title is Shop"]),
        ("Sources", "Channels", "search", ["channel is search"]),
        ("Sources", "Referrers", "google.com", ["referrer_host is google.com"]),
        ("Sources", "Campaigns", "spring", ["utm_campaign is spring"]),
        ("Places", "Countries", "Germany", ["country is DE"]),
        ("Devices", "Browsers", "Firefox", ["browser is Firefox"]),
        ("Devices", "Systems", "Linux", ["os is Linux"]),
        ("Events", "Events", "pageview", ["event is pageview"]),
    ],
)
def test_a_click_filters(house, visit, title, tab, row, wanted):  # noqa: PLR0917 - a row of the table
    """A row filters by itself: the filter is in the address and a chip; reload keeps it, its cross takes it away."""
    here = {"host": "a.example", "path": "/shop", "title": "Shop", "channel": "search", "referrer_host": "google.com"}
    here |= {"utm_campaign": "spring", "country": "DE", "browser": "Firefox", "os": "Linux", "device": "desktop"}
    house.arrive({**HOME, **here}, {**HOME, "path": "/other", "event": "cart", "browser": "Safari"})
    page = visit()
    filled(page)
    panel(page, title).get_by_role("tab", name=tab, exact=True).click()
    panel(page, title).locator(".list button", has_text=row).click()
    expect(page.locator(".chip")).to_have_text([f"{each}✕" for each in wanted])
    assert filters(page) == wanted
    expect(figure(page, "Page views")).to_have_text("1")
    page.reload()
    filled(page)
    expect(figure(page, "Page views")).to_have_text("1")
    for _ in wanted:
        page.locator(".chip button").first.click()
    assert filters(page) == []


def test_hostile_text_is_only_text(house, visit):
    """Markup in every field of a hit does nothing but appear as text, in panels, lists, chips and the site picker."""
    names = ("event", "url", "host", "path", "title", "referrer_host", "referrer", "browser", "os", "device")
    more = ("country", "region", "city", "language", "channel", "user_id", "site", "utm_campaign", "screen")
    house.arrive({**dict.fromkeys((*names, *more), EVIL), "properties": [(EVIL, [EVIL])]})
    house.arrive({**HOME, "bot": True, "bot_name": EVIL})
    page = visit()
    filled(page)
    for title in ("Sources", "Devices", "Events", "People and machines", "Places"):
        for tab in panel(page, title).get_by_role("tab").all():
            tab.click()
            expect(panel(page, title)).to_have_attribute("aria-busy", "false")
    panel(page, "Devices").get_by_role("tab", name="Browsers").click()
    panel(page, "Devices").locator(".list button").first.click()
    expect(page.locator(".chip")).to_contain_text(EVIL)
    panel(page, "Devices").get_by_role("button", name="All").click()
    expect(page.locator("dialog th", has_text=EVIL)).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(".sitepicker button").first.click()
    page.locator(".choices button", has_text=EVIL).click()
    expect(page.locator(".sitepicker > button")).to_contain_text(EVIL[:20])
    assert page.locator("main img, main script").count() == 0
    assert EVIL in page.title()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("a\u202egnp.exe", "a\u2039U+202E\u203agnp.exe"),
        ("a\x00b\x1b[31m", "a␀b␛[31m"),
        ("a\u200bb", "a\u2039U+200B\u203ab"),
        ("a\nb", "a b"),
        ("\U0001f469\u200d\U0001f467 \u05e9\u05dc", "\U0001f469\u200d\U0001f467 \u05e9\u05dc"),
    ],
    ids=["bidi", "control", "zero-width", "line break", "emoji and hebrew"],
)
def test_invisible_characters_are_made_visible(house, visit, sent, shown):
    """What would change the look of its neighbours is shown as what it is; scripts and emoji stay whole."""
    house.arrive({**HOME, "title": sent})
    page = visit()
    panel(page, "Pages").get_by_role("tab", name="Titles").click()
    expect(panel(page, "Pages").locator(".list .outside").first).to_have_text(shown, use_inner_text=True)


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_long_text_does_not_widen_the_page(house, visit, width):
    """However long a word is, the page does not scroll sideways, from a phone to a wide screen."""
    long = {"title": "x" * 8000, "path": "/" + "y" * 8000, "site": "z" * 250, "browser": "b" * 300}
    house.arrive({**HOME, **long})
    page = visit(width=width, height=844)
    filled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_moves_while_it_is_filled(house, visit, width):
    """What comes has its place before: the browser tells of no layout shift, on a phone and on a wide screen."""
    house.arrive(*(HOME | {"country": "DE", "path": f"/{number}", "bot": number % 5 == 0} for number in range(20)))
    page = visit(width=width)
    page.add_init_script(SHIFTS)
    page.reload()
    filled(page)
    expect(page.locator(".live")).to_contain_text("now")
    page.wait_for_timeout(500)
    assert page.evaluate("window.shifts") == []


def test_one_site(house, visit):
    """A site can be picked, found by a part of its name; its address can be opened again."""
    house.arrive({**HOME, "site": "a.example"}, {**HOME, "site": "b.example"}, {**HOME, "site": "b.example"})
    page = visit()
    expect(figure(page, "Page views")).to_have_text("3")
    page.keyboard.press("s")
    page.get_by_role("searchbox", name="Find a site").fill("B.EX")
    expect(page.locator(".choices button")).to_have_text(["b.example"])
    page.keyboard.press("Enter")
    expect(figure(page, "Page views")).to_have_text("2")
    assert page.url.endswith("/?site=b.example")
    page.reload()
    expect(figure(page, "Page views")).to_have_text("2")
    page.go_back()
    expect(figure(page, "Page views")).to_have_text("3")


def test_periods(house, visit):
    """A period is picked by mouse or by one key, and lives in the address; comparison shows what changed."""
    now = datetime.now(UTC)
    days = [now - timedelta(days=days) for days in (0, 0, 8, 8, 8, 40)]
    house.arrive(*[{**HOME, "received_at": at} for at in days])
    page = visit()
    expect(figure(page, "Page views")).to_have_text("5")
    page.locator(".period button").first.click()
    page.get_by_role("menuitemradio", name="Last 7 days").click()
    expect(figure(page, "Page views")).to_have_text("2")
    expect(page.locator(".figure", has_text="Page views").locator(".was")).to_contain_text("33%")
    page.keyboard.press("y")
    expect(figure(page, "Page views")).to_have_text("6")
    assert "period=12mo" in page.url
    page.keyboard.press("c")
    expect(page.get_by_role("switch", name="Compare")).to_have_attribute("aria-checked", "true")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.go_back()
    page.go_back()
    expect(figure(page, "Page views")).to_have_text("2")


def test_what_is_new_in_a_list(house, visit):
    """Compared, a page that nobody saw before is new; another says by how much it changed; so in the whole list."""
    now = datetime.now(UTC)
    for path, days in (("/new", [0]), ("/old", [0, 0, 9])):
        house.arrive(*[{**HOME, "path": path, "received_at": now - timedelta(days=day)} for day in days])
    page = visit()
    filled(page)
    page.keyboard.press("w")
    page.keyboard.press("c")
    rows = panel(page, "Pages").locator(".list li")
    expect(rows.filter(has_text="/new").locator(".change")).to_have_text("new")
    expect(rows.filter(has_text="/old").locator(".change")).to_contain_text("100%")
    panel(page, "Pages").get_by_role("button", name="All").click()
    rows = page.get_by_role("dialog", name="Pages").locator("tbody tr")
    expect(rows.filter(has_text="/new").locator(".change")).to_have_text("new")
    expect(rows.filter(has_text="/old").locator(".change")).to_contain_text("100%")


def test_the_whole_list(house, visit):
    """All rows of a panel: searched in the lake, and saved as a file whose formulas are text."""
    house.arrive(*[{**HOME, "path": f"/p{number}"} for number in range(30)], {**HOME, "title": "=1+1", "path": "/=x"})
    page = visit()
    filled(page)
    panel(page, "Pages").get_by_role("button", name="All").click()
    dialog = page.get_by_role("dialog", name="Pages")
    expect(dialog.locator("tbody tr")).to_have_count(31)
    dialog.get_by_role("searchbox").fill("p2")
    expect(dialog.locator("tbody tr")).to_have_count(11)
    dialog.get_by_role("button", name="Save these rows").click()
    with page.expect_download() as saved:
        dialog.get_by_role("menuitem", name="CSV").click()
    lines = saved.value.path().read_text().splitlines()
    assert lines[0].startswith("value,views")
    assert len(lines) == 12


def test_a_broken_address(house, visit):
    """A filter, zone or site in the address that cannot be: a sentence that says so, and the page goes on."""
    house.arrive(HOME)
    page = visit(away=["**/nothing"])  # the console tells of each refusal
    page.evaluate("history.replaceState(null, '', '/?filter=nonsense+is+x&zone=Mars'); location.reload()")
    expect(page.locator(".wrong")).to_contain_text("Mars")
    page.evaluate("history.replaceState(null, '', '/?filter=nonsense+is+x'); location.reload()")
    expect(page.locator(".wrong")).to_contain_text("nonsense")
    page.locator(".chip button").click()
    expect(figure(page, "Page views")).to_have_text("1")


@pytest.mark.parametrize("route", ["overview", "series", "pages", "charts", "site-names", "countries"])
def test_a_part_says_why_it_is_empty(house, visit, route):
    """What cannot be had says so in its own place, and comes by itself or on demand; the others show theirs."""
    house.arrive(HOME)
    page = visit(away=[f"**/api/v1/{route}?*", f"**/api/v1/{route}"])
    if route == "site-names":
        page.locator(".sitepicker button").first.click()
    expect(page.locator(".failed").first).to_have_text(re.compile(re.escape(WHY)), timeout=SLOW)
    expect(page.locator(".trust h2")).to_have_text(re.compile("Every hit is accounted for"))
    if route in {"pages", "countries"}:
        expect(figure(page, "Page views")).to_have_text("1")
    page.unroute_all()
    if (again := page.get_by_role("button", name="Try again").first).is_visible():
        again.click()
    if route != "site-names":
        expect(page.locator(".failed")).to_have_count(0, timeout=SLOW)
        filled(page)


@pytest.mark.parametrize("part", ["chart.js", "map.js"])
def test_the_rest_needs_no_picture(house, visit, part):
    """A part that cannot be loaded says so; figures and lists are there."""
    house.arrive(HOME)
    page = visit(away=[f"**/{part}"])
    expect(figure(page, "Page views")).to_have_text("1")
    expect(page.locator(".failed").first).to_contain_text("could not be loaded")
    expect(panel(page, "Pages").locator(".list li")).to_have_count(1)


def test_a_title_that_begins_like_an_operator(house, visit):
    """A click on "Not Found" looks at that title, and not at all others."""
    house.arrive({**HOME, "title": "Not Found"}, {**HOME, "title": "Home"}, {**HOME, "title": "Home"})
    page = visit()
    panel(page, "Pages").get_by_role("tab", name="Titles").click()
    panel(page, "Pages").locator(".list button", has_text="Not Found").click()
    expect(page.locator(".chip")).to_have_text("title is Not Found✕")
    expect(figure(page, "Page views")).to_have_text("1")
