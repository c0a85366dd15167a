"""What was given up goes back to where it came from: out of a dead-letter queue, or out of objects of a failed shard.

Nothing is lost on the way: a message, or an object, goes away once what it holds
is there. What is sent twice by that is merged by its ``hit_id``.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from pixelake.errors import SettingsError, SourceError, StreamUnavailable
from pixelake.stream import aws
from pixelake.stream.aws import Failed
from pixelake.stream.kinesis import KinesisStream
from pixelake.stream.sqs import A_CALL, BYTES, Queue

SECONDS: Final = 60
"""That a message is ours while it is sent."""
_HINT: Final = "name an on-failure destination of an event source mapping: s3://bucket/prefix"

Told = Callable[[int], None]
"""Hears how many went back so far."""


class _Data(msgspec.Struct, rename="camel"):
    data: bytes
    partition_key: str


class _Record(msgspec.Struct):
    kinesis: _Data


class _Payload(msgspec.Struct):
    Records: list[_Record]


class _GivenUp(msgspec.Struct):
    """An object of an on-failure destination."""

    payload: str


def redrive(origin: str, goal: str, told: Told = lambda _: None) -> int:
    """Send back all that is there; returns how many records or messages.

    Args:
        origin: ``sqs://dead-letter-queue``, or ``s3://bucket/prefix`` of an on-failure destination: there AWS calls
            objects ``aws/lambda/<mapping>/<shard>/...``, and sets no prefix before it.
        goal: ``sqs://queue``, or ``kinesis://stream``.
        told: see there.

    Raises:
        SettingsError: these do not fit together.
        SourceError: an object there is of another kind.
        StreamUnavailable: AWS cannot be asked; what went back went.
    """
    kinds = origin.partition("://")[0], goal.partition("://")[0]
    names = origin.partition("://")[2].strip("/"), goal.partition("://")[2].strip("/")
    if kinds not in _WAYS or not all(names):
        raise SettingsError(
            "this is no way back", "from sqs://dead-letters to sqs://queue, from s3://bucket/prefix to kinesis://stream"
        )
    _check(*kinds, *names)
    return _WAYS[kinds](*names, told)


def _check(origin: str, goal: str, dead: str, name: str) -> None:
    """Raise StreamUnavailable if one of the ends is not there: nothing would be found, or go nowhere."""
    if origin == "sqs":
        Queue(dead).call("get_queue_attributes", AttributeNames=["QueueArn"])
    if goal == "sqs":
        Queue(name).call("get_queue_attributes", AttributeNames=["QueueArn"])
    else:
        KinesisStream(name).call("list_shards")


def _messages(origin: str, goal: str, told: Told) -> int:
    dead, queue = Queue(origin), Queue(goal)
    done = 0
    while found := _received(dead):
        for part in aws.in_parts(found, lambda each: len(each["Body"].encode()), most=A_CALL, size=BYTES):
            _refuse(queue.each("send_message_batch", [{"MessageBody": each["Body"]} for each in part]))
            _refuse(dead.each("delete_message_batch", [{"ReceiptHandle": each["ReceiptHandle"]} for each in part]))
            done += len(part)
            told(done)
    return done


def _received(queue: Queue) -> Sequence[dict[str, Any]]:
    answer = queue.call("receive_message", MaxNumberOfMessages=A_CALL, WaitTimeSeconds=1, VisibilityTimeout=SECONDS)
    return list(answer.get("Messages", ()))


def _objects(origin: str, goal: str, told: Told) -> int:
    bucket, _, prefix = origin.partition("/")
    client, stream = aws.client("s3"), KinesisStream(goal)
    done = 0
    for key in _keys(client, bucket, prefix):
        records = _records(key, aws.call(client.get_object, Bucket=bucket, Key=key)["Body"].read())
        for start in range(0, len(records), A_CALL):
            part = records[start : start + A_CALL]
            _refuse(aws.deliver(part, lambda left: _put(stream, left)))
        aws.call(client.delete_object, Bucket=bucket, Key=key)
        done += len(records)
        told(done)
    return done


def _keys(client: Any, bucket: str, prefix: str) -> Iterator[str]:
    more: dict[str, str] = {}
    while True:
        answer = aws.call(client.list_objects_v2, Bucket=bucket, Prefix=prefix, **more)
        yield from [each["Key"] for each in answer.get("Contents", ())]
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def _records(key: str, data: bytes) -> Sequence[_Data]:
    """The records in an object."""
    try:
        given_up = msgspec.json.decode(data, type=_GivenUp)
        return [each.kinesis for each in msgspec.json.decode(given_up.payload, type=_Payload).Records]
    except (msgspec.MsgspecError, ValueError) as error:
        raise SourceError(f"{key} holds no records that were given up: {error}", _HINT) from None


def _put(stream: KinesisStream, part: Sequence[_Data]) -> Sequence[Failed]:
    entries = [{"Data": each.data, "PartitionKey": each.partition_key} for each in part]
    answers = stream.call("put_records", Records=entries)["Records"]
    return [Failed(at, str(each["ErrorCode"]), again=True) for at, each in enumerate(answers) if each.get("ErrorCode")]


def _refuse(refused: Sequence[tuple[Any, str]]) -> None:
    """Raise StreamUnavailable if something was refused for good."""
    if refused:
        raise StreamUnavailable(f"{len(refused)} were refused: {refused[0][1]}", aws.HINT)


_WAYS: Final = {("sqs", "sqs"): _messages, ("s3", "kinesis"): _objects}
