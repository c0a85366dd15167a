"""The function in a stream of Firehose: records become rows of events, as JSON. Its handler is `handler`.

A record holds hits as `pixelake.collect.logs.records` reads them. They are
judged as everywhere, and what comes of a record stands in its place:

- ``Ok``: a line of JSON for each of its events (`pixelake.aws.rows`);
- ``Dropped``: none of its hits is to be kept: policy withholds it, or a line of a log tells of none;
- ``ProcessingFailed``: one of its hits is refused or cannot be read. Firehose keeps the record, as it came, under its
  error prefix; whoever gathers these judges all of it again, so that events and rejects come of it there. A line in
  the log tells the reasons, and how often.

Firehose does not call twice for the same records unless we raise, or it has to
begin anew: names come from the records themselves, so that rows that come twice
are told by their ``hit_id``. Broken infrastructure raises: Firehose calls three
times more, and then keeps the batch under its error prefix.

It is set by the environment: ``PIXELAKE_REGISTRY`` and ``PIXELAKE_LAKE`` as for
the other functions, ``PIXELAKE_LOG_FIELDS`` if records are lines of a log, and
any other setting of the consumer as ``PIXELAKE_<NAME>``.
"""

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from pixelake.aws import rows
from pixelake.aws.complain import reported
from pixelake.build import functions
from pixelake.build.judging import judge
from pixelake.build.records import records
from pixelake.clock import SYSTEM, Clock
from pixelake.errors import NewerVersion, SourceError
from pixelake.hit import Hit
from pixelake.stream.base import Batch
from pixelake.telemetry import log_to_stderr
from pixelake.transform.feed import concat
from pixelake.transform.retry import once

if TYPE_CHECKING:
    from pixelake.collect.logs.records import Records
    from pixelake.transform.judge import Judge
    from pixelake.warehouse.base import Outcome

PARTITION: Final = "firehose"
"""In rows: their places tell them apart within a call, and mean nothing behind it."""
MOST: Final = 6_000_000
"""Bytes of an answer: Lambda takes 6 MiB."""
OVERHEAD: Final = 80
"""Bytes of a record in an answer beside its id and its data, generously."""
OK, DROPPED, FAILED = "Ok", "Dropped", "ProcessingFailed"
_HINT: Final = "let a stream of Firehose call the function to transform its records"
_LATEST: Final = 253_402_300_799_999
_FURTHEST: Final = (2**63 - 1) // 1_000
"""Microseconds from the epoch: the year 2262."""
_LOG: Final = structlog.get_logger("transform")

Answer = Mapping[str, Any]
"""What Firehose is answered: ``{"records": [{"recordId", "result", "data"}]}``."""


class _Record(msgspec.Struct, rename="camel"):
    record_id: str
    data: bytes
    approximate_arrival_timestamp: Annotated[int, msgspec.Meta(ge=0, le=_LATEST)] = 0


class _Event(msgspec.Struct, rename="camel"):
    records: list[_Record]
    invocation_id: str
    delivery_stream_arn: str


def name_of(data: bytes) -> str:
    """What names the hits of a record that have no names: what it holds, the same however it came here."""
    return f"{PARTITION}-{sha256(data).hexdigest()[:32]}"


