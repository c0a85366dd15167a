"""The machine and the versions that a result is of."""

import os
import platform
import re
import shutil
import sqlite3
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from rig.load import find_k6
from rig.meters import busy
from rig.servers import BUILD, scratch


def describe() -> str:
    """A Markdown list."""
    return "\n".join(f"- {name}: {text}" for name, text in _facts())


def _facts() -> Iterator[tuple[str, str]]:
    yield "when", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    yield (
        "what",
        f"pixelake {version('pixelake')}, {_commit()}",
    )
    yield "processor", f"{_processor()}, {os.cpu_count()} cores{_virtual()}"
    yield "system", f"{platform.system()} {platform.release()}, {_memory()} of memory"
    yield "disk", f"{_disk()}; a write of 4 kB and its fdatasync take {_fsync_ms():.2f} ms (median of 200)"
    yield "busy before it began", f"{_busy_share():.0%} of the cores, in a second"
    ours = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "httptools", "zstandard"))
    yield (
        "versions",
        f"Python {platform.python_version()}, {ours}, SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}",
    )
    yield "against", _first_line(shutil.which("nginx") or "/usr/sbin/nginx", "-v")
    yield "generators", f"{_first_line('wrk', '-v')}; {_first_line(find_k6() or 'k6', 'version')}; bench/openloop.py"


def _first_line(*command: str) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except FileNotFoundError:
        return f"no {command[0]}"
    lines = (result.stdout + result.stderr).strip().splitlines() or ["?"]
    return lines[0].partition(" Copyright")[0]


def _commit() -> str:
    edits = _first_line("git", "status", "--porcelain", "--untracked-files=no", "--", "../../src")
    return _first_line("git", "log", "-1", "--format=commit %h") + (" and edits" if edits != "?" else "")


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _virtual() -> str:
    return ", a virtual machine" if " hypervisor" in Path("/proc/cpuinfo").read_text() else ""


def _memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB"


def _disk() -> str:
    """File system and device of the folder that everything is written to."""
    BUILD.mkdir(exist_ok=True)
    return " on ".join(_first_line("findmnt", "-n", "-o", "FSTYPE,SOURCE", "-T", str(BUILD)).split())


def _fsync_ms() -> float:
    times = []
    with scratch() as folder, (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4_096))
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3


def _busy_share() -> float:
    before = busy()
    time.sleep(1)
    return (busy() - before) / (os.cpu_count() or 1)


def require(*tools: str) -> None:
    """End the program with a hint if one is missing."""
    for tool in tools:
        if not shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
            sys.exit(f"{tool} is not installed (Debian: apt-get install {tool})")
