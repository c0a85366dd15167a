"""Tests of `pixelake.operate.snippet`."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest

from pixelake.operate.snippet import KINDS, snippet


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


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_site(kind: str) -> None:
    """Whatever the site is called, the tag stays one tag and the name arrives whole."""
    site = """a"b'c&d<e>f=g#h é"""
    ((_, attributes),) = _Attributes(snippet("https://p.example", site, kind)).tags
    assert parse_qs(urlsplit(attributes["src"]).query) == {"site": [site]}


def test_amp() -> None:
    """AMP allows only its own component."""
    assert snippet("https://p.example", "s", "amp").startswith("<amp-pixel ")
