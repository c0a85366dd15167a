"""Writes out what only DuckDB knows: stars that leave something out, unions by name, ``group by all``, ``using``.

Works on the trees of `sqlglot`, in place. All columns of all tables must be known.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlglot import exp

Env = Mapping[str, Sequence[str]]


class Source(NamedTuple):
    """What stands in FROM: its name there, and its columns."""

    name: str
    columns: Sequence[str]


def written_out(tree: Any, tables: Env) -> Any:
    """The tree with all columns named.

    Args:
        tree: a query.
        tables: the columns of all tables.
    """
    for each in list(tree.find_all(exp.Explode)):
        if isinstance(each.this, exp.Array) and all(isinstance(row, exp.Struct) for row in each.this.expressions):
            _flatten(tree, each)
    _query(tree, dict(tables))
    return tree


def _flatten(tree: Any, rows: exp.Explode) -> None:
    """A list of records, unnested, as a list for each of their columns."""
    projection = rows.parent
    if (
        not isinstance(projection, exp.Alias)
        or not rows.this.expressions
        or not isinstance(projection.parent, exp.Select)
    ):
        return
    name, query = projection.alias, projection.parent
    lists: dict[str, list[Any]] = {}
    for row in rows.this.expressions:
        for pair in row.expressions:
            lists.setdefault(pair.this.name, []).append(pair.expression.copy())
    flat = [
        exp.alias_(exp.Explode(this=exp.Array(expressions=values)), f"{name}_{key}") for key, values in lists.items()
    ]
    query.set("expressions", [each for each in query.expressions if each is not projection] + flat)
    for column in list(tree.find_all(exp.Column)):
        if column.table == name and column.name in lists:
            column.replace(exp.column(f"{name}_{column.name}"))


def _query(node: Any, env: Env) -> list[str]:
    """Write out a query; its columns."""
    known = dict(env)
    for cte in node.ctes if isinstance(node, exp.Query) else ():
        named = [each.name for each in cte.args["alias"].columns]
        if isinstance(cte.this, exp.SetOperation) and _names_itself(cte):
            known[cte.alias] = named or _query(cte.this.left.copy(), known)
        columns = _query(cte.this, known)
        known[cte.alias] = named or columns
    if isinstance(node, exp.SetOperation):
        return _union(node, known)
    if isinstance(node, exp.Subquery):
        return _query(node.this, known)
    if isinstance(node, exp.Select):
        return _select(node, known)
    raise KeyError(f"a query that is a {type(node).__name__}")


def _names_itself(cte: exp.CTE) -> bool:
    return any(table.name == cte.alias and not table.db for table in cte.this.find_all(exp.Table))


def _union(node: exp.SetOperation, env: Env) -> list[str]:
    left, right = _query(node.left, env), _query(node.right, env)
    if not node.args.get("by_name"):
        return left
    names = [*left, *(name for name in right if name not in left)]
    node.set("by_name", False)
    for side, own in (("this", left), ("expression", right)):
        if own != names:
            node.set(side, _as_columns(node.args[side], own, names))
    return names


def _as_columns(side: Any, own: Sequence[str], names: Sequence[str]) -> exp.Select:
    """A query with these columns, null where it has none."""
    inner = side.this if isinstance(side, exp.Subquery) and not side.ctes else side
    columns = [exp.column(name, quoted=True) if name in own else _null(name) for name in names]
    return exp.select(*columns).from_(
        exp.Subquery(this=inner.copy(), alias=exp.TableAlias(this=exp.to_identifier("u")))
    )


def _null(name: str) -> Any:
    return exp.alias_(exp.Null(), name, quoted=True)


def _select(node: exp.Select, env: Env) -> list[str]:
    sources = list(_sources(node, env))
    shared = _on(node, sources)
    _stars(node, sources, shared)
    for inner in _inner_queries(node):
        _query(inner, env)
    _reused(node, {column for source in sources for column in source.columns})
    group = node.args.get("group")
    if group is not None and group.args.get("all"):
        _group(node)
    for each in list(node.expressions):
        if isinstance(each, exp.Column):  # its name alone, without where it comes from
            each.replace(exp.alias_(each.copy(), each.name, quoted=True))
    return [each.alias_or_name for each in node.expressions]


def _sources(node: exp.Select, env: Env) -> Iterator[Source]:
    begin = node.args.get("from_") or node.args.get("from")
    joins = [join.this for join in node.args.get("joins") or ()]
    for number, each in enumerate(([begin.this] if begin else []) + joins):
        if isinstance(each, exp.Subquery):
            columns = _query(each.this, env)
            if not each.alias:
                each.set("alias", exp.TableAlias(this=exp.to_identifier(f"s{number}")))
            yield Source(each.alias_or_name, columns)
        elif isinstance(each, exp.Table):
            whole = ".".join(part.name for part in each.parts)
            yield Source(each.alias_or_name, env[whole])
        else:
            yield Source(each.alias_or_name, [name.name for name in each.args["alias"].columns])


def _on(node: exp.Select, sources: Sequence[Source]) -> set[str]:
    """Say USING as ON; the columns that stood there, which now have the name of their first source before them."""
    shared: dict[str, str] = {}
    for number, join in enumerate(node.args.get("joins") or (), start=1):
        using = [each.name for each in join.args.get("using") or ()]
        if not using:
            continue
        owners = {name: next(each.name for each in sources if name in each.columns) for name in using}
        equal = [
            exp.EQ(this=exp.column(name, table=owners[name]), expression=exp.column(name, table=sources[number].name))
            for name in using
        ]
        join.set("using", None)
        join.set("on", exp.and_(*equal))
        shared |= owners
    for column in list(_columns(node)):
        if not column.table and column.name in shared and not isinstance(column.this, exp.Star):
            column.set("table", exp.to_identifier(shared[column.name]))
    return set(shared)


def _columns(node: exp.Select) -> Iterator[exp.Column]:
    """The columns of this query itself: not those of queries in it."""
    for part in node.iter_expressions():
        if isinstance(part, exp.With | exp.From):
            continue
        yield from (each for each in part.find_all(exp.Column) if each.find_ancestor(exp.Query) is node)


def _inner_queries(node: exp.Select) -> list[Any]:
    """Queries within expressions."""
    return [
        each.this if isinstance(each, exp.Subquery) else each
        for part in node.iter_expressions()
        if not isinstance(part, exp.With | exp.From | exp.Join)
        for each in part.find_all(exp.Select, exp.SetOperation)
        if each.find_ancestor(exp.Query) is node
        or (isinstance(each.parent, exp.Subquery) and each.parent.find_ancestor(exp.Query) is node)
    ]


def _stars(node: exp.Select, sources: Sequence[Source], shared: set[str]) -> None:
    shown: list[Any] = []
    for each in node.expressions:
        star = each.this if isinstance(each, exp.Column) else each
        if not isinstance(star, exp.Star):
            shown.append(each)
            continue
        owner = each.table if isinstance(each, exp.Column) else ""
        shown += _starred(star, [each for each in sources if not owner or each.name == owner], shared)
    node.set("expressions", shown)


def _starred(star: exp.Star, sources: Sequence[Source], shared: set[str]) -> Iterator[Any]:
    left_out = {each.name for each in star.args.get("except_") or star.args.get("except") or ()}
    replaced = {each.alias: each for each in star.args.get("replace") or ()}
    seen: set[str] = set()
    for source in sources:
        for name in source.columns:
            if name in left_out or (name in shared and name in seen):
                continue
            seen.add(name)
            yield (
                replaced[name].copy()
                if name in replaced
                else exp.alias_(exp.column(name, table=source.name or None, quoted=True), name, quoted=True)
            )


def _reused(node: exp.Select, known: set[str]) -> None:
    """Write out names of the select list that are used within it, or in a condition."""
    named = {each.alias: each.this for each in node.expressions if isinstance(each, exp.Alias)}
    for _ in range(5):  # one may stand for another
        found = [
            column
            for column in _columns(node)
            if not column.table
            and column.name in named
            and column.name not in known
            and not column.find_ancestor(exp.Order, exp.Group)
        ]
        for column in found:
            column.replace(exp.paren(named[column.name].copy()))


def _group(node: exp.Select) -> None:
    places = [
        exp.Literal.number(place)
        for place, each in enumerate(node.expressions, start=1)
        if not _is_aggregate(each) and each.find(exp.Column)
    ]
    node.set("group", exp.Group(expressions=places) if places else None)


def _is_aggregate(node: Any) -> bool:
    return any(each.find_ancestor(exp.Window) is None for each in node.find_all(exp.AggFunc))
