"""The live store in a table of Amazon DynamoDB: for many who write, on machines that come and go.

What `pixelake.warehouse.live_sqlite` promises, at the same answers. A write is one
entry of a log (`live_dynamodb_log`), which is there or not, with its events,
counts and positions; after some writes the entries are brought into documents
(`live_dynamodb_merge`), so that few are to be read. The table forgets by itself
(its attribute ``ttl``), later than the reader does.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pyarrow as pa

from pixelake.clock import SECOND, SYSTEM, Careful, Clock
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import live_dynamodb_entries as entries
from pixelake.warehouse import live_dynamodb_leave as leaving
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.dynamodb import Table
from pixelake.warehouse.fresh import above
from pixelake.warehouse.live_base import MOST_EVENTS, NEEDED
from pixelake.warehouse.live_dynamodb_log import Head, Log
from pixelake.warehouse.live_dynamodb_merge import Moved, Term, merge
from pixelake.warehouse.live_lists import IsMeant

EVERY: Final = 32
"""Writes after which entries are brought into documents: so many are read beside these, in one call."""


class DynamoLive:
    """The live store, open for writing: a `pixelake.warehouse.live_base.Store`. One thread; any number of processes.

    Args:
        table: where it is, beside what others keep there under other keys.
        retention: seconds after which an event and a counter are forgotten.
        most_events: events that are shown at most.
        clock: the time.

    Raises:
        WarehouseError: the table cannot be read.
    """

    def __init__(
        self, table: Table, retention: float = 604_800.0, most_events: int = MOST_EVENTS, clock: Clock = SYSTEM
    ) -> None:
        self._log, self._retention, self._most = Log(table), int(retention * SECOND), most_events
        self._head = self._log.head()
        self._clock = Careful(clock, self._head.written)

    def close(self) -> None:
        """Nothing is held. May never be called."""

    def positions(self) -> Mapping[Partition, Position]:
        """The position of each partition this store has ever written.

        Raises:
            WarehouseError: it cannot be read.
        """
        self._head = self._log.head()
        return dict(self._head.positions)

    def write(self, outcome: Outcome) -> None:
        """Count the outcomes above the stored positions and keep the newest events: all of it or, if large, by parts.

        Raises:
            WarehouseError: it is not known to be written; repeat the call.
        """
        waiting = [replace(outcome, events=outcome.events.select(NEEDED))]
        while waiting:
            waiting[:1] = self._put(waiting[0])

    def _put(self, outcome: Outcome) -> list[Outcome]:
        """Put what is above the positions into the log; returns what is left to be put."""
        if self._head.number - self._head.merged >= EVERY:
            self._head = merged(self._log, self._term())
        fresh = above(outcome, self._head.positions)
        if not fresh.positions:
            return []
        entry = entries.entry(self._head, fresh, self._clock.now(), self._retention, self._most)
        if not entries.is_small(entry, fresh):
            return list(entries.halves(fresh))
        head = self._log.append(self._head, entry)
        if head:
            self._head = head
            return []
        self._head = self._log.newer(self._head)
        return [outcome]

    def leave(self, events: pa.Table) -> int:
        """See `pixelake.warehouse.live_base.Store`."""
        return leaving.leave(self._log, events.select(NEEDED), self._term())

    def hide(self, is_meant: IsMeant) -> int:
        """See `pixelake.warehouse.live_base.Store`."""
        merged(self._log, self._term())
        return leaving.hide(self._log, is_meant, self._term())

    def scrub(self) -> None:
        """See `pixelake.warehouse.live_base.Store`."""
        merged(self._log, self._term())
        leaving.scrub(self._log)

    def _term(self) -> Term:
        return Term(self._clock.now(), self._retention)


def merged(log: Log, term: Term) -> Head:
    """The head of the log, once all entries up to it are in documents."""
    while True:
        head = log.reached()
        if head.number <= head.merged:
            return head
        try:
            merge(log, head, term)
        except Moved:
            continue
