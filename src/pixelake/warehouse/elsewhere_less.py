"""Leaves out what nobody reads: relations of a WITH that are not named, and columns of a table that are not.

Works on the trees of `sqlglot`, in place; all columns are written out in it.
"""

from typing import Any

from sqlglot import exp


def lessened(tree: Any) -> Any:
    """The tree without them: its answer is the same."""
    while unread := [each for each in tree.find_all(exp.CTE) if not _is_read(each)]:
        for each in unread:
            held = each.parent
            each.pop()
            if not held.expressions:
                held.pop()
    for each in list(tree.find_all(exp.Select)):
        if isinstance(each.parent, exp.CTE) and _reads_a_table(each):
            _narrow(each, tree)
    return tree


def _is_read(cte: Any) -> bool:
    """Whether the query that has it names it, outside of it."""
    tables = cte.parent.parent.find_all(exp.Table)
    return any(table.name == cte.alias and not table.db and not _within(table, cte) for table in tables)


def _within(node: Any, outer: Any) -> bool:
    while node is not None and node is not outer:
        node = node.parent
    return node is outer


def _reads_a_table(select: exp.Select) -> bool:
    found = select.args.get("from_")
    return found is not None and isinstance(found.this, exp.Table) and bool(found.this.db)


def _narrow(select: exp.Select, tree: Any) -> None:
    """Only the columns with a name that something else has, too."""
    named = {column.name for column in tree.find_all(exp.Column) if not _within(column, select)}
    read = [each for each in select.expressions if each.alias_or_name in named]
    select.set("expressions", read or select.expressions[:1])
