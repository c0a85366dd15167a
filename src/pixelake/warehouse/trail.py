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

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from pixelake.warehouse.people import MACHINES
from pixelake.warehouse.pieces import with_ctes
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
STEPS_OF: Final = "partition by site, local_day, person order by"
"""What a person does on a day, one after the other."""
_HOUR: Final = timedelta(hours=1)
_FEW_DAYS: Final = 3
"""Of so many days, it is worth to tell which hours around them are looked at."""


def _events(scope: Scope, window: tuple[datetime, datetime], columns: Iterable[str], more: dict[str, str]) -> str:
    """The events received between two moments, with the day they belong to; and with more: name -> SQL."""
    start, end = window
    local = local_us(scope.clock, start, end)
    first, last = (moment.astimezone(UTC) for moment in (start, end))
    own = {
        "local_day": f"date '1970-01-01' + cast({local} // {DAY_US} as integer)",
        "person": "coalesce(user_id, visitor_id)",
        "counted": COUNTED if scope.people else "true",
    }
    named = [f'"{name}"' for name in dict.fromkeys(columns)]
    named += [f"{sql} as {name}" for name, sql in (own | more).items()]
    return f"""select
    {", ".join(named)}
  from events
  where received_at >= {literal(first)} and received_at < {literal(last)}
    and concat(year, month, day) between '{first:%Y%m%d}' and '{last:%Y%m%d}'
    and concat(year, month, day, hour) between '{first:%Y%m%d%H}' and '{last:%Y%m%d%H}'
    and {scope.sites}"""  # noqa: S608 - of our own making


def source(scope: Scope, columns: Iterable[str], more: dict[str, str]) -> str:
    """SQL: all events that tell the visits of a scope, with their time of the day, and the UTC hour they lie in."""
    lies = {
        "local_time": f"{local_us(scope.clock, *scope.window)} % {DAY_US}",
        "in_hour": "concat(year, month, day, hour)",
    }
    return _events(scope, scope.window, columns, lies | more)


def plain(scope: Scope, start: datetime, end: datetime, columns: Iterable[str]) -> str:
    """SQL: the events of the scope received in a period, with some columns, without visits."""
    window = (max(start, scope.start), min(end, scope.end))
    return _events(scope, window, ["received_at", "site", *columns], {"identified": "user_id is not null"})


def joined(scope: Scope, which: str) -> str:
    """SQL: the events of a relation ``source`` by the days whose visits they may be of, ``part`` 0 on that day itself.

    Those of the next day's begin are there again as ``part`` 1, those of the last half hour before as -1: both with the
    person who it was on the day.

    Args:
        scope: the days.
        which: SQL: which of part 0 are wanted.
    """
    days = f"between {day_literal(scope.first)} and {day_literal(scope.last)}"
    return f"""select *, 0 as part from source where {scope.days} and {which}
  union all by name
  select source.* replace (
    source.local_day - 1 as local_day, coalesce(user_id, before.visitor_before) as person
  ), 1 as part
  from source left join before
    on before.site = source.site and before.local_day = source.local_day and before.visitor_id = source.visitor_id
  where counted and local_time < {_TAIL_US} and coalesce(user_id, before.visitor_before) is not null
    and source.local_day - 1 {days}{_near(scope, after=True)}
  union all by name
  select source.* replace (
    source.local_day + 1 as local_day, coalesce(user_id, after.visitor_id) as person
  ), -1 as part
  from source left join after
    on after.site = source.site and after.local_day = source.local_day + 1 and after.visitor_before = source.visitor_id
  where counted and local_time >= {_LEAD_US} and coalesce(user_id, after.visitor_id) is not null
    and source.local_day + 1 {days}{_near(scope, after=False)}"""  # noqa: S608


