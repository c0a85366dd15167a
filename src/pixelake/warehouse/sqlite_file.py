"""One SQLite file that several processes share, durably."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pixelake.disk import write_ahead
from pixelake.errors import WarehouseError
from pixelake.warehouse import durable

_DAMAGED: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})
"""Primary result codes that no second attempt changes."""
BUSY: Final = 30.0
"""Seconds to wait for another process's transaction."""


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Open the file for writing, made with `schema` (statements that may run again) if it is not there.

    Raises:
        WarehouseError: it cannot be opened.
    """
    with reported(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY, isolation_level=None, cached_statements=64, check_same_thread=False
        )
        try:
            write_ahead(connection)
            connection.execute("pragma synchronous = full")
            connection.execute("pragma fullfsync = on")
            connection.execute("pragma journal_size_limit = 16777216")
            connection.execute("pragma temp_store = memory")
            with transaction(connection):
                for statement in schema.split(";"):
                    connection.execute(statement)
            durable.sync(path.parent)
        except BaseException:
            connection.close()
            raise
        return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open the file, which is there, to look only.

    Not ``mode=ro``: without a writer beside it that cannot read a WAL.
    """
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", timeout=BUSY, uri=True, isolation_level=None)
    connection.execute("pragma query_only = on")
    return connection


def scrub(path: Path, connection: sqlite3.Connection) -> None:
    """Write the file anew, so that nothing of what was ever deleted is left in it or in its log.

    Takes as long as to copy it, and its size in memory; other writers wait meanwhile.

    Raises:
        WarehouseError: somebody reads all the time, or the disk is full; the file is whole.
    """
    with reported(path):
        connection.execute("vacuum")
        deadline = time.monotonic() + BUSY
        while connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
            if time.monotonic() > deadline:
                raise WarehouseError(f"somebody reads {path} all the time", "try again")
            time.sleep(0.05)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, durable at the end; other writers wait."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn what SQLite and the disk say into `WarehouseError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        hint = again(path) if is_damage(error) else "look at the disk, and whether the file can be written"
        raise WarehouseError(f"{path}: {error}", hint) from error


def is_damage(error: BaseException | None) -> bool:
    """Whether no second attempt changes what SQLite says."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def again(path: Path) -> str:
    """What to do about a damaged file."""
    return f"stop the server and move {path.parent} away; the next start makes it again, as far as the lake tells"
