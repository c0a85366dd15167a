"""What of a request may reach the disk: the head as sent, less secrets.

The usual request has none; that it has none must be found out quickly, since
it is asked for every hit (about 2 µs).
"""

import re
from collections.abc import Iterable
from typing import Final

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
        # also in a URL that is itself a parameter, and then percent-encoded
        self._suspicious_target = _ends_in(secret, b"=")
        self._suspicious_inner = _ends_in(secret, rb"%3[dD]")
        self._secret_parameter = re.compile(
            rb"((?:[?&]|%3f|%26)(?:" + names + rb")(?:=|%3d))(?:(?!%26|%23)[^&#\s])+", re.IGNORECASE
        )

    def target(self, target: bytes) -> bytes:
        """The target with the values of secret parameters taken out."""
        if self._suspicious_target.search(target) is None and self._suspicious_inner.search(target) is None:
            return target
        return self._secret_parameter.sub(rb"\1", target)

    def headers(self, head: bytes, start: int) -> bytes:
        """The header lines of a request's head, from the CR LF at `start` that ends its first line."""
        block = head[start + 2 : -2]
        if self._suspicious_head.search(head, start) is None:
            return block
        return self.target(self._secret_line.sub(b"", block))


def _ends_in(names: Iterable[str], literal: bytes) -> re.Pattern[bytes]:
    """What finds a name right in front of a literal: from one literal to the next, and only then a look back."""
    known = [re.escape(name).encode() for name in names]
    if not known:
        return re.compile(b"(?!)")
    lasts = _letters(name[-1:].decode() for name in known)
    ends = b"|".join(b"(?<=(?i:" + name + b")" + literal + b")" for name in known)
    return re.compile(literal + b"(?<=" + lasts + literal + b")(?:" + ends + b")")


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
