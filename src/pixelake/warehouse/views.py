"""The tables that people's own SQL may name: ``events``, ``rejects``, and two views of what people did.

``visits``
    a row a visit of people, as the questions know it: see `pixelake.warehouse.trail`. Who it was is not told.
``daily``
    a row a site and a day on its wall clock: the sums of the question ``series``.

For one site there are only its rows, and no ``rejects``: those are of no site.
What is asked of such a table is computed on its rows alone, never before the
others are left out: else an error, which may name a value, would tell of them.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from pixelake.warehouse import zones
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.planner import Planner
from pixelake.warehouse.questions import Column, Question, questions
from pixelake.warehouse.reading import Standing, Statement
from pixelake.warehouse.snapshot import literal
from pixelake.warehouse.trail import ORIGIN

EVENTS: Final = "events"
REJECTS: Final = "rejects"
VISITS: Final = "visits"
DAILY: Final = "daily"
NAMES: Final = (EVENTS, REJECTS, VISITS, DAILY)
SITE_NAMES: Final = (EVENTS, VISITS, DAILY)
"""What there is for one site."""

ALL: Final = 1 << 62
"""A limit of so many rows leaves none out; but what is asked of a table is not computed below it."""
_FIRST: Final = date(1970, 1, 1)
_LAST: Final = date(2199, 12, 30)

_VISITS_COLUMNS: Final = (
    Column("site", "text", "", "name of the site", "col"),
    Column("local_day", "date", "", "the day on which it began, on the site's wall clock", "col"),
    Column("visit_at", "time", "", "its first hit", "col"),
    Column("visit_us", "int", "µs", "up to its last hit", "col"),
    Column("visit_hits", "int", "hits", "all that was done in it", "col"),
    Column("visit_views", "int", "views", "pages seen in it", "col"),
    Column("entry", "text", "", "host and path of the first page", "col"),
    Column("exit", "text", "", "host and path of the last page", "col"),
    Column("entry_event", "text", "", "the event that it began with", "col"),
    *(Column(f"entry_{name}", "text", "", f"`{name}` of its first hit", "col") for name in ORIGIN),
)
_DAILY_COLUMNS: Final = (
    Column("site", "text", "", "name of the site", "key"),
    Column("local_day", "date", "", "the day, on the site's wall clock", "key"),
    Column("hits", "int", "hits", "everything that people did", "sum"),
    Column("views", "int", "views", "pages seen by people", "sum"),
    Column("daily_visitors", "int", "people", "different people on that day; days add up to no people", "sum"),
    Column("visits", "int", "visits", "visits that began on that day", "sum"),
    Column("bounces", "int", "visits", "visits of a single hit", "sum"),
    Column("visit_views", "int", "views", "views in these visits", "sum"),
    Column("visit_us", "int", "µs", "length of these visits, added up", "sum"),
)
COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {VISITS: _VISITS_COLUMNS, DAILY: _DAILY_COLUMNS}
"""Of the views, with their definitions."""


def definitions(standing: Standing, clocks: Clocks, names: Collection[str], site: str | None) -> dict[str, str]:
    """SQL of the tables of these names, of one version of the lake; those of one site, or all of them."""
    first, last = standing.span or (_FIRST, _FIRST)
    found = {}
    for name in names:
        if name in COLUMNS:
            found[name] = _view(name, standing, clocks, site)
        elif name == EVENTS and site is not None:
            rows = standing.relation(EVENTS, first, last)
            found[name] = f"select * from ({rows}) where site = {literal(site)}"  # noqa: S608 - quoted
        else:
            found[name] = standing.relation(name, _FIRST, _LAST)
    if site is None:
        return found
    return {name: f"select * from ({sql}) limit {ALL}" for name, sql in found.items()}  # noqa: S608


def _view(name: str, standing: Standing, clocks: Clocks, site: str | None) -> str:
    first, last = standing.span or (_FIRST, _FIRST)
    start, end = (datetime.combine(day, datetime.min.time(), UTC) for day in (first - zones.DAY, last + 2 * zones.DAY))
    question = _daily() if name == DAILY else _visits()
    return inlined(Planner(question, Ask(name, max(start, _moment(_FIRST)), end, site), clocks).make(standing))


def _moment(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def _daily() -> Question:
    partial = questions()["series"].partial
    return Question(DAILY, "", "traffic", "list", _DAILY_COLUMNS, (), (), "", partial, "series", "")


def _visits() -> Question:
    answer = f"select {', '.join(each.name for each in _VISITS_COLUMNS)} from visits"  # noqa: S608 - of our own making
    return Question(VISITS, "", "traffic", "list", _VISITS_COLUMNS, (), (), "", "", VISITS, answer)


# --- a statement without parameters

_TOLD: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w+)""")


def inlined(statement: Statement) -> str:
    """The SQL of a statement with its values in it; what is quoted stays as it is."""
    return _TOLD.sub(lambda found: value(statement.values[found[1]]) if found[1] else found[0], statement.sql)


def value(of: Any) -> str:
    """A value as SQL."""
    if of is None:
        return "null"
    if isinstance(of, list | tuple):
        return f"[{', '.join(map(value, of))}]"
    if isinstance(of, datetime):
        return zones.literal(of)
    if isinstance(of, date):
        return zones.day_literal(of)
    if isinstance(of, Decimal | float):
        return format(of, "f")
    return literal(of)
