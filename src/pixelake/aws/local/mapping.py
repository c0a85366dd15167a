"""Event source mappings on this machine: what AWS does between a stream or a queue and a function.

As documented for Lambda: batches by size and window; of a stream in order, shard
by shard, with bisected retries up to a number and an age, and what fails for good
put to an on-failure destination in S3 with its payload; of a queue with what
failed left to its visibility timeout and redrive. Both understand
``batchItemFailures``, and hand out a batch again where faults say so.
"""

import json
import random
import threading
import time
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from pixelake.aws.local.function import FunctionFailed
from pixelake.aws.terms import FAILED
from pixelake.errors import StreamUnavailable
from pixelake.stream import aws

PACE: Final = 0.2
"""Seconds between looks into a shard."""
PAUSE: Final = 0.5
"""Seconds before a batch that failed is tried again."""
ACCOUNT: Final = "123456789012"
"""Of everything on this machine."""
_LOG: Final = structlog.get_logger("mapping")

Call = Callable[[Mapping[str, Any]], Any]
"""A function: an event in, its answer out; raises `FunctionFailed`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a mapping is set.

    Attributes:
        batch_size: records of a call at most.
        window: seconds that the first record of a batch waits for others.
        retries: how often a batch of a stream is tried again before it is given up.
        age: seconds after which a record of a stream is given up.
        visibility: seconds that a message of a queue belongs to who received it.
    """

    batch_size: int = 100
    window: float = 5.0
    retries: int = 10
    age: float = 86_400.0
    visibility: float = 60.0


class Mapping_(Protocol):  # noqa: N801 - a mapping of AWS's
    """What `Runner` runs."""

    def look(self, stop: threading.Event) -> bool:
        """Hand out one batch, if there is one; whether there was."""
        ...


