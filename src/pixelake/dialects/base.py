"""A dialect is a protocol that trackers speak: its routes, its answers, its decoding.

Pure: a dialect sees a request's path or a `Hit`, and nothing else. One file
each, beside this one; `pixelake.build` lists them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from pixelake.hit import Hit

MAX_VALUES: Final = 1_000
"""Values of an element, those in nested objects included; one with more becomes a reject."""

Edit = Callable[[str, str], str | None]
"""(canonical name, value) -> what stands in its place, or None to take the field out.

Asked about each name as well, as a value of the name ``""``.
"""


class Answer(Enum):
    """What a route answers when the hit is durable."""

    IMAGE = "image"
    """200 with the GIF; refusals carry the GIF too."""
    PNG = "png"
    """200 with a PNG; refusals carry the GIF."""
    BADGE = "badge"
    """200 with the site's badge (SVG), or with the GIF if it has none; refusals carry the GIF."""
    EMPTY = "empty"
    """204; refusals have a line of text."""


@dataclass(frozen=True, slots=True)
class Route:
    """A path (exact, without query), its methods, and its answer."""

    path: bytes
    methods: frozenset[bytes]
    answer: Answer


ROOT: Final = Route(b"/", frozenset({b"GET", b"HEAD"}), Answer.IMAGE)
"""``/`` is a pixel too, with a query."""


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

    def edited(self, hit: Hit, edit: Edit) -> tuple[bytes | None, bytes | None]:
        """Target and body of a hit with its values as `edit` wants them, in the types and encodings they had.

        None stands for what cannot be read, and so not be edited. If `edit`
        changes nothing they decode to the same elements. Elements that are no
        objects are ``null`` then, but for numbers: nobody can tell what they hold.
        """
        ...


def routes(dialects: Iterable[Dialect]) -> Mapping[bytes, Route]:
    """Path -> where hits are taken in; `ROOT` among them."""
    return {ROOT.path: ROOT} | {route.path: route for dialect in dialects for route in dialect.routes}
