"""Patterns of the lists: each checked alone, many searched as one alternation.

RE2's time is linear in the text, whatever the patterns and the text are.
"""

from collections.abc import Iterable
from typing import Final

import re2

from pixelake.errors import SettingsError

LONGEST: Final = 512
"""Letters of a user agent that are looked at: real ones have 400 at most, and hostile ones cost 0.3 µs a letter."""
LONGEST_NAME: Final = 60
_MEMORY: Final = 64 << 20
"""Bytes that a list may take as an automaton. With RE2's 8 MB it is built anew time and again."""


def checked(pattern: str, where: str) -> str:
    """The pattern, if it is one.

    Raises:
        SettingsError: it is none, or it fits everything; the message begins with `where`.
    """
    hint = "mend the pattern: its syntax is that of RE2, which has no look-around"
    try:
        everything = re2.compile(pattern, _options(case=True)).search("")
    except re2.error as error:
        why = error.args[0]
        told = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise SettingsError(f"{where}: {pattern!r} is no pattern: {told}", hint) from error
    if everything:
        raise SettingsError(f"{where}: {pattern!r} fits everything", hint)
    return pattern


def either(patterns: Iterable[str], *, case: bool) -> "re2._Regexp":
    """Any of these patterns, each checked before; none of them fits nothing.

    They are sorted, so that those with a common beginning share it: a user agent
    of random letters then takes a seventh of the time.

    Raises:
        SettingsError: together they are too large.
    """
    whole = "|".join(f"(?:{pattern})" for pattern in sorted(patterns)) or r"[^\x00-\x{10ffff}]"
    try:
        return re2.compile(whole, _options(case=case))
    except re2.error as error:
        raise SettingsError("a list of user agents is too long", "leave out patterns") from error


def shown(name: str) -> str:
    """A name out of a user agent as it may stand in a column: short, and without what cannot be seen."""
    return "".join(letter if letter.isprintable() else " " for letter in name[:LONGEST_NAME]).strip()


def _options(*, case: bool) -> "re2.Options":
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = case
    options.max_mem = _MEMORY
    return options
