"""The columns of a batch on their way to an Arrow table; what repeats is kept, and worked on, once.

Hits repeat each other: some thousand user agents, pages and sites make a
million of them. So a column is its distinct values and, for each row, the
number of its value (its code). Columns that come from the same thing, such as
everything that is read from a user agent, share their codes. Python looks at
the distinct values only; Arrow puts them into rows, and finds what is distinct.
"""

from array import array as numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.transform.tables import array

Indices: TypeAlias = Any
"""An Arrow array of int32 without nulls; its stubs do not fit together."""

MOST_KEYS: Final = 1 << 62
"""Combinations that a number of 64 bits tells apart."""


def indices(codes: Iterable[int]) -> Indices:
    """Numbers as an Arrow array: a quarter of the time of `pyarrow.array`."""
    found = numbers("i", codes)
    return pa.Array.from_buffers(pa.int32(), len(found), [None, pa.py_buffer(found)])


Memo: TypeAlias = dict[Any, Any]
"""What is known of a thing that outlives the batch, by who found it out."""


class Coded:
    """The codes of some columns, from 0 below `size`; `memos`, by code, if the columns come from such things.

    Each code stands in some row: whoever looks at the values sees none that no row has.
    """

    __slots__ = ("indices", "memos", "size")

    def __init__(self, codes: Indices, size: int, memos: Sequence[Memo] | None = None) -> None:
        self.indices = codes
        self.size = size
        self.memos = memos

    def only(self, chosen: Indices) -> "tuple[Coded, Sequence[int]]":
        """The codes of some rows, numbered anew, and what they were before."""
        known = self.indices.take(chosen).dictionary_encode()
        codes: Sequence[int] = known.dictionary.to_pylist()
        memos = None if self.memos is None else [self.memos[code] for code in codes]
        return Coded(known.indices, len(codes), memos), codes


class Column(NamedTuple):
    """`values` by code; one code a row. Without codes a value a row, and then they may be an Arrow array."""

    values: Any
    coded: Coded | None = None


class _Parts:
    """Values that are read from things when they are asked for."""

    __slots__ = ("_part", "_read", "_things")

    def __init__(self, things: Sequence[Any], part: Callable[[Any], Any]) -> None:
        self._things, self._part = things, part
        self._read: list[Any] | None = None

    def all(self) -> Sequence[Any]:
        if self._read is None:
            self._read = list(map(self._part, self._things))
        return self._read

    def __getitem__(self, code: int) -> Any:
        return self._part(self._things[code])


