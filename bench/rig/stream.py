"""What is in the embedded stream once its collector has ended."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from pixelake.hit import Codec

_EVENT_ID: Final = re.compile(rb"[?&]event_id=([^& ]+)")


def count(data: Path) -> int:
    """Hits, by the positions in the segments: read with SQLite alone, nothing of pixelake's."""
    return sum(last - first + 1 for path in _segments(data) for first, last in _select(path, "first, last"))


def event_ids(data: Path) -> list[str]:
    """The event id of each hit that has one, decoded from the bytes on disk."""
    codec = Codec()
    return [
        found[1].decode()
        for path in _segments(data)
        for (group,) in _select(path, "data")
        for hit in codec.decode(group)
        if (found := _EVENT_ID.search(hit.target))
    ]


def _segments(data: Path) -> list[Path]:
    return sorted((data / "stream").glob("????????????/*.sqlite"))


def _select(path: Path, columns: str) -> Iterator[Any]:
    with closing(sqlite3.connect(path)) as connection:
        yield from connection.execute(f"SELECT {columns} FROM groups")
