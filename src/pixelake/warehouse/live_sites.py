"""Bounds the sites of the live store: by their order in an interval, so that a client who invents names grows nothing.

In each interval the first `COUNTED` sites have counts of their own and the
first `LISTED` of them top lists; all others are counted together as the site
`OTHER`, which no site can be called.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND

INTERVAL: Final = 600 * SECOND
"""Of the top lists and of the bounds, in microseconds."""
COUNTED: Final = 10_000
LISTED: Final = 1_000
OTHER: Final = "(other)"
REMEMBERED: Final = 4
"""Intervals whose sites are kept in memory from one write to the next."""

SCHEMA: Final = """
create table if not exists sites (
  interval integer not null, site text not null, rank integer not null, primary key (interval, site)
) strict, without rowid
"""


class Sites:
    """The sites of each interval, in the order they came. To be called inside a transaction of `connection`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._ranks: dict[int, dict[str, int]] = {}

    def reset(self) -> None:
        """Forget what was not written: the transaction has failed."""
        self._ranks.clear()

    def meet(self, events: pa.Table) -> pa.Table:
        """The events with their ``interval``, and with ``site`` `OTHER` for those that came too late to be counted."""
        if len(self._ranks) > REMEMBERED:
            self._ranks.clear()
        start = interval_of(events)
        events = events.append_column("interval", start)
        for interval in pc.unique(start).to_pylist():
            rows = events.filter(pc.equal(start, pa.scalar(interval)))
            self._rank(interval, rows["site"])
        return self.fold(events, COUNTED)

    def again(self, events: pa.Table) -> pa.Table:
        """Events that were met before, as `meet` told them then. Nobody is met by it."""
        if len(self._ranks) > REMEMBERED:
            self._ranks.clear()
        start = interval_of(events)
        for interval in pc.unique(start).to_pylist():
            self._known(interval)
        return self.fold(events.append_column("interval", start), COUNTED)

    def fold(self, events: pa.Table, most: int) -> pa.Table:
        """The events, those of sites beyond the first `most` of their interval under `OTHER`."""
        pairs = events.group_by(["interval", "site"]).aggregate([])
        if all(self._is_among(interval, site, most) for interval, site in _rows(pairs)):
            return events
        rows = _rows(events)
        sites = [site if self._is_among(interval, site, most) else OTHER for interval, site in rows]
        return events.set_column(events.column_names.index("site"), "site", pa.array(sites, pa.string()))

    def _is_among(self, interval: int, site: str, most: int) -> bool:
        return site == OTHER or self._ranks.get(interval, {}).get(site, most) < most

    def _rank(self, interval: int, column: Any) -> None:
        known = self._known(interval)
        new = [each for each in _most_frequent_first(column) if each not in known][: COUNTED - len(known)]
        ranks = {site: len(known) + place for place, site in enumerate(new)}
        self._connection.executemany(
            "insert into sites values (?, ?, ?)", ((interval, site, rank) for site, rank in ranks.items())
        )
        known.update(ranks)

    def _known(self, interval: int) -> dict[str, int]:
        """Their ranks; another process may have added some."""
        (count,) = self._connection.execute("select count(*) from sites where interval = ?", (interval,)).fetchone()
        if len(self._ranks.get(interval, ())) != count:
            rows = self._connection.execute("select site, rank from sites where interval = ?", (interval,))
            self._ranks[interval] = dict(rows)
        return self._ranks.setdefault(interval, {})


def interval_of(events: pa.Table) -> Any:
    """The start of each event's interval, in microseconds."""
    micros: Any = events["received_at"].cast(pa.int64())
    return pc.multiply(pc.divide(micros, INTERVAL), INTERVAL)


def _rows(events: pa.Table) -> Iterator[tuple[int, str]]:
    columns: Any = events["interval"], events["site"]
    return zip(*(column.to_pylist() for column in columns), strict=True)


def _most_frequent_first(column: Any) -> Sequence[str]:
    counted = pa.table({"site": column}).group_by("site").aggregate([([], "count_all")])
    ordered: Any = counted.sort_by([("count_all", "descending"), ("site", "ascending")])["site"]
    return list(ordered.to_pylist())
