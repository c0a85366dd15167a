"""The dashboard in a real browser.

The fixture `visit` fails a test on any console message, dialog or request to elsewhere.
"""

import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
WHY = "The lake cannot be read; look at its folder"
HOME = {"url": "https://example.com/", "host": "example.com", "path": "/", "title": "Home"}


def rows(page):
    """The rows of the newest events."""
    return page.locator("#rows tr:not(.details)")


def test_the_first_hit_turns_the_page(house, visit):
    """Before the first hit the page shows the tag; the hit is on it within 2 s, without a reload."""
    page = visit()
    expect(page.locator("#empty")).to_be_visible()
    assert page.locator("#snippet").inner_text().startswith("<img src=")
    expect(page.locator("#live-text")).to_have_text("Live")
    page.evaluate("window.unloaded = false")
    house.arrive(HOME)
    began = time.monotonic()
    expect(rows(page)).to_have_count(1, timeout=2000)
    expect(page.locator("#figure-visitors_now")).to_have_text("1", timeout=2000)
    assert time.monotonic() - began < 2
    expect(page.locator("#empty")).to_be_hidden()
    assert page.evaluate("window.unloaded") is False


def test_every_next_hit_is_there_within_two_seconds(house, visit):
    """Events come on top, and the live figures move with them."""
    house.arrive(HOME)
    page = visit()
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#live-text")).to_have_text("Live")
    for number in range(2, 5):
        house.arrive({**HOME, "title": f"Page {number}"}, lake=False)
        began = time.monotonic()
        expect(rows(page).first.locator(".c-title")).to_have_text(f"Page {number}", timeout=2000)
        expect(page.locator("#figure-visitors_half_hour")).to_have_text(str(number), timeout=2000)
        assert time.monotonic() - began < 2


def test_hostile_text_is_only_text(house, visit):
    """Markup in every field of a hit does nothing but appear as text, in the table, the details and the lists."""
    hostile = dict.fromkeys(("event", "url", "host", "path", "title", "referrer_host", "referrer", "browser"), EVIL)
    more = dict.fromkeys(("os", "device", "bot_name", "country", "user_agent", "channel", "user_id", "site"), EVIL)
    house.arrive({**hostile, **more, "bot": True}, {**hostile, **more, "event": "pageview"})
    page = visit()
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first.locator(".c-title")).to_have_text(EVIL)
    expect(rows(page).first.locator(".c-referrer")).to_have_text(EVIL)
    expect(page.locator(".list li span.outside").first).to_contain_text(EVIL)
    rows(page).first.locator("button").click()
    expect(page.locator(".details dd", has_text=EVIL).first).to_be_visible()
    page.locator("#site").select_option(EVIL)
    expect(rows(page)).to_have_count(2)
    assert page.locator("main img, main script, main a").count() == 0


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("a\u202egnp.exe", "a\u2039U+202E\u203agnp.exe"),
        ("a\x00b\x1b[31m", "a␀b␛[31m"),
        ("a\u200bb", "a\u2039U+200B\u203ab"),
        ("a\nb", "a b"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("\U0001f469\u200d\U0001f467 \u05e9\u05dc", "\U0001f469\u200d\U0001f467 \u05e9\u05dc"),
        ("", "\u2013"),
    ],
    ids=["bidi", "control", "zero-width", "line break", "javascript", "emoji and hebrew", "empty"],
)
def test_invisible_characters_are_made_visible(house, visit, sent, shown):
    """What would change the look of its neighbours is shown as what it is; scripts and emoji stay whole."""
    house.arrive({**HOME, "title": sent})
    page = visit()
    expect(rows(page).first.locator(".c-title")).to_have_text(shown, use_inner_text=True)


def test_long_text_does_not_widen_the_page(house, visit):
    """However long a word is, the page does not scroll sideways, also on a phone."""
    house.arrive({**HOME, "title": "x" * 8000, "path": "/" + "y" * 8000, "site": "z" * 250})
    page = visit(width=390, height=844)
    expect(rows(page)).to_have_count(1)
    rows(page).first.locator("button").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_figures_of_the_lake(house, visit):
    """People and machines are told apart, and the lake's figures follow without a reload."""
    now = datetime.now(UTC)
    visits = [{**HOME, "received_at": now - timedelta(hours=hours), "visitor_id": f"a{hours}"} for hours in range(5)]
    house.arrive(*visits, {**HOME, "bot": True, "bot_name": "Googlebot"})
    page = visit()
    expect(page.locator("#figure-views")).to_have_text("5")
    expect(page.locator("#figure-visitors")).to_have_text("5")
    expect(page.locator("#figure-hits")).to_have_text("6")
    expect(page.locator("#figure-rest")).to_have_text("16.7%")
    expect(page.locator(".lines table tbody tr")).to_have_count(24)
    expect(page.locator(".badge-bot")).to_have_count(1)
    house.arrive({**HOME, "path": "/new"})
    expect(page.locator("#figure-views")).to_have_text("6", timeout=8000)


