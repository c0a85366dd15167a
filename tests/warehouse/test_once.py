"""Hits of files, with names of their own: each is in the lake once, and every place is counted."""

from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from pixelake.errors import LakeUnavailable
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.sums import LakeReader
from tests.warehouse.outcomes import event, outcome, reject


def places(folder: Path, table: str = "events") -> list[tuple[Any, ...]]:
    """Name, partition and position of each row of a table, sorted."""
    columns = ["hit_id", "partition", "position"]
    rows = DeltaTable(str(folder / table)).to_pyarrow_table(columns=columns)
    return sorted(zip(*(rows[name].to_pylist() for name in columns), strict=True))


def test_what_is_there_is_withheld(tmp_path: Path) -> None:
    """In the same file, in another one, among the events or the rejects; its place is counted."""
    lake = Lake(tmp_path)
    first = lake.write_new(
        outcome(
            [event("a", 1, hit_id="x"), event("a", 2, hit_id="x"), event("a", 4, hit_id="z")],
            [reject("a", 3, hit_id="y"), reject("a", 5, hit_id="z")],
        )
    )
    assert (first.events.num_rows, first.rejects.num_rows) == (2, 1)
    assert first.withheld.to_pylist() == [{"partition": "a", "position": 2}, {"partition": "a", "position": 5}]
    lake.write_new(outcome([event("b", n, hit_id=name) for n, name in enumerate("yxzw", 1)], withheld=[("b", 5)]))
    assert places(tmp_path) == [("w", "b", 4), ("x", "a", 1), ("z", "a", 4)]
    assert places(tmp_path, "rejects") == [("y", "a", 3)]
    sums = LakeReader(tmp_path).sums()
    assert sums.holds
    assert (sums.outcomes, sums.in_lake, sums.rejected, sums.withheld) == (10, 3, 1, 6)


def test_to_repeat_a_call_adds_nothing(tmp_path: Path) -> None:
    """Nor does it withhold what it wrote itself."""
    lake = Lake(tmp_path)
    told = outcome([event("a", 1, hit_id="x")], [reject("a", 2, hit_id="y")])
    lake.write_new(told)
    assert not lake.write_new(told).positions
    assert (LakeReader(tmp_path).sums().outcomes, places(tmp_path)) == (2, [("x", "a", 1)])


def test_rejects_that_a_crash_left_are_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were committed without the events beside them: whoever begins again writes both."""
    lake = Lake(tmp_path)
    told = outcome([event("a", 1, hit_id="x")], [reject("a", 2, hit_id="y")])
    commit = DeltaWriter.commit

    def crash(table: DeltaWriter, *arguments: Any) -> None:
        if table.log.folder.name == "events":
            raise LakeUnavailable("the power went", "begin again")
        commit(table, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "commit", crash)
        with pytest.raises(LakeUnavailable):
            lake.write_new(told)
    assert places(tmp_path, "rejects") == [("y", "a", 2)]
    Lake(tmp_path).write_new(told)
    assert (places(tmp_path), places(tmp_path, "rejects")) == ([("x", "a", 1)], [("y", "a", 2)])
    assert LakeReader(tmp_path).sums().holds
