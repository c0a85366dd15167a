"""Compacts the whole lake, beside whoever reads and writes it, and tells what came of it."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pixelake.warehouse.compact import Packed
from pixelake.warehouse.lake import Lake

ROUNDS: Final = 3
"""Plans that are made: small files that were packed may let the day they are of be a quiet one."""


@dataclass(frozen=True, slots=True)
class Compaction:
    """What was done; the names are an interface.

    Attributes:
        hours: of a table, in which files were exchanged; a quiet day, whose files become one, counts as one.
        files_before: how many were.
        files_after: how many are in their place.
        bytes_before: of the former, on the disk.
        bytes_after: of the latter: what was written for it.
        rows: in them.
        skipped: files that somebody else took at the same moment; the next compaction looks at the rest.
    """

    hours: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows: int
    skipped: int

    def as_dict(self) -> dict[str, Any]:
        """The counts by their names."""
        return asdict(self)


def compact(lake: Lake, told: Callable[[int, int], None], *, thorough: bool = True) -> Compaction:
    """Make few large files of the many small ones there are now.

    What is done stays done if it is cut short.

    Args:
        lake: open for writing.
        told: hears how many files have been looked at, and how many there are.
        thorough: also the open hour, and rows that came late to a quiet day. Without it, nothing is done that hardly
            pays, so that it may be called every few minutes.

    Raises:
        LakeUnavailable: the lake cannot be read or written.
    """
    done: list[Packed] = []
    for _ in range(ROUNDS):
        before, todo = len(done), lake.plan(thorough=thorough)
        total = _files(done) + sum(len(job.files) for _, job in todo)
        if todo or not done:
            told(_files(done), total)
        for each in todo:
            done.append(lake.compact(each))
            told(_files(done), total)
        if not any(packed.files_after for packed in done[before:]):
            break
    exchanged = [packed for packed in done if packed.files_after]
    return Compaction(
        hours=len({(packed.table, packed.folder) for packed in exchanged}),
        files_before=sum(packed.files for packed in exchanged),
        files_after=sum(packed.files_after for packed in exchanged),
        bytes_before=sum(packed.bytes_before for packed in exchanged),
        bytes_after=sum(packed.bytes_after for packed in exchanged),
        rows=sum(packed.rows for packed in exchanged),
        skipped=sum(packed.files for packed in done if not packed.files_after),
    )


def _files(done: Sequence[Packed]) -> int:
    return sum(packed.files for packed in done)


def as_text(found: Compaction) -> str:
    """For people, in a line."""
    if not found.files_before and not found.skipped:
        return "nothing to compact"
    line = (
        f"{found.hours:,} hours compacted: {found.files_before:,} files became {found.files_after:,},"
        f" {found.bytes_before / 1e6:,.1f} MB became {found.bytes_after / 1e6:,.1f} MB, with {found.rows:,} rows"
    )
    return line + f"; {found.skipped:,} files were left to others who wrote them anew" * bool(found.skipped)
