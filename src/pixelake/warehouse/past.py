"""What a lake has of a partition, as outcomes: for sinks that follow it."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.stream.base import Partition, Position
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER
from pixelake.warehouse.layout import FOLDERS
from pixelake.warehouse.place import Place
from pixelake.warehouse.standing import Standing, Table
from pixelake.warehouse.sums import LakeReader

_FORMATS: Final = ("%Y", "%m", "%d")


class Past:
    """Looks at a lake; changes nothing."""

    def __init__(self, folder: Place, schema: pa.Schema = EVENTS) -> None:
        """Look at the lake in a folder, whose events have the columns of a schema."""
        self._folder, self._schema = folder, schema
        self._reader = LakeReader(folder)

    def last(self, partition: Partition) -> Position:
        """The position that the lake has reached; 0 if it knows nothing of the partition.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        progress = self._reader.progress().get(partition)
        return progress.position if progress else 0

    def outcome(self, partition: Partition, first: Position, last: Position) -> Outcome:
        """What is there of the hits at these positions, both included; of what was withheld or has left, nothing.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        tables = ((EVENTS_FOLDER, self._schema), (REJECTS_FOLDER, REJECTS))
        standing = Standing(*(Table(self._folder / name, _in_files(schema)) for name, schema in tables))
        rows = standing.rows(partition, first, last)
        return Outcome(
            events=_with_folders(rows.events, self._schema),
            rejects=_with_folders(rows.rejects, REJECTS),
            withheld=WITHHELD.empty_table(),
            first={partition: first},
            positions={partition: last},
        )


def _in_files(schema: pa.Schema) -> pa.Schema:
    """The columns that are no folders."""
    return pa.schema([field for field in schema if field.name not in FOLDERS])


def _with_folders(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the columns that are folders on the disk, in order of their places."""
    times: Any = rows["received_at"]
    for name, form in zip(FOLDERS, _FORMATS, strict=True):
        texts: Any = pc.strftime(times, format=form)
        rows = rows.append_column(schema.field(name), texts.cast(schema.field(name).type))
    return rows.select(schema.names).cast(schema).sort_by("position")
