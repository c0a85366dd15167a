"""Tests of `pixelake.warehouse.rollup`: what is made, what holds, and what happens to what does not."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.event import Field
from pixelake.operate.compaction import compact
from pixelake.registry.goals import Goal
from pixelake.testing import FakeClock
from pixelake.warehouse import durable
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.rollup import manifest
from pixelake.warehouse.rollup.build import BEHIND, Builder
from pixelake.warehouse.rollup.kept import Keeping
from pixelake.warehouse.schema import events_schema
from pixelake.warehouse.zones import fixed
from tests.s3 import MISSING, Server
from tests.warehouse.outcomes import event, outcome
from tests.warehouse.rollup.worlds import Rows, lakehouse

objects = pytest.importorskip("pixelake.warehouse.objects", reason=MISSING, exc_type=ImportError)

FIRST = datetime(2026, 1, 30, tzinfo=UTC)
UTC_ONLY = Clocks(fixed("UTC"), {})


DAYS = (0, 1, 2, 15, 31)
"""When there was an event: on some days of a month, and before and after it."""


def rows(start: int = 1, days: Sequence[int] = DAYS, **columns: Any) -> list[dict[str, Any]]:
    """An event at noon of each of these days."""
    return [
        event("a", start + at, received_at=FIRST + timedelta(days=day, hours=12), host="h", path="/", **columns)
        for at, day in enumerate(days)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake of 32 days, with a whole February; five events."""
    Lake(tmp_path / "lake").write(outcome(rows()))
    return tmp_path / "lake"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with its roll-ups."""
    place = tmp_path_factory.mktemp("template") / "lake"
    Lake(place).write(outcome(rows()))
    assert builder(place).run() == (33, 3, 0, 0)
    return place


@pytest.fixture
def built(template: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(template, tmp_path / "built")


def builder(folder: Place, clocks: Clocks = UTC_ONLY, at: datetime = FIRST + timedelta(days=60)) -> Builder:
    """What makes roll-ups at a time."""
    return Builder(folder, clocks, clock=FakeClock(round(at.timestamp()) * SECOND))


def ask(
    folder: Place, clocks: Clocks = UTC_ONLY, question: str = "overview", until: int = 400, **more: Any
) -> tuple[int, set[str]]:
    """How many hits there are, up to so many days later, and where the answer came from."""
    with lakehouse(folder) as house:
        answer = Questions(house, lambda: clocks).ask(
            Ask(question, FIRST - timedelta(days=40), FIRST + timedelta(days=until), **more)
        )
        return sum(answer.table["hits"].to_pylist()), {part.source for part in answer.parts}


def files(folder: Path) -> set[str]:
    """The files of the roll-ups."""
    return {path.name for path in (folder / manifest.FOLDER).iterdir()}


def test_days_that_are_over_are_counted_and_months_joined(folder: Path) -> None:
    """Once; a second run has nothing to do, and the files are those of the list."""
    made = builder(folder)
    assert made.is_wanted()
    assert made.run()[:4] == (33, 3, 0, 0)
    assert not made.is_wanted()
    assert made.run() == (0, 0, 0, 0)
    found = manifest.read(folder / manifest.FOLDER)
    assert found is not None
    assert found.files() | {manifest.MANIFEST} == files(folder)
    assert [len(unit.months) for unit in found.units] == [3]
    assert ask(folder) == (5, {"days", "months"})


def test_a_day_is_counted_when_its_visits_are_over(folder: Path) -> None:
    """Four hours after it, and an hour for the clocks, and ten minutes for hits that are late; not before."""
    over = FIRST + timedelta(days=1, hours=5, minutes=10)
    assert builder(folder, at=over - timedelta(seconds=1)).run().days == 0
    assert builder(folder, at=over + timedelta(seconds=1)).run().days == 1


def test_time_is_bounded(folder: Path) -> None:
    """What is not done is told, and done next time; the newest days come first."""

    class Slow(FakeClock):
        def monotonic(self) -> float:
            self.seconds += 10
            return self.seconds

    def slow() -> Builder:
        return Builder(folder, UTC_ONLY, clock=Slow(round((FIRST + timedelta(days=60)).timestamp()) * SECOND))

    heard: list[tuple[int, int]] = []
    built = slow().run(lambda done, all_: heard.append((done, all_)), 45)
    assert 0 < built.days < 10
    assert not built.months
    assert built.waiting == 33 - built.days
    assert heard[-1] == (built.days, 33)
    found = manifest.read(folder / manifest.FOLDER)
    assert found is not None
    assert max(found.units[0].days) == "2026-03-03"
    assert slow().run(seconds=10 * (built.waiting + 2) + 5) == (built.waiting, 2, 0, 0)
    assert slow().is_wanted()
    assert builder(folder).run() == (0, 1, 0, 0)
    assert not slow().is_wanted()


@pytest.mark.parametrize("cut", range(19))
def test_it_may_be_cut_short_at_any_file(folder: Path, cut: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the list names holds, the rest is made next time, and no file stays that no list names."""
    real, written = durable.write, []

    def write(path: Place, fill: Any) -> int:
        written.append(path)
        if len(written) > cut:
            raise OSError(28, "No space left on device")
        return real(path, fill)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "write", write)
        with pytest.raises(LakeUnavailable):
            builder(folder).run()
    assert ask(folder)[0] == 5
    built = builder(folder).run()
    assert built.days <= 33
    builder(folder).run()
    assert ask(folder) == (5, {"days", "months"})
    found = manifest.read(folder / manifest.FOLDER)
    assert found is not None
    assert found.files() | {manifest.MANIFEST} == files(folder)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 2}', b"\x00" * 50, b'{"units": "no"}'])