class Transform:
    """What an instance of the function keeps from call to call.

    Args:
        read: makes hits of records.
        judge: makes outcomes of hits.
        most: bytes of an answer.
        clock: when a record came that does not tell it.
    """

    def __init__(self, read: "Records", judge: "Judge", most: int = MOST, clock: Clock = SYSTEM) -> None:
        self._read, self._judge, self._most, self._clock = read, judge, most, clock

    def __call__(self, event: object) -> Answer:
        """The answer to a call: each record once, in order.

        Raises:
            SourceError: the event is none of Firehose.
            PixelakeError: it is to be called again, with the same.
        """
        sent = _event(event).records
        owners: list[int] = []
        hits: list[Hit] = []
        failed: dict[int, Counter[str]] = defaultdict(Counter)
        for at, record in enumerate(sent):
            try:
                found = list(self._read.hits(record.data, self._arrived(record), name_of(record.data)))
            except NewerVersion:
                failed[at]["newer_version"] += 1
                continue
            hits += found
            owners += [at] * len(found)
        lines = self._judged(hits, owners, failed)
        return self._answer(sent, lines, failed)

    def _arrived(self, record: _Record) -> int:
        return record.approximate_arrival_timestamp * 1_000 or self._clock.now()

    def _judged(
        self, hits: Sequence[Hit], owners: Sequence[int], failed: Mapping[int, Counter[str]]
    ) -> Mapping[int, list[bytes]]:
        """The events of each record as lines; reasons of rejects are counted in `failed`."""
        if not hits:
            return {}
        outcome: Outcome = concat(list(self._judge(Batch(PARTITION, hits, range(1, len(hits) + 1)), once)))
        places, reasons = (outcome.rejects[name].to_pylist() for name in ("position", "reason"))
        for place, reason in zip(places, reasons, strict=True):
            failed[owners[int(str(place)) - 1]][str(reason)] += 1
        for place in _beyond(outcome.events):
            failed[owners[place - 1]]["time_beyond_files"] += 1
        lines: dict[int, list[bytes]] = defaultdict(list)
        for place, line in rows.lines(outcome.events):
            lines[owners[place - 1]].append(line)
        return lines

    def _answer(
        self, sent: Sequence[_Record], lines: Mapping[int, list[bytes]], failed: Mapping[int, Counter[str]]
    ) -> Answer:
        answers, too_much = [], 0
        left = self._most - sum(len(record.record_id) + OVERHEAD for record in sent)
        for at, record in enumerate(sent):
            result, data = _result(record, lines.get(at, ()), is_failed=at in failed)
            answer = {"recordId": record.record_id, "result": result}
            size = (len(data) + 2) // 3 * 4
            if size <= left:
                left -= size
                answer["data"] = b64encode(data).decode()
            elif result == OK:
                answer["result"] = FAILED
                too_much += 1
            answers.append(answer)
        _complain(failed, too_much)
        return {"records": answers}


def _beyond(events: pa.Table) -> Sequence[int]:
    """The places of events with a time that a reader of ORC in nanoseconds cannot hold: it could read no other."""
    places: set[int] = set()
    for field in events.schema:
        if pa.types.is_timestamp(field.type):
            times: Any = events[field.name].cast(pa.int64())
            is_beyond: Any = pc.greater(pc.abs(times), pa.scalar(_FURTHEST, pa.int64()))
            found: Any = events["position"].filter(is_beyond)
            places.update(found.to_pylist())
    return sorted(places)


def _event(event: object) -> _Event:
    try:
        found = msgspec.convert(event, _Event)
    except (msgspec.ValidationError, ValueError) as error:
        raise SourceError(f"this is no event of Firehose: {error}", _HINT) from None
    if len({record.record_id for record in found.records}) < len(found.records):
        raise SourceError("this is no event of Firehose: two records have one recordId", _HINT)
    return found


def _result(record: _Record, lines: Sequence[bytes], *, is_failed: bool) -> tuple[str, bytes]:
    """What becomes of a record, and its data. Of one that failed all is kept, to be judged again."""
    if is_failed:
        return FAILED, record.data
    return (OK, b"".join(lines)) if lines else (DROPPED, b"")


def _complain(failed: Mapping[int, Counter[str]], too_much: int) -> None:
    if failed:
        reasons = sum(failed.values(), Counter[str]())
        hint = "they are under the error prefix, and become rejects, with what is wrong"
        _LOG.warning("records hold what is no event", records=len(failed), reasons=dict(reasons), hint=hint)
    if too_much:
        hint = "set BufferSizeInMBs of the transformation to 1 or less; they are kept under the error prefix"
        _LOG.error("the events of records do not fit into an answer", records=too_much, hint=hint)


@cache
def _instance() -> Transform:
    log_to_stderr("info")
    chosen = functions.settings()
    return Transform(records(chosen), judge(chosen))


def handler(event: object, context: object) -> Answer:  # noqa: ARG001 - Lambda gives it
    """Transform the records of a call of Firehose. Raises what is to be tried again."""
    with reported("records are not transformed"):
        return _instance()(event)
