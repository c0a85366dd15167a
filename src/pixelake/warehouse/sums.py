"""How far a lake is, and the counts of both tables of one moment. Looks only."""

import math
import threading
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pixelake.clock import SYSTEM, Clock
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import again, durable, place, swap_note
from pixelake.warehouse.base import Progress
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DataFile, DeltaLog
from pixelake.warehouse.fresh import above_floor
from pixelake.warehouse.place import Place
from pixelake.warehouse.recover import BROKEN

COUNTS: Final = ("outcomes", "withheld", "removed")
MISSED: Final = "/missed"
LOOK_AGAIN: Final = 60.0
"""Seconds until a reader that found every file whole looks at them again."""
ATTEMPTS: Final = 5
NOTHING: Final = Progress(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sums:
    """What became of all settled hits, of one moment: ``outcomes == in_lake + rejected + withheld + removed``.

    Attributes:
        progress: of the same moment.
        in_lake: events whose files are there.
        rejected: rejects whose files are there.
        outcomes: what became of the settled hits.
        withheld: outcomes that policy kept nothing of.
        removed: events erased, expired or purged since.
        missed: positions that were passed over, because the stream no longer had their hits.
        damaged: files that the lake needs and that are missing or damaged.
    """

    progress: Mapping[Partition, Progress]
    in_lake: int
    rejected: int
    outcomes: int
    withheld: int
    removed: int
    missed: int
    damaged: Sequence[Place]

    @property
    def holds(self) -> bool:
        """Whether every outcome is somewhere."""
        return self.outcomes == self.in_lake + self.rejected + self.withheld + self.removed


class LakeReader:
    """How far a lake is. Looks only: beside a writer, without one, and before there is a lake. Any thread."""

    def __init__(self, folder: Place, clock: Clock = SYSTEM) -> None:
        self._lock, self._clock = threading.Lock(), clock
        self._events, self._rejects = DeltaLog(folder / EVENTS_FOLDER), DeltaLog(folder / REJECTS_FOLDER)
        self._whole_until = -math.inf

    def progress(self) -> Mapping[Partition, Progress]:
        """How far the events are with each partition.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with self._lock:
            return self._progress()

    def _progress(self) -> Mapping[Partition, Progress]:
        self._events.refresh()
        return progress(self._events)

    def sums(self) -> Sums:
        """The counts, of one moment.

        Events first: each reject up to the position they show was committed
        before it, and none of those is ever taken out.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with self._lock:
            return self._sums()

    def _sums(self) -> Sums:
        reached = self._progress()
        self._rejects.refresh()
        for _ in range(ATTEMPTS):
            if again.pending(self._events, self._rejects) >= 0 and not swap_note.is_ahead(self._events, self._rejects):
                break
            reached = self._progress()  # a replay came between the two looks
            self._rejects.refresh()
        damaged = self._damaged()
        return Sums(
            progress=reached,
            in_lake=self._events.rows(damaged),
            rejected=self._rejected(reached, damaged),
            outcomes=sum(each.outcomes for each in reached.values()) + again.counted(self._rejects, again.OUTCOMES),
            withheld=sum(each.withheld for each in reached.values()),
            removed=sum(each.removed for each in reached.values()) + again.counted(self._rejects, again.REMOVED),
            missed=sum(count for name, count in self._events.transactions.items() if name.endswith(MISSED)),
            damaged=[*damaged.values()],
        )

    def _damaged(self) -> Mapping[DataFile, Place]:
        """The files of both tables that are not whole, and where they should be."""
        if self._clock.monotonic() < self._whole_until:
            return {}
        found = {file: log.folder / file.name for log in (self._events, self._rejects) for file in log.damaged()}
        if not found:
            self._whole_until = self._clock.monotonic() + LOOK_AGAIN
        return found

    def _rejected(self, reached: Mapping[Partition, Progress], damaged: Container[DataFile]) -> int:
        """The rejects at or below the positions reached, without those that a replay is just making events of."""
        everywhere = {name: reached.get(name, NOTHING) for name in again.partitions(self._rejects)}
        with durable.reported("read the rejects"):
            above_them = files_above(self._rejects, everywhere, damaged)
            rows = self._rejects.rows(damaged) - sum(above_them.values())
        return rows - max(0, again.pending(self._events, self._rejects)) - swap_note.fewer(self._events, self._rejects)

    def set_aside(self) -> Sequence[Path]:
        """The folders of what recoveries put out of the way, oldest first.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        folders = [log.folder for log in (self._events, self._rejects)]
        with durable.reported("read the lake"):
            return sorted(path for each in folders if isinstance(each, Path) for path in (each / BROKEN).glob("*"))


def progress(log: DeltaLog) -> dict[Partition, Progress]:
    """How far a table is with each partition, from its application transactions."""
    versions = log.transactions
    partitions = (name for name in versions if f"{name}/{COUNTS[0]}" in versions)
    return {
        name: Progress(versions[name], *(versions.get(f"{name}/{count}", 0) for count in COUNTS)) for name in partitions
    }


def files_above(
    log: DeltaLog, reached: Mapping[Partition, Progress], without: Container[DataFile] = ()
) -> dict[DataFile, int]:
    """The files with rows above the positions reached, and how many each has.

    Reads a file only if the log itself is above them: after a crash, and for a moment in every write.
    """
    floors = {name: each.position for name, each in reached.items() if log.transactions.get(name, 0) > each.position}
    if not floors:
        return {}
    files = [file for file in log.files.values() if file not in without and _may(file, floors)]
    counts = {file: _count_above(log.folder / file.name, floors) for file in files}
    return {file: count for file, count in counts.items() if count}


def _may(file: DataFile, floors: Mapping[Partition, Position]) -> bool:
    """Whether a file's statistics leave room for rows above the floors."""
    statistics = file.statistics()
    least, most = statistics.get("minValues", {}), statistics.get("maxValues", {})
    if not least.keys() & most.keys() >= {"partition", "position"}:
        return True
    return any(
        least["partition"] <= partition <= most["partition"] and most["position"] > floor
        for partition, floor in floors.items()
    )


def _count_above(path: Place, floors: Mapping[Partition, Position]) -> int:
    rows = place.parquet(path).read(columns=["partition", "position"])
    return rows.filter(above_floor(rows, floors)).num_rows
