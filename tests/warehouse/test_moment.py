"""Tests of `pixelake.warehouse.moment`: a lake at one moment, of which a copy is whole."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import again, moment, swap_note
from pixelake.warehouse.base import EVENTS, REJECTS, Rejudged
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.sums import LakeReader
from tests.s3 import MISSING, Server
from tests.warehouse.outcomes import event, outcome, reject


def copied(lake: Place, target: Path) -> LakeReader:
    """A copy of the lake as it is now, made of what a moment names."""
    found = moment.moment(lake)
    assert found
    for name, size in found.files:
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((lake / name).read_bytes())
        assert size in (None, path.stat().st_size)
    for name, data in found.notes.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(data)
    return LakeReader(target)


def test_before_there_is_one(tmp_path: Path) -> None:
    """There is none, and none is made."""
    assert moment.moment(tmp_path / "lake") is None
    assert not (tmp_path / "lake").exists()


def test_a_copy_is_whole(tmp_path: Path) -> None:
    """Sums and positions are those of the moment, also behind a checkpoint and a compaction; old files are left out."""
    lake = Lake(tmp_path / "lake")
    for place in range(1, 131):
        lake.write(outcome([event("a", place)], [reject("b", place)]))
    for todo in lake.plan():
        lake.compact(todo)
    copy = copied(tmp_path / "lake", tmp_path / "copy")
    lake.write(outcome([event("a", 131)]))
    sums = copy.sums()
    assert (sums.in_lake, sums.rejected, sums.outcomes, sums.damaged) == (130, 130, 260, [])
    assert sums.holds
    data = [path for path in (tmp_path / "copy").rglob("*.parquet") if "_delta_log" not in path.parts]
    assert len(data) == 2
    entries = list((tmp_path / "copy" / "events" / "_delta_log").glob("*.json"))
    assert len(entries) < 50
    again_open = Lake(tmp_path / "copy")
    again_open.write(outcome([event("a", 131)]))
    assert LakeReader(tmp_path / "copy").sums().in_lake == 131


def test_what_a_crash_left_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay between its commits: the copy counts right, and who opens it finishes."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([], [reject("a", 1), reject("a", 2)]))
    monkeypatch.setattr(again, "_take_out", _crash)
    with pytest.raises(KeyboardInterrupt):
        lake.merge(Rejudged(pa.Table.from_pylist([event("a", 1)], EVENTS), REJECTS.empty_table(), {"a-1": "a-1"}))
    monkeypatch.undo()
    copy = copied(tmp_path / "lake", tmp_path / "copy")
    assert copy.sums().holds
    assert (copy.sums().in_lake, copy.sums().rejected) == (1, 1)
    assert list(Lake(tmp_path / "copy").purge(lambda rows: pa.array([True] * rows.num_rows))) == [1]
    assert LakeReader(tmp_path / "copy").sums().rejected == 0


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_swap_that_is_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its note comes along, and the files that no log names yet."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 1)], [reject("a", 2)]))
    adds = lake._rejects.add_files(pa.Table.from_pylist([reject("a", 1)], REJECTS))
    keys = swap_note.Keys()
    keys.add("a", [2])
    swap_note.write(tmp_path / "lake" / "events", 1, swap_note.make(Counter({"a": 1}), adds), keys)
    monkeypatch.setattr(swap_note, "is_pending", lambda *_: True)
    monkeypatch.setattr(swap_note, "swap_of", lambda *_: 1)
    found = moment.moment(tmp_path / "lake")
    assert found
    assert f"events/_swap/{1:020}.parquet" in found.notes
    assert {f"rejects/{add.path}" for add in adds} <= {name for name, _ in found.files}


def test_somebody_always_comes_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again, and given up in the end."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 1)]))
    looks: list[int] = []

    def ahead(*_: DeltaLog) -> bool:
        looks.append(1)
        return len(looks) < 3

    monkeypatch.setattr(swap_note, "is_ahead", ahead)
    assert moment.moment(tmp_path / "lake")
    assert len(looks) == 3
    monkeypatch.setattr(swap_note, "is_ahead", lambda *_: True)
    with pytest.raises(LakeUnavailable, match="alone"):
        moment.moment(tmp_path / "lake")


def test_in_a_bucket(s3: Server, tmp_path: Path) -> None:
    """A lake in an object store is copied as well, and goes on on a disk."""
    pytest.importorskip("obstore", reason=MISSING)
    from pixelake.warehouse import objects

    place = objects.lake(s3.bucket(), "lake")
    lake = Lake(place)
    for at in range(1, 4):
        lake.write(outcome([event("a", at)], [reject("b", at)]))
    copy = copied(place, tmp_path / "copy")
    assert (copy.sums().in_lake, copy.sums().rejected, copy.sums().holds) == (3, 3, True)
    Lake(tmp_path / "copy").write(outcome([event("a", 4)]))
    assert LakeReader(tmp_path / "copy").sums().in_lake == 4