class Columns:
    """Named columns of the same number of rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._columns: dict[str, Column] = {}
        self._narrow: dict[str, Column] = {}
        self._constant = Coded(pa.Array.from_buffers(pa.int32(), rows, [None, pa.py_buffer(bytes(4 * rows))]), 1)

    @property
    def names(self) -> frozenset[str]:
        """What there is."""
        return frozenset(self._columns)

    def put(self, name: str, values: Any) -> None:
        """A value a row: a sequence, or an Arrow array."""
        self.put_column(name, Column(values))

    def put_floor(self, name: str, number: str, step: int) -> None:
        """How often `step` goes into a column of numbers; rounded down."""
        values = self.column(number).values
        numbers: Any = values if isinstance(values, pa.Array) else pa.array(self.values(number), pa.int64())
        if len(numbers) and pc.min(numbers).as_py() // step == (last := pc.max(numbers).as_py() // step):
            self.put_constant(name, last)
        else:
            self.put(name, [each // step for each in numbers.to_pylist()])

    def put_constant(self, name: str, value: Any) -> None:
        """The same value in each row."""
        self.put_column(name, Column((value,), self._constant))

    def put_coded(self, coded: Coded, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Columns by code: `rows` holds for each code a value for each name."""
        columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ((),) * len(names)
        for name, values in zip(names, columns, strict=True):
            self.put_column(name, Column(values, coded))

    def put_parts(self, coded: Coded, things: Sequence[Any], parts: Mapping[str, Callable[[Any], Any]]) -> None:
        """Columns that are read from a thing a code, once somebody asks for them."""
        for name, part in parts.items():
            self.put_column(name, Column(_Parts(things, part), coded))

    def put_column(self, name: str, column: Column) -> None:
        """As it is."""
        self._columns[name] = column
        self._narrow.pop(name, None)

    def column(self, name: str) -> Column:
        """The column, with all its values."""
        found = self._columns[name]
        if isinstance(found.values, _Parts):
            found = self._columns[name] = Column(found.values.all(), found.coded)
        return found

    def values(self, name: str) -> Sequence[Any]:
        """A value a row."""
        values, coded = self.column(name)
        if coded is None:
            return values.to_pylist() if isinstance(values, pa.Array) else values
        if coded.size == 1:
            return [values[0]] * self.rows
        return list(map(values.__getitem__, coded.indices.to_pylist()))

    def is_empty(self, name: str) -> bool:
        """Does no row say anything in it? False if that takes a long look."""
        values, coded = self.column(name)
        return coded is not None and all(value is None or value is EMPTY for value in values)

    def distinct(self, names: Sequence[str]) -> tuple[Coded, list[tuple[Any, ...]]]:
        """Codes that tell apart what differs in any of the columns, and for each the values of these columns."""
        columns = [self.column(name) for name in names]
        if len({id(column.coded) for column in columns if column.coded is not self._constant}) > 1:
            columns = [self._narrowed(name) for name in names]
        told = [
            (self._narrowed(name) if each.coded is None else each) for name, each in zip(names, columns, strict=True)
        ]
        codes = [each.coded or self._constant for each in told]
        groups = [coded for coded in dict.fromkeys(codes) if coded is not self._constant]
        coded, parts = self._constant, list[Sequence[int]]()
        if len(groups) == 1:
            coded, parts = groups[0], [range(groups[0].size)]
        elif groups:
            coded, parts = _together(groups)
        place = dict(zip(groups, parts, strict=True))
        found = [
            [each.values[0]] * coded.size if code is self._constant else list(map(each.values.__getitem__, place[code]))
            for each, code in zip(told, codes, strict=True)
        ]
        return coded, list(zip(*found, strict=True)) if found else [()]

    def remembered(self, names: Sequence[str]) -> tuple[Coded, list[Sequence[Any]], tuple[Any, ...]] | None:
        """The codes with memos that these columns share, and the values of each by code; None if there are no such.

        Columns that are the same in each row may be among them: their values come last, once more.
        """
        columns = [self._columns[name] for name in names]
        groups = {id(column.coded): column.coded for column in columns if column.coded is not self._constant}
        first = next(iter(groups.values())) if len(groups) == 1 else None
        if first is None or first.memos is None:
            return None
        constants = tuple(column.values[0] for column in columns if column.coded is self._constant)
        values = [[each.values[0]] * first.size if each.coded is self._constant else each.values for each in columns]
        return first, values, constants

    def table(self, schema: pa.Schema) -> pa.Table:
        """A table of the schema; a column that is not there is null."""
        arrays = [self._array(field) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)

    def _array(self, field: "pa.Field[Any]") -> Any:
        if field.name not in self._columns:
            return pa.nulls(self.rows, field.type)
        values, coded = self.column(field.name)
        if coded is None:
            return values.cast(field.type) if isinstance(values, pa.Array) else array(field, values)
        if all(value is None for value in values):
            return pa.nulls(self.rows, field.type)
        return array(field, values).take(coded.indices)

    def keep(self, rows: Sequence[int]) -> "Columns":
        """Some rows, in this order; and of the values those alone that stand in one of them."""
        chosen, kept = indices(rows), Columns(len(rows))
        groups: dict[int, tuple[Coded, Sequence[int]]] = {id(self._constant): (kept._constant, (0,))}
        for name in self._columns:
            values, coded = self.column(name)
            if coded is None:
                took = values.take(chosen) if isinstance(values, pa.Array) else [values[row] for row in rows]
                kept.put(name, took)
                continue
            if id(coded) not in groups:
                groups[id(coded)] = coded.only(chosen)
            fewer, codes = groups[id(coded)]
            kept.put_column(name, Column([values[code] for code in codes], fewer))
        return kept

    def _narrowed(self, name: str) -> Column:
        """The column with a code for each different value, of which several things may have the same."""
        known = self._narrow.get(name)
        if known is None:
            values, coded = self.column(name)
            if coded is None:
                coded, values = by_value(self.values(name))
                known = Column(values, coded)
            else:
                same, different = by_value(values)
                if same.size == 1:
                    known = Column(different, self._constant)
                elif same.size == len(values):
                    known = Column(values, coded)
                else:
                    known = Column(different, Coded(same.indices.take(coded.indices), same.size))
            self._narrow[name] = known
        return known


