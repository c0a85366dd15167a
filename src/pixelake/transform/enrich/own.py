"""The user's own enrichers, by import path: typed columns of their own, and failures that stay theirs.

::

    from pixelake.event import Field
    from pixelake.transform.enrich.own import enricher

    @enricher(inputs=("user_id", "properties.plan"), outputs=(Field("plan", "text", "", "what the user pays for"),))
    def plan(user_id, plan):
        return plan or PLANS.get(user_id)

An enricher is a pure function. It sees columns of the event as the lake would
keep them, so no whole address, and nothing that policy took out. It runs once
for each distinct input of a batch, in the consumer: its time is the consumer's.
Whatever it raises, or gives that its outputs cannot hold, makes rejects of the
events it was asked about (`enricher_failed`), and of no others. What it prints
goes to stderr.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from pixelake.errors import SettingsError
from pixelake.event import FIELDS, Field

Columns = Mapping[str, Sequence[Any]]

PROPERTY: Final = "properties."
"""Before an input: the first value of the property of that name."""
MAX_OUTPUTS: Final = 50
"""Columns of one enricher."""
LONGEST: Final = 8_192
"""Letters of a text, or of all texts of a map."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_TAKEN: Final = frozenset(field.name for field in FIELDS)
_UNSEEN: Final = frozenset({"properties", "year", "month", "day", "hour", "partition", "position"})
_HINT: Final = "enrichers names functions as module:name, each made by @enricher; docs/enrichers.md says how"
_NOT_PLAIN: Final = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_SMALLEST: Final = Decimal("0.000001")
_LIMIT: Final = Decimal(10) ** 12

F = TypeVar("F", bound=Callable[..., Any])


