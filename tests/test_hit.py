"""The codec of hits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.errors import StreamError
from pixelake.hit import Codec, Hit
from tests.fuzz.codec import first_version

HITS = st.lists(
    st.builds(
        Hit.of,
        received_at=st.integers(0, 2**62),
        peer=st.ip_addresses().map(str),
        client=st.ip_addresses().map(str),
        method=st.sampled_from(["GET", "HEAD", "POST"]),
        target=st.binary(max_size=200),
        headers=st.binary(max_size=200),
        body=st.binary(max_size=200),
        source=st.sampled_from(["http", "cloudfront"]),
        hit_id=st.text(max_size=20),
    ),
    max_size=20,
)


@given(HITS)
def test_round_trip(hits: list[Hit]) -> None:
    """Whatever bytes a request has, they come back as they went in."""
    assert Codec().decode(Codec().encode(hits)) == hits


def test_damage_is_noticed() -> None:
    """A flipped bit is an error, never another hit."""
    data = bytearray(Codec().encode([Hit.of(1, "::1", "::1", "GET", b"/?a=1", b"")] * 50))
    data[len(data) // 2] ^= 4
    with pytest.raises(StreamError):
        Codec().decode(bytes(data))


def test_unknown_version_says_so() -> None:
    """A group of a newer version is refused with what to do."""
    with pytest.raises(StreamError, match="version 03") as caught:
        Codec().decode(b"\x03whatever")
    assert "newer" in caught.value.hint


def test_header_is_found_in_any_case() -> None:
    """The first header of a name, whatever its case, without the white space around it."""
    hit = Hit.of(1, "", "", "GET", b"/", b"Host: a\r\nREFERER:  https://x/ \r\nreferer: second\r\n")
    assert hit.header(b"referer") == b"https://x/"
    assert hit.header(b"cookie") is None


FIRST_FIELDS = (1, "192.0.2.1", "2001:db8::1", "POST", b"/events?a=1", b"Host: a\r\nX: \xff\r\n", b"{}", "http", "x-1")


@pytest.mark.parametrize("count", range(3, 10))
def test_the_first_version_is_read(count: int) -> None:
    """A hit of version 1 with its nine fields, or with only the first ones: what is missing has its default."""
    fields = FIRST_FIELDS[: max(6, count)]
    assert Codec().decode(first_version([fields])) == [Hit.of(*fields)]


@given(HITS)
def test_the_first_version_holds_the_same(hits: list[Hit]) -> None:
    """Method, target and headers, which it held apart, come back as one head."""
    old = [(h.received_at, h.peer, h.client, h.method, h.target, h.headers, h.body, h.source, h.hit_id) for h in hits]
    found = Codec().decode(first_version(old))
    assert found == [Hit.of(*fields) for fields in old]
    assert [hit.body for hit in found] == [hit.body for hit in hits]


@pytest.mark.parametrize(
    "packed",
    [
        b"\x91\x97\x01\xa3\xff\xfe\xfda\xa0\xc4\x00\xc4\x00\xa0\xa0",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x80",
        b"",
    ],
    ids=["no utf-8", "a huge array", "deep", "a map", "nothing"],
)
@pytest.mark.parametrize("version", [b"\x01", b"\x02"])
def test_a_damaged_array_says_so(version: bytes, packed: bytes) -> None:
    """Also where the frame around it is whole."""
    with pytest.raises(StreamError):
        Codec().decode(version + Codec().compress(packed)[1:])


@pytest.mark.parametrize("size", [1 << 31, 1 << 40, 1 << 62])
def test_a_damaged_size_takes_no_memory(size: int) -> None:
    """A frame that claims to hold more than any group does is damaged: nothing is allocated for it."""
    frame = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"
    with pytest.raises(StreamError):
        Codec().decode(b"\x02" + frame)
