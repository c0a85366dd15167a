"""What is held about a person, written out: for who asks for it.

The rows that an erasure would take out of the lake (`pixelake.operate.person`),
in order of time, in the formats of `pixelake.operate.export`. What is in the
stream and not judged yet is not among them: it is in the lake within seconds.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pixelake.dialects.base import Dialect
from pixelake.hit import Hit
from pixelake.operate.erase_lake import rejected
from pixelake.operate.export import Exported, Told, Wanted, into
from pixelake.operate.export import export as export_rows
from pixelake.operate.person import Person
from pixelake.warehouse.delta_log import REJECTS_FOLDER
from pixelake.warehouse.place import Place


def export(  # noqa: PLR0917 - what, of whom, where to
    lake: Place,
    person: Person,
    wanted: Wanted,
    out: BinaryIO,
    told: Told,
    dialect: Callable[[bytes], Dialect],
) -> Exported:
    """Write a person's rows of a table to `out`.

    Args:
        lake: where it is.
        person: whose.
        wanted: of which table, in which format, of which time.
        out: open for writing.
        told: hears how many rows were looked at, and how many the table has.
        dialect: of a hit, by its target.

    Raises:
        SourceError: rejects are of no site.
        LakeUnavailable: the lake cannot be read.
        QueryError: a value cannot be written in this format.
        OSError: `out` cannot be written.
    """

    def elements(hit: Hit) -> Sequence[Mapping[str, Sequence[str]]]:
        return [element.values for element in dialect(hit.target).decode(hit)]

    def of_person(rows: pa.Table) -> pa.Table:
        return rows.filter(rejected(rows, person, elements) if wanted.table == REJECTS_FOLDER else person.rows(rows))

    return export_rows(lake, wanted, out, told, of_person)


def export_to(  # noqa: PLR0917 - see `export`
    lake: Place,
    person: Person,
    wanted: Wanted,
    path: Path,
    told: Told,
    dialect: Callable[[bytes], Dialect],
) -> Exported:
    """The same into a file for its owner's eyes only; see `pixelake.operate.export.into`.

    Raises:
        LakeUnavailable: the lake cannot be read, or the file cannot be written.
        QueryError: see `export`.
    """
    return into(path, lambda file: export(lake, person, wanted, file, told, dialect), private=True)
