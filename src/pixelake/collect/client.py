"""Who the client is: the peer, or whom proxies that are declared say they speak for.

A header is believed only from a peer in ``trusted_proxies``, and only as far
as trusted proxies wrote it: a list is read from its end, where the nearest
proxy has written, and the first address that is no trusted proxy's is the
client. What stands before it was sent by that client, and may be anything.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pixelake.address import LOOPBACK, PRIVATE, Networks, packed, written
from pixelake.cache import bounded

MAX_HOPS: Final = 32
"""Entries of a list that are looked at; behind a longer chain of trusted proxies the client is the last of them."""
_MAX_COMMAS: Final = 64
_MAX_ELEMENT: Final = 1_024
"""Commas inside one element of `Forwarded`, and its length."""
_REMEMBERED: Final = 16_384
"""Peers, and hops."""
_SHARED: Final = "100.64.0.0/10"
"""RFC 6598: never a client's address on the open internet, but not always one's own network either."""

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_VALUE: Final = rb'(?:"(?:[^"\\]|\\.)*+"|(?:' + _TOKEN + rb"|[:\[\]])*+)"
_PAIR: Final = re.compile(rb"(" + _TOKEN + rb"++)=(" + _VALUE + rb")")
_ELEMENT: Final = re.compile(
    rb"[ \t]*+(?:%b)?+(?:[ \t]*+;[ \t]*+(?:%b)?+)*+[ \t]*+" % (_PAIR.pattern, _PAIR.pattern), re.DOTALL
)
"""RFC 7239 4, but an address without its quotes is read too. Nothing in it tries twice."""
_PORT: Final = re.compile(r":(?:\d{1,5}|_[\w.-]{1,100})", re.ASCII)
FORWARDING_HEADERS: Final = (
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-connecting-ip",
    "cloudfront-viewer-address",
)
"""The headers with which proxies say whom they speak for."""
_FORWARDING: Final = re.compile(rb"\r\n(?:" + "|".join(FORWARDING_HEADERS).encode() + rb"):", re.IGNORECASE)


class Clients:
    """Tells the client of a request. Never raises, whatever a request holds.

    What does not change within a connection (`trusts`, and `client` with no
    headers) may be asked once a connection.

    Args:
        trusted: proxies that are believed, as `pixelake.address.Networks` takes them.
        header: how they tell, one of `HEADERS`.

    Raises:
        ValueError: one of `trusted` is no network.
    """

    def __init__(self, trusted: Iterable[str], header: str = "x-forwarded-for") -> None:
        self._trusted = Networks(trusted)
        self._inside = Networks((*LOOPBACK, *PRIVATE, _SHARED))
        self._name = b"\r\n" + header.encode() + b":"
        self._hops = HEADERS[header]
        self._look_up: Callable[[str], tuple[str, bool, bool]] = lru_cache(_REMEMBERED)(self._judge)
        self._told: Callable[[bytes], tuple[str, bool]] = bounded(_REMEMBERED)(self._read)

    def client(self, peer: str, headers: bytes) -> str:
        r"""The address of the client, in its usual spelling (IPv4 also where it is written as IPv6).

        Args:
            peer: the other end of the connection.
            headers: the header lines, ``Name: value\r\n`` each.
        """
        client, trusted, _ = self._look_up(peer)
        if trusted:
            for hop in self._hops(_values(headers, self._name)):
                told, trusted = self._told(hop)
                client = told or client
                if not trusted:
                    break
        return client

    def source(self, peer: str, told: str) -> str:
        """The client's end of a connection that began with a PROXY header which names `told` (``""``: nobody)."""
        return told if told and self.trusts(peer) else peer

    def trusts(self, peer: str) -> bool:
        """Are headers of that peer believed?"""
        return self._look_up(peer)[1]

    def undeclared(self, peer: str, headers: bytes) -> bool:
        """Does a peer of an inner network send forwarding headers without being trusted?

        Then it is a proxy that nobody declared: its address is that of everybody behind it.
        """
        return self._look_up(peer)[2] and _FORWARDING.search(b"\r\n" + headers) is not None

    def _read(self, hop: bytes) -> tuple[str, bool]:
        """The address that a hop tells, and whether it is a trusted proxy's; nothing if it tells none."""
        address = _node(hop)
        return ("", False) if address is None else (written(address), address in self._trusted)

    def _judge(self, peer: str) -> tuple[str, bool, bool]:
        """Its usual spelling; is it trusted; is it, untrusted, of an inner network?"""
        address = packed(peer)
        if address is None:
            return peer, False, False
        trusted = address in self._trusted
        return written(address), trusted, not trusted and address in self._inside


