"""The log of the live store on DynamoDB: an entry for each write, in a ring; what has happened is what stands there.

An entry is one item. It is there because nobody else had put one at its number
before: that is the whole commit, for events, counts and positions. The head
says which entry is the newest; if whoever put it did not live to say so, the
next one who puts an entry finds it, and says so.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import msgspec

from pixelake.stream.base import Partition, Position
from pixelake.warehouse.dynamodb import Item, Key, Table, Write, put
from pixelake.warehouse.live_dynamodb_docs import Delta, pack, shard_of, unpack
from pixelake.warehouse.live_present import Present
from pixelake.warehouse.live_sites import OTHER

RING: Final = 8_192
"""Entries that are kept at most. At four a second who is here is known for half an hour."""
SPAN: Final = 1_000
"""Cursors of an entry."""
HEAD: Final = ("live", "head")
EMPTY: Final = pack(None)
_POSITIONS: Final = dict[Partition, Position]
_HERE: Any = list[tuple[str, int, bytes, bytes, bytes]] | None
Document = tuple[int, int]
"""The name of a document: an interval (its start) and a shard; `PLACES` and a shard."""
PLACES: Final = 0


class Shown(msgspec.Struct):
    """Events for screens. ``places``: of each within the entry; ``columns``: name -> values, in the same order."""

    places: list[int] = []
    columns: dict[str, list[Any]] = {}

    def rows(self) -> list[dict[str, Any]]:
        """The events."""
        names = list(self.columns)
        return [dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True)]

    def row(self, at: int) -> dict[str, Any]:
        """One of them."""
        return {name: values[at] for name, values in self.columns.items()}

    def only(self, is_kept: Iterable[bool]) -> "Shown":
        """Those of the events that are kept."""
        kept = [at for at, there in enumerate(is_kept) if there]
        columns = {name: [values[at] for at in kept] for name, values in self.columns.items()}
        return Shown([self.places[at] for at in kept], columns)


class Counted(msgspec.Struct):
    """What an entry does to documents. ``shown``: site -> places of its events; ``leaves``: it is taken off them."""

    deltas: list[Delta] = []
    shown: dict[str, list[int]] = {}
    leaves: bool = False


@dataclass(frozen=True)
class Entry:
    """What one write brought.

    Attributes:
        number: from 1 on.
        written: when, microseconds UTC.
        positions: reached with it, of all partitions.
        last: the cursor of the newest event up to here; 0: there was none.
        total: events that were shown up to here.
        shown_packed: a `Shown`; of ``count`` events at first.
        here_packed: of each site its `Present`.
        counted_packed: a `Counted`; nothing once that is in documents and had to go.
        left: marks of the hits that have left this entry.
        version: grows when it is changed.
    """

    number: int
    written: int
    positions: Mapping[Partition, Position]
    last: int
    total: int
    count: int = 0
    shown_packed: bytes = EMPTY
    here_packed: bytes = EMPTY
    counted_packed: bytes = b""
    left: bytes = b""
    version: int = 0
    expires: int = field(default=0, compare=False)

    @property
    def shown(self) -> Shown:
        """Its events; read each time, as thousands of entries are remembered."""
        return unpack(self.shown_packed, Shown) if self.count else Shown([], {})

    @cached_property
    def here(self) -> list[Present]:
        """Who came with it."""
        return [Present(*each) for each in unpack(self.here_packed, _HERE) or ()]

    @cached_property
    def by_site(self) -> Mapping[str, Sequence[Present]]:
        """Who came with it, by the site."""
        found: dict[str, list[Present]] = {}
        for row in self.here:
            found.setdefault(row.site, []).append(row)
        return found

    @cached_property
    def together(self) -> Present:
        """Who came with it, of all sites as one, since many take long to count; ``newest``: of the oldest."""
        told = any(row.before for row in self.here)
        return Present(
            OTHER,
            min((row.newest for row in self.here), default=0),
            b"".join(row.times for row in self.here),
            b"".join(row.marks for row in self.here),
            b"".join(row.before or bytes(len(row.times)) for row in self.here) if told else b"",
        )

    @cached_property
    def counted(self) -> Counted | None:
        """What it does to documents; None: that was removed, as it is in them."""
        return unpack(self.counted_packed, Counted) if self.counted_packed else None

    @cached_property
    def touched(self) -> Mapping[Document, Sequence[Delta]]:
        """The documents it does something to, and for those of intervals what."""
        found: dict[Document, list[Delta]] = {}
        for delta in self.counted.deltas if self.counted else ():
            found.setdefault((delta.interval, shard_of(delta.site)), []).append(delta)
        for site in self.counted.shown if self.counted else ():
            found.setdefault((PLACES, shard_of(site)), [])
        return found

    def slim(self) -> "Entry":
        """The same without what documents have."""
        return replace(self, counted_packed=b"")

    def size(self) -> int:
        """Bytes, more or less."""
        return len(self.shown_packed) + len(self.here_packed) + len(self.counted_packed) + len(self.left) + 1_000

    def item(self) -> Item:
        """As it is kept."""
        return {
            **dict(zip(("pk", "sk"), key_of(self.number), strict=True)),
            "n": self.number,
            "written": self.written,
            "positions": pack(dict(self.positions)),
            "last": self.last,
            "total": self.total,
            "count": self.count,
            "shown": self.shown_packed,
            "here": self.here_packed,
            "counted": self.counted_packed,
            "left": self.left,
            "v": self.version,
            "ttl": self.expires,
        }


@dataclass(frozen=True, slots=True)
class Head:
    """How far the log is.

    Attributes:
        number: of the newest entry.
        merged: entries up to this one are in documents.
        edition: grows when entries or documents were changed: what one remembers of them is void.
        written: when the newest entry was, microseconds UTC.
        positions: that are reached.
        last: the cursor of the newest event.
        total: events that were shown.
    """

    number: int = 0
    merged: int = 0
    edition: int = 0
    written: int = 0
    positions: Mapping[Partition, Position] = field(default_factory=dict)
    last: int = 0
    total: int = 0

    def behind(self, entry: Entry) -> "Head":
        """The head when that entry is the newest."""
        return replace(
            self,
            number=entry.number,
            written=entry.written,
            positions={**self.positions, **entry.positions},
            last=entry.last,
            total=entry.total,
        )

    @property
    def oldest(self) -> int:
        """The number of the oldest entry that may be there."""
        return max(1, self.number - RING + 1)


class Log:
    """The log in a table. It may be used by several threads."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def head(self) -> Head:
        """How far it is, as far as was said. Raises what the table raises, as every method."""
        return _head(self.table.get(HEAD))

    def append(self, head: Head, entry: Entry, more: Sequence[Write] = ()) -> Head | None:
        """Put an entry behind a head, and with it whatever is to be written together with it.

        Returns:
            The new head; None: there is one already, or `more` is not satisfied: look at `newer`, and begin anew.
        """
        condition, values = "attribute_not_exists(#pk) OR #n < :number", {"number": entry.number}
        together = [put(entry.item(), condition, **values), *more]
        is_put = self.table.transact(together) if more else self.table.put(entry.item(), condition, **values)
        return self.advance(head.behind(entry)) if is_put else None

    def newer(self, head: Head) -> Head:
        """The head with the entry behind it that somebody put and did not tell of, if there is one."""
        found = self.table.get(key_of(head.number + 1))
        if not found or found["n"] <= head.number:
            return self.head()
        return self.advance(head.behind(_entry(found)))

    def reached(self) -> Head:
        """How far it is, also with what nobody told of."""
        head = self.head()
        while (newer := self.newer(head)).number > head.number:
            head = newer
        return newer

    def advance(self, head: Head) -> Head:
        """Say that the log is so far, unless it is further; returns the head."""
        values = {
            "n": head.number,
            "written": head.written,
            "positions": pack(dict(head.positions)),
            "last": head.last,
            "total": head.total,
        }
        names = ", ".join(f"#{name} = :{name}" for name in values)
        now = self.table.update(HEAD, f"SET {names}", "attribute_not_exists(#n) OR #n < :n", **values)
        return _head(now) if now else self.head()

    def merged(self, number: int) -> None:
        """Say that entries up to this one are in documents."""
        condition = "attribute_not_exists(#merged) OR #merged < :number"
        self.table.update(HEAD, "SET #merged = :number", condition, number=number)

    def void(self) -> None:
        """Say that what anybody remembers of entries and documents is void."""
        self.table.update(HEAD, "ADD #edition :one", one=1)

    def read(self, numbers: Iterable[int]) -> dict[int, Entry]:
        """Those of these entries that are there, by their numbers."""
        wanted = set(numbers)
        found = map(_entry, self.table.get_many(map(key_of, sorted(wanted))).values())
        return {entry.number: entry for entry in found if entry.number in wanted}

    def edit(self, number: int, change: Callable[[Entry], Entry]) -> None:
        """Change an entry, if it is there, whoever else does so; no change if `change` returns what it was given."""
        while found := self.table.get(key_of(number)):
            entry = _entry(found)
            changed = change(entry)
            if entry.number != number or changed is entry:
                return
            item = replace(changed, version=entry.version + 1).item()
            if self.table.put(item, "#n = :number AND #v = :version", number=number, version=entry.version):
                return


def key_of(number: int) -> Key:
    """Where an entry is: each at a key of its own, so that none is hot."""
    return f"live#entry#{number % RING}", "entry"


def _head(item: Item | None) -> Head:
    if not item:
        return Head()
    return Head(
        item.get("n", 0),
        item.get("merged", 0),
        item.get("edition", 0),
        item.get("written", 0),
        unpack(item["positions"], _POSITIONS) if "positions" in item else {},
        item.get("last", 0),
        item.get("total", 0),
    )


def _entry(item: Item) -> Entry:
    return Entry(
        item["n"],
        item["written"],
        unpack(item["positions"], _POSITIONS),
        item["last"],
        item["total"],
        item["count"],
        item["shown"],
        item["here"],
        item["counted"],
        item["left"],
        item["v"],
        item["ttl"],
    )
