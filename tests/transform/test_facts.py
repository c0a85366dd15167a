"""Facts: the only I/O of judging. Visitors across midnight, sites, owners of event ids."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pixelake.hit import Hit
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Batch
from pixelake.testing import FakeClock
from pixelake.transform.decode import decode
from pixelake.transform.facts import QUARTER, gather, local_days
from pixelake.transform.process import process
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.seen_sqlite import SqliteSeen
from tests.judging import AT, batch, hit, rules


class World:
    """A registry and a store of event ids."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.registry = SqliteRegistry(folder / "registry" / "r.sqlite", clock=self.clock)
        self.seen = SqliteSeen(folder / "seen.sqlite", 86_400.0, 86_400.0, self.clock)

    def judge(self, sent: Batch, **settings: str) -> Outcome:
        """What becomes of a batch."""
        made = rules(**settings)
        decoded = decode(sent, made)
        return process(decoded, gather(decoded, self.registry, self.seen, made.default_zone))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty installation."""
    made = World(tmp_path)
    yield made
    made.registry.close()
    made.seen.close()


def at(text: str, zone: str) -> int:
    """A local moment in µs."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


def ids(outcome: Outcome) -> list[tuple[str | None, str | None]]:
    """The visitors of the events."""
    table = outcome.events
    return list(zip(table["visitor_id"].to_pylist(), table["visitor_before"].to_pylist(), strict=True))


def test_a_visit_across_midnight_stays_one(world: World) -> None:
    """The local day decides; its first 30 minutes also carry the visitor of the day before."""
    world.registry.set_zone("s", "America/New_York")
    moments = ["2026-02-09T23:59:59", "2026-02-10T00:00:00", "2026-02-10T00:29:59", "2026-02-10T00:30:00"]
    sent = [hit("/?site=s", at=at(moment, "America/New_York")) for moment in moments]
    (before, _), (first, carried), (second, still), (third, nothing) = ids(world.judge(batch(*sent)))
    assert carried == still == before
    assert first == second == third != before
    assert nothing is None


def test_a_visitor_is_keyed_by_network_agent_and_site(world: World) -> None:
    """Another address, agent or site is another visitor; another address of the same IPv6 /64 is not."""
    sent = [
        hit("/?site=s"),
        hit("/?site=s", client="203.0.113.10"),
        hit("/?site=s", {"User-Agent": "x"}),
        hit("/?site=t"),
        hit("/?site=s", client="2001:db8:1:2::1"),
        hit("/?site=s", client="2001:db8:1:2::2"),
        hit("/?site=s", client="2001:db8:1:3::1"),
        hit("/?site=s", client="::ffff:203.0.113.9"),
        hit("/?site=s", client="unknown"),
    ]
    found = [visitor for visitor, _ in ids(world.judge(batch(*sent)))]
    assert found[5] == found[4]
    assert found[7] == found[0]
    assert found[8] is None
    assert len(set(found)) == 7


def test_a_zone_holds_from_its_date_on(world: World) -> None:
    """The history of the registry at `received_at` rules, so that judging again gives the same visitor."""
    early, late = at("2026-02-10T20:00:00", "UTC"), at("2026-02-11T01:00:00", "UTC")
    world.registry.set_zone("s", "UTC")
    (before, _) = ids(world.judge(batch(hit("/?site=s", at=early))))[0]
    world.registry.set_zone("s", "Asia/Tokyo", late)
    assert ids(world.judge(batch(hit("/?site=s", at=early))))[0] == (before, None)
    tokyo = world.judge(batch(hit("/?site=s", at=late)))
    other = world.judge(batch(hit("/?site=s", at=late + 15 * 3_600_000_000)))
    assert ids(tokyo)[0][0] != before
    assert ids(other)[0][0] != ids(tokyo)[0][0]


def test_without_its_salt_an_event_has_no_visitor(world: World) -> None:
    """A hit that is judged after its salt is due is kept, without a visitor."""
    world.clock.advance(5 * 86_400)
    assert ids(world.judge(batch(hit()))) == [(None, None)]


def test_unknown_sites_are_added(world: World) -> None:
    """By valid events alone: what is rejected or withheld makes no site."""
    world.judge(batch(hit("/?site=a"), hit("/?site=b&value=x")))
    world.judge(batch(hit("/?site=c", {"DNT": "1"})), do_not_track="withhold")
    assert set(world.registry.snapshot().sites) == {"a"}


def test_owners_of_event_ids(world: World) -> None:
    """The first hit owns an event id of a site, for good; rejects claim none; asking again changes nothing."""
    first = batch(hit("/?site=a&event_id=e&value=x"), hit("/?site=a&event_id=e"), hit("/?site=b&event_id=e"))
    assert world.judge(first).events["duplicate"].to_pylist() == [False, False]
    second = batch(hit("/?site=a&event_id=e"), hit("/?site=a"), start=4)
    assert world.judge(second).events["duplicate"].to_pylist() == [True, False]
    assert world.judge(first).events["duplicate"].to_pylist() == [False, False]


def test_a_head_claims_no_event_id(world: World) -> None:
    """A proxy that asks with HEAD first makes no repeat of the view, nor is it one itself afterwards."""
    methods = ("HEAD", "GET", "HEAD", "GET")
    sent = [hit("/?site=a&event_id=e", method=method) for method in methods]
    assert world.judge(batch(*sent)).events["duplicate"].to_pylist() == [False, False, False, True]


def test_a_machine_claims_as_people_do(world: World) -> None:
    """Which of two hits was first does not depend on who sent it."""
    sent = [hit("/?site=a&event_id=e", {"User-Agent": "Googlebot/2.1"}), hit("/?site=a&event_id=e")]
    assert world.judge(batch(*sent)).events["duplicate"].to_pylist() == [False, True]


def test_anonymous_hits_need_no_salt(world: World) -> None:
    """For who asks not to be tracked not even the salt is fetched."""
    assert ids(world.judge(batch(hit("/", {"DNT": "1"})))) == [(None, None)]
    assert world.registry._find_salts([date(2026, 2, 10)]) == {}


def test_the_same_hits_give_the_same_visitors(world: World) -> None:
    """In whatever batches they come."""
    sent: list[Hit] = [hit("/?site=s", at=AT + n * 400_000_000) for n in range(40)]
    together = ids(world.judge(batch(*sent)))
    alone = [ids(world.judge(batch(one)))[0] for one in sent]
    assert together == alone


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana"])
def test_local_days(zone: str) -> None:
    """Through a year of half-hour offsets and clocks that skip midnight, each day begins with two quarters of both."""
    rules_of = ZoneInfo(zone)
    start = int(datetime(2026, 1, 5, tzinfo=rules_of).timestamp()) * 1_000_000 // QUARTER
    found = [local_days(zone, quarter) for quarter in range(start, start + 365 * 96)]
    for quarter, (day, _) in enumerate(found, start):
        assert day == datetime.fromtimestamp(quarter * QUARTER / 1e6, rules_of).date()
    for day in (date(2026, 1, 6) + timedelta(days=n) for n in range(363)):
        carried = [before for today, before in found if today == day]
        assert carried[:2] == [day - timedelta(days=1)] * 2
        assert set(carried[2:]) == {None}
