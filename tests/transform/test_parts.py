"""Heads, cut into parts."""

import pytest

from pixelake.hit import Hit
from pixelake.transform.parts import Cutter
from tests.judging import rules

LINES = b"Via: v\r\nReferer: https://a.example/\r\nUser-Agent: x\r\n"


def _cut(*heads: bytes) -> list[tuple[int, bytes, bytes, bytes]]:
    """Place, query, Referer and other lines of those that may be usual."""
    parts = Cutter(rules())([Hit(1, "192.0.2.1", "192.0.2.1", head) for head in heads])
    blocks = [head.lines if head else b"" for head in parts.heads]
    columns = (parts.at, parts.query, parts.referer, parts.about)
    return [(*row, blocks[code]) for *row, code in zip(*(each.to_pylist() for each in columns), strict=True)]


def test_parts() -> None:
    """What one says beside others is what it says alone, whether they have a Referer or not."""
    sent = [
        b"GET /pixel.gif?a=b HTTP/1.1\r\n%b\r\n" % LINES,
        b"HEAD /?a?b= c HTTP/1.0\r\n\r\n",
        b"GET /pixel?a HTTP/1.1\r\nreferer: r\r\n\r\n",
        b"POST /pixel.gif?a HTTP/1.1\r\n\r\n",
    ]
    assert _cut(*sent) == [
        (0, b"a=b", b"https://a.example/", b"Via: v\r\nUser-Agent: x\r\n"),
        (1, b"a?b= c", b"", b""),
        (2, b"a", b"r", b""),
    ]
    assert [row[1:] for head in sent for row in _cut(head)] == [row[1:] for row in _cut(*sent)]


@pytest.mark.parametrize(
    "lines",
    [
        b"X: a\nReferer: https://a.example/\r\n",
        b"Referer: https://a.example/\rb\r\n",
        b"Referer: a\r\nReferer: b\r\n",
        b"Referer: a\r\nreferer: b\r\n",
        b"REFERER: a\r\n",
        b"Referer:a\r\n",
        b"DNT: 1\r\n",
    ],
)
def test_lines_that_take_a_longer_look(lines: bytes) -> None:
    """A Referer that is written in another way, or that only a part of another line looks like."""
    assert _cut(b"GET /pixel.gif?a=b HTTP/1.1\r\n%b\r\n" % lines) == []
