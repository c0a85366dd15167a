"""Each sink at its own pace: a bounded buffer and a thread for each, and a way back for one that stalls.

::

    attached    outcomes are offered, buffered, and written when the window ends
       |  its buffer is full
    detached    nothing is offered; it reads the stream by itself, from its own position
       |  it has come near the end
    joining     outcomes are offered again, and buffered; it reads on until the
       |        hits are written that were offered before
    attached

A sink drops what it has already, so an overlap is harmless; a gap is not, and
cannot happen: what is buffered begins where the offers before it ended.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, NamedTuple

import pyarrow as pa
import structlog

from pixelake import machine, telemetry
from pixelake.clock import Clock
from pixelake.stream.base import Partition, Position, Reader
from pixelake.transform.judge import Judge
from pixelake.transform.retry import BROKEN, Retry, Stopped
from pixelake.warehouse.base import Outcome, Sink

BUFFER_BYTES: Final = machine.share(64, most=64 << 20, least=4 << 20)
"""What a sink may have waiting; half of it is written at once, before its window ends."""
PATIENCE: Final = 1.0
"""Seconds that a full buffer may hold up the others before its sink is detached."""
LOOK: Final = 0.25
"""Most seconds between looks at the clock."""
_SHORTEST: Final = 0.005


class Late:
    """A sink that is opened when it is first needed, so that one which cannot be used now holds up nobody."""

    def __init__(self, opened: Callable[[], Sink]) -> None:
        self._opened = opened
        self._sink: Sink | None = None

    def write(self, outcome: Outcome) -> None:
        """See `pixelake.warehouse.base.Sink`."""
        self._open().write(outcome)

    def positions(self) -> Mapping[Partition, Position]:
        """See `pixelake.warehouse.base.Sink`."""
        return self._open().positions()

    def _open(self) -> Sink:
        if self._sink is None:
            self._sink = self._opened()
        return self._sink


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A sink, and when it is written: each `window` seconds, or when `rows` wait.

    Attributes:
        holds: whether the stream keeps what this sink does not have yet. Else the sink makes up for gaps by itself.
    """

    name: str
    sink: Sink
    window: float
    rows: int
    holds: bool = True


class Health(NamedTuple):
    """How a sink is doing. ``oldest`` is when the oldest hit was received (µs) that it does not have yet."""

    name: str
    attached: bool
    waiting: int
    oldest: int | None
    error: str


class _State(Enum):
    ATTACHED = "attached"
    DETACHED = "detached"
    JOINING = "joining"


PACKED: Final = 16
"""So many small outcomes in a row are packed into one: a table of a few rows takes 20 times as much as its values."""
SMALL: Final = 1_024
"""Rows of an outcome that is not packed any more."""


class _Waiting(NamedTuple):
    """An outcome that waits. `packed`: how often it was packed."""

    outcome: Outcome
    received_at: int
    rows: int
    size: int
    packed: int = 0


class _Pile:
    """Outcomes in order that wait for one write."""

    def __init__(self) -> None:
        self._items: deque[_Waiting] = deque()
        self.rows = self.size = 0
        self.since = 0.0

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, outcome: Outcome, received_at: int, now: float) -> None:
        """One more; `since` is when the first of them came."""
        if not self._items:
            self.since = now
        self._append(_waiting(outcome, received_at))
        self._pack()

    def _append(self, item: _Waiting) -> None:
        self._items.append(item)
        self.rows += item.rows
        self.size += item.size

    def _discount(self, item: _Waiting) -> None:
        self.rows -= item.rows
        self.size -= item.size

    def _pack(self) -> None:
        """Make one of the last outcomes if they are small and were packed equally often; so no row is copied often."""
        while len(self._items) >= PACKED:
            last = [self._items[place] for place in range(-PACKED, 0)]
            alike = all(item.packed == last[-1].packed and item.rows < SMALL for item in last)
            if not alike or not _follow_each_other([item.outcome for item in last]):
                return
            for _ in last:
                self._discount(self._items.pop())
            whole = _copied(concat([item.outcome for item in last]))
            self._append(_waiting(whole, last[0].received_at, last[0].packed + 1))

    @property
    def oldest(self) -> int:
        """When the oldest hit in it was received."""
        return self._items[0].received_at

    def take(self) -> Outcome:
        """The first outcomes as one, as many as follow each other: what is missing between two, the sink shall see."""
        taken: list[Outcome] = []
        reached: dict[Partition, Position] = {}
        while self._items and all(
            at == reached.get(name, at - 1) + 1 for name, at in self._items[0].outcome.first.items()
        ):
            item = self._items.popleft()
            self._discount(item)
            taken.append(item.outcome)
            reached.update(item.outcome.positions)
        return concat(taken)

    def clear(self) -> None:
        """Drop all."""
        self._items.clear()
        self.rows = self.size = 0


