"""A lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path


class Flock:
    """An exclusive advisory lock on a file (flock(2)). The file is made if needed and stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; False if somebody else holds it.

        Raises:
            OSError: the file cannot be made.
        """
        if self._handle is not None:
            return True
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        except BaseException:
            os.close(handle)
            raise
        self._handle = handle
        return True

    def release(self) -> None:
        """Let it go, if held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
