"""Arrow tables as rows of Python values.

`pyarrow` looks for the package `pytz` anew at each time that has a zone, and
takes 45 µs to find that it is not installed.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa


def rows_of(table: pa.Table, maps: Literal["lossy"] | None = None) -> Iterator[dict[str, Any]]:
    """A dictionary a row, as `pyarrow.Table.to_pylist` gives; names of columns must differ.

    Args:
        table: whatever it holds.
        maps: `lossy` makes dictionaries of maps, else they are lists of pairs.
    """
    for batch in table.to_batches():
        columns = [_values(column, maps) for column in batch.columns]
        for row in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, row, strict=True))


def _values(column: Any, maps: Literal["lossy"] | None) -> list[Any]:
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz == "UTC" and kind.unit != "ns":
        moments: list[datetime | None] = column.cast(pa.timestamp(kind.unit)).to_pylist()
        return [None if moment is None else moment.replace(tzinfo=UTC) for moment in moments]
    values: list[Any] = column.to_pylist(maps_as_pydicts=maps)
    return values
