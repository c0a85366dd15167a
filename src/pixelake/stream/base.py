"""What a stream promises: hits go in, are durable, and come out in order.

A backend is one file beside this one; its words (segment, offset, shard,
receipt handle) stay in it. `tests/contract/` holds every backend to what is
said here.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from pixelake.hit import Hit

Partition = str
"""Name of a partition. It contains a random id minted with the partition, so that it never comes back."""

Position = int
"""Place of a hit in its partition, from 1 on, without gaps."""

GROUP: Final = "consume"
"""The group of readers whose commits settle the stream."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Hits of one partition, in order.

    ``positions[i]`` is the place of ``hits[i]``; the last one is what a reader
    commits once the batch is settled.
    """

    partition: Partition
    hits: Sequence[Hit]
    positions: Sequence[Position]

    @property
    def ids(self) -> list[str]:
        """The stable ``hit_id`` of each hit: its own, else ``<partition>-<position>``."""
        places = zip(self.hits, self.positions, strict=True)
        return [hit.hit_id or f"{self.partition}-{place}" for hit, place in places]


class Extent(NamedTuple):
    """What a stream still holds of one partition: positions ``first`` to ``last``, both included.

    ``last`` is the number of hits ever accepted by it. If it holds none any more, ``first > last``, and that is all.

    Attributes:
        lost: ranges of positions up to ``last``, first and last, whose hits were found damaged and are there no more.
        damaged: where damage was found that nobody has set aside yet; hits behind ``last`` may be among it.
        set_aside: where it was put out of the way.
        evidence: those of `set_aside` with which hits were lost; nothing else tells of them.
        lost_behind: hits behind this position are lost too, and nobody knows how many; None if there are no such.
    """

    partition: Partition
    first: Position
    last: Position
    bytes: int
    lost: Sequence[tuple[Position, Position]] = ()
    damaged: Sequence[str] = ()
    set_aside: Sequence[str] = ()
    evidence: Sequence[str] = ()
    lost_behind: Position | None = None


class Writer(Protocol):
    """Where the collector puts hits. One writer owns one partition."""

    def append(self, hits: Sequence[Hit]) -> Awaitable[None]:
        """Done only once every hit is durable. To be called in an event loop.

        Concurrent calls are expected and share one commit.

        Raises:
            HitTooLarge: those at its `places` are not kept; each other hit of this call is durable.
            StreamUnavailable: durability cannot be promised. The hits may or may not have been kept.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way and let the partition go. May never be called."""
        ...


class Reader(Protocol):
    """Where a group of consumers takes hits from. Plain synchronous code, one thread."""

    ordered: bool
    """Positions of a partition grow. Else hits come again in any order and are merged by ``hit_id``."""

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next hits of some partition, at most `limit`; or None after `wait` seconds.

        Partitions take turns. Reading goes on behind the last batch returned; a
        new reader begins behind what its group committed. Positions whose hits
        are lost are passed over: the next batch begins behind them.

        Raises:
            StreamError: some partition cannot be read just now; whoever reads on gets the others.
        """
        ...

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Never return hits up to these positions to this group again. The stream may forget them when they are old."""
        ...

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Go on right behind the given positions; partitions not named begin with the oldest hit that is held."""
        ...

    def close(self) -> None:
        """Let the partitions go. May never be called."""
        ...


class Watcher(Protocol):
    """What `status` asks of a stream. Takes no lock and disturbs nobody."""

    def extents(self) -> Sequence[Extent]:
        """What is held, a row a partition."""
        ...

    def received_at(self, partition: Partition, position: Position) -> int | None:
        """When that hit was received (µs UTC), or None if it is held no longer."""
        ...

    def committed(self, group: str) -> Mapping[Partition, Position]:
        """How far a group of readers has committed; without partitions of which it never did."""
        ...
