"""The live page in a real browser: what comes is seen at once, waits while it is paused, and lights the map."""

import re
import time
from urllib.request import urlopen

import pytest
from playwright.sync_api import expect

from tests.browser.house import House
from tests.running import running

ROWS = ".stream-rows li"
SHOWN = "\u2039U+202E\u203a"
"""A character that turns the text around, as it is shown."""
NAUGHTY = "<img src=x onerror=alert(1)>\u202egnp\u0000 ﷽"
LATEST = 2.0
"""Seconds from a hit to its row."""
ROUNDS = 4
"""So often it is measured, until it holds: other work may take the processor for a while."""


@pytest.fixture
def live(house: House, visit):
    """Opens the live page of a house."""

    def opened(search: str = "", **options):
        page = visit(**options)
        page.goto(f"{house.origin}live{search}")
        expect(page.locator(".stream")).to_have_attribute("aria-busy", "false")
        return page

    return opened


def test_a_hit_is_on_the_screen_within_two_seconds(browser, tmp_path, record_property) -> None:
    """The whole program: from the request for the pixel to the row in the browser, in the middle of five times."""
    rounds: list[list[float]] = []
    with running(tmp_path) as served, browser.new_context() as context:
        page = context.new_page()
        page.goto(served.dashboard)
        page.goto(served.dashboard.partition("?")[0] + "live")
        expect(page.locator(".live[data-state=live]")).to_be_visible(timeout=30_000)
        _seconds_to_a_row(served, page, "first")  # it opens the stores
        while not rounds or (rounds[-1][2] > LATEST and len(rounds) < ROUNDS):
            rounds.append(sorted(_seconds_to_a_row(served, page, f"{len(rounds)}-{each}") for each in range(5)))
    record_property("seconds", rounds[-1])
    print(f"from hit to screen: {[round(1000 * each) for each in rounds[-1]]} ms")  # noqa: T201 a measurement
    assert rounds[-1][2] <= LATEST, rounds


def _seconds_to_a_row(served, page, name):
    """How long it took from a hit to its row."""
    began = time.monotonic()
    with urlopen(f"{served.pixel}/pixel.gif?site=shop.example&url=https://shop.example/p-{name}", timeout=30):
        page.locator(ROWS, has_text=f"shop.example/p-{name}").wait_for(timeout=30_000)
    return round(time.monotonic() - began, 3)


def test_what_comes_is_shown_newest_first(house: House, live) -> None:
    """What was there, and what comes while one looks, each once; with the page, the source and the machine."""
    house.arrive({"event": "pageview", "host": "a.example", "path": "/first"})
    page = live()
    house.arrive(
        {"event": "cart", "host": "a.example", "path": "/second", "referrer_host": "news.example", "bot": True},
    )
    rows = page.locator(ROWS)
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("cart")
    expect(rows.first).to_contain_text("from news.example")
    expect(rows.first.locator(".badge-bot")).to_have_text("machine")
    expect(rows.last).to_contain_text("a.example/first")


def test_a_pause_counts_what_waits(house: House, live) -> None:
    """Nothing moves under one's eyes; what waits is counted, and comes when one goes on."""
    page = live()
    page.get_by_role("button", name="Pause").click()
    house.arrive(*({"path": f"/{number}", "host": "a.example"} for number in range(3)))
    expect(page.locator(".waiting-count")).to_have_text("3 waiting")
    expect(page.locator(ROWS)).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator(ROWS)).to_have_count(3)
    expect(page.locator(".waiting-count")).to_have_count(0)


def test_who_is_here_and_the_minutes(house: House, live) -> None:
    """People of five and thirty minutes, hits a second, and a bar for each minute with a table behind them."""
    house.arrive(*({"visitor_id": f"v{number % 2}"} for number in range(6)), {"bot": True})
    page = live()
    expect(page.locator("[data-figure=now]")).to_have_text("2")
    expect(page.locator("[data-figure=half]")).to_have_text("2")
    expect(page.locator(".bar-of")).to_have_count(30)
    expect(page.get_by_role("img", name="6 views by people, 1 hits of machines")).to_be_visible()
    assert "6" in page.locator(".minutes table tbody").text_content()
    house.arrive(*({} for _ in range(30)))
    expect(page.locator("[data-figure=rate]")).to_have_text(re.compile(r"^[1-9]\d*\.\d$"))


def test_the_map_lights_up(house: House, live) -> None:
    """A country glows when a hit comes from it, and its hits are told in words."""
    page = live()
    expect(page.locator(".world-land")).to_be_visible()
    page.evaluate(
        """() => void (window.lit = new Promise((done) =>
             new MutationObserver(() => document.querySelector('[data-lit=DE]') && done('DE'))
               .observe(document.querySelector('.world'), { childList: true, subtree: true })))"""
    )
    house.arrive({"country": "DE"})
    assert page.evaluate("() => Promise.race([window.lit, new Promise((done) => setTimeout(done, 5000))])") == "DE"
    expect(page.locator(".tops")).to_contain_text("Germany")


