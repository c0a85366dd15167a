"""A segment: one SQLite file of an embedded partition, and what can be asked of it.

``user_version`` 1: one table ``groups``; a row is what one commit made durable,
as bytes of `pixelake.hit.Codec`. WAL with ``synchronous=FULL``: one fsync a
commit, and a torn tail is dropped by SQLite's own checksums. SQLite syncs the
folder for the WAL it makes; for the database file and the folders that is done
here.

SQLite checks what is in the WAL, and nothing of the pages it has moved from
there. So whoever reads checks each row: zstd's checksum covers the hits, and
positions have no gaps, begin with the name of the file, and agree with the
number of hits. `Damaged` says that one of these does not hold.
"""

import re
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from pixelake.disk import sync
from pixelake.errors import StreamError
from pixelake.hit import MAX_GROUP_BYTES, VERSION, Codec, Hit
from pixelake.stream.base import Partition, Position

SCHEMA_VERSION: Final = 1
MOST_VERSION: Final = 99
"""A file that claims to be of a still newer one is damaged."""

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

INSERT: Final = "INSERT INTO groups VALUES (?, ?, ?, ?)"
SELECT: Final = "SELECT first, last, received_at, data FROM groups"
_BEHIND: Final = """
SELECT first, last, received_at, data FROM groups WHERE (last > :at OR first > :at)
AND first >= coalesce((SELECT first FROM groups WHERE first <= :at + 1 ORDER BY first DESC LIMIT 1), 0) ORDER BY first
"""
_DAMAGE: Final = frozenset(
    {
        sqlite3.SQLITE_ERROR,  # there is no such table
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_FORMAT,
        sqlite3.SQLITE_NOTADB,
    }
)
"""What SQLite answers when a file is not what we wrote. Everything else may pass: a full disk, a lock, a bad cable."""

FAILURES: Final = (sqlite3.Error, UnicodeDecodeError, StreamError, OSError)
"""What reading a segment may raise; `is_damage` tells them apart. UnicodeDecodeError: SQLite quotes what it found."""

_PARTITION: Final = re.compile("[0-9a-f]{12}")
_SEGMENT: Final = re.compile(r"\d{20}\.sqlite")


class Damaged(StreamError):
    """A segment does not hold what was written to it. Those who read set it aside; it never leaves this folder."""


class Row(NamedTuple):
    """What one commit made durable: positions `first` to `last`, when the first came (µs UTC), and the hits."""

    first: Position
    last: Position
    received_at: int
    data: bytes


def is_damage(error: Exception) -> bool:
    """Whether a segment is not what was written; else the disk or the system fails, which may pass."""
    if isinstance(error, sqlite3.Error):
        # Python itself raises those without a code: a text is no UTF-8
        return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGE
    return isinstance(error, Damaged | UnicodeDecodeError)


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
        StreamError: it does not; or a newer version of pixelake wrote it: only that one can tell whether it is whole.
        Damaged: it does not say.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if SCHEMA_VERSION < version <= MOST_VERSION:
        raise StreamError(f"{path} was written by a newer version of pixelake", "run that version; nothing is lost")
    names = [name for (name,) in connection.execute("SELECT partition FROM about")]
    if version != SCHEMA_VERSION or len(names) != 1 or not _PARTITION.fullmatch(str(names[0])):
        raise Damaged(f"{path} does not say what it is")
    if names[0] != path.parent.name:
        raise StreamError(
            f"{path} belongs to partition {names[0]}", "a copied folder counts twice: move it out of the stream"
        )


def read(connection: sqlite3.Connection, begin: Position, at: Position) -> Generator[Row, None, None]:
    """The rows of a segment that have hits behind position `at`, in order. The hits are not checked (`hits_of`).

    Args:
        connection: the segment.
        begin: its first position, which is its name.
        at: where the reader is; the first row may begin at or before it.

    Raises:
        Damaged: positions are missing or make no sense.
    """
    expected = max(at + 1, begin)
    with closing(connection.execute(_BEHIND, {"at": at})) as found:
        for fields in found:
            row = as_row(fields)
            if row.first != expected and not begin <= row.first < expected <= min(row.last, at + 1):
                raise Damaged(f"position {expected} is missing")
            yield row
            expected = row.last + 1


def as_row(fields: Sequence[object]) -> Row:
    """What SQLite found, if it is a row at all.

    Raises:
        Damaged: it is none.
    """
    match fields:
        case (int(first), int(last), int(received_at), bytes(data)) if first <= last:
            return Row(first, last, received_at, data)
    raise Damaged("a row is not of this format")


