"""Rejects that leave their table: each counted once, at any moment, whoever else writes."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import again
from pixelake.warehouse.base import EVENTS, REJECTS, Rejudged
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.warehouse.outcomes import START, event, outcome, reject


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lake is."""
    return tmp_path / "lake"


def rejudged(*events: Mapping[str, Any], rejects: Sequence[Mapping[str, Any]] = (), **origins: str) -> Rejudged:
    """Rows, each of the reject of its own name if no other is given."""
    names = {row["hit_id"]: row["hit_id"] for row in (*events, *rejects)}
    tables = pa.Table.from_pylist(list(events), EVENTS), pa.Table.from_pylist(list(rejects), REJECTS)
    return Rejudged(*tables, names | {name.replace("_", "-"): each for name, each in origins.items()})


def ids(folder: Path, table: str) -> list[str]:
    """The names of a table's rows."""
    with Lakehouse(folder) as house:
        return house.ask(f"select hit_id from {table} order by 1")["hit_id"].to_pylist()


def every(rows: pa.Table) -> Any:
    """All of them."""
    return pc.is_valid(rows["hit_id"])


def test_merge_is_by_name(folder: Path) -> None:
    """Rejects become events once; what is no reject, or is none any more, adds nothing."""
    lake, reader = Lake(folder), LakeReader(folder)
    lake.write(outcome([event("a", 1)], [reject("a", 2), reject("a", 3), reject("b", 1)]))
    twice = rejudged(event("a", 1), event("a", 2), event("b", 1), event("c", 1))
    assert set(lake.merge(twice)) == {"a-2", "b-1"}
    assert set(Lake(folder).merge(twice)) == set()
    assert ids(folder, "events") == ["a-1", "a-2", "b-1"]
    assert ids(folder, "rejects") == ["a-3"]
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected, sums.outcomes) == (True, 3, 1, 4)
    assert sums.progress["a"].position == 3


def test_the_columns_of_the_others_stay(folder: Path) -> None:
    """What is written anew loses nothing."""
    lake = Lake(folder)
    lake.write(outcome([], [reject("a", 1), reject("a", 2, detail="[]", raw="{}", visitor_id="v")]))
    with Lakehouse(folder) as house:
        query = "select * from rejects where hit_id = 'a-2'"
        before = house.ask(query).to_pylist()
        lake.merge(rejudged(event("a", 1)))
        assert house.ask(query).to_pylist() == before


HEIRS = {
    "in one file": [["a-1", "a-1.1", "a-1.2"]],
    "in several files": [["a-1"], ["a-1.1"], ["a-1.2"]],
    "some in another": [["a-1", "a-1.2"], ["a-1.1"]],
}


@pytest.mark.parametrize("purged", [False, True], ids=["replayed", "purged"])
@pytest.mark.parametrize("files", HEIRS.values(), ids=HEIRS.keys())
def test_the_raw_hit_is_handed_on(folder: Path, files: list[list[str]], purged: bool) -> None:
    """When the reject that has it leaves, the first of the others has it, and the rest name that one."""
    raws = {"a-1": '{"method":"POST"}', "a-1.1": '{"see":"a-1"}', "a-1.2": '{"see":"a-1"}'}
    lake = Lake(folder)
    lake.write(outcome([event("a", 1, hit_id="a-1.3")]))
    for names in files:
        rows = pa.Table.from_pylist([reject("a", 1, raw=raws[name]) | {"hit_id": name} for name in names], REJECTS)
        lake._rejects.commit(again.Change(lake._rejects.add_files(rows)), {"a": 1})
    if purged:
        assert list(lake.purge(lambda rows: pc.equal(rows["hit_id"], pa.scalar("a-1")))) == [1]
    else:
        assert set(lake.merge(rejudged(event("a", 1)))) == {"a-1"}
    with Lakehouse(folder) as house:
        left = {row["hit_id"]: row["raw"] for row in house.ask("select hit_id, raw from rejects").to_pylist()}
    first, second = sorted(left, key=lambda name: left[name].startswith('{"see"'))
    assert left == {first: raws["a-1"], second: f'{{"see":"{first}"}}'}


