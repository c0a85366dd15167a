"""What the statements of questions are made of and run by: the lake at one version, and what is kept of it."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from pixelake.warehouse.ask import Part
from pixelake.warehouse.zones import Zones


class Kept(Protocol):
    """What was counted before, and holds for the version of the lake that is read.

    Attributes:
        clocks: the name of the `Clocks` that it was counted by.
    """

    clocks: str

    def cube(self, zones: Zones, day: date) -> str | None:
        """The file with the sums of a local day, of all sites with these zones."""
        ...

    def month(self, zones: Zones, first: date) -> str | None:
        """The file with the sums of a month that is over, and with its series of days; and perhaps of others."""
        ...

    def joined(self, zones: Zones, first: date) -> str | None:
        """The file with the sums of a year that has those of a month, whether they hold or not."""
        ...

    def trail(self, zones: Zones, day: date) -> str | None:
        """The file with the events of a local day and their visits."""
        ...


class Nothing:
    """Nothing was counted before: a `Kept` for who makes roll-ups of rows, looks at rows only, or has no lake."""

    clocks = ""

    def cube(self, _zones: Zones, _day: date) -> str | None:
        """No file."""
        return None

    month = joined = trail = cube


class Standing(Protocol):
    """The lake at one version."""

    @property
    def version(self) -> str:
        """Tells versions apart."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the events, with their types as `pixelake.event.Field` has them."""
        ...

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last day, UTC, of which there is an event; None: there is none."""
        ...

    @property
    def kept(self) -> Kept:
        """What was counted before."""
        ...

    def relation(self, table: str, first: date, last: date) -> str:
        """SQL: the rows of a table (``events``, ``rejects``) of some days, UTC; at least of these."""
        ...


class Statement(NamedTuple):
    """SQL and its parameters, and where its rows come from."""

    sql: str
    values: Mapping[str, Any]
    parts: Sequence[Part] = ()


class Asked(Protocol):
    """What runs SQL over the lake: `pixelake.warehouse.query.Lakehouse`, or `pixelake.warehouse.resting.Resting`."""

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """Make a statement for the newest version of the lake, and run it on that.

        Returns:
            The rows, the statement, and the version.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


def parameters(sql: str) -> frozenset[str]:
    """The names of all parameters of a statement."""
    return frozenset(re.findall(r"\$(\w+)", sql))
