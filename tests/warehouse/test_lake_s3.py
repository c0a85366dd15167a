"""Several writers of one lake in a bucket, without a lock: each commit is a put that fails if somebody was first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError

from pixelake.errors import Conflict, LakeUnavailable
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DeltaLog, parse_entry
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.s3 import MISSING, Server
from tests.warehouse.outcomes import event, outcome, reject

objects = pytest.importorskip("pixelake.warehouse.objects", reason=MISSING, exc_type=ImportError)
ObjectPath = objects.ObjectPath

ROOT = Path(__file__).parents[2]

WRITE = """
import sys, time
from pixelake.warehouse import objects
from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome, reject
_, bucket, partition, count = sys.argv
lake = Lake(objects.lake(bucket, "lake"))
print("open", flush=True)
sys.stdin.readline()
for at in range(1, 3 * int(count), 3):
    lake.write(outcome([event(partition, at), event(partition, at + 1)], [reject(partition, at + 2)]))
    print(at, flush=True)
"""
"""Writes one partition, once it is told to begin."""

ZOMBIE = """
import sys
from pixelake.warehouse import objects
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome, reject
_, bucket, table = sys.argv
lake, real = Lake(objects.lake(bucket, "lake")), DeltaWriter._commit
def commit(self, *arguments):
    if self.log.folder.name == table:
        DeltaWriter._commit = real
        print("holds", flush=True)  # and is stopped here
        sys.stdin.readline()
    return real(self, *arguments)
DeltaWriter._commit = commit
lake.write(outcome([event("a", at) for at in (2, 3)], [reject("a", 4)]))
print("written", flush=True)
"""
"""Is stopped right before it commits to a table."""


@pytest.fixture
def bucket(s3: Server) -> str:
    """A new bucket of each server."""
    return s3.bucket()


@pytest.fixture
def place(bucket: str) -> ObjectPath:
    """The lake in it."""
    return objects.lake(bucket, "lake")


def start(program: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )


def rows(place: ObjectPath, table: str) -> list[tuple[str, int]]:
    """Where the rows of a table come from, as SQL sees them."""
    with Lakehouse(place) as house:
        found = house.ask(f"select partition, position from {table} order by 1, 2").to_pylist()
    return [(row["partition"], row["position"]) for row in found]


def entries(place: ObjectPath, table: str) -> list[int]:
    """The versions of a table."""
    names = (place / table / "_delta_log").sizes()
    return sorted(int(name.removesuffix(".json")) for name in names if name.endswith(".json") and name[0] == "0")


def test_commits_at_the_same_time(bucket: str, place: ObjectPath) -> None:
    """Two processes commit to one lake as fast as they can: no commit is lost, and versions have no gap."""
    count = 12
    writers = [start(WRITE, bucket, name, str(count)) for name in "ab"]
    for writer in writers:
        assert writer.stdout.readline() == "open\n"
    for writer in writers:  # now
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0]
    expected = range(1, 3 * count + 1)
    assert rows(place, "events") == [(name, at) for name in "ab" for at in expected if at % 3]
    assert rows(place, "rejects") == [(name, at) for name in "ab" for at in expected if at % 3 == 0]
    versions = entries(place, "events")
    assert versions == [*range(len(versions))]
    log = DeltaLog(place / "events")
    found = [parse_entry(log.entry(version).read_bytes()) for version in versions]
    assert sum(any(action.get("txn") for action in actions) for actions in found) == 2 * count
    sums = LakeReader(place).sums()
    assert (sums.holds, sums.in_lake, sums.rejected) == (True, 4 * count, 2 * count)


def test_nobody_s_commit_is_overwritten(bucket: str, place: ObjectPath, s3: Server) -> None:
    """Both servers honour a conditional put, as S3 does; and commits are such: an entry is never replaced."""
    Lake(place)
    writer, rival = (Lake(place)._events for _ in range(2))
    rival.commit(Change(()), {"a": 1})
    entry = rival.log.entry(1)
    tag = entry.tag()
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.client().put_object(Bucket=bucket, Key=str(entry).removeprefix(f"s3://{bucket}/"), Body=b"", IfNoneMatch="*")
    with pytest.raises(CommitFailedError):
        writer._table.create_write_transaction(  # it still looks at version 0
            [],
            mode="append",
            schema=writer._delta_schema,
            commit_properties=CommitProperties(app_transactions=[Transaction("a", 9)], max_commit_retries=0),
        )
    assert entry.tag() == tag
    with pytest.raises(Conflict):
        writer.commit(Change(()), {"a": 9})
    assert entries(place, "events") == [0, 1]


@pytest.mark.parametrize("s3", ["seaweedfs"], indirect=True)
@pytest.mark.parametrize("table", ["rejects", "events"])
def test_a_zombie_adds_nothing(bucket: str, place: ObjectPath, table: str) -> None:
    """Stopped right before a commit, its partition taken over, and let go on: the other's rows alone are there."""
    Lake(place).write(outcome([event("a", 1)]))
    zombie = start(ZOMBIE, bucket, table)
    assert zombie.stdout.readline() == "holds\n"
    zombie.send_signal(signal.SIGSTOP)
    heir = Lake(place)
    heir.write(outcome([event("a", at) for at in (2, 3, 4)]))  # judged otherwise
    heir.write(outcome([event("a", 5)], [reject("a", 6)]))
    zombie.stdin.write("\n")
    zombie.stdin.flush()
    zombie.send_signal(signal.SIGCONT)
    assert zombie.communicate(timeout=60)[0] == "written\n"
    assert rows(place, "events") == [("a", at) for at in (1, 2, 3, 4, 5)]
    assert rows(place, "rejects") == [("a", 6)]
    sums = LakeReader(place).sums()
    assert (sums.holds, sums.outcomes, dict(heir.positions())) == (True, 6, {"a": 6})
    heir.write(outcome([event("a", 7)]))
    assert LakeReader(place).sums().holds


