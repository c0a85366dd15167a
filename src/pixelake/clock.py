"""The time, in one place, so that tests can replace it.

Everything that stores a time stores microseconds since the epoch, UTC.
"""

import time
from typing import Protocol

SECOND = 1_000_000
"""Microseconds in a second."""


class Clock(Protocol):
    """A source of time. `pixelake.testing.FakeClock` is the other one."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC. May step backward."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment. Never steps backward."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since the machine started, more or less."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


SYSTEM = SystemClock()
"""The clock everybody uses who was not given another one."""
