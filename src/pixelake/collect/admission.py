"""Who may come in, and what of a request may be kept.

Usually nothing stands against a head: then `Admission.may_all` says so for all
heads of a turn at once. Else each is looked at by itself: secrets are taken
out, proxies are heard, rates are drawn from, addresses are cut short.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import msgspec

from pixelake.address import without_addresses
from pixelake.clock import Clock
from pixelake.collect import strict
from pixelake.collect.client import Clients
from pixelake.collect.keep import Keeper
from pixelake.collect.plain import Odd, Plain
from pixelake.collect.rate import Buckets, Sites, address_key
from pixelake.hit import UNREADABLE, Hit
from pixelake.settings import Settings


class Refused(NamedTuple):
    """Why a hit is not taken in (see `pixelake.collect.pixel.REFUSALS`), and in how many seconds it would be."""

    reason: str
    retry_after: int | None = None


class Guest(Protocol):
    """Who sends a request.

    Attributes:
        address: whom the connection speaks for: its other end, or whom its PROXY header names.
        peer: `address`, as a hit may keep it.
        client: the same, for hits without a header that tells another.
    """

    address: str
    peer: str
    client: str


_REMEMBERED: Final = 16_384
"""Peers."""
_LAST: Final = frozenset({Odd.CLOSE})


class Admission:
    """The door of a process.

    Attributes:
        keeper: takes secrets out.
        undeclared: the last peer that looked like a proxy nobody declared, until somebody takes note of it and
            empties it.
    """

    def __init__(self, settings: Settings) -> None:
        self.keeper = Keeper(settings.secret_parameters)
        self.undeclared = ""
        self._plain = Plain(settings.secret_parameters)
        self._clients = Clients(settings.trusted_proxies, settings.client_header)
        self._strict = settings.privacy == "strict"
        self._known = lru_cache(_REMEMBERED)(self._who)
        self._sites = Sites(settings.aliases)
        self._of_site = Buckets(settings.site_rate, settings.site_burst) if settings.site_rate else None
        self._of_address = Buckets(settings.address_rate, settings.address_burst) if settings.address_rate else None
        self._each = self._strict or self._of_site is not None or self._of_address is not None

    def greet(self, guest: Guest, address: str, told: str = "") -> None:
        """Note who a connection comes from: its other end, and whom its PROXY header names, if it has one."""
        guest.address, guest.peer, guest.client = self._known(address, told)

    def _who(self, address: str, told: str) -> tuple[str, str, str]:
        source = self._clients.source(address, told)
        # whoever a load balancer introduces speaks for itself: it is no proxy whose headers are believed
        client = self._clients.client(source, b"")
        client = strict.address(client) if self._strict else client
        return source, client, client

    def may_all(self, heads: Sequence[bytes]) -> bool | None:
        """May all of these come in as they are? None: yes, but some are the last of their connections.

        Each begins as a GET of an image with a query, and ends as a head.
        """
        if self._each:
            return False
        odds = self._plain.any_odds(heads)
        return None if odds == _LAST else not odds

    def odds(self, head: bytes) -> frozenset[Odd]:
        """What is odd about a head."""
        return self._plain.odds(head)

    def hit(self, clock: Clock, guest: Guest, head: bytes, body: bytes, odds: frozenset[Odd]) -> Hit | Refused:
        """The hit of a request, with what may be kept of it, or why it may not come in."""
        if Odd.SECRET in odds:
            head = self.keeper.head(head)
        if body:
            body = self.keeper.body(body)
        client, anybody = guest.client, False
        if self._each or Odd.FORWARDED in odds:
            headers = _headers(head)
            client = self._clients.client(guest.address, headers)
            anybody = self._clients.undeclared(guest.address, headers)
            if anybody:
                self.undeclared = guest.client
        if self._each:
            wait = self._wait(clock.monotonic(), "" if anybody else client, head)
            if wait is not None:
                return wait
            if self._strict:
                client, head = strict.address(client) or guest.client, _with_headers(head, strict.headers)
        return Hit(clock.now(), guest.peer, client, head, body)

    def kept(self, hit: Hit) -> Hit:
        """A hit that somebody else took, and whose name and client are told, with what may be kept of it."""
        head = self.keeper.head(hit.head) if Odd.SECRET in self.odds(hit.head) else hit.head
        body = self.keeper.body(hit.body) if hit.body else b""
        peer, client = hit.peer, hit.client
        if self._strict:
            peer, client = strict.address(peer), strict.address(client)
            head = _with_headers(head, strict.headers)
            if hit.source == UNREADABLE:  # nobody knows what it holds
                body = without_addresses(body.decode("latin-1")).encode("latin-1")
        return msgspec.structs.replace(hit, peer=peer, client=client, head=head, body=body)

    def _wait(self, now: float, address: str, head: bytes) -> Refused | None:
        """Draw from the rates of an address, if it is known to be one client's, and of its site."""
        if self._of_address is not None and address:
            seconds = self._of_address.take(address_key(address), now)
            if seconds:
                return Refused("rate_address", math.ceil(seconds))
        if self._of_site is not None:
            line, _, headers = head.partition(b"\r\n")
            seconds = self._of_site.take(self._sites.of(line.split(b" ")[1], headers), now)
            if seconds:
                return Refused("rate_site", math.ceil(seconds))
        return None


def _headers(head: bytes) -> bytes:
    return head[head.find(b"\r\n") + 2 : -2]


def _with_headers(head: bytes, edit: Callable[[bytes], bytes]) -> bytes:
    end = head.find(b"\r\n") + 2
    return head[:end] + edit(head[end:-2]) + head[-2:]
