"""Brings entries of the log into documents: now and then, by whoever writes; each document knows up to which entry.

A document is swapped for its next version or not at all, so that two who merge
do the same once; and a crash leaves some documents further than others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from pixelake.clock import SECOND
from pixelake.warehouse import live_dynamodb_docs as docs
from pixelake.warehouse.dynamodb import Item, Key
from pixelake.warehouse.live_dynamodb_docs import SHARDS, Counts, Places, shard_of
from pixelake.warehouse.live_dynamodb_log import PLACES, RING, SPAN, Document, Entry, Head, Log
from pixelake.warehouse.live_sites import INTERVAL

INDEX: Final = ("live", "index")
_INDEX: Final = dict[int, int]


class Term(NamedTuple):
    """It is `now`, and things are kept for `retention`; in microseconds."""

    now: int
    retention: int

    @property
    def oldest(self) -> int:
        """What came before is not shown any more; microseconds UTC."""
        return self.now - self.retention


class Moved(Exception):
    """What an entry counted was removed: it is in documents that are newer than the head. Look again."""


@dataclass(slots=True)
class Kept:
    """A document, with all that entries up to `upto` did to it; version 0: there is none yet."""

    name: Document
    upto: int
    version: int
    body: Counts | Places

    def take(self, entries: Iterable[Entry]) -> None:
        """Add entries behind `upto`, in their order.

        Raises:
            Moved: see there.
        """
        for entry in entries:
            if entry.number > self.upto:
                if entry.counted is None:
                    raise Moved
                self._take(entry)
                self.upto = entry.number

    def _take(self, entry: Entry) -> None:
        if self.name not in entry.touched or entry.counted is None:
            return
        if isinstance(self.body, Counts):
            change = self.body.lower if entry.counted.leaves else self.body.add
            for delta in entry.touched[self.name]:
                change(delta)
        else:
            start = entry.number * SPAN
            mine = {site: at for site, at in entry.counted.shown.items() if shard_of(site) == self.name[1]}
            shown = {site: [start + place for place in places] for site, places in mine.items()}
            self.body.add(shown, start - RING * SPAN)


def key_of(name: Document) -> Key:
    """Where a document is: those of an interval together, of each interval at a key of its own."""
    interval, shard = name
    return f"live#{interval}" if interval != PLACES else "live#places", f"{shard:02}"


def kept(name: Document, item: Item | None) -> Kept:
    """The document as an item has it."""
    read = docs.places if name[0] == PLACES else docs.counts
    item = item or {"upto": 0, "v": 0, "body": None}
    return Kept(name, item["upto"], item["v"], read(item["body"]))


def read(log: Log, names: Iterable[Document]) -> dict[Document, Kept]:
    """These documents; empty ones where there is none."""
    keys = {name: key_of(name) for name in names}
    found = log.table.get_many(keys.values())
    return {name: kept(name, found.get(key)) for name, key in keys.items()}


def edit(log: Log, document: Kept, change: Callable[[Kept], Any], term: Term) -> Any:
    """Change a document, whoever else does so; returns what `change` did, which may be called again.

    Args:
        log: whose table it is in.
        document: as it was read.
        change: does it; returns something false if there is nothing to do.
        term: for how long it is kept behind its interval, or now.
    """
    while True:
        done = change(document)
        if not done:
            return done
        condition = "#v = :v" if document.version else "attribute_not_exists(#pk)"
        values = {"v": document.version} if document.version else {}
        if log.table.put(_item(document, term), condition, **values):
            document.version += 1
            return done
        document = kept(document.name, log.table.get(key_of(document.name)))


def _item(document: Kept, term: Term) -> Item:
    pk, sk = key_of(document.name)
    last = (term.now if document.name[0] == PLACES else document.name[0]) + 2 * INTERVAL
    return {
        "pk": pk,
        "sk": sk,
        "upto": document.upto,
        "v": document.version + 1,
        "body": docs.packed(document.body),
        "ttl": (last + term.retention) // SECOND,
    }


def merge(log: Log, head: Head, term: Term) -> None:
    """Bring all entries up to a head into documents.

    Args:
        log: where they are.
        head: of the log.
        term: for how long documents are kept; intervals before are struck off the index.

    Raises:
        Moved: somebody else has done so since the head was read.
    """
    entries = tail(log.read(range(head.merged + 1, head.number + 1)))
    names = {name for entry in entries for name in entry.touched}

    def take(document: Kept) -> bool:
        before = document.upto
        document.take(entries)
        return document.upto > before

    for document in read(log, sorted(names)).values():
        edit(log, document, take, term)
    _note(log, names, term.oldest)
    log.merged(head.number)


def tail(entries: Mapping[int, Entry]) -> Sequence[Entry]:
    """Entries in their order."""
    return [entries[number] for number in sorted(entries)]


def index(log: Log) -> dict[int, int]:
    """Which documents there are: interval -> its shards, as bits."""
    found, _ = _index(log)
    return found


def _index(log: Log) -> tuple[dict[int, int], int]:
    item = log.table.get(INDEX)
    return (docs.unpack(item["body"], _INDEX), item["v"]) if item else ({}, 0)


def _note(log: Log, names: Iterable[Document], oldest: int) -> None:
    """Put documents into the index, before anybody is told that they need not look at the entries."""
    while True:
        found, version = _index(log)
        noted = {start: bits for start, bits in found.items() if start >= oldest - 2 * INTERVAL}
        for start, shard in names:
            if start != PLACES:
                noted[start] = noted.get(start, 0) | 1 << shard
        condition = "#v = :v" if version else "attribute_not_exists(#pk)"
        item = dict(zip(("pk", "sk"), INDEX, strict=True)) | {"v": version + 1, "body": docs.pack(noted)}
        if noted == found or log.table.put(item, condition, **({"v": version} if version else {})):
            return


def documents(found: Mapping[int, int]) -> Sequence[Document]:
    """The documents that an index names."""
    return [(start, shard) for start, bits in found.items() for shard in range(SHARDS) if bits >> shard & 1]
