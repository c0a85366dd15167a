"""What becomes of a damaged segment: it is set aside whole, and what can be trusted of it takes its place.

::

    3f9a0c51be77/                        a partition
      mend.lock                          held (flock) by whoever mends here
      00000000000000000001.sqlite        positions 1 to 40, read from the damaged one and checked
      00000000000000000045.sqlite        positions 45 to 99
      damaged/20260210T210000-000001-1/    the damaged one as it was found, for an inquiry; never removed by us
        00000000000000000001.sqlite
        lost.json                        what is missing: positions 41 to 44

The folder is called ``<time>.part`` until all is in its place, so that whoever
comes after a crash can go on: without a ``lost.json`` in it from the beginning,
with one by moving the new segments out of its ``runs``, where they are made.
Moving the file away also stops its owner, if there is one: it looks after each
commit whether its file is still there, and begins a new partition if not,
before anybody has got an answer.
"""

import itertools
import shutil
import sqlite3
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from pixelake import telemetry
from pixelake.clock import SECOND, Clock
from pixelake.disk import Flock, sync
from pixelake.hit import Codec
from pixelake.stream import segment
from pixelake.stream.base import Partition, Position
from pixelake.stream.segment import Damaged, Row

DAMAGED: Final = "damaged"
PART: Final = ".part"
NOTE: Final = "lost.json"
RUNS: Final = "runs"
MOST_HITS: Final = 1 << 22
"""A row has fewer hits than bytes; what says more is damaged itself."""

_LOG = structlog.get_logger()


class Note(msgspec.Struct, frozen=True):
    """What setting a segment aside has cost.

    Attributes:
        segment: its name.
        reason: how it was noticed.
        lost: ranges of positions, first and last, whose hits could not be read.
        more: hits behind `end` may be lost too; nobody knows how many.
        end: the last position that the segment is known to have had; before its first one if nothing is known.
    """

    segment: str
    reason: str
    lost: Sequence[tuple[Position, Position]]
    more: bool
    end: Position = 0


def notes(folder: Path) -> dict[Path, Note]:
    """What was ever set aside of a partition, oldest first, and still lies there."""
    return {path.parent: _read(path) for path in sorted((folder / DAMAGED).glob(f"*/{NOTE}"))}


