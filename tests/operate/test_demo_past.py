"""Tests of `pixelake.operate.demo_past` and `pixelake.operate.demo_world`."""

from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import parse_qs, urlsplit

import pytest

from pixelake import build
from pixelake.address import Networks, packed
from pixelake.operate import demo_past
from pixelake.operate.demo import in_front
from pixelake.operate.demo_world import SHOP, World, rhythm
from pixelake.settings import Settings
from pixelake.testing import FakeClock

END = datetime(2026, 2, 10, 21, tzinfo=UTC)
RESERVED = Networks(["198.18.0.0/15"])


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four days instead of ten weeks."""
    monkeypatch.setattr(demo_past, "DAYS", 4)


def write(settings: Settings) -> int:
    """Give the folder of these settings a past; how many hits it has."""
    by = build.rules(settings)
    with closing(build.registry(settings)) as registry:
        lake, folder = build.lake(settings), settings.data / "run" / "past"
        return demo_past.write(lake, by, registry, folder, random=Random(1), clock=FakeClock())


@pytest.mark.usefixtures("short")
def test_the_past_is_in_the_lake(tmp_path: Path) -> None:
    """Each hit is an event or a reject, named as the demo's, with a country; goals and a funnel are declared."""
    settings = in_front(Settings(data=tmp_path))
    made = write(settings)
    sums = build.lake_reader(settings).sums()
    assert sums.in_lake + sums.rejected == made
    told = "count(*) filter (source = 'demo' and country is not null)"
    (row,) = _rows(settings, f"select count(*) as n, {told} as told from events")
    assert row["n"] == row["told"] == sums.in_lake
    names = {row["event"] for row in _rows(settings, "select distinct event from events")}
    assert names >= {"pageview", "add_to_cart", "purchase", "impression", "click", "badge"}
    with closing(build.registry(settings)) as registry:
        known = registry.snapshot()
    assert known.goals[SHOP]
    assert known.funnels[SHOP]
    assert known.badges


def _rows(settings: Settings, query: str) -> list[dict[str, object]]:
    with build.lakehouse(settings) as lake:
        return lake.sql(query).to_pylist()


@pytest.mark.usefixtures("short")
def test_a_past_comes_once(tmp_path: Path) -> None:
    """Whoever starts again in the same folder adds nothing."""
    settings = in_front(Settings(data=tmp_path))
    assert write(settings)
    assert not write(settings)


@pytest.mark.usefixtures("short")
def test_the_past_is_over() -> None:
    """Nothing lies before its first day or in the future, and hits are in order of time."""
    times = [hit.received_at for hit in demo_past.hits(Random(2), END)]
    first, last = (round(each.timestamp() * 1e6) for each in (END - timedelta(days=4), END))
    assert times == sorted(times)
    assert first <= times[0]
    assert times[-1] < last


@pytest.mark.usefixtures("short")
def test_a_past_can_be_made_again() -> None:
    """Of equal chance the past is equal."""
    assert demo_past.hits(Random(3), END) == demo_past.hits(Random(3), END)


@pytest.mark.usefixtures("short")
def test_nobody_is_meant() -> None:
    """Sites are examples, and addresses are nobody's."""
    hits = demo_past.hits(Random(4), END)
    sites = {parse_qs(urlsplit(hit.target).query.decode())["site"][0] for hit in hits}
    assert all(site.endswith(".example") for site in sites)
    assert all((packed(hit.client) or b"") in RESERVED for hit in hits)


def test_nights_and_weekends_are_quiet() -> None:
    """A rhythm of days and weeks."""
    noon, night, sunday = (datetime(2026, 2, day, hour, tzinfo=UTC) for day, hour in ((10, 15), (10, 4), (8, 15)))
    assert rhythm(noon) > 3 * rhythm(night)
    assert rhythm(sunday) < 0.7 * rhythm(noon)


def test_some_buy() -> None:
    """Of many visits to the shop some put something into a cart, and fewer order."""
    world = World(Random(5))
    events = Counter(
        parse_qs(urlsplit(request.target).query).get("event", ["pageview"])[0]
        for _ in range(3_000)
        for _, request in world.visit()
    )
    assert events["pageview"] > events["add_to_cart"] > events["purchase"] > 10


def test_another_proxy_is_left_alone(tmp_path: Path) -> None:
    """Who declares a proxy keeps it; else the demo believes this machine."""
    own = replace(Settings(data=tmp_path), trusted_proxies=("10.0.0.0/8",))
    assert in_front(own) == own
    assert in_front(Settings(data=tmp_path)).trusted_proxies == ("loopback",)
