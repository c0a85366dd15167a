"""What SQL a user may ask."""

from collections.abc import Iterator

import duckdb
import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.sql_guard import LONGEST, check


@pytest.fixture(scope="module")
def parser() -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB to parse with."""
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "  -- a comment\n select 1; ",
        "with a as (select 1) select * from a",
        "values (1), (2)",
        "from events",
        "table events",
        "describe events",
        "summarize events",
        "show tables",
        "explain select 1",
        "/* a */ EXPLAIN /* b */ ANALYZE /* c */ select 'é', 1",
        "select * from range(3), generate_series(1, 2), unnest([1])",
        "select * from events join rejects using (hit_id) where site = ? and title = $$;$$",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) select * from t",
        "with events as (select 1) select * from events",
        "select pg_typeof(1), row_number() over (), regexp_matches('a', 'b')",
        "select a.b from (select {'b': 1} as a)",
        "select 'copy events to ''/tmp/x'''",
    ],
)
def test_reading_is_allowed(parser: duckdb.DuckDBPyConnection, text: str) -> None:
    """One statement that reads tables passes."""
    check(text, parser)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " -- nothing",
        "select 1; select 2",
        "selec",
        "select '\0'",
        "copy (select 1) to '/tmp/x'",
        "explain analyze copy (select 1) to '/tmp/x'",
        "explain insert into events values (1)",
        "explain explain analyze copy (select 1) to '/tmp/x'",
        "explain (format json) select 1",
        "create table x as select 1",
        "create or replace view events as select 1",
        "drop view events",
        "insert into events values (1)",
        "delete from events",
        "attach '/tmp/x.db'",
        "install httpfs",
        "load httpfs",
        "set threads = 1",
        "reset memory_limit",
        "pragma database_size",
        "call pragma_version()",
        "checkpoint",
        "export database '/tmp/x'",
        "use memory",
        "prepare a as select 1",
        "execute a",
        "begin",
        "pivot events on site using count(*)",
        "select * from read_text('/etc/passwd')",
        "select * from READ_BLOB('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from read_parquet('x')",
        "select * from parquet_metadata('x')",
        "select * from glob('*')",
        "select * from '/etc/passwd'",
        "select * from 'x.parquet'",
        "from 's3://bucket/x'",
        "select (select count(*) from glob('*'))",
        "with a as (from read_text('/etc/passwd')) select 1 where exists (from a)",
        "select 1 union all select content from read_text('/etc/passwd')",
        "describe select * from read_text('/etc/passwd')",
        "summarize '/etc/passwd'",
        "select * from query('copy (select 1) to ''/tmp/x''')",
        "select * from query_table('events')",
        "select * from duckdb_settings()",
        "select count(*) from information_schema.tables",
        "select * from duckdb_views",
        "select * from sqlite_master",
        "with duckdb_views as (select 1) select * from duckdb_views",
        "select (with pg_class as (select 1) select 1) from pg_class",
        "select * from main.events",
        "select * from memory.events",
        "select * from temp.events",
        "select * from memory.main.events",
        "select * from events at (version => 1)",
        "describe memory.main.events",
        "select * from nope",
        "show databases",
        "show variables",
        "show all tables",
        "select current_setting('temp_directory')",
        "select getvariable('x')",
        "select pg_get_viewdef('events')",
        "select main.sleep_ms(1)",
        "select write_log('x')",
        "select * from duckdb_secrets()",
        "select * from pragma_table_info('events')",
        "select " + "(" * 20_000 + "1" + ")" * 20_000,
        "select " + "1+" * 20_000 + "1",
        "select '" + "x" * LONGEST + "'",
    ],
)
def test_everything_else_is_refused(parser: duckdb.DuckDBPyConnection, text: str) -> None:
    """What writes, configures, loads, or reads from elsewhere is refused in one line with a hint."""
    with pytest.raises(QueryError) as caught:
        check(text, parser)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("select * form events", " (line 1, column 15)"),
        ("selec 1", " (line 1, column 1)"),
        ("select 1,\n\tcount( from events", " (line 2, column 9)"),
        ("select 'é' as name,\n'ü' as other form events", " (line 2, column 14)"),
        (f"select {'a, ' * 100}b from x where {'y, ' * 100}z", " (line 1, column 324)"),
    ],
    ids=["one", "first", "tab", "letters", "long"],
)
def test_it_tells_where(parser: duckdb.DuckDBPyConnection, text: str, place: str) -> None:
    """What is no SQL is refused with the line and the column of the first word that cannot stand there."""
    with pytest.raises(QueryError) as refused:
        check(text, parser)
    assert str(refused.value).endswith(place)
