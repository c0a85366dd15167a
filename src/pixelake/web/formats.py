"""Rows as an answer: JSON, CSV, Parquet, an Arrow stream."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixelake.errors import QueryError
from pixelake.warehouse.rows import rows_of

TYPES: Final = {
    "json": "application/json",
    "rows": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
"""Name of a format -> its media type."""
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A text that begins so, also in full width, is a formula for a spreadsheet: in CSV it stands behind an apostrophe."""
PART: Final = 2_000
"""Rows that are written at once."""

_JSON: Final = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
_QUOTED: Final = frozenset('",\r\n')


def chosen(given: str | None, accept: str, known: Sequence[str]) -> str:
    """The format that is asked for: by its name, else by the first media type of `Accept` that we have."""
    if given:
        return given
    by_type = {TYPES[name]: name for name in reversed(known)}
    for each in accept.lower().split(","):
        name = by_type.get(each.partition(";")[0].strip())
        if name:
            return "json" if name == "rows" else name
    return "json"


def listed(table: pa.Table) -> list[dict[str, Any]]:
    """The rows; maps as objects. Columns of the same name are numbered, so that none is lost."""
    return list(rows_of(distinct(table), "lossy"))


def distinct(table: pa.Table) -> pa.Table:
    """The table with a name of its own for each column."""
    seen: dict[str, int] = {}
    names = []
    for name in table.column_names:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return table.rename_columns(names) if names != table.column_names else table


def json_of(value: Any) -> bytes:
    """JSON; decimals are numbers with all their digits."""
    return _JSON.encode(value)


def body(table: pa.Table, form: str, around: Mapping[str, Any]) -> bytes:
    """The rows in a format; in ``json`` as ``rows`` among what is `around` them.

    Raises:
        QueryError: the format, or Python, has no such value: an interval in Parquet, a year 99999.
    """
    try:
        if form == "json":
            return json_of({**around, "rows": listed(table)})
        if form == "rows":
            return b"[" + b",".join(json_of(listed(part))[1:-1] for part in _parts(table)) + b"]"
        if form == "csv":
            head = _line(map(_inert, table.column_names))
            return b"".join(lines.encode("utf-8", "surrogatepass") for lines in (head, *map(_csv, _parts(table))))
        out = io.BytesIO()
        if form == "parquet":
            pq.write_table(distinct(table), out)
        else:
            with pa.ipc.new_stream(out, table.schema) as writer:
                writer.write_table(table)
        return out.getvalue()
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise QueryError(f"format: a value cannot be written as {form}: {error}", "cast it to text") from None


def _parts(table: pa.Table) -> Iterator[pa.Table]:
    """A few rows at a time: as objects of Python they take many times the memory."""
    return (table.slice(start, PART) for start in range(0, table.num_rows, PART))


def _csv(table: pa.Table) -> str:
    return "".join(_line(map(_plain, row.values())) for row in rows_of(distinct(table), "lossy"))


def _line(cells: Iterable[str]) -> str:
    return (",".join(map(_cell, cells)) or '""') + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if _QUOTED & set(text) else text


def _inert(text: str) -> str:
    return "'" + text if text.startswith(FORMULAS) else text


def _plain(value: Any) -> str:  # noqa: PLR0911 - a line a type
    """One value as text; nothing for a null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _inert(value)
    if isinstance(value, float) or type(value) is int:
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | date):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes):
        return value.hex()
    return _inert(json_of(value).decode())
