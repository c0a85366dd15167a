"""A site's badge: an image that is itself the beacon, because an image inside an SVG never loads.

It shows a text and a number, as ``views 1,234``, and is made anew for each
request. Everything in it comes from outside.
"""

import math
import unicodedata
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from pixelake.dialects.base import Dialect
from pixelake.dialects.site import site_name
from pixelake.hit import Hit

LABEL: Final = "views"
MAX_TEXT: Final = 60
"""Characters of each half; the rest is cut off."""
HEIGHT: Final = 20
_MARGIN: Final = 6
_WIDE, _OTHER = 110, 75
_WIDTHS: Final = {
    letter: width
    for width, letters in {
        30: "'",
        31: "ijl",
        33: "IJ",
        36: " ,.-/:;\\|f",
        43: "()[]t!r",
        52: '"_`*',
        58: "sz?cL",
        65: "FkvxyPTYao",
        70: "e$0123456789ESbdghnpqu{}K",
        76: "ABVXZRC",
        82: "UNHDG&OQ",
        91: "w#+<=>^~M",
        107: "m%W@",
    }.items()
    for letter in letters
}
"""Advance widths of ASCII in DejaVu Sans at 11 px, as Chromium measures them: tenths of a pixel, to the half pixel.

An image knows no fonts but the reader's. Whichever it is, ``textLength`` makes the text as wide as is reckoned here.
"""


def badge(target: bytes, dialect: Dialect, counts: Mapping[str, int]) -> bytes | None:
    """The badge (SVG) that a target asks for; None if the site it names has none.

    Query names: ``site``; ``label``, the left half, else ``views``; ``text``,
    the right half, else the site's count. Costs some 20 µs.

    Args:
        target: path and query, as sent.
        dialect: reads it, so that the badge is of the site that the hit will count for.
        counts: what the badge of each site shows that has one.
    """
    values = dialect.decode(Hit.of(0, "", "", "GET", target, b""))[0].values
    count = counts.get(site_name((values.get("site") or [""])[0]) or "")
    if count is None:
        return None
    label = _shown(values.get("label")) or LABEL
    return svg(label, _shown(values.get("text")) or f"{count:,}").encode()


def svg(label: str, text: str) -> str:
    """Two texts side by side, as an image for those who see and as text for those who do not."""
    left, right = _width(label) + 2 * _MARGIN, _width(text) + 2 * _MARGIN
    width = left + right
    name = f"{label}: {text}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{HEIGHT}" role="img"'
        f" aria-label={quoteattr(name)}><title>{escape(name)}</title>"
        f'<clipPath id="r"><rect width="{width}" height="{HEIGHT}" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="{HEIGHT}" fill="#444"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="#0a66a8"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">'
        f"{_text(label, _MARGIN)}{_text(text, left + _MARGIN)}</g></svg>"
    )


def _text(text: str, x: int) -> str:
    return f'<text x="{x}" y="14" textLength="{_width(text)}">{escape(text)}</text>'


def _shown(texts: object) -> str:
    """The first of a name's values, as far as it can be shown.

    What Unicode calls not printable goes: XML has no place for most of it, and the rest would rearrange its neighbours.
    """
    first = texts[0] if isinstance(texts, list) and texts else ""
    seen = "".join(letter for letter in first[: 4 * MAX_TEXT] if letter.isprintable()).strip()
    return seen if len(seen) <= MAX_TEXT else seen[: MAX_TEXT - 1] + "…"


def _width(text: str) -> int:
    """Whole pixels; a guess beyond ASCII."""
    return math.ceil(sum(_WIDTHS.get(letter) or _guess(letter) for letter in text) / 10)


def _guess(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return _WIDE if unicodedata.east_asian_width(letter) in "WF" else _OTHER
