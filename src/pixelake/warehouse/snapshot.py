"""The lake at one version: what the statements of questions are made of."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
from deltalake import Schema

from pixelake import event, reject
from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse import swap_note
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DeltaLog
from pixelake.warehouse.layout import FOLDERS, folder_of, tag_of, values_of
from pixelake.warehouse.reading import Kept
from pixelake.warehouse.schema import ARROW_TYPES

TABLES: Final = {"events": event.FIELDS, "rejects": reject.FIELDS}
TYPES: Final = {
    "text": "varchar",
    "bool": "boolean",
    "int64": "bigint",
    "timestamp": "timestamptz",
    "decimal(18,6)": "decimal(18,6)",
    "map<text,list<text>>": "map(varchar, varchar[])",
}
"""The types of `Field` in DuckDB."""

_OF_AN_HOUR: Final = f"/{PARTITION_COLUMNS[-1]}="
"""In the path of a file whose rows are of one hour."""


class Snapshot:
    """The lake at one version: a `pixelake.warehouse.asking.Standing`."""

    def __init__(self, logs: Mapping[str, DeltaLog], missing: swap_note.Lacking | None, kept: Kept) -> None:
        self._logs, self._missing, self.kept = dict(logs), missing, kept
        self._files = {name: sorted(file.name for file in log.files.values()) for name, log in logs.items()}
        self.version = "-".join(str(log.version) for log in logs.values())

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the events, with their types as `pixelake.event.Field` has them."""
        types = {kind: name for name, kind in TYPES.items()}
        columns = columns_of(EVENTS_FOLDER, self._logs[EVENTS_FOLDER].schema)
        return {name: types[kind] for name, kind in columns.items()}

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last day, UTC, of which there is an event; None: there is none."""
        files = self._files[EVENTS_FOLDER]
        missing = [*self._missing.files] if self._missing else []
        days = [_day_of(name) for name in (*files[:1], *files[-1:], *missing)]
        return (min(days), max(days)) if days else None

    def relation(self, table: str, first: date, last: date) -> str:
        """SQL: the rows of a table of some days, UTC; at least of these."""
        log = self._logs[table]
        missing = self._missing if table == REJECTS_FOLDER else None
        files = [str(log.folder / name) for name in self._between(table, first, last)]
        return rows_of_files(columns_of(table, log.schema), files, missing)

    def has_files(self, table: str, first: date, last: date) -> bool:
        """Whether a table has any file of some days, UTC."""
        return bool(self._between(table, first, last))

    def _between(self, table: str, first: date, last: date) -> Sequence[str]:
        files = self._files[table]
        begin, end = (
            bisect_left(files, f"year={first:%Y/month=%m/day=%d}/"),
            bisect_left(files, f"year={last:%Y/month=%m/day=%d}0"),
        )
        return files[begin:end]


def _day_of(name: str) -> date:
    found = values_of(folder_of(name))
    return date(int(found["year"]), int(found["month"]), int(found["day"]))


@lru_cache(8)
def columns_of(name: str, schema: str) -> Mapping[str, str]:
    """The columns of a table and their types in DuckDB: the declared ones, then those that users added.

    Args:
        name: of the table.
        schema: as Delta writes it; empty of a table that is not there yet.
    """
    columns = {field.name: TYPES[field.type] for field in TABLES[name]}
    if schema:
        arrow: Any = Schema.from_json(schema).to_arrow()
        for field in pa.schema(arrow):
            kind = next((TYPES[name] for name, kind in ARROW_TYPES.items() if kind == field.type), None)
            if kind:
                columns.setdefault(field.name, kind)
    return MappingProxyType(columns)


def rows_of_files(columns: Mapping[str, str], files: Sequence[str], missing: swap_note.Lacking | None = None) -> str:
    """SQL: these columns (name -> type) in their order, over these files, with what they are `missing`."""
    nothing = ", ".join(f"null::{kind} as {_quoted(column)}" for column, kind in columns.items())
    # Files of the same columns stand together: so only those of the hours asked for are opened. With
    # `union_by_name`, which lets some files lack columns, each is (0.1 ms): 0.3 s for 3,000.
    # Those of an hour and those of a day stand apart, too: of the former the folder tells the hour.
    alike: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for file in files:
        alike[tag_of(file), _OF_AN_HOUR in file].append(file)
    parts = [_scan(group, PARTITION_COLUMNS if hourly else FOLDERS) for (_, hourly), group in alike.items()]
    whole = " union all by name ".join([f"select {nothing} where false", *parts])
    if missing:
        gone = f"read_parquet({literal(missing.note)}, hive_partitioning = false)"
        kept = f"select * from ({whole}) anti join {gone} using (partition, position)"  # noqa: S608
        come = [_scan([file], PARTITION_COLUMNS) for file in missing.files]
        whole = " union all by name ".join([kept, *come])
    return f"select {', '.join(map(_quoted, columns))} from ({whole})"  # noqa: S608


def _scan(files: Sequence[str], folders: Sequence[str]) -> str:
    """The rows of files of the same columns, in folders of the same columns."""
    types = ", ".join(f"'{column}': varchar" for column in folders)
    return f"select * from read_parquet({literal(files)}, hive_partitioning = true, hive_types = {{{types}}})"  # noqa: S608


def _quoted(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A value of ours as SQL."""
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return str(value).lower() if isinstance(value, bool | int) else "'" + str(value).replace("'", "''") + "'"
