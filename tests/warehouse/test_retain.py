"""Rows that are older than they may be leave, are counted, and no others do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.operate.compaction import compact
from pixelake.operate.retention import ages, retain_rows
from pixelake.testing import FakeClock
from pixelake.warehouse import retain
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.place import Place
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.retain import DAY, NOTE, Ages, Due, Note
from pixelake.warehouse.sums import LakeReader
from tests.warehouse.outcomes import event, outcome, reject

NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
TODAY = (NOON - datetime(1970, 1, 1, tzinfo=UTC)).days


@pytest.fixture
def clock() -> FakeClock:
    """Noon."""
    return FakeClock(microseconds=round(NOON.timestamp()) * SECOND)


def days_of(lake: Place, **sites: int) -> None:
    """Forty days of hits, one a day and site, at noon; the oldest first. Positions go on."""
    opened = Lake(lake, FakeClock())
    position = 0
    for age in range(39, -1, -1):
        rows = []
        for site, count in sites.items():
            for _ in range(count):
                position += 1
                rows.append(event("p", position, site=site, received_at=NOON - timedelta(days=age)))
        opened.write(outcome(rows))


def left(lake: Place) -> dict[str, list[int]]:
    """Of each site, how many days old its rows are."""
    with Lakehouse(lake) as house:
        rows = house.ask("select site, received_at from events order by received_at desc").to_pylist()
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(row["site"], []).append((NOON - row["received_at"]).days)
    return found


def run(lake: Place, clock: FakeClock, events: Ages, rejects: int = 0, **named: Any) -> Any:
    """One run, by hand."""
    return retain_rows(Lake(lake, clock), lake, events, rejects, clock=clock, **{"trusted": True} | named)


def test_old_rows_leave_and_are_counted(anywhere: Place, clock: FakeClock) -> None:
    """By whole days: with 30 a row stays until 30 more days are over; the sums hold; a second run finds nothing."""
    days_of(anywhere, shop=2)
    found = run(anywhere, clock, ages(30, {}))
    assert (found.events, found.rejects, found.day) == (18, 0, "2026-02-10")
    assert left(anywhere) == {"shop": [age for age in range(31) for _ in range(2)]}
    sums = LakeReader(anywhere).sums()
    assert (sums.outcomes, sums.in_lake, sums.removed, sums.holds) == (80, 62, 18, True)
    assert run(anywhere, clock, ages(30, {})).events == 0


def test_sites_have_ages_of_their_own(anywhere: Place, clock: FakeClock) -> None:
    """Files that two sites share are written anew without the rows that go; 0 is for ever."""
    days_of(anywhere, shop=1, blog=1, shelf=1)
    compact(Lake(anywhere, FakeClock()), lambda *_: None)
    assert run(anywhere, clock, ages(20, {"blog": 5, "shelf": 0})).events == 19 + 34
    assert left(anywhere) == {"shop": [*range(21)], "blog": [*range(6)], "shelf": [*range(40)]}
    sums = LakeReader(anywhere).sums()
    assert (sums.removed, sums.holds) == (53, True)


def test_a_site_can_be_the_only_one_that_forgets(folder: Path, clock: FakeClock) -> None:
    """For ever in general, and not for one."""
    days_of(folder, shop=1, blog=1)
    assert run(folder, clock, ages(0, {"blog": 5})).events == 34
    assert left(folder) == {"shop": [*range(40)], "blog": [*range(6)]}


def test_rejects_have_one_age(folder: Path, clock: FakeClock) -> None:
    """They are counted as removed too; of what is above the position of the events, nothing is."""
    lake = Lake(folder, clock)
    for position in range(1, 11):
        lake.write(outcome(rejects=[reject("p", position, received_at=NOON - timedelta(days=position))]))
    found = run(folder, clock, ages(0, {}), 5)
    assert (found.events, found.rejects) == (0, 5)
    sums = LakeReader(folder).sums()
    assert (sums.rejected, sums.removed, sums.outcomes, sums.holds) == (5, 5, 10, True)
    assert run(folder, clock, ages(0, {}), 5).rejects == 0


def test_for_ever_is_the_default(folder: Path, clock: FakeClock) -> None:
    """Nothing goes unless somebody said so."""
    days_of(folder, shop=1)
    assert run(folder, clock, Ages()).events == 0
    assert len(left(folder)["shop"]) == 40


def test_a_wrong_clock_costs_nothing(folder: Path, clock: FakeClock) -> None:
    """A jump of years that is over within the hour is not believed; a new day is, an hour after it was first seen."""
    days_of(folder, shop=1)
    run(folder, clock, ages(30, {}))
    clock.advance(1e8)
    assert run(folder, clock, ages(30, {}), trusted=False).day == ""
    clock.microseconds -= round(1e8) * SECOND
    for _ in range(3):
        clock.advance(1_200)
        run(folder, clock, ages(30, {}), trusted=False)
    assert len(left(folder)["shop"]) == 31
    clock.advance(3_600)
    assert run(folder, clock, ages(30, {}), trusted=False).day == "2026-02-10"
    clock.advance(86_400)
    assert run(folder, clock, ages(30, {}), trusted=False).events == 0
    clock.advance(3_600)
    assert run(folder, clock, ages(30, {}), trusted=False).events == 1
    assert len(left(folder)["shop"]) == 30


@given(st.lists(st.integers(-3 * 86_400, 3 * 86_400), max_size=30))
def test_a_day_counts_at_a_second_look(moves: list[int]) -> None:
    """Wherever the clock goes: no day counts that was not there at a look an hour before, or is not there now."""
    note, now, looks = Note(), TODAY * DAY, [(0, 0)]
    for move in moves:
        now += move * SECOND
        day = note.day_at(now)
        assert day <= now // DAY
        if day > max(-1, *(known for known, _ in looks)):
            assert any(when // DAY >= day and now - when >= 3_600 * SECOND for _, when in looks)
        looks.append((day, now))


def test_only_what_may_be_due_is_opened(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a run, that is the files of one more day, and those that came meanwhile with old rows."""
    days_of(folder, shop=1, blog=1)
    rules = ages(0, {"blog": 10})
    run(folder, clock, rules)
    opened: list[str] = []
    parts = retain._parts
    monkeypatch.setattr(
        retain, "_parts", lambda log, file, columns: [opened.append(file.name), parts(log, file, columns)][1]
    )
    assert run(folder, clock, rules).events == 0
    assert opened == []
    clock.advance(86_400)
    assert run(folder, clock, rules).events == 1
    assert len(opened) == 1
    assert "day=31" in opened[0]
    late = [event("q", 1, site="blog", received_at=NOON - timedelta(days=100))]
    Lake(folder, clock).write(outcome(late))
    assert run(folder, clock, rules).events == 1
    assert len(left(folder)["shop"]) == 40


