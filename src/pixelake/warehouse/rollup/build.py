"""Makes roll-ups: counts days that are over, mends those that changed, joins months.

One process at a time (`pixelake.warehouse.vacuum.maintaining`). It may be cut
short at any moment: a file counts once the list names it, and the list is
exchanged as a whole.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, takewhile
from pathlib import Path
from typing import IO, Final, NamedTuple, TypeVar

from pixelake.clock import SECOND, SYSTEM
from pixelake.clock import Clock as Now
from pixelake.warehouse import durable, place
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DeltaLog, logs_of
from pixelake.warehouse.place import Place
from pixelake.warehouse.reading import Nothing
from pixelake.warehouse.rollup import manifest
from pixelake.warehouse.rollup.counting import Counting, database, make_folder
from pixelake.warehouse.rollup.definition import definition
from pixelake.warehouse.rollup.kept import Keeping, days_of, entry_sum, whole, window
from pixelake.warehouse.rollup.manifest import Manifest, Month, Unit
from pixelake.warehouse.snapshot import Snapshot
from pixelake.warehouse.spill import Spill
from pixelake.warehouse.zones import DAY, Clock, Zones

LATE: Final = timedelta(minutes=10)
"""Hits may be so late in the lake: what is later makes a day be counted again."""
SAVE_EVERY: Final = 20
"""Days between two lists: so much is counted again after a crash. There is one for each month that was joined, too."""
BEHIND: Final = 50
"""So many versions the list may be behind the lake: it is believed by the log of these, which is cut one day."""

Told = Callable[[int, int], None]
T = TypeVar("T")


class Built(NamedTuple):
    """What was done.

    Attributes:
        days: that were counted.
        months: that were joined.
        dropped: days and months that did not hold any more.
        waiting: days that are still to be counted.
    """

    days: int
    months: int
    dropped: int
    waiting: int


class Builder:
    """Keeps the roll-ups of a lake.

    Args:
        lake: where it lies.
        clocks: the wall clocks of its sites.
        memory: what it may take, as DuckDB writes it.
        spill: folder for what does not fit, and in which files are made.
        clock: tells which days are over.
        logs: of its tables, by name, as somebody saw them before: they are read on.
    """

    def __init__(
        self,
        lake: Place,
        clocks: Clocks,
        memory: str = "512MB",
        spill: Path | None = None,
        clock: Now = SYSTEM,
        *,
        logs: Mapping[str, DeltaLog] | None = None,
    ) -> None:
        self._lake, self._clocks, self._memory, self._now = place.absolute(lake), clocks, memory, clock
        self._spill = spill or Path(tempfile.gettempdir())
        self._folder = self._lake / manifest.FOLDER
        self._logs = logs or logs_of(self._lake)
        self._keeping = Keeping(self._lake)

    # --- what is there, and what lacks

    def prune(self) -> int:
        """Let go of what does not hold any more, durably, and of every file that is not of the list. Returns how much.

        Raises:
            LakeUnavailable: it is not known to be done.
        """
        with durable.reported("mend the roll-ups"):
            if not place.names(self._folder):
                return 0
            list_, dropped = self._held()
            self._save(list_)
            self._remove(self._strays(list_.files()))
        return dropped

    def is_wanted(self) -> bool:
        """Whether there is anything to count or to let go of, or the list is far behind the lake.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with durable.reported("look at the roll-ups"):
            list_, dropped = self._held()
            if dropped or 0 <= self._version() < list_.version - BEHIND:
                return True
            lacks = any(self._lacking(list_, Snapshot(self._logs, None, Nothing())))
            return lacks or bool(_unjoined(list_) or _apart(list_)) or bool(self._strays(list_.files()))

    def run(self, told: Told = lambda *_: None, seconds: float = float("inf"), *, anew: bool = False) -> Built:
        """Count what is over and not counted yet, the newest first.

        Args:
            told: hears how many days are done, and how many there are.
            seconds: after so long no further day is begun, nor month, nor year.
            anew: count everything again.

        Raises:
            LakeUnavailable: the lake cannot be read, or the roll-ups not be written.
        """
        until = self._now.monotonic() + seconds
        with durable.reported("make roll-ups"):
            list_, dropped = self._held()
            old = manifest.read(self._folder)
            if anew:
                dropped += _length(list_)
                list_.units = []
            built = self._count(list_, told, until)._replace(dropped=dropped)
            if list_ != old:
                self._save(list_)
            # whoever asks just now may be reading what the list named up to here
            self._remove(self._strays(list_.files() | (old.files() if old else set())))
        return built

    def _count(self, list_: Manifest, told: Told, until: float) -> Built:
        """Add what lacks to the list, which is saved now and then."""
        standing = Snapshot(self._logs, None, Nothing())
        todo = self._lacking(list_, standing)
        days = months = 0
        with closing(Spill(self._spill)) as spill, database(self._lake, self._memory, spill) as opened:
            counting = Counting(opened, self._folder, spill, self._clocks, standing)
            for clock, sites, day in self._in_time(todo, until):
                _unit(list_, clock.zones).days[day.isoformat()] = counting.day(clock, sites, day)
                days += 1
                told(days, len(todo))
                if not days % SAVE_EVERY:
                    self._save(list_)
            for unit, first, joined in self._in_time(_unjoined(list_), until):
                unit.months[first.isoformat()] = counting.month(
                    first, {day: unit.days[str(day)].cube for day in joined}
                )
                months += 1
                self._save(list_)
            for unit, year, names in self._in_time(_apart(list_), until):
                unit.years[year] = counting.year(_date(year), names)
        return Built(days, months, 0, len(todo) - days)

    def _in_time(self, things: Iterable[T], until: float) -> Iterator[T]:
        """One after the other, none once it is later than that (monotonic)."""
        return takewhile(lambda _: self._now.monotonic() <= until, things)

    def _version(self) -> int:
        found = manifest.read(self._folder)
        return found.version if found else -1

    def _held(self) -> tuple[Manifest, int]:
        """The list of what holds for the newest version of the lake, and how much was dropped for it."""
        for log in self._logs.values():
            log.refresh()
        log = self._logs[EVENTS_FOLDER]
        clocks = self._clocks.name
        new = Manifest(
            manifest.FORMAT, definition(), clocks, log.metadata.get("id", ""), log.version, entry_sum(log, log.version)
        )
        listed, old, held = manifest.read(self._folder), whole(self._folder), self._keeping.at(log)
        if old and held.clocks == clocks:
            for unit in old.units:
                zones = unit.zones
                days = {day: files for day, files in unit.days.items() if held.cube(zones, _date(day)) is not None}
                months = {
                    first: month
                    for first, month in unit.months.items()
                    if all(str(_date(first).replace(day=day)) in days for day in month.days)
                }
                sums = {month.sums for month in months.values()}
                years = {first: year for first, year in unit.years.items() if sums.issuperset(year.of)}
                new.units.append(Unit(zones, days, months, years))
        return new, (_length(listed) if listed else 0) - _length(new)

    def _lacking(self, list_: Manifest, standing: Snapshot) -> list[tuple[Clock, str, date]]:
        span = standing.span
        if span is None:
            return []
        now = datetime.fromtimestamp(self._now.now() / SECOND, UTC) - LATE
        found = []
        for clock, sites in self._clocks.groups():
            unit = next((each for each in list_.units if each.zones == clock.zones), Unit(clock.zones))
            first = clock.date(datetime.combine(span[0], datetime.min.time(), UTC))
            day = min(clock.date(now), clock.date(datetime.combine(span[1] + DAY, datetime.min.time(), UTC)))
            while day >= first:
                if day.isoformat() not in unit.days and window(clock, day)[1] <= now:
                    found.append((clock, sites, day))
                day -= DAY
        return sorted(found, key=lambda each: each[2], reverse=True)

    # --- files

    def _save(self, list_: Manifest) -> None:
        def fill(file: IO[bytes]) -> None:
            file.write(manifest.encode(list_))

        make_folder(self._folder)
        durable.write(self._folder / manifest.MANIFEST, fill)

    def _strays(self, named: set[str]) -> list[str]:
        """The files that are there and not named."""
        return sorted(place.names(self._folder) - named - {manifest.MANIFEST})

    def _remove(self, names: Sequence[str]) -> None:
        if not isinstance(self._folder, Path):
            self._folder.remove(names)
        elif names:
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
            durable.sync(self._folder)


