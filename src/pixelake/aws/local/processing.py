"""A function that transforms the records of a stream of Firehose: its event, its tries, and what its answer means."""

import json
import uuid
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog

from pixelake.aws.local.mapping import ACCOUNT
from pixelake.clock import Clock
from pixelake.telemetry import told

ANSWER: Final = 6 * 1_024 * 1_024
"""Bytes of an answer."""
TRIES: Final = 4
OK, DROPPED, FAILED = "Ok", "Dropped", "ProcessingFailed"
_LOG: Final = structlog.get_logger("firehose")

Function = Callable[[Mapping[str, Any]], Any]
"""An event in, its answer out; it may raise."""


class Record(NamedTuple):
    """What was put in.

    Attributes:
        id: its name.
        data: its bytes.
        at: when it came (µs UTC).
        source: shard, partition key, sequence number and place in it, if it is of a stream of Kinesis.
    """

    id: str
    data: bytes
    at: int
    source: tuple[str, str, str, int] | None = None


class Processing:
    """Has a function transform records.

    Args:
        stream: the name of the stream.
        call: the function.
        clock: the time.
    """

    def __init__(self, stream: str, call: Function, clock: Clock) -> None:
        self._stream, self._call, self._clock = stream, call, clock

    def __call__(self, records: Sequence[Record]) -> tuple[list[Record], list[dict[str, Any]]]:
        """The records it made, and what Firehose tells of those that it failed for."""
        event, why, tries = self._event(records), ("", ""), 0
        while tries < TRIES:
            tries += 1
            try:
                answer = self._call(event)
            except Exception as error:  # noqa: BLE001 - whatever it was, Lambda tells of an error
                why = "Lambda.FunctionError", f"The Lambda function returned an error result: {told(error)}"
                _LOG.warning("a function has failed", stream=self._stream, error=told(error), tries=tries)
            else:
                if isinstance(found := _answered(answer), dict):
                    return self._sorted(records, found, tries)
                why = found
        return [], [self._unprocessed(record, *why, tries) for record in records]

    def _event(self, records: Sequence[Record]) -> dict[str, Any]:
        event: dict[str, Any] = {
            "invocationId": str(uuid.uuid4()),
            "deliveryStreamArn": arn(self._stream),
            "region": "us-east-1",
            "records": [_told(record) for record in records],
        }
        if records[0].source:
            event["sourceKinesisStreamArn"] = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/source"
        return event

    def _sorted(
        self, records: Sequence[Record], answers: Mapping[str, Sequence[Any]], tries: int
    ) -> tuple[list[Record], list[dict[str, Any]]]:
        good: list[Record] = []
        failed: list[dict[str, Any]] = []
        for record in records:
            found = _result(answers.get(record.id, ()))
            if isinstance(found, bytes):
                good.append(record._replace(data=found))
            elif found:
                failed.append(self._unprocessed(record, *found, tries))
        return good, failed

    def _unprocessed(self, record: Record, code: str, message: str, tries: int) -> dict[str, Any]:
        """What Firehose tells of a record that its function failed for."""
        return {
            "rawData": b64encode(record.data).decode(),
            "errorCode": code,
            "errorMessage": message,
            "attemptsMade": tries,
            "arrivalTimestamp": record.at // 1_000,
            "attemptEndingTimestamp": self._clock.now() // 1_000,
            "lambdaARN": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:transform:$LATEST",
        }


def arn(stream: str) -> str:
    """The full name of a stream."""
    return f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/{stream}"


def _told(record: Record) -> dict[str, Any]:
    """A record as the function is told of it."""
    found: dict[str, Any] = {
        "recordId": record.id,
        "approximateArrivalTimestamp": record.at // 1_000,
        "data": b64encode(record.data).decode(),
    }
    if record.source:
        shard, key, sequence, number = record.source
        found["kinesisRecordMetadata"] = {
            "shardId": shard,
            "partitionKey": key,
            "sequenceNumber": sequence,
            "subsequenceNumber": number,
            "approximateArrivalTimestamp": record.at // 1_000,
        }
    return found


def _answered(answer: object) -> dict[str, list[Any]] | tuple[str, str]:
    """The answers to records by their ids; or why it is none, as code and message."""
    if len(json.dumps(answer, default=str)) > ANSWER:
        return "Lambda.FunctionError", "Response payload size exceeded maximum allowed payload size"
    records = answer.get("records") if isinstance(answer, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(each, Mapping) for each in records):
        return "Lambda.JsonProcessingException", "There was an error parsing returned records from the Lambda function"
    found: dict[str, list[Any]] = {}
    for each in records:
        found.setdefault(str(each.get("recordId")), []).append(each)
    return found


def _result(answers: Sequence[Mapping[str, Any]]) -> bytes | tuple[str, str] | None:
    """What became of a record: its new data, why it failed, or None if it is dropped."""
    if not answers:
        return "Lambda.MissingRecordId", "One or more record Ids were not returned"
    if len(answers) > 1:
        return "Lambda.DuplicatedRecordId", "Multiple records were returned with the same record Id"
    result = answers[0].get("result")
    if result == DROPPED:
        return None
    if result == FAILED:
        return "Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record"
    try:
        if result == OK:
            return b64decode(answers[0]["data"], validate=True)
    except (LookupError, TypeError, ValueError):
        pass
    return "Lambda.JsonProcessingException", "There was an error parsing returned records from the Lambda function"
