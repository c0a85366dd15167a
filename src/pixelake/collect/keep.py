"""What of a request may reach the disk: the head as sent, less secrets.

Asked only of heads in which `pixelake.collect.plain` suspects a secret, and of
every body.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_to_bytes

from pixelake.collect.plain import SECRET_HEADERS

_BOM: Final = b"\xef\xbb\xbf"
_CRLF: Final = b"\r\n"


class Keeper:
    """Takes secrets out of heads and bodies. ``secret_parameters`` are query names, in any case."""

    def __init__(self, secret_parameters: Iterable[str]) -> None:
        secret = tuple(secret_parameters)
        names = _either(secret)
        self._secret_line = re.compile(
            rb"(?<=\r\n)(?:" + _either(SECRET_HEADERS) + rb")[ \t]*:[^\r\n]*\r\n", re.IGNORECASE
        )
        # also in a URL that is itself a parameter, and then percent-encoded, perhaps more than once
        self._secret_parameter = _parameter(names, rb"&#\s")
        self._secret_member = re.compile(
            rb'("(?:' + names + rb')"\s*:\s*)(?:"(?:[^"\\]|\\.)*"|\[[^\[\]]*\]|\{[^{}]*\}|[^\s"\[\]{},]+)',
            re.IGNORECASE,
        )
        self._secret_in_text = _parameter(names, rb"&#\s\"\\")  # a URL that is a member's value
        self._secrets = frozenset(name.lower().encode() for name in secret)

    def head(self, head: bytes) -> bytes:
        """The head of a request without secret headers and without the values of secret parameters."""
        line, _, rest = head.partition(_CRLF)
        start, end = line.find(b" ") + 1, line.rfind(b" HTTP/")
        headers = self._secret_parameter.sub(rb"\1", self._secret_line.sub(b"", _CRLF + rest))
        return line[:start] + self.target(line[start:end]) + line[end:] + headers

    def target(self, target: bytes) -> bytes:
        """The target with the values of secret parameters taken out."""
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
        if body.removeprefix(_BOM).lstrip()[:1] in (b"{", b"["):
            return self._secret_in_text.sub(rb"\1", self._secret_member.sub(rb'\1""', body))
        return self.target(b"?" + body)[1:]


def _parameter(names: bytes, ends: bytes) -> re.Pattern[bytes]:
    """A parameter of one of these names, up to one of the bytes that end its value."""
    return re.compile(
        rb"((?:[?&#]|%(?:25)*(?:3f|26|23))(?:" + names + rb")(?:=|%(?:25)*3d))"
        rb"(?:(?!%(?:25)*(?:26|23))[^" + ends + rb"])+",
        re.IGNORECASE,
    )


def _either(names: Iterable[str]) -> bytes:
    return "|".join(map(re.escape, names)).encode() or b"(?!)"