def _values(headers: bytes, name: bytes) -> list[bytes]:
    """The values of all headers of that name (lower case, between CR LF and colon), in order."""
    lowered = b"\r\n" + headers.lower()
    values = []
    at = lowered.find(name)
    while at >= 0:
        start = at + len(name)
        end = lowered.find(b"\r\n", start)
        values.append(headers[start - 2 : end - 2 if end >= 0 else None])
        at = lowered.find(name, end) if end >= 0 else -1
    return values


def _listed(values: list[bytes]) -> Iterator[bytes]:
    """The last entries of a list, last one first (RFC 9110 5.6.1: empty ones count for nothing)."""
    entries = b",".join(values).rsplit(b",", MAX_HOPS)
    return (entry for entry in reversed(entries[-MAX_HOPS:]) if entry.strip())


def _forwarded(values: list[bytes]) -> Iterator[bytes]:
    """The ``for`` of the last elements of `Forwarded`, last one first; ``b""`` for one that has none.

    Elements are found from the end, because a quote that a client leaves open
    must not swallow what a proxy wrote behind it: from a comma inside a quoted
    string to the end stands an odd number of quotes, which is no element.
    """
    value = b",".join(values)
    end = len(value)
    for _ in range(MAX_HOPS):
        start = _element(value, end)
        if start is None:
            yield b""
            return
        element = value[start:end].strip()
        if element:
            told = [value for name, value in _PAIR.findall(element) if name.lower() == b"for"]
            yield re.sub(rb"\\(.)", rb"\1", told[0]) if len(told) == 1 else b""
        end = start - 1
        if end < 0:
            return


def _element(value: bytes, end: int) -> int | None:
    """Where the element that ends at `end` begins; None if none does."""
    comma = end
    for _ in range(_MAX_COMMAS):
        comma = value.rfind(b",", 0, comma)
        if end - comma > _MAX_ELEMENT:
            return None
        if _ELEMENT.fullmatch(value, comma + 1, end):
            return comma + 1
        if comma < 0:
            return None
    return None


def _viewer(values: list[bytes]) -> Iterator[bytes]:
    """``address:port``, where IPv6 has no brackets. The last header is the nearest proxy's."""
    value = values[-1].strip() if values else b""
    host, _, port = value.rpartition(b":")
    if value and not value.startswith(b"["):
        yield host if port.isdigit() and len(port) <= 5 else b""
    elif value:
        yield value


def _single(values: list[bytes]) -> Iterator[bytes]:
    """One address. The last header is the nearest proxy's."""
    return iter(values[-1:])


HEADERS: Final[Mapping[str, Callable[[list[bytes]], Iterator[bytes]]]] = {
    "x-forwarded-for": _listed,
    "forwarded": _forwarded,
    "cloudfront-viewer-address": _viewer,
    "cf-connecting-ip": _single,
}
"""Header -> what its values tell, the nearest proxy's word first."""


def _node(hop: bytes) -> bytes | None:
    """The address of a node (RFC 7239 6), with or without port, brackets and quotes; None if it tells none."""
    text = hop.strip().decode("latin-1")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    host, port = text, ""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        if not bracket:
            return None
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
        port = colon + port
    return packed(host) if not port or _PORT.fullmatch(port) else None
