"""Where the days of a question are read from, and which of them one scan reads."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from pixelake.warehouse.reading import Kept
from pixelake.warehouse.zones import DAY, Clock

MONTHS: Final = "months"
"""Sums of whole months."""
DAYS: Final = "days"
"""Sums of days."""
TRAIL: Final = "trail"
"""Events that were kept with their visits."""
ROWS: Final = "rows"
"""The lake."""


class Segment(NamedTuple):
    """Local days that follow each other and are read from the same.

    Attributes:
        source: one of `MONTHS`, `DAYS`, `TRAIL`, `ROWS`.
        clock: of the sites.
        sites: SQL that is true of them.
        days: which.
        files: of the sums or the trail.
    """

    source: str
    clock: Clock
    sites: str
    days: Sequence[date]
    files: Sequence[str]


def scans(segments: Sequence[Segment], kept: Kept, *, is_series: bool) -> list[list[Segment]]:
    """The segments in groups that are read at once: to begin a scan costs what a hundred thousand rows do.

    Months and the days beside them go together, as the row of a month has its first day: so days pick the rows. But
    not if a file of months has the row of a month whose days are read one by one; a file of days has those of its
    own month alone. And series do not, of which files of months have the days.
    """
    found: list[list[Segment]] = []
    for each in segments:
        if found and not is_series and _follows(found[-1][-1], each) and _is_clear([*found[-1], each], kept):
            found[-1].append(each)
        else:
            found.append([each])
    return found


def _follows(one: Segment, other: Segment) -> bool:
    is_next = one.sites == other.sites and one.days[-1] + DAY == other.days[0]
    return is_next and {one.source, other.source} == {DAYS, MONTHS}


def _is_clear(scan: Sequence[Segment], kept: Kept) -> bool:
    """Whether no file of months has the row of a month whose days are read one by one."""
    files = {file for each in scan if each.source == MONTHS for file in each.files}
    firsts = [(each.clock.zones, day) for each in scan if each.source == DAYS for day in each.days if day.day == 1]
    return all(kept.joined(zones, first) not in files for zones, first in firsts)
