"""The named questions in the SQL of other engines: Trino (and Athena), ClickHouse.

The statement is the one that DuckDB would be given if nothing had been counted
before, over two tables ``lake.events`` and ``lake.rejects``. What only DuckDB
knows (columns by name, stars that leave something out) is written out first;
then `sqlglot` translates, with some help where it does not know the way.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import sqlglot
from sqlglot.errors import SqlglotError

from pixelake import event, reject
from pixelake.errors import QueryError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.elsewhere_dates import moved
from pixelake.warehouse.elsewhere_engines import BOTH, CLICKHOUSE, TRINO, changed
from pixelake.warehouse.elsewhere_less import lessened
from pixelake.warehouse.elsewhere_names import written_out
from pixelake.warehouse.hooks import AFTER, WIDER
from pixelake.warehouse.planner import Planner
from pixelake.warehouse.questions import questions
from pixelake.warehouse.reading import Nothing, Statement
from pixelake.warehouse.views import inlined

DIALECTS: Final = ("duckdb", "trino", "clickhouse")
"""What a question can be said in. Athena speaks Trino's."""
CHANGES: Final = {"trino": TRINO, "clickhouse": CLICKHOUSE}
LACKING: Final[Mapping[str, frozenset[str]]] = {"clickhouse": frozenset({"funnel"})}
"""What an engine cannot: carry lists through a recursion."""
SCHEMA: Final = "lake"
TABLES: Final = {"events": event.FIELDS, "rejects": reject.FIELDS}
SETTINGS: Final = (
    "join_use_nulls = 1, union_default_mode = 'ALL', prefer_column_name_to_alias = 1, "
    "aggregate_functions_null_for_empty = 0, cast_keep_nullable = 1, allow_suspicious_types_in_group_by = 1"
)
"""What ClickHouse must be told to mean by SQL what others do."""


class Elsewhere:
    """A lake of which only the columns are known: a `pixelake.warehouse.reading.Standing`."""

    version = ""
    kept = Nothing()
    columns: Mapping[str, str] = {field.name: field.type for field in event.FIELDS}

    def __init__(self, ask: Ask) -> None:
        self.span = (ask.start.date(), ask.end.date())

    def relation(self, table: str, _first: date, _last: date) -> str:
        """SQL: all rows of a table."""
        return f"select {', '.join(_quoted(field.name) for field in TABLES[table])} from {SCHEMA}.{table}"  # noqa: S608


def _quoted(name: str) -> str:
    return f'"{name}"'


def elsewhere(
    ask: Ask,
    clocks: Clocks,
    dialect: str,
    declared: Callable[[str], Any] = lambda _: (),
    today: date | None = None,
) -> str:
    """A question in the SQL of another engine, with its values in it.

    Args:
        ask: the question.
        clocks: the wall clocks of the sites.
        dialect: one of `DIALECTS`.
        declared: see `pixelake.warehouse.given.Given`.
        today: if it is given, the period goes with the day on which the statement runs, which this one stands for: by
            ``current_date``, which has to be that of UTC.

    Raises:
        QueryError: it cannot be asked so, or not be said there.
    """
    if dialect not in DIALECTS:
        raise QueryError(f"sql: there is no dialect {dialect[:40]!r}", f"one of {', '.join(DIALECTS)}")
    if ask.question in LACKING.get(dialect, ()):
        raise QueryError(f"sql: {ask.question!r} cannot be said in {dialect}", "take duckdb or trino")
    sql = inlined(_statement(ask, clocks, declared))
    if dialect == "duckdb" and today is None:
        return sql
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
        if dialect != "duckdb":
            tree = _changed(tree, dialect)
        if today is not None:
            tree = moved(tree, today)
        text = tree.sql(dialect=dialect, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except (SqlglotError, KeyError) as error:
        told = str(error).partition("\n")[0][:200]
        raise QueryError(f"sql: {ask.question!r} cannot be said in {dialect}: {told}", "take duckdb") from None
    return f"{text}\nSETTINGS {SETTINGS}" if dialect == "clickhouse" else text


def _changed(tree: Any, dialect: str) -> Any:
    tree = lessened(written_out(tree, _columns()))
    tree = changed(changed(tree, BOTH), CHANGES[dialect])
    for each in tree.find_all(sqlglot.exp.CTE):
        each.set("materialized", None)  # advice for DuckDB alone
    return tree


def _statement(ask: Ask, clocks: Clocks, declared: Callable[[str], Any]) -> Statement:
    question = questions()[ask.question]
    if question.name in AFTER:
        raise QueryError(
            f"sql: {ask.question!r} is more than SQL: rows are looked at behind it", "take another question"
        )
    widen = WIDER.get(question.name)
    asked = widen(ask) if widen else ask
    planner = Planner(question, asked, clocks, declared, ask, rows=True)
    return planner.make(Elsewhere(asked))


def _columns() -> Mapping[str, Sequence[str]]:
    return {f"{SCHEMA}.{name}": [field.name for field in fields] for name, fields in TABLES.items()}