def test_purge_step_by_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two steps the consumer writes; the sums hold after each, and its new rejects are wanted, too."""
    monkeypatch.setattr(again, "STEP_BYTES", 1)
    lake, reader = Lake(folder), LakeReader(folder)
    for at in (1, 2, 3):
        lake.write(outcome([event("a", 2 * at)], [reject("a", 2 * at - 1)]))
    steps: Iterator[int] = lake.purge(every)
    assert next(steps) == 1
    Lake(folder).write(outcome([], [reject("a", 7)]))
    for _ in steps:
        assert reader.sums().holds
    sums = reader.sums()
    assert (sums.in_lake, sums.rejected, sums.removed, sums.outcomes) == (3, 0, 4, 7)
    assert list(lake.purge(every)) == []
    lake.write(outcome([], [reject("a", 8)]))
    assert reader.sums().holds


def test_a_purge_leaves_rejects_that_do_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those above the events' position, which a crash left, are no outcomes yet: they are written again instead."""
    lake, reader = Lake(folder), LakeReader(folder)
    lake.write(outcome([event("a", 1)]))
    real = DeltaWriter.commit
    with monkeypatch.context() as patch:

        def commit(self: DeltaWriter, *arguments: Any) -> None:
            if self.log.folder.name == "events":
                raise LakeUnavailable("crash", "none")
            real(self, *arguments)

        patch.setattr(DeltaWriter, "commit", commit)
        with pytest.raises(LakeUnavailable):
            lake.write(outcome([event("a", 2)], [reject("a", 3)]))
    lake = Lake(folder)
    assert list(lake.purge(every)) == []
    lake.write(outcome([event("a", 2)], [reject("a", 3)]))
    assert list(lake.purge(every)) == [1]
    assert (reader.sums().holds, reader.sums().removed) == (True, 1)


def test_a_purge_behind_a_crashed_replay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is an event already is not removed as a reject: it was replayed."""
    lake, reader = Lake(folder), LakeReader(folder)
    lake.write(outcome([], [reject("a", 1), reject("a", 2)]))
    with monkeypatch.context() as patch:
        patch.setattr(again, "_take_out", lambda *_: (_ for _ in ()).throw(LakeUnavailable("crash", "none")))
        with pytest.raises(LakeUnavailable):
            lake.merge(rejudged(event("a", 1)))
    assert (ids(folder, "events"), ids(folder, "rejects")) == (["a-1"], ["a-1", "a-2"])
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected) == (True, 1, 1)
    assert list(Lake(folder).purge(every)) == [1]
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected, sums.removed) == (True, 1, 0, 1)


def test_a_reader_between_two_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that comes when the events were looked at and the rejects were not is no loss."""
    lake, reader = Lake(folder), LakeReader(folder)
    lake.write(outcome([], [reject("a", 1), reject("a", 2)]))
    real = LakeReader._progress

    def look(self: LakeReader) -> Any:
        found = real(self)
        monkeypatch.setattr(LakeReader, "_progress", real)
        lake.merge(rejudged(event("a", 1)))
        return found

    monkeypatch.setattr(LakeReader, "_progress", look)
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected) == (True, 1, 1)


def test_beside_a_consumer(folder: Path) -> None:
    """While one writes, two replay the same and one purges: all is there once, and the sums hold all the time."""
    Lake(folder).write(outcome([], [reject("a", at, reason="bad_time") for at in range(1, 41)]))
    reader, broken = LakeReader(folder), []

    def consume() -> None:
        lake = Lake(folder)
        for at in range(1, 31):
            lake.write(outcome([event("b", 2 * at)], [reject("b", 2 * at - 1)]))

    def replay() -> None:
        lake = Lake(folder)
        for start in range(1, 41, 5):
            lake.merge(rejudged(*(event("a", at) for at in range(start, start + 5))))

    def purge() -> None:
        lake = Lake(folder)
        for _ in range(10):
            list(lake.purge(lambda rows: pc.equal(rows["reason"], pa.scalar("too_long"))))

    def look() -> None:
        while any(thread.is_alive() for thread in threads):
            broken.extend([sums] if not (sums := reader.sums()).holds else [])

    threads = [threading.Thread(target=each) for each in (consume, replay, replay, purge)]
    _run([*threads, threading.Thread(target=look)])
    assert broken == []
    list(Lake(folder).purge(every))
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected, sums.removed, sums.outcomes) == (True, 70, 0, 30, 100)
    assert len(set(ids(folder, "events"))) == 70


