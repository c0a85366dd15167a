"""The declared columns as an Arrow schema, from which everything else follows."""

from collections.abc import Iterable

import pyarrow as pa

from pixelake import event, reject
from pixelake.event import Field

ARROW_TYPES = {
    "text": pa.string(),
    "bool": pa.bool_(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "decimal(18,6)": pa.decimal128(18, 6),
    "map<text,list<text>>": pa.map_(pa.string(), pa.list_(pa.string())),
}
"""Every type a `Field` may have."""


def arrow_schema(fields: Iterable[Field], required: Iterable[str] = ()) -> pa.Schema:
    """The Arrow schema of declared columns; only `required` ones are not nullable."""
    needed = frozenset(required)
    return pa.schema([pa.field(f.name, ARROW_TYPES[f.type], nullable=f.name not in needed) for f in fields])


EVENTS = arrow_schema(event.FIELDS, event.REQUIRED)


def events_schema(own: Iterable[Field] = ()) -> pa.Schema:
    """The schema of events with the columns of the user's own enrichers, which stand last and are nullable.

    Raises:
        ValueError: one of them has the name of another column.
    """
    schema = arrow_schema((*event.FIELDS, *own), event.REQUIRED)
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise ValueError(f"there are two columns {twice[0]}")
    return schema


REJECTS = arrow_schema(
    reject.FIELDS, {"hit_id", "received_at", "stage", "reason", "partition", "position", *event.PARTITION_COLUMNS}
)
_PLACE = ("partition", "position")
WITHHELD = arrow_schema((field for field in reject.FIELDS if field.name in _PLACE), _PLACE)
