"""Guessing passwords is slowed: after some that were wrong, each further one has to wait twice as long.

It is counted for the address that asks and for the name that is asked for, in
memory. Nobody is shut out for longer than the longest wait; whoever holds the
access token gets in without a password.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from pixelake.web.line import Refused

FREE: Final = 5
"""Wrong passwords that cost nothing."""
LONGEST: Final = 60.0
"""Seconds to wait at most: so that nobody can shut somebody else out for long."""
FORGOTTEN: Final = 3_600.0
"""Seconds after the last wrong one."""
MOST: Final = 20_000
"""Addresses and names that are remembered."""


class _Tried(NamedTuple):
    wrong: int
    at: float


class Throttle:
    """Counts wrong passwords by key. Belongs to one event loop.

    Args:
        now: seconds; replaceable in tests.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._tried: OrderedDict[str, _Tried] = OrderedDict()

    def begin(self, keys: Iterable[str]) -> None:
        """Count a try of all these keys as wrong, before it is known: many at once must not get by.

        Raises:
            Refused: it is too early for one of them. Then nothing is counted.
        """
        keys = tuple(keys)
        if (wait := max(map(self._wait, keys))) > 0:
            raise Refused(429, "too many wrong passwords", max(1, round(wait + 0.5)))
        for key in keys:
            self._tried[key] = _Tried(self._wrong(key) + 1, self._now())
            self._tried.move_to_end(key)
        while len(self._tried) > MOST:
            self._tried.popitem(last=False)

    def right(self, name: str, others: Iterable[str]) -> None:
        """The password of that key was right: forget what it got wrong, and that this try counted for the others."""
        self._tried.pop(name, None)
        for key in others:
            if key in self._tried:
                tried = self._tried[key]
                self._tried[key] = tried._replace(wrong=max(0, tried.wrong - 1))

    def _wrong(self, key: str) -> int:
        tried = self._tried.get(key)
        return tried.wrong if tried and self._now() - tried.at < FORGOTTEN else 0

    def _wait(self, key: str) -> float:
        """Seconds until the next try."""
        wrong = self._wrong(key)
        if wrong < FREE:
            return 0.0
        return self._tried[key].at + min(LONGEST, 2.0 ** min(wrong - FREE, 10)) - self._now()
