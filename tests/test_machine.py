"""Tests of `pixelake.machine`, on files as Linux has them."""

import subprocess
import sys
from pathlib import Path

import pytest

from pixelake import machine

GB = 1 << 30


def _machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/meminfo": "MemTotal:        8388608 kB\nMemFree: 1 kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


MEMORY = {
    "a machine without cgroups": ({}, 8 * GB),
    "version 2, our own limit": (
        {
            "proc/self/cgroup": "0::/system.slice/pixelake.service\n",
            "sys/fs/cgroup/system.slice/pixelake.service/memory.max": f"{GB}\n",
            "sys/fs/cgroup/system.slice/memory.max": "max\n",
        },
        GB,
    ),
    "version 2, a limit above ours": (
        {
            "proc/self/cgroup": "0::/system.slice/pixelake.service\n",
            "sys/fs/cgroup/system.slice/pixelake.service/memory.max": "max\n",
            "sys/fs/cgroup/system.slice/memory.max": f"{2 * GB}\n",
        },
        2 * GB,
    ),
    "version 2, in a container": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{GB}\n"}, GB),
    "version 1, in a container that is told its path outside": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/ab12\n4:memory:/docker/ab12\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GB}\n",
        },
        GB,
    ),
    "version 1, no limit": (
        {"proc/self/cgroup": "4:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
        8 * GB,
    ),
    "a limit above what the machine has": (
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{64 * GB}\n"},
        8 * GB,
    ),
    "files that say nothing": (
        {"proc/self/cgroup": "what\n\n0::/\n", "sys/fs/cgroup/memory.max": "much\n"},
        8 * GB,
    ),
}


@pytest.mark.parametrize(("files", "expected"), MEMORY.values(), ids=MEMORY)
def test_memory(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """The least of what the machine has and what the cgroups allow."""
    assert machine.memory(_machine(tmp_path, files)) == expected


CORES = {
    "no cgroups": ({}, 4),
    "version 2, one and a half": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1),
    "version 2, no quota": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 4),
    "version 1, two": (
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/a\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
        },
        2,
    ),
    "version 1, no quota": (
        {
            "proc/self/cgroup": "5:cpu:/\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        4,
    ),
    "less than one": ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1),
}


@pytest.mark.parametrize(("files", "expected"), CORES.values(), ids=CORES)
def test_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: int) -> None:
    """The least of those we may run on and what the cgroups allow; one at least."""
    monkeypatch.setattr(machine, "_schedulable", lambda: 4)
    assert machine.cores(_machine(tmp_path, files)) == expected


def test_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the memory, within its bounds."""
    monkeypatch.setattr(machine, "memory", lambda: GB)
    machine.share.cache_clear()
    try:
        assert machine.share(64, 64 << 20) == 16 << 20
        assert machine.share(2, 64 << 20) == 64 << 20
        assert machine.share(1024, 64 << 20, 8 << 20) == 8 << 20
    finally:
        machine.share.cache_clear()


def test_giving_way() -> None:
    """A process that gives way is nicer, and is killed sooner; what it inherited is added to, within the bounds."""
    script = (
        "import os, pathlib\nfrom pixelake import machine\nscore = pathlib.Path('/proc/self/oom_score_adj')\n"
        "before = os.nice(0), int(score.read_text())\nmachine.give_way(3, 300)\n"
        "print(os.nice(0) - before[0], int(score.read_text()) - before[1])\n"
        "machine.give_way(0, 900)\nprint(score.read_text().strip())"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["3", "300", "1000"]
