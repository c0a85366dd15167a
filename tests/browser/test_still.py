"""A page that nobody touches is still: what moves by itself ends in five seconds (WCAG 2.2.2), and so costs nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.house import House
from tests.browser.town import QUIET, SITE, Town

ENDS = """() => document.getAnimations().map((each) => [
  each.animationName ?? each.transitionProperty, each.effect.getComputedTiming().endTime / 1000])"""
"""What moves, and how many seconds that takes in all."""


@pytest.mark.parametrize("path", [f"?site={SITE}", f"?site={QUIET}", "live", "events", "explore", "sites", "account"])
def test_what_moves_ends(browser: Browser, town: Town, path: str) -> None:
    """Wherever there is something live, too."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(town.house.address)
        page.goto(town.house.origin + path)
        expect(page.locator(".live[data-state=live]")).to_be_visible()
        assert {name: seconds for name, seconds in page.evaluate(ENDS) if not seconds <= 5.0} == {}


def test_the_dot_beats_when_somebody_comes(visit: Callable[..., Page], house: House) -> None:
    """Once, and not before."""
    house.arrive({"visitor_id": "a"})
    page = visit()
    expect(page.locator(".live")).to_have_text("1 now")
    page.evaluate("addEventListener('animationstart', (told) => (window.beats ??= []).push(told.animationName))")
    house.arrive({"visitor_id": "a"})
    house.arrive({"visitor_id": "b"})
    expect(page.locator(".live")).to_have_text("2 now")
    page.wait_for_function("window.beats?.length")
    assert page.evaluate("window.beats") == ["pulse"]
