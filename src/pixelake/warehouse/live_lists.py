"""Top lists of the live store: in each interval the most frequent values of a site, the rest as one.

A list has at most `MOST` values to its name once it is trimmed, and never
more than twice as many for each process that writes. What is trimmed is added
to the rest: so the sum of a list is exact, and as long as it has no rest every
count is. After that a count is a lower bound: a value that comes back begins
anew. Only people's events count, and of these only page views, but for the
list ``event``.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.warehouse.live_sites import INTERVAL

MOST: Final = 50
"""Values of a list."""
LONGEST: Final = 500
"""Characters of a value; longer ones are counted in the rest."""
ROWS: Final = 1_000_000
"""Rows of all lists together; beyond it the oldest intervals are forgotten before their time. Some 60 bytes each."""
WATCHED: Final = 50_000
"""Lists whose length is kept in memory."""
REST: Final = ""
"""Stands for the rest in the table: no value is empty."""

NAMES: Final = ("page", "referrer_host", "channel", "country", "event", "browser", "os", "device")
"""The lists there are."""

COLUMNS: Final = ("interval", "site", "host", "path", *NAMES[1:])
"""Of events, that lists are made of."""

SCHEMA: Final = """
create table if not exists lists (
  interval integer not null, site text not null, name text not null, value text not null, count integer not null,
  primary key (interval, site, name, value)
) strict, without rowid
"""


class Top(NamedTuple):
    """A value and how often it came; `is_rest`: this row stands for all that the list does not name."""

    value: str
    number: int
    is_rest: bool


IsMeant = Callable[[Sequence[str]], Sequence[bool]]
"""Texts -> for each whether it is meant."""

List = tuple[int, str, str]
"""An interval (its start), a site, and a name."""


class Lists:
    """The lists, open for writing. To be called inside a transaction of `connection`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lengths: dict[List, int] = {}
        """At most so many values a list has, but for those that other processes add."""
        self._newest = 0

    def add(self, events: pa.Table) -> None:
        """Count people's `events`, which have `COLUMNS`."""
        changes = {found: shortened(counts) for found, counts in counts_of(events).items()}
        self._connection.executemany(
            "insert into lists values (?, ?, ?, ?, ?) on conflict do update set count = count + excluded.count",
            ((*found, value, count) for found, counts in changes.items() for value, count in counts.items()),
        )
        for found, counts in changes.items():
            self._note(found, len(counts))

    def take_off(self, events: pa.Table) -> None:
        """Count people's `events`, which were added once, no more; what is not named any more is taken off the rest."""
        for found, counts in counts_of(events).items():
            for value, count in shortened(counts).items():
                rest = self._lower(found, value, count)
                if rest and value != REST:
                    self._lower(found, REST, rest)

    def _lower(self, found: List, value: str, count: int) -> int:
        """Lower a count; returns how much of it was not there."""
        select = "select count from lists where interval = ? and site = ? and name = ? and value = ?"
        row = self._connection.execute(select, (*found, value)).fetchone()
        if row is None:
            return count
        lower = "update lists set count = max(0, count - ?) where interval = ? and site = ? and name = ? and value = ?"
        self._connection.execute(lower, (count, *found, value))
        self._connection.execute(
            "delete from lists where interval = ? and site = ? and name = ? and value = ? and count = 0",
            (*found, value),
        )
        return max(0, count - int(row[0]))

    def hide(self, is_meant: IsMeant) -> int:
        """Put what stands under meant values to the rest of its list; returns how many values that were."""
        values = [value for (value,) in self._connection.execute("select distinct value from lists where value <> ''")]
        meant = [value for value, there in zip(values, is_meant(values), strict=True) if there]
        for value in meant:
            self._connection.execute(
                "insert into lists select interval, site, name, '', count from lists where value = ?"
                " on conflict do update set count = count + excluded.count",
                (value,),
            )
            self._connection.execute("delete from lists where value = ?", (value,))
        return len(meant)

    def _note(self, found: List, added: int) -> None:
        """Trim a list that may have become too long."""
        length = self._lengths.get(found)
        length = self._length(found) if length is None else length + added
        if length > 2 * MOST:
            length = self._length(found)
            if length > 2 * MOST:
                self._trim(found)
                length = MOST
        if len(self._lengths) >= WATCHED:
            self._lengths.clear()
        self._lengths[found] = length

    def _length(self, found: List) -> int:
        sql = "select count(*) from lists where interval = ? and site = ? and name = ?"
        return int(self._connection.execute(sql, found).fetchone()[0])

    def _trim(self, found: List) -> None:
        """Put all but the most frequent values to the rest."""
        rows = self._connection.execute(
            "select value, count from lists where interval = ? and site = ? and name = ? and value <> ''"
            " order by count desc, value limit -1 offset ?",
            (*found, MOST),
        ).fetchall()
        self._connection.executemany(
            "delete from lists where interval = ? and site = ? and name = ? and value = ?",
            ((*found, value) for value, _ in rows),
        )
        self._connection.execute(
            "insert into lists values (?, ?, ?, ?, ?) on conflict do update set count = count + excluded.count",
            (*found, REST, sum(count for _, count in rows)),
        )

    def forget(self, oldest: int, most: int) -> None:
        """Forget `most` rows of before `oldest` (microseconds); and when an interval begins, those beyond `ROWS`."""
        self._connection.execute(
            "delete from lists where (interval, site, name, value) in"
            " (select interval, site, name, value from lists where interval < ? limit ?)",
            (oldest - INTERVAL, most),
        )
        (newest,) = self._connection.execute("select coalesce(max(interval), 0) from lists").fetchone()
        if newest != self._newest:
            self._newest = newest
            self._bound()

    def _bound(self) -> None:
        lengths = self._connection.execute(
            "select interval, count(*) from lists group by interval order by interval desc"
        ).fetchall()
        total = 0
        for interval, length in lengths:
            total += length
            if total > ROWS and interval != self._newest:
                self._connection.execute("delete from lists where interval <= ?", (interval,))
                return


