"""Answers the named questions: plans where each day of a period is read from, and makes one statement of it.

A day that is over was counted when it closed (`pixelake.warehouse.rollup`). If a
question asks for whole days, without a filter, it takes those counts, of whole
months at once where there are such; with a filter it takes the events that were
kept with their visits. Everything else is read from the lake. Each local day of
a site comes from one of these, never from two, and each of them gives the same,
since what is kept was made by the SQL that reads the lake.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from pixelake import event
from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Answer, Ask, Part
from pixelake.warehouse.questions import DAILY, TYPES, VISITORS, Option, Question, questions, words
from pixelake.warehouse.trail import NEEDED, Scope, day_span, days_between, plain, relations, trail
from pixelake.warehouse.zones import (
    DAY,
    DAY_US,
    INTERVALS,
    STEPS,
    Clock,
    Zones,
    buckets,
    day_literal,
    known,
    literal,
    local_us,
)

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A period lies between these two: nothing was received before, and arithmetic on times is safe within."""
MAXBUCKETS: Final = 2_000
"""Rows of a series: what a screen shows. Without a bound, the gaps of a long period would fill the memory."""
MONTHS: Final = "months"
DAYS: Final = "days"
TRAIL: Final = "trail"
ROWS: Final = "rows"

_LEFT: Final = frozenset({"partition", "position", "year", "month", "day", "hour"})
_RAW_ONLY: Final = frozenset(field.name for field in event.FIELDS) - set(NEEDED) - _LEFT
"""Columns that only the lake has."""
BUCKET: Final = re.compile(r"\bbucket_of\((\w+)\)")
_VISITS: Final = frozenset({"visits", "visit", "visit_at", "entry", "exit"})
"""Words of a question that needs to know visits."""


class Kept(Protocol):
    """What was counted before, and holds for the version of the lake that is read.

    Attributes:
        clocks: the name of the `Clocks` that it was counted by.
    """

    clocks: str

    def cube(self, zones: Zones, day: date) -> str | None:
        """The file with the sums of a local day, of all sites with these zones."""
        ...

    def month(self, zones: Zones, first: date) -> str | None:
        """The file with the sums of a month that is over."""
        ...

    def trail(self, zones: Zones, day: date) -> str | None:
        """The file with the events of a local day and their visits."""
        ...


class Standing(Protocol):
    """The lake at one version."""

    @property
    def version(self) -> str:
        """Tells versions apart."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """The columns of the events, with their types as `pixelake.event.Field` has them."""
        ...

    @property
    def span(self) -> tuple[date, date] | None:
        """The first and the last day, UTC, of which there is an event; None: there is none."""
        ...

    @property
    def kept(self) -> Kept:
        """What was counted before."""
        ...

    def relation(self, table: str, first: date, last: date) -> str:
        """SQL: the rows of a table (``events``, ``rejects``) of some days, UTC; at least of these."""
        ...


class Statement(NamedTuple):
    """SQL and its parameters, and where its rows come from."""

    sql: str
    values: Mapping[str, Any]
    parts: Sequence[Part] = ()


class Asked(Protocol):
    """What runs SQL over the lake: `pixelake.warehouse.query.Lakehouse`, or `pixelake.warehouse.resting.Resting`."""

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """Make a statement for the newest version of the lake, and run it on that.

        Returns:
            The rows, the statement, and the version.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clocks of all sites.

    Attributes:
        default: of a site that is not named.
        sites: those with another history of zones than that.
    """

    default: Zones
    sites: Mapping[str, Zones]

    def of(self, site: str | None) -> Clock:
        """The clock of a site; of all of them, the default."""
        return Clock(self.sites.get(site, self.default) if site is not None else self.default)

    @property
    def name(self) -> str:
        """Tells which sites have which zones: another name, other zones."""
        told = repr((self.default, sorted((site, zones) for site, zones in self.others.items())))
        return sha256(told.encode()).hexdigest()[:16]

    @property
    def others(self) -> Mapping[str, Zones]:
        """The sites that do not have the default zones."""
        return {site: zones for site, zones in self.sites.items() if zones != self.default}

    def groups(self) -> list[tuple[Clock, str]]:
        """Each clock, with SQL that is true of the sites that go by it; see `values`."""
        histories = sorted(set(self.others.values()))
        found = [(Clock(self.default), "not list_contains($others, site)" if histories else "true")]
        return found + [
            (Clock(zones), f"list_contains($sites{number}, site)") for number, zones in enumerate(histories)
        ]

    def values(self, sql: str) -> dict[str, Any]:
        """The parameters that the SQL of `groups` has."""
        histories = sorted(set(self.others.values()))
        found: dict[str, Any] = {"others": sorted(self.others)}
        for number, zones in enumerate(histories):
            found[f"sites{number}"] = sorted(site for site, its in self.others.items() if its == zones)
        there = parameters(sql)
        return {name: value for name, value in found.items() if name in there}


class Questions:
    """Answers the named questions over a lake. Several threads may ask at once.

    Args:
        lakehouse: runs SQL.
        clocks: tells the wall clocks of the sites as they are now.
        more: more of a question's SQL than its file can say: name -> what makes it.
    """

    def __init__(self, lakehouse: Asked, clocks: Callable[[], Clocks]) -> None:
        self._lakehouse, self._clocks = lakehouse, clocks

    def ask(self, ask: Ask) -> Answer:
        """The answer.

        Raises:
            QueryError: it cannot be asked so, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        question = check(ask)
        planner = _Planner(question, ask, self._clocks())
        table, statement, version = self._lakehouse.plan(planner.make)
        table, more = _cut(table, question, ask)
        answer = Answer(table, planner.notes(), statement.parts, version, more)
        return self._with_visitors(answer, planner)

    def _with_visitors(self, answer: Answer, planner: "_Planner") -> Answer:
        """With the people of several days, where all of them are known."""
        return answer


