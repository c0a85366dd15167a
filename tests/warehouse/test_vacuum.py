"""Vacuum: what nobody needs goes, what somebody needs stays; on a disk and in a bucket."""

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.operate.compaction import compact
from pixelake.testing import FakeClock
from pixelake.warehouse import durable, floor, vacuum
from pixelake.warehouse.delta_log import LOG, DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place, names
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.recover import BROKEN
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.vacuum import EMPTY, STRAY, hold, maintaining
from tests.s3 import Server, reached
from tests.warehouse.outcomes import event, outcome, reject

KEEP = 600.0
"""Seconds of history."""


@pytest.fixture
def clock() -> FakeClock:
    """When the lake's commits are made."""
    return FakeClock()


def write(lake: Lake, clock: FakeClock, first: int, last: int) -> None:
    """Commit a row each, five seconds apart, all of one hour."""
    for position in range(first, last + 1):
        lake.write(outcome([event("p", position)]))
        clock.advance(5)


def log_of(lake: Place, table: str = "events") -> DeltaLog:
    """What a table is made of now."""
    log = DeltaLog(lake / table)
    log.refresh()
    return log


def data_files(lake: Place) -> set[str]:
    """The data files of the events that are there, needed or not."""
    table = lake / "events"
    if isinstance(table, Path):
        return {str(path.relative_to(table)) for path in table.rglob("*.parquet") if path.parent.name != LOG}
    return {name for name in table.sizes() if name.endswith(".parquet") and not name.startswith(LOG)}


def versions(lake: Place, table: str = "events") -> list[int]:
    """The log entries that are there."""
    return sorted(int(name[:20]) for name in names(lake / table / LOG) if name.endswith(".json"))


def checkpoints(lake: Place, table: str = "events") -> list[int]:
    """The checkpoints that are there."""
    return sorted(int(name[:20]) for name in names(lake / table / LOG) if name.endswith(".checkpoint.parquet"))


def positions(lake: Place) -> list[int]:
    """Of every row, as a new reader sees them."""
    with Lakehouse(lake) as house:
        found: list[int] = house.ask("select position from events order by 1")["position"].to_pylist()
        return found


def packed(lake: Lake) -> None:
    """Compact all there is."""
    compact(lake, lambda _done, _all: None)


def test_replaced_files_go_when_history_is_over(anywhere: Place, clock: FakeClock) -> None:
    """Not sooner, and none that is needed; rows and sums are as before."""
    lake = Lake(anywhere, clock)
    write(lake, clock, 1, 9)
    packed(lake)
    many = data_files(anywhere)
    assert lake.vacuum(KEEP) is not None
    assert data_files(anywhere) == many
    clock.advance(KEEP + 1)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert data_files(anywhere) == {file.name for file in log_of(anywhere).files.values()}
    assert swept[0].files == len(many) - len(data_files(anywhere)) == 9
    assert swept[0].bytes > 0
    assert positions(anywhere) == [*range(1, 10)]
    sums = LakeReader(anywhere).sums()
    assert sums.holds
    assert sums.in_lake == 9
    again = lake.vacuum(KEEP)
    assert again is not None
    assert [(each.files, each.strays, each.entries) for each in again] == [(0, 0, 0), (0, 0, 0)]


