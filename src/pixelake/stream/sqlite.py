"""The embedded stream: partitions are folders of SQLite segments.

::

    stream/
      groups.sqlite                  how far each group of readers has committed
      3f9a0c51be77/                  a partition: one life of one writer
        owner.lock                   held (flock) by the writer while it lives
        reader-consume.lock          held by the reader of that group
        00000000000000000001.sqlite  a segment, named by its first position
        00000000000000041205.sqlite  the newest one: only the owner writes it

Every writer mints a partition of its own and never goes on with an old one,
so that a wiped or restored folder cannot hold new hits under old positions.
Partitions whose owner is gone are drained, then removed.
"""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Final, TypeVar

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock, free, sync
from pixelake.errors import StreamError, StreamUnavailable
from pixelake.hit import Codec, Hit
from pixelake.stream import segment
from pixelake.stream.base import Extent, Partition, Position

T = TypeVar("T")

ROW_BYTES: Final = 4 << 20
"""Most bytes of a row before compression, for the sake of its readers; one hit alone may have more."""
RESERVE_CHECK: Final = 1.0
"""Seconds between looks at what is free on the disk."""
RETRY_AFTER: Final = 1.0
"""Seconds between attempts to begin a partition after a failure."""
LOOKS: Final = 20
POLL: Final = 0.02
"""A watcher looks so often, so many seconds apart, at a partition that is changing."""


Row = tuple[Position, Position, int, bytes]
"""First and last position, when the first hit was received (µs UTC), and the hits."""
_INSERT: Final = "INSERT INTO groups VALUES (?, ?, ?, ?)"


class _OwnPartition:
    """The partition a writer owns: made, filled, rolled, left. Used by one thread at a time."""

    def __init__(self, stream: Path, clock: Clock) -> None:
        self._clock = clock
        self._codec = Codec()
        self.name: Partition = secrets.token_hex(6)
        self._folder = stream / self.name
        nursery = stream / f".{self.name}"  # a reader must not see it before it is locked
        nursery.mkdir(parents=True)
        try:
            self._lock = Flock(nursery / "owner.lock")
            self._lock.acquire()
            segment.create(nursery, self.name, 1)
            nursery.rename(self._folder)
        except BaseException:
            shutil.rmtree(nursery, ignore_errors=True)
            raise
        sync(stream)
        sync(stream.parent)
        self._next: Position = 1
        self._open_segment()

    def _open_segment(self) -> None:
        self._path = segment.segments(self._folder)[-1]
        self._segment = segment.connect(self._path, write=True)
        self._inode = self._path.stat().st_ino
        self._bytes = 0
        self._opened = self._clock.monotonic()

    def encode(self, hits: Sequence[Hit]) -> list[Row]:
        """The hits as rows with their positions, to be appended next."""
        rows, first = [], self._next
        for part, data in self._codec.encode_parts(hits, ROW_BYTES):
            rows.append((first, first + len(part) - 1, part[0].received_at, data))
            first += len(part)
        return rows

    def append(self, rows: Sequence[Row]) -> None:
        """One transaction, one fsync.

        Raises:
            sqlite3.Error, OSError: the rows may or may not be durable.
        """
        if len(rows) == 1:  # SQLite's own transaction: one call without Python's lock, not three
            self._segment.execute(_INSERT, rows[0])
        else:
            self._segment.execute("BEGIN IMMEDIATE")
            self._segment.executemany(_INSERT, rows)
            self._segment.execute("COMMIT")
        if self._path.stat().st_ino != self._inode:  # we wrote to a file that nobody will find
            raise FileNotFoundError(f"{self._path} was replaced under our hands")
        self._next = rows[-1][1] + 1
        self._bytes += sum(len(row[3]) for row in rows)

    def roll(self, size: int, age: float) -> None:
        """Begin a new segment if this one is too large or too old."""
        if self._bytes >= size or (self._bytes and self._clock.monotonic() - self._opened >= age):
            segment.create(self._folder, self.name, self._next)
            self._segment.close()
            self._open_segment()

    def leave(self) -> None:
        """Let it go; what it holds will be drained."""
        self._segment.close()
        self._lock.release()


class _DiskThread:
    """A thread for what blocks, one thing after the other.

    Under load an executor's hand-overs (a queue, two locks, two futures) cost
    as much as the commit; this one's are a queue and a wake-up.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], object], asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
        self._thread.start()

    def run(self, job: Callable[[], object]) -> asyncio.Future[None]:
        """Do it; the future of the calling loop tells when it is done, or why not."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, done))
        return done

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, done = item
            error: BaseException | None = None
            try:
                job()
            except BaseException as caught:  # noqa: BLE001 - whatever it was, somebody waits for an answer
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
                done.get_loop().call_soon_threadsafe(_settle, done, error)

    def close(self) -> None:
        """End behind what is under way."""
        self._jobs.put(None)
        self._thread.join()


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


