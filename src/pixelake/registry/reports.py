"""Which weekly reports were sent: of all machines and processes one sends a report, and a restart sends none again.

Who has made a report begins to send it (`Book.begin`), and then says whether it was sent or not. One that was begun and
of which nothing was heard may have been sent: it is never begun again.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from pixelake.clock import SECOND
from pixelake.registry.access import Transact

AGAIN: Final = 900 * SECOND
"""A report that could not be sent is tried again after so long (µs); so is one that somebody makes, and never sends."""
KEPT: Final = 60
"""Weeks of a site that are remembered."""
MOST_ERROR: Final = 500
"""Characters of why."""

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS reports(site TEXT, week TEXT, tried INTEGER NOT NULL, begun INTEGER NOT NULL,"
    " sent INTEGER NOT NULL, error TEXT NOT NULL, PRIMARY KEY(site, week))"
)


class Sent(NamedTuple):
    """What became of the report of a site about a week.

    Attributes:
        site: whose.
        week: its Monday, ``2026-11-16``.
        tried: when somebody last set out to make it (µs UTC).
        begun: when it was begun to be sent; 0: it was not, or it could not be sent.
        sent: when it was sent; 0: it is not known to be.
        error: why it could not be sent; empty: nothing is known against it.
    """

    site: str
    week: str
    tried: int
    begun: int
    sent: int
    error: str


class Book:
    """Which reports were sent. Every method raises `RegistryUnavailable` as the registry's own do.

    Args:
        transact: runs an action in a transaction.
    """

    def __init__(self, transact: Transact) -> None:
        self._transact = transact

    def all(self) -> Sequence[Sent]:
        """All that are remembered, by site and week."""
        return self._transact(_read, "BEGIN")

    def claim(self, site: str, week: str, at: int) -> bool:
        """Set out to make a report. Not if it was begun, or if somebody set out to less than `AGAIN` ago."""
        return self._transact(lambda database: _claim(database, site, week, at))

    def begin(self, site: str, week: str, at: int) -> bool:
        """Begin to send it. Not if somebody else did."""
        change = "UPDATE reports SET begun = ? WHERE site = ? AND week = ? AND begun = 0"
        return self._transact(lambda database: database.execute(change, (at, site, week)).rowcount == 1)

    def end(self, site: str, week: str, at: int) -> None:
        """It was sent (µs UTC)."""
        change = "UPDATE reports SET sent = ?, error = '' WHERE site = ? AND week = ?"
        self._transact(lambda database: database.execute(change, (at, site, week)))

    def fail(self, site: str, week: str, error: str) -> None:
        """It could not be made or sent; it may be tried again."""
        change = "UPDATE reports SET begun = 0, error = ? WHERE site = ? AND week = ? AND sent = 0"
        self._transact(lambda database: database.execute(change, (error[:MOST_ERROR], site, week)))


def is_open(found: Sent | None, at: int) -> bool:
    """Whether somebody may set out to make it at that moment (µs UTC)."""
    return found is None or (not found.begun and not found.sent and not at - AGAIN < found.tried <= at)


def _read(database: sqlite3.Connection) -> list[Sent]:
    query = "SELECT site, week, tried, begun, sent, error FROM reports ORDER BY site, week"
    return [Sent(*row) for row in database.execute(query)]


def _claim(database: sqlite3.Connection, site: str, week: str, at: int) -> bool:
    row = database.execute(
        "SELECT site, week, tried, begun, sent, error FROM reports WHERE site = ? AND week = ?", (site, week)
    ).fetchone()
    if not is_open(row and Sent(*row), at):
        return False
    database.execute(
        "INSERT INTO reports(site, week, tried, begun, sent, error) VALUES (?, ?, ?, 0, 0, '')"
        " ON CONFLICT(site, week) DO UPDATE SET tried = excluded.tried",
        (site, week, at),
    )
    database.execute(
        "DELETE FROM reports WHERE site = ?1 AND week NOT IN"
        " (SELECT week FROM reports WHERE site = ?1 ORDER BY week DESC LIMIT ?2)",
        (site, KEPT),
    )
    return True
