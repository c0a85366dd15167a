"""Rows that are older than they may be leave the lake, and are counted as removed.

A row's age is told by ``received_at``, in whole days, UTC: with 30 days the rows
of a day go when 30 more days are over, so a row stays 30 to 31 days. Files go as a whole
where all their rows do, unread if their statistics say so; of others the rows
that stay are written anew (`leave`). Rejects have no site: for them there is one age.

A wrong clock must not cost a year of events. So a new day counts only if it is
still there at a look an hour or more after the first (`Note.day_at`), as with
salts. What was done is noted in ``_retained.json`` beside the tables: so most
runs look at no file but the new ones. Without the note all is looked at again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from math import inf
from shutil import copyfileobj
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from pixelake.clock import SECOND
from pixelake.stream.base import Partition
from pixelake.warehouse import durable, leave, place
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.place import Place

NOTE: Final = "_retained.json"
DAY: Final = 86_400 * SECOND
"""Microseconds."""
SECOND_LOOK: Final = 3_600 * SECOND
STEP_FILES: Final = 500
STEP_BYTES: Final = 64 << 20
"""What one commit takes out: files; and bytes of those that are looked into, since what is done is lost if it is cut
short."""
LOOK_ROWS: Final = 65_536


class Ages(msgspec.Struct, frozen=True):
    """How many days rows are kept; 0: for ever.

    Attributes:
        default: of sites without an age of their own.
        sites: those that have one.
    """

    default: int = 0
    sites: dict[str, int] = {}

    def of(self, site: str | None) -> int:
        """The days of a site; None: of those that are not named."""
        return self.default if site is None else self.sites.get(site, self.default)

    @property
    def are_endless(self) -> bool:
        """Whether nothing ever goes."""
        return not self.default and not any(self.sites.values())


class Note(msgspec.Struct):
    """What is known from run to run.

    Attributes:
        day: days since 1970, of the last run.
        next_day: a later one that the clock has shown; -1: none.
        seen: when it was first seen (µs UTC).
        done: the day and ages of the last run that came to its end; -1: none did.
        ages: of that run.
        version: of the events then: younger files have not been looked at.
    """

    day: int = -1
    next_day: int = -1
    seen: int = 0
    done: int = -1
    ages: Ages = Ages()
    version: int = -1

    def day_at(self, now: int) -> int:
        """The day that counts at `now` (µs UTC): a new one only if it is there at a second look; -1: none yet."""
        today = now // DAY
        if today <= self.day:
            self.day, self.next_day = today, -1
        elif self.next_day < 0 or today < self.next_day or now < self.seen:
            self.next_day, self.seen = today, now
        elif now - self.seen >= SECOND_LOOK:
            self.day, self.next_day = self.next_day, -1
            if today > self.day:
                self.next_day, self.seen = today, now
        return self.day


@dataclass(frozen=True, slots=True)
class Due:
    """Which rows go: those received before (µs UTC) the end of their site's age.

    Attributes:
        default: of sites that are not named; -infinity: none go.
        sites: of others.
    """

    default: float
    sites: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def at(cls, day: int, ages: Ages) -> "Due":
        """What goes on a day (since 1970)."""
        ends = {site: _end(day, days) for site, days in ages.sites.items()}
        return cls(_end(day, ages.default), {site: end for site, end in ends.items() if end != _end(day, ages.default)})

    @property
    def latest(self) -> float:
        """A row that is younger stays, whoever's it is."""
        return max((self.default, *self.sites.values()))

    @property
    def earliest(self) -> float:
        """A row that is older goes, whoever's it is."""
        return min((self.default, *self.sites.values()))

    def __call__(self, rows: pa.Table) -> Any:
        """For each of these rows (``received_at``, ``site``) whether it goes."""
        times = rows["received_at"].cast(pa.int64())
        mask = _before(times, self.default)
        named = rows["site"].cast(pa.string())
        ends: dict[float, list[str]] = {}
        for site, end in self.sites.items():
            ends.setdefault(end, []).append(site)
        for end, sites in ends.items():
            theirs = pc.is_in(named, value_set=pa.array(sites, pa.string()))
            mask = pc.if_else(theirs, _before(times, end), mask)
        return mask


def _end(day: int, days: int) -> float:
    return (day - days) * DAY if days and day >= 0 else -inf


def _before(times: Any, end: float) -> Any:
    return pc.less(times, pa.scalar(int(end) if end > -inf else -(1 << 63), pa.int64()))


