"""The sites to choose from. Any sender can make sites, so there may be very many: the busiest come first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from pixelake.errors import PixelakeError
from pixelake.warehouse.ask import Ask
from pixelake.web.sources import Questions

BUSY_SECONDS: Final = 60.0
"""The order of the sites is looked up this often at most."""
BUSY_DAYS: Final = timedelta(days=3)
RANKED: Final = 1_000

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """The first names of those that match, and how many match in all."""

    names: list[str]
    total: int


def busiest(questions: Questions) -> Mapping[str, int]:
    """Hits of the last days by site, of the busiest ones.

    Empty while the lake cannot tell: then sites can still be chosen, in the
    order of the alphabet.
    """
    end = datetime.now(UTC)
    try:
        rows = questions.ask(Ask("sites", end - BUSY_DAYS, end, limit=RANKED)).table.to_pylist()
    except PixelakeError as error:
        _log.warning("sites_not_ranked", error=str(error), hint=error.hint)
        return {}
    return {row["value"]: row["hits"] for row in rows}


def found(names: Iterable[str], hits: Mapping[str, int], search: str, limit: int) -> Found:
    """The names that contain `search` in any case: busiest first, then by the alphabet."""
    wanted = search.casefold()
    matching = sorted((-hits.get(name, 0), name) for name in names if wanted in name.casefold())
    return Found([name for _, name in matching[:limit]], len(matching))
