"""Compaction: each row once for whoever reads, at any moment; on a disk and in buckets."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import LakeUnavailable
from pixelake.operate.compaction import as_text, compact
from pixelake.testing import FakeClock
from pixelake.warehouse import compact as compaction
from pixelake.warehouse.compact import LIMITS, Job, Limits, Packed
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DeltaLog, parse_entry
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.warehouse.outcomes import START, event, outcome, reject
from tests.warehouse.test_again import every, rejudged

HOSTILE = ["", "\0", "\0'\"\\/../%2e%00\n\u202e\U0001f600", "é" * 3_000, "\x1b[2J", "=cmd|' /C calc'!A0", "NULL", "￿"]
"""Texts that are only text."""


def log_of(lake: Place, table: str) -> DeltaLog:
    """What a table is made of now."""
    log = DeltaLog(lake / table)
    log.refresh()
    return log


def ask(lake: Place, query: str) -> list[dict[str, Any]]:
    """What SQL says."""
    with Lakehouse(lake) as house:
        return house.ask(query).to_pylist()


def all_rows(lake: Place) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every row of both tables, with all columns."""
    query = "select * from {} order by partition, position, hit_id"
    return ask(lake, query.format("events")), ask(lake, query.format("rejects"))


def data_files(lake: Place) -> set[str]:
    """Every data file that is there, of the lake or not."""
    names = lake.sizes() if not isinstance(lake, Path) else {p.relative_to(lake).as_posix() for p in lake.rglob("*")}
    return {name for name in names if ".parquet" in name and "_delta_log" not in name}


def compact_all(lake: Place, clock: Clock = SYSTEM) -> list[Packed]:
    """Compact by another object than whoever writes has."""
    opened = Lake(lake, clock)
    return [opened.compact(todo) for todo in opened.plan()]


def fill(lake: Lake, partition: str = "a", count: int = 5) -> None:
    """So many writes of two events and a reject."""
    for at in range(1, 3 * count, 3):
        lake.write(outcome([event(partition, at), event(partition, at + 1)], [reject(partition, at + 2)]))


def test_rows_positions_and_sums_stay(anywhere: Place) -> None:
    """Few files hold what many held; positions and sums are as they were, and there is nothing left to do."""
    lake = Lake(anywhere)
    fill(lake)
    rows, sums = all_rows(anywhere), LakeReader(anywhere).sums()
    assert (len(log_of(anywhere, "events").files), len(log_of(anywhere, "rejects").files)) == (5, 5)
    done = compact_all(anywhere)
    assert [(each.table, each.files, each.files_after, each.rows) for each in done] == [
        ("events", 5, 1, 10),
        ("rejects", 5, 1, 5),
    ]
    assert all_rows(anywhere) == rows
    after = LakeReader(anywhere).sums()
    assert after == sums
    assert after.holds
    for table in ("events", "rejects"):
        (file,) = log_of(anywhere, table).files.values()
        assert file.size == sum(each.bytes_after for each in done if each.table == table)
    assert compact_all(anywhere) == []
    lake.write(outcome([event("a", 16)]))  # who was open all the time goes on
    assert lake.positions() == {"a": 16}
    assert len(compact_all(anywhere)) == 1  # the new file and the packed one become one


def test_no_row_is_new(anywhere: Place) -> None:
    """The commit says that no data changed, so that who follows the table's changes reads nothing twice."""
    fill(Lake(anywhere))
    compact_all(anywhere)
    log = log_of(anywhere, "events")
    actions = parse_entry(log.entry(log.version).read_bytes())
    changes = [action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if action.get(kind)]
    assert changes == [False] * 6
    assert not any(action.get("txn") for action in actions)


def test_values_survive(anywhere: Place) -> None:
    """Hostile texts, nulls, maps, decimals, times before 1970: all values of all columns are equal afterwards."""
    lake = Lake(anywhere)
    for at, text in enumerate(HOSTILE, 1):
        row = event(
            "a",
            at,
            site=text,
            title=text or None,
            visitor_id=text * 2,
            event_id=None if at % 2 else text,
            value=None if at % 3 else Decimal("-999999999999.999999"),
            occurred_at=START - timedelta(days=40_000, microseconds=at),
            properties=None if at == 2 else [(text, [text, text]), ("empty", []), ("more", [str(at)])],
            bot=None,
        )
        more = event("a", at, hit_id=f"a-{at}.1", value=Decimal(at) / 1_000_000, properties=[])
        lake.write(outcome([row, more], [reject("b", at, raw=text, detail=None if at % 2 else text)]))
    before = all_rows(anywhere)
    assert {each["title"] for each in before[0]} >= set(HOSTILE[1:])
    compact_all(anywhere)
    assert all_rows(anywhere) == before


