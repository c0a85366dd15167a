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
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import free
from pixelake.errors import DiskFull, StreamFull, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import segment
from pixelake.stream.groups import Committed
from pixelake.stream.partition import OwnPartition, Row

ROOM_CHECK: Final = 1.0
"""Seconds between looks at what is free on the disk, and at what the stream takes."""
PARTS_OF_BOUND: Final = 8
"""The stream's bound holds at least so many segments: only closed ones can be forgotten."""
RETRY_AFTER: Final = 1.0
"""Seconds between attempts to begin a partition after a failure."""


class _Job(NamedTuple):
    loop: asyncio.AbstractEventLoop
    job: Callable[[], object]
    done: Callable[[BaseException | None], object]
    behind: Callable[[], object] | None


class _DiskThread:
    """A thread for what blocks, one thing after the other.

    Under load an executor's hand-overs (a queue, two locks, two futures) cost
    as much as the commit; this one's are a queue and a wake-up.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
        self._thread.start()

    def run(
        self,
        job: Callable[[], object],
        done: Callable[[BaseException | None], object],
        behind: Callable[[], object] | None = None,
    ) -> None:
        """Do `job`, have `done` called in the loop with what went wrong, then do what is to be done `behind` it."""
        self._jobs.put(_Job(asyncio.get_running_loop(), job, done, behind))

    async def wait(self, job: Callable[[], object]) -> None:
        """Do `job`; raises what it raises."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.run(job, partial(_settle, future))
        await future

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            loop, job, done, behind = item
            error: BaseException | None = None
            try:
                job()
            except BaseException as caught:  # noqa: BLE001 - whatever it was, somebody waits for an answer
                error = caught
            del item, job  # what it held is freed by those who made it
            with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
                loop.call_soon_threadsafe(done, error)
            del done
            if behind is not None:
                behind()

    def close(self) -> None:
        """End behind what is under way."""
        self._jobs.put(None)
        self._thread.join()


def _settle(done: asyncio.Future[None], error: BaseException | None = None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)


_Waiting = tuple[Sequence[Hit], asyncio.Future[None]]
IDLE_CHECK: Final = 0.1
"""An idle segment is closed so late at most, as a part of the age at which it should be."""
ASKED_CHECK: Final = 1.0
"""Seconds between looks whether somebody has asked for a new segment."""


