"""What a collector shares with the other roles: the counts that badges show, and what it notices.

Everything that may block happens in a thread of its own, which is never waited
for: a registry that hangs, or cannot be opened, holds up no hit.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from pixelake.clock import SYSTEM, Clock
from pixelake.registry.base import Registry

EVERY: Final = 60.0
"""Seconds between two tellings of the same thing."""
MAX_WAITING: Final = 16
"""Different things that may wait to be told; more are not taken up until they are."""

_LOG = structlog.get_logger("collect")


class Board:
    """Belongs to one thread, the event loop's; only the registry is read and written from another one.

    Args:
        registry: opens it.
        clock: tells when something was seen.

    Attributes:
        badges: the sites that have a badge -> the count that it shows.
    """

    def __init__(self, registry: Callable[[], Registry], clock: Clock = SYSTEM) -> None:
        self.badges: Mapping[str, int] = {}
        self._open = registry
        self._registry: Registry | None = None
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}
        self._waiting: dict[tuple[str, str], int] = {}
        self._thread: threading.Thread | None = None
        self._failing = ""

    def see(self, code: str, detail: str) -> None:
        """Something is so: a code of `pixelake.registry.base.NOTICES`, and where. Cheap enough for every request."""
        key = code, detail
        if key not in self._waiting and key not in self._seen and len(self._waiting) < MAX_WAITING:
            self._waiting[key] = self._clock.now()

    def exchange(self) -> None:
        """Hand on what is new, and look for it; to be called each second. Returns at once."""
        now = self._clock.monotonic()
        self._seen = {key: told for key, told in self._seen.items() if now - told < EVERY}
        if self._thread and self._thread.is_alive():
            return
        news, self._waiting = self._waiting, {}
        self._seen.update(dict.fromkeys(news, now))
        # a daemon: whatever the registry waits for must not keep the process from ending
        self._thread = threading.Thread(target=self._exchange, args=(news,), name="board", daemon=True)
        self._thread.start()

    def _exchange(self, news: dict[tuple[str, str], int]) -> None:
        failing = ""
        try:
            if self._registry is None:
                self._registry = self._open()
            for (code, detail), at in news.items():
                self._registry.notice(code, detail, at)
            self.badges = self._registry.snapshot().badges
        except Exception as error:  # noqa: BLE001 - whatever it is, the next second tries again
            failing = str(error) or repr(error)
            if not self._failing:
                _LOG.warning("cannot talk to the registry", reason=failing, hint=getattr(error, "hint", ""))
        self._failing = failing
