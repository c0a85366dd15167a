"""Makes roll-ups: counts days that are over, mends those that changed, joins months.

One process at a time (`pixelake.warehouse.vacuum.maintaining`). It may be cut
short at any moment: a file counts once the list names it, and the list is
exchanged as a whole.
"""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Final

import duckdb

from pixelake.clock import SECOND, SYSTEM
from pixelake.clock import Clock as Now
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import asking, durable, place
from pixelake.warehouse.asking import Clocks
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup import manifest
from pixelake.warehouse.rollup.definition import counted, definition, keys, sums
from pixelake.warehouse.rollup.kept import Keeping, entry_sum, window
from pixelake.warehouse.rollup.manifest import Day, Manifest, Unit
from pixelake.warehouse.snapshot import Snapshot, literal
from pixelake.warehouse.trail import NEEDED, Scope, kept, relations, trail
from pixelake.warehouse.zones import DAY, STEPS, Clock, Zones

LATE: Final = timedelta(minutes=10)
"""Hits may be so late in the lake: what is later makes a day be counted again."""
GRACE: Final = 600.0
"""Seconds that files stay which no list names any more: somebody may be reading them."""
SAVE_EVERY: Final = 20
"""Days between two lists: so much is counted again after a crash."""

Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Built:
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
        spill: folder for what does not fit, and for files that are made for an object store.
        clock: tells which days are over.
    """

    def __init__(
        self, lake: Place, clocks: Clocks, memory: str = "512MB", spill: Path | None = None, clock: Now = SYSTEM
    ) -> None:
        self._lake, self._clocks, self._memory, self._now = place.absolute(lake), clocks, memory, clock
        self._spill = spill or Path(tempfile.gettempdir())
        self._folder = self._lake / manifest.FOLDER
        self._logs = {name: DeltaLog(self._lake / name) for name in (EVENTS_FOLDER, REJECTS_FOLDER)}
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
            self._sweep(list_, 0.0)
        return dropped

    def run(self, told: Told = lambda *_: None, seconds: float = float("inf"), *, anew: bool = False) -> Built:
        """Count what is over and not counted yet, the newest first.

        Args:
            told: hears how many days are done, and how many there are.
            seconds: after so long no further day is begun.
            anew: count everything again.

        Raises:
            LakeUnavailable: the lake cannot be read, or the roll-ups not be written.
        """
        began = self._now.monotonic()
        with durable.reported("make roll-ups"):
            list_, dropped = self._held()
            if anew:
                dropped += sum(len(unit.days) + len(unit.months) for unit in list_.units)
                list_.units = []
            standing = Snapshot(self._logs, None, _Nothing())
            todo = list(self._lacking(list_, standing))
            done = months = 0
            with self._database() as database:
                for clock, sites, day in todo:
                    if self._now.monotonic() - began > seconds:
                        break
                    unit = _unit(list_, clock.zones)
                    unit.days[day.isoformat()] = self._count(database, standing, clock, sites, day)
                    done += 1
                    told(done, len(todo))
                    if not done % SAVE_EVERY:
                        self._save(list_)
                for unit in list_.units:
                    for first in _whole_months(unit):
                        unit.months[first.isoformat()] = self._join(database, unit, first)
                        months += 1
            if done or months or dropped or list_.version != self._version():
                self._save(list_)
            self._sweep(list_, GRACE)
        return Built(done, months, dropped, len(todo) - done)

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
        old, held = manifest.read(self._folder), self._keeping.at(log)
        before = sum(len(unit.days) + len(unit.months) for unit in old.units) if old else 0
        if old and held.clocks == clocks:
            for unit in old.units:
                zones = unit.zones
                days = {day: files for day, files in unit.days.items() if held.cube(zones, _date(day)) is not None}
                months = {first: name for first, name in unit.months.items() if held.month(zones, _date(first))}
                new.units.append(Unit(zones, days, months))
        return new, before - sum(len(unit.days) + len(unit.months) for unit in new.units)

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

    # --- counting

    @contextlib.contextmanager
    def _database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        folder = Path(tempfile.mkdtemp(prefix="rollup-", dir=_made(self._spill)))
        try:
            with duckdb.connect() as database:
                if not isinstance(self._lake, Path):
                    database.register_filesystem(self._lake.filesystem)
                for name, value in {
                    "memory_limit": self._memory,
                    "threads": 1,
                    "temp_directory": str(folder),
                    "TimeZone": "UTC",
                    "preserve_insertion_order": True,
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                }.items():
                    database.execute(f"set global {name} = {literal(value)}")
                yield database
        except duckdb.Error as error:
            raise LakeUnavailable(f"cannot make roll-ups: {str(error).splitlines()[0]}", "look at the disk") from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _count(
        self, database: duckdb.DuckDBPyConnection, standing: Snapshot, clock: Clock, sites: str, day: date
    ) -> Day:
        scope = Scope(clock, sites, day, day)
        first, last = (moment.astimezone(UTC).date() for moment in scope.window)
        events = standing.relation(EVENTS_FOLDER, first, last)
        rows = f"with events as ({events}), whole as ({trail(scope, standing.columns)}) select *, user_id is not null as identified from whole"
        database.execute(f"create or replace temp table trail as {rows}", self._clocks.values(sites))
        try:
            (count,) = database.execute("select count(*) from trail").fetchone() or (0,)
            if not count:
                return Day("", "")
            database.execute(f"create or replace temp table cube ({_declared()})")
            for question, grain in counted():
                self._add(database, question.partial, question.name, grain, clock, scope)
            name = f"day-{day.isoformat()}-{uuid.uuid4().hex}"
            columns = [each for each in NEEDED if each != "identified"]
            ordered = f"with whole as (from trail) {kept(columns)}"
            self._write(
                database,
                f"select * from ({ordered}) order by site, person nulls first, visit, received_at",
                f"{name}.trail.parquet",
                122_880,
            )
            self._write(
                database,
                "select * from cube order by question, grain, site, value, bucket",
                f"{name}.cube.parquet",
                8_192,
            )
            return Day(f"{name}.trail.parquet", f"{name}.cube.parquet")
        finally:
            database.execute("drop table if exists trail")
            database.execute("drop table if exists cube")

    def _add(
        self, database: duckdb.DuckDBPyConnection, partial: str, name: str, grain: str, clock: Clock, scope: Scope
    ) -> None:
        bucket = (
            (lambda found: asking.bucket_sql(clock, scope.start - DAY, scope.end + DAY, STEPS[grain], found[1]))
            if grain
            else (lambda _: "null::timestamptz")
        )
        ctes = ",\n".join(
            f"{each} as ({sql})" for each, sql in relations(scope.start, scope.end, "true", visits=True).items()
        )
        counted_sql = asking.BUCKET.sub(bucket, partial)
        database.execute(
            f"insert into cube by name with {ctes} select *, '{name}' as question, '{grain}' as grain from ({counted_sql})"  # noqa: S608
        )

    def _join(self, database: duckdb.DuckDBPyConnection, unit: Unit, first: date) -> str:
        files = [unit.days[day.isoformat()].cube for day in _days_of(first) if unit.days[day.isoformat()].cube]
        if not files:
            return ""
        paths = [str(self._folder / name) for name in files]
        by = [name for name in keys() if name != "local_day"]
        series = ", ".join(f"'{each.question.name}'" for each in counted() if each.question.kind == "series")
        added = ", ".join(f"{how}({name})::{kind} as {name}" for name, (how, kind) in sums().items())
        day = f"if(question in ({series}), local_day, date '{first.isoformat()}')"
        name = f"month-{first.isoformat()}-{uuid.uuid4().hex}.cube.parquet"
        sql = (
            f"select {', '.join(_named(by))}, {day} as local_day, {added} from read_parquet({literal(paths)})"  # noqa: S608
            " group by all order by question, grain, site, value, bucket"
        )
        self._write(database, sql, name, 8_192)
        return name

    # --- files

    def _write(self, database: duckdb.DuckDBPyConnection, sql: str, name: str, rows: int) -> None:
        path = _made(self._spill) / f"{uuid.uuid4().hex}.parquet"
        try:
            database.execute(
                f"copy ({sql}) to {literal(str(path))} (format parquet, compression zstd, row_group_size {rows})"
            )
            self._make_folder()

            def fill(file: IO[bytes]) -> None:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, file)

            durable.write(self._folder / name, fill)
        finally:
            path.unlink(missing_ok=True)

    def _make_folder(self) -> None:
        if isinstance(self._folder, Path):
            durable.make_folder(self._folder, self._folder.parent.parent)

    def _save(self, list_: Manifest) -> None:
        self._make_folder()
        durable.write(self._folder / manifest.MANIFEST, lambda file: file.write(manifest.encode(list_)))

    def _sweep(self, list_: Manifest, age: float) -> None:
        """Remove what the list does not name, and is old enough."""
        named = list_.files() | {manifest.MANIFEST}
        if isinstance(self._folder, Path):
            if self._folder.is_dir():
                now = self._now.now() / SECOND
                for path in self._folder.iterdir():
                    if path.name not in named and (not age or now - path.stat().st_mtime >= age):
                        path.unlink(missing_ok=True)
                durable.sync(self._folder)
            return
        gone = [name for name, found in self._folder.found().items() if name not in named and found.age >= age]
        self._folder.remove(gone)


class _Nothing:
    """No roll-ups: they are made of the lake alone."""

    clocks = ""

    def cube(self, _zones: Zones, _day: date) -> None:
        """None."""

    def month(self, _zones: Zones, _first: date) -> None:
        """None."""

    def trail(self, _zones: Zones, _day: date) -> None:
        """None."""


def _unit(list_: Manifest, zones: Zones) -> Unit:
    found = next((unit for unit in list_.units if unit.zones == zones), None)
    if found is None:
        found = Unit(zones, {}, {})
        list_.units.append(found)
    return found


def _whole_months(unit: Unit) -> list[date]:
    """Months of which each day is counted, and which are not joined yet."""
    firsts = {_date(day).replace(day=1) for day in unit.days}
    return [
        first
        for first in sorted(firsts)
        if first.isoformat() not in unit.months and all(day.isoformat() in unit.days for day in _days_of(first))
    ]


def _days_of(first: date) -> Iterable[date]:
    days = (first + DAY * number for number in range(31))
    return [day for day in days if day.month == first.month]


def _date(text: str) -> date:
    return date.fromisoformat(text)


def _declared() -> str:
    kinds = keys() | {name: kind for name, (_, kind) in sums().items()}
    return ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())


def _named(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
