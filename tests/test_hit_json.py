"""Hits as lines of JSON that others read and write."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelake.collect.logs import cloudfront_fields
from pixelake.collect.logs import line as logs
from pixelake.errors import NewerVersion, StreamError
from pixelake.hit import Hit
from pixelake.hit_json import RESERVED, decode, encode
from tests import strategies

GIVEN = {"v": 1, "received_at": "2026-02-10T08:30:00.123456Z", "peer": "203.0.113.9", "method": "GET", "target": "/?a"}
"""As little as a hit needs."""
OLDEST = 631_152_000_000_000
"""1990, in microseconds."""
DAY = 86_400_000_000


def line(**changes: object) -> bytes:
    """A line of somebody else; a member that is None is left out."""
    return json.dumps({name: value for name, value in (GIVEN | changes).items() if value is not None}).encode()


def odd(headers: bytes, target: bytes = b"/pixel.gif?site=a", body: bytes = b"") -> Hit:
    """A hit with these header lines."""
    return Hit.of(1_700_000_000_000_001, "::1", "203.0.113.9", "POST", target, headers, body, "http", "x-1")


@given(
    st.one_of(
        strategies.hits.map(lambda hit: msgspec.structs.replace(hit, received_at=OLDEST + hit.received_at)),
        st.builds(Hit, st.integers(OLDEST, 2**50), st.text(), st.text(), st.binary(), st.binary()),
    )
)
@example(odd(b"Host:a\r\n"))
@example(odd(b"Host:  a \r\nHost: a\r\nX:\r\nX: \r\n"))
@example(odd(b"no colon\r\n: no name\r\n"))
@example(odd(b"\r\n\r\n"))
@example(odd(b"X: a\nb\rc\r\n", b"/ a  b"))
@example(odd(b"X: \xff\x00\x7f\r\n", body=b"\xff"))
@example(odd(b"X: y", body="€ \u2028 😀 \ufffe".encode()))
def test_round_trip(hit: Hit) -> None:
    """Whatever bytes a request has, they come back as they went in; the line is ASCII that any queue of text takes."""
    packed = encode(hit)
    assert decode(packed) == hit
    assert packed.isascii()
    assert min(packed) >= 0x20


def test_what_others_read() -> None:
    """An ordinary hit has its parts, and no second head beside them."""
    hit = odd(b"Host: a\r\nUser-Agent: x: y \r\nHost: b\r\n", body='{"a":"€"}'.encode())
    assert json.loads(encode(hit)) == {
        "v": 1,
        "hit_id": "x-1",
        "received_at": "2023-11-14T22:13:20.000001Z",
        "peer": "::1",
        "client": "203.0.113.9",
        "source": "http",
        "method": "POST",
        "target": "/pixel.gif?site=a",
        "headers": [["Host", "a"], ["User-Agent", "x: y "], ["Host", "b"]],
        "body": '{"a":"€"}',
    }


def test_an_odd_head_is_kept_whole() -> None:
    """Where the parts would not give back the head it stands beside them, and counts."""
    fields = json.loads(encode(odd(b"Host:a\r\n")))
    assert fields["headers"] == [["Host", "a"]]
    assert fields["head"] == "POST /pixel.gif?site=a HTTP/1.1\r\nHost:a\r\n\r\n"
    fields["target"] = "/other"
    assert decode(json.dumps(fields).encode()).target == b"/pixel.gif?site=a"


@pytest.mark.parametrize("body", [b"\x00", b"\xff\xfe", b"\x1b[0m", "\ufffe".encode()], ids=repr)
def test_a_body_that_is_no_plain_text_is_base64(body: bytes) -> None:
    """Such a body never stands in the line as text."""
    fields = json.loads(encode(odd(b"", body=body)))
    assert "body" not in fields
    assert decode(encode(odd(b"", body=body))).body == body


def test_others_need_to_say_little() -> None:
    """The least of a line is enough, and what it does not say is what a plain request would have."""
    assert decode(line()) == Hit.of(1_770_712_200_123_456, "203.0.113.9", "203.0.113.9", "GET", b"/?a", b"")


@pytest.mark.parametrize(
    "changes",
    [
        {"received_at": 1_770_712_200_123_456},
        {"received_at": "2026-02-10T09:30:00.123456+01:00"},
        {"more": {"deep": [1]}, "trace": None},
    ],
    ids=["a number", "another zone", "members of others"],
)
def test_others_may_write_it_so(changes: dict[str, object]) -> None:
    """The same hit, said in another way."""
    assert decode(line(**changes)) == decode(line())


def test_letters_that_are_no_bytes_are_utf8() -> None:
    """Somebody else's text in a header is not lost."""
    hit = decode(line(headers=[["User-Agent", "€"], ["X", "é"]]))
    assert hit.header(b"user-agent") == "€".encode()
    assert hit.header(b"x") == b"\xe9"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"x":' + b"[" * 100_000,
        b'{"v":1}',
        line(v="1"),
        line(v=0),
        line(v=-1),
        line(v=1_001),
        line(v=1 << 80),
        line(v=2, received_at=None),
        line(v=2, peer=None),
        b'{"v":2,"kind":"order"}',
        line(received_at="yesterday"),
        line(received_at="2026-02-10T08:30:00"),
        line(received_at=-1),
        line(received_at=OLDEST - 1),
        line(received_at="1989-12-31T23:59:59Z"),
        line(received_at=1 << 62),
        line(received_at=1 << 90),
        line(received_at="0001-01-01T00:00:00+23:59"),
        line(peer=7),
        line(method=None),
        line(target=""),
        line(method="GET /"),
        line(target="/ HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"),
        line(headers=[["X", "a\r\nY: b"]]),
        line(headers=[["X", "a\nY: b"]]),
        line(headers=[["X: y", "a"]]),
        line(headers=[["X"]]),
        line(body64="no base64!"),
        line()[:-1],
    ],
)
def test_what_is_no_hit_is_refused(data: bytes) -> None:
    """One error with a hint, whatever it is; no part of it can pretend to be another."""
    with pytest.raises(StreamError) as caught:
        decode(data)
    assert not isinstance(caught.value, NewerVersion)
    assert caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source", ["erased", "http+erased", "+erased", "unreadable", cloudfront_fields.SOURCE, logs.SOURCE]
)
def test_a_source_that_is_believed_more_is_not_for_others(source: str) -> None:
    """A message cannot say that it was erased, or that a place in it is CloudFront's word."""
    assert source in RESERVED or source.endswith("+erased")
    with pytest.raises(StreamError, match="source"):
        decode(line(source=source))
    assert decode(line(source="edge")).source == "edge"


