"""Makes a data folder of a backup, in a folder that is empty; and looks whether backups are whole.

All is written to ``<data>/.restoring`` first, each file checked by its size and
SHA-256. Only when everything is there, salts that are due are destroyed and
erasures done again, it is moved to its place, the file ``version`` last: without
that nobody takes it for a data folder. A restore that was cut short is simply
begun again.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pixelake.disk import Flock, free, sync
from pixelake.errors import BackupError, FolderInUse, FolderVersion
from pixelake.operate import folder
from pixelake.operate.depot import Depot, File, Manifest, Told, pour
from pixelake.operate.folder import UNFINISHED
from pixelake.warehouse.place import Place

VERSION: Final = "version"
PARTS: Final = ("stream", "lake", "live", "seen", "registry", "files", "schemas", "lists")
"""What a backup may hold; anything else is none of ours."""
_NOBODYS: Final = frozenset({"lock", "lost+found", UNFINISHED})
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_MARGIN: Final = 64 << 20
"""Bytes of the disk that stay free."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What was done to the restored folder before it was given away.

    Attributes:
        salts: that were due, and are destroyed.
        erasures: that were done again.
    """

    salts: int = 0
    erasures: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done; the names are an interface.

    Attributes:
        stamp: the backup's name: when it was begun (UTC).
        data: the folder that was made.
        files: of it.
        bytes: of them.
        data_version: of the folder; an older one is migrated at the next start.
        salts: that were due, and were destroyed.
        erasures: that were done again.
        seconds: it took.
    """

    stamp: str
    data: str
    files: int
    bytes: int
    data_version: int
    salts: int
    erasures: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """All by their names."""
        return asdict(self)


def as_text(found: Restored) -> str:
    """For people, in a line."""
    line = f"{found.data} is as it was at {found.stamp}: {found.files:,} files, {found.bytes / 1e6:,.1f} MB"
    line += f", in {found.seconds:.1f} s"
    line += f"; {found.salts:,} salts were due and are destroyed" * bool(found.salts)
    return line + f"; {found.erasures:,} erasures done again" * bool(found.erasures)


Finish = Callable[[Path], Finished]
"""Does to a restored folder what has to be done before anybody uses it."""


