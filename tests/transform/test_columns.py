"""Columns by their distinct values."""

from operator import itemgetter
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pixelake.transform.columns import Columns, by_identity, indices, joined

ROWS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None]), st.booleans()), min_size=1, max_size=30)


def _columns(rows: list[tuple[Any, ...]]) -> Columns:
    columns = Columns(len(rows))
    for name, values in zip("abc", zip(*rows, strict=True), strict=True):
        columns.put(name, values)
    columns.put_constant("one", 1)
    return columns


@given(ROWS, st.lists(st.sampled_from(["a", "b", "c", "one"]), min_size=1, max_size=4))
def test_distinct_tells_every_row(rows: list[tuple[Any, ...]], names: list[str]) -> None:
    """The values of a row's code are those of the row, whichever columns are looked at, and no code is idle."""
    columns = _columns(rows)
    coded, distinct = columns.distinct(names)
    expected = list(zip(*(columns.values(name) for name in names), strict=True))
    assert [distinct[code] for code in coded.indices.to_pylist()] == expected
    assert set(coded.indices.to_pylist()) == set(range(coded.size)) == set(range(len(distinct)))


@given(ROWS)
def test_tables_hold_what_was_put(rows: list[tuple[Any, ...]]) -> None:
    """By code or by row; what was not put is null."""
    columns = _columns(rows)
    columns.put_coded(*columns.distinct("ab")[:1], ["d"], [[f"{a}{b}"] for a, b in columns.distinct("ab")[1]])
    schema = pa.schema(
        [("a", pa.int64()), ("b", pa.string()), ("d", pa.string()), ("one", pa.int64()), ("no", pa.bool_())]
    )
    assert columns.table(schema).to_pylist() == [
        {"a": a, "b": b, "d": f"{a}{b}", "one": 1, "no": None} for a, b, _ in rows
    ]


def test_parts_are_read_once_for_each_thing() -> None:
    """By what it is: the same object in a thousand rows is looked at once."""
    seen = []
    things = [("x",), ("y",)]
    columns = Columns(1_000)
    coded, distinct = by_identity([things[n % 2] for n in range(1_000)])
    columns.put_parts(coded, distinct, {"name": lambda thing: seen.append(thing) or thing[0]})
    assert columns.values("name") == ["x", "y"] * 500
    assert seen == things


@given(ROWS, st.lists(st.integers(0, 29), max_size=10))
def test_some_rows(rows: list[tuple[Any, ...]], chosen: list[int]) -> None:
    """Whatever the columns are made of, the rows that are kept are those that were asked for."""
    columns, chosen = _columns(rows), [number % len(rows) for number in chosen]
    columns.distinct(("a", "b"))
    kept = columns.keep(chosen)
    for name in columns.names:
        assert list(kept.values(name)) == [columns.values(name)[number] for number in chosen]


@given(ROWS, ROWS)
def test_two_in_one(some: list[tuple[Any, ...]], more: list[tuple[Any, ...]]) -> None:
    """The rows of both, and what is distinct among them is told apart."""
    columns, expected = joined(_columns(some), _columns(more)), [*some, *more]
    assert [*zip(*map(columns.values, "abc"), strict=True)] == expected
    coded, distinct = columns.distinct(("a", "b", "c"))
    assert [distinct[code] for code in coded.indices.to_pylist()] == expected


def test_more_combinations_than_numbers() -> None:
    """Many columns of many values: their combinations are told apart all the same."""
    columns = Columns(200)
    for name in "abcdefghij":
        columns.put(name, [number * (1 + ord(name)) % 199 for number in range(200)])
    coded, distinct = columns.distinct("abcdefghij")
    expected = list(zip(*map(columns.values, "abcdefghij"), strict=True))
    assert [distinct[code] for code in coded.indices.to_pylist()] == expected


def test_numbers_for_arrow() -> None:
    """As they are, also none."""
    assert indices([]).to_pylist() == []
    assert indices([3, 1]).to_pylist() == [3, 1]


@given(ROWS, st.lists(st.integers(0, 29), max_size=10), st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_values_of_rows_that_are_gone_are_gone(
    rows: list[tuple[Any, ...]], chosen: list[int], names: list[str]
) -> None:
    """Whoever looks at what is distinct sees what some row says; what is remembered stays with its code."""
    columns, chosen = Columns(len(rows)), [number % len(rows) for number in chosen]
    coded, distinct = by_identity(rows)
    coded.memos = [{"of": row} for row in distinct]
    columns.put_parts(coded, distinct, {name: itemgetter(at) for at, name in enumerate("abc")})
    kept = columns.keep(chosen)
    left = [tuple(rows[number]["abc".index(name)] for name in names) for number in chosen]
    assert set(kept.distinct(names)[1]) == set(left)
    again = kept.remembered(("a", "b"))
    assert again is not None
    of, (first, _), _ = again
    assert [(memo["of"][0], first[code]) for code, memo in enumerate(of.memos or ())] == [
        (value, value) for value in first
    ]
    assert [first[code] for code in of.indices.to_pylist()] == [rows[number][0] for number in chosen]
