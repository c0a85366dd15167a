"""Rows of an export come into a lake as they were: each line once, under its own name.

A line is an object with the columns of a table, as `pixelake.operate.export`
writes it. Columns that are folders are looked at but never believed: they are
names on the disk. What is there already is left out; see `pixelake.warehouse.bring`.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from pixelake import event
from pixelake.errors import SourceError
from pixelake.event import PARTITION_COLUMNS
from pixelake.operate.import_logs import DAY, PARTITION, SAMPLE, House, reject_row, rejects_of
from pixelake.operate.import_report import Imported, Told
from pixelake.operate.lines import Line, Source
from pixelake.stream.base import Partition, Position
from pixelake.transform.tables import HOUR, hour_texts
from pixelake.warehouse.bring import Brought
from pixelake.warehouse.delta_log import REJECTS_FOLDER
from pixelake.warehouse.schema import ARROW_TYPES, REJECTS

LONGEST: Final = 16 << 20
"""Bytes of a line: a reject may hold a body of 2 MB, and more when it is encoded."""
CHUNK_LINES: Final = 20_000
CHUNK_BYTES: Final = 32 << 20
CHUNK_DAYS: Final = 64
"""Of a commit at most."""
Held = Mapping[Partition, Position]
"""Partitions of a stream, and the first position of each that it still holds."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_PARTITION: Final = re.compile(r"[\w.:@+=-]{1,255}", re.ASCII)
"""It becomes a part of names in the table's log, which a slash would end."""
_NAME: Final = Annotated[str, msgspec.Meta(min_length=1, max_length=1_024)]
_TYPES: Final[Mapping[str, Any]] = {
    "text": str,
    "bool": bool,
    "int64": _INT64,
    "timestamp": Annotated[datetime, msgspec.Meta(tz=True)],
    "decimal(18,6)": Decimal,
    "map<text,list<text>>": dict[str, list[str | None] | None],
}
"""Type of a `Field` -> what it is decoded as."""
_REQUIRED: Final[Mapping[str, Collection[str]]] = {
    "events": event.REQUIRED,
    "rejects": [column.name for column in REJECTS if not column.nullable],
}


class _Read(NamedTuple):
    """A row: its values by the columns of the table, the time it was received (µs UTC), and its name."""

    values: tuple[Any, ...]
    at: int
    hit_id: str


