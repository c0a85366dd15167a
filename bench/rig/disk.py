"""A disk that can be made slow: `slow_fsync.c`, compiled when needed and loaded into a server."""

import mmap
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rig.servers import BUILD

SOURCE: Final = Path(__file__).parent.parent / "slow_fsync.c"
LIBRARY: Final = BUILD / "slow_fsync.so"
CONTROL: Final = struct.Struct("=III")


class SlowDisk:
    """Sets what an fsync costs, while a server runs; see ``slow_fsync.c``. Made by `slow_disk`."""

    def __init__(self, control: mmap.mmap, environment: Mapping[str, str]) -> None:
        self._control = control
        self.environment = environment
        """What a process needs to be slowed."""

    def delay(self, seconds: float) -> None:
        """What each call costs on top from now on."""
        self._control[0:4] = struct.pack("=I", round(seconds * 1e6))

    def stall(self, seconds: float) -> None:
        """The next call alone takes so much longer."""
        self._control[4:8] = struct.pack("=I", round(seconds * 1e6))

    @property
    def calls(self) -> int:
        """Calls so far."""
        return int(CONTROL.unpack(self._control[: CONTROL.size])[2])


@contextmanager
def slow_disk(folder: Path) -> Iterator[SlowDisk]:
    """With a control file in `folder`. Needs a C compiler."""
    compiler = shutil.which("cc") or sys.exit("cc is not installed (Debian: apt-get install gcc libc6-dev)")
    BUILD.mkdir(exist_ok=True)
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", str(LIBRARY), str(SOURCE), "-ldl"], check=True)
    path = folder / "control"
    path.write_bytes(bytes(CONTROL.size))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), CONTROL.size) as control:
        yield SlowDisk(control, {"LD_PRELOAD": str(LIBRARY), "SLOW_FSYNC": str(path)})
