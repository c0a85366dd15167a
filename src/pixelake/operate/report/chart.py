"""The chart of a report as SVG: a line of the period, a thinner one of the period before.

Its colours are attributes, so that it looks the same in any program; a page may overrule them by class.
Text in it is written by this module alone: nothing in it was sent.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from pixelake.operate.report import words
from pixelake.operate.report.gather import Point, Report

WIDTH: Final = 720
HEIGHT: Final = 230
ACCENT: Final = "#0e7490"
MUTED: Final = "#5a6876"
LINE: Final = "#e3e8ed"
MARK: Final = "#b45309"
FONT: Final = "DejaVu Sans Condensed, system-ui, sans-serif"

_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 8, 10, 26
_TICKS: Final = 4
_LABELS: Final = 8
_STEPS: Final = (1, 2, 2.5, 5, 10)


def svg(report: Report) -> str:
    """The chart; a bucket more than the line has is never shown."""
    points = report.points
    top = ceiling(max([1, *(each.views for each in points), *(each.before or 0 for each in points)]))
    now = [(x_of(at, len(points)), y_of(each.views, top)) for at, each in enumerate(points)]
    then = [
        (x_of(at, len(points)), y_of(each.before, top)) for at, each in enumerate(points) if each.before is not None
    ]
    parts = [
        *_grid(top),
        *_labels(points, report.interval),
        *_line(then, "before", MUTED, 'stroke-width="1.2" stroke-dasharray="4 3"'),
        *_area(now),
        *_line(now, "now", ACCENT, 'stroke-width="2"'),
        *_marks(points, now),
    ]
    title = f"Page views by {report.interval}, {words.period_of(report)}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" style="display:block;width:100%;height:auto" role="img" aria-label="{title}"'
        f' font-family="{FONT}" font-size="11">{"".join(parts)}</svg>'
    )


def ceiling(most: int) -> int:
    """The least round number that is not below, which the ticks divide."""
    step = most / _TICKS
    magnitude: int = 10 ** math.floor(math.log10(max(step, 1)))
    for each in _STEPS:
        if (rounded := each * magnitude) >= step and rounded == int(rounded):
            return int(rounded) * _TICKS
    return 10 * magnitude * _TICKS


def x_of(at: int, count: int) -> float:
    """Where a bucket of so many lies; a single one in the middle."""
    width = WIDTH - _LEFT - _RIGHT
    return round(_LEFT + (width * at / (count - 1) if count > 1 else width / 2), 1)


def y_of(value: int, top: int) -> float:
    """How high a number lies."""
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value / top, 1)


def _grid(top: int) -> Iterator[str]:
    for tick in range(_TICKS + 1):
        value = top * tick // _TICKS
        y = y_of(value, top)
        yield f'<path class="grid" d="M{_LEFT} {y}H{WIDTH - _RIGHT}" stroke="{LINE}"/>'
        yield f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end" fill="{MUTED}">{value:,}</text>'


def _labels(points: Sequence[Point], interval: str) -> Iterator[str]:
    every = max(1, math.ceil(len(points) / _LABELS))
    for at in range(0, len(points), every):
        x = x_of(at, len(points))
        anchor = "end" if x > WIDTH - 3 * _RIGHT else "start" if x <= _LEFT else "middle"
        text = words.bucket(points[at].at, interval)
        yield f'<text class="tick" x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}" fill="{MUTED}">{text}</text>'


def _line(places: Sequence[tuple[float, float]], name: str, colour: str, how: str) -> Iterator[str]:
    if len(places) == 1:
        yield f'<circle class="dot-{name}" cx="{places[0][0]}" cy="{places[0][1]}" r="4" fill="{colour}"/>'
    elif places:
        yield (
            f'<path class="{name}" d="{_path(places)}" fill="none" stroke="{colour}" stroke-linejoin="round"'
            f' stroke-linecap="round" {how}/>'
        )


def _area(places: Sequence[tuple[float, float]]) -> Iterator[str]:
    if len(places) > 1:
        base = HEIGHT - _BOTTOM
        d = f"{_path(places)}L{places[-1][0]} {base}L{places[0][0]} {base}Z"
        yield f'<path class="area" d="{d}" fill="{ACCENT}" fill-opacity="0.1"/>'


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in places)


def _marks(points: Sequence[Point], places: Sequence[tuple[float, float]]) -> Iterator[str]:
    """A ring in the middle of each run of buckets with unusual hours."""
    for is_unusual, run in groupby(range(len(points)), lambda at: points[at].unusual):
        if is_unusual:
            x, y = places[min(run, key=lambda at: places[at][1])]
            yield f'<circle class="mark" cx="{x}" cy="{y}" r="5" fill="none" stroke="{MARK}" stroke-width="2"/>'
