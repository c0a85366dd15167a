"""The lake: exactly once, and both tables always agree."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from deltalake import DeltaTable
from structlog.testing import capture_logs

from pixelake.errors import LakeUnavailable
from pixelake.testing import FakeClock
from pixelake.warehouse import durable
from pixelake.warehouse.base import Outcome, Progress
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.floor import FLOOR
from pixelake.warehouse.lake import LOCK, Lake
from pixelake.warehouse.sums import LOOK_AGAIN, LakeReader
from tests.warehouse.outcomes import event, outcome, reject


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lake is."""
    return tmp_path / "data" / "lake"


def _places(folder: Path, table: str) -> list[tuple[str, int]]:
    read = DeltaTable(str(folder / table)).to_pyarrow_table(columns=["partition", "position"])
    return sorted(zip(read["partition"].to_pylist(), read["position"].to_pylist(), strict=True))


def _crash_before_events(lake: Lake, written: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the rejects, and fail before the events."""
    with monkeypatch.context() as patch:
        real = DeltaWriter.commit

        def commit(self: DeltaWriter, *arguments: object) -> None:
            if self.log.folder.name == "events":
                raise LakeUnavailable("crash", "none")
            real(self, *arguments)

        patch.setattr(DeltaWriter, "commit", commit)
        with pytest.raises(LakeUnavailable, match="crash"):
            lake.write(written)


def test_no_lake_is_an_empty_one(folder: Path) -> None:
    """Before the first write everything is zero, and looking makes nothing."""
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert (sums.in_lake, sums.rejected, sums.outcomes, dict(sums.progress)) == (0, 0, 0, {})
    assert not folder.exists()


def test_sums_and_progress(folder: Path) -> None:
    """Every outcome is counted where it is: in the lake, rejected, withheld."""
    lake = Lake(folder)
    lake.write(outcome([event("a", 1), event("a", 2), event("a", 2, hit_id="a-2.1")], [reject("a", 3)], [("b", 1)]))
    lake.write(outcome([event("b", 2)], (), [("b", 3), ("b", 3)]))
    sums = LakeReader(folder).sums()
    assert sums.progress == {"a": Progress(3, 4, 0, 0), "b": Progress(3, 4, 3, 0)}
    assert (sums.in_lake, sums.rejected, sums.outcomes, sums.withheld, sums.removed) == (4, 1, 8, 3, 0)
    assert sums.holds


def test_withheld_alone_move_the_position(folder: Path) -> None:
    """An outcome without rows is a commit, too: its hits are settled."""
    lake = Lake(folder)
    lake.write(outcome(withheld=[("a", 1), ("a", 2)]))
    assert lake.positions() == {"a": 2}
    assert Lake(folder).positions() == {"a": 2}


def test_nothing_new_is_no_commit(folder: Path) -> None:
    """Repeating a call has no effect at all."""
    lake, once = Lake(folder), outcome([event("a", 1)], [reject("a", 2)])
    lake.write(once)
    entries = sorted(folder.rglob("*.json"))
    lake.write(once)
    Lake(folder).write(once)
    assert sorted(folder.rglob("*.json")) == entries


def test_any_bounds_of_batches_give_the_same_lake(folder: Path) -> None:
    """However a stream is cut into batches, and however often it is replayed, each row is there once."""
    chance = random.Random(7)
    rows = [reject("a", at) if at % 5 == 0 else event("a", at) for at in range(1, 61)]
    lake, reached = Lake(folder), 0
    while reached < len(rows):
        start = chance.randint(0, reached)
        end = min(len(rows), start + chance.randint(1, 20))
        part = rows[start:end]
        lake.write(outcome([row for row in part if "site" in row], [row for row in part if "stage" in row]))
        reached = max(reached, end)
        lake = Lake(folder) if chance.random() < 0.3 else lake
    assert _places(folder, "events") == [("a", at) for at in range(1, 61) if at % 5]
    assert _places(folder, "rejects") == [("a", at) for at in range(5, 61, 5)]
    assert LakeReader(folder).sums().holds


def test_rejects_of_a_crashed_write_do_not_count_and_are_taken_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rejects without their events' commit are not counted; judged anew as events, the hits are there once."""
    Lake(folder).write(outcome([event("a", 1)], [reject("a", 2)]))
    _crash_before_events(Lake(folder), outcome([event("a", 3)], [reject("a", 4), reject("b", 1)]), monkeypatch)
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert (sums.rejected, sums.outcomes) == (1, 2)
    lake = Lake(folder)
    lake.write(outcome([event("a", 3), event("a", 4)]))
    lake.write(outcome([], [reject("b", 1)]))
    assert _places(folder, "events") == [("a", 1), ("a", 3), ("a", 4)]
    assert _places(folder, "rejects") == [("a", 2), ("b", 1)]
    assert LakeReader(folder).sums().holds


def test_failed_write_is_repeated_by_the_same_lake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error the call is repeated, also with other bounds: nothing is lost or there twice."""
    lake = Lake(folder)
    _crash_before_events(lake, outcome([event("a", 1)], [reject("a", 2), reject("a", 3)]), monkeypatch)
    lake.write(outcome([event("a", 1)], [reject("a", 2)]))
    lake.write(outcome([event("a", 4)], [reject("a", 3)]))
    assert _places(folder, "rejects") == [("a", 2), ("a", 3)]
    assert LakeReader(folder).sums().holds


def test_taking_out_leaves_the_rows_of_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of rejects of several partitions loses only what is stale, with all columns kept."""
    Lake(folder).write(outcome([], [reject("a", 1, detail="kept"), reject("b", 1)]))
    _crash_before_events(Lake(folder), outcome([], [reject("a", 2), reject("b", 2)]), monkeypatch)
    Lake(folder).write(outcome([event("a", 2)]))
    assert _places(folder, "rejects") == [("a", 1), ("b", 1), ("b", 2)]
    assert LakeReader(folder).sums().holds
    Lake(folder).write(outcome([event("b", 2)]))
    rows = DeltaTable(str(folder / "rejects")).to_pyarrow_table().sort_by("partition")
    assert rows["detail"].to_pylist() == ["kept", None]
    assert rows["hour"].to_pylist() == ["21", "21"]


def test_unknown_commit_is_found_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that failed after its commit was there is not written again."""
    lake = Lake(folder)
    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "_sync_log", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(LakeUnavailable):
            lake._events.commit(_change(lake, 1), {"a": 1, "a/outcomes": 1})
    lake.write(outcome([event("a", 1), event("a", 2)]))
    assert _places(folder, "events") == [("a", 1), ("a", 2)]
    assert LakeReader(folder).sums().holds


def _change(lake: Lake, position: int) -> object:
    from pixelake.warehouse.delta import Change

    return Change(lake._events.add_files(outcome([event("a", position)]).events))


def test_conflict_with_a_foreign_writer_drops_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If somebody moved our partition between the look and the commit, only what is above is written."""
    lake, rival = Lake(folder), Lake(folder)
    real = DeltaWriter.add_files

    def add_files(self: DeltaWriter, rows: object, **_: object) -> object:
        monkeypatch.setattr(DeltaWriter, "add_files", real)
        rival._write(outcome([event("a", 1)], [reject("a", 2)]))  # as one that does not know our lock
        return real(self, rows)

    monkeypatch.setattr(DeltaWriter, "add_files", add_files)
    lake.write(outcome([event("a", 1), event("a", 3)], [reject("a", 2)]))
    assert _places(folder, "events") == [("a", 1), ("a", 3)]
    assert _places(folder, "rejects") == [("a", 2)]
    assert LakeReader(folder).sums().holds


def test_stuck_writer_is_told(folder: Path) -> None:
    """A lake that another process holds for too long is unavailable, not damaged."""
    clock = FakeClock()
    lake = Lake(folder, clock)
    with durable.locked(folder / LOCK, 0), pytest.raises(LakeUnavailable, match="another writer"):
        lake.write(outcome([event("a", 1)]))


def test_gap_is_told(folder: Path) -> None:
    """Hits that the stream no longer had are not passed over in silence, and their number is remembered."""
    with capture_logs() as logs:
        Lake(folder).write(outcome([event("a", 4), event("b", 1)]))
    assert [(each["partition"], each["first"], each["last"]) for each in logs] == [("a", 1, 3)]
    Lake(folder).write(outcome([event("a", 5), event("b", 4)]))
    sums = LakeReader(folder).sums()
    assert (sums.missed, sums.holds, sums.progress["a"].position) == (5, True, 5)


def test_reader_looks_again_for_files(folder: Path) -> None:
    """A reader that runs on notices a loss within its time, and that it was made good at once."""
    clock = FakeClock()
    lake, reader = Lake(folder), LakeReader(folder, clock)
    lake.write(outcome([event("a", 1)], [reject("a", 2)]))
    assert reader.sums().damaged == []
    lost = next((folder / "rejects").rglob("*.parquet"))
    data = lost.read_bytes()
    lost.unlink()
    clock.advance(LOOK_AGAIN)
    sums = reader.sums()
    assert (sums.damaged, sums.rejected, sums.holds) == ([lost], 0, False)
    lost.write_bytes(data)
    assert reader.sums().holds


def test_sums_hold_beside_a_running_writer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever one looks, also between the two commits of a write, every outcome is somewhere."""
    lake, reader, seen = Lake(folder), LakeReader(folder), []
    real = DeltaWriter.commit

    def commit(self: DeltaWriter, *arguments: object) -> None:
        seen.append(reader.sums())
        real(self, *arguments)
        seen.append(reader.sums())

    monkeypatch.setattr(DeltaWriter, "commit", commit)
    for at in range(1, 20, 2):
        lake.write(outcome([event("a", at)], [reject("a", at + 1), reject("b", at)], [("c", at)]))
    assert len(seen) == 40
    assert all(each.holds for each in seen)
    assert [each.outcomes for each in seen] == sorted(each.outcomes for each in seen)


def test_sums_hold_when_the_writer_goes_on_in_between(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that commits between the looks at the two tables does not disturb the sums."""
    lake, reader = Lake(folder), LakeReader(folder)
    lake.write(outcome([event("a", 1)], [reject("a", 2)]))
    rejects, real = reader._rejects, reader._rejects.refresh

    def refresh() -> None:
        lake.write(outcome([event("a", 3)], [reject("a", 4), reject("b", 1)]))
        real()

    monkeypatch.setattr(rejects, "refresh", refresh)
    sums = reader.sums()
    assert sums.holds
    assert (sums.in_lake, sums.rejected) == (1, 1)


_WRITER = """
import sys
from pathlib import Path
from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome, reject
lake = Lake(Path(sys.argv[1]))
for at in range(1, 31, 3):
    lake.write(outcome([event(sys.argv[2], at), event(sys.argv[2], at + 1)], [reject(sys.argv[2], at + 2)]))
"""


def test_several_processes_write_at_once(folder: Path) -> None:
    """Writers of different partitions lose nothing and count right."""
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(folder), name], cwd=root, env=os.environ) for name in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert _places(folder, "events") == [(name, at) for name in "ab" for at in range(1, 31) if at % 3]
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert (sums.in_lake, sums.rejected) == (40, 20)


