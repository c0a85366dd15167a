"""A request as an `Ask`: whose rows it may see, its period, its filter, and the place where a list goes on."""

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import check
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.period import period
from pixelake.warehouse.questions import Question
from pixelake.warehouse.reading import Standing
from pixelake.warehouse.zones import Clock, fixed, known
from pixelake.web.parameters import COMMON, Asked, AskedList, AskedSeries

FARTHEST: Final = 1_000_000
"""Rows that a cursor passes over at most."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is asked, with nothing left open.

    Attributes:
        ask: the question.
        zone: the name of the wall clock by which it was resolved.
    """

    ask: Ask
    zone: str

    def name(self, *more: Any) -> str:
        """Tells it apart from all others, and from the same with other circumstances."""
        ask = self.ask
        told = (ask.question, ask.start, ask.end, ask.site, ask.zone, ask.interval, ask.filter, ask.people)
        rest = (ask.compare, ask.limit, ask.skip, sorted(ask.options.items(), key=lambda each: each[0]))
        return hashlib.sha256(repr((told, rest, self.zone, more)).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def resolve(question: Question, given: Asked, site: str | None, clocks: Clocks, standing: Standing) -> Resolved:
    """What a request asks.

    Args:
        question: which.
        given: its parameters.
        site: the only one that it may see, or wants to.
        clocks: of the sites.
        standing: the lake, for the names of its columns.

    Raises:
        QueryError: it cannot be asked so.
    """
    clock = _clock(given.zone, site, clocks)
    start, end = period(given.start, given.end, given.period, clock, datetime.now(UTC))
    ask = Ask(
        question.name,
        start,
        end,
        site,
        zone=given.zone,
        interval=given.interval if isinstance(given, AskedSeries) else None,
        filter=filters.parse(given.filter, filters.filterable(standing.columns)),
        people=given.people,
        compare=given.compare,
        limit=given.limit if isinstance(given, AskedList) else None,
        options=_options(given),
    )
    resolved = Resolved(ask, given.zone or clock.zones[-1][1])
    if isinstance(given, AskedList) and given.cursor is not None:
        resolved = _behind(resolved, given)
    check(resolved.ask, clocks.known)
    return resolved


def _clock(zone: str | None, site: str | None, clocks: Clocks) -> Clock:
    if zone is None:
        return clocks.of(site)
    known(zone)
    return Clock(fixed(zone))


def _options(given: Asked) -> dict[str, Any]:
    told = {name: getattr(given, name) for name in type(given).model_fields if name not in COMMON}
    return {name: value for name, value in told.items() if value is not None}


def next_cursor(resolved: Resolved) -> str:
    """Where the list goes on behind these rows."""
    ask = resolved.ask
    place = [ask.skip + (ask.limit or 0), ask.start.isoformat(), ask.end.isoformat(), _likeness(resolved)]
    return base64.urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def _likeness(resolved: Resolved) -> str:
    """The same of requests that differ in their period, place and number of rows only."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return Resolved(replace(resolved.ask, start=epoch, end=epoch, limit=None, skip=0), resolved.zone).name()[:16]


def _behind(resolved: Resolved, given: AskedList) -> Resolved:
    """The same behind the cursor, over the period of which it is: that goes on, else."""
    try:
        told = json.loads(base64.urlsafe_b64decode((given.cursor or "") + "=" * 3))
        skip, start, end, likeness = told
        begin, until = datetime.fromisoformat(start), datetime.fromisoformat(end)
        is_place = isinstance(skip, int) and 0 <= skip <= FARTHEST and begin.tzinfo and until.tzinfo
    except (ValueError, TypeError, RecursionError):
        is_place = False
    if not is_place:
        raise QueryError("cursor: that is none, or too far", "take `next` of the answer before")
    if likeness != _likeness(resolved):
        raise QueryError("cursor: it is of another question", "ask for the next rows with the same parameters")
    return Resolved(replace(resolved.ask, start=begin, end=until, skip=skip), resolved.zone)
