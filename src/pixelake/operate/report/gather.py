"""Asks what a report shows. Every number is one that the API and the dashboard answer, too."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from pixelake.errors import Misasked, QueryError
from pixelake.operate.report.places import country
from pixelake.operate.report.sections import COUNTRIES, HEADLINES, ROWS, SECTIONS, UNUSUAL, Headline, Section
from pixelake.warehouse import compare
from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.questions import DAILY, VISITORS, questions
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.unusual import LONGEST
from pixelake.warehouse.zones import MICROSECOND, Clock, fixed

SHOWN_MOST: Final = timedelta(days=400)
"""Of a longer period the chart has a point a month."""
_BY_DAY: Final = timedelta(days=2)
_SUMS: Final = ("accepted", "in_stream", "settled", "outcomes", "in_lake", "rejected", "withheld", "removed")


class Asked(Protocol):
    """What answers: `pixelake.warehouse.asking.Questions`."""

    def ask(self, ask: Ask) -> Answer:
        """See there."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which report.

    Attributes:
        site: of which; None: of all.
        start: of the period, with a zone; included.
        end: of it; excluded.
        zone: on whose wall clock; else the site's.
    """

    site: str | None
    start: datetime
    end: datetime
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline figure.

    Attributes:
        of: what it is.
        value: in the period; None: not known.
        before: in the period before.
        change: by which share it changed; None: there is none.
    """

    of: Headline
    value: float | None
    before: float | None
    change: float | None


@dataclass(frozen=True, slots=True)
class Point:
    """A bucket of the chart.

    Attributes:
        at: when it begins, as the wall clock shows it.
        views: in it.
        visitors: in it.
        before: views in the bucket of the same number of the period before; None: it has none.
        unusual: an hour of the whole site in it is unusual.
    """

    at: datetime
    views: int
    visitors: int
    before: int | None
    unusual: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list.

    Attributes:
        name: as it was sent, a country's in English; None: without a value.
        value: by which it stands where it stands.
        change: by which share it changed; None: the period before had none.
        beside: the other column; None: there is none.
    """

    name: str | None
    value: float
    change: float | None
    beside: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """A list.

    Attributes:
        of: what it is.
        rows: the first of them.
        more: there are others.
    """

    of: Section
    rows: Sequence[Row]
    more: bool


@dataclass(frozen=True, slots=True)
class Unusual:
    """Hours that depart from what is usual.

    Attributes:
        begins: the first of them, as the wall clock shows it.
        ends: when they are over.
        what: ``site``, ``page``, ``referrer``, ``country``, ...
        value: which one.
        reason: in words.
    """

    begins: datetime
    ends: datetime
    what: str
    value: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a period of a site was like.

    Attributes:
        wanted: which site and period.
        zone: on whose wall clock.
        begins: the period, as the wall clock shows it.
        ends: when it is over.
        before_begins: the period before.
        before_ends: when that was over.
        made: when, as the wall clock shows it.
        made_at: the same moment, with a zone.
        interval: how long a bucket of the chart is.
        figures: the headlines.
        points: of the chart.
        panels: the lists.
        everything: hits of everybody: people, machines and repeats.
        people: hits of people.
        unusual: hours.
        notes: what has no value, and why; what could not be answered.
        definitions: figure -> what is counted.
        sums: both sums, of all sites; empty: they could not be read.
    """

    wanted: Wanted
    zone: str
    begins: datetime
    ends: datetime
    before_begins: datetime
    before_ends: datetime
    made: datetime
    made_at: datetime
    interval: str
    figures: Sequence[Figure]
    points: Sequence[Point]
    panels: Sequence[Panel]
    everything: int
    people: int
    unusual: Sequence[Unusual]
    notes: Sequence[str]
    definitions: Mapping[str, str]
    sums: Mapping[str, int]


