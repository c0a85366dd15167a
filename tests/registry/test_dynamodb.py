"""The registry in a table of DynamoDB: its states, who is faster, and what is left behind."""

import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from pixelake.clock import SECOND
from pixelake.errors import PixelakeError, RegistryUnavailable, SettingsError
from pixelake.registry import dynamodb as kept
from pixelake.registry.dynamodb import DynamoRegistry
from pixelake.registry.sqlite import SECOND_LOOK
from pixelake.stream import aws
from pixelake.testing import FakeClock
from pixelake.warehouse.dynamodb import Table
from tests.stream.aws import Faulty, error, unreachable

TODAY = date(2026, 2, 10)

Open = Callable[..., DynamoRegistry]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands, and on which sleeping takes no time."""
    return FakeClock()


@pytest.fixture
def connect(dynamodb: str, clock: FakeClock, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the same registry again and again, by clients of one's own."""
    monkeypatch.setattr(aws, "WAITS", (0.001, 0.002, 0.004))

    def connect(client: Any = None, trusted: float = 0.0, name: str = dynamodb) -> DynamoRegistry:
        table = Table(name, failure=RegistryUnavailable, client=client)
        registry = DynamoRegistry(table, clock=clock, trusted=trusted)
        request.addfinalizer(registry.close)
        return registry

    return connect


def _items(name: str) -> list[dict[str, Any]]:
    return list(Table(name).query(kept.PK))


def _states(name: str) -> dict[str, bytes]:
    """Every state of which the table has parts, by its folder: as a database."""
    parts: dict[str, bytes] = {}
    for item in _items(name):
        if item["sk"].startswith("part/"):
            folder = item["sk"].rpartition("/")[0]
            parts[folder] = parts.get(folder, b"") + item["data"]
    return {folder: zlib.decompress(data) for folder, data in parts.items()}


def test_to_look_makes_nothing(connect: Open, dynamodb: str) -> None:
    """A new table stays empty until somebody changes something; then it holds one state and its head."""
    assert connect().snapshot().sites == {}
    assert connect().overdue_salts(0) == 0
    assert _items(dynamodb) == []
    connect().add_sites(["a.example"])
    connect().add_sites(["b.example"])
    assert [item["sk"].partition("/")[0] for item in _items(dynamodb)] == ["head", "part"]


def test_all_that_come_at_once_are_kept(connect: Open, dynamodb: str) -> None:
    """Each of many who change something else at the same moment finds it there, and only the last state is left."""
    registries = [connect() for _ in range(8)]
    names = [f"{number}.example" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda registry, name: registry.add_sites([name]), registries, names))
        tokens = list(pool.map(lambda registry, name: registry.add_token(name), registries, names))
    found = connect().snapshot()
    assert sorted(found.sites) == names
    assert sorted(token.name for token in found.tokens.values()) == names
    assert len(set(tokens)) == 8
    connect().destroy_secret("none")
    assert len(_states(dynamodb)) == 1


_ADDER = """
import sys
from pixelake.errors import RegistryUnavailable
from pixelake.registry.dynamodb import DynamoRegistry
from pixelake.warehouse.dynamodb import Table
registry = DynamoRegistry(Table(sys.argv[1], failure=RegistryUnavailable))
for number in range(5):
    registry.add_sites([f"{sys.argv[2]}{number}.example"])
    print(registry.secret(f"secret{number}"))
"""


def test_processes_agree(connect: Open, dynamodb: str) -> None:
    """What several processes make at once is there, and all of them hear the same secrets."""
    command = [sys.executable, "-c", _ADDER, dynamodb]
    adding = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "abc"]
    said = [process.communicate(timeout=60)[0].split() for process in adding]
    assert len(said[0]) == 5
    assert said[0] == said[1] == said[2]
    assert sorted(connect().snapshot().sites) == [f"{name}{number}.example" for name in "abc" for number in range(5)]


