"""Years of hourly counts of a site, with what was planted into them. Shares no code with what looks for it.

A site has a level, a drift, a week with two kinds of days, a summer dip, days that are better or worse than others,
and chance: counts are negative binomial, each drawn as a Poisson count of a gamma-distributed rate.
"""

import random
from dataclasses import dataclass, field
from math import cos, exp, floor, lgamma, log, pi, sin, sqrt

HOURS = 24 * 365
DULL = 24 * 28
"""Nothing is planted in the first four weeks."""


@dataclass
class Planted:
    """Something out of the ordinary.

    Attributes:
        kind: spike, drop, outage, lift (a marketing day), holiday.
        first: its first hour.
        last: its last one.
        factor: what the rate is multiplied by.
        departs: by how many usual spreads its count departs from what would have been expected.
    """

    kind: str
    first: int
    last: int
    factor: float
    departs: float = 0.0


@dataclass
class Year:
    """A year of a site.

    Attributes:
        counts: of each hour, the first one a Monday's midnight.
        usual: the true rates without anything planted.
        planted: what was, in order of time.
    """

    counts: list[int]
    usual: list[float]
    planted: list[Planted] = field(default_factory=list)


def year(seed: int, size: float, *, hours: int = HOURS, plant: bool = True) -> Year:
    """A year.

    Args:
        seed: another one, another year.
        size: hits of an average hour.
        hours: how long it is.
        plant: whether anything is planted.
    """
    rng = random.Random(f"{seed} {size}")
    noise = rng.uniform(0.002, 0.02)
    usual = _rates(rng, size, hours)
    spreads = [sqrt(rate + noise * rate**2) for rate in usual]
    planted = _plan(rng, usual, spreads) if plant else []
    factors = [1.0] * hours
    for each in planted:
        for hour in range(each.first, each.last + 1):
            factors[hour] = each.factor
    counts = [_negative_binomial(rng, rate * by, noise) for rate, by in zip(usual, factors, strict=True)]
    for each in planted:
        some = range(each.first, each.last + 1)
        expected = sum(usual[hour] for hour in some)
        variance = sum(usual[hour] + noise * usual[hour] ** 2 for hour in some)
        each.departs = (sum(counts[hour] for hour in some) - expected) / sqrt(variance)
    return Year(counts, usual, planted)


def _rates(rng: random.Random, size: float, hours: int) -> list[float]:
    peak, depth, weekend = rng.uniform(11, 20), rng.uniform(0.5, 0.85), rng.uniform(0.45, 1.2)
    second, drift, dip = rng.uniform(0, 0.25), rng.uniform(-0.6, 0.9), rng.uniform(0, 0.25)
    weekdays = [rng.uniform(0.9, 1.1) for _ in range(7)]
    found = []
    for hour in range(hours):
        day, at = hour // 24 % 7, hour % 24
        shape = 1 + depth * cos(2 * pi * (at - peak) / 24) + second * sin(4 * pi * (at - peak + 2) / 24)
        kind = weekend if day >= 5 else 1.0
        season = 1 - dip * exp(-(((hour / 24 - 200) / 25) ** 2))
        found.append(size * max(shape, 0.05) * kind * weekdays[day] * season * exp(drift * hour / HOURS))
    return found


def _plan(rng: random.Random, usual: list[float], spreads: list[float]) -> list[Planted]:
    """About one thing a week, days apart from each other."""
    found: list[Planted] = []
    hour = DULL + rng.randrange(72)
    while hour < len(usual) - 72:
        found.append(_thing(rng, hour, usual, spreads))
        hour = found[-1].last + 72 + rng.randrange(144)
    return found


def _thing(rng: random.Random, hour: int, usual: list[float], spreads: list[float]) -> Planted:
    """Spikes and drops are of 1 to 16 spreads of their hours; outages, holidays and campaigns are as they are."""
    kind = rng.choice(["spike", "spike", "spike", "drop", "drop", "outage", "outage", "lift", "holiday"])
    if kind == "outage":
        return Planted(kind, hour, hour + rng.randrange(8), 0.0)
    if kind in {"lift", "holiday"}:
        midnight = (hour + 23) // 24 * 24
        return Planted(kind, midnight, midnight + 23, rng.uniform(1.3, 3) if kind == "lift" else rng.uniform(0.2, 0.7))
    last = hour + (rng.randrange(3) if kind == "spike" else rng.randrange(2, 12))
    some = range(hour, last + 1)
    spread = sqrt(sum(spreads[at] ** 2 for at in some)) / sum(usual[at] for at in some)
    by = rng.uniform(1, 16) * spread
    return Planted(kind, hour, last, 1 + by if kind == "spike" else max(0.0, 1 - by))


def _negative_binomial(rng: random.Random, mean: float, noise: float) -> int:
    """Its variance is ``mean + noise * mean ** 2``."""
    return poisson(rng, rng.gammavariate(1 / noise, mean * noise)) if mean > 0 else 0


def poisson(rng: random.Random, rate: float) -> int:
    """A Poisson count: by multiplication if small, else by transformed rejection (Hoermann 1993, PTRS)."""
    if rate < 10:
        bound, product, count = exp(-rate), rng.random(), 0
        while product > bound:
            product *= rng.random()
            count += 1
        return count
    b = 0.931 + 2.53 * sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse, ratio = 1.1239 + 1.1328 / (b - 3.4), 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = rng.random() - 0.5, rng.random()
        us = 0.5 - abs(u)
        if us <= 0:
            continue
        k = floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= ratio:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        if log(v * inverse / (a / us**2 + b)) <= k * log(rate) - rate - lgamma(k + 1):
            return k
