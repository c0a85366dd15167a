"""What only the embedded stream does: locks, segments, retention, failing disks."""

import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pixelake.errors import StreamError, StreamUnavailable
from pixelake.hit import Codec, Hit
from pixelake.stream import segment
from pixelake.stream.partition import OwnPartition
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.stream.sqlite_watcher import SqliteWatcher
from tests.hits import append, drain, hits, numbers
from tests.sinks import eventually


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "data" / "stream"


class Hands:
    """A clock whose hands are turned by the test."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> int:
        """Microseconds."""
        return int(self.time * 1e6)

    def monotonic(self) -> float:
        """Seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Turn."""
        self.time += seconds


def test_each_partition_has_one_reader_of_a_group(folder: Path) -> None:
    """Two readers of a group never see the same hit; when one goes, the other takes over."""
    append(SqliteWriter(folder), hits(0, 5))
    first, second, other = SqliteReader(folder, "g"), SqliteReader(folder, "g"), SqliteReader(folder, "other")
    assert numbers(drain(first)) == list(range(5))
    assert drain(second) == []
    assert numbers(drain(other)) == list(range(5))
    first.close()
    assert numbers(drain(second)) == list(range(5))


def test_segments_roll_by_size_and_age(folder: Path) -> None:
    """A segment is closed when it is large or old, and reading goes on in the next."""
    hands = Hands()
    writer = SqliteWriter(folder, segment_bytes=1 << 20, segment_age=60, clock=hands)
    append(writer, hits(0, 3))
    hands.time = 61
    append(writer, hits(3, 3))
    append(writer, hits(6, 3))
    [partition] = segment.partitions(folder)
    # either an append finds that it is old, behind its own hits, or the look at idle ones did before
    assert [int(path.stem) for path in segment.segments(partition)] in ([1, 7], [1, 4])
    assert numbers(drain(SqliteReader(folder, "g"))) == list(range(9))


def test_an_idle_segment_is_closed_too(folder: Path) -> None:
    """Retention counts on the age of closed segments, so that one must not stay open for want of hits."""

    async def run() -> None:
        writer = SqliteWriter(folder, segment_age=0.05)
        await writer.append(hits(0, 2))
        await asyncio.sleep(0.3)
        await writer.append(hits(2, 1))
        await writer.close()

    asyncio.run(run())
    [partition] = segment.partitions(folder)
    assert [int(path.stem) for path in segment.segments(partition)][:2] == [1, 3]


def test_settled_and_old_is_forgotten(folder: Path) -> None:
    """Closed segments go when they are settled and old; the newest stays while its owner lives; then all goes."""
    hands = Hands()
    writer = SqliteWriter(folder, segment_bytes=1, clock=hands)
    for start in range(0, 9, 3):
        append(writer, hits(start, 3))
    reader = SqliteReader(folder, "g", retention=100, clock=hands)
    name = drain(reader)[0].partition

    def held() -> list[int]:
        return [int(path.stem) for path in segment.segments(folder / name)]

    eventually(lambda: held() == [1, 4, 7, 10])  # the next segment is made behind the answer
    hands.time = 50
    reader.commit({name: 9})
    assert held() == [1, 4, 7, 10], "too young"
    hands.time = 200
    reader.commit({name: 5})
    assert held() == [4, 7, 10], "not settled"
    hands.time = 300
    reader.commit({name: 9})
    assert held() == [10], "the owner writes here"
    asyncio.run(writer.close())
    hands.time = 1e10
    reader.commit({name: 9})
    assert not (folder / name).exists()
    assert list(SqliteWatcher(folder).extents()) == []


def test_unsettled_hits_are_never_forgotten(folder: Path) -> None:
    """However old they are."""
    hands = Hands()
    writer = SqliteWriter(folder, segment_bytes=1, clock=hands)
    append(writer, hits(0, 3))
    append(writer, hits(3, 3), close=True)
    reader = SqliteReader(folder, "g", retention=0, clock=hands)
    name = drain(reader)[0].partition
    hands.time = 1e10
    reader.commit({name: 2})
    reader.close()
    assert numbers(drain(SqliteReader(folder, "g"))) == [2, 3, 4, 5]


@pytest.mark.parametrize("empty", [(11,), (11, 21)])
def test_empty_segments_behind_what_was_removed(folder: Path, empty: tuple[int, ...]) -> None:
    """Whoever begins before the gap finds nothing, at once, and the hits that come later."""
    append(SqliteWriter(folder), hits(0, 10))
    [partition] = segment.partitions(folder)
    for path in segment.segments(partition):
        segment.unlink(path)
    for first in empty:
        last = segment.create(partition, partition.name, first)
    reader = SqliteReader(folder, "g")
    assert drain(reader) == []
    with closing(sqlite3.connect(last)) as database, database:
        group = hits(0, 2)
        row = (empty[-1], empty[-1] + 1, group[0].received_at, Codec().encode(group))
        database.execute(segment.INSERT, row)
    assert numbers(drain(SqliteReader(folder, "other"))) == [0, 1]


def test_another_group_holds_what_it_has_not_settled(folder: Path) -> None:
    """Retention waits for the slowest group that reads here."""
    hands = Hands()
    append(SqliteWriter(folder, clock=hands), hits(0, 3), close=True)
    slow, fast = SqliteReader(folder, "slow", clock=hands), SqliteReader(folder, "fast", retention=0, clock=hands)
    name = drain(slow)[0].partition
    drain(fast)
    slow.commit({name: 1})
    hands.time = 1e10
    fast.commit({name: 3})
    assert (folder / name).exists()


def test_a_restored_copy_is_drained_and_never_continued(folder: Path) -> None:
    """After a copy of the stream is put back, its hits are read, and new ones get a new partition."""
    writer = SqliteWriter(folder)
    append(writer, hits(0, 5))
    shutil.copytree(folder, folder.with_name("copy"))
    append(writer, hits(5, 5), close=True)
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)
    append(SqliteWriter(folder), hits(100, 2))
    batches = drain(SqliteReader(folder, "g"))
    assert sorted(numbers(batches)) == [0, 1, 2, 3, 4, 100, 101]
    assert len({batch.partition for batch in batches}) == 2


KILLED = """
import asyncio, os, sys, pathlib
from pixelake.hit import Codec, Hit
from pixelake.stream.sqlite import SqliteWriter
async def main():
    writer = SqliteWriter(pathlib.Path(sys.argv[1]), segment_bytes=20_000)
    n = 0
    while True:
        await writer.append([Hit.of(1, "", "", "GET", b"/?n=%d" % (n + i), b"") for i in range(10)])
        n += 10
        os.write(1, b"%d\\n" % n)
