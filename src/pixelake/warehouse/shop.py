"""What the questions of the shop have beside their files: the goals and steps that they are about, and who is who.

A person is a ``user_id``; else the visitor of a day, and whom that one was on
the evening before, where an event in the first half hour of the day tells.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pixelake.errors import QueryError
from pixelake.registry.goals import Funnel, Goal
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.given import Given, More
from pixelake.warehouse.trail import PAGE
from pixelake.warehouse.zones import DAY, DAY_US, MICROSECOND, literal, local_us

LEAST_STEPS: Final = 2
MOST_STEPS: Final = 12
MOST_GOALS: Final = 1_000
"""Goals of one question: each is looked for in each event."""
LONGEST_FUNNEL: Final = 24 * 366
"""Hours."""
LONGEST_CART: Final = 24 * 60
"""Minutes."""
CART_FOLLOWED: Final = timedelta(hours=24)

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Before it nothing was received."""
PERSONAL: Final = frozenset({"hit_id", "event_id", "impression_id", "user_id", "visitor_id", "visitor_before", "ip"})
"""Columns that nothing is declared with."""

_PARAMETER: Final = re.compile(r"\$(f\d+)\b")


def condition(texts: Sequence[str], kinds: Mapping[str, str], prefix: str) -> tuple[str, dict[str, Any]]:
    """SQL that is true of events that pass all of these filters, else false; and its parameters, whose names begin so.

    Raises:
        QueryError: one of them is no filter.
    """
    parsed = filters.parse(texts, filters.filterable(kinds))
    sql, values = filters.as_sql(parsed, kinds)
    named = {f"{prefix}_{name}": value for name, value in values.items()}
    renamed = _PARAMETER.sub(lambda found: f"${prefix}_{found[1]}", sql)
    return f"coalesce({renamed}, false)", named


def declarable(texts: Sequence[str], kinds: Mapping[str, str]) -> None:
    """Check the filters of a goal, or of a funnel's step.

    Raises:
        QueryError: one of them is none, or names a person, who could not be erased from it.
    """
    looked = filters.columns_in(filters.parse(texts, filters.filterable(kinds)))
    if found := sorted(looked & PERSONAL):
        raise QueryError(f"filter: {found[0]!r} is of one person", "what is declared outlives whoever is erased")


# --- goals


def goals(given: Given) -> More:
    """``goal_hits`` and ``goal_visits``: a row each time that a goal is reached; ``goal_worths``: what it is worth.

    Raises:
        QueryError: there are too many, or one of them cannot be looked for any more.
    """
    declared = _of_site(given.declared("goals"), given.asked.site)
    named = [(site, goal) for site, its in declared.items() for goal in its]
    if len(named) > MOST_GOALS:
        raise QueryError(f"site: all sites have {len(named):,} goals", f"at most {MOST_GOALS:,}: ask for one site")
    values: dict[str, Any] = {
        "goal_sites": sorted(declared),
        "goal_sites_of": [site for site, _ in named],
        "goal_names": [goal.name for _, goal in named],
        "goal_amounts": [None if goal.worth is None else Decimal(goal.worth) for _, goal in named],
    }
    cases = ["case when not list_contains($goal_sites::varchar[], site) and event <> 'pageview' then event end"]
    for number, (site, goal) in enumerate(named):
        sql, more = _condition_of(f"goal {goal.name!r} of {site!r}", goal.filters, given.kinds, f"goal{number}")
        values |= {**more, f"goal{number}_site": site, f"goal{number}_name": goal.name}
        cases.append(f"case when site = $goal{number}_site and {sql} then $goal{number}_name end")
    reached = f"unnest(list_filter([{', '.join(cases)}], lambda one: one is not null)) as value"
    ctes = {
        "goal_hits": f"select site, local_day, person, {reached} from hits",  # noqa: S608 - of our own making
        "goal_visits": f"select distinct site, local_day, person, visit, {reached} from visiting",  # noqa: S608
        "goal_worths": (
            "select unnest($goal_sites_of::varchar[]) as site, unnest($goal_names::varchar[]) as value,"
            " unnest($goal_amounts::decimal(18, 6)[]) as amount"
        ),
    }
    return More(ctes, values)


