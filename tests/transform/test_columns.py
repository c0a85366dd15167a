"""Columns by their distinct values."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pixelake.transform.columns import Columns

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
    assert [distinct[code] for code in coded.codes] == expected
    assert set(coded.codes) == set(range(coded.size)) == set(range(len(distinct)))


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
    columns.put_parts([things[n % 2] for n in range(1_000)], {"name": lambda thing: seen.append(thing) or thing[0]})
    assert columns.values("name") == ["x", "y"] * 500
    assert seen == things
