"""Which roll-ups hold for the version of the lake that is read just now."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import unquote
from zlib import crc32

import msgspec

from pixelake.warehouse import place
from pixelake.warehouse.delta_log import UNREADABLE, DeltaLog, parse_entry
from pixelake.warehouse.layout import folder_of, values_of
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup import manifest
from pixelake.warehouse.rollup.definition import definition
from pixelake.warehouse.rollup.manifest import Manifest, Year
from pixelake.warehouse.trail import SILENCE, SLACK, TAIL_HOURS
from pixelake.warehouse.zones import DAY, Clock, Zones


class Touched(NamedTuple):
    """When the rows were received that a version of the lake added or took: first and last."""

    first: datetime
    last: datetime


EVER: Final = Touched(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def window(clock: Clock, day: date) -> tuple[datetime, datetime]:
    """Events received between these two may count for a local day."""
    begun, ended = clock.bounds(day)
    return begun - SILENCE - SLACK, ended + timedelta(hours=TAIL_HOURS) + SLACK


def entry_sum(log: DeltaLog, version: int) -> str:
    """A checksum of an entry of the log; empty if it cannot be read."""
    try:
        return f"{crc32(log.entry(version).read_bytes()):08x}"
    except OSError:
        return ""


def touched(log: DeltaLog, version: int) -> Touched | None:
    """What an entry of the log changed; None: nothing, its files were only written anew.

    Raises:
        One of `UNREADABLE`: it is gone.
    """
    spans = []
    for action in parse_entry(log.entry(version).read_bytes()):
        change = action.get("add") or action.get("remove")
        if change and change.get("dataChange", True):
            spans.append(_span(change))
    return Touched(min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


def _span(change: Mapping[str, Any]) -> Touched:
    """When the rows of a file were received, by its statistics, else by its folder."""
    try:
        told = msgspec.json.decode(change["stats"])
        bounds = [datetime.fromisoformat(told[key]["received_at"]) for key in ("minValues", "maxValues")]
        return Touched(*bounds)
    except (KeyError, TypeError, ValueError):
        pass
    try:
        values = values_of(folder_of(unquote(change["path"])))
        day = date(int(values["year"]), int(values["month"]), int(values["day"]))
        begun = datetime.combine(day, time(int(values.get("hour", 0))), UTC)
    except (KeyError, TypeError, ValueError):
        return EVER
    return Touched(begun, begun + (timedelta(hours=1) if "hour" in values else DAY))


class Held:
    """Roll-ups that hold: a `pixelake.warehouse.reading.Kept`."""

    def __init__(self, folder: Place, found: Manifest | None, changes: tuple[Touched, ...]) -> None:
        self._folder, self._changes = folder, changes
        self._units = {unit.zones: unit for unit in found.units} if found else {}
        self.clocks = found.clocks if found else ""
        self._months: dict[tuple[Zones, date], str | None] = {}

    def _holds(self, zones: Zones, day: date) -> bool:
        if not self._changes:
            return True
        begun, ended = window(Clock(zones), day)
        return not any(change.first <= ended and begun <= change.last for change in self._changes)

    def cube(self, zones: Zones, day: date) -> str | None:
        """The file with the sums of a local day, and perhaps of others; empty if nothing happened on it."""
        found = self._units[zones].days.get(day.isoformat()) if zones in self._units else None
        if found is None or not self._holds(zones, day):
            return None
        month = self._units[zones].months.get(day.replace(day=1).isoformat())
        return self._path(month.cube if month and found.cube and day.day in month.days else found.cube)

    def trail(self, zones: Zones, day: date) -> str | None:
        """The file with the events of a local day and their visits; empty if there are none."""
        found = self._units[zones].days.get(day.isoformat()) if zones in self._units else None
        return self._path(found.trail) if found and self._holds(zones, day) else None

    def month(self, zones: Zones, first: date) -> str | None:
        """The file with the sums of a month that is over, and perhaps of others; empty if nothing happened in it."""
        key = (zones, first)
        if key not in self._months:  # each question asks again
            self._months[key] = self._month(zones, first)
        return self._months[key]

    def _month(self, zones: Zones, first: date) -> str | None:
        found = self._units[zones].months.get(first.isoformat()) if zones in self._units else None
        days = days_of(first)
        if found is None or len(found.days) != len(days) or bool(found.cube) != bool(found.sums):
            return None
        if self._changes and not all(self._holds(zones, day) for day in days):
            return None
        year = self._year(zones, first)
        return self._path(year.sums if year and found.sums in year.of else found.sums)

    def joined(self, zones: Zones, first: date) -> str | None:
        """The file with the sums of a year that has those of a month, whether they hold or not."""
        year = self._year(zones, first)
        if year is None or not any(name.startswith(f"month-{first}.") for name in year.of):
            return None
        return self._path(year.sums)

    def _year(self, zones: Zones, first: date) -> Year | None:
        return self._units[zones].years.get(first.replace(month=1).isoformat()) if zones in self._units else None

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}" if name else ""


def days_of(first: date) -> list[date]:
    """The days of a month, by its first."""
    days = [first + DAY * number for number in range(31)]
    return [day for day in days if day.month == first.month]


def whole(folder: Place) -> Manifest | None:
    """The list, without the days and months of which a file is not there, or not as long as it was made."""
    found = manifest.read(folder)
    if found is None:
        return None
    try:
        there = manifest.sizes(folder)
    except OSError:
        return None
    good = {name for name, size in there.items() if size == manifest.size_of(name)} | {""}
    for unit in found.units:
        unit.days = {day: files for day, files in unit.days.items() if {files.trail, files.cube} <= good}
        unit.months = {first: month for first, month in unit.months.items() if {month.cube, month.sums} <= good}
        unit.years = {first: year for first, year in unit.years.items() if year.sums in good}
    return found


class Keeping:
    """Looks which roll-ups hold. One thread at a time; `at` reads only what is new."""

    def __init__(self, lake: Place) -> None:
        self.folder = lake / manifest.FOLDER
        self._tag: Any = None
        self._found: Manifest | None = None
        self._known: dict[int, tuple[Any, Touched | None]] = {}
        self._held: tuple[Any, Held] | None = None

    def at(self, log: DeltaLog) -> Held:
        """What holds for the version of the events that `log` shows."""
        tag = place.tag(self.folder / manifest.MANIFEST)
        if tag != self._tag or tag is None:
            self._tag, self._found, self._held = tag, whole(self.folder) if tag else None, None
        key = (log.version, log.metadata.get("id"))
        if self._held and self._held[0] == key:
            return self._held[1]
        changes = self._changes(log)
        held = Held(self.folder, None if changes is None else self._found, tuple(changes or ()))
        self._held = (key, held)
        return held

    def _changes(self, log: DeltaLog) -> list[Touched] | None:
        """What later versions changed; None: it cannot be told, or the list is not for this lake."""
        found = self._found
        if found is None or found.definition != definition() or found.table != log.metadata.get("id"):
            return None
        if found.version > log.version or entry_sum(log, found.version) != found.entry:
            return None
        changes = []
        try:
            for version in range(found.version + 1, log.version + 1):
                tag = place.tag(log.entry(version))
                if self._known.get(version, (None, None))[0] != tag or tag is None:
                    self._known[version] = tag, touched(log, version)
                if change := self._known[version][1]:
                    changes.append(change)
        except UNREADABLE:
            return None
        self._known = {version: self._known[version] for version in range(found.version + 1, log.version + 1)}
        return changes
