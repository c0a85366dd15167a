"""A table of Amazon DynamoDB, as those see it who keep something in one: items by ``pk`` and ``sk``, which are text.

An item is a dict of plain Python: text, bytes, whole numbers and decimals,
bools, lists, dicts. Expressions are DynamoDB's; in each of them ``#name``
is the attribute of that name, and ``:name`` the value that is given under it.
Needs the extra ``aws``. How a table is reached: see `pixelake.stream.aws`.
"""

import os
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from botocore.exceptions import ClientError

from pixelake.errors import PixelakeError, StreamUnavailable, WarehouseError
from pixelake.stream import aws

Key: TypeAlias = tuple[str, str]
"""``pk`` and ``sk``."""
Item: TypeAlias = dict[str, Any]

A_GET: Final = 100
"""Items that one call may get,"""
A_WRITE: Final = 25
"""put or delete without a condition,"""
A_TRANSACTION: Final = 100
"""or write together."""
CONNECTIONS: Final = 20
_NAMED: Final = re.compile(r"#(\w+)")
_UNSATISFIED: Final = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
_BUSY: Final = frozenset(
    {
        *("RequestLimitExceeded", "TransactionInProgressException", "TransactionConflictException"),
        "ReplicatedWriteConflictException",
        *("TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"),  # why a transaction was cancelled
    }
)
"""Beside those of `aws.BUSY`: codes that may be gone when one asks again."""
_HINTS: Final = {
    "ResourceNotFoundException": "make it, with the keys pk and sk (text), or look at AWS_REGION and AWS_ENDPOINT_URL",
    "AccessDeniedException": "let whom AWS_* say that we are read and write its items",
    "ValidationException": "the keys of the table must be pk (HASH) and sk (RANGE), both text",
}


_KINDS: Final[Mapping[type, str]] = {bool: "BOOL", str: "S", int: "N", Decimal: "N", bytes: "B"}
"""A bool is an int, too, and so comes before it."""


class Write(NamedTuple):
    """One of several writes that are made together: see `put`, `update`, `delete` and `check`."""

    operation: str
    arguments: Mapping[str, Any]


def put(item: Item, condition: str = "", **values: Any) -> Write:
    """Put an item in the place of what has its keys, if what is there satisfies the condition."""
    return Write("Put", {"Item": _packed(item)["M"], **_only_if(condition), **_given(values, condition)})


def update(key: Key, expression: str, condition: str = "", **values: Any) -> Write:
    """Change attributes of an item, made if it is not there, if it satisfies the condition."""
    given = {**_only_if(condition), **_given(values, expression, condition)}
    return Write("Update", {"Key": _key(key), "UpdateExpression": expression, **given})


def delete(key: Key, condition: str = "", **values: Any) -> Write:
    """Delete an item, if it is there and satisfies the condition."""
    return Write("Delete", {"Key": _key(key), **_only_if(condition), **_given(values, condition)})


def check(key: Key, condition: str, **values: Any) -> Write:
    """Change nothing; let nothing else be written if the item does not satisfy the condition."""
    return Write("ConditionCheck", {"Key": _key(key), **_only_if(condition), **_given(values, condition)})