def _length(list_: Manifest) -> int:
    return sum(len(unit.days) + len(unit.months) for unit in list_.units)


def _unit(list_: Manifest, zones: Zones) -> Unit:
    found = next((unit for unit in list_.units if unit.zones == zones), None)
    if found is None:
        found = Unit(zones, {}, {})
        list_.units.append(found)
    return found


def _unjoined(list_: Manifest) -> list[tuple[Unit, date, list[date]]]:
    """Months with other days than their file has: the unit, the first of the month, and the days that are counted."""
    found = []
    for unit in list_.units:
        days = [_date(day) for day in sorted(unit.days)]
        for first, some in groupby(days, key=lambda day: day.replace(day=1)):
            counted, month = list(some), unit.months.get(first.isoformat())
            if len(counted) > 1 and (month is None or not _is_joined(month, first, counted)):
                found.append((unit, first, counted))
    return found


def _apart(list_: Manifest) -> list[tuple[Unit, str, list[str]]]:
    """Years with sums of months that are not in one file: the unit, the first of the year, and their files."""
    found = []
    for unit in list_.units:
        months = sorted((first, month.sums) for first, month in unit.months.items() if month.sums)
        for year, some in groupby(months, key=lambda each: f"{each[0][:4]}-01-01"):
            names, is_there = [name for _, name in some], unit.years.get(year)
            if len(names) > 1 and (is_there is None or is_there.of != names):
                found.append((unit, year, names))
    return found


def _is_joined(month: Month, first: date, counted: Sequence[date]) -> bool:
    is_whole = len(counted) == len(days_of(first))
    return month.days == [day.day for day in counted] and bool(month.sums) == (is_whole and bool(month.cube))


def _date(text: str) -> date:
    return date.fromisoformat(text)
