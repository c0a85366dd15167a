"""The list of roll-ups: which files hold which days, and for which version of the lake that is known to be so.

::

    <lake>/rollups/manifest.json
    <lake>/rollups/day-<date>.trail-<id>-<bytes>.parquet   events of a local day with their visits, people numbered
    <lake>/rollups/day-<date>.cube-<id>-<bytes>.parquet    what each question counts of that day
    <lake>/rollups/month-<date>.cube-<id>-<bytes>.parquet  the same of the days of a month
    <lake>/rollups/month-<date>.sums-<id>-<bytes>.parquet  the same of all of a month, and its series of days
    <lake>/rollups/year-<date>.sums-<id>-<bytes>.parquet   those of the months of a year

A local day is that of the sites that share a history of zones: a unit. The list
is replaced as a whole. It holds for the version of the lake named in it; what
later versions changed is found in the log of the lake (`pixelake.warehouse.rollup.kept`).
"""

import os
import uuid
from pathlib import Path
from typing import Final

import msgspec

from pixelake.warehouse.place import Place
from pixelake.warehouse.zones import Zones

FOLDER: Final = "rollups"
MANIFEST: Final = "manifest.json"
FORMAT: Final = 2
READ: Final = {1, FORMAT}
"""Formats that are understood: months of the first have no sums of their own yet, and are joined again."""


class Day(msgspec.Struct, frozen=True):
    """The files of a local day, below the folder; empty names: nothing happened on that day."""

    trail: str
    cube: str


class Month(msgspec.Struct, frozen=True):
    """The files of a month.

    Attributes:
        cube: what its days sum up to, in one file instead of thirty; empty: nothing happened.
        days: which of its days are in it.
        sums: if all are, what the whole month sums up to.
    """

    cube: str
    days: list[int]
    sums: str = ""


class Year(msgspec.Struct, frozen=True):
    """The file of a year: the sums of some of its months, so that a question opens one instead of twelve.

    Attributes:
        sums: its name.
        of: the names of the files of months that are in it.
    """

    sums: str
    of: list[str]


class Unit(msgspec.Struct):
    """What is kept of the sites that share a history of zones.

    Attributes:
        zones: the history.
        days: local date, ISO -> its files.
        months: the first date of a month, ISO -> its files.
        years: the first date of a year, ISO -> its file.
    """

    zones: Zones
    days: dict[str, Day] = {}
    months: dict[str, Month] = {}
    years: dict[str, Year] = {}


class Manifest(msgspec.Struct):
    """The whole list.

    Attributes:
        format: `FORMAT`.
        definition: tells what was counted, and how; another one is another's list.
        clocks: tells which sites have which zones.
        table: the id of the lake's table of events.
        version: of it, that this holds for.
        entry: the checksum of that version's entry in the log.
        units: what is kept.
    """

    format: int
    definition: str
    clocks: str
    table: str
    version: int
    entry: str
    units: list[Unit] = []

    def files(self) -> set[str]:
        """All files that it names."""
        names = set[str]()
        for unit in self.units:
            names.update(name for day in unit.days.values() for name in (day.trail, day.cube))
            names.update(name for month in unit.months.values() for name in (month.cube, month.sums))
            names.update(year.sums for year in unit.years.values())
        return names - {""}


def file_name(kind: str, size: int) -> str:
    """A name for a file of so many bytes, that no other ever had."""
    return f"{kind}-{uuid.uuid4().hex}-{size}.parquet"


def size_of(name: str) -> int:
    """How many bytes a file has, by its name; -1: it is no name of ours."""
    told = name.removesuffix(".parquet").rpartition("-")[2]
    return int(told) if told.isascii() and told.isdigit() else -1


def sizes(folder: Place) -> dict[str, int]:
    """The files that are there, and how many bytes they have."""
    if isinstance(folder, Path):
        with os.scandir(folder) as found:
            return {each.name: each.stat().st_size for each in found}
    return dict(folder.sizes())


def read(folder: Place) -> Manifest | None:
    """The list in a folder; None if there is none that can be read."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.format in READ else None


def encode(manifest: Manifest) -> bytes:
    """The list as a file."""
    return msgspec.json.encode(manifest)
