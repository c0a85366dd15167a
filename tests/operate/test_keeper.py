"""Tests of `pixelake.operate.keeper`: what is due is done beside a consumer."""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pixelake import build, telemetry
from pixelake.operate import keeper, maintain
from pixelake.operate.folder import occupied
from pixelake.operate.keeper import Keeper, Tidy, in_child, run_heavy
from pixelake.operate.maintain import Chore, House
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.testing import FakeClock
from pixelake.warehouse import place
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.vacuum import maintaining
from tests.warehouse.outcomes import event, outcome


@pytest.fixture
def clock() -> FakeClock:
    """21:00 UTC."""
    return FakeClock()


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    """A lake with many small files."""
    with closing(SqliteRegistry(tmp_path / "registry" / "r.sqlite", clock=clock)) as registry:
        folder = tmp_path / "lake"
        lake = Lake(folder, clock)
        for position in range(1, 13):
            lake.write(outcome([event("p", position)]))
        yield House(lambda: Lake(folder, clock), folder, registry, 600.0, 0, 0, clock)


def apart(house: House, runs: list[int], status: int = 0) -> Callable[[threading.Event], int]:
    """Does in this process what a child would do; or dies."""

    def run(_: threading.Event) -> int:
        runs.append(1)
        if status:
            house.registry.begin_task("compact", house.clock.now())
        else:
            run_heavy(house)
        return status

    return run


def test_heavy_tasks_run_apart_at_the_second_look(house: House, clock: FakeClock) -> None:
    """Light ones at once; and later only if something is due and there is something to do."""
    runs: list[int] = []
    keeps, stop = Keeper(house, apart(house, runs)), threading.Event()
    keeps.look(stop)
    assert runs == []
    assert list(house.registry.tasks()) == ["salts"]
    keeps.look(stop)
    assert runs == [1]
    assert list(house.registry.tasks()) == ["compact", "retain", "rollup", "salts", "vacuum"]
    assert house.registry.tasks()["retain"].done == "nothing to do"
    log = DeltaLog(house.place / "events")
    log.refresh()
    assert len(log.files) < 12
    clock.advance(300)
    keeps.look(stop)
    assert runs == [1], "compaction is due, but there is nothing to compact"
    clock.advance(7_200)
    keeps.look(stop)
    assert runs == [1, 1], "for the vacuum"
    known = house.registry.tasks()
    assert {name: each.succeeded for name, each in known.items()} == dict.fromkeys(known, clock.now()), "all is well"


def test_a_process_that_dies_is_noted(house: House, clock: FakeClock) -> None:
    """It has failed, and is tried again after a while."""
    runs: list[int] = []
    keeps, stop = Keeper(house, apart(house, runs, -9)), threading.Event()
    keeps.look(stop)
    keeps.look(stop)
    last = house.registry.tasks()["compact"]
    assert last.error == "it was cut short: its process ended with status -9"
    assert last.succeeded == 0
    assert telemetry.gauge("pixelake_maintain_failing").labels(task="compact")._value.get() == 1
    clock.advance(maintain.AGAIN)
    keeps.look(stop)
    assert runs == [1, 1]


def test_nobody_is_disturbed(house: House) -> None:
    """Who maintains the lake by hand: no process is started for nothing."""
    runs: list[int] = []
    keeps, stop = Keeper(house, apart(house, runs)), threading.Event()
    keeps.look(stop)
    with maintaining(house.place):
        keeps.look(stop)
        run_heavy(house)
    assert runs == []
    assert list(house.registry.tasks()) == ["salts"]


