"""Events leave the live store: what was counted of them is taken off, once.

The table ``gone`` has the names of those that have left, as long as their
counts are kept: so that it can be told again, after a crash, what has left.
Every function is called inside a transaction of `connection`.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from pixelake.stream.base import Partition, Position
from pixelake.warehouse import live_present
from pixelake.warehouse.live_lists import IsMeant
from pixelake.warehouse.live_present import Present

STEP: Final = 1_000
"""Events that are looked at at once."""
SCHEMA: Final = """
create table if not exists gone (
  hit_id text primary key, received_at integer not null
) strict, without rowid
"""
_WITH_SITES: Final = ("recent", "minutes", "sites", "present", "lists")


def counted(
    connection: sqlite3.Connection, events: pa.Table, reached: Mapping[Partition, Position], oldest: int
) -> pa.Table:
    """Those of the events that were counted, up to these positions, and are not too old (µs UTC), or gone."""
    query = "select 1 from gone where hit_id = ?"
    places: list[Any] = [events[name].to_pylist() for name in ("hit_id", "partition", "position")]
    kept = [
        time >= oldest
        and position <= reached.get(partition, 0)
        and connection.execute(query, (hit_id,)).fetchone() is None
        for time, hit_id, partition, position in zip(_times(events), *places, strict=True)
    ]
    return events.filter(pa.array(kept, pa.bool_()))


def forget_recent(connection: sqlite3.Connection, events: pa.Table) -> None:
    """Show them no more, and remember that they are gone."""
    ids: list[Any] = events["hit_id"].to_pylist()
    connection.executemany("delete from recent where hit_id = ?", ((hit_id,) for hit_id in ids))
    connection.executemany("insert into gone values (?, ?)", zip(ids, _times(events), strict=True))


def forget_ids(connection: sqlite3.Connection, oldest: int) -> None:
    """Of what is too old nothing is counted any more."""
    connection.execute("delete from gone where received_at < ?", (oldest,))


def lower_minutes(connection: sqlite3.Connection, counts: Iterable[tuple[tuple[str, int, str], int]]) -> None:
    """Lower the counts of sites, minutes and names."""
    connection.executemany(
        "update minutes set count = max(0, count - ?) where site = ? and minute = ? and name = ?",
        ((count, *key) for key, count in counts),
    )
    connection.execute("delete from minutes where count = 0")


def take_off_present(connection: sqlite3.Connection, gone: Iterator[Present]) -> None:
    """Who has left is here no more."""
    query = "select rowid, site, newest, times, marks, before from present where site = ?"
    for each in gone:
        for rowid, *fields in connection.execute(query, (each.site,)).fetchall():
            row = Present(*fields)
            left = live_present.without(row, each)
            if left != row:
                connection.execute("delete from present where rowid = ?", (rowid,))
                if left:
                    connection.execute(live_present.INSERT, left)


def hide_recent(connection: sqlite3.Connection, is_meant: IsMeant) -> int:
    """Forget the events that are meant by their text; returns how many."""
    found = cursor = 0
    query = "select cursor, event from recent where cursor > ? order by cursor limit ?"
    while rows := connection.execute(query, (cursor, STEP)).fetchall():
        meant = is_meant([event for _, event in rows])
        gone = [(at,) for (at, _), there in zip(rows, meant, strict=True) if there]
        connection.executemany("delete from recent where cursor = ?", gone)
        found += len(gone)
        cursor = rows[-1][0]
    return found


def hide_sites(connection: sqlite3.Connection, is_meant: IsMeant) -> int:
    """Forget the sites that are meant by their names; returns how many."""
    names: set[str] = set()
    for table in _WITH_SITES:
        names.update(site for (site,) in connection.execute(f"select distinct site from {table}"))  # noqa: S608 - ours
    known = sorted(names)
    meant = [(site,) for site, there in zip(known, is_meant(known), strict=True) if there]
    for table in _WITH_SITES:
        connection.executemany(f"delete from {table} where site = ?", meant)  # noqa: S608 - ours
    return len(meant)


def _times(events: pa.Table) -> list[int]:
    """When each was received, in microseconds."""
    micros: Any = events["received_at"].cast(pa.int64())
    return list(micros.to_pylist())
