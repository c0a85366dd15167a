"""How well unusual hours are found in generated years: the same as `bench/unusual.py`, with fewer of them."""

import random
from itertools import pairwise

import pytest

from pixelake.warehouse.unusual_departures import BOUND, LEAST_WEEKS, Departure, bounds, departure, departures
from pixelake.warehouse.unusual_hours import WEEK, usual
from tests.unusual.generator import poisson, year

FIRST = LEAST_WEEKS * WEEK


def found(counts: list[int], bound: float = BOUND) -> list[Departure]:
    """What departs in a series that begins on a Monday's midnight."""
    return departures(usual(counts, [hour % WEEK for hour in range(len(counts))]), FIRST, bound)


@pytest.mark.parametrize("size", [10, 100, 1_000, 10_000])
def test_what_exceeds_three_spreads_is_found_and_little_else(size: float) -> None:
    """Spikes, drops, outages, holidays and campaign days, in years that drift: of three sites of that size together."""
    striking = seen = told = right = hours = 0
    for seed in range(100, 103):
        one = year(seed, size)
        rows = found(one.counts)
        hours += len(one.counts) - FIRST
        for thing in one.planted:
            if abs(thing.departs) >= 3:
                striking += 1
                seen += any(
                    row.first <= thing.last and row.last >= thing.first and row.score * thing.departs > 0
                    for row in rows
                )
        told += len(rows)
        right += sum(any(row.first <= thing.last and row.last >= thing.first for thing in one.planted) for row in rows)
    assert striking > 80
    assert seen / striking >= (0.85 if size == 10 else 0.9)
    assert right / told >= 0.9
    assert (told - right) / (hours / WEEK) <= 0.2


@pytest.mark.parametrize("size", [0.2, 3, 10, 1_000])
def test_a_year_without_anything_raises_hardly_an_alarm(size: float) -> None:
    """Chance, drift, a summer dip and a site's week are usual."""
    rows = [row for seed in range(2) for row in found(year(seed, size, plant=False).counts)]
    assert len(rows) <= 0.25 * 2 * 52


def test_forty_parts_of_a_site_raise_hardly_an_alarm_a_week() -> None:
    """Those with the most hits of each kind are held to a wider bound, since they are many."""
    weeks = 20
    years = [year(seed, 40 / (1 + seed % 10), hours=WEEK * weeks, plant=False) for seed in range(40)]
    assert sum(len(found(one.counts, 4.5)) for one in years) <= 0.5 * (weeks - LEAST_WEEKS)


def test_a_new_series_is_not_judged_in_its_first_two_weeks() -> None:
    """Whatever it does; after that it is."""
    counts = [0] * 500 + [30] * (WEEK * 6)
    counts[500 + WEEK] = 3_000
    counts[500 + 2 * WEEK - 5] = 0
    assert departures(usual(counts, [hour % WEEK for hour in range(len(counts))]), 0) == []
    counts[500 + 4 * WEEK] = 3_000
    assert [row.first for row in found(counts)] == [500 + 4 * WEEK]


def test_a_step_that_stays_is_told_and_then_is_usual() -> None:
    """Twice the hits from one day on: after a week it is the new level."""
    one = year(5, 200, hours=WEEK * 20, plant=False).counts
    step = WEEK * 12
    rows = found([2 * count if hour >= step else count for hour, count in enumerate(one)])
    assert min(abs(row.first - step) for row in rows) <= 2
    assert all(row.last < step + WEEK for row in rows if row.first >= step - 2)


def test_hours_that_are_not_whole_are_not_judged() -> None:
    """Where the clock changes by half an hour, half an hour has half the hits."""
    counts = [60] * (WEEK * 6)
    slots = [hour % WEEK for hour in range(len(counts))]
    counts[WEEK * 5], slots[WEEK * 5] = 0, -1
    assert departures(usual(counts, slots), FIRST) == []


@pytest.mark.parametrize("mean", [2.0, 10.0, 300.0])
def test_a_score_is_as_rare_as_a_normal_one(mean: float) -> None:
    """Of Poisson counts 4.6 % or so lie beyond two spreads, and 0.3 % beyond three."""
    rng = random.Random(1)
    scores = [abs(departure(poisson(rng, mean), mean, 0)) for _ in range(40_000)]
    assert 0.01 <= sum(score > 2 for score in scores) / 40_000 <= 0.055
    assert 0.0001 <= sum(score > 3 for score in scores) / 40_000 <= 0.004


@pytest.mark.parametrize("expected", [0.25, 3.0, 47.0, 90_000.0])
def test_bounds_are_the_last_numbers_that_do_not_depart(expected: float) -> None:
    """A step beyond them departs."""
    low, high = bounds(expected, 0.01, 3.5)
    assert low <= expected
    assert departure(high, expected, 0.01) <= 3.5 < departure(high + 1, expected, 0.01)
    assert departure(low, expected, 0.01) >= -3.5
    assert low == 0 or departure(low - 1, expected, 0.01) < -3.5
    scores = [departure(hits, expected, 0.01) for hits in range(int(expected * 2) + 5)][:2_000]
    assert all(a <= b for a, b in pairwise(scores))
