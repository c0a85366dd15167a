"""Streams of AWS for tests: moto's server, and what goes wrong on the way to it."""

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from botocore.exceptions import ClientError, EndpointConnectionError

from pixelake.hit import Hit
from pixelake.stream import aws
from pixelake.stream.base import Batch, Reader
from tests import hits as numbered

PATIENCE = 20.0
"""Seconds for what a busy machine must do."""


BEGIN = 1_700_000_000_000_000
"""Microseconds; what was received before 1990 nobody reads."""


def hits(start: int, count: int) -> list[Hit]:
    """Hits of our days that tell their number."""
    return [msgspec.structs.replace(hit, received_at=BEGIN + hit.received_at) for hit in numbered.hits(start, count)]


def new_queue(**attributes: str) -> str:
    """The name of a new, empty queue."""
    name = f"hits-{uuid.uuid4().hex[:12]}"
    aws.client("sqs").create_queue(QueueName=name, Attributes=attributes)
    return name


def drained(reader: Reader, count: int, limit: int = 100) -> list[Batch]:
    """Batches until there are so many hits; and then a short look for more."""
    batches: list[Batch] = []
    deadline = time.monotonic() + PATIENCE
    while sum(len(batch.hits) for batch in batches) < count and time.monotonic() < deadline:
        if batch := reader.read(limit, 1):
            batches.append(batch)
    while batch := reader.read(limit, 0.3):
        batches.append(batch)
    return batches


class Faulty:
    """A client between us and the server, which does what it is told before it asks the server.

    ``faults[operation]`` are called one after the other with the arguments of a
    call. One that returns None lets the call through; else it is the answer. Where
    none is left every call goes through.
    """

    def __init__(self, service: str, client: Any = None, **faults: Iterable[Callable[..., Any]]) -> None:
        self._client = client or aws.client(service)
        self._faults = {name: list(each) for name, each in faults.items()}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            self.calls.append((name, arguments))
            faults = self._faults.get(name, [])
            answer = faults.pop(0)(**arguments) if faults else None
            return getattr(self._client, name)(**arguments) if answer is None else answer

        return call

    def count(self, name: str) -> int:
        """How often an operation was called."""
        return sum(called == name for called, _ in self.calls)


def error(code: str, status: int = 400) -> Callable[..., Any]:
    """The service answers an error."""

    def fail(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Any")

    return fail


def unreachable(**_: Any) -> Any:
    """Nobody answers."""
    raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def through(**_: Any) -> None:
    """Nothing is wrong."""
