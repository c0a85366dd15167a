"""Passwords: of each an Argon2id hash is kept (RFC 9106). A guess costs whoever makes it 64 MiB and some 100 ms."""

import secrets
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from pixelake.errors import SettingsError

SHORTEST: Final = 10
"""Characters."""
LONGEST: Final = 1_000
_MEMORY: Final = 64 << 10
"""KiB."""


# one lane: a log-in must not take all cores from those who collect
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=_MEMORY, parallelism=1)


@cache
def _nobody() -> str:
    """A hash that no password fits: what it is of was thrown away."""
    return hashed(secrets.token_urlsafe(32))


def check(password: str, name: str = "") -> str:
    """The password, if it may be one.

    Raises:
        SettingsError: it is too short or too long, or anybody would guess it.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise SettingsError(
            f"a password has {SHORTEST} to {LONGEST:,} characters", "a few words that nobody else would put together"
        )
    if len(set(password)) < 4 or (name and password.casefold() in {name, 2 * name}):
        raise SettingsError("that password is easy to guess", "a few words that nobody else would put together")
    return password


def hashed(password: str) -> str:
    """What is kept of a password. Takes some 100 ms."""
    return _HASHER.hash(_plain(password))


def fits(kept: str | None, password: str) -> bool:
    """Whether a password is the one of which that is kept; takes as long where nothing is (None)."""
    nobody = _nobody()
    try:
        fitting = _HASHER.verify(kept or nobody, _plain(password))
    except (Argon2Error, InvalidHashError):
        return False
    return fitting and kept is not None


def _plain(password: str) -> bytes:
    """The same for the same characters, however a keyboard puts them together."""
    return unicodedata.normalize("NFKC", password[:LONGEST]).encode("utf-8", "surrogatepass")
