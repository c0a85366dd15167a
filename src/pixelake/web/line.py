"""Who waits for an answer, and who goes first: nobody's hundred questions keep the others waiting.

A caller has some places among those that run, and a bound of those that wait.
Of the callers that wait, each is let in in turn. What is over a bound is told
so at once, with when to come again.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

AT_ONCE: Final = 4
"""Questions that run at once."""
EACH: Final = 3
"""Of them, those of one caller."""
MINE: Final = 32
"""Questions of one caller that wait."""
MOST: Final = 256
"""Questions that wait, of all."""
SECONDS: Final = 5
"""After which to come again, where nobody knows better."""
RATE: Final = 100.0
"""Requests a second of one caller, in the long run."""
BURST: Final = 1_000.0
"""And so many at once."""
CALLERS: Final = 10_000
"""Callers that are remembered."""


class Refused(Exception):
    """There is no room for this one now.

    Attributes:
        status: 429, if the caller itself asks too much; 503, if all together do.
        seconds: after which to come again.
    """

    def __init__(self, status: int, message: str, seconds: int) -> None:
        super().__init__(message)
        self.status, self.seconds = status, seconds


class Line:
    """Lets so many in at once. Belongs to one event loop."""

    def __init__(self, at_once: int = AT_ONCE, each: int = EACH, mine: int = MINE, most: int = MOST) -> None:
        self._at_once, self._each, self._mine, self._most = at_once, min(each, at_once), mine, most
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._running: dict[str, int] = {}

    def check(self, caller: str) -> None:
        """Whether there is room for one more of that caller.

        Raises:
            Refused: there is none.
        """
        if len(self._waiting.get(caller, ())) >= self._mine:
            raise Refused(429, f"{self._mine} of your questions are waiting already", SECONDS)
        if sum(map(len, self._waiting.values())) >= self._most:
            raise Refused(503, "too many questions are waiting", SECONDS)

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Wait for a place, and have it within the block.

        Raises:
            Refused: there is no room to wait.
        """
        self.check(caller)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(mine)
        self._let_in()
        try:
            await mine
        except asyncio.CancelledError:
            self._leave(caller, mine)
            raise
        try:
            yield
        finally:
            self._free(caller)

    def _leave(self, caller: str, mine: "asyncio.Future[None]") -> None:
        """Somebody gives up; perhaps just when let in."""
        if mine.done() and not mine.cancelled():
            self._free(caller)
        elif mine in (waiting := self._waiting.get(caller, deque())):
            waiting.remove(mine)
            if not waiting:
                del self._waiting[caller]

    def _free(self, caller: str) -> None:
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
        self._let_in()

    def _let_in(self) -> None:
        while sum(self._running.values()) < self._at_once:
            caller = next((each for each in self._waiting if self._running.get(each, 0) < self._each), None)
            if caller is None:
                return
            waiting = self._waiting[caller]
            first = waiting.popleft()
            self._waiting.move_to_end(caller)
            if not waiting:
                del self._waiting[caller]
            if not first.done():
                self._running[caller] = self._running.get(caller, 0) + 1
                first.set_result(None)


class Rates:
    """How fast each caller may ask: a token bucket a caller, of which the longest unused are forgotten."""

    def __init__(self, rate: float = RATE, burst: float = BURST) -> None:
        self._rate, self._burst = rate, burst
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count a request.

        Raises:
            Refused: that is one too many.
        """
        now = time.monotonic()
        held, at = self._held.pop(caller, (self._burst, now))
        held = min(self._burst, held + (now - at) * self._rate)
        is_one = held >= 1
        self._held[caller] = (held - is_one, now)
        if len(self._held) > CALLERS:
            self._held.popitem(last=False)
        if not is_one:
            raise Refused(429, f"more than {self._rate:g} requests a second", max(1, round((1 - held) / self._rate)))
