"""The file of the embedded registry: made for its owner alone, opened, and what is wrong with it in words."""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pixelake.disk import lost_link, sync, write_ahead
from pixelake.errors import RegistryUnavailable

BUSY: Final = 30.0
"""Seconds to wait for another process's transaction."""
_making: Final = threading.Lock()
"""Nobody in this process opens a file that is just being made."""
_PRAGMAS: Final = ("synchronous=FULL", "fullfsync=1", "checkpoint_fullfsync=1", "secure_delete=ON")


def open_file(path: Path, schema: Sequence[str]) -> sqlite3.Connection:
    """The file, made if it is not there, with its tables.

    Raises:
        RegistryUnavailable: see `check_link`.
        sqlite3.Error: it is no such file, or cannot be written.
        OSError: it cannot be made.
    """
    check_link(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make(path)
    database = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        write_ahead(database)
        for pragma in _PRAGMAS:
            database.execute(f"PRAGMA {pragma}").fetchall()
        database.execute("BEGIN IMMEDIATE")
        for statement in schema:
            database.execute(statement)
        database.execute("COMMIT")
        sync(path.parent)
    except BaseException:
        database.close()
        raise
    return database


def check_link(path: Path) -> None:
    """Refuse a place that is a link to nothing: SQLite would begin a new registry at the other end, for all to read.

    Raises:
        RegistryUnavailable: it is, or a folder above it.
    """
    if link := lost_link(path):
        raise RegistryUnavailable(
            f"registry {path}: {link} is a link to {link.readlink()}, and nothing is there",
            "mount or restore what it leads to, or remove the link: then a new registry is begun here",
        )


def explained(path: Path, error: sqlite3.Error | OSError) -> RegistryUnavailable:
    """What happened, and what to do about it."""
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
        return RegistryUnavailable(
            f"registry {path}: another process has been writing to it for {BUSY:.0f} s",
            f"`fuser -v {path}` tells which: a copy or an SQL shell, perhaps; end it, nothing is lost",
        )
    return RegistryUnavailable(f"registry {path}: {error}", "look at the disk, and whether the file can be written")


def _make(path: Path) -> None:
    """Make the file for the owner's eyes only, if it is not there; its WAL takes the same mode.

    One that is there is not opened: to close it would end the locks of all its connections in this process
    (sqlite.org/howtocorrupt.html, 2.2), and whoever leaves it next would remove the WAL that they still write to.
    """
    with _making, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
