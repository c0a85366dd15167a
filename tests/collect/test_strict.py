"""Strict privacy."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect import strict
from tests.strategies import forwarding

HEADERS = (
    *("X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "CloudFront-Viewer-Address"),
    *("Fastly-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Envoy-External-Address", "Via", "X-Anything"),
)
VALUES = {
    "IPv4": ("203.0.113.9", "203.0.113.0"),
    "IPv4 with port": ("203.0.113.9:443", "203.0.113.0:443"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    "IPv6 with port": ("[2001:db8:1:2::3]:443", "[2001:db8:1::]:443"),
    "IPv6 with port and no brackets": ("2001:db8:1:2:3:4:5:6:443", "-"),
    "a list": ("203.0.113.9, 198.51.100.7", "203.0.113.0, 198.51.100.0"),
    "elements": ('for="[2001:db8:1:2::3]";by=203.0.113.9', 'for="[2001:db8:1::]";by=203.0.113.0'),
    "a name": ("1.1 varnish", "1.1 varnish"),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize(("sent", "kept"), VALUES.values(), ids=VALUES.keys())
def test_addresses_are_truncated(name: str, sent: str, kept: str) -> None:
    """In every header that carries one, whatever its case; its neighbours stay."""
    for written in (name, name.lower(), name.upper()):
        block = f"Host: a.example\r\n{written}: {sent}\r\nAccept: */*\r\n"
        assert strict.headers(block.encode()) == block.replace(sent, kept).encode()


UNCHANGED = (
    b"User-Agent: Mozilla/5.0 Chrome/120.0.0.0",
    b'Sec-CH-UA-Full-Version-List: "Chromium";v="120.0.6099.109"',
    b"Referer: https://192.0.2.1:8080/?t=12:30:45",
    b"Host: 192.0.2.1:8080",
    b"Origin: http://192.0.2.1:8080",
    b"If-Modified-Since: Tue, 10 Feb 2026 21:00:00 GMT",
    b"Accept-Language: de-DE,de;q=0.9",
    b"X-Bytes: \xff\xfe",
    b"no colon 1.2.3.4",
    b"",
)


@pytest.mark.parametrize("line", UNCHANGED)
def test_what_carries_none_stays(line: bytes) -> None:
    """Versions, times and the page's own host are no visitor's address."""
    block = line + b"\r\nX-Real-IP: 203.0.113.9\r\n"
    assert strict.headers(block) == line + b"\r\nX-Real-IP: 203.0.113.0\r\n"


@given(st.ip_addresses(), st.sampled_from(HEADERS), st.sampled_from(["{}", "{}, {}", '"[{}]:80"', "for={};x", " {} "]))
def test_no_whole_address_is_left(address: ipaddress.IPv4Address, name: str, form: str) -> None:
    """However it is written, less than the whole address is left, and the rest is what `truncated` says."""
    kept = strict.headers(f"{name}: {form.format(address, address)}\r\n".encode()).decode()
    short = strict.address(str(address))
    assert short in kept
    assert short == str(address) or str(address) not in kept


@given(forwarding | st.binary(max_size=80))
def test_whatever_is_sent(block: bytes) -> None:
    """Nothing is raised, no line comes or goes, and truncating once more changes nothing."""
    kept = strict.headers(block)
    assert kept.count(b"\r\n") == block.count(b"\r\n")
    assert strict.headers(kept) == kept


def test_an_address() -> None:
    """The client itself; what is no address is not kept at all."""
    assert strict.address("203.0.113.9") == "203.0.113.0"
    assert strict.address("2001:db8:1:2::3") == "2001:db8:1::"
    assert strict.address("") == strict.address("unix:") == ""
