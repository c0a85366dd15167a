"""Generated people, counted by the pipeline and by a count that shares nothing with it.

The people, their networks and the clocks of their zones are made here; what the
pipeline says about them is compared with sets of what was made. The changes of
the clocks are written out below, from the announcements, so that the zone data
that the pipeline uses is not what judges it.
"""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from pixelake.collect import strict
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock
from pixelake.transform.decode import decode
from pixelake.transform.facts import gather
from pixelake.transform.process import process
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Clocks, Questions
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.seen_sqlite import SqliteSeen
from tests.judging import CHROME, batch, hit, rules

MINUTE = timedelta(minutes=1)
HALF_HOUR = 30 * MINUTE


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


LONG_AGO = _utc(2000, 1, 1)
MOVED = _utc(2026, 3, 30, 9)
"""When the site `moved` went from Berlin to Tokyo."""

CLOCKS = {
    # site: its zone, and the minutes by which it is ahead of UTC from each moment on
    "berlin": ("Europe/Berlin", [(LONG_AGO, 60), (_utc(2026, 3, 29, 1), 120), (_utc(2026, 10, 25, 1), 60)]),
    "york": ("America/New_York", [(LONG_AGO, -300), (_utc(2026, 3, 8, 7), -240), (_utc(2026, 11, 1, 6), -300)]),
    "havana": ("America/Havana", [(LONG_AGO, -300), (_utc(2026, 3, 8, 5), -240), (_utc(2026, 11, 1, 5), -300)]),
    "howe": ("Australia/Lord_Howe", [(LONG_AGO, 660), (_utc(2026, 4, 4, 15), 630), (_utc(2026, 10, 3, 15, 30), 660)]),
    "cairo": ("Africa/Cairo", [(LONG_AGO, 120), (_utc(2026, 4, 23, 22), 180), (_utc(2026, 10, 29, 21), 120)]),
    "kathmandu": ("Asia/Kathmandu", [(LONG_AGO, 345)]),
    "kolkata": ("Asia/Kolkata", [(LONG_AGO, 330)]),
    "moved": ("Europe/Berlin", [(LONG_AGO, 60), (_utc(2026, 3, 29, 1), 120), (MOVED, 540)]),
}
PERIODS = {
    "clocks forward in America": (_utc(2026, 3, 6, 12), 4),
    "clocks forward in Europe, and a site moves": (_utc(2026, 3, 28), 4),
    "clocks back on Lord Howe": (_utc(2026, 4, 3), 3),
    "clocks forward in Egypt": (_utc(2026, 4, 22, 12), 3),
    "clocks forward on Lord Howe": (_utc(2026, 10, 2), 3),
    "clocks back in Europe": (_utc(2026, 10, 24), 3),
    "clocks back in Egypt and America": (_utc(2026, 10, 28, 12), 5),
}
"""When it begins, and how many days it has."""


class Person(NamedTuple):
    """Somebody at a browser; an IPv6 address changes within its /64 as browsers go on."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    agent: str
    site: str


class View(NamedTuple):
    """A page that somebody saw, at the server's clock."""

    person: Person
    at: datetime
    address: str


def local_day(site: str, at: datetime) -> date:
    """The day on the wall there."""
    ahead = [minutes for start, minutes in CLOCKS[site][1] if start <= at][-1]
    return (at + ahead * MINUTE).replace(tzinfo=None).date()


def is_first_half_hour(site: str, at: datetime) -> bool:
    """Whether the half hour before was in part of another day: looked at minute by minute."""
    return any(local_day(site, at - n * MINUTE) != local_day(site, at) for n in range(1, 31))


def people(random: Random) -> list[Person]:
    """Some at home, one office behind one address, some with IPv6; many with the same browser as a neighbour."""
    agents = [CHROME.replace("142", str(major)) for major in range(138, 143)]
    found = []
    for site in CLOCKS:
        street = random.randrange(1 << 32) & 0xFFFFFF00
        homes = [ipaddress.ip_network(street + n) for n in random.sample(range(256), 6)]
        office = ipaddress.ip_network("198.51.100.7/32")
        prefix = random.randrange(1 << 16)
        lines = [ipaddress.ip_network(f"2001:db8:{prefix:x}:{n:x}::/64") for n in range(3)]
        networks = [*homes, *[office] * 9, *lines]
        found += [Person(network, random.choice(agents), site) for network in networks]
    return found


