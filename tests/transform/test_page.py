"""Urls, cut to what may be kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.transform.page import NO_TAGS, Page, read_page, without_www

KEPT = frozenset({"utm_source", "ref"})

URLS = {
    "a page": ("https://a.example/b/c", ("https://a.example/b/c", "a.example", "/b/c")),
    "unlisted names": ("http://a.example/?id=1&ref=2&x", ("http://a.example/?ref=2", "a.example", "/")),
    "a listed name in escapes stays as it is": ("/b?ref=%41%zz", ("/b?ref=%41%zz", None, "/b")),
    "a fragment": ("https://a.example/b#access_token=1", ("https://a.example/b", "a.example", "/b")),
    "user and password": ("https://u:p@a.example/", ("https://a.example/", "a.example", "/")),
    "a port, capitals": ("HTTPS://A.Example:443/B", ("HTTPS://A.Example:443/B", "a.example", "/B")),
    "IPv6": ("http://[2001:DB8::1]:80/b", ("http://[2001:DB8::1]:80/b", "2001:db8::1", "/b")),
    "an origin": ("https://a.example", ("https://a.example", "a.example", None)),
    "no scheme": ("a.example/b?x=1", ("//a.example/b", "a.example", "/b")),
    "no scheme, two slashes": ("//a.example/b", ("//a.example/b", "a.example", "/b")),
    "a path": ("/b", ("/b", None, "/b")),
    "a word": ("home", ("home", None, None)),
    "a query alone": ("?secret=1", ("", None, None)),
    "an open bracket": ("https://[a/b?secret=1", ("https://[a/b", None, "/b")),
    "a script": ("javascript:alert(1)?x", ("javascript:alert(1)", None, None)),
    "an app": ("android-app://com.google.mail/", ("android-app://com.google.mail/", "com.google.mail", "/")),
    "a host nobody has": ("http://a b/", ("http://a b/", None, "/")),
    "an object": ('{"href":"https://u:p@a.example/\\u003fid=7"}', ("", None, None)),
    "a list in a list": ('[["https://a.example/?id=7"]]', ("", None, None)),
    "encoded twice": (
        "https%3A%2F%2Fu%3Ap%40a.example%2Fb%3Fid%3D7%26ref%3D1",
        ("https://a.example/b?ref=1", "a.example", "/b"),
    ),
    "encoded in part": ("https%3A//a.example/b%3Fid%3D7%26ref%3D1", ("https://a.example/b?ref=1", "a.example", "/b")),
    "user and password, no scheme": ("u:p@a.example/b?id=7", ("a.example/b", None, None)),
    "somebody's address": ("mailto:ada@a.example", ("a.example", None, None)),
    "an at sign in a path": ("/@ada/b", ("/@ada/b", None, "/@ada/b")),
    "several questions": ("/b?x=1?ref=2&ref=3?4", ("/b?ref=3?4", None, "/b")),
}


@pytest.mark.parametrize(("sent", "expected"), URLS.values(), ids=URLS.keys())
def test_urls(sent: str, expected: tuple[str, str | None, str | None]) -> None:
    """Url, host and path of whatever is sent."""
    assert read_page(sent, KEPT)[:3] == expected


def test_tags_and_click_ids() -> None:
    """The query's campaign tags are read whether they are kept or not; of a click id only its kind."""
    page = read_page("/?utm_source=a+b%C3%A9&utm_term=&utm_medium=1&utm_medium=2&fbclid=secret", KEPT)
    assert page.tags == ("a bé", "1", None, None, None)
    assert page.click_id == "fbclid"
    assert "secret" not in page.url
    assert read_page("/?a=1", KEPT).tags is NO_TAGS
    assert read_page("/?utm_source=café", KEPT).tags[0] == "café"


@given(st.text(st.sampled_from("ab:/?#[]@%&=.é \n\\")))
def test_any_text_is_read(sent: str) -> None:
    """Nothing raises, and no unlisted name, fragment or user is kept."""
    page = read_page(sent, frozenset())
    assert isinstance(page, Page)
    assert "?" not in page.url
    assert "#" not in page.url


def test_without_www() -> None:
    """As people say it."""
    assert [without_www(host) for host in ("www.a.example", "a.example", None)] == ["a.example", "a.example", None]