def _run(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_hour_is_that_of_the_reject(folder: Path) -> None:
    """Rejects of several hours in one call."""
    lake = Lake(folder)
    late = START.replace(hour=23)
    lake.write(outcome([], [reject("a", 1), reject("a", 2, received_at=late), reject("a", 3, received_at=late)]))
    lake.merge(rejudged(event("a", 1), event("a", 3, received_at=late)))
    assert (ids(folder, "events"), ids(folder, "rejects")) == (["a-1", "a-3"], ["a-2"])
    assert LakeReader(folder).sums().holds


def _day_of_rejects(folder: Path) -> Lake:
    """Rejects of three hours of a day that is over, in one file, and events of it in another."""
    lake = Lake(folder)
    for hour in range(3):
        at = START + timedelta(hours=hour)
        lake.write(outcome([event("a", 2 * hour + 1, received_at=at)], [reject("a", 2 * hour + 2, received_at=at)]))
    for todo in lake.plan():
        lake.compact(todo)
    for table in (lake._events, lake._rejects):
        (name,) = table.log.files
        assert "/day=10/packed-" in name
    return lake


def test_a_replay_out_of_a_day(folder: Path) -> None:
    """Rejects of a file that holds a whole day become events, once, and the others stay with their hours."""
    lake = _day_of_rejects(folder)
    at = START + timedelta(hours=1)
    again_ = rejudged(event("a", 4, received_at=at), event("a", 3, received_at=at))
    assert set(lake.merge(again_)) == {"a-4"}
    assert set(Lake(folder).merge(again_)) == set()
    assert ids(folder, "events") == ["a-1", "a-3", "a-4", "a-5"]
    with Lakehouse(folder) as house:
        rest = house.ask("select hit_id, day, hour from rejects order by 1").to_pylist()
    assert rest == [{"hit_id": "a-2", "day": "10", "hour": "21"}, {"hit_id": "a-6", "day": "10", "hour": "23"}]
    assert LakeReader(folder).sums().holds


def test_a_purge_out_of_a_day(folder: Path) -> None:
    """Some rejects of a file that holds a whole day go; the sums hold."""
    lake = _day_of_rejects(folder)
    assert list(lake.purge(lambda rows: pc.equal(rows["hit_id"], pa.scalar("a-4")))) == [1]
    assert ids(folder, "rejects") == ["a-2", "a-6"]
    sums = LakeReader(folder).sums()
    assert (sums.holds, sums.removed) == (True, 1)


def test_a_crash_of_a_replay_out_of_a_day(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is an event and a reject after a crash is found, though the files hold whole days."""
    lake = _day_of_rejects(folder)
    real = again._take_out
    with monkeypatch.context() as patch:
        patch.setattr(again, "_take_out", _crash)
        with pytest.raises(LakeUnavailable):
            lake.merge(rejudged(event("a", 4, received_at=START + timedelta(hours=1))))
    assert again._take_out is real
    assert LakeReader(folder).sums().holds
    lake = Lake(folder)
    for todo in lake.plan():  # the event of the replay joins the file of its day
        lake.compact(todo)
    assert set(Lake(folder).merge(rejudged(event("b", 9)))) == {"a-4"}
    assert (ids(folder, "events"), ids(folder, "rejects")) == (["a-1", "a-3", "a-4", "a-5"], ["a-2", "a-6"])
    assert LakeReader(folder).sums().holds


def _crash(*_: object) -> None:
    raise LakeUnavailable("crash", "none")
