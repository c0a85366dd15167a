"""What `sqlglot` does not know of how Trino and ClickHouse say what DuckDB says: trees, changed node by node."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlglot import exp

Change = Callable[[Any], Any]


def _named(name: str, *arguments: Any) -> exp.Anonymous:
    return exp.Anonymous(
        this=name, expressions=[each if not isinstance(each, str | int) else _plain(each) for each in arguments]
    )


def _plain(value: str | int) -> Any:
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _is(node: Any, kind: str) -> bool:
    return isinstance(node, exp.Cast) and node.to.is_type(kind)


# --- both


def _seconds(node: Any) -> Any:
    """Whether there is more or less than an interval between two moments, in microseconds."""
    gap, interval = node.this, node.expression
    if not (isinstance(gap, exp.Sub) and isinstance(interval, exp.Interval)):
        return node
    us = int(interval.this.name) * {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}[str(interval.unit).upper()] * 1_000_000
    sides = (_named("epoch_us", each.copy()) for each in (gap.this, gap.expression))
    left, right = (_inside_window(each) for each in sides)
    return type(node)(this=exp.Sub(this=left, expression=right), expression=exp.Literal.number(us))


def _inside_window(call: exp.Anonymous) -> Any:
    """``epoch_us(lag(x) over w)`` as ``lag(epoch_us(x)) over w``: what is before the first is null, and not 1970."""
    window = call.expressions[0]
    if not (isinstance(window, exp.Window) and isinstance(window.this, exp.Lag)):
        return call
    window = window.copy()
    window.this.set("this", _named("epoch_us", window.this.this.copy()))
    return window


def _never(node: Any) -> Any:
    """``null is null or ...`` is true."""
    return exp.true() if any(_is_true(part.unnest()) for part in node.flatten()) else node


def _numbered(node: Any) -> Any:
    """Rows numbered in any order: in the same one each time, since a WITH may be computed anew where it is named."""
    is_bare = not any(node.args.get(name) for name in ("order", "partition_by", "alias"))
    if is_bare and isinstance(node.this, exp.RowNumber):
        node.set(
            "order", exp.Order(expressions=[exp.Ordered(this=exp.column(name)) for name in ("hit_id", "local_day")])
        )
    return node


def _weeks(node: Any) -> Any:
    """Days between two dates, which DuckDB subtracts."""
    days = node.this.unnest()
    if isinstance(days, exp.Sub) and isinstance(days.left, exp.Column) and isinstance(days.right, exp.Column):
        between = exp.DateDiff(this=days.left.copy(), expression=days.right.copy(), unit=exp.var("DAY"))
        return exp.IntDiv(this=between, expression=node.expression.copy())
    return node


def _is_true(node: Any) -> bool:
    return (isinstance(node, exp.Boolean) and bool(node.this)) or (
        isinstance(node, exp.Is) and isinstance(node.this, exp.Null) and isinstance(node.expression, exp.Null)
    )


def _chosen(node: Any) -> Any:
    """What an option of the question chooses is known before: the other way is not said."""
    for each in [node] if isinstance(node, exp.If) else node.args["ifs"]:
        told = each.this.unnest() if not node.this or isinstance(node, exp.If) else None
        if not (isinstance(told, exp.EQ) and all(isinstance(side, exp.Literal) for side in (told.left, told.right))):
            return node
        if told.left == told.right:
            return each.args["true"].copy()
    default = node.args.get("false" if isinstance(node, exp.If) else "default")
    return default.copy() if default is not None else exp.Null()


BOTH: Final[Mapping[type[Any], Change]] = {
    exp.GT: _seconds,
    exp.LTE: _seconds,
    exp.Or: _never,
    exp.Case: _chosen,
    exp.Window: _numbered,
    exp.IntDiv: _weeks,
    exp.If: lambda node: node if isinstance(node.parent, exp.Case) else _chosen(node),
    exp.IgnoreNulls: lambda node: node.this.copy() if isinstance(node.this, exp.Max) else node,
    exp.AnyValue: lambda node: exp.Max(this=node.this.copy()),  # they are all the same
}

# --- ClickHouse


def _ch_cast(node: Any) -> Any:
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


def _ch_call(node: Any) -> Any:
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


def _ch_dot(node: Any) -> Any:
    place = {"key": 1, "value": 2}.get(node.expression.name)
    return _named("tupleElement", node.this.copy(), place) if place else node


def _ch_unnest(node: Any) -> Any:
    """Lists in the select list: side by side, as rows."""
    lists = [each for each in node.expressions if each.find(exp.Explode)]
    if len(lists) < 2:
        for each in lists:
            found = each.find(exp.Explode)
            found.replace(_named("arrayJoin", _list(found)))
        return node
    inner = node.copy()
    arrays = [_list(each.find(exp.Explode)) for each in lists]
    rest = [each.copy() for each in inner.expressions if not each.find(exp.Explode)]
    zipped = _named("arrayJoin", _named("arrayZip", *arrays))
    inner.set("expressions", [*rest, exp.alias_(zipped, "zipped")])
    shown = [exp.column(each.alias_or_name) for each in rest] + [
        exp.alias_(_unlisted(each.unalias().copy(), place), each.alias) for place, each in enumerate(lists, start=1)
    ]
    return exp.select(*shown).from_(exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("unnested"))))


def _unlisted(node: Any, place: int) -> Any:
    """An item of a projection, where that has a list."""
    item = _named("tupleElement", exp.column("zipped"), place)
    if isinstance(node, exp.Explode):
        return item
    node.find(exp.Explode).replace(item)
    return node


def _list(node: Any) -> Any:
    while isinstance(node, exp.Explode):
        node = node.this
    return node.copy()


def _ch_number(node: Any) -> Any:
    """Counts as what sums are: a number that may be below nothing."""
    inner = node.this if isinstance(node, exp.Filter | exp.Window) else node
    inner = inner.this if isinstance(inner, exp.Filter) else inner
    if isinstance(inner, exp.Count | exp.RowNumber) and not isinstance(node.parent, exp.Filter | exp.Window):
        return _named("toInt64", node.copy())
    return node


def _ch_series(node: Any) -> Any:
    first, last, step = (node.args.get(name) for name in ("start", "end", "step"))
    if not isinstance(step, exp.Interval):
        is_open = node.args.get("is_end_exclusive")
        until = last if is_open else exp.Add(this=last.copy(), expression=exp.Literal.number(1))
        return _named("range", first.copy(), until.copy())
    unit, many = str(step.unit).lower(), exp.Literal.number(int(step.this.name))
    number = _named("intDiv", _named("dateDiff", unit, first.copy(), last.copy()), many)
    each = exp.Mul(this=exp.column("i"), expression=many.copy())
    moved = _named("addMonths" if unit == "month" else "addDays", first.copy(), each)
    counted = _named("range", exp.Add(this=_named("toInt64", number), expression=exp.Literal.number(1)))
    return _named("arrayMap", exp.Lambda(this=moved, expressions=[exp.to_identifier("i")]), counted)


def _ch_part(node: Any) -> Any:
    parts = _named("splitByString", node.args["delimiter"].copy(), node.this.copy())
    return _named("arrayElement", parts, node.args["part_index"].copy())


def _ch_join_words(node: Any) -> Any:
    separator, *texts = node.expressions
    filled = [exp.Coalesce(this=each.copy(), expressions=[exp.Literal.string("")]) for each in texts]
    return _named("concatWithSeparator", separator.copy(), *filled)


CLICKHOUSE: Final[Mapping[type[Any], Change]] = {
    exp.Cast: _ch_cast,
    exp.Anonymous: _ch_call,
    exp.Dot: _ch_dot,
    exp.Select: _ch_unnest,
    exp.Div: lambda node: exp.Div(this=_named("toFloat64", node.this.copy()), expression=node.expression.copy()),
    exp.Count: _ch_number,
    exp.RowNumber: _ch_number,
    exp.Filter: _ch_number,
    exp.Window: _ch_number,
    exp.GenerateSeries: _ch_series,
    exp.SplitPart: _ch_part,
    exp.MapKeys: lambda node: _named("mapKeys", node.this.copy()),
    exp.ArraySort: lambda node: _named("arraySort", node.this.copy()),
    exp.ConcatWs: _ch_join_words,
    exp.IntDiv: lambda node: _named("intDiv", node.this.copy(), node.expression.copy()),
    exp.LogicalOr: lambda node: exp.Max(this=node.this.copy()),
    exp.Contains: lambda node: exp.GT(
        this=_named("position", node.this.copy(), node.expression.copy()), expression=exp.Literal.number(0)
    ),
    exp.ArrayFilter: lambda node: _named("arrayFilter", node.expression.copy(), node.this.copy()),
    exp.Length: lambda node: _named("cardinality", node.this.copy()),  # no question asks how long a text is
    exp.ArrayAppend: lambda node: _named("arrayPushBack", node.this.copy(), node.expression.copy()),
    exp.RegexpLike: lambda node: _named("match", node.this.copy(), node.expression.copy()),
    exp.Median: lambda node: _named("quantileExactInclusive", node.this.copy()),
}

# --- Trino


def _trino_call(node: Any) -> Any:
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


def _trino_days(node: Any) -> Any:
    """A day and a number of days."""
    day, number = node.this, node.expression
    is_day = _is(day, "date") or (isinstance(day, exp.Column) and day.name.endswith("_day"))
    if not is_day or isinstance(number, exp.Interval):
        return node
    more = number.copy() if isinstance(node, exp.Add) else exp.Neg(this=number.copy())
    return _named("date_add", "day", more, day.copy())


def _trino_item(node: Any) -> Any:
    """What may not be there: null, and no error."""
    key = node.expressions[0].copy()
    if isinstance(key, exp.Literal) and not key.is_string and not node.args.get("offset"):
        key = exp.Literal.number(int(key.name) + 1)
    return _named("element_at", node.this.copy(), key)


def _trino_field(node: Any) -> Any:
    """A part of what `map_entries` gives: there it has a place, and no name."""
    place = {"key": 1, "value": 2}.get(node.expression.name)
    return exp.Bracket(this=node.this.copy(), expressions=[exp.Literal.number(place)], offset=1) if place else node


def _trino_unnest(node: Any) -> Any:
    """Lists in the select list: side by side, as rows."""
    lists = [found for each in node.expressions if (found := each.find(exp.Explode))]
    if not lists or node.args.get("group"):
        return node
    arrays = []
    for place, each in enumerate(lists, start=1):
        arrays.append(_list(each))
        each.replace(exp.column(f"item{place}", table="listed"))
    named = exp.TableAlias(
        this=exp.to_identifier("listed"), columns=[exp.to_identifier(f"item{place + 1}") for place in range(len(lists))]
    )
    rows = exp.Unnest(expressions=arrays, alias=named)
    if not node.args.get("from_"):
        return node.from_(rows, copy=False)
    for join in node.args.get("joins") or ():
        if not any(join.args.get(name) for name in ("kind", "side", "method", "on", "using")):
            join.set("kind", "CROSS")  # behind a comma, only the last table would be seen by the lists
    return node.join(rows, join_type="cross", copy=False)


TRINO: Final[Mapping[type[Any], Change]] = {
    exp.Anonymous: _trino_call,
    exp.Dot: _trino_field,
    exp.Select: _trino_unnest,
    exp.Add: _trino_days,
    exp.Sub: _trino_days,
    exp.Bracket: _trino_item,
    exp.Contains: lambda node: exp.GT(
        this=_named("strpos", node.this.copy(), node.expression.copy()), expression=exp.Literal.number(0)
    ),
    exp.LogicalOr: lambda node: _named("bool_or", node.this.copy()),
    exp.Length: lambda node: _named("cardinality", node.this.copy()),  # no question asks how long a text is
    exp.ArrayAppend: lambda node: _named("concat", node.this.copy(), exp.Array(expressions=[node.expression.copy()])),
    exp.Median: lambda node: _named("approx_percentile", node.this.copy(), exp.Literal.number("0.5")),
}


def changed(tree: Any, changes: Mapping[type[Any], Change]) -> Any:
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
