"""Periods as people write them, on a wall clock: the API and the command line read them alike.

``from`` and ``to`` are a date (its midnight on the wall clock) or a time; ``to`` is excluded. Or ``period`` is one of

=============  =======================================================================================
``today``      from midnight up to now
``yesterday``  the day before
``24h``        so many hours up to now; any number
``7d``         so many days, today among them, up to now; any number
``last-week``  the week before, from Monday to Sunday
``month``      from the first of this month up to now
``last-month`` the month before
``12mo``       so many months, this one among them, up to now; any number
``year``       from the first of January up to now
=============  =======================================================================================

Now is the end of the minute that runs, so that all who ask within it ask the same.
"""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar

from pixelake.errors import QueryError
from pixelake.warehouse.zones import Clock

DEFAULT: Final = "30d"
NAMED: Final = ("today", "yesterday", "24h", "7d", "30d", "last-week", "month", "last-month", "12mo", "year")
"""As they are offered; other numbers do as well."""
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199

_COUNTED: Final = re.compile(r"([1-9]\d{0,3})(h|d|mo)")
T = TypeVar("T", date, datetime)

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = timedelta(days=1)
_HINT: Final = "a date like 2026-03-29, or a time like 2026-03-29T08:00:00+02:00, of the years 1970 to 2199"


def period(  # noqa: PLR0917 - three as given, and what they mean
    start: str | None, end: str | None, named: str | None, clock: Clock, now: datetime, default: str = DEFAULT
) -> tuple[datetime, datetime]:
    """The first moment of a period, and the first one behind it.

    Args:
        start: ``from`` as given; without it, as much before ``to`` as the default says.
        end: ``to`` as given; without it, now.
        named: ``period`` as given.
        clock: the wall clock.
        now: what time it is.
        default: the period if nothing is given.

    Raises:
        QueryError: one of them cannot be read; its message begins with which.
    """
    if named and (start or end):
        raise QueryError("period: there is also a `from` or `to`", "give either of them")
    if named or not (start or end):
        return _named(named or default, clock, _up(now))
    until = _moment("to", end, clock) if end else _up(now)
    begin = _moment("from", start, clock) if start else _named(default, clock, until)[0]
    if begin >= until:
        raise QueryError("from: it must lie before `to`", "the period begins with `from` and ends before `to`")
    return begin, until


def _up(now: datetime) -> datetime:
    """The end of the minute that runs."""
    return now.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE


def _named(name: str, clock: Clock, now: datetime) -> tuple[datetime, datetime]:
    today = clock.date(now - timedelta(microseconds=1))
    months = today.replace(day=1)
    if name == "yesterday":
        return _midnight(clock, today - _DAY), _midnight(clock, today)
    if name == "last-week":
        monday = today - _DAY * today.weekday()
        return _midnight(clock, monday - _DAY * 7), _midnight(clock, monday)
    if name == "last-month":
        return _midnight(clock, _months_before(months, 1)), _midnight(clock, months)
    whole = {"today": today, "month": months, "year": months.replace(month=1)}
    if name in whole:
        return _midnight(clock, whole[name]), now
    found = _COUNTED.fullmatch(name)
    if not found:
        raise QueryError(f"period: there is no {name[:40]!r}", f"one of {', '.join(NAMED)}")
    number, unit = int(found[1]), found[2]
    if unit == "h":
        return now - timedelta(hours=number), now
    try:
        first = today - _DAY * (number - 1) if unit == "d" else _months_before(months, number - 1)
    except ValueError:
        first = date.min
    if first.year < FIRST_YEAR:
        raise QueryError(f"period: {name!r} begins before the year {FIRST_YEAR}", f"one of {', '.join(NAMED)}")
    return _midnight(clock, first), now


def _months_before(first: date, number: int) -> date:
    """The first day of the month so many before."""
    months = first.year * 12 + first.month - 1 - number
    return date(months // 12, months % 12 + 1, 1)


def _midnight(clock: Clock, day: date) -> datetime:
    return clock.bounds(day)[0]


def _moment(name: str, text: str, clock: Clock) -> datetime:
    text = text.strip()
    try:
        if len(text) == 10:
            return _midnight(clock, _bounded(date.fromisoformat(text)))
        told = _bounded(datetime.fromisoformat(text))
        return told.astimezone(UTC) if told.tzinfo else _on(clock, told)
    except (ValueError, OverflowError):
        raise QueryError(f"{name}: {text[:40]!r} is no date and no time", _HINT) from None


def _bounded(told: T) -> T:
    if not FIRST_YEAR <= told.year <= LAST_YEAR:
        raise ValueError(told)
    return told


def _on(clock: Clock, told: datetime) -> datetime:
    """A time that the wall clock shows: the first time that it does; if it never does, that much behind the gap."""
    as_utc = told.replace(tzinfo=UTC)
    offsets = [offset for _, offset in clock.offsets(as_utc - _DAY, as_utc + _DAY)]
    shown = [as_utc - offset for offset in offsets]
    fits = [moment for moment in shown if moment + clock.offsets(moment, moment)[0][1] == as_utc]
    return min(fits) if fits else as_utc - offsets[0]
