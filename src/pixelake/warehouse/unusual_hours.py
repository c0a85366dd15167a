"""What hours of a series of counts bring usually: plain arithmetic, that knows nothing of sites.

What is expected of an hour is what the same hour of the week brought in the
weeks before, times how the last seven days compare with those. Around it counts
scatter as a negative binomial does: by chance, and by as much more as this
series did so far. `pixelake.warehouse.unusual_departures` finds what departs;
`docs/unusual.md` has the formulas, and how well they find.

Only hours before an hour are used to judge it.
"""

from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import sqrt
from statistics import median
from typing import Final

WEEK: Final = 168
WEEKS: Final = 8
"""So many weeks before are looked at, at most."""
LENGTHS: Final = (1, 2, 3, 6, 12, 24)
"""Hours of the stretches that are looked at."""
LEAST_HITS: Final = 5
"""A departure of fewer is nobody's concern."""
FLOOR: Final = 0.25
"""An hour expects no less than that: where nothing ever was, one hit is no wonder."""
_LEAST_PHI: Final = 0.0004
"""Relative variance beyond chance: 2 % of a count are noise, however quiet the series."""
_FEW: Final = 20
"""Of a series with fewer hits an hour, the hours before and behind help to tell what an hour brings."""
_MOST_PHI: Final = 4.0
_TAIL: Final = 1.25
"""By so much more at most than in the middle: what lies beyond was unusual itself."""
_ENOUGH: Final = 400
"""So many hours tell how counts scatter: all of eight weeks would tell no more, and cost more."""
_LEAST_SCORES: Final = 12
_LEAST_HALVES: Final = 6
_STEP: Final = 6
"""Hours for which a level holds."""
_DEAD: Final = 0.05
"""A day with less than that share of a usual one tells nothing about the level."""


@dataclass(slots=True)
class Usual:
    """What is usual, hour by hour.

    Attributes:
        counts: what was counted.
        expected: of each hour; NaN would do, but 0 is where `weeks` is 0.
        spread: of each hour, the variance around what is expected.
        weeks: how many weeks before tell; 0: too few, and the hour is not judged.
        scale: of each hour, by which each of `LENGTHS` scatters more than hours apart from each other would.
    """

    counts: Sequence[float]
    expected: list[float] = field(default_factory=list)
    spread: list[float] = field(default_factory=list)
    weeks: list[int] = field(default_factory=list)
    scale: list[Sequence[float]] = field(default_factory=list)


# --- what is usual


def usual(counts: Sequence[float], slots: Sequence[int], first: int = 0) -> Usual:
    """What each hour brings usually, by the hours before it alone.

    Args:
        first: the first hour that will be judged: how counts scatter is not learnt before.
        counts: of hours, one behind the other, without gaps.
        slots: the hour of the week of each (0 to 167, by the wall clock); -1: no whole hour, not judged.
    """
    found = Usual(counts)
    begun = next((number for number, count in enumerate(counts) if count), len(counts))
    shape = _Shape(counts, slots, begun)
    shares = [0.0] * len(counts)
    known = [0] * len(counts)
    for number in range(len(counts)):
        shares[number], known[number] = shape.of(number)
    levels = _Levels(counts, shares, known)
    scatter = _Scatter(counts, found, first)
    for number, share in enumerate(shares):
        level = levels.before(number) if known[number] else 0.0
        expected = max(share * level, FLOOR) if level else 0.0
        phi, scale = scatter.before(number)
        found.expected.append(expected)
        found.spread.append(expected + phi * expected * expected)
        found.weeks.append(known[number] if expected else 0)
        found.scale.append(scale)
    return found


