"""Addresses cut short, wherever one may stand: on events, and in the raw hit of a reject."""

import re
import socket
from typing import Final

from pixelake.transform.cache import bounded

_MAPPED: Final = bytes(10) + b"\xff\xff"
"""The first 12 bytes of an IPv4 address written as IPv6."""
_TOKEN: Final = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}|(?<![0-9A-Fa-f])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,60}", re.ASCII
)
"""What looks like an address; a longer run than one (a port behind IPv6) is cut, never kept.

Its parts are bounded, so that the time grows with the length and not with its square.
"""


def packed(address: str) -> bytes | None:
    """The 4 or 16 bytes of an address, IPv4 also if it is written as IPv6; None if it is none."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        data = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL, or letters outside ASCII
        return None
    return data[12:] if data.startswith(_MAPPED) else data


@bounded(16_384)
def truncated(address: str) -> str | None:
    """IPv4 to its /24, IPv6 to its /48; None if it is no address."""
    data = packed(address)
    if data is None:
        return None
    if len(data) == 4:
        return socket.inet_ntop(socket.AF_INET, data[:3] + b"\0")
    return socket.inet_ntop(socket.AF_INET6, data[:6] + bytes(10))


def without_addresses(value: str) -> str:
    """The value of a header, each address in it truncated; what only looks like one is cut out."""
    return _TOKEN.sub(lambda found: truncated(found[0]) or "-", value)
