"""What it takes to have something on the disk for certain."""

import fcntl
import os
from pathlib import Path
from typing import Final

FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)
"""macOS: fsync alone stops in the drive's cache."""


def sync(path: Path) -> None:
    """Make a file, or the names in a folder, durable.

    Raises:
        OSError: it is not; to ask again is no use, because the system has forgotten what failed.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        if FULL_SYNC is None:
            os.fsync(handle)
        else:
            fcntl.fcntl(handle, FULL_SYNC)
    finally:
        os.close(handle)


def free(path: Path) -> int:
    """Bytes that may still be written to the disk of `path`."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
