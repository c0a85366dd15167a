"""The questions as saved queries of Athena: the text of each, and where it stands in the stacks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pytest

from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.glue import tables
from pixelake.warehouse.questions import questions
from pixelake.warehouse.zones import fixed
from tests.aws.terraform import ROOT
from tests.deploy.aws.conftest import VARIANTS, Made

sqlglot = pytest.importorskip("sqlglot")

from sqlglot import exp  # noqa: E402 - behind what skips

from deploy.aws import saved  # noqa: E402
from pixelake.warehouse.elsewhere import elsewhere  # noqa: E402

LAKE = {
    each["Name"]: {column["Name"]: column["Type"] for column in each["StorageDescriptor"]["Columns"]}
    for each in tables("lake", "s3://bucket/lake")
}
TITLES = [name.capitalize() for name in questions() if name not in saved.UNSAVED]
TRINO = (
    "approx_percentile array_sort bool_or cardinality coalesce concat contains count date_add date_diff date_format "
    "date_trunc element_at filter first_value from_unixtime greatest if lag last_value lead least lower "
    "map_entries map_keys max max_by min min_by nullif round row_number sequence split strpos sum to_unixtime truncate "
    "unnest"
)
"""Functions of Trino, by its manual."""
TIMES = re.compile(r"CURRENT_DATE|'202[56]|'202[56]\d{4,6}'|\b17\d{14}\b")
VALUES = (exp.Literal, exp.Cast, exp.TimeToStr, exp.Add, exp.Mul, exp.Array, exp.Concat, exp.ArrayConcat)


@pytest.fixture(scope="module")
def found() -> Mapping[str, Mapping[str, str]]:
    """What the script writes now."""
    return saved.queries()


@pytest.fixture(scope="module")
def trees(found: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    """Each text, as Trino reads it."""
    return {title: sqlglot.parse_one(each["sql"], read="trino") for title, each in found.items()}


def test_each_question_is_saved_or_has_a_reason(found: Mapping[str, Mapping[str, str]]) -> None:
    """None is forgotten, and none that is saved has a reason not to be."""
    assert [*found] == TITLES
    assert saved.UNSAVED.keys() < questions().keys()
    assert all(len(why.split()) > 3 for why in saved.UNSAVED.values())


def test_what_is_not_saved_is_documented() -> None:
    """The page about SQL has the same table, and says how many there are."""
    page = (ROOT.parents[2] / "docs/sql.md").read_text("utf-8").partition("## Saved in Athena")[2]
    assert dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)) == saved.UNSAVED
    assert f"{len(TITLES)} of the {len(questions())} questions" in page


def test_the_file_is_what_the_script_writes() -> None:
    """Who changes a question runs `deploy/aws/saved.py` again."""
    assert (ROOT / "saved.json").read_text("utf-8") == saved.text()


def test_nothing_of_the_day_is_left(found: Mapping[str, Mapping[str, str]]) -> None:
    """The day for which the texts were made is in none of them: not as a date, not as a number of microseconds."""
    for title, each in found.items():
        assert str(saved.TODAY.year) not in each["sql"], title
        assert not re.search(r"\d{14}", each["sql"]), title
        assert "CURRENT_DATE" in each["sql"], title


def test_what_to_write_is_told(found: Mapping[str, Mapping[str, str]]) -> None:
    """The first lines say what is asked, of which days, and what stands for the site; so does the description."""
    of_no_site = {"refused", "rejects"}
    for title, each in found.items():
        first, second, *rest = each["sql"].splitlines()
        assert each["description"] == f"{first} {second}".replace("-- ", "")
        assert "30 days of UTC" in second
        is_of_one = any(saved.SITE in line for line in rest)
        assert (saved.SITE in second) is is_of_one is (title.lower() not in saved.OF_ALL_SITES | of_no_site)


def test_lists_end(trees: Mapping[str, Any]) -> None:
    """A list has a thousand rows at most; anything else has all of its rows."""
    limits = {title: tree.args.get("limit") for title, tree in trees.items()}
    told = {title: limit and int(limit.expression.name) for title, limit in limits.items()}
    assert told == {title: 1_000 if questions()[title.lower()].kind == "list" else None for title in TITLES}


def test_the_functions_are_trinos(found: Mapping[str, Mapping[str, str]]) -> None:
    """None is one of another engine."""
    for title, each in found.items():
        named = {
            name.lower() for name in re.findall(r"\b([A-Za-z_]+)\((?!\d)", re.sub(r"'[^']*'|--.*", "", each["sql"]))
        }
        assert named - {*TRINO.split()} <= {
            "cast",
            "array",
            "in",
            "over",
            "exists",
            "and",
            "or",
            "not",
            "as",
            "listed",
        }, title


@pytest.mark.parametrize("title", TITLES)
def test_it_moves_with_the_day(trees: Mapping[str, Any], title: str) -> None:
    """On any day, the text is the one that is made for the thirty days up to that one."""
    today = datetime(2026, 2, 15, tzinfo=UTC)
    ask = saved.asked(questions()[title.lower()])
    direct = replace(ask, start=today - timedelta(days=29), end=today + timedelta(days=1))
    text = elsewhere(direct, Clocks(fixed("UTC"), {}), "trino")
    assert "CURRENT_DATE" not in text
    told = sqlglot.parse_one(text, read="trino")
    found = known(trees[title].copy(), today.date())
    assert "CURRENT_DATE" not in found
    assert found == known(told, today.date())


def known(tree: Any, today: date) -> str:
    """The text of a query in which each time is a value."""
    for each in list(_times(tree)):
        each.replace(exp.Literal.string(value(each.sql("duckdb"), today)))
    for each in tree.find_all(exp.Expression):
        each.comments = None
    return str(tree.sql("trino", pretty=True))


def _times(node: Any) -> Iterator[Any]:
    """The largest parts of a query that are times, and read nothing."""
    if isinstance(node, VALUES) and not node.find(exp.Column) and TIMES.search(node.sql("trino")):
        yield node
        return
    for each in node.iter_expressions():
        yield from _times(each)


@cache
def value(sql: str, today: date) -> str:
    """What DuckDB says that it is, on a day."""
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        on_day = re.sub("CURRENT_DATE", f"date '{today}'", sql)
        return str(database.execute(f"select typeof(told), told::varchar from (select {on_day} as told)").fetchone())


def test_the_columns_are_in_the_catalogue(trees: Mapping[str, Any]) -> None:
    """What a text reads of a table, Glue knows; each column is of the type that its uses want."""
    for title, tree in trees.items():
        reads = [each for each in tree.find_all(exp.Table) if each.db]
        assert reads, title
        for table in reads:
            assert table.db == "lake"
            select = table.find_ancestor(exp.Select)
            names = {column.name for each in select.expressions for column in each.find_all(exp.Column)}
            assert names
            assert names <= LAKE[table.name].keys(), title
        for name, kind in _wanted(tree):
            assert LAKE["events"].get(name, kind) == kind, (title, name)
    kinds = {kind for tree in trees.values() for _, kind in _wanted(tree)}
    assert {"timestamp", "boolean", "map<string,array<string>>"} <= kinds


def _wanted(tree: Any) -> Iterator[tuple[str, str]]:
    """Columns, with the type of Glue that a use of them wants. A page has the name of an amount, `value`."""
    for each in tree.find_all(exp.Column):
        use, name = each.parent, each.name
        if isinstance(use, exp.TimeToUnix):
            yield name, "timestamp"
        if isinstance(use, exp.MapKeys | exp.MapFromEntries | exp.Bracket) or name == "properties":
            yield name, "map<string,array<string>>"
        if isinstance(use, exp.Coalesce) and use.expressions and name != "value":
            (other, *_) = use.expressions
            if isinstance(other, exp.Boolean):
                yield name, "boolean"
            if isinstance(other, exp.Literal) and other.is_string:
                yield name, "string"
        if isinstance(use, exp.EQ | exp.NEQ) and isinstance(use.expression, exp.Literal) and use.expression.is_string:
            yield name, "string"


@pytest.mark.parametrize("name", VARIANTS)
def test_they_stand_in_each_stack(stacks: Mapping[str, Made], name: str) -> None:
    """In its workgroup, over the tables of its database; within the limits of Athena and of CloudFormation."""
    made = stacks[name]
    (group,) = made.of("Athena::WorkGroup")
    database = made.one("Glue::Database")["DatabaseInput"]["Name"]
    registered = {each["TableInput"]["Name"] for each in made.of("Glue::Table").values()}
    queries = [*made.of("Athena::NamedQuery").values()]
    assert [each["Name"] for each in queries] == TITLES
    for each in queries:
        assert (each["WorkGroup"], each["Database"]) == ({"Ref": group}, database)
        assert "lake." not in each["QueryString"]
        found = set(re.findall(r'FROM "(\w+)"\.(\w+)', each["QueryString"]))
        assert found
        assert found <= {(database, table) for table in registered}
        assert len(each["QueryString"].encode()) <= 262_144
        assert len(each["Description"]) <= 1_024
    assert made.path.stat().st_size <= 460_800
    assert len(made.template["Resources"]) <= 500