def top(rows: Sequence[tuple[str, int]], limit: int) -> list[Top]:
    """The most frequent values of `rows` (value and count), at most `limit`; then what is left, if anything is."""
    named = sorted((row for row in rows if row[0] != REST), key=lambda row: (-row[1], row[0]))
    shown = [Top(value, count, False) for value, count in named[:limit]]
    rest = sum(count for _, count in rows) - sum(each.number for each in shown)
    return [*shown, Top("(other)", rest, True)] if rest else shown


def shortened(counts: Mapping[str, int]) -> Mapping[str, int]:
    """The most frequent values; the others, and what is too long, as the rest."""
    kept = Counter({value: count for value, count in counts.items() if len(value) <= LONGEST})
    if len(kept) > MOST:
        kept = Counter(dict(kept.most_common(MOST)))
    if rest := sum(counts.values()) - sum(kept.values()):
        kept[REST] = rest
    return kept


def counts_of(events: pa.Table) -> Mapping[List, Mapping[str, int]]:
    """How often each value of each list comes in people's `events`, which have `COLUMNS`."""
    views = events.filter(pc.equal(events["event"], pa.scalar("pageview")))
    found: dict[List, dict[str, int]] = defaultdict(dict)
    for name in NAMES:
        of = events if name == "event" else views
        for interval, site, value, count in _grouped(of, _values(of, name)):
            found[interval, site, name][value] = count
    return found


def _values(events: pa.Table, name: str) -> Any:
    """The values of a list, null where there is none."""
    if name == "page":
        hosts: Any = pc.coalesce(events["host"], pa.scalar(""))
        values: Any = pc.binary_join_element_wise(hosts, events["path"], pa.scalar(""))
    elif name == "referrer_host":
        # who comes from the site itself was not referred
        inner = pc.equal(events["referrer_host"], events["host"]).fill_null(False)
        values = pc.if_else(inner, pa.scalar(None, pa.string()), events["referrer_host"])
    else:
        values = events[name]
    return values


def _grouped(events: pa.Table, values: Any) -> Iterator[tuple[int, str, str, int]]:
    rows = pa.table({"interval": events["interval"], "site": events["site"], "value": values})
    rows = rows.filter(pc.not_equal(rows["value"], pa.scalar(REST)))  # also without nulls
    counted = rows.group_by(["interval", "site", "value"]).aggregate([([], "count_all")])
    columns = [counted[name].to_pylist() for name in ("interval", "site", "value", "count_all")]
    return zip(*columns, strict=True)
