"""The sink of plain files, for those who read no Delta table: ``.json.gz``, Parquet or ORC, exactly once.

::

    events/year=2026/month=02/day=10/hour=21/<partition>-<first>-<last>.json.gz
    errors/year=2026/month=02/day=10/hour=21/<partition>-<first>-<last>.json.gz

A file has the events, or the rejects, of an hour (UTC, of `received_at`) and a
partition, from the first position of its commit to the last: so a name never
comes twice. The columns are those of the lake, less the four that are folders;
JSON has a line a row, without what is null. Files and positions come into view
in one step (`files_place`); files that are taken away later do not come back.
"""

import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import IO, Any, Final
from urllib.parse import quote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from pyarrow import orc

from pixelake.event import PARTITION_COLUMNS
from pixelake.stream.base import Partition, Position
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.files_place import Fill, View
from pixelake.warehouse.fresh import above
from pixelake.warehouse.rows import rows_of

EVENTS_PREFIX: Final = "events"
ERRORS_PREFIX: Final = "errors"
MEMBER_ROWS: Final = 5_000
"""Rows of a gzip member; so many are held as objects at once."""
GROUP_ROWS: Final = 100_000
"""Rows of a Parquet row group at most."""
GZIP_LEVEL: Final = 6
MEASURED: Final = ("received_at", "partition", "position", "site", "event", "stage", "reason")
"""Columns with statistics in Parquet. None tells of a person."""


def write_json(rows: pa.Table, file: IO[bytes]) -> None:
    """Rows as lines of JSON, in gzip members that can be read one after the other, or as one.

    Times are text as in RFC 3339, amounts numbers, `properties` an object of arrays; what is null is left out.
    """
    for start in range(0, rows.num_rows, MEMBER_ROWS):
        lines = _ENCODER.encode_lines([_bare(row) for row in rows_of(rows.slice(start, MEMBER_ROWS))])
        file.write(gzip.compress(lines, GZIP_LEVEL, mtime=0))


def write_parquet(rows: pa.Table, file: IO[bytes]) -> None:
    """Rows as Parquet with zstd."""
    measured = [name for name in MEASURED if name in rows.column_names]
    pq.write_table(rows, file, compression="zstd", write_statistics=measured, row_group_size=GROUP_ROWS)


def write_orc(rows: pa.Table, file: IO[bytes]) -> None:
    """Rows as ORC with zstd."""
    orc.write_table(rows, file, compression="ZSTD")


FORMATS: Final[Mapping[str, Callable[[pa.Table, IO[bytes]], None]]] = {
    "json.gz": write_json,
    "parquet": write_parquet,
    "orc": write_orc,
}
"""Format, which is also the ending of the names, and what writes it."""


class Files:
    """Plain files: a `pixelake.warehouse.base.Sink`. One thread.

    Args:
        place: where they are shown.
        kind: one of `FORMATS`.
    """

    def __init__(self, place: View, kind: str) -> None:
        self._place, self._kind, self._fill = place, kind, FORMATS[kind]

    def positions(self) -> Mapping[Partition, Position]:
        """The position of each partition that was ever written here; durable.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        return dict(self._place.last().note)

    def write(self, outcome: Outcome) -> None:
        """Show the outcomes above the stored positions, together with the positions, durably.

        Raises:
            LakeUnavailable: it is not known to be written; repeat the call.
        """
        with self._place.turn():
            stored = self.positions()
            fresh = above(outcome, stored)
            if not fresh.positions:
                return
            _warn_of_gaps(fresh, stored)
            self._place.show(dict(self._files(fresh)), {**stored, **fresh.positions})

    def _files(self, fresh: Outcome) -> Iterator[tuple[str, Fill]]:
        for prefix, rows in ((EVENTS_PREFIX, fresh.events), (ERRORS_PREFIX, fresh.rejects)):
            for values, part in _parts(rows):
                hour = "/".join(f"{name}={values[name]}" for name in PARTITION_COLUMNS)
                partition = values["partition"]
                reach = f"{fresh.first[partition]:020}-{fresh.positions[partition]:020}"
                # "." is quoted too: a name must not begin with what readers pass over
                name = quote(partition, safe="").replace(".", "%2E").replace("_", "%5F")
                yield f"{prefix}/{hour}/{name}-{reach}.{self._kind}", partial(self._fill, part)


def _parts(rows: pa.Table) -> Iterator[tuple[Mapping[str, str], pa.Table]]:
    """The rows of each hour and partition, without the columns that are folders."""
    keys = [*PARTITION_COLUMNS, "partition"]
    for values in rows.group_by(keys).aggregate([]).to_pylist():
        chosen: Any = None
        for key in keys:
            same = pc.equal(rows[key], pa.scalar(values[key]))
            chosen = same if chosen is None else pc.and_(chosen, same)
        yield values, rows.filter(chosen).drop_columns(list(PARTITION_COLUMNS)).sort_by("position")


def _bare(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: dict(value) if name == "properties" else value for name, value in row.items() if value is not None}


_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def _warn_of_gaps(fresh: Outcome, stored: Mapping[Partition, Position]) -> None:
    """Say so when hits between the stored position and the first judged one are missing."""
    for partition, first in fresh.first.items():
        if partition in stored and first > stored[partition] + 1:
            structlog.get_logger().warning(
                "the files miss hits that the stream no longer had",
                partition=partition,
                first=stored[partition] + 1,
                last=first - 1,
            )
