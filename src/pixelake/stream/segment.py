"""A segment: one SQLite file of an embedded partition, and what can be asked of it.

``user_version`` 1: one table ``groups``; a row is what one commit made durable,
as bytes of `pixelake.hit.Codec`. WAL with ``synchronous=FULL``: one fsync a
commit, and a torn tail is dropped by SQLite's own checksums. SQLite syncs the
folder for the WAL it makes; for the database file and the folders that is done
here.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from pixelake.disk import sync
from pixelake.errors import StreamError
from pixelake.stream.base import Partition, Position

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = f"""
PRAGMA user_version={SCHEMA_VERSION};
CREATE TABLE groups(
    first INTEGER PRIMARY KEY,      -- position of the first hit
    last INTEGER NOT NULL,          -- and of the last
    received_at INTEGER NOT NULL,   -- of the first, µs UTC
    data BLOB NOT NULL              -- pixelake.hit.Codec
);
CREATE TABLE about(partition TEXT NOT NULL);
"""

_PARTITION: Final = re.compile("[0-9a-f]{12}")
_SEGMENT: Final = re.compile(r"\d{20}\.sqlite")


def connect(path: Path, *, write: bool = False) -> sqlite3.Connection:
    """An existing segment. Never makes one: ``mode=rw`` fails if it has been unlinked meanwhile."""
    uri = path.absolute().as_uri() + "?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA fullfsync=1")  # macOS: fsync alone does not reach the disk
    connection.execute("PRAGMA checkpoint_fullfsync=1")
    if not write:
        connection.execute("PRAGMA query_only=1")
    return connection


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Make sure that a segment lies in the folder it was made for: a copy under another name would count twice.

    Raises:
        StreamError: it does not.
    """
    (partition,) = connection.execute("SELECT partition FROM about").fetchone()
    if partition != path.parent.name:
        raise StreamError(
            f"{path} belongs to partition {partition}", "a copied folder counts twice: move it out of the stream"
        )


def create(folder: Path, partition: Partition, first: Position) -> None:
    """Make an empty segment; it is durable, and so is its name.

    The file gets its name only when it is whole, so that nobody opens half of it.
    """
    nursery = folder / f".{first:020d}"
    nursery.unlink(missing_ok=True)
    with closing(sqlite3.connect(nursery, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")
        connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        connection.execute("INSERT INTO about VALUES (?)", (partition,))
    sync(nursery)
    nursery.rename(folder / f"{first:020d}.sqlite")
    sync(folder)


def segments(folder: Path) -> list[Path]:
    """The segments of a partition, oldest first."""
    return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))


def partitions(stream: Path) -> list[Path]:
    """The folders of the partitions. Whatever else lies there is not ours."""
    if not stream.exists():
        return []
    return sorted(path for path in stream.iterdir() if _PARTITION.fullmatch(path.name) and path.is_dir())


def last_position(path: Path) -> Position:
    """The last position of a segment; the one before its first if it is empty."""
    with closing(connect(path)) as segment:
        row = segment.execute("SELECT max(last) FROM groups").fetchone()
    return int(path.stem) - 1 if row[0] is None else int(row[0])


def newest_at(path: Path) -> int:
    """When the newest row of a segment was received (µs UTC); 0 if it is empty."""
    with closing(connect(path)) as segment:
        row = segment.execute("SELECT received_at FROM groups ORDER BY first DESC LIMIT 1").fetchone()
    return int(row[0]) if row else 0


def touched_at(path: Path) -> int:
    """The same, or when its file was last written, whichever is later."""
    return max(newest_at(path), path.stat().st_mtime_ns // 1000)


def received_at(path: Path, position: Position) -> int | None:
    """When the row that holds a position was received (µs UTC); None if it is not here."""
    with closing(connect(path)) as segment:
        row = segment.execute(
            "SELECT received_at FROM groups WHERE first <= ?1 AND last >= ?1 ORDER BY first DESC LIMIT 1", (position,)
        ).fetchone()
    return int(row[0]) if row else None


def unlink(path: Path) -> None:
    """The database first: without it the rest is garbage that nobody reads."""
    for name in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        name.unlink(missing_ok=True)
    sync(path.parent)