def test_other_readers_see_the_same(folder: Path) -> None:
    """What Delta's own reader tells of types and values is what it told before."""
    fill(Lake(folder))
    before = DeltaTable(str(folder / "events")).to_pyarrow_table().sort_by("position")
    compact_all(folder)
    after = DeltaTable(str(folder / "events")).to_pyarrow_table().sort_by("position")
    assert after.schema == before.schema
    assert after.to_pylist() == before.to_pylist()


def at(moment: datetime) -> FakeClock:
    """A clock that stands there."""
    return FakeClock(int(moment.timestamp()) * SECOND)


def _check_bounds(folder: Path) -> None:
    """What the log tells of each file is so."""
    for file in log_of(folder, "events").files.values():
        times = pq.read_table(folder / "events" / file.name, columns=["received_at"], partitioning=None)["received_at"]
        bounds = pc.min_max(times).as_py()
        told = file.statistics()
        assert told["minValues"]["received_at"] == bounds["min"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert told["maxValues"]["received_at"] == bounds["max"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert told["numRecords"] == len(times)


def test_hours_stay_apart(folder: Path) -> None:
    """While its day is not over each hour has files of its own, the open one is compacted too."""
    lake = Lake(folder)
    for place in range(1, 9):
        lake.write(outcome([event("a", place, received_at=START + timedelta(minutes=20 * place))]))
    done = compact_all(folder, at(START + timedelta(hours=2, minutes=50)))
    assert [(each.folder[-7:], each.files, each.rows) for each in done] == [
        ("hour=21", 2, 2),
        ("hour=22", 3, 3),
        ("hour=23", 3, 3),
    ]
    _check_bounds(folder)


def test_a_quiet_day_is_one_file(anywhere: Place) -> None:
    """A day that is over becomes one file in its folder; each row keeps its hour, and rows that come later join."""
    lake = Lake(anywhere)
    for place in range(1, 9):
        moment = START + timedelta(minutes=20 * place)
        lake.write(outcome([event("a", place, received_at=moment)], [reject("b", place, received_at=moment)]))
    rows = all_rows(anywhere)
    midnight = datetime(2026, 2, 11, tzinfo=UTC)
    assert {each.files for each in compact_all(anywhere, at(midnight + timedelta(hours=1)))} == {2, 3}
    done = compact_all(anywhere, at(midnight + timedelta(hours=2)))
    day = "year=2026/month=02/day=10"
    assert [(each.table, each.folder, each.files, each.rows) for each in done] == [
        ("events", day, 3, 8),
        ("rejects", day, 3, 8),
    ]
    assert all_rows(anywhere) == rows
    assert {row["hour"] for row in rows[0]} == {row["hour"] for row in rows[1]} == {"21", "22", "23"}
    assert compact_all(anywhere) == []
    lake.write(outcome([event("a", 9, received_at=START + timedelta(hours=2))]))
    (late,) = compact_all(anywhere)
    assert (late.folder, late.files, late.rows) == (day, 2, 9)
    (file,) = log_of(anywhere, "events").files.values()
    assert file.name.startswith(f"{day}/packed-")
    assert all_rows(anywhere)[0][:8] == rows[0]
    assert LakeReader(anywhere).sums().holds


def test_other_programs_see_the_hours_of_a_day(folder: Path) -> None:
    """Of a file that holds a day Delta's own reader, and a DuckDB that follows no log, tell the hour of each row."""
    lake = Lake(folder)
    for place in range(3):
        lake.write(outcome([event("a", place + 1, received_at=START + timedelta(hours=place))]))
    compact_all(folder)
    lake.write(outcome([event("a", 4, received_at=START + timedelta(hours=1))]))  # a file of an hour beside it
    table = DeltaTable(str(folder / "events"))
    expected = [("10", "21"), ("10", "22"), ("10", "23"), ("10", "22")]
    columns = ["position", "day", "hour"]
    for found in (
        table.to_pyarrow_table(columns=columns),
        table.to_pyarrow_dataset().to_table(columns=columns),
        table.to_pyarrow_dataset().to_table(columns=columns, filter=ds.field("day") == "10"),
    ):
        assert [(row["day"], row["hour"]) for row in found.sort_by("position").to_pylist()] == expected
    some = table.to_pyarrow_dataset().to_table(columns=columns, filter=ds.field("hour") == "22")
    assert sorted(some["position"].to_pylist()) == [2, 4]
    with duckdb.connect() as database:
        database.register("found", table.to_pyarrow_dataset())
        assert database.sql("select list(position order by position) from found where hour = '22'").fetchone() == (
            [2, 4],
        )


def test_readers_beside_see_each_row_once(anywhere: Place) -> None:
    """While one appends and another compacts, each look finds every row up to some point, once, and both sums."""
    over, faults, looks = threading.Event(), [], []

    def read() -> None:
        reader = LakeReader(anywhere)
        with Lakehouse(anywhere) as house:
            while not over.is_set():
                (row,) = house.ask(
                    "select count(*) n, count(distinct hit_id) ids, coalesce(max(position), 0) as last from events"
                ).to_pylist()
                looks.append(row["n"])
                if not row["n"] == row["ids"] == row["last"] or not reader.sums().holds:
                    faults.append((row, reader.sums()))

    def pack() -> None:
        while not over.is_set():
            compact_all(anywhere)

    count = 25
    threads = [threading.Thread(target=_noting(each, faults)) for each in (read, pack)]
    for thread in threads:
        thread.start()
    lake = Lake(anywhere)
    for at in range(1, count + 1):
        lake.write(outcome([event("a", at)], [reject("b", at)]))
    over.set()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert len(set(looks)) > 2
    compact_all(anywhere)
    assert [row["position"] for row in ask(anywhere, "select position from events order by 1")] == [
        *range(1, count + 1)
    ]
    assert len(log_of(anywhere, "events").files) == 1
    assert LakeReader(anywhere).sums().holds


def _noting(action: Callable[[], None], faults: list[Any]) -> Callable[[], None]:
    """What goes wrong in a thread is told."""

    def run() -> None:
        try:
            action()
        except Exception as error:  # noqa: BLE001 - the test fails with it
            faults.append(error)

    return run


def test_purge_and_replay_beside(anywhere: Place) -> None:
    """Compaction, a replay and a purge at once: every reject is an event, or removed, or still there, counted once."""
    lake, reader, places = Lake(anywhere), LakeReader(anywhere), range(1, 7)
    for at in places:
        lake.write(outcome([], [reject("a", at), reject("b", at)]))
    over, faults = threading.Event(), []
    other = Lake(anywhere)

    def look() -> None:
        if not (sums := reader.sums()).holds:
            faults.append(sums)

    def purge() -> None:
        for at in places:
            named = pa.array([f"b-{at}"])
            list(Lake(anywhere).purge(lambda rows, named=named: pc.is_in(rows["hit_id"], value_set=named)))

    beside = [_until(over, act) for act in (lambda: compact_all(anywhere), look)]
    work = [lambda: [other.merge(rejudged(event("a", at))) for at in places], purge]
    threads = [threading.Thread(target=_noting(each, faults)) for each in (*work, *beside)]
    for thread in threads:
        thread.start()
    for thread in threads[: len(work)]:
        thread.join(120)
    over.set()
    for thread in threads:
        thread.join(60)
    assert faults == []
    assert [row["hit_id"] for row in ask(anywhere, "select hit_id from events order by position")] == [
        f"a-{at}" for at in places
    ]
    assert ask(anywhere, "select hit_id from rejects") == []
    sums = reader.sums()
    assert (sums.holds, sums.in_lake, sums.rejected, sums.removed) == (True, 6, 0, 6)


def _until(over: threading.Event, action: Callable[[], object]) -> Callable[[], None]:
    """The same again and again."""

    def run() -> None:
        while not over.is_set():
            action()

    return run


def test_taken_by_somebody_else_is_left_to_him(anywhere: Place) -> None:
    """If a purge takes a file between the plan and the commit, nothing is done, and nothing comes back."""
    lake = Lake(anywhere)
    for at in range(1, 4):
        lake.write(outcome([], [reject("a", at)]))
    packer = Lake(anywhere)
    (todo,) = packer.plan()
    assert sum(lake.purge(every)) == 3
    before = data_files(anywhere)
    done = packer.compact(todo)
    assert (done.files, done.files_after, done.bytes_after) == (3, 0, 0)
    assert all_rows(anywhere) == ([], [])
    assert LakeReader(anywhere).sums().holds
    assert data_files(anywhere) == before


def test_whoever_comes_second_leaves_nothing(anywhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose commit is refused is removed: it may hold what was erased meanwhile. What the other wrote stays."""
    lake = Lake(anywhere)
    for at in range(1, 4):
        lake.write(outcome([event("a", at)]))
    real, before = compaction.pack, data_files(anywhere)

    def pack(table: DeltaWriter, job: Job) -> Sequence[AddAction]:
        def refresh() -> None:
            monkeypatch.setattr(table, "refresh", table.__class__.refresh.__get__(table))
            compact_all(anywhere)

        monkeypatch.setattr(compaction, "pack", real)
        adds = real(table, job)
        if isinstance(anywhere, Path):
            compact_all(anywhere)
        else:  # no lock keeps them apart: the other may come between the last look and the commit
            monkeypatch.setattr(table, "refresh", refresh)
        return adds

    monkeypatch.setattr(compaction, "pack", pack)
    (done,) = compact_all(anywhere)
    assert done.files_after == 0
    rest = data_files(anywhere) - before
    assert rest == {f"events/{file.name}" for file in log_of(anywhere, "events").files.values()}
    assert len(all_rows(anywhere)[0]) == 3


def test_a_commit_that_was_done_and_looked_refused_is_kept(anywhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that was lost, and a second try that is refused by the first: its file is of the table, and stays."""
    lake = Lake(anywhere)
    for at in range(1, 4):
        lake.write(outcome([event("a", at)]))
    (todo,) = lake.plan()
    real = DeltaWriter._commit

    def commit(self: DeltaWriter, change: Change, transactions: Mapping[str, int]) -> bool:
        real(self, change, transactions)
        return False

    monkeypatch.setattr(DeltaWriter, "_commit", commit)
    assert lake.compact(todo).files_after == 0
    assert len(log_of(anywhere, "events").files) == 1
    assert len(all_rows(anywhere)[0]) == 3


def _fail_at_events(monkeypatch: pytest.MonkeyPatch) -> None:
    real = DeltaWriter.commit

    def commit(self: DeltaWriter, *arguments: object) -> None:
        if self.log.folder.name == "events":
            raise LakeUnavailable("crash", "none")
        real(self, *arguments)

    monkeypatch.setattr(DeltaWriter, "commit", commit)


def test_rejects_of_a_crashed_write_are_left_alone(anywhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rejects above the position, which are about to be taken out, are in no packed file."""
    lake = Lake(anywhere)
    for at in range(1, 4):
        lake.write(outcome([event("a", 2 * at)], [reject("a", 2 * at + 1)]))
    with monkeypatch.context() as patch:
        _fail_at_events(patch)
        with pytest.raises(LakeUnavailable, match="crash"):
            lake.write(outcome([event("a", 8)], [reject("a", 9)]))
    assert [(each.table, each.files) for each in compact_all(anywhere)] == [("events", 3), ("rejects", 3)]
    assert len(log_of(anywhere, "rejects").files) == 2
    sums = LakeReader(anywhere).sums()
    assert (sums.holds, sums.rejected) == (True, 3)
    Lake(anywhere).write(outcome([event("a", 8), event("a", 9)]))  # judged otherwise now
    assert [row["position"] for row in ask(anywhere, "select position from rejects order by 1")] == [3, 5, 7]
    assert LakeReader(anywhere).sums().holds


def test_a_crash_before_the_commit_leaves_garbage_only(anywhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A packed file that was never committed is in no table; the next compaction does it all again."""
    fill(Lake(anywhere))
    rows = all_rows(anywhere)
    with monkeypatch.context() as patch:
        _fail_at_events(patch)
        with pytest.raises(LakeUnavailable, match="crash"):
            compact_all(anywhere)
    assert all_rows(anywhere) == rows
    assert len(log_of(anywhere, "events").files) == 5
    assert LakeReader(anywhere).sums().holds
    assert sum(each.files_after for each in compact_all(anywhere)) == 2
    assert all_rows(anywhere) == rows


def test_a_file_that_lacks_rows_is_not_replaced(folder: Path) -> None:
    """If a file has fewer rows than the log says, the compaction fails and the table stays as it is."""
    fill(Lake(folder))
    file = next(iter(log_of(folder, "events").files.values()))
    path = folder / "events" / file.name
    short = pq.ParquetFile(path).read().slice(0, 1)
    pq.write_table(short, path)
    with pytest.raises(LakeUnavailable, match="rows"):
        compact_all(folder)
    assert len(log_of(folder, "events").files) == 5


def test_a_missing_file_is_unavailable(anywhere: Place) -> None:
    """What cannot be read is told in a line, with a hint; nothing is exchanged."""
    lake = Lake(anywhere)
    fill(lake)
    todo = lake.plan()
    lost = todo[0][1].files[0]._replace(path="year=2026/month=02/day=10/hour=21/none.parquet")
    job = todo[0][1]._replace(files=[lost, *todo[0][1].files[1:]])
    with pytest.raises(LakeUnavailable) as caught:
        lake.compact((todo[0][0], job))
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert LakeReader(anywhere).sums().holds


def test_a_damaged_file_is_unavailable(folder: Path) -> None:
    """A file whose bytes are no Parquet any more, though as many, is named in a line; nothing is exchanged."""
    lake = Lake(folder)
    fill(lake)
    path = folder / "events" / next(iter(log_of(folder, "events").files.values())).name
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(LakeUnavailable) as caught:
        compact_all(folder)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "backup" in caught.value.hint
    assert len(log_of(folder, "events").files) == 5


def test_an_older_version_can_still_be_read(folder: Path) -> None:
    """The old files stay, for those who read an older version."""
    fill(Lake(folder))
    version = log_of(folder, "events").version
    old = DeltaTable(str(folder / "events"), version=version)
    compact_all(folder)
    assert old.to_pyarrow_table().num_rows == 10


def test_durable_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packed file, its folder, the entry, its folder, the floor: each synced before the next is begun."""
    fill(Lake(folder))
    lake = Lake(folder)
    (events, _) = lake.plan()
    real, synced = os.fsync, []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.removesuffix(".tmp"))
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        lake.compact(events)
    (packed,) = log_of(folder, "events").files.values()
    entry = log_of(folder, "events").entry(log_of(folder, "events").version).name
    steps = [packed.name.rpartition("/")[2], "day=10", entry, "_delta_log", "_synced.json"]
    assert [synced.index(step) for step in steps] == sorted(synced.index(step) for step in steps)
    assert synced.index("day=10", synced.index(steps[0])) < synced.index(entry)


def test_memory_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are held a group at a time, however many there are; a group is in the order of the stream."""
    held: list[int] = []
    real = compaction._ordered

    def ordered(parts: list[pa.Table]) -> pa.Table:
        held.append(sum(part.num_rows for part in parts))
        return real(parts)

    monkeypatch.setattr(compaction, "_ordered", ordered)
    monkeypatch.setitem(LIMITS, "events", Limits(128 << 20, 10, 64 << 20, 32 << 20))
    lake = Lake(folder)
    for at in range(1, 41, 4):
        lake.write(outcome([event("a", at + more) for more in (3, 1, 2, 0)]))
    (done,) = compact_all(folder)
    assert (done.files, done.files_after, done.rows) == (10, 1, 40)
    assert held == [8] * 5
    (file,) = log_of(folder, "events").files.values()
    packed = pq.ParquetFile(folder / "events" / file.name)
    assert [packed.metadata.row_group(at).num_rows for at in range(packed.num_row_groups)] == [8] * 5
    assert packed.read(columns=["position"])["position"].to_pylist() == [*range(1, 41)]


def test_bytes_bound_a_group_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows of much text do not come together."""
    monkeypatch.setitem(LIMITS, "rejects", Limits(128 << 20, 1_000, 100_000, 1 << 20))
    lake = Lake(folder)
    for at in range(1, 7):
        lake.write(outcome([], [reject("a", at, raw=f"{at}" * 40_000)]))
    compact_all(folder)
    (file,) = log_of(folder, "rejects").files.values()
    assert pq.ParquetFile(folder / "rejects" / file.name).num_row_groups == 3


def _sizes(folder: Path) -> list[int]:
    return [file.size for file in log_of(folder, "events").files.values()]


def test_the_whole_lake_and_what_is_told(folder: Path) -> None:
    """Hours, files, bytes and rows are counted over both tables; progress counts files; then there is nothing to do."""
    lake, told = Lake(folder), []
    fill(lake)
    found = compact(lake, lambda done, total: told.append((done, total)))
    assert told == [(0, 10), (5, 10), (10, 10)]
    assert (found.hours, found.files_before, found.files_after, found.rows, found.skipped) == (2, 10, 2, 15, 0)
    assert found.bytes_after == sum(_sizes(folder)) + sum(
        each.size for each in log_of(folder, "rejects").files.values()
    )
    assert as_text(found).startswith("2 hours compacted: 10 files became 2, ")
    again = compact(lake, lambda *_: None)
    assert set(asdict(again).values()) == {0}
    assert as_text(again) == "nothing to compact"


def test_what_others_took_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that somebody else wrote anew meanwhile are named as skipped."""
    lake = Lake(folder)
    for at in range(1, 4):
        lake.write(outcome([], [reject("a", at)]))
    todo = lake.plan()
    monkeypatch.setattr(lake, "plan", lambda **_: todo)
    assert sum(Lake(folder).purge(every)) == 3
    found = compact(lake, lambda *_: None)
    assert (found.files_before, found.skipped) == (0, 3)
    assert "3 files were left to others" in as_text(found)
