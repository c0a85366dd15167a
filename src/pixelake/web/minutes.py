"""The last half hour, minute by minute, as the live store has it: what the bars of the live page are made of."""

from collections.abc import Mapping
from typing import Final

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.web.sources import Live

SHOWN: Final = 30
"""Minutes, and the one that runs."""
_MINUTE: Final = 60 * SECOND
_FRESH: Final = 2 * _MINUTE
"""What is older changes seldom: it is looked up once a minute only, since ten thousand sites have many minutes."""
_MOST: Final = 1_000
"""Sites whose minutes are kept."""

Counts = Mapping[str, int]


class Minutes:
    """Remembers what is over. One thread.

    Args:
        live: the live store's reader.
        clock: the time.
    """

    def __init__(self, live: Live, clock: Clock = SYSTEM) -> None:
        self._live, self._clock = live, clock
        self._known: dict[str | None, tuple[int, dict[int, Counts]]] = {}

    def of(self, site: str | None) -> list[dict[str, int]]:
        """The minutes in which anything came, oldest first.

        ``at`` is when one began (ms since 1970), ``hits`` all that came, ``views`` pages seen by people, ``bots`` hits
        of machines.

        Raises:
            WarehouseError: the live store cannot be read.
        """
        now = self._clock.now()
        looked, known = self._known.get(site, (0, {}))
        is_old = not 0 <= now - looked < _MINUTE
        oldest = now // _MINUTE * _MINUTE - SHOWN * _MINUTE
        found = self._live.by_minute(oldest if is_old else now - _FRESH, site)
        known = {minute: counts for minute, counts in known.items() if minute >= oldest and not is_old} | dict(found)
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[site] = now if is_old else looked, known
        return [_shown(minute, known[minute]) for minute in sorted(known)]


def _shown(minute: int, counts: Counts) -> dict[str, int]:
    return {"at": minute // 1_000, **{name: counts.get(name, 0) for name in ("hits", "views", "bots")}}
