r"""Which events a question is asked of: a filter, as people write it, as JSON, and as SQL.

::

    country is DE                       country is not DE
    path contains /blog                 path does not contain /blog
    browser in Firefox, Safari          browser not in Firefox, Safari
    path matches ^/blog/20\d\d          properties.plan is pro
    user_id is                          (nothing behind `is`: where there is none)

As JSON, which has ``and``, ``or`` and ``not``::

    ["or", ["is", "country", ["DE", "AT"]], ["contains", "path", ["/blog"]]]

What a filter holds is hostile: names are looked up, values are parameters.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import re2

from pixelake.errors import QueryError

OPERATORS: Final = ("is not", "is", "does not contain", "contains", "does not match", "matches", "not in", "in")
"""In words; `in` is `is` with several values."""
PROPERTIES: Final = "properties."
MOST_VALUES: Final = 1_000
MOST_FILTERS: Final = 100
LONGEST: Final = 2_000
"""Characters of a value."""
DEEPEST: Final = 10

_TEXT: Final = re.compile(rf"\s*(\S+)\s+({'|'.join(OPERATORS)})(?:\s+(.*?))?\s*\Z", re.IGNORECASE | re.DOTALL)
_NEGATED: Final = {"is not": "is", "not in": "is", "does not contain": "contains", "does not match": "matches"}
_PLAIN: Final = {"in": "is"}
_QUIET: Final = re2.Options()
_QUIET.log_errors = False  # else whoever asks writes to the log
_HINT: Final = "like `country is DE`, `path contains /blog`, `browser in Firefox, Safari`, `properties.plan is pro`"


@dataclass(frozen=True, slots=True)
class Test:
    """One column compared with values: true if any of them fits.

    Attributes:
        column: of events, or ``properties.NAME``.
        operator: ``is``, ``contains`` (in any case) or ``matches`` (RE2).
        values: to compare with; an empty text means that there is none.
    """

    column: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Several filters as one: ``and``, ``or``; or ``not`` of a single one."""

    how: str
    parts: "tuple[Filter, ...]"


Filter = Test | Joined
NOTHING: Final = Joined("and", ())
"""Every event passes."""


def parse(texts: Sequence[str], columns: Mapping[str, str]) -> Filter:
    """One filter of several, all of which must hold.

    Args:
        texts: each in words, or JSON.
        columns: those that can be asked for: name -> type, as `pixelake.event.Field` has it.

    Raises:
        QueryError: one of them is none, or its column, operator or value cannot be.
    """
    if len(texts) > MOST_FILTERS:
        raise QueryError(f"filter: {len(texts)} of them", f"at most {MOST_FILTERS}")
    parts = tuple(_of_json(text, columns) if text.lstrip()[:1] == "[" else _of_text(text, columns) for text in texts)
    return parts[0] if len(parts) == 1 else Joined("and", parts)


def _of_text(text: str, columns: Mapping[str, str]) -> Filter:
    found = _TEXT.match(text)
    if not found:
        raise QueryError(f"filter: {text[:80]!r} is none", _HINT)
    column, operator, value = found[1], " ".join(found[2].lower().split()), found[3] or ""
    several = operator in {"in", "not in"}
    return _test(column, operator, [each.strip() for each in value.split(",")] if several else [value], columns)


def _of_json(text: str, columns: Mapping[str, str]) -> Filter:
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        raise QueryError(f"filter: {text[:80]!r} is no JSON", 'like ["or", ["is", "country", ["DE"]], ...]') from None
    return _of_tree(tree, columns, [0], DEEPEST)


def _of_tree(tree: Any, columns: Mapping[str, str], counted: list[int], deep: int) -> Filter:
    counted[0] += 1
    if counted[0] > MOST_FILTERS or not deep:
        raise QueryError("filter: too many parts, or too deep", f"at most {MOST_FILTERS} parts, {DEEPEST} deep")
    match tree:
        case ["and" | "or" as how, *parts]:
            return Joined(how, tuple(_of_tree(part, columns, counted, deep - 1) for part in parts))
        case ["not", part]:
            return Joined("not", (_of_tree(part, columns, counted, deep - 1),))
        case [str(operator), str(column), list(values)] if all(isinstance(each, str) for each in values):
            return _test(column, operator.lower(), values, columns)
        case [str(operator), str(column), str(value)]:
            return _test(column, operator.lower(), [value], columns)
    hint = '["is", "country", ["DE"]], ["and", ...], ["or", ...] or ["not", ...]'
    raise QueryError(f"filter: {json.dumps(tree)[:80]} is none", hint)


