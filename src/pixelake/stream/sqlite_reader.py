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

from pixelake import machine
from pixelake.clock import SECOND, SYSTEM, Careful, Clock
from pixelake.disk import Flock, sync
from pixelake.errors import StreamError
from pixelake.hit import Codec, Hit
from pixelake.stream import hold, mend, segment
from pixelake.stream.base import GROUP, Batch, Partition, Position
from pixelake.stream.groups import Committed
from pixelake.stream.segment import Damaged, Row

POLL: Final = 0.02
"""Seconds between looks at an idle stream."""
RESCAN: Final = 1.0
"""Seconds between looks for new partitions."""
HOLD_BACK: Final = 30.0
"""Seconds until a partition is looked at again that could not be read."""
BATCH_BYTES: Final = machine.share(128, most=16 << 20, least=1 << 20)
"""Most bytes of a batch; one row may have more."""
SWEEP: Final = 10.0
"""Seconds between sweeps for what may be forgotten."""

_LOG = structlog.get_logger()


class _Cursor:
    """Where a reader is in one partition. Holds the reader's lock on it.

    Attributes:
        at: the last position that was read.
        path: the segment that is read, or was tried last.
        finished: read to its end, and its owner is gone: nothing can come any more.
    """

    def __init__(self, folder: Path, lock: Flock, at: Position) -> None:
        self.folder = folder
        self.at = at
        self.finished = False
        self.path: Path | None = None
        self._lock = lock
        self._inode = 0
        self._segment: sqlite3.Connection | None = None

    def rows(self) -> Generator[Row, None, None]:
        """The rows behind `at`, of this segment or of the next that has any. Close it when done.

        Raises:
            Damaged: what was written is not what is there.
        """
        while self._segment is not None or self._next_segment():
            with closing(self._rest_of_segment()) as found:
                row = next(found, None)
                if row is not None:
                    yield row
                    yield from found
                    return
            if not self._next_segment():
                return

    def _rest_of_segment(self) -> Generator[Row, None, None]:
        assert self._segment is not None  # noqa: S101 - for the type checker; `rows` opens it
        assert self.path is not None  # noqa: S101
        return segment.read(self._segment, int(self.path.stem), self.at)

    def _next_segment(self) -> bool:
        """Go to the segment that holds the next position; False if there is nothing further.

        A segment's name is its first position, so that its predecessor is known
        to be read to its end. If an old segment was removed, the next one that
        is held follows.
        """
        if self._is_being_mended():
            return False
        paths = segment.segments(self.folder)
        behind = [path for path in paths if int(path.stem) <= self.at + 1]
        near = behind or paths[:1]
        if self._segment is not None and self.path in paths[len(near) :]:  # behind a gap, and nothing came there yet
            near = paths[: paths.index(self.path) + 1]
        ahead = paths[len(near) :]
        target = near[-1] if near else None
        if target is not None and target == self.path and self._segment is not None:
            if not ahead or self._came_late():
                return bool(ahead)
            target = ahead[0]
        if target is None:
            return False
        if int(target.stem) > self.at + 1 and not self._may_skip(paths, behind):
            return False
        self.rest()
        self.path = target
        self._inode = target.stat().st_ino
        connection = segment.connect(target)
        try:
            segment.check(connection, target)
        except BaseException:
            connection.close()
            raise
        self._segment = connection
        return True

    def _may_skip(self, paths: Sequence[Path], behind: Sequence[Path]) -> bool:
        """Whether the next positions are gone for good, so that reading may go on behind them.

        Raises:
            Damaged: the segment that is read should have them.
        """
        if self._is_being_mended() or segment.segments(self.folder) != paths:
            return False  # it began or ended while we looked
        if behind and not mend.is_known(self.folder, self.at + 1):
            raise Damaged(f"position {self.at + 1} is missing")
        return True

    def _is_being_mended(self) -> bool:
        """Whether a segment is out of its place just now. If that is because somebody crashed, we go on with it."""
        mend.resume(self.folder)
        return bool(mend.under_way(self.folder))

    def was_moved(self) -> bool:
        """Whether what we read is not what lies there now."""
        if self.path is None or not self.folder.exists():
            return False
        return not self.path.exists() or self.path.stat().st_ino != self._inode

    def look_for_the_end(self) -> None:
        """Close what will never be needed again: file handles are few, and drained partitions may be many."""
        owner = Flock(self.folder / "owner.lock")
        try:
            if owner.acquire():
                paths = segment.segments(self.folder)
                with closing(self.rows()) as rows:
                    at_end = next(rows, None) is None
                self.finished = at_end and not mend.under_way(self.folder) and segment.segments(self.folder) == paths
        except segment.FAILURES:
            return  # `read` will say so
        finally:
            owner.release()
        if self.finished:
            self.rest()

    def _came_late(self) -> bool:
        """Rows may have been added between our last look and the roll to the next segment."""
        with closing(self._rest_of_segment()) as found:
            return next(found, None) is not None

    def rest(self) -> None:
        """Close the segment; the next look opens the right one."""
        if self._segment is not None:
            self._segment.close()
            self._segment = None

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
    segment at a time, and the folder too when its owner is gone; and before it
    is so old, the oldest first, while the stream takes more than `bound` bytes
    (0: no bound).

    A damaged segment is set aside (`mend`), and what was lost with it passed
    over. A partition that cannot be read for another reason is left alone for a
    while; the others go on.
    """

    ordered = True

    def __init__(
        self, stream: Path, group: str, *, retention: float = 86_400.0, bound: int = 0, clock: Clock = SYSTEM
    ) -> None:
        self._stream = stream
        self._group = group
        self._retention = retention
        self._bound = bound
        self._clock = clock
        self._codec = Codec()
        stream.mkdir(parents=True, exist_ok=True)
        self._committed = Committed(stream, group)
        self._start: Mapping[Partition, Position] | None = None
        self._cursors: dict[Partition, _Cursor] = {}
        self._decoded: dict[Partition, _Decoded] = {}
        self._held_back: dict[Partition, float] = {}
        self._has_committed = False
        self._last: Partition = ""
        self._scan_at = self._sweep_at = clock.monotonic()
        self._careful = Careful(clock, segment.written_at(stream))  # a clock that is wrong must not empty the stream

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
            if cursor.was_moved():
                cursor.rest()  # the segment was written anew without what was erased
            if not cursor.finished and name not in self._decoded and name not in self._held_back:
                cursor.look_for_the_end()
        if self._has_committed:
            self._sweep()

    def _begin_behind(self, name: Partition) -> Position:
        if self._start is None:
            return self._committed.get(name)
        return self._agreed(name, self._start.get(name, 0))

    def _agreed(self, name: Partition, at: Position) -> Position:
        """Where the sinks say they are: also what was committed, which may be of another time than they are.

        One of the two may have been put back from a copy. What is committed beyond the sinks would be forgotten before
        they have it; what is not committed that they have, never.
        """
        if self._group == GROUP and self._committed.get(name) != at:
            self._committed.put({name: at})
        return at

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
        """Whole rows of one segment until there are `limit` hits."""
        cursor = self._cursors[name]
        while True:
            try:
                decoded = self._decode_rows(cursor, limit)
            except segment.FAILURES as error:
                cursor.rest()
                if not self._was_mended(cursor, error):
                    self._held_back[name] = self._clock.monotonic() + HOLD_BACK
                    message = f"cannot read partition {name}: {error}"
                    raise StreamError(message, "the others go on; look at the disk of the data folder") from error
            else:
                self._held_back.pop(name, None)
                return decoded

    def _decode_rows(self, cursor: _Cursor, limit: int) -> _Decoded | None:
        hits: list[Hit] = []
        begin = size = 0
        with closing(cursor.rows()) as rows:
            for row in rows:
                size += self._codec.size(row.data)
                if hits and (len(hits) >= limit or size > BATCH_BYTES):
                    break
                begin = begin or row.first
                hits.extend(segment.hits_of(row, self._codec))
        if not hits:
            return None
        skip = max(0, cursor.at + 1 - begin)  # a rewind may point into the middle of a row
        return _Decoded(begin + skip, hits[skip:])

    def _was_mended(self, cursor: _Cursor, error: Exception) -> bool:
        """Whether to look again at once: the error was damage that is set aside now."""
        if cursor.was_moved():
            return True  # by another reader
        try:
            return segment.is_damage(error) and cursor.path is not None and mend.set_aside(cursor.path, self._clock)
        except segment.FAILURES as second:
            _LOG.error("cannot set a damaged segment aside", path=str(cursor.path), error=str(second))
            return False

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Never return hits up to these positions to this group again."""
        self._committed.put(positions)
        self._has_committed = True
        self._sweep()

    def _sweep(self) -> None:
        if self._clock.monotonic() < self._sweep_at:
            return
        self._sweep_at = self._clock.monotonic() + SWEEP
        try:
            with hold.forgetting(self._stream) as nobody_copies:
                if nobody_copies:
                    self._forget_old()
        except OSError as error:
            _LOG.warning("cannot forget old hits", error=str(error))

    def _forget_old(self) -> None:
        self._forget_until(self._careful.now() - int(self._retention * SECOND))
        if self._bound and (excess := segment.total(self._stream) - self._bound) > 0:
            self._forget_until(self._age_of(excess))

    def _forget_until(self, horizon: int) -> None:
        for name in list(self._cursors):
            try:
                self._forget(name, horizon)
            except segment.FAILURES as error:
                _LOG.warning("cannot forget old hits", partition=name, error=str(error))

    def _age_of(self, excess: int) -> int:
        """When so many bytes of settled segments, the oldest, were received (µs UTC); all of them if they are fewer."""
        found: list[tuple[int, int]] = []
        for name, cursor in self._cursors.items():
            paths, settled = segment.segments(cursor.folder), self._committed.lowest(name)
            closed = [path for path, following in itertools.pairwise(paths) if int(following.stem) <= settled + 1]
            found += [(segment.newest_at(path), segment.size(path)) for path in closed]
            if paths and cursor.finished and cursor.at <= settled:
                found.append((segment.touched_at(paths[-1]), segment.size(paths[-1])))
        horizon = 0
        for received_at, size in sorted(found):
            if excess > 0:
                horizon, excess = received_at, excess - size
        return horizon

    def _forget(self, name: Partition, horizon: int) -> None:
        """Unlink what every group has settled and what is old enough; never the newest segment of a living owner."""
        folder = self._stream / name
        if not folder.exists():  # somebody wiped it
            self._decoded.pop(name, None)
            self._cursors.pop(name).close()
            return
        settled = self._committed.lowest(name)
        paths = segment.segments(folder)
        for path, following in itertools.pairwise(paths):
            if int(following.stem) > settled + 1 or segment.newest_at(path) > horizon:
                return
            segment.unlink(path)
        newest = paths[-1] if paths else None
        if newest and (self._last_position(name, newest) > settled or segment.touched_at(newest) > horizon):
            return
        owner = Flock(folder / "owner.lock")
        if owner.acquire():
            try:
                self._forget_partition(name, newest)
            finally:
                owner.release()

    def _last_position(self, name: Partition, newest: Path) -> Position:
        """How far a partition goes, also if its newest segment was damaged after we had read it."""
        cursor = self._cursors[name]
        return cursor.at if cursor.finished else segment.last_position(newest)

    def _forget_partition(self, name: Partition, newest: Path | None) -> None:
        """Its owner is gone and all is settled. What was set aside of it stays, and so does the folder around that."""
        folder = self._stream / name
        if (folder / mend.DAMAGED).exists():
            if newest:
                segment.unlink(newest)
            return
        self._decoded.pop(name, None)
        self._cursors.pop(name).close()
        shutil.rmtree(folder)
        sync(self._stream)
        self._committed.forget(name)

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Go on right behind the given positions; partitions not named begin with the oldest hit that is held."""
        self._start = dict(positions)
        self._decoded.clear()
        for name, cursor in self._cursors.items():
            cursor.at = self._agreed(name, self._start.get(name, 0))
            cursor.finished = False
            cursor.rest()

    def close(self) -> None:
        """Let the partitions go."""
        for cursor in self._cursors.values():
            cursor.close()
        self._cursors.clear()
        self._committed.close()
