"""What the hits of a batch take of the memory, and how much of it they may take."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from pixelake.hit import Hit

MAX_ELEMENTS: Final = 20_000
MAX_VALUES: Final = 200_000
MAX_TEXT: Final = 16 << 20
"""Characters. A call ends behind the hit that reaches one of these, so that no batch can take the memory."""


class Size(NamedTuple):
    """What hits take of the memory; roughly, but never much less than they do."""

    elements: int
    values: int
    text: int

    def plus(self, other: "Size") -> "Size":
        """Both together."""
        return Size(self.elements + other.elements, self.values + other.values, self.text + other.text)

    @property
    def is_much(self) -> bool:
        """Does a batch end with it?"""
        return self.elements >= MAX_ELEMENTS or self.values >= MAX_VALUES or self.text >= MAX_TEXT


NO_SIZE: Final = Size(0, 0, 0)


def together(hits: Sequence[Hit]) -> int:
    """How many of the hits may be looked at together: their heads and bodies are not too much."""
    if sum(map(len, [hit.head for hit in hits])) + sum(map(len, [hit.body for hit in hits])) < MAX_TEXT:
        return len(hits)
    sizes = accumulate(len(hit.head) + len(hit.body) for hit in hits)
    return next((at for at, size in enumerate(sizes, 1) if size >= MAX_TEXT), len(hits))
