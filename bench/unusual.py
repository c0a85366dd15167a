"""How well unusual hours are found: on generated years with things planted, and on NAB's labelled series.

    .venv/bin/python bench/unusual.py years [--seeds 20] [--sizes 10,100,1000,10000]
    .venv/bin/python bench/unusual.py nab FOLDER

FOLDER is a copy of the Numenta Anomaly Benchmark (github.com/numenta/NAB): its `data` and `labels` are read. The score
is that of its paper (Lavin and Ahmad 2015, arXiv:1510.03336), profile "standard": each window earns by how early it was
found, each alarm outside costs, each window missed costs one; 100 is perfect, 0 is what saying nothing earns.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from math import exp, inf
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pixelake.warehouse.unusual_departures import BOUND, LEAST_WEEKS, departures
from pixelake.warehouse.unusual_hours import WEEK, usual
from tests.unusual.generator import Planted, Year, year

STRIKING = 3.0
"""Spreads by which something planted must depart to be looked for."""

# --- generated years


@dataclass
class Tally:
    """What was planted and found in the years of sites of one size."""

    striking: int = 0
    found: int = 0
    told: int = 0
    right: int = 0
    hours: int = 0
    bands: dict[str, list[int]] = field(default_factory=dict)

    def add(self, one: Year) -> None:
        """Judge a year."""
        first = LEAST_WEEKS * WEEK
        told = departures(usual(one.counts, [hour % WEEK for hour in range(len(one.counts))]), first)
        self.hours += len(one.counts) - first
        self.told += len(told)
        self.right += sum(any(_meet(each, thing) for thing in one.planted) for each in told)
        for thing in one.planted:
            if abs(thing.departs) >= STRIKING:
                found = any(_meet(each, thing) for each in told)
                self.striking += 1
                self.found += found
                for name in (thing.kind, _band(thing)):
                    band = self.bands.setdefault(name, [0, 0])
                    band[0] += found
                    band[1] += 1

    @property
    def recall(self) -> float:
        """The share of what departs strikingly that was told."""
        return self.found / self.striking

    @property
    def precision(self) -> float:
        """The share of what was told that was planted."""
        return self.right / self.told

    @property
    def false_a_week(self) -> float:
        """Alarms of a site in a week that nothing planted explains."""
        return (self.told - self.right) / (self.hours / WEEK)


def _meet(told: Any, thing: Planted) -> bool:
    return bool(told.first <= thing.last and told.last >= thing.first and told.score * thing.departs > 0)


def _band(thing: Planted) -> str:
    by = abs(thing.departs)
    return "3 to 4" if by < 4 else "4 to 6" if by < 6 else "6 to 10" if by < 10 else "over 10"


def years(seeds: int, sizes: Sequence[float]) -> dict[float, Tally]:
    """Judge years of sites of some sizes."""
    tallies = {size: Tally() for size in sizes}
    for size, tally in tallies.items():
        begun = time.process_time()
        for seed in range(seeds):
            tally.add(year(seed, size))
        took = (time.process_time() - begun) / seeds
        print(
            f"{size:>7,.0f} hits/h: recall {tally.recall:.3f} of {tally.striking}, precision {tally.precision:.3f} of "
            f"{tally.told}, false alarms a week {tally.false_a_week:.3f}, {took:.2f} s CPU a year"
        )
        print("        " + ", ".join(f"{name} {a}/{b}" for name, (a, b) in sorted(tally.bands.items())))
    return tallies


# --- NAB

A_TP, A_FP, A_FN = 1.0, 0.11, 1.0
"""The profile "standard"."""


@dataclass
class Series:
    """A file of NAB.

    Attributes:
        name: folder and file.
        times: of its records.
        values: of its records.
        windows: numbers of the first and the last record of each anomaly's window.
    """

    name: str
    times: Sequence[datetime]
    values: Sequence[float]
    windows: Sequence[tuple[int, int]]

    @property
    def probation(self) -> int:
        """Records at the beginning that are not scored."""
        return int(min(0.15 * len(self.times), 0.15 * 5000))


def sigmoid(position: float) -> float:
    """What an alarm earns: 1 at a window's begin, 0 at its end, towards -1 behind."""
    return -1.0 if position > 3 else 2 / (1 + exp(5 * position)) - 1


def score(series: Series, alarms: Sequence[int]) -> float:
    """The raw score of a series whose alarms are at these records."""
    total = 0.0
    best: dict[int, float] = {}
    for at in alarms:
        if at < series.probation:
            continue
        inside = next((n for n, (first, last) in enumerate(series.windows) if first <= at <= last), None)
        if inside is not None:
            first, last = series.windows[inside]
            best[inside] = max(best.get(inside, -inf), sigmoid(-(last - at + 1) / (last - first + 1)))
            continue
        before = [(first, last) for first, last in series.windows if last < at]
        if not before:
            total -= A_FP
            continue
        first, last = before[-1]
        total += A_FP * sigmoid((at - last) / max(1, last - first))
    top = sigmoid(-1.0)
    for number in range(len(series.windows)):
        total += A_TP * best[number] / top if number in best else -A_FN
    return total


