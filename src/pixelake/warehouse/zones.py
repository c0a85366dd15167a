"""Wall clocks: which local date a moment has, when a local date begins, and the same in SQL.

All of it is Python's `zoneinfo`, also what SQL counts with: a zone becomes a
list of offsets, and SQL adds the right one to a number of microseconds. So no
engine's own idea of time zones, nor the age of its tables, is ever asked.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from pixelake.errors import QueryError

Zones = tuple[tuple[int, str], ...]
"""``((from_us, zone), ...)``, oldest first, the first from 0: see `pixelake.registry.base.Site`."""

Date: TypeAlias = date
"""The type, where a method has its name."""
EPOCH: Final = date(1970, 1, 1)
MICROSECOND: Final = timedelta(microseconds=1)
DAY_US: Final = 86_400_000_000
DAY: Final = timedelta(days=1)
_LOOK: Final = timedelta(days=20)
"""Offsets are looked up so far apart: no zone ever changed its clocks twice in between but in Ramadan."""


def known(name: str) -> ZoneInfo:
    """The zone of that name.

    Raises:
        QueryError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise QueryError(f"zone: there is no time zone {name[:60]!r}", "a name like Europe/Zurich, or UTC") from None


def fixed(zone: str) -> Zones:
    """A zone that always held."""
    return ((0, zone),)


class Clock:
    """The wall clock of a site, as its dated history of zones has it.

    Args:
        zones: the history.
    """

    def __init__(self, zones: Zones) -> None:
        self.zones = zones
        self._held = [(_moment(start), known(zone)) for start, zone in zones]

    def date(self, moment: datetime) -> Date:
        """The local date of a moment."""
        return moment.astimezone(self._ruling(moment)).date()

    def _ruling(self, moment: datetime) -> ZoneInfo:
        return next((zone for start, zone in reversed(self._held) if start <= moment), self._held[0][1])

    def bounds(self, day: Date) -> tuple[datetime, datetime]:
        """The first moment of a local date, and the first one behind its last."""
        return _bounds(self.zones, day)

    def offsets(self, start: datetime, end: datetime) -> list[tuple[datetime, timedelta]]:
        """What is added to UTC: ``[(from, offset), ...]`` over a period; the first holds at its start."""
        found: list[tuple[datetime, timedelta]] = []
        for piece, begun, ended in self._pieces(start, end):
            for moment, offset in _transitions(piece, begun, ended):
                if not found or found[-1][1] != offset:
                    found.append((moment, offset))
        return found

    def _pieces(self, start: datetime, end: datetime) -> Iterator[tuple[ZoneInfo, datetime, datetime]]:
        ends = [begin for begin, _ in self._held[1:]] + [end]
        for (begun, zone), ended in zip(self._held, ends, strict=True):
            first, last = max(start, begun), min(end, ended)
            if first < last or (first == last == start and zone is self._ruling(start)):
                yield zone, first, last


@lru_cache(65_536)
def _bounds(zones: Zones, day: date) -> tuple[datetime, datetime]:
    clock = Clock(zones)
    starts, ends = [], []
    for _, zone in clock._held:  # noqa: SLF001 - a function of that class, remembered across its objects
        begun, ended = (_midnight(zone, each) for each in (day, day + DAY))
        if clock.date(begun) == day:
            starts.append(begun)
        if clock.date(ended - MICROSECOND) == day:
            ends.append(ended)
    changes = [moment for moment, _ in clock._held[1:]]  # noqa: SLF001
    starts += [moment for moment in changes if clock.date(moment) == day]
    ends += [moment for moment in changes if clock.date(moment - MICROSECOND) == day]
    if not starts or not ends:  # a date that was skipped
        moment = _midnight(clock._held[-1][1], day)  # noqa: SLF001
        return moment, moment
    return min(starts), max(ends)


def _midnight(zone: ZoneInfo, day: date) -> datetime:
    """When a date begins there; where the clock skips midnight, when it has done so."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _transitions(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, timedelta]]:
    moment, offset = start, _offset(zone, start)
    yield moment, offset
    while moment < end:
        after = min(moment + _LOOK, end)
        if (new := _offset(zone, after)) != offset:
            moment = _change(zone, moment, after)
            offset = _offset(zone, moment)
            yield moment, offset
            if offset == new:
                moment = after
        else:
            moment = after


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second with another offset than `before` has."""
    offset = _offset(zone, before)
    low, high = 0, int((after - before).total_seconds()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, before + timedelta(seconds=middle)) == offset:
            low = middle
        else:
            high = middle
    found = before + timedelta(seconds=high)
    return found.replace(microsecond=0)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


# --- in SQL


def local_us(clock: Clock, start: datetime, end: datetime, moment: str = "received_at") -> str:
    """SQL: what the wall clock shows, in microseconds since its 1970, of moments (a column) within a period."""
    offsets = clock.offsets(start, end)
    last = _us(offsets[-1][1])
    cases = "".join(
        f" when {moment} < {literal(until)} then {_us(offset)}" for (_, offset), (until, _) in pairwise(offsets)
    )
    added = f"case{cases} else {last} end" if cases else str(last)
    return f"(epoch_us({moment}) + {added})"


def literal(moment: datetime) -> str:
    """A moment as SQL."""
    return f"timestamptz '{moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}+00'"


def day_literal(day: date) -> str:
    """A date as SQL."""
    return f"date '{day.isoformat()}'"


def _us(offset: timedelta) -> int:
    return offset // MICROSECOND


# --- buckets of a series

INTERVALS: Final = ("minute", "quarter", "hour", "day", "week", "month")
"""How long a bucket may be; a quarter is one of an hour."""
STEPS: Final = {"minute": timedelta(minutes=1), "quarter": timedelta(minutes=15), "hour": timedelta(hours=1)}
"""Those that have a length."""


def day_after(day: date, interval: str) -> date:
    """When the bucket of days ends that begins on that day."""
    if interval == "month":
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + (7 * DAY if interval == "week" else DAY)


def first_of(day: date, interval: str) -> date:
    """When the bucket of days begins that holds that day. A week begins on Monday."""
    if interval == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if interval == "week" else day


def buckets(clock: Clock, start: datetime, end: datetime, interval: str) -> Sequence[datetime]:
    """The moments at which the buckets begin that hold some of a period, in order; the first may begin before it."""
    return list(_starts(clock, start, end, interval))


def _starts(clock: Clock, start: datetime, end: datetime, interval: str) -> Iterator[datetime]:
    if interval not in STEPS:
        day = first_of(clock.date(start), interval)
        while (begin := clock.bounds(day)[0]) < end:
            yield begin
            day = day_after(day, interval)
        return
    step, moment = STEPS[interval], start
    for (begun, offset), until in _spans(clock.offsets(start, end), end):
        moment = _floor(max(begun, start), offset, step)
        if begun > start:
            moment = max(moment, begun)  # where the clock changes by half an hour, an hour begins anew
        while moment < until:
            yield moment
            moment = _floor(moment, offset, step) + step


def _spans(
    offsets: Sequence[tuple[datetime, timedelta]], end: datetime
) -> Iterator[tuple[tuple[datetime, timedelta], datetime]]:
    yield from zip(offsets, [moment for moment, _ in offsets[1:]] + [end], strict=True)


def _floor(moment: datetime, offset: timedelta, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((moment - epoch + offset) // step) * step - offset
