"""The codec of hits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.errors import StreamError
from pixelake.hit import Codec, Hit

HITS = st.lists(
    st.builds(
        Hit,
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
    data = bytearray(Codec().encode([Hit(1, "::1", "::1", "GET", b"/?a=1", b"")] * 50))
    data[len(data) // 2] ^= 4
    with pytest.raises(StreamError):
        Codec().decode(bytes(data))


def test_unknown_version_says_so() -> None:
    """A group of a newer version is refused with what to do."""
    with pytest.raises(StreamError, match="version 02") as caught:
        Codec().decode(b"\x02whatever")
    assert "newer" in caught.value.hint


def test_header_is_found_in_any_case() -> None:
    """The first header of a name, whatever its case, without the white space around it."""
    hit = Hit(1, "", "", "GET", b"/", b"Host: a\r\nREFERER:  https://x/ \r\nreferer: second\r\n")
    assert hit.header(b"referer") == b"https://x/"
    assert hit.header(b"cookie") is None
