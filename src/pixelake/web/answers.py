"""Answers for many viewers at the price of one: threads, bounded, and a short memory."""

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from pixelake.warehouse.given_up import GIVEN_UP
from pixelake.web.line import Line

T = TypeVar("T")

FRESH_SECONDS: Final = 2.0
"""An answer is shared for so long."""
REST: Final = 4
"""And for so many times as long as it took, so that a slow question keeps a thread busy a fifth of the time at most."""
MAX_KEPT: Final = 512
"""Answers in memory: requests choose the keys, so their number is bounded."""
LARGE: Final = 1 << 20
"""Bytes: a table of more is shared with those who wait for it, and not kept."""


@dataclass(slots=True, eq=False)
class _Kept:
    future: "asyncio.Future[Any]" = field(init=False)
    expires: float = float("inf")
    wanted: int = 0
    began: float = 0.0
    given_up: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class Answers:
    """Runs blocking calls in a few threads. Belongs to one event loop.

    Whoever asks the same within `FRESH_SECONDS`, or while the first call still
    runs, gets the same answer. Errors are shared with those who wait, and not
    kept. A call that nobody waits for any longer is not begun, or given up.
    """

    threads: int = 2
    line: Line | None = None
    _kept: dict[Hashable, _Kept] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(init=False)
    _line: Line = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="answer")
        self._line = self.line or Line(self.threads, self.threads, MAX_KEPT, MAX_KEPT)

    async def get(self, key: Hashable, call: Callable[[], T], fresh: float = FRESH_SECONDS, caller: str = "") -> T:
        """The answer of `call`, or that of somebody who asked under the same key just now.

        Args:
            key: tells questions apart.
            call: answers, in a thread.
            fresh: seconds for which the answer does.
            caller: who asks: see `pixelake.web.line`.

        Raises:
            Refused: there is no room for it.
        """
        kept = self._kept.get(key)
        if kept is None or kept.expires < time.monotonic():
            kept = self._start(key, call, fresh, caller)
        kept.wanted += 1
        try:
            # A viewer who goes away must not cancel what others wait for.
            answer: T = await asyncio.shield(kept.future)
        finally:
            kept.wanted -= 1
            if not kept.wanted and not kept.future.done():
                self._give_up(key, kept)
        return answer

    def drop(self, key: Hashable) -> None:
        """Let nobody who asks from now on get an answer of before."""
        self._kept.pop(key, None)

    def start(self, key: Hashable, call: Callable[[], T]) -> None:
        """Let something be done that nobody waits for."""
        self._start(key, call, FRESH_SECONDS, "")

    def _give_up(self, key: Hashable, kept: _Kept) -> None:
        if self._kept.get(key) is kept:
            del self._kept[key]
        kept.given_up.set()
        if not kept.began:
            kept.future.cancel()

    def _start(self, key: Hashable, call: Callable[[], T], fresh: float, caller: str) -> _Kept:
        self._line.check(caller)
        self._forget()
        kept = _Kept()
        kept.future = asyncio.ensure_future(self._run(kept, call, caller))
        self._kept[key] = kept
        kept.future.add_done_callback(partial(self._done, key, kept, fresh))
        return kept

    async def _run(self, kept: _Kept, call: Callable[[], T], caller: str) -> T:
        async with self._line.turn(caller):
            kept.began = time.monotonic()
            context = contextvars.copy_context()
            context.run(GIVEN_UP.set, kept.given_up)
            return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, call)

    def _done(self, key: Hashable, kept: _Kept, fresh: float, future: "asyncio.Future[Any]") -> None:
        now = time.monotonic()
        kept.expires = now + max(fresh, REST * (now - kept.began))
        is_kept = not future.cancelled() and future.exception() is None and _size(future.result()) <= LARGE
        if not is_kept and self._kept.get(key) is kept:
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


def _size(answer: Any) -> int:
    return int(getattr(getattr(answer, "table", answer), "nbytes", 0))
