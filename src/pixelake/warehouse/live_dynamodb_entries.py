"""Makes entries of the log of outcomes: small enough for one item each, whatever came."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND
from pixelake.warehouse import live_base, live_lists, live_present, live_sites
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.live_base import NEEDED, SHOWN
from pixelake.warehouse.live_dynamodb_docs import NO_SITE, Delta, pack
from pixelake.warehouse.live_dynamodb_log import SPAN, Counted, Entry, Head, Shown
from pixelake.warehouse.live_sites import INTERVAL, OTHER
from pixelake.warehouse.people import of_people

ROWS: Final = 5_000
"""Of an entry at most."""
SHOWN_BYTES: Final = 100_000
"""Of the events that an entry shows, as they are kept; of more only the newest."""
PACKED: Final = 8
"""To so much less bytes events are packed, mostly; who sends what is larger shall not have it packed in vain."""
BYTES: Final = 350_000
"""Of an entry; an item takes 400 KB."""


def entry(head: Head, fresh: Outcome, now: int, retention: int, most: int) -> Entry:
    """The entry behind a head.

    Args:
        head: where the log is.
        fresh: what came, all of it above the positions of the head; its events have the columns `NEEDED`.
        now: the time; this and the next one in microseconds.
        retention: how long it is kept.
        most: events that it shows at most.
    """
    made = _entry(head, fresh, now, retention, min(SHOWN, most))
    if made.size() > BYTES and not can_be_halved(fresh):
        made = _entry(head, _coarse(fresh), now, retention, 0)
    return made


def is_small(made: Entry, fresh: Outcome) -> bool:
    """Whether it may be put: what cannot be halved may."""
    return not can_be_halved(fresh) or (made.size() <= BYTES and _rows(fresh) <= ROWS)


def _entry(head: Head, fresh: Outcome, now: int, retention: int, most: int) -> Entry:
    number = head.number + 1
    shown, packed = _shown(fresh.events, most)
    count = len(shown.places)
    sites: dict[str, list[int]] = {}
    for place in shown.places:
        sites.setdefault(shown.columns["site"][place], []).append(place)
    newest: int = max(now, pc.max(fresh.events["received_at"].cast(pa.int64())).as_py() or 0)
    return Entry(
        number=number,
        written=now,
        positions={**head.positions, **fresh.positions},
        last=number * SPAN + count - 1 if count else head.last,
        total=head.total + count,
        count=count,
        shown_packed=packed,
        here_packed=pack([tuple(row) for row in here(fresh.events, now - live_present.KEPT)]),
        counted_packed=pack(Counted(list(deltas(fresh.events, fresh.rejects, now - retention)), sites)),
        expires=(newest + retention) // SECOND + 1,
    )


def here(events: pa.Table, since: int) -> Iterator[live_present.Present]:
    """Their people, received after `since`."""
    columns = ["site", *live_present.COLUMNS]
    return live_present.rows(events.filter(of_people(events)).select(columns), since)


def deltas(events: pa.Table, rejects: pa.Table | None, oldest: int) -> Iterator[Delta]:
    """What is counted of them, but for what is so old that nobody asks for it; of an interval the largest first."""
    found: dict[tuple[int, str], Delta] = {}
    for (site, minute, name), count in _minutes(events, rejects).items():
        start = minute // INTERVAL * INTERVAL
        delta = found.setdefault((start, site), Delta(start, site, {}, {}))
        delta.minutes.setdefault(minute, {})[name] = count
    events = events.append_column("interval", live_sites.interval_of(events))
    people = events.filter(of_people(events)).select(list(live_lists.COLUMNS))
    for (start, site, name), values in live_lists.counts_of(people).items():
        found[start, site].lists[name] = dict(live_lists.shortened(values))
    for delta in sorted(found.values(), key=lambda each: (each.interval, -each.hits(), each.site)):
        if delta.interval >= oldest - 2 * INTERVAL:
            yield delta


def _minutes(events: pa.Table, rejects: pa.Table | None) -> Mapping[tuple[str, int, str], int]:
    counts = Counter(dict(live_base.minutes(events)))
    for minute, count in live_base.by_minute(rejects, ()).items() if rejects else ():
        counts[NO_SITE, minute, "rejects"] += count
    return counts


def _shown(events: pa.Table, most: int) -> tuple[Shown, bytes]:
    """The newest events, as many as have room; and as they are kept."""
    while most and events.num_rows:
        rows = live_base.shown(live_base.newest(events, most))
        most = min(most, rows.num_rows) // 2
        if rows.nbytes > SHOWN_BYTES * PACKED:
            continue
        columns: dict[str, list[Any]] = {name: rows[name].to_pylist() for name in rows.column_names}
        shown = _each_once(Shown(list(range(rows.num_rows)), columns))
        packed = pack(shown)
        if len(packed) <= SHOWN_BYTES:
            return shown, packed
    return Shown([], {}), pack(Shown([], {}))


def _each_once(shown: Shown) -> Shown:
    ids = shown.columns["hit_id"]
    if len(set(ids)) == len(ids):
        return shown
    first = {hit_id: at for at, hit_id in reversed(list(enumerate(ids)))}
    kept = shown.only(first[hit_id] == at for at, hit_id in enumerate(ids))
    return Shown(list(range(len(kept.places))), kept.columns)


def _rows(outcome: Outcome) -> int:
    return int(outcome.events.num_rows + outcome.rejects.num_rows)


def can_be_halved(outcome: Outcome) -> bool:
    """Whether it is of more than one hit."""
    return len(outcome.positions) > 1 or any(outcome.first[name] < last for name, last in outcome.positions.items())


def halves(outcome: Outcome) -> Iterator[Outcome]:
    """Two parts of it, to be written one after the other."""
    names = list(outcome.positions)
    if len(names) > 1:
        for some in (names[: len(names) // 2], names[len(names) // 2 :]):
            yield _part(
                outcome, {name: outcome.first[name] for name in some}, {name: outcome.positions[name] for name in some}
            )
        return
    (name,) = names
    first, last = outcome.first[name], outcome.positions[name]
    middle = (first + last) // 2
    yield _part(outcome, {name: first}, {name: middle})
    yield _part(outcome, {name: middle + 1}, {name: last})


def _part(outcome: Outcome, first: Mapping[str, int], last: Mapping[str, int]) -> Outcome:
    def among(rows: pa.Table) -> pa.Table:
        named: list[Any] = [rows[name].to_pylist() for name in ("partition", "position")]
        wanted = [name in first and first[name] <= at <= last[name] for name, at in zip(*named, strict=True)]
        return rows.filter(pa.array(wanted, pa.bool_()))

    return Outcome(among(outcome.events), among(outcome.rejects), among(outcome.withheld), first, last)


def _coarse(outcome: Outcome) -> Outcome:
    """The same, told of no site and with nothing that lists could name."""
    events = outcome.events.select(NEEDED)
    at = events.column_names.index("site")
    events = events.set_column(at, "site", pa.array([OTHER] * events.num_rows, pa.string()))
    for name in ("path", *live_lists.NAMES[1:]):
        if name != "event":
            events = events.set_column(
                events.column_names.index(name), name, pa.array([None] * events.num_rows, pa.string())
            )
    at = events.column_names.index("event")
    is_view = pc.equal(events["event"], pa.scalar("pageview"))
    named: Any = pc.if_else(is_view, events["event"], pa.scalar(OTHER))
    return Outcome(
        events.set_column(at, "event", named), outcome.rejects, outcome.withheld, outcome.first, outcome.positions
    )
