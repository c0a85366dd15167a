"""Rows as Python has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from pixelake.warehouse.rows import rows_of

MOMENT = datetime(2026, 2, 10, 21, 0, 0, 5, UTC)
TABLES = {
    "times": {"at": pa.array([MOMENT, None], pa.timestamp("us", "UTC"))},
    "milliseconds": {"at": pa.array([MOMENT.replace(microsecond=5_000)], pa.timestamp("ms", "UTC"))},
    "nanoseconds": {"at": pa.array([MOMENT], pa.timestamp("ns", "UTC"))},
    "another zone": {"at": pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin"))},
    "no zone": {"at": pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us"))},
    "before the epoch": {"at": pa.array([datetime(1, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC"))},
    "maps": {"of": pa.array([[("a", ["1"])], None], pa.map_(pa.string(), pa.list_(pa.string()))), "n": [1, 2]},
    "no rows": {"at": pa.array([], pa.timestamp("us", "UTC")), "n": pa.array([], pa.int64())},
}


@pytest.mark.parametrize("columns", TABLES.values(), ids=TABLES.keys())
def test_as_pyarrow_has_them(columns: dict[str, Any]) -> None:
    """The same values of the same zones, maps as pairs or as dictionaries."""
    table = pa.table(columns)
    assert list(rows_of(table)) == table.to_pylist()
    assert list(rows_of(table, "lossy")) == table.to_pylist(maps_as_pydicts="lossy")
    if "at" in columns:
        offsets = [row["at"] and row["at"].utcoffset() for row in rows_of(table)]
        assert offsets == [row["at"] and row["at"].utcoffset() for row in table.to_pylist()]
        assert all(offset in {None, timedelta(0), timedelta(hours=1)} for offset in offsets)


def test_in_several_pieces() -> None:
    """A table of chunks has the rows of all of them, in order."""
    table = pa.concat_tables([pa.table({"n": [1, 2]}), pa.table({"n": [3]})])
    assert [row["n"] for row in rows_of(table)] == [1, 2, 3]
