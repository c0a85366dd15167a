"""The function between two streams of Kinesis: many records become few, of about 5 KB. Its handler is `handler`.

Firehose bills each record as a multiple of 5 KB, whatever it holds. So the
records of a call are packed in the format of Amazon's producer library (KPL,
`pixelake.stream.aggregate`), each aggregate under a key of its own, and put into
the stream that ``PIXELAKE_STREAM`` names (``kinesis://NAME``); Firehose unpacks
them. A call cannot keep anything for the next one: let the mapping wait for
enough records (a batch of 10,000 and a window of some seconds), else aggregates
are small.

The answer names the first record that is not known to be in the second stream
(``batchItemFailures``): from there on the service sends again, and some records
come twice then. What they hold has names, by which hits are merged.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from pixelake.aws.complain import reported
from pixelake.errors import SettingsError, SourceError, StreamUnavailable
from pixelake.settings import load
from pixelake.stream import aws
from pixelake.stream.aggregate import pack, unpack
from pixelake.stream.aws import Failed
from pixelake.stream.kinesis import A_CALL, BYTES, KinesisStream
from pixelake.telemetry import log_to_stderr

_HINT: Final = "let an event source mapping of a stream of Kinesis call the function"
_LOG: Final = structlog.get_logger("aggregate")

Answer = Mapping[str, Any]


class _Data(msgspec.Struct, rename="camel"):
    sequence_number: str
    partition_key: str
    data: bytes


class _Record(msgspec.Struct):
    kinesis: _Data
    eventSource: str  # noqa: N815 - AWS's name


class _Event(msgspec.Struct):
    Records: list[_Record]


class _Entry(NamedTuple):
    """A record for the second stream.

    Attributes:
        key: its partition key.
        data: its bytes.
        first: the place of the first record of the call that is in it.
    """

    key: str
    data: bytes
    first: int


class Aggregate:
    """What an instance of the function keeps from call to call.

    Args:
        stream: where aggregates go.
    """

    def __init__(self, stream: KinesisStream) -> None:
        self._stream = stream

    def __call__(self, event: object) -> Answer:
        """Pack the records of a call and put them; the answer is AWS's ``batchItemFailures``.

        Raises:
            SourceError: the event is none of Kinesis.
        """
        records = _records(event)
        for part in _calls(_entries(records)):
            if missing := self._put(part):  # what stands behind it comes again, too
                return {"batchItemFailures": [{"itemIdentifier": records[min(missing)].sequence_number}]}
        return {"batchItemFailures": []}

    def _put(self, entries: Sequence[_Entry]) -> Sequence[int]:
        """Put some at once. Returns the places from which on records may not be there."""
        left = set(range(len(entries)))

        def send(numbers: Sequence[int]) -> Sequence[Failed]:
            failed = self._send([entries[number] for number in numbers])
            left.difference_update(set(numbers) - {numbers[each.at] for each in failed})
            return failed

        try:
            aws.deliver(range(len(entries)), send)
        except StreamUnavailable as error:
            _LOG.error("records are not packed", reason=str(error), hint=error.hint, records=len(left))
        return [entries[number].first for number in left]

    def _send(self, entries: Sequence[_Entry]) -> Sequence[Failed]:
        records = [{"Data": entry.data, "PartitionKey": entry.key} for entry in entries]
        answer = self._stream.call("put_records", Records=records)
        codes = [str(each.get("ErrorCode") or "") for each in answer["Records"]]
        return [Failed(at, code, again=True) for at, code in enumerate(codes) if code]


def _records(event: object) -> Sequence[_Data]:
    try:
        found = msgspec.convert(event, _Event).Records
    except (msgspec.ValidationError, ValueError) as error:
        raise SourceError(f"this is no event of Kinesis: {error}", _HINT) from None
    if any(record.eventSource != "aws:kinesis" for record in found):
        raise SourceError("this is no event of Kinesis", _HINT)
    return [record.kinesis for record in found]


def _entries(records: Sequence[_Data]) -> Iterator[_Entry]:
    """The records packed, in order. What was packed before is packed anew."""
    inner = [(each.data, at) for at, sent in enumerate(records) for each in unpack(sent.data, sent.partition_key)]
    done = 0
    for packed in pack(data for data, _ in inner):
        data, first = inner[done]
        # a plain record keeps its key: with a longer one it might not fit any more
        key = records[first].partition_key if packed.data == data else packed.partition_key
        yield _Entry(key, packed.data, first)
        done += packed.records


def _calls(entries: Iterator[_Entry]) -> Iterator[Sequence[_Entry]]:
    """As many as a call of the service takes."""
    part: list[_Entry] = []
    size = 0
    for entry in entries:
        takes = len(entry.data) + len(entry.key.encode())
        if part and (len(part) == A_CALL or size + takes > BYTES):
            yield part
            part, size = [], 0
        part.append(entry)
        size += takes
    if part:
        yield part


def aggregate(environment: Mapping[str, str] | None = None) -> Aggregate:
    """What the environment makes; by default that of this process.

    Raises:
        SettingsError: it does not name a stream.
        StreamUnavailable: it does not say how AWS is reached.
    """
    scheme, _, name = load(environment=os.environ if environment is None else environment).stream.partition("://")
    stream = name.partition("?")[0].strip("/")
    if scheme != "kinesis" or not stream:
        raise SettingsError("PIXELAKE_STREAM names no stream of Kinesis", "set it to kinesis://NAME: the second stream")
    return Aggregate(KinesisStream(stream))


@cache
def _instance() -> Aggregate:
    log_to_stderr("info")
    return aggregate()


def handler(event: object, context: object) -> Answer:  # noqa: ARG001 - Lambda gives it
    """Pack the records of an event of Kinesis. Raises what is to be tried again whole."""
    with reported("records are not packed"):
        return _instance()(event)
