"""Answers for many viewers at the price of one: threads, bounded, and a short memory."""

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

T = TypeVar("T")

FRESH_SECONDS: Final = 2.0
"""An answer is shared for so long."""
REST: Final = 4
"""And for so many times as long as it took, so that a slow question keeps a thread busy a fifth of the time at most."""
MAX_KEPT: Final = 512
"""Answers in memory: requests choose the keys, so their number is bounded."""


@dataclass(slots=True)
class _Kept:
    future: "asyncio.Future[Any]"
    expires: float = float("inf")


@dataclass(slots=True)
class Answers:
    """Runs blocking calls in a few threads. Belongs to one event loop.

    Whoever asks the same within `FRESH_SECONDS`, or while the first call still
    runs, gets the same answer. Errors are shared with those who wait, and not kept.
    """

    threads: int = 2
    _kept: dict[Hashable, _Kept] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="answer")

    async def get(self, key: Hashable, call: Callable[[], T], fresh: float = FRESH_SECONDS) -> T:
        """The answer of `call`, or that of somebody who asked under the same key just now."""
        kept = self._kept.get(key)
        if kept is None or kept.expires < time.monotonic():
            kept = self._start(key, call, fresh)
        # A viewer who goes away must not cancel what others wait for.
        answer: T = await asyncio.shield(kept.future)
        return answer

    def _start(self, key: Hashable, call: Callable[[], T], fresh: float) -> _Kept:
        self._forget()
        kept = _Kept(asyncio.get_running_loop().run_in_executor(self._pool, call))
        self._kept[key] = kept
        kept.future.add_done_callback(partial(self._done, key, kept, time.monotonic(), fresh))
        return kept

    def _done(self, key: Hashable, kept: _Kept, started: float, fresh: float, future: "asyncio.Future[Any]") -> None:
        now = time.monotonic()
        kept.expires = now + max(fresh, REST * (now - started))
        if (future.cancelled() or future.exception() is not None) and self._kept.get(key) is kept:
            del self._kept[key]

    def _forget(self) -> None:
        """Drop what is stale; if that is not enough, the oldest."""
        if len(self._kept) < MAX_KEPT:
            return
        now = time.monotonic()
        for key in [key for key, kept in self._kept.items() if kept.expires < now]:
            del self._kept[key]
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    def close(self) -> None:
        """Start nothing more; do not wait for what runs."""
        self._pool.shutdown(wait=False, cancel_futures=True)
