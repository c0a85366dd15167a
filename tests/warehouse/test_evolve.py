"""Columns are added to a table that has rows, and never changed."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake

from pixelake.errors import SettingsError
from pixelake.event import PARTITION_COLUMNS, Field
from pixelake.warehouse.evolve import add_columns
from pixelake.warehouse.schema import EVENTS, events_schema

PLAN = Field("plan", "text", "", "what the user pays for")
SCORES = Field("scores", "map<text,list<text>>", "", "scores")
SEATS = Field("seats", "int64", "", "how many")


def _wanted(*own: Field) -> Schema:
    return Schema.from_arrow(events_schema(own))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A table of events as a version without own columns made it."""
    DeltaTable.create(str(tmp_path), _wanted(), partition_by=list(PARTITION_COLUMNS))
    return str(tmp_path)


def _names(folder: str) -> list[str]:
    return [field.name for field in DeltaTable(folder).schema().fields]


def test_a_table_gets_what_it_lacks(folder: str) -> None:
    """New columns stand behind the old ones, in one commit; there is none if nothing is missing."""
    table = DeltaTable(folder)
    assert add_columns(table, _wanted()) == []
    assert DeltaTable(folder).version() == 0
    assert add_columns(table, _wanted(PLAN, SCORES)) == ["plan", "scores"]
    assert _names(folder) == [*EVENTS.names, "plan", "scores"]
    assert DeltaTable(folder).version() == 1
    assert add_columns(DeltaTable(folder), _wanted(PLAN)) == []


def test_two_who_add_at_once(folder: str) -> None:
    """Nobody's columns are lost, and one that both add is there once."""
    one, other = DeltaTable(folder), DeltaTable(folder)
    add_columns(one, _wanted(PLAN))
    add_columns(other, _wanted(PLAN, SEATS))
    assert _names(folder) == [*EVENTS.names, "plan", "seats"]


def test_a_column_is_never_retyped(folder: str) -> None:
    """Another type under the same name is refused with a hint, and nothing is added."""
    add_columns(DeltaTable(folder), _wanted(PLAN))
    with pytest.raises(SettingsError, match="plan") as raised:
        add_columns(DeltaTable(folder), _wanted(SEATS, PLAN._replace(type="int64")))
    assert raised.value.hint
    assert _names(folder) == [*EVENTS.names, "plan"]


def test_a_column_that_may_not_be_null_cannot_be_added(tmp_path: Path) -> None:
    """Older rows would have none of it."""
    some = pa.schema([field for field in EVENTS if field.name != "hit_id"])
    table = DeltaTable.create(str(tmp_path), Schema.from_arrow(some), partition_by=list(PARTITION_COLUMNS))
    with pytest.raises(SettingsError, match="hit_id"):
        add_columns(table, _wanted())


def test_old_rows_are_null(tmp_path: Path) -> None:
    """Files from before have no such column: their rows have null in it, and can still be read."""
    old = pa.table({"a": ["x"], "year": ["2026"]})
    write_deltalake(str(tmp_path), old, partition_by=["year"])
    new = pa.schema([*old.schema, pa.field("plan", pa.string())])
    add_columns(DeltaTable(str(tmp_path)), Schema.from_arrow(new))
    rows = pa.table({"a": ["y"], "year": ["2026"], "plan": ["gold"]})
    write_deltalake(str(tmp_path), rows, mode="append")
    found = DeltaTable(str(tmp_path)).to_pyarrow_dataset().to_table().sort_by("a").to_pylist()
    assert found == [{"a": "x", "year": "2026", "plan": None}, {"a": "y", "year": "2026", "plan": "gold"}]


def test_own_columns_stand_last() -> None:
    """The schema of events is the declared one, with nullable columns behind it; no name stands twice."""
    schema = events_schema([PLAN])
    assert schema.names == [*EVENTS.names, "plan"]
    assert schema.field("plan").nullable
    assert schema.field("plan").type == pa.string()
    with pytest.raises(ValueError, match="site"):
        events_schema([PLAN._replace(name="site")])
