"""Where readers of Kinesis are: ``<data>/stream/kinesis.sqlite``.

A shard is a partition, under a name minted when it is first read. Positions count
its hits from there on, and some of them are kept with the sequence number of their
record: from such a place every position behind it is found again. Without this file
all shards are partitions of other names, and read from their oldest record on;
their hits are merged.
"""

import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from pixelake.disk import write_ahead
from pixelake.errors import StreamError
from pixelake.stream.base import Partition, Position

NAME: Final = "kinesis.sqlite"
KEPT: Final = 10_000
"""Places that are kept of a partition, the newest."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS shards(
    stream TEXT NOT NULL, shard TEXT NOT NULL, partition TEXT NOT NULL, last INTEGER, PRIMARY KEY(stream, shard)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS places(
    partition TEXT NOT NULL, position INTEGER NOT NULL, sequence TEXT NOT NULL, taken INTEGER NOT NULL,
    PRIMARY KEY(partition, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions(
    readers TEXT NOT NULL, partition TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY(readers, partition)
) WITHOUT ROWID;
"""


class Place(NamedTuple):
    """A record: `taken` hits of it are at positions up to `position`, the others behind."""

    position: Position
    sequence: str
    taken: int


class Shard(NamedTuple):
    """What is known of a shard; `last` is the position of its last hit, once it is closed and read."""

    partition: Partition
    last: Position | None


class Places:
    """The file, open. One thread.

    Raises:
        StreamError: in each method: it cannot be read or written.
    """

    def __init__(self, folder: Path, stream: str) -> None:
        self._path, self._stream = folder / NAME, stream
        folder.mkdir(parents=True, exist_ok=True)
        with self._reported():
            self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            write_ahead(self._database)
            self._database.executescript(_TABLES)

    def shards(self) -> Mapping[str, Shard]:
        """All shards of the stream that are known."""
        query = "SELECT shard, partition, last FROM shards WHERE stream = ?"
        with self._reported():
            return {name: Shard(*rest) for name, *rest in self._database.execute(query, (self._stream,))}

    def shard(self, name: str) -> Shard:
        """What is known of a shard; it gets its partition now if it has none."""
        query = "SELECT partition, last FROM shards WHERE stream = ? AND shard = ?"
        with self._reported():
            found = self._database.execute(query, (self._stream, name)).fetchone()
        return Shard(*found) if found else self.begin(name)

    def begin(self, name: str) -> Shard:
        """A new partition for a shard: its positions begin anew."""
        fresh = Shard(f"{name}-{secrets.token_hex(6)}", None)
        self._write("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, NULL)", (self._stream, name, fresh.partition))
        return fresh

    def end(self, name: str, last: Position) -> None:
        """The shard is closed, and this was its last hit."""
        self._write("UPDATE shards SET last = ? WHERE stream = ? AND shard = ?", (last, self._stream, name))

    def before(self, partition: Partition, position: Position) -> Place | None:
        """The last known place that is not behind a position."""
        query = (
            "SELECT position, sequence, taken FROM places WHERE partition = ? AND position <= ?"
            " ORDER BY position DESC LIMIT 1"
        )
        with self._reported():
            found = self._database.execute(query, (partition, position)).fetchone()
        return Place(*found) if found else None

    def note(self, partition: Partition, place: Place) -> None:
        """Remember a place; the oldest ones but the newest `KEPT` are forgotten."""
        self._write("INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?)", (partition, *place))
        old = "SELECT position FROM places WHERE partition = ? ORDER BY position DESC LIMIT 1 OFFSET ?"
        self._write(f"DELETE FROM places WHERE partition = ? AND position <= ({old})", (partition, partition, KEPT))  # noqa: S608 - ours

    def committed(self, group: str, partition: Partition) -> Position:
        """How far a group has committed."""
        query = "SELECT position FROM positions WHERE readers = ? AND partition = ?"
        with self._reported():
            found = self._database.execute(query, (group, partition)).fetchone()
        return int(found[0]) if found else 0

    def commit(self, group: str, partition: Partition, position: Position) -> None:
        """So far it has committed now."""
        self._write("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", (group, partition, position))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        with self._reported():
            self._database.execute(statement, values)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            hint = "look at the disk; without the file the stream is read from its oldest hit on, and merged"
            raise StreamError(f"cannot use {self._path}: {error}", hint) from error


def look(folder: Path, group: str) -> Mapping[Partition, Position]:
    """How far a group has committed, beside whoever commits. Nothing if there is no file, or none that can be read."""
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as database:
            return dict(database.execute("SELECT partition, position FROM positions WHERE readers = ?", (group,)))
    except sqlite3.Error:
        return {}
