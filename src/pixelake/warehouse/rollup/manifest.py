"""The list of roll-ups: which files hold which days, and for which version of the lake that is known to be so.

::

    <lake>/rollups/manifest.json
    <lake>/rollups/day-<date>.trail-<id>-<bytes>.parquet   events of a local day with their visits, people numbered
    <lake>/rollups/day-<date>.cube-<id>-<bytes>.parquet    what each question counts of that day
    <lake>/rollups/month-<date>.cube-<id>-<bytes>.parquet  the same of a month: of its days, and of all of it

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
FORMAT: Final = 1


class Day(msgspec.Struct, frozen=True):
    """The files of a local day, below the folder; empty names: nothing happened on that day."""

    trail: str
    cube: str


class Month(msgspec.Struct, frozen=True):
    """The file of a month.

    Attributes:
        cube: its name; empty: nothing happened.
        days: which of its days are in it. If all are, so are the sums of the whole month.
    """

    cube: str
    days: list[int]


class Unit(msgspec.Struct):
    """What is kept of the sites that share a history of zones.

    Attributes:
        zones: the history.
        days: local date, ISO -> its files.
        months: the first date of a month, ISO -> its file, so that a question opens one instead of thirty.
    """

    zones: Zones
    days: dict[str, Day] = {}
    months: dict[str, Month] = {}


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
        days = [day for unit in self.units for day in unit.days.values()]
        months = [month.cube for unit in self.units for month in unit.months.values()]
        return {name for name in (*(day.trail for day in days), *(day.cube for day in days), *months) if name}


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
    return found if found.format == FORMAT else None


def encode(manifest: Manifest) -> bytes:
    """The list as a file."""
    return msgspec.json.encode(manifest)
