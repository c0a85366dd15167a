"""What this machine, or the part of it that is ours, has: memory and cores.

A container or a service is often given less than the machine has, by a cgroup
(Linux). Whoever sizes a buffer by the machine alone is killed there, so all
bounds that follow from memory ask here.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final

UNKNOWN: Final = 1 << 30
"""Bytes of memory where nobody says: as if it were small."""
_ROOT: Final = Path("/")
_MOUNTS: Final = {
    "": ("sys/fs/cgroup", "sys/fs/cgroup/unified"),  # version 2, alone or beside version 1
    "memory": ("sys/fs/cgroup/memory",),
    "cpu": ("sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"),
}
"""Controller -> where its tree is."""


def memory(root: Path = _ROOT) -> int:
    """Bytes of memory that we may use: what the machine has, or what a cgroup above us allows if that is less.

    Args:
        root: where ``proc`` and ``sys`` are.
    """
    limits = [_physical(root)]
    limits += [_number(folder / "memory.max") for folder in _cgroups(root, "")]
    limits += [_number(folder / "memory.limit_in_bytes") for folder in _cgroups(root, "memory")]
    return min((limit for limit in limits if limit), default=UNKNOWN)


def cores(root: Path = _ROOT) -> int:
    """Cores that we may keep busy, 1 or more: those we may run on, or what a cgroup above us allows if that is less."""
    limits = [float(_schedulable())]
    for folder in _cgroups(root, ""):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (folder / "cpu.max").read_text().split()
            limits.append(int(quota) / int(period))
    for folder in _cgroups(root, "cpu"):
        quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota_us and period_us:
            limits.append(quota_us / period_us)
    return max(1, int(min(limits)))


@cache
def share(part: int, most: int, least: int = 1) -> int:
    """A `part`-th of the memory that this process found when it first asked, in bytes, within these bounds."""
    return max(least, min(most, memory() // part))


def give_way(nicer: int, sooner: int) -> None:
    """Let others go first, as far as the system lets us: for the processor, and with their lives.

    Args:
        nicer: is added to the niceness of this process, which its children inherit.
        sooner: is added to its `oom_score_adj` (Linux): of 1,000 the one is killed first that has most of it.
    """
    with suppress(OSError):
        os.nice(nicer)
    with suppress(OSError, ValueError):
        score = Path("/proc/self/oom_score_adj")
        score.write_text(str(min(1_000, int(score.read_text()) + sooner)))


def _physical(root: Path) -> int:
    """Bytes of memory of the machine; 0 if it does not say."""
    with suppress(OSError, ValueError, StopIteration):
        lines = (root / "proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("MemTotal:")).split()[1]) * 1024
    with suppress(OSError, ValueError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 0


def _schedulable() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """Our cgroup of a controller and all above it: each may limit us. In a container only the last may be there."""
    path = _path(root, controller)
    if path is not None:
        for mount in _MOUNTS[controller]:
            for each in (path, *path.parents):
                yield root / mount / each.relative_to("/")


def _path(root: Path, controller: str) -> PurePosixPath | None:
    """Our place in the tree of a controller, ``""`` being version 2's; None if there is no such tree."""
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") and path.startswith("/"):
                return PurePosixPath(path)
    return None


def _number(path: Path) -> int:
    """The number in a file; 0 if there is none, or a word (``max``), or one that means none (-1)."""
    with suppress(OSError, ValueError):
        return max(0, int(path.read_text()))
    return 0
