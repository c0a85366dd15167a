"""The live store on SQLite: the last events and counters by the minute, with a TTL.

Made for screens: it forgets, and may be deleted; the lake does not need it.
Counters and positions move in one transaction, so that a replay counts nothing
twice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import sqlite_file
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.fresh import above
from pixelake.warehouse.people import known, of_people

MINUTE: Final = 60 * SECOND
MOST_EVENTS: Final = 100_000
"""Events that are kept at most; some 600 bytes each."""

STEP: Final = 1_000
"""Rows that a write forgets at least, so that no write takes long."""

COLUMNS: Final = (
    "hit_id",
    "received_at",
    "site",
    "event",
    "url",
    "host",
    "path",
    "title",
    "referrer",
    "referrer_host",
    "channel",
    "visitor_id",
    "country",
    "user_agent",
    "browser",
    "os",
    "device",
    "bot",
    "bot_name",
    "proxy",
    "prefetch",
    "duplicate",
    "method",
)
"""What a screen needs of an event."""

SCHEMA: Final = """
create table if not exists events (
  cursor integer primary key autoincrement,
  hit_id text not null unique,
  received_at integer not null,
  site text not null,
  person text,
  is_person integer not null,
  event text not null
) strict;
create index if not exists events_by_time on events (received_at);
create index if not exists events_by_site on events (site);
create table if not exists earlier (
  visitor_id text primary key, visitor_before text not null, received_at integer not null
) strict, without rowid;
create index if not exists earlier_by_time on earlier (received_at);
create table if not exists minutes (
  site text not null, minute integer not null, name text not null, count integer not null,
  primary key (minute, site, name)
) strict, without rowid;
create table if not exists positions (
  partition text primary key, position integer not null
) strict, without rowid
"""


class Recent(NamedTuple):
    """A recent event: its place in the live store, and its `COLUMNS`; times in microseconds UTC."""

    cursor: int
    event: Mapping[str, Any]


class Minute(NamedTuple):
    """A count of one minute. ``minute`` is its start, in microseconds UTC.

    ``name`` is ``hits``, ``views``, ``bots``, ``duplicates`` or ``rejects`` (of
    no site: ``""``); views are people's.
    """

    site: str
    minute: int
    name: str
    number: int


class Now(NamedTuple):
    """Who is here: distinct people, and their hits."""

    visitors: int
    hits: int


class LiveStore:
    """The live store, open for writing: a `pixelake.warehouse.base.Sink`. One thread.

    Args:
        path: the SQLite file; made if it is not there.
        retention: seconds after which an event and a counter are forgotten.
        most_events: events that are kept at most.
        clock: the time.
    """

    def __init__(
        self, path: Path, retention: float = 604_800.0, most_events: int = MOST_EVENTS, clock: Clock = SYSTEM
    ) -> None:
        self._path, self._retention, self._most, self._clock = path, int(retention * SECOND), most_events, clock
        self._connection = sqlite_file.connect(path, SCHEMA)

    def close(self) -> None:
        """Let the file go. May never be called."""
        self._connection.close()

    def positions(self) -> Mapping[Partition, Position]:
        """The position of each partition this store has ever written.

        Raises:
            WarehouseError: it cannot be read.
        """
        with sqlite_file.reported(self._path):
            return dict(self._connection.execute("select partition, position from positions"))

    def write(self, outcome: Outcome) -> None:
        """Count the outcomes above the stored positions and keep the newest events, in one transaction.

        Raises:
            WarehouseError: it is not known to be written; repeat the call.
        """
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            fresh = above(outcome, self.positions())
            if not fresh.positions:
                return
            self._keep(fresh.events)
            self._count(fresh)
            self._connection.executemany("insert or replace into positions values (?, ?)", fresh.positions.items())
            self._forget(max(STEP, 2 * fresh.events.num_rows))

    def _keep(self, events: pa.Table) -> None:
        newest = events.slice(max(0, events.num_rows - self._most))
        persons = pc.coalesce(newest["user_id"], newest["visitor_id"]).to_pylist()
        rows = _shown(newest).to_pylist()
        self._connection.executemany(
            "insert or ignore into events (hit_id, received_at, site, person, is_person, event)"
            " values (?, ?, ?, ?, ?, ?)",
            (
                (row["hit_id"], row["received_at"], row["site"], person, is_person, _JSON.encode(row).decode())
                for row, person, is_person in zip(rows, persons, of_people(newest).to_pylist(), strict=True)
            ),
        )

        self._connection.executemany(
            "insert or replace into earlier (visitor_id, visitor_before, received_at) values (?, ?, ?)",
            _across_midnight(newest),
        )

    def _count(self, fresh: Outcome) -> None:
        counts = Counter(dict(_minutes(fresh.events)))
        for minute, count in _by_minute(fresh.rejects, ()).items():
            counts["", minute, "rejects"] += count
        self._connection.executemany(
            "insert into minutes (site, minute, name, count) values (?, ?, ?, ?)"
            " on conflict do update set count = count + excluded.count",
            ((*key, count) for key, count in counts.items()),
        )

    def _forget(self, most: int) -> None:
        """Forget what is too old or too much, `most` rows of each."""
        oldest = self._clock.now() - self._retention
        self._connection.execute(
            "delete from events where cursor in"
            " (select cursor from events where received_at < ? order by received_at limit ?)",
            (oldest, most),
        )
        self._connection.execute(
            "delete from events where cursor in (select cursor from events order by cursor limit"
            " min(?, max(0, (select count(*) from events) - ?)))",
            (most, self._most),
        )
        self._connection.execute(
            "delete from earlier where visitor_id in (select visitor_id from earlier where received_at < ? limit ?)",
            (oldest, most),
        )
        self._connection.execute(
            "delete from minutes where (minute, site, name) in"
            " (select minute, site, name from minutes where minute < ? limit ?)",
            (oldest - MINUTE, most),
        )


_JSON: Final = msgspec.json.Encoder()


def _shown(events: pa.Table) -> pa.Table:
    """The columns for a screen; the time in microseconds."""
    shown = events.select(list(COLUMNS))
    return shown.set_column(COLUMNS.index("received_at"), "received_at", shown["received_at"].cast(pa.int64()))


def _across_midnight(events: pa.Table) -> Iterator[tuple[str, str, int]]:
    """Who the visitors of a day's first minutes were on the day before, and when that was said (microseconds)."""
    told = events.filter(pc.and_(pc.is_valid(events["visitor_before"]), pc.is_valid(events["visitor_id"])))
    columns: Any = told["visitor_id"], told["visitor_before"], told["received_at"].cast(pa.int64())
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _minutes(events: pa.Table) -> Iterator[tuple[tuple[str, int, str], int]]:
    """The counts of events by site, minute and name."""
    views = pc.and_(of_people(events), pc.equal(events["event"], pa.scalar("pageview")))
    named = {"hits": None, "views": views, "bots": known(events, "bot"), "duplicates": known(events, "duplicate")}
    for name, chosen in named.items():
        rows = events if chosen is None else events.filter(chosen)
        for (site, minute), count in _by_minute(rows, ("site",)).items():
            yield (site, minute, name), count


