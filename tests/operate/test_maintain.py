"""Tests of `pixelake.operate.maintain`: the table of tasks, by hand and when they are due."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake.table import TableAlterer

from pixelake.cli import run as command
from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable, PixelakeError, RegistryUnavailable
from pixelake.operate import maintain
from pixelake.operate.maintain import AGAIN, TASKS, House, Outcome, Task, due, run, start
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.vacuum import hold, maintaining
from tests.warehouse.outcomes import START, event, outcome


@pytest.fixture
def clock() -> FakeClock:
    """21:00 UTC."""
    return FakeClock()


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    """A lake of one open hour, in which nothing is due to go."""
    with closing(SqliteRegistry(tmp_path / "registry" / "r.sqlite", clock=clock)) as registry:
        place = tmp_path / "lake"
        lake = Lake(place, clock)
        for position in range(1, 10):
            lake.write(outcome([event("p", position)]))
        yield House(lambda: Lake(place, clock), place, registry, 600.0, 0, 0, clock)


def names(house: House) -> list[str]:
    """Of the tasks that are due."""
    return [task.name for task in due(house)]


def test_tasks_are_done_again_and_again() -> None:
    """At once, and then each time the interval is over, also after a failure; until told to stop."""
    stop, often = threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise PixelakeError("no luck")
        if len(runs) >= 3:
            often.set()

    start([Task("try", 0.01, work)], stop)
    assert often.wait(30)
    stop.set()


def test_slow_tasks_do_not_hold_others() -> None:
    """Each has a thread of its own."""
    stop, done, go = threading.Event(), threading.Event(), threading.Event()
    start([Task("wait", 1, lambda: go.wait(60)), Task("do", 1, done.set)], stop)
    assert done.wait(30)
    go.set()
    stop.set()


def test_a_task_is_due_when_its_time_has_come(house: House, clock: FakeClock) -> None:
    """Each by its own rhythm, counted from its begin; and if the clock went back."""
    assert names(house) == ["salts", "retain", "compact", "rollup", "vacuum"]
    run(house, due(house))
    assert names(house) == []
    clock.advance(300)
    assert names(house) == ["compact", "rollup"]
    clock.advance(3_300)
    assert names(house) == ["salts", "retain", "compact", "rollup", "vacuum"]
    run(house, due(house))
    clock.microseconds -= 7_200 * SECOND
    assert names(house) == ["salts", "retain", "compact", "rollup", "vacuum"]


def test_all_of_them_leave_a_whole_lake(house: House, clock: FakeClock) -> None:
    """Rows of an age leave, files become few, replaced ones go when history is over; the registry knows it all."""
    house.registry.set_retention("shop", 1)
    done = {each.task: each for each in run(house, list(TASKS.values()), by_hand=True)}
    assert not any(each.error for each in done.values())
    assert done["compact"].figures["files_before"] == 9
    assert done["vacuum"].figures["events"]["files"] == 0
    clock.advance(2 * 86_400 + 601)
    done = {each.task: each for each in run(house, list(TASKS.values()), by_hand=True)}
    assert done["retain"].figures == {"events": 9, "rejects": 0, "day": "2026-02-12"}
    assert done["vacuum"].figures["events"]["files"] == 9
    sums = LakeReader(house.place).sums()
    assert (sums.in_lake, sums.removed, sums.holds) == (0, 9, True)
    known = house.registry.tasks()
    assert {name: each.error for name, each in known.items()} == dict.fromkeys(TASKS, "")
    assert known["retain"].done == "9 events and 0 rejects were older than they may be"
    assert known["retain"].succeeded == known["retain"].ended == clock.now()


def test_one_that_fails_holds_up_no_other(house: House, clock: FakeClock) -> None:
    """It is told, and tried again soon; when it last went well is still known."""
    run(house, list(TASKS.values()))
    went_well = clock.now()
    clock.advance(3_600)
    with hold(house.place):
        done = {each.task: each for each in run(house, [TASKS["vacuum"], TASKS["salts"]])}
    assert done["vacuum"].error == "a backup of the lake holds its files"
    assert done["vacuum"].hint
    assert not done["salts"].error
    last = house.registry.tasks()["vacuum"]
    assert (last.error, last.succeeded) == ("a backup of the lake holds its files", went_well)
    clock.advance(AGAIN - 1)
    assert "vacuum" not in names(house)
    clock.advance(1)
    assert "vacuum" in names(house)


def test_a_run_that_was_killed_is_not_repeated_at_once(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kills the process must not do so all the time; the lock is free."""

    def killed(*_: Any) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setitem(maintain.TASKS, "vacuum", maintain.Chore("vacuum", 3_600, True, killed))
    with pytest.raises(KeyboardInterrupt):
        run(house, [maintain.TASKS["vacuum"]])
    assert house.registry.tasks()["vacuum"].ended == 0
    assert "vacuum" not in names(house)
    run(house, [TASKS["salts"]])


def test_one_at_a_time(house: House) -> None:
    """Whoever comes second is told so, and nothing is done."""
    with maintaining(house.place), pytest.raises(LakeUnavailable, match="maintained by somebody else"):
        run(house, list(TASKS.values()))
    assert house.registry.tasks() == {}


def test_little_is_done_for_nothing(house: House, clock: FakeClock) -> None:
    """Compaction is wanted when files are many; retention when something has an age."""
    assert TASKS["compact"].is_wanted(house)
    run(house, [TASKS["compact"]], by_hand=True)
    assert not TASKS["compact"].is_wanted(house)
    assert not TASKS["retain"].is_wanted(house)
    house.registry.set_retention("shop", 0)
    assert not TASKS["retain"].is_wanted(house)
    house.registry.set_retention("blog", 3)
    assert TASKS["retain"].is_wanted(house)
    assert run(house, [TASKS["compact"]])[0].text == "nothing to compact"


