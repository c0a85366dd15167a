"""Columns of the user's own in a lake: rows with and without them, in files of before, of now and of others."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pixelake.errors import SettingsError
from pixelake.event import Field
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.schema import events_schema
from tests.warehouse.outcomes import event, outcome

PLAN = Field("plan", "text", "", "what the user pays for")
SCORES = Field("scores", "map<text,list<text>>", "", "scores")
OWN = events_schema([PLAN, SCORES])


def _with_own(position: int, plan: str | None) -> Outcome:
    made = outcome([event("a", position)])
    rows = made.events.append_column("plan", pa.array([plan], pa.string()))
    scores = pa.array([[("k", ["1", "2"])]], OWN.field("scores").type)
    return replace(made, events=rows.append_column("scores", scores))


def _plans(house: Lakehouse) -> list[tuple[int, str | None, str | None]]:
    rows = house.sql("select position, plan, scores['k'][2] as score from events order by position").to_pylist()
    return [(row["position"], row["plan"], row["score"]) for row in rows]


def test_rows_of_before_of_now_and_of_others(tmp_path: Path) -> None:
    """The column is null where a file has none; a compaction keeps it, also one by who does not know it."""
    house = Lakehouse(tmp_path)
    other = Lake(tmp_path)  # open all the time, and never told of the columns
    other.write(outcome([event("a", 1)]))
    assert house.sql("select count(*) as n from events").to_pylist() == [{"n": 1}]
    Lake(tmp_path, schema=OWN).write(_with_own(2, "gold"))
    other.write(outcome([event("a", 3)]))
    Lake(tmp_path, schema=OWN).write(_with_own(4, None))
    expected = [(1, None, None), (2, "gold", "2"), (3, None, None), (4, None, "2")]
    assert _plans(house) == expected
    for todo in other.plan():
        assert other.compact(todo).files_after == 1
    assert _plans(house) == _plans(Lakehouse(tmp_path)) == expected


def test_a_checkpoint_tells_the_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the log from its last checkpoint knows them too."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 3)
    lake = Lake(tmp_path, schema=OWN)
    for position in range(1, 6):
        lake.write(_with_own(position, "gold"))
    entries = sorted((tmp_path / "events" / "_delta_log").glob("*.json"))
    for old in entries[:3]:
        old.unlink()
    assert _plans(Lakehouse(tmp_path)) == [(n, "gold", "2") for n in range(1, 6)]


def test_another_type_is_refused(tmp_path: Path) -> None:
    """One line with a hint, and the lake goes on as it was."""
    Lake(tmp_path, schema=OWN)
    with pytest.raises(SettingsError, match="plan"):
        Lake(tmp_path, schema=events_schema([PLAN._replace(type="int64")]))
    Lake(tmp_path, schema=OWN).write(_with_own(1, "gold"))
    assert _plans(Lakehouse(tmp_path)) == [(1, "gold", "2")]
