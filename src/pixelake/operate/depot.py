"""A place where backups lie: a folder, or one in a bucket.

::

    <place>/
      pixelake-backups         that it is one, and in which format
      20261121T191500Z.json    a backup: its files, each with its size and SHA-256; written last, it makes the backup
      erasures.jsonl           who was erased since: applied again after a restore
      pool/3f/3f9a0c...        the bytes of every file, named by their SHA-256; backups share what they have in common
      .lock                    held (flock) by whoever writes here; not in a bucket
      .scratch-.../            what a backup is just copying; worth nothing afterwards; not in a bucket

What a manifest names was durable before the manifest was. Folders and files on a
disk are for the owner's eyes only: salts, secrets and hits are in them.
"""

import calendar
import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

import msgspec

from pixelake.clock import SECOND
from pixelake.disk import Flock, free, sync
from pixelake.errors import BackupError
from pixelake.warehouse import durable, place
from pixelake.warehouse.place import Place

FORMAT: Final = 1
"""The format that this program writes, and the newest that it reads."""
MARKER: Final = "pixelake-backups"
ERASURES: Final = "erasures.jsonl"
POOL: Final = "pool"
LOCK: Final = ".lock"
SCRATCH: Final = ".scratch-"
ROOM: Final = "make room, keep fewer backups with --keep, or name another disk; then run it again"
STAMP: Final = re.compile(r"\d{8}T\d{6}Z")
_MANIFEST: Final = re.compile(rf"({STAMP.pattern})\.json")
_FORM: Final = "%Y%m%dT%H%M%SZ"
_HASH: Final = re.compile("[0-9a-f]{64}")
_NUMBER: Final = re.compile(rb"\s*[0-9]{1,9}\s*")
STEP: Final = 1 << 20
"""Bytes copied at once."""
PACE: Final = 1 << 20
"""Bytes after which what was copied is put on the disk, because the collector's own syncs wait for all of it; then the
disk is the collector's for as long as that took."""
REST: Final = 0.1
"""Seconds of that at most."""
_DATASYNC: Final = getattr(os, "fdatasync", os.fsync)
_OURS: Final = frozenset({MARKER, ERASURES, POOL, LOCK, "lost+found"})

Told = Callable[[int, int], None]
"""Hears how many bytes are done, and about how many there are."""


class File(msgspec.Struct, frozen=True):
    """A file of a backup.

    Attributes:
        path: below the data folder, with slashes.
        size: in bytes.
        sha256: of its bytes, as text.
        mark: tells its source apart from what else had its name; unchanged, it is not read again. Empty: it is.
    """

    path: str
    size: int
    sha256: str
    mark: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """A backup.

    Attributes:
        stamp: its name: when it was begun, UTC. All that was acknowledged before is in it.
        ended: when it was complete (µs UTC).
        data_version: of the data folder.
        program: the version of pixelake that made it.
        files: all of them.
    """

    stamp: str
    ended: int
    data_version: int
    program: str
    files: tuple[File, ...]


class _Signed(msgspec.Struct, frozen=True):
    """What a manifest's file holds: the hash of `manifest`'s bytes."""

    format: int
    sha256: str
    manifest: msgspec.Raw


