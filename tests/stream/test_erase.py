"""Hits leave segments: their places stay, the others stay as they are, and no byte of theirs stays in any file."""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pixelake.errors import StreamError
from pixelake.hit import ERASED, Codec, Hit
from pixelake.stream import erase, mend, segment
from pixelake.stream.base import Partition, Position
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.stream.sqlite_watcher import SqliteWatcher
from pixelake.testing import FakeClock
from tests.hits import append, drain, hits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "data" / "stream"


def number(hit: Hit) -> int:
    """Which hit it is; -1 of an erased one."""
    return int(hit.target.partition(b"=")[2] or -1)


def without(*numbers: int) -> erase.Edit:
    """Erase these hits."""

    def edit(_: Partition, __: Sequence[Position], those: Sequence[Hit]) -> Sequence[Hit]:
        return [Hit(hit.received_at, "", "", b"", b"", ERASED) if number(hit) in numbers else hit for hit in those]

    return edit


def held(folder: Path) -> list[tuple[int, Hit]]:
    """Positions and hits, of one partition."""
    reader = SqliteReader(folder, "look")
    found = [pair for batch in drain(reader) for pair in zip(batch.positions, batch.hits, strict=True)]
    reader.close()
    return found


def test_places_and_times_stay(folder: Path) -> None:
    """An erased hit is an empty one in its place, with its time; the others are equal byte by byte."""
    append(SqliteWriter(folder), hits(0, 4), hits(4, 3), close=True)
    before = held(folder)
    done = erase.rewrite(folder, without(2, 5))
    (places,) = done.erased.values()
    assert (list(places), done.hits) == ([3, 6], 7)
    after = held(folder)
    assert [place for place, _ in after] == list(range(1, 8))
    assert [hit.received_at for _, hit in after] == [hit.received_at for _, hit in before]
    assert [hit for _, hit in after if hit.source != ERASED] == [hit for _, hit in before if number(hit) not in {2, 5}]