class Gather:
    """Asks what a report shows.

    Args:
        asked: answers.
        clocks: the wall clocks of the sites.
    """

    def __init__(self, asked: Asked, clocks: Clocks) -> None:
        self._asked, self._clocks = asked, clocks
        self._notes: dict[str, None] = {}

    def report(self, wanted: Wanted, sums: Mapping[str, Any], now: datetime) -> Report:
        """All of it. A list that cannot be answered is left out, and a note says so.

        Args:
            wanted: which.
            sums: both of them, by the names that `pixelake status --json` has.
            now: when it is made.

        Raises:
            Misasked: there is no such site, zone or period; or nothing has ever arrived.
            QueryError: even the headlines take too long.
            LakeUnavailable: the lake cannot be read.
        """
        if self._clocks.known is not None and not self._clocks.known:
            raise Misasked("there is nothing to report yet", "put the tag on a page: `pixelake snippet --site SITE`")
        clock = Clock(fixed(wanted.zone)) if wanted.zone else self._clocks.of(wanted.site)
        base = Ask("overview", wanted.start, wanted.end, site=wanted.site, zone=wanted.zone)
        overview = self._one(replace(base, compare=True))
        unusual = [*self._unusual(base, clock)]
        before = compare.before(wanted.start, wanted.end, clock)
        return Report(
            wanted=wanted,
            zone=wanted.zone or clock.zones[-1][1],
            begins=wall(clock, wanted.start),
            ends=wall(clock, wanted.end),
            before_begins=wall(clock, before[0]),
            before_ends=wall(clock, before[1]),
            made=wall(clock, now),
            made_at=now,
            interval=interval(wanted),
            figures=[*_figures(overview)],
            points=[*self._points(base, clock, unusual)],
            panels=[*self._panels(base)],
            everything=int(self._one(replace(base, people=False))["hits"] or 0),
            people=int(overview["hits"] or 0),
            unusual=unusual,
            notes=[*self._notes],
            definitions=_definitions(),
            sums={name: int(sums[name]) for name in _SUMS} if sums else {},
        )

    def _one(self, ask: Ask) -> Mapping[str, Any]:
        answer = self._asked.ask(ask)
        for name, why in answer.notes.items():
            if name == VISITORS:
                told = why.replace(DAILY, "the figure here")
                self._notes[f"Visitors of the whole period are not known: {told}."] = None
        return next(rows_of(answer.table))

    def _points(self, base: Ask, clock: Clock, unusual: Sequence[Unusual]) -> Iterator[Point]:
        ask = replace(base, question="series", interval=interval(base), compare=True)
        for row in rows_of(self._asked.ask(ask).table):
            at = wall(clock, row["bucket"])
            before = row["before_views"]
            yield Point(
                at,
                int(row["views"] or 0),
                int(row[DAILY] or 0),
                None if before is None else int(before),
                any(_is_within(at, each, ask.interval) for each in unusual if each.what in {"site", "all"}),
            )

    def _panels(self, base: Ask) -> Iterator[Panel]:
        for section in SECTIONS:
            answer = self._listed(section.title, _asked(section, base))
            if answer and (answer.table.num_rows or not section.is_optional):
                yield Panel(section, [*_rows(section, answer)], answer.more)

    def _unusual(self, base: Ask, clock: Clock) -> Iterator[Unusual]:
        if base.end - base.start > LONGEST:
            self._notes[f"Unusual hours are looked for in periods of {LONGEST.days} days at most."] = None
            return
        answer = self._listed("Unusual hours", replace(base, question="unusual", limit=UNUSUAL))
        for row in rows_of(answer.table) if answer else ():
            value = country(row["value"]) if row["what"] == "country" else row["value"]
            yield Unusual(wall(clock, row["begins"]), wall(clock, row["ends"]), row["what"], value, row["reason"])

    def _listed(self, title: str, ask: Ask) -> Answer | None:
        """The answer; None if it takes too long or too much."""
        try:
            return self._asked.ask(ask)
        except Misasked:
            raise
        except QueryError as error:
            self._notes[f"{title}: not answered, {' '.join(str(error).split())}."] = None
            return None


def interval(of: Wanted | Ask) -> str:
    """How long a bucket of the chart is."""
    length = of.end - of.start
    if length <= _BY_DAY:
        return "hour"
    return "day" if length <= SHOWN_MOST else "month"


def wall(clock: Clock, moment: datetime) -> datetime:
    """What the wall clock shows at a moment; without a zone."""
    at = moment.astimezone(UTC)
    return (at + clock.offsets(at, at + MICROSECOND)[0][1]).replace(tzinfo=None)


def _figures(row: Mapping[str, Any]) -> Iterator[Figure]:
    """Visitors are different people if that is known, else those of each day added up."""
    left_out = DAILY if row.get(VISITORS) is not None else VISITORS
    for each in HEADLINES:
        if each.column != left_out:
            value, before, change = (row.get(f"{prefix}{each.column}") for prefix in ("", "before_", "change_"))
            yield Figure(each, value, before, change)


def _rows(section: Section, answer: Answer) -> Iterator[Row]:
    for row in rows_of(answer.table):
        beside = row[section.beside] if section.beside else None
        name = country(row[section.key]) if section.question == COUNTRIES else row[section.key]
        yield Row(name, float(row[section.column] or 0), row[f"change_{section.column}"], beside)


def _asked(section: Section, base: Ask) -> Ask:
    return replace(base, question=section.question, limit=ROWS, compare=True, options=dict(section.options))


def _is_within(bucket: datetime, hours: Unusual, named: str | None) -> bool:
    last = {"hour": timedelta(hours=1), "day": timedelta(days=1)}.get(named or "", timedelta(days=28))
    return bucket < hours.ends and hours.begins < bucket + last


def _definitions() -> Mapping[str, str]:
    columns = {each.name: each.meaning for each in questions()["overview"].columns}
    return {each.title: columns[each.column] for each in HEADLINES}
