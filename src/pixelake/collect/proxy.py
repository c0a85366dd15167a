"""The PROXY protocol, versions 1 and 2: what a load balancer says of a connection before its first byte.

As https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt defines it,
strictly: what is none, or not yet, is never guessed at.
"""

import re
from typing import Final, NamedTuple

from pixelake.address import packed, unwrapped, written

MAX_V1: Final = 107
"""Bytes of a header of version 1, with its CR LF."""
_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_START_V2: Final = 16
"""Bytes of version 2 that are always there: signature, version and command, family, length."""
_LINE: Final = re.compile(rb"PROXY TCP([46]) ([0-9A-Fa-f.:]{2,45}) ([0-9A-Fa-f.:]{2,45}) (\d{1,5}) (\d{1,5})\r\n")
_LOCAL, _PROXY = 0x20, 0x21
_BLOCKS: Final = {0x00: 0, 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216, 0x32: 216}
"""Family and protocol -> bytes of the addresses, in version 2: none, IPv4, IPv6, Unix."""
_SOURCES: Final = {0x1: 4, 0x2: 16}
"""Family -> bytes of its source address, in version 2."""


class ProxyError(Exception):
    """No PROXY header. Never leaves the collector."""


class ProxyHeader(NamedTuple):
    """What a connection began with.

    Attributes:
        source: the client's address, in its usual spelling; empty if none is told (``LOCAL``, ``UNKNOWN``, a Unix
            socket): then the peer speaks for itself.
        size: bytes of the header; what follows is the client's.
    """

    source: str
    size: int


def parse_proxy(buffer: bytes) -> ProxyHeader | None:
    """The PROXY header that `buffer` begins with; None if more bytes are needed to tell.

    It asks for at most 65,551 bytes (16, and a length of 16 bits).

    Raises:
        ProxyError: it begins with none, or with a damaged one.
    """
    if buffer.startswith(_V2):
        return _version_2(buffer)
    if buffer.startswith(_V1):
        return _version_1(buffer)
    if _V2.startswith(buffer) or _V1.startswith(buffer):
        return None
    raise ProxyError("it begins with no PROXY header")


def _version_1(buffer: bytes) -> ProxyHeader | None:
    end = buffer.find(b"\n", 0, MAX_V1) + 1
    if not end:
        if len(buffer) >= MAX_V1:
            raise ProxyError("a line of more than 107 bytes")
        return None
    line = buffer[:end]
    if line.startswith(b"PROXY UNKNOWN") and line[13:14] in (b" ", b"\r") and line.endswith(b"\r\n"):
        return ProxyHeader("", end)
    found = _LINE.fullmatch(line)
    if found is None or not (_is_port(found[4]) and _is_port(found[5])):
        raise ProxyError("a damaged line")
    source, _ = _address(found[2], found[1]), _address(found[3], found[1])
    return ProxyHeader(source, end)


def _is_port(digits: bytes) -> bool:
    """Up to 65535, without zeros in front."""
    return int(digits) < 65_536 and digits == b"%d" % int(digits)


def _address(sent: bytes, family: bytes) -> str:
    text = sent.decode()
    address = packed(text)
    if address is None or (":" in text) != (family == b"6"):
        raise ProxyError("an address that is none of its family")
    return written(address)


def _version_2(buffer: bytes) -> ProxyHeader | None:
    if len(buffer) < _START_V2:
        return None
    command, family, length = buffer[12], buffer[13], int.from_bytes(buffer[14:16])
    if command not in (_LOCAL, _PROXY):
        raise ProxyError("another version or command")
    if command == _PROXY and (family not in _BLOCKS or length < _BLOCKS[family]):
        raise ProxyError("another family, or addresses cut short")
    size = _START_V2 + length
    if len(buffer) < size:
        return None
    source = buffer[_START_V2 : _START_V2 + _SOURCES.get(family >> 4, 0)]
    if command == _LOCAL or not source:
        return ProxyHeader("", size)
    return ProxyHeader(written(unwrapped(source)), size)