def test_a_commit_whose_answer_was_lost(place: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that failed although its commit is there is repeated, and adds nothing."""
    lake, real = Lake(place), DeltaWriter._commit

    def commit(self: DeltaWriter, *arguments: object) -> bool:
        done = real(self, *arguments)
        if self.log.folder.name == "events":
            raise LakeUnavailable("the answer was lost")
        return done

    once = outcome([event("a", 1)], [reject("a", 2)])
    with monkeypatch.context() as patch:
        patch.setattr(DeltaWriter, "_commit", commit)
        with pytest.raises(LakeUnavailable):
            lake.write(once)
    lake.write(once)
    assert (rows(place, "events"), rows(place, "rejects")) == ([("a", 1)], [("a", 2)])
    assert LakeReader(place).sums().holds


def test_checkpoints_are_made_and_read(place: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opens the lake begins at the last checkpoint, and sees the same."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 4)
    lake = Lake(place)
    for at in range(1, 8):
        lake.write(outcome([event("a", at)]))
    log = DeltaLog(place / "events")
    log.refresh()
    assert (log.version, log.checkpoint >= 4) == (7, True)
    assert log.transactions == lake._events.log.transactions
    assert rows(place, "events") == [("a", at) for at in range(1, 8)]


def test_other_programs_read_it(place: ObjectPath) -> None:
    """What Delta's own reader sees: all rows, each once, also behind a compaction."""
    lake = Lake(place)
    for at in range(1, 4):
        lake.write(outcome([event("a", at)]))
    for todo in lake.plan():
        lake.compact(todo)
    table = DeltaTable(str(place / "events"), storage_options=dict(place.options))
    assert sorted(table.to_pyarrow_table(columns=["position"])["position"].to_pylist()) == [1, 2, 3]
    assert len(table.file_uris()) == 1


def test_files_that_are_missing_show(place: ObjectPath, s3: Server, bucket: str) -> None:
    """Somebody removed an object: it is named, and the sum does not hold."""
    Lake(place).write(outcome([event("a", 1)], [reject("a", 2)]))
    (name,) = (name for name in (place / "events").sizes() if name.endswith(".parquet"))
    s3.client().delete_object(Bucket=bucket, Key=f"lake/events/{name}")
    sums = LakeReader(place).sums()
    assert [str(each) for each in sums.damaged] == [f"s3://{bucket}/lake/events/{name}"]
    assert (sums.holds, sums.in_lake) == (False, 0)
