"""Tests of `pixelake.warehouse.spans`."""

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import groupby, pairwise

import pytest

from pixelake.warehouse.spans import BOUNDS, DAY_LEVEL, DEKAD, MONTH, QUARTER, SPANS, days_of, whole_dekads

DAYS = [date(2024, 1, 1) + timedelta(days=number) for number in range(366 + 365)]
"""With a leap day."""


@pytest.mark.parametrize("level", BOUNDS)
def test_each_day_is_in_one(level: str) -> None:
    """Runs follow each other without a gap, and each of their days tells the same bounds."""
    until = DAYS[0] - timedelta(days=1)
    for day in DAYS:
        first, last = BOUNDS[level](day)
        assert first <= day <= last
        assert {BOUNDS[level](each) for each in days_of(level, day)} == {(first, last)}
        if day == first:
            assert until == first - timedelta(days=1)
            until = last


def test_each_is_made_of_whole_shorter_ones() -> None:
    """So that a day is never counted twice, or not at all."""
    for longer, shorter in pairwise(SPANS):
        for day in DAYS:
            first, last = longer.bounds(day)
            assert first <= shorter.bounds(day)[0] <= shorter.bounds(day)[1] <= last


def levels(first: date, last: date) -> Iterator[str]:
    """Of which runs a period is, the longest ones that lie in it."""
    while first <= last:
        span = next(each for each in SPANS if each.bounds(first)[0] == first and each.bounds(first)[1] <= last)
        yield span.level
        first = span.bounds(first)[1] + timedelta(days=1)


def test_few_days_are_left() -> None:
    """Ten single days at each end at most."""
    for number, first in enumerate(DAYS[:70]):
        for last in DAYS[number : number + 130]:
            runs = [(level == DAY_LEVEL, len(list(some))) for level, some in groupby(levels(first, last))]
            days = [count for is_day, count in runs if is_day]
            assert max(days, default=0) <= (10 if len(runs) > len(days) else 20)
            assert not any(is_day for is_day, _ in runs[1:-1])


def test_by_hand() -> None:
    """The third dekad has what is left of a month: 8 to 11 days."""
    assert BOUNDS[DEKAD](date(2024, 2, 10)) == (date(2024, 2, 1), date(2024, 2, 10))
    assert BOUNDS[DEKAD](date(2024, 2, 21)) == (date(2024, 2, 21), date(2024, 2, 29))
    assert BOUNDS[DEKAD](date(2025, 12, 31)) == (date(2025, 12, 21), date(2025, 12, 31))
    assert BOUNDS[MONTH](date(2025, 12, 5)) == (date(2025, 12, 1), date(2025, 12, 31))
    assert BOUNDS[QUARTER](date(2025, 12, 5)) == (date(2025, 10, 1), date(2025, 12, 31))


def test_dekads_of_some_days() -> None:
    """Those that lack none."""
    assert whole_dekads(date(2025, 2, 1), range(1, 29)) == [1, 11, 21]
    assert whole_dekads(date(2024, 2, 1), range(1, 29)) == [1, 11]
    assert whole_dekads(date(2024, 2, 1), range(2, 21)) == [11]
    assert whole_dekads(date(2024, 2, 1), []) == []