class _Shape:
    """The share that an hour of the week has of a day, by the same hour of the weeks before."""

    def __init__(self, counts: Sequence[float], slots: Sequence[int], begun: int) -> None:
        self._counts, self._slots, self._begun = counts, slots, begun
        totals = [sum(counts[at : at + 24]) for at in range(begun, len(counts) - 23, 24)]
        self._rough = [_around(totals, number) for number in range(len(totals))]
        self._is_sparse = bool(totals) and median(totals) < 24 * _FEW
        self._of_slot: list[list[int]] = [[] for _ in range(WEEK)]

    def of(self, number: int) -> tuple[float, int]:
        """The share of an hour, and how many weeks tell it; no weeks: not known."""
        slot = self._slots[number]
        if slot < 0 or number < self._begun:
            return 0.0, 0
        before = [at for at in self._of_slot[slot][-WEEKS:] if at > number - (WEEKS + 1) * WEEK]
        self._of_slot[slot].append(number)
        if not before:
            return 0.0, 0
        share = self._smooth(before) if self._is_sparse else self._centre(before)
        if len(before) < 4:  # the same hour of days of the same kind helps out
            alike = _alike(slot)
            others = [at for other in alike for at in self._of_slot[other][-3:] if at <= number - 96]
            if len(before) < 3:  # of two nobody knows which one was unusual
                return self._centre([*before, *others]), len(before)
            share = 0.75 * share + 0.25 * self._centre(others or before)
        return share, len(before)

    def _smooth(self, hours: Sequence[int]) -> float:
        """A count of one hour says little: those beside it help out, where they are not another matter."""
        own = self._centre(hours)
        near = self._centre([at + by for at in hours for by in (-1, 1) if at + by >= self._begun])
        level = self._level(hours[-1])
        is_alike = level * (own - near) ** 2 <= max(own, near, 1 / level if level else 1.0)
        return (own + near) / 2 if is_alike else own

    def _centre(self, hours: Sequence[int]) -> float:
        return centre([self._part(at) for at in hours])

    def _part(self, hour: int) -> float:
        level = self._level(hour)
        return self._counts[hour] / level if level else 0.0

    def _level(self, hour: int) -> float:
        day = min((hour - self._begun) // 24, len(self._rough) - 1)
        return self._rough[day] if day >= 0 else 0.0


def _alike(slot: int) -> Sequence[int]:
    hour, day = slot % 24, slot // 24
    return [hour + 24 * other for other in (range(5) if day < 5 else (5, 6)) if other != day]


def _around(totals: Sequence[float], day: int) -> float:
    """The level around a day: the median of a week of them, which has each day of the week once."""
    first = max(0, min(day - 3, len(totals) - 7))
    some = totals[first : first + 7]
    return median(some) or sum(some) / len(some)


def centre(values: Iterable[float]) -> float:
    """The mean without the lowest and the highest quarter, of few values about the median: no two weeks move it far."""
    ordered = sorted(values)
    cut = len(ordered) // 4 if len(ordered) >= WEEKS else max(0, len(ordered) - 1) // 2
    kept = ordered[cut : len(ordered) - cut]
    return sum(kept) / len(kept) if kept else 0.0


class _Levels:
    """How the days before an hour compare with their shares."""

    def __init__(self, counts: Sequence[float], shares: Sequence[float], known: Sequence[int]) -> None:
        self._counts = [0.0, *accumulate(count if weeks else 0.0 for count, weeks in zip(counts, known, strict=True))]
        self._shares = [0.0, *accumulate(shares)]
        self._last = (-_STEP, 0.0)

    def before(self, number: int) -> float:
        """The level, robust against what happened on three of the last seven days; 0: not known."""
        if number - self._last[0] >= _STEP or not self._last[1]:
            self._last = (number, self._level(number))
        return self._last[1]

    def _level(self, number: int) -> float:
        found: list[float] = []
        for half in range(28):
            last, first = number - 12 * half, number - 12 * half - 12
            if first < 0 or len(found) == 14:
                break
            if (share := self._shares[last] - self._shares[first]) > 0:
                found.append((self._counts[last] - self._counts[first]) / share)
                if half >= 13 and (most := max(found)):
                    found = [level for level in found if level > _DEAD * most]
        return densest(found) if len(found) >= _LEAST_HALVES else 0.0


def densest(values: Iterable[float]) -> float:
    """The mean of the values around that half of them that lie nearest to each other."""
    ordered = sorted(values)
    half = len(ordered) // 2 + 1
    at = min(range(len(ordered) - half + 1), key=lambda first: ordered[first + half - 1] - ordered[first])
    low, high = ordered[at], ordered[at + half - 1]
    near = [each for each in ordered if 2 * low - high <= each <= 2 * high - low]
    return sum(near) / len(near)


class _Scatter:
    """How counts scattered around what was expected of them, learnt anew each week."""

    def __init__(self, counts: Sequence[float], told: Usual, first: int) -> None:
        self._counts, self._told = counts, told
        self._learnt: tuple[float, Sequence[float]] = (_LEAST_PHI, [1.0] * len(LENGTHS))
        self._next = first

    def before(self, number: int) -> tuple[float, Sequence[float]]:
        """The relative variance beyond chance, and the scales of `LENGTHS`."""
        if number >= self._next:
            self._next = number + WEEK
            self._learn(number)
        return self._learnt

    def _learn(self, until: int) -> None:
        told = self._told
        hours = [at for at in range(max(0, until - WEEKS * WEEK), until) if told.expected[at]]
        if len(hours) < WEEK // 2:
            return
        some = hours[:: 1 + len(hours) // _ENOUGH]
        pairs = [(abs(self._counts[at] - told.expected[at]), told.expected[at]) for at in some]
        busy = [pair for pair in pairs if pair[1] >= LEAST_HITS]
        phi = _phi(busy if len(busy) >= len(pairs) // 3 else pairs)
        self._learnt = phi, self._scales(hours, phi)

    def _scales(self, hours: Sequence[int], phi: float) -> Sequence[float]:
        first, last = hours[0], hours[-1] + 1
        expected = self._told.expected[first:last]
        departed = [0.0, *accumulate(self._counts[first + at] - each for at, each in enumerate(expected))]
        spread = [0.0, *accumulate(each + phi * each * each for each in expected)]
        found = []
        for length in LENGTHS:
            scores = sorted(
                abs(departed[at + length] - departed[at]) / sqrt(max(spread[at + length] - spread[at], FLOOR))
                for at in range(0, len(expected) - length + 1, max(1, length // 2))
            )
            found.append(_scale(scores))
        return tuple(found)


def _phi(pairs: Sequence[tuple[float, float]]) -> float:
    """That with which half of all departures are below two thirds of a spread, as they should be."""
    low, high = 0.0, _MOST_PHI
    for _ in range(14):
        phi = (low + high) / 2
        if median(off / sqrt(each + phi * each * each) for off, each in pairs) > 0.6745:
            low = phi
        else:
            high = phi
    return max(high, _LEAST_PHI)


def _scale(scores: Sequence[float]) -> float:
    """How much wider than normal they scatter, in the middle and at the tenth that departs most.

    Without those that departed before: what was unusual once does not make the next one usual.
    """
    scale, kept = 1.0, len(scores)
    if kept < _LEAST_SCORES:
        return scale
    for _ in range(4):
        scale = max(
            1.0, scores[kept // 2] / 0.6745, min(scores[kept * 9 // 10] / 1.645, _TAIL * scores[kept // 2] / 0.6745)
        )
        kept = max(bisect(scores, 3 * scale), len(scores) // 2)
    return scale