@pytest.mark.parametrize("together", [1, 3, 4, 100])
def test_places_are_right_however_many_are_asked_about_together(
    folder: Path, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of one, two and three hits, of which some are the person's."""
    monkeypatch.setattr(erase, "_HITS", together)
    writer = SqliteWriter(folder)
    for first, count in ((0, 1), (1, 3), (4, 2), (6, 1), (7, 3), (10, 2)):
        append(writer, hits(first, count), close=first == 10)
    done = erase.rewrite(folder, without(0, 3, 4, 8, 11))
    assert [list(places) for places in done.erased.values()] == [[1, 4, 5, 9, 12]]
    assert [number(hit) for _, hit in held(folder)] == [-1, 1, 2, -1, -1, 5, 6, 7, -1, 9, 10, -1]


def test_an_edit_that_forgets_a_hit_is_refused(folder: Path) -> None:
    """Else what stands behind it would be taken for what was looked at."""
    append(SqliteWriter(folder), hits(0, 3), close=True)
    with pytest.raises(ValueError, match="zip"):
        erase.rewrite(folder, lambda _partition, _places, those: those[:2])


def test_nothing_stays_in_any_file(folder: Path) -> None:
    """Neither in free pages, nor in logs: after it every row of every file is decoded, and every byte looked at."""
    writer = SqliteWriter(folder)
    append(writer, hits(0, 3))
    append(writer, [msgspec.structs.replace(hits(7, 1)[0], body=b"SECRET-of-somebody")], close=True)
    erase.rewrite(folder, without(7))
    for path in (path for path in folder.rglob("*") if path.is_file()):
        assert b"SECRET" not in path.read_bytes()
        if path.suffix == ".sqlite" and path.parent != folder:
            with closing(segment.connect(path)) as connection:
                for (data,) in connection.execute("select data from groups"):
                    assert all(b"SECRET" not in hit.body for hit in Codec().decode(data))


def test_only_what_changes_is_written(folder: Path) -> None:
    """A segment without such a hit keeps its file."""
    writer = SqliteWriter(folder, segment_bytes=1)
    for start in range(0, 6, 2):
        append(writer, hits(start, 2))
    asyncio.run(writer.close())
    (partition,) = segment.partitions(folder)
    before = {path.name: path.stat().st_ino for path in segment.segments(partition)}
    erase.rewrite(folder, without(3))
    after = {path.name: path.stat().st_ino for path in segment.segments(partition)}
    assert [name for name in before if before[name] != after[name]] == [f"{3:020}.sqlite"]
    assert erase.rewrite(folder, without(3)).erased == {}


def test_owners_close_what_is_open_when_asked(folder: Path) -> None:
    """A living owner begins a new segment within seconds, also when no hit comes; the newest one is never touched."""

    async def run() -> None:
        writer = SqliteWriter(folder)
        await writer.append(hits(0, 3))
        until = erase.ask(folder)
        assert list(until.values()) == [3]
        assert erase.waiting(folder, until).open == list(until)
        assert erase.rewrite(folder, without(1)).erased == {}
        for _ in range(100):
            if not erase.waiting(folder, until).open:
                break
            await asyncio.sleep(0.1)
        await writer.append(hits(3, 2))
        assert not erase.waiting(folder, until).open
        assert list(erase.rewrite(folder, without(1, 4)).erased.values()) == [[2]]
        await writer.close()

    asyncio.run(run())
    assert [number(hit) for _, hit in held(folder)] == [0, -1, 2, 3, 4]
    assert not list(folder.rglob("roll"))


def test_unsettled_hits_are_waited_for(folder: Path) -> None:
    """What the consumer has not settled is told; once it is, nothing is waited for. A dead owner need not roll."""
    append(SqliteWriter(folder), hits(0, 3), close=True)
    until = erase.ask(folder)
    assert erase.waiting(folder, until) == ([], 3)
    reader = SqliteReader(folder, "consume")
    (batch,) = drain(reader)
    reader.commit({batch.partition: batch.positions[-1]})
    assert erase.waiting(folder, until) == ([], 0)
    reader.close()


def test_readers_see_that_a_segment_was_written_anew(folder: Path) -> None:
    """A reader that has the old file open goes on in the new one: what it returns later is without the hit."""
    writer, clock = SqliteWriter(folder), FakeClock()
    for start in range(0, 9, 3):
        append(writer, hits(start, 3))
    asyncio.run(writer.close())
    reader = SqliteReader(folder, "g", clock=clock)
    assert reader.read(3, 0)
    erase.rewrite(folder, without(7))
    clock.sleep(2)  # it looks once a second
    assert [number(hit) for batch in drain(reader) for hit in batch.hits] == [3, 4, 5, 6, -1, 8]
    reader.close()


def test_what_is_set_aside_is_searched(folder: Path) -> None:
    """A damaged segment goes if it has the hit, and its note of what is lost stays; else it is told."""
    writer = SqliteWriter(folder, segment_bytes=1)
    for start in range(0, 6, 2):
        append(writer, hits(start, 2))
    asyncio.run(writer.close())
    (partition,) = segment.partitions(folder)
    first, second, *_ = segment.segments(partition)
    for path in (first, second):
        _damage(path)
    extents = SqliteWatcher(folder).extents
    done = erase.rewrite(folder, without(0))
    assert [Path(path).name for path in done.removed] == []
    assert len(done.unread) == 2
    assert sum(end - begin + 1 for begin, end in extents()[0].lost) == 4
    assert len(mend.notes(partition)) == 2


def _damage(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
        connection.execute("update groups set data = x'0200'")
        connection.commit()


def test_evidence_that_can_be_read_goes(folder: Path) -> None:
    """Of a segment set aside with rows that can be read, the whole file goes when one of them has the hit."""
    writer = SqliteWriter(folder)
    append(writer, hits(0, 2))
    append(writer, hits(2, 2), close=True)
    (partition,) = segment.partitions(folder)
    (path,) = segment.segments(partition)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update groups set data = x'0200' where first = 3")
        connection.commit()
    done = erase.rewrite(folder, without(1))
    assert [Path(path).name for path in done.removed] == [path.name]
    assert list(done.erased.values()) == [[2]]
    assert [number(hit) for _, hit in held(folder)] == [0, -1]
    assert len(mend.notes(partition)) == 1
    assert not list((partition / mend.DAMAGED).rglob("*.sqlite"))


def test_what_was_cut_short_is_tidied(folder: Path) -> None:
    """The segment in the making of an erasure that was killed holds what should go: the next one removes it."""
    append(SqliteWriter(folder), hits(0, 3), close=True)
    (partition,) = segment.partitions(folder)
    (path,) = segment.segments(partition)
    shutil.copy(path, partition / ".erase-00000000000000000001")
    assert SqliteWatcher(folder).extents()[0].last == 3
    erase.rewrite(folder, without(1))
    assert not list(partition.glob(".erase*"))


def test_a_log_that_is_not_moved_yet_belongs_to_the_old_file(folder: Path) -> None:
    """An owner that was killed leaves its log: what is in it is in the new file, and is not applied to it again."""
    writer = SqliteWriter(folder)
    append(writer, hits(0, 3))
    (partition,) = segment.partitions(folder)
    dead = folder.parent / "other" / partition.name
    shutil.copytree(partition, dead)
    assert (dead / f"{1:020}.sqlite-wal").stat().st_size
    assert list(erase.rewrite(dead.parent, without(1)).erased.values()) == [[2]]
    assert [number(hit) for _, hit in held(dead.parent)] == [0, -1, 2]
    asyncio.run(writer.close())


def test_a_newer_version_is_told_apart(folder: Path) -> None:
    """Hits that a newer version wrote cannot be judged: nothing is set aside, and it is said what to do."""
    append(SqliteWriter(folder), hits(0, 3), close=True)
    (path,) = segment.segments(segment.partitions(folder)[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update groups set data = x'7f00'")
        connection.commit()
    with pytest.raises(StreamError, match="version"):
        erase.rewrite(folder, without(1))
    assert path.exists()
