"""The live store on SQLite: the last events, who is here, counters by the minute and top lists, with a TTL.

Made for screens: it forgets, and may be deleted; the lake does not need it.
Counters and positions move in one transaction, so that a replay counts nothing
twice. Whatever clients send, it is bounded: in events, in sites (`live_sites`)
and in values (`live_lists`).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from pixelake.clock import SECOND, SYSTEM, Careful, Clock
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import live_base, live_leave, live_lists, live_present, live_sites, sqlite_file
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.fresh import above
from pixelake.warehouse.live_base import MINUTE, MOST_EVENTS, NEEDED, SHOWN, Minute, Now, Recent
from pixelake.warehouse.live_lists import Top
from pixelake.warehouse.people import of_people

STEP: Final = 1_000
"""Rows that a write forgets at least, so that no write takes long."""

SCHEMA: Final = f"""
drop table if exists events;
drop table if exists earlier;
create table if not exists recent (
  cursor integer primary key autoincrement,
  hit_id text not null unique,
  received_at integer not null,
  site text not null,
  event text not null
) strict;
create index if not exists recent_by_time on recent (received_at);
create index if not exists recent_by_site on recent (site);
create table if not exists minutes (
  site text not null, minute integer not null, name text not null, count integer not null,
  primary key (minute, site, name)
) strict, without rowid;
create table if not exists positions (
  partition text primary key, position integer not null
) strict, without rowid;
{live_leave.SCHEMA};
{live_sites.SCHEMA};
{live_present.SCHEMA};
{live_lists.SCHEMA}
"""
"""The first two are of older versions."""


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
        self._path, self._retention, self._most = path, int(retention * SECOND), most_events
        self._connection = sqlite_file.connect(path, SCHEMA)
        self._clock = Careful(clock, self._newest())  # a clock that is wrong for a while must not wipe the last days
        self._sites, self._lists = live_sites.Sites(self._connection), live_lists.Lists(self._connection)

    def close(self) -> None:
        """Let the file go. May never be called."""
        self._connection.close()

    def _newest(self) -> int:
        """When the newest event that is kept was received; 0 if there is none."""
        with sqlite_file.reported(self._path):
            return int(self._connection.execute("select coalesce(max(received_at), 0) from recent").fetchone()[0])

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
        try:
            with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
                self._write(above(replace(outcome, events=outcome.events.select(NEEDED)), self.positions()))
        except BaseException:
            self._sites.reset()
            raise

    def leave(self, events: pa.Table) -> int:
        """Forget events that the lake has, and take them off the counts, in one transaction; returns how many.

        Those that it was told before are passed over, and so is what it never counted: a call may be repeated.

        Args:
            events: rows of the lake with the columns `NEEDED`.

        Raises:
            WarehouseError: nothing was forgotten.
        """
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            oldest = self._clock.now() - self._retention
            fresh = live_leave.counted(self._connection, events.select(NEEDED), self.positions(), oldest)
            if fresh.num_rows:
                live_leave.forget_recent(self._connection, fresh)
                met = self._sites.again(fresh)
                live_leave.lower_minutes(self._connection, live_base.minutes(met))
                people = met.select([*live_lists.COLUMNS, *live_present.COLUMNS]).filter(of_people(met))
                self._lists.take_off(self._sites.fold(people, live_sites.LISTED))
                live_leave.take_off_present(
                    self._connection, live_present.rows(people, self._clock.now() - live_present.KEPT)
                )
            live_leave.forget_ids(self._connection, oldest)
        return int(fresh.num_rows)

    def hide(self, is_meant: live_lists.IsMeant) -> int:
        """Forget every recent event, site and value of a list that is meant by its text; returns how many rows.

        What has such a site counts no more; such a value goes to the rest of its list.

        Raises:
            WarehouseError: nothing was forgotten.
        """
        with sqlite_file.reported(self._path), sqlite_file.transaction(self._connection):
            found = live_leave.hide_recent(self._connection, is_meant)
            found += self._lists.hide(is_meant) + live_leave.hide_sites(self._connection, is_meant)
        self._sites.reset()
        return found

    def scrub(self) -> None:
        """Leave nothing of what was deleted in the file or its log; see `sqlite_file.scrub`."""
        sqlite_file.scrub(self._path, self._connection)

    def _write(self, fresh: Outcome) -> None:
        if not fresh.positions:
            return
        self._keep(fresh.events)
        met = self._sites.meet(fresh.events)
        people = met.select([*live_lists.COLUMNS, *live_present.COLUMNS]).filter(of_people(met))
        present = live_present.rows(people, self._clock.now() - live_present.KEPT)
        self._connection.executemany(live_present.INSERT, present)
        self._lists.add(self._sites.fold(people, live_sites.LISTED))
        self._count(met, fresh.rejects)
        self._connection.executemany("insert or replace into positions values (?, ?)", fresh.positions.items())
        self._forget(max(STEP, 2 * fresh.events.num_rows))

    def _keep(self, events: pa.Table) -> None:
        rows = live_base.shown(live_base.newest(events, min(SHOWN, self._most))).to_pylist()
        self._connection.executemany(
            "insert or ignore into recent (hit_id, received_at, site, event) values (?, ?, ?, ?)",
            ((row["hit_id"], row["received_at"], row["site"], _JSON.encode(row).decode()) for row in rows),
        )

    def _count(self, events: pa.Table, rejects: pa.Table) -> None:
        counts = Counter(dict(live_base.minutes(events)))
        for minute, count in live_base.by_minute(rejects, ()).items():
            counts["", minute, "rejects"] += count
        self._connection.executemany(
            "insert into minutes (site, minute, name, count) values (?, ?, ?, ?)"
            " on conflict do update set count = count + excluded.count",
            ((*key, count) for key, count in counts.items()),
        )

    def _forget(self, most: int) -> None:
        """Forget what is too old or too much, `most` rows of each."""
        now = self._clock.now()
        oldest = now - self._retention
        self._connection.execute(
            "delete from recent where cursor in"
            " (select cursor from recent where received_at < ? order by received_at limit ?)",
            (oldest, most),
        )
        self._connection.execute(
            "delete from recent where cursor in (select cursor from recent"
            " where cursor <= (select max(cursor) from recent) - ? order by cursor limit ?)",
            (self._most, most),
        )
        self._connection.execute("delete from present where newest <= ?", (now - live_present.KEPT,))
        self._connection.execute(
            "delete from minutes where (minute, site, name) in"
            " (select minute, site, name from minutes where minute < ? limit ?)",
            (oldest - MINUTE, most),
        )
        self._lists.forget(oldest, most)
        self._connection.execute("delete from sites where interval < ?", (oldest - live_sites.INTERVAL,))


_JSON: Final = msgspec.json.Encoder()


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
            select cursor, event from recent where cursor >
            (select case when ? > coalesce(max(seq), 0) then 0 else ? end from sqlite_sequence where name = 'recent')
            order by cursor desc limit ?"""
        return self._recent(sql, (cursor, cursor, limit))[::-1]

    def newest(self, limit: int, site: str | None = None) -> list[Recent]:
        """The newest events, newest first.

        Raises:
            WarehouseError: it cannot be read.
        """
        if site is None:
            return self._recent("select cursor, event from recent order by cursor desc limit ?", (limit,))
        return self._recent(
            "select cursor, event from recent where site = ? order by cursor desc limit ?", (site, limit)
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

    def by_minute(self, since: int, site: str | None = None) -> dict[int, dict[str, int]]:
        """The same by the minute and by name, of a site or of all together; up to a minute from now.

        Raises:
            WarehouseError: it cannot be read.
        """
        minutes = range(since // MINUTE * MINUTE, self._clock.now() + MINUTE, MINUTE)
        of_site, values = ("", ()) if site is None else (" and site = ?", (site,))
        sql = f"""
            select minute, name, sum(count) from minutes
            where minute in (select value from json_each(?)){of_site} group by minute, name"""  # noqa: S608 - ours
        found: dict[int, dict[str, int]] = {}
        for minute, name, number in self._select(sql, (json.dumps([*minutes]), *values)):
            found.setdefault(minute, {})[name] = number
        return found

    def now(self, window_seconds: float, site: str | None = None) -> Now:
        """The people of the last seconds. Who has no visitor id is in the hits only.

        Who is here before and after midnight, and gets another visitor id by it, is still one.
        They are known to be here for half an hour (`live_present.KEPT`).

        Raises:
            WarehouseError: it cannot be read.
        """
        now = self._clock.now()
        since = now - int(window_seconds * SECOND)
        # not who was here when a clock was ahead, but whom a host has seen whose clock is a little
        return Now(*live_present.count(self._select(live_present.SELECT, (since, site)), since, now + MINUTE))

    def top(self, name: str, site: str | None, since: int, limit: int) -> list[Top]:
        """The most frequent values of a list from the interval on that `since` (microseconds UTC) is in.

        At most `limit`, most frequent first; then, marked, the rest. Their sum is exact. A count is a lower bound
        where there is a rest.

        Args:
            name: one of `live_lists.NAMES`.
            site: of that site; None: of all.
            since: the intervals are of ten minutes (`live_sites.INTERVAL`).
            limit: how many values.

        Raises:
            WarehouseError: it cannot be read.
        """
        sql = """
            select value, sum(count) from lists
            where interval >= ?1 and site = coalesce(?2, site) and name = ?3 group by value"""
        start = since // live_sites.INTERVAL * live_sites.INTERVAL
        return live_lists.top(self._select(sql, (start, site, name)), limit)

    def _recent(self, sql: str, parameters: Sequence[Any]) -> list[Recent]:
        return [Recent(cursor, msgspec.json.decode(event)) for cursor, event in self._select(sql, parameters)]

    def _select(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows, none if there is no store yet. A connection a call (0.1 ms), because the file may be replaced."""
        if not self._path.exists():
            return []
        with sqlite_file.reported(self._path), closing(sqlite_file.connect_to_read(self._path)) as connection:
            if not connection.execute("select 1 from sqlite_master where name = 'lists'").fetchone():
                return []
            return connection.execute(sql, parameters).fetchall()
