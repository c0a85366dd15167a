"""What `sqlglot` does not know of the ways in which Trino and ClickHouse say what DuckDB says. Trees, one node at a time."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlglot import exp

Change = Callable[[Any], exp.Expression]


def _named(name: str, *arguments: Any) -> exp.Anonymous:
    return exp.Anonymous(
        this=name, expressions=[each if isinstance(each, exp.Expression) else _plain(each) for each in arguments]
    )


def _plain(value: str | int) -> exp.Literal:
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _is(node: Any, kind: str) -> bool:
    return isinstance(node, exp.Cast) and node.to.is_type(kind)


# --- both


def _seconds(node: Any) -> exp.Expression:
    """Whether there is more or less than an interval between two moments, in microseconds."""
    gap, interval = node.this, node.expression
    if not (isinstance(gap, exp.Sub) and isinstance(interval, exp.Interval)):
        return node
    us = int(interval.this.name) * {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}[interval.unit.name.upper()] * 1_000_000
    sides = (_named("epoch_us", each.copy()) for each in (gap.this, gap.expression))
    left, right = (_inside_window(each) for each in sides)
    return type(node)(this=exp.Sub(this=left, expression=right), expression=exp.Literal.number(us))


def _inside_window(call: exp.Anonymous) -> exp.Expression:
    """``epoch_us(lag(x) over w)`` as ``lag(epoch_us(x)) over w``: what is before the first is null, and not 1970."""
    window = call.expressions[0]
    if not (isinstance(window, exp.Window) and isinstance(window.this, exp.Lag)):
        return call
    window = window.copy()
    window.this.set("this", _named("epoch_us", window.this.this.copy()))
    return window


def _never(node: Any) -> exp.Expression:
    """``null is null or ...`` is true."""
    parts = [part.unnest() for part in node.flatten()]
    if any(isinstance(part, exp.Is) and isinstance(part.this, exp.Null) for part in parts):
        return exp.true()
    return node


# --- ClickHouse


def _ch_cast(node: Any) -> exp.Expression:
    value = node.this
    if _is(node, "timestamptz"):
        if isinstance(value, exp.Literal):
            return _named("toDateTime64", value.name.removesuffix("+00"), 6, "UTC")
        return value if isinstance(value, exp.Null) else _named("toDateTime64", value.copy(), 6, "UTC")
    if _is(node, "date"):
        return _named("toDate32", value.copy())
    if _is(node, "timestamp"):
        return value
    if node.to.this == exp.DataType.Type.ARRAY and isinstance(value, exp.Array) and value.expressions:
        return value
    return node


def _ch_call(node: Any) -> exp.Expression:
    name = node.name.lower()
    if name == "epoch_us":
        return _named("toUnixTimestamp64Micro", *node.expressions)
    if name == "make_timestamptz":
        return _named("fromUnixTimestamp64Micro", _named("toInt64", *node.expressions), "UTC")
    if name == "get_current_timestamp":
        return _named("now64", 6, "UTC")
    if name == "map_entries":
        (properties,) = node.expressions
        return _named("arrayZip", _named("mapKeys", properties.copy()), _named("mapValues", properties.copy()))
    return node


def _ch_dot(node: Any) -> exp.Expression:
    place = {"key": 1, "value": 2}.get(node.expression.name)
    return _named("tupleElement", node.this.copy(), place) if place else node


def _ch_unnest(node: Any) -> exp.Expression:
    """Lists in the select list: side by side, as rows."""
    lists = [each for each in node.expressions if isinstance(each.unalias(), exp.Explode)]
    if not lists:
        return node
    inner = node.copy()
    arrays = [each.unalias().this.copy() for each in lists]
    names = [each.alias for each in lists]
    zipped = arrays[0] if len(arrays) == 1 else _named("arrayZip", *arrays)
    rest = [each.copy() for each in inner.expressions if not isinstance(each.unalias(), exp.Explode)]
    inner.set(
        "expressions", [*rest, exp.alias_(_named("arrayJoin", zipped), names[0] if len(names) == 1 else "zipped")]
    )
    if len(names) == 1:
        return inner
    shown = [exp.column(each.alias_or_name) for each in rest] + [
        exp.alias_(_named("tupleElement", exp.column("zipped"), place), name)
        for place, name in enumerate(names, start=1)
    ]
    return exp.select(*shown).from_(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("unnested"))))


def _ch_struct(node: Any) -> exp.Expression:
    return exp.Tuple(expressions=[each.expression.copy() for each in node.expressions])


def _ch_join_words(node: Any) -> exp.Expression:
    separator, *texts = node.expressions
    filled = [exp.Coalesce(this=each.copy(), expressions=[exp.Literal.string("")]) for each in texts]
    return _named("concatWithSeparator", separator.copy(), *filled)


CLICKHOUSE: Final[Mapping[type[Any], Change]] = {
    exp.GT: _seconds,
    exp.LTE: _seconds,
    exp.Or: _never,
    exp.Cast: _ch_cast,
    exp.Anonymous: _ch_call,
    exp.Dot: _ch_dot,
    exp.Select: _ch_unnest,
    exp.Struct: _ch_struct,
    exp.ConcatWs: _ch_join_words,
    exp.IntDiv: lambda node: _named("intDiv", node.this.copy(), node.expression.copy()),
    exp.LogicalOr: lambda node: exp.Max(this=node.this.copy()),
    exp.Contains: lambda node: exp.GT(
        this=_named("position", node.this.copy(), node.expression.copy()), expression=exp.Literal.number(0)
    ),
    exp.ArrayFilter: lambda node: _named("arrayFilter", node.expression.copy(), node.this.copy()),
    exp.ArrayAppend: lambda node: _named("arrayPushBack", node.this.copy(), node.expression.copy()),
    exp.RegexpLike: lambda node: _named("match", node.this.copy(), node.expression.copy()),
    exp.Median: lambda node: _named("quantileExactInclusive", node.this.copy()),
}

# --- Trino


def _trino_call(node: Any) -> exp.Expression:
    name = node.name.lower()
    if name == "epoch_us":
        us = exp.Mul(this=_named("to_unixtime", *node.expressions), expression=exp.Literal.number("1e6"))
        return exp.cast(_named("round", us), "bigint")
    if name == "make_timestamptz":
        (us,) = node.expressions
        seconds = exp.Div(this=exp.cast(us.copy(), "double"), expression=exp.Literal.number("1e6"), typed=True)
        return _named("from_unixtime", seconds, "UTC")
    if name == "get_current_timestamp":
        return exp.CurrentTimestamp()
    return node


def _trino_days(node: Any) -> exp.Expression:
    """A day and a number of days."""
    day, number = node.this, node.expression
    is_day = _is(day, "date") or (isinstance(day, exp.Column) and day.name.endswith("_day"))
    if not is_day or isinstance(number, exp.Interval):
        return node
    more = number.copy() if isinstance(node, exp.Add) else exp.Neg(this=number.copy())
    return _named("date_add", "day", more, day.copy())


def _trino_item(node: Any) -> exp.Expression:
    """What may not be there: null, and no error."""
    key = node.expressions[0].copy()
    if isinstance(key, exp.Literal) and not key.is_string and not node.args.get("offset"):
        key = exp.Literal.number(int(key.name) + 1)
    return _named("element_at", node.this.copy(), key)


TRINO: Final[Mapping[type[Any], Change]] = {
    exp.GT: _seconds,
    exp.LTE: _seconds,
    exp.Or: _never,
    exp.Anonymous: _trino_call,
    exp.Add: _trino_days,
    exp.Sub: _trino_days,
    exp.Bracket: _trino_item,
    exp.Contains: lambda node: exp.GT(
        this=_named("strpos", node.this.copy(), node.expression.copy()), expression=exp.Literal.number(0)
    ),
    exp.LogicalOr: lambda node: _named("bool_or", node.this.copy()),
    exp.Median: lambda node: _named("approx_percentile", node.this.copy(), exp.Literal.number("0.5")),
}


def changed(tree: exp.Expression, changes: Mapping[type[Any], Change]) -> exp.Expression:
    """The tree with each node changed that there is a change for: from the leaves up."""
    for node in [*tree.walk(bfs=False)][::-1]:
        change = changes.get(type(node))
        if change is None:
            continue
        new = change(node)
        if new is not node:
            if node.parent is None:
                tree = new
            else:
                node.replace(new)
    return tree
