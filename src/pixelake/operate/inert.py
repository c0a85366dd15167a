"""Text from outside for terminals, with nothing in it that one obeys. It loads nothing: error messages need it, too."""

import unicodedata
from typing import Final

UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move a terminal's cursor, turn its text around or cannot be seen."""


def inert(text: str) -> str:
    r"""`text` with everything that a terminal might obey written out: ``\x1b``, ``\u202e``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in UNSEEN else c for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