class Table:
    """A table by its name. It may be used by several threads; nobody is asked before the first call.

    What is read is what was last written. What a busy service does not take is sent again a few times: a write whose
    answer was lost may so find its own condition broken by itself. Who minds puts a mark of his own into it.
    Every method raises `failure` if nobody answers, the service stays busy, or refuses.

    Args:
        name: of the table.
        failure: the error that is raised.
        client: botocore's; by default one of the environment.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        failure: type[PixelakeError] = WarehouseError,
        client: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name, self._failure, self._client, self._sleep = name, failure, client, sleep

    def get(self, key: Key) -> Item | None:
        """The item; None: there is none."""
        found = self._call("get_item", TableName=self.name, Key=_key(key), ConsistentRead=True).get("Item")
        return _unpacked(found) if found else None

    def get_many(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Those of these items that are there."""
        wanted = [_key(key) for key in dict.fromkeys(keys)]
        found = []
        for start in range(0, len(wanted), A_GET):
            asked = {self.name: {"Keys": wanted[start : start + A_GET], "ConsistentRead": True}}
            for answer in self._until_done("batch_get_item", asked, "UnprocessedKeys"):
                found += [_unpacked(item) for item in answer["Responses"].get(self.name, ())]
        return {(item["pk"], item["sk"]): item for item in found}

    def put(self, item: Item, condition: str = "", **values: Any) -> bool:
        """Put an item in the place of what has its keys; False: what is there does not satisfy the condition."""
        return self._written("put_item", put(item, condition, **values)) is not None

    def update(self, key: Key, expression: str, condition: str = "", **values: Any) -> Item | None:
        """Change attributes of an item, made if it is not there.

        Returns:
            All of it as it is now; None: it does not satisfy the condition.
        """
        answer = self._written("update_item", update(key, expression, condition, **values), ReturnValues="ALL_NEW")
        return None if answer is None else _unpacked(answer.get("Attributes", {}))

    def delete(self, key: Key, condition: str = "", **values: Any) -> bool:
        """Delete an item, if it is there; False: what is there does not satisfy the condition."""
        return self._written("delete_item", delete(key, condition, **values)) is not None

    def write_many(self, items: Iterable[Item] = (), gone: Iterable[Key] = ()) -> None:
        """Put items and delete others, each for itself, in no order, and whatever is there. No key may stand twice."""
        requests: list[Any] = [{"PutRequest": {"Item": _packed(item)["M"]}} for item in items]
        requests += [{"DeleteRequest": {"Key": _key(key)}} for key in gone]
        for start in range(0, len(requests), A_WRITE):
            for _ in self._until_done(
                "batch_write_item", {self.name: requests[start : start + A_WRITE]}, "UnprocessedItems"
            ):
                pass

    def transact(self, writes: Sequence[Write]) -> bool:
        """Make at most `A_TRANSACTION` writes to different items, all or none; False: a condition is not satisfied."""
        items = [{write.operation: {"TableName": self.name, **write.arguments}} for write in writes]
        token = secrets.token_hex(16)  # so that to send it again is to do it once
        try:
            self._call("transact_write_items", TransactItems=items, ClientRequestToken=token)
        except _Unsatisfied:
            return False
        return True

    def query(
        self,
        pk: str,
        keys: str = "",
        *,
        only: str = "",
        attributes: Sequence[str] = (),
        backwards: bool = False,
        limit: int = 0,
        **values: Any,
    ) -> Iterator[Item]:
        """The items of a ``pk``, by ``sk``; asked for page by page, as they are taken.

        Args:
            pk: whose.
            keys: a condition on ``#sk``: ``begins_with(#sk, :start)``, ``#sk BETWEEN :a AND :b``, ``#sk < :a``.
            only: a condition on other attributes; what does not satisfy it is read all the same, and left out.
            attributes: that are wanted; by default all.
            backwards: the greatest ``sk`` first.
            limit: how many at most; 0: all.
            values: of both conditions.
        """
        condition = f"#pk = :pk AND {keys}" if keys else "#pk = :pk"
        wanted = ", ".join(f"#{name}" for name in attributes)
        arguments = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ConsistentRead": True,
            "ScanIndexForward": not backwards,
            **_given({"pk": pk, **values}, condition, only, wanted),
            **({"ProjectionExpression": wanted} if wanted else {}),
            **({"FilterExpression": only} if only else {}),
            **({"Limit": limit} if limit and not only else {}),
        }
        taken = 0
        while True:
            answer = self._call("query", **arguments)
            for item in answer["Items"]:
                yield _unpacked(item)
                taken += 1
                if taken == limit:
                    return
            if not answer.get("LastEvaluatedKey"):
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def check(self, *, patient: bool = False) -> None:
        """Return if it is there, has such keys, and lets us read; `patient`: or if nobody tells, or he is busy."""
        try:
            self.get(("check", "check"))
        except self._failure as error:
            cause = error.__cause__
            if not (patient and isinstance(cause, StreamUnavailable) and aws.is_away(cause)):
                raise

    def _written(self, operation: str, write: Write, **more: Any) -> Any:
        """The answer; None: the condition is not satisfied."""
        try:
            return self._call(operation, TableName=self.name, **write.arguments, **more)
        except _Unsatisfied:
            return None

    def _until_done(self, operation: str, asked: Any, left: str) -> Iterator[Any]:
        """The answers to a call, and to what was left of it."""
        pauses = _pauses()
        while asked:
            pause = next(pauses, None)
            if pause is None:
                hint = "give it more capacity, or let it have that on demand"
                raise self._failure(f"table {self.name}: it is too busy", hint)
            self._sleep(pause)
            answer = self._call(operation, RequestItems=asked)
            yield answer
            before, asked = _entries(asked), answer.get(left)
            if asked and _entries(asked) < before:  # of much, one answer has but a part
                pauses = _pauses()

    def _call(self, operation: str, **arguments: Any) -> Any:
        """The answer; asked again while the service is busy."""
        for pause in _pauses():
            self._sleep(pause)
            try:
                return aws.call(getattr(self._reached(), operation), **arguments)
            except StreamUnavailable as error:
                codes = _codes(error.__cause__)
                if codes & _UNSATISFIED:
                    raise _Unsatisfied from error
                last, busy = error, isinstance(error, aws.Busy) or bool(codes & (_BUSY | aws.BUSY))
            if not busy:
                break
        hint = next((_HINTS[each] for each in _codes(last.__cause__) if each in _HINTS), last.hint)
        raise self._failure(f"table {self.name}: {last}", hint) from last

    def _reached(self) -> Any:
        if self._client is None:
            environment = tuple(sorted((name, text) for name, text in os.environ.items() if name.startswith("AWS_")))
            self._client = _client(environment, os.getpid())
        return self._client


