"""A log of names under keys, on SQLite: to add one costs what it adds, and not a page of a tree.

::

    log      id, at, names, times: up to 64 names in order; when they were added (µs UTC), if not all `at` once
    fresh    id, keys: of each addition, the keys of the names that it put into the log from `id` on
    runs     first, last, file, length: files beside this one with the sorted keys of the log from first to last

A key is a number of 64 bits that leads to the last name that was added under it.
Every process holds the fresh keys in memory; when they are many they are sorted
into a file (`pixelake.warehouse.seen_runs`), and small files into larger ones.
"""

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa

from pixelake.errors import WarehouseError
from pixelake.warehouse import seen_runs, sqlite_file
from pixelake.warehouse.seen_runs import Run

FRESH: Final = 1 << 16
"""Keys that are held in memory before they are put into a file: 10 MB."""
LONGEST: Final = 1 << 21
"""Keys of a file that is merged with no other any more: merging takes 40 bytes of memory a key."""
_BITS: Final = 6
_CHUNK: Final = 1 << _BITS
"""Names of a row: one is found without reading many others, and a row costs little of each."""

SCHEMA: Final = """
create table if not exists log (
  id integer primary key autoincrement, at integer not null, names blob not null, times blob
) strict;
create table if not exists fresh (id integer primary key, keys blob not null) strict;
create table if not exists runs (
  first integer primary key, last integer not null, file text not null, length integer not null
) strict
"""


class Entry(NamedTuple):
    """A name of the log, and when it was added (µs UTC)."""

    name: str
    at: int


class _File(NamedTuple):
    first: int
    last: int
    file: str
    length: int