def test_killed_before_the_head_moved(connect: Open, dynamodb: str) -> None:
    """The old state stays the present one; what was left beside it goes with the next change."""
    connect().add_sites(["a.example"])
    killed = connect(Faulty("dynamodb", put_item=[error("AccessDeniedException")]))
    with pytest.raises(RegistryUnavailable):
        killed.add_sites(["lost.example"])
    assert len(_states(dynamodb)) == 2
    assert list(connect().snapshot().sites) == ["a.example"]
    connect().add_sites(["b.example"])
    connect().add_sites(["c.example"])
    assert len(_states(dynamodb)) == 1
    assert list(killed.snapshot().sites) == ["a.example", "b.example", "c.example"]


def test_killed_before_the_old_state_was_deleted(connect: Open, dynamodb: str) -> None:
    """The new state is the present one, nobody is told otherwise, and the next change deletes both older ones."""
    connect().add_sites(["a.example"])
    killed = connect(Faulty("dynamodb", batch_write_item=[lambda **_: None, unreachable], query=[lambda **_: None]))
    killed.add_sites(["b.example"])
    assert len(_states(dynamodb)) == 2
    assert list(connect().snapshot().sites) == ["a.example", "b.example"]
    connect().add_sites(["c.example"])
    assert len(_states(dynamodb)) == 1


def test_an_answer_that_is_lost(connect: Open, dynamodb: str) -> None:
    """A change that was made although the service said that it is busy is made once, and is no conflict with itself."""
    connect().add_sites(["a.example"])
    real = aws.client("dynamodb")

    def lost(**arguments: Any) -> Any:
        real.put_item(**arguments)
        return error("InternalServerError", 500)()

    client = Faulty("dynamodb", real, put_item=[lost])
    token = connect(client).add_token("report")
    assert client.count("put_item") == 2
    assert len(connect().tokens()) == 1
    assert token
    assert len(_states(dynamodb)) == 1


def test_who_tidies_late_deletes_nothing_that_comes(connect: Open, dynamodb: str) -> None:
    """Who is about to lead the head to a state finds its parts there, though somebody tidies meanwhile."""
    connect().add_sites(["a.example"])
    slow = connect()
    real = aws.client("dynamodb")

    def meanwhile(**_: Any) -> None:
        slow.add_sites(["b.example"])  # tidies while the other one's parts are there, and its head is not
        slow.add_sites(["c.example"])

    connect(Faulty("dynamodb", real, put_item=[meanwhile])).add_sites(["d.example"])
    assert sorted(connect().snapshot().sites) == [f"{name}.example" for name in "abcd"]

    behind = Faulty("dynamodb", real, query=[lambda **_: None, lambda **_: slow.add_sites(["f.example"]) or None])
    connect(behind).add_sites(["e.example"])
    assert sorted(connect().snapshot().sites) == [f"{name}.example" for name in "abcdef"]
    assert len(_states(dynamodb)) == 1


def test_what_is_read_may_be_a_second_old(connect: Open, clock: FakeClock) -> None:
    """Within a second nobody asks; then, and as soon as one of the clocks says so, what others changed is seen."""
    client = Faulty("dynamodb")
    registry, other = connect(client, trusted=1.0), connect()
    asked = len(client.calls)
    other.add_sites(["a.example"])
    assert registry.snapshot().sites == {}
    assert len(client.calls) == asked
    clock.advance(1)
    assert list(registry.snapshot().sites) == ["a.example"]
    for change in (lambda: setattr(clock, "seconds", clock.seconds + 1), lambda: setattr(clock, "microseconds", 5)):
        version = registry.snapshot().version
        other.set_badge("a.example", has=not registry.snapshot().badges)
        assert registry.snapshot().version == version
        change()
        assert registry.snapshot().version > version


def test_nothing_is_decided_on_what_is_old(connect: Open) -> None:
    """Within that second, too, salts, secrets and claims are those of whoever was first, and names are taken."""
    one, other = connect(trusted=3_600.0), connect(trusted=3_600.0)
    assert one.salts([TODAY]) == other.salts([TODAY])
    assert one.secret("a") == other.secret("a")
    assert one.reports.claim("shop", "2026-02-09", 10)
    assert not other.reports.claim("shop", "2026-02-09", 11)
    one.add_token("report")
    with pytest.raises(SettingsError):
        other.add_token("report")
    one.add_token("second")
    assert other.remove_token("second")
    assert not one.remove_token("second")