def test_a_full_disk_keeps_nothing_from_being_freed(
    house: House, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the registry nor Delta's own commits can be written: replaced files go all the same."""
    run(house, [TASKS["compact"]], by_hand=True)
    clock.advance(601)

    def full(*_: Any, **__: Any) -> None:
        raise RegistryUnavailable("database or disk is full")

    def no_space(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteRegistry, "begin_task", full)
    monkeypatch.setattr(SqliteRegistry, "end_task", full)
    monkeypatch.setattr(TableAlterer, "set_table_properties", no_space)
    (done,) = run(house, [TASKS["vacuum"]])
    assert not done.error
    assert done.figures["events"]["files"] == 9


def test_progress_is_told(house: House) -> None:
    """To who watches."""
    heard: list[tuple[int, int]] = []
    run(house, [TASKS["compact"]], lambda done, total: heard.append((done, total)), by_hand=True)
    assert heard[0] == (0, 9)
    assert heard[-1] == (9, 9)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with a lake of two days; one of them long ago."""
    folder = tmp_path / "data"
    folder.mkdir()
    assert command(["sites", "add", "shop", "--data", str(folder)]) == 0
    lake = Lake(folder / "lake")
    for position, age in enumerate((0, 0, 4_000, 4_000), 1):
        lake.write(outcome([event("p", position, received_at=START - timedelta(days=age))]))
    return folder


def test_by_hand(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each task by its name, all of them, or those that are due; text or JSON."""
    at = ["--data", str(data)]
    capsys.readouterr()
    assert command(["sites", "retention", "shop", "3000", *at]) == 0
    assert command(["maintain", "retain", *at]) == 0
    assert capsys.readouterr().out == "2 events and 0 rejects were older than they may be\n"
    assert command(["maintain", "compact", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["files_before"] == 2
    assert command(["maintain", "vacuum", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["events"]["files"] == 0
    assert command(["maintain", "rollup", *at]) == 0
    capsys.readouterr()
    assert command(["maintain", *at]) == 0
    assert re.fullmatch(r"salts {4}no salt is due \(\d+\.\d s\)\n", capsys.readouterr().out)
    assert command(["maintain", *at]) == 0
    assert capsys.readouterr().out == "nothing is due\n"
    assert command(["maintain", "all", "--json", *at]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(TASKS)


def test_what_fails_by_hand_is_one_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a hint, and exit status 1; the other tasks were done."""
    at = ["--data", str(data)]
    capsys.readouterr()
    with hold(data / "lake"):
        assert command(["maintain", "vacuum", *at]) == 1
        told = capsys.readouterr()
        assert (told.out, told.err) == (
            "",
            "pixelake: a backup of the lake holds its files (wait for it, and try again)\n",
        )
        assert command(["maintain", "all", *at]) == 1
        told = capsys.readouterr()
        assert told.err == "pixelake: vacuum failed (wait for it, and try again)\n"
        assert "compact" in told.out
    with maintaining(data / "lake"):
        assert command(["maintain", "all", *at]) == 1
    assert "maintained by somebody else" in capsys.readouterr().err


def test_ages_are_shown_and_checked(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the list of sites; words and numbers that are none are refused."""
    at = ["--data", str(data)]
    for days, shown in (("30", 30), ("0", None), ("default", 7)):
        assert command(["sites", "retention", "shop", days, *at]) == 0
        capsys.readouterr()
        assert command(["sites", "list", "--format", "json", "--lake-retention", "7", *at]) == 0
        assert json.loads(capsys.readouterr().out)[0]["retention"] == shown
    for days in ("-1", "nan", "36501", "1e3", "never", ""):
        assert command(["sites", "retention", "shop", *at, "--", days]) == 2
    assert command(["sites", "retention", "a/b", "3", *at]) == 2


def test_days_that_are_over_are_counted(house: House, clock: FakeClock) -> None:
    """Wanted once one is, and when one has changed; nothing to do is told so."""
    assert not TASKS["rollup"].is_wanted(house)
    clock.advance(86_400)
    assert TASKS["rollup"].is_wanted(house)
    heard: list[tuple[int, int]] = []
    done = run(house, [TASKS["rollup"]], lambda done, total: heard.append((done, total)))[0]
    assert (done.text, done.error) == ("1 days counted and 0 months joined", "")
    assert heard == [(1, 1)]
    assert not TASKS["rollup"].is_wanted(house)
    assert run(house, [TASKS["rollup"]])[0].text == "each day that is over is counted"
    house.lake().write(outcome([event("p", 10)]))
    assert TASKS["rollup"].is_wanted(house)
    assert run(house, [TASKS["rollup"]])[0].figures == {"days": 1, "months": 0, "dropped": 1, "waiting": 0}
    assert run(house, [maintain.BY_HAND["rebuild"]])[0].figures["days"] == 1


def test_roll_ups_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What lacks; or everything, anew. As text or JSON."""
    folder = tmp_path / "data"
    folder.mkdir()
    at = ["--data", str(folder)]
    assert command(["sites", "add", "shop", *at]) == 0
    Lake(folder / "lake").write(outcome([event("p", position) for position in (1, 2)]))
    capsys.readouterr()
    assert command(["maintain", "rollup", "--json", *at]) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["days"] > 0
    assert command(["maintain", "rollup", *at]) == 0
    assert capsys.readouterr().out == "each day that is over is counted\n"
    assert command(["maintain", "rollup", "--rebuild", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["days"] == first["days"]
