"""Some of the sites at a time, each with its figures: as its own dashboard shows them, in its own zone.

Sites of the same zone are asked for together: three questions for all of them,
however many they are.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from pydantic import Field

from pixelake.registry.base import MAX_SITES
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import EARLIEST
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.compare import before
from pixelake.warehouse.questions import questions
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.zones import DAY, Clock, fixed
from pixelake.web.access import Access
from pixelake.web.asked import Asking, Here
from pixelake.web.asking import resolve
from pixelake.web.live import Feed
from pixelake.web.parameters import Asked
from pixelake.web.sources import Live

NOW_SECONDS: Final = 300.0
"""Who was seen within is here now."""
LEAST_DAYS: Final = 14
"""Of the line of a site's days, also where the period is shorter."""
MOST_DAYS: Final = 366
SHOWN: Final = ("hits", "views", "visitors", "daily_visitors", "visits")
ORDERS: Final = {"views": "views", "visitors": "daily_visitors"}
"""Order -> the figure of which the most come first."""

_Row = Mapping[str, Any]
_MICROSECOND: Final = timedelta(microseconds=1)


class SitesAsked(Asked):
    """Which sites, and of which period their figures are."""

    search: str = Field("", max_length=255, description="only sites with this in their name, in any case")
    limit: int = Field(20, ge=1, le=100, description="at most so many sites")
    skip: int = Field(0, ge=0, le=MAX_SITES, description="sites that are passed over before")
    order: Literal["views", "visitors", "name"] = Field("views", description="the most first; or by the alphabet")


class _Figures(NamedTuple):
    """What is told of the sites that go by one clock.

    Attributes:
        ask: the figures' question.
        zone: by whose clock it was resolved.
        rows: figures by site.
        earlier: the same of the period before; None: nobody asked.
        before: the figures of that.
        arrived: everything that arrived, by site.
    """

    ask: Ask
    zone: str
    rows: Mapping[str, _Row]
    earlier: Ask | None
    before: Mapping[str, _Row]
    arrived: Mapping[str, _Row]


class EachSite:
    """Tells of many sites at once.

    Args:
        asking: answers questions.
        feed: reaches the live store.
    """

    def __init__(self, asking: Asking, feed: Feed) -> None:
        self._asking, self._feed = asking, feed

    async def page(self, given: SitesAsked, access: Access) -> dict[str, Any]:
        """The sites that are asked for: ``total``, ``zone``, ``from``, ``to``, and ``rows``, a site each.

        Raises:
            QueryError: it cannot be asked so.
            LakeUnavailable: the lake cannot be read.
        """
        sources = self._asking.sources
        snapshot = await asyncio.to_thread(sources.registry.snapshot)  # one that was just added is among them
        look = _Look(self._asking, await self._asking.here(), given, access.caller)
        first = await look.figures(None)
        seen = snapshot.sites.keys() if access.sites is None else snapshot.sites.keys() & access.sites
        if given.site is not None:
            seen = seen & {given.site}
        names, total = await asyncio.to_thread(_ordered, seen, first.rows, given)
        told = [
            look.rows(some, first if is_first else None)
            for is_first, some in _by_clock(names, look.here.clocks, given.zone)
        ]
        rows = {name: row for some in await asyncio.gather(*told) for name, row in some.items()}
        present = await self._feed.call(_present, sources.live, names)
        shown = [{**rows[name], **present[name]} for name in names]
        if given.order != "name":
            shown.sort(key=lambda row: -row[ORDERS[given.order]])
        return {"total": total, "from": first.ask.start, "to": first.ask.end, "zone": first.zone, "rows": shown}


