"""What judging some hits needs to know from elsewhere, fetched once for all of them: the only I/O on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from pixelake.cache import bounded
from pixelake.clock import SECOND
from pixelake.registry.base import JudgesBook
from pixelake.transform.columns import Columns
from pixelake.transform.decode import Decoded
from pixelake.warehouse.base import Claim, Seen

QUARTER: Final = 900 * SECOND
"""All zones have changed at, and by, whole quarters of an hour since 1972; so a quarter has one local day."""
FIRST_QUARTERS: Final = 2
"""Quarters of a day in which an event also carries the visitor of the day before."""


class Salts(NamedTuple):
    """The salt of a site's day, and in the first minutes of it the one of the day before."""

    today: bytes | None
    before: bytes | None


Moment = tuple[str, int]
"""A site, and a quarter of an hour: `received_at` // `QUARTER`."""


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts about some hits.

    Attributes:
        salts: for each site and quarter of an hour.
        owners: for each hit that claims an event id the ``hit_id`` that owns it.
    """

    salts: Mapping[Moment, Salts]
    owners: Mapping[str, str]


def gather(decoded: Decoded, registry: JudgesBook, seen: Seen, default_zone: str) -> Facts:
    """Fetch the facts. Unknown sites of valid elements become sites.

    Asking again for the same hits gives the same facts as long as their salts live.

    Raises:
        PixelakeError: the registry or the store of event ids cannot tell now; ask again.
    """
    columns = decoded.columns
    put_quarters(columns)
    _, found = columns.distinct(("site", "quarter", "anonymous"))
    snapshot = registry.snapshot()
    unknown = {site for site, *_ in found} - snapshot.sites.keys()
    if unknown:
        registry.add_sites(sorted(unknown))
        snapshot = registry.snapshot()
    moments = {(site, quarter) for site, quarter, anonymous in found if not anonymous}
    moments.update((r.site, r.hit.received_at // QUARTER) for r in decoded.rejected if not r.anonymous)
    days = {}
    for site, quarter in moments:
        known = snapshot.sites.get(site)
        zone = known.zone(quarter * QUARTER) if known else default_zone
        days[site, quarter] = local_days(zone, quarter)
    return Facts(_salts(days, registry), _owners(decoded, seen))


def _salts(days: Mapping[Moment, tuple[date, date | None]], registry: JudgesBook) -> Mapping[Moment, Salts]:
    found = registry.salts(sorted({day for pair in days.values() for day in pair if day}))
    return {
        moment: Salts(found.get(day), found.get(before) if before else None) for moment, (day, before) in days.items()
    }


def _owners(decoded: Decoded, seen: Seen) -> Mapping[str, str]:
    """Who owns the event ids.

    A HEAD claims none, since it is no view: a mail proxy that asks first would
    make a repeat of the GET that follows. Machines claim as people do: which of
    two hits came first must not depend on what one believes of their senders.
    """
    columns = decoded.columns
    if columns.is_empty("event_id"):
        return {}
    rows = zip(*map(columns.values, ("site", "event_id", "hit_id", "method")), strict=True)
    claims = [Claim(site, name, hit_id) for site, name, hit_id, method in rows if name and method != "HEAD"]
    if not claims:
        return {}
    return dict(zip((claim.hit_id for claim in claims), seen.claim(claims), strict=True))


def put_quarters(columns: Columns) -> None:
    """The column ``quarter``: the quarter of an hour in which a hit was received."""
    if "quarter" not in columns.names:
        columns.put_floor("quarter", "received_at", QUARTER)


@bounded(4_096)
def local_days(zone: str, quarter: int) -> tuple[date, date | None]:
    """The local day of a quarter of an hour, and in its first half hour the day before.

    Where the clock skips midnight the day begins when it is one o'clock.
    """
    rules = ZoneInfo(zone)
    moment = datetime.fromtimestamp(quarter * QUARTER / SECOND, rules)
    day = moment.date()
    earlier = [moment.astimezone(UTC) - timedelta(seconds=n * QUARTER / SECOND) for n in range(1, FIRST_QUARTERS + 1)]
    days: Iterable[date] = (instant.astimezone(rules).date() for instant in earlier)
    return day, next((before for before in days if before != day), None)
