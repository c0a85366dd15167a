"""The columns of a batch on their way to an Arrow table; what repeats is kept, and worked on, once.

Hits repeat each other: some thousand user agents, pages and sites make a
million of them. So a column is its distinct values and, for each row, the
number of its value (its code). Columns that come from the same thing, such as
everything that is read from a user agent, share their codes. To look at the
distinct values costs little, and Arrow puts them into rows in C++.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import add
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pixelake.transform.tables import array

Codes = Sequence[int]


class Column(NamedTuple):
    """`values` by code; one code a row. Without codes a value a row."""

    values: Sequence[Any]
    codes: "Coded | None" = None


class Coded:
    """The codes of some columns, from 0 below `size`."""

    __slots__ = ("_indices", "codes", "size")

    def __init__(self, codes: Codes, size: int) -> None:
        self.codes = codes
        self.size = size
        self._indices: Any = None

    @property
    def indices(self) -> Any:
        """The same for Arrow."""
        if self._indices is None:
            self._indices = pa.array(self.codes, pa.int32())
        return self._indices


class Columns:
    """Named columns of the same number of rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: dict[str, Column] = {}
        self._constant = Coded([0] * rows, 1)

    @property
    def names(self) -> frozenset[str]:
        """What there is."""
        return frozenset(self._columns)

    def put(self, name: str, values: Sequence[Any]) -> None:
        """A value a row."""
        self._columns[name] = Column(values)

    def put_constant(self, name: str, value: Any) -> None:
        """The same value in each row."""
        self._columns[name] = Column((value,), self._constant)

    def put_parts(self, things: Sequence[Any], parts: Mapping[str, Callable[[Any], Any]]) -> None:
        """Columns that come from one thing a row. What is the same object is looked at once."""
        coded, distinct = _by_identity(things)
        for name, part in parts.items():
            self._columns[name] = Column([part(thing) for thing in distinct], coded)

    def put_coded(self, coded: Coded, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Columns by code: `rows` holds for each code a value for each name."""
        columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ((),) * len(names)
        for name, values in zip(names, columns, strict=True):
            self._columns[name] = Column(values, coded)

    def values(self, name: str) -> Sequence[Any]:
        """A value a row."""
        values, coded = self._columns[name]
        return values if coded is None else list(map(values.__getitem__, coded.codes))

    def distinct(self, names: Sequence[str]) -> tuple[Coded, list[tuple[Any, ...]]]:
        """Codes that tell apart what differs in any of the columns, and for each the values of these columns."""
        columns = [self._coded(name) for name in names]
        groups = list(dict.fromkeys(column.codes for column in columns if column.codes is not self._constant))
        if not groups:
            coded = self._constant
        elif len(groups) == 1 and groups[0] is not None:
            coded = groups[0]
        else:
            coded, firsts = _together([group for group in groups if group is not None])
            return coded, list(zip(*(_at(column, firsts) for column in columns), strict=True))
        codes = range(coded.size)
        return coded, list(
            zip(
                *(column.values if column.codes is coded else [column.values[0]] * len(codes) for column in columns),
                strict=True,
            )
        )

    def table(self, schema: pa.Schema) -> pa.Table:
        """A table of the schema; a column that is not there is null."""
        arrays = [self._array(field) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _array(self, field: "pa.Field[Any]") -> Any:
        column = self._columns.get(field.name)
        if column is None:
            return pa.nulls(self._rows, field.type)
        values, coded = column
        if coded is None:
            return pa.nulls(self._rows, field.type) if _is_empty(values) else array(field, values)
        return array(field, values).take(coded.indices)

    def _coded(self, name: str) -> Column:
        """The column, with codes."""
        column = self._columns[name]
        if column.codes is None:
            if _is_empty(column.values):
                column = Column((None,), self._constant)
            else:
                coded, distinct = _by_value(column.values)
                column = Column(distinct, coded)
            self._columns[name] = column
        return column


def _is_empty(values: Sequence[Any]) -> bool:
    return values.count(None) == len(values) if isinstance(values, tuple | list) else False


def _by_value(values: Sequence[Any]) -> tuple[Coded, list[Any]]:
    known: dict[Any, int] = {}
    codes = [known.setdefault(value, len(known)) for value in values]
    return Coded(codes, len(known)), list(known)


def _by_identity(things: Sequence[Any]) -> tuple[Coded, list[Any]]:
    """By what they are, not by what they say: to hash a tuple of texts costs more than to look at it twice."""
    names = list(map(id, things))
    distinct = dict(zip(names, things, strict=True))
    codes = dict(zip(distinct, range(len(distinct)), strict=True))
    return Coded(list(map(codes.__getitem__, names)), len(distinct)), list(distinct.values())


def _together(groups: Sequence[Coded]) -> tuple[Coded, Sequence[int]]:
    """Codes for the combinations of others, and for each combination a row that has it."""
    first, *others = groups
    codes: Iterable[int] = first.codes
    for group in others:
        size = group.size
        codes = map(add, [code * size for code in codes], group.codes)
    keys = list(codes)
    rows = dict(zip(reversed(keys), range(len(keys) - 1, -1, -1), strict=True))
    numbers = dict(zip(rows, range(len(rows)), strict=True))
    return Coded(list(map(numbers.__getitem__, keys)), len(rows)), list(rows.values())


def _at(column: Column, rows: Sequence[int]) -> list[Any]:
    values, coded = column
    assert coded is not None  # noqa: S101 - `Columns.distinct` codes what has no codes
    codes = coded.codes
    return [values[codes[row]] for row in rows]


EMPTY: Final[Mapping[str, Sequence[str]]] = {}
"""The properties of most hits."""
