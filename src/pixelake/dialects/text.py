"""Bytes from outside as text: lossless, always valid UTF-8, never an error.

What is UTF-8 stays as it is. In a text that is not, each byte that cannot be
decoded stands as its percent escape (``%FF``) and each ``%`` that would look
like one as ``%25``, so that percent-decoding such a text gives back the very
bytes. (No mapping can also tell such a text from one that was sent with these
letters; the stream and a reject's ``raw`` keep the bytes themselves.)
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from pixelake.dialects.base import Edit

_ESCAPE_LIKE: Final = re.compile("%(?=[0-9A-Fa-f]{2})")
_ESCAPES: Final = {0xDC00 + byte: f"%{byte:02X}" for byte in range(0x80, 0x100)}
"""What Python makes of a byte that cannot be decoded -> its escape."""
_CACHED_LENGTH: Final = 1_024
"""Longer values are decoded each time: 8,192 cached ones must not take the memory."""


def text(data: bytes) -> str:
    """`data` as text, by the rule above."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        marked = _ESCAPE_LIKE.sub("%25", data.decode("utf-8", "surrogateescape"))
        return marked.translate(_ESCAPES)


def parse_query(query: bytes, names: Mapping[str, str]) -> dict[str, list[str]]:
    """The fields of a query or form: canonical name -> all its values, in the order sent.

    Only ``&`` separates; a field without ``=`` has the value ``""``; empty
    fields are skipped, empty names are kept. `names` maps names to canonical
    ones (see `canonical`).

    `urllib.parse.parse_qsl` costs four times as much, replaces what is not
    UTF-8, and limits the number of fields by raising.
    """
    fields: dict[str, list[str]] = {}
    ready = query.isascii()
    for field in query.decode("latin-1").split("&"):
        name, equals, value = field.partition("=")
        if not ready or "%" in value or "+" in value:
            value = unescape(value)
        known = names.get(name)
        if known is None:
            if not name and not equals:
                continue
            known = canonical(name if ready and "%" not in name and "+" not in name else unescape(name), names)
        if known in fields:
            fields[known].append(value)
        else:
            fields[known] = [value]
    return fields


def edit_query(query: bytes, names: Mapping[str, str], edit: Edit) -> bytes:
    """A query or form with its values as `edit` wants them; what it leaves alone stays byte by byte."""
    fields = (_edit_field(field, names, edit) for field in query.split(b"&"))
    return b"&".join(field for field in fields if field is not None)


def _edit_field(field: bytes, names: Mapping[str, str], edit: Edit) -> bytes | None:
    name, equals, value = field.partition(b"=")
    sent_name, sent = unescape(name.decode("latin-1")), unescape(value.decode("latin-1"))
    new = edit(canonical(sent_name, names), sent)
    if new is None:
        return None
    new_name = edit("", sent_name) or ""
    return (
        (name if new_name == sent_name else quote(new_name, safe="").encode())
        + equals
        + (value if new == sent else quote(new, safe=":/").encode())
    )


def canonical(name: str, names: Mapping[str, str]) -> str:
    """What `names` maps `name` to, else its lower-case form; unknown names stay as they are."""
    known = names.get(name)
    return known if known is not None else names.get(name.lower(), name)


def unescape(value: str) -> str:
    """A field of a form as text: ``+`` is a space, ``%XX`` a byte; a ``%`` that is no escape stays.

    Args:
        value: the bytes as sent, read as latin-1.
    """
    return _cached(value) if len(value) <= _CACHED_LENGTH else _unescape(value)


def _unescape(value: str) -> str:
    sent = value.replace("+", " ")
    try:
        # Python's own decoder of `\x` escapes, since it is written in C: a third of the time of urllib's.
        escaped = sent.replace("\\", "\\\\").replace("%", "\\x").encode("latin-1")
        return escaped.decode("unicode_escape").encode("latin-1").decode()
    except UnicodeError:
        return text(unquote_to_bytes(sent.encode("latin-1")))


_cached: Final = lru_cache(maxsize=8_192)(_unescape)  # pages, titles and referrers come again and again