def views(random: Random, start: datetime, days: int) -> list[View]:
    """Visits of a few pages, most around the midnights of the site, in the order in which the server saw them."""
    found = []
    for person in people(random):
        for _ in range(random.randrange(2, 8)):
            at = start + timedelta(minutes=random.randrange(60, days * 1440 - 120), seconds=random.randrange(60))
            if random.random() < 0.7:  # to the evening before the next midnight there
                while local_day(person.site, at) == local_day(person.site, at + HALF_HOUR):
                    at += HALF_HOUR
            for _ in range(random.randrange(1, 6)):
                found.append((at, person, _address(random, person)))
                at += timedelta(seconds=random.randrange(5, 1500))
    found.sort(key=itemgetter(0))
    return [View(person, _server_clock(random, at), address) for at, person, address in found]


def _address(random: Random, person: Person) -> str:
    return str(person.network[random.randrange(min(person.network.num_addresses, 1 << 62))])


def _server_clock(random: Random, at: datetime) -> datetime:
    """Right, but for the hits after which somebody set it back by up to half an hour, and forward again."""
    return at - random.randrange(1, 1800) * timedelta(seconds=1) if random.random() < 0.1 else at


class World:
    """The real way: decode, gather, process, with the embedded registry and store of event ids."""

    def __init__(self, folder: Path, start: datetime) -> None:
        self.clock = FakeClock(_micros(start))
        self.registry = SqliteRegistry(folder / "registry" / "registry.sqlite", retention=864_000.0, clock=self.clock)
        self.seen = SqliteSeen(folder / "seen.sqlite", clock=self.clock)
        self.rules = rules()
        self.has_moved = False
        for site, (zone, _) in CLOCKS.items():
            self.registry.set_zone(site, zone)

    def judge(self, seen: Sequence[View], first: int) -> Outcome:
        """What becomes of some views, which come by one batch."""
        sent = [
            hit(
                f"/pixel.gif?site={view.person.site}&url=https://x.example/",
                {"User-Agent": view.person.agent},
                at=_micros(view.at),
                client=view.address,
            )
            for view in seen
        ]
        self.clock.microseconds = max(self.clock.microseconds, _micros(seen[-1].at))
        if self.clock.microseconds >= _micros(MOVED) and not self.has_moved:
            self.has_moved = True
            self.registry.set_zone("moved", "Asia/Tokyo", _micros(MOVED))
        decoded = decode(batch(*sent, start=first), self.rules)
        return process(decoded, gather(decoded, self.registry, self.seen, "UTC"))

    def close(self) -> None:
        """Let the files go."""
        self.registry.close()
        self.seen.close()


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)


def _batches(random: Random, all_views: Sequence[View], most: int) -> Iterator[tuple[int, Sequence[View]]]:
    first = 0
    while first < len(all_views):
        size = random.randrange(1, most)
        # the zone of a site changes for hits from a moment on, and somebody says so at that moment
        moved = [n for n, view in enumerate(all_views[first : first + size]) if view.at >= MOVED and n]
        size = min([size, *moved[:1]]) if all_views[first].at < MOVED else size
        yield first + 1, all_views[first : first + size]
        first += size


def _judged(
    world: World, random: Random, all_views: Sequence[View], lake: Lake | None = None, most: int = 60
) -> list[tuple[str | None, str | None]]:
    """The two visitors of each view, in order."""
    found: list[tuple[str | None, str | None]] = []
    for first, some in _batches(random, all_views, most):
        outcome = world.judge(some, first)
        assert outcome.events.num_rows == len(some)
        found += zip(*(outcome.events[name].to_pylist() for name in ("visitor_id", "visitor_before")), strict=True)
        if lake:
            lake.write(outcome)
    return found


@pytest.fixture(params=PERIODS.values(), ids=PERIODS.keys())
def period(request: pytest.FixtureRequest) -> tuple[datetime, int]:
    """Some days in which clocks change."""
    return request.param


