"""What of a request may reach the disk: the head as sent, less secrets.

The usual request has none; that it has none must be found out quickly, since
it is asked for every hit (about 2 µs).
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

SECRET_HEADERS: Final = (
    "cookie",
    "cookie2",
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "x-amz-security-token",
    "x-auth-token",
    "x-csrf-token",
)
"""Headers that are never kept."""
_LETTER_ENCODED: Final = b"%[4-7][0-9A-Fa-f]"
"""A letter that needs no encoding: whoever writes it so may have a reason."""


class Keeper:
    """Takes secrets out of targets and headers. ``secret_parameters`` are query names, in any case."""

    def __init__(self, secret_parameters: Iterable[str]) -> None:
        headers = _either(SECRET_HEADERS)
        secret = tuple(secret_parameters)
        names = _either(secret)
        # Suspicion is cheap and may be wrong: a literal or a set of bytes to jump to, then one letter. The second
        # test, on the few that are suspicious, is exact.
        self._suspicious_head = re.compile(
            rb"\r\n(?:" + _initials(SECRET_HEADERS) + rb"(?i:(?:" + _rests(SECRET_HEADERS) + rb"):)"
            rb"|[rR](?i:eferer:[^\r]*(?:\?|%3f)))"
        )
        self._secret_line = re.compile(rb"^(?:" + headers + rb"):[^\r\n]*\r\n", re.IGNORECASE | re.MULTILINE)
        # also in a URL that is itself a parameter, and then percent-encoded, perhaps more than once
        self._suspicious_target = re.compile(
            _ends_in(secret, b"=") + b"|" + _ends_in(secret, b"%") + rb"(?:25)*3[dD]|" + _LETTER_ENCODED
        )
        self._secret_parameter = re.compile(
            rb"((?:[?&#]|%(?:25)*(?:3f|26|23))(?:" + names + rb")(?:=|%(?:25)*3d))(?:(?!%(?:25)*(?:26|23))[^&#\s])+",
            re.IGNORECASE,
        )
        self._secret_member = re.compile(
            rb'("(?:' + names + rb')"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|[^\s"\[\]{},]+)', re.IGNORECASE
        )
        self._secrets = frozenset(name.lower().encode() for name in secret)

    def target(self, target: bytes) -> bytes:
        """The target with the values of secret parameters taken out."""
        if self._suspicious_target.search(target) is None:
            return target
        path, mark, query = self._secret_parameter.sub(rb"\1", target).partition(b"?")
        return path + mark + b"&".join(self._parameter(part) for part in query.split(b"&"))

    def _parameter(self, part: bytes) -> bytes:
        """A parameter, without its value if its name, which may be percent-encoded, is that of a secret."""
        name, mark, _ = part.partition(b"=")
        return name + mark if unquote_to_bytes(name.replace(b"+", b" ")).lower() in self._secrets else part

    def body(self, body: bytes) -> bytes:
        """A body without the values of secret members (JSON) or parameters (forms). What is packed stays as it is."""
        if not self._secrets:
            return body
        if body.lstrip()[:1] in (b"{", b"["):
            return self._secret_member.sub(rb'\1""', body)
        return self.target(b"?" + body)[1:]

    def headers(self, head: bytes, start: int) -> bytes:
        """The header lines of a request's head, from the CR LF at `start` that ends its first line."""
        block = head[start + 2 : -2]
        if self._suspicious_head.search(head, start) is None:
            return block
        return self._secret_parameter.sub(rb"\1", self._secret_line.sub(b"", block))


def _ends_in(names: Iterable[str], literal: bytes) -> bytes:
    """What finds a literal right behind a name: from one literal to the next, and only then a look back."""
    known = [re.escape(name).encode() for name in names]
    if not known:
        return b"(?!)"
    lasts = _letters(name[-1:].decode() for name in known)
    ends = b"|".join(b"(?<=(?i:" + name + b")" + literal + b")" for name in known)
    return literal + b"(?<=" + lasts + literal + b")(?:" + ends + b")"


def _letters(letters: Iterable[str]) -> bytes:
    return (
        b"["
        + re.escape("".join(sorted({case for one in letters for case in one.lower() + one.upper()}))).encode()
        + b"]"
    )


def _either(names: Iterable[str]) -> bytes:
    return "|".join(map(re.escape, names)).encode() or b"(?!)"


def _initials(names: Iterable[str]) -> bytes:
    return _letters(name[0] for name in names)


def _rests(names: Iterable[str]) -> bytes:
    return _either(name[1:] for name in names)