def check(ask: Ask) -> Question:
    """The question, if it can be asked so.

    Raises:
        QueryError: it cannot; says which parameter, and what it may be.
    """
    question = questions().get(ask.question)
    if question is None:
        raise QueryError(f"there is no question {ask.question[:60]!r}", f"there are {', '.join(questions())}")
    for name, moment in (("from", ask.start), ("to", ask.end)):
        if not EARLIEST <= moment <= LATEST:
            raise QueryError(f"{name} is out of range", f"it lies in the years {EARLIEST.year} to {LATEST.year - 1}")
    if ask.start >= ask.end:
        raise QueryError("from must lie before to", "the period begins with `from` and ends before `to`")
    if ask.zone is not None:
        known(ask.zone)
    if ask.interval is not None and question.kind != "series":
        raise QueryError(f"interval: the question {question.name!r} takes none", "it is for series")
    if ask.interval is not None and ask.interval not in INTERVALS:
        raise QueryError(f"interval: there is no {ask.interval[:40]!r}", f"one of {', '.join(INTERVALS)}")
    if question.kind != "list" and (ask.limit is not None or ask.skip):
        raise QueryError(f"limit: the question {question.name!r} takes none", "it is for lists")
    options(question, ask.options)
    return question


def options(question: Question, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a question with their values; the default where none is given.

    Raises:
        QueryError: it has no such option, or it cannot be that.
    """
    taken = {each.name: each for each in question.options}
    for name in given:
        if name not in taken:
            raise QueryError(f"{name}: the question {question.name!r} takes none", f"it takes {_taken(question)}")
    return {name: _value(each, given.get(name, each.default)) for name, each in taken.items()}


def _taken(question: Question) -> str:
    common = "site, from, to, zone, filter, people, compare"
    special = {"series": ["interval"], "list": ["limit", "cursor"]}.get(question.kind, [])
    return ", ".join([common, *special, *(each.name for each in question.options)])


def _value(option: Option, value: Any) -> Any:
    if value in ("", None):
        return None
    if option.choices and value not in option.choices:
        raise QueryError(f"{option.name}: not {str(value)[:40]!r}", f"one of {', '.join(option.choices)}")
    try:
        if option.type == "int":
            return _bounded(int(value))
        if option.type in {"float", "amount"}:
            return _bounded(Decimal(str(value)))
    except (ValueError, InvalidOperation):
        raise QueryError(f"{option.name}: {str(value)[:40]!r} is no number", option.meaning) from None
    if option.type == "texts" and isinstance(value, str):
        return [each.strip() for each in value.split(",") if each.strip()]
    return value


def _bounded(number: Any) -> Any:
    if not abs(number) < 1 << 53:
        raise ValueError(number)
    return number


def _cut(table: pa.Table, question: Question, ask: Ask) -> tuple[pa.Table, bool]:
    """Without the one row more that was asked for to see whether there is any."""
    if question.kind != "list" or ask.limit is None:
        return table, False
    return table.slice(0, ask.limit), table.num_rows > ask.limit


class _Segment(NamedTuple):
    source: str
    clock: Clock
    sites: str
    days: Sequence[date]
    files: Sequence[str]


class _Planner:
    """Makes the statement of one question."""

    def __init__(self, question: Question, ask: Ask, clocks: Clocks) -> None:
        self.question, self.ask, self.clocks = question, ask, clocks
        self.clock = clocks.of(ask.site) if ask.zone is None else Clock(((0, ask.zone),))
        self.values: dict[str, Any] = {}
        self.interval = ask.interval or ("day" if ask.end - ask.start > 2 * DAY else "hour")
        if question.kind == "series":
            self._check_buckets()

    def _check_buckets(self) -> None:
        step = STEPS.get(self.interval, DAY)
        if (self.ask.end - self.ask.start) // step > MAXBUCKETS + 8:
            raise QueryError(
                f"interval: from `from` to `to` there are more than {MAXBUCKETS:,} of a {self.interval}",
                "take longer ones, or a shorter period",
            )

    # --- what is known of visitors

    @property
    def is_one_day(self) -> bool:
        """Whether the period lies within one day of each site."""
        spans = [day_span(clock, self.ask.start, self.ask.end) for clock, _ in self._groups]
        return all(first == last for first, last in spans)

    @property
    def are_days(self) -> bool:
        """Whether the buckets of a series lie within days of the sites."""
        return all(
            self._offsets(clock) == self._offsets(self.clock)
            or (self.interval in STEPS and self._are_apart(clock, STEPS[self.interval]))
            for clock, _ in self._groups
        )

    def _offsets(self, clock: Clock) -> Sequence[Any]:
        return clock.offsets(self.ask.start, self.ask.end)

    def _are_apart(self, clock: Clock, step: timedelta) -> bool:
        """Whether two clocks show the same when only the part within a step is looked at."""
        moments = [moment for each in (clock, self.clock) for moment, _ in self._offsets(each)]
        return all(
            _offset_at(self._offsets(clock), moment) % step == _offset_at(self._offsets(self.clock), moment) % step
            for moment in moments
        )

    def notes(self) -> dict[str, str]:
        """Why visitors have no number, if they have none."""
        if not any(each.name == VISITORS for each in self.question.columns):
            return {}
        if self.question.kind == "series":
            return (
                {}
                if self._buckets_are_exact
                else {VISITORS: _MANY_DAYS, **({} if self.are_days else {DAILY: _OTHER_DAYS})}
            )
        return {} if self.is_one_day else {VISITORS: _MANY_DAYS}

    @property
    def _buckets_are_exact(self) -> bool:
        return self.are_days and self.interval not in {"week", "month"}

    # --- the statement

    def make(self, standing: Standing) -> Statement:
        """The statement for that version of the lake."""
        self.values = {
            "site": self.ask.site,
            **self.clocks.values(" ".join(sql for _, sql in self._groups)),
        }
        kinds = dict(standing.columns)
        passing, values = filters.as_sql(self.ask.filter, kinds)
        self.values |= values
        self.values |= {name: value for name, value in options(self.question, self.ask.options).items()}
        segments = list(self._segments(standing))
        if self.question.partial:
            sql = self._summed(standing, segments, passing)
        else:
            sql = self._whole(standing, segments, passing)
        sql = self._listed(sql)
        there = parameters(sql)
        parts = [
            Part(each.source, each.days[0].isoformat(), each.days[-1].isoformat(), len(each.files)) for each in segments
        ]
        return Statement(sql, {name: value for name, value in self.values.items() if name in there}, parts)

    def _listed(self, sql: str) -> str:
        if self.question.order and self.question.kind == "list":
            sql += f"\norder by {self.question.order}"
        if self.question.kind == "list" and self.ask.limit is not None:
            sql += f"\nlimit {self.ask.limit + 1}"
        return sql + (f"\noffset {self.ask.skip}" if self.ask.skip else "")

    @property
    def _groups(self) -> Sequence[tuple[Clock, str]]:
        """The clocks of the sites asked for, each with SQL that is true of its sites."""
        if self.ask.site is not None:
            return [(self.clocks.of(self.ask.site), "site = $site")]
        return self.clocks.groups()

    def _segments(self, standing: Standing) -> Iterator[_Segment]:
        span = standing.span
        if span is None:
            return
        start = max(self.ask.start, datetime.combine(span[0], datetime.min.time(), UTC))
        end = min(self.ask.end, datetime.combine(span[1] + DAY, datetime.min.time(), UTC))
        if start >= end:
            return
        for clock, sites in self._groups:
            first, last = day_span(clock, start, end)
            told = [(day, *self._source(standing.kept, clock, day)) for day in days_between(first, last)]
            for source, some in groupby(told, key=lambda each: each[1]):
                days = list(some)
                files = list(dict.fromkeys(file for _, _, file in days if file))
                if files or source == ROWS:
                    yield _Segment(source, clock, sites, [day for day, _, _ in days], files)

    def _source(self, kept: Kept, clock: Clock, day: date) -> tuple[str, str | None]:
        """Where a day is read from."""
        if kept.clocks != self.clocks.name:
            return ROWS, None
        begun, ended = clock.bounds(day)
        is_whole = self.ask.start <= begun and ended <= self.ask.end
        if is_whole and self._is_counted and self._grain is not None:
            first = day.replace(day=1)
            last = (first + timedelta(days=32)).replace(day=1) - DAY
            is_whole_month = self.ask.start <= clock.bounds(first)[0] and clock.bounds(last)[1] <= self.ask.end
            if is_whole_month and (month := kept.month(clock.zones, first)) is not None:
                return MONTHS, month
            if (cube := kept.cube(clock.zones, day)) is not None:
                return DAYS, cube
        if self._is_kept and (file := kept.trail(clock.zones, day)) is not None:
            return TRAIL, file
        return ROWS, None

    @property
    def _is_counted(self) -> bool:
        """Whether sums of days can tell."""
        return bool(self.question.partial) and self.ask.filter == filters.NOTHING and self.ask.people

    @property
    def _grain(self) -> str | None:
        """Of which length the buckets of the sums are; empty: days; None: there are none that fit."""
        if self.question.kind != "series":
            return ""
        if not self.are_days and self.interval not in STEPS:
            return "quarter"
        if self.interval == "minute":
            return None
        if self.interval == "quarter":
            return "quarter"
        if self.interval == "hour":
            return "hour" if self.are_days else "quarter"
        return ""

    @property
    def _is_kept(self) -> bool:
        """Whether the events that are kept with their visits can tell."""
        looked = words(self.question.partial or self.question.answer) | filters.columns_in(self.ask.filter)
        return self.ask.people and not looked & _RAW_ONLY and filters.columns_in(self.ask.filter) <= set(NEEDED)

    @property
    def _needs_visits(self) -> bool:
        return bool(words(self.question.partial or self.question.answer) & _VISITS)

    # --- relations

    def _columns(self, standing: Standing) -> list[str]:
        """The columns of the events that are looked at."""
        looked = words(self.question.partial or self.question.answer) | filters.columns_in(self.ask.filter)
        return [name for name in standing.columns if name in looked]

    def _ctes(self, standing: Standing, segment: _Segment, passing: str) -> dict[str, str]:
        """SQL of the relations over a segment that is not counted before."""
        start, end, visits = self.ask.start, self.ask.end, self._needs_visits
        if segment.source == TRAIL:
            within = f"local_day between {day_literal(segment.days[0])} and {day_literal(segment.days[-1])}"
            files = f"select * from {_parquet(segment.files)} where {segment.sites} and {within}"  # noqa: S608
            return {"trail": files, **relations(start, end, passing, visits=True)}
        scope = Scope(segment.clock, segment.sites, segment.days[0], segment.days[-1], self.ask.people)
        window = scope.window if visits else (scope.start, scope.end)
        events = standing.relation("events", *(moment.astimezone(UTC).date() for moment in window))
        found = {"events": events}
        if visits:
            found["trail"] = (
                f"select *, user_id is not null as identified from ({trail(scope, self._columns(standing))})"  # noqa: S608
            )
        else:
            rows = plain(scope, start, end, self._columns(standing))
            found["trail"] = f"select *, user_id is not null as identified from ({rows})"  # noqa: S608
        return {**found, **relations(start, end, passing, visits=visits)}

    def _summed(self, standing: Standing, segments: Sequence[_Segment], passing: str) -> str:
        question = self.question
        keys, sums = question.keys, question.sums
        parts = [self._part(standing, each, passing) for each in segments]
        nothing = ", ".join(
            f"null::{TYPES[each.type]} as {each.name}"
            for each in (*(each for each in question.columns if each.role == "key"), *sums)
        )
        partial = "\nunion all by name\n".join([f"select {nothing} where false", *(f"({part})" for part in parts)])
        added = ", ".join(
            f"coalesce({each.role}({each.name}), 0)::{TYPES[each.type]} as {each.name}"
            if each.role == "sum"
            else f"{each.role}({each.name}) as {each.name}"
            for each in sums
        )
        if question.kind == "series":
            return self._series(partial, added)
        grouped = f" group by {', '.join(keys)}" if keys else ""
        answer = question.answer or f"select {self._shown()} from summed"  # noqa: S608
        return f"with partial as ({partial}),\nsummed as (select {', '.join([*keys, added])} from partial{grouped})\n{answer}"  # noqa: S608

    def _shown(self) -> str:
        exact = self.is_one_day if self.question.kind != "series" else self._buckets_are_exact
        shown = []
        for each in self.question.columns:
            if each.role == "calc":
                shown.append(f"({_safe(each.how)})::{TYPES[each.type]} as {each.name}")
            elif each.name == VISITORS:
                shown.append(f"{DAILY if exact else 'null::bigint'} as {VISITORS}")
            elif each.name == DAILY and self.question.kind == "series" and not self.are_days:
                shown.append(f"null::bigint as {DAILY}")
            else:
                shown.append(each.name)
        return ", ".join(shown)

    def _series(self, partial: str, added: str) -> str:
        """A row a bucket, also of those in which nothing was."""
        starts = buckets(self.clock, self.ask.start, self.ask.end, self.interval)
        if len(starts) > MAXBUCKETS:
            raise QueryError(
                f"interval: from `from` to `to` there are {len(starts):,} of a {self.interval}",
                f"{MAXBUCKETS:,} fit at most: take longer ones, or a shorter period",
            )
        self.values["bucket_starts"] = [moment.astimezone(UTC) for moment in starts]
        self.values["bucket_ends"] = [moment.astimezone(UTC) for moment in [*starts[1:], LATEST + DAY]]
        if self._by_days:  # days are told apart by their dates, not by moments
            dates = [self.clock.date(moment) for moment in starts]
            self.values["date_starts"] = dates
            self.values["date_ends"] = [*dates[1:], date(9999, 1, 1)]
            joined = "partial.local_day >= buckets.first_day and partial.local_day < buckets.end_day"
            dated = ", unnest($date_starts::date[]) as first_day, unnest($date_ends::date[]) as end_day"
        else:
            joined = "partial.bucket >= buckets.bucket and partial.bucket < buckets.bucket_end"
            dated = ""
        return f"""with partial as ({partial}),
buckets as (
  select unnest($bucket_starts::timestamptz[]) as bucket, unnest($bucket_ends::timestamptz[]) as bucket_end{dated}
),
summed as (select buckets.bucket, {added} from buckets left join partial on {joined} group by 1)
select {self._shown()} from summed order by bucket"""  # noqa: S608

    @property
    def _by_days(self) -> bool:
        return self.are_days and self.interval not in STEPS

    def _part(self, standing: Standing, segment: _Segment, passing: str) -> str:
        """The sums of a segment."""
        question = self.question
        picked = "".join(f' and "{name}" = ${name}' for name in question.picks)
        if segment.source in {MONTHS, DAYS}:
            names = ", ".join(dict.fromkeys([*question.keys, *(each.name for each in question.sums), "local_day"]))
            return (
                f"select {names} from {_parquet(segment.files)} where question = '{question.counted_as}'"  # noqa: S608
                f" and grain = '{self._grain}' and {segment.sites}{picked}"
            )
        partial = BUCKET.sub(lambda found: self._bucket(segment, found[1]), question.partial)
        ctes = _with(self._ctes(standing, segment, passing))
        if picked:
            return f"with {ctes}, picked as ({partial}) select * from picked where true{picked}"  # noqa: S608
        return f"with {ctes}\n{partial}"

    def _bucket(self, segment: _Segment, column: str) -> str:
        if self.question.kind != "series" or self._by_days:
            return "null::timestamptz"
        step = STEPS[self.interval] if self.interval in STEPS else STEPS["quarter"]
        return bucket_sql(self.clock, self.ask.start - DAY, self.ask.end + DAY, step, column)

    def _whole(self, standing: Standing, segments: Sequence[_Segment], passing: str) -> str:
        """A question that is not answered day by day: its relations over all of the period, and its answer."""
        start, end = self.ask.start, self.ask.end
        if not segments:  # nothing happened: a day of it tells the columns
            clock, sites = self._groups[0]
            segments = [_Segment(ROWS, clock, sites, [clock.date(start)], ())]
        ctes = [self._ctes(standing, each, passing) for each in segments]
        found = []
        for name in sorted(self.question.reads - {"rejected"}):
            each = [f"(with {_with(known)} select * from {name})" for known in ctes]  # noqa: S608
            found.append(f"{name} as (select * from ({' union all by name '.join(each)}))")  # noqa: S608
        if "rejected" in self.question.reads:
            days = [moment.astimezone(UTC).date() for moment in (start, end)]
            found.append(
                f"rejected as (select * from ({standing.relation('rejects', *days)})"  # noqa: S608
                f" where received_at >= {literal(start)} and received_at < {literal(end)})"
            )
        answer = self.question.answer
        return f"with {', '.join(found)}, answer as ({answer}) select {self._shown()} from answer"  # noqa: S608


def _with(ctes: Mapping[str, str]) -> str:
    return ",\n".join(f"{name} as ({sql})" for name, sql in ctes.items())


def bucket_sql(clock: Clock, start: datetime, end: datetime, step: timedelta, column: str) -> str:
    """SQL: when the bucket begins that holds a moment (a column) of a period."""
    us = int(step.total_seconds()) * 1_000_000
    local = local_us(clock, start, end, column)
    floor = f"make_timestamptz(epoch_us({column}) - ({local} % {us}))"
    changes = [moment for moment, _ in clock.offsets(start, end)[1:]]
    if not changes:
        return floor
    # where the clock changes by half an hour, an hour begins anew
    cases = " ".join(f"when {column} >= {literal(moment)} then {literal(moment)}" for moment in reversed(changes))
    return f"greatest({floor}, case {cases} end)"


def parameters(sql: str) -> frozenset[str]:
    """The names of all parameters of a statement."""
    return frozenset(re.findall(r"\$(\w+)", sql))


def _offset_at(offsets: Sequence[tuple[datetime, timedelta]], moment: datetime) -> timedelta:
    return next((offset for begun, offset in reversed(offsets) if begun <= moment), offsets[0][1])


def _safe(formula: str) -> str:
    """A formula of which a division by nothing has no value."""
    return re.sub(r"/ (\w+)", r"/ nullif(\1, 0)", formula)


def _parquet(files: Iterable[str]) -> str:
    named = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    return f"read_parquet([{named}], union_by_name = true, hive_partitioning = false)"


_MANY_DAYS: Final = "a visitor without a user_id is known for one day of the site only; daily_visitors adds up the days"
_OTHER_DAYS: Final = "the days of this zone are not those of the site, for which visitors are known"
