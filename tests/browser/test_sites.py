"""The page of all sites, their settings and shared links, in a real browser."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Error, expect

SLOW = 30_000
"""ms: the page looks every four seconds."""
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def sites(house, visit):
    """Opens the page of the sites over a few of them."""

    def opened(search="", **options):
        page = visit(**options)
        page.set_default_timeout(SLOW)
        page.goto(house.origin + "sites" + search)
        return page

    return opened


def names(page):
    """The sites of the list, in order."""
    return page.locator(".site-name")


def test_sites_side_by_side(house, sites):
    """The busiest first, with who is there; searched and ordered by the address; a click opens its dashboard."""
    now = datetime.now(UTC)
    for number, site in enumerate(["a.example", "b.example", "quiet.example"]):
        seen = [
            {"site": site, "visitor_id": f"v{n}", "received_at": now - timedelta(hours=n)} for n in range(number + 1)
        ]
        house.arrive(*seen, {"site": site, "bot": True})
    page = sites()
    expect(names(page)).to_have_text(["quiet.example", "b.example", "a.example"], timeout=SLOW)
    row = page.locator(".site-row", has_text="quiet.example")
    expect(row.locator("[data-label=Views] b")).to_have_text("3")
    expect(row.locator("[data-label=Now]")).to_have_text("1")
    expect(row.locator("[data-label='Left out']")).to_have_text("25%")
    page.get_by_label("Order").select_option("name")
    expect(names(page)).to_have_text(["a.example", "b.example", "quiet.example"], timeout=SLOW)
    page.get_by_label("Find a site").fill("B.EX")
    expect(names(page)).to_have_text(["b.example"], timeout=SLOW)
    assert page.url.endswith("#list?search=B.EX&order=name")
    page.reload()
    expect(names(page)).to_have_text(["b.example"], timeout=SLOW)
    names(page).click()
    expect(page).to_have_url(re.compile(r"/\?site=b\.example$"))


def test_settings_of_a_site(house, sites):
    """An owner changes its zone and policy; a zone that there is not is told, and nothing is changed."""
    house.arrive({"site": "a.example"})
    page = sites("#settings?site=a.example", away=("**/nothing",))
    page.get_by_label("Time zone").fill("Mars/Olympus")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("dialog .failed")).to_contain_text("nknown time zone")
    page.get_by_label("Time zone").fill("Asia/Kolkata")
    page.get_by_label("Do Not Track").select_option("withhold")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".history")).to_contain_text("Asia/Kolkata since", timeout=SLOW)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    known = house.registry.snapshot()
    assert known.sites["a.example"].zones[-1][1] == "Asia/Kolkata"
    assert known.policies["a.example"][-1][1] == "withhold"


def test_the_list_is_new_when_a_dialog_is_closed(house, sites):
    """A site that was made meanwhile is in it, without a reload and before anything is counted."""
    house.arrive({"site": "a.example"})
    page = sites("#tag?site=b.example")
    expect(names(page)).to_have_text(["a.example"], timeout=SLOW)
    expect(page.locator("dialog")).to_be_visible()
    house.registry.add_sites(["b.example"])
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(names(page)).to_have_text(["a.example", "b.example"], timeout=SLOW)


def test_a_new_site_is_in_the_list_although_an_older_answer_is_under_way(house, sites):
    """The answer of before is given up, and asked for anew."""
    house.arrive({"site": "a.example"})
    page = sites()
    expect(names(page)).to_have_text(["a.example"], timeout=SLOW)
    held = []
    page.route("**/api/v1/each-site?*", lambda route: held.append((route, route.fetch())), times=1)
    house.arrive({"site": "a.example"})
    page.wait_for_timeout(100)
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    page.get_by_role("button", name="Add a site").click()
    page.get_by_label("Name").fill("b.example")
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_role("dialog", name="The tag of b.example")).to_be_visible()
    route, before = held[0]
    with suppress(Error):  # nobody waits for it any longer
        route.fulfill(response=before)
    expect(names(page)).to_have_text(["a.example", "b.example"], timeout=3_000)


def test_a_hostile_address(house, sites):
    """A tag or settings of what can be no site: a sentence, and nothing of it is run."""
    house.arrive({"site": "a.example"})
    page = sites("#tag?site=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", away=("**/nothing",))
    expect(page.locator("dialog .failed")).to_contain_text("neither a host name nor a slug")


def test_a_list_of_an_address_that_is_wrong(house, sites):
    """What can be neither a page nor an order is passed over; a search without a match says so."""
    house.arrive({"site": "a.example"})
    page = sites("#list?page=zork&order=zork&search=%3Cb%3E")
    expect(page.get_by_text("No site has this in its name.")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Show all").click()
    expect(names(page)).to_have_text(["a.example"], timeout=SLOW)


def test_a_link_to_share(house, visit):
    """It is shown once, opens the site's figures without a log-in, and is removed after a second click."""
    house.arrive({"site": "a.example", "path": "/"})
    page = visit()
    page.goto(house.origin + "?site=a.example")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Share a read-only link").click()
    page.get_by_label("Name").fill(EVIL)
    page.get_by_label("It may be embedded in a page").check()
    page.get_by_label("In pages of").fill("https://www.example.com")
    page.get_by_role("button", name="Make the link").click()
    link = page.get_by_label("The link", exact=True).input_value()
    assert link.startswith(house.origin + "share/")
    assert f'<iframe src="{link}"' in page.get_by_label("The frame to paste").input_value()
    expect(page.locator(".share-link")).to_contain_text(EVIL)
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Yes, remove").click()
    expect(page.locator(".share-link")).to_have_count(0)
