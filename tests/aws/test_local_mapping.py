"""Event source mappings on this machine: what they hand out, again and in halves, and what becomes of what fails."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from pixelake.aws.local import mapping
from pixelake.aws.local.cloud import BUCKET, Cloud
from pixelake.aws.local.faults import Faults
from pixelake.aws.local.function import FunctionFailed
from pixelake.aws.local.mapping import OfQueue, OfStream, Terms, failures
from pixelake.aws.records import delivery
from pixelake.aws.redrive import redrive
from pixelake.errors import SettingsError, SourceError
from tests.aws.deliveries import line
from tests.s3 import reached

HITS = 20
POISON = 7


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The services."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud"), Faults({}))
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def cloud(running: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The same; this process reaches them."""
    reached(monkeypatch, running.environment)
    monkeypatch.setattr(mapping, "PAUSE", 0.001)
    monkeypatch.setattr(mapping, "PACE", 0.01)
    return running


class Settling:
    """A function that remembers what it settled, and fails for a poisoned hit; whole batches, as one that dies does."""

    def __init__(self, poison: int | None = POISON) -> None:
        self.settled: Counter[str] = Counter()
        self.poison = f"hit-{poison}"
        self.calls = 0

    def __call__(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Settle a batch."""
        self.calls += 1
        names = [hit.hit_id for hit in delivery(event).hits]
        if self.poison in names:
            raise FunctionFailed("test", "Runtime.ExitError", "it has died")
        self.settled.update(names)
        return {"batchItemFailures": []}


def until(look: Any, source: OfStream | OfQueue) -> None:
    """Have the mapping look until something is so."""
    stop = threading.Event()
    for _ in range(500):
        if look():
            return
        source.look(stop)
    raise AssertionError("it never was")


def stream(cloud: Cloud, name: str) -> Any:
    """A new stream with hits in it."""
    kinesis = cloud.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    for number in range(HITS):
        kinesis.put_record(StreamName=name, Data=line(number), PartitionKey="key")
    return kinesis


def test_a_poisoned_record(cloud: Cloud) -> None:
    """It is found by halving, and put aside with its payload; all others are settled once. Sent back, it is, too."""
    kinesis, settling = stream(cloud, "poisoned"), Settling()
    put = cloud.client("s3").put_object

    def failed(key: str, data: bytes) -> None:
        put(Bucket=BUCKET, Key=f"failed/{key}", Body=data)

    source = OfStream(kinesis, "poisoned", settling, Terms(window=0, retries=8), failed=failed)
    keys = lambda: cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="failed/").get("Contents", [])  # noqa: E731
    until(lambda: len(settling.settled) == HITS - 1 and keys(), source)
    assert set(settling.settled.values()) == {1}
    told = json.loads(cloud.client("s3").get_object(Bucket=BUCKET, Key=keys()[0]["Key"])["Body"].read())
    assert [hit.hit_id for hit in delivery(json.loads(told["payload"])).hits] == [f"hit-{POISON}"]
    assert told["KinesisBatchInfo"]["batchSize"] == 1
    settling.poison = ""
    assert redrive(f"s3://{BUCKET}/failed/", "kinesis://poisoned") == 1
    until(lambda: len(settling.settled) == HITS, source)
    assert set(settling.settled.values()) == {1}
    assert not keys()


def test_what_a_function_names_as_failed(cloud: Cloud) -> None:
    """From the first of them on the shard comes again, and only that."""
    kinesis, seen = stream(cloud, "partly"), []

    def call(event: Mapping[str, Any]) -> Mapping[str, Any]:
        hits = [hit.hit_id for hit in delivery(event).hits]
        seen.append(hits)
        bad = [record["kinesis"]["sequenceNumber"] for record in event["Records"]][5:7] if len(seen) == 1 else []
        return {"batchItemFailures": [{"itemIdentifier": each} for each in reversed(bad)]}

    source = OfStream(kinesis, "partly", call, Terms(window=0), failed=lambda *_: pytest.fail("given up"))
    until(lambda: sum(map(len, seen)) >= 2 * HITS - 5, source)
    assert seen[1] == seen[0][5:]


def test_a_batch_that_comes_again(cloud: Cloud) -> None:
    """Where faults say so, what was settled is handed out once more."""
    kinesis, settling = stream(cloud, "again"), Settling(None)
    source = OfStream(kinesis, "again", settling, Terms(window=0), failed=lambda *_: None, repeat=1.0)
    until(lambda: len(settling.settled) == HITS, source)
    assert set(settling.settled.values()) == {2}


def queue(cloud: Cloud, name: str) -> str:
    """A new queue with hits in it, and one for dead letters."""
    sqs = cloud.client("sqs")
    sqs.create_queue(QueueName=f"{name}-dead")
    redrive_policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{name}-dead", "maxReceiveCount": "2"}
    url: str = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive_policy)})["QueueUrl"]
    for number in range(HITS):
        sqs.send_message(QueueUrl=url, MessageBody=line(number).decode())
    return url


def test_a_poisoned_message(cloud: Cloud) -> None:
    """It is a dead letter after some tries, with its body; sent back when the cause is mended, it is settled once."""
    url, settling = queue(cloud, "lethal"), Settling()
    source = OfQueue(cloud.client("sqs"), url, settling, Terms(batch_size=1, window=0, visibility=0))
    dead = cloud.client("sqs").get_queue_url(QueueName="lethal-dead")["QueueUrl"]

    def letters() -> int:
        names = ["ApproximateNumberOfMessages"]
        answer = cloud.client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=names)
        return int(answer["Attributes"][names[0]])

    until(lambda: len(settling.settled) == HITS - 1 and letters(), source)
    settling.poison = ""
    assert redrive("sqs://lethal-dead", "sqs://lethal") == 1
    until(lambda: len(settling.settled) == HITS, source)
    assert set(settling.settled.values()) == {1}


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (None, set()),
        ({}, set()),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": [{"itemIdentifier": "a"}]}, {"a"}),
        ({"batchItemFailures": [{"itemIdentifier": "unknown"}]}, None),
        ({"batchItemFailures": ["a"]}, None),
        ({"batchItemFailures": "a"}, None),
        ("text", None),
    ],
)
def test_answers(answer: object, named: set[str] | None) -> None:
    """As Lambda understands them: what it does not, fails the batch."""
    assert failures(answer, {"a", "b"}) == named


@pytest.mark.parametrize(
    ("origin", "goal"), [("sqs://a", "kinesis://b"), ("s3://a/b", "sqs://c"), ("sqs://", "sqs://a"), ("a", "b")]
)
def test_no_way_back(origin: str, goal: str) -> None:
    """What does not fit together is refused."""
    with pytest.raises(SettingsError):
        redrive(origin, goal)


def test_an_object_of_another_kind(cloud: Cloud) -> None:
    """It stays where it is, and the error names it."""
    cloud.client("kinesis").create_stream(StreamName="other", ShardCount=1)
    cloud.client("s3").put_object(Bucket=BUCKET, Key="other/file", Body=b'{"payload":"{}"}')
    with pytest.raises(SourceError, match="other/file"):
        redrive(f"s3://{BUCKET}/other/", "kinesis://other")
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="other/")["KeyCount"] == 1


def test_objects_are_files(cloud: Cloud, tmp_path: Path) -> None:
    """What is in the bucket is in the folder, what is removed is gone there; the next start has all of it."""
    folder = tmp_path / "next"
    first = Cloud(folder, Faults({}))
    first.start()
    client = first.client("s3")
    for name in ("a", "b", "c"):
        client.put_object(Bucket=BUCKET, Key=f"lake/x/{name}", Body=name.encode())
    client.delete_object(Bucket=BUCKET, Key="lake/x/b")
    client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": "lake/x/c"}]})
    first.stop()
    assert [path.read_text() for path in folder.rglob("*") if path.is_file()] == ["a"]
    s3_backends.reset()  # as in another process
    second = Cloud(folder, Faults({}))
    second.start()
    assert [path.read_text() for path in folder.rglob("*") if path.is_file()] == ["a"]
    assert second.client("s3").get_object(Bucket=BUCKET, Key="lake/x/a")["Body"].read() == b"a"
    second.stop()
    s3_backends.reset()
    cloud.client("s3").create_bucket(Bucket=BUCKET)
