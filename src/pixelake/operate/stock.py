"""Takes stock for the metrics, once a minute: the sums, what waits, what is free. The one place where they are set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pixelake import telemetry
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.disk import free
from pixelake.errors import LakeUnavailable
from pixelake.operate.status import Status, uncommitted
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Watcher
from pixelake.transform.feed import Health

EVERY: Final = 60.0
"""Seconds between two looks: each reads the log of the lake and the ends of the stream."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where the stream is, how many bytes it may take (0: no bound), how many must stay free."""

    stream: Path
    bytes: int
    reserve: int

    @property
    def disk(self) -> Path:
        """A folder on the disk of the stream, which itself is made with the first hit."""
        stream = self.stream.absolute()
        return next(folder for folder in (stream, *stream.parents) if folder.exists())


class Stock:
    """What is looked at, and set.

    Args:
        status: both sums.
        stream: what is held.
        registry: whose salts may be overdue.
        bounds: what the stream may take.
        clock: for what is overdue, and for when it was looked.
    """

    def __init__(
        self,
        status: Callable[[], Status],
        stream: Watcher,
        registry: SqliteRegistry,
        bounds: Bounds,
        clock: Clock = SYSTEM,
    ) -> None:
        self._status, self._stream, self._registry, self._bounds, self._clock = status, stream, registry, bounds, clock
        # from now on nobody has looked: it must age also if the first look fails, and each one after it
        telemetry.gauge("pixelake_checked_timestamp_seconds").set(clock.now() / SECOND)

    def take(self) -> None:
        """Set all. While the lake is away the sums stand still, and what waits is what is not committed.

        Raises:
            LakeUnavailable: the lake is away; the rest is set.
            StreamError, RegistryUnavailable, OSError: something else cannot be read.
        """
        telemetry.gauge("pixelake_disk_free_bytes").set(free(self._bounds.disk))
        telemetry.gauge("pixelake_disk_reserve_bytes").set(self._bounds.reserve)
        telemetry.gauge("pixelake_stream_bound_bytes").set(self._bounds.bytes)
        telemetry.gauge("pixelake_stream_bytes").set(sum(each.bytes for each in self._stream.extents()))
        telemetry.gauge("pixelake_salts_overdue").set(self._registry.overdue_salts(self._clock.now()))
        try:
            found = self._status()
        except LakeUnavailable:
            waiting = uncommitted(self._stream, self._clock)
            telemetry.gauge("pixelake_unsettled_hits").set(waiting.hits)
            telemetry.gauge("pixelake_lag_seconds").set(waiting.age)
            raise
        telemetry.gauge("pixelake_unsettled_hits").set(found.in_stream)
        telemetry.gauge("pixelake_lag_seconds").set(found.lag_seconds)
        telemetry.gauge("pixelake_sums_off").set(not (found.hits_hold and found.outcomes_hold))
        telemetry.gauge("pixelake_lost_hits").set(found.missed)
        telemetry.gauge("pixelake_damaged_files").set(len(found.damaged))
        telemetry.gauge("pixelake_checked_timestamp_seconds").set(self._clock.now() / SECOND)


def tell(sinks: Sequence[Health], clock: Clock = SYSTEM) -> None:
    """Set how far each sink is."""
    for each in sinks:
        lag = 0.0 if each.oldest is None else max(0.0, (clock.now() - each.oldest) / SECOND)
        telemetry.gauge("pixelake_sink_lag_seconds").labels(sink=each.name).set(lag)
        telemetry.gauge("pixelake_sink_waiting_rows").labels(sink=each.name).set(each.waiting)
        telemetry.gauge("pixelake_sink_detached").labels(sink=each.name).set(not each.attached)
