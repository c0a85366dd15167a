"""Bytes from outside as text."""

from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.dialects.text import parse_query, text, unescape

NAMES = {"site": "site", "user": "user", "userid": "user"}

QUERIES = {
    "nothing": (b"", {}),
    "empty fields": (b"&&a=1&", {"a": ["1"]}),
    "plus is a space": (b"a=x+y%2B", {"a": ["x y+"]}),
    "a name in escapes": (b"us%65r=1", {"user": ["1"]}),
    "a repeated name": (b"a=1&a=2&a=1", {"a": ["1", "2", "1"]}),
    "aliases of one name": (b"user=1&userid=2", {"user": ["1", "2"]}),
    "a native name in capitals": (b"UserID=1&Plan=2", {"user": ["1"], "Plan": ["2"]}),
    "no equals sign": (b"a&b=", {"a": [""], "b": [""]}),
    "an empty name": (b"=1", {"": ["1"]}),
    "a semicolon": (b"a=1;b=2", {"a": ["1;b=2"]}),
    "an equals sign in a value": (b"a=b=c", {"a": ["b=c"]}),
    "raw UTF-8": ("a=é€😀".encode(), {"a": ["é€😀"]}),
    "escaped UTF-8": (b"a=%F0%9F%98%80", {"a": ["😀"]}),
    "latin-1": (b"a=caf\xe9", {"a": ["caf%E9"]}),
    "escaped latin-1": (b"a=caf%e9", {"a": ["caf%E9"]}),
    "an escape-like text beside a bad byte": (b"a=%25E9%E9", {"a": ["%25E9%E9"]}),
    "bad escapes": (b"a=%&b=%z&c=%zz&d=100%", {"a": ["%"], "b": ["%z"], "c": ["%zz"], "d": ["100%"]}),
    "NUL": (b"a=%00&b=\x00", {"a": ["\x00"], "b": ["\x00"]}),
    "a backslash": (b"a=%5Cx41\\x41\\u0041", {"a": ["\\x41\\x41\\u0041"]}),
    "a surrogate": (b"a=%ED%A0%80", {"a": ["%ED%A0%80"]}),
}


@pytest.mark.parametrize(("query", "fields"), QUERIES.values(), ids=QUERIES.keys())
def test_odd_queries(query: bytes, fields: dict[str, list[str]]) -> None:
    """Every field of a query is kept, with all its values in order."""
    assert parse_query(query, NAMES) == fields


def test_eight_kilobytes() -> None:
    """A query of 8 KB and thousands of fields is read whole."""
    query = b"&".join(b"a%d=%d" % (n, n) for n in range(900))
    assert parse_query(query, NAMES) == {f"a{n}": [str(n)] for n in range(900)}
    assert parse_query(b"a=" + b"%41" * 2_700, NAMES) == {"a": ["A" * 2_700]}


@given(st.binary())
def test_text_is_reversible(data: bytes) -> None:
    """Text is the bytes themselves if they are UTF-8; else percent-decoding gives them back."""
    found = text(data)
    try:
        assert found == data.decode()
    except UnicodeDecodeError:
        assert unquote_to_bytes(found) == data


@given(st.binary())
def test_unescape_is_the_library_s(data: bytes) -> None:
    """The fast way gives what `urllib` gives."""
    assert unescape(data.decode("latin-1")) == text(unquote_to_bytes(data.replace(b"+", b" ")))