def restore(where: Place, data: Path, told: Told, finish: Finish, at: str = "") -> Restored:
    """Make the data folder `data` of a backup.

    Args:
        where: the place of the backups.
        data: a new or an empty folder.
        told: hears how many bytes are done, and how many there are.
        finish: called once all is there and nobody sees it yet.
        at: the name of the backup, or its beginning; empty: the newest.

    Raises:
        BackupError: there is no such backup, it is damaged, or `data` cannot be written; nothing is left of it there.
        FolderVersion: a newer version made it.
        FolderInUse: another restore, or a server, is at `data`.
        PixelakeError: what `finish` raises.
    """
    began = time.monotonic()
    depot = Depot(where)
    depot.check()
    manifest = _chosen(depot, at)
    with _taken(data, depot.place):
        unfinished = data / UNFINISHED
        try:
            _copy_all(depot, manifest, unfinished, told)
            done = finish(unfinished)
            version = _version(unfinished)
            _give_away(unfinished, data)
        except BaseException:
            _clear(data)
            raise
    return Restored(
        stamp=manifest.stamp,
        data=str(data),
        files=len(manifest.files),
        bytes=sum(file.size for file in manifest.files),
        data_version=version,
        salts=done.salts,
        erasures=done.erasures,
        seconds=round(time.monotonic() - began, 3),
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at backups found; the names are an interface.

    Attributes:
        whole: those that can be restored.
        faults: of the others, what is wrong first; by name.
    """

    whole: Sequence[str]
    faults: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All by their names."""
        return asdict(self)


def check(where: Place, told: Told) -> Checked:
    """Read every file of every backup, each once.

    Raises:
        BackupError: it is no place of backups.
    """
    depot = Depot(where)
    depot.check()
    manifests: dict[str, Manifest] = {}
    faults: dict[str, str] = {}
    for stamp in depot.stamps():
        try:
            manifests[stamp] = depot.manifest(stamp)
        except BackupError as error:
            faults[stamp] = str(error)
    files = {file.sha256: file for manifest in manifests.values() for file in manifest.files}
    broken = dict(_broken(depot, list(files.values()), told))
    for stamp, manifest in manifests.items():
        found = next((broken[file.sha256] for file in manifest.files if file.sha256 in broken), "")
        if found:
            faults[stamp] = found
    return Checked([stamp for stamp in manifests if stamp not in faults], dict(sorted(faults.items())))


def _broken(depot: Depot, files: Sequence[File], told: Told) -> Iterator[tuple[str, str]]:
    done, total = 0, sum(file.size for file in files)
    for file in files:
        try:
            with depot.reported("read"), depot.open(file) as source:
                _compare(file, *pour(source, None))
        except BackupError as error:
            yield file.sha256, str(error)
        done += file.size
        told(done, total)


def _chosen(depot: Depot, at: str) -> Manifest:
    stamps = depot.stamps()
    found = [stamp for stamp in stamps if stamp.startswith(at)]
    if not found:
        known = f"the last is {stamps[-1]}" if stamps else "none was ever completed"
        raise BackupError(f"there is no backup {at or 'yet'} in {depot.place}", known)
    manifest = depot.manifest(found[-1])
    if manifest.data_version > folder.VERSION:
        raise FolderVersion(
            f"backup {manifest.stamp} was made by a newer version (data version {manifest.data_version},"
            f" this one knows {folder.VERSION})",
            "run that version of pixelake",
        )
    strangers = [file.path for file in manifest.files if file.path.partition("/")[0] not in PARTS]
    if strangers:
        raise BackupError(f"backup {manifest.stamp} has a part that is none: {strangers[0]!r}", "was it edited?")
    return manifest


@contextlib.contextmanager
def _taken(data: Path, source: Place) -> Iterator[None]:
    """The folder is there, empty, and nobody else's."""
    if isinstance(source, Path) and source.resolve() in (data.resolve(), *data.resolve().parents):
        raise BackupError(f"{data} lies among the backups", "name a folder elsewhere with --data")
    made = not data.exists()
    with _reported(data):
        if not made and not data.is_dir():
            raise BackupError(f"{data} is no folder", "name a new or an empty folder with --data")
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Flock(data / "lock")
        if not lock.acquire():
            raise FolderInUse(f"somebody else is at {data}", "name a new or an empty folder with --data")
        try:
            _check_empty(data)
            _clear(data)
            yield
        finally:
            (data / "lock").unlink(missing_ok=True)
            lock.release()
            if made and not any(data.iterdir()):
                data.rmdir()


def _check_empty(data: Path) -> None:
    names = {path.name for path in data.iterdir()}
    ours = set(PARTS) if UNFINISHED in names and VERSION not in names else set()
    strangers = sorted(names - _NOBODYS - ours)
    if strangers:
        raise BackupError(
            f"{data} is not empty: it holds {strangers[0]!r}", "name a new or an empty folder with --data"
        )


def _clear(data: Path) -> None:
    """Remove what a restore has left that did not come to its end. What marks it as such goes last."""
    if (data / UNFINISHED).exists() and not (data / VERSION).exists():
        for name in PARTS:
            shutil.rmtree(data / name, ignore_errors=True)
        shutil.rmtree(data / UNFINISHED)


def _copy_all(depot: Depot, manifest: Manifest, target: Path, told: Told) -> None:
    total, done = sum(file.size for file in manifest.files), 0
    target.mkdir(mode=0o700)
    if free(target) < total + _MARGIN:
        raise BackupError(
            f"the disk of {target.parent} has room for {free(target) / 1e6:,.0f} MB, the backup has {total / 1e6:,.0f}",
            "make room, or name another disk with --data",
        )
    for file in manifest.files:
        path = target / file.path
        _make(path.parent, target)
        with depot.open(file) as source, os.fdopen(os.open(path, _NEW, 0o600), "wb") as copy:
            _compare(file, *pour(source, copy))
            copy.flush()
            os.fsync(copy.fileno())
        done += file.size
        told(done, total)
    for below, _, _ in os.walk(target):
        sync(Path(below))
    (target / VERSION).write_text(f"{manifest.data_version}\n", encoding="ascii")


def _make(below: Path, target: Path) -> None:
    """A folder and its parents, for the owner alone."""
    if below != target and not below.exists():
        _make(below.parent, target)
        below.mkdir(mode=0o700)


def _compare(file: File, size: int, digest: str) -> None:
    if size != file.size:
        raise BackupError(f"the backup's {file.path} is damaged: {size:,} bytes instead of {file.size:,}", _OTHER)
    if digest != file.sha256:
        raise BackupError(f"the backup's {file.path} is damaged: its SHA-256 is another", _OTHER)


_OTHER: Final = "restore another backup with --at; `pixelake backups PLACE --check` tells which are whole"


def _version(unfinished: Path) -> int:
    """What `finish` may have migrated it to."""
    return int((unfinished / VERSION).read_text(encoding="ascii"))


def _give_away(unfinished: Path, data: Path) -> None:
    """Move all to its place, the version last, each durably."""
    for name in [path.name for path in unfinished.iterdir() if path.name in PARTS]:
        (unfinished / name).rename(data / name)
    sync(data)
    sync(unfinished / VERSION)
    (unfinished / VERSION).rename(data / VERSION)
    sync(data)
    sync(data.absolute().parent)
    shutil.rmtree(unfinished)


@contextlib.contextmanager
def _reported(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise BackupError(
            f"cannot restore to {data}: {error.strerror or error}{where}",
            getattr(error, "hint", "look at its disk, or name another one with --data"),
        ) from error
