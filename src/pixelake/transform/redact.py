"""Secrets taken out of values, by the name they stand under, however they are written or wrapped.

A secret is the value of a field whose name, in any case, is one of those given:
a field of the hit itself, or a parameter or a JSON member somewhere inside a
value (a url that is handed on, once more percent-encoded at each turn). Its name
stays, with an empty value. Where one cannot tell where a secret ends, more is
taken out rather than less.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

import msgspec

DEEPEST: Final = 6
"""Times that something may be wrapped in something; what is deeper, and looks like a secret, goes as a whole."""
LONGEST: Final = 65_536
MOST: Final = 524_288
"""Characters of a value, and of all values of a hit, that are searched if they look as if they hold a secret.

What is longer goes as a whole: the search takes up to 0.2 µs a character.
"""
_MOST: Final = 500
"""Equals signs of a value that are looked at."""

_HIDDEN: Final = re.compile(
    r"%(?:25)*(?:2[dDeE]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9Aa])|(?:\\|%(?:25)*5[cC])u00[2-7]"
)
"""What needs no encoding, encoded, and JSON's way to do so, also encoded: a name may hide behind it."""
_WRAPPED: Final = "\\" * 16
"""In JSON that is a text in JSON, and so on: the backslashes double each time, so it is wrapped at least five times."""
_LONGEST_NAME: Final = 300
"""Characters before an equals sign that are looked at: ``access_token``, each letter wrapped `DEEPEST` times."""
# None of these may try again from each letter of a run that it has looked at: a hostile value is nothing but runs.
_NAME: Final = re.compile(r"[?&#;=/\s]")
_PARAMETER_ENDS: Final = re.compile(r"[&#\n]")
_RUN: Final = re.compile(r"[^?&#;=/\s]++")
_MEMBER: Final = re.compile(r'(?<!\\)(\\{0,16}+)"([^"]{1,300})\1"\s*+:\s*+')
_NAME_ENDS: Final = re.compile(r"[^\w-]+")
_WHOLE: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^\s"\[\]{},]+', re.DOTALL)

Raw = msgspec.Raw
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_ARRAY: Final = msgspec.json.Decoder(list[Raw])


class Redactor:
    """Takes out what stands under the given names."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower() for name in names if name)
        self._needles = tuple(sorted(self._names))

    def is_secret(self, name: str) -> bool:
        """Is it the name of a secret, or a path with one in it (``user[password]``)?"""
        lowered = name.lower()
        return lowered in self._names or not self._names.isdisjoint(_NAME_ENDS.split(lowered))

    def may_hold(self, text: str) -> bool:
        """Might a secret be in there? Quick (1 µs for all fields of a request); never wrong when it says no."""
        lowered = text.lower()
        for name in self._needles:
            if name in lowered:
                return True
        return ("%" in text or "\\" in text) and _HIDDEN.search(text) is not None

    def search(self) -> Callable[[str, str], str]:
        """What redacts the fields of one hit: name and value -> value. It searches `MOST` characters altogether."""
        left = MOST

        def value(name: str, sent: str) -> str:
            nonlocal left
            if self.is_secret(name):
                return ""
            if not self.may_hold(sent):
                return sent
            left -= len(sent)
            return self.text(sent) if left >= 0 else ""

        return value

    def text(self, value: str, depth: int = 0) -> str:
        """Any text, without the secrets that are inside it."""
        if not self.may_hold(value):
            return value
        if depth >= DEEPEST or len(value) > LONGEST or value.count("=") > _MOST or _WRAPPED in value:
            return ""
        start = value.lstrip()[:1]
        if start in ("{", "["):
            try:
                return self._json(value.encode(), depth).decode()
            except (msgspec.DecodeError, RecursionError):
                pass
        if '"' in value:
            value = self._members(value)
        return self._parameters(value, depth)

    def _json(self, raw: bytes, depth: int) -> bytes:
        """A JSON value, its names and numbers letter by letter."""
        raw = raw.strip()
        if depth >= DEEPEST:
            return b'""'
        if raw[:1] == b"{":
            members = {
                name: Raw(b'""' if self.is_secret(name) else self._json(bytes(member), depth + 1))
                for name, member in _OBJECT.decode(raw).items()
            }
            return msgspec.json.encode(members)
        if raw[:1] == b"[":
            return msgspec.json.encode([Raw(self._json(bytes(item), depth + 1)) for item in _ARRAY.decode(raw)])
        if raw[:1] == b'"':
            return msgspec.json.encode(self.text(msgspec.json.decode(raw, type=str), depth + 1))
        return raw

    def _members(self, value: str) -> str:
        """JSON inside other text, or broken: what looks like a member with a secret's name loses its value."""
        kept, at = [], 0
        while found := _MEMBER.search(value, at):
            kept.append(value[at : found.end()])
            at = found.end()
            if self.is_secret(_unescaped(found[2])):
                kept.append(f'{found[1]}"{found[1]}"')
                at = _member_end(value, at, found[1])
        return "".join(kept) + value[at:]

    def _parameters(self, value: str, depth: int) -> str:
        kept, at = [], 0
        while (equals := value.find("=", at)) >= 0:
            name = _NAME.split(value[max(at, equals - _LONGEST_NAME) : equals].rstrip())[-1]
            kept.append(self._unwrapped(value[at : equals + 1], depth))
            at = equals + 1
            if self.is_secret(_decoded(name)):
                end = _PARAMETER_ENDS.search(value, at)
                at = end.start() if end else len(value)
        return "".join(kept) + self._unwrapped(value[at:], depth)

    def _unwrapped(self, part: str, depth: int) -> str:
        """What is percent-encoded as a whole: decoded, redacted, and encoded again if that changed it."""
        return _RUN.sub(lambda found: self._run(found[0], depth), part) if "%" in part else part

    def _run(self, sent: str, depth: int) -> str:
        inner = unquote(sent) if "%" in sent else sent
        redacted = inner if inner == sent else self.text(inner, depth + 1)
        return sent if redacted == inner else quote(redacted, safe="")


def redacted(values: Mapping[str, Sequence[str]], search: Callable[[str, str], str]) -> Mapping[str, Sequence[str]]:
    """The fields of an element, names and values; `search` is the hit's."""
    fields: dict[str, list[str]] = {}
    for name, texts in values.items():
        fields.setdefault(search("", name), []).extend(search(name, text) for text in texts)
    return fields


def _decoded(name: str) -> str:
    for _ in range(DEEPEST):
        name, before = unquote(name), name
        if name == before:
            break
    return _unescaped(name)


def _unescaped(name: str) -> str:
    return re.sub(r"\\+u00([0-7][0-9A-Fa-f])", lambda found: chr(int(found[1], 16)), name)


def _member_end(value: str, at: int, escapes: str) -> int:
    """Where the value of a member ends. Of nested ones nobody can tell, here."""
    if not escapes:
        found = _WHOLE.match(value, at)
        return found.end() if found else len(value)
    if not value.startswith(f'{escapes}"', at):
        scalar = re.compile(r'[^\s"\\\[\]{},]+').match(value, at)
        return scalar.end() if scalar else len(value)
    end = re.compile(rf'(?<!\\){re.escape(escapes)}"').search(value, at + len(escapes) + 1)
    return end.end() if end else len(value)
