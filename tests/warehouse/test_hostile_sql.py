"""Queries that nobody should ask: none reads, writes or takes what it may not; others are answered meanwhile."""

import contextvars
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.given_up import GIVEN_UP
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sql_apart import GRACE, SPARE, Apart
from pixelake.warehouse.sql_guard import check
from pixelake.warehouse.views import NAMES, SITE_NAMES
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, outcome, reject

TEXTS = [
    line.replace("\\n", "\n")
    for line in (Path(__file__).parents[1] / "data" / "hostile_sql.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
TIMEOUT = 1.0
ROWS, SIZE = 1_000, 1 << 20
MEMORY = 150_000_000
SECRET = "a secret of another one"
Refusal = Callable[[str, str | None], QueryError | None]
CLOCKS = Clocks(fixed("UTC"), {})


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two sites, one of which has a secret in its titles, and rejects with another one."""
    folder = tmp_path_factory.mktemp("hostile") / "lake"
    mine = [event("a", n, site="mine", title="1", host="h", path="/1") for n in range(1, 40)]
    theirs = [event("a", n, site="other", title=SECRET, host=SECRET, path="/") for n in range(40, 80)]
    Lake(folder).write(outcome([*mine, *theirs], [reject("a", 80, raw=SECRET)]))
    return folder


@pytest.fixture
def apart(lake: Path) -> Apart:
    """The lake, for strangers."""
    return Apart(
        (str(lake),),
        timeout=TIMEOUT,
        memory=f"{MEMORY}B",
        threads=2,
        spill=lake.parent / "spill",
        clocks=lambda: CLOCKS,
    )


class Asked(NamedTuple):
    """What became of a query: what it was answered, and after how long."""

    text: str
    answer: pa.Table | QueryError
    seconds: float


def _ask(apart: Apart, text: str, site: str | None) -> Asked:
    begun = time.monotonic()
    try:
        answer = apart.sql(text, site=site, rows=ROWS, size=SIZE)
    except QueryError as error:
        answer = error
    return Asked(text, answer, time.monotonic() - begun)


def _filled(lake: Path, out: Path) -> Iterator[tuple[str, str | None]]:
    """The queries, each with the site of who asks."""
    for line in TEXTS:
        text = line.replace("{lake}", str(lake)).replace("{out}", str(out))
        yield (text.removeprefix("site: "), "mine") if text.startswith("site: ") else (text, None)


@pytest.fixture(scope="module")
def refusal() -> Iterator[Refusal]:
    """Why a query is refused for what it says, before anything runs; none if it is not."""
    with duckdb.connect() as parser:

        def refused(text: str, site: str | None) -> QueryError | None:
            try:
                read = check(text, parser, SITE_NAMES if site else NAMES)
            except QueryError as error:
                return error
            return QueryError("EXPLAIN", "no") if read.is_explained and site else None

        yield refused


def _files(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if "spill" not in path.parts}


def _memory_of_queries() -> Iterator[int]:
    """What each process that runs a query has held at most, in bytes."""
    started = list[str]()
    for children in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # threads end, and processes
            started += children.read_text().split()
    for child in started:
        with suppress(OSError):
            if b"sql_apart" in Path(f"/proc/{child}/cmdline").read_bytes():
                held = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{child}/status").read_text())
                yield int(held[1]) << 10 if held else 0


def test_there_are_enough(refusal: Refusal) -> None:
    """The list has not been emptied, and most of it is refused for what it says."""
    assert len(set(TEXTS)) >= 200
    found = [refusal(*each) for each in _filled(Path("/lake"), Path("/out"))]
    refused = [each for each in found if each]
    assert 120 <= len(refused) < len(TEXTS) - 50
    assert all("\n" not in str(each) and each.hint for each in refused)


def test_each_is_refused_or_stopped(lake: Path, apart: Apart, tmp_path: Path, refusal: Refusal) -> None:
    """Within its time, memory, rows and bytes; nothing is written; the process that serves answers others meanwhile."""
    before, waits, done = _files(lake), [], threading.Event()
    largest = [0]

    def others() -> None:
        with Lakehouse(lake) as house:
            questions = Questions(house, lambda: CLOCKS)
            ask = Ask("pages", datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 2, 11, tzinfo=UTC))
            while not done.is_set():
                begun = time.monotonic()
                assert questions.ask(ask).table.num_rows == 2
                waits.append(time.monotonic() - begun)
                largest.append(max(_memory_of_queries(), default=0))
                done.wait(0.05)

    waiting = [each for each in _filled(lake, tmp_path) if not refusal(*each)]
    with ThreadPoolExecutor(3) as pool:
        other = pool.submit(others)
        try:
            ended = [*pool.map(lambda each: _ask(apart, *each), waiting)]
        finally:
            done.set()
        other.result()
    late = [each for each in ended if each.seconds > TIMEOUT + 2 * GRACE]
    assert late == []
    for each in ended:
        if isinstance(each.answer, pa.Table):
            assert each.answer.num_rows <= ROWS
            assert each.answer.nbytes <= SIZE
        else:
            assert "\n" not in str(each.answer)
            assert each.answer.hint
    assert sorted(waits)[len(waits) // 2] < 1.0
    assert 0 < max(largest) < MEMORY + SPARE + (400 << 20)
    assert _files(lake) == before
    assert _files(tmp_path) == set()


def test_one_site_sees_nothing_of_another(lake: Path, apart: Apart, tmp_path: Path, refusal: Refusal) -> None:
    """Not in rows, nor in what an error says, nor by whether there is one."""
    for text, site in _filled(lake, tmp_path):
        if site and not refusal(text, site):
            found = _ask(apart, text, site).answer
            told = str(found) if isinstance(found, QueryError) else str(found.to_pylist())
            assert SECRET not in told
            assert "other" not in told, text


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("select distinct site, title from events", [{"site": "mine", "title": "1"}]),
        ("select count(*) as n from events where cast(title as int) = 1", [{"n": 39}]),
        ("select sum(hits) as n, count(*) as days from daily", [{"n": 39, "days": 1}]),
        ("select distinct site, entry from visits", [{"site": "mine", "entry": "h/1"}]),
        ("select count(*) as n from visits", [{"n": 39}]),
        ("with other as (from events where site = 'other') select count(*) as n from other", [{"n": 0}]),
        ('with "my own-1" as (select distinct site from events) from "my own-1"', [{"site": "mine"}]),
    ],
)
def test_one_site_sees_its_own(lake: Path, text: str, rows: list[dict[str, object]]) -> None:
    """All of it, and a query that would fail on the rows of another does not."""
    with Lakehouse(lake) as house:
        assert house.sql(text, site="mine").to_pylist() == rows


@pytest.mark.parametrize("site", ["", "nobody", "mine' or '1' = '1", "'; select 1; --", "$site", "\\"])
def test_the_name_of_a_site_is_a_value(lake: Path, site: str) -> None:
    """Whatever it holds."""
    with Lakehouse(lake) as house:
        for table in SITE_NAMES:
            assert house.sql(f"select count(*) as n from {table}", site=site).to_pylist() == [{"n": 0}]


def test_what_is_allowed_is_answered_apart(apart: Apart) -> None:
    """The same rows and types as in this process; more rows or bytes than there may be are told."""
    answer = apart.sql("select site, count(*) as n, max(received_at) as t from events group by 1 order by 1")
    assert answer["n"].to_pylist() == [39, 40]
    assert str(answer.schema.field("t").type) == "timestamp[us, tz=UTC]"
    with pytest.raises(QueryError, match="more than 10 rows"):
        apart.sql("select * from events", rows=10)
    with pytest.raises(QueryError, match="more than 1,000 bytes"):
        apart.sql("select * from events", size=1_000)


def test_a_name_made_with_with_opens_no_file(lake: Path) -> None:
    """Where such a name is not in sight it would be a file: the whole lake, by its folder or by the way to it."""
    with Lakehouse(lake) as house:
        for name in (f"{lake}/events/**/*.parquet", os.path.relpath(lake / "events/**/*.parquet"), "a.csv"):
            for text in (
                f'select b.* from (with "{name}" as (select 1) select 1) a, "{name}" b',
                f'select b.* from "{name}" b where 1 in (with "{name}" as (select 1) from "{name}")',
            ):
                for site in ("mine", None):
                    with pytest.raises(QueryError, match="there is no table"):
                        house.sql(text, site=site)


def test_a_query_that_nobody_waits_for_ends(lake: Path) -> None:
    """Its process is gone long before its time is over."""
    apart = Apart((str(lake),), timeout=60.0, memory="150MB", threads=1, spill=None, clocks=lambda: CLOCKS)
    given_up = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        context = contextvars.copy_context()
        context.run(GIVEN_UP.set, given_up)
        begun = time.monotonic()
        asked = pool.submit(context.run, _ask, apart, "select count(*) from range(9999999999) a, range(9999) b", None)
        threading.Timer(1.5, given_up.set).start()
        assert isinstance(asked.result().answer, QueryError)
    assert time.monotonic() - begun < 10


def test_a_number_beyond_all_numbers(lake: Path) -> None:
    """It is refused by its name; not as a want of memory."""
    with Lakehouse(lake) as house, pytest.raises(QueryError, match="number of the query is too large"):
        house.sql("select 1e400")


def test_functions_with_effects_are_known() -> None:
    """Each function of DuckDB that is not the same for the same values is refused, or known to be harmless."""
    harmless = {"error", "gen_random_uuid", "random", "uuid", "uuidv4", "uuidv7"}
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select distinct function_name from duckdb_functions() where has_side_effects or stability = 'VOLATILE'"
        ).fetchall()
        for (name,) in rows:
            if name not in harmless:
                with pytest.raises(QueryError, match="not allowed"):
                    check(f"select {name}(1)", connection)
