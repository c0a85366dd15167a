"""Puts single files of a data folder into a backup, each as it was at one moment.

What never changes is copied byte by byte, and only if the last backup does not
have it. An SQLite file goes through SQLite's online backup: one reading
transaction, which holds up no writer and sees all that was committed before it.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Final, TypeVar
from urllib.parse import quote

from pixelake.errors import BackupError
from pixelake.operate.depot import PACE, ROOM, Depot, File, Told, put_down
from pixelake.warehouse import place
from pixelake.warehouse.place import Place

T = TypeVar("T")

ATTEMPTS: Final = 5
BUSY: Final = 60.0
"""Seconds that SQLite waits for a lock; only what recovers a file after a crash holds one against readers."""
_DAMAGED: Final = "if it is damaged, let the server run: it sets aside what it can do without; then try again"
_SIDES: Final = ("-wal", "-shm", "-journal")
_PASSING: Final = (".tmp", ".new", ".lock", ".part")
"""Endings of what is being made, or only held."""


class Copier:
    """Copies files into a depot and keeps the list of them.

    Args:
        depot: open for writing.
        scratch: an empty folder.
        before: the files of the last backup, by path.
        room: asked before so many bytes are copied.
        told: hears of the progress.
        total: about how many bytes there are.

    Attributes:
        files: what is in this backup, by path.
    """

    def __init__(
        self,
        depot: Depot,
        scratch: Path,
        *,
        before: Mapping[str, File],
        room: Callable[[int], None],
        told: Told,
        total: int,
    ) -> None:
        self.files: dict[str, File] = {}
        self._depot, self._scratch, self._before, self._room = depot, scratch, before, room
        self._told, self._done, self._total = told, 0, total

    def _keep(self, file: File) -> None:
        known = self.files.get(file.path)
        self.files[file.path] = file
        self._done += file.size - (known.size if known else 0)
        self._told(self._done, max(self._done, self._total))

    def forget(self, below: str) -> None:
        """What was copied below this path is to be copied again."""
        for path in [path for path in self.files if path == below or path.startswith(f"{below}/")]:
            self._done -= self.files.pop(path).size

    def plain(self, path: str, source: Place, size: int | None = None) -> None:
        """A file that nobody changes.

        Args:
            path: its name in the backup.
            source: where it is.
            size: what it must have, if that is known.

        Raises:
            FileNotFoundError: it is not there.
            BackupError: it changes all the time, or is not as it should be.
        """
        for _ in range(ATTEMPTS):
            mark = _mark(source)
            old = self._before.get(path)
            if old and mark and old.mark == mark and size in (None, old.size) and self._depot.has(old):
                self._keep(old)
                return
            if isinstance(source, Path):
                self._room(source.stat().st_size)
            with _open(source) as file:
                copied, digest = self._depot.add(file, self._scratch)
            if _mark(source) == mark:
                break
        else:
            raise BackupError(f"{source} changes while it is copied", "see who writes to it, and try again")
        if size not in (None, copied):
            raise BackupError(f"{source} is damaged: it has {copied:,} bytes instead of {size:,}", "restore it first")
        self._keep(File(path, copied, digest, mark))

    def text(self, path: str, data: bytes) -> None:
        """A small file that was read already."""
        copy = self._scratch / "text"
        copy.write_bytes(data)
        size, digest = self._depot.adopt(copy)
        self._keep(File(path, size, digest))

    def database(self, path: str, source: Path, look: Callable[[sqlite3.Connection], T]) -> T:
        """An SQLite file as it is now. Returns what `look` finds in the copy.

        Raises:
            BackupError: it cannot be read.
        """
        copy = self._scratch / "database"
        self._room(source.stat().st_size)
        try:
            with contextlib.closing(_existing(source)) as old, contextlib.closing(sqlite3.connect(copy)) as new:
                new.execute("pragma synchronous = off")  # here that is done by whoever paces it
                _copy(old, new, copy)
            with contextlib.closing(sqlite3.connect(copy)) as new:
                new.execute("pragma query_only = on")
                found = look(new)
        except sqlite3.Error as error:
            is_full = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            raise BackupError(f"cannot copy {source}: {error}", ROOM if is_full else _DAMAGED) from error
        for side in _SIDES:
            copy.with_name(copy.name + side).unlink(missing_ok=True)
        size, digest = self._depot.adopt(copy)
        self._keep(File(path, size, digest))
        return found

    def folder(self, path: str, source: Path, without: Collection[str] = ()) -> None:
        """All files below a folder, if there is one: databases as such, the others byte by byte.

        What vanishes meanwhile is left out.

        Raises:
            BackupError: a name is no text.
        """
        for file in files_below(source):
            name = file.relative_to(source).as_posix()
            if name.partition("/")[0] in without:
                continue
            if not name.isprintable():  # also one that is no UTF-8, which a manifest cannot hold
                raise BackupError(f"a file in {source} has the name {name!r}", "rename it, or move it elsewhere")
            with contextlib.suppress(FileNotFoundError):
                if file.suffix == ".sqlite":
                    self.database(f"{path}/{name}", file, lambda _: None)
                else:
                    self.plain(f"{path}/{name}", file)


def files_below(folder: Path) -> Iterator[Path]:
    """The files that count, in order; without those that are passing, or SQLite's own. Links are not followed."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or path.name.endswith((*_SIDES, *_PASSING)) or path.name == ".hold":
            continue
        if path.is_dir():
            yield from files_below(path)
        elif path.is_file():
            yield path


def nothing(_: sqlite3.Connection) -> None:
    """For `Copier.database`, if nobody wants to know."""


def _existing(path: Path) -> sqlite3.Connection:
    """A connection that only reads. Not ``mode=ro``: without a writer beside it that cannot read a WAL."""
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=BUSY, isolation_level=None)
    connection.execute("pragma query_only = on")
    return connection


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, path: Path) -> None:
    """Copy a database as it is at this moment, step by step.

    The reading transaction that is open all the time keeps the moment: without it each commit of others would make
    SQLite begin again.
    """
    old.execute("begin")
    old.execute("select count(*) from sqlite_master").fetchall()
    (size,) = old.execute("pragma page_size").fetchone()
    handle = os.open(path, os.O_RDWR)
    try:
        old.backup(new, pages=PACE // size, progress=lambda *_: put_down(handle))
    finally:
        os.close(handle)
        old.execute("rollback")


def _open(source: Place) -> IO[bytes]:
    return source.open("rb") if isinstance(source, Path) else source.open()


def _mark(source: Place) -> str:
    """Tells what is there from what had its name before. A file's time is that of its last change."""
    if isinstance(source, Path):
        found = source.stat()
        return f"{found.st_ino}-{found.st_size}-{found.st_mtime_ns}"
    found_tag = place.tag(source)
    if found_tag is None:
        raise FileNotFoundError(str(source))
    return str(found_tag)
