"""A lake of an older layout is brought to today's: equal rows and sums, whatever cuts it short."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, layout, relayout
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.s3 import Server, reached
from tests.warehouse.golden import GOLDEN, TABLES, lake_of
from tests.warehouse.outcomes import event, outcome

Rows = list[list[dict[str, Any]]]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A lake of layout 1 on a disk."""
    lake_of(GOLDEN / "v1", tmp_path / "lake")
    return tmp_path / "lake"


@pytest.fixture(params=["disk", "seaweedfs"])
def anywhere(request: pytest.FixtureRequest, old: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The same on a disk, and in a bucket."""
    if request.param == "disk":
        return old
    server: Server = request.getfixturevalue(request.param)
    reached(monkeypatch, server.environment)
    from pixelake.warehouse import objects

    bucket = server.bucket()
    client: Any = server.client()
    for path in filter(Path.is_file, old.rglob("*")):
        client.put_object(Bucket=bucket, Key=f"a/lake/{path.relative_to(old)}", Body=path.read_bytes())
    return objects.lake(bucket, "a/lake")


def rows_of(lake: Place) -> Rows:
    """All rows of both tables, with all columns."""
    with Lakehouse(lake) as house:
        return [house.ask(f"select * from {name} order by hit_id").to_pylist() for name in TABLES]


def log_of(lake: Place, table: str = "events") -> DeltaLog:
    """What a table is made of now."""
    log = DeltaLog(lake / table)
    log.refresh()
    return log


def _files(lake: Path) -> set[str]:
    return {str(path.relative_to(lake)) for path in lake.rglob("*.parquet")}


def test_rows_and_sums_are_what_they_were(anywhere: Place) -> None:
    """Readers see the same before and after; then it goes on as ever, and nothing is left to bring up."""
    rows, sums = rows_of(anywhere), LakeReader(anywhere).sums()
    assert sums.holds
    assert {row["hour"] for row in rows[0]} == {"21", "22", "01"}
    lake = Lake(anywhere)
    assert rows_of(anywhere) == rows
    assert LakeReader(anywhere).sums() == sums
    lake.write(outcome([event("a", 9)]))
    assert [len(each) for each in rows_of(anywhere)] == [9, 2]
    versions = [log_of(anywhere, table).version for table in TABLES]
    Lake(anywhere)
    assert [log_of(anywhere, table).version for table in TABLES] == versions


def test_the_hour_is_a_column_then(old: Path) -> None:
    """Other programs find days as folders and the hour in the files; what was packed is packed."""
    table = DeltaTable(str(old / "events"))
    before = table.to_pyarrow_table(columns=["hit_id", "day", "hour"]).sort_by("hit_id").to_pylist()
    packed = sum("packed-" in name for name in log_of(old).files)
    Lake(old)
    table.update_incremental()
    assert table.metadata().partition_columns == ["year", "month", "day"]
    assert table.metadata().configuration[layout.LAYOUT] == "2"
    assert table.to_pyarrow_table(columns=["hit_id", "day", "hour"]).sort_by("hit_id").to_pylist() == before
    for file in log_of(old).files.values():
        assert "hour" in pq.ParquetFile(old / "events" / file.name).schema_arrow.names
        assert file.statistics()["numRecords"] == log_of(old).rows_of(file)
    assert sum("packed-" in name for name in log_of(old).files) == packed > 0


def test_it_is_one_commit_that_changes_no_data(old: Path) -> None:
    """Who follows the table's changes reads nothing anew, and older versions can still be read."""
    version = log_of(old).version
    Lake(old)
    log = log_of(old)
    assert log.version == version + 1
    actions = [json.loads(line) for line in log.entry(log.version).read_text().splitlines()]
    assert {action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action} == {False}
    assert not any("txn" in action for action in actions)
    assert DeltaTable(str(old / "events"), version=version).to_pyarrow_table().num_rows == 8


def test_checkpoints_go_on(old: Path) -> None:
    """It begins from a checkpoint whose entries are gone, and the next checkpoint tells the same."""
    rows = rows_of(old)
    for name in TABLES:
        DeltaTable(str(old / name)).create_checkpoint()
        for entry in (old / name / "_delta_log").glob("*.json"):
            entry.unlink()
    Lake(old)
    assert rows_of(old) == rows
    DeltaTable(str(old / "events")).create_checkpoint()
    for entry in (old / "events" / "_delta_log").glob("*.json"):
        entry.unlink()
    assert log_of(old).layout == layout.VERSION
    assert rows_of(old) == rows
    assert DeltaTable(str(old / "events")).to_pyarrow_table().num_rows == 8


KILLED = """
import os, sys
from pathlib import Path
from pixelake.warehouse.lake import Lake

left, real = int(sys.argv[2]), os.fsync

def fsync(handle):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    real(handle)

os.fsync = fsync
Lake(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("syncs", [0, 2, 7, 21, 25, 28, 36, 45])
def test_killed_anywhere(old: Path, syncs: int) -> None:
    """After a kill readers see what they saw, and the next try ends it, with what the first has written."""
    rows, sums, there = rows_of(old), LakeReader(old).sums(), _files(old)
    done = subprocess.run([sys.executable, "-c", KILLED, str(old), str(syncs)], check=False, timeout=60)
    assert done.returncode == 9
    assert rows_of(old) == rows
    assert LakeReader(old).sums() == sums
    new = _files(old) - there
    Lake(old)
    assert new <= _files(old)
    assert len(_files(old) - there) == 8  # none was written twice under another name
    assert rows_of(old) == rows
    assert LakeReader(old).sums() == sums
    assert [log_of(old, name).layout for name in TABLES] == [2, 2]


def test_whoever_commits_first_is_not_lost(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry of somebody else between the look and the commit stays, and what he took is not put back."""
    table, real, commits = DeltaTable(str(old / "events")), durable.create, []

    def create(path: Place, data: bytes) -> bool:
        if not commits and path.name.startswith(f"{10:020}"):
            commits.append(path)
            properties = CommitProperties(app_transactions=[Transaction("c", 7)])
            hooks = PostCommitHookProperties(create_checkpoint=False)
            table.create_write_transaction(
                [], "append", Schema.from_arrow(EVENTS), commit_properties=properties, post_commithook_properties=hooks
            )
        return real(path, data)

    monkeypatch.setattr(durable, "create", create)
    rows = rows_of(old)
    Lake(old)
    assert commits
    assert rows_of(old) == rows
    assert log_of(old).transactions["c"] == 7
    assert (log_of(old).version, log_of(old).layout) == (11, 2)


def test_without_room_nothing_is_begun(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how much there must be, in a line; nothing has changed."""
    usage = shutil.disk_usage(old)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    there = _files(old)
    with pytest.raises(LakeUnavailable, match="MB must be free") as caught:
        Lake(old)
    assert "\n" not in str(caught.value)
    assert "room" in caught.value.hint
    assert _files(old) == there


def test_a_disk_that_fills_up_meanwhile(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails midway is told in a line, leaves the lake as it was, and is done when there is room."""
    rows, real, left = rows_of(old), durable.write, iter(range(3))

    def write(path: Place, fill: Any) -> int:
        if "events/" in str(path) and next(left, None) is None:
            raise OSError(28, "No space left on device", str(path))
        return real(path, fill)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", write)
        with pytest.raises(LakeUnavailable, match="No space left"):
            Lake(old)
    assert rows_of(old) == rows
    Lake(old)
    assert rows_of(old) == rows


def test_a_damaged_file_stops_it(old: Path) -> None:
    """A file that lacks rows is named; the lake stays as it is."""
    file = next(file for file in log_of(old).files.values() if log_of(old).rows_of(file) > 1)
    path = old / "events" / file.name
    pq.write_table(pq.ParquetFile(path).read().slice(0, 1), path)
    with pytest.raises(LakeUnavailable, match=path.name) as caught:
        relayout.bring_up(log_of(old), SYSTEM)
    assert "backup" in caught.value.hint
    assert log_of(old).layout == 1


@pytest.fixture(params=["entry", "checkpoint"])
def newer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A lake that a newer version wrote; its log, or a checkpoint, says so."""
    lake = tmp_path / "newer"
    Lake(lake).write(outcome([event("a", 1)]))
    entry = lake / "events" / "_delta_log" / f"{0:020}.json"
    entry.write_text(entry.read_text().replace('"pixelake.layout":"2"', '"pixelake.layout":"3"'))
    if request.param == "checkpoint":
        DeltaTable(str(lake / "events")).create_checkpoint()
        for each in entry.parent.glob("*.json"):
            each.unlink()
    return lake


def test_what_a_newer_version_wrote_is_refused(newer: Path) -> None:
    """By readers and writers, in a line that says what to do; nothing is touched."""
    before = {path: path.read_bytes() for path in newer.rglob("*.json")}
    for use in (lambda: LakeReader(newer).sums(), lambda: rows_of(newer), lambda: Lake(newer)):
        with pytest.raises(LakeUnavailable, match="newer version") as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "--lake" in caught.value.hint
    assert {path: path.read_bytes() for path in newer.rglob("*.json")} == before


def test_what_an_older_program_still_writes_is_brought_up(anywhere: Place, tmp_path: Path) -> None:
    """On a machine with the older version somebody goes on for a while: what he adds is there, with its hour."""
    lake_of(GOLDEN / "v1", other := tmp_path / "other")
    lake = Lake(anywhere)
    for _ in range(2):  # to a writer that is open, and to one that opens
        name = next(name for name in log_of(other).files if "hour=01/part-" in name)
        rows = (other / "events" / name).read_bytes()
        late = name.replace("part-", f"part-{log_of(anywhere).version}-")
        durable.write(anywhere / "events" / late, lambda file, rows=rows: file.write(rows))
        add = {"path": late, "partitionValues": layout.values_of(name), "size": len(rows), "modificationTime": 0}
        entry = json.dumps({"add": add | {"dataChange": True}}).encode()
        assert durable.create(log_of(anywhere).entry(log_of(anywhere).version + 1), entry)
        lake.write(outcome([event("a", lake.positions()["a"] + 1)]))
        assert log_of(anywhere).strays == set()
        lake = Lake(anywhere)
    with Lakehouse(anywhere) as house:
        found = house.ask("select hour, count(*) n from events group by 1 order by 1").to_pylist()
    assert found == [{"hour": "01", "n": 4}, {"hour": "21", "n": 7}, {"hour": "22", "n": 1}]
    options = {} if isinstance(anywhere, Path) else dict(anywhere.options)
    table = DeltaTable(str(anywhere / "events"), storage_options=options).to_pyarrow_table(columns=["hour"])
    assert sorted(table["hour"].to_pylist()) == ["01"] * 4 + ["21"] * 7 + ["22"]


def test_memory_is_bounded(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read a row group at a time, and keeps its row groups."""
    file = next(file for file in log_of(old).files.values() if log_of(old).rows_of(file) > 1)
    path = old / "events" / file.name
    pq.write_table(pq.ParquetFile(path).read(), path, row_group_size=1)
    held: list[int] = []
    real = relayout._groups

    def groups(*arguments: Any) -> Iterator[Any]:
        for group in real(*arguments):
            held.append(group.num_rows)
            yield group

    monkeypatch.setattr(relayout, "_groups", groups)
    relayout.bring_up(log_of(old), SYSTEM)
    rows = log_of(old).rows()
    new = [pq.ParquetFile(old / "events" / name).num_row_groups for name in log_of(old).files]
    assert len(held) == sum(new) > len(new)
    assert sum(held) == rows


def test_entries_are_made_once(tmp_path: Path) -> None:
    """Of those who make the same file one does; it is whole, and nothing else is left."""
    path = tmp_path / "entry.json"
    assert [durable.create(path, text) for text in (b"first", b"second")] == [True, False]
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["entry.json"]
