"""A stream of Kinesis, against moto's server, with faults between."""

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pixelake import hit_json
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import HitTooLarge, StreamError, StreamUnavailable
from pixelake.hit import UNREADABLE, Hit
from pixelake.stream import aws, kinesis, kinesis_reader
from pixelake.stream.aggregate import MAGIC, pack
from pixelake.stream.kinesis import KinesisStream, KinesisWriter
from pixelake.stream.kinesis_places import KEPT, Place, Places
from pixelake.stream.kinesis_reader import KinesisReader, KinesisWatcher
from tests.hits import append, numbers
from tests.s3 import Server, reached
from tests.stream.aws import BEGIN, Faulty, drained, error, hits, unreachable


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch, moto: Server) -> str:
    """A new stream of two shards."""
    reached(monkeypatch, moto.environment)
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.002, 0.004))
    monkeypatch.setattr(kinesis, "CALLS", 1)  # moto gives two records one sequence number if calls are made at once
    monkeypatch.setattr(kinesis_reader, "PACE", 0.01)
    monkeypatch.setattr(kinesis_reader, "HOLD_BACK", 0.1)
    return new_stream()


def new_stream(shards: int = 2) -> str:
    """The name of a new, empty stream."""
    name = f"hits-{uuid.uuid4().hex[:12]}"
    aws.client("kinesis").create_stream(StreamName=name, ShardCount=shards)
    return name


Opened = Callable[..., KinesisReader]


