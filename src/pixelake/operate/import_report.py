"""What an import has done, for programs and for people."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pixelake.operate.inert import inert
from pixelake.warehouse.base import Outcome

Told = Callable[[int, int], None]
"""Hears how many lines are done, and how many there are."""


@dataclass(slots=True)
class Imported:
    """What became of one file; the names are an interface.

    Attributes:
        file: its name.
        lines: how many it has.
        before: lines that an earlier import has done.
        events: that are new in the lake.
        rejects: likewise, the lines that could not be read among them.
        left_out: lines that do not count.
        known: rows of an export that the lake had, or that its own stream will bring; of a log, lines of requests that
            the lake had.
        erased: rows of an export of people who were erased since; of a log these are among `left_out`.
        seconds: how long it took.
    """

    file: str
    lines: int
    before: int
    events: int = 0
    rejects: int = 0
    left_out: int = 0
    known: int = 0
    erased: int = 0
    seconds: float = 0.0

    def add(self, outcome: Outcome, known: int = 0) -> None:
        """Count what was written; so many of the withheld ones were `known`."""
        self.events += outcome.events.num_rows
        self.rejects += outcome.rejects.num_rows
        self.left_out += outcome.withheld.num_rows - known
        self.known += known

    @property
    def rate(self) -> float:
        """Lines a second."""
        return (self.lines - self.before) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of some files."""

    files: Sequence[Imported]

    def as_dict(self) -> dict[str, Any]:
        """A file each, by the names of `Imported`, and its `lines_per_second`."""
        return {"files": [asdict(each) | {"lines_per_second": round(each.rate)} for each in self.files]}


def as_text(report: Report) -> str:
    """For people, a file a line."""
    return "\n".join(map(_line, report.files))


def _line(found: Imported) -> str:
    name = inert(found.file)
    if found.before >= found.lines:
        return f"{name}: nothing new, all of its {found.lines:,} lines are there"
    parts = [f"{found.events:,} events", f"{found.rejects:,} rejects"]
    parts += [f"{found.left_out:,} left out"] * bool(found.left_out)
    parts += [f"{found.known:,} known"] * bool(found.known)
    parts += [f"{found.erased:,} of people who were erased"] * bool(found.erased)
    line = f"{name}: {found.lines - found.before:,} lines became {', '.join(parts)}; {found.rate:,.0f} lines/s"
    return line + f"; {found.before:,} lines were there before" * bool(found.before)
