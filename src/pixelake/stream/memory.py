"""A stream in memory, for tests. It keeps every promise but the one about power cuts."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pixelake.hit import Hit
from pixelake.stream.base import Batch, Extent, Partition, Position


@dataclass
class _Log:
    hits: list[Hit] = field(default_factory=list)


class MemoryStream:
    """Partitions as lists. `writer` makes one, readers of a group share what they committed."""

    def __init__(self) -> None:
        self._logs: dict[Partition, _Log] = {}
        self._committed: dict[str, dict[Partition, Position]] = {}

    def writer(self) -> "MemoryWriter":
        """A writer with a partition of its own."""
        log = self._logs[secrets.token_hex(6)] = _Log()
        return MemoryWriter(log)

    def reader(self, group: str = "consume") -> "MemoryReader":
        """A reader that begins behind what its group committed."""
        return MemoryReader(self._logs, self._committed.setdefault(group, {}))

    def extents(self) -> Sequence[Extent]:
        """What is held, a row a partition."""
        return [Extent(name, 1, len(log.hits), 0) for name, log in self._logs.items()]

    def received_at(self, partition: Partition, position: Position) -> int | None:
        """When that hit was received (µs UTC)."""
        log = self._logs.get(partition)
        return log.hits[position - 1].received_at if log and 0 < position <= len(log.hits) else None

    def committed(self, group: str) -> Mapping[Partition, Position]:
        """How far a group of readers has committed."""
        return dict(self._committed.get(group, {}))


class MemoryWriter:
    """See `pixelake.stream.base.Writer`."""

    def __init__(self, log: _Log) -> None:
        self._log = log

    async def append(self, hits: Sequence[Hit]) -> None:
        """Keep the hits."""
        self._log.hits.extend(hits)

    async def close(self) -> None:
        """Nothing to let go."""


class MemoryReader:
    """See `pixelake.stream.base.Reader`."""

    ordered = True

    def __init__(self, logs: dict[Partition, _Log], committed: dict[Partition, Position]) -> None:
        self._logs = logs
        self._committed = committed
        self._at = dict(committed)
        self._turn = 0

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next hits of some partition, or None after `wait` seconds."""
        names = list(self._logs)
        for step in range(len(names)):
            name = names[(self._turn + step) % len(names)]
            at = self._at.get(name, 0)
            hits = self._logs[name].hits[at : at + limit]
            if hits:
                self._turn += step + 1
                self._at[name] = at + len(hits)
                return Batch(name, hits, range(at + 1, at + len(hits) + 1))
        time.sleep(wait)
        return None

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Never return hits up to these positions to this group again."""
        for name, position in positions.items():
            self._committed[name] = max(position, self._committed.get(name, 0))

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Go on right behind the given positions; partitions not named begin with the oldest hit."""
        self._at = dict(positions)

    def close(self) -> None:
        """Nothing to let go."""
