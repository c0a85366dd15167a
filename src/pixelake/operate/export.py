"""The rows of a table written out, in order of time, of one version of the lake; the memory does not grow with it.

``ndjson`` loses nothing: each column by its name, times with their microseconds,
decimals as text, maps as objects of lists. What is null is left out.
`pixelake.operate.import_rows` makes the same rows of it again. The other formats
are for programs that know them; in ``csv`` a text that a spreadsheet would take
for a formula begins with an apostrophe.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable, QueryError, SourceError
from pixelake.operate.render import csv_line, json_of, plain
from pixelake.warehouse import durable, swap_note
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.place import Place, absolute
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.schema import ARROW_TYPES, EVENTS, REJECTS
from pixelake.warehouse.walk import EVERYTHING, Select, columns_of, walk

TABLES: Final[Mapping[str, pa.Schema]] = {EVENTS_FOLDER: EVENTS, REJECTS_FOLDER: REJECTS}
"""What can be exported, and its columns if there is no lake yet."""
FORMATS: Final = ("ndjson", "csv", "json", "parquet")

PAUSES: Final = (0.1, 0.3, 1.0, 3.0)
"""Seconds between looks whether a replay has changed the rejects, too; it takes milliseconds."""

Told = Callable[[int, int], None]
"""Hears how many rows are written, and how many the table has."""
Fill = Callable[[Iterator[pa.Table], pa.Schema, BinaryIO], int]

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a text begins that a spreadsheet would run."""
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


def export(
    lake: Place,
    wanted: Wanted,
    out: BinaryIO,
    told: Told = lambda _done, _all: None,
    only: Callable[[pa.Table], pa.Table] = lambda rows: rows,
) -> Exported:
    """Write rows to `out`.

    Args:
        lake: where it is.
        wanted: of which table, in which format, of which time.
        out: open for writing.
        told: hears how many rows were looked at, and how many the table has.
        only: some rows -> those of them that are written.

    Raises:
        SourceError: rejects are of no site.
        LakeUnavailable: the lake cannot be read.
        QueryError: a value cannot be written in this format.
        OSError: `out` cannot be written.
    """
    log = looked_at(lake, wanted)
    known = columns_of(log) if log.schema else TABLES[wanted.table]
    schema = pa.schema([field for field in known if field.type in ARROW_TYPES.values()])
    total = log.rows()

    def slices() -> Iterator[pa.Table]:
        done = 0
        told(0, total)
        for rows in walk(log, schema, wanted.select):
            yield only(rows)
            done += rows.num_rows
            told(done, total)

    count = write(slices(), schema, wanted.form, out)
    left_out = [field.name for field in known if field.name not in schema.names]
    return Exported(wanted.table, log.version, count, left_out)


def looked_at(lake: Place, wanted: Wanted) -> DeltaLog:
    """The newest version of a table.

    Raises:
        SourceError: rejects are of no site.
        LakeUnavailable: it cannot be read, or a replay has been cut short that changes the rejects.
    """
    is_rejects = wanted.table == REJECTS_FOLDER
    if is_rejects and wanted.select.site is not None:
        raise SourceError("rejects have no column site", "export all of them, or those --from and --to a time")
    log = DeltaLog(absolute(lake) / wanted.table)
    log.refresh()
    events = DeltaLog(absolute(lake) / EVENTS_FOLDER)
    for pause in (*PAUSES, None) if is_rejects else ():
        events.refresh()
        if not swap_note.is_pending(events, log):
            break
        if pause is None:
            raise LakeUnavailable("a replay was cut short", "`pixelake maintain` ends it; then export again")
        SYSTEM.sleep(pause)
        log.refresh()
    return log


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
    """The same into a file; see `into`.

    Raises:
        LakeUnavailable: the lake cannot be read, or the file cannot be written.
        SourceError, QueryError: see `export`.
    """
    return into(path, lambda file: export(lake, wanted, file, told))


def into(path: Path, fill: Callable[[BinaryIO], Exported], *, private: bool = False) -> Exported:
    """Fill a file, which is there only once it is whole. A link stays one, and a pipe or a device what it is.

    Args:
        path: of the file.
        fill: writes it.
        private: whether it is for its owner's eyes only, from its first byte on.

    Raises:
        LakeUnavailable: the file cannot be written.
    """
    found: list[Exported] = []

    def whole(file: Any) -> None:
        if private:
            os.fchmod(file.fileno(), 0o600)
        found.append(fill(file))

    with durable.reported(f"write {path}"):
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                return fill(file)
        durable.write(Path(os.path.realpath(path)), whole)
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
    out.write(csv_line(map(_harmless, schema.names)).encode())
    count = 0
    for rows in slices:
        for row in rows_of(rows, "lossy"):
            cells = (_harmless(each) if isinstance(each, str) else plain(each) for each in row.values())
            out.write(csv_line(cells).encode())
        count += rows.num_rows
    return count


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
