"""The function behind a bucket that Firehose writes to: files become rows of the lake. Its handler is `handler`.

Firehose may deliver a record twice, in one file or in two. So the lake takes
the rows of each new file once, by their ``hit_id``, as it does with whatever
comes out of a queue. Under the error prefix lie records as they were sent: they
are judged here, and what was refused becomes a row of ``rejects``, with its
reason and its bytes. So are the lines of standard logs that CloudFront has put
there, as JSON. Files stay where they are; to gather one again adds nothing.

It is called with notifications of S3: by S3 itself, or better by a queue of SQS
that S3 tells, which keeps what fails. ``PIXELAKE_LAKE``, ``PIXELAKE_REGISTRY``
and ``PIXELAKE_LIVE`` say where things are, as for `pixelake.aws.consume`;
``PIXELAKE_LOG_FIELDS`` is set as for `pixelake.aws.transform`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

import msgspec
import pyarrow as pa
import structlog

from pixelake.aws import landed, terms
from pixelake.aws.complain import reported
from pixelake.aws.transform import name_of
from pixelake.build import functions
from pixelake.build.functions import Stages
from pixelake.build.records import records
from pixelake.clock import SECOND, SYSTEM
from pixelake.collect.logs.records import Records
from pixelake.errors import NewerVersion, SourceError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import aws
from pixelake.stream.base import Batch
from pixelake.telemetry import log_to_stderr, told
from pixelake.transform.feed import concat
from pixelake.transform.retry import once
from pixelake.transform.tables import table
from pixelake.warehouse.base import REJECTS, WITHHELD, Outcome

KIND: Final = "s3"
"""Of what is gathered, in the name of its partition."""
PART: Final = 5_000
"""Records of a file of failed ones that are judged at once."""
UNCONVERTED: Final = "format-conversion-failed/"
"""Behind the error prefix: rows that were judged, and did not become Parquet."""
_HINT: Final = "let notifications of S3 call the function, by a queue of SQS or at once"
_LOG: Final = structlog.get_logger("gather")

Fetch = Callable[[str, str], bytes]
"""A bucket and a key -> the object."""


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str


class _S3(msgspec.Struct):
    bucket: _Bucket
    object: _Object


class _Notice(msgspec.Struct):
    s3: _S3
    eventName: str  # noqa: N815 - AWS's name
    eventTime: datetime | None = None  # noqa: N815


class _Notices(msgspec.Struct):
    """A notification; one that says only that it works has no records."""

    Records: list[_Notice] = []


class _Message(msgspec.Struct):
    messageId: str  # noqa: N815
    body: str


class Object(NamedTuple):
    """A new object.

    Attributes:
        bucket: where it is.
        key: its name there.
        at: when it was put, or else told of (µs UTC).
    """

    bucket: str
    key: str
    at: int


class Gather:
    """What an instance of the function keeps from call to call.

    Args:
        stages: judge hits, and settle outcomes.
        read: makes hits of records that failed.
        schema: of events.
        fetch: gets objects.
    """

    def __init__(self, stages: Stages, read: Records, schema: pa.Schema, fetch: Fetch) -> None:
        self._stages, self._read, self._schema, self._fetch = stages, read, schema, fetch

    def __call__(self, event: object) -> Mapping[str, Any]:
        """Gather what an event tells of; the answer is AWS's ``batchItemFailures``.

        Raises:
            SourceError: the event is none of S3, by itself or in messages of SQS.
            PixelakeError: it is to be called again, with the same.
        """
        messages = _messages(event)
        if messages is None:
            for each in objects(event):
                self.gather(each)
            return {}
        failed = [message.messageId for message in messages if not self._is_done(message)]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

    def _is_done(self, message: _Message) -> bool:
        try:
            for each in objects(msgspec.json.decode(message.body)):
                self.gather(each)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one file, the others are gathered
            hint = getattr(error, "hint", _HINT)
            _LOG.error("a file is not gathered", reason=told(error), kind=type(error).__name__, hint=hint)
            return False
        return True

    def gather(self, each: Object) -> int:
        """Put the rows of an object into the lake; returns how many were new.

        Raises:
            SourceError: it holds something else.
            PixelakeError: to be called again.
        """
        settler = self._stages.settler(KIND, each.bucket)
        data = self._fetch(each.bucket, each.key)
        return sum(settler.settle(outcome) for outcome in self._outcomes(each, data))

    def _outcomes(self, each: Object, data: bytes) -> Iterator[Outcome]:
        if each.key.startswith(terms.ERRORS + UNCONVERTED):
            return iter([_outcome(landed.unconverted(data, self._schema))])
        if each.key.startswith(terms.ERRORS):
            return self._judged(landed.failed(data))
        if each.key.startswith(terms.LOGS_OF_AWS):
            return self._judged((line, each.at) for line in landed.lines(data))
        if not each.key.startswith(terms.LANDING):
            raise SourceError("an object lies where Firehose lands none", _HINT)
        return map(_outcome, landed.events(data, self._schema))

    def _judged(self, found: Iterator[tuple[bytes, int]]) -> Iterator[Outcome]:
        """The outcomes of records that were not judged before."""
        while part := list(islice(found, PART)):
            hits = [hit for sent, at in part for hit in self._hits(sent, at)]
            if hits:
                batch = Batch(KIND, hits, range(1, len(hits) + 1))
                yield concat(list(self._stages.judge(batch, once)))

    def _hits(self, sent: bytes, at: int) -> Sequence[Hit]:
        try:
            return list(self._read.hits(sent, at, name_of(sent)))
        except NewerVersion as error:
            raise SourceError(str(error), error.hint) from error


def objects(event: object) -> Sequence[Object]:
    """The new objects that a notification tells of.

    Raises:
        SourceError: it is no notification of S3.
    """
    is_test = isinstance(event, Mapping) and event.get("Event") == "s3:TestEvent"
    if not is_test and not (isinstance(event, Mapping) and "Records" in event):
        raise SourceError("this is no notification of S3", _HINT)
    try:
        found = msgspec.convert(event, _Notices).Records
    except msgspec.ValidationError as error:
        raise SourceError(f"this is no notification of S3: {error}", _HINT) from None
    made = [each for each in found if each.eventName.removeprefix("s3:").startswith("ObjectCreated:")]
    return [Object(each.s3.bucket.name, unquote_plus(each.s3.object.key), _at(each)) for each in made]


def _at(notice: _Notice) -> int:
    return round(notice.eventTime.timestamp() * SECOND) if notice.eventTime else SYSTEM.now()


def _messages(event: object) -> Sequence[_Message] | None:
    """Messages of SQS; None if it is another event."""
    found = event.get("Records") if isinstance(event, Mapping) else None
    first = found[0] if isinstance(found, list) and found else None
    if not isinstance(first, Mapping) or first.get("eventSource") != "aws:sqs":
        return None
    try:
        return msgspec.convert(found, list[_Message])
    except msgspec.ValidationError as error:
        raise SourceError(f"these are no messages of SQS: {error}", _HINT) from None


def _outcome(rows: pa.Table) -> Outcome:
    """Rows that were judged before."""
    bounds = {KIND: 1}, {KIND: rows.num_rows}
    rows = rows.set_column(rows.column_names.index("partition"), "partition", pa.array([KIND] * rows.num_rows))
    return Outcome(rows, table(REJECTS, {}, 0), table(WITHHELD, {}, 0), *bounds)


def _fetching() -> Fetch:
    client = aws.client("s3")

    def fetch(bucket: str, key: str) -> bytes:
        answer = aws.call(client.get_object, Bucket=bucket, Key=key)
        try:
            data: bytes = answer["Body"].read()
        except OSError as error:
            raise StreamUnavailable(aws.one_line(error), aws.HINT) from error
        return data

    return fetch


@cache
def _instance() -> Gather:
    log_to_stderr("info")
    chosen = functions.settings()
    found = functions.stages(chosen)
    return Gather(found, records(chosen), found.judge.schema, _fetching())


def handler(event: object, context: object) -> Mapping[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Gather the files that a notification tells of. Raises what is to be tried again."""
    with reported("files are not gathered"):
        return _instance()(event)