def test_a_damaged_list_is_none(built: Path, text: bytes) -> None:
    """Whoever asks gets the answer from rows; the next run makes another list."""
    whole = (built / manifest.FOLDER / manifest.MANIFEST).read_bytes()
    for bad in (text, whole[: len(whole) // 2]):
        (built / manifest.FOLDER / manifest.MANIFEST).write_bytes(bad)
        assert ask(built) == (5, {"rows"})
        assert builder(built).is_wanted()
    builder(built).run()
    assert ask(built) == (5, {"days", "months"})


@pytest.mark.parametrize("length", [0, 10, -1])
def test_a_file_that_is_short_is_not_believed(built: Path, length: int) -> None:
    """A power cut or a disk may do so: its days are counted again."""
    for path in (built / manifest.FOLDER).glob("*.cube-*"):
        os.truncate(path, length if length >= 0 else path.stat().st_size - 1)
    assert ask(built) == (5, {"rows"})
    assert builder(built).run()[:3] == (5, 3, 8)
    assert ask(built) == (5, {"days", "months"})


def test_a_file_that_goes_or_is_damaged_while_it_is_read(built: Path) -> None:
    """The answer is made of rows, without an error."""
    with lakehouse(built) as house:
        by = Questions(house, lambda: UTC_ONLY)
        wanted = Ask("overview", FIRST, FIRST + timedelta(days=40))
        assert {part.source for part in by.ask(wanted).parts} == {"days", "months"}
        for path in (built / manifest.FOLDER).glob("*.cube-*"):
            path.write_bytes(b"\xff" * path.stat().st_size)
        answer = by.ask(wanted)
        assert (answer.table["hits"].to_pylist(), {part.source for part in answer.parts}) == ([5], {"rows"})
        for path in (built / manifest.FOLDER).glob("*.cube-*"):
            path.unlink()
        assert by.ask(wanted).table["hits"].to_pylist() == [5]


def test_damage_within_files_is_mended_by_a_rebuild(built: Path) -> None:
    """All is counted again."""
    for path in (built / manifest.FOLDER).glob("*.cube-*"):
        path.write_bytes(b"\xff" * path.stat().st_size)
    assert ask(built) == (5, {"rows"})
    assert builder(built).run(anew=True)[:3] == (33, 3, 36)
    assert ask(built) == (5, {"days", "months"})


def test_late_hits_make_their_days_be_counted_again(built: Path) -> None:
    """Theirs and the days beside them that they may touch, and their month; no others."""
    Lake(built).write(outcome([event("a", 100, received_at=FIRST + timedelta(days=15, hours=12), host="h", path="/")]))
    assert ask(built) == (6, {"rows", "days"})
    assert builder(built).is_wanted()
    assert builder(built).run()[:3] == (1, 1, 2)
    assert ask(built) == (6, {"days", "months"})


def test_files_written_anew_change_nothing(built: Path) -> None:
    """A compaction does not make a day be counted again."""
    lake = Lake(built)
    for row in rows(200, event="other"):
        lake.write(outcome([row]))
    builder(built).run()
    version = lake.look()
    compact(Lake(built), lambda *_: None, thorough=True)
    assert lake.look() > version
    assert ask(built) == (10, {"days", "months"})
    assert builder(built).run() == (0, 0, 0, 0)


def test_rows_that_leave_take_roll_ups_with_them(built: Path) -> None:
    """At once, files too: what is pruned does not tell that they were there."""
    gone = FIRST + timedelta(days=15)
    lake = Lake(built)
    list(lake.leave(lambda rows: of_day(rows, gone), ["received_at"]))
    assert builder(built).prune() == 2
    assert not [name for name in files(built) if "2026-02-14" in name or name.startswith("month-2026-02")]
    assert ask(built) == (4, {"rows", "days"})
    found = manifest.read(built / manifest.FOLDER)
    assert found is not None
    assert found.files() | {manifest.MANIFEST} == files(built)


def of_day(found: Any, day: datetime) -> Any:
    """For each row whether it is of that day."""
    return pa.array(
        [day <= moment < day + timedelta(days=1) for moment in found["received_at"].to_pylist()], pa.bool_()
    )


def test_nothing_is_pruned_where_nothing_was_made(folder: Path) -> None:
    """Nor is a folder made for it."""
    assert builder(folder).prune() == 0
    assert not (folder / manifest.FOLDER).exists()


def test_an_empty_lake(tmp_path: Path) -> None:
    """Has no day to count, before there is a lake and after."""
    assert not builder(tmp_path / "lake").is_wanted()
    Lake(tmp_path / "lake")
    assert builder(tmp_path / "lake").run().days == 0
    assert ask(tmp_path / "lake") == (0, set())


def test_roll_ups_of_another_lake_are_not_believed(built: Path, tmp_path: Path) -> None:
    """As after a restore from a backup or a recovery: another table, fewer versions, or another history."""
    other = tmp_path / "other"
    Lake(other).write(outcome(rows(country="DE")[:4]))
    (built / manifest.FOLDER).rename(other / manifest.FOLDER)
    assert ask(other) == (4, {"rows"})
    assert builder(other).run().days == 17
    assert ask(other)[0] == 4


def test_a_list_of_a_later_version_is_not_believed(built: Path) -> None:
    """A lake that was put back to an earlier version has never had those rows."""
    path = built / manifest.FOLDER / manifest.MANIFEST
    told = json.loads(path.read_bytes())
    for change in ({"version": told["version"] + 1}, {"entry": "00000000"}, {"table": "x"}, {"definition": "x"}):
        path.write_bytes(json.dumps(told | change).encode())
        assert ask(built) == (5, {"rows"}), change
    path.write_bytes(json.dumps(told).encode())
    assert ask(built) == (5, {"days", "months"})


def test_a_list_behind_a_log_that_was_cut_is_not_believed(built: Path) -> None:
    """What the versions changed that are gone nobody knows."""
    lake = Lake(built)
    for number in range(3):
        lake.write(outcome(rows(100 + number, [0])))
    log = DeltaLog(built / "events")
    log.refresh()
    assert Keeping(built).at(log).cube(fixed("UTC"), date(2026, 2, 14))
    log.entry(log.version - 1).unlink()
    assert Keeping(built).at(log).cube(fixed("UTC"), date(2026, 2, 14)) is None


def test_the_list_keeps_up_with_the_log(folder: Path) -> None:
    """Also where no day is to be counted: else it would be of a version whose log is gone."""
    made = builder(folder, at=FIRST + timedelta(days=32, hours=7))
    made.run()
    lake = Lake(folder)
    for number in range(BEHIND + 1):
        lake.write(outcome([event("a", 100 + number, received_at=FIRST + timedelta(days=32, hours=6))]))
        assert made.is_wanted() is (number >= BEHIND), number
    assert made.run().days == 0
    assert not made.is_wanted()


def test_another_clock_is_another_day(built: Path) -> None:
    """A site that changes its zone is counted by its own clock, with the history that it has."""
    moved = Clocks(fixed("UTC"), {"shop": fixed("Pacific/Auckland")})
    assert ask(built, moved) == (5, {"rows"})
    assert builder(built, moved).run().days > 32
    assert ask(built, moved) == (5, {"days", "months"})
    assert ask(built) == (5, {"rows"})


def test_columns_of_their_own_change_nothing(built: Path) -> None:
    """A column that an enricher adds is asked of rows; what was counted still holds."""
    schema = EVENTS.append(pa.field("x_plan", pa.string()))
    Lake(built, schema=schema)
    assert ask(built)[1] == {"days", "months"}
    assert builder(built).run().days == 0


def test_people_are_not_named(built: Path) -> None:
    """A trail has numbers for them, anew each day; no column of it has an id, an address or a property."""
    lake = Lake(built)
    lake.write(outcome([row | {"user_id": "Ada", "visitor_id": "secret"} for row in rows(200)]))
    for path in (built / manifest.FOLDER).glob("*.parquet"):
        names = pq.ParquetFile(path).schema_arrow.names
        assert not {"user_id", "visitor_id", "visitor_before", "ip", "hit_id", "properties", "url"} & set(names)
        assert b"Ada" not in path.read_bytes()
        assert "Ada" not in str(pq.ParquetFile(path).read().to_pylist())
        assert "secret" not in str(pq.ParquetFile(path).read().to_pylist())


def test_in_a_bucket(s3: Server) -> None:
    """The same code: made, read, mended and removed there."""
    place = objects.lake(s3.bucket(), "lake")
    Lake(place).write(outcome(rows(days=[0, 1, 2])))
    assert builder(place).run().days == 4
    assert ask(place) == (3, {"days"})
    Lake(place).write(outcome([event("a", 100, received_at=FIRST + timedelta(hours=12), host="h", path="/")]))
    assert ask(place) == (4, {"days", "rows"})
    assert builder(place).prune() == 2
    assert builder(place).run().days == 1
    assert ask(place) == (4, {"days"})


def test_a_goal_may_name_a_column_of_the_users_own(tmp_path: Path) -> None:
    """Trails have no such column: who asks about that goal gets rows, and the other goals still trails."""
    made = outcome(rows())
    plans = pa.array(["gold"] * len(DAYS), pa.string())
    schema = events_schema([Field("plan", "text", "", "what the user pays for")])
    Lake(tmp_path, schema=schema).write(replace(made, events=made.events.append_column("plan", plans)))
    builder(tmp_path).run()
    site = made.events["site"][0].as_py()
    for condition, source in (("plan is gold", "rows"), ("path is /", "trail")):
        declared = {site: [Goal("reached", (condition,))]}
        with lakehouse(tmp_path) as house:
            asked = Questions(house, lambda: UTC_ONLY, lambda _, declared=declared: declared)
            answer = asked.ask(Ask("goals", FIRST, FIRST + timedelta(days=3), site))
        assert answer.table["conversions"].to_pylist() == [3]
        assert {part.source for part in answer.parts} == {source}


def test_months_of_an_older_version_are_joined_again(built: Path) -> None:
    """They have no sums of their own: until they do, questions take their days, and no day is counted anew."""
    path = built / manifest.FOLDER / manifest.MANIFEST
    told = json.loads(path.read_text())
    old = [month.pop("sums") for unit in told["units"] for month in unit["months"].values()]
    path.write_text(json.dumps(told | {"format": 1}))
    for name in filter(None, old):
        (path.parent / name).unlink()
    assert ask(built) == (5, {"days"})
    assert builder(built).is_wanted()
    assert builder(built).run()[:2] == (0, 1)
    assert ask(built) == (5, {"days", "months"})


def test_a_series_of_days_takes_whole_months(built: Path) -> None:
    """One of hours takes days; both have all of it."""
    assert ask(built, question="series", interval="day", until=90) == (5, {"days", "months"})
    assert ask(built, question="series", interval="hour", until=33) == (5, {"days"})


@pytest.fixture
def year(tmp_path: Path) -> Path:
    """A lake with one event in each month from October to April."""
    Lake(tmp_path / "lake").write(outcome(rows(days=(-110, -80, -50, -20, 10, 40, 70))))
    assert builder(tmp_path / "lake", at=FIRST + timedelta(days=100)).run().months == 7
    return tmp_path / "lake"


def parts(folder: Path) -> tuple[int, list[tuple[str, int]]]:
    """How many hits there are, and from how many files of what."""
    with lakehouse(folder) as house:
        asked = Ask("overview", FIRST - timedelta(days=200), FIRST + timedelta(days=200))
        answer = Questions(house, lambda: UTC_ONLY).ask(asked)
        return answer.table["hits"][0].as_py(), [(part.source, part.files) for part in answer.parts]


def test_months_of_a_year_are_read_from_one_file(year: Path) -> None:
    """One of each calendar year; the files of months stay, and are not read."""
    assert parts(year) == (7, [("days", 1), ("months", 2), ("days", 1)])
    found = manifest.read(year / manifest.FOLDER)
    assert found is not None
    assert {first: len(each.of) for first, each in found.units[0].years.items()} == {"2025-01-01": 2, "2026-01-01": 3}


@pytest.mark.parametrize("question", ["pages", "entries", "overview"])
def test_whatever_days_a_period_begins_and_ends_on(year: Path, question: str) -> None:
    """Months, and days of months that are in the file of their year, too: each day counts once."""
    days = [FIRST + timedelta(days=day) for day in (-112, -91, -90, -88, -61, -60, -30, -29, -15, 1, 2, 15, 30, 75)]
    with lakehouse(year) as house:
        counted, plain = (Questions(each, lambda: UTC_ONLY) for each in (house, Rows(house)))
        for start, end in combinations(days, 2):
            found, wanted = (each.ask(Ask(question, start, end)).table.to_pylist() for each in (counted, plain))
            assert found == wanted, (start, end)


def scans(folder: Path, start: date, end: date, question: str = "pages") -> int:
    """How many scans of sums answer it; nothing else may."""
    with lakehouse(folder) as house:
        moments = (datetime(each.year, each.month, each.day, tzinfo=UTC) for each in (start, end))
        told = Questions(house, lambda: UTC_ONLY).explain(Ask(question, *moments))
        assert {part.source for part in told.parts} <= {"days", "months"}
        return told.sql.count("read_parquet")


def test_days_and_months_are_read_at_once(year: Path) -> None:
    """But days of a month apart if the file of the year that is read has that month's row, and series."""
    assert scans(year, date(2025, 10, 20), date(2026, 1, 16)) == 1
    assert scans(year, date(2026, 1, 16), date(2026, 4, 10)) == 1
    assert scans(year, date(2025, 10, 20), date(2026, 2, 16)) == 2
    assert scans(year, date(2025, 10, 20), date(2026, 1, 16), "overview") == 2


def test_a_year_that_lacks_is_made_of_its_months(year: Path) -> None:
    """Also when no day and no month is to be counted."""
    path = year / manifest.FOLDER / manifest.MANIFEST
    told = json.loads(path.read_text())
    path.write_text(json.dumps(told | {"units": [unit | {"years": {}} for unit in told["units"]]}))
    assert parts(year) == (7, [("days", 1), ("months", 5), ("days", 1)])
    made = builder(year, at=FIRST + timedelta(days=100))
    assert made.is_wanted()
    assert made.run()[:2] == (0, 0)
    assert not made.is_wanted()
    assert parts(year) == (7, [("days", 1), ("months", 2), ("days", 1)])


def test_a_month_that_does_not_hold_any_more_takes_its_year_with_it(year: Path) -> None:
    """Nothing of it stays in a file; until it is counted anew its days are read, and the others from their months."""
    Lake(year).write(outcome(rows(start=100, days=(11,))))
    assert parts(year)[0] == 8
    made = builder(year, at=FIRST + timedelta(days=100))
    before = {name for name in files(year) if name.startswith("year-2026")}
    made.prune()
    assert not {name for name in files(year) if name.startswith("year-2026")}
    assert parts(year)[0] == 8
    assert made.run().months == 1
    after = {name for name in files(year) if name.startswith("year-2026")}
    assert len(after) == 1 != before & after
    assert parts(year) == (8, [("days", 1), ("months", 2), ("days", 1)])


@pytest.mark.parametrize("kind", ["day-2026-02-0", "month-2026-02-01.cube", "month-2026-02-01.sums", "year-2026"])
def test_a_file_that_is_lost_is_made_again(year: Path, kind: str) -> None:
    """Questions go another way meanwhile, and the next run has everything as it was."""
    kinds = {name.rpartition("-")[0].rpartition("-")[0] for name in files(year)}
    lost = [name for name in files(year) if name.startswith(kind)]
    assert lost
    for name in lost:
        (year / manifest.FOLDER / name).unlink()
    assert parts(year)[0] == 7
    made = builder(year, at=FIRST + timedelta(days=100))
    assert made.is_wanted()
    made.run()
    made.run()  # what the list named before stays for one more
    assert not made.is_wanted()
    assert {name.rpartition("-")[0].rpartition("-")[0] for name in files(year)} == kinds
    assert parts(year) == (7, [("days", 1), ("months", 2), ("days", 1)])
