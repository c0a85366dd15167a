"""What goes wrong on purpose, as it does in AWS: `Faults` says how likely, and answers in the place of a service.

::

    throttle   a call of Kinesis, SQS, Firehose or DynamoDB that changes something is refused for its rate
    partial    records of PutRecords, entries of a batch of SQS or Firehose are refused, one by one
    duplicate  an event source mapping, or Firehose, delivers again what was settled
    crash      the consumer dies right after the lake has taken a batch, before anything else knows of it
    late       API Gateway tells of a hit that it took an hour ago
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from pixelake.errors import SettingsError

NAMES: Final = ("throttle", "partial", "duplicate", "crash", "late")
_ENTRIES: Final = {"PutRecords": "Records", "PutRecordBatch": "Records", "SendMessageBatch": "Entries"}
_CHANGES: Final = frozenset(
    {
        *("PutRecord", "PutRecords", "PutRecordBatch", "SendMessage", "SendMessageBatch", "DeleteMessageBatch"),
        *("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"),
    }
)
_CODES: Final = {
    "Kinesis": "ProvisionedThroughputExceededException",
    "Firehose": "ServiceUnavailableException",
    "AmazonSQS": "RequestThrottled",
    "DynamoDB": "ProvisionedThroughputExceededException",
}


def parsed(texts: tuple[str, ...]) -> Mapping[str, float]:
    """What ``name=rate`` say: how likely each is, from 0 to 1.

    Raises:
        SettingsError: there is no such fault, or the rate is none.
    """
    rates: dict[str, float] = {}
    for text in texts:
        name, _, rate = text.partition("=")
        if name not in NAMES:
            raise SettingsError(f"there is no fault {name!r}", f"one of {', '.join(NAMES)}, as in throttle=0.1")
        try:
            rates[name] = float(rate or "0.1")
        except ValueError:
            rates[name] = -1.0
        if not 0 <= rates[name] <= 1:
            raise SettingsError(f"{text}: a rate is between 0 and 1", f"write {name}=0.1")
    return rates


class Faults:
    """Decides what goes wrong, by chance."""

    def __init__(self, rates: Mapping[str, float], seed: int | None = None) -> None:
        self._rates = rates
        self._random = random.Random(seed)  # noqa: S311 - no secrets

    def rate(self, name: str) -> float:
        """How likely a fault is."""
        return self._rates.get(name, 0.0)

    def strikes(self, name: str) -> bool:
        """Whether it happens now."""
        return self._random.random() < self.rate(name)

    def refused(self, service: str, operation: str) -> str:
        """The code that a call is refused with; empty: it is not."""
        if operation in _CHANGES and self.strikes("throttle"):
            return _CODES.get(service, "ThrottlingException")
        return ""

    def in_part(
        self, service: str, operation: str, body: bytes, call: Callable[[bytes], tuple[int, bytes]]
    ) -> tuple[int, bytes]:
        """The answer to a call of several entries, some of which are refused: `call` asks about the rest."""
        member = _ENTRIES.get(operation)
        if member is None or not self.rate("partial"):
            return call(body)
        asked = json.loads(body)
        entries = asked[member]
        bad = {at for at in range(len(entries)) if self.strikes("partial")}
        rest = [entry for at, entry in enumerate(entries) if at not in bad]
        if not rest:
            bad.discard(0)
            rest = entries[:1]
        status, text = call(json.dumps({**asked, member: rest}).encode())
        if not bad or status != 200:
            return status, text
        return status, json.dumps(_merged(service, json.loads(text), entries, bad)).encode()


def _merged(service: str, answer: dict[str, Any], entries: list[Any], bad: set[int]) -> dict[str, Any]:
    """The answer, with those in it that were refused."""
    if service == "AmazonSQS":
        failed = [{"Id": entries[at]["Id"], "SenderFault": False, "Code": "InternalError"} for at in sorted(bad)]
        return {**answer, "Failed": [*answer.get("Failed", ()), *failed]}
    member, count, code = (
        ("RequestResponses", "FailedPutCount", "ServiceUnavailableException")
        if service == "Firehose"
        else ("Records", "FailedRecordCount", "ProvisionedThroughputExceededException")
    )
    taken = iter(answer[member])
    refusal = {"ErrorCode": code, "ErrorMessage": "slow down"}
    told = [refusal if at in bad else next(taken) for at in range(len(entries))]
    return {**answer, member: told, count: answer.get(count, 0) + len(bad)}
