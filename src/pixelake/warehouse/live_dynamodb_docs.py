"""Documents of the live store on DynamoDB: what some sites were counted in an interval, and where their events are.

A document holds the sites of one interval that share a shard; it is made by
adding what each write brought, in the order of the writes, and is the same
whoever adds it. Whatever clients send it is bounded: in sites, in values, and
in bytes.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Any, Final, TypeVar

import msgspec

from pixelake.errors import WarehouseError
from pixelake.warehouse import live_lists, live_sites
from pixelake.warehouse.live_lists import REST, IsMeant
from pixelake.warehouse.live_sites import OTHER

T = TypeVar("T")
Hidden = set[tuple[str, str]]
"""What was forgotten: ``site`` or ``value``, and its text."""

SHARDS: Final = 16
"""Documents of an interval at most."""
COUNTED: Final = live_sites.COUNTED // SHARDS
LISTED: Final = 2 * live_sites.LISTED // SHARDS
"""Sites of a document that have counts, and top lists, of their own; all others are counted as `OTHER`."""
LONGEST_SITE: Final = 255
"""Bytes of a name; a site with a longer one has no place of its own."""
REFS: Final = 100
"""Events of a site whose places are known: as many as a screen shows."""
BYTES: Final = 350_000
"""Of a document as it is kept; an item takes 400 KB."""
NO_SITE: Final = ""
"""Under which rejects are counted."""


class Delta(msgspec.Struct, array_like=True):
    """What a write counts of a site in an interval.

    Attributes:
        interval: its start, microseconds UTC.
        site: whose.
        minutes: minute (its start) -> name -> count.
        lists: name -> value -> count, of people.
    """

    interval: int
    site: str
    minutes: dict[int, dict[str, int]] = {}
    lists: dict[str, dict[str, int]] = {}

    def hits(self) -> int:
        """How many events it tells of."""
        return sum(names.get("hits", 0) for names in self.minutes.values())


class SiteCounts(msgspec.Struct, array_like=True):
    """What was counted of a site in an interval: see `Delta`. ``listed``: it has lists of its own."""

    listed: bool
    minutes: dict[int, dict[str, int]] = {}
    lists: dict[str, dict[str, int]] = {}


class Counts(msgspec.Struct):
    """The counts of the sites of an interval and shard, in the order they came."""

    sites: dict[str, SiteCounts] = {}

    def add(self, delta: Delta) -> None:
        """Count it, too."""
        own = self._place(delta.site)
        for minute, names in delta.minutes.items():
            _add(own.minutes.setdefault(minute, {}), names)
        listed = own if own.listed else self._other()
        for name, values in delta.lists.items():
            found = listed.lists.setdefault(name, {})
            _add(found, values)
            if len(found) > 2 * live_lists.MOST:
                trim(found, live_lists.MOST)

    def lower(self, delta: Delta) -> None:
        """Count it no more; of a list what is not named any more is taken off its rest."""
        own = self.sites.get(delta.site) or self._other()
        for minute, names in delta.minutes.items():
            for name, count in names.items():
                _lower(own.minutes.get(minute, {}), name, count)
        listed = own if own.listed else self._other()
        for name, values in delta.lists.items():
            found = listed.lists.get(name, {})
            for value, count in values.items():
                left = _lower(found, value, count)
                if left and value != REST:
                    _lower(found, REST, left)

    def hide(self, is_meant: IsMeant) -> Hidden:
        """Forget sites that are meant by their names, and put values that are to the rest; returns which."""
        gone = meant(self.sites, is_meant)
        for site in gone:
            del self.sites[site]
        values = {value for own in self.sites.values() for found in own.lists.values() for value in found if value}
        hidden = meant(values, is_meant)
        for own in self.sites.values():
            for found in own.lists.values():
                if rest := sum(found.pop(value) for value in hidden & found.keys()):
                    _add(found, {REST: rest})
        return {("site", site) for site in gone} | {("value", value) for value in hidden}

    def shrink(self, most: int) -> None:
        """Keep but so many values of each list; of sites, if lists have none, the first half."""
        for own in self.sites.values():
            for found in own.lists.values():
                if len(found) > most + 1:
                    trim(found, most)
        if most:
            return
        for site in list(self.sites)[max(1, len(self.sites) // 2) :]:
            if site not in (OTHER, NO_SITE):
                own = self.sites.pop(site)
                self._merge_into_other(own)

    def _merge_into_other(self, own: SiteCounts) -> None:
        other = self._other()
        for minute, names in own.minutes.items():
            _add(other.minutes.setdefault(minute, {}), names)
        for name, values in own.lists.items():
            _add(other.lists.setdefault(name, {}), values)

    def _place(self, site: str) -> SiteCounts:
        """The counts of a site; of the others, if it came too late."""
        own = self.sites.get(site)
        if own:
            return own
        count = len(self.sites) - (OTHER in self.sites) - (NO_SITE in self.sites)
        if site != NO_SITE and (count >= COUNTED or len(site.encode()) > LONGEST_SITE):
            return self._other()
        return self.sites.setdefault(site, SiteCounts(count < LISTED, {}, {}))

    def _other(self) -> SiteCounts:
        return self.sites.setdefault(OTHER, SiteCounts(True, {}, {}))


class Places(msgspec.Struct):
    """Where the newest events of the sites of a shard are: cursors, oldest first; the site seen last is last."""

    sites: dict[str, list[int]] = {}

    def add(self, shown: Mapping[str, Sequence[int]], oldest: int) -> None:
        """Note more; what is before the cursor `oldest` is forgotten."""
        for site, cursors in shown.items():
            if len(site.encode()) <= LONGEST_SITE:
                self.sites[site] = [*self.sites.pop(site, ()), *cursors][-REFS:]
        for site, cursors in list(self.sites.items()):
            self.sites[site] = [cursor for cursor in cursors if cursor >= oldest]
            if not self.sites[site]:
                del self.sites[site]
        for site in list(self.sites)[: max(0, len(self.sites) - COUNTED)]:
            del self.sites[site]

    def hide(self, is_meant: IsMeant) -> Hidden:
        """Forget the sites that are meant by their names; returns which."""
        gone = meant(self.sites, is_meant)
        for site in gone:
            del self.sites[site]
        return {("site", site) for site in gone}

    def shrink(self, most: int) -> None:
        """Keep but so many places of each; of sites the later half, if there is no other way."""
        for site in list(self.sites):
            self.sites[site] = self.sites[site][-max(1, most) :]
        if not most:
            for site in list(self.sites)[: len(self.sites) // 2]:
                del self.sites[site]


Body = Counts | Places


def shard_of(site: str) -> int:
    """Which documents a site is in."""
    return int.from_bytes(blake2b(site.encode(), digest_size=2).digest()) % SHARDS


def packed(body: Body) -> bytes:
    """A document as it is kept; it shrinks until it fits."""
    most = live_lists.MOST
    while len(found := pack(_apart(body))) > BYTES:
        body.shrink(most)
        most //= 2
    return found


def counts(data: bytes | None) -> Counts:
    """The document that was kept so; an empty one if none was."""
    return unpack(data, Counts) if data else Counts({})


def places(data: bytes | None) -> Places:
    """As `counts`."""
    found = unpack(data, Places) if data else Places({})
    return Places({site: list(accumulate(steps)) for site, steps in found.sites.items()})


def _apart(body: Body) -> Body:
    """Cursors as steps, which are small."""
    if isinstance(body, Counts):
        return body
    return Places(
        {site: [*cursors[:1], *(b - a for a, b in pairwise(cursors))] for site, cursors in body.sites.items()}
    )


def pack(value: Any) -> bytes:
    """As it is kept."""
    return zlib.compress(msgspec.msgpack.encode(value))


def unpack(data: bytes, kind: type[T]) -> T:
    """What was packed.

    Raises:
        WarehouseError: it was not packed so.
    """
    try:
        return msgspec.msgpack.decode(zlib.decompress(data), type=kind)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise WarehouseError(
            f"the table of the live store holds what cannot be read: {error}",
            "it is of another version or damaged: give the live store a new table",
        ) from None


def meant(texts: Iterable[str], is_meant: IsMeant) -> set[str]:
    """Those of the texts that are meant."""
    known = sorted(texts)
    return {text for text, there in zip(known, is_meant(known), strict=True) if there} if known else set()


def trim(values: dict[str, int], most: int) -> None:
    """Put all but the most frequent values to the rest."""
    named = sorted((pair for pair in values.items() if pair[0] != REST), key=lambda pair: (-pair[1], pair[0]))
    _add(values, {REST: sum(count for _, count in named[most:])})
    for value, _ in named[most:]:
        del values[value]


def _add(counted: dict[str, int], more: Mapping[str, int]) -> None:
    for name, count in more.items():
        counted[name] = counted.get(name, 0) + count


def _lower(counted: dict[str, int], name: str, count: int) -> int:
    """Lower a count; returns how much of it was not there."""
    there = counted.pop(name, 0)
    if there > count:
        counted[name] = there - count
    return max(0, count - there)