class Runner:
    """Runs a mapping in a thread until it is closed."""

    def __init__(self, mapping: Mapping_) -> None:
        self._mapping, self._stop = mapping, threading.Event()
        self._idle_since = self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="mapping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def idle(self) -> float:
        """Seconds for which it has found nothing to do."""
        return self._began - self._idle_since

    def close(self) -> None:
        """End, once the batch is done that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._began = time.monotonic()
            try:
                busy = self._mapping.look(self._stop)
            except StreamUnavailable as error:  # throttled, or going down
                _LOG.warning("a mapping cannot read", error=str(error))
                busy = True
                self._stop.wait(PAUSE)
            if busy:
                self._idle_since = time.monotonic()


@dataclass(slots=True)
class _Shard:
    iterator: str | None
    records: list[dict[str, Any]] = field(default_factory=list)
    since: float = 0.0
    tries: int = 0


class OfStream:
    """From a stream of Kinesis to a function, from the oldest record on."""

    def __init__(
        self,
        client: Any,
        stream: str,
        call: Call,
        terms: Terms,
        *,
        failed: Callable[[str, bytes], None],
        repeat: float = 0.0,
    ) -> None:
        """Nothing is read yet.

        Args:
            client: botocore's, of Kinesis.
            stream: its name.
            call: the function.
            terms: see there.
            failed: puts an object with what was given up, under its key.
            repeat: how likely it is that a batch is handed out again.
        """
        self._client, self._stream, self._call, self._terms = client, stream, call, terms
        self._failed, self._repeat = failed, repeat
        self._id = str(uuid.uuid4())
        self._arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{stream}"
        self._random = random.Random()  # noqa: S311 - faults, not secrets
        self._shards: dict[str, _Shard] = {}

    def look(self, stop: threading.Event) -> bool:
        """Look into each shard once; see `Mapping_`."""
        if not self._shards:
            self._shards = {shard: _Shard(self._begin(shard)) for shard in self._names()}
        busy = False
        for name, shard in self._shards.items():
            self._fetch(shard)
            if shard.records:
                busy = True
                full = len(shard.records) >= self._terms.batch_size
                if full or time.monotonic() >= shard.since + self._terms.window or stop.is_set():
                    self._hand_out(name, shard)
        if not busy:
            stop.wait(PACE)
        return busy

    def _names(self) -> list[str]:
        answer = aws.call(self._client.list_shards, StreamName=self._stream)
        return [each["ShardId"] for each in answer["Shards"]]

    def _begin(self, shard: str) -> str:
        answer = aws.call(
            self._client.get_shard_iterator,
            StreamName=self._stream,
            ShardId=shard,
            ShardIteratorType="TRIM_HORIZON",
        )
        return str(answer["ShardIterator"])

    def _fetch(self, shard: _Shard) -> None:
        missing = self._terms.batch_size - len(shard.records)
        if missing <= 0 or shard.iterator is None:
            return
        answer = aws.call(self._client.get_records, ShardIterator=shard.iterator, Limit=missing)
        shard.iterator = answer.get("NextShardIterator")
        if answer["Records"] and not shard.records:
            shard.since = time.monotonic()
        shard.records += answer["Records"]
        if not answer["Records"]:
            time.sleep(PACE / 4)

    def _hand_out(self, name: str, shard: _Shard) -> None:
        batch, shard.records = shard.records[: self._terms.batch_size], shard.records[self._terms.batch_size :]
        self._settle(name, batch, self._terms.retries)
        if self._random.random() < self._repeat:
            self._settle(name, batch, 0)
        shard.since = time.monotonic()

    def _settle(self, shard: str, batch: Sequence[dict[str, Any]], retries: int) -> None:
        """Hand out a batch, in halves if it fails, until it is settled or given up."""
        while batch:
            batch, error = self._tried(shard, batch)
            if not batch:
                return
            if retries <= 0 or _age(batch[0]) > self._terms.age:
                self._give_up(shard, batch, error)
                return
            time.sleep(PAUSE)
            retries -= 1
            if len(batch) > 1 and error:
                half = len(batch) // 2
                self._settle(shard, batch[:half], retries)
                batch = batch[half:]

    def _tried(self, shard: str, batch: Sequence[dict[str, Any]]) -> tuple[Sequence[dict[str, Any]], str]:
        """What is left of a batch, and the error if it failed as a whole."""
        try:
            answer = self._call(self._event(shard, batch))
        except FunctionFailed as error:
            return batch, error.kind
        named = failures(answer, {record["SequenceNumber"] for record in batch})
        if named is None:
            return batch, "InvalidResponse"
        at = min((at for at, record in enumerate(batch) if record["SequenceNumber"] in named), default=len(batch))
        return batch[at:], ""

    def _event(self, shard: str, batch: Sequence[dict[str, Any]]) -> Mapping[str, Any]:
        return {"Records": [self._record(shard, record) for record in batch]}

    def _record(self, shard: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        arrived: datetime = record["ApproximateArrivalTimestamp"]
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "data": b64encode(record["Data"]).decode(),
                "approximateArrivalTimestamp": arrived.timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{record['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/pixelake",
            "awsRegion": "us-east-1",
            "eventSourceARN": self._arn,
        }

    def _give_up(self, shard: str, batch: Sequence[dict[str, Any]], error: str) -> None:
        """Put it where what failed goes, as Lambda does for a destination in S3: with its payload."""
        now = datetime.now(UTC)
        _LOG.error("records are given up", stream=self._stream, shard=shard, records=len(batch), error=error)
        told = {
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:consume",
                "condition": "RetryAttemptsExhausted" if error else "PartialBatchFailure",
                "approximateInvokeCount": self._terms.retries + 1,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": error},
            "version": "1.0",
            "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "KinesisBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": batch[0]["SequenceNumber"],
                "endSequenceNumber": batch[-1]["SequenceNumber"],
                "batchSize": len(batch),
                "streamArn": self._arn,
            },
            "payload": json.dumps(self._event(shard, batch)),
        }
        key = f"{FAILED}{self._id}/{shard}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        self._failed(key, json.dumps(told).encode())


class OfQueue:
    """From a queue of SQS to a function."""

    def __init__(self, client: Any, url: str, call: Call, terms: Terms, *, repeat: float = 0.0) -> None:
        """Nothing is read yet; for the arguments see `OfStream`."""
        self._client, self._url, self._call, self._terms, self._repeat = client, url, call, terms, repeat
        self._arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rpartition('/')[2]}"
        self._random = random.Random()  # noqa: S311 - faults, not secrets

    def look(self, stop: threading.Event) -> bool:
        """Hand out one batch; see `Mapping_`."""
        messages = self._batch(stop)
        if not messages:
            return False
        event = {"Records": [self._record(each) for each in messages]}
        try:
            named = failures(self._call(event), {each["MessageId"] for each in messages})
            if self._random.random() < self._repeat:
                self._call(event)
        except FunctionFailed as error:
            _LOG.warning("messages stay in the queue", messages=len(messages), error=error.kind)
            return True
        done = [each for each in messages if named is not None and each["MessageId"] not in named]
        for part in _tens(done):
            entries = [{"Id": str(at), "ReceiptHandle": each["ReceiptHandle"]} for at, each in enumerate(part)]
            aws.call(self._client.delete_message_batch, QueueUrl=self._url, Entries=entries)
        return True

    def left(self) -> int:
        """How many messages wait, or are in work, or will come again."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = aws.call(self._client.get_queue_attributes, QueueUrl=self._url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def _batch(self, stop: threading.Event) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        ends = time.monotonic() + self._terms.window
        while len(found) < self._terms.batch_size and not (found and time.monotonic() >= ends):
            fresh = self._receive(min(10, self._terms.batch_size - len(found)))
            if fresh and not found:
                ends = time.monotonic() + self._terms.window
            found += fresh
            if not fresh and (stop.wait(PACE) or not found):
                break
        return found

    def _receive(self, most: int) -> list[dict[str, Any]]:
        answer = aws.call(
            self._client.receive_message,
            QueueUrl=self._url,
            MaxNumberOfMessages=most,
            VisibilityTimeout=round(self._terms.visibility),
            MessageSystemAttributeNames=["All"],
        )
        return list(answer.get("Messages", ()))

    def _record(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message.get("Attributes", {}),
            "messageAttributes": {},
            "md5OfBody": message["MD5OfBody"],
            "eventSource": "aws:sqs",
            "eventSourceARN": self._arn,
            "awsRegion": "us-east-1",
        }


def failures(answer: object, known: set[str]) -> set[str] | None:
    """What an answer names as failed; None: all, because it is none that Lambda understands."""
    if not answer:
        return set()
    named = answer.get("batchItemFailures", ()) if isinstance(answer, Mapping) else None
    if not isinstance(named, Sequence) or not all(isinstance(each, Mapping) for each in named):
        return None
    found = {each.get("itemIdentifier") for each in named}
    return {str(each) for each in found} if found <= known else None


def _age(record: Mapping[str, Any]) -> float:
    arrived: datetime = record["ApproximateArrivalTimestamp"]
    return time.time() - arrived.timestamp()


def _tens(entries: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(entries), 10):
        yield entries[start : start + 10]