def _test(column: str, operator: str, values: Sequence[str], columns: Mapping[str, str]) -> Filter:
    if operator not in OPERATORS:
        raise QueryError(f"filter: unknown operator {operator[:40]!r}", f"one of {', '.join(OPERATORS)}")
    is_property = column.startswith(PROPERTIES) and len(column) > len(PROPERTIES) and is_text(column)
    kind = "text" if is_property else columns.get(column)
    if kind is None:
        known = ", ".join(columns)
        raise QueryError(f"filter: there is no column {column[:60]!r}", f"one of {known}, or properties.NAME")
    if not values or len(values) > MOST_VALUES or any(len(each) > LONGEST for each in values):
        raise QueryError(
            f"filter: {len(values)} values for {column!r}",
            f"one to {MOST_VALUES:,}, of {LONGEST:,} characters at most",
        )
    if operator not in {"is", "is not", "in", "not in"} and not all(values):
        raise QueryError(f"filter: nothing behind `{operator}`", f"for where there is no {column!r}: `{column} is`")
    if not all(map(is_text, values)):
        raise QueryError(f"filter: a value for {column!r} is no text", "it holds a zero byte, or half a character")
    plain = _NEGATED.get(operator, _PLAIN.get(operator, operator))
    if plain != "is" and kind != "text":
        raise QueryError(f"filter: {column!r} is no text, and cannot be asked for what it {plain}", "it can be `is`")
    for value in values:
        _check_value(column, plain, value, kind)
    test = Test(column, plain, tuple(values))
    return Joined("not", (test,)) if operator in _NEGATED else test


def _check_value(column: str, operator: str, value: str, kind: str) -> None:
    if operator == "matches":
        try:
            re2.compile(value, _QUIET)
        except re2.error as error:
            why = b"".join(error.args).decode(errors="replace")  # which it has in bytes
            message = f"filter: {value[:60]!r} is no pattern: {why}"
            raise QueryError(message, "a regular expression as RE2 knows it") from None
    if value and kind == "bool" and value.lower() not in {"true", "false"}:
        raise QueryError(f"filter: {column!r} is true or false, not {value[:40]!r}", f"`{column} is true`")
    if value and kind.startswith(("decimal", "int")):
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
            raise QueryError(f"filter: {column!r} is a number, not {value[:40]!r}", f"`{column} is 9.90`")


def is_text(value: str) -> bool:
    """Whether a text can be stored: no zero byte, no half of a pair of surrogates."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


def filterable(fields: Mapping[str, str]) -> dict[str, str]:
    """The columns that can be asked for, of all (name -> type): no times, no maps."""
    return {name: kind for name, kind in fields.items() if kind in {"text", "bool", "int64"} or kind[:3] == "dec"}


def columns_in(what: Filter) -> frozenset[str]:
    """The columns that a filter looks at; `properties` for any of its names."""
    if isinstance(what, Test):
        return frozenset({"properties" if what.column.startswith(PROPERTIES) else what.column})
    return frozenset[str]().union(*map(columns_in, what.parts))


def as_sql(what: Filter, kinds: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """A filter as SQL, for a WHERE: true where an event passes, else false or null; and its parameters.

    Args:
        what: the filter.
        kinds: the types of columns.
    """
    values: dict[str, Any] = {}
    return _sql(what, kinds, values), values


def _sql(what: Filter, kinds: Mapping[str, str], values: dict[str, Any]) -> str:
    if isinstance(what, Test):
        return _test_sql(what, kinds, values)
    parts = [_sql(part, kinds, values) for part in what.parts]
    if what.how == "not":
        return f"(not coalesce({parts[0]}, false))"
    if not parts:
        return "true" if what.how == "and" else "false"
    return f"({f' {what.how} '.join(parts)})"


def _test_sql(test: Test, kinds: Mapping[str, str], values: dict[str, Any]) -> str:
    several = [_value_sql(test, value, kinds, values) for value in test.values]
    return several[0] if len(several) == 1 else f"({' or '.join(several)})"


def _value_sql(test: Test, value: str, kinds: Mapping[str, str], values: dict[str, Any]) -> str:
    name = f"f{len(values)}"
    if test.column.startswith(PROPERTIES):
        values[name] = test.column.removeprefix(PROPERTIES)
        there = f"properties[${name}]"
        return _property_sql(test, value, there, values)
    column = f'"{test.column}"'
    kind = kinds.get(test.column, "text")
    if not value:
        return f"({column} is null or {column} = '')" if kind == "text" else f"{column} is null"
    if kind == "bool":
        return f"{column} = {value.lower()}"
    if kind != "text":
        values[name] = Decimal(value)
        return f"{column} = ${name}"
    values[name] = value.lower() if test.operator == "contains" else value
    return _text_sql(test.operator, column, name)


def _property_sql(test: Test, value: str, there: str, values: dict[str, Any]) -> str:
    if not value:
        return f"({there} is null or list_contains({there}, ''))"
    name = f"f{len(values)}"
    values[name] = value.lower() if test.operator == "contains" else value
    if test.operator == "is":
        return f"list_contains({there}, ${name})"
    fits = _text_sql(test.operator, "one", name)
    return f"len(list_filter({there}, lambda one: {fits})) > 0"


def _text_sql(operator: str, column: str, name: str) -> str:
    if operator == "contains":
        return f"contains(lower({column}), ${name})"
    if operator == "matches":
        return f"regexp_matches({column}, ${name})"
    return f"{column} = ${name}"
