"""Who is here: of each write and site, when its people were seen and a mark of each, as packed numbers.

A screen that asks how many are here counts distinct marks; 24 bytes an event
at most make that exact at any rate at which rows of text could not be kept.
A mark is a 64-bit hash: two people share one in 10^13 pairs or so.
"""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND

KEPT: Final = 31 * 60 * SECOND
"""So long people are known to be here, in µs: the longest window of `pixelake.warehouse.now`, and a minute."""
NOBODY: Final = 0
"""The mark of a hit that tells no person."""

COLUMNS: Final = ("received_at", "user_id", "visitor_id", "visitor_before")
"""Of events, that are looked at beside the site."""

SCHEMA: Final = """
create table if not exists present (
  site text not null, newest integer not null, times blob not null, marks blob not null, before blob not null
) strict;
create index if not exists present_by_time on present (newest)
"""
INSERT: Final = "insert into present (site, newest, times, marks, before) values (?, ?, ?, ?, ?)"
SELECT: Final = "select times, marks, before from present where newest > ?1 and site = coalesce(?2, site)"


class Present(NamedTuple):
    """A row: the hits of a site's people in one write.

    Attributes:
        newest: the latest of `times`, microseconds UTC.
        times: when each hit was received.
        marks: whose it was.
        before: the mark of the same person's visitor of the day before, where it is told; empty if none is.
    """

    site: str
    newest: int
    times: bytes
    marks: bytes
    before: bytes


def rows(people: pa.Table, since: int) -> Iterator[Present]:
    """The rows of people's events received after `since` (microseconds UTC)."""
    micros: Any = people["received_at"].cast(pa.int64())
    fresh = people.select(["site", *COLUMNS]).filter(pc.greater(micros, pa.scalar(since)))
    if not fresh.num_rows:
        return
    user, visitor = fresh["user_id"], fresh["visitor_id"]
    table = pa.table(
        {
            "site": fresh["site"],
            "time": fresh["received_at"].cast(pa.int64()),
            "mark": _marks(pc.coalesce(user, visitor)),
            # a user is the same on both days
            "before": _marks(pc.if_else(pc.is_null(user), fresh["visitor_before"], pa.scalar(None, pa.string()))),
        }
    ).sort_by("site")
    start = 0
    runs: Any = pc.value_counts(table["site"])
    for run in runs.to_pylist():
        part = table.slice(start, run["counts"])
        start += run["counts"]
        told = pc.any(pc.not_equal(part["before"], pa.scalar(NOBODY, pa.uint64()))).as_py()
        before = _bytes(part["before"]) if told else b""
        newest = pc.max(part["time"]).as_py()
        yield Present(run["values"], newest, _bytes(part["time"]), _bytes(part["mark"]), before)


def without(row: Present, gone: Present) -> Present | None:
    """A row without the hits of another one; None if none is left."""
    leaving = Counter(zip(_read(gone.times, "q"), _read(gone.marks, "Q"), strict=True))
    times, marks = _read(row.times, "q"), _read(row.marks, "Q")
    kept = []
    for at, pair in enumerate(zip(times, marks, strict=True)):
        if leaving[pair]:
            leaving[pair] -= 1
        else:
            kept.append(at)
    if not kept:
        return None
    before = _read(row.before, "Q")
    return Present(
        row.site,
        max(times[at] for at in kept),
        array("q", [times[at] for at in kept]).tobytes(),
        array("Q", [marks[at] for at in kept]).tobytes(),
        array("Q", [before[at] for at in kept]).tobytes() if before else b"",
    )


def _read(packed: bytes, kind: str) -> Sequence[int]:
    return array(kind, packed)


def count(found: Sequence[tuple[bytes, bytes, bytes]], since: int, until: int) -> tuple[int, int]:
    """Distinct people and hits after `since` and up to `until`, of rows ``times, marks, before``.

    Whoever is told to have been another visitor the day before is counted as that one.
    """
    times = _numbers(b"".join(row[0] for row in found), pa.int64())
    marks = _numbers(b"".join(row[1] for row in found), pa.uint64())
    before = _numbers(b"".join(row[2] or bytes(len(row[0])) for row in found), pa.uint64())
    is_fresh = pc.and_(pc.greater(times, pa.scalar(since)), pc.less_equal(times, pa.scalar(until)))
    if pc.any(pc.not_equal(before, pa.scalar(NOBODY, pa.uint64()))).as_py():
        marks = _joined(marks, before)
    here = marks.filter(is_fresh)
    people = pc.count_distinct(here.filter(pc.not_equal(here, pa.scalar(NOBODY, pa.uint64())))).as_py()
    return int(people), len(here)


def _joined(marks: Any, before: Any) -> Any:
    """The marks, in place of each that is told to be of the day after the one of the day before."""
    is_told = pc.not_equal(before, pa.scalar(NOBODY, pa.uint64()))
    pairs = dict(zip(marks.filter(is_told).to_pylist(), before.filter(is_told).to_pylist(), strict=True))
    places = pc.index_in(marks, value_set=pa.array(pairs.keys(), pa.uint64()))
    return pc.coalesce(pa.array(pairs.values(), pa.uint64()).take(places), marks)


def _marks(names: Any) -> Any:
    """A mark for each name; `NOBODY` where there is none."""
    encoded = names.combine_chunks().dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    packed = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return _numbers(packed, pa.uint64()).take(encoded.indices).fill_null(NOBODY)


def _numbers(packed: bytes, kind: pa.DataType) -> Any:
    return pa.Array.from_buffers(kind, len(packed) // 8, [None, pa.py_buffer(packed)])


def _bytes(column: Any) -> bytes:
    """The numbers of a column without nulls, packed."""
    whole: Any = pa.concat_arrays(column.chunks)
    start = whole.offset * 8
    return bytes(whole.buffers()[1][start : start + len(whole) * 8])
