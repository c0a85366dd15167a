"""A body with its values edited: taken apart as it is decoded, and put together in the same type and encoding."""

from typing import Final

import msgspec

from pixelake.dialects.base import MAX_VALUES, Edit
from pixelake.dialects.body import (
    ARRAY,
    UNREADABLE,
    Kind,
    Names,
    has_lines,
    kind_of,
    one_text,
    read_object,
    split_array,
    split_lines,
    without_lone_surrogates,
)
from pixelake.dialects.coding import BodyError, as_sent, as_utf8, unpack
from pixelake.dialects.text import canonical, edit_query

_NUMBER: Final = tuple(b"%c" % digit for digit in b"-0123456789")
"""How a number begins."""


def edit_body(body: bytes, content_type: bytes, encoding: bytes, names: Names, edit: Edit) -> bytes | None:
    """The body with its values as `edit` wants them; None if it cannot be read.

    JSON is written anew: of a name that an object repeats only the last one
    counts, so only that one stays.
    """
    try:
        sent = as_utf8(unpack(body, encoding), content_type)
        edited = _edited(sent, kind_of(content_type, sent), names, edit)
    except (BodyError, *UNREADABLE):
        return None
    return body if edited == sent else as_sent(edited, content_type, encoding)


def _edited(body: bytes, kind: Kind, names: Names, edit: Edit) -> bytes:
    if kind is Kind.FORM:
        if body.count(b"&") >= MAX_VALUES:
            raise BodyError("too_many", "fields of a form")
        return edit_query(body, names, edit)
    if kind is Kind.LINES:
        return b"\n".join(_item(line, names, edit) for line in split_lines(body))
    if body.lstrip()[:1] == b"[":
        return b"[" + b",".join(_item(item, names, edit) for item in split_array(body)) + b"]"
    try:
        return _object(without_lone_surrogates(body), names, edit)
    except (BodyError, *UNREADABLE):
        if has_lines(body):
            return _edited(body, Kind.LINES, names, edit)
        raise


def _item(item: bytes, names: Names, edit: Edit) -> bytes:
    """An element. Nobody can tell what it holds if it is no object, unless it is a number."""
    if item.lstrip()[:1] != b"{":
        return item if item[:1] in _NUMBER else b"null"
    try:
        return _object(item, names, edit)
    except (BodyError, *UNREADABLE):
        return b"null"


def _object(item: bytes, names: Names, edit: Edit) -> bytes:
    edited: dict[str, msgspec.Raw] = {}
    for name, raw in read_object(item).items():
        new = _value(canonical(name, names), bytes(raw), edit)
        if new is not None:
            edited[edit("", name) or ""] = msgspec.Raw(new)
    return msgspec.json.encode(edited)


def _value(name: str, raw: bytes, edit: Edit) -> bytes | None:
    if raw == b"null":
        return raw
    if raw[:1] != b"[":
        return _one(name, raw, edit)
    items = [_one(name, bytes(item), edit) for item in ARRAY.decode(raw)]
    kept = [item for item in items if item is not None]
    return b"[" + b",".join(kept) + b"]" if kept or not items else None


def _one(name: str, raw: bytes, edit: Edit) -> bytes | None:
    """A single value. What was no string stays none if it can."""
    sent = one_text(raw)
    new = edit(name, sent)
    if new is None or new == sent:
        return None if new is None else raw
    if raw[:1] in (b"{", b"["):
        try:
            return bytes(msgspec.json.decode(new, type=msgspec.Raw))
        except UNREADABLE:
            pass
    return msgspec.json.encode(new)
