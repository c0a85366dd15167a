"""Rows as text: a table for people, CSV and JSON for programs, Parquet for tools."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, BinaryIO, Final, TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pixelake.errors import QueryError
from pixelake.operate.inert import UNSEEN, inert
from pixelake.warehouse.rows import rows_of as plain_rows

FORMATS: Final = ("table", "csv", "json", "parquet", "arrow")
"""What `render` can write."""

_QUOTED: Final = re.compile(r'[",\r\n]')
_JSON: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def json_of(row: Mapping[str, Any]) -> str:
    r"""A row as JSON; all that `inert` writes out as ``\u`` escapes: the same values, in letters that do nothing."""
    text = _JSON.encode(row).decode()
    if text.isascii() and text.isprintable():
        return text
    return "".join(json.dumps(c)[1:-1] if unicodedata.category(c) in UNSEEN else c for c in text)


def render(rows: pa.Table, form: str, out: TextIO, binary: BinaryIO) -> None:
    """Write `rows` in one of `FORMATS`; Parquet and Arrow (a stream) to `binary`, all others to `out`.

    Times are ISO 8601 and UTC where the column is. Decimals are plain numbers
    with all their digits. JSON is an array of objects, a row a line. CSV has a
    header line; text is as it was stored, also where a spreadsheet would take
    it for a formula; lists, maps and structs are JSON. What a terminal might
    obey stands as an escape, in JSON always, in CSV if `out` is a terminal.

    Raises:
        QueryError: this format, or Python, has no such value: an interval in Parquet, a year 99999.
        OSError: it cannot be written.
    """
    write = {"table": _table, "csv": _csv, "json": _json}.get(form, lambda rows, _: _BINARY[form](rows, binary))
    try:
        write(rows, out)
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise QueryError(f"cannot write a value as {form}: {error}", "cast it to text in the query") from error


def _arrow(rows: pa.Table, binary: Any) -> None:
    with pa.ipc.new_stream(binary, rows.schema) as stream:
        stream.write_table(rows)


_BINARY: Final[Mapping[str, Callable[[pa.Table, Any], None]]] = {"parquet": pq.write_table, "arrow": _arrow}


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows; maps as dicts. Columns of the same name are numbered, so that none is lost."""
    named = table.rename_columns(_distinct(table.column_names))
    return plain_rows(named, "lossy")


def _distinct(names: Sequence[str]) -> list[str]:
    taken: dict[str, int] = {}
    for name in names:
        taken[name] = taken.get(name, 0) + 1
    seen: dict[str, int] = {}
    answer = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        answer.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return answer


def plain(value: Any) -> str:
    """One value as text; nothing for a null."""
    if value is None:
        return ""
    if isinstance(value, str | float):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return _JSON.encode(value).decode()


def _json(rows: pa.Table, out: TextIO) -> None:
    separator = "["
    for row in rows_of(rows):
        out.write(separator + json_of(row))
        separator = ",\n "
    out.write("[]\n" if separator == "[" else "]\n")


def _csv(rows: pa.Table, out: TextIO) -> None:
    shown = inert if out.isatty() else str
    out.write(csv_line(map(shown, rows.column_names)))
    out.writelines(csv_line(shown(plain(value)) for value in row.values()) for row in rows_of(rows))


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV. Python's `csv` would leave a lone CR without quotes, and many take that for a line's end."""
    return (",".join(map(_cell, cells)) or '""') + "\n"  # an empty line would be no row


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _table(rows: pa.Table, out: TextIO) -> None:
    header = [inert(name) for name in rows.column_names]
    lines = [[inert(plain(value)) for value in row.values()] for row in rows_of(rows)]
    numeric = [
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        for kind in rows.schema.types
    ]
    if out.isatty():
        _pretty(header, lines, numeric, out)
        return
    widths = [max(map(cell_len, column)) for column in zip(header, *lines, strict=True)]
    out.writelines(
        _aligned(line, widths, numeric) + "\n" for line in [header, ["-" * width for width in widths], *lines]
    )


def _aligned(line: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    cells = []
    for text, width, right in zip(line, widths, numeric, strict=True):
        fill = " " * (width - cell_len(text))
        cells.append(fill + text if right else text + fill)
    return "  ".join(cells).rstrip()


def _pretty(header: Sequence[str], lines: Sequence[Sequence[str]], numeric: Sequence[bool], out: TextIO) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, right in zip(header, numeric, strict=True):
        table.add_column(Text(name), justify="right" if right else "left", overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    Console(file=out).print(table)
