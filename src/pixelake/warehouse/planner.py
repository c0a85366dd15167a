"""Plans a named question: where each day of a period is read from, and makes one statement of it.

A day that is over was counted when it closed (`pixelake.warehouse.rollup`). If a
question asks for whole days, without a filter, it takes those counts, of whole
months at once where there are such; with a filter it takes the events that were
kept with their visits. Everything else is read from the lake. Each local day of
a site comes from one of these, never from two, and each of them gives the same,
since what is kept was made by the SQL that reads the lake.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, Final

from pixelake import event
from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask, Part
from pixelake.warehouse.checked import EARLIEST, LATEST, options
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.exact import Days
from pixelake.warehouse.given import Given, More
from pixelake.warehouse.hooks import AFTER, MORE
from pixelake.warehouse.pieces import BUCKET, added, bucket_sql, parquet, safe, with_ctes
from pixelake.warehouse.questions import DAILY, RELATIONS, TYPES, VISITORS, Question, questions, words
from pixelake.warehouse.reading import Kept, Standing, Statement, parameters
from pixelake.warehouse.rollup.definition import slice_of
from pixelake.warehouse.segments import DAYS, MONTHS, ROWS, TRAIL, Segment, scans
from pixelake.warehouse.trail import NEEDED, VISIT, Scope, day_span, days_between, plain, relations, trail
from pixelake.warehouse.visited import visits
from pixelake.warehouse.zones import (
    DAY,
    MICROSECOND,
    STEPS,
    Clock,
    buckets,
    day_after,
    day_literal,
    literal,
)

MAXBUCKETS: Final = 2_000
"""Rows of a series: what a screen shows. Without a bound, the gaps of a long period would fill the memory."""

_LEFT: Final = frozenset({"partition", "position", "year", "month", "day", "hour"})
_KNOWN: Final = frozenset(field.name for field in event.FIELDS)
_RAW_ONLY: Final = _KNOWN - set(NEEDED) - _LEFT
"""Columns that only the lake has."""
_VISITS: Final = frozenset({"visits", "visit", "visit_at", "entry", "exit"})
"""Words of a question that needs to know visits."""


Keys = Mapping[str, Sequence[Any]]
"""Columns of the same length: each row is the key of a row."""


class Planner:
    """Makes the statement of one question.

    Args:
        question: what is asked.
        ask: how.
        clocks: the wall clocks of the sites.
        declared: see `pixelake.warehouse.given.Given`.
        asked: how it was asked before `pixelake.warehouse.hooks.WIDER`.
        rows: nothing that was counted or kept is taken: all is read from the lake.
        only: of a list, the rows with these keys.
    """

    def __init__(
        self,
        question: Question,
        ask: Ask,
        clocks: Clocks,
        declared: Callable[[str], Any] = lambda _: (),
        asked: Ask | None = None,
        *,
        rows: bool = False,
        only: Keys | None = None,
    ) -> None:
        self._rows, self._only = rows, only
        ask = replace(ask, start=max(ask.start, EARLIEST))  # what was asked for may have been made wider
        self.question, self.ask, self.clocks, self._declared = question, ask, clocks, declared
        self._asked = asked or ask
        self.clock = clocks.of(ask.site) if ask.zone is None else Clock(((0, ask.zone),))
        self.values: dict[str, Any] = {}
        self.interval = ask.interval or default_interval(ask)
        self.options = options(question, ask.options)
        self._more, self._own = More(), frozenset[str]()
        given = [sql for name, sql in question.instead.items() if self.options.get(name) is not None]
        self._is_other, self.partial = bool(given), given[0] if given else question.partial
        self.days = Days(question, ask, self.clock, [clock for clock, _ in self._groups], self.interval)
        if question.kind == "series":
            self._check_buckets()

    def _check_buckets(self) -> None:
        step = STEPS.get(self.interval, DAY)
        if (self.ask.end - self.ask.start) // step > MAXBUCKETS + 8:
            raise QueryError(
                f"interval: from `from` to `to` there are more than {MAXBUCKETS:,} of a {self.interval}",
                "take longer ones, or a shorter period",
            )

    # --- the statement

    def make(self, standing: Standing) -> Statement:
        """The statement for that version of the lake."""
        self.values = {
            "site": self.ask.site,
            **self.clocks.values(" ".join(sql for _, sql in self._groups)),
        }
        kinds = dict(standing.columns)
        self._own = frozenset(kinds) - _KNOWN
        passing, values = filters.as_sql(self.ask.filter, kinds)
        self.values |= values
        self.values |= self.options
        if make := MORE.get(self.question.name):
            self._more = make(Given(self.ask, self._asked, self.clock, self.options, kinds, self._declared))
            self.values |= self._more.values
        segments = list(self._segments(standing))
        make_sql = self._summed if self.partial else self._whole
        sql = self._listed(self._chosen(make_sql(standing, segments, passing)))
        there = parameters(sql)
        parts = [
            Part(each.source, each.days[0].isoformat(), each.days[-1].isoformat(), len(each.files)) for each in segments
        ]
        return Statement(sql, {name: value for name, value in self.values.items() if name in there}, parts)

    def _chosen(self, sql: str) -> str:
        """Only the rows with some keys."""
        if self._only is None:
            return sql
        kinds = {each.name: TYPES[each.type] for each in self.question.columns}
        self.values |= {f"only_{name}": list(values) for name, values in self._only.items()}
        some = ", ".join(f"unnest($only_{name}::{kinds[name]}[]) as {name}" for name in self._only)
        same = " and ".join(f"answered.{name} is not distinct from wanted.{name}" for name in self._only)
        return f"select answered.* from ({sql}) as answered semi join (select {some}) as wanted on {same}"  # noqa: S608

    def _listed(self, sql: str) -> str:
        if self.question.name in AFTER:
            return sql  # which has an order of its own
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

    def _segments(self, standing: Standing) -> Iterator[Segment]:
        span = standing.span
        if span is None:
            return
        start = max(self.ask.start, datetime.combine(span[0], datetime.min.time(), UTC))
        end = min(self.ask.end, datetime.combine(span[1] + DAY, datetime.min.time(), UTC))
        if start >= end:
            return
        able = self._able if standing.kept.clocks == self.clocks.name else frozenset[str]()
        for clock, sites in self._groups:
            told = self._told(standing.kept, clock, day_span(clock, start, end), able)
            for source, some in groupby(told, key=lambda each: each[1]):
                days = list(some)
                files = list(dict.fromkeys(file for _, _, file in days if file))
                if files or source == ROWS:
                    yield Segment(source, clock, sites, [day for day, _, _ in days], files)

    def _told(
        self, kept: Kept, clock: Clock, span: tuple[date, date], able: frozenset[str]
    ) -> Iterator[tuple[date, str, str | None]]:
        """The days between two; where each is read from, and from which file."""
        for first, days in groupby(days_between(*span), key=lambda day: day.replace(day=1)):
            month = None
            if MONTHS in able and self._has(clock, first, day_after(first, "month") - DAY):
                month = kept.month(clock.zones, first)
            for day in days:
                yield (day, MONTHS, month) if month is not None else (day, *self._source(kept, clock, day, able))

    def _source(self, kept: Kept, clock: Clock, day: date, able: frozenset[str]) -> tuple[str, str | None]:
        """Where a day is read from if its month is not read as one."""
        if DAYS in able and self._has(clock, day, day) and (cube := kept.cube(clock.zones, day)) is not None:
            return DAYS, cube
        if TRAIL in able and (file := kept.trail(clock.zones, day)) is not None:
            return TRAIL, file
        return ROWS, None

    def _has(self, clock: Clock, first: date, last: date) -> bool:
        """Whether all of these days is asked for."""
        return self.ask.start <= clock.bounds(first)[0] and clock.bounds(last)[1] <= self.ask.end

    @property
    def _able(self) -> frozenset[str]:
        """What of all that was counted and kept can tell."""
        grain = self._grain if self._is_counted else None
        found = {MONTHS: grain == "", DAYS: grain is not None, TRAIL: self._is_kept}
        return frozenset(name for name, can in found.items() if can and not self._rows)

    @property
    def _is_counted(self) -> bool:
        """Whether sums of days can tell."""
        is_all = self.ask.filter == filters.NOTHING and self.ask.people
        return bool(self.partial) and is_all and not self._more.ctes and not self._is_other

    @property
    def _grain(self) -> str | None:
        """Of which length the buckets of the sums are; empty: days; None: there are none that fit."""
        if self.question.kind != "series":
            return ""
        if not self.days.are_days and self.interval not in STEPS:
            return "quarter"
        if self.interval == "minute":
            return None
        if self.interval == "quarter":
            return "quarter"
        if self.interval == "hour":
            return "hour" if self.days.are_days else "quarter"
        return ""

    @property
    def _is_kept(self) -> bool:
        """Whether the events that are kept with their visits can tell."""
        asked = filters.columns_in(self.ask.filter)
        lacks = (self._words | asked) & {*_RAW_ONLY, "rejected"}
        return self.ask.people and not lacks and asked <= set(NEEDED) and not self._own & self._more_words

    @property
    def _needs_visits(self) -> bool:
        return bool(self._words & _VISITS)

    @property
    def _words(self) -> frozenset[str]:
        """All words of what reads the relations."""
        return words(self.partial or self.question.answer) | self._more_words

    @property
    def _more_words(self) -> frozenset[str]:
        """Those of what sites declare, which may name columns of the user's own."""
        return words(" ".join(self._more.ctes.values()))

    # --- relations

    def _columns(self, standing: Standing) -> list[str]:
        """The columns of the events that are looked at."""
        looked = self._words | filters.columns_in(self.ask.filter)
        return [name for name in standing.columns if name in looked]

    def _ctes(self, standing: Standing, segment: Segment, passing: str) -> dict[str, str]:
        """SQL of the relations over a segment that is not counted before."""
        start, end = self.ask.start, self.ask.end
        wanted = self._words & frozenset(VISIT)
        if segment.source == TRAIL:
            within = f"local_day between {day_literal(segment.days[0])} and {day_literal(segment.days[-1])}"
            files = f"select * from {parquet(segment.files)} where {segment.sites} and {within}"  # noqa: S608
            return {"trail": files, **relations(start, end, passing, visits=True, wanted=wanted)}
        scope = Scope(segment.clock, segment.sites, segment.days[0], segment.days[-1], self.ask.people)
        is_walked = "visiting" in self._words
        has_visits = is_walked or self._needs_visits
        begun, ended = (moment.astimezone(UTC) for moment in (scope.window if has_visits else (scope.start, scope.end)))
        found = {"events": standing.relation("events", begun.date(), (ended - MICROSECOND).date())}
        if is_walked:
            found["trail"] = trail(scope, self._columns(standing))
            return {**found, **relations(start, end, passing, visits=True, wanted=wanted)}
        found["trail"] = plain(scope, start, end, self._columns(standing))
        found |= relations(start, end, passing, visits=False)
        if has_visits:
            found["visits"] = visits(scope, start, end, passing, wanted)
        return found

    def _summed(self, standing: Standing, segments: Sequence[Segment], passing: str) -> str:
        question = self.question
        keys, sums = question.keys, question.sums
        is_series = questions()[question.counted_as].kind == "series"
        together = scans(segments, standing.kept, is_series=is_series)
        parts = [self._part(standing, each, passing) for each in together]
        nothing = ", ".join(
            f"null::{TYPES[each.type]} as {each.name}"
            for each in (*(each for each in question.columns if each.role == "key" and each.name != "local_day"), *sums)
        )
        partial = "\nunion all by name\n".join(
            [f"select null::date as local_day, {nothing} where false", *(f"({part})" for part in parts)]
        )
        totals = ", ".join(map(added, sums))
        if question.kind == "series":
            return self._series(partial, totals)
        grouped = f" group by {', '.join(keys)}" if keys else ""
        answer = question.answer or f"select {self._shown()} from summed"  # noqa: S608
        summed = f"select {', '.join([*keys, totals])} from partial{grouped}"  # noqa: S608
        return f"with partial as ({partial}),\nsummed as ({summed})\n{answer}"

    def _shown(self) -> str:
        shown = []
        for each in self.question.columns:
            if each.role == "calc":
                shown.append(f"({safe(each.how)})::{TYPES[each.type]} as {each.name}")
            elif each.name == VISITORS:
                shown.append(f"{DAILY if self.days.are_exact else 'null::bigint'} as {VISITORS}")
            elif each.name == DAILY and self.question.kind == "series" and not self.days.are_days:
                shown.append(f"null::bigint as {DAILY}")
            else:
                shown.append(each.name)
        return ", ".join(shown)

    def _series(self, partial: str, totals: str) -> str:
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
summed as (select buckets.bucket, {totals} from buckets left join partial on {joined} group by 1)
select {self._shown()} from summed order by bucket"""  # noqa: S608

    @property
    def _by_days(self) -> bool:
        return self.days.are_days and self.interval not in STEPS

    def _part(self, standing: Standing, segments: Sequence[Segment], passing: str) -> str:
        """The sums of what one scan reads."""
        question = self.question
        picked = "".join(f' and "{name}" = ${name}' for name in question.picks)
        segment = segments[0]
        if segment.source in {MONTHS, DAYS}:
            files = dict.fromkeys(file for each in segments for file in each.files)
            names = ", ".join(dict.fromkeys([*question.keys, *(each.name for each in question.sums), "local_day"]))
            return f"select {names} from {parquet(files)} where {self._slice(segments)}{picked}"  # noqa: S608
        partial = BUCKET.sub(lambda found: self._bucket(found[1]), self.partial)
        ctes = with_ctes({**self._ctes(standing, segment, passing), **self._more.ctes})
        if picked:
            return f"with {ctes}, picked as ({partial}) select * from picked where true{picked}"  # noqa: S608
        return f"with {ctes}\n{partial}"

    def _slice(self, segments: Sequence[Segment]) -> str:
        """SQL: what of files with the sums of days or months is meant; a month has its first day."""
        segment, last = segments[0], segments[-1].days[-1]
        first = segment.days[0].replace(day=1) if segment.source == MONTHS else segment.days[0]
        days = f"local_day between {day_literal(first)} and {day_literal(last)}"
        name, grain = self.question.counted_as, self._grain or ""
        if self.ask.site is None:
            return f"question = '{name}' and grain = '{grain}' and {segment.sites} and {days}"
        self.values["slice"] = slice_of(name, grain, self.ask.site)
        return f"slice = $slice and {days}"

    def _bucket(self, column: str) -> str:
        if self.question.kind != "series" or self._by_days:
            return "null::timestamptz"
        step = STEPS[self.interval] if self.interval in STEPS else STEPS["quarter"]
        return bucket_sql(self.clock, self.ask.start - DAY, self.ask.end + DAY, step, column)

    def _whole(self, standing: Standing, segments: Sequence[Segment], passing: str) -> str:
        """A question that is not answered day by day: its relations over all of the period, and its answer."""
        start, end = self.ask.start, self.ask.end
        if not segments:  # nothing happened: a day of it tells the columns
            clock, sites = self._groups[0]
            segments = [Segment(ROWS, clock, sites, [clock.date(start)], ())]
        reads = self._words & frozenset(RELATIONS)
        ctes = [self._ctes(standing, each, passing) for each in segments]
        found = []
        for name in sorted(reads - {"rejected"}):
            each = [f"(with {with_ctes(known)} select * from {name})" for known in ctes]  # noqa: S608
            found.append(f"{name} as (select * from ({' union all by name '.join(each)}))")  # noqa: S608
        if "rejected" in reads:
            days = [moment.astimezone(UTC).date() for moment in (start, end)]
            found.append(
                f"rejected as (select * from ({standing.relation('rejects', *days)})"  # noqa: S608
                f" where received_at >= {literal(start)} and received_at < {literal(end)})"
            )
        found += [f"{name} as ({sql})" for name, sql in self._more.ctes.items()]
        answer = self.question.answer
        shown = "*" if self.question.name in AFTER else self._shown()
        return f"with {', '.join(found)}, answer as ({answer}) select {shown} from answer"  # noqa: S608


def default_interval(ask: Ask) -> str:
    """How long the buckets of a series are if nobody says so."""
    return "day" if ask.end - ask.start > 2 * DAY else "hour"