@pytest.mark.parametrize("name", ["a b", "a\n", "\u20ac", "x" * 257, "order-7.1", "3f9c-17.0", ".5"], ids=ascii)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """Also one that an event of a body with several may have: it would be taken for that event."""
    with pytest.raises(StreamError, match="hit_id"):
        decode(line(hit_id=name))


@pytest.mark.parametrize("name", ["", "x" * 256, "!~", "1.a", "a.", "3f9c1a72b0de-17", "cGX9Jx7K=="])
def test_a_name_may_be_any_other(name: str) -> None:
    """Marks and letters of ASCII; or none, for a message of others."""
    assert decode(line(hit_id=name)).hit_id == name


def test_nothing_was_received_long_after_its_message() -> None:
    """A clock may be wrong by a day; a time of next year would keep a hit from its day, and from ageing."""
    at = decode(line()).received_at
    for sent_at in (0, at - DAY, at, at + 400 * DAY):
        assert decode(line(), sent_at).received_at == at
    with pytest.raises(StreamError, match="ahead"):
        decode(line(), at - DAY - 1)


@pytest.mark.parametrize("changes", [{}, {"peer": 7}, {"received_at": [1]}], ids=["same", "changed", "more"])
def test_a_newer_version_says_so(changes: dict[str, object]) -> None:
    """Whatever else has changed in it, it is the version that is told."""
    with pytest.raises(NewerVersion, match="version 2") as caught:
        decode(line(v=2, **changes))
    assert "newer" in caught.value.hint


@given(st.binary())
def test_nothing_else_is_ever_raised(data: bytes) -> None:
    """Bytes of anybody are a hit, or a `StreamError`."""
    with suppress(StreamError):
        assert isinstance(decode(data), Hit)


def test_an_impossible_time_is_refused() -> None:
    """What no clock says is not written."""
    for at in (-1, OLDEST - 1):
        with pytest.raises(StreamError, match="received"):
            encode(Hit(at, "", "", b""))
