"""What sites declare of their shops: goals that are reached, and funnels that lead there.

Their conditions are filters as people write them; `pixelake.warehouse.shop` reads them. They name no person.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, NamedTuple

from pixelake.errors import SettingsError

MOST: Final = 100
"""Goals, and funnels, of a site."""
LONGEST: Final = 80
"""Characters of a name."""

SCHEMA: Final = (
    (
        "CREATE TABLE IF NOT EXISTS goals(site TEXT, goal TEXT, filters TEXT NOT NULL, worth TEXT,"
        " PRIMARY KEY(site, goal))"
    ),
    "CREATE TABLE IF NOT EXISTS funnels(site TEXT, funnel TEXT, steps TEXT NOT NULL, PRIMARY KEY(site, funnel))",
)


class Goal(NamedTuple):
    """Something that people should do.

    Attributes:
        name: unique on its site.
        filters: an event that passes all of them reaches it.
        worth: what that is worth, a decimal; None: it does not say.
    """

    name: str
    filters: tuple[str, ...]
    worth: str | None = None


class Funnel(NamedTuple):
    """Steps in an order.

    Attributes:
        name: unique on its site.
        steps: of each the filters, all of which an event of it passes.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]


def goals(database: sqlite3.Connection) -> Mapping[str, Sequence[Goal]]:
    """The goals of each site that has any, by name."""
    found: dict[str, tuple[Goal, ...]] = {}
    for site, name, filters, worth in database.execute("SELECT site, goal, filters, worth FROM goals ORDER BY 1, 2"):
        found[site] = (*found.get(site, ()), Goal(name, tuple(json.loads(filters)), worth))
    return MappingProxyType(found)


def funnels(database: sqlite3.Connection) -> Mapping[str, Sequence[Funnel]]:
    """The funnels of each site that has any, by name."""
    found: dict[str, tuple[Funnel, ...]] = {}
    for site, name, steps in database.execute("SELECT site, funnel, steps FROM funnels ORDER BY 1, 2"):
        found[site] = (*found.get(site, ()), Funnel(name, tuple(map(tuple, json.loads(steps)))))
    return MappingProxyType(found)


def add_goal(database: sqlite3.Connection, site: str, goal: Goal) -> None:
    """Declare a goal, in the place of one of its name; in a transaction of the caller's.

    Raises:
        SettingsError: it cannot be called so, or be worth that, or there are too many.
    """
    _check(goal.name, len(goal.filters), [known.name for known in goals(database).get(site, ())], "goals")
    row = (site, goal.name, json.dumps(goal.filters), None if goal.worth is None else _amount(goal.worth))
    database.execute("INSERT OR REPLACE INTO goals(site, goal, filters, worth) VALUES (?, ?, ?, ?)", row)


def add_funnel(database: sqlite3.Connection, site: str, funnel: Funnel) -> None:
    """Declare a funnel, in the place of one of its name; in a transaction of the caller's.

    Raises:
        SettingsError: it cannot be called so, or there are too many.
    """
    _check(funnel.name, len(funnel.steps), [known.name for known in funnels(database).get(site, ())], "funnels")
    row = (site, funnel.name, json.dumps(funnel.steps))
    database.execute("INSERT OR REPLACE INTO funnels(site, funnel, steps) VALUES (?, ?, ?)", row)


def remove_goal(database: sqlite3.Connection, site: str, name: str) -> bool:
    """Whether there was one."""
    return database.execute("DELETE FROM goals WHERE site = ? AND goal = ?", (site, name)).rowcount > 0


def remove_funnel(database: sqlite3.Connection, site: str, name: str) -> bool:
    """Whether there was one."""
    return database.execute("DELETE FROM funnels WHERE site = ? AND funnel = ?", (site, name)).rowcount > 0


def _check(name: str, conditions: int, known: Sequence[str], what: str) -> None:
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise SettingsError(f"none of the {what} can be called {name[:80]!r}", f"1 to {LONGEST} characters on a line")
    if not conditions:
        raise SettingsError(f"{name!r} has no condition", "give a filter, such as `event is purchase`")
    if name not in known and len(known) >= MOST:
        raise SettingsError(f"the site has {MOST} {what}", "remove one first")


def _amount(text: str) -> str:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("nan")
    if not amount.is_finite() or abs(amount) >= Decimal(10) ** 12 or amount != round(amount, 6):
        raise SettingsError(
            f"{text[:40]!r} is no amount", "a number with at most twelve digits before the point and six behind"
        )
    return f"{amount:f}"
