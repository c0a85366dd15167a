"""Where a database puts what does not fit into its memory: a folder of its own, gone with it.

On the disk of the data, not in the system's folder for temporary files, which
on many machines is memory itself. What is spilled are people's rows: so the
folder is for the owner's eyes only, and one that a kill has left behind is
removed by the next who comes.
"""

import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from pixelake.disk import Flock, free

MOST: Final = 4 << 30
"""Bytes that a database may spill, if the disk has four times as much."""
LEAST: Final = 16 << 20
_PREFIX: Final = "pixelake-sql-"
_LOCK: Final = "lock"


class Spill:
    """A folder within `folder`, held (flock) while the process lives or until it is closed.

    Where nothing can be written nothing is: then the database must do with its memory.

    Attributes:
        place: the folder for the database; it makes and removes it itself.
        most: bytes that may be spilled.
    """

    def __init__(self, folder: Path) -> None:
        self._own = folder.absolute() / f"{_PREFIX}{secrets.token_hex(8)}"
        self.place = self._own / "rows"
        self._lock = Flock(self._own / _LOCK)
        self.most = 0
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            sweep(folder)
            self._own.mkdir(mode=0o700)
            self._lock.acquire()
            self.most = max(LEAST, min(MOST, free(folder) // 4))

    def close(self) -> None:
        """Remove it. May never be called."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._lock.release()


def sweep(folder: Path) -> None:
    """Remove what nobody holds any more.

    Raises:
        OSError: the folder cannot be read.
    """
    for left in folder.glob(f"{_PREFIX}*"):
        lock = Flock(left / _LOCK)
        with suppress(OSError):
            if (left / _LOCK).exists() and lock.acquire():
                shutil.rmtree(left, ignore_errors=True)
                lock.release()
