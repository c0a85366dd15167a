"""The body of a POST as elements: JSON, NDJSON or a form, gzipped or not.

Numbers keep their very text. A nested value of a property is kept as compact
JSON text; a list gives repeated values; ``null`` and ``[]`` a name without any.
Of a name that a JSON object repeats the last one counts, as JSON has it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final, TypeVar

import msgspec

from pixelake.dialects.base import MAX_VALUES, Element, Fault
from pixelake.dialects.coding import BodyError, as_utf8, unpack
from pixelake.dialects.text import canonical, parse_query, text

MAX_ELEMENTS: Final = 10_000
"""Elements of one body."""
MAX_BODY_VALUES: Final = 200_000
"""Values of one body: they take some 50 MB, and a fifth of a second."""
MAX_LINES: Final = 4 * MAX_ELEMENTS
"""Lines of NDJSON, the empty ones too."""

T = TypeVar("T")
Names = Mapping[str, str]
Values = Mapping[str, Sequence[str]]

OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8, or nested a thousand deep."""
_STRING: Final = msgspec.json.Decoder(str)
_LITERAL: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, also one that never ends, so that quotes alone are not looked at again and again."""
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE: Final = re.compile(
    rb"((?:[^\\]++"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\(?!u[dD][89a-fA-F][0-9a-fA-F]{2}).)*+)"
    rb"(?:\\(u[dD][89a-fA-F][0-9a-fA-F]{2})|\\?\Z)",
    re.DOTALL,
)
"""What is before it, and the letters of its escape; or all that is left, so that nothing is looked at twice."""
MAX_SURROGATES: Final = 10_000
"""Halves of emojis that are mended in a body. With more of them it cannot be read."""


class Kind(Enum):
    """How a body is to be read."""

    JSON = "json"
    LINES = "lines"
    FORM = "form"


def decode_body(body: bytes, content_type: bytes, encoding: bytes, names: Names, defaults: Values) -> list[Element]:
    """The elements of a body, one at least; `defaults` serve each of them. Never raises."""
    try:
        readable = as_utf8(unpack(body, encoding), content_type)
        elements = _READERS[kind_of(content_type, readable)](readable, names)
    except BodyError as error:
        return [Element(defaults, (error.fault,))]
    if not defaults:
        return elements
    if len(elements) * sum(map(len, defaults.values())) > MAX_BODY_VALUES:
        fault = Fault("too_many", "body", f"with the query's to each element, more than {MAX_BODY_VALUES} values")
        return [Element(defaults, (fault,))]
    return [Element({**defaults, **element.values}, element.faults) for element in elements]


def kind_of(content_type: bytes, body: bytes) -> Kind:
    """What the content type says, unless the body's first letter says JSON.

    A beacon sends JSON as `text/plain`, and `curl -d` as a form.

    Raises:
        BodyError: it is of no kind that is read.
    """
    kind = text(content_type).partition(";")[0].strip().lower()
    start = body.lstrip()[:1]
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"):
        return Kind.LINES
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return Kind.JSON
    if kind not in ("", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        raise BodyError("body_unreadable", f"content type {kind[:80]}")
    if start in (b"{", b"["):
        return Kind.JSON
    if b"=" not in body and kind != "application/x-www-form-urlencoded":
        raise BodyError("body_unreadable", "neither JSON nor a form" if start else "an empty body")
    return Kind.FORM


def split_lines(body: bytes) -> list[bytes]:
    """The elements of NDJSON: the lines that are not empty. Raises BodyError."""
    if body.count(b"\n") + body.count(b"\r") > MAX_LINES:
        raise BodyError("body_too_large", f"more than {MAX_LINES} lines")
    readable = without_lone_surrogates(_counted(body))
    return _bounded([line for line in readable.splitlines() if line.strip()])


def split_array(body: bytes) -> list[bytes]:
    """The elements of a JSON array, each as it stands. Raises BodyError."""
    try:
        items = ARRAY.decode(without_lone_surrogates(_counted(body)))
    except UNREADABLE as error:
        raise BodyError("body_unreadable", _why(error)) from error
    return [bytes(item) for item in _bounded(items)]


def read_object(item: bytes) -> Mapping[str, msgspec.Raw]:
    """The members of a JSON object; they are counted before they are built.

    Raises:
        BodyError: there are too many.
        Exception: one of `UNREADABLE`.
    """
    commas = item.count(b",")
    if commas > MAX_BODY_VALUES or (commas >= MAX_VALUES and _LITERAL.sub(b"", item).count(b",") >= MAX_VALUES):
        raise BodyError("too_many", f"more than {MAX_VALUES} values in an element")
    return OBJECT.decode(item)


def has_lines(body: bytes) -> bool:
    """Is its first line an object by itself?"""
    try:
        read_object(without_lone_surrogates(body.lstrip().partition(b"\n")[0]))
    except (BodyError, *UNREADABLE):
        return False
    return True


def one_text(raw: bytes) -> str:
    """A JSON value as text: a string's own letters, anything else as it was written, without white space."""
    if raw[:1] == b'"':
        return _STRING.decode(raw)
    return (msgspec.json.format(raw, indent=-1) if raw[:1] in (b"{", b"[") else raw).decode()


