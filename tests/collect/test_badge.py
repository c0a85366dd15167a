"""Badges: what they show, and to whom."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.badge import MAX_TEXT, badge, svg
from pixelake.dialects.base import MAX_VALUES
from pixelake.dialects.native import Native

NATIVE = Native({"s": "site"})
COUNTS = {"shop": 1_234_567, "new.example": 0}
SVG = "{http://www.w3.org/2000/svg}"


def asked(query: Mapping[str, str], counts: Mapping[str, int] = COUNTS) -> bytes | None:
    """The badge of a query."""
    return badge(b"/badge.svg?" + urlencode(query).encode(), NATIVE, counts)


def halves(image: bytes | None) -> list[str | None]:
    """What a badge shows; its name must say the same."""
    assert image is not None
    root = ET.fromstring(image)
    texts = [text.text for text in root.iter(SVG + "text")]
    assert root.tag == SVG + "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(SVG + "title") == f"{texts[0]}: {texts[1]}"
    return texts


SHOWN = {
    "the count": ({"site": "shop"}, ["views", "1,234,567"]),
    "none yet": ({"site": "new.example"}, ["views", "0"]),
    "a label": ({"site": "shop", "label": "loads"}, ["loads", "1,234,567"]),
    "a text": ({"site": "shop", "label": "build", "text": "passing"}, ["build", "passing"]),
    "an empty label": ({"site": "shop", "label": " ", "text": ""}, ["views", "1,234,567"]),
    "as the lake names it": ({"site": " Shop "}, ["views", "1,234,567"]),
    "an alias": ({"s": "shop"}, ["views", "1,234,567"]),
    "markup": ({"site": "shop", "label": "<b>&\"'", "text": "</text><script>"}, ["<b>&\"'", "</text><script>"]),
    "what cannot be shown": (
        {"site": "shop", "label": "a\x00\x1b\u202eb\ufffe", "text": "\u200b"},
        ["ab", "1,234,567"],
    ),
    "long": ({"site": "shop", "label": "x" * 1_000}, ["x" * (MAX_TEXT - 1) + "…", "1,234,567"]),
}


@pytest.mark.parametrize(("query", "texts"), SHOWN.values(), ids=SHOWN.keys())
def test_what_a_badge_shows(query: dict[str, str], texts: list[str]) -> None:
    """A label and a text, or the site's count; text from outside is only text."""
    assert halves(asked(query)) == texts


@pytest.mark.parametrize("query", [{}, {"site": "other"}, {"site": ""}, {"site": "a b"}, {"url": "https://shop/"}])
def test_without_a_badge(query: dict[str, str]) -> None:
    """A site that was given none, or that is not named, has none."""
    assert asked(query, {"shop": 1, "default": 1}) is None


def test_absolute_targets_and_too_many_fields() -> None:
    """A proxy may write the whole URL; what will be a reject has no badge."""
    assert halves(badge(b"http://a/badge.svg?site=shop", NATIVE, COUNTS)) == ["views", "1,234,567"]
    assert badge(b"/badge.svg?site=shop" + b"&a" * MAX_VALUES, NATIVE, COUNTS) is None


@given(st.text(), st.text())
def test_any_text_makes_an_image(label: str, text: str) -> None:
    """Valid XML with two texts and nothing else from outside, as wide as both and less than 1,500 pixels."""
    query = f"site=shop&label={quote(label, errors='surrogatepass')}&text={quote(text, errors='surrogatepass')}"
    image = badge(b"/badge.svg?" + query.encode(), NATIVE, COUNTS)
    texts = halves(image)
    assert all(shown and len(shown) <= MAX_TEXT for shown in texts)
    root = ET.fromstring(image or b"")
    assert 20 < int(root.get("width", "")) < 1_500
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {"svg", "title", "clipPath", "rect", "g", "text"}
    names = {name for each in root.iter() for name in each.attrib}
    assert not any(name.startswith(("on", "href", "{")) or name == "style" for name in names)


@given(st.binary())
def test_any_target_has_a_badge_or_none(target: bytes) -> None:
    """Whatever bytes are asked for, nothing breaks."""
    found = badge(b"/badge.svg?site=shop&" + target.replace(b"\r", b"").replace(b"\n", b""), NATIVE, COUNTS)
    assert found is None or ET.fromstring(found).tag == SVG + "svg"


def test_the_width_follows_the_text() -> None:
    """Wide letters take more than narrow ones, and each half begins behind the other."""
    widths = [int(ET.fromstring(svg(label, "1")).get("width", "")) for label in ("iiii", "nnnn", "WWWW", "你你你你你")]
    assert widths == sorted(set(widths))
    root = ET.fromstring(svg("label", "text"))
    first, second = root.iter(SVG + "text")
    assert int(first.get("x", "")) + int(first.get("textLength", "")) < int(second.get("x", ""))
    assert int(second.get("x", "")) + int(second.get("textLength", "")) < int(root.get("width", ""))
