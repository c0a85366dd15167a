"""Rows leave plain files: a file that holds them is written anew without, or goes when nothing is left.

A file is replaced in one step, under the lock of its writers, so that who reads
sees it as it was or as it is. What is cut short is repeated.
"""

import gzip
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import orc

from pixelake.clock import SYSTEM, Clock
from pixelake.warehouse import durable
from pixelake.warehouse.files import ERRORS_PREFIX, EVENTS_PREFIX, GZIP_LEVEL, MEMBER_ROWS, write_orc, write_parquet
from pixelake.warehouse.files_place import LOCK, LOCK_WAIT, Folder

MeantRows = Callable[[pa.Table], Any]
"""Rows -> for each whether it goes."""
MeantLines = Callable[[Sequence[bytes]], Sequence[bool]]
"""Lines of JSON, a row each -> for each whether it goes."""
_READERS: Final[dict[str, Callable[[Path], pa.Table]]] = {
    ".parquet": lambda path: pq.ParquetFile(path).read(),
    ".orc": orc.read_table,
}
_WRITERS: Final[dict[str, Callable[[pa.Table, IO[bytes]], None]]] = {".parquet": write_parquet, ".orc": write_orc}


class Leaving(NamedTuple):
    """What was done to plain files.

    Attributes:
        files: that were looked through.
        rows: in them.
        bytes: of them.
        gone: rows that were taken out.
        changed: files that were written anew or removed.
    """

    files: int
    rows: int
    bytes: int
    gone: int
    changed: int


def leave(folder: Path, rows: MeantRows, lines: MeantLines, clock: Clock = SYSTEM) -> Leaving:
    """Take the rows that are meant out of all files of a folder, durably. A file is held in memory as a whole.

    Args:
        folder: of a `pixelake.warehouse.files.Files`; nothing is done if it is not there.
        rows: of Parquet and ORC.
        lines: of JSON.
        clock: for waiting.

    Raises:
        LakeUnavailable: a file cannot be read or written, or another writer is at it for too long; repeat the call.
    """
    found = Leaving(0, 0, 0, 0, 0)
    if not folder.is_dir():
        return found
    with Folder(folder, clock).turn():
        pass  # what a dead writer left is in its place now
    for path in sorted(path for prefix in (EVENTS_PREFIX, ERRORS_PREFIX) for path in (folder / prefix).rglob("*.*")):
        if not path.is_file() or path.name.endswith(durable.TEMPORARY):
            continue
        with durable.reported(f"write {path}"), durable.locked(folder / LOCK, LOCK_WAIT, clock):
            size = path.stat().st_size
            all_rows, gone = _leave(path, rows, lines)
        found = Leaving(
            found.files + 1, found.rows + all_rows, found.bytes + size, found.gone + gone, found.changed + bool(gone)
        )
    _tidy(folder)
    return found


def _tidy(folder: Path) -> None:
    """Files in the making of whoever was killed."""
    with Folder(folder).turn():  # which removes what is staged
        for path in folder.rglob(f"*{durable.TEMPORARY}"):
            path.unlink(missing_ok=True)


def _leave(path: Path, rows: MeantRows, lines: MeantLines) -> tuple[int, int]:
    """How many rows a file has, and how many of them went."""
    if path.name.endswith(".json.gz"):
        return _leave_lines(path, lines)
    ending = path.suffix
    if ending not in _READERS:
        return 0, 0
    table = _READERS[ending](path)
    staying: Any = pc.invert(rows(table))
    kept = table.filter(staying)
    if kept.num_rows < table.num_rows:
        _replace(path, partial(_WRITERS[ending], kept) if kept.num_rows else None)
    return table.num_rows, table.num_rows - kept.num_rows


def _leave_lines(path: Path, meant: MeantLines) -> tuple[int, int]:
    with gzip.open(path) as file:
        lines = file.readlines()
    kept = [line for line, there in zip(lines, meant(lines), strict=True) if not there] if lines else []
    if len(kept) < len(lines):

        def fill(file: IO[bytes]) -> None:
            for member in _members(kept):
                file.write(gzip.compress(member, GZIP_LEVEL, mtime=0))

        _replace(path, fill if kept else None)
    return len(lines), len(lines) - len(kept)


def _members(lines: Sequence[bytes]) -> Iterator[bytes]:
    for start in range(0, len(lines), MEMBER_ROWS):
        yield b"".join(lines[start : start + MEMBER_ROWS])


def _replace(path: Path, fill: Callable[[IO[bytes]], None] | None) -> None:
    if fill is None:
        path.unlink()
        durable.sync(path.parent)
    else:
        durable.write(path, fill)