def test_both_sums_are_always_in_sight(house, visit):
    """The sums are shown with a tick, and with a cross as soon as they do not hold."""
    house.arrive(HOME, HOME)
    page = visit()
    expect(page.locator("#trust-text")).to_have_text("Every hit is accounted for")
    expect(page.locator(".sum").nth(0)).to_contain_text("2 hits accepted=0 in the stream+2 settled")
    expect(page.locator(".sum").nth(1)).to_contain_text("2 outcomes=2 in the lake+0 rejected+0 withheld+0 removed")
    house.lost = 1
    expect(page.locator("#trust-text")).to_have_text("The sums do not add up")
    expect(page.locator(".sum .mark").nth(0)).to_have_attribute("data-state", "bad")


def test_notices_say_which_setting_to_set(house, visit):
    """What a collector has noticed is on the page while it is so, as text only, in red, with the setting marked."""
    page = visit()
    expect(page.locator("#live-text")).to_have_text("Live")
    expect(page.locator("#notices")).to_be_hidden()
    text = f"headers come from {EVIL}: name it in trusted_proxies"
    house.notices = [{"level": "error", "code": "undeclared_proxy", "text": text, "setting": "trusted_proxies"}]
    expect(page.locator("#notices li")).to_have_text(f"Headers come from {EVIL}: name it in trusted_proxies.")
    expect(page.locator("#notices code")).to_have_text("trusted_proxies")
    assert page.locator("#notices li").evaluate("e => getComputedStyle(e).color") == "rgb(179, 38, 30)"
    page.reload()
    expect(page.locator("#notices li")).to_have_count(1)
    house.notices = []
    expect(page.locator("#notices")).to_be_hidden()


def test_one_site(house, visit):
    """A site can be picked; its address can be opened again."""
    house.arrive({**HOME, "site": "a.example"}, {**HOME, "site": "b.example", "title": "B"})
    page = visit()
    expect(rows(page)).to_have_count(2)
    page.locator("#site").select_option("b.example")
    expect(rows(page)).to_have_count(1)
    assert page.url.endswith("/?site=b.example")
    house.arrive({**HOME, "site": "a.example"}, {**HOME, "site": "b.example", "title": "B2"})
    expect(rows(page).first.locator(".c-title")).to_have_text("B2")
    expect(rows(page)).to_have_count(2)
    page.reload()
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#site")).to_have_value("b.example")


def test_pause(house, visit):
    """Paused, the page holds still and counts what waits; going on shows it."""
    house.arrive(HOME)
    page = visit()
    expect(page.locator("#live-text")).to_have_text("Live")
    page.locator("#live").click()
    expect(page.locator("#live")).to_have_attribute("aria-pressed", "true")
    house.arrive({**HOME, "title": "While paused"})
    expect(page.locator("#live-text")).to_have_text("Paused, 1 new")
    expect(rows(page)).to_have_count(1)
    page.locator("#live").press("Enter")
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#live-text")).to_have_text("Live")


def test_all_that_waits_is_counted(house, visit):
    """Paused, the page counts every hit, also those that it will not show."""
    house.arrive(HOME)
    page = visit()
    expect(page.locator("#live-text")).to_have_text("Live")
    page.locator("#live").click()
    house.arrive(*[HOME] * 25)
    expect(page.locator("#live-text")).to_have_text("Paused, 25 new")
    house.arrive(*[HOME] * 15)
    expect(page.locator("#live-text")).to_have_text("Paused, 40 new")
    house.arrive(*[HOME] * 120)
    expect(page.locator("#live-text")).to_have_text("Paused, 140+ new")
    page.locator("#live").click()
    expect(rows(page)).to_have_count(30)
    page.locator("#live").click()
    expect(page.locator("#live-text")).to_have_text("Paused")


def test_a_hit_on_a_phone(house, visit):
    """On a phone a hit shows its event, and its site where there are many; what is not known takes no place."""
    house.arrive({**HOME, "event": "cart", "site": "shop.example"}, {**HOME, "browser": "Firefox", "country": "DE"})
    page = visit(width=390, height=844)
    expect(rows(page)).to_have_count(2)
    cart = rows(page).nth(1)
    expect(cart).to_contain_text("cart", use_inner_text=True)
    expect(cart).to_contain_text("shop.example", use_inner_text=True)
    assert "\u2013" not in page.locator("#rows").inner_text()
    for name in ("event", "site", "page", "title", "client", "country"):
        expect(rows(page).first.locator(f".c-{name}")).to_be_visible()
    page.locator("#site").select_option("shop.example")
    expect(rows(page)).to_have_count(1)
    expect(rows(page).first).to_contain_text("cart", use_inner_text=True)
    expect(rows(page).first.locator(".c-site")).to_be_hidden()


