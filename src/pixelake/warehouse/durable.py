"""Files that survive a power cut, and the lock that writers of one folder share.

On a disk a file is durable once its bytes are synced *and* the folder that names
it is; a folder once its parent is. In an object store it is once it is put.
Nothing here is undone by a later crash.
"""

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock, sync
from pixelake.errors import LakeUnavailable
from pixelake.warehouse.place import Place

__all__ = ["create", "locked", "make_folder", "reported", "rewrite", "sync", "write"]

TEMPORARY: Final = ".tmp"
"""Ending of a file that is being written: never read, and nothing of it is promised."""


def make_folder(folder: Path, below: Path) -> None:
    """Make `folder` and all its parents under `below`, each named durably by its parent.

    The parents are synced even if the folders are there: another process may
    have made them a moment ago and not synced them yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    while folder != below:
        folder = folder.parent
        sync(folder)


def write(path: Place, fill: Callable[[IO[bytes]], None]) -> int:
    """Make the file `path` of what `fill` writes, all or nothing, durably. Returns its size in bytes.

    Raises:
        OSError: it is not known to be durable; nothing may refer to it.
    """
    if not isinstance(path, Path):
        return path.write(fill)
    temporary = path.with_name(path.name + TEMPORARY)
    try:
        with temporary.open("wb") as file:
            fill(file)
            file.flush()
            sync(temporary)
            size = file.tell()
        temporary.rename(path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return size


def create(path: Place, data: bytes) -> bool:
    """Make the file `path`, all or nothing, durably; False if there is one already, whosever it is.

    Raises:
        OSError: it is not known to be durable, or not known to be there.
    """
    if not isinstance(path, Path):
        return path.create(data)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
        sync(temporary)
        os.link(temporary, path)  # unlike a rename, it takes nobody's place
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    sync(path.parent)
    return True


def rewrite(path: Path) -> None:
    """Write a file's own bytes anew, durably.

    After a failed sync the kernel may hold its pages for clean, so that a second
    sync succeeds and saves nothing; new pages it has to write.
    """
    with path.open("rb") as old:
        write(path, lambda new: shutil.copyfileobj(old, new))


@contextmanager
def reported(what: str) -> Iterator[None]:
    """Turn what the disk or the object store says, or a damaged file, into `LakeUnavailable`: ``cannot <what>: <why>``.

    A file that was damaged on the disk is no reason for a role to die: it would take the whole server with it.
    """
    try:
        yield
    except pa.ArrowInvalid as error:
        hint = "if a file of the lake is damaged, restore it from a backup"
        raise LakeUnavailable(f"cannot {what}: {' '.join(str(error).split())}", hint) from error
    except OSError as error:
        hint = getattr(error, "hint", "look at the disk")
        said = f"{error.strerror}: {error.filename}" if error.strerror and error.filename else error.strerror or error
        raise LakeUnavailable(f"cannot {what}: {said}", hint) from error


@contextmanager
def locked(path: Path, wait: float, clock: Clock = SYSTEM) -> Iterator[None]:
    """Hold the lock file `path`; among processes and threads only one does. It dies with its holder.

    Raises:
        LakeUnavailable: somebody else held it for `wait` seconds.
        OSError: the file cannot be made.
    """
    lock, deadline = Flock(path), clock.monotonic() + wait
    while not lock.acquire():
        if clock.monotonic() >= deadline:
            raise LakeUnavailable(
                f"another writer holds {path}", "it may be stuck: see which process has the file open"
            )
        clock.sleep(0.01)
    try:
        yield
    finally:
        lock.release()