def _near(scope: Scope, *, after: bool) -> str:
    """SQL: may an event be of the hours after a day of the scope, or before one? Spares opening the files of others."""
    days = days_between(scope.first, scope.last)
    if len(days) > _FEW_DAYS:
        return ""
    lead, tail = SILENCE + SLACK, timedelta(hours=TAIL_HOURS) + SLACK
    bounds = [scope.clock.bounds(day) for day in days]
    spans = [(end - SLACK, end + tail) if after else (begin - lead, begin + SLACK) for begin, end in bounds]
    hours = [first.astimezone(UTC) + _HOUR * at for first, last in spans for at in range((last - first) // _HOUR + 1)]
    named = dict.fromkeys(f"'{hour:%Y%m%d%H}'" for hour in hours)
    return f" and in_hour in ({', '.join(named)})"


WHO_WAS: Final = {
    "before": """select site, local_day, visitor_id, max(visitor_before) as visitor_before
  from source
  where counted and user_id is null and visitor_before is not null
  group by all""",
    "after": "select site, local_day, visitor_before, max(visitor_id) as visitor_id from before group by all",
}
"""Who was who at midnight."""
IS_NEW: Final = (
    f"coalesce(received_at - lag(received_at) over steps > interval {int(SILENCE.total_seconds())} second, true)"
)
"""SQL: does a visit begin?"""


def first_of(name: str) -> str:
    """SQL: what a column of a visit's first event says as the origin of the visit."""
    return _ORIGIN_OF.get(name, name)


def trail(scope: Scope, columns: Iterable[str]) -> str:
    """SQL: the events of the scope with their visits and some columns; and those of the next day that go on with one.

    A relation with the columns of ``everything``, those of `VISIT` (null: of none that began on ``local_day``),
    ``visit`` (its number among those of its person) and ``is_tail``: whether it is one of the next day.
    """
    *ctes, (_, answer) = trail_steps(scope, columns).items()
    return f"with {with_ctes(dict(ctes))}\n{answer}"


HELD: Final = ("placed", "walked", "described", "told", "trail")
"""Those of `trail_steps` that are worth being tables, one after the other, where memory is short."""


def trail_steps(scope: Scope, columns: Iterable[str]) -> dict[str, str]:
    """SQL: the relations, each made of those before it, of which the last is the `trail`."""
    # windows carry no more columns than they need: with all of them a day took twice as long; and sums are of numbers
    # alone, with the rows that pages and origins are in: sums of text cannot leave the memory
    page = "filter (is_page)"
    origins = ", ".join(f"{first_of(name)} as entry_{name}" for name in ORIGIN)
    return {
        "source": source(scope, [*LEAST, *columns], {"identified": "user_id is not null"}),
        **WHO_WAS,
        "placed": f"select *, row_number() over () as at_row from ({joined(scope, 'true')})",  # noqa: S608
        "spaced": f"""select
    * exclude (hit_id),
    {IS_NEW} as is_new,
    row_number() over steps as step
  from (
    select
      at_row,
      site,
      local_day,
      person,
      received_at,
      hit_id,
      part,
      event = 'pageview' as is_view,
      event = 'pageview' and path is not null as is_page
    from placed
    where counted and person is not null
  )
  window steps as ({STEPS_OF} received_at, hit_id)""",  # noqa: S608
        "walked": f"""select
    * exclude (site, local_day, person),
    sum(cast(is_new as integer)) over steps as visit,
    last_value(if(is_new, at_row, null) ignore nulls) over steps as first_row
  from spaced
  window steps as ({STEPS_OF} step rows unbounded preceding)""",  # noqa: S608
        "visited": f"""select
    first_row,
    min(received_at) as visit_at,
    epoch_us(max(received_at)) - epoch_us(min(received_at)) as visit_us,
    count(*) as visit_hits,
    count(*) filter (is_view) as visit_views,
    arg_min(at_row, step) {page} as entry_row,
    arg_max(at_row, step) {page} as exit_row
  from walked
  group by first_row
  having max(part) filter (is_new) = 0""",  # noqa: S608
        "described": f"""select
    visited.* exclude (entry_row, exit_row),
    entered.page as entry,
    left_from.page as exit,
    event as entry_event,
    {origins}
  from visited
  join placed on placed.at_row = first_row
  left join (select at_row, {PAGE} as page from placed) as entered on entered.at_row = entry_row
  left join (select at_row, {PAGE} as page from placed) as left_from on left_from.at_row = exit_row""",  # noqa: S608
        "told": "select at_row, visit, described.* exclude (first_row) from walked join described using (first_row)",
        "trail": """select placed.* exclude (at_row, part, in_hour), part = 1 as is_tail, told.* exclude (at_row)
  from placed left join told using (at_row)
  where part = 0 or (part = 1 and told.at_row is not null)""",
    }


PEOPLE: Final = """select
  site, local_day, person, row_number() over (partition by site, local_day order by person) as number
from (select distinct site, local_day, person from trail where person is not null)"""
"""SQL: the relation ``people``: the number of each person in a relation ``trail``, anew each day and site."""


def kept(columns: Sequence[str]) -> str:
    """SQL: what of a relation ``whole`` (of a `trail`) is kept in a file; people are numbers: `PEOPLE`."""
    names = ", ".join(columns)
    return f"""select
  {names}, local_day, counted, is_tail,
  cast(number as integer) as person,
  identified,
  cast(visit as integer) as visit, {", ".join(VISIT)}
from whole left join people using (site, local_day, person)"""  # noqa: S608


def within(moment: str, start: datetime, end: datetime) -> str:
    """SQL: does a moment lie in a period?"""
    return f"{moment} >= {literal(start)} and {moment} < {literal(end)}"


def relations(
    start: datetime, end: datetime, passing: str, *, visits: bool, wanted: Collection[str] = VISIT
) -> dict[str, str]:
    """SQL of the relations that a question may read, over a relation ``trail``.

    Args:
        start: of the period.
        end: of the period.
        passing: SQL: does an event pass the filter?
        visits: whether the trail has visits.
        wanted: those of `VISIT` that are needed of visits.
    """
    own = within("received_at", start, end) + (" and not is_tail" if visits else "")
    found = {
        "everything": f"select * from trail where {own} and {passing}",  # noqa: S608
        "hits": f"select * from trail where {own} and counted and {passing}",  # noqa: S608
        "unfiltered": f"select *, coalesce({passing}, false) as passes from trail where {own}",  # noqa: S608
    }
    if visits:
        columns = "".join(f", any_value({name}) as {name}" for name in VISIT if name in wanted)
        begun = f"visit is not null and {within('visit_at', start, end)} and {passing}"
        found["visits"] = (
            f"select site, local_day, person, visit{columns} from trail where {begun}"  # noqa: S608
            " group by site, local_day, person, visit"
        )
        found["visiting"] = f"select * from trail where {begun}"  # noqa: S608
    return found


def day_span(clock: Clock, start: datetime, end: datetime) -> tuple[date, date]:
    """The local days of a period's first and last moment."""
    return clock.date(start), clock.date(end - timedelta(microseconds=1))


def days_between(first: date, last: date) -> Sequence[date]:
    """All days from one to another, both included."""
    return [first + DAY * number for number in range((last - first).days + 1)]