class Depot:
    """The place, for one thread. Nothing is made before something is written.

    Attributes:
        place: where.
        new_files: that this object put into the pool.
        new_bytes: of them.
    """

    def __init__(self, where: Place) -> None:
        self.place = place.absolute(where)
        self.new_files = self.new_bytes = 0
        self._pool: dict[str, int] = {}

    def check(self) -> None:
        """Return if it is a place of backups.

        Raises:
            BackupError: it is not, or a newer version of pixelake wrote it, or it cannot be read.
        """
        with self.reported("read"):
            if isinstance(self.place, Path) and self.place.exists() and not self.place.is_dir():
                raise BackupError(f"{self.place} is no folder", "name the folder that the backups lie in")
            if MARKER not in place.names(self.place):
                raise BackupError(
                    f"there are no backups in {self.place}", "name the folder that `pixelake backup` made"
                )
            marker = _read(self.place / MARKER)
        if not _NUMBER.fullmatch(marker):
            raise BackupError(f"{self.place / MARKER} is damaged", f"write the number {FORMAT} into it")
        if int(marker) > FORMAT:
            raise BackupError(
                f"{self.place} was written by a newer version of pixelake", "run that version of pixelake"
            )

    @contextmanager
    def writing(self) -> Iterator[Path]:
        """Make the place if needed, and take it; nobody else writes meanwhile. Yields an empty folder to work in.

        Raises:
            BackupError: it holds something else, somebody else writes to it, or it cannot be written.
        """
        with self.reported("write to"):
            self._make()
            if not isinstance(self.place, Path):
                with tempfile.TemporaryDirectory(prefix="pixelake-backup-") as scratch:
                    self._look_into_pool()
                    yield Path(scratch)
                return
            lock = Flock(self.place / LOCK)
            if not lock.acquire():
                raise BackupError(f"another backup to {self.place} is under way", "wait for its end")
            try:
                for left in self.place.glob(f"{SCRATCH}*"):  # by one that was killed
                    shutil.rmtree(left, ignore_errors=True)
                self._look_into_pool()
                with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=self.place) as scratch:
                    yield Path(scratch)
            finally:
                lock.release()

    def _make(self) -> None:
        if isinstance(self.place, Path):
            if self.place.exists() and not self.place.is_dir():
                raise BackupError(f"{self.place} is no folder", "name a new or an empty folder")
            self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        names = place.names(self.place)
        if MARKER in names:
            self.check()
            return
        strangers = sorted(name for name in names - _OURS if not name.startswith(SCRATCH))
        if strangers:
            hint = "name a new or an empty folder"
            raise BackupError(f"{self.place} is no place of backups: it holds {strangers[0]!r}", hint)
        if isinstance(self.place, Path):
            (self.place / POOL).mkdir(mode=0o700, exist_ok=True)
            sync(self.place.parent)
        self._write(self.place / MARKER, f"{FORMAT}\n".encode())

    def _look_into_pool(self) -> None:
        pool = self.place / POOL
        if not isinstance(pool, Path):
            self._pool = {name.rpartition("/")[2]: size for name, size in pool.sizes().items()}
            return
        self._pool = {}
        for folder in pool.iterdir():
            with os.scandir(folder) as entries:
                self._pool |= {entry.name: entry.stat().st_size for entry in entries if _HASH.fullmatch(entry.name)}

    def has(self, file: File) -> bool:
        """Whether the pool has its bytes, as far as their number tells."""
        return self._pool.get(file.sha256) == file.size

    def room(self, reserve: int, beside: Path) -> Callable[[int], None]:
        """What refuses so many more bytes if they would take the reserve of the disk that `beside` lies on, too."""
        target = self.place
        if not isinstance(target, Path) or not beside.exists() or target.stat().st_dev != beside.stat().st_dev:
            return lambda _: None

        def check(size: int) -> None:
            if free(target) - size < reserve:
                hint = "back up to another disk, make room, or keep fewer backups with --keep"
                raise BackupError(f"the backup would take what the collector needs of the disk of {target}", hint)

        return check

    def add(self, source: IO[bytes], scratch: Path) -> tuple[int, str]:
        """Put these bytes into the pool, durably. Returns how many they are, and their SHA-256.

        Raises:
            OSError: they are not known to be there.
        """
        copy = scratch / "copy"
        with copy.open("wb") as target:
            size, digest = pour(source, target, put_down)
        return self._adopt(copy, size, digest)

    def adopt(self, file: Path) -> tuple[int, str]:
        """The same with a file of the scratch folder, which is gone afterwards."""
        with file.open("rb") as source:
            size, digest = pour(source, None)
        return self._adopt(file, size, digest)

    def _adopt(self, file: Path, size: int, digest: str) -> tuple[int, str]:
        if self._pool.get(digest) == size:
            file.unlink()
            return size, digest
        target = self._at(digest)
        if isinstance(target, Path):
            file.chmod(0o600)
            sync(file)
            if not target.parent.exists():
                target.parent.mkdir(mode=0o700)
                sync(target.parent.parent)
            file.rename(target)
            sync(target.parent)
        else:
            with file.open("rb") as source:
                target.put(source)
            file.unlink()
        self._pool[digest] = size
        self.new_files += 1
        self.new_bytes += size
        return size, digest

    def _at(self, digest: str) -> Place:
        return self.place / POOL / digest[:2] / digest

    def open(self, file: File) -> IO[bytes]:
        """The bytes of a file.

        Raises:
            BackupError: they are not there.
        """
        there = self._at(file.sha256)
        try:
            return there.open("rb") if isinstance(there, Path) else there.open()
        except FileNotFoundError:
            raise BackupError(f"{there} is missing: {file.path} cannot be restored", OTHER) from None

    def stamps(self) -> Sequence[str]:
        """The backups that are complete, oldest first.

        Raises:
            BackupError: it cannot be read.
        """
        with self.reported("read"):
            found = [match[1] for match in map(_MANIFEST.fullmatch, place.names(self.place)) if match]
        return sorted(stamp for stamp in found if _is_moment(stamp))

    def next_stamp(self, now: int) -> str:
        """The name of a backup begun now (µs UTC): later than all there are, also if the clock went back."""
        stamps = self.stamps()
        seconds = now // SECOND
        if stamps:
            seconds = max(seconds, moment_of(stamps[-1]) // SECOND + 1)
        return time.strftime(_FORM, time.gmtime(seconds))

    def manifest(self, stamp: str) -> Manifest:
        """A backup's files.

        Raises:
            BackupError: it is not there, damaged, or written by a newer version.
        """
        path = self.place / f"{stamp}.json"
        with self.reported("read"):
            try:
                data = _read(path)
            except FileNotFoundError:
                raise BackupError(
                    f"there is no backup {stamp} in {self.place}", "`pixelake backups PLACE` lists them"
                ) from None
        try:
            return _read_manifest(data, path)
        except (ValueError, UnicodeDecodeError) as error:  # msgspec's errors are ValueErrors
            raise BackupError(f"{path} is damaged: {error}", OTHER) from None

    def finish(self, manifest: Manifest) -> None:
        """Make the backup: what it names is in the pool.

        Raises:
            BackupError: it is not known to be made.
        """
        body = msgspec.json.encode(manifest)
        signed = _Signed(FORMAT, hashlib.sha256(body).hexdigest(), msgspec.Raw(body))
        with self.reported("write to"):
            self._write(self.place / f"{manifest.stamp}.json", msgspec.json.encode(signed) + b"\n")

    def prune(self, keep: int) -> tuple[Sequence[str], int]:
        """Remove all backups but the newest `keep`, and what only they had. Returns their names, and the bytes freed.

        If it is cut short, the next one goes on.

        Raises:
            BackupError: one of those kept cannot be read: nobody knows what it needs, and nothing is removed.
        """
        stamps = self.stamps()
        old, kept = stamps[:-keep], stamps[-keep:]
        try:
            needed = {file.sha256 for stamp in kept for file in self.manifest(stamp).files}
        except BackupError as error:
            hint = "the new backup is there; if the damaged one is given up, remove its file"
            raise BackupError(f"older backups cannot be removed: {error}", hint) from error
        loose = sorted(digest for digest in self._pool if digest not in needed)
        with self.reported("remove backups in"):
            self._remove([f"{stamp}.json" for stamp in old])  # first: what is named must be there
            self._remove([f"{POOL}/{digest[:2]}/{digest}" for digest in loose])
        return old, sum(self._pool.pop(digest) for digest in loose)

    def _remove(self, names: Collection[str]) -> None:
        if not isinstance(self.place, Path):
            self.place.remove(list(names))
            return
        for name in names:
            (self.place / name).unlink(missing_ok=True)
        for folder in {(self.place / name).parent for name in names}:
            sync(folder)

    def _write(self, path: Place, data: bytes) -> None:
        def fill(file: IO[bytes]) -> None:
            file.write(data)

        durable.write(path, fill)
        if isinstance(path, Path):
            path.chmod(0o600)

    @contextmanager
    def reported(self, doing: str) -> Iterator[None]:
        """Turn what the disk or the store says into `BackupError`: ``cannot <doing> <place>: <why>``."""
        try:
            yield
        except OSError as error:
            hint = "look at the disk" if isinstance(self.place, Path) else self.place.hint
            if error.errno == errno.ENOSPC:
                hint = ROOM
            where = f": {error.filename}" if error.filename else ""
            raise BackupError(f"cannot {doing} {self.place}: {error.strerror or error}{where}", hint) from error


OTHER: Final = "restore another backup with --at; `pixelake backups PLACE --check` tells which are whole"


def moment_of(stamp: str) -> int:
    """When a backup of this name was begun (µs UTC)."""
    return calendar.timegm(time.strptime(stamp, _FORM)) * SECOND


def _is_moment(stamp: str) -> bool:
    """Whether it is the time that its form promises: files of others may look like backups."""
    try:
        moment_of(stamp)
    except ValueError:
        return False
    return True


def pour(source: IO[bytes], target: IO[bytes] | None, after: Callable[[int], None] = lambda _: None) -> tuple[int, str]:
    """Copy all. Returns the number of bytes, and their SHA-256.

    Args:
        source: is read to its end.
        target: None: it is only read.
        after: called with the target's handle every `PACE` bytes.
    """
    digest, size, behind = hashlib.sha256(), 0, 0
    while data := source.read(STEP):
        digest.update(data)
        size += len(data)
        if target is None:
            continue
        target.write(data)
        behind += len(data)
        if behind >= PACE:
            target.flush()
            after(target.fileno())
            behind = 0
    return size, digest.hexdigest()


def put_down(handle: int) -> None:
    """Put what was written to a file on the disk, and leave the disk to others for as long as that took."""
    began = time.monotonic()
    _DATASYNC(handle)
    time.sleep(min(REST, time.monotonic() - began))


def _read_manifest(data: bytes, path: Place) -> Manifest:
    """What a manifest's file says.

    Raises:
        ValueError: it is damaged.
        BackupError: a newer version wrote it.
    """
    signed = msgspec.json.decode(data, type=_Signed)
    if signed.format > FORMAT:
        raise _newer(path)
    if hashlib.sha256(signed.manifest).hexdigest() != signed.sha256:
        raise ValueError("its hash is another")
    found = msgspec.json.decode(signed.manifest, type=Manifest)
    _check_names(found)
    return found


def _newer(path: Place) -> BackupError:
    return BackupError(f"{path} was written by a newer version of pixelake", "run that version of pixelake")


def _check_names(manifest: Manifest) -> None:
    """A manifest is not to be trusted where it leads to.

    Raises:
        ValueError: a name leads out of the folder, or is no hash.
    """
    if not STAMP.fullmatch(manifest.stamp):
        raise ValueError("it has no name")
    for file in manifest.files:
        path = PurePosixPath(file.path)
        if path.is_absolute() or not path.parts or ".." in path.parts or str(path) != file.path or "\0" in file.path:
            raise ValueError(f"it names the file {file.path[:80]!r}")
        if not _HASH.fullmatch(file.sha256) or file.size < 0:
            raise ValueError(f"what it says of {file.path[:80]!r} cannot be")
    if len({file.path for file in manifest.files}) != len(manifest.files):
        raise ValueError("it names a file twice")


def _read(path: Place) -> bytes:
    return path.read_bytes()
