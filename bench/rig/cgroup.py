"""A part of this machine with little memory: a cgroup of version 1 or 2, without swap. Needs root."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path("/sys/fs/cgroup")
_JOIN: Final = 'echo $$ > "$0"/cgroup.procs && exec "$@"'


class Small:
    """The cgroup. Page cache counts as memory; what can be written back or dropped is, before anybody is killed."""

    def __init__(self, folder: Path, *, modern: bool) -> None:
        self._folder = folder
        self._peak, self._limit = (
            ("memory.peak", "memory.max") if modern else ("memory.max_usage_in_bytes", "memory.limit_in_bytes")
        )
        self._swap = "memory.swap.max" if modern else "memory.memsw.limit_in_bytes"
        self._kills = "memory.events" if modern else "memory.oom_control"
        self._modern = modern

    def limit(self, size: int) -> None:
        """Allow so many bytes."""
        (self._folder / self._limit).write_text(str(size))
        with suppress(OSError):  # a kernel that counts no swap
            (self._folder / self._swap).write_text("0" if self._modern else str(size))

    def within(self, command: Sequence[str]) -> list[str]:
        """The command that runs this one in it."""
        return ["/bin/sh", "-c", _JOIN, str(self._folder), *command]

    @property
    def peak(self) -> int:
        """Bytes that were used at most, page cache and all."""
        return int((self._folder / self._peak).read_text())

    @property
    def anonymous(self) -> int:
        """Bytes that can be neither dropped nor written back now."""
        fields = dict(line.split() for line in (self._folder / "memory.stat").read_text().splitlines())
        return int(fields["anon" if self._modern else "total_rss"])

    @property
    def killed(self) -> int:
        """Processes that the kernel has killed because there was no memory."""
        fields = dict(line.split() for line in (self._folder / self._kills).read_text().splitlines())
        return int(fields["oom_kill"])


@contextmanager
def small(size: int) -> Iterator[Small]:
    """One of so many bytes; all its processes must have ended at the end."""
    modern = "memory" in _read(ROOT / "cgroup.controllers").split()
    parent = ROOT if modern else ROOT / "memory"
    folder = parent / f"pixelake-bench-{os.getpid()}"
    try:
        if modern:
            (parent / "cgroup.subtree_control").write_text("+memory")
        folder.mkdir()
    except OSError as error:
        sys.exit(f"cannot make a cgroup: {error} (this needs root, and cgroups that may be written)")
    try:
        made = Small(folder, modern=modern)
        made.limit(size)
        yield made
    finally:
        for _ in range(100):  # the kernel counts the dead for a moment
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.1)


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text()
    return ""
