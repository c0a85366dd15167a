"""The chart as SVG."""

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

import pytest

from pixelake.operate.report import chart
from pixelake.operate.report.gather import Point
from tests.operate.report.made import report

FIRST = datetime(2026, 11, 9)  # noqa: DTZ001 - a wall clock
SVG = "{http://www.w3.org/2000/svg}"


def points(count: int, before: int | None = 3) -> list[Point]:
    """So many days, with more views on each."""
    return [Point(FIRST + timedelta(days=n), n * 17, n, before, n in {2, 3}) for n in range(count)]


@pytest.mark.parametrize("count", [0, 1, 2, 7, 400])
def test_it_is_well_formed_and_stays_inside(count: int) -> None:
    """For any number of buckets all is drawn within the picture, also nothing and a single one."""
    root = ET.fromstring(chart.svg(report(points=points(count))))
    for each in root.iter(f"{SVG}text"):
        assert 0 <= float(each.attrib["x"]) <= chart.WIDTH
        assert 0 <= float(each.attrib["y"]) <= chart.HEIGHT
    for each in root.iter(f"{SVG}circle"):
        assert 0 <= float(each.attrib["cy"]) <= chart.HEIGHT
    assert len(list(root.iter(f"{SVG}text"))) <= 5 + 9


def test_unusual_hours_are_ringed_once_a_run() -> None:
    """Two unusual days side by side have one ring, at the higher one."""
    root = ET.fromstring(chart.svg(report(points=points(7))))
    (ring,) = [each for each in root.iter(f"{SVG}circle") if each.attrib["class"] == "mark"]
    assert float(ring.attrib["cx"]) == chart.x_of(3, 7)


def test_without_a_period_before_there_is_one_line() -> None:
    """What has no numbers has no line."""
    assert 'class="before"' in chart.svg(report(points=points(7)))
    assert 'class="before"' not in chart.svg(report(points=points(7, before=None)))


@pytest.mark.parametrize("most", [1, 3, 4, 5, 9, 11, 99, 101, 399, 401, 12_345, 10**9])
def test_the_scale_is_round_and_reaches_all(most: int) -> None:
    """Its end is no less than the most, not much more, and four whole steps."""
    top = chart.ceiling(most)
    assert most <= top <= max(4, 3 * most)
    assert top % 4 == 0
