"""Who fetched it in a person's place: a mail service, an image proxy, a scanner of links, Private Relay.

What a proxy fetched is no bot's: there is a person, or there was one to whom
a mail was sent. It tells neither their address nor their browser.
"""

import tomllib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any, Final

import msgspec

from pixelake.address import packed
from pixelake.cache import bounded
from pixelake.errors import SettingsError
from pixelake.transform.enrich.lists import load
from pixelake.transform.enrich.patterns import LONGEST, checked, either

PROXIES: Final = "proxies.toml"
RELAY: Final = "private-relay.csv"
_BROWSERS: Final = ("Mozilla/", "Opera/")
_HALF: Final = 64
"""Bits of an IPv6 address that tell the networks of Private Relay apart."""


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An entry of the list of proxies, as its first lines explain."""

    name: str
    agents: tuple[str, ...]
    source: str
    seen: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    proxy: tuple[Known, ...]


def read_proxies(text: str) -> tuple[Known, ...]:
    """The entries of a list of proxies.

    Raises:
        SettingsError: it is no TOML, or an entry is not as the list's first lines say.
    """
    hint = "write [[proxy]] entries with name, agents and source, as in the built-in list"
    try:
        known = msgspec.convert(tomllib.loads(text), _File).proxy
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{PROXIES}: {error}", hint) from error
    for each in known:
        for pattern in each.agents:
            checked(pattern, f"{PROXIES}, {each.name}")
    return known


class Proxies:
    """Tells proxies by their user agent. An enricher: pure, once made.

    Args:
        text: a list of proxies.

    Raises:
        SettingsError: the list is wrong.
    """

    def __init__(self, text: str) -> None:
        known = read_proxies(text)
        self._any = either((pattern for each in known for pattern in each.agents), case=True)
        self._each = [(each.name, either(each.agents, case=True)) for each in known]
        self._find = bounded(20_000)(self._look)

    def __call__(self, user_agent: str | None) -> tuple[str | None]:
        """The name of the proxy, or None. Only the beginning of a user agent is looked at."""
        return (self._find(user_agent[:LONGEST]) if user_agent else None,)

    def _look(self, user_agent: str) -> str | None:
        if not self._any.search(user_agent):
            return None
        return next((name for name, agents in self._each if agents.search(user_agent)), None)


@cache
def _built_in() -> Proxies:
    return make_proxies(None)


def make_proxies(folder: Path | None) -> Proxies:
    """With the user's list, if the folder has one.

    Raises:
        SettingsError: it cannot be read, or is wrong.
    """
    return Proxies(load(PROXIES, folder))


def proxy(user_agent: str | None) -> tuple[str | None]:
    """`Proxies` with the list that comes with pixelake."""
    return _built_in()(user_agent)


def scanner(
    method: str, user_agent: str | None, sec_fetch_mode: str | None, bot: bool, proxy: str | None
) -> tuple[str | None]:
    """The proxy, or ``scanner`` for a HEAD of what says that it is a browser.

    A browser asks for a page or an image with GET. A script on a page may send
    HEAD, and then the browser says so in ``Sec-Fetch-Mode``. Scanners of mail ask
    so for links, to see where they lead (2022,
    https://github.com/jdavidbakr/mail-tracker/pull/200).
    """
    if proxy or bot or method != "HEAD" or sec_fetch_mode or not (user_agent or "").startswith(_BROWSERS):
        return (proxy,)
    return ("scanner",)


class Relays:
    """Tells the visitors of iCloud Private Relay by their address. An enricher: pure, once made.

    Args:
        text: the list that Apple publishes (https://mask-api.icloud.com/egress-ip-ranges.csv, told in
            https://developer.apple.com/support/prepare-your-network-for-icloud-private-relay/, looked up
            2026-11-21): a network begins each line, and what follows a comma is not read.

    Raises:
        SettingsError: a line is no network, or an IPv6 one is smaller than a /64.
    """

    def __init__(self, text: str) -> None:
        self._four = _Ranges(network for network, four in _networks(text) if four)
        self._six = _Ranges(network for network, four in _networks(text) if not four)

    def __call__(self, client: str, proxy: str | None) -> tuple[str | None]:
        """The proxy, or ``private-relay``."""
        data = None if proxy else packed(client)
        if data is None:
            return (proxy,)
        held = int.from_bytes(data) in self._four if len(data) == 4 else int.from_bytes(data[:8]) in self._six
        return ("private-relay" if held else None,)


class _Ranges:
    """Ranges of whole numbers: 16 bytes each, found by bisection."""

    def __init__(self, ranges: Any) -> None:
        self._first, self._last = array("Q"), array("Q")
        for first, last in sorted(ranges):
            if self._last and first <= self._last[-1]:
                self._last[-1] = max(last, self._last[-1])  # they overlap
            else:
                self._first.append(first)
                self._last.append(last)

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._first, number) - 1
        return at >= 0 and number <= self._last[at]


def _networks(text: str) -> Iterator[tuple[tuple[int, int], bool]]:
    """First and last number of each network, and whether it is one of IPv4; of IPv6 the upper half."""
    for number, line in enumerate(text.splitlines(), 1):
        written = line.partition(",")[0].strip()
        if not written or written.startswith("#"):
            continue
        try:
            network = ip_network(written)
        except ValueError as error:
            raise SettingsError(
                f"{RELAY}, line {number}: {written[:60]!r} is no network", "use the list as Apple publishes it"
            ) from error
        first, last = int(network[0]), int(network[-1])
        four = isinstance(network, IPv4Network)
        if not four and network.prefixlen > _HALF:
            raise SettingsError(f"{RELAY}, line {number}: a network below /64", "use the list as Apple publishes it")
        yield ((first, last) if four else (first >> _HALF, last >> _HALF)), four


def make_relays(folder: Path | None) -> Relays | None:
    """From the user's list; None if there is none, as none comes with pixelake: it has 10 MB and changes daily.

    Raises:
        SettingsError: it cannot be read, or is wrong.
    """
    if folder is None or not (folder / RELAY).exists():
        return None
    return Relays(load(RELAY, folder))
