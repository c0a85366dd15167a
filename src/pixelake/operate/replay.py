"""Rejects judged anew, by today's settings, schemas and program: what is an event now moves to the events, once.

What a replay sees is what the reject kept: truncated addresses, no secrets, no
click ids. The visitor is the reject's own. The live store sees nothing of it.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from pixelake.hit import Hit
from pixelake.operate.rejects import named
from pixelake.operate.render import rows_of
from pixelake.stream.base import Batch
from pixelake.transform.judge import Judge
from pixelake.transform.raw import Kept, read
from pixelake.transform.retry import Retry
from pixelake.warehouse.base import REJECTS, Merger, Outcome, Rejudged
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.rows import rows_of as plain_rows

PAGE: Final = 1_000
"""Rejects that are looked up, and events that are written, at once."""
PAGE_BYTES: Final = 16 << 20
"""Of raw hits that are judged, and of events that are written, at once."""

_WHOLE: Final = frozenset({"body_unreadable", "body_too_large", "too_many"})
"""Reasons for which all elements of a hit were one reject."""
_PLACE: Final = ("partition", "position")
_INDEX: Final = re.compile(r"(?P<hit>.+?)(\.\d+)?", re.DOTALL)
_HOURS: Final = (
    "select year, month, day, hour, count(*) from rejects where ?::text is null or reason = ? group by all order by all"
)
_SIZES: Final = """
select hit_id, coalesce(strlen(raw), 0) as size from rejects
where year = ? and month = ? and day = ? and hour = ? and (?::text is null or reason = ?) and hit_id > ?
order by hit_id limit ?
"""
_ROWS: Final = """
select * from rejects where year = ? and month = ? and day = ? and hour = ? and list_contains(?, hit_id)
"""

Row = Mapping[str, Any]


class Wanted(NamedTuple):
    """Which rejects: of this reason, of this site (as it is judged now), of this name; None: of any."""

    reason: str | None = None
    site: str | None = None
    hit_id: str | None = None


@dataclass(slots=True)
class Report:
    """What became of the rejects that were looked at; the other counts add up to that.

    Attributes:
        looked_at: rejects that were wanted.
        replayed: those of them that are events now.
        refused: those that are still none, by reason.
        impossible: those that cannot be judged, by why not.
        other_site: those of another site than the one that was wanted.
        gone: those that somebody else replayed or purged meanwhile.
    """

    looked_at: int = 0
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    impossible: Counter[str] = field(default_factory=Counter)
    other_site: int = 0
    gone: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The counts by their names."""
        counts = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: dict(count) if isinstance(count, Counter) else count for name, count in counts.items()}


def as_text(report: Report) -> str:
    """For people: what became of them, and of the others why not. Lines without a last newline."""
    lines = [f"{report.replayed:,} of {report.looked_at:,} rejects are events now"]
    lines += [f"{count:,} still refused: {reason}" for reason, count in report.refused.most_common()]
    lines += [f"{count:,} cannot be replayed: {why}" for why, count in report.impossible.most_common()]
    lines += [f"{report.other_site:,} are of another site"] * bool(report.other_site)
    lines += [f"{report.gone:,} were replayed or purged by somebody else meanwhile"] * bool(report.gone)
    return "\n".join(lines)


class _Found(NamedTuple):
    """A hit to be judged, and its rejects by name."""

    hit: Hit
    rejects: Mapping[str, Row]


