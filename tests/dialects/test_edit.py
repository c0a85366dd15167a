"""Bodies, edited: taken apart and put together."""

import gzip

import pytest
from hypothesis import given

from pixelake.dialects.edit import edit_body
from pixelake.dialects.native import NAMES, Native
from pixelake.hit import Hit
from tests.strategies import hits

KNOWN = {name: name for name in NAMES} | {"uid": "user"}


def edit(name: str, value: str) -> str | None:
    """Takes users out, and puts a dash for x."""
    return None if name == "user" else value.replace("x", "-")


def keep(name: str, value: str) -> str:
    """Changes nothing."""
    return value


BODIES = {
    "an object": ("", b'{"a":"x","uid":"u","n":1.50}', b'{"a":"-","n":1.50}'),
    "an array": ("", b'[{"a":["x",1,null]},{"user":[1,2]}, 7 ,"x",[1]]', b'[{"a":["-",1,null]},{},7,null,null]'),
    "lines": ("application/x-ndjson", b'{"a":"x"}\n\n{bad\n{"b":1}', b'{"a":"-"}\nnull\n{"b":1}'),
    "lines that say they are JSON": ("application/json", b'{"a":"x"}\n{"b":1}', b'{"a":"-"}\n{"b":1}'),
    "a form": ("", b"a=x&user=u&&b&c=%7E\n", b"a=-&&b&c=%7E\n"),
    "nested": ("", b'{"a":{"b": "x"}}', b'{"a":{"b":"-"}}'),
    "a name": ("", b'{"x":null,"y":[]}', b'{"-":null,"y":[]}'),
    "latin-1": ("application/json;charset=iso-8859-1", b'{"a":"x\xe9"}', b'{"a":"-\xe9"}'),
    "half an emoji": ("", b'{"a":"x\\ud83d"}', b'{"a":"-\\\\ud83d"}'),
    "a name twice": ("", b'{"a":"x","a":"y"}', b'{"a":"y"}'),
}


@pytest.mark.parametrize(("kind", "body", "expected"), BODIES.values(), ids=BODIES.keys())
def test_bodies(kind: str, body: bytes, expected: bytes) -> None:
    """Values are as the edit wants them; types, numbers and the rest stay. Packed bodies are packed again."""
    assert edit_body(body, kind.encode(), b"", KNOWN, edit) == expected
    packed = edit_body(gzip.compress(body), kind.encode(), b"gzip", KNOWN, edit)
    assert packed is not None
    assert gzip.decompress(packed) == expected
    assert edit_body(gzip.compress(body), kind.encode(), b"gzip", KNOWN, edit) == packed


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,", b"[]", b"hello", b"a&" * 1_000, b'{"a":[' + b"1," * 1_000 + b"1]}"]
)
def test_what_cannot_be_read_is_none(body: bytes) -> None:
    """For nobody can tell what is in it."""
    assert edit_body(body, b"", b"", KNOWN, edit) is None


@given(hits)
def test_an_edit_that_changes_nothing(hit: Hit) -> None:
    """Then the same elements are decoded, wherever all of them could be read."""
    native = Native({"uid": "user"})
    before = native.decode(hit)
    target, body = native.edited(hit, keep)
    if target is None or body is None or any(element.faults for element in before):
        return
    again = Hit.of(0, "", "", hit.method, target, hit.headers, body)
    assert [dict(element.values) for element in native.decode(again)] == [dict(element.values) for element in before]