class SqliteWriter:
    """Group commit into a partition of its own. See `pixelake.stream.base.Writer`.

    Hits that arrive while a commit is under way share the next one, so the
    delay of a commit adapts to the load: none when idle, full groups when busy.
    `reserve` is what must be free on the disk, in bytes, to take hits.

    After a failed commit the partition is left and a new one begun, because
    the state of its last pages is not known (a second fsync may lie).
    """

    def __init__(
        self,
        stream: Path,
        *,
        segment_bytes: int = 1 << 27,
        segment_age: float = 3600.0,
        reserve: int = 0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._stream = stream
        self._segment_bytes = segment_bytes
        self._segment_age = segment_age
        self._reserve = reserve
        self._enough_until = 0.0
        self._clock = clock
        self._thread = _DiskThread()
        self._waiting: list[tuple[Sequence[Hit], asyncio.Future[None]]] = []
        self._commit: asyncio.Task[None] | None = None
        self._when_idle: asyncio.TimerHandle | None = None
        self._partition: _OwnPartition | None = None
        self._retry_at = 0.0
        self._last_failure = ""

    async def append(self, hits: Sequence[Hit]) -> None:
        """Return once every hit is durable."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((hits, done))
        if self._commit is None:
            self._commit = asyncio.create_task(self._commit_waiting())
        await done

    async def _commit_waiting(self) -> None:
        """Commit group after group until nobody waits. The only user of the thread."""
        while self._waiting:
            group, self._waiting = self._waiting, []
            hits = [hit for part, _ in group for hit in part]
            rows = None if self._partition is None else self._partition.encode(hits)
            failure: StreamUnavailable | None = None
            try:
                await self._thread.run(lambda hits=hits, rows=rows: self._write(hits, rows))  # type: ignore[misc]
            except StreamUnavailable as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an answer
                failure = StreamUnavailable(f"cannot commit to the stream: {error!r}")
            for _, done in group:
                _settle(done, failure)
        self._commit = None
        self._roll_later(asyncio.get_running_loop())

    def _roll_later(self, loop: asyncio.AbstractEventLoop) -> None:
        """If no hit comes for so long, the segment is closed all the same: retention counts on its age."""
        if self._when_idle is not None:
            self._when_idle.cancel()
        self._when_idle = loop.call_later(self._segment_age, self._begin_to_roll)

    def _begin_to_roll(self) -> None:
        if self._commit is None and self._partition is not None:
            self._commit = asyncio.create_task(self._roll_idle(self._partition))

    async def _roll_idle(self, partition: _OwnPartition) -> None:
        await self._thread.run(lambda: self._roll(partition))
        await self._commit_waiting()

    def _write(self, hits: Sequence[Hit], rows: Sequence[Row] | None) -> None:
        """Make the hits durable. `rows` are the same, encoded for the partition we have, if we have one."""
        if self._partition is None and self._clock.monotonic() < self._retry_at:
            raise StreamUnavailable(self._last_failure)
        self._check_reserve()
        try:
            if self._partition is None:
                self._partition = _OwnPartition(self._stream, self._clock)
            self._partition.append(rows or self._partition.encode(hits))
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            raise StreamUnavailable(self._last_failure, "look at the disk of the data folder") from error
        self._roll(self._partition)

    def _check_reserve(self) -> None:
        """Leave the consumer room to settle what is there, so that a full disk gets well by itself."""
        now = self._clock.monotonic()
        if self._reserve and now >= self._enough_until:
            left = free(self._stream.parent)
            if left < self._reserve:
                raise StreamUnavailable(f"the disk has only {left >> 20} MB left", "make room, or lower disk_reserve")
            self._enough_until = now + RESERVE_CHECK

    def _roll(self, partition: _OwnPartition) -> None:
        """A failed roll must not fail the hits that are durable already: the next commit begins a new partition."""
        try:
            partition.roll(self._segment_bytes, self._segment_age)
        except (sqlite3.Error, OSError) as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._last_failure = f"cannot commit to the stream: {error}"
        self._retry_at = self._clock.monotonic() + RETRY_AFTER
        partition, self._partition = self._partition, None
        if partition is not None:
            try:
                partition.leave()
            except sqlite3.Error as second:
                self._last_failure += f"; then: {second}"

    async def close(self) -> None:
        """Finish what is under way and let the partition go."""
        if self._commit is not None:
            await self._commit
        if self._when_idle is not None:
            self._when_idle.cancel()
        if self._partition is not None:
            await self._thread.run(self._partition.leave)
            self._partition = None
        self._thread.close()


class SqliteWatcher:
    """See `pixelake.stream.base.Watcher`."""

    def __init__(self, stream: Path) -> None:
        self._stream = stream

    def extents(self) -> Sequence[Extent]:
        """What is held, a row a partition."""
        found = [self._look(folder, _extent) for folder in segment.partitions(self._stream)]
        return [extent for extent in found if extent is not None]

    def received_at(self, partition: Partition, position: Position) -> int | None:
        """When the commit of that hit began (µs UTC), or None if it is held no longer."""
        return self._look(self._stream / partition, lambda folder: _received_at(folder, position))

    def _look(self, folder: Path, ask: Callable[[Path], T]) -> T | None:
        """Ask again if a segment was rolled or unlinked while we looked."""
        for _ in range(LOOKS):
            try:
                return ask(folder)
            except (sqlite3.OperationalError, OSError, IndexError):
                if not folder.exists():
                    return None
                time.sleep(POLL)
        raise StreamError(f"cannot read partition {folder.name}", "look at the disk of the data folder")


def _extent(folder: Path) -> Extent:
    paths = segment.segments(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Extent(folder.name, int(paths[0].stem), segment.last_position(paths[-1]), size)


def _received_at(folder: Path, position: Position) -> int | None:
    for path in reversed(segment.segments(folder)):
        if int(path.stem) <= position:
            return segment.received_at(path, position)
    return None
