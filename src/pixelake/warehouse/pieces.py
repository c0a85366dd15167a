"""Pieces of the SQL that `pixelake.warehouse.planner` makes."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from pixelake.warehouse.questions import PEOPLE, TYPES, Column
from pixelake.warehouse.zones import Clock, literal, local_us

BUCKET: Final = re.compile(r"\bbucket_of\((\w+)\)")
"""What stands in a question for the beginning of a bucket."""
_HOW: Final = {"events": "not materialized ", "source": "not materialized ", "placed": "materialized "}
"""Relations that are files: to hold all of their columns would take the memory that there is. And one whose rows are
numbered, once."""


def with_ctes(ctes: Mapping[str, str]) -> str:
    """Relations by name, as what stands behind WITH. Of the rows of files each reader takes what it needs, anew."""
    return ",\n".join(f"{name} as {_HOW.get(name, '')}({sql})" for name, sql in ctes.items())


def bucket_sql(clock: Clock, start: datetime, end: datetime, step: timedelta, column: str) -> str:
    """SQL: when the bucket begins that holds a moment (a column) of a period."""
    us = int(step.total_seconds()) * 1_000_000
    local = local_us(clock, start, end, column)
    floor = f"make_timestamptz(epoch_us({column}) - ({local} % {us}))"
    changes = [moment for moment, _ in clock.offsets(start, end)[1:]]
    if not changes:
        return floor
    # where the clock changes by half an hour, an hour begins anew
    cases = " ".join(f"when {column} >= {literal(moment)} then {literal(moment)}" for moment in reversed(changes))
    return f"greatest({floor}, case {cases} end)"


def added(column: Column) -> str:
    """A column of sums of days, added up."""
    if column.role == PEOPLE:
        return f"coalesce(len(list_distinct(flatten(list({column.name})))), 0)::bigint as {column.name}"
    if column.role == "sum":
        return f"coalesce(sum({column.name}), 0)::{TYPES[column.type]} as {column.name}"
    return f"{column.role}({column.name}) as {column.name}"


def safe(formula: str) -> str:
    """A formula of which a division by nothing has no value."""
    return re.sub(r"/ (\w+)", r"/ nullif(\1, 0)", formula)


def parquet(files: Iterable[str]) -> str:
    """The rows of files, all with the columns of the first."""
    named = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"read_parquet([{named}], hive_partitioning = false)"
