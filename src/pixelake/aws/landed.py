"""Files that AWS has put into a bucket: rows of events, records that Firehose could not make rows of, lines of logs."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import orc

from pixelake.aws import rows
from pixelake.errors import SourceError
from pixelake.event import PARTITION_COLUMNS

ROWS: Final = 50_000
"""Of a part of a file."""
_HINT: Final = "it is no file of Firehose's that holds events: see which prefixes the notification of the bucket names"
_LATEST: Final = 253_402_300_799_999
"""Milliseconds since the epoch, at the end of the year 9999."""
_FORMATS: Final = ("%Y", "%m", "%d", "%H")
_pc: Any = pc


class _Failed(msgspec.Struct, rename="camel"):
    """A line of what Firehose could not transform or convert."""

    raw_data: bytes
    arrival_timestamp: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] = 0


_LINES: Final = msgspec.json.Decoder(_Failed)


def events(data: bytes, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of a file of Parquet or ORC, in parts: with the columns of a schema, at the places of a part.

    Columns that the file has beside these are left out, and those that it lacks are null.

    Raises:
        SourceError: it is no such file, or a column of another kind.
    """
    try:
        for part in _parts(data):
            yield _as(part, schema)
    except (pa.ArrowException, OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise SourceError(f"a file cannot be read: {' '.join(str(error).split())[:200]}", _HINT) from None


def failed(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The records in a file of those that failed: what was put, and when it came (microseconds since the epoch).

    Raises:
        SourceError: it is no such file.
    """
    try:
        for line in _plain(data).splitlines():
            found = _LINES.decode(line)
            yield found.raw_data, found.arrival_timestamp * 1_000
    except (msgspec.MsgspecError, ValueError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"a file of failed records cannot be read: {type(error).__name__}", _HINT) from None


def lines(data: bytes) -> Iterator[bytes]:
    """The lines of a file of CloudFront's standard log, packed or not; empty ones left out.

    Raises:
        SourceError: it is packed, and broken.
    """
    try:
        yield from filter(None, _plain(data).split(b"\n"))
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise SourceError(f"a file of a log cannot be read: {type(error).__name__}", _HINT) from None


def _plain(data: bytes) -> bytes:
    return gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data


def unconverted(data: bytes, schema: pa.Schema) -> pa.Table:
    """The rows in a file of those that Firehose could not convert, as `events` gives them.

    Raises:
        SourceError: it is no such file, or holds what is no row.
    """
    try:
        found = [rows.read(line, schema) for sent, _ in failed(data) for line in sent.splitlines() if line.strip()]
        return _as(pa.Table.from_pylist(found, schema), schema)
    except (msgspec.MsgspecError, pa.ArrowException, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise SourceError(f"a file of rows cannot be read: {type(error).__name__}", _HINT) from None


def _parts(data: bytes) -> Iterator[pa.Table]:
    if data.startswith(b"ORC"):
        file = orc.ORCFile(io.BytesIO(data))
        for number in range(file.nstripes):
            yield pa.Table.from_batches([file.read_stripe(number)])
        return
    # Hive's times are INT96; in nanoseconds, as they are read by default, some would not fit
    for batch in pq.ParquetFile(io.BytesIO(data), coerce_int96_timestamp_unit="us").iter_batches(ROWS):
        yield pa.Table.from_batches([batch])


def _as(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with these columns. Their folders are those of when they were received, their places the next best."""
    times: Any = part["received_at"].cast(schema.field("received_at").type)
    made: dict[str, Any] = {"position": pa.array(range(1, part.num_rows + 1), pa.int64())}
    for name, form in zip(PARTITION_COLUMNS, _FORMATS, strict=True):
        made[name] = _pc.strftime(times, format=form)
    columns = []
    for field in schema:
        if field.name in made:
            column = made[field.name]
        elif field.name in part.column_names:
            column = part[field.name]
        else:
            column = pa.nulls(part.num_rows, field.type)
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)
