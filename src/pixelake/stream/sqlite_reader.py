"""The reading side of the embedded stream (see `pixelake.stream.sqlite` for its folders)."""

import itertools
import shutil
import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.disk import Flock, sync
from pixelake.errors import StreamError
from pixelake.hit import Codec, Hit
from pixelake.stream import segment
from pixelake.stream.base import Batch, Partition, Position

POLL: Final = 0.02
"""Seconds between looks at an idle stream."""
RESCAN: Final = 1.0
"""Seconds between looks for new partitions."""
HOLD_BACK: Final = 30.0
"""Seconds until a partition is looked at again that could not be read."""
BATCH_BYTES: Final = 16 << 20
"""Most bytes of a batch; one row may have more."""
SWEEP: Final = 10.0
"""Seconds between sweeps for what may be forgotten."""

_LOG = structlog.get_logger()


class _Cursor:
    """Where a reader is in one partition. Holds the reader's lock on it."""

    def __init__(self, folder: Path, lock: Flock, at: Position) -> None:
        self.folder = folder
        self.at = at
        self.finished = False
        """Read to its end, and its owner is gone: nothing can come any more."""
        self._lock = lock
        self._path: Path | None = None
        self._segment: sqlite3.Connection | None = None

    def rows(self) -> Generator[tuple[Position, bytes], None, None]:
        """The rows ``(first, data)`` behind `at`, of this segment or of the next that has any. Close it when done."""
        while self._segment is not None or self._next_segment():
            with closing(self._select()) as found:
                row = found.fetchone()
                if row is not None:
                    yield row
                    yield from found
                    return
            if not self._next_segment():
                return

    def _select(self) -> sqlite3.Cursor:
        assert self._segment is not None  # noqa: S101 - for the type checker; `rows` opens it
        return self._segment.execute(
            "SELECT first, data FROM groups WHERE last > ? AND first >= coalesce("
            "(SELECT first FROM groups WHERE first <= ? ORDER BY first DESC LIMIT 1), 0) ORDER BY first",
            (self.at, self.at + 1),
        )

    def _next_segment(self) -> bool:
        """Go to the segment that holds the next position; False if there is nothing further.

        A segment's name is its first position, so that its predecessor is known
        to be read to its end. If positions are missing (an old segment was
        removed), the next one that is held follows.
        """
        paths = segment.segments(self.folder)
        behind = [path for path in paths if int(path.stem) <= self.at + 1]
        ahead = paths[len(behind) :]
        target = behind[-1] if behind else next(iter(ahead), None)
        if target is not None and target == self._path:
            if not ahead or self._came_late():
                return bool(ahead)
            target = ahead[0]
        if target is None:
            return False
        self.rest()
        connection = segment.connect(target)
        try:
            segment.check(connection, target)
        except BaseException:
            connection.close()
            raise
        self._segment, self._path = connection, target
        return True

    def look_for_the_end(self) -> None:
        """Close what will never be needed again: file handles are few, and drained partitions may be many."""
        owner = Flock(self.folder / "owner.lock")
        try:
            if owner.acquire():
                with closing(self.rows()) as rows:
                    self.finished = next(rows, None) is None
        except (sqlite3.Error, StreamError, OSError):
            return  # whoever reads it will say so
        finally:
            owner.release()
        if self.finished:
            self.rest()

    def _came_late(self) -> bool:
        """Rows may have been added between our last look and the roll to the next segment."""
        with closing(self._select()) as found:
            return found.fetchone() is not None

    def rest(self) -> None:
        """Close the segment; the next look opens the right one."""
        if self._segment is not None:
            self._segment.close()
        self._segment = self._path = None

    def close(self) -> None:
        """Let the partition go."""
        self.rest()
        self._lock.release()


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Hits of a partition that are decoded but not yet returned; the first has position `first`."""

    first: Position
    hits: Sequence[Hit]


class SqliteReader:
    """Drains every partition it can lock. See `pixelake.stream.base.Reader`.

    Readers of one group share the partitions: each is read by whoever holds its
    lock. What is settled and older than `retention` seconds is unlinked here, a
    segment at a time, and the folder too when its owner is gone.
    """

    ordered = True

    def __init__(self, stream: Path, group: str, *, retention: float = 86_400.0, clock: Clock = SYSTEM) -> None:
        self._stream = stream
        self._group = group
        self._retention = retention
        self._clock = clock
        self._codec = Codec()
        stream.mkdir(parents=True, exist_ok=True)
        self._committed = _Committed(stream / "groups.sqlite", group)
        self._start: Mapping[Partition, Position] | None = None
        self._cursors: dict[Partition, _Cursor] = {}
        self._decoded: dict[Partition, _Decoded] = {}
        self._held_back: dict[Partition, float] = {}
        self._has_committed = False
        self._last: Partition = ""
        self._scan_at = self._sweep_at = clock.monotonic()

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next hits of some partition, or None after `wait` seconds."""
        deadline = time.monotonic() + wait
        while True:
            self._scan()
            for name in self._in_turn():
                self._last = name
                batch = self._take(name, limit)
                if batch is not None:
                    return batch
            rest = deadline - time.monotonic()
            if rest <= 0:
                return None
            time.sleep(min(POLL, rest))

    def _in_turn(self) -> list[Partition]:
        """The partitions that may have something, beginning behind the last one that was read."""
        now = self._clock.monotonic()
        names = [
            name
            for name, cursor in self._cursors.items()
            if not cursor.finished and now >= self._held_back.get(name, now)
        ]
        return [name for name in names if name > self._last] + [name for name in names if name <= self._last]

    def _scan(self) -> None:
        """Take what partitions are free."""
        if self._cursors and self._clock.monotonic() < self._scan_at:
            return
        self._scan_at = self._clock.monotonic() + RESCAN
        for folder in segment.partitions(self._stream):
            if folder.name not in self._cursors:
                lock = Flock(folder / f"reader-{self._group}.lock")
                if lock.acquire():
                    self._cursors[folder.name] = _Cursor(folder, lock, self._begin_behind(folder.name))
        self._cursors = dict(sorted(self._cursors.items()))
        for name, cursor in self._cursors.items():
            if not cursor.finished and name not in self._decoded and name not in self._held_back:
                cursor.look_for_the_end()
        if self._has_committed:
            self._sweep()

    def _begin_behind(self, name: Partition) -> Position:
        if self._start is not None:
            return self._start.get(name, 0)
        return self._committed.get(name)

    def _take(self, name: Partition, limit: int) -> Batch | None:
        decoded = self._decoded.pop(name, None) or self._decode(name, limit)
        if decoded is None:
            return None
        hits = decoded.hits[:limit]
        after = decoded.first + len(hits)
        if len(hits) < len(decoded.hits):
            self._decoded[name] = _Decoded(after, decoded.hits[limit:])
        self._cursors[name].at = after - 1
        return Batch(name, hits, range(decoded.first, after))

    def _decode(self, name: Partition, limit: int) -> _Decoded | None:
        """Whole rows until there are `limit` hits. A row behind a gap waits for the next call."""
        cursor = self._cursors[name]
        hits: list[Hit] = []
        begin = size = 0
        try:
            with closing(cursor.rows()) as rows:
                for first, data in rows:
                    size += self._codec.size(data)
                    if hits and (len(hits) >= limit or size > BATCH_BYTES or first != begin + len(hits)):
                        break
                    begin = begin or first
                    hits.extend(self._codec.decode(data))
        except (sqlite3.Error, StreamError) as error:
            cursor.rest()
            self._held_back[name] = self._clock.monotonic() + HOLD_BACK
            message = f"cannot read partition {name}: {error}"
            raise StreamError(message, "the others go on; look at the disk of the data folder") from error
        self._held_back.pop(name, None)
        if not hits:
            return None
        skip = max(0, cursor.at + 1 - begin)  # a rewind may point into the middle of a row
        return _Decoded(begin + skip, hits[skip:])

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Never return hits up to these positions to this group again."""
        self._committed.put(positions)
        self._has_committed = True
        self._sweep()

    def _sweep(self) -> None:
        if self._clock.monotonic() >= self._sweep_at:
            self._sweep_at = self._clock.monotonic() + SWEEP
            for name in list(self._cursors):
                try:
                    self._forget(name)
                except (sqlite3.Error, OSError) as error:
                    _LOG.warning("cannot forget old hits", partition=name, error=str(error))

    def _forget(self, name: Partition) -> None:
        """Unlink what every group has settled and what is old enough; never the newest segment of a living owner."""
        folder = self._stream / name
        if not folder.exists():  # somebody wiped it
            self._decoded.pop(name, None)
            self._cursors.pop(name).close()
            return
        settled = self._committed.lowest(name)
        horizon = self._clock.now() - int(self._retention * SECOND)
        paths = segment.segments(folder)
        for path, following in itertools.pairwise(paths):
            if int(following.stem) > settled + 1 or segment.newest_at(path) > horizon:
                return
            segment.unlink(path)
        newest = paths[-1] if paths else None
        if newest and (segment.last_position(newest) > settled or segment.touched_at(newest) > horizon):
            return
        owner = Flock(folder / "owner.lock")
        if owner.acquire():
            self._decoded.pop(name, None)
            self._cursors.pop(name).close()
            shutil.rmtree(folder)
            sync(self._stream)
            self._committed.forget(name)
            owner.release()

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Go on right behind the given positions; partitions not named begin with the oldest hit that is held."""
        self._start = dict(positions)
        self._decoded.clear()
        for name, cursor in self._cursors.items():
            cursor.at = self._start.get(name, 0)
            cursor.finished = False
            cursor.rest()

    def close(self) -> None:
        """Let the partitions go."""
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()
        self._committed.close()


class _Committed:
    """How far each group has committed. A power cut may set it back; the sinks drop what they have."""

    def __init__(self, path: Path, group: str) -> None:
        self._group = group
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS positions(readers TEXT NOT NULL, partition TEXT NOT NULL,"
            " position INTEGER NOT NULL, PRIMARY KEY(readers, partition)) WITHOUT ROWID"
        )

    def get(self, partition: Partition) -> Position:
        """How far this group is; 0 if it never committed there."""
        return self._one("SELECT position FROM positions WHERE readers = ? AND partition = ?", self._group, partition)

    def lowest(self, partition: Partition) -> Position:
        """How far all groups are that ever committed there."""
        return self._one("SELECT min(position) FROM positions WHERE partition = ?", partition)

    def _one(self, query: str, *parameters: str) -> Position:
        row = self._database.execute(query, parameters).fetchone()
        return int(row[0]) if row and row[0] is not None else 0

    def put(self, positions: Mapping[Partition, Position]) -> None:
        """Store this group's positions."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position",
                [(self._group, partition, position) for partition, position in positions.items()],
            )

    def forget(self, partition: Partition) -> None:
        """The partition is gone, and its name never comes back."""
        self._database.execute("DELETE FROM positions WHERE partition = ?", (partition,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
