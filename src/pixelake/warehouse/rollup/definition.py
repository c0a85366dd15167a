"""What is counted of each day, and a name for all of it: counts made by another definition are not believed."""

from functools import cache
from hashlib import sha256
from typing import Final, NamedTuple

from pixelake import event
from pixelake.warehouse.questions import TYPES, Question, questions, words
from pixelake.warehouse.trail import NEEDED, PEOPLE, VISIT, Scope, kept, trail
from pixelake.warehouse.zones import EPOCH, Clock, fixed

GRAINS: Final = ("", "hour", "quarter")
"""Lengths of the buckets of a series that are counted; empty: a day."""


class Counted(NamedTuple):
    """A question that is counted, with the length of its buckets."""

    question: Question
    grain: str


@cache
def counted() -> tuple[Counted, ...]:
    """All that is counted of a day."""
    own = [each for each in questions().values() if each.partial and each.counted_as == each.name]
    return tuple(Counted(each, grain) for each in own for grain in (GRAINS if each.kind == "series" else ("",)))


@cache
def looked_at() -> frozenset[str]:
    """The columns of events that may be needed: those that a trail keeps, and all words of the questions."""
    return frozenset(NEEDED).union(*(words(each.question.partial) for each in counted()))


def slice_of(question: str, grain: str, site: str) -> str:
    """The name of a site's sums for one question; the site is last, so that without it this is how all of them begin.

    One text instead of three, as a question of a site compares it row by row.
    """
    return f"{question}/{grain}/{site}"


@cache
def keys() -> dict[str, str]:
    """The columns of a cube by which is counted -> their types in DuckDB."""
    found = dict.fromkeys(("slice", "question", "grain", "site"), "varchar") | {"local_day": "date"}
    for each, _ in counted():
        found |= {column.name: TYPES[column.type] for column in each.columns if column.role == "key"}
        found |= {option.name: TYPES[option.type] for option in each.options if option.picks}
    return found


@cache
def sums() -> dict[str, tuple[str, str]]:
    """The columns of a cube that add up -> how (``sum``, ``min``, ``max``), and their types in DuckDB."""
    return {column.name: (column.role, TYPES[column.type]) for each, _ in counted() for column in each.sums}


@cache
def definition() -> str:
    """A name for what is counted, and how."""
    scope = Scope(Clock(fixed("UTC")), "true", EPOCH, EPOCH)
    columns = (field.name + field.type for field in event.FIELDS)
    parts = [*keys(), trail(scope, NEEDED), kept(NEEDED), PEOPLE, *VISIT, *columns]
    for each, grain in counted():
        parts += [
            slice_of(each.name, grain, ""),
            each.partial,
            *(f"{column}" for column in (*each.columns, *each.parts)),
        ]
    return sha256("\0".join(parts).encode()).hexdigest()[:16]
