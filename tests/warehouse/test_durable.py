"""Durable files and the lock."""

import os
import threading
from pathlib import Path

import pytest

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.testing import FakeClock
from pixelake.warehouse import durable


def test_write_is_synced_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are synced under a temporary name, then renamed, then the folder is synced."""
    journal = []
    real_sync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        journal.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        real_sync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        journal.append(("rename", target.name))
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    size = durable.write(tmp_path / "a", lambda file: file.write(b"hello"))
    assert size == 5
    assert (tmp_path / "a").read_bytes() == b"hello"
    assert journal == [("sync", "a.tmp"), ("rename", "a"), ("sync", tmp_path.name)]


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """When filling fails, neither the file nor its temporary one is there."""

    def fill(_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        durable.write(tmp_path / "a", fill)
    assert list(tmp_path.iterdir()) == []


def test_rewrite_keeps_the_bytes_in_new_pages(tmp_path: Path) -> None:
    """A rewritten file has the same bytes and is another inode."""
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    before = path.stat().st_ino
    durable.rewrite(path)
    assert path.read_bytes() == b"hello"
    assert path.stat().st_ino != before


def test_make_folder_syncs_each_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each parent down from `below` is synced, also if the folders are there already."""
    synced = []
    monkeypatch.setattr(durable, "sync", synced.append)
    for _ in range(2):
        synced.clear()
        durable.make_folder(tmp_path / "a" / "b", tmp_path)
        assert synced == [tmp_path / "a", tmp_path]


def test_lock_is_held_by_one(tmp_path: Path) -> None:
    """Who waits too long for the lock is told; once it is free it is had."""
    path = tmp_path / ".lock"
    with durable.locked(path, 1.0), pytest.raises(LakeUnavailable), durable.locked(path, 5.0, FakeClock()):
        pass
    with durable.locked(path, 0.0):
        pass


def test_lock_waits(tmp_path: Path) -> None:
    """Who waits gets the lock when the holder lets it go."""
    path, held, done = tmp_path / ".lock", threading.Event(), threading.Event()

    def hold() -> None:
        with durable.locked(path, 1.0):
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    threading.Timer(0.05, done.set).start()
    with durable.locked(path, 30.0, SYSTEM):
        assert done.is_set()
    holder.join()


def test_disk_faults_are_reported_with_a_hint() -> None:
    """What the disk says becomes one error an operator can act on."""
    with (
        pytest.raises(LakeUnavailable, match="cannot write: No space left on device") as caught,
        durable.reported("write"),
    ):
        raise OSError(28, "No space left on device")
    assert caught.value.hint