class Declared(NamedTuple):
    """What `enricher` notes on a function."""

    inputs: tuple[str, ...]
    outputs: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Own:
    """An enricher of the user's.

    Attributes:
        name: how the setting names it.
        inputs: columns of the event, outputs of own enrichers before it, or ``properties.NAME``.
        outputs: the columns it adds. They are null in older files.
        function: takes the inputs of a row, gives its outputs as a tuple; or the output itself if it has one.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[Field, ...]
    function: Callable[..., Any]


def enricher(*, inputs: Iterable[str], outputs: Iterable[Field]) -> Callable[[F], F]:
    """Declare what a function takes and what it gives. The function stays as it is."""

    def declare(function: F) -> F:
        function.__enricher__ = Declared(tuple(inputs), tuple(outputs))  # type: ignore[attr-defined]
        return function

    return declare


def load_own(paths: Iterable[str]) -> tuple[Own, ...]:
    """Import the enrichers of the setting `enrichers`, in its order.

    Raises:
        SettingsError: one cannot be imported, is not declared, or cannot be as it is declared.
    """
    found: list[Own] = []
    for path in paths:
        own = _import(path)
        known = {field.name: field.type for each in found for field in each.outputs}
        if fault := _fault(own, known):
            raise SettingsError(f"enricher {path}: {fault}", _HINT)
        found.append(own)
    return tuple(found)


def own_fields(owns: Iterable[Own]) -> tuple[Field, ...]:
    """The columns that own enrichers add to the events."""
    return tuple(field for own in owns for field in own.outputs)


def enrich_own(columns: Columns, rows: int, own: Own) -> tuple[Mapping[str, Sequence[Any]], Mapping[int, str]]:
    """The columns of an own enricher, and the rows that it failed for. Never raises.

    Args:
        columns: all there are; one that is not there is null.
        rows: how many rows they have.
        own: the enricher.

    Returns:
        Output column -> its values, None where it failed; and row -> what failed, in words that hold nothing
        of the row: to be the text of a fault ``enricher_failed``.
    """
    inputs = [_input(columns, rows, name) for name in own.inputs]
    keys = list(zip(*inputs, strict=True)) if inputs else [()] * rows
    with redirect_stdout(sys.stderr):
        known = {key: _answer(own, key) for key in dict.fromkeys(keys)}
    failed = {row: answer for row, key in enumerate(keys) if isinstance(answer := known[key], str)}
    nothing = (None,) * len(own.outputs)
    answers = [nothing if isinstance(answer := known[key], str) else answer for key in keys]
    outputs = zip(*answers, strict=True) if answers else iter([()] * len(own.outputs))
    return dict(zip((field.name for field in own.outputs), outputs, strict=True)), failed


def _import(path: str) -> Own:
    module, _, name = path.partition(":")
    if not module or not name:
        raise SettingsError(f"enricher {path!r} is not module:name", _HINT)
    try:
        with redirect_stdout(sys.stderr):  # stdout is the answer of a command
            function = getattr(importlib.import_module(module), name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever somebody's module does when it is imported
        raise SettingsError(
            f"enricher {path} cannot be imported: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
            "install its package, or put its folder into PYTHONPATH",
        ) from error
    declared = getattr(function, "__enricher__", None)
    if not isinstance(declared, Declared):
        raise SettingsError(f"enricher {path} is not declared", _HINT)
    return Own(path, declared.inputs, declared.outputs, function)


def _fault(own: Own, known: Mapping[str, str]) -> str:
    """What is wrong with a declaration; `known` are the types of the columns of own enricher before it."""
    return _fault_of_inputs(own, known) or _fault_of_outputs(own, known) or _fault_of_function(own)


def _fault_of_inputs(own: Own, known: Mapping[str, str]) -> str:
    for name in own.inputs:
        if not isinstance(name, str) or not (
            (name.startswith(PROPERTY) and name != PROPERTY)
            or (name in _TAKEN - _UNSEEN)
            or (name in known and known[name] in _ONE_VALUE)
        ):
            return f"there is no input {name!r}"
    return ""


def _fault_of_outputs(own: Own, known: Mapping[str, str]) -> str:
    if not 0 < len(own.outputs) <= MAX_OUTPUTS:
        return f"it has {len(own.outputs)} outputs: 1 to {MAX_OUTPUTS} can be"
    names = set(known)
    for field in own.outputs:
        if not isinstance(field, Field) or not all(isinstance(part, str) for part in field):
            return "an output is no Field of four texts"
        if not _NAME.fullmatch(field.name):
            return f"{field.name!r} can be no column: lower-case letters, digits and _ can"
        if field.name in _TAKEN or field.name in names:
            return f"there is a column {field.name} already"
        if field.type not in _CHECKS:
            return f"{field.name} has no type of {', '.join(_CHECKS)}"
        names.add(field.name)
    return ""


def _fault_of_function(own: Own) -> str:
    if not callable(own.function) or any(kind(own.function) for kind in _NOT_PLAIN):
        return "it is no plain function"
    try:
        inspect.signature(own.function).bind(*own.inputs)
    except (TypeError, ValueError):
        return f"it does not take its {len(own.inputs)} inputs"
    return ""


def _input(columns: Columns, rows: int, name: str) -> Sequence[Any]:
    if name.startswith(PROPERTY):
        wanted = name.removeprefix(PROPERTY)
        return [next(iter(row.get(wanted, ())), None) for row in columns["properties"]]
    return columns.get(name) or (None,) * rows


def _answer(own: Own, inputs: tuple[Any, ...]) -> tuple[Any, ...] | str:
    """The outputs, checked; or what failed, without a word of the inputs."""
    try:
        given = own.function(*inputs)
        values = given if isinstance(given, tuple) else (given,)
        return tuple(
            None if value is None else _CHECKS[field.type](value)
            for field, value in zip(own.outputs, values, strict=True)
        )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - it is not ours; what panics in Rust is no Exception
        return f"{own.name}: {type(error).__name__[:80]}{_place(error)}"


def _place(error: BaseException) -> str:
    """Where in the user's code, so that it can be found: what an error says may hold anything."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    if at is None or at.tb_frame.f_code.co_filename == __file__:
        return " in what it gave"
    return f" in {Path(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno}"


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    if len(value) > LONGEST:
        raise ValueError
    value.encode()  # lone surrogates cannot be kept
    return value


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _int64(value: Any) -> int:
    if type(value) is not int:
        raise TypeError
    if not -(1 << 63) <= value < 1 << 63:
        raise OverflowError
    return value


def _timestamp(value: Any) -> int:
    """Microseconds, of such a number or of a datetime that knows its zone."""
    micros = (value - _EPOCH) // _MICROSECOND if isinstance(value, datetime) else _int64(value)
    if not -_LAST <= micros <= _LAST:
        raise OverflowError
    return micros


def _decimal(value: Any) -> Decimal:
    if type(value) not in (int, Decimal):
        raise TypeError
    number = Decimal(value)
    try:
        exact = number.quantize(_SMALLEST)
    except InvalidOperation as error:
        raise ValueError from error
    if exact != number or abs(exact) >= _LIMIT:
        raise ValueError
    return exact + 0  # no -0


def _map(value: Any) -> dict[str, list[str]]:
    if not isinstance(value, Mapping):
        raise TypeError
    if any(isinstance(texts, str) for texts in value.values()):
        raise TypeError
    found = {_text(name): [_text(each) for each in texts] for name, texts in value.items()}
    if sum(len(name) + sum(map(len, texts)) + len(texts) for name, texts in found.items()) > LONGEST:
        raise ValueError
    return found


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": _text,
    "bool": _bool,
    "int64": _int64,
    "timestamp": _timestamp,
    "decimal(18,6)": _decimal,
    "map<text,list<text>>": _map,
}
"""Type of a `Field` -> what makes a value of it that the table can hold, or raises."""
_ONE_VALUE: Final = frozenset(_CHECKS) - {"map<text,list<text>>"}
