"""Looks at what the live store on DynamoDB does to its table: requests, items, and deaths between them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pixelake.stream import aws
from pixelake.warehouse.dynamodb import Table, _unpacked


@contextmanager
def counted() -> Iterator[list[str]]:
    """The names of the requests that are made meanwhile."""
    calls: list[str] = []
    before = aws.call

    def call(operation: Any, **arguments: Any) -> Any:
        calls.append("".join(part.title() for part in operation.__name__.split("_")))
        return before(operation, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aws, "call", call)
        yield calls


@contextmanager
def weighed(table: Table) -> Iterator[list[int]]:
    """The bytes of the items that were put or changed meanwhile."""
    before = everything(table)
    found: list[int] = []
    yield found
    found += [
        sum(len(str(key)) + size(value) for key, value in item.items())
        for item in everything(table)
        if item not in before
    ]


def size(value: Any) -> int:
    """Bytes of a value of an item, more or less."""
    return len(value) if isinstance(value, bytes | str) else 8


def everything(table: Table) -> list[dict[str, Any]]:
    """All items there are."""
    return [_unpacked(item) for item in aws.client("dynamodb").scan(TableName=table.name)["Items"]]


class InTurn:
    """A client of DynamoDB for threads: moto looks at a condition, and writes later, and lets others in between."""

    def __init__(self) -> None:
        self._client, self._lock = aws.client("dynamodb"), threading.Lock()

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            with self._lock:
                return operation(**arguments)

        return call


class Dying:
    """A client of DynamoDB whose process dies at some call of these operations."""

    def __init__(self, operations: str, is_done: bool, at: int = 1) -> None:
        self._client, self._operations, self._is_done, self._left = aws.client("dynamodb"), operations, is_done, at

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def call(**arguments: Any) -> Any:
            if name in self._operations.split():
                self._left -= 1
                if not self._left:
                    if self._is_done:
                        operation(**arguments)
                    raise KeyboardInterrupt
            return operation(**arguments)

        return call
