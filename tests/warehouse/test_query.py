"""SQL over the lake."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pixelake.errors import PixelakeError, QueryError
from pixelake.event import FIELDS
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.snapshot import Snapshot
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, outcome, reject


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of two events and a reject."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 1), event("a", 2, title="it's \0 é")], [reject("a", 3)]))
    return lake


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Lakehouse]:
    """The lake, open for questions."""
    with Lakehouse(tmp_path / "lake", timeout=10) as house:
        yield house


def test_no_lake_is_an_empty_one(house: Lakehouse, tmp_path: Path) -> None:
    """Before the first hit the tables have their columns and no rows, and asking makes nothing."""
    assert house.sql("select count(*) as n from events").to_pylist() == [{"n": 0}]
    assert house.sql("select * from rejects").schema.names == REJECTS.names
    assert not (tmp_path / "lake").exists()


def test_columns_and_types_are_the_declared_ones(lake: Lake, house: Lakehouse) -> None:
    """All columns, in the order they are declared, with types that an empty lake has too."""
    table = house.sql("select * from events order by position")
    assert table.schema.names == [field.name for field in FIELDS]
    assert table.cast(EVENTS).equals(
        DeltaTable(str(lake._events.log.folder))
        .to_pyarrow_table()
        .select(EVENTS.names)
        .cast(EVENTS)
        .sort_by("position")
    )
    with Lakehouse(Path("/nowhere")) as empty:
        assert empty.sql("select * from events").schema.equals(table.schema)
        assert empty.sql("select * from rejects").schema.equals(house.sql("select * from rejects").schema)


def test_times_are_utc(lake: Lake, house: Lakehouse) -> None:
    """Whatever the machine's zone, times are text in UTC."""
    row = house.sql("select received_at::varchar as t, hour from events order by 1 limit 1").to_pylist()
    assert row == [{"t": "2026-02-10 21:00:01+00", "hour": "21"}]


def test_parameters_are_values(lake: Lake, house: Lakehouse) -> None:
    """Values are bound, never part of the SQL."""
    assert house.sql("select title from events where title = ?", ["it's \0 é"]).num_rows == 1
    assert house.sql("select 1 where 'a' = $site", {"site": "a' or 'a' = 'a"}).num_rows == 0


def test_each_answer_is_of_the_newest_version(lake: Lake, house: Lakehouse) -> None:
    """What was committed before the question is in the answer."""
    for position in (4, 5):
        assert house.sql("select count(*) as n from events").to_pylist() == [{"n": position - 2}]
        lake.write(outcome([event("a", position)]))