def _of_site(declared: Any, site: str | None) -> Mapping[str, Sequence[Goal]]:
    found: Mapping[str, Sequence[Goal]] = dict(declared or {})
    return {name: its for name, its in found.items() if its and site in (None, name)}


def _condition_of(what: str, texts: Sequence[str], kinds: Mapping[str, str], prefix: str) -> tuple[str, dict[str, Any]]:
    try:
        return condition(texts, kinds, prefix)
    except QueryError as error:
        raise QueryError(f"{what}: {str(error).removeprefix('filter: ')}", error.hint) from None


# --- funnels


def later(ask: Ask) -> Ask:
    """A funnel's steps may lie behind the period."""
    return replace(ask, end=ask.end + timedelta(hours=_hours(ask.options.get("window"))))


def funnel(given: Given) -> More:
    """``steps``: number and name of each; ``reached``: for each person the steps, and µs from the step before.

    Raises:
        QueryError: the steps, or the window, cannot be.
    """
    steps = _steps(given)
    window = _hours(given.options["window"]) * 3_600_000_000
    values: dict[str, Any] = {"step_names": [" and ".join(each) for each in steps]}
    passed = []
    for number, texts in enumerate(steps, 1):
        sql, more = _condition_of("steps", texts, given.kinds, f"step{number}")
        values |= more
        passed.append(f"{sql} as is{number}")
    anything = " or ".join(f"is{number}" for number in range(1, len(steps) + 1))
    begun = f"is1 and received_at < {literal(given.asked.end)}"
    ctes = {
        **_people(given, ", ".join(passed)),
        "way1": f"select *, if({begun}, [at_us], null) as times1 from known where {anything}",  # noqa: S608 - our own
    }
    for number in range(2, len(steps) + 1):
        ctes[f"way{number}"] = _way(number, window)
    furthest = ", ".join(
        f"arg_min(times{number}, (received_at, hit_id)) filter (times{number} is not null)"
        for number in range(len(steps), 0, -1)
    )
    ctes["ways"] = (
        f"select bool_or(user_id is null) as anonymous, coalesce({furthest}) as times"  # noqa: S608 - of our own making
        f" from way{len(steps)} group by site, who_day, who having times is not null"
    )
    ctes["reached"] = (
        "select anonymous, step, times[step] - times[step - 1] as us"
        " from (select *, unnest(range(1, len(times) + 1)) as step from ways)"
    )
    ctes["steps"] = f"select unnest(range(1, {len(steps) + 1}))::bigint as step, unnest($step_names::varchar[]) as name"
    return More(ctes, values)


def _way(number: int, window: int) -> str:
    """SQL: the events with the times of the way that ends at one as this step, the latest begun of those that do.

    A way that began later has more of the window left, so no other can go further.
    """
    return f"""select * exclude (before),
    if(is{number} and at_us - before[1] <= {window}, list_append(before, at_us), null) as times{number}
  from (select *, max(times{number - 1}) over (
    partition by site, who_day, who order by received_at, hit_id rows between unbounded preceding and 1 preceding
  ) as before from way{number - 1})"""  # noqa: S608 - of our own making


def _steps(given: Given) -> list[Sequence[str]]:
    """The filters of each step."""
    steps, name = given.options["steps"], given.options["funnel"]
    if bool(steps) == bool(name):
        raise QueryError(
            "steps: give them, or the name of a declared funnel, and not both",
            "each a filter, in order: `event is add_to_cart`, `event is purchase`",
        )
    found: list[Sequence[str]] = list(_declared(given, str(name))) if name else [[str(each)] for each in steps]
    if not LEAST_STEPS <= len(found) <= MOST_STEPS:
        raise QueryError(f"steps: {len(found)} of them", f"a funnel has {LEAST_STEPS} to {MOST_STEPS}")
    return found


def _declared(given: Given, name: str) -> Sequence[Sequence[str]]:
    if given.asked.site is None:
        raise QueryError("funnel: a declared funnel is one of a site", "name the site, or give the steps")
    known: Sequence[Funnel] = dict(given.declared("funnels") or {}).get(given.asked.site, ())
    for each in known:
        if each.name == name:
            return each.steps
    names = ", ".join(each.name for each in known)
    raise QueryError(f"funnel: the site has none named {name[:60]!r}", f"it has {names or 'none'}")