@pytest.fixture
def world(tmp_path: Path, period: tuple[datetime, int]) -> Iterator[World]:
    """A new installation."""
    made = World(tmp_path, period[0])
    yield made
    made.close()


def _check_days(all_views: Sequence[View], ids: Sequence[tuple[str | None, str | None]]) -> None:
    """Each person has one id a day, each id is one person's, and only the first half hour tells yesterday's."""
    people_of: dict[tuple[str, date], set[object]] = defaultdict(set)
    ids_of: dict[tuple[str, date], set[object]] = defaultdict(set)
    pairs, carried = set(), 0
    yesterday: dict[tuple[Person, date], str | None] = {}
    for (person, at, _), (visitor, before) in zip(all_views, ids, strict=True):
        day = local_day(person.site, at)
        people_of[person.site, day].add(person)
        ids_of[person.site, day].add(visitor)
        pairs.add((person, day, visitor))
        assert visitor is not None
        assert (before is not None) == is_first_half_hour(person.site, at), (person, at)
        yesterday.setdefault((person, day), visitor)
        if before:
            pairs.add((person, day - timedelta(days=1), before))
            carried += 1
    assert {place: len(found) for place, found in people_of.items()} == {place: len(i) for place, i in ids_of.items()}
    assert len(pairs) == len({visitor for *_, visitor in pairs}) == len({(person, day) for person, day, _ in pairs})
    assert carried > 20
    assert any((person, day - timedelta(days=1)) in yesterday for person, day in yesterday)


def test_each_day_has_its_people(world: World, period: tuple[datetime, int]) -> None:
    """Through midnights, changed clocks, a site that moves and a server whose clock is set back."""
    random = Random(8)
    all_views = views(random, *period)
    assert sum(later.at < view.at for view, later in pairwise(all_views)) > 10
    _check_days(all_views, _judged(world, random, all_views))


def test_who_is_judged_again_is_the_same(world: World, period: tuple[datetime, int]) -> None:
    """In batches of other sizes, while the salts live; also on a site that has moved to another zone since."""
    all_views = views(Random(8), *period)
    first = _judged(world, Random(1), all_views)
    assert _judged(world, Random(2), all_views) == first


def test_strict_privacy_counts_networks(world: World, period: tuple[datetime, int]) -> None:
    """With addresses truncated by the collector, those of one /24 or /48 with one browser are one; nobody else is."""
    all_views = views(Random(8), *period)
    cut = [view._replace(address=strict.address(view.address)) for view in all_views]
    merged = [view._replace(person=view.person._replace(network=_wide(view.person.network))) for view in all_views]
    _check_days(merged, _judged(world, Random(1), cut))


def _wide(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return network.supernet(new_prefix=24 if network.version == 4 else 48)


@pytest.mark.parametrize("period", [*PERIODS.values()][1:3], ids=[*PERIODS][1:3], indirect=True)
def test_questions_count_the_same(world: World, period: tuple[datetime, int], tmp_path: Path) -> None:
    """`overview` over the lake: on each day of a site those who were there; a visitor on two days is one of each."""
    start, days = period
    all_views = views(Random(8), *period)
    _judged(world, Random(1), all_views, Lake(tmp_path / "lake"), most=1_500)
    snapshot = world.registry.snapshot()
    clocks = Clocks.of_registry(snapshot, "UTC")
    with Lakehouse(tmp_path / "lake") as house:
        questions = Questions(house, lambda: clocks)
        for site in CLOCKS:
            seen = [(view.person, local_day(site, view.at)) for view in all_views if view.person.site == site]
            whole = Ask("overview", start - timedelta(days=1), start + timedelta(days=days + 1), site)
            (row,) = questions.ask(whole).table.to_pylist()
            assert (row["visitors"], row["daily_visitors"], row["views"]) == (None, len(set(seen)), len(seen)), site
            by_day = questions.ask(replace(whole, question="series", interval="day")).table.to_pylist()
            people = defaultdict(set)
            for person, day in seen:
                people[day].add(person)
            told = [row["visitors"] for row in by_day if row["visitors"]]
            assert told == [len(people[day]) for day in sorted(people)], site
