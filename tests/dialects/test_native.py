"""The native dialect: what its hits say."""

import gzip

import pytest
from hypothesis import given

from pixelake.dialects.base import Element, Fault
from pixelake.dialects.body import MAX_ELEMENTS
from pixelake.dialects.coding import MAX_BODY
from pixelake.dialects.native import Native
from pixelake.hit import Hit
from pixelake.reject import REASONS
from tests.strategies import hits

NATIVE = Native({"userid": "user"})


def decode(body: bytes, kind: str = "", *, query: str = "", encoding: str = "", method: str = "POST") -> list[Element]:
    """The elements of a body."""
    headers = f"Content-Type: {kind}\r\nContent-Encoding: {encoding}\r\n".encode()
    return list(NATIVE.decode(Hit.of(0, "", "", method, f"/events{query}".encode(), headers, body)))


def values(elements: list[Element]) -> list[dict[str, list[str]]]:
    """The values of elements, none of which has a fault."""
    assert not any(element.faults for element in elements)
    return [dict(element.values) for element in elements]  # type: ignore[arg-type]


BODIES = {
    "an object": (b'{"userid":"u","a":"b"}', "application/json", [{"user": ["u"], "a": ["b"]}]),
    "an array": (b'[{"a":"1"},{"a":"2"}]', "application/json", [{"a": ["1"]}, {"a": ["2"]}]),
    "lines": (b'{"a":"1"}\n\r\n{"a":"2"}\n', "application/x-ndjson", [{"a": ["1"]}, {"a": ["2"]}]),
    "lines that say they are JSON": (b'{"a":"1"}\n{"a":"2"}', "application/json", [{"a": ["1"]}, {"a": ["2"]}]),
    "a beacon": (b'{"a":"1"}', "text/plain;charset=UTF-8", [{"a": ["1"]}]),
    "a beacon with a form": (b"a=1&b=2", "text/plain", [{"a": ["1"], "b": ["2"]}]),
    "a form": (b"a=1&a=2\r\n", "application/x-www-form-urlencoded", [{"a": ["1", "2"]}]),
    "JSON as curl -d sends it": (b'{"a":"1"}', "application/x-www-form-urlencoded", [{"a": ["1"]}]),
    "no type, JSON": (b' \n{"a":"1"}', "", [{"a": ["1"]}]),
    "no type, a form": (b"a=1", "", [{"a": ["1"]}]),
    "a byte order mark": (b'\xef\xbb\xbf{"a":"1"}', "application/json", [{"a": ["1"]}]),
    "exact numbers": (
        b'{"a":0.1000000000000000055511,"b":12345678901234567890,"c":1E5}',
        "application/json",
        [{"a": ["0.1000000000000000055511"], "b": ["12345678901234567890"], "c": ["1E5"]}],
    ),
    "other values": (
        b'{"a":true,"b":null,"c":[1,"x",null,[2, 3]],"d":{"e" : [1.50]},"f":[]}',
        "application/json",
        [{"a": ["true"], "b": [], "c": ["1", "x", "null", "[2,3]"], "d": ['{"e":[1.50]}'], "f": []}],
    ),
    "half an emoji": (
        b'{"a":"x\\ud83d","b":"\\ud83d\\ude00","c":"\\\\ud83d"}',
        "application/json",
        [{"a": ["x\\ud83d"], "b": ["😀"], "c": ["\\ud83d"]}],
    ),
    "escapes that are no half": (
        b'{"a":"\\\\ud83d\\\\\\ud83d\\uDC00\\"\\n\\udc00\\uD83D\\uDE00"}',
        "application/json",
        [{"a": ['\\ud83d\\\U0001f400"\n\\udc00\U0001f600']}],
    ),
    "latin-1 that says so": (b'{"a":"caf\xe9"}', "application/json; charset=ISO-8859-1", [{"a": ["café"]}]),
    "latin-1 that says nothing": (b'{"a":"caf\xe9"}', "application/json", [{"a": ["caf%E9"]}]),
    "a charset nobody knows": (b'{"a":"1"}', "application/json; charset=rot13", [{"a": ["1"]}]),
}


@pytest.mark.parametrize(("body", "kind", "expected"), BODIES.values(), ids=BODIES.keys())
def test_bodies(body: bytes, kind: str, expected: list[dict[str, list[str]]]) -> None:
    """Every way to write a body gives its values, as text and whole."""
    assert values(decode(body, kind)) == expected
    assert values(decode(gzip.compress(body), kind, encoding="gzip")) == expected


UNREADABLE = {
    "no body at all": (b"", "", "", "body_unreadable"),
    "no JSON": (b'{"a":', "application/json", "", "body_unreadable"),
    "no JSON, no form": (b"hello", "text/plain", "", "body_unreadable"),
    "NaN": (b'{"a":NaN}', "application/json", "", "body_unreadable"),
    "an array of nothing": (b"[]", "application/json", "", "body_unreadable"),
    "a number": (b"1", "application/json", "", "body_unreadable"),
    "nested too deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "", "", "body_unreadable"),
    "a form with files": (b"--x", "multipart/form-data", "", "body_unreadable"),
    "no gzip": (b'{"a":1}', "application/json", "gzip", "body_unreadable"),
    "half a gzip": (gzip.compress(b'{"a":1}')[:-9], "application/json", "gzip", "body_unreadable"),
    "another compression": (b"x", "application/json", "br", "body_unreadable"),
    "a bomb": (gzip.compress(b"[" + b" " * MAX_BODY), "application/json", "gzip", "body_too_large"),
    "too many halves of emojis": (b'{"a":"' + b"\\ud83d" * 10_001 + b'"}', "", "", "body_unreadable"),
    "hardly any UTF-8": (b'{"a":"' + b"\xff" * 50_001 + b'"}', "", "", "body_unreadable"),
    "too many lines": (b"\n" * 100_000, "application/x-ndjson", "", "body_too_large"),
    "too many members": (
        b"{%s}" % b",".join(b'"%d":1' % n for n in range(1_001)),
        "application/json",
        "",
        "too_many",
    ),
    "too many values": (b'{"a":[' + b"1," * 1_000 + b"1]}", "application/json", "", "too_many"),
    "too many values, nested": (b'{"a":{"b":[' + b"1," * 1_000 + b"1]}}", "application/json", "", "too_many"),
    "too many values in all": (b"[" + b"1," * 200_001 + b"1]", "application/json", "", "too_many"),
    "too many fields": (b"a&" * 1_000 + b"a=1", "", "", "too_many"),
    "quotes that never end": (b'{"a":"' + b'\\",' * 2_000, "application/json", "", "body_unreadable"),
    "too many elements": (b"[" + b"{}," * MAX_ELEMENTS + b"{}]", "application/json", "", "body_too_large"),
}