def test_a_session_that_was_ended(connect: Open, clock: FakeClock) -> None:
    """Ends in all other processes within the second, and is not opened again by its use."""
    one, other = connect(trusted=1.0), connect(trusted=1.0)
    secret = one.access.open_session()
    clock.advance(1)
    (held,) = other.access.door().sessions
    one.access.close_session(held)
    other.access.use_session(held)
    assert other.access.door().sessions == {}
    assert secret


def test_salts_are_destroyed_for_good(connect: Open, dynamodb: str, clock: FakeClock) -> None:
    """No state in the table has the bytes of a salt that was destroyed, also none that was left by who was killed."""
    registry = connect()
    salt = registry.salts([TODAY])[TODAY]
    with pytest.raises(RegistryUnavailable):
        connect(Faulty("dynamodb", put_item=[error("AccessDeniedException")])).add_sites(["lost.example"])
    assert all(salt in state for state in _states(dynamodb).values())
    due = clock.now() + 4 * 86_400 * SECOND
    assert registry.destroy_salts(due) == 0
    assert registry.destroy_salts(due + SECOND_LOOK) == 1
    assert [salt in state for state in _states(dynamodb).values()] == [False]
    assert connect().salts([TODAY]).get(TODAY) != salt
    kept_on = connect().salts([TODAY + timedelta(days=9)])
    assert connect().destroy_salts(due + 2 * SECOND_LOOK) == 0
    assert connect().salts(list(kept_on)) == kept_on


def test_who_is_forgotten_leaves_no_byte(connect: Open, dynamodb: str) -> None:
    """Neither does a secret that is destroyed."""
    registry = connect()
    registry.add_sites(["anna-7134.example", "b.example"])
    secret = registry.secret("import/1")
    registry.destroy_secret("import/1")
    assert registry.forget(lambda texts: ["anna-7134" in text for text in texts]) == 1
    (state,) = _states(dynamodb).values()
    assert b"anna-7134" not in state
    assert secret.encode() not in state
    assert list(connect().snapshot().sites) == ["b.example"]


