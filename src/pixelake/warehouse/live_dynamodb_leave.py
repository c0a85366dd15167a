"""Events leave the live store on DynamoDB: out of the entries that brought them, and off what is counted, once.

The entries are changed first, where a repetition changes nothing more. What is
taken off the counts is an entry of the log itself, put together with the names
of those that have left: so it is counted once, also after a crash.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

import msgspec
import pyarrow as pa

from pixelake.clock import SECOND
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import live_dynamodb_docs as docs
from pixelake.warehouse import live_present
from pixelake.warehouse.dynamodb import Key, put
from pixelake.warehouse.live_dynamodb_entries import deltas, here
from pixelake.warehouse.live_dynamodb_log import PLACES, Counted, Entry, Head, Log, Shown
from pixelake.warehouse.live_dynamodb_merge import Term, documents, edit, index, read
from pixelake.warehouse.live_lists import IsMeant
from pixelake.warehouse.live_present import Present
from pixelake.warehouse.live_sites import OTHER

STEP: Final = 90
"""Events that leave together: a transaction has a hundred writes."""
BLOCK: Final = 100
"""Entries that are looked at together."""
MARK: Final = 8
"""Bytes that stand for a hit in an entry."""


def leave(log: Log, events: pa.Table, term: Term) -> int:
    """See `pixelake.warehouse.live_base.Store`."""
    found, reached = 0, _Reached(log)
    for start in range(0, events.num_rows, STEP):
        part = events.slice(start, STEP)
        while (gone := _leave(log, part, reached, term)) is None:
            pass
        found += gone
    return found


def _leave(log: Log, events: pa.Table, reached: "_Reached", term: Term) -> int | None:
    """How many have left; None: somebody else was first at something, so that it is to be done again."""
    head = log.reached()  # an entry of ours may be there that we did not live to tell of
    fresh = _counted(log, events, head, term.oldest)
    if not fresh.num_rows:
        return 0
    for number, rows in reached.entries(fresh, head):
        log.edit(number, lambda entry, rows=rows: _without(entry, rows))  # type: ignore[misc]
    log.void()
    expires = (term.now + term.retention) // SECOND + 1
    entry = Entry(
        number=head.number + 1,
        written=term.now,
        positions=head.positions,
        last=head.last,
        total=head.total,
        counted_packed=docs.pack(Counted(list(deltas(fresh, None, term.oldest)), {}, True)),
        expires=expires,
    )
    names = _ids(fresh)
    noted = [
        put(dict(zip(("pk", "sk"), _gone(name), strict=True)) | {"ttl": expires}, "attribute_not_exists(#pk)")
        for name in names
    ]
    if log.append(head, entry, noted):
        return len(names)
    log.newer(head)
    return None


def _counted(log: Log, events: pa.Table, head: Head, oldest: int) -> pa.Table:
    """Those that were counted, are not too old, and have not left yet; each once."""
    ids = _ids(events)
    there = log.table.get_many(map(_gone, ids))
    places: list[Any] = [events[name].to_pylist() for name in ("partition", "position")]
    times: Any = events["received_at"].cast(pa.int64())
    kept, known = [], set()
    for time, hit_id, partition, position in zip(times.to_pylist(), ids, *places, strict=True):
        is_counted = time >= oldest and position <= head.positions.get(partition, 0)
        kept.append(is_counted and _gone(hit_id) not in there and hit_id not in known)
        known.add(hit_id)
    return events.filter(pa.array(kept, pa.bool_()))


def _ids(events: pa.Table) -> list[str]:
    names: Any = events["hit_id"].to_pylist()
    return list(names)


def _gone(hit_id: str) -> Key:
    return f"live#gone#{blake2b(hit_id.encode(), digest_size=16).hexdigest()}", "gone"


class _Reached:
    """Which entry brought a hit: found by the positions that entries have reached, which only grow."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[int, Mapping[Partition, Position]] = {}

    def entries(self, events: pa.Table, head: Head) -> Iterator[tuple[int, pa.Table]]:
        """The entries that may have brought these events, each with those."""
        numbers = range(head.oldest, head.number + 1)
        places: list[Any] = [events[name].to_pylist() for name in ("partition", "position")]
        found: dict[int, list[int]] = {}
        for row, (partition, position) in enumerate(zip(*places, strict=True)):
            at = bisect_left(numbers, position, key=lambda number: self._at(number).get(partition, 0))
            if at < len(numbers):
                found.setdefault(numbers[at], []).append(row)
        for number, rows in found.items():
            yield number, events.take(pa.array(rows, pa.int64()))

    def _at(self, number: int) -> Mapping[Partition, Position]:
        if number not in self._known:
            entry = self._log.read([number]).get(number)
            self._known[number] = entry.positions if entry else {}  # it was forgotten: the older ones were, too
        return self._known[number]


