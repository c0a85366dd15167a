"""Holds off whoever forgets old hits while somebody copies the stream: the lock ``<stream>/.hold``.

A copy holds it with others who copy; who forgets takes it alone, and does
nothing now if he does not get it. It dies with its holder.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock
from pixelake.errors import StreamError

NAME: Final = ".hold"
WAIT: Final = 60.0
"""Seconds to wait for somebody who is just forgetting; it takes well below one."""
_POLL: Final = 0.02


@contextmanager
def hold(stream: Path, clock: Clock = SYSTEM) -> Iterator[None]:
    """Nothing of the stream is forgotten meanwhile. Who appends, and who erases, goes on.

    Raises:
        StreamError: somebody has been forgetting for `WAIT` seconds.
        OSError: the lock cannot be made.
    """
    lock, deadline = Flock(stream / NAME), clock.monotonic() + WAIT
    while not lock.acquire(shared=True):
        if clock.monotonic() >= deadline:
            raise StreamError(f"somebody holds {stream / NAME}", "it may be stuck: see which process has the file open")
        clock.sleep(_POLL)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def forgetting(stream: Path) -> Iterator[bool]:
    """Whether old hits may be forgotten now; nobody begins to copy until the end.

    Raises:
        OSError: the lock cannot be made.
    """
    lock = Flock(stream / NAME)
    try:
        yield lock.acquire()
    finally:
        lock.release()
