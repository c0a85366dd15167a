"""The PROXY protocol."""

import socket
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.proxy import MAX_V1, ProxyError, ProxyHeader, parse_proxy

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
V4 = socket.inet_aton("203.0.113.9") + socket.inet_aton("10.0.0.1") + struct.pack("!HH", 56324, 443)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack("!HH", 56324, 443)
MAPPED = socket.inet_pton(socket.AF_INET6, "::ffff:203.0.113.9") * 2 + struct.pack("!HH", 56324, 443)
TLVS = b"\x03\x00\x04\x00\x00\x00\x00" + b"\xea\x00\x05\x01vpce"


def version_2(command: int, family: int, block: bytes) -> bytes:
    """A header as the specification writes it."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


GOOD = {
    "TCP4": (b"PROXY TCP4 203.0.113.9 10.0.0.1 56324 443\r\n", "203.0.113.9"),
    "TCP4 at its longest": (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    "TCP6": (b"PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n", "2001:db8::1"),
    "TCP6, mapped": (b"PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n", "203.0.113.9"),
    "UNKNOWN": (b"PROXY UNKNOWN\r\n", ""),
    "UNKNOWN at its longest": (b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 16) + b"\r\n", ""),
    "2, IPv4": (version_2(0x21, 0x11, V4), "203.0.113.9"),
    "2, IPv4 of QUIC": (version_2(0x21, 0x12, V4), "203.0.113.9"),
    "2, IPv6": (version_2(0x21, 0x21, V6), "2001:db8::1"),
    "2, mapped": (version_2(0x21, 0x21, MAPPED), "203.0.113.9"),
    "2, with more": (version_2(0x21, 0x11, V4 + TLVS), "203.0.113.9"),
    "2, Unix": (version_2(0x21, 0x31, bytes(216)), ""),
    "2, unspecified": (version_2(0x21, 0x00, b""), ""),
    "2, unspecified with more": (version_2(0x21, 0x00, TLVS), ""),
    "2, local": (version_2(0x20, 0x00, b""), ""),
    "2, local with addresses": (version_2(0x20, 0x11, V4), ""),
    "2, local with a family that nobody knows": (version_2(0x20, 0xFF, b"x"), ""),
    "2, at its longest": (version_2(0x21, 0x11, V4.ljust(65_535, b"\xee")), "203.0.113.9"),
}


@pytest.mark.parametrize(("sent", "source"), GOOD.values(), ids=GOOD.keys())
def test_read(sent: bytes, source: str) -> None:
    """The source and the length are told, whatever follows; before the last byte there is no answer."""
    for following in (b"", REQUEST, sent):
        assert parse_proxy(sent + following) == ProxyHeader(source, len(sent))
    for length in {*range(min(len(sent), 300)), len(sent) - 1}:
        assert parse_proxy(sent[:length]) is None


BAD = {
    "a request": REQUEST,
    "another case": b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "a space too many": b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    "a port too few": b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    "a port too large": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    "a zero in front": b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    "a sign": b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
    "octal": b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
    "no address": b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
    "no destination": b"PROXY TCP4 1.2.3.4 1.2.3 1 2\r\n",
    "IPv6 as TCP4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "IPv4 as TCP6": b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    "UDP4": b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    "UNKNOWNS": b"PROXY UNKNOWNS\r\n",
    "a bare LF": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
    "a bare LF behind UNKNOWN": b"PROXY UNKNOWN\n",
    "too long": b"PROXY UNKNOWN " + b"f" * (MAX_V1 - 15) + b"\r\n",
    "endless": b"PROXY UNKNOWN " + b"f" * MAX_V1,
    "a signature cut short": SIGNATURE[:8] + b"x",
    "version 1 in binary": version_2(0x11, 0x11, V4),
    "another command": version_2(0x22, 0x11, V4),
    "another family": version_2(0x21, 0x41, V4),
    "another protocol": version_2(0x21, 0x13, V4),
    "addresses cut short": version_2(0x21, 0x21, V4),
    "no addresses": version_2(0x21, 0x11, b""),
}


@pytest.mark.parametrize("sent", BAD.values(), ids=BAD.keys())
def test_refused(sent: bytes) -> None:
    """What is no header, or a damaged one, is an error as soon as it can be seen, and stays one."""
    answers = []
    for length in range(len(sent) + 1):
        try:
            answers.append(parse_proxy(sent[:length]))
        except ProxyError:
            answers.append("refused")
    assert answers[-1] == "refused"
    assert set(answers) == {None, "refused"}
    assert answers == sorted(answers, key=str)  # never taken back


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda rest: SIGNATURE + rest)))
def test_anything(sent: bytes) -> None:
    """Whatever is sent, the answer is a header within it, more, or the error."""
    try:
        found = parse_proxy(sent)
    except ProxyError:
        return
    if found is not None:
        assert 0 < found.size <= len(sent)
        assert not found.source or ip_address(found.source)


@given(st.ip_addresses(), st.integers(0, 65_535), st.integers(0, 65_535))
def test_both_versions_agree(address, source: int, destination: int) -> None:
    """A connection told in version 1 and in version 2 has the same source."""
    packed = address.packed * 2 + struct.pack("!HH", source, destination)
    line = f"PROXY TCP{address.version} {address} {address} {source} {destination}\r\n".encode()
    family = 0x11 if address.version == 4 else 0x21
    one, two = parse_proxy(line), parse_proxy(version_2(0x21, family, packed))
    assert one is not None
    assert two is not None
    assert one.source == two.source
