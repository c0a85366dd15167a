"""Columns as Arrow tables of the declared schemas."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any, Final

import pyarrow as pa

from pixelake.clock import SECOND
from pixelake.warehouse.base import EVENTS

HOUR: Final = 3_600 * SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_HOUR: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(hours=1)
_PROPERTIES: Final = EVENTS.field("properties").type


def table(schema: pa.Schema, columns: Mapping[str, Sequence[Any]], rows: int) -> pa.Table:
    """A table of the schema; a column that is not given is null."""
    found = ((field, columns.get(field.name)) for field in schema)
    arrays = [pa.nulls(rows, field.type) if values is None else array(field, values) for field, values in found]
    return pa.Table.from_arrays(arrays, schema=schema)


@lru_cache(maxsize=4_096)
def hour_texts(hour: int) -> tuple[str, str, str, str]:
    """Year, month, day, hour of an hour since the epoch: zero-padded, UTC; absurd ones at the ends of the calendar."""
    moment = _EPOCH + timedelta(hours=min(max(hour, 0), _LAST_HOUR))
    return f"{moment.year:04}", f"{moment.month:02}", f"{moment.day:02}", f"{moment.hour:02}"


def array(field: "pa.Field[Any]", values: Sequence[Any]) -> Any:
    """Values as an Arrow array of the field's type."""
    return _maps(values) if field.type == _PROPERTIES else pa.array(values, field.type)


def _maps(sent: Sequence[Mapping[str, Sequence[str]] | None]) -> Any:
    """Built from flat columns: a third of the time of `pyarrow.array` over lists of pairs."""
    rows = [row or {} for row in sent]
    absent = pa.array([row is None for row in sent]) if None in sent else None
    names = pa.array(chain.from_iterable(rows), pa.string())
    lists = list(chain.from_iterable(row.values() for row in rows))
    texts = pa.array(chain.from_iterable(lists), pa.string())
    items = pa.ListArray.from_arrays(_offsets(lists), texts).cast(_PROPERTIES.item_type)
    return pa.MapArray.from_arrays(_offsets(rows), names, items, mask=absent).cast(_PROPERTIES)


def _offsets(parts: Sequence[Any]) -> Any:
    return pa.array(accumulate(map(len, parts), initial=0), pa.int32())
