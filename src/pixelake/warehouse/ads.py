"""What the question `ads` has beside its file: ads before the period are looked at, and lists of machines are named."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from importlib import resources
from re import search
from typing import Any, Final

from pixelake.errors import QueryError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.given import Given, More

LONGEST: Final = 366
"""Days before a conversion in which an ad may have brought it."""
DEFAULT: Final = 7


def wider(ask: Ask) -> Ask:
    """With the days before it in which whoever converted may have seen an ad.

    Raises:
        QueryError: these are no number of days that can be.
    """
    return replace(ask, start=ask.start - _days(ask.options.get("window")))


def more(given: Given) -> More:
    """When the period begins that is asked for; what the lists are called."""
    window = _days(given.options["window"])
    values = {
        "asked_from": given.asked.start,
        "window_us": window // timedelta(microseconds=1),
        "lists": f"bots: {_dated('crawlers.txt')}, {_dated('signatures.txt')}; "
        f"prefetch_proxies, scanners: {_dated('proxies.toml')}",
    }
    return More(values=values)


def _days(window: Any) -> timedelta:
    try:
        days = DEFAULT if window in ("", None) else int(window)
    except (ValueError, TypeError, OverflowError):
        days = 0
    if not 1 <= days <= LONGEST:
        raise QueryError(f"window: {str(window)[:40]!r} is no number of days", f"1 to {LONGEST}, for example {DEFAULT}")
    return timedelta(days=days)


@cache
def _dated(name: str) -> str:
    """A list of machines, of `pixelake.transform.enrich.lists`, with the date that its first lines tell."""
    told = (resources.files("pixelake") / "transform/enrich/lists" / name).read_text(encoding="utf-8")
    date = search(r"\d{4}-\d\d-\d\d", told)
    return f"{name} of {date[0]}" if date else name
