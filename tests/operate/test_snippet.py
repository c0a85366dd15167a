"""Tests of `pixelake.operate.snippet`."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest

from pixelake.operate.snippet import KINDS, fault_of_site, snippet


class _Attributes(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_page() -> None:
    """A page's tag is an image that loads at once, says where it is, and is nothing to those who do not see."""
    assert snippet("https://pixel.example/", "shop") == (
        '<img src="https://pixel.example/pixel.gif?site=shop" alt="" loading="eager" '
        'referrerpolicy="no-referrer-when-downgrade" width="1" height="1">'
    )


HOSTILE = """a"b'c&d<e>f=g#h {} %s é"""


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"get"}))
def test_hostile_site(kind: str) -> None:
    """Whatever the site is called, the tag stays one tag and the name arrives whole."""
    tags = _Attributes(snippet("https://p.example", HOSTILE, kind)).tags
    ((_, attributes),) = [each for each in tags if each[0] != "noscript"]
    assert parse_qs(urlsplit(attributes["src"]).query) == {"site": [HOSTILE]}


def test_hostile_site_of_an_address() -> None:
    """The bare address is one too: nothing that ends a line or a word is in it."""
    address = snippet("https://p.example", HOSTILE, "get")
    assert parse_qs(urlsplit(address).query) == {"site": [HOSTILE]}
    assert not set(address) & set(" \"'<>\n")


def test_noscript() -> None:
    """Who runs scripts is not counted twice: only the others load it."""
    tag = snippet("https://p.example", "shop", "noscript")
    assert tag == f"<noscript>{snippet('https://p.example', 'shop')}</noscript>"


def test_amp() -> None:
    """AMP allows only its own component."""
    assert snippet("https://p.example", "s", "amp").startswith("<amp-pixel ")


def test_badge() -> None:
    """A badge is to be seen, so it has a text in its place, and as large as it is."""
    tag = snippet("https://p.example/", "my-repo", "badge")
    assert tag == '<img src="https://p.example/badge.svg?site=my-repo" alt="views">'


@pytest.mark.parametrize("site", ["", " ", 'a"><script>', "a b", "x" * 254])
def test_fault_of_site(site: str) -> None:
    """A site whose every hit would be a reject is told apart."""
    assert fault_of_site(site)


@pytest.mark.parametrize("site", ["shop.example", "Shop", "localhost:8080", "münchen.example", "x" * 253])
def test_no_fault_of_site(site: str) -> None:
    """Host names, with a port too, and slugs are sites."""
    assert fault_of_site(site) == ""
