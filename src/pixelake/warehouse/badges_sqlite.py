"""What badges show: how often the badge of each site was loaded, ever; on SQLite.

A load is an event ``badge`` of the site that is people's (`of_people`). It is
no person: an image proxy such as GitHub's stands for all who look, and none of
them has a visitor id of their own. The lake says the same::

    select site, count(*) from events
    where event = 'badge' and method <> 'HEAD' and bot is not true and duplicate is not true
      and prefetch is not true and coalesce(proxy, '') not in ('scanner', 'prefetch-proxy')
    group by 1

but for what was erased or has expired there: a badge does not count backwards.

Counts and positions move in one transaction, so that a replay counts nothing
twice. What is missing between two of them is taken from the lake. So the file
may be deleted, and a damaged one is set aside: it is made again.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pixelake.clock import SYSTEM
from pixelake.errors import WarehouseError
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import durable, place, sqlite_file
from pixelake.warehouse.base import EVENTS, Outcome
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DeltaLog
from pixelake.warehouse.fresh import above, rows_above
from pixelake.warehouse.people import of_people
from pixelake.warehouse.place import Place
from pixelake.warehouse.sums import progress

SCHEMA: Final = """
create table if not exists badges (
  site text primary key, count integer not null
) strict, without rowid;
create table if not exists positions (
  partition text primary key, position integer not null
) strict, without rowid
"""
_EVENT: Final = "badge"
_COLUMNS: Final = ("partition", "position", "site", "event", "method", "bot", "duplicate", "prefetch", "proxy")


class Loads(NamedTuple):
    """How often each site's badge was loaded, up to these positions."""

    counts: Mapping[str, int]
    positions: Mapping[Partition, Position]


class BadgeStore:
    """The counts, open for writing: a `pixelake.warehouse.base.Sink`. One thread.

    Every site counts, also one without a badge: so a badge that is given later
    tells of the loads before. A row of some 30 bytes a site, each of which has
    at least one in the lake.

    Args:
        path: the SQLite file; made if it is not there, set aside if it is damaged.
        lake: the folder of the lake that makes up for what is missing; without one, nothing does.

    Raises:
        WarehouseError: the file cannot be opened.
    """

    def __init__(self, path: Path, lake: Place | None = None) -> None:
        self._path = path
        self._lake = lake
        self._connection = _open(path)

    def close(self) -> None:
        """Let the file go. May never be called."""
        self._connection.close()

    def catch_up(self) -> None:
        """Add what the lake has above the stored positions; after that they are not below the lake's.

        Raises:
            LakeUnavailable: the lake cannot be read. Nothing was added.
            WarehouseError: it is not known to be added; repeat the call.
        """
        stored = self.positions()
        loads = loads_of(self._lake, stored) if self._lake else Loads({}, {})
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            if self.positions() == stored:  # else another process was faster
                self._add(loads)

    def positions(self) -> Mapping[Partition, Position]:
        """The position of each partition this store has ever written.

        Raises:
            WarehouseError: it cannot be read.
        """
        with sqlite_file.reported(self._path):
            return dict(self._connection.execute("select partition, position from positions"))

    def write(self, outcome: Outcome) -> None:
        """Count the loads above the stored positions, in one transaction; what is missing before them, the lake has.

        Raises:
            WarehouseError: it is not known to be written; repeat the call.
        """
        stored = self.positions()
        if any(first > stored.get(name, 0) + 1 for name, first in outcome.first.items()):
            self.catch_up()
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            fresh = above(outcome, self.positions())
            if fresh.positions:
                self._add(Loads(_count(fresh.events), fresh.positions))

    def hide(self, is_meant: Callable[[Sequence[str]], Sequence[bool]]) -> int:
        """Forget the counts of sites that are meant by their names, and leave no byte of them; returns how many.

        Raises:
            WarehouseError: it is not known to be done; repeat the call.
        """
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            known = [site for (site,) in self._connection.execute("select site from badges")]
            meant = [(site,) for site, there in zip(known, is_meant(known), strict=True) if there]
            self._connection.executemany("delete from badges where site = ?", meant)
        if meant:
            sqlite_file.scrub(self._path, self._connection)
        return len(meant)

    def _add(self, loads: Loads) -> None:
        self._connection.executemany(
            "insert into badges values (?, ?) on conflict do update set count = count + excluded.count",
            loads.counts.items(),
        )
        self._connection.executemany("insert or replace into positions values (?, ?)", loads.positions.items())


def _open(path: Path) -> sqlite3.Connection:
    """The file, whole: a damaged one is set aside and begun anew.

    Raises:
        WarehouseError: it cannot be opened.
    """
    try:
        return _whole(path)
    except WarehouseError as error:
        if not sqlite_file.is_damage(error.__cause__):
            raise
        broken = path.with_name(f"{path.name}.broken-{SYSTEM.now()}")
        structlog.get_logger().warning(
            "set aside the damaged counts of badges; they are made again from the lake",
            error=str(error),
            file=str(broken),
        )
    with sqlite_file.reported(path):
        for suffix in ("-shm", "-wal", ""):  # the file last: a log that is left behind would become part of the new one
            if (part := path.with_name(path.name + suffix)).exists():
                part.rename(broken.with_name(broken.name + suffix))
    return sqlite_file.connect(path, SCHEMA)


def _whole(path: Path) -> sqlite3.Connection:
    """The file, looked through: a row of some 30 bytes a site."""
    connection = sqlite_file.connect(path, SCHEMA)
    try:
        with sqlite_file.reported(path):
            _check(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection) -> None:
    (found,) = connection.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def counts(path: Path, sites: Iterable[str]) -> Mapping[str, int]:
    """The counts of these sites, beside the store's writer; 0 where nothing was counted.

    Raises:
        WarehouseError: it cannot be read.
    """
    with sqlite_file.reported(path), closing(sqlite_file.connect_to_read(path)) as connection:
        query = "select count from badges where site = ?"
        rows = {site: connection.execute(query, (site,)).fetchone() for site in sites}
    return {site: row[0] if row else 0 for site, row in rows.items()}


def loads_of(lake: Place, stored: Mapping[Partition, Position]) -> Loads:
    """The loads that a lake has above the stored positions, and its positions above them. Nothing if there is no lake.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    reached = {name: each.position for name, each in progress(log).items() if each.position > stored.get(name, 0)}
    if not reached:
        return Loads({}, {})
    floors = {name: stored.get(name, 0) for name in reached}
    files = [log.folder / name for name in sorted(file.name for file in log.files.values())]
    schema = pa.schema([EVENTS.field(name) for name in _COLUMNS])
    found: Counter[str] = Counter()
    with durable.reported("count the badges of the lake"):
        of_badges: Any = (pc.field("event") == _EVENT) & pc.field("partition").isin(list(floors))
        for batch in place.scan(files, _COLUMNS, schema, of_badges):
            found.update(_count(rows_above(pa.Table.from_batches([batch]), floors)))
    return Loads(found, reached)


def _count(events: pa.Table) -> dict[str, int]:
    """The loads among these events, by site."""
    badges = events.filter(pc.equal(events["event"], pa.scalar(_EVENT)))
    counted: Any = pc.value_counts(badges.filter(of_people(badges))["site"])
    return {each["values"]: each["counts"] for each in counted.to_pylist()}
