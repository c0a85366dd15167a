"""Tokens for programs that ask the API: of each a hash is kept, never the token itself.

A token is random (256 bits), so that its plain SHA-256 tells nothing. It is shown
once, when it is made. One that was taken away stays in the table, so that it can
be seen that there was one, and when it was last used.
"""

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from pixelake.errors import SettingsError

PREFIX: Final = "plk_"
"""Of every token, so that one in a wrong place is recognised."""
MOST: Final = 1_000
"""Tokens that hold at a time."""
RARELY: Final = 3_600_000_000
"""That a token was used is written down so often at most (µs)."""

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS tokens(hash TEXT PRIMARY KEY, name TEXT NOT NULL, site TEXT, created INTEGER NOT NULL,"
    " used INTEGER NOT NULL, revoked INTEGER NOT NULL)"
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Token(NamedTuple):
    """A token for the API. It may read, and nothing else.

    Attributes:
        hash: SHA-256 of it, in hexadecimal.
        name: what it is called.
        site: the only one it reads; None: all.
        created: when (µs UTC).
        used: when last, to the hour (µs UTC); 0: never.
        revoked: when it was taken away (µs UTC); 0: it holds.
    """

    hash: str
    name: str
    site: str | None
    created: int
    used: int = 0
    revoked: int = 0


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def read(database: sqlite3.Connection) -> list[Token]:
    """All there are or were, the oldest first."""
    query = "SELECT hash, name, site, created, used, revoked FROM tokens ORDER BY created, name"
    return [Token(*row) for row in database.execute(query)]


def holding(database: sqlite3.Connection) -> Mapping[str, Token]:
    """Those that hold, by their hash."""
    return MappingProxyType({token.hash: token for token in read(database) if not token.revoked})


def add(database: sqlite3.Connection, name: str, site: str | None, at: int) -> str:
    """Make a token; in a transaction of the caller's.

    Raises:
        SettingsError: there can be none of that name, or there are too many.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(f"a token cannot be called {name[:80]!r}", "letters, digits, `.`, `_` and `-`, at most 64")
    held = holding(database).values()
    if any(token.name == name for token in held):
        raise SettingsError(f"there is a token {name!r} already", "take another name, or remove that one first")
    if len(held) >= MOST:
        raise SettingsError(f"there are {MOST:,} tokens", "remove some that nobody uses")
    token = PREFIX + secrets.token_urlsafe(32)
    row = (hash_of(token), name, site, at)
    database.execute("INSERT INTO tokens(hash, name, site, created, used, revoked) VALUES (?, ?, ?, ?, 0, 0)", row)
    database.execute("UPDATE meta SET version = version + 1")
    return token


def remove(database: sqlite3.Connection, name: str, at: int) -> bool:
    """Let a token hold no longer; in a transaction of the caller's. Whether there was one."""
    found = database.execute("UPDATE tokens SET revoked = ? WHERE name = ? AND revoked = 0", (at, name)).rowcount
    if found:
        database.execute("UPDATE meta SET version = version + 1")
    return bool(found)


def use(database: sqlite3.Connection, held: str, at: int) -> None:
    """Write down that the token of that hash was used; `RARELY`."""
    database.execute("UPDATE tokens SET used = ?1 WHERE hash = ?2 AND used < ?1 - ?3", (at, held, RARELY))