class Feed:
    """Feeds one sink, in a thread of its own.

    Attributes:
        stored: the positions the sink has durably, as far as we know.
    """

    def __init__(
        self, plan: Plan, judge: Judge, readers: Callable[[str], Reader], batch_size: int, clock: Clock
    ) -> None:
        self.plan = plan
        self.stored: Mapping[Partition, Position] = {}
        self._judge = judge
        self._readers = readers
        self._group = f"{plan.name}-{secrets.token_hex(4)}"  # its own, so that nobody else's locks are in the way
        self._batch_size = batch_size
        self._clock = clock
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._state = _State.ATTACHED
        self._pile = _Pile()
        self._offered: dict[Partition, Position] = {}
        self._targets: dict[Partition, Position] = {}
        self._oldest: int | None = None
        # whatever a sink raises, its rows must not be lost with the thread
        self._writing = Retry(f"write to {plan.name}", self._closing, on=(Exception,))
        self._judging = Retry("judge hits", self._closing, on=BROKEN)
        self._seconds = telemetry.histogram("pixelake_sink_seconds").labels(sink=plan.name)
        self._failures = telemetry.counter("pixelake_sink_failures_total").labels(sink=plan.name)
        self._thread = threading.Thread(target=self._run, name=f"feed-{plan.name}", daemon=True)

    def look(self) -> bool:
        """Ask the sink how far it is, before the start. False if it cannot say now: it begins detached then."""
        try:
            self.stored = dict(self.plan.sink.positions())
        except BROKEN as error:
            structlog.get_logger().warning(
                f"{self.plan.name} cannot be used; it will catch up by itself",
                error=telemetry.told(error),
                hint=getattr(error, "hint", ""),
            )
            self._state = _State.DETACHED
            return False
        self._state = _State.ATTACHED
        return True

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, outcome: Outcome, received_at: int) -> None:
        """Hand over an outcome, in the order of the stream. Takes at most `PATIENCE` seconds.

        Args:
            outcome: what is next.
            received_at: when its first hit was received (µs).
        """
        if not self._thread.is_alive():
            raise RuntimeError(f"the thread that feeds {self.plan.name} has died")
        with self._changed:
            self._offered.update(outcome.positions)
            if self._state is _State.ATTACHED:
                self._changed.wait_for(self._has_room, PATIENCE)
            if self._state is not _State.DETACHED and not self._has_room():
                self._detach()
            if self._state is not _State.DETACHED:
                self._pile.add(outcome, received_at, self._clock.monotonic())
                self._changed.notify_all()

    def health(self) -> Health:
        """How the sink is doing."""
        with self._changed:
            oldest = self._oldest or (self._pile.oldest if self._pile else None)
            attached = self._state is _State.ATTACHED
            error = self._writing.error or self._judging.error
            return Health(self.plan.name, attached, self._pile.rows, oldest, error)

    def close(self) -> None:
        """Write what waits, once, and end. `join` waits for it."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the end; False if it does not come in time."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def _has_room(self) -> bool:
        return self._pile.size < BUFFER_BYTES

    def _detach(self) -> None:
        """What is buffered is still written, unless it begins behind a gap that is not closed yet."""
        if self._state is _State.JOINING:
            self._pile.clear()
        else:
            structlog.get_logger().warning(f"{self.plan.name} stalls and is detached; it will catch up by itself")
        self._state = _State.DETACHED

    def _run(self) -> None:
        try:
            while not self._done():
                if self._wait_until_due():
                    self._write_next()
                elif not self._closing.is_set():
                    self._catch_up()
        except Stopped:
            structlog.get_logger().warning(f"{self.plan.name} is left behind; the rest comes again after the start")

    def _done(self) -> bool:
        with self._changed:
            return self._closing.is_set() and not (self._pile and self._state is _State.ATTACHED)

    def _wait_until_due(self) -> bool:
        """Wait until something is to be written; False if the sink is detached, or we are to end."""
        with self._changed:
            while not self._is_due(self._pile):
                if not self._pile and (self._closing.is_set() or self._state is _State.DETACHED):
                    return False
                due = self._pile.since + self.plan.window - self._clock.monotonic() if self._pile else LOOK
                self._changed.wait(min(LOOK, max(due, _SHORTEST)))
            return True

    def _is_due(self, pile: _Pile) -> bool:
        if not pile:
            return False
        full = pile.rows >= self.plan.rows or 2 * pile.size >= BUFFER_BYTES
        return full or self._closing.is_set() or self._clock.monotonic() - pile.since >= self.plan.window

    def _write_next(self) -> None:
        with self._changed:
            self._oldest = self._pile.oldest
            outcome = self._pile.take()
            self._changed.notify_all()
        self._write(outcome)

    def _write(self, outcome: Outcome) -> None:
        self._writing(lambda: self._measured(outcome))
        stored = dict(self._writing(self.plan.sink.positions))
        with self._changed:
            self.stored = stored
            self._oldest = None

    def _measured(self, outcome: Outcome) -> None:
        began = time.perf_counter()
        try:
            self.plan.sink.write(outcome)
        except Exception:
            self._failures.inc()
            raise
        self._seconds.observe(time.perf_counter() - began)

    def _catch_up(self) -> None:
        """Read the stream from the sink's own position, until what is offered follows what is written."""
        reader = self._writing(lambda: self._readers(self._group))
        pile = _Pile()
        try:
            self.stored = dict(self._writing(self.plan.sink.positions))
            reader.rewind(self.stored)
            while not self._closing.is_set() and not self._has_joined():
                for outcome, received_at in self._read(reader):
                    pile.add(outcome, received_at, self._clock.monotonic())
                    while 2 * pile.size >= BUFFER_BYTES:
                        self._write(pile.take())
                if pile and (self._is_due(pile) or self._near_the_end()):
                    self._write(pile.take())
        finally:
            reader.close()

    def _read(self, reader: Reader) -> Iterator[tuple[Outcome, int]]:
        batch = self._writing(lambda: reader.read(self._batch_size, LOOK))
        if batch is None or len(batch.hits) < self._batch_size:
            self._ask_to_join()
        if batch is not None:
            self._oldest = batch.hits[0].received_at
            for outcome in self._judge(batch, self._judging):
                yield outcome, batch.hits[0].received_at

    def _near_the_end(self) -> bool:
        return self._state is _State.JOINING

    def _ask_to_join(self) -> None:
        """From now on offers are buffered; what was offered before must come by our own reading."""
        with self._changed:
            if self._state is _State.DETACHED:
                self._state = _State.JOINING
                self._targets = dict(self._offered)

    def _has_joined(self) -> bool:
        with self._changed:
            if self._state is not _State.JOINING:
                return False
            if any(self.stored.get(name, 0) < at for name, at in self._targets.items()):
                return False
            self._state = _State.ATTACHED
        structlog.get_logger().info(f"{self.plan.name} has caught up")
        return True