def without_lone_surrogates(body: bytes) -> bytes:
    r"""Half an emoji (a title cut by JavaScript) is no text in UTF-8: its escape stays as the letters ``\ud83d``."""
    if _SURROGATE.search(body) is None:
        return body
    return _LONE_SURROGATE.sub(
        lambda found: found[1] + b"\\\\" + found[2] if found[2] else found[0], body, MAX_SURROGATES
    )


def _form(body: bytes, names: Names) -> list[Element]:
    if body.count(b"&") >= MAX_VALUES:
        raise BodyError("too_many", f"more than {MAX_VALUES} fields")
    return [Element(parse_query(body.strip(), names))]


def _json(body: bytes, names: Names) -> list[Element]:
    if body.lstrip()[:1] == b"[":
        return [_element(item, names) for item in split_array(body)]
    try:
        return [Element(_values(without_lone_surrogates(body), names))]
    except UNREADABLE as error:
        if has_lines(body):
            return _lines(body, names)
        raise BodyError("body_unreadable", _why(error)) from error
    except BodyError:
        if has_lines(body):
            return _lines(body, names)
        raise


def _lines(body: bytes, names: Names) -> list[Element]:
    return [_element(item, names) for item in split_lines(body)]


_READERS: Final[Mapping[Kind, Callable[[bytes, Names], list[Element]]]] = {
    Kind.JSON: _json,
    Kind.LINES: _lines,
    Kind.FORM: _form,
}


def _counted(body: bytes) -> bytes:
    """The body, if its commas say that it can be held."""
    if body.count(b",") > MAX_BODY_VALUES:
        raise BodyError("too_many", f"more than {MAX_BODY_VALUES} values")
    return body


def _bounded(items: list[T]) -> list[T]:
    if not items:
        raise BodyError("body_unreadable", "an array without elements")
    if len(items) > MAX_ELEMENTS:
        raise BodyError("body_too_large", f"more than {MAX_ELEMENTS} elements")
    return items


def _element(item: bytes, names: Names) -> Element:
    """One element; only itself is lost where it cannot be read."""
    if item.lstrip()[:1] != b"{":
        return Element({}, (Fault("element_not_object", "body", f"{len(item)} bytes that are no object"),))
    try:
        return Element(_values(item, names))
    except BodyError as error:
        return Element({}, (error.fault,))
    except UNREADABLE as error:
        return Element({}, (Fault("body_unreadable", "body", _why(error)),))


def _values(item: bytes, names: Names) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, raw in read_object(item).items():
        values.setdefault(canonical(name, names), []).extend(_texts(bytes(raw)))
    return values


def _texts(raw: bytes) -> Iterable[str]:
    if raw == b"null":
        return ()
    if raw[:1] == b"[":
        return [one_text(bytes(item)) for item in ARRAY.decode(raw)]
    return (one_text(raw),)


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:120]
