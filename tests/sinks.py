"""Sinks that keep what every sink promises, in memory, and do what tests tell them; and waiting for threads."""

import threading
import time
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.errors import LakeUnavailable
from pixelake.stream.base import Partition, Position
from pixelake.warehouse.base import Outcome


class MemorySink:
    """Rows at or below a stored position are dropped; both change in one step.

    Attributes:
        ids: every `hit_id` that is in it.
        writes: how often something was written.
        failures: so many writes fail from now on.
        gate: writes wait as long as it is closed.
    """

    def __init__(self, stored: Mapping[Partition, Position] | None = None) -> None:
        self.ids: list[str] = []
        self.writes = 0
        self.failures = 0
        self.gate = threading.Event()
        self.gate.set()
        self._stored = dict(stored or {})

    def write(self, outcome: Outcome) -> None:
        """See `pixelake.warehouse.base.Sink`."""
        self.gate.wait()
        if self.failures:
            self.failures -= 1
            raise LakeUnavailable("down")
        for name, last in outcome.positions.items():
            stored = self._stored.get(name, 0)
            assert outcome.first[name] <= stored + 1 or not stored, f"a gap behind {stored}: {outcome.first}"
            for table in (outcome.events, outcome.rejects):
                self.ids += _new(table, name, stored)
            self._stored[name] = max(last, stored)
        self.writes += 1

    def positions(self) -> Mapping[Partition, Position]:
        """See `pixelake.warehouse.base.Sink`."""
        return dict(self._stored)


def _new(table: pa.Table, name: Partition, stored: Position) -> list[str]:
    fresh = pc.and_(pc.equal(table["partition"], name), pc.greater(table["position"], stored))
    return list(table.filter(fresh)["hit_id"].to_pylist())


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait until a condition of other threads holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.005)
