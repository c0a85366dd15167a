"""How rows become a Parquet file: row groups, encodings, compression, statistics.

A fresh file has to be cheap to write, a packed one cheap to keep. Measured on
generated traffic (one hour, 208,333 events, all columns; bytes and µs of CPU an
event; the first and the last line with other traffic, whose packed ones take 21.1):

==========================================================  =====  ====
fresh: level 1                                               48.9   1.3
packed: level 9, dictionaries of a large row group           19.0   1.9
packed, sorted by site first                                 24.1   2.6
the same, row groups cut at sites (16,384 rows or more)      32.2   4.0
packed at level 19                                           -10%    41
==========================================================  =====  ====

Of one partition time, position and name grow together, so that in their order
they take next to nothing (of a name 0.06 bytes, 2 where partitions alternate);
sorted by site they take more than all that a site's rows share saves, and each
row group has to say again which user agents there are. What it would gain, over
24 such hours of 50 sites (milliseconds; `scripts/bench cluster`):

==========================================================  ==========  ==========
a question about a site of so many rows an hour                  1,900      45,936
==========================================================  ==========  ==========
packed, as they came                                                73         286
packed, sorted by site first                                        90         264
the same, row groups cut at sites                                   87         233
==========================================================  ==========  ==========

So packed rows lie in the order of time. With a thousand sites the cut made a
question about a small one 2.5 times as fast, for 68% more on the disk.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Final, NamedTuple, cast
from zlib import crc32

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import Schema

from pixelake.event import PARTITION_COLUMNS

MEASURED: Final = ("received_at", "partition", "position")
"""Columns with statistics in the log. None tells of a person: a log outlives what is erased from its table."""
FOOTER_MEASURED: Final = (*MEASURED, "site", "event", "stage", "reason", "hour")
"""Columns with statistics inside a data file, which go with it."""

LAYOUT: Final = "pixelake.layout"
"""The property of a table that tells how its files lie."""
FOLDERS: Final = PARTITION_COLUMNS[:3]
"""The columns that are folders: a day. The hour is a column of the files, so that one file may hold a whole day."""
VERSION: Final = 2
"""What `LAYOUT` says of tables whose files lie so. Those of version 1 say nothing; their hour is a folder only."""

GROUP_BYTES: Final = 16 << 20
GROUP_ROWS: Final = 100_000
"""Upper bounds of a row group, its bytes before compression. A reader holds a vector of its rows at a time, for each
thread: a group of 300 rejects of 900 KB is too much for a query of 512 MB."""
PACKED_ROWS: Final = 262_144
PACKED_BYTES: Final = 64 << 20
"""The same of packed events, whose text was read as dictionaries: so 200 bytes an event, not 700."""

GROWING: Final = ("received_at", "occurred_at", "sent_at", "position")
"""Numbers that follow each other: their differences are small."""
NAMES: Final = ("hit_id",)
"""Text that begins like its neighbour."""
RANDOM: Final = ("event_id", "impression_id", "visitor_id", "visitor_before")
"""Text that hardly ever comes twice: a dictionary of it costs, and saves nothing."""
OTHERS: Final = ("value", "properties.key_value.key", "properties.key_value.value.list.element")
"""What is no column of text and comes again and again."""
MOSTLY: Final = 0.5
"""From this share of distinct values on, a dictionary is larger than what it saves."""


_TAGGED: Final = re.compile(r"-([0-9a-f]{8})\.zstd\.parquet\Z")


class Style(NamedTuple):
    """How a file is written."""

    level: int
    distinct: Sequence[str]


FRESH: Final = Style(1, (*RANDOM, "ip"))


def packed(sample: pa.Table) -> Style:
    """How rows like these take the least room."""
    others = (name for name in _texts(sample.schema) if name not in NAMES)
    distinct = [name for name in others if _is_mostly_distinct(sample[name])]
    return Style(9, distinct)


class Extent:
    """How many rows there are, and between which bounds `MEASURED` columns lie, of all groups added."""

    def __init__(self) -> None:
        self.rows = 0
        self._bounds: dict[str, tuple[Any, Any]] = {}

    def add(self, group: pa.Table) -> None:
        """One more row group; not empty."""
        self.rows += group.num_rows
        for name in MEASURED:
            values: Any = group[name]
            if isinstance(values.type, pa.DictionaryType):
                values = values.unique().cast(pa.string())
            found: dict[str, Any] = cast("Any", pc.min_max(values)).as_py()
            least, most = self._bounds.get(name, (found["min"], found["max"]))
            self._bounds[name] = min(least, found["min"]), max(most, found["max"])

    def statistics(self) -> str:
        """Statistics as the Delta protocol has them."""
        document: dict[str, Any] = {"numRecords": self.rows}
        for place, key in enumerate(("minValues", "maxValues")):
            document[key] = {name: _json(bounds[place]) for name, bounds in self._bounds.items()}
        document["nullCount"] = dict.fromkeys(MEASURED, 0)
        return msgspec.json.encode(document).decode()


def _json(value: Any) -> Any:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z") if hasattr(value, "isoformat") else value


def writer(file: IO[bytes], schema: pa.Schema, style: Style) -> pq.ParquetWriter:
    """Writes row groups of this schema to a file, to be closed."""
    text = [name for name in _texts(schema) if name not in NAMES and name not in style.distinct]
    encodings = dict.fromkeys(GROWING, "DELTA_BINARY_PACKED")
    encodings |= dict.fromkeys(NAMES, "DELTA_BYTE_ARRAY") | dict.fromkeys(style.distinct, "DELTA_LENGTH_BYTE_ARRAY")
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=style.level,
        use_dictionary=[*text, *OTHERS],  # type: ignore[arg-type] # names, too
        column_encoding={name: how for name, how in encodings.items() if name in schema.names},
        write_statistics=[name for name in FOOTER_MEASURED if name in schema.names],
        dictionary_pagesize_limit=16 << 20,
        store_schema=False,  # 2 KB a file; and text that was read as a dictionary is text
    )


def write(rows: pa.Table, file: IO[bytes]) -> None:
    """Write rows, in their order, as a fresh file."""
    with writer(file, rows.schema, FRESH) as target:
        for group in groups(rows):
            target.write_table(group, row_group_size=group.num_rows)


def groups(rows: pa.Table) -> Iterator[pa.Table]:
    """The rows in parts within the bounds of a row group, in order; a row that is larger stands alone."""
    if rows.num_rows <= 1 or (rows.nbytes <= GROUP_BYTES and rows.num_rows <= GROUP_ROWS):
        yield rows
        return
    half = rows.num_rows // 2
    yield from groups(rows.slice(0, half))
    yield from groups(rows.slice(half))


def dictionaries(found: pq.FileMetaData) -> list[str]:
    """The columns that have a dictionary wherever they are, and can be read as one."""
    chunks = [
        found.row_group(group).column(n) for group in range(found.num_row_groups) for n in range(found.num_columns)
    ]
    without = {chunk.path_in_schema for chunk in chunks if not chunk.has_dictionary_page}
    return [chunk.path_in_schema for chunk in chunks[: found.num_columns] if chunk.path_in_schema not in without]


def complete(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """With all columns of the schema, in its order: null where the rows lack one.

    Raises:
        ValueError: a column that must not be null has nulls, or is not there.
    """
    there = dict(zip(rows.column_names, rows.columns, strict=True))
    columns: list[Any] = [
        _as(there[each.name], each.type) if each.name in there else pa.nulls(rows.num_rows, each.type)
        for each in schema
    ]
    for each, column in zip(schema, columns, strict=True):
        if column.null_count and not each.nullable:
            raise ValueError(f"{each.name} has nulls")
    return pa.Table.from_arrays(columns, schema=schema)


def _as(column: Any, kind: pa.DataType) -> Any:
    return column if column.type == kind else column.cast(kind)  # a cast takes its time even if it changes nothing


@functools.lru_cache(8)
def stored(schema: str) -> pa.Schema:
    """The columns of a data file: those of its table (JSON, as Delta writes them) that are not folders only."""
    columns: Any = Schema.from_json(schema).to_arrow()
    return pa.schema([field for field in pa.schema(columns) if field.name not in FOLDERS])


def folder_of(name: str) -> str:
    """The folder of a file, below its table: that of an hour, or of a day."""
    return name.rpartition("/")[0]


def values_of(folder: str) -> dict[str, str]:
    """The columns that a folder tells, and their values."""
    return dict(part.split("=", 1) for part in folder.split("/") if "=" in part)


def located(rows: pa.Table, name: str, wanted: Iterable[str] = PARTITION_COLUMNS) -> pa.Table:
    """With those `wanted` columns that the rows lack and the folder of their file tells.

    Args:
        rows: of one file.
        name: of the file, below its table.
        wanted: some of the columns that tell the hour.
    """
    known = values_of(folder_of(name))
    for column in wanted:
        if column not in rows.column_names and column in known:
            rows = rows.append_column(column, pa.repeat(pa.scalar(known[column], pa.string()), rows.num_rows))
    return rows


def columns_tag(schema: pa.Schema) -> str:
    """Tells the columns of a file: part of its name, so that files of the same columns are known unread."""
    return f"{crc32(chr(0).join(schema.names).encode()):08x}"


def tag_of(name: str) -> str:
    """The tag in the name of a file; empty of a file that others wrote."""
    found = _TAGGED.search(name)
    return found[1] if found else ""


def with_dictionaries(schema: pa.Schema) -> pa.Schema:
    """The same with those texts as dictionaries that come again: they take less memory, and less time to write."""
    return pa.schema([_with_dictionary(field) for field in schema])


def _with_dictionary(field: "pa.Field[Any]") -> "pa.Field[Any]":
    if not pa.types.is_string(field.type) or field.name in RANDOM or field.name in NAMES:
        return field
    return field.with_type(pa.dictionary(pa.int32(), pa.string()))


def _texts(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if _is_text(field.type)]


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind.value_type if isinstance(kind, pa.DictionaryType) else kind))


def _is_mostly_distinct(values: Any) -> bool:
    different: int
    known: int = len(values) - values.null_count
    if not known:
        return False
    if isinstance(values.type, pa.DictionaryType):  # unified: all chunks have the same
        different = len(values.chunk(0).dictionary)
    else:
        different = cast("Any", pc.count_distinct(values)).as_py()
    return different >= MOSTLY * known