def test_a_lake_that_is_away_keeps_no_salt(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no lake is done, and told, all the same."""
    keeps, stop = Keeper(house, apart(house, [])), threading.Event()
    keeps.look(stop)
    away = Chore("vacuum", 3_600, True, maintain.TASKS["vacuum"].run, lambda _: 1 / 0 > 1)
    monkeypatch.setitem(maintain.TASKS, "vacuum", away)
    house.clock.sleep(3_600)
    with pytest.raises(ZeroDivisionError):
        keeps.look(stop)
    shown = telemetry.gauge("pixelake_maintain_success_timestamp_seconds").labels(task="salts")._value.get()
    assert shown == house.clock.now() / 1e6


def test_metrics_tell_when_it_last_went_well(house: House, clock: FakeClock) -> None:
    """So that an alert can tell that it does not."""
    Keeper(house, apart(house, [])).look(threading.Event())
    shown = telemetry.gauge("pixelake_maintain_success_timestamp_seconds").labels(task="salts")._value.get()
    assert shown == clock.now() / 1e6


def test_the_open_hour_has_few_files(house: House, clock: FakeClock) -> None:
    """However many commits there are between two compactions; and it rests when nothing was written."""
    tidy, lake, most = Tidy(house), house.lake(), 0
    log = DeltaLog(house.place / "events")
    for position in range(13, 60):
        lake.write(outcome([event("p", position)]))
        clock.advance(5)
        if position % 2:
            tidy.look()
        log.refresh()
        most = max(most, len(log.files)) if position > 14 else 0
    assert most <= 8
    before = log.version
    assert tidy.look() == 0
    log.refresh()
    assert log.version == before
    with Lakehouse(house.place) as asked:
        assert asked.ask("select count(*) n, sum(position)::bigint s from events").to_pylist() == [
            {"n": 59, "s": 59 * 30}
        ]


def test_closed_hours_and_large_files_are_for_a_process_of_its_own(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread beside the consumer must not take long, nor much memory."""
    monkeypatch.setattr(keeper, "TIDY_BYTES", 100)
    assert Tidy(house).look() == 0
    monkeypatch.undo()
    clock.advance(86_400)
    assert Tidy(house).look() == 0
    assert maintain.TASKS["compact"].is_wanted(house)


def test_to_look_again_is_to_read_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a minute, and in a bucket each entry of the log that is looked at is a request."""
    seen, real, counts = [], place.tag, []

    def tag(where: Place) -> Hashable | None:
        seen.append(where.name)
        return real(where)

    monkeypatch.setattr(place, "tag", tag)
    for position in range(13, 16):
        seen.clear()
        keeper.wanted(house, maintain.due(house))
        counts.append(len(seen))
        house.lake().write(outcome([event("p", position)]))
    assert counts[0] > 15
    assert counts[1] == counts[2] <= 8  # it would be 33, then 35


def test_it_looks_again_after_a_failure(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a lake that is opened anew."""
    tidy = Tidy(house)
    with monkeypatch.context() as broken:
        broken.setattr(Lake, "plan", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tidy.look()
    assert tidy.look() > 0


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose lake has many small files of a closed hour, and a folder to count in."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "metrics"))
    (tmp_path / "metrics").mkdir()
    folder = tmp_path / "data"
    with occupied(folder, ["consume"]):
        lake = Lake(folder / "lake")
        for position in range(1, 9):
            lake.write(outcome([event("p", position)]))
    return folder


def test_a_process_does_it_and_ends(data: Path) -> None:
    """What is due and wanted; how it went is in the registry."""
    settings = Settings(data=data)
    assert in_child(settings)(threading.Event()) == 0
    log = DeltaLog(data / "lake" / "events")
    log.refresh()
    assert len(log.files) == 1
    with closing(build.registry(settings)) as registry:
        assert {name: each.error for name, each in registry.tasks().items()} == {
            "compact": "",
            "rollup": "",
            "vacuum": "",
        }


def test_a_process_ends_with_its_consumer(data: Path) -> None:
    """At once: whatever it was about to do is left to the next one, and the lake is whole."""
    stop = threading.Event()
    stop.set()
    assert in_child(Settings(data=data))(stop) == 1
    log = DeltaLog(data / "lake" / "events")
    log.refresh()
    assert log.rows() == 8