def test_files_go_unread_where_their_statistics_tell(
    folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One partition, all of it old: the log is enough."""
    days_of(folder, shop=3)
    monkeypatch.setattr(retain, "_parts", None)
    assert run(folder, clock, ages(30, {})).events == 27


def test_several_partitions_are_counted_each(folder: Path, clock: FakeClock) -> None:
    """Of a file that goes as a whole, too."""
    lake = Lake(folder, clock)
    old = NOON - timedelta(days=99)
    lake.write(outcome([event("a", 1, received_at=old), event("b", 1, received_at=old), event("b", 2)]))
    assert run(folder, clock, ages(30, {})).events == 2
    progress = LakeReader(folder).progress()
    assert (progress["a"].removed, progress["b"].removed) == (1, 1)


def test_a_compaction_may_come_first(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds a file exchanged looks again at what stands in its place; nothing counts twice."""
    days_of(folder, shop=1)
    lake, other = Lake(folder, clock), Lake(folder, clock)
    expire, calls = Lake._expire, list[None]()

    def meanwhile(self: Lake, step: Any) -> int | None:
        if not calls:
            calls.append(None)
            table = other._events
            table.refresh()
            file = table.log.files[step.files[0].path]
            rows = pa.Table.from_pylist([event("p", 1, site="shop", received_at=NOON - timedelta(days=39))], _schema())
            adds = table.add_files(rows)
            from pixelake.warehouse.delta import Change

            table.commit(Change(adds, [file], is_new=False), {})
        return expire(self, step)

    monkeypatch.setattr(Lake, "_expire", meanwhile)
    found = retain_rows(lake, folder, ages(30, {}), 0, trusted=True, clock=clock)
    assert found.events == 9
    sums = LakeReader(folder).sums()
    assert (sums.in_lake, sums.removed, sums.holds) == (31, 9, True)


def _schema() -> pa.Schema:
    from pixelake.warehouse.base import EVENTS

    return EVENTS


def test_cut_short_it_goes_on(folder: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is a whole commit; the next run does the rest."""
    days_of(folder, shop=1)
    monkeypatch.setattr(retain, "STEP_FILES", 2)
    lake = Lake(folder, clock)
    steps = lake.expire(Due.at(TODAY, ages(30, {})), Note())
    assert next(steps) == 2
    assert next(steps) == 2
    steps.close()  # type: ignore[attr-defined]
    sums = LakeReader(folder).sums()
    assert (sums.in_lake, sums.removed, sums.holds) == (36, 4, True)
    assert run(folder, clock, ages(30, {})).events == 5


def test_a_damaged_note_costs_a_look(folder: Path, clock: FakeClock) -> None:
    """It is no reason to fail."""
    days_of(folder, shop=1)
    (folder / NOTE).write_bytes(b"\0{")
    assert run(folder, clock, ages(30, {})).events == 9
    assert retain.read(folder).done == TODAY
    (folder / NOTE).unlink()
    (folder / NOTE).mkdir()
    with pytest.raises(LakeUnavailable, match="cannot read"):
        run(folder, clock, ages(30, {}))


@given(
    st.integers(0, 40),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 40)),
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 41 * 86_400)), max_size=20),
)
def test_the_mask_says_what_a_row_by_row_look_does(
    days: int, sites: dict[str, int], rows: list[tuple[str | None, int]]
) -> None:
    """Of every mix of sites and ages."""
    rules, now = Ages(days, sites), TODAY * DAY
    table = pa.table(
        {
            "received_at": pa.array([now - age * SECOND for _, age in rows], pa.timestamp("us", "UTC")),
            "site": pa.array([site for site, _ in rows], pa.string()).dictionary_encode(),
        }
    )
    expected = [bool(rules.of(site)) and now - age * SECOND < (TODAY - rules.of(site)) * DAY for site, age in rows]
    assert Due.at(TODAY, rules)(table).to_pylist() == expected


def test_statistics_tell_when_a_file_begins_and_ends(folder: Path) -> None:
    """In microseconds; of a file without them nothing is known."""
    days_of(folder, shop=1)
    log = DeltaLog(folder / "events")
    log.refresh()
    (file,) = [file for file in log.files.values() if "day=10" in file.name and "month=02" in file.name]
    assert retain.extent(file) == (NOON.timestamp() * SECOND,) * 2
    least, most = retain.extent(file._replace(stats=None))
    assert least < 0 < most
