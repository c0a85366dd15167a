"""A dialect is a protocol that trackers speak: its routes, its answers, its decoding.

Pure: a dialect sees a request's path or a `Hit`, and nothing else. One file
each, beside this one; `pixelake.build` lists them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pixelake.hit import Hit


class Answer(Enum):
    """What a route answers when the hit is durable."""

    IMAGE = "image"
    """200 with the GIF; refusals carry the GIF too."""
    EMPTY = "empty"
    """204; refusals have a line of text."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path (exact, without query), its methods, and its answer."""

    path: bytes
    methods: frozenset[bytes]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an element: a code of `pixelake.reject.REASONS`, the field, a line of text."""

    reason: str
    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Element:
    """One happening, as the dialect reads it; not yet validated.

    Attributes:
        values: canonical name -> all its values in the order sent. Names are
            those of the native dialect (``site event url title referrer user
            event_id value currency consent ...``); any other name is a property.
        faults: what could not be read. An element with faults becomes a reject.
    """

    values: Mapping[str, Sequence[str]]
    faults: Sequence[Fault] = field(default=())


class Dialect(Protocol):
    """A protocol that trackers speak."""

    name: str
    routes: Sequence[Route]

    def decode(self, hit: Hit) -> Sequence[Element]:
        """The elements of a hit, at least one. Never raises: what cannot be read is a `Fault`."""
        ...