def _without(entry: Entry, events: pa.Table) -> Entry:
    """The entry without these events."""
    left = {entry.left[at : at + MARK] for at in range(0, len(entry.left), MARK)}
    marks = [_mark(hit_id) for hit_id in _ids(events)]
    fresh = events.filter(pa.array([mark not in left for mark in marks], pa.bool_()))
    if not fresh.num_rows:
        return entry
    ids = set(_ids(fresh))
    present = entry.here
    for gone in here(fresh, 0):
        present = list(_take_off(present, gone))
    return _changed(
        replace(entry, left=entry.left + b"".join(mark for mark in marks if mark not in left)),
        entry.shown.only(hit_id not in ids for hit_id in entry.shown.columns.get("hit_id", ())),
        present,
    )


def _take_off(present: Iterable[Present], gone: Present) -> Iterator[Present]:
    for row in present:
        kept = live_present.without(row, gone) if row.site in (gone.site, OTHER) else row
        if kept:
            yield kept


def _changed(entry: Entry, shown: Shown, present: Sequence[Present]) -> Entry:
    return replace(entry, shown_packed=docs.pack(shown), here_packed=docs.pack([tuple(row) for row in present]))


def _mark(hit_id: str) -> bytes:
    return blake2b(hit_id.encode(), digest_size=MARK).digest()


def hide(log: Log, is_meant: IsMeant, term: Term) -> int:
    """See `pixelake.warehouse.live_base.Store`. All entries are to be in documents before."""
    found, hidden = 0, docs.Hidden()
    for entry in _entries(log):
        events, sites = _hidden(entry, is_meant)
        if events or sites:
            log.edit(entry.number, lambda each: _hide(each, is_meant))
            found += events
            hidden |= {("site", site) for site in sites}
    shards = [(PLACES, shard) for shard in range(docs.SHARDS)]
    for document in read(log, [*documents(index(log)), *shards]).values():
        hidden |= edit(log, document, lambda each: each.body.hide(is_meant), term)
    log.void()
    return found + len(hidden)


def _hidden(entry: Entry, is_meant: IsMeant) -> tuple[int, set[str]]:
    """Events of an entry that are meant, and sites."""
    rows = entry.shown.rows()
    events = sum(is_meant([_text(row) for row in rows])) if rows else 0
    return events, docs.meant({row.site for row in entry.here}, is_meant)


def _hide(entry: Entry, is_meant: IsMeant) -> Entry:
    rows = entry.shown.rows()
    are_meant = is_meant([_text(row) for row in rows]) if rows else []
    sites = docs.meant({row.site for row in entry.here}, is_meant)
    shown = entry.shown.only(not there for there in are_meant)
    return _changed(entry, shown, [row for row in entry.here if row.site not in sites])


def _text(row: Mapping[str, Any]) -> str:
    return msgspec.json.encode(row).decode()


def scrub(log: Log) -> None:
    """Remove from entries what they counted and is in documents. All of them are to be there before."""
    head = log.head()
    for entry in _entries(log):
        if entry.counted_packed and entry.number <= head.merged:
            log.edit(entry.number, lambda each: each.slim() if each.counted_packed else each)
    log.void()


def _entries(log: Log) -> Iterator[Entry]:
    """All entries there are, newest first."""
    head = log.head()
    for last in range(head.number, head.oldest - 1, -BLOCK):
        numbers = range(max(head.oldest, last - BLOCK + 1), last + 1)
        found = log.read(numbers)
        yield from (found[number] for number in sorted(found, reverse=True))
