"""Turns: on a small machine, one at a time of what takes much memory beside a server.

A compaction and somebody's SQL take some 200 MB each. Both at once would leave
a machine of one gigabyte without a page cache, and everybody would wait for the
disk, the pixel too.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from pixelake import machine
from pixelake.disk import Flock
from pixelake.operate.folder import TURN

SMALL: Final = 2_000_000_000
"""Bytes of memory below which a machine is small."""
PATIENCE: Final = 20.0
"""Seconds to wait: then both go on, slowly. A backup may take an hour, and a question need not wait for it."""
_POLL: Final = 0.05


@contextmanager
def turn(data: Path, patience: float = PATIENCE) -> Iterator[bool]:
    """Wait on a small machine until nobody else has the turn of that data folder, and have it.

    Args:
        data: the folder. If it cannot be written to, nobody waits.
        patience: seconds to wait at most.

    Yields:
        Whether nobody else has it.
    """
    if machine.memory() >= SMALL:
        yield True
        return
    lock, until, is_ours = Flock(data / TURN), time.monotonic() + patience, False
    with suppress(OSError):
        while not (is_ours := lock.acquire()) and time.monotonic() < until:
            time.sleep(_POLL)
    try:
        yield is_ours
    finally:
        lock.release()
