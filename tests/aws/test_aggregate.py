"""The function between two streams of Kinesis: what is in the second one, and what is told to come again."""

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from pixelake.aws import aggregate as module
from pixelake.aws.aggregate import Aggregate, aggregate
from pixelake.errors import SettingsError, SourceError
from pixelake.stream import aws
from pixelake.stream.aggregate import AGGREGATE_BYTES, MAGIC, pack, unpack
from pixelake.stream.kinesis import KinesisStream
from tests.aws.requests import sample
from tests.s3 import Server, reached
from tests.stream.aws import error, unreachable
from tests.stream.test_kinesis import new_stream


class Kept:
    """Botocore's client: it keeps what it is given, less what it is told to refuse.

    Args:
        faults: for each call, one after the other: the places of records that are not taken, or what raises.
    """

    def __init__(self, *faults: Any) -> None:
        self.calls: list[Sequence[Mapping[str, Any]]] = []
        self.taken: list[Mapping[str, Any]] = []
        self._faults = list(faults)

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:  # noqa: N803
        """See AWS."""
        assert StreamName == "second"
        self.calls.append(Records)
        fault = self._faults.pop(0) if self._faults else ()
        if callable(fault):
            fault()
        self.taken += [each for at, each in enumerate(Records) if at not in fault]
        code = "ProvisionedThroughputExceededException"
        answers = [{"ErrorCode": code} if at in fault else {"SequenceNumber": "1"} for at in range(len(Records))]
        return {"FailedRecordCount": len(fault), "Records": answers}

    @property
    def data(self) -> list[bytes]:
        """What the records hold that were taken, unpacked."""
        return [each.data for record in self.taken for each in unpack(record["Data"], record["PartitionKey"])]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits; where a handler says that its log goes holds for one test."""
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.001, 0.001))
    yield
    structlog.reset_defaults()


def event(*data: bytes) -> dict[str, Any]:
    """A call of an event source mapping."""
    records = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": f"key-{at}",
                "sequenceNumber": f"{at:056}",
                "data": b64encode(each).decode(),
                "approximateArrivalTimestamp": 1_671_005_356.48,
            },
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-000000000000:{at:056}",
            "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/first",
        }
        for at, each in enumerate(data)
    ]
    return {"Records": records}


def failures(answer: Mapping[str, Any]) -> list[int]:
    """The places of the records that are told to come again from."""
    assert list(answer) == ["batchItemFailures"]
    return [int(each["itemIdentifier"]) for each in answer["batchItemFailures"]]


def lines(count: int, size: int = 500) -> list[bytes]:
    """Records that tell their number."""
    return [f"{at:08}".encode().ljust(size - 1, b"x") + b"\n" for at in range(count)]


def test_records_are_packed() -> None:
    """All of them, in order, in aggregates of 5 KB at most, each under a key of its own."""
    kept, sent = Kept(), lines(1_000)
    assert failures(Aggregate(KinesisStream("second", kept))(event(*sent))) == []
    assert kept.data == sent
    assert len(kept.taken) == 100  # each takes 508 bytes, and all share 38
    assert all(record["Data"].startswith(MAGIC) and len(record["Data"]) <= AGGREGATE_BYTES for record in kept.taken)
    assert len({record["PartitionKey"] for record in kept.taken}) == len(kept.taken)
    for record in kept.taken:
        keys = {each.partition_key for each in unpack(record["Data"], record["PartitionKey"])}
        assert keys == {record["PartitionKey"]}


def test_what_was_packed_is_packed_anew() -> None:
    """An aggregate in the first stream is taken apart: none is within another."""
    kept, sent = Kept(), lines(30)
    before = [each.data for each in pack(sent, size=2_000)]
    assert failures(Aggregate(KinesisStream("second", kept))(event(*before))) == []
    assert kept.data == sent
    assert len(kept.taken) < len(before)


def test_a_record_alone_is_plain() -> None:
    """As it was, under its own key: with a longer one the largest would not fit any more."""
    kept, large = Kept(), b"x" * (1 << 20)
    assert failures(Aggregate(KinesisStream("second", kept))(event(b"a", large))) == []
    assert [(record["PartitionKey"], record["Data"]) for record in kept.taken] == [("key-0", b"a"), ("key-1", large)]


def test_calls_are_of_a_size_the_service_takes() -> None:
    """At most 500 records, and 5 MiB."""
    kept = Kept()
    answer = Aggregate(KinesisStream("second", kept))(event(*lines(1_100, 5_000)))
    assert failures(answer) == []
    assert [len(call) for call in kept.calls] == [500, 500, 100]
    kept = Kept()
    assert failures(Aggregate(KinesisStream("second", kept))(event(*[b"x" * 1_000_000] * 7))) == []
    assert [len(call) for call in kept.calls] == [5, 2]


def test_what_was_not_taken_is_sent_again() -> None:
    """Only that; and nothing fails if it is taken then."""
    kept, sent = Kept([1, 3], [0]), lines(60)
    assert failures(Aggregate(KinesisStream("second", kept))(event(*sent))) == []
    assert [len(call) for call in kept.calls] == [6, 2, 1]
    assert sorted(kept.data) == sent


def test_a_busy_service_is_asked_again() -> None:
    """An error that passes by itself is no failure."""
    kept, sent = Kept(error("ProvisionedThroughputExceededException"), error("InternalFailure", 500)), lines(9)
    assert failures(Aggregate(KinesisStream("second", kept))(event(*sent))) == []
    assert kept.data == sent


def test_what_is_never_taken_comes_again() -> None:
    """The first record that is not in the second stream is named; those before it do not come again."""
    kept, sent = Kept([2], [0], [0], [0]), lines(60)
    with capture_logs() as logs:
        (first,) = failures(Aggregate(KinesisStream("second", kept))(event(*sent)))
    assert first == 20  # the third aggregate begins with it
    assert set(sent[:first]) <= set(kept.data)
    assert sent[first] not in kept.data
    assert logs[0]["log_level"] == "error"
    assert logs[0]["hint"]


def test_nothing_behind_a_failure_is_sent() -> None:
    """It comes again anyway."""
    kept = Kept(*[error("ResourceNotFoundException")] * 2)
    assert failures(Aggregate(KinesisStream("second", kept))(event(*lines(1_100, 5_000)))) == [0]
    assert len(kept.calls) == 1


def test_nobody_answers() -> None:
    """Everything comes again."""
    kept = Kept(unreachable)
    assert failures(Aggregate(KinesisStream("second", kept))(event(b"a", b"b"))) == [0]
    assert kept.taken == []


@given(
    sent=st.lists(st.binary(max_size=3_000), max_size=40),
    faults=st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=6),
)
def test_nothing_is_lost(sent: list[bytes], faults: list[list[int]]) -> None:
    """Whatever is not taken, and however often: what stands before the named record is in the second stream."""
    kept = Kept(*faults)
    with capture_logs():
        told = failures(Aggregate(KinesisStream("second", kept))(event(*sent)))
    expected = sent[: told[0]] if told else sent
    inner = [each.data for data in expected for each in unpack(data, "key")]
    there = kept.data
    assert all(there.count(data) >= inner.count(data) for data in inner)
    assert set(there) <= {each.data for data in sent for each in unpack(data, "key")}


NO_EVENTS: Mapping[str, object] = {
    "nothing": {},
    "no object": "x",
    "of API Gateway": sample("http-2.0"),
    "of Firehose": sample("firehose"),
    "no base64": {"Records": [event(b"")["Records"][0] | {"kinesis": {"data": "%%"}}]},
    "of SQS": {"Records": [event(b"x")["Records"][0] | {"eventSource": "aws:sqs"}]},
}


@pytest.mark.parametrize("sent", NO_EVENTS.values(), ids=NO_EVENTS)
def test_no_event_of_kinesis(sent: object) -> None:
    """It is refused, with what to do."""
    with pytest.raises(SourceError) as raised:
        Aggregate(KinesisStream("second", Kept()))(sent)
    assert "Kinesis" in raised.value.hint


@pytest.mark.parametrize("stream", ["", "sqs://second", "kinesis://", "firehose://second"])
def test_a_stream_must_be_named(stream: str) -> None:
    """Without a stream of Kinesis there is nothing to put into."""
    with pytest.raises(SettingsError, match="PIXELAKE_STREAM"):
        aggregate({"PIXELAKE_STREAM": stream})


def test_the_handler_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Without its environment it raises, with one line in the log."""
    monkeypatch.delenv("PIXELAKE_STREAM", raising=False)
    module._instance.cache_clear()
    with pytest.raises(SettingsError):
        module.handler(event(b"x"), None)
    (told,) = map(json.loads, capfd.readouterr().err.splitlines())
    assert (told["level"], bool(told["hint"])) == ("error", True)


def test_a_sample_by_the_handler(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event as AWS publishes it is in the second stream, as one record."""
    reached(monkeypatch, moto.environment)
    name = new_stream(1)
    monkeypatch.setenv("PIXELAKE_STREAM", f"kinesis://{name}?aggregate=on")
    module._instance.cache_clear()
    try:
        assert failures(module.handler(sample("kinesis"), None)) == []
    finally:
        module._instance.cache_clear()
    client = aws.client("kinesis")
    shard = client.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    at = client.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    (record,) = client.get_records(ShardIterator=at)["Records"]
    assert [each.data for each in unpack(record["Data"], record["PartitionKey"])] == [b"Hello World"] * 2
