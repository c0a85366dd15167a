"""What a stream without order keeps, as `pixelake.stream.base` promises it: those of AWS, against moto's server."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pixelake.stream import aws, kinesis, kinesis_reader, remote
from pixelake.stream.base import GROUP, Batch, Reader, Watcher, Writer
from tests.hits import append, numbers
from tests.s3 import Server, reached
from tests.stream.aws import drained, hits, new_queue

BACKENDS = ("sqs", "kinesis", "kinesis-aggregated")


@dataclass
class Backend:
    """How to come by the parts of a stream."""

    scheme: str
    name: str
    folder: Path
    opened: list[Reader] = field(default_factory=list)

    def writer(self) -> Writer:
        """Another writer."""
        return remote.writer(self.scheme, self.name)

    def reader(self) -> Reader:
        """Another reader of the consumer's group."""
        self.opened.append(remote.reader(self.scheme, self.name, self.folder, GROUP))
        return self.opened[-1]

    def watcher(self) -> Watcher:
        """What `status` asks."""
        return remote.watcher(self.scheme, self.name, self.folder)


@pytest.fixture(params=BACKENDS)
def backend(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: Server
) -> Iterator[Backend]:
    """Each backend of AWS, with a new and empty queue or stream."""
    reached(monkeypatch, moto.environment)
    monkeypatch.setattr(kinesis, "CALLS", 1)  # moto gives two records one sequence number if calls are made at once
    monkeypatch.setattr(kinesis_reader, "PACE", 0.01)
    if request.param == "sqs":
        name = new_queue()
    else:
        name = f"hits-{uuid.uuid4().hex[:12]}"
        aws.client("kinesis").create_stream(StreamName=name, ShardCount=2)
        name += "?aggregate=on" if request.param.endswith("aggregated") else ""
    made = Backend(request.param.partition("-")[0], name, tmp_path / "stream")
    yield made
    for reader in made.opened:
        reader.close()


def ids(batches: list[Batch]) -> list[str]:
    """Of all hits, sorted."""
    return sorted(each for batch in batches for each in batch.ids)


def test_everything_comes_out_once(backend: Backend) -> None:
    """All hits, with positions from 1 on without gaps in each partition, and no more at once than asked for."""
    writer = backend.writer()
    for start in range(0, 120, 30):
        append(writer, hits(start, 30))
    reader = backend.reader()
    batches = drained(reader, 120, limit=7)
    assert not reader.ordered
    assert sorted(numbers(batches)) == list(range(120))
    places: dict[str, list[int]] = {}
    for batch in batches:
        places.setdefault(batch.partition, []).extend(batch.positions)
    assert all(each == list(range(1, len(each) + 1)) for each in places.values())
    assert max(len(batch.hits) for batch in batches) <= 7


def test_concurrent_appends_all_return(backend: Backend) -> None:
    """None is lost, none mixed up, and no two hits have one id."""
    append(backend.writer(), *[hits(n * 3, 3) for n in range(30)])
    batches = drained(backend.reader(), 90)
    assert sorted(numbers(batches)) == list(range(90))
    assert len(set(ids(batches))) == 90


def test_committed_hits_do_not_come_again(backend: Backend) -> None:
    """A new reader gets what was appended since, and nothing else."""
    writer = backend.writer()
    append(writer, hits(0, 20))
    reader = backend.reader()
    batches = drained(reader, 20)
    reader.commit({batch.partition: batch.positions[-1] for batch in batches})
    backend.opened.remove(reader)
    reader.close()
    append(writer, hits(20, 5))
    assert sorted(numbers(drained(backend.reader(), 5))) == [20, 21, 22, 23, 24]


def test_uncommitted_hits_come_again(backend: Backend) -> None:
    """By their ids they are known as the same, whatever their places are."""
    append(backend.writer(), hits(0, 20))
    reader = backend.reader()
    first = drained(reader, 20)
    backend.opened.remove(reader)
    reader.close()
    assert ids(drained(backend.reader(), 20)) == ids(first)


def test_rewind_brings_back_what_is_not_committed(backend: Backend) -> None:
    """No position of a partition is ever given to two hits."""
    append(backend.writer(), hits(0, 20))
    reader = backend.reader()
    first = drained(reader, 20)
    reader.rewind({})
    again = drained(reader, 20)
    assert ids(again) == ids(first)
    named = {
        (batch.partition, place): each
        for batch in [*first, *again]
        for place, each in zip(batch.positions, batch.ids, strict=True)
    }
    assert all(
        named[batch.partition, place] == each
        for batch in first
        for place, each in zip(batch.positions, batch.ids, strict=True)
    )


def test_hits_outlive_whoever_wrote_them(backend: Backend) -> None:
    """Also those of a writer that is closed."""
    append(backend.writer(), hits(0, 5), close=True)
    append(backend.writer(), hits(5, 5), close=True)
    assert sorted(numbers(drained(backend.reader(), 10))) == list(range(10))


def test_an_empty_stream_is_no_error(backend: Backend) -> None:
    """Before the first hit there is nothing, and that is said."""
    assert backend.reader().read(10, 0) is None
    assert list(backend.watcher().extents()) == []
    assert backend.watcher().committed(GROUP) == {}