class _Unsatisfied(Exception):
    """A condition is not satisfied."""


@lru_cache(maxsize=4)
def _client(_environment: tuple[tuple[str, str], ...], _process: int) -> Any:
    """One for all tables of a process, since each takes a tenth of a second to make."""
    return aws.client("dynamodb", connections=CONNECTIONS)


def _pauses() -> Iterator[float]:
    """Seconds before each try."""
    yield 0.0
    for pause in aws.WAITS:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311 - no secret


def _codes(error: BaseException | None) -> frozenset[str]:
    """The code that the service answered, and of each write of a transaction why it was cancelled."""
    if not isinstance(error, ClientError):
        return frozenset()
    response: Mapping[str, Any] = error.response
    reasons = response.get("CancellationReasons") or ()
    return frozenset({aws.code(error), *(str(each.get("Code") or "") for each in reasons)})


def _entries(requests: Mapping[str, Any]) -> int:
    """Items that are asked for, or written, by calls of several."""
    return sum(len(each["Keys"]) if isinstance(each, dict) else len(each) for each in requests.values())


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


def _only_if(condition: str) -> dict[str, Any]:
    return {"ConditionExpression": condition} if condition else {}


def _given(values: Mapping[str, Any], *expressions: str) -> dict[str, Any]:
    """What the names and values in expressions mean."""
    names = {f"#{name}": name for each in expressions for name in _NAMED.findall(each)}
    packed = {f":{name}": _packed(value) for name, value in values.items()}
    found = {"ExpressionAttributeNames": names, "ExpressionAttributeValues": packed}
    return {name: each for name, each in found.items() if each}


def _packed(value: Any) -> dict[str, Any]:
    """A value as DynamoDB takes it."""
    if isinstance(value, dict):
        return {"M": {name: _packed(each) for name, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [_packed(each) for each in value]}
    kind = next((kind for known, kind in _KINDS.items() if isinstance(value, known)), "")
    if not kind:
        raise TypeError(f"{type(value).__name__} cannot be kept in DynamoDB")
    return {kind: f"{value:f}" if isinstance(value, Decimal) else str(value)} if kind == "N" else {kind: value}


def _unpacked(item: Mapping[str, Any]) -> Item:
    return {name: _value(packed) for name, packed in item.items()}


def _value(packed: Mapping[str, Any]) -> Any:
    ((kind, value),) = packed.items()
    if kind == "N":
        number = Decimal(value)
        return int(number) if number == number.to_integral_value() else number
    if kind == "L":
        return [_value(each) for each in value]
    return _unpacked(value) if kind == "M" else value
