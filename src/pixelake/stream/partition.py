"""The partition a writer owns: made, filled, rolled, left.

What takes several syncs is done beside the commits, by a second thread: to move
what is in the write-ahead log to its file, to make the file of the next
segment, and to close the last one. A commit costs one sync, and two more where
it begins a segment.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from pixelake.clock import Clock
from pixelake.disk import Flock, sync
from pixelake.hit import Codec, Hit
from pixelake.stream import segment
from pixelake.stream.base import Partition, Position

ROW_BYTES: Final = 4 << 20
"""Most bytes of a row before compression, for the sake of its readers; one hit alone may have more."""
CHECKPOINT_BYTES: Final = 8 << 20
"""Of hits in the write-ahead log until they are moved to its file. Then it is written anew from its beginning: to
overwrite a file costs half of what it costs to make it longer."""
SPARE: Final = ".next"
"""The file that becomes the next segment."""
ASKED: Final = "roll"
"""The file that asks the owner to begin a new segment soon, so that the others are closed (`pixelake.stream.erase`)."""

Row = tuple[Position, Position, int, bytes]
"""First and last position, when the first hit was received (µs UTC), and the hits."""


class OwnPartition:
    """A partition from its first hit to its last. Used by one thread at a time."""

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
        self._beside = ThreadPoolExecutor(1, "segments")
        self._open_segment()

    def _open_segment(self) -> None:
        self._path = segment.segments(self._folder)[-1]
        self._segment = segment.connect(self._path, write=True)
        self._segment.execute("PRAGMA wal_autocheckpoint=0")
        self._name = str(self._path)
        self._inode = self._path.stat().st_ino
        self._bytes = self._moved = 0
        self._opened = self._clock.monotonic()
        self._spare: Future[Path] | None = None
        self._moving: Future[None] | None = None

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
            self._segment.execute(segment.INSERT, rows[0])
        else:
            self._segment.execute("BEGIN IMMEDIATE")
            self._segment.executemany(segment.INSERT, rows)
            self._segment.execute("COMMIT")
        if os.stat(self._name).st_ino != self._inode:  # noqa: PTH116 - a Path costs twice as much
            # we wrote to a file that nobody will find
            raise FileNotFoundError(f"{self._path} was replaced under our hands")
        self._next = rows[-1][1] + 1
        self._bytes += sum(len(row[3]) for row in rows)

    def checkpoint(self) -> None:
        """Go on with moving what is in the write-ahead log: most of it beside the commits, the rest in between two.

        Raises:
            sqlite3.Error: it cannot be moved; it stays where it is.
        """
        if self._moving is None:
            if self._bytes - self._moved >= CHECKPOINT_BYTES:
                self._moving = self._beside.submit(_tidy, "checkpoint a segment", partial(_checkpoint, self._path))
        elif self._moving.done():
            self._moving, self._moved = None, self._bytes
            self._segment.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def is_due(self, size: float, age: float) -> bool:
        """Is the segment too large or too old?"""
        return self._bytes > 0 and (self._bytes >= size or self._clock.monotonic() - self._opened >= age)

    def prepare(self) -> Future[Path]:
        """Make the file of the next segment, so that to begin it takes no time."""
        if self._spare is None:
            self._spare = self._beside.submit(segment.make, self._folder / SPARE, self.name)
        return self._spare

    def roll(self) -> None:
        """Begin a new segment.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        segment.place(self.prepare().result(), self._next)
        self._beside.submit(_tidy, "close a segment", self._segment.close)
        self._open_segment()

    def heed(self) -> None:
        """Begin a new segment if somebody has asked for it.

        Raises:
            sqlite3.Error, OSError: it cannot be made.
        """
        asked = self._folder / ASKED
        if asked.exists():
            if self._bytes:
                self.roll()
            asked.unlink(missing_ok=True)

    def leave(self) -> None:
        """Let it go; what it holds will be drained."""
        try:
            self._beside.shutdown()
            self._segment.close()
            (self._folder / SPARE).unlink(missing_ok=True)
        finally:
            self._lock.release()


def _checkpoint(path: Path) -> None:
    """Beside a writer: what it commits meanwhile comes next time."""
    with closing(segment.connect(path, write=True)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _tidy(what: str, job: Callable[[], object]) -> None:
    """No hit depends on it: each is in the write-ahead log until it is moved, and whoever opens the file moves it."""
    try:
        job()
    except (sqlite3.Error, OSError) as error:
        structlog.get_logger().warning(f"cannot {what}", error=str(error))
