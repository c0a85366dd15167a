"""Tests of `pixelake.operate.render`."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.errors import QueryError
from pixelake.operate.inert import inert
from pixelake.operate.render import render, rows_of

ROWS = pa.table(
    {
        "site": pa.array(["shop", None]),
        "hits": pa.array([3, 12]),
        "value": pa.array([Decimal("1.500000"), None], pa.decimal128(18, 6)),
        "received_at": pa.array([datetime(2026, 2, 10, 21, 0, 0, 5, UTC)] * 2, pa.timestamp("us", tz="UTC")),
        "properties": pa.array([[("a", ["1", "2"])], []], pa.map_(pa.string(), pa.list_(pa.string()))),
        "bot": pa.array([True, None]),
    }
)


def _rendered(rows: pa.Table, form: str) -> str:
    out = io.StringIO()
    render(rows, form, out, io.BytesIO())
    return out.getvalue()


def test_csv() -> None:
    """CSV has a header line; lists and maps are JSON, nulls nothing."""
    assert _rendered(ROWS, "csv") == (
        "site,hits,value,received_at,properties,bot\n"
        'shop,3,1.500000,2026-02-10T21:00:00.000005Z,"{""a"":[""1"",""2""]}",true\n'
        ",12,,2026-02-10T21:00:00.000005Z,{},\n"
    )


def test_csv_of_what_ends_a_line() -> None:
    """A lone CR stands in quotes, which Python's `csv` leaves out; a row of one empty value is a row."""
    rows = pa.table({"a": ["x\ry", "x\ny", None, 'q"', ""]})
    told = _rendered(rows, "csv")
    assert told == 'a\n"x\ry"\n"x\ny"\n""\n"q"""\n""\n'
    assert [row["a"] for row in csv.DictReader(io.StringIO(told, newline=""))] == ["x\ry", "x\ny", "", 'q"', ""]


def test_json() -> None:
    """JSON is an array of objects; times are ISO 8601, decimals numbers with all their digits."""
    text = _rendered(ROWS, "json")
    assert '"value":1.500000' in text
    first, second = json.loads(text)
    assert first == {
        "site": "shop",
        "hits": 3,
        "value": 1.5,
        "received_at": "2026-02-10T21:00:00.000005Z",
        "properties": {"a": ["1", "2"]},
        "bot": True,
    }
    assert second["site"] is None


HOSTILE = "\x1b[2J\x9b2J\u202e\x7fä\U0001f600"


def test_json_does_nothing_to_a_terminal() -> None:
    """It has the very values, in letters that no terminal obeys."""
    text = _rendered(pa.table({"title": [HOSTILE]}), "json")
    assert json.loads(text) == [{"title": HOSTILE}]
    assert inert(text.strip()) == text.strip()


def test_csv_is_as_stored_but_on_a_terminal() -> None:
    """A file has each letter; a terminal is shown escapes."""
    rows = pa.table({"title": [HOSTILE]})
    assert _rendered(rows, "csv") == f"title\n{HOSTILE}\n"
    out = io.StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    render(rows, "csv", out, io.BytesIO())
    assert out.getvalue() == f"title\n{inert(HOSTILE)}\n"


@pytest.mark.parametrize(("form", "text"), [("json", "[]\n"), ("csv", "a\n"), ("table", "a\n-\n")])
def test_no_rows(form: str, text: str) -> None:
    """No rows are still an array, a header line, a table's head."""
    assert _rendered(pa.table({"a": pa.array([], pa.string())}), form) == text


def test_parquet() -> None:
    """Parquet keeps the columns as they are."""
    binary = io.BytesIO()
    render(ROWS, "parquet", io.StringIO(), binary)
    assert pq.read_table(binary).equals(ROWS)


def test_table() -> None:
    """Where no terminal is, a table has no colour, is not wrapped, and numbers stand to the right."""
    rows = pa.table({"path": ["/", "/" + "x" * 300], "n": [5, 10]})
    lines = _rendered(rows, "table").splitlines()
    assert lines[0].split() == ["path", "n"]
    assert lines[2] == "/" + " " * 300 + "   5"
    assert lines[3] == "/" + "x" * 300 + "  10"


def test_hostile_text_cannot_reach_the_terminal() -> None:
    """Escape sequences, carriage returns and writing that runs backwards are written out in a table."""
    table = _rendered(pa.table({"title": ["\x1b]0;owned\x07\r\n\u202eabc\x9b"]}), "table")
    assert "\\x1b]0;owned\\x07\\r\\n\\u202eabc\\x9b" in table
    assert "\x1b" not in table


def test_inert_keeps_text() -> None:
    """Letters of all scripts and emoji stay as they are."""
    assert inert("Grüße, 東京 🙂") == "Grüße, 東京 🙂"


def test_columns_of_one_name() -> None:
    """A column does not hide another of its name."""
    rows = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"])
    assert list(rows_of(rows)) == [{"n": 1, "n_2": 2}]


UNWRITABLE = {
    "an interval": ("parquet", pa.array([(0, 1, 0)], pa.month_day_nano_interval())),
    "the year 99999": ("table", pa.array([35_805_000], pa.date32())),
    "infinity": ("json", pa.array([2**63 - 1], pa.timestamp("us", tz="UTC"))),
}


@pytest.mark.parametrize(("form", "column"), UNWRITABLE.values(), ids=UNWRITABLE.keys())
def test_values_that_a_format_has_not(form: str, column: pa.Array) -> None:
    """They are a query's error, and its hint says what to ask instead."""
    with pytest.raises(QueryError, match=f"as {form}") as caught:
        _rendered(pa.table({"a": column}), form)
    assert "cast it to text" in caught.value.hint
