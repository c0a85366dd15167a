"""Fields of queries -> what each of them says: found out once, and remembered."""

import re
from collections.abc import Callable, Sequence
from sys import getsizeof
from typing import Any, Final, NamedTuple

from pixelake.cache import LONGEST, Memory
from pixelake.dialects.text import unescape
from pixelake.hit import Hit
from pixelake.transform.page import Page, read_page
from pixelake.transform.rules import Rules
from pixelake.transform.validate import AT, CHECKS, COLUMNS, validate

MEMORY: Final = 64 << 20
"""Bytes of the fields that are remembered, in each of two generations: those of some 50,000 pages."""
EACH: Final = 448
"""Bytes that a field takes besides what was sent and the texts that are made of it, about."""
QUOTA: Final = MEMORY // 1_024
"""Fields of one name that are remembered: values that never come again (an event id) must not drive out the others."""
PASSED: Final = 64
"""What a field beyond that costs: so that a generation ends some day, and new pages have their turn."""

_PAGES: Final = (AT["url"], AT["referrer"])
_CHECKED: Final = frozenset(AT[column] for column, _ in CHECKS)
_ESCAPED: Final = re.compile(b"[%+]")


class Field(NamedTuple):
    """A field of a query: the place of its column in a row of `validate`, or one of those below, and its value."""

    place: int
    name: str
    value: Any


PROPERTY, NOTHING, UNUSUAL = -1, -2, -3
_UNUSUAL: Final = Field(UNUSUAL, "", None)
_NOTHING: Final = Field(NOTHING, "", None)


class Fields:
    """What fields of queries say that come again and again, bounded in bytes. Two generations, as `Memory` has.

    Args:
        read: what a field says; pure.
    """

    def __init__(self, read: Callable[[bytes], Field]) -> None:
        self._read = read
        self._left = MEMORY
        self._young: dict[bytes, Field] = {}
        self._old: dict[bytes, Field] = {}
        self._taken: dict[bytes, int] = {}

    def said(self, fields: Sequence[bytes]) -> list[Field]:
        """What each field says."""
        found: list[Any] = list(map(self._young.get, fields))
        at = 0
        for _ in range(found.count(None)):
            at = found.index(None, at)
            found[at] = self._learn(fields[at])
        return found

    def _learn(self, field: bytes) -> Field:
        said = self._old.get(field) or self._read(field)
        if len(field) > LONGEST:
            return said
        if self._left < 0:
            self._old, self._young, self._taken, self._left = self._young, {}, {}, MEMORY
        name = field.partition(b"=")[0]
        taken = self._taken.get(name, 0)
        if taken < QUOTA:
            self._taken[name] = taken + 1
            self._young[field] = said
            self._left -= len(field) + EACH + _bytes(said)
        else:
            self._left -= PASSED
        return said


class FieldReader:
    """Reads fields, for one set of rules, as those do who read whole hits."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._native = rules.fallback
        self._path = self._native.routes[0].path
        self._names: Memory[bytes, Field] = Memory(self._name_of)

    def __call__(self, field: bytes) -> Field:
        """What a field says."""
        name, equals, value = field.partition(b"=")
        known = self._names[name]
        if known is _UNUSUAL or not equals:
            return self._slowly(field)
        sent = value.decode() if value.isascii() and not _ESCAPED.search(value) else unescape(value.decode("latin-1"))
        if len(sent) > self._rules.max_field or self._rules.secrets.may_hold(f"{known.value}\0{sent}"):
            return self._slowly(field)
        if known.place == PROPERTY:
            return Field(PROPERTY, known.name, sent)
        told = read_page(sent, self._rules.kept_query) if known.place in _PAGES and sent else sent or None
        return Field(known.place, "", told)

    def _slowly(self, field: bytes) -> Field:
        """What a field says, by those who read all hits."""
        (element,) = self._native.decode(Hit.of(0, "", "", "GET", self._path + b"?" + field, b""))
        if not element.values:
            return _UNUSUAL if element.faults else _NOTHING
        ((called, (told, *_)),) = element.values.items()
        row, properties, faults = validate(element.values, self._rules.max_field)
        if element.faults or faults or not called or self._rules.secrets.may_hold(f"{called}\0{told}"):
            return _UNUSUAL
        if properties:
            return Field(PROPERTY, called, told)
        at = AT[COLUMNS[called]]
        page = at in _PAGES and row[at]
        return Field(at, "", read_page(row[at], self._rules.kept_query) if page else row[at])

    def _name_of(self, name: bytes) -> Field:
        """What a plain text under that name is; unusual if that takes a longer look. The value is the name itself."""
        (element,) = self._native.decode(Hit.of(0, "", "", "GET", self._path + b"?" + name + b"=x", b""))
        if element.faults or len(element.values) != 1:
            return _UNUSUAL
        (called,) = element.values
        column = COLUMNS.get(called)
        if not called or len(called) > self._rules.max_field or (column is not None and AT[column] in _CHECKED):
            return _UNUSUAL
        return Field(PROPERTY, called, called) if column is None else Field(AT[column], "", called)


def _bytes(field: Field) -> int:
    """Of its texts: a single letter that is none of ASCII makes each of them take up to four times more."""
    _, name, value = field
    texts = (value.url, value.host, value.path, *value.tags) if isinstance(value, Page) else (value,)
    return sum(map(getsizeof, (name, *texts)))
