"""A cache bounded in entries and in the length of what it is asked for, since everything it sees is hostile."""

from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar, Concatenate, Final, Generic, ParamSpec, TypeVar

LONGEST: Final = 1_024
"""Longer arguments are worked on each time: some thousands of them would take the memory."""

_FORGET: Final = "forget"

A = TypeVar("A", bytes, str)
K = TypeVar("K", bytes, str)
P = ParamSpec("P")
R = TypeVar("R")
V = TypeVar("V")


def bounded(size: int) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """Remember the last `size` answers of a pure function whose first argument is text or bytes."""

    def decorate(function: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        remembered = lru_cache(maxsize=size)(function)

        def answer(first: A, /, *others: P.args, **named: P.kwargs) -> R:
            if len(first) > LONGEST:
                return function(first, *others, **named)
            return remembered(first, *others, **named)  # type: ignore[arg-type] # arguments are hashable

        answer.__dict__[_FORGET] = remembered.cache_clear
        return answer

    return decorate


def forget(function: Callable[..., object]) -> None:
    """Let go what a function that is `bounded` remembers, and what hangs on it."""
    function.__dict__[_FORGET]()


class Memory(Generic[K, V]):
    """What was found out about keys that come again and again, bounded in bytes.

    Two generations of a dictionary: when the younger one is full the older one
    goes. To look up costs a third of what a queue of last uses does.

    Args:
        find_out: what to remember of a key; pure.
        most: bytes of keys that a generation may have; a longer key than `LONGEST_KEY` is found out each time.
    """

    __slots__ = ("_find_out", "_left", "_most", "_old", "young")

    EACH: ClassVar = 512
    """Bytes that an entry takes besides its key, about."""
    LONGEST_KEY: ClassVar = 4_096
    """Header lines of a browser with all its client hints, behind a CDN, have 2,000 bytes."""

    def __init__(self, find_out: Callable[[K], V], most: int = 12 << 20) -> None:
        self._find_out: Callable[[K], V] = find_out
        self._most = self._left = most
        self.young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        """What is known of the key. Who is in a hurry looks into `young` first."""
        if len(key) > self.LONGEST_KEY:
            return self._find_out(key)
        if key in self.young:
            return self.young[key]
        known = self._old[key] if key in self._old else self._find_out(key)
        self._left -= len(key) + self.EACH
        if self._left < 0:
            self._old, self.young, self._left = self.young, {}, self._most
        self.young[key] = known
        return known