class _Look:
    """One look at the figures of some sites."""

    def __init__(self, asking: Asking, here: Here, given: SitesAsked, caller: str) -> None:
        self._asking, self.here, self._caller, self._compare = asking, here, caller, given.compare
        self._plain = Asked(**{name: getattr(given, name) for name in Asked.model_fields})

    async def figures(self, site: str | None) -> _Figures:
        """The figures of all sites, in the period as it is on the clock of one; None: on the default one."""
        resolved = resolve(questions()["overviews"], self._plain, site, self.here.clocks, self.here.standing)
        ask = replace(resolved.ask, site=None, zone=resolved.zone if site else self._plain.zone, compare=False)
        earlier = self._earlier(ask, site) if self._compare else None
        asks = [ask, replace(ask, question="sites"), *([earlier] if earlier else [])]
        rows, arrived, *was = await asyncio.gather(*map(self._ask, asks))
        now, then = ({row["site"]: row for row in some} for some in (rows, was[0] if was else []))
        return _Figures(ask, resolved.zone, now, earlier, then, {row["value"]: row for row in arrived})

    def _earlier(self, ask: Ask, site: str | None) -> Ask:
        start, end = before(ask.start, ask.end, self._clock(ask, site))
        return replace(ask, start=start, end=end)

    async def rows(self, names: Sequence[str], figures: _Figures | None) -> dict[str, dict[str, Any]]:
        """A row for each of some sites that go by one clock; without figures they are asked for."""
        figures = figures or await self.figures(names[0])
        first, days = await self._days(names, figures)
        found = {}
        for name in names:
            row = _row(name, figures, self.here.clocks.of(name))
            if row["visitors"] is None and not figures.rows[name]["anonymous"]:
                row |= await self._known(name)
            found[name] = row | {"first_day": first, "days": days[name]}
        return found

    async def _ask(self, ask: Ask) -> list[dict[str, Any]]:
        """The rows of an answer, shared with others who ask the same."""
        call = partial(self._asking.sources.questions.ask, ask)
        key = "each-site", repr(ask), self.here.declared, self.here.standing.version
        answer = await self._asking.heavy.get(key, call, caller=self._caller)
        return list(rows_of(answer.table))

    async def _known(self, site: str) -> dict[str, Any]:
        """The visitors of a site whose people all said who they are."""
        given = self._plain.model_copy(update={"compare": self._compare})
        ask = resolve(questions()["overview"], given, site, self.here.clocks, self.here.standing).ask
        (row,) = await self._ask(ask)
        return {name: row[name] for name in ("visitors", "before_visitors", "change_visitors") if name in row}

    async def _days(self, names: Sequence[str], figures: _Figures) -> tuple[date, Mapping[str, Sequence[int]]]:
        """The first day of the line of each site, and its views on each day up to the last one of the period."""
        clock = self._clock(figures.ask, names[0])
        last = clock.date(figures.ask.end - _MICROSECOND)
        least, most = last - (LEAST_DAYS - 1) * DAY, last - (MOST_DAYS - 1) * DAY
        first = max(most, min(least, clock.date(figures.ask.start)))
        start = max(clock.bounds(first)[0], EARLIEST)
        rows = await self._ask(replace(figures.ask, question="days", start=start, options={"names": sorted(names)}))
        views = {(row["site"], row["local_day"]): row["views"] for row in rows}
        dates = [first + number * DAY for number in range((last - first).days + 1)]
        return first, {name: [views.get((name, day), 0) for day in dates] for name in names}

    def _clock(self, ask: Ask, site: str | None) -> Clock:
        """By which a period is told."""
        return self.here.clocks.of(site) if ask.zone is None else Clock(fixed(ask.zone))


def _ordered(seen: Collection[str], rows: Mapping[str, _Row], given: SitesAsked) -> tuple[list[str], int]:
    """The names of the sites to be shown, and how many match."""
    wanted = given.search.casefold()
    matching = [name for name in seen if wanted in name.casefold()]
    if given.order == "name":
        matching.sort()
    else:
        column = ORDERS[given.order]
        matching.sort(key=lambda name: (-(rows[name][column] if name in rows else 0), name))
    return matching[given.skip : given.skip + given.limit], len(matching)


def _by_clock(names: Sequence[str], clocks: Clocks, zone: str | None) -> list[tuple[bool, list[str]]]:
    """The names that go by one clock together; and whether that is the first one, by which all are looked at."""
    found: dict[Any, list[str]] = {}
    for name in names:
        found.setdefault(clocks.default if zone else clocks.of(name).zones, []).append(name)
    return [(zones == clocks.default, some) for zones, some in found.items()]


def _row(site: str, figures: _Figures, clock: Clock) -> dict[str, Any]:
    """The figures of a site that goes by a clock; zeros where nothing was."""
    row: dict[str, Any] = {"site": site, "zone": figures.zone, **_told(figures.rows, site, figures.ask, clock)}
    if figures.earlier is not None:
        was = _told(figures.before, site, figures.earlier, clock)
        row |= {f"before_{name}": was[name] for name in SHOWN}
        row |= {f"change_{name}": _change(row[name], was[name]) for name in SHOWN}
    arrived = figures.arrived.get(site, {}).get("hits", 0)
    return row | {"arrived": arrived, "left_out": max(0.0, 1 - row["hits"] / arrived) if arrived else None}


def _told(rows: Mapping[str, _Row], site: str, ask: Ask, clock: Clock) -> dict[str, int | None]:
    """What is told of a site: of a single day of its own its visitors are known, whatever day others have."""
    own = {name: rows.get(site, {}).get(name, 0) for name in SHOWN}
    if clock.date(ask.start) == clock.date(ask.end - _MICROSECOND):
        own["visitors"] = own["daily_visitors"]
    return own


def _change(now: int | None, was: int | None) -> float | None:
    return None if now is None or not was else now / was - 1


def _present(live: Live, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Who is on each site now, and when its last hit was that the live store has (µs UTC)."""
    return {name: {"now": live.now(NOW_SECONDS, name).visitors, "last": _last(live, name)} for name in names}


def _last(live: Live, site: str) -> int | None:
    rows = live.newest(1, site)
    return rows[0].event["received_at"] if rows else None
