"""The function behind a stream of Kinesis or a queue of SQS: records become rows. Its handler is `handler`.

The same stages as everywhere: hits are judged, the lake takes those that are
new by their ``hit_id``, durably, and the live store follows the lake. Whatever
AWS hands out again, in what order and to whom, adds nothing. A hit that is
refused, or that nobody can read, is a row of ``rejects`` with its reason and its
bytes, and never fails a call. What fails one is infrastructure: then it raises,
with one line in the log, and AWS calls again, or puts the records where its
on-failure destination or dead-letter queue says.

It is set by the environment: ``PIXELAKE_LAKE``, ``PIXELAKE_REGISTRY`` and
``PIXELAKE_LIVE`` say where it keeps things, and any other setting of the
consumer goes as ``PIXELAKE_<NAME>``. Its mapping needs ``ReportBatchItemFailures``.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

import structlog

from pixelake.aws.complain import reported
from pixelake.aws.records import Delivery, delivery
from pixelake.build import functions
from pixelake.build.functions import Stages
from pixelake.stream.base import Batch
from pixelake.telemetry import log_to_stderr
from pixelake.transform.feed import concat
from pixelake.transform.retry import once

_LOG: Final = structlog.get_logger("consume")


class Consume:
    """What an instance of the function keeps from call to call."""

    def __init__(self, stages: Stages) -> None:
        self._stages = stages

    def __call__(self, event: object) -> Mapping[str, Any]:
        """Settle the hits of an event; the answer is AWS's ``batchItemFailures``.

        Raises:
            SourceError: the event is none of Kinesis or SQS.
            PixelakeError: it is to be called again, with the same.
        """
        found = delivery(event, self._stages.decode)
        self.settle(found)
        if found.left:
            _LOG.error("records are left for a newer version", records=len(found.left), hint=found.hint)
        return {"batchItemFailures": [{"itemIdentifier": each} for each in found.left]}

    def settle(self, found: Delivery) -> int:
        """Settle hits; returns how many were new. Raises as a call does."""
        settler = self._stages.settler(found.kind, found.name)
        if not found.hits:
            return settler.settle(None)
        batch = Batch(found.kind, found.hits, _places(found.hits))
        return settler.settle(concat(list(self._stages.judge(batch, once))))


def _places(hits: Sequence[object]) -> range:
    """They tell the hits of a call apart; the lake has others for them."""
    return range(1, len(hits) + 1)


@cache
def _instance() -> Consume:
    log_to_stderr("info")
    return Consume(functions.stages(functions.settings()))


def handler(event: object, context: object) -> Mapping[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Settle an event of Kinesis or SQS. Raises what is to be tried again."""
    with reported("records are not settled"):
        return _instance()(event)
