"""The question `unusual`: counts of hours in, rows in words out.

Its SQL counts by hour, from weeks before the period on. `pixelake.warehouse.unusual_departures`
judges each series for itself. What departs only as much as the whole does is not
told again: an outage of the site is one row, not one for each of its pages too.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pixelake import clock as clocks
from pixelake.errors import QueryError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.filters import NOTHING
from pixelake.warehouse.given import Given, More
from pixelake.warehouse.pieces import bucket_sql
from pixelake.warehouse.unusual_departures import BOUND, Departure, departure, departures
from pixelake.warehouse.unusual_hours import FLOOR, WEEKS, Usual, usual
from pixelake.warehouse.zones import DAY, STEPS, Clock, buckets

HOUR: Final = STEPS["hour"]
BEFORE: Final = timedelta(weeks=WEEKS + 1)
"""What is read before the period."""
LONGEST: Final = timedelta(days=92)
MOST_TOP: Final = 50
BOUND_OF_PARTS: Final = 4.5
"""Spreads for pages, referrers and the like: of so many, some would depart by less each week by chance."""
LATE: Final = timedelta(minutes=2)
"""An hour is looked at when it is over for so long: its last hits are on their way until then."""

_COLUMNS: Final[list[tuple[str, pa.DataType]]] = [
    ("begins", pa.timestamp("us", "UTC")),
    ("ends", pa.timestamp("us", "UTC")),
    ("hours", pa.int64()),
    ("what", pa.string()),
    ("value", pa.string()),
    ("hits", pa.int64()),
    ("expected", pa.float64()),
    ("low", pa.int64()),
    ("high", pa.int64()),
    ("factor", pa.float64()),
    ("score", pa.float64()),
    ("weeks", pa.int64()),
    ("reason", pa.string()),
]
ROWS: Final = pa.schema(_COLUMNS)
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NOUNS: Final = {"page": "view", "reject": "reject"}


def wider(ask: Ask) -> Ask:
    """With the weeks before, and all rows.

    Raises:
        QueryError: the period is too long.
    """
    if ask.end - ask.start > LONGEST:
        raise QueryError(
            f"from: the period has more than {LONGEST.days} days", "each hour of it is compared with weeks of hours"
        )
    return replace(ask, start=ask.start - BEFORE, limit=None, skip=0)


def more(given: Given) -> More:
    """Hits and rejects by the hour. Rejects are of no site, and of no event that a filter could choose.

    Raises:
        QueryError: there cannot be so many at the top.
    """
    top = given.options["top"]
    if top is None or not 0 <= top <= MOST_TOP:
        raise QueryError(f"top: not {top}", f"0 to {MOST_TOP}")
    ask = given.ask
    bucket = bucket_sql(given.clock, ask.start - DAY, ask.end + DAY, HOUR, "received_at")
    hour = f"epoch_us({bucket}) as bucket"
    ctes = {
        "marked": f"select site, event, host, path, referrer_host, country, {hour} from hits",  # noqa: S608
        "refused": f"select reason, {hour} from rejected where $with_rejects",  # noqa: S608
    }
    return More(ctes, {"with_rejects": ask.site is None and ask.filter == NOTHING})


@dataclass(frozen=True, slots=True)
class _Hours:
    """The whole hours of a period and the weeks before, in order."""

    begins: Sequence[datetime]
    slots: Sequence[int]
    first: int


class _Series(NamedTuple):
    what: str
    value: str | None
    told: Usual
    departures: Sequence[Departure]


def after(table: pa.Table, ask: Ask, clock: Clock) -> pa.Table:
    """The rows of the answer, the newest first."""
    hours = _hours(ask, clock, datetime.fromtimestamp(clocks.SYSTEM.now() / clocks.SECOND, UTC))
    rows = table.to_pylist()
    whole = _whole(rows)
    total = _series(whole, hours, BOUND) if whole else None
    found = [_row(total, each, hours, clock) for each in (total.departures if total else ())]
    for row in rows:
        if row is not whole and row["what"] != "all":
            found += _own(row, total, hours, clock)
    found.sort(key=lambda each: (-each["begins"].timestamp(), each["what"], each["value"] or ""))
    return pa.Table.from_pylist(found, ROWS)


def _whole(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """That of which the others are parts: the site, or all of them if there are several."""
    sites = [row for row in rows if row["what"] == "site"]
    if len(sites) == 1:
        return sites[0]
    return next((row for row in rows if row["what"] == "all"), None)


def _hours(ask: Ask, clock: Clock, now: datetime) -> _Hours:
    start, end = ask.start - BEFORE, min(ask.end, now - LATE)
    if end <= ask.start:
        return _Hours([], [], 0)
    begins = [moment for moment in buckets(clock, start, end, "hour") if moment >= start]
    while begins and begins[-1] + HOUR > end:
        begins.pop()
    offsets = clock.offsets(start, end)
    slots, at = [], 0
    for number, begin in enumerate(begins):
        while at + 1 < len(offsets) and offsets[at + 1][0] <= begin:
            at += 1
        local = begin + offsets[at][1]
        is_whole = number + 1 == len(begins) or begins[number + 1] - begin == HOUR
        slots.append(local.weekday() * 24 + local.hour if is_whole else -1)
    return _Hours(begins, slots, bisect_left(begins, ask.start))


def _series(row: dict[str, Any], hours: _Hours, bound: float) -> _Series:
    counted = dict(zip(row["buckets"], row["counts"], strict=True))
    counts = [counted.get(_microseconds(begin), 0) for begin in hours.begins]
    told = usual(counts, hours.slots, hours.first)
    return _Series(row["what"], row["value"], told, departures(told, hours.first, bound))


def _own(row: dict[str, Any], total: _Series | None, hours: _Hours, clock: Clock) -> Iterator[dict[str, Any]]:
    """The rows of a part; without what the whole does anyway."""
    is_part = row["what"] != "reject"
    series = _series(row, hours, BOUND if row["what"] == "site" else BOUND_OF_PARTS)
    for each in series.departures:
        if not (is_part and total and _is_told(each, series, total)):
            yield _row(series, each, hours, clock)


def _is_told(part: Departure, series: _Series, total: _Series) -> bool:
    """Whether a part departs only as the whole does at that time."""
    first, last = part.first, part.last + 1
    if not any(
        each.first < last and each.last >= first and (each.score > 0) == (part.score > 0) for each in total.departures
    ):
        return False
    expected = sum(total.told.expected[first:last])
    if not expected:
        return False
    by = sum(total.told.counts[first:last]) / expected
    spread = (sum(series.told.spread[first:last]) - part.expected) / part.expected**2
    score = departure(part.hits, max(part.expected * by, FLOOR), spread)
    return abs(score) <= BOUND_OF_PARTS or (score > 0) != (part.score > 0)


def _row(series: _Series | None, part: Departure, hours: _Hours, clock: Clock) -> dict[str, Any]:
    assert series is not None  # noqa: S101 - there are departures of it
    begins, ends = hours.begins[part.first], hours.begins[part.last] + HOUR
    return {
        "begins": begins,
        "ends": ends,
        "hours": part.last - part.first + 1,
        "what": series.what,
        "value": series.value,
        "hits": int(part.hits),
        "expected": round(part.expected, 1),
        "low": part.low,
        "high": part.high,
        "factor": round(part.hits / part.expected, 3),
        "score": round(part.score, 1),
        "weeks": part.weeks,
        "reason": reason(series.what, part, _local(clock, begins), _local(clock, ends)),
    }


def reason(what: str, part: Departure, begins: datetime, ends: datetime) -> str:
    """Why it is unusual: ``34 views; 8 to 20 are usual on Tuesdays from 14:00 to 15:00 (8 weeks)``.

    Args:
        what: is counted.
        part: what departs.
        begins: when, on the wall clock.
        ends: when it is over, on the wall clock.
    """
    noun = _NOUNS.get(what, "hit") + ("" if part.hits == 1 else "s")
    count = f"{part.low:,} to {part.high:,}" if part.low < part.high else f"{part.low:,}"
    weeks = f"{part.weeks} weeks" if part.weeks > 1 else "1 week"
    return f"{int(part.hits):,} {noun}; {count} are usual {_when(begins, ends)} ({weeks})"


def _when(begins: datetime, ends: datetime) -> str:
    day, last = _DAYS[begins.weekday()], _DAYS[(ends - timedelta(microseconds=1)).weekday()]
    if ends - begins > timedelta(days=1):
        return f"from {begins:%A %-d %B, %H:%M} to {ends:%A %-d %B, %H:%M}"
    if begins.hour == ends.hour == 0 and ends > begins:
        return f"on {day}s"
    if day == last:
        return f"on {day}s from {begins:%H:%M} to {'24:00' if ends.hour == 0 else f'{ends:%H:%M}'}"
    return f"from {day}s {begins:%H:%M} to {last}s {ends:%H:%M}"


def _local(clock: Clock, moment: datetime) -> datetime:
    return (moment + clock.offsets(moment, moment)[0][1]).replace(tzinfo=None)


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
