"""Looks at the embedded stream from beside it: what is held, and since when."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from pixelake.errors import StreamError
from pixelake.stream import groups, mend, segment
from pixelake.stream.base import Extent, Partition, Position

T = TypeVar("T")

LOOKS: Final = 20
POLL: Final = 0.02
"""A watcher looks so often, so many seconds apart, at a partition that is changing."""


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

    def committed(self, group: str) -> Mapping[Partition, Position]:
        """How far a group of readers has committed. A damaged file says nothing: its next writer sets it aside."""
        return groups.look(self._stream, group)

    def _look(self, folder: Path, ask: Callable[[Path], T]) -> T | None:
        """Ask again if a segment was rolled, unlinked or set aside while we looked."""
        for _ in range(LOOKS):
            try:
                return ask(folder)
            except (sqlite3.OperationalError, OSError):
                if not folder.exists():
                    return None
                time.sleep(POLL)
        raise StreamError(f"cannot read partition {folder.name}", "look at the disk of the data folder")


def _extent(folder: Path) -> Extent:
    """What is held of a partition; what is being set aside just now still counts as held.

    Raises:
        OSError, sqlite3.Error: it changes while we look.
    """
    names, aside = _names(folder), mend.notes(folder)
    moved = [path for part in mend.under_way(folder) for path in part.glob("*.sqlite")]
    paths = sorted([*segment.segments(folder), *moved], key=lambda path: path.stem)
    lost = [(first, last) for note in aside.values() for first, last in note.lost]
    last, damaged = max((end for _, end in lost), default=0), [str(path) for path in moved]
    if paths:
        try:
            last = max(last, segment.last_position(paths[-1]))
        except segment.FAILURES as error:
            if not segment.is_damage(error):
                raise
            last, damaged = max(last, int(paths[-1].stem) - 1), [*damaged, str(paths[-1])]
    found = Extent(
        partition=folder.name,
        first=int(paths[0].stem) if paths else last + 1,
        last=last,
        bytes=sum(path.stat().st_size for path in folder.iterdir()),
        lost=lost,
        damaged=damaged,
        set_aside=[str(path) for path in aside if path.suffix != mend.PART],
        evidence=[str(path) for path, note in aside.items() if note.lost or note.more],
        lost_behind=min((note.end for note in aside.values() if note.more), default=None),
    )
    if _names(folder) != names:
        raise FileNotFoundError(f"{folder} changes")
    return found


def _names(folder: Path) -> Sequence[Path]:
    """Every segment, wherever it lies."""
    return sorted(folder.rglob("*.sqlite"))


def _received_at(folder: Path, position: Position) -> int | None:
    for path in reversed(segment.segments(folder)):
        if int(path.stem) <= position:
            try:
                return segment.received_at(path, position)
            except segment.FAILURES as error:
                if not segment.is_damage(error):
                    raise
                return None
    return None
