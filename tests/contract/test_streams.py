"""What every stream keeps, as `pixelake.stream.base` promises it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pixelake.stream.base import Reader, Watcher, Writer
from pixelake.stream.memory import MemoryStream
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.stream.sqlite_watcher import SqliteWatcher
from tests.hits import append, drain, hits, numbers


@dataclass
class Backend:
    """How to come by the parts of a stream."""

    writer: Callable[[], Writer]
    reader: Callable[[str], Reader]
    watcher: Callable[[], Watcher]


@pytest.fixture(params=["memory", "sqlite", "sqlite-small-segments"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """Each backend that needs no service."""
    if request.param == "memory":
        stream = MemoryStream()
        yield Backend(stream.writer, stream.reader, lambda: stream)
        return
    size = 400 if request.param == "sqlite-small-segments" else 1 << 27
    folder = tmp_path / "data" / "stream"
    readers: list[Reader] = []

    def reader(group: str) -> Reader:
        readers.append(SqliteReader(folder, group))
        return readers[-1]

    yield Backend(lambda: SqliteWriter(folder, segment_bytes=size), reader, lambda: SqliteWatcher(folder))
    for opened in readers:
        opened.close()


def test_everything_comes_out_in_order(backend: Backend) -> None:
    """Hits come out as they went in, with positions from 1 on without gaps."""
    writer = backend.writer()
    for start in range(0, 300, 30):
        append(writer, hits(start, 30))
    batches = drain(backend.reader("g"), limit=7)
    assert numbers(batches) == list(range(300))
    assert [place for batch in batches for place in batch.positions] == list(range(1, 301))
    assert len({batch.partition for batch in batches}) == 1
    assert max(len(batch.hits) for batch in batches) <= 7


def test_ids_are_unique_and_stable(backend: Backend) -> None:
    """A hit has the same id each time it is read, whatever the size of the batch, and no two have the same."""
    append(backend.writer(), hits(0, 50))
    append(backend.writer(), hits(50, 50))
    first = [name for batch in drain(backend.reader("a"), 3) for name in batch.ids]
    second = [name for batch in drain(backend.reader("b"), 50) for name in batch.ids]
    assert sorted(first) == sorted(second)
    assert len(set(first)) == 100


def test_concurrent_appends_all_return(backend: Backend) -> None:
    """Appends that wait for each other share a commit; none is lost, none mixed up."""
    append(backend.writer(), *[hits(n * 3, 3) for n in range(100)])
    assert sorted(numbers(drain(backend.reader("g")))) == list(range(300))


def test_committed_hits_do_not_come_again(backend: Backend) -> None:
    """A new reader of the group begins behind what the group committed."""
    writer = backend.writer()
    append(writer, hits(0, 10))
    reader = backend.reader("g")
    [batch] = drain(reader)
    reader.commit({batch.partition: 6})
    reader.close()
    again = backend.reader("g")
    assert numbers(drain(again)) == [6, 7, 8, 9]
    append(writer, hits(10, 2))
    assert numbers(drain(again)) == [10, 11]


def test_uncommitted_hits_come_again(backend: Backend) -> None:
    """What was read but not committed is read again by the next reader of the group."""
    append(backend.writer(), hits(0, 10))
    reader = backend.reader("g")
    assert len(numbers(drain(reader))) == 10
    reader.close()
    assert numbers(drain(backend.reader("g"))) == list(range(10))


def test_rewind_names_where_to_go_on(backend: Backend) -> None:
    """A rewind may point anywhere, also into the middle of what one commit stored; unnamed partitions begin anew."""
    writer = backend.writer()
    append(writer, hits(0, 20))
    append(writer, hits(20, 20))
    reader = backend.reader("g")
    name = drain(reader)[0].partition
    reader.rewind({name: 25})
    assert numbers(drain(reader)) == list(range(25, 40))
    reader.rewind({name: 13})
    assert numbers(drain(reader)) == list(range(13, 40))
    reader.rewind({})
    assert numbers(drain(reader)) == list(range(40))


def test_partitions_take_turns(backend: Backend) -> None:
    """No partition waits until another one is drained."""
    append(backend.writer(), hits(0, 40))
    append(backend.writer(), hits(100, 40))
    order = [batch.partition for batch in drain(backend.reader("g"), limit=10)]
    assert len(set(order[:2])) == 2


def test_a_closed_writers_partition_is_still_drained(backend: Backend) -> None:
    """Hits outlive whoever wrote them."""
    append(backend.writer(), hits(0, 5), close=True)
    assert numbers(drain(backend.reader("g"))) == list(range(5))


def test_a_new_writer_never_takes_up_an_old_name(backend: Backend) -> None:
    """Each writer has a partition of its own, so that positions are never given twice."""
    append(backend.writer(), hits(0, 1), close=True)
    append(backend.writer(), hits(1, 1), close=True)
    assert len({batch.partition for batch in drain(backend.reader("g"))}) == 2


def test_the_watcher_sees_what_is_held(backend: Backend) -> None:
    """Extents give first and last position; a held hit's time is known, another's is not."""
    writer = backend.writer()
    append(writer, hits(0, 10))
    append(writer, hits(10, 5))
    [extent] = backend.watcher().extents()
    assert (extent.first, extent.last) == (1, 15)
    assert backend.watcher().received_at(extent.partition, 1) == 1_000_000
    assert backend.watcher().received_at(extent.partition, 16) is None


def test_a_watcher_sees_how_far_a_group_is(backend: Backend) -> None:
    """Nothing before its first commit; then its own positions, and not those of others."""
    writer = backend.writer()
    append(writer, hits(0, 10))
    [extent] = backend.watcher().extents()
    assert backend.watcher().committed("g") == {}
    backend.reader("g").commit({extent.partition: 7})
    backend.reader("h").commit({extent.partition: 3})
    assert backend.watcher().committed("g") == {extent.partition: 7}


def test_an_empty_stream_is_no_error(backend: Backend) -> None:
    """Before the first hit there is nothing, and that is said at once."""
    assert backend.reader("g").read(10, 0) is None
    assert list(backend.watcher().extents()) == []