@pytest.fixture
def reader(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Opened:
    """Makes readers of the stream that are closed in the end."""

    def make(group: str = "consume", stream: KinesisStream | None = None) -> KinesisReader:
        made = KinesisReader(stream or KinesisStream(name), tmp_path / "stream", group)
        request.addfinalizer(made.close)
        return made

    return make


def settle(reader: KinesisReader, count: int) -> list[Any]:
    """Read so many hits, and commit them."""
    batches = drained(reader, count)
    reader.commit({batch.partition: batch.positions[-1] for batch in batches})
    return batches


def put(name: str, *records: bytes, key: str = "k") -> None:
    """What others put into the stream."""
    client = aws.client("kinesis")
    for data in records:
        client.put_record(StreamName=name, Data=data, PartitionKey=key)


@pytest.mark.parametrize("aggregate", [False, True], ids=["plain", "aggregated"])
def test_a_hit_arrives_as_it_was(name: str, reader: Opened, *, aggregate: bool) -> None:
    """Whatever bytes a hit has, they come out again, each with its id; aggregated many share a record."""
    client = Faulty("kinesis")
    times = [BEGIN + n for n in range(1, 40)]
    sent = [Hit.of(at, "::1", "", "POST", b"/\xff", b"no colon\r\n", b"\x00\xff", "edge") for at in times]
    append(KinesisWriter(KinesisStream(name, client), aggregate=aggregate), sent)
    found = [hit for batch in drained(reader(), 39) for hit in batch.hits]
    assert sorted(hit.received_at for hit in found) == times
    assert len({hit.hit_id for hit in found}) == 39
    assert {(hit.head, hit.body, hit.source) for hit in found} == {(sent[0].head, b"\x00\xff", "edge")}
    [(_, arguments)] = client.calls
    assert (len(arguments["Records"]) == 39) is not aggregate
    assert arguments["Records"][0]["Data"].startswith(MAGIC) is aggregate


def test_only_what_failed_is_put_again(name: str, reader: Opened) -> None:
    """Of a call that was taken in part only the rest is put again, and nothing twice."""
    client = Faulty("kinesis")

    def partly(Records: Any, **more: Any) -> Any:  # noqa: N803 - botocore's name
        client._client.put_records(Records=Records[:7], **more)
        late = {"ErrorCode": "ProvisionedThroughputExceededException"}
        return {"FailedRecordCount": 3, "Records": [{}] * 7 + [late] * 3}

    client._faults["put_records"] = [partly, error("ProvisionedThroughputExceededException")]
    append(KinesisWriter(KinesisStream(name, client)), hits(0, 10))
    assert [len(arguments["Records"]) for _, arguments in client.calls] == [10, 3, 3]
    assert sorted(numbers(drained(reader(), 10))) == list(range(10))


def test_what_is_never_taken_is_an_error(name: str) -> None:
    """A stream that stays too busy promises nothing; one that cannot be reached is told at once."""
    busy = Faulty("kinesis", put_records=[error("ProvisionedThroughputExceededException")] * 4)
    with pytest.raises(StreamUnavailable, match="1 of 1 were not taken"):
        append(KinesisWriter(KinesisStream(name, busy)), hits(0, 1))
    away = Faulty("kinesis", put_records=[unreachable])
    with pytest.raises(StreamUnavailable) as caught:
        append(KinesisWriter(KinesisStream(name, away)), hits(0, 1))
    assert "AWS_" in caught.value.hint
    assert away.count("put_records") == 1


def test_calls_and_records_are_bounded(name: str, reader: Opened) -> None:
    """Five hundred records a call; a hit that fits into none is refused, and the others are there."""
    client = Faulty("kinesis")
    large = Hit.of(BEGIN, "", "", "POST", b"/events", b"", b"\xff" * (1 << 20))
    with pytest.raises(HitTooLarge) as caught:
        append(KinesisWriter(KinesisStream(name, client)), [*hits(0, 600), large, *hits(600, 100)])
    assert caught.value.places == {600}
    assert sorted(len(arguments["Records"]) for _, arguments in client.calls) == [200, 500]
    assert sorted(numbers(drained(reader(), 700))) == list(range(700))


def test_positions_of_a_shard_grow_without_gaps(name: str, reader: Opened) -> None:
    """Each shard is a partition; both take turns, and a batch is no longer than it may be."""
    append(KinesisWriter(KinesisStream(name), aggregate=True), hits(0, 30))
    append(KinesisWriter(KinesisStream(name)), hits(30, 70))
    batches = drained(reader(), 100, limit=7)
    places: dict[str, list[int]] = {}
    for batch in batches:
        places.setdefault(batch.partition, []).extend(batch.positions)
    assert len(places) == 2
    assert all(each == list(range(1, len(each) + 1)) for each in places.values())
    assert max(len(batch.hits) for batch in batches) <= 7


@pytest.mark.parametrize("aggregate", [False, True], ids=["plain", "aggregated"])
def test_what_is_committed_does_not_come_again(name: str, reader: Opened, *, aggregate: bool) -> None:
    """Also in the middle of an aggregate: what follows comes again, at the same positions, with the same ids."""
    append(KinesisWriter(KinesisStream(name), aggregate=aggregate), hits(0, 60))
    first = reader()
    batches = drained(first, 60)
    whole = {(b.partition, place): each for b in batches for place, each in zip(b.positions, b.ids, strict=True)}
    first.commit(dict.fromkeys({batch.partition for batch in batches}, 5))
    first.close()
    again = drained(reader(), 50)
    found = {(b.partition, place): each for b in again for place, each in zip(b.positions, b.ids, strict=True)}
    assert found == {where: each for where, each in whole.items() if where[1] > 5}
    append(KinesisWriter(KinesisStream(name)), hits(60, 4))


def test_rewind_names_where_to_go_on(name: str, reader: Opened) -> None:
    """Before and behind what was committed, at the same positions; unnamed shards begin with their oldest hit."""
    append(KinesisWriter(KinesisStream(name), aggregate=True), hits(0, 25))
    append(KinesisWriter(KinesisStream(name)), hits(25, 75))
    one = reader()
    settle(one, 50)
    drained(one, 50)
    one.rewind({})
    everything = drained(one, 100)
    assert sorted(numbers(everything)) == list(range(100))
    assert everything[0].positions[0] == 1
    partition = everything[0].partition
    one.rewind({partition: 3})
    again = [place for batch in drained(one, 97) if batch.partition == partition for place in batch.positions]
    assert again[0] == 4


def test_shards_that_came_out_of_another_are_read_behind_it(name: str, reader: Opened) -> None:
    """Hits of a closed shard come first, are committed, and then those of its children; nothing is lost."""
    stream = new_stream(shards=1)
    append(KinesisWriter(KinesisStream(stream)), hits(0, 10))
    client = aws.client("kinesis")
    client.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
    append(KinesisWriter(KinesisStream(stream)), hits(10, 20))
    one = reader(stream=KinesisStream(stream))
    first = drained(one, 30)
    parents = {batch.partition for batch in first}
    assert all(partition.startswith("shardId-000000000000-") for partition in parents)
    old = sorted(numbers(first))
    one.commit({batch.partition: batch.positions[-1] for batch in first})
    rest = drained(one, 30 - len(old))
    assert sorted(old + numbers(rest)) == list(range(30))
    assert not parents & {batch.partition for batch in rest}
    one.commit({batch.partition: batch.positions[-1] for batch in rest})
    one.close()
    assert drained(reader(stream=KinesisStream(stream)), 0) == []


def test_an_iterator_that_is_too_old_is_made_anew(name: str, reader: Opened) -> None:
    """Reading goes on right behind the last record, and nothing comes twice."""
    client = Faulty("kinesis")
    one = reader(stream=KinesisStream(name, client))
    append(KinesisWriter(KinesisStream(name)), hits(0, 10))
    first = drained(one, 10)
    append(KinesisWriter(KinesisStream(name)), hits(10, 10))
    client._faults["get_records"] = [error("ExpiredIteratorException")] * 2
    assert sorted(numbers(first) + numbers(drained(one, 10))) == list(range(20))


def test_a_busy_shard_is_left_alone_for_a_while(name: str, reader: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no error, and it is asked less often each time; once it is free it is read at the usual pace."""
    monkeypatch.setattr(kinesis_reader, "PACE", 0.1)
    client = Faulty("kinesis", get_records=[error("ProvisionedThroughputExceededException")] * 6)
    one = reader(stream=KinesisStream(name, client))
    append(KinesisWriter(KinesisStream(name)), hits(0, 10))
    assert one.read(10, 0.5) is None
    assert client.count("get_records") < 8
    assert len(numbers(drained(one, 10))) == 10


def test_a_shard_that_cannot_be_read_does_not_hold_up_others(name: str, reader: Opened) -> None:
    """It is said once, the other shard is read, and later both are."""
    client = Faulty("kinesis", get_records=[error("AccessDeniedException")])
    append(KinesisWriter(KinesisStream(name)), hits(0, 40))
    one = reader(stream=KinesisStream(name, client))
    with pytest.raises(StreamUnavailable):
        one.read(100, 5)
    assert sorted(numbers(drained(one, 40))) == list(range(40))


def test_a_shard_has_one_reader_of_a_group(name: str, reader: Opened) -> None:
    """A second one gets nothing while the first lives; another group gets all."""
    append(KinesisWriter(KinesisStream(name)), hits(0, 10))
    one = reader()
    assert len(numbers(drained(one, 10))) == 10
    second = reader()
    assert second.read(10, 0.5) is None
    assert len(numbers(drained(reader("other"), 10))) == 10
    one.close()
    second._scan_at = 0.0
    assert len(numbers(drained(second, 10))) == 10


def test_without_its_file_all_is_read_again(name: str, reader: Opened, tmp_path: Path) -> None:
    """As other partitions, since nobody knows the old positions; with the ids that the hits had."""
    append(KinesisWriter(KinesisStream(name)), hits(0, 10))
    one = reader()
    first = settle(one, 10)
    one.close()
    shutil.rmtree(tmp_path / "stream")
    again = drained(reader(), 10)
    assert not {batch.partition for batch in first} & {batch.partition for batch in again}
    assert sorted(each for b in first for each in b.ids) == sorted(each for b in again for each in b.ids)


def test_a_place_that_is_held_no_longer_begins_a_new_partition(name: str, reader: Opened, tmp_path: Path) -> None:
    """Records that expired have taken their positions with them: what is there gets others, and none is skipped."""
    append(KinesisWriter(KinesisStream(name)), hits(0, 20))
    one = reader()
    first = settle(one, 20)
    one.close()
    kept = Places(tmp_path / "stream", name)
    for batch in first:
        oldest = kept.before(batch.partition, 0)
        assert oldest is not None
        kept.note(batch.partition, Place(batch.positions[-1], str(int(oldest.sequence) - 1), 1))
    kept.close()
    append(KinesisWriter(KinesisStream(name)), hits(20, 10))
    again = drained(reader(), 30)
    assert sorted(numbers(again)) == list(range(30))
    assert not {batch.partition for batch in first} & {batch.partition for batch in again}


def test_what_is_no_hit_is_handed_on(name: str, reader: Opened) -> None:
    """A record, or a part of an aggregate, that nobody can read takes its place, and says what it is."""
    [aggregate] = pack([b"{broken", hit_json.encode(hits(0, 1)[0])])
    put(name, b"\xff\xfe", aggregate.data)
    found = [hit for batch in drained(reader(), 3) for hit in batch.hits]
    assert [hit.body for hit in found] == [b"\xff\xfe", b"{broken", b""]
    assert [hit.source for hit in found] == [UNREADABLE, UNREADABLE, "http"]
    assert len({hit.hit_id for hit in found}) == 3
    assert all(hit.received_at for hit in found)


def test_what_is_newer_holds_its_shard_up(name: str, reader: Opened) -> None:
    """A record of a newer program is an error that says so; what came before it is there, what follows waits."""
    newer = json.dumps({"v": 2, "received_at": 7, "peer": None}).encode()
    put(name, hit_json.encode(hits(0, 1)[0]), newer, hit_json.encode(hits(1, 1)[0]))
    one = reader()
    batch = one.read(10, 5)
    assert batch is not None
    assert numbers([batch]) == [0]
    with pytest.raises(StreamError, match="version 2") as caught:
        one.read(10, 5)
    assert "newer" in caught.value.hint


def test_what_another_program_counts_holds_nothing_up(name: str, reader: Opened) -> None:
    """A record of others that has a `v`, too, is one that nobody can read; so is a hit of a time to come."""
    ahead = msgspec.structs.replace(hits(0, 1)[0], received_at=SYSTEM.now() + 2 * 86_400 * SECOND)
    put(name, b'{"v":2,"kind":"order"}', hit_json.encode(ahead), hit_json.encode(hits(1, 1)[0]))
    found = [hit for batch in drained(reader(), 3) for hit in batch.hits]
    assert [hit.source for hit in found] == [UNREADABLE, UNREADABLE, "http"]


def test_an_empty_stream_is_no_error(reader: Opened) -> None:
    """Before the first hit there is nothing."""
    assert reader().read(10, 0.1) is None


def test_a_stream_that_is_not_there_says_so(name: str, reader: Opened) -> None:
    """Neither a writer nor a reader invents one."""
    with pytest.raises(StreamUnavailable, match="not found"):
        append(KinesisWriter(KinesisStream("nowhere")), hits(0, 1))
    with pytest.raises(StreamUnavailable, match="not found"):
        reader(stream=KinesisStream("nowhere")).read(1, 0)


def test_a_watcher_tells_how_far_the_consumer_is(name: str, reader: Opened, tmp_path: Path) -> None:
    """What is committed, shard by shard; a stream does not say how much it holds."""
    watcher = KinesisWatcher(KinesisStream(name), tmp_path / "stream")
    assert watcher.committed("consume") == {}
    append(KinesisWriter(KinesisStream(name)), hits(0, 50))
    settle(reader(), 50)
    assert watcher.extents() == []
    assert sum(watcher.committed("consume").values()) == 50
    assert watcher.committed("other") == {}
    assert watcher.received_at(next(iter(watcher.committed("consume"))), 1) is None


def test_few_places_are_kept(tmp_path: Path) -> None:
    """The oldest are forgotten, one by one; the last one before a position is found."""
    places = Places(tmp_path, "s")
    places._database.executemany(
        "INSERT INTO places VALUES ('p', ?, 'x', 1)", [(number * 10,) for number in range(KEPT)]
    )
    places.note("p", Place(KEPT * 10, "y", 2))
    assert places.before("p", 9) is None
    assert places.before("p", 19) == Place(10, "x", 1)
    assert places.before("p", KEPT * 10 + 5) == Place(KEPT * 10, "y", 2)
    places.close()


def test_a_file_that_is_none_is_an_error(tmp_path: Path) -> None:
    """It says which, and what happens without it."""
    (tmp_path / "kinesis.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StreamError, match=r"kinesis\.sqlite") as caught:
        Places(tmp_path, "s")
    assert "merged" in caught.value.hint
