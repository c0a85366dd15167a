"""Generated shoppers: who did what when, as a list of plain facts, and the lake that is made of it.

What is said of them is worked out in plain Python from the facts, with
`zoneinfo` for the clocks, and shares nothing with the SQL that it judges.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from pixelake.warehouse.asking import Ask, Clocks, Questions
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, outcome

BEGIN = datetime(2025, 3, 28, 20, tzinfo=UTC)
"""A few days before Europe, and a week before Lord Howe, change their clocks."""
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")
SITES = ("one", "two")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Act(NamedTuple):
    """Something that somebody did. `human` is who it was in truth; `user` is what they said."""

    number: int
    site: str
    human: int
    user: str | None
    at: datetime
    event: str
    path: str | None
    country: str
    value: Decimal | None
    currency: str | None
    bot: bool

    @property
    def order(self) -> tuple[datetime, int]:
        """Acts are in this order."""
        return self.at, self.number

    @property
    def page(self) -> str | None:
        """Where it was."""
        return None if self.path is None else "h" + self.path

    @property
    def person(self) -> tuple[str, str]:
        """Who it was, as far as a day of the site tells."""
        return self.site, f"user {self.user}" if self.user else f"human {self.human}"


class World(NamedTuple):
    """What happened, on whose clocks, and what is asked for."""

    acts: Sequence[Act]
    zones: dict[str, str]
    start: datetime
    end: datetime
    site: str | None
    country: str | None

    def local(self, act: Act) -> datetime:
        """What the clock on the wall of its site shows."""
        return act.at.astimezone(ZoneInfo(self.zones[act.site]))

    def day(self, act: Act) -> date:
        """The date there."""
        return self.local(act).date()

    def is_early(self, act: Act) -> bool:
        """Whether it lies in the first half hour of the day, whose events say who it was the evening before."""
        return self.local(act).time() < time(0, 30)

    def people(self) -> list[Act]:
        """What people did on the sites asked for, in order."""
        some = [act for act in self.acts if not act.bot and self.site in (None, act.site)]
        return sorted(some, key=lambda act: act.order)

    def passes(self, act: Act) -> bool:
        """Whether the filter lets it pass."""
        return self.country in (None, act.country)

    def hits(self) -> list[Act]:
        """What counts in the period."""
        return [act for act in self.people() if self.passes(act) and self.start <= act.at < self.end]

    def followed(self, start: datetime, end: datetime) -> dict[Any, list[Act]]:
        """What each person did within a time, who is the same on two days only if the second began early enough."""
        within = [act for act in self.people() if start <= act.at < end]
        linked = {(act.person, self.day(act)) for act in within if not act.user and self.is_early(act)}
        found: dict[Any, list[Act]] = {}
        for act in within:
            day = self.day(act)
            while (act.person, day) in linked:
                day -= DAY
            if self.passes(act):
                found.setdefault((act.person, None if act.user else day), []).append(act)
        return found


_GAPS = st.sampled_from([0, 0, 1, 3, 7, 12, 29, 30, 31, 45, 60, 61, 120, 400, 900])
_PEOPLE = st.sampled_from([(0, None), (0, None), (1, None), (1, "u1"), (2, "u2"), (2, "u2"), (3, "u3")])
_EVENTS = st.sampled_from(["pageview", "pageview", "pageview", "add_to_cart", "add_to_cart", "purchase", "signup"])
_PATHS = st.sampled_from(["/", "/a", "/b", "/checkout", None])
_VALUES = st.sampled_from([None, "1.10", "0.000001", "19.99", "3"])


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some acts of four humans on two sites, a period, a site or all, and a filter or none."""
    zones = {site: draw(st.sampled_from(ZONES)) for site in SITES}
    moment, acts = BEGIN, []
    for number in range(draw(st.integers(0, 36))):
        moment += draw(_GAPS) * MINUTE
        human, user = draw(_PEOPLE)
        value = draw(_VALUES)
        acts.append(
            Act(
                number,
                draw(st.sampled_from(["one", "one", "one", "two"])),
                human,
                user,
                moment,
                draw(_EVENTS),
                draw(_PATHS),
                draw(st.sampled_from(["DE", "DE", "FR"])),
                None if value is None else Decimal(value),
                draw(st.sampled_from(["EUR", "EUR", "USD", None])),
                draw(st.sampled_from([False] * 9 + [True])),
            )
        )
    start = BEGIN + draw(st.sampled_from([-30, 0, 2, 4, 11, 30])) * HOUR
    if draw(st.booleans()):  # whole days of a site
        start = datetime.combine(start.date(), time(), ZoneInfo(zones["one"])).astimezone(UTC)
    end = start + draw(st.sampled_from([1, 6, 24, 48, 90, 400])) * HOUR
    site, country = draw(st.sampled_from([None, "one", "one"])), draw(st.sampled_from([None, None, "DE"]))
    return World(acts, zones, start, end, site, country)


class Asked:
    """A lake of a world, open for questions."""

    def __init__(self, world: World, folder: Path, declared: Any = None) -> None:
        self.world, self.folder = world, folder
        self.clocks = Clocks(fixed("UTC"), {site: fixed(zone) for site, zone in world.zones.items()})
        if world.acts:
            Lake(folder).write(outcome(map(self._row, world.acts)))
        self._lakehouse = Lakehouse(folder)
        self._questions = Questions(self._lakehouse, lambda: self.clocks, lambda name: (declared or {}).get(name, {}))

    def _row(self, act: Act) -> dict[str, Any]:
        day, site = self.world.day(act), act.site
        before = f"{site} {day - DAY} {act.human}" if self.world.is_early(act) else None
        return event(
            "generated",
            act.number + 1,
            hit_id=f"generated-{act.number:06}",
            received_at=act.at,
            site=site,
            user_id=act.user,
            visitor_id=f"{site} {day} {act.human}",
            visitor_before=before,
            event=act.event,
            host="h",
            path=act.path,
            country=act.country,
            value=act.value,
            currency=act.currency,
            bot=act.bot,
        )

    def ask(self, question: str, zone: str | None = None, **options: Any) -> list[dict[str, Any]]:
        """The rows of an answer."""
        from pixelake.warehouse import filters

        world = self.world
        passing = filters.Test("country", "is", (world.country,)) if world.country else filters.NOTHING
        asked = Ask(question, world.start, world.end, world.site, zone=zone, filter=passing, options=options)
        return self._questions.ask(asked).table.to_pylist()

    def close(self) -> None:
        """Let it go."""
        self._lakehouse.close()


def rounded(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows that can be compared: floats to nine digits, in an order."""
    plain = [{name: round(x, 9) if isinstance(x, float) else x for name, x in row.items()} for row in rows]
    return sorted(plain, key=repr)
