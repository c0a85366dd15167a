"""Hits leave the embedded stream: closed segments are written anew; what is left of a hit is its place and its time.

Who erases asks the owners of all partitions to begin new segments (`ask`),
waits until the old ones are closed and until all up to there is settled
(`waiting`), and then writes those anew that have something to lose (`rewrite`).
A segment keeps its name and its positions, so that nothing is counted
otherwise; readers that have the old file open see that it was moved.

The new file is made beside the old one, durably, and takes its place in one
step. The write-ahead log of the old one is emptied before, because SQLite would
apply it to the new one. Whatever is cut short is repeated: the old file is
whole until then.
"""

import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from pixelake.clock import SYSTEM
from pixelake.disk import Flock, sync
from pixelake.errors import StreamError
from pixelake.hit import Codec, Hit
from pixelake.stream import groups, mend, segment
from pixelake.stream.base import GROUP, Partition, Position
from pixelake.stream.partition import ASKED
from pixelake.stream.segment import Row

PATIENCE: Final = 30.0
"""Seconds to wait for whoever mends here, or reads a segment."""
_POLL: Final = 0.05
_HITS: Final = 1_000
_BYTES: Final = 4 << 20
"""So many hits, or bytes of them, are asked about together: a search is prepared anew for each question."""
_NEW: Final = ".erase-"
"""How the name of a segment in the making begins."""

Edit = Callable[[Partition, Sequence[Position], Sequence[Hit]], Sequence[Hit]]
"""Hits of a partition, in order -> what stands in their places; the same objects where nothing changes.
The time of a hit stays."""
_Read = tuple[Row, Sequence[Hit]]


class Waiting(NamedTuple):
    """What has to happen before the hits up to some positions may be erased.

    Attributes:
        open: the partitions whose newest segment still has such hits, and whose owner lives.
        unsettled: hits that the consumer has not settled yet.
    """

    open: Sequence[Partition]
    unsettled: int


class Edited(NamedTuple):
    """What was done to a stream.

    Attributes:
        segments: that were looked through.
        hits: in them.
        bytes: of them.
        erased: positions that were changed, by partition.
        removed: files set aside as evidence that were removed, because they held some.
        unread: files set aside as evidence of which not every row can be read.
    """

    segments: int
    hits: int
    bytes: int
    erased: Mapping[Partition, Sequence[Position]]
    removed: Sequence[str]
    unread: Sequence[str]


def ask(stream: Path) -> dict[Partition, Position]:
    """Ask the owners to close what they have open; the last position of each partition now.

    Raises:
        StreamError: a partition cannot be read.
    """
    until = {}
    for folder in segment.partitions(stream):
        with suppress(FileNotFoundError), _reported(folder):  # forgotten meanwhile
            until[folder.name] = _last(folder)
            if _is_open(folder, until[folder.name]):
                (folder / ASKED).touch()
    return until


def waiting(stream: Path, until: Mapping[Partition, Position]) -> Waiting:
    """What still has to happen before the hits up to these positions may be erased. Partitions that are gone are done.

    Raises:
        StreamError: a partition cannot be read.
    """
    settled = groups.look(stream, GROUP)
    there = {folder.name: folder for folder in segment.partitions(stream) if folder.name in until}
    still = []
    for name, folder in there.items():
        with suppress(FileNotFoundError), _reported(folder):
            if _is_open(folder, until[name]):
                still.append(name)
    return Waiting(still, sum(max(0, until[name] - settled.get(name, 0)) for name in there))


def _last(folder: Path) -> Position:
    for path in reversed(segment.segments(folder)):
        return segment.last_position(path)
    return 0


def _is_open(folder: Path, until: Position) -> bool:
    """Whether hits up to there lie in the newest segment, and somebody still writes to that."""
    paths = segment.segments(folder)
    if not paths or int(paths[-1].stem) > until:
        return False
    owner = Flock(folder / "owner.lock")
    if owner.acquire():
        owner.release()
        return False
    return True


def rewrite(stream: Path, edit: Edit, told: Callable[[int, int], None] = lambda _done, _all: None) -> Edited:
    """Write the closed segments anew in which `edit` changes something, durably; and remove such evidence.

    Args:
        stream: the folder.
        edit: as said; asked twice about what it changes.
        told: called with the segments looked through, and all there are.

    Raises:
        StreamError: a partition cannot be read or written now, or a newer version wrote it; repeat the call.
    """
    folders = segment.partitions(stream)
    todo = sum(len(segment.segments(folder)) for folder in folders if folder.exists())
    work = _Work(edit)
    for folder in folders:
        with suppress(FileNotFoundError), _reported(folder):
            done: set[str] = set()
            while work.step(folder, done):
                told(work.segments, max(todo, work.segments))
    return Edited(work.segments, work.hits, work.bytes, work.erased, work.removed, work.unread)