def tables(outcome: Outcome) -> tuple[pa.Table, pa.Table, pa.Table]:
    """What an outcome is made of."""
    return outcome.events, outcome.rejects, outcome.withheld


def _waiting(outcome: Outcome, received_at: int, packed: int = 0) -> _Waiting:
    parts = tables(outcome)
    return _Waiting(outcome, received_at, sum(t.num_rows for t in parts), sum(t.nbytes for t in parts), packed)


def _follow_each_other(outcomes: Sequence[Outcome]) -> bool:
    """Whether nothing is missing between them, and nothing comes twice."""
    reached: dict[Partition, Position] = {}
    for outcome in outcomes:
        if any(at != reached.get(name, at - 1) + 1 for name, at in outcome.first.items()):
            return False
        reached.update(outcome.positions)
    return True


def _copied(outcome: Outcome) -> Outcome:
    """The same, each column in one piece."""
    return replace(
        outcome,
        events=outcome.events.combine_chunks(),
        rejects=outcome.rejects.combine_chunks(),
        withheld=outcome.withheld.combine_chunks(),
    )


def concat(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes in order, without overlap, as one."""
    first: dict[Partition, Position] = {}
    positions: dict[Partition, Position] = {}
    for outcome in outcomes:
        first = {**outcome.first, **first}
        positions.update(outcome.positions)
    return Outcome(
        pa.concat_tables(outcome.events for outcome in outcomes),
        pa.concat_tables(outcome.rejects for outcome in outcomes),
        pa.concat_tables(outcome.withheld for outcome in outcomes),
        first,
        positions,
    )