def joined(first: Columns, second: Columns) -> Columns:
    """The rows of both, which have the same columns, one behind the other."""
    whole = Columns(first.rows + second.rows)
    groups: dict[tuple[int, int], Coded] = {}
    for name in first.names:
        one, two = first.column(name), second.column(name)
        if one.coded is None or two.coded is None:
            whole.put(name, [*first.values(name), *second.values(name)])
            continue
        pair = id(one.coded), id(two.coded)
        if pair not in groups:
            behind = pc.add(two.coded.indices, pa.scalar(one.coded.size, pa.int32()))
            codes = pa.concat_arrays([one.coded.indices, behind])
            both = one.coded.memos is not None and two.coded.memos is not None
            memos = [*(one.coded.memos or ()), *(two.coded.memos or ())] if both else None
            groups[pair] = Coded(codes, one.coded.size + two.coded.size, memos)
        whole.put_column(name, Column([*one.values, *two.values], groups[pair]))
    return whole


def by_identity(things: Sequence[Any]) -> tuple[Coded, list[Any]]:
    """By what they are, not by what they say: to hash a tuple of texts costs more than to look at it twice."""
    names = list(map(id, things))
    distinct = dict(zip(names, things, strict=True))
    codes = dict(zip(distinct, range(len(distinct)), strict=True))
    return Coded(indices(map(codes.__getitem__, names)), len(distinct)), list(distinct.values())


def by_value(values: Sequence[Any]) -> tuple[Coded, list[Any]]:
    """By what they say."""
    known: dict[Any, int] = {}
    codes = indices([known.setdefault(value, len(known)) for value in values])
    return Coded(codes, len(known)), list(known)


def _together(groups: Sequence[Coded]) -> tuple[Coded, list[Sequence[int]]]:
    """Codes for the combinations of others, and for each of these its codes by combination."""
    if prod(group.size for group in groups) > MOST_KEYS:  # of two groups there are never so many
        (some, parts), last = _together(groups[:-1]), groups[-1]
        coded, (before, behind) = _together([some, last])
        return coded, [*([part[code] for code in before] for part in parts), behind]
    keys: Any = groups[0].indices.cast(pa.int64())
    for group in groups[1:]:
        keys = pc.add(pc.multiply(keys, pa.scalar(group.size, pa.int64())), group.indices)
    found = keys.dictionary_encode()
    rest, codes = found.dictionary, []
    for group in reversed(groups):
        above = pc.divide(rest, pa.scalar(group.size, pa.int64()))
        codes.append(pc.subtract(rest, pc.multiply(above, pa.scalar(group.size, pa.int64()))).to_pylist())
        rest = above
    return Coded(found.indices, len(found.dictionary)), codes[::-1]


EMPTY: Final[Mapping[str, Sequence[str]]] = {}
"""The properties of most hits."""