class _Work:
    """What is done to one segment after the other."""

    def __init__(self, edit: Edit) -> None:
        self._edit, self._codec = edit, Codec()
        self.segments = self.hits = self.bytes = 0
        self.erased: dict[Partition, list[Position]] = {}
        self.removed: list[str] = []
        self.unread: list[str] = []

    def step(self, folder: Path, done: set[str]) -> bool:
        """Do the next segment of a partition that is closed and not among those `done`; False if there is none.

        One that turns out to be damaged is set aside, and what could be read of it follows.
        """
        mend.resume(folder)
        owner, path = Flock(folder / "owner.lock"), None
        try:
            with _alone(Flock(folder / "mend.lock"), f"mends {folder}"):
                paths = segment.segments(folder)
                _tidy(folder)
                todo = [each for each in (paths if owner.acquire() else paths[:-1]) if each.name not in done]
                if not todo:
                    for part in sorted((folder / mend.DAMAGED).glob("*/*.sqlite")):
                        self._evidence(part)
                    return False
                path = todo[0]
                self._segment(path)
                done.add(path.name)
        except segment.FAILURES as error:
            if path is None or (path.exists() and not (segment.is_damage(error) and mend.set_aside(path, SYSTEM))):
                raise
        finally:
            owner.release()
        return True

    def _segment(self, path: Path) -> None:
        """Write it anew if something in it changes."""
        changed: set[Position] = set()
        places: list[Position] = []
        with closing(segment.connect(path)) as connection, closing(_rows(connection, path)) as rows:
            segment.check(connection, path)
            for row, found in self._changes(path.parent.name, rows):
                self.hits += row.last - row.first + 1
                if found:
                    changed.add(row.first)
                    places.extend(found)
        self.segments += 1
        self.bytes += segment.size(path)
        if changed:
            self._replace(path, changed)
            self.erased.setdefault(path.parent.name, []).extend(places)

    def _changes(self, partition: Partition, rows: Iterable[Row]) -> Iterator[tuple[Row, list[Position]]]:
        """Each row, with the positions of it that change."""
        for some in _batches((row, segment.hits_of(row, self._codec)) for row in rows):
            hits = [hit for _, held in some for hit in held]
            places = [place for row, _ in some for place in range(row.first, row.last + 1)]
            pairs = zip(places, hits, self._edit(partition, places, hits), strict=True)
            changed = {place for place, old, new in pairs if old is not new}
            for row, _ in some:
                yield row, [place for place in range(row.first, row.last + 1) if place in changed]

    def _replace(self, path: Path, changed: set[Position]) -> None:
        new = path.with_name(f"{_NEW}{path.stem}")
        with closing(segment.connect(path)) as connection:
            rows = (self._edited(path.parent.name, row, changed) for row in _rows(connection, path))
            segment.make(new, path.parent.name, rows)
        _empty_log(path)
        for ending in ("-wal", "-shm"):
            path.with_name(path.name + ending).unlink(missing_ok=True)
        sync(path.parent)
        new.rename(path)
        sync(path.parent)

    def _edited(self, partition: Partition, row: Row, changed: set[Position]) -> Row:
        if row.first not in changed:
            return row
        hits = self._edit(partition, range(row.first, row.last + 1), segment.hits_of(row, self._codec))
        return row._replace(data=self._codec.encode(hits))

    def _evidence(self, path: Path) -> None:
        """Remove a file set aside if it has such a hit in what can be read of it; its note stays."""
        partition = path.parents[2].name
        with (
            closing(segment.connect(path)) as connection,
            closing(mend.trusted(connection, int(path.stem), None)) as rows,
        ):
            found = any(places for _, places in self._changes(partition, rows))
        if found:
            segment.unlink(path)
            self.removed.append(str(path))
        else:
            self.unread.append(str(path))


def _batches(rows: Iterable[_Read]) -> Iterator[list[_Read]]:
    """Rows that follow each other, in parts of some `_HITS` hits or `_BYTES` bytes."""
    some: list[_Read] = []
    hits = size = 0
    for row, held in rows:
        some.append((row, held))
        hits, size = hits + len(held), size + sum(len(hit.head) + len(hit.body) for hit in held)
        if hits >= _HITS or size >= _BYTES:
            yield some
            some, hits, size = [], 0, 0
    if some:
        yield some


def _rows(connection: sqlite3.Connection, path: Path) -> Generator[Row, None, None]:
    begin = int(path.stem)
    return segment.read(connection, begin, begin - 1)


@contextmanager
def _alone(lock: Flock, what: str) -> Iterator[None]:
    """Hold a lock that others hold for moments.

    Raises:
        StreamError: somebody holds it for too long.
    """
    deadline = time.monotonic() + PATIENCE
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise StreamError(f"somebody {what} for too long", "repeat the erasure")
        time.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()


def _empty_log(path: Path) -> None:
    """Move what is in the write-ahead log of a closed segment to its file.

    Raises:
        StreamError: somebody reads it all the time.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        with closing(segment.connect(path, write=True)) as connection:
            ((busy, _, _),) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if not busy:
            return
        if time.monotonic() > deadline:
            raise StreamError(f"somebody reads {path} all the time", "repeat the erasure")
        time.sleep(_POLL)


def _tidy(folder: Path) -> None:
    """Remove what an erasure left that was cut short."""
    for path in folder.glob(f"{_NEW}*"):
        path.unlink(missing_ok=True)


@contextmanager
def _reported(folder: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into `StreamError`; a folder that is gone stays FileNotFoundError."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeDecodeError, segment.Damaged, msgspec.DecodeError) as error:
        if not folder.exists():
            raise FileNotFoundError(str(folder)) from error
        raise StreamError(f"cannot read partition {folder.name}: {error}", "look at the disk of the stream") from error