def test_the_lists_lead_to_the_events(house: House, live) -> None:
    """What the last half hour was about; a row leads to its events, of the same site."""
    house.arrive(*({"host": "a.example", "path": "/popular"} for _ in range(2)))
    page = live("?site=example.com")
    page.get_by_role("link", name="a.example/popular").click()
    page.wait_for_url("**/events?*")
    assert "site=example.com" in page.url
    expect(page.locator("#rows tbody tr")).to_have_count(2)


def test_a_site_sees_its_own(house: House, live) -> None:
    """Another site's events do not come."""
    house.arrive({"site": "other.example", "path": "/theirs"}, {"path": "/ours", "host": "example.com"})
    page = live("?site=example.com")
    house.arrive({"site": "other.example", "path": "/theirs"}, {"path": "/ours", "host": "example.com"})
    expect(page.locator(ROWS)).to_have_count(2)
    expect(page.locator(".stream")).not_to_contain_text("theirs")


def test_a_row_opens_all_its_fields(house: House, live) -> None:
    """The panel has the address #hit=NAME; Escape and Back close it."""
    house.arrive({"path": "/", "host": "a.example", "user_agent": "agent", "properties": [("colour", ["red"])]})
    page = live()
    page.locator(ROWS).first.get_by_role("button").click()
    panel = page.get_by_role("dialog", name="Event")
    expect(panel).to_contain_text("colour")
    expect(panel).to_contain_text("user_agent")
    assert "#hit=" in page.url
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    page.wait_for_url(lambda url: "#" not in url)
    page.locator(ROWS).first.get_by_role("button").press("Enter")
    expect(panel).to_be_visible()
    page.go_back()
    expect(panel).to_have_count(0)


def test_an_event_that_is_not_in_the_lake_yet(house: House, live) -> None:
    """What the live store has is shown at once, and the rest when it has come."""
    page = live()
    house.arrive({"path": "/", "host": "a.example", "title": "New"}, lake=False)
    page.locator(ROWS).first.get_by_role("button").click()
    panel = page.get_by_role("dialog", name="Event")
    expect(panel).to_contain_text("New")
    expect(panel).to_contain_text("on its way into the lake")


def test_an_event_between_the_list_and_the_stream(house: House, visit) -> None:
    """What comes after the page has its list and before it is connected is not missed."""
    page, held = visit(), []
    page.route("**/api/v1/live*", lambda route: held.append(route))  # noqa: PLW0108 playwright marks the function
    page.goto(f"{house.origin}live")
    expect(page.locator(".stream")).to_have_attribute("aria-busy", "false")
    house.arrive({"path": "/between", "host": "a.example"}, lake=False)
    held[-1].continue_()  # an earlier one may be of the page before
    expect(page.locator(ROWS)).to_contain_text("/between")


def test_text_from_outside_is_text(house: House, live) -> None:
    """In rows, lists and the panel."""
    told = {name: NAUGHTY.replace("\0", "") for name in ("title", "referrer_host", "browser", "os", "user_id")}
    house.arrive({**told, "event": NAUGHTY[:28], "host": NAUGHTY[:28], "path": "/" + NAUGHTY[:28]})
    page = live()
    expect(page.locator(ROWS).first).to_contain_text("<img src=x onerror=alert(1)>")
    page.locator(ROWS).first.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text(SHOWN)
    assert page.locator("main img").count() == 0


def test_what_is_away_says_so(house: House, live) -> None:
    """Each part for itself, with a way to try again; the rest goes on."""
    page = live(away=["**/api/v1/countries*", "**/api/v1/pages*"])
    expect(page.locator(".live-map .failed")).to_contain_text("Try again")
    expect(page.locator(".top-card .failed").first).to_contain_text("look at its folder", ignore_case=True)
    house.arrive({"path": "/", "host": "a.example"})
    expect(page.locator(ROWS)).to_have_count(1)


def test_an_empty_page_says_what_to_do(house: House, live) -> None:
    """Nothing has come yet: where the tag is."""
    page = live()
    expect(page.locator(".stream-empty").get_by_role("link", name="Sites")).to_be_visible()


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_it_fits_every_screen(house: House, live, width: int) -> None:
    """Nothing is wider than the screen, also with long words."""
    house.arrive({"path": "/" + "long" * 100, "host": "a.example", "referrer_host": "r" * 200, "title": "x" * 500})
    page = live(width=width)
    expect(page.locator(ROWS)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
