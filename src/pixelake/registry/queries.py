"""Queries in SQL that people keep under a name, for themselves and for others.

Their text may name a person: whoever is erased takes the queries along that do.
"""

import re
import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from pixelake.errors import SettingsError
from pixelake.registry.access import Transact

MOST: Final = 200
"""Queries of an installation."""
LONGEST: Final = 20_000
"""Characters of one."""
LONGEST_NAME: Final = 80

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS queries(name TEXT PRIMARY KEY, sql TEXT NOT NULL, site TEXT, changed INTEGER NOT NULL)"
)
_NAME: Final = re.compile(r"[^./\\\s][^/\\]*(?<!\s)")
"""It stands in an address, where a dot, a slash or a space at its end would mean something else."""


class Query(NamedTuple):
    """A query that is kept.

    Attributes:
        name: unique.
        sql: a SELECT, as it was written; whether it can be answered shows when it is asked.
        site: the one whose rows it asks; None: all.
        changed: when it was last put there (µs UTC).
    """

    name: str
    sql: str
    site: str | None = None
    changed: int = 0


class Book:
    """The queries that are kept, in the registry. Every method raises `RegistryUnavailable` as the registry's own do.

    Args:
        transact: runs an action in a transaction.
    """

    def __init__(self, transact: Transact) -> None:
        self._transact = transact

    def all(self) -> Sequence[Query]:
        """All of them, by name."""
        return self._transact(_read, "BEGIN")

    def put(self, query: Query) -> None:
        """Keep a query, in the place of one of its name.

        Raises:
            SettingsError: it cannot be called so, is too long, or there are too many.
        """
        _check(query)
        self._transact(lambda database: _put(database, query))

    def remove(self, name: str) -> bool:
        """Whether there was one of that name."""
        return self._transact(lambda database: _remove(database, name))


def _check(query: Query) -> None:
    name = query.name
    if len(name) > LONGEST_NAME or not name.isprintable() or not _NAME.fullmatch(name):
        raise SettingsError(
            f"no query can be called {name[:80]!r}", f"1 to {LONGEST_NAME} characters on a line, no dot first, no slash"
        )
    if not query.sql.strip() or len(query.sql) > LONGEST:
        raise SettingsError(f"a query of {len(query.sql):,} characters is not kept", f"1 to {LONGEST:,} are")
    if "\0" in query.sql:
        raise SettingsError("the query holds a zero byte", "one SELECT, as text")


def _read(database: sqlite3.Connection) -> Sequence[Query]:
    return [Query(*row) for row in database.execute("SELECT name, sql, site, changed FROM queries ORDER BY name")]


def _put(database: sqlite3.Connection, query: Query) -> None:
    (others,) = database.execute("SELECT count(*) FROM queries WHERE name <> ?", (query.name,)).fetchone()
    if others >= MOST:
        raise SettingsError(f"there are {MOST} queries", "remove one first")
    database.execute("INSERT OR REPLACE INTO queries(name, sql, site, changed) VALUES (?, ?, ?, ?)", query)


def _remove(database: sqlite3.Connection, name: str) -> bool:
    return database.execute("DELETE FROM queries WHERE name = ?", (name,)).rowcount > 0
