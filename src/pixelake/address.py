"""Addresses of the internet: read, compared with networks, cut short wherever one may stand."""

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import Final

from pixelake.cache import bounded

_EMBEDDING: Final = (bytes(10) + b"\xff\xff", b"\0\x64\xff\x9b" + bytes(8))
"""The first 12 bytes of an IPv4 address written as IPv6: mapped (RFC 4291 2.5.5.2), or by NAT64 (RFC 6052 2.1)."""
_TOKEN: Final = re.compile(
    r"\d{1,3}(?:\.\d{1,3}){3}|(?<![0-9A-Fa-f])[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,60}", re.ASCII
)
"""What looks like an address; a longer run than one (a port behind IPv6) is cut, never kept.

Its parts are bounded, so that the time grows with the length and not with its square.
"""
_CARRIES_NONE: Final = re.compile(r"(?:accept|content-|sec-|if-|(?:user-agent|host|origin|dnt|date)\Z)", re.IGNORECASE)
"""Headers in which only versions and times look like addresses."""
LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
PRIVATE: Final = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
"""RFC 1918, RFC 3927, RFC 4193, RFC 4291 2.5.6."""
WORDS: Final = {"loopback": LOOPBACK, "private": PRIVATE}
"""Names of networks."""


def packed(address: str) -> bytes | None:
    """The 4 or 16 bytes of an address, 4 also for IPv4 that is written as IPv6; None if it is none."""
    try:
        if ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        data = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
    except (OSError, ValueError):  # ValueError: a NUL, or letters outside ASCII
        return None
    return unwrapped(data)


def unwrapped(data: bytes) -> bytes:
    """The 4 bytes of an IPv4 address that is written as IPv6; other addresses as they are."""
    return data[12:] if data.startswith(_EMBEDDING) else data


def written(data: bytes) -> str:
    """The 4 or 16 bytes of an address as text, always the same for the same address."""
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


@bounded(16_384)
def truncated(address: str) -> str | None:
    """IPv4 to its /24, IPv6 to its /48; None if it is no address."""
    data = packed(address)
    if data is None:
        return None
    return written(data[:3] + b"\0" if len(data) == 4 else data[:6] + bytes(10))


def without_addresses(value: str) -> str:
    """The value of a header, each address in it truncated; what only looks like one is cut out."""
    return _TOKEN.sub(lambda found: truncated(found[0]) or "-", value)


def may_carry(name: str) -> bool:
    """May a header of that name carry an address of a person?"""
    return _CARRIES_NONE.match(name) is None


class Networks:
    """Some networks. ``packed(address) in networks`` takes a look for each length of prefix, however many they are.

    Args:
        names: each a network (``10.0.0.0/8``, ``2001:db8::/32``), an address, or one of `WORDS`.

    Raises:
        ValueError: one is none of these, or is everybody; the message names it.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._known: dict[tuple[int, int], set[int]] = {}
        for name in names:
            for network in WORDS.get(name, (name,)):
                data, cut = _network(network)
                self._known.setdefault((len(data), cut), set()).add(int.from_bytes(data) >> cut)

    def __contains__(self, data: bytes) -> bool:
        value, length = int.from_bytes(data), len(data)
        return any(length == size and value >> cut in known for (size, cut), known in self._known.items())

    def __bool__(self) -> bool:
        return bool(self._known)


def _network(name: str) -> tuple[bytes, int]:
    """The first address of a network, and how many of its last bits are free. Mapped ones are IPv4. See `Networks`."""
    try:
        network = ipaddress.ip_network(name, strict=False)
        exact = ipaddress.ip_address(name.partition("/")[0]) == network.network_address
    except ValueError:
        raise ValueError(f"{name!r} is no network") from None
    if not exact:
        raise ValueError(f"{name!r} goes on behind its prefix, unlike {network}")
    first, free = network.network_address.packed, network.max_prefixlen - network.prefixlen
    if first.startswith(_EMBEDDING) and free <= 32:
        first = first[12:]
    if free == 8 * len(first):
        raise ValueError(f"{name!r} is everybody")
    return first, free
