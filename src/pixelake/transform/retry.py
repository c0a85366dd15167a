"""Broken infrastructure is tried again until it works, with growing pauses; the log hears only of changes."""

import random
import threading
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

import structlog

from pixelake.errors import PixelakeError
from pixelake.telemetry import told

T = TypeVar("T")

BROKEN: Final = (PixelakeError, OSError)
"""Broken infrastructure: to be tried again, never the fault of a hit. Memory that is too small is no outage."""

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0
"""Seconds."""


class Stopped(Exception):
    """We are told to stop while something does not work. What is not committed comes again."""


class Repeat(Protocol):
    """Does something, perhaps again and again."""

    def __call__(self, action: Callable[[], T]) -> T:
        """What `action` returns."""
        ...


def once(action: Callable[[], T]) -> T:
    """Try it once: where the platform is who tries again."""
    return action()


class Retry:
    """Repeats what fails with one of the errors `on`, until it works or `stop` is set.

    Attributes:
        error: what is wrong now, with what to do about it; ``""`` if nothing is.
    """

    def __init__(self, what: str, stop: threading.Event, on: tuple[type[Exception], ...]) -> None:
        self._what = what
        self._stop = stop
        self._on = on
        self._random = random.Random()  # noqa: S311 - jitter needs no secrecy
        self.error = ""

    def __call__(self, action: Callable[[], T]) -> T:
        """What `action` returns once it works. It is tried at least once.

        Raises:
            Stopped: it does not work, and we are told to stop.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                result = action()
            except self._on as error:
                self._failed(error)
            else:
                self._works()
                return result
            if self._stop.wait(pause * self._random.uniform(0.5, 1.0)):
                raise Stopped
            pause = min(2 * pause, LONGEST_PAUSE)

    def _failed(self, error: Exception) -> None:
        if not self.error:
            hint = getattr(error, "hint", "")
            structlog.get_logger().warning(f"cannot {self._what}, trying again", error=told(error), hint=hint)
        self.error = told_with_hint(error)

    def _works(self) -> None:
        if self.error:
            structlog.get_logger().info(f"can {self._what} again")
        self.error = ""


def told_with_hint(error: Exception) -> str:
    """What an error says and, in brackets, what to do about it."""
    hint = getattr(error, "hint", "")
    return f"{told(error)} ({hint})" if hint else told(error)
