"""Runs of days whose sums are kept together, so that a question adds up a few of them and not each day.

A month has three dekads: its days 1 to 10, 11 to 20, and 21 to the last (as
meteorologists count), a year four quarters: not those of an hour, by which
series are counted. Of a period, the longest that lie whole within it are taken,
and single days for the rest: at most ten at each end.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

DAY_LEVEL: Final = "day"
DEKAD: Final = "dekad"
MONTH: Final = "month"
QUARTER: Final = "quarter"
DEKADS: Final = (1, 11, 21)
"""The days on which they begin."""
QUARTERS: Final = (1, 4, 7, 10)
"""The months in which they begin."""


class Span(NamedTuple):
    """A kind of run of days.

    Attributes:
        level: its name in the files.
        bounds: the first and the last day of the one that a day is in.
    """

    level: str
    bounds: Callable[[date], tuple[date, date]]


def _day(day: date) -> tuple[date, date]:
    return day, day


def _dekad(day: date) -> tuple[date, date]:
    first = max(each for each in DEKADS if each <= day.day)
    return day.replace(day=first), _month(day)[1] if first == DEKADS[-1] else day.replace(day=first + 9)


def _month(day: date) -> tuple[date, date]:
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def _quarter(day: date) -> tuple[date, date]:
    first = max(each for each in QUARTERS if each <= day.month)
    return day.replace(month=first, day=1), _month(day.replace(month=first + 2, day=1))[1]


SPANS: Final = (Span(QUARTER, _quarter), Span(MONTH, _month), Span(DEKAD, _dekad), Span(DAY_LEVEL, _day))
"""The longest first."""
BOUNDS: Final = {span.level: span.bounds for span in SPANS}


def days_of(level: str, day: date) -> Sequence[date]:
    """All days of the run that a day is in."""
    begun, ended = BOUNDS[level](day)
    return [begun + timedelta(days=number) for number in range((ended - begun).days + 1)]


def whole_dekads(first: date, days: Iterable[int]) -> list[int]:
    """The days on which those dekads of a month begin all of whose days are among these.

    Args:
        first: of the month.
        days: some of the month.
    """
    there = set(days)
    return [day for day in DEKADS if there.issuperset(each.day for each in days_of(DEKAD, first.replace(day=day)))]
