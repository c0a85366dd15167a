"""The loop that takes hits from a queue, which keeps no order and hands some out again, and settles them.

The lake comes first: it takes each hit once, by its ``hit_id``, and says which
place it has (`pixelake.warehouse.unordered`). Behind that the lake is a stream
with an order, and every other sink follows it: at the same places, and from the
lake itself where it missed something. No sink holds up the lake.
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import structlog

from pixelake import telemetry
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import WarehouseError
from pixelake.stream.base import GROUP, Partition, Position, Reader
from pixelake.transform.consumer import WAIT, Counts, Health
from pixelake.transform.feed import BUFFER_BYTES, Plan, concat, tables
from pixelake.transform.feed import Health as SinkHealth
from pixelake.transform.judge import Judge
from pixelake.transform.retry import BROKEN, Retry, Stopped, told_with_hint
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome

CATCH_UP: Final = 20_000
CATCH_UP_SECONDS: Final = 1.0
"""Hits that a sink takes from the lake at once, and how long it may go on with that in each round."""


Bar = Callable[[Outcome], Outcome]
"""Withholds what must not come any more."""


class Merging(Protocol):
    """The lake, to which a queue goes."""

    def settle(self, outcome: Outcome, partition: Partition, bar: Bar) -> Outcome:
        """Put in the hits that are new, durably; returns them at the positions of that partition they have now.

        What `bar` does not let through is withheld. It is asked so that whoever is erased meanwhile is not missed.
        """
        ...

    def write(self, outcome: Outcome) -> None:
        """See `pixelake.warehouse.base.Sink`."""
        ...


class Past(Protocol):
    """What stands in the lake."""

    def last(self, partition: Partition) -> Position:
        """The position that is reached."""
        ...

    def outcome(self, partition: Partition, first: Position, last: Position) -> Outcome:
        """What became of the hits at these positions."""
        ...


class Follower:
    """A sink that follows the lake. What it cannot take now, it takes from the lake once it can.

    Attributes:
        error: why it could not; empty if it could.
        is_behind: whether it has more to take from the lake.
    """

    def __init__(self, plan: Plan, past: Past, partition: Partition) -> None:
        self._plan, self._past, self._partition = plan, past, partition
        self.error = ""
        self.is_behind = False

    def follow(self, outcome: Outcome | None) -> None:
        """Write what the lake has just taken, or what is missing before it; without an outcome only the latter."""
        try:
            if outcome and self._position() == outcome.first[self._partition] - 1:
                self._plan.sink.write(outcome)
                self.is_behind = False
            else:
                self.is_behind = not self._catch_up()
        except Exception as error:  # noqa: BLE001 - whatever a sink raises, the lake goes on
            self._failed(error)
        else:
            self.error = ""

    def _failed(self, error: Exception) -> None:
        if not self.error:
            structlog.get_logger().warning(
                f"cannot write to {self._plan.name}; it takes it from the lake later",
                error=telemetry.told(error),
                hint=getattr(error, "hint", ""),
            )
        self.error = told_with_hint(error)

    def _catch_up(self) -> bool:
        """Take from the lake some of what is missing; whether that was all."""
        at, last = self._position(), self._past.last(self._partition)
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while at < last and time.monotonic() < deadline:
            until = min(at + CATCH_UP, last)
            self._plan.sink.write(self._past.outcome(self._partition, at + 1, until))
            at = until
        return at >= last

    def reached(self) -> Position:
        """How far the sink is; 0 if it cannot say."""
        try:
            return self._position()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
            return 0

    def _position(self) -> Position:
        return self._plan.sink.positions().get(self._partition, 0)

    def health(self) -> SinkHealth:
        """How it is doing."""
        return SinkHealth(self._plan.name, not self.error, 0, None, self.error)


class Settler:
    """Settles outcomes where the platform calls us, and again if it must: in a function. See `QueueConsumer`."""

    def __init__(
        self,
        *,
        bar: Bar,
        lake: Merging,
        past: Past,
        plans: Sequence[Plan],
        partition: Partition,
    ) -> None:
        """For the arguments see `QueueConsumer`."""
        self._bar, self._lake, self._partition = bar, lake, partition
        self._followers = [Follower(plan, past, partition) for plan in plans]

    def settle(self, outcome: Outcome | None) -> int:
        """Have the lake take what is new of an outcome, and all other sinks follow it. Returns how many hits were new.

        Without an outcome the others only catch up.

        Raises:
            PixelakeError: to be called again, with the same: what is settled stays so.
        """
        fresh = self._lake.settle(outcome, self._partition, self._bar) if outcome else None
        taken = self._bar(fresh) if fresh and fresh.positions else None  # somebody may have been erased since
        for follower in self._followers:
            follower.follow(taken)
        for follower in self._followers:
            if follower.error or follower.is_behind:
                why = follower.error or "it has more to take from the lake"
                raise WarehouseError(f"the lake has it, but a store is behind: {why}", "it follows once it can")
        return sum(last - fresh.first[name] + 1 for name, last in fresh.positions.items()) if fresh else 0


class QueueConsumer:
    """Settles hits of a queue: judges them, has the lake take those that are new, and tells the queue last.

    Several may run, in any number of processes. A crash anywhere repeats work and changes nothing.
    """

    def __init__(
        self,
        *,
        readers: Callable[[str], Reader],
        judge: Judge,
        bar: Bar = lambda outcome: outcome,
        lake: Merging,
        past: Past,
        plans: Sequence[Plan],
        partition: Partition,
        window: float,
        rows: int,
        batch_size: int,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is started yet.

        Args:
            readers: makes a reader for a group of the given name.
            judge: batch -> outcomes.
            bar: withholds what must not come any more: a queue may hand out what was erased.
            lake: where they go first.
            past: what is there.
            plans: the other sinks; their windows are the lake's.
            partition: what the queue is called in all of them.
            window: seconds that hits wait for others before the lake is written.
            rows: or when so many hits wait.
            batch_size: hits judged at once.
            clock: for the window and the lag.
        """
        self._readers, self._judge, self._bar, self._lake, self._past = readers, judge, bar, lake, past
        self._followers = [Follower(plan, past, partition) for plan in plans]
        self._partition, self._clock = partition, clock
        self._window, self._rows, self._batch_size = window, rows, batch_size
        self._counts = Counts()
        self._retries: Sequence[Retry] = ()
        self._oldest: int | None = None

    def run(self, stop: threading.Event, timeout: float = 10.0) -> bool:  # noqa: ARG002 - as that of `Consumer`
        """Settle hits until `stop` is set. What is not settled by then the queue hands out again.

        1. read hits, until the window ends or enough wait,
        2. judge them,
        3. have the lake take those that are new,
        4. let the other sinks follow it,
        5. tell the queue that they are settled.

        Returns:
            True: nothing is left under way.
        """
        reading = Retry("read the queue", stop, on=(Exception,))
        judging = Retry("judge hits", stop, on=BROKEN)
        writing = Retry("write to the lake", stop, on=BROKEN)
        committing = Retry("tell the queue what is settled", stop, on=(Exception,))
        self._retries = (reading, judging, writing, committing)
        reader = self._readers(GROUP)
        try:
            writing(self._note_gap)
            while not stop.is_set():
                outcomes = self._judged(reader, reading, judging, stop)
                for outcome in outcomes:
                    fresh = writing(partial(self._settle, outcome))  # 3
                    self._counts.add(fresh)
                    self._follow(writing(partial(self._bar, fresh)) if fresh.positions else None)  # 4
                    committing(partial(reader.commit, outcome.positions))  # 5
                self._oldest = None
                if not outcomes:
                    self._follow(None)
        except Stopped:
            pass
        finally:
            reader.close()
        return True

    def _settle(self, outcome: Outcome) -> Outcome:
        return self._lake.settle(outcome, self._partition, self._bar)

    def _note_gap(self) -> None:
        """What a lake that was restored lacks it tells as missed: as far as a sink is ahead of it."""
        ahead = max((follower.reached() for follower in self._followers), default=0)
        if ahead > self._past.last(self._partition):
            gap = {self._partition: ahead + 1}, {self._partition: ahead}
            self._lake.write(Outcome(EVENTS.empty_table(), REJECTS.empty_table(), WITHHELD.empty_table(), *gap))

    def _judged(self, reader: Reader, reading: Retry, judging: Retry, stop: threading.Event) -> Sequence[Outcome]:
        """What became of the hits of a window: an outcome for each partition that the reader has named."""
        found: dict[Partition, list[Outcome]] = {}
        ends, rows, size = self._clock.monotonic() + self._window, 0, 0
        while not stop.is_set() and self._clock.monotonic() < ends and rows < self._rows and size < BUFFER_BYTES:
            batch = reading(partial(reader.read, self._batch_size, WAIT))  # 1
            if batch is None:
                continue
            if not found:
                ends = self._clock.monotonic() + self._window
                self._oldest = batch.hits[0].received_at
            for outcome in self._judge(batch, judging):  # 2
                found.setdefault(batch.partition, []).append(outcome)
                rows += sum(rows_of.num_rows for rows_of in tables(outcome))
                size += sum(rows_of.nbytes for rows_of in tables(outcome))
        return [concat(outcomes) for outcomes in found.values()]

    def _follow(self, outcome: Outcome | None) -> None:
        for follower in self._followers:
            follower.follow(outcome)

    def health(self) -> Health:
        """How it is doing."""
        sinks = [follower.health() for follower in self._followers]
        lag = max(0.0, (self._clock.now() - self._oldest) / SECOND) if self._oldest is not None else 0.0
        errors = [retry.error for retry in self._retries] + [sink.error for sink in sinks]
        return Health(lag, next(filter(None, errors), ""), sinks)
