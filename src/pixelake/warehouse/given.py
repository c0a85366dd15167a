"""What a question's hooks (`pixelake.warehouse.hooks`) are given, and what they give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pixelake.warehouse.ask import Ask
from pixelake.warehouse.zones import Clock


@dataclass(frozen=True, slots=True)
class Given:
    """What a hook may look at.

    Attributes:
        ask: what the rows are asked for: what is asked, or what `pixelake.warehouse.hooks.WIDER` made of it.
        asked: what is asked.
        clock: the wall clock: of the zone asked for, else of the site, of all sites the default one.
        options: those of the question, with their defaults and types.
        kinds: the columns of events, with their types as `pixelake.event.Field` has them.
        declared: what sites declare, by what it is: ``goals``, ``funnels``; as whoever made the questions has it.
    """

    ask: Ask
    asked: Ask
    clock: Clock
    options: Mapping[str, Any]
    kinds: Mapping[str, str]
    declared: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class More:
    """Relations put before a statement.

    Attributes:
        ctes: name -> SQL, in order.
        values: their parameters; with names that no option has.
    """

    ctes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
