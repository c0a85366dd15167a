"""Lets only one reading statement through, over the tables that there are.

A list of what is allowed, not of what is not: DuckDB's own parser tells what a
text is, and each source of rows in it must be known here. Of functions that
make a value, those that look at, or change, more than what they are given are named.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

import duckdb
import msgspec

from pixelake.errors import QueryError

ROW_FUNCTIONS: Final = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
)
"""Functions that make rows and touch nothing else."""
CURIOUS: Final = frozenset(
    {
        *("current_connection_id", "current_query", "current_query_id", "current_setting", "current_transaction_id"),
        *(
            "current_schemas",
            "currval",
            "getenv",
            "get_block_size",
            "getvariable",
            "in_search_path",
            "json_serialize_plan",
            "nextval",
            "parse_duckdb_log_message",
        ),
        *("query", "query_table", "setseed", "sleep_ms", "stats", "txid_current", "which_secret", "write_log"),
    }
)
"""Functions that look at more than what they are given, change something, or wait. Like all ``pg_`` but `pg_typeof`."""

SHOWN: Final = frozenset({'"tables"'})
"""What ``show`` may show, beside the columns of a table."""

_WORD: Final = re.compile(r"[\w $-]+")
"""A name that DuckDB never takes for a file: those have a dot."""

LONGEST: Final = 100_000
"""Characters of a query: the parser's memory grows with them."""


class Read(NamedTuple):
    """What a query reads.

    Attributes:
        tables: those of ours that it names.
        is_explained: only, or also, how it is answered is asked for.
    """

    tables: frozenset[str]
    is_explained: bool


def check(text: str, parser: duckdb.DuckDBPyConnection, tables: Sequence[str] = ("events", "rejects")) -> Read:
    """What `text` reads, if it is one SELECT (WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW TABLES), or EXPLAIN of one.

    Args:
        text: the query.
        parser: any DuckDB.
        tables: those that may be read.

    Raises:
        QueryError: it is not, it is no SQL, or it reads from elsewhere than these tables.
    """
    hint = f"write one SELECT over the tables {', '.join(tables)}"
    if len(text) > LONGEST:
        raise QueryError(f"a query of {len(text)} characters", f"at most {LONGEST} are read")
    statement = _only(text, parser, hint)
    is_explained = statement.type == duckdb.StatementType.EXPLAIN
    if is_explained:
        text = _explained(text)
        statement = _only(text, parser, hint)
    if statement.type != duckdb.StatementType.SELECT:
        raise QueryError(f"{statement.type.name} is not allowed: queries only read", hint)
    nodes = list(_nodes(_tree(text, parser, hint)))
    named = _own_names(nodes) - _system_names(parser)
    read = {name for node in nodes for name in _sources(node, tables, named, hint)}
    for node in nodes:
        if node.get("class") in {"FUNCTION", "WINDOW"}:
            _check_function(node, hint)
    return Read(frozenset(read), is_explained)


def _only(text: str, parser: duckdb.DuckDBPyConnection, hint: str) -> Any:
    try:
        statements = parser.extract_statements(text)
    except duckdb.Error as error:
        raise QueryError(first_line(error) + _place(error, text), hint) from None
    if not statements:
        raise QueryError("there is no SQL in the query", hint)
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements in one query", hint)
    return statements[0]


def _explained(text: str) -> str:
    """What comes behind EXPLAIN and ANALYZE. With options it is not read, and refused as no SELECT."""
    starts = [place for place, _ in duckdb.tokenize(text)]
    words = [text.encode()[start:end].decode() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    skipped = 2 if words[1:] and words[1].split(maxsplit=1)[0].lower() == "analyze" else 1
    return "".join(words[skipped:])


def _tree(text: str, parser: duckdb.DuckDBPyConnection, hint: str) -> Any:
    row = parser.execute("select json_serialize_sql(?)", [text]).fetchone()
    try:
        tree = msgspec.json.decode(row[0]) if row else {"error": True}
    except RecursionError:
        raise QueryError("the query is nested too deep", "nest it less") from None
    except msgspec.DecodeError:  # DuckDB writes an infinite number as no JSON has it
        raise QueryError("a number of the query is too large", "write 'infinity'::double, if that is meant") from None
    if tree["error"]:
        raise QueryError("only SELECT can be asked", hint)
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every object of the tree. A stack, because a hostile query nests deeper than Python may."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def _own_names(nodes: Collection[dict[str, Any]]) -> set[str]:
    """What the query itself names with WITH, anywhere: plain words, since where none is in sight others are files."""
    tables = (node["cte_map"]["map"] for node in nodes if isinstance(node.get("cte_map"), dict))
    recursive = {str(node["cte_name"]).lower() for node in nodes if node.get("cte_name")}
    named = {str(each["key"]).lower() for table in tables for each in table} | recursive
    return {name for name in named if _WORD.fullmatch(name)}


def _system_names(parser: duckdb.DuckDBPyConnection) -> set[str]:
    """What a name means where no WITH is in sight: DuckDB's own tables, which are not for everybody."""
    return {name for (name,) in parser.execute("select view_name from duckdb_views() where internal").fetchall()}


def _sources(node: dict[str, Any], tables: Sequence[str], named: set[str], hint: str) -> Iterator[str]:
    """The tables of ours that a node of the tree reads."""
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in ROW_FUNCTIONS:
            raise QueryError(f"{name}() is not allowed: queries only read the lake", hint)
    elif kind == "SHOW_REF" and not node.get("query"):
        if node["table_name"] not in SHOWN:
            raise QueryError(f"{node['table_name']!r} cannot be shown", hint)
        yield from tables
    elif kind == "BASE_TABLE":
        name = str(node["table_name"]).lower()
        if node["schema_name"] or node["catalog_name"] or node.get("at_clause") or name not in {*tables, *named}:
            whole = ".".join(each for each in (node["catalog_name"], node["schema_name"], node["table_name"]) if each)
            raise QueryError(f"there is no table {whole[:80]!r}", hint)
        if name in tables:
            yield name


def _check_function(node: dict[str, Any], hint: str) -> None:
    name = str(node.get("function_name", "")).lower()
    if name in CURIOUS or (name.startswith("pg_") and name != "pg_typeof"):
        raise QueryError(f"{name}() is not allowed: queries only read the lake", hint)


_NEAR: Final = re.compile(r'at or near "(.+)"$', re.MULTILINE)
_POINTED: Final = re.compile(r"^(LINE (\d+): )(.*)\n( *)\^", re.MULTILINE)


def _place(error: duckdb.Error, text: str) -> str:
    """Where in the text DuckDB points at: `` (line 2, column 7)``; of a long line it shows a part alone."""
    found = _POINTED.search(str(error))
    lines = text.split("\n")
    if not found or not 0 < int(found[2]) <= len(lines):
        return ""
    shown, line = found[3], lines[int(found[2]) - 1]
    part = shown.removeprefix("...").removesuffix("...").strip()
    if line.count(part) != 1:
        return f" (line {found[2]})"
    column = line.index(part) + len(found[4]) - len(found[1]) - shown.index(part)
    named = _NEAR.search(str(error))  # beside a tab or a letter with an accent DuckDB points a little to the left
    exact = [each.start() for each in re.finditer(re.escape(named[1]), line)] if named else []
    return f" (line {found[2]}, column {min(exact, key=lambda at: abs(at - column), default=column) + 1})"


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says, as one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