@pytest.mark.parametrize(("body", "kind", "encoding", "reason"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_cannot_be_read(body: bytes, kind: str, encoding: str, reason: str) -> None:
    """It is one element, with one fault and the values of the query."""
    (element,) = decode(body, kind, query="?site=s", encoding=encoding) if body else decode(body, kind)
    assert [fault.reason for fault in element.faults] == [reason]
    assert dict(element.values) == ({"site": ["s"]} if body else {})


def test_a_bad_element_spoils_only_itself() -> None:
    """Of an array, what is no object, or cannot be read, has a fault of its own; its neighbours do not."""
    body = b'[{"a":"1"},7,{"a":"' + b"[" * 3 + b'"},"x"]'
    elements = decode(body, "application/json", query="?site=s")
    assert [[fault.reason for fault in element.faults] for element in elements] == [
        [],
        ["element_not_object"],
        [],
        ["element_not_object"],
    ]
    lines = decode(b'{"a":1}\n{"a":\n{"a":2}', "application/x-ndjson")
    assert [len(element.faults) for element in lines] == [0, 1, 0]


def test_the_query_serves_every_element() -> None:
    """Query values are defaults: an element's own value is the stronger one. Without a body they are the event."""
    assert values(decode(b'[{"a":"1"},{"site":"t"}]', query="?site=s")) == [
        {"site": ["s"], "a": ["1"]},
        {"site": ["t"]},
    ]
    assert values(decode(b"", query="?site=s")) == [{"site": ["s"]}]


def test_as_many_values_as_allowed() -> None:
    """Commas in texts are none."""
    members = ",".join(f'"a{n}":"x,y,z"' for n in range(1_000))
    (element,) = values(decode(f"{{{members}}}".encode(), "application/json"))
    assert len(element) == 1_000
    assert element["a999"] == ["x,y,z"]


def test_one_element_of_too_many_values_spoils_only_itself() -> None:
    """Its neighbours are read."""
    elements = decode(b'[{"a":1},{"a":[' + b"1," * 1_000 + b'1]},{"a":2}]', "application/json")
    assert [[fault.reason for fault in element.faults] for element in elements] == [[], ["too_many"], []]


def test_a_query_of_too_many_fields() -> None:
    """It is a fault; the body is not even looked at."""
    for method in ("GET", "POST"):
        (element,) = decode(b"{}", query="?" + "a&" * 1_000, method=method)
        assert [fault.reason for fault in element.faults] == ["too_many"]
    assert values(decode(b"", query="?" + "a=1&" * 999)) == [{"a": ["1"] * 999}]


def test_the_query_serves_no_more_elements_than_there_is_room_for() -> None:
    """A long query and many elements multiply."""
    body = b"[" + b"{}," * 999 + b"{}]"
    (element,) = decode(body, "application/json", query="?" + "a=1&" * 300)
    assert [fault.reason for fault in element.faults] == ["too_many"]
    assert len(decode(body, "application/json", query="?" + "a=1&" * 100)) == 1_000


def test_a_fault_tells_nothing_of_what_was_sent() -> None:
    """Only how long it is, for a secret may be in it."""
    (element,) = decode(b'["password=hunter2"]', "application/json")
    assert "hunter2" not in element.faults[0].text


def test_a_body_on_a_get_is_not_looked_at() -> None:
    """It is no error either."""
    assert values(decode(b"{", "application/json", query="?a=1", method="GET")) == [{"a": ["1"]}]


@pytest.mark.parametrize(
    ("target", "event"),
    [
        (b"/badge.svg", ["badge"]),
        (b"/badge.svg?event=", ["badge"]),
        (b"http://a.example/badge.svg?a=1", ["badge"]),
        (b"/badge.svg?event=opened", ["opened"]),
        (b"/pixel.png", None),
        (b"/204?a=/badge.svg", None),
    ],
)
def test_what_a_badge_is_asked_for_with(target: bytes, event: list[str] | None) -> None:
    """It is the event ``badge``, unless it says otherwise; the other images leave the event open."""
    (element,) = NATIVE.decode(Hit.of(0, "", "", "GET", target, b""))
    assert element.values.get("event") == event


@given(hits)
def test_anything_decodes(hit: Hit) -> None:
    """Any bytes give at least one element; every text is UTF-8 and every reason is declared."""
    elements = NATIVE.decode(hit)
    assert elements
    for element in elements:
        for name, texts in element.values.items():
            assert "".join((name, *texts)).encode()
        for fault in element.faults:
            assert isinstance(fault, Fault)
            assert fault.reason in REASONS
            assert fault.text.encode()