def test_two_consumers_of_one_partition_write_each_row_once(folder: Path) -> None:
    """Even when two think that a partition is theirs, each row is there once."""
    parts = [outcome([event("a", at)], [reject("a", at + 1)]) for at in range(1, 21, 2)]

    def consume() -> None:
        lake = Lake(folder)
        for part in parts:
            lake.write(part)

    threads = [threading.Thread(target=consume) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert _places(folder, "events") == [("a", at) for at in range(1, 21, 2)]
    assert _places(folder, "rejects") == [("a", at) for at in range(2, 21, 2)]
    assert LakeReader(folder).sums().holds


def test_write_is_durable_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects' file, rejects' entry, events' file, events' entry: each synced before the next is begun."""
    lake, synced = Lake(folder), []
    real, kinds = os.fsync, {".parquet": "data", ".json": "entry"}

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_file():
            name = path.name.removesuffix(".tmp")
            synced.append((path.relative_to(folder).parts[0], "floor" if name == FLOOR else kinds[Path(name).suffix]))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    lake.write(outcome([event("a", 1)], [reject("a", 2)]))
    commits = [("rejects", "data"), ("rejects", "entry"), ("events", "data"), ("events", "entry")]
    assert synced == [*commits, ("events", "floor"), ("rejects", "floor")]