def test_what_is_known_of_a_hit(house, visit):
    """Without a known browser the table has what was sent; referrers, proxies, prefetches and repeats are marked."""
    agent = "curl/8.5.0"
    fetched = {"proxy": "gmail", "prefetch": True, "duplicate": True, "method": "HEAD"}
    house.arrive(
        {**HOME, "user_agent": agent, "device": "desktop", "referrer": "https://news.example/a"},
        {**HOME, **fetched, "browser": "Firefox", "os": "Linux", "user_agent": "Mozilla/5.0"},
    )
    page = visit()
    expect(rows(page).nth(1).locator(".c-client")).to_have_text(agent)
    expect(rows(page).nth(1).locator(".c-referrer")).to_have_text("https://news.example/a")
    expect(rows(page).nth(0).locator(".c-client")).to_have_text("Firefox \u00b7 Linux")
    expect(rows(page).nth(0).locator(".badge")).to_have_text(["repeat", "prefetch", "proxy", "head"])
    rows(page).nth(0).locator("button").click()
    expect(page.locator(".details")).to_contain_text("gmail")


def test_very_many_sites(house, visit):
    """Of very many sites the busiest are listed, and any other is found by a part of its name."""
    house.arrive(HOME, {**HOME, "site": "busy.example"}, {**HOME, "site": "zz-last.example", "title": "Found"})
    house.sites |= {f"site-{number:05}" for number in range(20_000)} | {EVIL}
    page = visit()
    expect(page.locator("#site option")).to_have_count(101)
    expect(page.locator("#site option", has_text="busy.example")).to_have_count(1)
    page.locator("#query").fill("SCRIPT")
    expect(page.locator("#found button")).to_have_text([EVIL])
    page.locator("#query").fill("no such")
    expect(page.locator("#found")).to_have_text("No site has this in its name.")
    page.locator("#query").fill("19999")
    expect(page.locator("#found button")).to_have_text(["site-19999"])
    page.locator("#query").press("Enter")
    expect(page.locator("#site")).to_have_value("site-19999")
    expect(page.locator("#found")).to_be_hidden()
    expect(rows(page)).to_have_count(0)
    page.locator("#query").fill("zz-last")
    page.locator("#found button").click()
    expect(rows(page).first.locator(".c-title")).to_have_text("Found")
    assert page.url.endswith("/?site=zz-last.example")


@pytest.mark.parametrize("part", ["uPlot.iife.min.js", "board.js", "lines.js", "trust.js", "sites.js", "notices.js"])
def test_the_table_needs_no_other_part(house, visit, part):
    """Events arrive in the table also when another part of the page cannot be loaded; what is missing says so."""
    house.arrive(HOME)
    page = visit(away=[f"**/{part}"])
    expect(rows(page)).to_have_count(1)
    house.arrive({**HOME, "title": "Next"})
    expect(rows(page).first.locator(".c-title")).to_have_text("Next")
    if part == "uPlot.iife.min.js":
        expect(page.locator(".lines table.plain tbody tr")).to_have_count(24)
        expect(page.locator("#figure-views")).to_have_text("2", timeout=8000)
    elif part == "trust.js":
        expect(page.locator("#trust-text")).to_contain_text("could not be loaded")
    elif part == "notices.js":
        expect(page.locator("#notices")).to_contain_text("could not be loaded")
    elif part != "sites.js":
        expect(page.locator("#board-failed")).to_contain_text("could not be loaded")


@pytest.mark.parametrize(
    ("route", "place", "text"),
    [
        ("overview", "#board-failed", WHY),
        ("series", ".lines .failed", WHY),
        ("pages", ".list:first-child .failed", WHY),
        ("now", "#board-failed", WHY),
        ("charts", "#board-failed", WHY),
        ("site-names", "#site", "All sites"),
        ("about", "#live-text", "Live"),
    ],
)
def test_a_panel_says_why_it_is_empty(house, visit, route, place, text):
    """What cannot be had is said in its own panel; the others, and the table, show theirs."""
    house.arrive(HOME)
    # The live feed brings the figures of "now" as well, and then nothing is wrong.
    page = visit(away=[f"**/api/v1/{route}?*"] + ["**/api/v1/live?*"] * (route == "now"))
    expect(page.locator(place)).to_have_text(text)
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#trust-text")).to_have_text("Every hit is accounted for")
    if route != "charts":
        expect(page.locator(".list")).to_have_count(2)
    expect(page.locator("#trouble")).to_be_hidden()
    page.unroute_all()
    house.arrive(HOME)
    expect(rows(page)).to_have_count(2)
    expect(page.locator("#board-failed")).to_be_hidden(timeout=8000)


def test_the_table_says_why_it_is_empty(house, visit):
    """While the newest events cannot be had the table says so, the rest is shown, and it goes on by itself."""
    house.arrive(HOME)
    page = visit(away=["**/api/v1/recent?*", "**/api/v1/status?*"])
    expect(page.locator("#no-rows")).to_have_text(WHY)
    expect(page.locator("#trust-text")).to_have_text("The sums cannot be read now")
    expect(page.locator("#figure-views")).to_have_text("1")
    page.unroute_all()
    expect(rows(page)).to_have_count(1)
    expect(page.locator("#no-rows")).to_be_hidden()
    expect(page.locator("#trust-text")).to_have_text("Every hit is accounted for")


def test_the_token_leaves_the_address(house, visit):
    """The token is in no address that the browser keeps."""
    page = visit()
    expect(page.locator("#live-text")).to_have_text("Live")
    assert page.url == house.origin
    assert page.evaluate("document.cookie") == ""
