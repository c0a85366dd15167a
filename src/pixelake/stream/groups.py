"""How far each group of readers has committed: ``<stream>/groups.sqlite``."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import structlog

from pixelake.disk import write_ahead
from pixelake.stream import segment
from pixelake.stream.base import Partition, Position

T = TypeVar("T")

DAMAGED: Final = "groups.damaged"
"""What became of a file that could not be read."""


class Committed:
    """The positions of one group, and the lowest of all. One thread.

    A power cut may set them back, and a damaged file is set aside and begun
    anew: the sinks know how far they are and drop what they have.
    """

    def __init__(self, stream: Path, group: str = "") -> None:
        self._path = stream / "groups.sqlite"
        self._group = group
        self._database: sqlite3.Connection | None = None
        self._safely(lambda _: None)

    def get(self, partition: Partition) -> Position:
        """How far this group is; 0 if it never committed there."""
        return self._one("SELECT position FROM positions WHERE readers = ? AND partition = ?", self._group, partition)

    def lowest(self, partition: Partition) -> Position:
        """How far all groups are that ever committed there."""
        return self._one("SELECT min(position) FROM positions WHERE partition = ?", partition)

    def _one(self, query: str, *parameters: str) -> Position:
        row = self._safely(lambda database: database.execute(query, parameters).fetchone())
        return row[0] if row and isinstance(row[0], int) else 0

    def put(self, positions: Mapping[Partition, Position]) -> None:
        """Store this group's positions."""
        rows = [(self._group, partition, position) for partition, position in positions.items()]
        self._safely(lambda database: _put(database, rows))

    def forget(self, partition: Partition) -> None:
        """The partition is gone, and its name never comes back."""
        self._safely(lambda database: database.execute("DELETE FROM positions WHERE partition = ?", (partition,)))

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def _safely(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Do it; if the file turns out to be damaged, set it aside and do it on a new one."""
        try:
            return action(self._open())
        except segment.FAILURES as error:
            if not segment.is_damage(error):
                raise
            structlog.get_logger().error("set aside the damaged positions of readers", error=str(error))
        self.close()
        self._path.replace(self._path.with_name(DAMAGED))
        segment.unlink(self._path)
        return action(self._open())

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            write_ahead(self._database)
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS positions(readers TEXT NOT NULL, partition TEXT NOT NULL,"
                " position INTEGER NOT NULL, PRIMARY KEY(readers, partition)) WITHOUT ROWID"
            )
        return self._database


def look(stream: Path, group: str) -> Mapping[Partition, Position]:
    """The positions of a group, beside whoever commits. Nothing if there is no file, or none that can be read."""
    path = stream / "groups.sqlite"
    if not path.exists():
        return {}
    try:
        # not ``mode=ro``: without a writer beside it that cannot read a WAL
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True)) as database:
            query = "SELECT partition, position FROM positions WHERE readers = ?"
            return dict(database.execute(query, (group,)))
    except segment.FAILURES:
        return {}


def _put(database: sqlite3.Connection, rows: list[tuple[str, Partition, Position]]) -> None:
    with database:
        database.execute("BEGIN IMMEDIATE")
        database.executemany(
            "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET position = excluded.position", rows
        )