asyncio.run(main())
"""


@pytest.mark.parametrize("kill_after", [40, 400, 2_000])
def test_what_was_acknowledged_survives_a_kill(folder: Path, kill_after: int) -> None:
    """SIGKILL at any moment: every acknowledged hit is there, once, in order."""
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    acknowledged = 0
    while acknowledged < kill_after:
        acknowledged = int(child.stdout.readline())
    child.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, child.stdout.read().split())])
    child.wait()
    child.stdout.close()
    found = numbers(drain(SqliteReader(folder, "g")))
    assert found == list(range(len(found)))
    assert acknowledged <= len(found) <= acknowledged + 10


def test_a_failed_commit_is_told_and_a_new_partition_begun(folder: Path) -> None:
    """The caller learns of the failure; later hits go to a partition with a new name; what was durable stays."""
    hands = Hands()
    writer = SqliteWriter(folder, clock=hands)
    append(writer, hits(0, 3))
    [path] = segment.segments(segment.partitions(folder)[0])
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE groups RENAME TO away")  # the next commit of the writer fails
    other.close()
    with pytest.raises(StreamUnavailable, match="no such table"):
        append(writer, hits(3, 3))
    with pytest.raises(StreamUnavailable):
        append(writer, hits(6, 3))  # at once: it waits a second before it tries again
    hands.time = 2
    append(writer, hits(9, 3), close=True)
    with sqlite3.connect(path) as other:
        other.execute("ALTER TABLE away RENAME TO groups")
    other.close()
    assert sorted(numbers(drain(SqliteReader(folder, "g")))) == [0, 1, 2, 9, 10, 11]


async def _answer(writer: SqliteWriter, number: int) -> bool:
    """Whether a hit was taken."""
    try:
        await writer.append(hits(number, 1))
    except StreamUnavailable:
        return False
    return True


def test_a_disk_that_turns_read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot even be tidied behind a commit ends no thread: later hits are taken once it can be written again."""

    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    async def run() -> None:
        writer = SqliteWriter(folder, segment_age=1, clock=hands)
        await writer.append(hits(0, 3))
        hands.time = 2
        with monkeypatch.context() as disk:
            disk.setattr(OwnPartition, "roll", broken)
            disk.setattr(Path, "unlink", broken)
            answers = [await asyncio.wait_for(_answer(writer, number), 5) for number in (3, 4)]
            assert not answers[1]  # the first may have come before the disk was tidied
        hands.time = 4
        await asyncio.wait_for(writer.append(hits(9, 3)), 5)
        await writer.close()

    hands = Hands()
    asyncio.run(run())
    assert {0, 1, 2, 9, 10, 11} <= set(numbers(drain(SqliteReader(folder, "g")))) <= {0, 1, 2, 3, 9, 10, 11}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_unavailable(tmp_path: Path) -> None:
    """No permission is a refusal with the system's words."""
    tmp_path.chmod(0o500)
    with pytest.raises(StreamUnavailable, match="Permission denied"):
        append(SqliteWriter(tmp_path / "stream"), hits(0, 1))


