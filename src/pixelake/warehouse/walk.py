"""The rows of one version of a table, in order of time, a slice at a time: the memory does not grow with the table.

A day with few rows is read as a whole. Of others each hour is cut where its
times say, so that a slice has so many rows at most, however the rows lie in the
files; statistics rule out the parts of files that a slice does not need. Only
rows of the very same microsecond cannot be cut apart.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import Schema

from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse import durable, place
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.layout import folder_of, values_of
from pixelake.warehouse.schema import ARROW_TYPES

SLICE_ROWS: Final = 65_536
SLICE_BYTES: Final = 48 << 20
"""Of a slice, before it is sorted."""
SMALL: Final = 2 << 20
"""Bytes of files whose rows are taken for no larger than usual, unseen."""
ORDER: Final = ("received_at", "partition", "position", "hit_id")
_TIME: Final = pa.timestamp("us", tz="UTC")
_DAY: Final = PARTITION_COLUMNS[:3]


class Select(NamedTuple):
    """Which rows: received from that moment on and before that one, of that site; None: of any."""

    start: datetime | None = None
    end: datetime | None = None
    site: str | None = None


EVERYTHING: Final = Select()


def columns_of(log: DeltaLog) -> pa.Schema:
    """The columns of a table, those that are folders last. Empty of a table that is not there."""
    if not log.schema:
        return pa.schema([])
    columns: Any = Schema.from_json(log.schema).to_arrow()
    fields = [_declared(field) for field in pa.schema(columns)]
    named = {field.name: field for field in fields}
    return pa.schema(
        [*(f for f in fields if f.name not in PARTITION_COLUMNS), *(named[name] for name in PARTITION_COLUMNS)]
    )


_MAP: Final = ARROW_TYPES["map<text,list<text>>"]


def _declared(field: "pa.Field[Any]") -> "pa.Field[Any]":
    """With the type as we write it: Delta names the parts of maps and lists in its own way."""
    kind: Any = field.type
    if not (pa.types.is_map(kind) and pa.types.is_list(kind.item_type)):
        return field
    texts = pa.types.is_string(kind.key_type) and pa.types.is_string(kind.item_type.value_type)
    return field.with_type(_MAP) if texts else field


def walk(log: DeltaLog, schema: pa.Schema, select: Select = EVERYTHING) -> Iterator[pa.Table]:
    """The rows in order of time, and where that is the same, of partition, position and name.

    Args:
        log: of the version that is wanted; it must not be refreshed meanwhile.
        schema: the columns that are wanted; `ORDER` must be among them.
        select: which rows.

    Raises:
        LakeUnavailable: a file cannot be read, because it is damaged or has been vacuumed meanwhile.
    """
    days: dict[tuple[str, ...], list[DataFile]] = defaultdict(list)
    for file in log.files.values():
        values = values_of(folder_of(file.name))
        days[tuple(values[name] for name in _DAY)].append(file)
    with durable.reported("read the lake"):
        for day in sorted(days):
            if _may_have(day, select):
                yield from _Day(log, days[day], schema, select).slices()


def _may_have(day: tuple[str, ...], select: Select) -> bool:
    first = None if select.start is None else _folders(select.start)
    last = None if select.end is None else _folders(select.end)
    return (first is None or day >= first) and (last is None or day <= last)


def _folders(moment: datetime) -> tuple[str, ...]:
    utc = moment.astimezone(UTC)
    return f"{utc.year:04}", f"{utc.month:02}", f"{utc.day:02}"


class _Day:
    """The files of one day."""

    def __init__(self, log: DeltaLog, files: Sequence[DataFile], schema: pa.Schema, select: Select) -> None:
        self._log, self._files, self._schema = log, files, schema
        self._wanted = _condition(select)

    def slices(self) -> Iterator[pa.Table]:
        rows = sum(self._log.rows_of(file) for file in self._files)
        most = self._most(rows)
        if rows <= most:
            yield from self._sorted(self._files, self._wanted)
            return
        hours: dict[str, list[DataFile]] = defaultdict(list)
        for file in self._files:
            hours[values_of(folder_of(file.name)).get("hour", "")].append(file)
        whole = hours.pop("", [])
        if not whole:
            for hour in sorted(hours):
                yield from self._cut(hours[hour], most)
        else:
            yield from self._cut(self._files, most)

    def _most(self, rows: int) -> int:
        """Rows of a slice."""
        if sum(file.size for file in self._files) <= SMALL:
            return SLICE_ROWS
        size = 0
        for file in self._files:
            found = place.parquet(self._log.folder / file.name).metadata
            size += sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups))
        return max(1, min(SLICE_ROWS, SLICE_BYTES * rows // max(size, 1)))

    def _cut(self, files: Sequence[DataFile], most: int) -> Iterator[pa.Table]:
        """The rows of some files, at most so many at a time, but for those of one moment."""
        times = pa.concat_arrays([pa.array([], _TIME), *self._times(files)])
        times = times.take(pc.sort_indices(times))
        marks: list[Any] = list(dict.fromkeys(times[at] for at in range(most, len(times), most)))
        bounds: list[Any] = [None, *marks, None]
        field: Any = pc.field("received_at")
        for start, end in pairwise(bounds):
            wanted = self._wanted
            for condition in ([] if start is None else [field >= start]) + ([] if end is None else [field < end]):
                wanted = condition if wanted is None else wanted & condition
            yield from self._sorted(files, wanted)

    def _times(self, files: Sequence[DataFile]) -> Iterator[Any]:
        """When the rows that are wanted were received: 8 bytes each."""
        schema = pa.schema([pa.field("received_at", _TIME)])
        names = self._schema_with_site()
        for file in files:
            for batch in place.scan([self._log.folder / file.name], ["received_at"], names, self._wanted):
                yield batch.column(0).cast(schema.field(0).type)

    def _schema_with_site(self) -> pa.Schema:
        return pa.schema([field for field in self._schema if field.name in ("received_at", "site")])

    def _sorted(self, files: Sequence[DataFile], wanted: Any) -> Iterator[pa.Table]:
        found = [self._schema.empty_table()]
        for file in files:
            known = values_of(folder_of(file.name))
            batches = place.scan([self._log.folder / file.name], self._schema.names, self._schema, wanted)
            found.extend(_told(pa.Table.from_batches([batch]), known) for batch in batches if batch.num_rows)
        rows = pa.concat_tables(found)
        if rows.num_rows:
            yield rows.sort_by([(name, "ascending") for name in ORDER])


def _told(rows: pa.Table, known: dict[str, str]) -> pa.Table:
    """With the columns that the folder of the file tells."""
    for name, value in known.items():
        at = rows.schema.get_field_index(name)
        if at >= 0 and rows.column(at).null_count:
            column: Any = rows.column(at)
            rows = rows.set_column(at, rows.schema.field(at), column.fill_null(value))
    return rows


def _condition(select: Select) -> Any:
    """What `pyarrow.dataset` filters by; None: nothing."""
    field: Any = pc.field
    conditions = []
    if select.start is not None:
        conditions.append(field("received_at") >= pa.scalar(select.start, _TIME))
    if select.end is not None:
        conditions.append(field("received_at") < pa.scalar(select.end, _TIME))
    if select.site is not None:
        conditions.append(field("site") == select.site)
    wanted: Any = None
    for condition in conditions:
        wanted = condition if wanted is None else wanted & condition
    return wanted
