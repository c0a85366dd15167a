"""What the disk and its system promise: something is on it for certain, there is room, nobody else is at it."""

import fcntl
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: fsync alone stops in the drive's cache."""


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable.

    Raises:
        OSError: it is not; to ask again is no use, because the system has forgotten what failed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        if FULL_SYNC is None:
            os.fsync(handle)
        else:
            fcntl.fcntl(handle, FULL_SYNC)
    finally:
        os.close(handle)


def write_ahead(database: sqlite3.Connection, wait: float = 30.0) -> None:
    """Put an SQLite file under a write-ahead log, if it is not.

    While another process does so SQLite says "locked" at once, whatever the connection's timeout
    (sqlite.org/c3ref/busy_handler.html: to avoid a deadlock); here it waits `wait` seconds.

    Raises:
        sqlite3.Error: it cannot be done.
    """
    deadline = time.monotonic() + wait
    while True:
        try:
            with closing(database.execute("PRAGMA journal_mode=WAL")):
                return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def lost_link(path: Path) -> Path | None:
    """The symbolic link, `path` itself or a folder above it, that leads to nothing; None: none is seen to."""
    with suppress(OSError):  # a folder that we may not look into
        return next((each for each in (path, *path.parents) if each.is_symlink() and not each.exists()), None)
    return None


def free(path: Path) -> int:
    """Bytes that may still be written to the disk of `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


class Flock:
    """An advisory lock on a file (flock(2)), which dies with its holder, however it dies. Exclusive, or shared.

    The file is made if needed and stays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self, *, shared: bool = False) -> bool:
        """Take the lock if it is free; False if somebody else holds it.

        Args:
            shared: with others who share it; those who do not must wait.

        Raises:
            OSError: the file cannot be made.
        """
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Let it go, if held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