def _read(path: Path) -> Note:
    """A note; if it is damaged itself, nobody knows what was lost."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        name = next((each.name for each in path.parent.glob("*.sqlite")), "")
        end = int(Path(name).stem) - 1 if name else 0
        return Note(name, f"{NOTE} cannot be read: {error}", lost=[], more=True, end=end)


def under_way(folder: Path) -> Sequence[Path]:
    """What is being set aside just now, or was when somebody crashed."""
    return sorted((folder / DAMAGED).glob(f"*{PART}"))


def set_aside(path: Path, clock: Clock) -> bool:
    """Set a segment aside if it is damaged; whether it was.

    Raises:
        One of `segment.FAILURES`: the disk does not let us, to be tried again; or a newer version wrote some of it.
    """
    lock = Flock(path.parent / "mend.lock")
    if not lock.acquire():
        return False
    try:
        _finish_all(path.parent)  # else their positions would seem to be missing
        if not path.exists():
            return True
        reason = _fault(path)
        if not reason:
            return False
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.now() // SECOND)) + f"-{clock.now() % SECOND:06}"
        part = path.parent / DAMAGED / f"{stamp}-{int(path.stem)}{PART}"
        part.mkdir(parents=True)
        sync(part.parent)
        sync(path.parent)
        path.rename(part / path.name)  # from here on its owner knows
        _finish(part, reason)
    finally:
        lock.release()
    return True


def resume(folder: Path) -> None:
    """Go on where somebody crashed who was setting a segment aside.

    Raises:
        One of `segment.FAILURES`: the disk does not let us.
    """
    if not under_way(folder):
        return
    lock = Flock(folder / "mend.lock")
    if lock.acquire():
        try:
            _finish_all(folder)
        finally:
            lock.release()


def _finish_all(folder: Path) -> None:
    for part in under_way(folder):
        _finish(part, "found half set aside")


def _fault(path: Path) -> str:
    """What is wrong with a segment, or nothing."""
    begin = int(path.stem)
    try:
        with closing(segment.connect(path)) as connection:
            segment.check(connection, path)
            codec, at = Codec(), begin - 1
            for row in segment.read(connection, begin, at):
                segment.hits_of(row, codec)
                at = row.last
    except segment.FAILURES as error:
        if not segment.is_damage(error):
            raise
        _refuse_newer(path)
        return str(error)
    behind = _behind(path.parent, begin)
    if behind is not None and at + 1 != behind and not is_known(path.parent, at + 1):
        return f"positions {at + 1} to {behind - 1} are missing"
    return ""


def _refuse_newer(path: Path) -> None:
    """Read all that would be kept of a damaged segment, before anything is moved.

    Raises:
        StreamError: a newer version wrote some of it, and only that one can tell what is damaged.
    """
    try:
        with closing(segment.connect(path)) as connection:
            for _ in trusted(connection, int(path.stem), None):
                pass
    except segment.FAILURES as error:
        if not segment.is_damage(error):
            raise


def is_known(folder: Path, position: Position) -> bool:
    """Whether a position is known to be lost."""
    return any(first <= position <= last for note in notes(folder).values() for first, last in note.lost)


def _behind(folder: Path, begin: Position) -> Position | None:
    """Where the next segment begins, if there is one, or what is known to be lost before it: that is not lost twice."""
    behind = next((int(path.stem) for path in segment.segments(folder) if int(path.stem) > begin), None)
    for first, last in sorted((each for note in notes(folder).values() for each in note.lost), reverse=True):
        if behind is not None and begin < first < behind <= last + 1:
            behind = first
    return behind


def _finish(part: Path, reason: str) -> None:
    """Everything after the file has been moved; may be repeated."""
    folder = part.parents[1]
    damaged = next(iter(part.glob("*.sqlite")), None)
    if damaged is None:  # a crash came before anything was moved
        part.rmdir()
        return
    if not (part / NOTE).exists():
        _salvage(damaged, reason)
    note, runs = _read(part / NOTE), part / RUNS
    if runs.exists():
        for run in segment.segments(runs):
            run.rename(folder / run.name)
        sync(folder)
        sync(runs)
        shutil.rmtree(runs)
    aside = part.with_suffix("")
    part.rename(aside)
    sync(aside.parent)
    telemetry.counter("pixelake_set_aside_total").inc()
    _LOG.error(
        "a damaged segment of the stream was set aside; what could be read of it goes on",
        reason=note.reason,
        lost=note.lost,
        more=note.more,
        kept_in=str(aside),
    )


def _salvage(damaged: Path, reason: str) -> None:
    """Make the segments that take the place of a damaged one, and then the note; nothing is moved into place yet."""
    part, folder, begin = damaged.parent, damaged.parents[2], int(damaged.stem)
    for name in (damaged.name + "-wal", damaged.name + "-shm"):
        if (folder / name).exists():
            (folder / name).rename(part / name)
    if (part / RUNS).exists():
        shutil.rmtree(part / RUNS)
    (part / RUNS).mkdir()
    sync(part)
    sync(folder)
    kept, end, more = _keep(damaged, folder.name, _behind(folder, begin))
    note = Note(damaged.name, reason, _gaps(kept, begin, end), more, end)
    _write(part / NOTE, msgspec.json.encode(note))


def _keep(
    damaged: Path, partition: Partition, behind: Position | None
) -> tuple[list[tuple[Position, Position]], Position, bool]:
    """Write what can be trusted into new segments beside the damaged one, one for each run of positions.

    Returns:
        What was kept, first and last position of each run; the last position that the damaged one seems to have had;
        whether it may have had more.
    """
    kept: list[tuple[Position, Position]] = []
    begin = int(damaged.stem)
    try:
        with closing(segment.connect(damaged)) as connection:
            for _, run in itertools.groupby(trusted(connection, begin, behind), _Run()):
                kept.append(_keep_run(damaged.parent / RUNS, partition, run))
            end, more = _end(connection, kept[-1][1] if kept else begin - 1)
    except segment.FAILURES as error:
        if not segment.is_damage(error):
            raise
        end, more = kept[-1][1] if kept else begin - 1, True
    return (kept, end, more) if behind is None else (kept, behind - 1, False)


def _keep_run(folder: Path, partition: Partition, rows: Iterator[Row]) -> tuple[Position, Position]:
    """Write rows without gaps into a segment; the first and the last position."""
    row = next(rows)
    path = segment.create(folder, partition, row.first, itertools.chain([row], rows))
    return row.first, segment.last_position(path)


class _Run:
    """A key for `itertools.groupby`: another one whenever positions are missing."""

    def __init__(self) -> None:
        self._expected: Position | None = None
        self._number = 0

    def __call__(self, row: Row) -> int:
        self._number += row.first != self._expected
        self._expected = row.last + 1
        return self._number


def trusted(connection: sqlite3.Connection, begin: Position, behind: Position | None) -> Generator[Row, None, None]:
    """The rows whose hits are those that were written, at the positions they were written to.

    In order from the beginning as far as SQLite gets; from there on those that it reaches from the end.
    """
    codec, reached = Codec(), begin - 1
    for fields in itertools.chain(_forward(connection), _from_the_end(connection)):
        row = _checked(fields, codec) if fields[0] > reached else None
        if row and (behind is None or row.last < behind):
            reached = row.last
            yield row


def _forward(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    return _until_damaged(connection, f"{segment.SELECT} ORDER BY first")


def _from_the_end(connection: sqlite3.Connection) -> Iterator[tuple[Any, ...]]:
    """The rows that `_forward` does not get to. Their keys first: they are few, and read without the hits."""
    keys = [key for (key,) in _until_damaged(connection, "SELECT first FROM groups ORDER BY first DESC")]
    for key in sorted(keys):
        yield from _until_damaged(connection, f"{segment.SELECT} WHERE first = {int(key)}")


def _until_damaged(connection: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """What SQLite finds, up to the place where it cannot go on."""
    try:
        yield from connection.execute(query)
    except segment.FAILURES as error:
        if not segment.is_damage(error):
            raise


def _checked(fields: Sequence[object], codec: Codec) -> Row | None:
    try:
        row = segment.as_row(fields)
        segment.hits_of(row, codec)
    except Damaged:
        return None
    return row


def _end(connection: sqlite3.Connection, kept: Position) -> tuple[Position, bool]:
    """How far a segment went of which positions up to `kept` could be kept; and whether nobody knows.

    A damaged row behind them still says where it ends; that is believed if it is possible.
    """
    seen, end = False, kept
    for first, last in _until_damaged(connection, "SELECT first, last FROM groups ORDER BY first DESC"):
        if last == kept:
            return end, seen and end == kept
        seen = True
        if isinstance(last, int) and isinstance(first, int) and kept < last < kept + MOST_HITS:
            end = max(end, last)
    return end, end == kept


def _gaps(kept: Sequence[tuple[Position, Position]], begin: Position, end: Position) -> list[tuple[Position, Position]]:
    """The ranges of positions from `begin` to `end` that were not kept."""
    ends = [begin - 1, *(last for _, last in kept)]
    begins = [*(first for first, _ in kept), end + 1]
    return [(before + 1, first - 1) for before, first in zip(ends, begins, strict=True) if first > before + 1]


def _write(path: Path, data: bytes) -> None:
    """A small file, all or nothing, durably."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    sync(new)
    new.rename(path)
    sync(path.parent)
