"""The time, in one place, so that tests can replace it.

Everything that stores a time stores microseconds since the epoch, UTC.
"""

import time
from typing import Final, Protocol

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


BELIEVED_AFTER: Final = 3_600.0
"""Seconds that a jump forward must last."""
_SLACK: Final = 60 * SECOND


class Careful:
    """The time for those who forget what is old: a jump forward is believed only after it has lasted for an hour.

    A clock that is wrong for a while, a year ahead say, would else wipe the last
    days at once. Until a jump is believed the time goes on from before it.
    Backward steps are believed at once: they make nothing old. A machine that
    slept has jumped, too, and forgets an hour later. Any number of threads, as
    long as none needs the answers to be in order.

    Args:
        clock: what may be wrong.
        known: when the newest thing that is kept came (microseconds UTC): how late it was when we began, so that a
            clock that is wrong from the start is not believed either; 0: nothing is kept, and any time will do.
    """

    def __init__(self, clock: Clock, known: int = 0) -> None:
        self._clock = clock
        self._ahead_since: float | None = None
        self._at = clock.monotonic()
        self._believed = min(clock.now(), known) if known else clock.now()

    def now(self) -> int:
        """Microseconds since the epoch, UTC, as far as it is believed. May step backward."""
        said, at = self._clock.now(), self._clock.monotonic()
        expected = self._believed + round((at - self._at) * SECOND)
        self._at = at
        if said <= expected + _SLACK:
            self._believed, self._ahead_since = said, None
        else:
            self._ahead_since = at if self._ahead_since is None else self._ahead_since
            self._believed = said if at - self._ahead_since >= BELIEVED_AFTER else expected
        return self._believed

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self._clock.sleep(seconds)
