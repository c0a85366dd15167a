"""The period before a period, and two answers side by side."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from pixelake.errors import Misasked
from pixelake.warehouse.checked import EARLIEST
from pixelake.warehouse.questions import Column, Question
from pixelake.warehouse.zones import DAY, MICROSECOND, Clock

NUMBERS: Final = frozenset({"int", "float", "amount"})
"""Types of columns that change by a share."""


def before(start: datetime, end: datetime, clock: Clock) -> tuple[datetime, datetime]:
    """The period before one, as long.

    Whole months have the months before them, what begins at a midnight of the wall clock as many days before. A period
    that is not over yet, as today's, so has the same part of the days before it. Any other has what lasted as long.

    Raises:
        Misasked: it would begin before all time.
    """
    first, last = clock.date(start), clock.date(end - MICROSECOND)
    is_midnight = clock.bounds(first)[0] == start
    if is_midnight and first.day == 1 and (last + DAY).day == 1 and clock.bounds(last)[1] == end:
        months = (last.year - first.year) * 12 + last.month - first.month + 1
        number = first.year * 12 + first.month - 1 - months
        return _checked(clock.bounds(first.replace(year=number // 12, month=number % 12 + 1))[0]), start
    if not is_midnight:
        return _checked(start - (end - start)), start
    days = (last - first).days + 1
    begun, ended = clock.bounds(last - days * DAY)
    until = ended if clock.bounds(last)[1] == end else min(begun + (end - clock.bounds(last)[0]), ended)
    return _checked(clock.bounds(first - days * DAY)[0]), until


def _checked(start: datetime) -> datetime:
    if start < EARLIEST + timedelta(days=1):
        raise Misasked("compare: the period before begins before all time", "take a later one, or a shorter one")
    return start


def beside(question: Question, now: pa.Table, then: pa.Table) -> pa.Table:
    """The rows of a period, with ``before_`` and ``change_`` columns: the change is a share, null where there is none.

    Rows of a series stand side by side by their number; those of a list by their keys.
    """
    rows = _partners(question, now, then)
    table = now
    for column in question.columns:
        if column.name not in now.column_names or (column.role == "key" and question.kind != "series"):
            continue
        was = then[column.name].take(rows) if then.num_rows else pa.nulls(now.num_rows, then[column.name].type)
        table = table.append_column(f"before_{column.name}", was)
        if column.type in NUMBERS:
            table = table.append_column(f"change_{column.name}", _changes(now[column.name], was))
    return table


def columns(question: Question) -> Sequence[Column]:
    """The columns of an answer that is compared."""
    found = list(question.columns)
    for each in question.columns:
        if each.role == "key" and question.kind != "series":
            continue
        found.append(
            each._replace(name=f"before_{each.name}", meaning=f"the same of the period before: {each.meaning}")
        )
        if each.type in NUMBERS:
            meaning = f"by which share {each.name} changed since the period before; null where it had none"
            found.append(Column(f"change_{each.name}", "float", "share", meaning, "col"))
    return found


def _partners(question: Question, now: pa.Table, then: pa.Table) -> "pa.Array[Any]":
    """For each row of now the number of that of then; null: there is none."""
    if question.kind != "list":
        return pa.array([row if row < then.num_rows else None for row in range(now.num_rows)], pa.int64())
    places = {key: row for row, key in enumerate(_keys(question, then))}
    return pa.array([places.get(key) for key in _keys(question, now)], pa.int64())


def _keys(question: Question, table: pa.Table) -> list[tuple[Any, ...]]:
    return list(zip(*(table[name].to_pylist() for name in question.keys), strict=True))


def keys(question: Question, table: pa.Table) -> Mapping[str, Sequence[Any]]:
    """The keys of the rows of a list, column by column."""
    return {name: table[name].to_pylist() for name in question.keys}


def joined(question: Question, table: pa.Table, other: pa.Table, name: str, shown: str) -> pa.Table:
    """A table with a column of another in place of one of its own; 0 where the other has no such row."""
    rows = _partners(question, table, other)
    values: list[int | None] = other[name].take(rows).to_pylist()
    column = pa.array([value or 0 for value in values], pa.int64())
    return table.set_column(table.column_names.index(shown), shown, column)


def _changes(now: Any, was: Any) -> "pa.Array[Any]":
    pairs = zip(now.to_pylist(), was.to_pylist(), strict=True)
    return pa.array([_change(one, other) for one, other in pairs], pa.float64())


def _change(now: float | Decimal | None, was: float | Decimal | None) -> float | None:
    return None if now is None or not was else float(now) / float(was) - 1
