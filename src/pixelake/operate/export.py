"""The rows of a table written out, in order of time, of one version of the lake; the memory does not grow with it.

``ndjson`` loses nothing: each column by its name, times with their microseconds,
decimals as text, maps as objects of lists. What is null is left out.
`pixelake.operate.import_rows` makes the same rows of it again. The other formats
are for programs that know them; in ``csv`` a text that a spreadsheet would take
for a formula begins with an apostrophe.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixelake.errors import QueryError, SourceError
from pixelake.operate.render import json_of, plain
from pixelake.warehouse import durable
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.place import Place, absolute
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.schema import ARROW_TYPES, EVENTS, REJECTS
from pixelake.warehouse.walk import EVERYTHING, Select, columns_of, walk

TABLES: Final[Mapping[str, pa.Schema]] = {EVENTS_FOLDER: EVENTS, REJECTS_FOLDER: REJECTS}
"""What can be exported, and its columns if there is no lake yet."""
FORMATS: Final = ("ndjson", "csv", "json", "parquet")

Told = Callable[[int, int], None]
"""Hears how many rows are written, and how many the table has."""
Fill = Callable[[Iterator[pa.Table], pa.Schema, BinaryIO], int]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run."""
_QUOTED: Final = re.compile(r'[",\r\n]')
_ENCODE: Final = msgspec.json.Encoder(decimal_format="string").encode


class Wanted(NamedTuple):
    """What is exported, and how.

    Attributes:
        table: one of `TABLES`.
        form: one of `FORMATS`.
        select: which rows.
    """

    table: str = EVENTS_FOLDER
    form: str = "ndjson"
    select: Select = EVERYTHING


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written; the names are an interface.

    Attributes:
        table: of which.
        version: of the table.
        rows: so many.
        left_out: columns of types that only other programs write, and that nothing here can read.
    """

    table: str
    version: int
    rows: int
    left_out: list[str]

    def as_dict(self) -> dict[str, Any]:
        """By their names."""
        return asdict(self)


def as_text(found: Exported) -> str:
    """For people, in a line."""
    line = f"{found.rows:,} rows of version {found.version} of {found.table}"
    return line + f", without {', '.join(found.left_out)}" * bool(found.left_out)


def export(lake: Place, wanted: Wanted, out: BinaryIO, told: Told = lambda _done, _all: None) -> Exported:
    """Write rows to `out`.

    Raises:
        SourceError: rejects are of no site.
        LakeUnavailable: the lake cannot be read.
        QueryError: a value cannot be written in this format.
        OSError: `out` cannot be written.
    """
    if wanted.select.site is not None and wanted.table == REJECTS_FOLDER:
        raise SourceError("rejects have no column site", "export all of them, or those --from and --to a time")
    log = DeltaLog(absolute(lake) / wanted.table)
    log.refresh()
    known = columns_of(log) if log.schema else TABLES[wanted.table]
    schema = pa.schema([field for field in known if field.type in ARROW_TYPES.values()])
    total = log.rows()

    def slices() -> Iterator[pa.Table]:
        done = 0
        told(0, total)
        for rows in walk(log, schema, wanted.select):
            yield rows
            done += rows.num_rows
            told(done, total)

    count = write(slices(), schema, wanted.form, out)
    left_out = [field.name for field in known if field.name not in schema.names]
    return Exported(wanted.table, log.version, count, left_out)


def write(slices: Iterator[pa.Table], schema: pa.Schema, form: str, out: BinaryIO) -> int:
    """Write rows of this schema, slice by slice, in one of `FORMATS`. Returns how many they are.

    Raises:
        QueryError: a value cannot be written in this format.
        OSError: `out` cannot be written.
    """
    try:
        return _FILLS[form](slices, schema, out)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise QueryError(
            f"cannot write a value as {form}: {' '.join(str(error).split())}", "try another format"
        ) from error


def export_to(lake: Place, wanted: Wanted, path: Path, told: Told = lambda _done, _all: None) -> Exported:
    """The same into a file, which is there only once it is whole.

    Raises:
        LakeUnavailable: the lake cannot be read, or the file cannot be written.
        SourceError, QueryError: see `export`.
    """
    found: list[Exported] = []
    with durable.reported(f"write {path}"):
        durable.write(path, lambda file: found.append(export(lake, wanted, file, told)))  # type: ignore[arg-type] # IO
    return found[0]


def _ndjson(slices: Iterator[pa.Table], _: pa.Schema, out: BinaryIO) -> int:
    count = 0
    for rows in slices:
        maps = [field.name for field in rows.schema if pa.types.is_map(field.type)]
        lines = bytearray()
        for row in rows_of(rows):
            for name in maps:
                row[name] = _object(row[name])
            lines += _ENCODE({name: value for name, value in row.items() if value is not None}) + b"\n"
        out.write(lines)
        count += rows.num_rows
    return count


def _object(pairs: list[tuple[str, Any]] | None) -> dict[str, Any] | None:
    if pairs is None:
        return None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a map has a name twice")
    return found


def _json(slices: Iterator[pa.Table], _: pa.Schema, out: BinaryIO) -> int:
    count = 0
    for rows in slices:
        for row in rows_of(rows, "lossy"):
            out.write((("[" if not count else ",\n ") + json_of(row)).encode())
            count += 1
    out.write(b"]\n" if count else b"[]\n")
    return count


def _csv(slices: Iterator[pa.Table], schema: pa.Schema, out: BinaryIO) -> int:
    out.write(_csv_line(map(_harmless, schema.names)))
    count = 0
    for rows in slices:
        lines = bytearray()
        for row in rows_of(rows, "lossy"):
            lines += _csv_line(_harmless(each) if isinstance(each, str) else plain(each) for each in row.values())
        out.write(lines)
        count += rows.num_rows
    return count


def _csv_line(cells: Iterable[str]) -> bytes:
    """A line of CSV. Python's `csv` would leave a lone CR without quotes, and many take that for a line's end."""
    return (",".join(map(_cell, cells)) + "\n").encode()


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _parquet(slices: Iterator[pa.Table], schema: pa.Schema, out: BinaryIO) -> int:
    count = 0
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for rows in slices:
            writer.write_table(rows.cast(schema))
            count += rows.num_rows
    return count


_FILLS: Final[Mapping[str, Fill]] = {"ndjson": _ndjson, "json": _json, "csv": _csv, "parquet": _parquet}