class Log:
    """The log in an SQLite file with `SCHEMA`. Every method but `reset` and `tidy` is called within a transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path
        self._obsolete: list[str] = []
        self.reset()

    def reset(self) -> None:
        """Forget what is held in memory: the transaction did not come to its end."""
        self._fresh: dict[int, int] = {}
        self._last = 0
        self._files: list[_File] = []
        self._runs: list[Run] = []
        self._obsolete.clear()

    def refresh(self) -> None:
        """See what other processes added. Called first."""
        files = [_File(*row) for row in self._connection.execute("select * from runs order by first")]
        if files != self._files:
            known = dict(zip(self._files, self._runs, strict=True))
            self._runs = [known.get(file) or self._read(file) for file in files]
            self._files, self._fresh, self._last = files, {}, 0
        query = "select id, keys from fresh where id > ? order by id"
        for start, keys in self._connection.execute(query, (self._last,)):
            self._hold(start, memoryview(keys).cast("Q").tolist())

    def _read(self, file: _File) -> Run:
        try:
            return seen_runs.read(self._at(file.file), file.length)
        except (OSError, pa.ArrowInvalid) as error:
            raise WarehouseError(str(error), sqlite_file.again(self._path)) from error

    def find(self, keys: Sequence[int]) -> dict[int, int]:
        """The reference of the last name under each key that is known."""
        found = seen_runs.find(self._runs, keys) if self._runs else {}
        fresh = self._fresh
        found.update({key: fresh[key] for key in fresh.keys() & keys} if fresh else {})
        return found

    def entries(self, refs: Iterable[int]) -> Mapping[int, Entry]:
        """The names behind references; without those that were forgotten."""
        chunks: dict[int, Sequence[Entry]] = {}
        found = {}
        for ref in refs:
            row, place = ref >> _BITS, ref & _CHUNK - 1
            if row not in chunks:
                chunks[row] = self._chunk(row)
            if place < len(chunks[row]):
                found[ref] = chunks[row][place]
        return found

    def append(self, keys: Sequence[int], names: Sequence[str], times: int | Sequence[int]) -> None:
        """Add the names in this order, each under its key, all at one time or each at its own (µs UTC)."""
        if not keys:
            return
        start = self._next()
        insert = "insert into log (id, at, names, times) values (?, ?, ?, ?)"
        self._connection.executemany(insert, _rows(start, names, times))
        self._connection.execute("insert into fresh values (?, ?)", (start, array("Q", keys).tobytes()))
        self._hold(start, keys)
        if len(self._fresh) >= FRESH:
            self._compact()

    def forget(self, before: int, most: int) -> None:
        """Forget what was added before that time (µs UTC), at most so many names."""
        # The lowest ids are the oldest: so no index by time is needed.
        self._connection.execute(
            "delete from log where at < ? and id in (select id from log order by id limit ?)",
            (before, -(-most // _CHUNK)),
        )

    def tidy(self) -> None:
        """Remove the files that nothing refers to any more. Called when the transaction has ended well."""
        while self._obsolete:
            self._at(self._obsolete.pop()).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove files that a crash has left. No other process has one in the making: it would hold the transaction."""
        known = {file for (file,) in self._connection.execute("select file from runs")}
        for path in self._path.parent.glob(f"{escape(self._path.name)}.*.run*"):
            if path.name not in known:
                path.unlink(missing_ok=True)

    def _hold(self, start: int, keys: Sequence[int]) -> None:
        self._fresh.update(zip(keys, range(start << _BITS, (start << _BITS) + len(keys)), strict=True))
        self._last = start

    def _next(self) -> int:
        """The id of the next row: higher than any there was, so that no reference leads to another's name."""
        row = self._connection.execute("select seq from sqlite_sequence where name = 'log'").fetchone()
        return row[0] + 1 if row else 1

    def _chunk(self, row: int) -> Sequence[Entry]:
        found = self._connection.execute("select at, names, times from log where id = ?", (row,)).fetchone()
        if not found:
            return ()
        at, packed, times = found
        names = msgspec.msgpack.decode(packed, type=list[str])
        return list(map(Entry, names, memoryview(times).cast("q") if times else [at] * len(names)))

    def _compact(self) -> None:
        """Put the fresh keys into a file, together with those of files that are no longer than that."""
        oldest = self._connection.execute("select coalesce(min(id), 0) from log").fetchone()[0]
        dead = [file for file in self._files if file.last < oldest]
        for _ in dead:  # the first ones
            self._files.pop(0)
            self._runs.pop(0)
        first, last = self._files[-1].last + 1 if self._files else oldest, self._next() - 1
        parts, replaced = [seen_runs.of(self._fresh)], dead
        while self._files and self._files[-1].length <= sum(map(len, parts)) <= LONGEST // 2:
            parts.insert(0, self._runs.pop())
            replaced.append(self._files.pop())
            first = replaced[-1].first
        self._replace(replaced, first, last, seen_runs.merged(parts, oldest << _BITS))

    def _replace(self, old: Sequence[_File], first: int, last: int, run: Run) -> None:
        file = _File(first, last, f"{self._path.name}.{first}-{last}.run", len(run))
        seen_runs.write(self._at(file.file), run)
        self._connection.executemany("delete from runs where first = ?", [(each.first,) for each in old])
        self._connection.execute("insert into runs values (?, ?, ?, ?)", file)
        self._connection.execute("delete from fresh where id <= ?", (last,))
        self._files.append(file)
        self._runs.append(seen_runs.read(self._at(file.file), file.length))
        self._fresh = {}
        self._obsolete.extend(each.file for each in old)

    def _at(self, file: str) -> Path:
        return self._path.with_name(file)


def _rows(
    start: int, names: Sequence[str], times: int | Sequence[int]
) -> Iterator[tuple[int, int, bytes, bytes | None]]:
    for row, place in enumerate(range(0, len(names), _CHUNK), start):
        packed = msgspec.msgpack.encode(names[place : place + _CHUNK])
        if isinstance(times, int):
            yield row, times, packed, None
        else:
            some = times[place : place + _CHUNK]
            yield row, max(some), packed, array("q", some).tobytes()
