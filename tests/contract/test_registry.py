"""What every registry keeps, as `pixelake.registry.base` promises it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.registry.base import Registry
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock

TODAY = date(2026, 2, 10)

Open = Callable[[], Registry]


@pytest.fixture
def clock() -> FakeClock:
    """21:00 UTC of `TODAY`."""
    return FakeClock()


@pytest.fixture(params=["sqlite"])
def connect(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Opens the same registry again and again, as processes do."""
    opened: list[SqliteRegistry] = []

    def connect() -> Registry:
        opened.append(SqliteRegistry(tmp_path / "registry" / "r.sqlite", "Europe/Berlin", clock=clock))
        return opened[-1]

    yield connect
    for registry in opened:
        registry.close()


def test_unknown_names_become_sites(connect: Open) -> None:
    """A new site has the default zone from the beginning of time; a known one stays as it is."""
    registry = connect()
    assert registry.snapshot().sites == {}
    registry.add_sites(["a.example", "b.example", "a.example"])
    registry.add_sites(["b.example"])
    sites = registry.snapshot().sites
    assert set(sites) == {"a.example", "b.example"}
    assert sites["a.example"].zone(0) == "Europe/Berlin"


def test_the_version_grows_with_changes_alone(connect: Open) -> None:
    """It is a greater one after a change, also by another process, and the same if nothing changed."""
    one, other = connect(), connect()
    before = one.snapshot()
    other.add_sites(["a.example"])
    after = one.snapshot()
    assert after.version > before.version
    other.add_sites(["a.example"])
    other.add_sites([])
    assert one.snapshot().version == after.version
    assert before.sites == {}


def test_all_processes_have_the_same_salts(connect: Open) -> None:
    """A salt has 32 bytes, differs from day to day, and is the same for who asks again, here or there."""
    days = [TODAY, TODAY - timedelta(days=1)]
    salts = connect().salts(days)
    assert set(salts) == set(days)
    assert {len(salt) for salt in salts.values()} == {32}
    assert len(set(salts.values())) == 2
    assert connect().salts(days) == salts


def test_a_race_for_a_salt_has_one_winner(connect: Open) -> None:
    """Many who ask first at once get one answer, for salts and for secrets."""
    registries = [connect() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        salts = set(pool.map(lambda registry: registry.salts([TODAY])[TODAY], registries))
        names = set(pool.map(lambda registry: registry.secret("token"), registries))
    assert len(salts) == 1
    assert len(names) == 1


def test_a_salt_that_is_due_is_never_made_again(connect: Open, clock: FakeClock) -> None:
    """It lives until its day has ended in every zone, and two days more; then it is missing from every answer."""
    registry = connect()
    salt = registry.salts([TODAY])[TODAY]
    ends = 15 * 3_600  # in UTC-12 the 10th ends at noon UTC of the 11th
    clock.advance(ends + 2 * 86_400 - 1)
    assert registry.salts([TODAY]) == {TODAY: salt}
    clock.advance(1)
    assert registry.salts([TODAY]) == {}
    assert connect().salts([TODAY, TODAY - timedelta(days=400)]) == {}


def test_secrets_last(connect: Open) -> None:
    """A secret is made once, is long, and is another one for another name."""
    token = connect().secret("access_token")
    assert len(token) >= 32
    assert connect().secret("access_token") == token
    assert connect().secret("other") != token


def test_zones_are_dated(connect: Open) -> None:
    """A new zone holds from its moment on, and never rewrites what was before."""
    registry = connect()
    assert isinstance(registry, SqliteRegistry)
    moment = 1_770_000_000 * SECOND
    registry.set_zone("a.example", "Asia/Tokyo", moment)
    site = connect().snapshot().sites["a.example"]
    assert site.zone(moment - 1) == "Europe/Berlin"
    assert site.zone(moment) == "Asia/Tokyo"