def hits_of(row: Row, codec: Codec) -> list[Hit]:
    """The hits of a row.

    Raises:
        StreamError: a newer version of pixelake wrote them; who does not know it cannot tell whether they are damaged.
        Damaged: they are not those that were written.
    """
    newer = row.data[:1] > VERSION
    if not newer and codec.size(row.data) > MAX_GROUP_BYTES:
        raise Damaged(f"the hits at position {row.first} are damaged: they cannot be so many")
    try:
        hits = codec.decode(row.data)
    except StreamError as error:
        if newer:
            raise
        raise Damaged(f"the hits at position {row.first} are damaged: {error}") from error
    if len(hits) != row.last - row.first + 1 or hits[0].received_at != row.received_at:
        raise Damaged(f"the hits at position {row.first} are not those that were written there")
    return hits


def make(path: Path, partition: Partition, rows: Iterable[Row] = ()) -> Path:
    """Make the file of a segment, usually an empty one, durably. Nobody reads it before it is in its `place`."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=1")
        connection.executescript(f"BEGIN;{_SCHEMA}COMMIT;")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO about VALUES (?)", (partition,))
        connection.executemany(INSERT, rows)
        connection.execute("COMMIT")
    sync(path)
    return path


def place(made: Path, first: Position) -> Path:
    """Make it the segment that begins at a position; the name is durable. Returns where it is."""
    path = made.rename(made.with_name(f"{first:020d}.sqlite"))
    sync(path.parent)
    return path


def create(folder: Path, partition: Partition, first: Position, rows: Iterable[Row] = ()) -> Path:
    """Make a segment and put it in its place. Returns where it is."""
    return place(make(folder / f".{first:020d}", partition, rows), first)


def segments(folder: Path) -> list[Path]:
    """The segments of a partition, oldest first."""
    return sorted(path for path in folder.iterdir() if _SEGMENT.fullmatch(path.name))


def is_partition(name: str) -> bool:
    """Whether this is the name of a partition of an embedded stream."""
    return bool(_PARTITION.fullmatch(name))


def partitions(stream: Path) -> list[Path]:
    """The folders of the partitions. Whatever else lies there is not ours."""
    if not stream.exists():
        return []
    return sorted(path for path in stream.iterdir() if is_partition(path.name) and path.is_dir())


def last_position(path: Path) -> Position:
    """The last position of a segment; the one before its first if it is empty.

    Raises:
        Damaged: it does not say.
    """
    before = int(path.stem) - 1
    with closing(connect(path)) as segment:
        row = segment.execute("SELECT last FROM groups ORDER BY first DESC LIMIT 1").fetchone()
    last = before if row is None else row[0]
    if not isinstance(last, int) or last < before:
        raise Damaged(f"{path} does not say how far it goes")
    return last


def size(path: Path) -> int:
    """Bytes of a segment on the disk."""
    found = 0
    for name in (path, path.with_name(path.name + "-wal")):
        with suppress(FileNotFoundError):
            found += name.stat().st_size
    return found


def total(stream: Path) -> int:
    """Bytes of all segments of a stream, without those that were set aside."""
    found = 0
    for folder in partitions(stream):
        with suppress(FileNotFoundError):  # it has been forgotten meanwhile
            found += sum(map(size, segments(folder)))
    return found


def bytes_behind(folder: Path, position: Position) -> int:
    """About how many bytes the hits of a partition take that come after a position; 0 if it has been forgotten."""
    try:
        paths = segments(folder)
    except FileNotFoundError:
        return 0
    behind = [path for path in paths if int(path.stem) > position]
    split = [path for path in paths if int(path.stem) <= position][-1:]  # its hits may be on either side
    return sum(map(size, behind)) + sum(_bytes_behind(path, position) for path in split)


def _bytes_behind(path: Path, position: Position) -> int:
    try:
        with closing(connect(path)) as segment:
            (found,) = segment.execute("SELECT sum(length(data)) FROM groups WHERE last > ?", (position,)).fetchone()
    except FAILURES:  # damaged, or gone by now
        return size(path)
    return int(found or 0)


def newest_at(path: Path) -> int:
    """When the newest row of a segment was received (µs UTC), or written if that is damaged; 0 if it is empty."""
    try:
        with closing(connect(path)) as segment:
            row = segment.execute("SELECT received_at FROM groups ORDER BY first DESC LIMIT 1").fetchone()
        return int(row[0]) if row else 0
    except (*FAILURES, TypeError, ValueError) as error:
        if isinstance(error, FAILURES) and not is_damage(error):
            raise
        return path.stat().st_mtime_ns // 1000


def touched_at(path: Path) -> int:
    """The same, or when its file was last written, whichever is later."""
    return max(newest_at(path), path.stat().st_mtime_ns // 1000)


def written_at(stream: Path) -> int:
    """When anything of a stream was last written (µs UTC), as its files have it; 0 if there is nothing."""
    newest = 0
    for folder in partitions(stream):
        with suppress(FileNotFoundError):  # it has been forgotten meanwhile
            newest = max([newest, *(path.stat().st_mtime_ns // 1000 for path in folder.iterdir())])
    return newest


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