def _by_minute(rows: pa.Table, keys: Sequence[str]) -> dict[Any, int]:
    """Rows by the start of their minute; by `keys` and that, if there are any."""
    micros: Any = rows["received_at"].cast(pa.int64())
    minute = pc.multiply(pc.divide(micros, MINUTE), MINUTE)
    counted = (
        rows.select(list(keys))
        .append_column("minute", minute)
        .group_by([*keys, "minute"])
        .aggregate([([], "count_all")])
    )
    columns = [counted[name].to_pylist() for name in (*keys, "minute")]
    counts: Any = counted["count_all"]
    return dict(zip(zip(*columns, strict=True) if keys else columns[0], counts.to_pylist(), strict=True))


class LiveReader:
    """Looks at a live store: beside its writer, without one, and before there is one. Changes nothing.

    Any thread, one at a time.
    """

    def __init__(self, path: Path, clock: Clock = SYSTEM) -> None:
        self._path, self._clock = path, clock

    def after(self, cursor: int, limit: int) -> list[Recent]:
        """The newest `limit` events behind `cursor`, oldest first.

        A cursor stays good when events are forgotten; one from a store that was
        wiped since starts anew.

        Raises:
            WarehouseError: it cannot be read.
        """
        sql = """
            select cursor, event from events where cursor >
            (select case when ? > coalesce(max(seq), 0) then 0 else ? end from sqlite_sequence where name = 'events')
            order by cursor desc limit ?"""
        return self._recent(sql, (cursor, cursor, limit))[::-1]

    def newest(self, limit: int, site: str | None = None) -> list[Recent]:
        """The newest events, newest first.

        Raises:
            WarehouseError: it cannot be read.
        """
        if site is None:
            return self._recent("select cursor, event from events order by cursor desc limit ?", (limit,))
        return self._recent(
            "select cursor, event from events where site = ? order by cursor desc limit ?", (site, limit)
        )

    def minutes(self, since: int, site: str | None = None) -> list[Minute]:
        """The counts of each minute from the one that `since` (microseconds UTC) is in, oldest first.

        Raises:
            WarehouseError: it cannot be read.
        """
        sql = """
            select site, minute, name, count from minutes where minute >= ?1 and site = coalesce(?2, site)
            order by minute, site, name"""
        return [Minute(*row) for row in self._select(sql, (since // MINUTE * MINUTE, site))]

    def now(self, window_seconds: float, site: str | None = None) -> Now:
        """The people of the last seconds. Who has no visitor id is in the hits only.

        Who is here before and after midnight, and gets another visitor id by it, is still one.

        Raises:
            WarehouseError: it cannot be read.
        """
        sql = """
            select count(distinct coalesce(visitor_before, person)), count(*)
            from events left join earlier on earlier.visitor_id = person
            where events.received_at > ?1 and is_person and site = coalesce(?2, site)"""
        rows = self._select(sql, (self._clock.now() - int(window_seconds * SECOND), site))
        return Now(*rows[0]) if rows else Now(0, 0)

    def _recent(self, sql: str, parameters: Sequence[Any]) -> list[Recent]:
        return [Recent(cursor, msgspec.json.decode(event)) for cursor, event in self._select(sql, parameters)]

    def _select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows, none if there is no store yet. A connection a call (0.1 ms), because the file may be replaced."""
        if not self._path.exists():
            return []
        with sqlite_file.reported(self._path), closing(sqlite_file.connect_to_read(self._path)) as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'earlier'").fetchone():
                return []
            return connection.execute(sql, parameters).fetchall()
