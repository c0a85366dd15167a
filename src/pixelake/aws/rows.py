"""Events as lines of JSON that Firehose makes Parquet of, by the table of the catalogue.

A line is an object with the columns of events, without those that are null::

    {"hit_id":"apigateway-JKJaXmPLvHcESHA=","received_at":"2026-02-10 08:30:00.123456","position":1,"site":"shop",
     "value":12.500000,"properties":{"plan":["free"]},"bot":false,"year":"2026", ...}

- timestamps are ``yyyy-MM-dd HH:mm:ss.SSSSSS``, UTC without saying so: what both deserialisers of Firehose read
  (OpenX among others, Hive's by default), and what engines then read as UTC;
- amounts are numbers with all their digits;
- ``properties`` is an object of arrays. Names there have the letters they were sent with: the deserialiser must not
  lower them (``CaseInsensitive`` of OpenX is to be false).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa

from pixelake.warehouse.rows import rows_of

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_DECODER: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


def lines(events: pa.Table) -> Iterator[tuple[int, bytes]]:
    """The place of each event in its batch, and its line with a line end."""
    for row in rows_of(events):
        told = {name: _told(value) for name, value in row.items() if value is not None}
        yield int(row["position"]), _ENCODER.encode(told) + b"\n"


def _told(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    if isinstance(value, list):  # a map, as pairs
        return dict(value)
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode())
    return value


def read(line: bytes, schema: pa.Schema) -> dict[str, Any]:
    """The row of such a line, with the columns of a schema; members that are none are left out.

    Raises:
        ValueError: it is none, or a value is not of its column.
    """
    sent = _DECODER.decode(line)
    if "hit_id" not in sent or "received_at" not in sent:
        raise ValueError("it is no row of events")
    return {field.name: _meant(sent.get(field.name), field.type) for field in schema}


def _meant(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
    if pa.types.is_decimal(kind):
        return Decimal(str(value))
    return list(value.items()) if pa.types.is_map(kind) else value
