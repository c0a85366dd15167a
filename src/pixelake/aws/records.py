"""Records as event source mappings tell of them: of Kinesis, of SQS. Pure: nothing is asked, nothing is sent.

What a record holds becomes hits as if a reader had taken them from there
(`pixelake.stream.messages`): the same names, the same rows.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pixelake import hit_json
from pixelake.clock import SECOND
from pixelake.errors import NewerVersion, SourceError
from pixelake.hit import Hit
from pixelake.stream import messages
from pixelake.stream.aggregate import unpack
from pixelake.stream.messages import Decode

MILLISECOND: Final = 1_000
HINT: Final = "let an event source mapping call the function: of a stream of Kinesis, or of a queue of SQS"
_ARN: Final = re.compile(r"arn:[\w-]+:(kinesis|sqs):[^:]*:[^:]*:(?:stream/)?(?P<name>[\w.-]+)(?:/consumer/.+)?")
"""Of a stream also with the name of a consumer that has it for itself (enhanced fan-out)."""


class _KinesisData(msgspec.Struct, rename="camel"):
    sequence_number: str
    data: bytes
    partition_key: str
    approximate_arrival_timestamp: float = 0.0


class _KinesisRecord(msgspec.Struct):
    kinesis: _KinesisData
    eventID: str  # noqa: N815 - AWS's name
    eventSourceARN: str  # noqa: N815


class _Attributes(msgspec.Struct):
    SentTimestamp: str = "0"


class _SqsRecord(msgspec.Struct):
    messageId: str  # noqa: N815
    body: str
    eventSourceARN: str  # noqa: N815
    attributes: _Attributes = msgspec.field(default_factory=_Attributes)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a function is called with.

    Attributes:
        kind: ``kinesis`` or ``sqs``.
        name: of the stream or queue.
        hits: in order.
        left: the ids of the records that a newer version must read: to be told as failed. Of a shard, of its first.
        hint: what to do about them.
    """

    kind: str
    name: str
    hits: Sequence[Hit]
    left: Sequence[str] = ()
    hint: str = ""


def delivery(event: object, decode: Decode = hit_json.decode) -> Delivery:
    """The hits of an event.

    Args:
        event: of an event source mapping.
        decode: reads what a record holds.

    Raises:
        SourceError: it is none of an event source mapping of Kinesis or SQS.
    """
    found = event.get("Records") if isinstance(event, Mapping) else None
    records: Sequence[Any] = found if isinstance(found, list) else ()
    source = records[0].get("eventSource") if records and isinstance(records[0], Mapping) else ""
    if not isinstance(source, str) or source not in _KINDS:
        raise SourceError("this is no event of Kinesis or SQS", HINT)
    try:
        return _KINDS[source](records, decode)
    except (msgspec.ValidationError, ValueError) as error:
        raise SourceError(f"this is no event of {source}: {error}", HINT) from None


def _of_kinesis(records: Sequence[Any], decode: Decode) -> Delivery:
    read = msgspec.convert(records, list[_KinesisRecord])
    hits: list[Hit] = []
    name = _name(read[0].eventSourceARN)
    for record in read:
        try:
            hits += _in_aggregate(record, decode)
        except NewerVersion as error:
            return Delivery("kinesis", name, hits, [record.kinesis.sequence_number], f"{error}: {error.hint}")
    return Delivery("kinesis", name, hits)


def _in_aggregate(record: _KinesisRecord, decode: Decode) -> Sequence[Hit]:
    """The hits of a record. All of them, or `NewerVersion`: it can be told as failed only whole."""
    data, shard = record.kinesis, record.eventID.partition(":")[0]
    at = int(data.approximate_arrival_timestamp * SECOND)
    found = unpack(data.data, data.partition_key)
    return [
        messages.hit(each.data, at, f"{shard}-{data.sequence_number}-{number}", decode)
        for number, each in enumerate(found, 1)
    ]


def _of_sqs(records: Sequence[Any], decode: Decode) -> Delivery:
    read = msgspec.convert(records, list[_SqsRecord])
    hits: list[Hit] = []
    left: list[str] = []
    hint = ""
    for record in read:
        sent_at = int(record.attributes.SentTimestamp) * MILLISECOND
        try:
            data = record.body.encode(errors="surrogatepass")
            hits.append(messages.hit(data, sent_at, f"sqs-{record.messageId}", decode))
        except NewerVersion as error:
            left.append(record.messageId)
            hint = f"{error}: {error.hint}"
    return Delivery("sqs", _name(read[0].eventSourceARN), hits, left, hint)


def _name(arn: str) -> str:
    found = _ARN.fullmatch(arn)
    if not found:
        raise ValueError("its eventSourceARN names no stream and no queue")
    return found["name"]


_KINDS: Final[Mapping[str, Callable[[Sequence[Any], Decode], Delivery]]] = {
    "aws:kinesis": _of_kinesis,
    "aws:sqs": _of_sqs,
}
