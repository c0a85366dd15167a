"""The questions in the SQL of other engines: each is parsed back, and ClickHouse answers as DuckDB does."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.elsewhere import LACKING, elsewhere
from pixelake.warehouse.hooks import AFTER
from pixelake.warehouse.questions import questions
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, reject

sqlglot = pytest.importorskip("sqlglot")
START = datetime(2026, 1, 28, tzinfo=UTC)
CLOCKS = Clocks(fixed("UTC"), {"blog": fixed("Asia/Kathmandu")})
OPTIONS = {"funnel": {"steps": ["event is pageview", "event is purchase"]}}
SAID = [name for name in questions() if name not in AFTER]
CHOICES = {
    "site": ["shop", "blog"],
    "country": ["DE", "FR", None],
    "browser": ["Firefox", "Chrome"],
    "utm_source": [None, "news"],
    "utm_campaign": [None, "spring", "it's"],
    "referrer_host": [None, "a.example", "h"],
    "channel": ["direct", "search"],
    "bot_name": [None, None, None, "crawler"],
    "proxy": [*[None] * 9, "apple-mail", "scanner"],
    "method": [*["GET"] * 20, "HEAD"],
    "title": ["A", "Ü"],
    "path": [None, *(f"/{number}" for number in range(20))],
    "event": [*["pageview"] * 6, "purchase", "add_to_cart", "impression", "click", "badge", "open"],
}


def _rows() -> Iterator[dict[str, Any]]:
    """Four days of some thirty people on two sites, over midnights, with machines, repeats, carts, ads and mails."""
    chance, moment = random.Random(7), START
    for place in range(1, 4_001):
        moment += timedelta(seconds=chance.randrange(1, 170))
        who = chance.randrange(30)
        told = {name: chance.choice(values) for name, values in CHOICES.items()}
        is_early = moment.hour == 0 and moment.minute < 30
        sells = told["event"] in {"purchase", "add_to_cart"}
        yield event(
            "a",
            place,
            received_at=moment,
            visitor_id=f"{moment:%m%d}-{who}",
            visitor_before=f"{moment - timedelta(days=1):%m%d}-{who}" if is_early else None,
            user_id=chance.choice([None, None, f"u{who}"]),
            host="h",
            bot=chance.random() < 0.05,
            duplicate=chance.random() < 0.02,
            prefetch=chance.random() < 0.02,
            value=Decimal(chance.randrange(1, 9_999)) / 100 if sells else None,
            currency=chance.choice(["EUR", "USD"]) if sells else None,
            properties=[("campaign", [chance.choice(["c1", "c2"])]), ("color", ["red", "blue"])],
            **told,
        )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small lake as plain Parquet."""
    folder = tmp_path_factory.mktemp("elsewhere")
    pq.write_table(pa.Table.from_pylist([*_rows()], EVENTS), folder / "events.parquet")
    faults = [reject("a", 9_000 + hour, received_at=START + timedelta(hours=hour)) for hour in range(90)]
    pq.write_table(pa.Table.from_pylist(faults, REJECTS), folder / "rejects.parquet")
    return folder


@pytest.fixture(scope="module")
def duck(files: Path) -> Iterator[Callable[[str], pa.Table]]:
    """DuckDB over it."""
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'; create schema lake")
        for name in ("events", "rejects"):
            database.execute(f"create view lake.{name} as from read_parquet('{files}/{name}.parquet')")
        yield lambda sql: database.execute(sql).to_arrow_table()


@pytest.fixture(scope="module")
def house(files: Path) -> Iterator[Callable[[str], pa.Table]]:
    """ClickHouse over it."""
    session = pytest.importorskip("chdb.session").Session()
    session.query("create database lake")
    for name in ("events", "rejects"):
        session.query(f"create view lake.{name} as select * from file('{files}/{name}.parquet', Parquet)")
    yield lambda sql: pa.ipc.open_file(pa.BufferReader(session.query(sql, "Arrow").bytes())).read_all()
    session.close()


def _ask(name: str, **named: Any) -> Ask:
    site = "shop" if name == "goals" else None
    start = START + timedelta(days=1)
    return Ask(
        name,
        **{"start": start, "end": start + timedelta(days=2), "site": site, "options": OPTIONS.get(name, {}), **named},
    )


def _plain(value: Any) -> Any:
    """What engines write in different types, in one."""
    if isinstance(value, float | Decimal):
        return round(float(value), 6)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _rows_of(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


@pytest.mark.parametrize(
    ("name", "dialect"),
    [(name, engine) for name in SAID for engine in ("trino", "clickhouse") if name not in LACKING.get(engine, ())],
)
def test_each_question_is_said(name: str, dialect: str) -> None:
    """Its SQL is of that dialect: it is read back, and holds none of what only DuckDB knows."""
    text = elsewhere(_ask(name), CLOCKS, dialect).partition("\nSETTINGS")[0]
    assert sqlglot.parse_one(text, read=dialect)
    for word in ("by name", "group by all", "epoch_us", "make_timestamptz", "exclude (", "::"):
        assert word not in text.lower()


@pytest.mark.parametrize("name", [name for name in SAID if name not in LACKING["clickhouse"]])
def test_clickhouse_answers_the_same(
    name: str, duck: Callable[[str], pa.Table], house: Callable[[str], pa.Table]
) -> None:
    """Row by row, in the same order, from the same files."""
    ask = _ask(name)
    found = _rows_of(house(elsewhere(ask, CLOCKS, "clickhouse")))
    assert found == _rows_of(duck(elsewhere(ask, CLOCKS, "duckdb")))


def test_values_are_quoted(duck: Callable[[str], pa.Table], house: Callable[[str], pa.Table]) -> None:
    """A filter is said with its values, whatever they hold."""
    for text in (
        "utm_campaign is it's",
        "path contains \\'",
        "title is Ü",
        "path matches ^/1\\d$",
        "properties.color is red",
    ):
        what = filters.parse([text], {"utm_campaign": "text", "path": "text", "title": "text"})
        ask = _ask("pages", filter=what)
        found = _rows_of(house(elsewhere(ask, CLOCKS, "clickhouse")))
        assert found == _rows_of(duck(elsewhere(ask, CLOCKS, "duckdb"))), text


def test_an_unknown_dialect_is_told() -> None:
    """With those that there are."""
    with pytest.raises(QueryError, match="sql: there is no dialect 'cobol'") as caught:
        elsewhere(_ask("pages"), CLOCKS, "cobol")
    assert "clickhouse" in caught.value.hint


def test_what_an_engine_cannot_is_told() -> None:
    """It is refused, with those that can."""
    with pytest.raises(QueryError, match="cannot be said in clickhouse"):
        elsewhere(_ask("funnel"), CLOCKS, "clickhouse")


@pytest.mark.parametrize("name", sorted(AFTER))
def test_what_is_more_than_sql_is_told(name: str) -> None:
    """A question whose rows are looked at by pixelake itself is not said."""
    with pytest.raises(QueryError, match="more than SQL"):
        elsewhere(_ask(name), CLOCKS, "trino")
