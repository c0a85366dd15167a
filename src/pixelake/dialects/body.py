"""The body of a POST as elements: JSON, NDJSON or a form, gzipped or not.

Numbers keep their very text. A nested value of a property is kept as compact
JSON text; a list gives repeated values; ``null`` and ``[]`` a name without any.
Of a name that a JSON object repeats the last one counts, as JSON has it.
"""

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from pixelake.dialects.base import Element, Fault
from pixelake.dialects.text import canonical, parse_query, text

MAX_BODY: Final = 8 << 20
"""Bytes of an unpacked body; a gzip bomb ends here."""
MAX_ELEMENTS: Final = 10_000
"""Elements of one body."""

Names = Mapping[str, str]
Values = Mapping[str, Sequence[str]]

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY: Final = msgspec.json.Decoder(list[msgspec.Raw])
_STRING: Final = msgspec.json.Decoder(str)
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no JSON, no UTF-8, or nested a thousand deep."""

_ESCAPES: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_CHARSETS: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "utf-8",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Charsets that are read; latin-1 as browsers read it. Others are read as UTF-8, which keeps their bytes."""


class BodyError(Exception):
    """A body that cannot be read. Never leaves `decode_body`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(reason, "body", message)


def decode_body(body: bytes, content_type: bytes, encoding: bytes, names: Names, defaults: Values) -> list[Element]:
    """The elements of a body, one at least; `defaults` serve each of them. Never raises."""
    try:
        readable = _as_utf8(_unpack(body, encoding), content_type)
        elements = list(_reading(content_type, readable)(readable, names))
    except BodyError as error:
        return [Element(defaults, (error.fault,))]
    if not defaults:
        return elements
    return [Element({**defaults, **element.values}, element.faults) for element in elements]


def _unpack(body: bytes, encoding: bytes) -> bytes:
    if encoding.lower() not in (b"gzip", b"x-gzip"):
        if encoding.lower() not in (b"", b"identity"):
            raise BodyError("body_unreadable", f"content encoding {text(encoding)[:40]}")
        return body
    decompressor = zlib.decompressobj(wbits=31)  # 31: with a gzip header
    try:
        unpacked = decompressor.decompress(body, MAX_BODY + 1)
    except zlib.error as error:
        raise BodyError("body_unreadable", f"gzip: {error}") from error
    if len(unpacked) > MAX_BODY:
        raise BodyError("body_too_large", f"unpacks to more than {MAX_BODY} bytes")
    if not decompressor.eof or decompressor.unused_data:
        raise BodyError("body_unreadable", "gzip: cut off" if not decompressor.eof else "gzip: more than one member")
    return unpacked


def _as_utf8(body: bytes, content_type: bytes) -> bytes:
    _, _, parameters = text(content_type).lower().partition("charset=")
    charset = _CHARSETS.get(parameters.partition(";")[0].strip(" \"'"), "utf-8")
    if charset != "utf-8":
        try:
            return body.decode(charset).encode()
        except UnicodeDecodeError as error:
            if charset != "cp1252":
                raise BodyError("body_unreadable", f"not {charset}") from error
            return body.decode("latin-1").encode()
    return text(body.removeprefix(b"\xef\xbb\xbf")).encode()


def _reading(content_type: bytes, body: bytes) -> Callable[[bytes, Names], Iterable[Element]]:
    """How to read the body: what its content type says, unless its first letter says JSON.

    A beacon sends JSON as `text/plain`, and `curl -d` as a form.
    """
    kind = text(content_type).partition(";")[0].strip().lower()
    start = body.lstrip()[:1]
    if kind in ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"):
        return _lines
    if kind in ("application/json", "text/json") or kind.endswith("+json"):
        return _json
    if kind not in ("", "text/plain", "application/x-www-form-urlencoded", "application/octet-stream"):
        raise BodyError("body_unreadable", f"content type {kind[:80]}")
    if start in (b"{", b"["):
        return _json
    if b"=" not in body and kind != "application/x-www-form-urlencoded":
        raise BodyError("body_unreadable", "neither JSON nor a form" if start else "an empty body")
    return _form


def _form(body: bytes, names: Names) -> list[Element]:
    return [Element(parse_query(body.strip(), names))]


def _json(body: bytes, names: Names) -> list[Element]:
    readable = _without_lone_surrogates(body)
    try:
        if readable.lstrip()[:1] != b"[":
            return [Element(_object(readable, names))]
        items = _ARRAY.decode(readable)
    except _UNREADABLE as error:
        if _is_object(readable.lstrip().partition(b"\n")[0]):
            return _lines(body, names)
        raise BodyError("body_unreadable", _why(error)) from error
    return _bounded([bytes(item) for item in items], names)


def _lines(body: bytes, names: Names) -> list[Element]:
    return _bounded([line for line in _without_lone_surrogates(body).splitlines() if line.strip()], names)


def _bounded(items: Sequence[bytes], names: Names) -> list[Element]:
    if not items:
        raise BodyError("body_unreadable", "an array without elements")
    if len(items) > MAX_ELEMENTS:
        raise BodyError("body_too_large", f"more than {MAX_ELEMENTS} elements")
    return [_element(item, names) for item in items]


def _element(item: bytes, names: Names) -> Element:
    """One element; only itself is lost where it cannot be read."""
    if item.lstrip()[:1] != b"{":
        return Element({}, (Fault("element_not_object", "body", text(item[:80])),))
    try:
        return Element(_object(item, names))
    except _UNREADABLE as error:
        return Element({}, (Fault("body_unreadable", "body", _why(error)),))


def _is_object(line: bytes) -> bool:
    try:
        _OBJECT.decode(line)
    except _UNREADABLE:
        return False
    return True


def _object(item: bytes, names: Names) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, raw in _OBJECT.decode(item).items():
        values.setdefault(canonical(name, names), []).extend(_texts(bytes(raw)))
    return values


def _texts(raw: bytes) -> list[str]:
    if raw == b"null":
        return []
    if raw[:1] == b"[":
        return [_one(bytes(item)) for item in _ARRAY.decode(raw)]
    return [_one(raw)]


def _one(raw: bytes) -> str:
    """A JSON value as text: a string's own letters, anything else as it was written, without white space."""
    if raw[:1] == b'"':
        return _STRING.decode(raw)
    return (msgspec.json.format(raw, indent=-1) if raw[:1] in (b"{", b"[") else raw).decode()


def _without_lone_surrogates(body: bytes) -> bytes:
    r"""Half an emoji (a title cut by JavaScript) is no text in UTF-8: its escape stays as the letters ``\ud83d``."""
    if b"\\u" not in body:
        return body
    return _ESCAPES.sub(lambda found: b"\\\\" + found[1] if found[1] else found[0], body)


def _why(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:120]