class Expired(NamedTuple):
    """What one commit shall take out: the files, their successors, and how many rows of each partition go."""

    files: Sequence[DataFile]
    adds: Sequence[AddAction]
    gone: Counter[Partition]


def read(lake: Place) -> Note:
    """What is noted; nothing if it is not there, or damaged.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    with durable.reported(f"read {lake}"):
        try:
            return msgspec.json.decode((lake / NOTE).read_bytes(), type=Note)
        except (FileNotFoundError, ValueError):
            return Note()


def write(lake: Place, note: Note) -> None:
    """Note it, durably.

    Raises:
        LakeUnavailable: the lake cannot be written to.
    """
    content = BytesIO(msgspec.json.encode(note))
    with durable.reported(f"write to {lake}"):
        durable.write(lake / NOTE, lambda file: copyfileobj(content, file))


def candidates(log: DeltaLog, due: Due, note: Note) -> list[DataFile]:
    """The files that may have rows which go now and which the last run has not looked for, oldest first."""
    before = Due.at(note.done, note.ages)
    windows = {(before.default, due.default)}
    windows |= {
        (before.sites.get(site, before.default), due.sites.get(site, due.default))
        for site in {*before.sites, *due.sites}
    }
    windows = {(start, end) for start, end in windows if start < end}
    new = {file.path for file in log.added_since(note.version)}
    found = []
    for file in log.files.values():
        least, most = extent(file)
        is_due = any(least < end and most >= start for start, end in windows)
        if is_due or (file.path in new and least < due.latest):
            found.append((least, file))
    return [file for _, file in sorted(found, key=lambda each: (each[0], each[1].path))]


def extent(file: DataFile) -> tuple[float, float]:
    """When the first and the last of its rows were received (µs UTC), as far as its statistics tell."""
    statistics = file.statistics()
    least, most = (statistics.get(name, {}).get("received_at") for name in ("minValues", "maxValues"))
    return (_time(least), _time(most)) if least and most else (-inf, inf)


def _time(text: str) -> float:
    return (datetime.fromisoformat(text).astimezone(UTC) - _EPOCH).total_seconds() * SECOND


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def steps(table: DeltaWriter, files: Iterable[DataFile], due: Due) -> Iterator[Expired]:
    """What to commit, one after the other; successors are written, durably, and belong to nobody yet.

    Raises:
        LakeUnavailable: a file cannot be read, or the disk is full or broken.
    """
    taken, adds, gone, size = list[DataFile](), list[AddAction](), Counter[Partition](), 0
    for file in files:
        left = _look(table, file, due)
        if left is None:
            continue
        taken.append(file)
        adds += left.adds or ()
        gone += left.gone
        size += file.size * bool(left.adds)
        if len(taken) >= STEP_FILES or size >= STEP_BYTES:
            yield Expired(taken, adds, gone)
            taken, adds, gone, size = [], [], Counter(), 0
    if taken:
        yield Expired(taken, adds, gone)


def _look(table: DeltaWriter, file: DataFile, due: Due) -> leave.Left | None:
    """What becomes of a file; None: it stays as it is."""
    least, most = extent(file)
    if least >= due.latest:
        return None
    if most < due.earliest:
        return leave.Left(file, (), _partitions(table.log, file), frozenset())
    rows, gone = 0, Counter[Partition]()
    for part in _parts(table.log, file, ("received_at", "site", "partition")):
        rows += part.num_rows
        gone.update(_count(part.filter(due(part))))
    if not gone:
        return None
    if gone.total() == rows:
        return leave.Left(file, (), gone, frozenset())
    return leave.rewrite(table, file, due, ("received_at", "site"), named=False)


def _partitions(log: DeltaLog, file: DataFile) -> Counter[Partition]:
    """How many rows each partition has in a file; unread if they are all of one."""
    statistics = file.statistics()
    least, most = (statistics.get(name, {}).get("partition") for name in ("minValues", "maxValues"))
    if least is not None and least == most and statistics.get("numRecords"):
        return Counter({least: statistics["numRecords"]})
    found = Counter[Partition]()
    for part in _parts(log, file, ("partition",)):
        found.update(_count(part))
    return found


def _parts(log: DeltaLog, file: DataFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    path = log.folder / file.name
    with durable.reported(f"read {path}"), place.parquet(path) as source:
        for batch in source.iter_batches(LOOK_ROWS, columns=list(columns)):
            yield pa.Table.from_batches([batch])


def _count(rows: pa.Table) -> dict[Partition, int]:
    counted: Any = pc.value_counts(rows["partition"])
    return {each["values"]: each["counts"] for each in counted.to_pylist()}
