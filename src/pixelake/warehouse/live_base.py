"""What every live store promises, and what a screen shows of events: the same wherever it is kept."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND
from pixelake.stream.base import Partition, Position
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.live_lists import IsMeant, Top
from pixelake.warehouse.people import known, of_people

MINUTE: Final = 60 * SECOND
MOST_EVENTS: Final = 100_000
"""Events that are kept at most; some 600 bytes each."""

SHOWN: Final = 500
"""Events kept of one write: its newest, and of each site the newest one. More no screen shows; each costs 15 µs."""

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

NEEDED: Final = [*COLUMNS, "user_id", "visitor_before", "partition", "position"]
"""What is read of an event; to copy the other columns would take as long as all the rest."""


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


class Store(Protocol):
    """A live store, open for writing: a `pixelake.warehouse.base.Sink` that events can leave. One thread."""

    def write(self, outcome: Outcome) -> None:
        """See `pixelake.warehouse.base.Sink`."""
        ...

    def positions(self) -> Mapping[Partition, Position]:
        """See `pixelake.warehouse.base.Sink`."""
        ...

    def leave(self, events: pa.Table) -> int:
        """Forget events that the lake has, and take them off the counts, once; returns how many.

        Those that it was told before are passed over, and so is what it never counted: a call may be repeated.

        Args:
            events: rows of the lake with the columns `NEEDED`.

        Raises:
            WarehouseError: not all of them are forgotten; repeat the call.
        """
        ...

    def hide(self, is_meant: IsMeant) -> int:
        """Forget every recent event, site and value of a list that is meant by its text; returns how many rows.

        What has such a site counts no more; such a value goes to the rest of its list.

        Raises:
            WarehouseError: not all of it is forgotten; repeat the call.
        """
        ...

    def scrub(self) -> None:
        """Leave nothing of what was forgotten where it is kept.

        Raises:
            WarehouseError: something may be left; repeat the call.
        """
        ...

    def close(self) -> None:
        """Let it go. May never be called."""
        ...


class Reader(Protocol):
    """Looks at a live store: beside its writers, without one, and before there is one. Changes nothing.

    Any thread, one at a time. Every method raises `WarehouseError` if it cannot be read.
    """

    def after(self, cursor: int, limit: int) -> Sequence[Recent]:
        """The newest `limit` events behind `cursor`, oldest first; one of a store that was wiped starts anew."""
        ...

    def newest(self, limit: int, site: str | None = None) -> Sequence[Recent]:
        """The newest events, newest first."""
        ...

    def minutes(self, since: int, site: str | None = None) -> Sequence[Minute]:
        """The counts of each minute from the one that `since` (microseconds UTC) is in, oldest first."""
        ...

    def by_minute(self, since: int, site: str | None = None) -> Mapping[int, Mapping[str, int]]:
        """The same by the minute and by name, of a site or of all together; up to a minute from now."""
        ...

    def now(self, window_seconds: float, site: str | None = None) -> Now:
        """The people of the last seconds. Who has no visitor id is in the hits only."""
        ...

    def top(self, name: str, site: str | None, since: int, limit: int) -> Sequence[Top]:
        """The most frequent values of a list (`live_lists.NAMES`) from the interval on that `since` is in."""
        ...


def shown(events: pa.Table) -> pa.Table:
    """The columns for a screen; the time in microseconds."""
    shown = events.select(list(COLUMNS))
    return shown.set_column(COLUMNS.index("received_at"), "received_at", shown["received_at"].cast(pa.int64()))


def newest(events: pa.Table, most: int) -> pa.Table:
    """The last `most` rows, in their order; among them the last one of each site, as far as there is room."""
    if events.num_rows <= most:
        return events
    rows = pa.table({"site": events["site"], "row": pa.array(range(events.num_rows), pa.int64())})
    last: Any = rows.group_by("site").aggregate([("row", "max")])["row_max"]
    of_sites = sorted(last.to_pylist())[-most // 2 :]
    chosen = set(of_sites)
    row = events.num_rows
    while len(chosen) < most:
        row -= 1
        chosen.add(row)
    return events.take(pa.array(sorted(chosen), pa.int64()))


def minutes(events: pa.Table) -> Iterator[tuple[tuple[str, int, str], int]]:
    """The counts of events by site, minute and name."""
    views = pc.and_(of_people(events), pc.equal(events["event"], pa.scalar("pageview")))
    named = {"hits": None, "views": views, "bots": known(events, "bot"), "duplicates": known(events, "duplicate")}
    events = events.select(["site", "received_at"])
    for name, chosen in named.items():
        rows = events if chosen is None else events.filter(chosen)
        for (site, minute), count in by_minute(rows, ("site",)).items():
            yield (site, minute, name), count


def by_minute(rows: pa.Table, keys: Sequence[str]) -> dict[Any, int]:
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