class Replay:
    """One replay; to be run once.

    Args:
        lake: to find the rejects.
        merger: opens the lake for writing; only called if there is something to write.
        judge: as the consumer's, of today's settings.
        told: called with the rejects looked at so far, and all there are.
    """

    def __init__(
        self,
        lake: Lakehouse,
        merger: Callable[[], Merger],
        judge: Judge,
        told: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> None:
        self._lake, self._merger, self._judge = lake, merger, judge
        self._told = told
        self._open: Merger | None = None
        self._waiting: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
        """Rows to be written: events, and rejects."""
        self._origins: dict[str, str] = {}
        self._size = 0
        self._report = Report()

    def run(self, wanted: Wanted) -> Report:
        """Judge them, and move what is an event now. To be repeated if it is cut short.

        Raises:
            QueryError: looking them up takes too long or too much.
            PixelakeError: the lake, the registry or the store of event ids cannot be used now.
        """
        total = 0 if wanted.hit_id else sum(row[4] for row in self._hours(wanted))
        for rows in self._pages(wanted):
            self._report.looked_at += len(rows)
            self._page(rows, wanted.site)
            self._told(self._report.looked_at, max(total, self._report.looked_at))
        self._flush()
        return self._report

    def _hours(self, wanted: Wanted) -> list[tuple[Any, ...]]:
        found = self._lake.ask(_HOURS, [wanted.reason, wanted.reason])
        return list(zip(*(column.to_pylist() for column in found.columns), strict=True))

    def _pages(self, wanted: Wanted) -> Iterator[Sequence[Row]]:
        """The rejects, hour by hour, as many at once as the memory is for."""
        if wanted.hit_id:
            if rows := [row for row in named(self._lake, wanted.hit_id) if wanted.reason in (None, row["reason"])]:
                yield rows
            return
        for *hour, _ in self._hours(wanted):
            last: str | None = ""
            while last is not None:
                sizes = list(rows_of(self._lake.ask(_SIZES, [*hour, wanted.reason, wanted.reason, last, PAGE])))
                for names in _bounded(sizes):
                    yield list(rows_of(self._lake.ask(_ROWS, [*hour, names])))
                last = sizes[-1]["hit_id"] if sizes else None

    def _page(self, rows: Sequence[Row], site: str | None) -> None:
        near = {row["hit_id"]: row for row in rows}  # mostly the first of a body is on the same page
        elsewhere: dict[str, Kept] = {}
        hits: dict[str, tuple[Hit, dict[str, Row]]] = {}
        for row in rows:
            kept = self._kept(row, near, elsewhere)
            if kept.hit is None:
                self._report.impossible[kept.why] += 1
                continue
            name = _hit_id(kept.hit, row)
            hits.setdefault(name, (msgspec.structs.replace(kept.hit, hit_id=name), {}))[1][row["hit_id"]] = row
        found = [_Found(*each) for each in hits.values()]
        if found:
            self._judged(found, site)

    def _kept(self, row: Row, near: Mapping[str, Row], elsewhere: dict[str, Kept]) -> Kept:
        """The hit of a reject, also if another one has it."""
        kept = read(row["raw"])
        if not kept.see:
            return kept
        if kept.see not in elsewhere:
            there = [near[kept.see]] if kept.see in near else named(self._lake, kept.see)
            elsewhere[kept.see] = read(there[0]["raw"]) if there else Kept(None, "", "the reject that had it is gone")
        first = elsewhere[kept.see]
        return Kept(None, "", "the reject that had it has it no more") if first.see else first

    def _judged(self, found: Sequence[_Found], site: str | None) -> None:
        """Judge hits as if they were a partition of their own, and sort out what they are."""
        batch = Batch("replay", [each.hit for each in found], range(1, len(found) + 1))
        missing = {name for each in found for name in each.rejects}
        for outcome in self._judge(batch, Retry("judge rejects", threading.Event(), on=())):
            missing -= self._sorted_out(outcome, found, site)
        if missing:
            self._report.impossible["it has no such element today"] += len(missing)

    def _sorted_out(self, outcome: Outcome, found: Sequence[_Found], site: str | None) -> set[str]:
        """Keep what is to be written; the names of the rejects of which it is known what they are."""
        events = _by_hit(outcome.events)
        rejects = _by_hit(outcome.rejects)
        withheld = frozenset(_positions(outcome.withheld))
        known: set[str] = set()
        for at in sorted({*events, *rejects, *withheld}):
            hit = found[at - 1]
            now, still = events.get(at, {}), rejects.get(at, {})
            told = [name for name in hit.rejects if name in now or name in still or at in withheld]
            self._report.refused.update(still[name]["reason"] for name in told if name in still)
            if hidden := [name for name in told if name not in now and name not in still]:
                self._report.impossible["policy would withhold it today"] += len(hidden)
            origins = _origins(hit, now, still)
            ours = {origin for origin in origins.values() if site is None or now[origin]["site"] == site}
            self._report.other_site += len({*origins.values()} - ours)
            self._keep(hit, now, still, {name: origin for name, origin in origins.items() if origin in ours})
            known.update(told)
        return known

    def _keep(self, hit: _Found, now: Mapping[str, Row], still: Mapping[str, Row], origins: Mapping[str, str]) -> None:
        """What is to be written, as if it had been judged so in its place."""
        for name, origin in origins.items():
            first = hit.rejects[origin]
            row = {**now.get(name, still.get(name, {})), **{column: first[column] for column in _PLACE}}
            if name in now:
                # whoever asks not to be tracked has one only if today's policy says so
                hidden = (row["dnt"] or row["gpc"]) and not row["visitor_id"]
                row |= {"visitor_id": None if hidden else first["visitor_id"], "visitor_before": None}
            self._waiting[name in now].append(row)
            self._origins[name] = origin
        self._size += len(hit.hit.body) + len(hit.hit.head)
        if self._size >= PAGE_BYTES or len(self._origins) >= PAGE:
            self._flush()

    def _flush(self) -> None:
        if not self._origins:
            return
        if self._open is None:
            self._open = self._merger()
        schemas = {True: self._judge.schema, False: REJECTS}
        events, rejects = (pa.Table.from_pylist(self._waiting[wanted], schemas[wanted]) for wanted in (True, False))
        asked = frozenset(self._origins.values())
        merged = asked.intersection(self._open.merge(Rejudged(events, rejects, self._origins)))
        self._report.replayed += len(merged)
        self._report.gone += len(asked - merged)
        self._waiting, self._origins, self._size = {True: [], False: []}, {}, 0


def _bounded(sizes: Sequence[Row]) -> Iterator[list[str]]:
    """Names in groups whose raw hits fit into `PAGE_BYTES`; one that is larger stands alone."""
    names: list[str] = []
    taken = 0
    for row in sizes:
        if names and taken + row["size"] > PAGE_BYTES:
            yield names
            names, taken = [], 0
        names.append(row["hit_id"])
        taken += row["size"]
    if names:
        yield names


def _hit_id(hit: Hit, row: Row) -> str:
    """The name of the hit that a reject is an element of."""
    if hit.hit_id:
        return hit.hit_id
    place = f"{row['partition']}-{row['position']}"
    if re.fullmatch(re.escape(place) + r"(\.\d+)?", row["hit_id"]):
        return place
    found = _INDEX.fullmatch(row["hit_id"])
    return found["hit"] if found else row["hit_id"]


def _positions(rows: pa.Table) -> list[int]:
    found: Any = rows["position"].to_pylist()
    return list(found)


def _by_hit(rows: pa.Table) -> dict[int, dict[str, Row]]:
    """The rows of each hit, by name."""
    found: dict[int, dict[str, Row]] = {}
    for row in plain_rows(rows):
        found.setdefault(row["position"], {})[row["hit_id"]] = row
    return found


def _origins(found: _Found, now: Mapping[str, Row], still: Mapping[str, Row]) -> dict[str, str]:
    """What is to be written of a hit -> the reject it comes from, which is an event now.

    All elements, if the hit was one reject as a whole; else those that were rejects themselves.
    """
    origins = {name: name for name in found.rejects if name in now}
    first = found.hit.hit_id
    if first in origins and found.rejects[first]["reason"] in _WHOLE:
        origins |= {name: first for name in (*now, *still) if name not in found.rejects}
    return origins
