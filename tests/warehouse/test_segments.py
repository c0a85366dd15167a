"""Tests of `pixelake.warehouse.segments`: what one scan reads."""

from collections.abc import Mapping
from datetime import date

from pixelake.warehouse.reading import Nothing
from pixelake.warehouse.segments import DAYS, MONTHS, ROWS, Segment, scans
from pixelake.warehouse.trail import days_between
from pixelake.warehouse.zones import Clock, Zones, fixed

UTC = Clock(fixed("UTC"))


class Joined(Nothing):
    """Of some months the rows are in a file."""

    def __init__(self, files: Mapping[int, str]) -> None:
        self._files = files

    def joined(self, _zones: Zones, first: date) -> str | None:
        """The file."""
        return self._files.get(first.month)


def part(source: str, first: date, last: date, *files: str, sites: str = "true") -> Segment:
    """All days from one to another."""
    return Segment(source, UTC, sites, days_between(first, last), files)


JANUARY = part(DAYS, date(2026, 1, 1), date(2026, 1, 31), "january")
FEBRUARY = part(MONTHS, date(2026, 2, 1), date(2026, 2, 28), "february")
MARCH = part(DAYS, date(2026, 3, 1), date(2026, 3, 31), "march")
APRIL = part(MONTHS, date(2026, 4, 1), date(2026, 4, 30), "year")
ALL = [JANUARY, FEBRUARY, MARCH, APRIL]


def test_days_and_months_go_together() -> None:
    """Also where a month's row is in a file that is not read."""
    assert scans(ALL, Joined({}), is_series=False) == [ALL]
    assert scans(ALL, Joined({1: "other", 3: "another"}), is_series=False) == [ALL]


def test_no_file_has_a_row_of_days_that_another_has() -> None:
    """However far apart they are in the scan."""
    assert scans(ALL, Joined({1: "year"}), is_series=False) == [ALL[:3], ALL[3:]]
    assert scans(ALL, Joined({1: "february"}), is_series=False) == [ALL[:1], ALL[1:]]
    assert scans(ALL, Joined({3: "year"}), is_series=False) == [ALL[:3], ALL[3:]]
    middle = part(DAYS, date(2026, 1, 16), date(2026, 1, 31), "january")
    assert scans([middle, FEBRUARY], Joined({1: "february"}), is_series=False) == [[middle, FEBRUARY]]


def test_what_does_not_follow_stays_apart() -> None:
    """A gap, other sites, other sources, and all of a series."""
    assert scans(ALL, Joined({}), is_series=True) == [[each] for each in ALL]
    assert scans([JANUARY, APRIL], Joined({}), is_series=False) == [[JANUARY], [APRIL]]
    others = part(MONTHS, date(2026, 2, 1), date(2026, 2, 28), "february", sites="site = 'b'")
    assert scans([JANUARY, others], Joined({}), is_series=False) == [[JANUARY], [others]]
    rows = part(ROWS, date(2026, 2, 1), date(2026, 2, 28))
    assert scans([JANUARY, rows, MARCH], Joined({}), is_series=False) == [[JANUARY], [rows], [MARCH]]