def test_a_large_one_has_many_parts(connect: Open, dynamodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one call writes, and in the right order; those of an older state go."""
    monkeypatch.setattr(kept, "PART", 100)
    names = [f"{number}.example" for number in range(2_000)]
    connect().add_sites(names)
    connect().add_sites(["last.example"])
    assert len(_items(dynamodb)) > 60
    assert sorted(connect().snapshot().sites) == sorted([*names, "last.example"])
    assert len(_states(dynamodb)) == 1


def test_strangers_cannot_fill_it(connect: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound new names are no longer made sites; to declare one says so."""
    monkeypatch.setattr(kept, "MOST_SITES", 3)
    registry = connect()
    registry.add_sites([f"{number}.example" for number in range(9)])
    assert len(registry.snapshot().sites) == 3
    with pytest.raises(SettingsError, match="no room"):
        registry.set_zone("new.example", "UTC")


def test_states_of_an_older_program(connect: Open, dynamodb: str) -> None:
    """A table that it did not know is there; what it did know is kept."""
    connect().add_sites(["a.example"])
    (state,) = _states(dynamodb).values()
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.deserialize(state)
    database.execute("DROP TABLE queries")
    packed = zlib.compress(database.serialize())
    head = Table(dynamodb).get(kept.HEAD)
    assert head
    (part,) = [item for item in _items(dynamodb) if item["sk"] != "head"]
    Table(dynamodb).put({**part, "data": packed})
    Table(dynamodb).put({**head, "digest": kept._digest(packed)})
    registry = connect()
    assert registry.queries.all() == []
    assert list(registry.snapshot().sites) == ["a.example"]


@pytest.mark.parametrize("damage", ["gone", "cut", "garbage"])
def test_parts_that_somebody_else_has_damaged(connect: Open, dynamodb: str, damage: str) -> None:
    """It is told in a line, with a hint, and no other registry is begun."""
    connect().add_sites(["a.example"])
    (part,) = [item for item in _items(dynamodb) if item["sk"] != "head"]
    if damage == "gone":
        Table(dynamodb).delete((kept.PK, part["sk"]))
    else:
        Table(dynamodb).put({**part, "data": part["data"][:-1] if damage == "cut" else b"x" * 99})
    with pytest.raises(RegistryUnavailable, match="parts of it are missing") as raised:
        connect()
    assert raised.value.hint


def test_a_table_of_somebody_else(connect: Open, dynamodb: str) -> None:
    """An item in the place of the head that is none is told in a line, and stays."""
    item = {"pk": kept.PK, "sk": "head", "version": 3}
    Table(dynamodb).put(item)
    with pytest.raises(RegistryUnavailable, match="no 'mark'") as raised:
        connect()
    assert raised.value.hint
    assert _items(dynamodb) == [item]


def test_a_table_that_was_emptied(connect: Open, dynamodb: str) -> None:
    """Who has known its registry begins no other one; neither to look nor to change something."""
    registry, looking = connect(), connect()
    registry.add_sites(["a.example"])
    assert looking.snapshot().sites
    Table(dynamodb).write_many(gone=[(item["pk"], item["sk"]) for item in _items(dynamodb)])
    for ask in (looking.snapshot, lambda: registry.add_sites(["b.example"]), registry.snapshot):
        with pytest.raises(RegistryUnavailable, match="it is gone"):
            ask()
    assert _items(dynamodb) == []


def test_a_table_that_is_none(connect: Open) -> None:
    """It says so when it is opened, in one line, and what to do."""
    with pytest.raises(RegistryUnavailable, match="ResourceNotFound") as raised:
        connect(name="no-such-table")
    assert "\n" not in str(raised.value)
    assert "pk and sk" in raised.value.hint


@pytest.mark.parametrize("fault", [unreachable, error("AccessDeniedException")])
def test_it_is_away_for_a_while(connect: Open, fault: Callable[..., Any]) -> None:
    """What fails is told, nothing is changed, and it works again as soon as the table does."""
    registry = connect(Faulty("dynamodb", get_item=[lambda **_: None, fault, fault]))
    for ask in (registry.snapshot, lambda: registry.add_sites(["a.example"])):
        with pytest.raises(PixelakeError) as raised:
            ask()
        assert isinstance(raised.value, RegistryUnavailable)
        assert raised.value.hint
    registry.add_sites(["a.example"])
    assert list(connect().snapshot().sites) == ["a.example"]


def test_a_busy_table_is_asked_again(connect: Open) -> None:
    """A few times, then it is told."""
    busy = error("ProvisionedThroughputExceededException")
    connect(Faulty("dynamodb", put_item=[busy, busy])).add_sites(["a.example"])
    assert list(connect().snapshot().sites) == ["a.example"]
    with pytest.raises(RegistryUnavailable):
        connect(Faulty("dynamodb", put_item=[busy] * 9)).add_sites(["b.example"])
    assert list(connect().snapshot().sites) == ["a.example"]


def test_others_change_it_all_the_time(connect: Open, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried a bounded number of times, with waits, and then told; what was to be changed is not."""
    monkeypatch.setattr(kept, "TRIES", 9)
    registry = connect()
    registry.add_sites(["a.example"])
    fast = connect()

    def faster(**_: Any) -> None:
        fast.notice("code", "", clock.now())

    slow = connect(Faulty("dynamodb", put_item=[faster] * kept.TRIES))
    with pytest.raises(RegistryUnavailable, match="all the time"):
        slow.add_sites(["b.example"])
    assert len(clock.slept) == kept.TRIES - 1
    assert max(clock.slept) <= kept.PAUSE[1] * 1.5
    assert list(slow.snapshot().sites) == ["a.example"]
