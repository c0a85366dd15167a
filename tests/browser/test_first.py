"""The very first steps in a real browser: no site, a site without a hit, its tag, and the hit that comes."""

import re

from playwright.sync_api import expect

SLOW = 30_000
"""ms."""
HIT = {"host": "shop.example", "path": "/cart", "browser": "Firefox", "os": "Linux", "country": "CH"}


def test_from_nothing_to_the_first_hit(house, visit):
    """The page asks for a site, shows its tag, waits, and says what arrived as soon as it is there."""
    page = visit()
    page.goto(house.origin + "sites")
    expect(page.get_by_text("Which site do you want to count first?")).to_be_visible(timeout=SLOW)
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    page.get_by_label("Name").fill("https://Shop.example/pricing?x=1")
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_text("Waiting for the first hit")).to_be_visible(timeout=SLOW)
    tag = page.get_by_label("The Page tag of shop.example")
    expect(tag).to_have_value(house.tags("shop.example")["page"])
    page.get_by_role("tab", name="Page").press("ArrowRight")
    expect(page.get_by_label("The E-mail tag of shop.example")).to_have_value(house.tags("shop.example")["email"])
    test = page.get_by_role("link", name="send a test hit")
    assert test.get_attribute("href") == house.tags("shop.example")["get"] + "&event=test"
    assert house.registry.snapshot().sites["shop.example"].zones == ((0, "Europe/Berlin"),)
    house.arrive({"site": "other.example"})
    house.arrive({"site": "shop.example", **HIT})
    expect(page.get_by_text("It works: a hit has arrived")).to_be_visible(timeout=SLOW)
    expect(page.locator(".hit")).to_contain_text("shop.example/cart")
    expect(page.locator(".hit")).to_contain_text("Switzerland")
    page.get_by_role("link", name="Open its dashboard").click()
    expect(page).to_have_url(re.compile(r"/\?site=shop\.example$"))


def test_a_name_that_can_be_none(house, visit):
    """It is said, and the form stays as it was."""
    page = visit(away=("**/nothing",))
    page.goto(house.origin + "sites")
    page.get_by_label("Name").fill("my <b>shop</b>")
    page.get_by_role("button", name="Add the site").click()
    expect(page.locator(".failed")).to_contain_text("neither a host name nor a slug")
    expect(page.get_by_label("Name")).to_have_value("my <b>shop</b>")
    assert not house.registry.snapshot().sites


def test_the_board_of_a_site_without_a_hit(house, visit):
    """In place of empty figures: its tag, and the wait."""
    house.registry.add_sites(["new.example"])
    page = visit()
    page.goto(house.origin + "?site=new.example")
    expect(page.get_by_text("Nothing has arrived for")).to_be_visible(timeout=SLOW)
    expect(page.get_by_label("The Page tag of new.example")).to_have_value(house.tags("new.example")["page"])