def test_vanished_files_are_asked_again(lake: Lake, house: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a file of the version that was looked at is vacuumed meanwhile, the next version answers."""
    lake.write(outcome([event("a", 4)]))
    real = Lakehouse._standing

    def refresh(self: Lakehouse) -> Snapshot:
        found = real(self)
        monkeypatch.setattr(Lakehouse, "_standing", real)
        table = DeltaTable(str(lake._events.log.folder))
        table.optimize.compact()
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        return found

    monkeypatch.setattr(Lakehouse, "_standing", refresh)
    assert house.sql("select count(*) as n, max(title) as t from events").to_pylist() == [{"n": 3, "t": "it's \0 é"}]


def test_missing_file_is_one_line(lake: Lake, house: Lakehouse) -> None:
    """A lake that lost a file answers with an error, not with fewer rows."""
    for file in lake._events.log.files.values():
        (lake._events.log.folder / file.name).unlink()
    with pytest.raises(QueryError) as caught:
        house.sql("select title from events")
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "select count(*) from range(9999999999) a, range(9) b",
        "with recursive t(a) as (select 1 union all select a + 1 from t) select max(a) from t",
    ],
)
def test_long_query_is_stopped(tmp_path: Path, text: str) -> None:
    """A query ends at the time-out, and the next one works."""
    with Lakehouse(tmp_path, timeout=0.2) as house:
        with pytest.raises(QueryError, match=r"longer than 0\.2 s") as caught:
            house.sql(text)
        assert "sql_timeout" in caught.value.hint
        assert house.sql("select 1 as a").to_pylist() == [{"a": 1}]


def test_too_much_memory_is_refused(tmp_path: Path) -> None:
    """A query past the memory ends with the setting to raise."""
    with Lakehouse(tmp_path, memory="50MB") as house, pytest.raises(QueryError) as caught:
        house.sql("select list(range) from range(100000000)")
    assert "sql_memory" in caught.value.hint


def test_large_sort_spills_and_leaves_nothing(tmp_path: Path) -> None:
    """What does not fit the memory goes to the disk while it runs."""
    with Lakehouse(tmp_path, memory="80MB") as house:
        text = "select max(n) as n from (select hash(range) || 'x' as n from range(3000000) order by 1 limit 2500000)"
        assert house.sql(text).num_rows == 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("select nope from events", "describe events"),
        ("select * from nope", "events, rejects, visits, daily"),
        ("select ?", "values"),
        ("select 1 / 'a'", "SQL"),
        ("select * from events order", "SELECT"),
    ],
)
def test_wrong_sql_is_one_line_with_a_hint(house: Lakehouse, text: str, hint: str) -> None:
    """What DuckDB says, in one line, and what to do."""
    with pytest.raises(QueryError) as caught:
        house.sql(text)
    assert "\n" not in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/proc/self/environ')",
        "copy (select 1) to '/tmp/pixelake-must-not-be'",
        "set enable_external_access = true",
        "set threads = 64",
        "attach '/tmp/pixelake-must-not-be'",
        "install httpfs",
        "select * from house",
        "select getenv('HOME')",
    ],
)
def test_nothing_outside_is_reached_even_past_the_guard(lake: Lake, house: Lakehouse, text: str) -> None:
    """DuckDB itself is closed: if the check of the SQL missed something, nothing is read or changed."""
    with pytest.raises(PixelakeError):
        house.ask(text)
    assert not Path("/tmp/pixelake-must-not-be").exists()


def test_several_threads_ask_at_once(lake: Lake, house: Lakehouse) -> None:
    """Each gets its own answer, also while the lake grows."""
    answers: list[list[int]] = []

    def ask() -> None:
        answers.append([house.sql("select count(*) as n from events")["n"][0].as_py() for _ in range(10)])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for position in range(4, 10):
        lake.write(outcome([event("a", position)]))
    for thread in threads:
        thread.join(30)
    assert len(answers) == 4
    assert all(each == sorted(each) and each[0] >= 2 for each in answers)


def test_bad_memory_setting_is_told() -> None:
    """A memory that DuckDB cannot read names the setting."""
    with pytest.raises(QueryError) as caught:
        Lakehouse(Path("/nowhere"), memory="much")
    assert "sql_memory" in caught.value.hint


def test_times_come_as_instants(lake: Lake, house: Lakehouse) -> None:
    """Arrow has them in UTC."""
    value = house.sql("select max(received_at) as t from events")["t"][0].as_py()
    assert value == datetime.fromisoformat("2026-02-10T21:00:02+00:00")


def test_large_rejects_fit_the_memory(tmp_path: Path) -> None:
    """Rows of nearly a megabyte each are read a few at a time: what they take together is no bound."""
    Lake(tmp_path).write(outcome(rejects=[reject("a", place, raw=f"{place:9}" * 100_000) for place in range(1, 101)]))
    with Lakehouse(tmp_path, memory="120MB") as house:
        found = house.sql("select count(*) as n, avg(length(raw)) as size from rejects")
    assert found.to_pylist() == [{"n": 100, "size": 900_000.0}]


@pytest.mark.usefixtures("lake")
def test_a_damaged_file(house: Lakehouse, tmp_path: Path) -> None:
    """It is named, and the hint is about the file, not about the SQL."""
    (path,) = (tmp_path / "lake" / "events").rglob("part-*.parquet")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(QueryError, match=path.name) as caught:
        house.sql("select max(title) from events")
    assert "backup" in caught.value.hint


def _days_and_hours(lake: Path) -> None:
    """Two months: of each third day there are files of three hours, of the others one of the day."""
    opened = Lake(lake)
    first = datetime(2026, 1, 1, 5, tzinfo=UTC)
    rows = [event("a", 3 * day + hour + 1, received_at=first + timedelta(days=day, hours=hour)) for day, hour in PLACES]
    opened.write(outcome(rows))
    hourly = {(first + timedelta(days=day)).strftime("day=%d") for day in range(0, 60, 3)}
    for todo in opened.plan():
        if not todo[1].folder.endswith(tuple(hourly)):
            opened.compact(todo)


PLACES = [(day, hour) for day in range(60) for hour in range(3)]


@pytest.mark.parametrize("day", [10, 11])
def test_only_files_of_the_day_are_opened(tmp_path: Path, day: int) -> None:
    """All others may be damaged, but for one of each kind, which tells the columns: by folders and by questions."""
    _days_and_hours(tmp_path / "lake")
    log = DeltaLog(tmp_path / "lake" / "events")
    log.refresh()
    names = [file.name for file in log.files.values()]
    assert {name.count("/") for name in names} == {3, 4}
    firsts = {next(name for name in names if name.count("/") == depth) for depth in (3, 4)}
    for name in names:
        if name not in firsts and f"/month=01/day={day}/" not in name:
            path = log.folder / name
            path.write_bytes(bytes(path.stat().st_size))
    start = datetime(2026, 1, day, tzinfo=UTC)
    with Lakehouse(tmp_path / "lake") as house:
        where = f"month = '01' and day = '{day}'"
        assert house.ask(f"select list(hour order by hour) as l from events where {where}").to_pylist() == [
            {"l": ["05", "06", "07"]}
        ]
        some = house.ask(f"select count(distinct visitor_id) as n from events where {where} and hour in ('06', '09')")
        assert some.to_pylist() == [{"n": 1}]
        clocks = Clocks(fixed("UTC"), {})
        found = Questions(house, lambda: clocks).ask(Ask("events", start, start + timedelta(hours=23)))
        assert [row["hits"] for row in found.table.to_pylist()] == [3]
        with pytest.raises(QueryError):  # so they are damaged
            house.ask("select count(distinct visitor_id) from events")


def test_rows_of_days_and_hours_are_one_table(tmp_path: Path) -> None:
    """Whichever way the files lie, each row is there once, with its day and hour."""
    _days_and_hours(tmp_path / "lake")
    query = "select position, concat_ws(' ', year, month, day, hour) as folder, received_at from events order by 1"
    with Lakehouse(tmp_path / "lake") as house:
        found = house.ask(query).to_pylist()
    assert [row["position"] for row in found] == [*range(1, 181)]
    assert all(row["folder"] == row["received_at"].strftime("%Y %m %d %H") for row in found)
