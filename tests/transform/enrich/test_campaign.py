"""Campaigns, and the way a visitor came."""

import pytest

from pixelake.transform.enrich.campaign import campaign
from pixelake.transform.enrich.channel import channels
from pixelake.transform.page import NO_TAGS
from tests.judging import events, hit

WAYS = {
    "search": ("&referrer=https://www.google.de/", "search"),
    "search that is tagged": ("&utm_source=google&utm_medium=organic", "search"),
    "an ad": ("&referrer=https://www.google.com/&utm_medium=CPC", "paid"),
    "an ad's click": ("&url=https://a.example/?gclid=1&referrer=https://www.google.com/", "paid"),
    "a social click id is no ad": ("&url=https://a.example/?fbclid=1&referrer=https://l.facebook.com/", "social"),
    "social": ("&referrer=https://t.co/x", "social"),
    "a host that ends like one": ("&referrer=https://reddit.community.example/", "referral"),
    "mail": ("&utm_medium=email", "mail"),
    "a webmail": ("&referrer=https://mail.google.com/", "mail"),
    "a referral": ("&referrer=https://blog.example/post", "referral"),
    "the same site": ("&url=https://www.a.example/&referrer=https://a.example/", None),
    "a tag of one's own": ("&utm_source=poster&utm_medium=print", "campaign"),
    "a referrer that is empty": ("&referrer=", "direct"),
    "no word of a referrer": ("", None),
}


@pytest.mark.parametrize(("query", "expected"), WAYS.values(), ids=WAYS.keys())
def test_channels(query: str, expected: str | None) -> None:
    """The strongest sign wins; where nothing is known nothing is said."""
    (event,) = events(hit(f"/?site=a{query}"))
    assert event["channel"] == expected


def test_the_url_s_tags_win() -> None:
    """As a whole: tags of two campaigns are never mixed."""
    assert campaign(("a", None, None, None, None), "b", "c", None, None, None) == ("a", None, None, None, None)
    assert campaign(NO_TAGS, "b", None, None, None, "c") == ("b", None, None, None, "c")


def test_no_host_no_error() -> None:
    """A page without a host may have a referrer."""
    assert channels()(True, "blog.example", None, None, None, None) == ("referral",)