def test_the_log_is_bounded(anywhere: Place, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left begins with a checkpoint that is older than history, and with the last two at the least."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake = Lake(anywhere, clock)
    write(lake, clock, 1, 45)
    before = log_of(anywhere)
    assert lake.vacuum(KEEP) is not None
    assert versions(anywhere)[0] == 0, "all of it is younger than history"
    clock.advance(KEEP)
    assert lake.vacuum(KEEP) is not None
    kept = checkpoints(anywhere)
    assert len(kept) == 2
    assert versions(anywhere) == [*range(kept[0], before.version + 2)]  # one tells Delta how long history is
    assert log_of(anywhere).files == before.files
    assert log_of(anywhere).transactions == before.transactions
    Lake(anywhere, clock).write(outcome([event("p", 46)]))
    assert positions(anywhere) == [*range(1, 47)]


def test_history_keeps_the_versions_in_between(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every version of the last seconds can be opened by others; the checkpoint before them is kept for it."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake = Lake(folder, clock)
    lake.vacuum(KEEP)
    write(lake, clock, 1, 60)
    end = log_of(folder).version
    assert lake.vacuum(20 * 5.0) is not None
    assert versions(folder)[0] == checkpoints(folder)[0]
    assert end - 31 < versions(folder)[0] <= end - 20
    for version in range(end - 20, end + 1):
        assert DeltaTable(str(folder / "events"), version=version).to_pyarrow_table().num_rows <= 60
    assert len(checkpoints(folder)) > 2


def test_who_was_asleep_goes_on(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer, a reader and a question that saw a version whose entries and files are gone see the newest."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake, asleep = Lake(folder, clock), Lake(folder, clock)
    write(lake, clock, 1, 5)
    reader = LakeReader(folder)
    with Lakehouse(folder) as house:
        assert house.ask("select count(*) as n from events")["n"].to_pylist() == [5]
        assert reader.progress()["p"].position == 5
        write(lake, clock, 6, 40)
        packed(lake)
        write(lake, clock, 41, 60)
        clock.advance(KEEP + 1)
        lake.vacuum(KEEP)
        assert versions(folder)[0] > 10
        assert house.ask("select count(*) as n from events")["n"].to_pylist() == [60]
    assert reader.progress()["p"].position == 60
    asleep.write(outcome([event("p", 61)]))
    assert positions(folder) == [*range(1, 62)]


def test_two_checkpoints_can_be_read(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged one does not count: the log begins with the second good one, and is whole without the damaged one."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake = Lake(folder, clock)
    write(lake, clock, 1, 55)
    known = checkpoints(folder)
    (folder / "events" / LOG / f"{known[-1]:020}.checkpoint.parquet").write_bytes(b"")
    clock.advance(KEEP + 1)
    lake.vacuum(KEEP)
    assert checkpoints(folder) == known[-3:]
    assert versions(folder)[0] == known[-3]
    assert positions(folder) == [*range(1, 56)]


def test_a_log_without_checkpoints_stays(folder: Path, clock: FakeClock) -> None:
    """A table that hardly changes has none, and loses no entry."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 3)
    clock.advance(1e6)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert [each.entries for each in swept] == [0, 0]
    assert versions(folder)[0] == 0


def test_a_clock_that_was_ahead_does_not_keep_the_log(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit is never taken for younger than one that came after it."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake = Lake(folder, clock)
    year = 366 * 86_400
    clock.advance(year)
    write(lake, clock, 1, 3)
    packed(lake)
    clock.microseconds -= year * SECOND
    write(lake, clock, 4, 40)
    clock.advance(KEEP + 1)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert swept[0].files == 3
    assert swept[0].entries > 0


def test_what_no_commit_names_goes_after_a_day(folder: Path, clock: FakeClock) -> None:
    """Data files, and what was half written; nothing that is young, evidence, or of somebody else's."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 2)
    table = folder / "events"
    hour = (table / next(iter(log_of(folder).files.values())).name).parent
    old = [hour / "part-x.zstd.parquet", hour / "packed-y.parquet.tmp", table / LOG / f"{1:020}.json.tmp"]
    young = [hour / "part-young.zstd.parquet"]
    others = [hour / "_SUCCESS", hour / "notes.txt", table / "README.parquet", table / BROKEN / "1" / "part-z.parquet"]
    (table / BROKEN / "1").mkdir(parents=True)
    for path in (*old, *young, *others):
        path.write_bytes(b"PAR1")
    for path in (*old, *others):
        os.utime(path, (time.time() - STRAY - 60,) * 2)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert swept[0].strays == 3
    assert swept[0].evidence == 1
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (*young, *others))
    assert positions(folder) == [1, 2]


def test_strays_in_a_bucket_are_judged_by_its_clock(
    seaweedfs: Server, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """Ours may be years ahead: a file that is being committed just now stays."""
    reached(monkeypatch, seaweedfs.environment)
    from pixelake.warehouse import objects

    place = objects.lake(seaweedfs.bucket(), "lake")
    lake = Lake(place, clock)
    write(lake, clock, 1, 1)
    stray = place / "events" / "year=2026" / "month=02" / "day=10" / "hour=21" / "part-x.zstd.parquet"
    stray.write(lambda file: file.write(b"PAR1") and None)
    clock.advance(1e8)
    assert lake.vacuum(KEEP) is not None
    assert stray.read_bytes() == b"PAR1"
    monkeypatch.setattr(vacuum, "STRAY", 0.0)
    assert lake.vacuum(KEEP) is not None
    with pytest.raises(FileNotFoundError):
        stray.read_bytes()
    assert positions(place) == [1]


def test_empty_folders_go_and_come_again(folder: Path, clock: FakeClock) -> None:
    """Only old ones; and a writer that once made one makes it anew."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 1)
    hour = (folder / "events" / next(iter(log_of(folder).files.values())).name).parent
    for path in hour.iterdir():
        path.rename(folder / path.name)
    lake.vacuum(KEEP)
    assert hour.exists(), "it is empty only since now"
    os.utime(hour, (time.time() - EMPTY - 60,) * 2)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert swept[0].folders == 1
    assert not hour.exists()
    lake.write(outcome([event("p", 2)]))
    assert hour.exists()


def test_a_backup_holds_it_off(folder: Path, clock: FakeClock) -> None:
    """Several may; nothing goes meanwhile; a backup that begins during a vacuum waits."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 3)
    packed(lake)
    clock.advance(KEEP + 1)
    there = data_files(folder)
    with hold(folder), hold(folder):
        assert lake.vacuum(KEEP) is None
        with pytest.raises(LakeUnavailable, match="a backup of the lake holds its files"):
            lake.remove_replaced({"events": there}, wait=0)
        assert data_files(folder) == there
    with vacuum.alone(folder) as got, pytest.raises(LakeUnavailable, match="takes very long"), hold(folder, 1, clock):
        assert got
    assert lake.vacuum(KEEP) is not None
    assert len(data_files(folder)) == 1


def test_one_maintains_at_a_time(folder: Path) -> None:
    """On a machine; whoever comes second is told so. A lake that is not there is not begun by it."""
    with maintaining(folder) as nowhere:
        assert nowhere
    assert not folder.exists()
    folder.mkdir()
    with maintaining(folder) as nowhere:
        assert nowhere
    assert not list(folder.iterdir())
    Lake(folder)
    with maintaining(folder) as first, maintaining(folder) as second:
        assert (first, second) == (True, False)
    with maintaining(folder) as later:
        assert later


def test_what_was_replaced_can_go_at_once(folder: Path, clock: FakeClock) -> None:
    """For an erasure; but never a file of the newest version."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 3)
    replaced = data_files(folder)
    packed(lake)
    (needed,) = data_files(folder) - replaced
    assert lake.remove_replaced({"events": [*replaced, needed], "rejects": ["year=2026/nothing.parquet"]}) == 3
    assert data_files(folder) == {needed}
    assert positions(folder) == [1, 2, 3]


def test_nothing_goes_that_a_power_cut_could_bring_back(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as it is not noted that what replaced a file is durable, the file stays."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 3)
    monkeypatch.setattr(floor, "raise_to", _fails)
    packed(lake)
    there = data_files(folder)
    clock.advance(KEEP + 1)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert swept[0].files == 0
    with pytest.raises(LakeUnavailable, match="cannot note how far"):
        lake.remove_replaced({"events": there - {file.name for file in log_of(folder).files.values()}})
    assert data_files(folder) == there
    monkeypatch.undo()
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert swept[0].files == 3


def _fails(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("after", range(4))
def test_what_is_cut_short_is_done_by_the_next_run(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Files go before the entries that tell of them; the lake is whole at each step, and in the end all is gone."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    monkeypatch.setattr(vacuum, "AT_ONCE", 7)
    lake = Lake(folder, clock)
    write(lake, clock, 1, 30)
    packed(lake)
    write(lake, clock, 31, 50)
    clock.advance(KEEP + 1)
    replaced = data_files(folder) - {file.name for file in log_of(folder).files.values()}
    with monkeypatch.context() as broken:
        broken.setattr(vacuum, "_remove", _killed(vacuum._remove, after))
        with pytest.raises(KeyboardInterrupt):
            lake.vacuum(KEEP)
    if data_files(folder) & replaced:
        assert versions(folder)[0] == 0
    assert positions(folder) == [*range(1, 51)]
    lake = Lake(folder, clock)
    assert lake.set_aside == []
    lake.vacuum(KEEP)
    assert not data_files(folder) & replaced
    assert len(checkpoints(folder)) == 2
    assert LakeReader(folder).sums().in_lake == 50


def _killed(remove: Callable[[Place, Sequence[str]], None], after: int) -> Callable[[Place, Sequence[str]], None]:
    """Removes half of what it is given at the call `after`, and is no more."""
    calls: list[None] = []

    def removes(folder: Place, files: Sequence[str]) -> None:
        if len(calls) == after:
            remove(folder, files[: len(files) // 2])
            raise KeyboardInterrupt
        calls.append(None)
        remove(folder, files)

    return removes


def test_checkpoints_forget_with_the_history(folder: Path, clock: FakeClock) -> None:
    """Delta keeps a line for each replaced file for a week, by its own default: with us it is as long as history."""
    clock.microseconds = time.time_ns() // 1_000  # Delta's own clock judges them
    lake = Lake(folder, clock)
    clock.microseconds -= 3_600 * SECOND
    write(lake, clock, 1, 9)
    packed(lake)
    lake.vacuum(KEEP)
    lake.vacuum(KEEP)
    table = DeltaTable(str(folder / "events"))
    assert table.metadata().configuration["delta.deletedFileRetentionDuration"] == "interval 600 seconds"
    table.create_checkpoint()
    rows = pq.ParquetFile(folder / "events" / LOG / f"{table.version():020}.checkpoint.parquet").read()
    assert rows["remove"].drop_null().length() == 0
    entries = [(folder / "events" / LOG / f"{version:020}.json").read_text() for version in versions(folder)]
    assert sum('"metaData"' in entry for entry in entries) == 2, "it is said once"


def test_rejects_are_swept_too(folder: Path, clock: FakeClock) -> None:
    """Each table by its own log."""
    lake = Lake(folder, clock)
    for position in range(1, 4):
        lake.write(outcome(rejects=[reject("p", position)]))
    packed(lake)
    clock.advance(KEEP + 1)
    swept = lake.vacuum(KEEP)
    assert swept is not None
    assert {each.table: each.files for each in swept} == {"events": 0, "rejects": 3}
    assert LakeReader(folder).sums().rejected == 3


def test_a_disk_that_fails_is_told(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line; what is there stays readable."""
    lake = Lake(folder, clock)
    write(lake, clock, 1, 3)
    packed(lake)
    clock.advance(KEEP + 1)
    monkeypatch.setattr(vacuum, "_remove", _fails)
    with pytest.raises(LakeUnavailable, match="cannot vacuum"):
        lake.vacuum(KEEP)
    assert positions(folder) == [1, 2, 3]


def test_damage_in_old_entries_stops_nothing(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old entry that cannot be read is behind a checkpoint: it goes with its neighbours."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 10)
    lake = Lake(folder, clock)
    write(lake, clock, 1, 40)
    (folder / "events" / LOG / f"{4:020}.json").write_bytes(b"\0\0")
    clock.advance(KEEP + 1)
    lake.vacuum(KEEP)
    assert versions(folder)[0] > 4
    assert positions(folder) == [*range(1, 41)]


def test_entries_tell_when_they_were_made() -> None:
    """By the times inside; those of the program that wrote it only if there are no others."""
    lines = [{"commitInfo": {"timestamp": 99}}, {"txn": {"lastUpdated": 7}}, {"remove": {"deletionTimestamp": 9}}]
    assert vacuum._times(json.loads(json.dumps(lines))) == [7, 9]
    assert vacuum._times(lines[:1]) == [99]
    assert vacuum._times([{"add": {"modificationTime": "soon"}}]) == []


def test_the_hold_needs_a_folder(tmp_path: Path) -> None:
    """There is nothing to hold where there is no lake; that is told."""
    with pytest.raises(LakeUnavailable, match="cannot hold"), hold(tmp_path / "none" / "lake"):
        pass
    assert durable.TEMPORARY == ".tmp"
