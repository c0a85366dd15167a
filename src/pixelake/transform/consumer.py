"""The loop that takes hits from the stream and settles them."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import structlog

from pixelake import telemetry
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.errors import WarehouseError
from pixelake.stream.base import GROUP, Batch, Partition, Position, Reader
from pixelake.transform.feed import Feed, Plan
from pixelake.transform.feed import Health as SinkHealth
from pixelake.transform.judge import Judge
from pixelake.transform.retry import BROKEN, Retry, Stopped
from pixelake.warehouse.base import Outcome

WAIT: Final = 0.25
"""Seconds a read may wait for hits; so often commits are looked after."""
LINGER: Final = 0.2
"""Seconds from one look at a partition to the next while nothing waits: what costs is the batch, hardly the hit."""
FRESH: Final = SECOND
"""A batch whose last hit is older (µs) says that more wait: the next is read at once."""


class Health(NamedTuple):
    """How a consumer is doing. ``lag`` is the age (s) of the oldest hit read that some sink does not have yet."""

    lag: float
    error: str
    sinks: Sequence[SinkHealth]


class Counts:
    """How many outcomes there were. Sinks that catch up judge again and are not counted."""

    def __init__(self) -> None:
        self._events = telemetry.counter("pixelake_events_total")
        self._rejects = telemetry.counter("pixelake_rejects_total")
        self._withheld = telemetry.counter("pixelake_withheld_total")

    def add(self, outcome: Outcome) -> None:
        """Once for each outcome: some 10 µs."""
        self._events.inc(outcome.events.num_rows)
        self._withheld.inc(outcome.withheld.num_rows)
        if outcome.rejects.num_rows:
            for reason, count in Counter(outcome.rejects["reason"].to_pylist()).items():
                self._rejects.labels(reason=reason).inc(count)


class _Pace:
    """Lets hits come together while the consumer keeps up: five batches a second instead of a hundred small ones.

    Partitions take turns, so it waits once a round, whatever their number.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._round: set[Partition] = set()

    def rest(self, batch: Batch, limit: int, known: int) -> float:
        """Seconds to wait behind a batch of at most `limit` hits, where there are so many partitions."""
        if len(batch.hits) >= limit or self._clock.now() - batch.hits[-1].received_at > FRESH:
            return 0.0
        is_again = batch.partition in self._round
        self._round.add(batch.partition)
        if not is_again and len(self._round) < known:
            return 0.0
        now = self._clock.monotonic()
        rest = max(0.0, self._began + LINGER - now)
        self._began = now + rest
        self._round.clear()
        return rest


class Consumer:
    """Settles hits: judges them once, offers the outcomes to every sink, and commits the stream last.

    Several may run, in any number of processes: the stream hands each partition
    to one of them at a time, and sinks drop what they have already. A crash
    anywhere repeats work and changes nothing.
    """

    def __init__(
        self,
        *,
        readers: Callable[[str], Reader],
        judge: Judge,
        plans: Sequence[Plan],
        batch_size: int,
        clock: Clock = SYSTEM,
    ) -> None:
        """Nothing is started yet.

        Args:
            readers: makes a reader for a group of the given name.
            judge: batch -> outcomes.
            plans: the sinks, each with its window. At least one holds the stream.
            batch_size: hits judged at once.
            clock: for windows and lag.
        """
        self._readers = readers
        self._judge = judge
        self._feeds = [Feed(plan, judge, readers, batch_size, clock) for plan in plans]
        self._holding = [feed for feed in self._feeds if feed.plan.holds]
        self._batch_size = batch_size
        self._clock = clock
        self._counts = Counts()
        self._retries: Sequence[Retry] = ()
        self._committed: dict[Partition, Position] = {}

    def run(self, stop: threading.Event, timeout: float = 10.0) -> bool:
        """Settle hits until `stop` is set; then write what was judged, commit, and end, within some `timeout` seconds.

        Before the first: begin behind the lowest position of the sinks, wherever the stream's own is. Then

        1. read a batch,
        2. decode it,
        3. gather the facts about it,
        4. process it (2 to 4 are the judge's),
        5. offer the outcomes to each sink, which writes them at its own pace,
        6. commit the stream to the lowest position that is durable in all sinks that hold it (`Plan`).

        Returns:
            False if a sink did not end in time.
        """
        reading = Retry("read the stream", stop, on=(Exception,))
        judging = Retry("judge hits", stop, on=BROKEN)
        committing = Retry("commit the stream", stop, on=(Exception,))
        self._retries = (reading, judging, committing)
        reader, pace = self._readers(GROUP), _Pace(self._clock)
        try:
            reading(lambda: self._begin(reader))
            for feed in self._feeds:
                feed.start()
            while not stop.is_set():
                batch = reading(lambda: reader.read(self._batch_size, WAIT))  # 1
                if batch is not None:
                    for outcome in self._judge(batch, judging):  # 2 3 4
                        self._offer(outcome, batch)  # 5
                committing(lambda: self._commit(reader))  # 6
                if batch is not None:
                    stop.wait(pace.rest(batch, self._batch_size, len(self._committed)))
        except Stopped:
            pass
        return self._end(reader, timeout)

    def health(self) -> Health:
        """How it is doing."""
        sinks = [feed.health() for feed in self._feeds]
        oldest = [sink.oldest for sink in sinks if sink.oldest is not None]
        lag = max(0.0, (self._clock.now() - min(oldest)) / SECOND) if oldest else 0.0
        errors = [retry.error for retry in self._retries] + [sink.error for sink in sinks]
        return Health(lag, next(filter(None, errors), ""), sinks)

    def _begin(self, reader: Reader) -> None:
        """Go to the lowest position of the sinks that hold: what the stream holds above it must reach them all.

        One that cannot say holds the stream by what it has, which it tells later: until then nothing is committed.
        """
        ready = [feed for feed in self._holding if feed.look()]
        if not ready:
            raise WarehouseError("no sink can say how far it is", "see what is wrong with each")
        known = set.intersection(*(set(feed.stored) for feed in ready))
        reader.rewind({name: min(feed.stored[name] for feed in ready) for name in known})

    def _offer(self, outcome: Outcome, batch: Batch) -> None:
        self._committed.setdefault(batch.partition, 0)
        self._counts.add(outcome)
        for feed in self._feeds:
            feed.offer(outcome, batch.hits[0].received_at)

    def _lowest(self, name: Partition) -> Position:
        return min(feed.stored.get(name, 0) for feed in self._holding)

    def _commit(self, reader: Reader) -> None:
        """Commit what all sinks have that hold. Only of partitions given to us: others have their own consumer."""
        lowest = {name: self._lowest(name) for name in self._committed}
        new = {name: at for name, at in lowest.items() if at > self._committed[name]}
        if new:
            reader.commit(new)
            self._committed.update(new)

    def _end(self, reader: Reader, timeout: float) -> bool:
        """Flush the sinks, and commit what they took."""
        deadline = time.monotonic() + timeout
        for feed in self._feeds:
            feed.close()
        ended = [feed.join(deadline - time.monotonic()) for feed in self._feeds]
        try:
            self._commit(reader)
        except (*BROKEN, MemoryError) as error:
            told = telemetry.told(error)
            structlog.get_logger().warning("cannot commit the stream; some hits come again", error=told)
        reader.close()
        return all(ended)