def _hours(window: Any) -> int:
    return _within(window, 24, LONGEST_FUNNEL, "hours")


def _within(window: Any, default: int, most: int, unit: str) -> int:
    try:
        found = default if window in ("", None) else int(window)
    except (ValueError, TypeError, OverflowError):
        found = 0
    if not 1 <= found <= most:
        raise QueryError(
            f"window: {str(window)[:40]!r} is no number of {unit}", f"1 to {most:,}, for example {default}"
        )
    return found


# --- carts


def around(ask: Ask) -> Ask:
    """A cart may have been begun before the period, and is followed behind it."""
    before = timedelta(minutes=_minutes(ask.options.get("window")))
    return replace(ask, start=ask.start - before, end=ask.end + CART_FOLLOWED)


def carts(given: Given) -> More:
    """``known``: events with who did them.

    Raises:
        QueryError: the window, or the events, cannot be.
    """
    for name in ("cart_event", "order_event"):
        if not given.options[name]:
            raise QueryError(f"{name}: it has no name", "that of an event")
    if given.options["cart_event"] == given.options["order_event"]:
        raise QueryError("order_event: it is the cart_event", "name two events")
    return More(
        _people(given, f'event, {PAGE} as page, "value", currency'),
        {
            "cart_window": _minutes(given.options["window"]) * 60_000_000,
            "cart_from": _us(given.asked.start),
            "cart_until": _us(given.asked.end),
        },
    )


def _minutes(window: Any) -> int:
    return _within(window, 60, LONGEST_CART, "minutes")


# --- cohorts


def always(ask: Ask) -> Ask:
    """Who was there before the period is no user of a cohort in it."""
    return replace(ask, start=FIRST)


def cohorts(given: Given) -> More:
    """``dated``: events, each with its date on the wall clock of the zone."""
    ask, day = given.asked, "local_day"
    if ask.zone is not None:
        day = f"(date '1970-01-01' + cast({local_us(given.clock, ask.start - DAY, ask.end)} // {DAY_US} as integer))"
    return More(
        {"dated": f"select site, user_id, received_at, {day} as on_day from hits"},  # noqa: S608 - of our own making
        {
            "cohort_from": ask.start,
            "cohort_end": given.clock.date(ask.end),
            "cohort_last": given.clock.date(ask.end - MICROSECOND),
        },
    )


# --- who is who


def _people(given: Given, columns: str) -> dict[str, str]:
    """SQL of ``known``: events of people with some columns, ``at_us``, and ``site``, ``who_day`` and ``who``: whose.

    ``who_day`` and ``who`` are the visitor of the first day of those that an event after midnight links.
    """
    linked = "counted and user_id is null and visitor_before is not null and visitor_id is not null"
    where = "hits" if given.ask.filter == filters.NOTHING else "unfiltered"  # who it is, no filter decides
    return {
        "links": (
            "select site, local_day, visitor_id, max(visitor_before) as visitor_before"  # noqa: S608 - our own
            f" from {where} where {linked} group by all"
        ),
        "roots": """with recursive chain as (
    select later.site, later.local_day, later.visitor_id, later.local_day - 1 as root_day, later.visitor_before as root
    from links as later left join links as earlier
      on earlier.site = later.site and earlier.local_day = later.local_day - 1
      and earlier.visitor_id = later.visitor_before
    where earlier.site is null
    union all
    select later.site, later.local_day, later.visitor_id, chain.root_day, chain.root
    from links as later join chain
      on chain.site = later.site and chain.local_day = later.local_day - 1 and chain.visitor_id = later.visitor_before
  ) select * from chain""",
        "known": f"""select
    site, user_id, received_at, hit_id, epoch_us(received_at) as at_us,
    if(user_id is null, coalesce(root_day, local_day), date '0001-01-01') as who_day,
    coalesce(user_id, root, visitor_id) as who,
    {columns}
  from hits left join roots using (site, local_day, visitor_id)
  where person is not null""",  # noqa: S608 - of our own making
    }


def _us(moment: datetime) -> int:
    return (moment - FIRST) // MICROSECOND
