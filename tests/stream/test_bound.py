"""The bound of the stream in bytes, and the commit window."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from pixelake.errors import StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import segment
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.testing import FakeClock
from tests.hits import append, drain, hits, numbers

BOUND = 2_000_000


@pytest.fixture
def stream(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "data" / "stream"


def _large(number: int) -> list[Hit]:
    """100,000 bytes that do not compress."""
    body = random.Random(number).randbytes(100_000)
    return [Hit.of(1_000_000 + number, "", "", "POST", b"/?n=%d" % number, b"", body)]


def _fill(writer: SqliteWriter, clock: FakeClock, start: int = 0) -> int:
    """Append until it refuses; how many were taken."""
    for number in range(start, start + 100):
        clock.advance(2)
        try:
            append(writer, _large(number))
        except StreamUnavailable:
            return number - start
    return 100


def test_unsettled_hits_fill_the_stream(stream: Path) -> None:
    """Then it refuses, and takes hits again once the consumer has caught up; nothing that was taken is lost."""
    clock = FakeClock()
    writer = SqliteWriter(stream, bound=BOUND, clock=clock)
    taken = _fill(writer, clock)
    assert 19 <= taken <= 22
    with pytest.raises(StreamUnavailable, match="the stream is full"):
        append(writer, _large(taken))
    reader = SqliteReader(stream, "g", bound=BOUND, retention=1e12, clock=clock)
    batches = drain(reader, limit=5)
    assert numbers(batches) == list(range(taken))
    name = batches[0].partition
    reader.commit({name: 2})
    assert _fill(writer, clock, taken) <= 2, "two are settled, so there is room for as many"
    more = drain(reader)
    reader.commit({name: batches[-1].positions[-1] + len(numbers(more))})
    clock.advance(20)
    assert _fill(writer, clock, 1_000) >= 15


def test_settled_hits_leave_early(stream: Path) -> None:
    """The oldest first, although they are not old; the rest stays, also what is not settled."""
    clock = FakeClock()
    writer = SqliteWriter(stream, segment_bytes=200_000, clock=clock)
    for number in range(40):
        append(writer, _large(number))
    reader = SqliteReader(stream, "g", bound=BOUND, retention=1e12, clock=clock)
    [partition] = segment.partitions(stream)
    drain(reader)
    clock.advance(20)
    reader.commit({partition.name: 10})
    assert int(segment.segments(partition)[0].stem) in (10, 11), "no more is settled"
    clock.advance(20)
    reader.commit({partition.name: 40})
    assert BOUND - 500_000 < segment.total(stream) <= BOUND
    left = int(segment.segments(partition)[0].stem)
    again = SqliteReader(stream, "other", clock=clock)
    assert numbers(drain(again)) == list(range(left - 1, 40))


def test_orphans_are_drained_and_go(stream: Path) -> None:
    """Partitions of writers that are no more are read to their end and count towards the bound."""
    clock = FakeClock()
    for number in range(30):
        append(SqliteWriter(stream, clock=clock), _large(number), close=True)
    reader = SqliteReader(stream, "g", bound=BOUND, retention=1e12, clock=clock)
    batches = drain(reader)
    assert sorted(numbers(batches)) == list(range(30))
    clock.advance(20)
    reader.read(1, 0)  # looks for the ends
    clock.advance(20)
    reader.commit({batch.partition: batch.positions[-1] for batch in batches})
    assert 15 <= len(segment.partitions(stream)) <= 20
    assert segment.total(stream) <= BOUND


def test_the_bound_of_a_damaged_stream(stream: Path) -> None:
    """What cannot be read counts with all its bytes, and what is gone with none; nobody is refused for that."""
    append(SqliteWriter(stream), _large(0), close=True)
    [partition] = segment.partitions(stream)
    [path] = segment.segments(partition)
    path.write_bytes(bytes(50_000))
    assert segment.bytes_behind(partition, 0) == 50_000
    assert segment.bytes_behind(stream / "ffffffffffff", 0) == 0


def test_no_bound(stream: Path) -> None:
    """By default only age counts."""
    clock = FakeClock()
    assert _fill(SqliteWriter(stream, clock=clock), clock) == 100


def test_a_commit_waits_for_more(stream: Path) -> None:
    """With a window, hits that come one after the other share a commit; each waits for it."""

    async def run() -> None:
        writer = SqliteWriter(stream, window=0.3)
        began = time.monotonic()
        first = asyncio.ensure_future(writer.append(hits(0, 1)))
        await asyncio.sleep(0.05)
        second = asyncio.ensure_future(writer.append(hits(1, 1)))
        await asyncio.gather(first, second)
        assert time.monotonic() - began >= 0.3
        await writer.append(hits(2, 1))
        await writer.close()

    asyncio.run(run())
    [path] = segment.segments(segment.partitions(stream)[0])
    connection = segment.connect(path)
    assert connection.execute("SELECT first, last FROM groups").fetchall() == [(1, 2), (3, 3)]
    connection.close()
