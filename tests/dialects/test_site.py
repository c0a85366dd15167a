"""What a site is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.dialects.site import read_url, site_name

URLS = {
    "whole": ("https://u:p@A.Example:8080/x?y=1#z", ("https", "A.Example:8080", "/x", "y=1"), "a.example"),
    "no scheme": ("a.example/x", ("", "a.example", "/x", ""), "a.example"),
    "a path": ("/x?y", ("", "", "/x", "y"), None),
    "IPv6": ("http://[2001:DB8::1]:80/", ("http", "[2001:DB8::1]:80", "/", ""), "2001:db8::1"),
    "an app": ("android-app://com.example/", ("android-app", "com.example", "/", ""), "com.example"),
    "no host": ("http://a b/", ("http", "a b", "/", ""), None),
    "encoded twice": ("http%3A%2F%2Fa.example%2Fx%3Fy", ("http", "a.example", "/x", "y"), "a.example"),
    "encoded in part": ("http%3A//a.example/x%3Fy", ("http", "a.example", "/x", "y"), "a.example"),
    "encoded four times": ("a%2525253A%2525252F%2525252Fb", ("a", "b", "", ""), "b"),
    "null": ("null", ("", "", "null", ""), None),
    "nothing": ("", ("", "", "", ""), None),
}


@pytest.mark.parametrize(("url", "parts", "host"), URLS.values(), ids=URLS.keys())
def test_urls(url: str, parts: tuple[str, ...], host: str | None) -> None:
    """Any text has parts; only what can be one is a host."""
    assert read_url(url) == parts
    assert read_url(url).host == host


@given(st.text() | st.text("/:@?#[]a.1 ", max_size=20))
def test_any_text_is_read(url: str) -> None:
    """Nothing is raised, and a host is one that can be a site's name."""
    host = read_url(url).host
    assert host is None or site_name(host) == host


@pytest.mark.parametrize(
    ("sent", "name"), [(" Shop.Example ", "shop.example"), ("a/b", None), ("", None), ("a" * 254, None)]
)
def test_names(sent: str, name: str | None) -> None:
    """Names are compared in lower case; what is neither a host nor a slug is none."""
    assert site_name(sent) == name
