"""Lets only one reading statement through, over the tables that there are.

A list of what is allowed, not of what is not: DuckDB's own parser tells what a
text is, and each source of rows in it must be known here.
"""

from collections.abc import Iterator
from typing import Any, Final

import duckdb
import msgspec

from pixelake.errors import QueryError

ROW_FUNCTIONS: Final = frozenset(
    {"generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest"}
)
"""Functions that make rows and touch nothing else."""

_HINT: Final = "write one SELECT over the tables events and rejects"


LONGEST: Final = 100_000
"""Characters of a query: the parser's memory grows with them."""


def check(text: str, parser: duckdb.DuckDBPyConnection) -> None:
    """Return if `text` is one SELECT (WITH, VALUES, DESCRIBE, SUMMARIZE, SHOW), or EXPLAIN of one.

    Raises:
        QueryError: it is not, it is no SQL, or it reads from elsewhere than tables.
    """
    if len(text) > LONGEST:
        raise QueryError(f"a query of {len(text)} characters", f"at most {LONGEST} are read")
    statement = _only(text, parser)
    if statement.type == duckdb.StatementType.EXPLAIN:
        text = _explained(text)
        statement = _only(text, parser)
    if statement.type != duckdb.StatementType.SELECT:
        raise QueryError(f"{statement.type.name} is not allowed: queries only read", _HINT)
    for node in _nodes(_tree(text, parser)):
        _check_source(node)


def _only(text: str, parser: duckdb.DuckDBPyConnection) -> Any:
    try:
        statements = parser.extract_statements(text)
    except duckdb.Error as error:
        raise QueryError(first_line(error), _HINT) from None
    if not statements:
        raise QueryError("there is no SQL in the query", _HINT)
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements in one query", _HINT)
    return statements[0]


def _explained(text: str) -> str:
    """What comes behind EXPLAIN and ANALYZE. With options it is not read, and refused as no SELECT."""
    starts = [place for place, _ in duckdb.tokenize(text)]
    words = [text.encode()[start:end].decode() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    skipped = 2 if words[1:] and words[1].split(maxsplit=1)[0].lower() == "analyze" else 1
    return "".join(words[skipped:])


def _tree(text: str, parser: duckdb.DuckDBPyConnection) -> Any:
    row = parser.execute("select json_serialize_sql(?)", [text]).fetchone()
    try:
        tree = msgspec.json.decode(row[0]) if row else {"error": True}
    except RecursionError:
        raise QueryError("the query is nested too deep", "nest it less") from None
    if tree["error"]:
        raise QueryError("only SELECT can be asked", _HINT)
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


def _check_source(node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in ROW_FUNCTIONS:
            raise QueryError(f"{name}() is not allowed: queries only read the lake", _HINT)
    elif node.get("type") == "BASE_TABLE" and set(node["table_name"]) & set("/\\.:*"):
        raise QueryError(f"{node['table_name']!r} is no table", _HINT)


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says, as one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