class Rows:
    """Reads lines as rows of a table.

    Args:
        table: ``events`` or ``rejects``.
        schema: its columns.
    """

    def __init__(self, table: str, schema: pa.Schema) -> None:
        kinds = {kind: name for name, kind in ARROW_TYPES.items()}
        known = [each for each in schema if each.type in kinds]
        self.table = table
        self.schema = pa.schema(known)
        self._names = [each.name for each in known]
        self._at = {name: at for at, name in enumerate(self._names)}
        self._times = [at for at, each in enumerate(known) if pa.types.is_timestamp(each.type)]
        needed = frozenset(_REQUIRED[table]) - {*PARTITION_COLUMNS}
        fields: list[Any] = []
        for at, column in enumerate(known):
            kind = _NAME if column.name == "hit_id" else _TYPES[kinds[column.type]]
            fields.append((f"c{at}", kind) if column.name in needed else (f"c{at}", kind | None, None))
        fields.sort(key=len)  # those that must be there stand first
        self._order = [int(each[0][1:]) for each in fields]
        made = msgspec.defstruct(
            "Row",
            fields,
            rename={f"c{at}": name for name, at in self._at.items()},
            frozen=True,
            gc=False,
            forbid_unknown_fields=True,
        )
        self._decode = msgspec.json.Decoder(made).decode

    def read(self, data: bytes) -> _Read | str:
        """The row of a line, or why it is none.

        Raises:
            SourceError: it is a row with a column that the table does not have.
        """
        try:
            sent = msgspec.structs.astuple(self._decode(data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._check_columns(data)
            return f"it is no row of {self.table}: {str(error)[:200]}"
        values: list[Any] = [None] * len(self._names)
        for at, value in zip(self._order, sent, strict=True):
            values[at] = value
        return self._checked(values)

    def _checked(self, values: list[Any]) -> _Read | str:
        try:
            for place in self._times:
                if values[place] is not None and values[place].tzinfo is not UTC:
                    values[place] = values[place].astimezone(UTC)
        except OverflowError:
            return "a time is beyond the calendar"
        received: datetime = values[self._at["received_at"]]
        at = (received - _EPOCH) // _MICROSECOND
        for name, text in zip(PARTITION_COLUMNS, hour_texts(at // HOUR), strict=True):
            if values[self._at[name]] not in (None, text):
                return f"its {name} is not that of its received_at"
            values[self._at[name]] = text
        if not _PARTITION.fullmatch(values[self._at["partition"]]):
            return "its partition can have no such name"
        if values[self._at["position"]] < 0:
            return "its position is below 0"
        return _Read(tuple(values), at, values[self._at["hit_id"]])

    def _check_columns(self, data: bytes) -> None:
        """Raise SourceError if that is why a row cannot be read."""
        names = _names_of(data)
        other = next((name for name in names if name not in self._at), None)
        if other is not None and _table_of(names) == self.table:
            raise SourceError(
                f"the table {self.table} has no column {other[:80]!r}",
                "import with the enrichers that add it (--enrichers), or take it out of the file",
            )

    def as_table(self, rows: Sequence[_Read]) -> pa.Table:
        """Rows as a table.

        Raises:
            pa.ArrowInvalid: a value does not fit its column, such as a number with too many digits.
        """
        columns: Any = zip(*(row.values for row in rows), strict=True) if rows else ((),) * len(self._names)
        arrays = [_array(column.type, values) for column, values in zip(self.schema, columns, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def _array(kind: pa.DataType, values: Sequence[Any]) -> Any:
    if pa.types.is_map(kind):
        values = [None if value is None else list(value.items()) for value in values]
    return pa.array(values, kind)


def _names_of(data: bytes) -> Collection[str]:
    """The names of an object; none if it is no object."""
    try:
        return msgspec.json.decode(data, type=dict[str, msgspec.Raw]).keys()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def _table_of(names: Collection[str]) -> str:
    """The table that a row with these columns is of; empty if of none."""
    if not {"hit_id", "received_at", "partition", "position"}.issubset(names):
        return ""
    return "rejects" if {"stage", "reason"}.issubset(names) else "events" * ("site" in names)


class RowImport:
    """Imports what `pixelake export` wrote.

    Args:
        house: where to.
        streamed: tells from which position on a stream of this installation holds each partition.
    """

    def __init__(self, house: House, streamed: Callable[[], Held]) -> None:
        self._house, self._streamed = house, streamed

    def run(self, source: Source, told: Told) -> Imported:
        """Import what is not there yet. To be repeated if it is cut short.

        Args:
            source: the lines.
            told: hears how many lines are done, and how many there are.

        Raises:
            SourceError: it cannot be read, is no export, or has a column that the lake lacks.
            PixelakeError: the lake cannot be used now.
        """
        lake, clock = self._house.lake, self._house.clock
        began = clock.monotonic()
        found = Imported(source.name, source.lines, 0)
        if not source.lines:
            return found
        rows = self._rows(source)
        found.before = min(lake.lines_done(rows.table, source.id), source.lines)
        told(found.before, found.lines)
        if found.before < found.lines:
            streamed = self._streamed()
            for brought, count, erased in self._chunks(source, rows, found.before + 1, streamed):
                new = lake.bring(brought)
                found.erased += erased
                found.known += count - erased - new
                found.rejects += brought.unread.num_rows + (new if rows.table == "rejects" else 0)
                found.events += new if rows.table == "events" else 0
                told(brought.last, found.lines)
        found.seconds = clock.monotonic() - began
        return found

    def _rows(self, source: Source) -> Rows:
        """What reads the file, by its first lines."""
        looked = 0
        for line in source.read(LONGEST):
            if table := _table_of(_names_of(line.data)):
                return Rows(table, self._house.lake.columns(table))
            looked += bool(line.data.strip())
            if looked >= SAMPLE:
                break
        raise SourceError(
            f"{source.name} is no export: none of its first {looked:,} lines is a row of events or rejects",
            "`pixelake export --format ndjson` writes such files; logs need another --format",
        )

    def _chunks(self, source: Source, rows: Rows, start: int, streamed: Held) -> Iterator[tuple[Brought, int, int]]:
        """What to bring; how many rows of the table were read for it, and how many of these must not come."""
        chunk = _Chunk(start, self._house.clock.now())
        for line in source.read(LONGEST, start):
            chunk.take(line, rows)
            if chunk.is_full:
                yield self._brought(chunk, rows, source.id, streamed)
                chunk = _Chunk(line.number + 1, chunk.near)
        if chunk.last:
            yield self._brought(chunk, rows, source.id, streamed)

    def _brought(self, chunk: "_Chunk", rows: Rows, name: str, streamed: Held) -> tuple[Brought, int, int]:
        kept = list({read.hit_id: (line, read) for line, read in reversed(chunk.good)}.values())[::-1]
        fitting, misfits = _fitting(rows, kept)
        table, barred = self._house.gate.split(rows.table, fitting)
        told = (PARTITION + name, chunk.near, self._house.rules)
        unread = rejects_of([reject_row(line, why, *told) for line, why in (*chunk.bad, *misfits)])
        unread, _ = self._house.gate.split(REJECTS_FOLDER, unread)
        brought = Brought(rows.table, table, unread, name, chunk.first, chunk.last, streamed)
        return brought, len(chunk.good) - len(misfits), barred.num_rows


@dataclass(slots=True)
class _Chunk:
    """Lines of one commit; `near` is the time of the last row."""

    first: int
    near: int
    last: int = 0
    size: int = 0
    good: list[tuple[Line, _Read]] = field(default_factory=list)
    bad: list[tuple[Line, str]] = field(default_factory=list)
    days: set[int] = field(default_factory=set)

    @property
    def is_full(self) -> bool:
        return self.last - self.first + 1 >= CHUNK_LINES or self.size >= CHUNK_BYTES or len(self.days) >= CHUNK_DAYS

    def take(self, line: Line, rows: Rows) -> None:
        """Sort a line in."""
        self.last = line.number
        self.size += len(line.data)
        if not line.data.strip():
            return
        read = f"it is longer than {LONGEST} bytes" if line.is_cut else rows.read(line.data)
        if isinstance(read, _Read):
            self.good.append((line, read))
            self.near = read.at
            self.days.add(read.at // DAY)
        else:
            self.bad.append((line, read))


def _fitting(rows: Rows, found: Sequence[tuple[Line, _Read]]) -> tuple[pa.Table, Sequence[tuple[Line, str]]]:
    """Those whose values fit their columns, as a table; and the others, found by halving, with why not."""
    try:
        return rows.as_table([read for _, read in found]), ()
    except (pa.ArrowInvalid, OverflowError) as error:
        if len(found) == 1:
            return rows.as_table(()), [(found[0][0], str(error)[:200])]
    middle = len(found) // 2
    (first, few), (second, more) = _fitting(rows, found[:middle]), _fitting(rows, found[middle:])
    return pa.concat_tables([first, second]), [*few, *more]
