"""Which stretches of hours depart from what is usual (`pixelake.warehouse.unusual_hours`), the most striking first.

Stretches of one hour to a day are looked at. What one of them explains does not
count for another one, and neighbours that depart to the same side are one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf, log, sqrt
from typing import Final, NamedTuple

from pixelake.warehouse.unusual_hours import LEAST_HITS, LENGTHS, Usual

LEAST_WEEKS: Final = 2
"""Before a series is that old, nothing of it is unusual."""
BOUND: Final = 3.45
"""Spreads beyond which a stretch departs, if a single series is looked at."""
GAP: Final = 3
"""Stretches with fewer hours between them that depart to the same side are one."""


class Departure(NamedTuple):
    """A stretch of hours that departs.

    Attributes:
        first: number of its first hour.
        last: of its last one.
        hits: its count.
        expected: what was to be expected.
        low: the least that is usual.
        high: the most that is.
        score: by how many spreads it departs; below zero: too few.
        weeks: how many weeks before tell what is usual.
    """

    first: int
    last: int
    hits: float
    expected: float
    low: int
    high: int
    score: float
    weeks: int


def departures(told: Usual, first: int, bound: float = BOUND, least: int = LEAST_WEEKS) -> list[Departure]:
    """The stretches from an hour on that depart, in order of time.

    Args:
        told: what is usual.
        first: the first hour that is looked at.
        bound: spreads beyond which a stretch departs, where many weeks tell what is usual.
        least: hours of which fewer weeks tell what is usual are passed over.
    """
    if any(weeks < least for weeks in told.weeks):
        told = replace(told, weeks=[weeks if weeks >= least else 0 for weeks in told.weeks])
    taken = sorted(_taken(told, first, bound))
    merged: list[tuple[int, int, int]] = []
    for start, end, side in taken:
        if merged and merged[-1][2] == side and start - merged[-1][1] <= GAP:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), side)
        else:
            merged.append((start, end, side))
    return [_departure(told, start, end, bound) for start, end, _ in merged]


def _taken(told: Usual, first: int, bound: float) -> Iterator[tuple[int, int, int]]:
    """Stretches that depart, the most striking first; what one has explained does not count for another."""
    left = list(told.counts)
    found = {}
    for start, length in _windows(told, first, len(left)):
        if (score := _striking(told, left, start, length, bound)) is not None:
            found[start, length] = score
    while found:
        (start, length), score = max(found.items(), key=lambda each: abs(each[1]))
        yield _trimmed(told, left, start, start + length, 1 if score > 0 else -1)
        for at in range(start, start + length):
            left[at] = told.expected[at]
        for start_, length_ in _windows(told, max(first, start - max(LENGTHS)), start + length + max(LENGTHS)):
            if start_ < start + length and start_ + length_ > start:
                found.pop((start_, length_), None)
                if (score_ := _striking(told, left, start_, length_, bound)) is not None:
                    found[start_, length_] = score_


def _trimmed(told: Usual, counts: Sequence[float], start: int, end: int, side: int) -> tuple[int, int, int]:
    """Without the hours at its begin and its end that do not depart themselves."""
    own = [side * (counts[at] - told.expected[at]) > sqrt(told.spread[at]) for at in range(start, end)]
    if not any(own):
        return start, end, side
    return start + own.index(True), end - own[::-1].index(True), side


def _windows(told: Usual, first: int, end: int) -> Iterator[tuple[int, int]]:
    for start in range(first, min(end, len(told.counts))):
        for length in LENGTHS:
            if start + length <= len(told.counts):
                yield start, length


def _striking(told: Usual, counts: Sequence[float], start: int, length: int, bound: float) -> float | None:
    """How far beyond the bound a stretch is; None: it is not."""
    end = start + length
    if not all(told.weeks[start:end]):
        return None
    hits, expected = sum(counts[start:end]), sum(told.expected[start:end])
    off = hits - expected
    if abs(off) < LEAST_HITS:
        return None
    spread = sum(told.spread[start:end])
    scale = told.scale[end - 1][LENGTHS.index(length)]
    reach = bound * _caution(told.weeks[end - 1]) * scale
    if off * off < 0.25 * reach * reach * spread:  # far from it: no need to be exact
        return None
    score = departure(hits, expected, (spread - expected) / expected**2) / reach
    return score if abs(score) > 1 else None


def _caution(weeks: int) -> float:
    """Few weeks tell less."""
    return 1 + 0.5 / weeks


def departure(hits: float, expected: float, phi: float) -> float:
    """By how many spreads a count departs: as rare as a normal value so far from its mean.

    The signed root of a negative binomial's deviance, half a hit nearer to what was expected.
    """
    side = 1.0 if hits > expected else -1.0
    near = max(hits - 0.5 * side, 0.0)
    if (near - expected) * side <= 0:
        return 0.0
    own = near * log(near / expected) if near else 0.0
    if phi < 1e-9:
        return side * sqrt(max(0.0, 2 * (own - (near - expected))))
    size = 1 / phi
    return side * sqrt(max(0.0, 2 * (own - (near + size) * log((near + size) / (expected + size)))))


def _departure(told: Usual, start: int, end: int, bound: float) -> Departure:
    expected = sum(told.expected[start:end])
    hits = sum(told.counts[start:end])
    spread = sum(told.spread[start:end])
    near = min(LENGTHS, key=lambda length: abs(length - (end - start)))
    scale = told.scale[end - 1][LENGTHS.index(near)]
    weeks = min(told.weeks[start:end])
    phi = (spread - expected) / expected**2
    reach = bound * _caution(weeks) * scale
    low, high = bounds(expected, phi, reach)
    return Departure(start, end - 1, hits, expected, low, high, departure(hits, expected, phi) / scale, weeks)


def bounds(expected: float, phi: float, reach: float) -> tuple[int, int]:
    """The least and the most whole number that departs by no more than so many spreads."""
    low, high = 0, int(expected)
    while low < high:  # the least that does not depart
        middle = (low + high) // 2
        if departure(middle, expected, phi) >= -reach:
            high = middle
        else:
            low = middle + 1
    least, low, high = low, int(expected), max(1, int(expected))
    while departure(high, expected, phi) <= reach and high < inf:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if departure(middle, expected, phi) <= reach:
            low = middle
        else:
            high = middle
    return least, low
