"""The enrichers, in the order they run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from pixelake.transform.columns import Columns
from pixelake.transform.enrich.agent import agent
from pixelake.transform.enrich.bot import make_bots
from pixelake.transform.enrich.campaign import campaign
from pixelake.transform.enrich.channel import channels
from pixelake.transform.enrich.early import early
from pixelake.transform.enrich.geo import Geo, Headers, Told, only_told
from pixelake.transform.enrich.place import language, places
from pixelake.transform.enrich.prefetch import prefetch
from pixelake.transform.enrich.proxy import make_proxies, make_relays, scanner
from pixelake.transform.enrich.visitor import visitors
from pixelake.transform.page import UTM, without_www

MOST_KNOWN: Final = 64
"""Answers that are remembered with header lines."""
PLACE: Final = ("country", "region", "city", "timezone")
AGENT: Final = ("browser", "browser_version", "os", "os_version", "device")
HINTS: Final = (
    "sec_ch_ua",
    "sec_ch_ua_mobile",
    "sec_ch_ua_platform",
    "sec_ch_ua_platform_version",
    "sec_ch_ua_full_version_list",
)


@dataclass(frozen=True, slots=True, eq=False)
class Enricher:
    """New columns from known ones.

    ``function`` is pure; it takes the inputs of a row, which are hashable, and
    gives its outputs. It runs once for each distinct input of a batch; what it
    finds out from header lines alone is remembered with them. One whose inputs
    hardly ever come twice takes, and gives, whole columns (``whole``).
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    function: Callable[..., tuple[Any, ...]]
    whole: bool = False


def make_enrichers(
    lists: Path | None = None, geo: Geo | None = None, cdn: Headers | None = None
) -> tuple[Enricher, ...]:
    """All that there are, in the order they run; what one gives, those behind it may take.

    Args:
        lists: the folder of the user's lists, which stand in for the built-in ones.
        geo: tells the place of an address; without it, that of what a CDN told is known alone.
        cdn: the headers in which the CDN before the collector tells it.

    Raises:
        SettingsError: a list of the user's cannot be read, or is wrong.
    """
    relays = make_relays(lists)
    return (
        Enricher("place", ("client",), ("ip", "network"), places, whole=True),
        Enricher("told", ("lines", "proxied", "source"), ("told",), Told(cdn)),
        Enricher("geo", ("ip", "told", "anonymous", "timezone"), PLACE, geo)
        if geo
        else Enricher("geo", ("told", "anonymous", "timezone"), PLACE, only_told),
        Enricher("language", ("accept_language",), ("language",), language),
        Enricher("agent", ("user_agent", *HINTS), (*AGENT, "spider"), agent),
        Enricher("proxy", ("user_agent",), ("proxy",), make_proxies(lists)),
        Enricher("bot", ("user_agent", "spider", "proxy"), ("bot", "bot_name"), make_bots(lists)),
        Enricher("scanner", ("method", "user_agent", "sec_fetch_mode", "bot", "proxy"), ("proxy",), scanner),
        Enricher("early", ("early", "bot", "proxy"), ("proxy",), early),
        *((Enricher("relay", ("client", "proxy"), ("proxy",), relays),) if relays else ()),
        Enricher("prefetch", ("sec_purpose", "purpose", "x_purpose", "x_moz"), ("prefetch",), prefetch),
        Enricher("campaign", ("tags", *UTM), UTM, campaign),
        Enricher("referrer", ("referring_host",), ("referrer_host",), lambda host: (without_www(host),)),
        Enricher(
            "channel",
            ("referred", "referrer_host", "host", "utm_source", "utm_medium", "click_id"),
            ("channel",),
            channels(lists),
        ),
        Enricher(
            "visitor",
            ("network", "user_agent", "site", "salt", "salt_before"),
            ("visitor_id", "visitor_before"),
            visitors,
            whole=True,
        ),
    )


@cache
def built_in() -> tuple[Enricher, ...]:
    """Those with the lists that come with pixelake, and nothing else."""
    return make_enrichers()


def enrich(columns: Columns, enricher: Enricher) -> None:
    """Add the enricher's columns."""
    if enricher.whole:
        outputs = enricher.function(*map(columns.values, enricher.inputs))
        for name, values in zip(enricher.outputs, outputs, strict=True):
            columns.put(name, values)
        return
    remembered = columns.remembered(enricher.inputs)
    if remembered is None:
        coded, inputs = columns.distinct(enricher.inputs)
        known = [enricher.function(*row) for row in inputs]
    else:
        coded, values, constants = remembered
        key = (enricher, *constants) if constants else enricher
        memos = coded.memos or ()
        for code in [code for code, memo in enumerate(memos) if key not in memo]:
            if len(memos[code]) >= MOST_KNOWN:  # what is the same in each row of a batch may be another in the next
                memos[code].clear()
            memos[code][key] = enricher.function(*[value[code] for value in values])
        known = [memo[key] for memo in memos]
    columns.put_coded(coded, enricher.outputs, known)