def normal(raw: float, windows: int) -> float:
    """Of a raw score: 0 is that of saying nothing, 100 that of finding all windows at their begin."""
    return 100 * (raw + A_FN * windows) / (windows * (A_TP + A_FN))


def load(folder: Path) -> Iterator[Series]:
    """All series of NAB."""
    labels: Mapping[str, Any] = json.loads((folder / "labels/combined_windows.json").read_text())
    for name, windows in sorted(labels.items()):
        with (folder / "data" / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        times = [datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC) for row in rows]
        bounds = [[datetime.fromisoformat(each).replace(tzinfo=UTC) for each in window] for window in windows]
        found = [
            (
                next(n for n, at in enumerate(times) if at >= first),
                max(n for n, at in enumerate(times) if at <= last),
            )
            for first, last in bounds
        ]
        yield Series(name, times, [float(row["value"]) for row in rows], found)


def judged(series: Series) -> list[tuple[float, int]]:
    """The series by the hour, as the question judges counts: how far each departs, and the record that told.

    A value that is no count is taken as a thousand hits where it is at its median, so that chance plays no part.
    """
    counts, last_of, first = hourly(series)
    scale = 1000 / (median(counts) or 1)
    counts = [max(0.0, each * scale) for each in counts]
    slots = [(first.weekday() * 24 + first.hour + number) % WEEK for number in range(len(counts))]
    told = usual(counts, slots)
    return [
        (abs(each.score) / BOUND, last_of[_known(told, each, counts)])
        for each in departures(told, 0, least=1)
        if last_of[each.first] is not None
    ]


def _known(told: Any, each: Any, counts: Sequence[float]) -> int:
    """The hour at whose end the departure could first have been told: with what came before that hour, and no more."""
    for end in range(each.first, each.last + 1):
        cut = type(told)(counts[: end + 1], told.expected, told.spread, told.weeks, told.scale)
        if departures(cut, max(0, each.first - 1), least=1):
            return end
    return int(each.last)


def hourly(series: Series) -> tuple[list[float], list[int], datetime]:
    """Sums of hours, a mean where there are gaps; the last record of each; and when the first begins."""
    first = series.times[0].replace(minute=0, second=0, microsecond=0)
    hours = [int((at - first).total_seconds() // 3600) for at in series.times]
    values: dict[int, list[float]] = {}
    last_of: dict[int, int] = {}
    for number, (hour, value) in enumerate(zip(hours, series.values, strict=True)):
        values.setdefault(hour, []).append(value)
        last_of[hour] = number
    means = {hour: sum(each) / len(each) for hour, each in values.items()}
    filled = list(accumulate(range(hours[-1] + 1), lambda before, hour: means.get(hour, before), initial=means[0]))[1:]
    records = list(accumulate(range(hours[-1] + 1), lambda before, hour: last_of.get(hour, before), initial=0))[1:]
    return filled, records, first


def nab(folder: Path) -> None:
    """Print the scores."""
    by_folder: dict[str, list[tuple[float, int]]] = {}
    told: list[tuple[Series, list[tuple[float, int]]]] = []
    for series in load(folder):
        alarms = judged(series)
        told.append((series, alarms))
        raw = score(series, [at for _, at in alarms])
        group = series.name.split("/")[0]
        by_folder.setdefault(group, []).append((raw, len(series.windows)))
        days = (series.times[-1] - series.times[0]).days
        own = f"{normal(raw, len(series.windows)):7.1f}" if series.windows else f"raw {raw:.2f}"
        print(f"{series.name:55} {days:4} days {len(series.windows)} windows {len(alarms):3} alarms  {own}")
    for group, scores in by_folder.items():
        windows = sum(number for _, number in scores)
        raw = sum(each for each, _ in scores)
        print(f"{group:30} {normal(raw, windows):7.1f}" if windows else f"{group:30} raw {raw:.2f}")
    all_ = [each for scores in by_folder.values() for each in scores]
    print(f"{'all, profile standard':30} {normal(sum(raw for raw, _ in all_), sum(n for _, n in all_)):7.1f}")
    windows = sum(n for _, n in all_)
    best = max(
        (sum(score(one, [at for by, at in alarms if by >= bound]) for one, alarms in told), bound)
        for bound in (1 + step / 20 for step in range(100))
    )
    print(f"{'the same, bound chosen by score':30} {normal(best[0], windows):7.1f} at {best[1] * BOUND:.1f} spreads")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    made = commands.add_parser("years")
    made.add_argument("--seeds", type=int, default=20)
    made.add_argument("--sizes", default="10,100,1000,10000")
    labelled = commands.add_parser("nab")
    labelled.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.what == "years":
        years(given.seeds, [float(each) for each in given.sizes.split(",")])
    else:
        nab(given.folder)


if __name__ == "__main__":
    main()
