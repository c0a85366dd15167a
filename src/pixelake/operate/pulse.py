"""Lets the other roles know what the consumer cannot do just now, while it tries again and again."""

from collections.abc import Callable, Iterable
from typing import Final

from pixelake.clock import SYSTEM, Clock
from pixelake.operate.notices import notices
from pixelake.registry.base import STALLED, Registry

EVERY: Final = 2.0
"""Seconds between two looks: well below those a notice counts."""


def pulse(registry: Registry, errors: Callable[[], Iterable[str]], clock: Clock = SYSTEM) -> Callable[[], None]:
    """What tells the registry, each time it is called, what is wrong; nothing if nothing is.

    Args:
        registry: of this thread, or of any.
        errors: what is wrong now, a line each; empty lines say nothing.
        clock: for when it was so.
    """

    def tell() -> None:
        for error in dict.fromkeys(filter(None, errors())):
            registry.notice(STALLED, error, clock.now())

    return tell


def is_stalled(registry: Registry, clock: Clock = SYSTEM) -> bool:
    """Whether the consumer said just now that it cannot go on. False if the registry cannot be asked."""
    return any(notice.code == STALLED for notice in notices(registry.noticed, clock))
