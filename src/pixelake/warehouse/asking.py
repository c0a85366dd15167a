"""Answers the named questions over a lake: `pixelake.warehouse.planner` says from where each day is read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pyarrow as pa

from pixelake.errors import Misasked, QueryError
from pixelake.warehouse import compare, known
from pixelake.warehouse.ask import Answer, Ask, Explained, Part
from pixelake.warehouse.checked import EARLIEST, LATEST, check, options
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.hooks import AFTER, WIDER
from pixelake.warehouse.pieces import BUCKET, bucket_sql
from pixelake.warehouse.planner import Keys, Planner, default_interval
from pixelake.warehouse.questions import VISITORS, Question
from pixelake.warehouse.reading import Asked, Kept, Standing, Statement
from pixelake.warehouse.remarks import remarks
from pixelake.warehouse.zones import Clock, fixed

__all__ = [
    "BUCKET",
    "EARLIEST",
    "LATEST",
    "Answer",
    "Ask",
    "Asked",
    "Clocks",
    "Explained",
    "Kept",
    "Part",
    "Questions",
    "Standing",
    "Statement",
    "bucket_sql",
    "check",
    "options",
]

NEWEST: Final = "received_at desc"
"""How the order of a list begins that has the newest rows first."""
_REMEMBERED: Final = 256
_LOOKED: Final = (timedelta(hours=1), timedelta(days=1), timedelta(days=15))


class Questions:
    """Answers the named questions over a lake. Several threads may ask at once.

    Args:
        lakehouse: runs SQL.
        clocks: tells the wall clocks of the sites as they are now.
        declared: tells what sites declare as it is now: see `pixelake.warehouse.given.Given`.
    """

    def __init__(
        self, lakehouse: Asked, clocks: Callable[[], Clocks], declared: Callable[[str], Any] = lambda _: ()
    ) -> None:
        self._lakehouse, self._clocks, self._declared = lakehouse, clocks, declared
        self._known: dict[str, bool] = {}

    def ask(self, ask: Ask) -> Answer:
        """The answer.

        Raises:
            Misasked: it cannot be asked so.
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        clocks = self._clocks()
        with _misasked():
            question = check(ask, clocks.known)
            asks = _narrowed(question, ask)
        answer = self._answer(question, next(asks), clocks)
        for wider in asks:
            if answer.more:
                break
            answer = self._answer(question, wider, clocks)
        return self._compared(question, ask, clocks, answer) if ask.compare else answer

    def explain(self, ask: Ask) -> Explained:
        """How a question would be answered: nothing is read but the log of the lake.

        Raises:
            Misasked: it cannot be asked so.
            LakeUnavailable: the lake cannot be read.
        """
        clocks = self._clocks()
        with _misasked():
            planner = self._planner(check(ask, clocks.known), ask, clocks)
        made: list[Statement] = []

        def make(standing: Standing) -> Statement:
            with _misasked():
                made.append(planner.make(standing))
            return Statement("select 1", {})

        version = self._lakehouse.plan(make)[2]
        return Explained(made[-1].parts, made[-1].sql, made[-1].values, version)

    def _planner(self, question: Question, ask: Ask, clocks: Clocks, only: Keys | None = None) -> Planner:
        widen = WIDER.get(question.name)
        return Planner(question, widen(ask) if widen else ask, clocks, self._declared, ask, only=only)

    def _answer(self, question: Question, ask: Ask, clocks: Clocks, only: Keys | None = None) -> Answer:
        with _misasked():
            planner = self._planner(question, ask, clocks, only)
        table, statement, version = self._run(planner)
        if after := AFTER.get(question.name):
            table = after(table, ask, planner.clock).slice(ask.skip)
        table, more = _cut(table, question, ask)
        notes = planner.days.notes() | remarks(question.name, table)
        answer = Answer(table, notes, statement.parts, version, more)
        return self._with_visitors(question, ask, clocks, answer) if known.takes(question, answer.notes) else answer

    def _run(self, planner: Planner) -> tuple[pa.Table, Statement, str]:
        def make(standing: Standing) -> Statement:
            with _misasked():
                return planner.make(standing)

        return self._lakehouse.plan(make)

    def _with_visitors(self, question: Question, ask: Ask, clocks: Clocks, answer: Answer) -> Answer:
        """With the people of several days, if all of them said who they are."""
        asked = known.people(question, ask)
        if asked is None or not answer.table.num_rows:
            return answer
        if not self._are_known(ask, clocks, answer.version):
            return answer
        only = compare.keys(question, answer.table) if question.kind == "list" and question.keys else None
        people = self._run(Planner(*asked, clocks, rows=True, only=only))[0]
        table = compare.joined(question, answer.table, people, f"{VISITORS}_known", VISITORS)
        return replace(answer, table=table, notes={})

    def _are_known(self, ask: Ask, clocks: Clocks, version: str) -> bool:
        """Whether all whose hits count said who they are. Remembered: questions of a screen ask it of the same hits."""
        figure, cheap = known.anonymous(ask)
        key = (version, clocks.name, cheap)
        told = self._known.get(repr(key))
        if told is None:
            told = self._run(Planner(figure, cheap, clocks))[0][0].to_pylist() == [0]
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[repr(key)] = told
        return told

    def _compared(self, question: Question, ask: Ask, clocks: Clocks, answer: Answer) -> Answer:
        """With the period before beside it."""
        clock = clocks.of(ask.site) if ask.zone is None else Clock(fixed(ask.zone))
        with _misasked():
            start, end = compare.before(ask.start, ask.end, clock)
        interval = ask.interval or (default_interval(ask) if question.kind == "series" else None)
        earlier = replace(ask, start=start, end=end, interval=interval, compare=False, limit=None, skip=0)
        only = compare.keys(question, answer.table) if question.kind == "list" and question.name not in AFTER else None
        other = self._answer(question, earlier, clocks, only)
        notes = {**answer.notes, **{f"before_{name}": why for name, why in other.notes.items()}}
        table = compare.beside(question, answer.table, other.table)
        return replace(answer, table=table, notes=notes, parts=[*answer.parts, *other.parts])


@contextmanager
def _misasked() -> Iterator[None]:
    """What goes wrong before anything is run is the fault of who asks."""
    try:
        yield
    except Misasked:
        raise
    except QueryError as error:
        raise Misasked(str(error), error.hint) from None


def _narrowed(question: Question, ask: Ask) -> Iterator[Ask]:
    """The newest rows are looked for in the last hour and day first, then in all of the period."""
    if question.order.startswith(NEWEST) and ask.limit is not None:
        for length in _LOOKED:
            if ask.end - length > ask.start:
                yield replace(ask, start=ask.end - length)
    yield ask


def _cut(table: pa.Table, question: Question, ask: Ask) -> tuple[pa.Table, bool]:
    """Without the one row more that was asked for to see whether there is any."""
    if question.kind != "list" or ask.limit is None:
        return table, False
    return table.slice(0, ask.limit), table.num_rows > ask.limit
