"""Counts a day, and joins the days of a month: the files of roll-ups are made here."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import EVENTS_FOLDER
from pixelake.warehouse.pieces import BUCKET, bucket_sql, with_ctes
from pixelake.warehouse.place import Place
from pixelake.warehouse.reading import parameters
from pixelake.warehouse.rollup import manifest
from pixelake.warehouse.rollup.definition import Counted, counted, keys, looked_at, slice_of, sums
from pixelake.warehouse.rollup.kept import days_of
from pixelake.warehouse.rollup.manifest import Day, Month, Year
from pixelake.warehouse.snapshot import Snapshot, literal
from pixelake.warehouse.spill import Spill
from pixelake.warehouse.trail import HELD, NEEDED, PEOPLE, Scope, kept, relations, trail_steps
from pixelake.warehouse.zones import DAY, STEPS, Clock

if TYPE_CHECKING:
    import duckdb


class Form(NamedTuple):
    """How rows lie in a file: so many together, so compressed."""

    rows: int
    compression: str


TRAIL_ORDER: Final = "site, person nulls first, visit, received_at"
TRAIL_FORM: Final = Form(61_440, "zstd")
"""How the events of a trail lie in its file."""
SHARE: Final = 40_000
"""So many of them are put in order at once: some 25 MB."""
CUBE_ORDER: Final = "slice, value, bucket, local_day"
CUBE_FORM: Final = Form(8_192, "zstd")
MONTH_FORM: Final = Form(65_536, "lz4_raw")
SUMS_FORM: Final = Form(32_768, "lz4_raw")
"""The same of the sums: a question reads its own alone, but has to look at what is told of every group. Months and
years are read again and again: so they take a quarter less time than with zstd, and 1.4 times the bytes."""


@contextlib.contextmanager
def database(lake: Place, memory: str, spill: Spill) -> "Iterator[duckdb.DuckDBPyConnection]":
    """What counts.

    Raises:
        LakeUnavailable: it cannot read the lake, or has neither memory nor disk for it.
    """
    import duckdb  # noqa: PLC0415 - the consumer knows of roll-ups and never makes one: it need not hold 50 MB for them

    options = {
        "memory_limit": memory,
        "threads": 1,
        "temp_directory": str(spill.place),
        "max_temp_directory_size": f"{spill.most}B",
        "TimeZone": "UTC",
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    try:
        with duckdb.connect() as opened:
            if not isinstance(lake, Path):
                opened.register_filesystem(lake.filesystem)
            for name, value in options.items():
                opened.execute(f"set global {name} = {literal(value)}")
            yield opened
    except duckdb.Error as error:
        raise LakeUnavailable(f"cannot make roll-ups: {str(error).splitlines()[0]}", "look at the disk") from None


class Counting:
    """Makes files in the folder of the roll-ups.

    Args:
        opened: see `database`.
        folder: where the files go.
        spill: the folder in which they are made before.
        clocks: of the sites.
        standing: the lake.
    """

    def __init__(
        self, opened: "duckdb.DuckDBPyConnection", folder: Place, spill: Spill, clocks: Clocks, standing: Snapshot
    ) -> None:
        self._database, self._folder, self._spill = opened, folder, spill.place.parent
        self._clocks, self._standing = clocks, standing

    def day(self, clock: Clock, sites: str, day: date) -> Day:
        """The files of a local day; of empty names if nothing happened on it.

        Args:
            clock: of these sites.
            sites: SQL that is true of them.
            day: which.
        """
        scope = Scope(clock, sites, day, day)
        first, last = (moment.astimezone(UTC).date() for moment in scope.window)
        if not self._standing.has_files(EVENTS_FOLDER, first, last):
            return Day("", "")
        try:
            if not self._read(scope, first, last):
                return Day("", "")
            self._database.execute(f"create or replace temp table cube ({_declared()})")
            for each in counted():
                self._add(each, scope)
            self._keep()
            for name in ("trail", "visits", "people"):
                self._database.execute(f"drop table {name}")
            return Day(
                self._write("from kept", f"day-{day}.trail", TRAIL_FORM),
                self._write(f"from cube order by {CUBE_ORDER}", f"day-{day}.cube", CUBE_FORM),
            )
        finally:
            for name in ("everything", "hits", "unfiltered", "visiting"):
                self._database.execute(f"drop view if exists {name}")
            for name in (*HELD, "visits", "cube", "kept", "people"):
                self._database.execute(f"drop table if exists {name}")

    def _read(self, scope: Scope, first: date, last: date) -> int:
        """Make the relations that questions read; return how many rows there are."""
        columns = [name for name in self._standing.columns if name in looked_at()]
        ctes = {"events": self._standing.relation(EVENTS_FOLDER, first, last)}
        for name, sql in trail_steps(scope, columns).items():
            if name in HELD:  # what is needed for one is let go before the next
                self._table(name, f"with {with_ctes(ctes)} {sql}" if ctes else sql, self._clocks.values(scope.sites))
                ctes = {}
            else:
                ctes[name] = sql
        for name in HELD[:-1]:
            self._database.execute(f"drop table {name}")
        for name, sql in relations(scope.start, scope.end, "true", visits=True).items():
            kind = "table" if name == "visits" else "view"
            self._database.execute(f"create or replace temp {kind} {name} as {sql}")
        return int((self._database.execute("select count(*) from trail").fetchone() or (0,))[0])

    def _table(self, name: str, sql: str, values: Mapping[str, Any]) -> None:
        there = parameters(sql)
        given = {each: value for each, value in values.items() if each in there}
        self._database.execute(f"create or replace temp table {name} as {sql}", given)

    def _keep(self) -> None:
        """Make a table ``kept`` of the trail, in the order of its file; some sites after the other."""
        self._database.execute(f"create or replace temp table people as {PEOPLE}")
        for at, some in enumerate(self._shares()):
            sql = f"select * from (with whole as (from trail where {some}) {kept(NEEDED)}) order by {TRAIL_ORDER}"  # noqa: S608
            self._database.execute(f"insert into kept {sql}" if at else f"create or replace temp table kept as {sql}")

    def _shares(self) -> list[str]:
        """SQL that is true of a part of the trail, each: whole people, of not too many events."""
        sql = "select site, count(*) from trail group by site order by site"
        shares, first, rows = list[str](), "", 0
        for site, count in self._database.execute(sql).fetchall():
            if first and rows + count > SHARE:
                shares.append(f"site >= {literal(first)} and site < {literal(site)}")
                first, rows = "", 0
            first, rows, last = first or site, rows + count, site
            if rows > SHARE:
                parts = rows // SHARE + 1
                own = f"site >= {literal(first)} and site <= {literal(last)}"
                shares += [f"{own} and coalesce(hash(person) % {parts}, 0) = {part}" for part in range(parts)]
                first, rows = "", 0
        return [*shares, f"site >= {literal(first)} and site <= {literal(last)}"] if first else shares

    def _add(self, each: Counted, scope: Scope) -> None:
        """Count for one question."""

        def bucket(column: str) -> str:
            if not each.grain:
                return "null::timestamptz"
            return bucket_sql(scope.clock, scope.start - DAY, scope.end + DAY, STEPS[each.grain], column)

        sql = BUCKET.sub(lambda found: bucket(found[1]), each.question.partial)
        prefix = slice_of(each.question.name, each.grain, "")
        named = f"'{prefix}' || site as slice, '{each.question.name}' as question, '{each.grain}' as grain"
        self._database.execute(f"insert into cube by name select *, {named} from ({sql})")  # noqa: S608

    def month(self, first: date, names: Mapping[date, str]) -> Month:
        """The files of a month, of the files of days: their sums as they are, and those of the month if it is whole.

        Args:
            first: of the month.
            names: some of its days -> their files; empty names: nothing happened.
        """
        days = [day.day for day in names]
        paths = [str(self._folder / name) for name in names.values() if name]
        if not paths:
            return Month("", days)
        sql = f"from read_parquet({literal(paths)})"
        cube = self._write(f"{sql} order by {CUBE_ORDER}", f"month-{first}.cube", MONTH_FORM)
        if len(days) != len(days_of(first)):
            return Month(cube, days)
        by = ", ".join(f'"{name}"' for name in keys() if name != "local_day")
        series = ", ".join(f"'{each.question.name}'" for each in counted() if each.question.kind == "series")
        added = ", ".join(f'{how}("{name}")::{kind} as "{name}"' for name, (how, kind) in sums().items())
        whole = (
            f"with days as ({sql}) from days where question in ({series}) and grain = '' union all by name"  # noqa: S608
            f" select {by}, date '{first}' as local_day, {added} from days"
            f" where question not in ({series}) group by all"
        )
        return Month(cube, days, self._write(f"from ({whole}) order by {CUBE_ORDER}", f"month-{first}.sums", SUMS_FORM))

    def year(self, first: date, names: Sequence[str]) -> Year:
        """The file of a year, of the files with the sums of some of its months."""
        paths = [str(self._folder / name) for name in names]
        sql = f"from read_parquet({literal(paths)}) order by {CUBE_ORDER}"
        return Year(self._write(sql, f"year-{first}.sums", SUMS_FORM), list(names))

    def _write(self, sql: str, kind: str, form: Form) -> str:
        """Make a file of an answer, durably; its name."""
        path = self._spill / f"{uuid.uuid4().hex}.parquet"
        options = f"format parquet, compression {form.compression}, row_group_size {form.rows}"
        try:
            self._database.execute(f"copy ({sql}) to {literal(str(path))} ({options})")
            name = manifest.file_name(kind, path.stat().st_size)

            def fill(file: IO[bytes]) -> None:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, file)

            make_folder(self._folder)
            durable.write(self._folder / name, fill)
            return name
        finally:
            path.unlink(missing_ok=True)


def make_folder(folder: Place) -> None:
    """Make the folder of the roll-ups in that of the lake, durably."""
    if isinstance(folder, Path):
        durable.make_folder(folder, folder.parent.parent)


def _declared() -> str:
    kinds = keys() | {name: kind for name, (_, kind) in sums().items()}
    return ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
