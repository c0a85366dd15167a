r"""What is odd about a request's head, found in one pass over all heads of a turn.

Nearly every request of a pixel is plain: a GET of an image by HTTP/1.1, well
formed, alone in its segment, without a body, a secret or a word about its
connection. That a head is plain must be found out for each hit, so it is found
out for many at once: the heads are joined by a byte that none of them may
hold, and one automaton (RE2, whose time is linear in what it reads) looks for
anything that is odd. What is odd is then judged one by one, by llhttp where it
is the framing.

The automaton may suspect too much, which costs time, but never too little: a
head it finds nothing in is one whole request in the eyes of RFC 9112, and ends
where it ends. So everything below is written as what is *not* allowed.
"""

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

import re2

from pixelake.collect.client import FORWARDING_HEADERS

SEPARATOR: Final = b"\x01"
"""Joins heads. Inside of one it is odd."""
END: Final = b"\r\n\r\n"

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
_NAME: Final = r"!#$%&'*+\-.^_`|~0-9A-Za-z"
"""RFC 9110 5.6.2, for use in brackets."""


class Odd(IntEnum):
    """What may be odd about a head."""

    FRAMING = 0
    """It is not known to be one whole request without a body, or has something to say about its connection."""
    CLOSE = 1
    """The client asks to close the connection."""
    SECRET = 2
    """Something in it may have to be taken out."""
    FORWARDED = 3
    """A proxy may have written into it whom it speaks for."""


_NOTHING: Final = frozenset[Odd]()
_UNFRAMED: Final = frozenset({Odd.FRAMING})


class Plain:
    """Looks for what is odd. `secret_parameters` are query names, in any case."""

    def __init__(self, secret_parameters: Iterable[str]) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.never_capture = True
        self._set = re2.Set.SearchSet(options)
        self._kinds: list[Odd] = []
        names = sorted({case for name in secret_parameters for case in (name, name.lower())})
        secret = [f"(?i:{''.join(map(_spelled, name.encode()))})(?:=|%(?:25)*3[dD])" for name in names]
        for kind, patterns in {
            Odd.FRAMING: _FRAMING,
            Odd.CLOSE: [r"\n(?i:connection):[ \t]*(?i:close)[ \t]*\r"],
            # a letter that needs no encoding: whoever writes it so may hide the name of a secret
            Odd.SECRET: [_line(SECRET_HEADERS), *secret, "%(?:4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9Aa])"],
            Odd.FORWARDED: [_line(FORWARDING_HEADERS)],
        }.items():
            for pattern in patterns:
                self._set.Add(pattern.encode())
                self._kinds.append(kind)
        self._set.Compile()

    def any_odds(self, heads: Sequence[bytes]) -> frozenset[Odd]:
        """What is odd about any of these heads.

        Each must begin with ``GET /``, an image's path and ``?``, and end with the empty line.
        """
        if SEPARATOR in b"".join(heads):
            return _UNFRAMED
        found = self._set.Match(SEPARATOR.join(heads))
        return frozenset(self._kinds[each] for each in found) if found else _NOTHING

    def odds(self, head: bytes) -> frozenset[Odd]:
        """What is odd about a head."""
        found = frozenset(self._kinds[each] for each in self._set.Match(head) or ())
        return found | _UNFRAMED if SEPARATOR in head else found


def _quoted(text: str) -> str:
    """A literal of a pattern."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"\\x{{{ord(letter):x}}}" for letter in text)


def _spelled(byte: int) -> str:
    """How a byte of a name may stand in a query. Letters that are encoded are odd by themselves."""
    letter = chr(byte)
    if letter.isascii() and ((letter.isalnum() and not letter.isdigit()) or letter == "_"):
        return letter
    return f"(?:{_quoted(letter)}|(?i:%{byte:02x}){'|[+]' if letter == ' ' else ''})"


def _line(names: Iterable[str]) -> str:
    """A header line of one of these names."""
    return rf"\n(?i:{'|'.join(map(re.escape, names))})[ \t]*:"


def _other_than(prefix: str, literal: str, first: str) -> list[str]:
    """What begins with `prefix` and does not go on with `literal`; `first` is any letter that does not begin it."""
    return [prefix + first] + [
        f"{prefix}{_quoted(literal[:length])}[^{_quoted(literal[length])}]" for length in range(1, len(literal))
    ]


def _neither(prefix: str, words: Sequence[str]) -> list[str]:
    """A line that begins with `prefix` and whose value is none of these words, in any case."""
    found = [rf"{prefix}(?i:{_quoted(word)})[ \t]*[^ \t\r]" for word in words]
    for begun in {word[:length] for word in words for length in range(len(word))}:
        next_ = {word[len(begun)] for word in words if word.startswith(begun)} | ({" ", "\t"} if not begun else set())
        letters = {case for letter in next_ for case in letter.lower() + letter.upper()}
        found.append(f"{prefix}(?i:{_quoted(begun)})[^{_quoted(''.join(sorted(letters)))}]")
    return found


_FRAMING: Final = [
    r"[\x00\x02-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]",  # control bytes, and those that llhttp must be helped with
    r"[^\r]\n",
    r"\r[^\n]",
    r"\r\n\r\n[^\x01]",  # something behind the empty line
    rf"[^\n]\r\n[^{_NAME}\r]",  # a folded line, a line without a name
    rf"[^\n]\r\n[{_NAME}]+[^{_NAME}:]",  # a name without a colon, or not right before it
    # the request line: the target, one blank, the version
    *_other_than(r"(?:^|\x01)GET [!-~]*", " HTTP/1.1\r", "[^ !-~]"),
    r"\n(?i:content-length|transfer-encoding|expect|upgrade|keep-alive|proxy-connection):",
    *_neither(r"\n(?i:connection):[ \t]*", ("keep-alive", "close")),  # whoever says more is heard by llhttp
]