class SqliteWriter:
    """Group commit into a partition of its own. See `pixelake.stream.base.Writer`.

    Hits that arrive while a commit is under way share the next one, so the
    delay of a commit adapts to the load: none when idle, full groups when busy.
    `window` seconds are waited for more of them, for disks that wear out or
    are slow to sync. `reserve` is what must be free on the disk, in bytes, to
    take hits, and `bound` is how many bytes of hits may be unsettled (0: no
    bound); both are looked at each second.

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
        bound: int = 0,
        window: float = 0.0,
        clock: Clock = SYSTEM,
    ) -> None:
        self._stream = stream
        self._segment_bytes = min(segment_bytes, bound // PARTS_OF_BOUND) if bound else segment_bytes
        self._segment_age = segment_age
        self._reserve = reserve
        self._bound = bound
        self._window = window
        self._room_until = 0.0
        self._clock = clock
        self._thread = _DiskThread()
        self._waiting: list[_Waiting] = []
        self._committing = False
        self._idle = asyncio.Event()
        self._roll_timer: asyncio.TimerHandle | None = None
        self._look_after = min(segment_age * IDLE_CHECK, ASKED_CHECK)
        self._look_at = 0.0
        self._partition: OwnPartition | None = None
        self._retry_at = 0.0
        self._last_failure = ""

    def append(self, hits: Sequence[Hit]) -> asyncio.Future[None]:
        """Done once every hit is durable."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((hits, done))
        if not self._committing:
            self._committing = True
            self._begin(loop)
        return done

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Commit whoever waits, now or after the window."""
        if self._window:
            loop.call_later(self._window, self._commit)
        else:
            self._commit()
        if self._roll_timer is None:
            self._roll_timer = loop.call_later(self._look_after, self._roll_idle, loop)

    def _commit(self) -> None:
        """One commit for all who wait. There is one at a time."""
        waiting, self._waiting = self._waiting, []
        hits = waiting[0][0] if len(waiting) == 1 else [hit for part, _ in waiting for hit in part]
        partition = self._partition
        try:
            rows = [] if partition is None else partition.encode(hits)
        except Exception as error:  # noqa: BLE001 - no memory, perhaps: somebody waits for an answer
            asyncio.get_running_loop().call_soon(self._committed, waiting, error)
            return
        self._thread.run(
            lambda: self._write(hits, partition, rows), lambda error: self._committed(waiting, error), self._tidy
        )

    def _committed(self, group: list[_Waiting], error: BaseException | None) -> None:
        """The disk has given its word: tell those who waited, and go on with those who came since."""
        if error is not None and not isinstance(error, StreamUnavailable):
            error = StreamUnavailable(f"cannot commit to the stream: {error!r}")
        for _, done in group:
            _settle(done, error)
        if self._waiting:
            self._begin(asyncio.get_running_loop())
        else:
            self._committing = False
            self._idle.set()

    def _roll_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Also when no hit comes a segment is closed at its age, on which retention counts, and when somebody asks."""
        self._roll_timer = loop.call_later(self._look_after, self._roll_idle, loop)
        if not self._committing and self._partition is not None:
            self._committing = True
            self._thread.run(self._tidy, lambda error: self._committed([], error))

    def _write(self, hits: Sequence[Hit], encoded_for: OwnPartition | None, rows: Sequence[Row]) -> None:
        """Make the hits durable. `rows` are the same, encoded for the partition we had, if we still have it."""
        if self._partition is None and self._clock.monotonic() < self._retry_at:
            raise StreamUnavailable(self._last_failure)
        self._check_room()
        try:
            if self._partition is None:
                self._partition = OwnPartition(self._stream, self._clock)
            self._partition.append(rows if self._partition is encoded_for else self._partition.encode(hits))
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            raise StreamUnavailable(self._last_failure, "look at the disk of the data folder") from error

    def _check_room(self) -> None:
        """Leave the consumer room to settle what is there, so that a full disk gets well by itself."""
        now = self._clock.monotonic()
        if now < self._room_until:
            return
        if self._reserve:
            left = free(next(folder for folder in self._stream.absolute().parents if folder.exists()))
            if left < self._reserve:
                raise DiskFull(f"the disk has only {left >> 20} MB left", "make room, or lower disk_reserve")
        if self._bound and (unsettled := self._unsettled()) > self._bound:
            raise StreamFull(
                f"the stream is full: {unsettled >> 20} MB are not in the lake yet",
                "see why the consumer is behind, or raise stream_bytes",
            )
        self._room_until = now + ROOM_CHECK

    def _unsettled(self) -> int:
        """About how many bytes of hits are not settled; if all that is held is within the bound, all of it."""
        total = segment.total(self._stream)
        if total <= self._bound:
            return total
        with contextlib.closing(Committed(self._stream)) as committed:
            folders = segment.partitions(self._stream)
            return sum(segment.bytes_behind(folder, committed.lowest(folder.name)) for folder in folders)

    def _tidy(self) -> None:
        """What a commit leaves to do, when those who waited for it are told.

        A failure must not fail the hits that are durable already: the next commit begins a new partition.
        """
        partition = self._partition
        if partition is None:
            return
        try:
            partition.checkpoint()
            if partition.is_due(self._segment_bytes, self._segment_age):
                partition.roll()
            elif partition.is_due(self._segment_bytes / 2, self._segment_age / 2):
                partition.prepare()
            if (now := self._clock.monotonic()) >= self._look_at:
                self._look_at = now + ASKED_CHECK
                partition.heed()
        except Exception as error:  # noqa: BLE001 - the thread must live on, whatever it was
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._last_failure = f"cannot commit to the stream: {error}"
        self._retry_at = self._clock.monotonic() + RETRY_AFTER
        partition, self._partition = self._partition, None
        if partition is not None:
            try:
                partition.leave()
            except (sqlite3.Error, OSError) as second:  # a disk that can only be read has no file removed
                self._last_failure += f"; then: {second}"

    async def close(self) -> None:
        """Finish what is under way and let the partition go."""
        if self._roll_timer is not None:
            self._roll_timer.cancel()  # first: it may come again and again while we wait
        while self._committing:
            self._idle.clear()
            await self._idle.wait()
        if self._partition is not None:
            await self._thread.wait(self._partition.leave)
            self._partition = None
        self._thread.close()
