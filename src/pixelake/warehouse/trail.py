"""What people did, site by site and day by day, with their visits worked out: the relations that questions read.

A question reads one of these, and the planner puts what it needs before it:

``everything``
    the events received in the period that pass the filter: all columns of ``events``, and ``local_day`` (the date on
    the site's wall clock), ``person`` (``user_id``, else ``visitor_id``; null: nobody knows), ``counted`` (of people:
    no machine, no repeat, no HEAD, nothing fetched before anybody looked).
``hits``
    those of ``everything`` that are ``counted``; or all, if machines and repeats are asked for, too.
``unfiltered``
    the events received in the period, with the columns of ``everything``, and ``passes``: whether the filter lets one
    pass.
``visits``
    a row a visit that began in the period and of which an event passes the filter: ``site``, ``local_day`` (of its
    begin), ``person``, ``visit_at`` (its first event), ``visit_us`` (µs up to its last), ``visit_hits``,
    ``visit_views``, ``entry`` and ``exit`` (host and path of its first and last page), and ``entry_`` with ``event``,
    ``referrer_host``, ``channel``, ``utm_source``, ``utm_medium``, ``utm_campaign``, ``utm_term``, ``utm_content`` of
    its first event.

``visiting``
    the events of those visits that pass the filter, also those on the next day: a row each.

A visit is what one person does on a site until 30 minutes of silence. It may
cross midnight: it belongs to the day on which it began, and what follows is
looked at until four o'clock. A person without a ``user_id`` is another one on
each day; ``visitor_before`` in the first 30 minutes of a day tells who it was.

All is computed in units of a site's day, from the events of that day, of half
an hour before and of four hours after it, whatever period is asked for. So it
does not depend on the question, and can be kept (`pixelake.warehouse.rollup`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pixelake.warehouse.people import MACHINES
from pixelake.warehouse.zones import DAY, DAY_US, Clock, day_literal, literal, local_us

SILENCE: Final = timedelta(minutes=30)
"""Ends a visit."""
TAIL_HOURS: Final = 4
"""Of a visit across midnight, what lies later than that on the new day is not looked at."""
_LEAD_US: Final = DAY_US - int(SILENCE.total_seconds()) * 1_000_000
_TAIL_US: Final = TAIL_HOURS * 3_600_000_000
SLACK: Final = timedelta(hours=1)
"""Clocks change by so much: the window of a unit is that much longer than it need be."""

COUNTED: Final = (
    "(not coalesce(bot, false) and not coalesce(duplicate, false) and method <> 'HEAD'"
    f" and not coalesce(prefetch, false) and coalesce(proxy, '') not in ({', '.join(map(repr, MACHINES))}))"
)
"""SQL: is an event a person's? `pixelake.warehouse.people.of_people` says the same in Arrow."""
ORIGIN: Final = ("referrer_host", "channel", "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
"""Columns of a visit's first event that tell where it came from."""
VISIT: Final = (
    *("visit_at", "visit_us", "visit_hits", "visit_views", "entry", "exit", "entry_event"),
    *(f"entry_{name}" for name in ORIGIN),
)
"""Columns of a visit, on each of its events."""
NEEDED: Final = (
    *("received_at", "site", "event", "host", "path", *ORIGIN, "value", "currency", "country", "region", "city"),
    *("timezone", "language", "browser", "browser_version", "os", "os_version", "device", "screen", "title"),
    *("bot", "bot_name", "proxy", "prefetch", "duplicate", "method", "dialect", "source", "signed", "consent"),
    *("dnt", "gpc", "click_id"),
)
"""Columns of events that a trail keeps when it is written: none that names a person."""
_ORIGIN_OF: Final = {"referrer_host": "if(host in (referrer_host, 'www.' || referrer_host), null, referrer_host)"}
"""Columns of the first event that say something else as the origin of a visit: the site itself is none."""
PAGE: Final = "coalesce(host, '') || path"


@dataclass(frozen=True, slots=True)
class Scope:
    """Some days of some sites that share a wall clock.

    Attributes:
        clock: theirs.
        sites: SQL that is true of their events.
        first: the first local day.
        last: the last one.
        people: machines and repeats do not count.
    """

    clock: Clock
    sites: str
    first: date
    last: date
    people: bool = True

    @property
    def start(self) -> datetime:
        """When the first day begins."""
        return self.clock.bounds(self.first)[0]

    @property
    def end(self) -> datetime:
        """When the last day ends."""
        return self.clock.bounds(self.last)[1]

    @property
    def window(self) -> tuple[datetime, datetime]:
        """Which events have to be read to know all visits of these days, and some more."""
        return self.start - SILENCE - SLACK, self.end + timedelta(hours=TAIL_HOURS) + SLACK

    @property
    def days(self) -> str:
        """SQL: is a row of one of these days?"""
        return f"local_day between {day_literal(self.first)} and {day_literal(self.last)}"


LEAST: Final = (
    "hit_id",
    "received_at",
    "site",
    "event",
    "host",
    "path",
    "user_id",
    "visitor_id",
    "visitor_before",
    *ORIGIN,
)
"""Columns of events that visits are made of."""


def _events(scope: Scope, start: datetime, end: datetime, columns: Iterable[str]) -> str:
    """The events received between two moments, with the day they belong to, and the time of that day."""
    named = ", ".join(f'"{name}"' for name in dict.fromkeys([*LEAST, *columns]))
    local = local_us(scope.clock, start, end)
    first, last = (moment.astimezone(UTC) for moment in (start, end))
    counted = COUNTED if scope.people else "true"
    return f"""select
    {named},
    {local} % {DAY_US} as local_time,
    date '1970-01-01' + cast({local} // {DAY_US} as integer) as local_day,
    coalesce(user_id, visitor_id) as person,
    {counted} as counted
  from events
  where received_at >= {literal(first)} and received_at < {literal(last)}
    and concat(year, month, day) between '{first:%Y%m%d}' and '{last:%Y%m%d}'
    and concat(year, month, day, hour) between '{first:%Y%m%d%H}' and '{last:%Y%m%d%H}'
    and {scope.sites}"""  # noqa: S608 - of our own making


def plain(scope: Scope, start: datetime, end: datetime, columns: Iterable[str]) -> str:
    """SQL: the events of the scope received in a period, with some columns, without visits."""
    return _events(scope, max(start, scope.start), min(end, scope.end), columns)


def trail(scope: Scope, columns: Iterable[str]) -> str:
    """SQL: the events of the scope with their visits and some columns; and those of the next day that go on with one.

    A relation with the columns of ``everything``, those of `VISIT` (null: of none that began on ``local_day``),
    ``visit`` (its number among those of its person) and ``is_tail``: whether it is one of the next day.
    """
    # windows carry no more columns than they need: with all of them a day took twice as long
    origins = "".join(f"\n    max({_ORIGIN_OF.get(name, name)}) filter (is_new) as entry_{name}," for name in ORIGIN)
    return f"""with source as (
  {_events(scope, *scope.window, columns)}
),
before as (
  select site, local_day, visitor_id, max(visitor_before) as visitor_before
  from source
  where counted and user_id is null and visitor_before is not null
  group by all
),
after as (select site, local_day, visitor_before, max(visitor_id) as visitor_id from before group by all),
joined as (
  select *, 0 as part from source where {scope.days}
  union all by name
  select source.* replace (
    source.local_day - 1 as local_day, coalesce(user_id, before.visitor_before) as person
  ), 1 as part
  from source left join before
    on before.site = source.site and before.local_day = source.local_day and before.visitor_id = source.visitor_id
  where counted and local_time < {_TAIL_US} and coalesce(user_id, before.visitor_before) is not null
    and source.local_day - 1 between {day_literal(scope.first)} and {day_literal(scope.last)}
  union all by name
  select source.* replace (source.local_day + 1 as local_day, coalesce(user_id, after.visitor_id) as person), -1 as part
  from source left join after
    on after.site = source.site and after.local_day = source.local_day + 1 and after.visitor_before = source.visitor_id
  where counted and local_time >= {_LEAD_US} and coalesce(user_id, after.visitor_id) is not null
    and source.local_day + 1 between {day_literal(scope.first)} and {day_literal(scope.last)}
),
placed as materialized (select *, row_number() over () as at_row from joined),
spaced as (
  select
    *,
    coalesce(
      received_at - lag(received_at) over steps > interval {int(SILENCE.total_seconds())} second, true
    ) as is_new,
    row_number() over steps as step
  from (
    select at_row, site, local_day, person, received_at, hit_id, part from placed where counted and person is not null
  )
  window steps as (partition by site, local_day, person order by received_at, hit_id)
),
walked as materialized (
  select
    * exclude (received_at, hit_id),
    sum(cast(is_new as integer)) over (
      partition by site, local_day, person order by step rows unbounded preceding
    ) as visit
  from spaced
),
visited as (
  select
    walked.site,
    walked.local_day,
    walked.person,
    visit,
    min(received_at) as visit_at,
    epoch_us(max(received_at)) - epoch_us(min(received_at)) as visit_us,
    count(*) as visit_hits,
    count(*) filter (event = 'pageview') as visit_views,
    arg_min({PAGE}, step) filter (event = 'pageview' and path is not null) as entry,
    arg_max({PAGE}, step) filter (event = 'pageview' and path is not null) as exit,{origins}
    max(event) filter (is_new) as entry_event
  from placed join walked using (at_row)
  group by walked.site, walked.local_day, walked.person, visit
  having max(walked.part) filter (is_new) = 0
)
select placed.* exclude (at_row, part), placed.part = 1 as is_tail,
  if(visited.person is null, null, walked.visit) as visit, {", ".join(f"visited.{name}" for name in VISIT)}
from placed
left join walked on walked.at_row = placed.at_row
left join visited on visited.site = walked.site and visited.local_day = walked.local_day
  and visited.person = walked.person and visited.visit = walked.visit
where placed.part = 0 or (placed.part = 1 and visited.person is not null)"""  # noqa: S608


def kept(columns: Sequence[str]) -> str:
    """SQL: what of a relation ``whole`` (a `trail`) is kept in a file: people are numbers, anew each day and site."""
    names = ", ".join(columns)
    return f"""select
  {names}, local_day, counted, is_tail,
  cast(number as integer) as person,
  user_id is not null as identified,
  cast(visit as integer) as visit, {", ".join(VISIT)}
from whole left join (
  select site, local_day, person, row_number() over (partition by site, local_day order by person) as number
  from (select distinct site, local_day, person from whole where person is not null)
) using (site, local_day, person)"""  # noqa: S608


def relations(start: datetime, end: datetime, passing: str, *, visits: bool) -> dict[str, str]:
    """SQL of the relations that a question may read, over a relation ``trail``.

    Args:
        start: of the period.
        end: of the period.
        passing: SQL: does an event pass the filter?
        visits: whether the trail has visits.
    """
    within = "{0} >= " + literal(start) + " and {0} < " + literal(end)
    own = within.format("received_at") + (" and not is_tail" if visits else "")
    found = {
        "everything": f"select * from trail where {own} and {passing}",  # noqa: S608
        "hits": f"select * from trail where {own} and counted and {passing}",  # noqa: S608
        "unfiltered": f"select *, coalesce({passing}, false) as passes from trail where {own}",  # noqa: S608
    }
    if visits:
        columns = ", ".join(f"any_value({name}) as {name}" for name in VISIT)
        found["visits"] = (
            f"select site, local_day, person, visit, {columns} from trail"  # noqa: S608
            f" where visit is not null and {within.format('visit_at')} and {passing} group by all"
        )
        found["visiting"] = f"select * from trail where visit is not null and {within.format('visit_at')} and {passing}"  # noqa: S608
    return found


def day_span(clock: Clock, start: datetime, end: datetime) -> tuple[date, date]:
    """The local days of a period's first and last moment."""
    return clock.date(start), clock.date(end - timedelta(microseconds=1))


def days_between(first: date, last: date) -> Sequence[date]:
    """All days from one to another, both included."""
    return [first + DAY * number for number in range((last - first).days + 1)]
