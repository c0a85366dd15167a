"""How fast hits may come: a token bucket for each site and each address, and whose bucket a hit draws from."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from pixelake.address import packed, written
from pixelake.cache import bounded
from pixelake.dialects.base import MAX_VALUES
from pixelake.dialects.native import names
from pixelake.dialects.site import DEFAULT, read_url, site_name
from pixelake.dialects.text import parse_query, text

Key = bytes | str

MOST: Final = 50_000
"""Buckets that are remembered: some 20 MB."""
_SLOTS: Final = 64
_FULL_AT_ONCE: Final = 2
_SLACK: Final = 1e-6
"""Seconds that rounding may make a hit look too early."""


class Buckets:
    """Token buckets, one a key, that are full at first. Not for use by several threads at once.

    Of a bucket only the moment is kept at which it will be full again (the
    "theoretical arrival time" of the generic cell rate algorithm, ITU-T I.371
    annex A). Each new key lets two go that are full by now. If there are more
    than `most` all the same, one that is closest to full is forgotten, to a
    sixty-fourth of a bucket. So a key that has used up its hits gets no new
    ones from a flood of other keys: for that each of `most` others would have
    to use up its own.

    Args:
        rate: hits a second that flow into each bucket; more than 0.
        burst: hits a bucket holds; 0: those of a second, but one at least.
        most: buckets that are remembered.
    """

    def __init__(self, rate: float, burst: float = 0, most: int = MOST) -> None:
        self._seconds = 1 / rate
        self._holds = max(1.0, burst or rate)
        self._depth = self._holds * self._seconds
        self._slot = self._depth / _SLOTS
        self._most = most
        self._full_at: dict[Key, float] = {}
        self._order: OrderedDict[int, set[Key]] = OrderedDict()  # by `_full_at`, in slots

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Key, now: float, cost: float = 1) -> float:
        """Draw `cost` from the bucket of `key`; 0.0 if that was in it, else the seconds until it will be.

        What is refused costs nothing; what costs more than a bucket holds costs all of it.

        Args:
            key: whose bucket.
            now: seconds, of a clock that never goes back.
            cost: hits.
        """
        known = self._full_at.get(key)
        began = now if known is None or known < now else known
        full_at = began + min(cost, self._holds) * self._seconds
        wait = full_at - now - self._depth
        if wait > _SLACK:
            return wait
        self._full_at[key] = full_at
        self._move(key, None if known is None else int(known / self._slot), int(full_at / self._slot))
        if known is None:
            self._forget(int(now / self._slot))
        return 0.0

    def _move(self, key: Key, before: int | None, slot: int) -> None:
        if before == slot:
            return
        if before is not None:
            keys = self._order[before]
            keys.remove(key)
            if not keys:
                del self._order[before]
        self._order.setdefault(slot, set()).add(key)

    def _forget(self, now: int) -> None:
        """Let go what is full in the slot of now, some; and if there are too many, one that is closest to it."""
        for _ in range(_FULL_AT_ONCE):
            slot = next(iter(self._order))  # the one that was opened first
            if slot < now:
                self._pop(slot)
        if len(self._full_at) > self._most:
            # not many: if the one opened first has not passed, all others were opened within two bucket's times
            self._pop(min(self._order))

    def _pop(self, slot: int) -> None:
        keys = self._order[slot]
        del self._full_at[keys.pop()]
        if not keys:
            del self._order[slot]


@bounded(16_384)
def address_key(client: str) -> str:
    """Whose bucket an address draws from: IPv4 its own, also where it is written as IPv6; IPv6 that of its /64.

    What is no address (a Unix socket has none) has one bucket.
    """
    data = packed(client)
    if data is None:
        return ""
    return written(data if len(data) == 4 else data[:8] + bytes(8))


class Sites:
    """Tells the site of a request before anybody has decoded it, as the native dialect and the lake will name it.

    Args:
        aliases: other names for native ones (the setting).
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self._names = names(aliases)
        # The first field decides, whatever follows: so the usual tag need not be taken apart.
        usual = self._names.get("site") == "site"
        self._plain = re.compile(rb"[^?]*\?site=([a-z0-9._:-]{1,253})(?:&|$)" if usual else rb"(?!)")

    def of(self, target: bytes, headers: bytes) -> bytes:
        """The site: ``site`` of the query, else the host of its ``url``, else of `Origin`, else of `Referer`.

        Never raises. A name that no site can have is none. What a body names is not looked at.

        Args:
            target: path and query, as sent.
            headers: the header lines.
        """
        found = self._plain.match(target)
        return found[1] if found else (self._named(target.partition(b"?")[2]) or _origin(headers)).encode()

    def _named(self, query: bytes) -> str | None:
        if not query or query.count(b"&") >= MAX_VALUES:
            return None
        fields = parse_query(query, self._names)
        (site, *_), (url, *_) = fields.get("site") or [""], fields.get("url") or [""]
        return site_name(site) or (_host(url) if url else None)


def _origin(headers: bytes) -> str:
    """The host of the page, as the browser tells it."""
    lowered = b"\r\n" + headers.lower()
    for name in (b"\r\norigin:", b"\r\nreferer:"):
        start = lowered.find(name) + len(name)
        if start >= len(name):
            end = lowered.find(b"\r\n", start)
            host = _host(text(headers[start - 2 : end - 2 if end >= 0 else None].strip()))
            if host:
                return host
    return DEFAULT


@bounded(8_192)
def _host(url: str) -> str | None:
    return read_url(url).host