def test_one_bad_partition_does_not_hold_the_others(folder: Path) -> None:
    """What is not known to be damage is told and left alone for a while; whoever reads on gets the rest."""
    for start in (0, 10, 20):
        append(SqliteWriter(folder), hits(start, 5), close=True)
    bad = segment.partitions(folder)[0]
    bad.rename(folder / "ffffffffffff")  # it may be a copy
    reader = SqliteReader(folder, "g")
    found, errors = [], 0
    for _ in range(6):
        try:
            found += numbers([batch] if (batch := reader.read(10, 0)) else [])
        except StreamError:
            errors += 1
    assert (len(found), errors) == (10, 1)


def test_a_copied_partition_is_not_read(folder: Path) -> None:
    """Not under a name that is no partition's, and not under one that could be."""
    append(SqliteWriter(folder), hits(0, 5), close=True)
    [partition] = segment.partitions(folder)
    shutil.copytree(partition, folder / f"{partition.name}.bak")
    (folder / "lost+found").mkdir()
    assert numbers(drain(SqliteReader(folder, "g"))) == list(range(5))
    assert len(SqliteWatcher(folder).extents()) == 1
    shutil.copytree(partition, folder / "ffffffffffff")
    with pytest.raises(StreamError, match="belongs to partition"):
        drain(SqliteReader(folder, "other"))


def test_nothing_is_acknowledged_that_nobody_will_find(folder: Path) -> None:
    """If the folder is taken away under the writer, the commit fails, and the next one begins a new partition."""
    hands = Hands()
    writer = SqliteWriter(folder, clock=hands)
    append(writer, hits(0, 1))
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(StreamUnavailable):
        append(writer, hits(1, 1))
    hands.time = 5
    append(writer, hits(2, 1))
    assert numbers(drain(SqliteReader(folder, "g"))) == [2]


def test_a_reserve_is_left_on_the_disk(folder: Path) -> None:
    """So that what is in the stream can still be settled."""
    folder.mkdir(parents=True)
    with pytest.raises(StreamUnavailable, match="MB left"):
        append(SqliteWriter(folder, reserve=1 << 60), hits(0, 1))


def test_drained_partitions_need_no_file_but_their_lock(folder: Path) -> None:
    """There may be hundreds of them, each from a restart of a day."""
    for start in range(20):
        append(SqliteWriter(folder), hits(start, 1), close=True)
    reader = SqliteReader(folder, "g", clock=(hands := Hands()))
    assert len(numbers(drain(reader))) == 20
    hands.time = 5
    reader.read(1, 0)
    handles = [handle for handle in Path("/proc/self/fd").iterdir() if handle.is_symlink()]
    ours = [path for handle in handles if folder in (path := handle.readlink()).parents and path.parent != folder]
    assert len(ours) == 20
    assert all(path.suffix == ".lock" for path in ours)


def test_batches_are_bounded_in_bytes(folder: Path) -> None:
    """Large hits come in small batches, and in small rows."""
    large = [Hit.of(1, "", "", "POST", b"/?n=%d" % n, b"", os.urandom(1 << 20)) for n in range(40)]
    append(SqliteWriter(folder), large)
    batches = drain(SqliteReader(folder, "g"), limit=10_000)
    assert numbers(batches) == list(range(40))
    assert max(sum(len(hit.body) for hit in batch.hits) for batch in batches) <= 21 << 20


def test_the_files_are_those_of_version_1(folder: Path) -> None:
    """Table, version and names are a format: a change needs a new version and a reader for both."""
    append(SqliteWriter(folder), [Hit.of(7, "::1", "::1", "GET", b"/?n=0", b"")], close=True)
    [path] = segment.segments(segment.partitions(folder)[0])
    assert path.name == "00000000000000000001.sqlite"
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT first, last, received_at, hex(substr(data, 1, 5)) FROM groups").fetchall() == [
            (1, 1, 7, "0228B52FFD")
        ]
    database.close()


def test_an_encoder_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong before the disk is told to those who wait, and the next ones are taken."""

    async def run() -> None:
        writer = SqliteWriter(folder)
        await writer.append(hits(0, 3))
        with monkeypatch.context() as broken:
            broken.setattr("pixelake.hit.Codec.compress", _no_memory)
            with pytest.raises(StreamUnavailable):
                await writer.append(hits(3, 3))
        await writer.append(hits(6, 3))
        await writer.close()

    asyncio.run(run())
    assert numbers(drain(SqliteReader(folder, "g"))) == [0, 1, 2, 6, 7, 8]


def _no_memory(*_: object) -> bytes:
    raise MemoryError
