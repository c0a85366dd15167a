"""Tells the lake which hits are lost because parts of a data folder are of different times.

Whoever puts back an older lake, or an older stream, finds again what the stream
still holds: the consumer begins behind the lake's positions. What it does not
hold any more nobody would ever tell, since no hit comes that would show the
gap. But others know how far a partition once went: the live store, the badges,
what is left of the partition itself. What the lake lacks of that, and the stream
does not hold, is noted there as missed (`Sums.missed`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from pixelake.stream.base import Extent, Partition, Position, Watcher
from pixelake.stream.segment import is_partition
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome

EVERY: Final = 3_600.0
"""Seconds between two looks: a gap behind what the consumer still has to read shows when it has."""

Positions = Mapping[Partition, Position]


class Reached(Protocol):
    """The lake, of which only this is needed."""

    def positions(self) -> Positions:
        """See `pixelake.warehouse.base.Sink`."""
        ...

    def write(self, outcome: Outcome) -> None:
        """See `pixelake.warehouse.base.Sink`."""
        ...


def reckon(lake: Reached, stream: Watcher, others: Sequence[Callable[[], Positions]]) -> Mapping[Partition, int]:
    """Note in the lake how many hits of each partition are missed. Repeating it adds nothing.

    Args:
        lake: open for writing; a new one lacks nothing.
        stream: of the same installation.
        others: how far other sinks are with the stream's partitions.

    Raises:
        WarehouseError: it is not known to be noted; repeat the call.
        StreamError: the stream cannot be read.
    """
    known: dict[Partition, Position] = {}
    for positions in [other() for other in others]:  # first: whatever they know, the stream had by then
        for name, at in positions.items():
            if is_partition(name):
                known[name] = max(at, known.get(name, 0))
    extents = {extent.partition: extent for extent in stream.extents()}
    for name, extent in extents.items():
        known[name] = max(extent.last, known.get(name, 0))
    stored = lake.positions()  # last: what the stream has let go is in it
    if not stored:
        return {}
    found = {
        name: at - stored.get(name, 0)
        for name, at in known.items()
        if at > stored.get(name, 0) and _is_through(extents.get(name), stored.get(name, 0))
    }
    if found:
        ends = {name: known[name] for name in found}
        events, rejects, withheld = (schema.empty_table() for schema in (EVENTS, REJECTS, WITHHELD))
        lake.write(Outcome(events, rejects, withheld, {name: at + 1 for name, at in ends.items()}, ends))
    return found


def _is_through(extent: Extent | None, stored: Position) -> bool:
    """Whether the stream holds nothing of a partition that the lake does not have."""
    return extent is None or extent.first > extent.last or extent.last <= stored
