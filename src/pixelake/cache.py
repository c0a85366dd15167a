"""A cache bounded in entries and in the length of what it is asked for, since everything it sees is hostile."""

from collections.abc import Callable
from functools import lru_cache
from typing import Concatenate, Final, ParamSpec, TypeVar

LONGEST: Final = 1_024
"""Longer arguments are worked on each time: some thousands of them would take the memory."""

A = TypeVar("A", bytes, str)
P = ParamSpec("P")
R = TypeVar("R")


def bounded(size: int) -> Callable[[Callable[Concatenate[A, P], R]], Callable[Concatenate[A, P], R]]:
    """Remember the last `size` answers of a pure function whose first argument is text or bytes."""

    def decorate(function: Callable[Concatenate[A, P], R]) -> Callable[Concatenate[A, P], R]:
        remembered = lru_cache(maxsize=size)(function)

        def answer(first: A, /, *others: P.args, **named: P.kwargs) -> R:
            if len(first) > LONGEST:
                return function(first, *others, **named)
            return remembered(first, *others, **named)  # type: ignore[arg-type] # arguments are hashable

        return answer

    return decorate
