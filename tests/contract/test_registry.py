"""What every registry keeps, as `pixelake.registry.base` promises it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.errors import RegistryUnavailable, SettingsError
from pixelake.registry.base import Maintained, Registry
from pixelake.registry.dynamodb import DynamoRegistry
from pixelake.registry.goals import Funnel, Goal
from pixelake.registry.queries import Query
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.registry.tokens import hash_of
from pixelake.testing import FakeClock
from pixelake.warehouse.dynamodb import Table

TODAY = date(2026, 2, 10)

Open = Callable[[], Registry]


@pytest.fixture
def clock() -> FakeClock:
    """21:00 UTC of `TODAY`."""
    return FakeClock()


@pytest.fixture(params=["sqlite", "dynamodb"])
def connect(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Open]:
    """Opens the same registry again and again, as processes do."""
    opened: list[SqliteRegistry] = []
    name = request.getfixturevalue("dynamodb") if request.param == "dynamodb" else ""

    def connect() -> Registry:
        if name:
            table = Table(name, failure=RegistryUnavailable)
            opened.append(DynamoRegistry(table, "Europe/Berlin", clock=clock, trusted=0))
        else:
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


def test_the_last_of_each_notice_is_kept(connect: Open, clock: FakeClock) -> None:
    """All processes see when something was last so, the latest first; older than asked for is not told."""
    one, other = connect(), connect()
    now = clock.now()
    one.notice("a", "x", now)
    other.notice("a", "y", now + 2)
    other.notice("b", "x", now + 3)
    one.notice("a", "x", now + 1)
    assert [(each.code, each.detail, each.at - now) for each in one.noticed(now)] == [
        ("b", "x", 3),
        ("a", "y", 2),
        ("a", "x", 1),
    ]
    assert [each.code for each in other.noticed(now + 2)] == ["b", "a"]
    assert connect().noticed(now + 4) == []


def test_notices_do_not_pile_up(connect: Open, clock: FakeClock) -> None:
    """Of a code the latest few are kept; those of another one are not touched, and no snapshot changes."""
    registry = connect()
    version = registry.snapshot().version
    registry.notice("b", "x", clock.now())
    for number in range(100):
        registry.notice("a", str(number), clock.now() + number)
    kept = [each.detail for each in registry.noticed(0) if each.code == "a"]
    assert kept == [str(number) for number in range(99, 99 - len(kept), -1)]
    assert 3 <= len(kept) < 50
    assert [each.detail for each in registry.noticed(0) if each.code == "b"] == ["x"]
    assert registry.snapshot().version == version


def test_badges_are_given_and_count(connect: Open) -> None:
    """A badge shows 0, then what is published, in all processes; given again it goes on; without one nothing shows."""
    registry, other = connect(), connect()
    assert isinstance(registry, SqliteRegistry)
    assert other.snapshot().badges == {}
    registry.set_badge("a.example", has=True)
    assert other.snapshot().badges == {"a.example": 0}
    assert "a.example" in other.snapshot().sites
    registry.publish_badges({"a.example": 7, "b.example": 9})
    assert other.snapshot().badges == {"a.example": 7}
    assert "b.example" not in other.snapshot().sites
    registry.set_badge("a.example", has=True)
    assert connect().snapshot().badges == {"a.example": 7}
    registry.set_badge("a.example", has=False)
    assert other.snapshot().badges == {}
    registry.set_badge("never.example", has=False)
    assert other.snapshot().badges == {}


def test_counts_are_seen_though_clocks_disagree(connect: Open, clock: FakeClock) -> None:
    """Each change is seen, also when two happen at once or time goes back; a new count alone is no new version."""
    registry, other = connect(), connect()
    assert isinstance(registry, SqliteRegistry)
    registry.set_badge("a.example", has=True)
    registry.set_badge("b.example", has=True)
    version = other.snapshot().version
    for count, passed in enumerate((0, 0, -3_600, 5), 1):
        clock.advance(passed)
        registry.publish_badges({"a.example": count})
        assert other.snapshot().badges == {"a.example": count, "b.example": 0}
    before = other.snapshot()
    registry.publish_badges({"a.example": 4, "b.example": 0})
    assert other.snapshot() is before
    assert before.version == version
    with pytest.raises(TypeError):
        before.badges["a.example"] = 0  # type: ignore[index]


def test_policies_are_dated(connect: Open, clock: FakeClock) -> None:
    """A policy holds from a little later on, for all processes; what was received before keeps the one it had."""
    one, other = connect(), connect()
    assert one.snapshot().policies == {}
    assert isinstance(other, SqliteRegistry)
    first = other.set_policy("a.example", "withhold")
    assert first > clock.now()
    assert one.snapshot().policies == {"a.example": ((first, "withhold"),)}
    assert "a.example" in one.snapshot().sites
    clock.advance(60)
    second = other.set_policy("a.example", "")
    assert one.snapshot().policies == {"a.example": ((first, "withhold"), (second, ""))}
    assert second > first
    assert connect().snapshot().policies == one.snapshot().policies


def test_the_same_policy_again_changes_nothing(connect: Open, clock: FakeClock) -> None:
    """It holds since it was first set, and the version stays."""
    registry = connect()
    assert isinstance(registry, SqliteRegistry)
    first = registry.set_policy("a.example", "ignore")
    version = registry.snapshot().version
    clock.advance(60)
    assert registry.set_policy("a.example", "ignore") == first
    assert registry.snapshot().version == version


def test_a_clock_that_went_back_turns_no_policies_round(connect: Open, clock: FakeClock) -> None:
    """The one that was set last holds last."""
    registry = connect()
    assert isinstance(registry, SqliteRegistry)
    first = registry.set_policy("a.example", "withhold")
    clock.advance(-3_600)
    second = registry.set_policy("a.example", "ignore")
    assert second > first
    assert registry.snapshot().policies["a.example"] == ((first, "withhold"), (second, "ignore"))


def test_no_such_policy(connect: Open) -> None:
    """It is refused with a hint, and no site is made."""
    registry = connect()
    assert isinstance(registry, SqliteRegistry)
    with pytest.raises(SettingsError) as raised:
        registry.set_policy("a.example", "forget")
    assert raised.value.hint
    assert registry.snapshot().sites == {}


def test_sites_have_ages_of_their_own(connect: Open) -> None:
    """How many days events are kept, where that is not as the setting says; other processes see it."""
    registry, other = connect(), connect()
    assert registry.snapshot().retentions == {}
    other.set_retention("a.example", 30)
    other.set_retention("b.example", 0)
    assert registry.snapshot().retentions == {"a.example": 30, "b.example": 0}
    assert set(registry.snapshot().sites) == {"a.example", "b.example"}
    before = registry.snapshot().version
    other.set_retention("a.example", 30)
    assert registry.snapshot().version == before
    other.set_retention("a.example", None)
    other.set_retention("c.example", None)
    assert registry.snapshot().retentions == {"b.example": 0}
    for days in (-1, 36_501):
        with pytest.raises(SettingsError):
            registry.set_retention("a.example", days)


def test_it_knows_how_tasks_went(connect: Open) -> None:
    """The last run of each, and when one last went well; while one runs, what the one before has done."""
    registry, other = connect(), connect()
    assert registry.tasks() == {}
    registry.begin_task("vacuum", 10)
    assert other.tasks() == {"vacuum": Maintained("vacuum", 10)}
    registry.end_task("vacuum", 20, "3 files", "")
    assert other.tasks() == {"vacuum": Maintained("vacuum", 10, 20, "3 files", "", 20)}
    other.begin_task("vacuum", 30)
    assert registry.tasks() == {"vacuum": Maintained("vacuum", 30, 0, "3 files", "", 20)}
    other.end_task("vacuum", 40, "", "the disk is full " + "x" * 10_000)
    found = registry.tasks()["vacuum"]
    assert (found.ended, found.done, found.succeeded) == (40, "", 20)
    assert len(found.error) == 1_000


def test_tokens_are_seen_by_all(connect: Open, clock: FakeClock) -> None:
    """One that is made holds everywhere, with when it was used; one that is taken away nowhere."""
    one, other = connect(), connect()
    held = hash_of(one.add_token("report", "a.example"))
    assert other.snapshot().tokens[held].site == "a.example"
    other.use_token(held, clock.now() + 1)
    assert [token.used for token in one.tokens()] == [clock.now() + 1]
    assert other.remove_token("report")
    assert one.snapshot().tokens == {}


def test_who_may_look_is_known_to_all(connect: Open) -> None:
    """Users, sessions and shared links; a known door is the same object as long as nobody changes it."""
    one, other = connect().access, connect().access
    before = other.door()
    assert other.door(before) is before
    one.add_user("ann", "viewer", ["a.example"], "hash")
    ann = other.door(before).users["ann"]
    secret = other.open_session(ann)
    share, link = one.add_share("for Bob", "a.example")
    assert secret
    assert link
    door = connect().access.door(before)
    assert [*door.sessions] == [hash_of(secret)]
    assert door.shares == {hash_of(link): share}
    one.set_password("ann", "another")
    assert other.open_session(ann) is None
    assert other.door(door).sessions == {}
    assert other.remove_user("ann")
    assert one.door().users == {}


def test_what_is_declared_is_seen_by_all(connect: Open) -> None:
    """Goals, funnels and queries, until they are taken away."""
    one, other = connect(), connect()
    goal, funnel = Goal("order", ("event is purchase",), "2.50"), Funnel("way", (("path is /",), ("path is /b",)))
    one.add_goal("a.example", goal)
    other.add_funnel("a.example", funnel)
    one.queries.put(Query("pages", "select 1", "a.example", 7))
    assert other.snapshot().goals == {"a.example": (goal,)}
    assert one.snapshot().funnels == {"a.example": (funnel,)}
    assert other.queries.all() == [Query("pages", "select 1", "a.example", 7)]
    assert other.remove_goal("a.example", "order")
    assert one.remove_funnel("a.example", "way")
    assert other.queries.remove("pages")
    assert (one.snapshot().goals, other.snapshot().funnels, one.queries.all()) == ({}, {}, [])


def test_one_of_many_sends_a_report(connect: Open) -> None:
    """Of those who look at the same moment one sets out, and one begins."""
    registries = [connect() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        books = [registry.reports for registry in registries if isinstance(registry, SqliteRegistry)]
        claimed = [*pool.map(lambda book: book.claim("shop", "2026-02-09", 10), books)]
        begun = [*pool.map(lambda book: book.begin("shop", "2026-02-09", 10), books)]
    assert (claimed.count(True), begun.count(True)) == (1, 1)


def test_who_is_forgotten_is_so_for_all(connect: Open, clock: FakeClock) -> None:
    """Rows that are meant go; salts and secrets stay; its size is told."""
    one, other = connect(), connect()
    assert isinstance(one, SqliteRegistry)
    secret, salts = one.secret("a"), one.salts([TODAY])
    one.add_sites(["anna.example", "b.example"])
    other.notice("code", "from anna", clock.now())
    assert one.forget(lambda texts: ["anna" in text for text in texts]) == 2
    assert [*other.snapshot().sites] == ["b.example"]
    assert other.noticed(0) == []
    assert (other.secret("a"), other.salts([TODAY])) == (secret, salts)
    assert one.size() > 1_000
