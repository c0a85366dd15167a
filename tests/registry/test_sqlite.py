"""The embedded registry: its file."""

import multiprocessing
import sqlite3
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.errors import RegistryUnavailable, SettingsError
from pixelake.registry import sqlite
from pixelake.registry.sqlite import SECOND_LOOK, SqliteRegistry
from pixelake.testing import FakeClock

TODAY = date(2026, 2, 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the registry is."""
    return tmp_path / "registry" / "registry.sqlite"


def everything(path: Path) -> bytes:
    """Every byte that lies in the folder."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_salts_are_destroyed_for_good(path: Path) -> None:
    """No file has the bytes of a salt that was due for an hour; others stay, and the answer says how many went."""
    clock = FakeClock()
    registry = SqliteRegistry(path, clock=clock)
    old = registry.salts([TODAY])[TODAY]
    later = TODAY + timedelta(days=3)
    kept = registry.salts([later])[later]
    assert old in everything(path)
    assert registry.destroy_salts(clock.now()) == 0
    due = clock.now() + 4 * 86_400 * SECOND
    assert registry.destroy_salts(due) == 0
    assert registry.destroy_salts(due + SECOND_LOOK - 1) == 0
    registry.close()
    registry = SqliteRegistry(path, clock=clock)
    assert old in everything(path)
    assert registry.destroy_salts(due + SECOND_LOOK) == 1
    assert registry.destroy_salts(due + 2 * SECOND_LOOK) == 0
    assert old not in everything(path)
    assert registry.salts([later]) == {later: kept}
    assert kept in everything(path)
    registry.close()


def test_a_clock_that_was_wrong_for_a_while_costs_no_salt(path: Path) -> None:
    """What is due at one look alone stays, however far apart such looks are, and so does today's visitor."""
    clock = FakeClock()
    registry = SqliteRegistry(path, clock=clock)
    salts = registry.salts([TODAY])
    for _ in range(2):
        clock.advance(10 * 86_400)
        assert registry.destroy_salts(clock.now()) == 0
        assert registry.salts([TODAY]) == {}
        clock.advance(-10 * 86_400 + 7_200)
        assert registry.destroy_salts(clock.now()) == 0
        assert registry.salts([TODAY]) == salts
    registry.close()


def test_a_destroyed_salt_is_never_made_again(path: Path) -> None:
    """Also when the clock goes back to its day: no second salt makes two visitors of one. Other days have theirs."""
    clock = FakeClock()
    registry = SqliteRegistry(path, clock=clock)
    registry.salts([TODAY])
    clock.advance(10 * 86_400)
    registry.destroy_salts(clock.now())
    assert registry.destroy_salts(clock.now() + SECOND_LOOK) == 1
    clock.advance(-10 * 86_400)
    assert registry.salts([TODAY]) == {}
    tomorrow = TODAY + timedelta(days=1)
    assert set(registry.salts([TODAY, tomorrow])) == {tomorrow}
    registry.close()
    again = SqliteRegistry(path, clock=clock)
    assert again.salts([TODAY]) == {}
    again.close()


def test_the_files_are_for_the_owner_only(path: Path) -> None:
    """Nobody else may read the registry, its log included, nor look into its folder."""
    registry = SqliteRegistry(path)
    registry.secret("access_token")
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700
    registry.close()


def test_it_is_durable(path: Path) -> None:
    """Each commit is synced, and what is deleted is overwritten."""
    registry = SqliteRegistry(path)
    pragmas = {name: registry._database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous",)}
    assert pragmas == {"synchronous": 2}
    assert registry._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert registry._database.execute("PRAGMA secure_delete").fetchone() == (1,)
    registry.close()


def test_a_snapshot_is_read_once_a_version(path: Path) -> None:
    """As long as nothing changes the same snapshot is handed out, frozen."""
    registry = SqliteRegistry(path)
    registry.add_sites(["a.example"])
    snapshot = registry.snapshot()
    assert registry.snapshot() is snapshot
    with pytest.raises(TypeError):
        snapshot.sites["b.example"] = snapshot.sites["a.example"]  # type: ignore[index]
    registry.close()


def test_strangers_cannot_fill_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a bound, new names are no longer made sites."""
    monkeypatch.setattr(sqlite, "MAX_SITES", 3)
    registry = SqliteRegistry(path)
    registry.add_sites(f"{n}.example" for n in range(10))
    registry.add_sites(["one-more.example"])
    assert len(registry.snapshot().sites) == 3
    registry.close()


def test_a_zone_makes_no_site_beyond_the_bound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so; the zone of a site that is there can be changed all the same."""
    monkeypatch.setattr(sqlite, "MAX_SITES", 1)
    registry = SqliteRegistry(path)
    registry.set_zone("a.example", "Asia/Tokyo")
    for change in (registry.set_zone, registry.change_zone):
        with pytest.raises(SettingsError, match=r"no room for b\.example"):
            change("b.example", "Asia/Tokyo")
    registry.set_zone("a.example", "Europe/Zurich")
    assert {site: each.zones for site, each in registry.snapshot().sites.items()} == {
        "a.example": ((0, "Europe/Zurich"),)
    }
    registry.close()


def test_an_unknown_zone_is_refused(path: Path) -> None:
    """A default zone, or a site's, must be an IANA name; the hint says so."""
    for zone in ("Mars/Olympus", "", "../etc/passwd", "Europe"):
        with pytest.raises(SettingsError) as caught:
            SqliteRegistry(path, zone)
        assert "IANA" in caught.value.hint
    registry = SqliteRegistry(path)
    with pytest.raises(SettingsError):
        registry.set_zone("a.example", "Nowhere")
    registry.close()


def test_what_sqlite_says_becomes_an_error_with_a_hint(path: Path) -> None:
    """A file that is no database is reported as such, as broken infrastructure."""
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(RegistryUnavailable) as caught:
        SqliteRegistry(path)
    assert caught.value.hint
    registry = SqliteRegistry(path.with_name("other.sqlite"))
    registry._database.close()
    with pytest.raises(RegistryUnavailable):
        registry.snapshot()


def _add(path: Path, start: int) -> None:
    registry = SqliteRegistry(path, clock=FakeClock())
    for n in range(start, start + 10):
        registry.add_sites([f"{n}.example"])
    registry.salts([TODAY])
    registry.close()


def test_several_processes_begin_at_once(path: Path) -> None:
    """Processes that make the registry together, and change it together, lose nothing."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_add, args=(path, start)) for start in (0, 10, 20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    registry = SqliteRegistry(path)
    assert len(registry.snapshot().sites) == 30
    assert registry.snapshot().version == 31
    registry.close()
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM salts").fetchone() == (1,)
    database.close()


def apart(path: Path, say: str) -> list[str]:
    """What another process, which opens the registry and closes it again, says about it."""
    program = (
        "import sys; from pathlib import Path; from pixelake.registry.sqlite import SqliteRegistry;"
        f"registry = SqliteRegistry(Path(sys.argv[1])); {say}; registry.close()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, str(path)], stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def test_what_is_opened_twice_loses_nothing_to_who_comes_and_goes(path: Path) -> None:
    """Another process that closes the registry leaves its log to those of this one, who may have opened it twice."""
    first, second = SqliteRegistry(path), SqliteRegistry(path)
    first.add_sites(["before"])
    assert apart(path, "print(*registry.snapshot().sites)") == ["before"]
    first.add_sites(["after"])
    secret = second.secret("of both")
    assert apart(path, "print(*registry.snapshot().sites)") == ["after", "before"]
    assert apart(path, "print(registry.secret('of both'))") == [secret]
    first.close()
    second.close()


def test_salts_are_destroyed_at_once_in_a_restored_folder(path: Path) -> None:
    """Those that are due, without a second look; the others stay."""
    clock = FakeClock()
    registry = SqliteRegistry(path, retention=0, clock=clock)
    old = registry.salts([TODAY])
    assert old
    clock.advance(3 * 86_400)
    later = TODAY + timedelta(days=3)
    kept = registry.salts([later])
    assert registry.destroy_salts(clock.now(), at_once=True) == 1
    assert registry.salts([TODAY, later]) == kept
    registry.close()


def test_where_backups_are(path: Path) -> None:
    """Of each place what is there now, as far as we were told."""
    registry = SqliteRegistry(path)
    registry.remember_backups("/mnt/b", ["20261121T000000Z", "20261120T000000Z"])
    registry.remember_backups("s3://b/c", ["20261101T000000Z"])
    assert registry.backups() == {
        "/mnt/b": ["20261120T000000Z", "20261121T000000Z"],
        "s3://b/c": ["20261101T000000Z"],
    }
    registry.remember_backups("s3://b/c", [])
    assert registry.backups() == {"/mnt/b": ["20261120T000000Z", "20261121T000000Z"]}
    registry.close()


def test_one_that_a_newer_version_has_changed(path: Path) -> None:
    """A role of yesterday beside one of tomorrow: tables and columns that it does not know are none of its business."""
    SqliteRegistry(path).close()
    with sqlite3.connect(path) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            database.execute(f"ALTER TABLE {table} ADD COLUMN of_tomorrow TEXT DEFAULT 'x'")
        database.execute("CREATE TABLE of_tomorrow(a TEXT)")
    database.close()
    clock = FakeClock()
    registry = SqliteRegistry(path, retention=0, clock=clock)
    registry.set_zone("a.example", "Europe/Berlin", start=5)
    registry.set_policy("a.example", "withhold")
    registry.set_badge("a.example", True)
    registry.publish_badges({"a.example": 3})
    registry.notice("undeclared_proxy", "x", 1)
    registry.remember_backups("/b", ["x"])
    salts = registry.salts([TODAY])
    assert registry.salts([TODAY]) == salts
    assert registry.secret("a") == registry.secret("a")
    clock.advance(5 * 86_400)
    registry.destroy_salts(clock.now())
    assert registry.destroy_salts(clock.now() + SECOND_LOOK) == 1
    found = registry.snapshot()
    assert found.sites["a.example"].zones == ((0, "UTC"), (5, "Europe/Berlin"))
    assert found.badges == {"a.example": 3}
    assert [policy for _, policy in found.policies["a.example"]] == ["withhold"]
    assert registry.noticed(0)
    registry.close()


def test_what_is_meant_is_forgotten(path: Path) -> None:
    """Rows with a text that is meant go from every table, and no byte of them stays; secrets and salts do."""
    name = "zq7-secret-person"
    registry = SqliteRegistry(path, clock=FakeClock())
    registry.add_sites([f"{name}.example", "shop.example"])
    registry.set_policy(f"{name}.example", "withhold")
    registry.notice("undeclared_proxy", f"from {name}", 1)
    registry.notice("undeclared_proxy", "from elsewhere", 1)
    registry.remember_backups(f"/backups/{name}", ["20261121T190000Z"])
    secret, version = registry.secret("x"), registry.snapshot().version
    assert registry.forget(lambda texts: [name in text for text in texts]) == 3
    assert list(registry.snapshot().sites) == ["shop.example"]
    assert registry.snapshot().version > version
    assert [each.detail for each in registry.noticed(0)] == ["from elsewhere"]
    assert registry.secret("x") == secret
    assert list(registry.backups()) == [f"/backups/{name}"]
    assert f"from {name}".encode() not in everything(path)
    assert f"{name}.example".encode() not in everything(path)
    assert registry.forget(lambda texts: [name in text for text in texts]) == 0


def test_words_of_the_program_are_nobodys(path: Path) -> None:
    """Somebody who is called like a policy, a zone or a task takes none along."""
    registry = SqliteRegistry(path, clock=FakeClock())
    registry.set_policy("shop.example", "anonymous")
    registry.set_zone("shop.example", "Europe/Berlin")
    registry.begin_task("compact", 1)
    for name in ("anonymous", "Europe/Berlin", "compact"):
        assert registry.forget(lambda texts, name=name: [name in text for text in texts]) == 0  # type: ignore[misc]
    assert registry.snapshot().policies["shop.example"][0][1] == "anonymous"
    assert registry.forget(lambda texts: ["shop.example" in text for text in texts]) == 2


def test_another_zone_holds_from_now_on(path: Path) -> None:
    """What arrived before keeps its days; the same again changes nothing, a clock that goes back neither."""
    clock = FakeClock()
    registry = SqliteRegistry(path, clock=clock)
    assert registry.change_zone("a.example", "Asia/Kolkata") == 0
    start = registry.change_zone("a.example", "Europe/Zurich")
    assert start == clock.now() + sqlite.POLICY_DELAY
    assert registry.change_zone("a.example", "Europe/Zurich") == start
    registry.set_zone("a.example", "UTC", start + 5)
    assert registry.change_zone("a.example", "Asia/Tokyo") == start + 6
    with pytest.raises(SettingsError, match="Mars"):
        registry.change_zone("a.example", "Mars")
    zones = registry.snapshot().sites["a.example"].zones
    assert zones == ((0, "Asia/Kolkata"), (start, "Europe/Zurich"), (start + 5, "UTC"), (start + 6, "Asia/Tokyo"))
    registry.close()
