"""The enrichers, in the order they run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pixelake.transform.columns import Columns
from pixelake.transform.enrich.agent import agent
from pixelake.transform.enrich.bot import bot
from pixelake.transform.enrich.campaign import campaign, channel
from pixelake.transform.enrich.place import language, place
from pixelake.transform.enrich.visitor import visitor
from pixelake.transform.page import UTM, without_www


@dataclass(frozen=True, slots=True)
class Enricher:
    """New columns from known ones.

    ``function`` is pure; it takes the inputs of a row, which are hashable, and
    gives its outputs. It runs once for each distinct input of a batch.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Callable[..., tuple[Any, ...]]


ENRICHERS: Final = (
    Enricher("place", ("client",), ("ip", "network"), place),
    Enricher("language", ("accept_language",), ("language",), language),
    Enricher("agent", ("user_agent",), ("browser", "browser_version", "os", "os_version", "device", "spider"), agent),
    Enricher("bot", ("user_agent", "spider"), ("bot", "bot_name"), bot),
    Enricher("campaign", ("tags", *UTM), UTM, campaign),
    Enricher("referrer", ("referring_host",), ("referrer_host",), lambda host: (without_www(host),)),
    Enricher(
        "channel", ("referred", "referrer_host", "host", "utm_source", "utm_medium", "click_id"), ("channel",), channel
    ),
    Enricher(
        "visitor",
        ("network", "user_agent", "site", "salt", "salt_before"),
        ("visitor_id", "visitor_before"),
        visitor,
    ),
)


def enrich(columns: Columns, enricher: Enricher) -> None:
    """Add the enricher's columns."""
    coded, rows = columns.distinct(enricher.inputs)
    known = {row: enricher.function(*row) for row in dict.fromkeys(rows)}  # equal rows may have different codes
    columns.put_coded(coded, enricher.outputs, [known[row] for row in rows])
