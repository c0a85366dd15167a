"""What a warehouse promises: events become visible together with how far they go.

A sink is one file beside this one. `tests/contract/` holds every sink to what
is said here.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from pixelake.stream.base import Partition, Position
from pixelake.warehouse.schema import EVENTS, REJECTS, WITHHELD

__all__ = [
    "EVENTS",
    "NAMES",
    "REJECTS",
    "WITHHELD",
    "Claim",
    "Merger",
    "Outcome",
    "Progress",
    "Rejudged",
    "Seen",
    "Sink",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the hits of one or more batches.

    Attributes:
        events: a table of schema `EVENTS`.
        rejects: a table of schema `REJECTS`.
        withheld: a table of schema `WITHHELD`: outcomes that policy keeps nothing of.
        first: for each partition the first position judged here.
        positions: for each partition the last position judged here. Every hit
            in between has at least one outcome in one of the three tables.
    """

    events: pa.Table
    rejects: pa.Table
    withheld: pa.Table
    first: Mapping[Partition, Position]
    positions: Mapping[Partition, Position]


class Progress(NamedTuple):
    """How far a lake is with one partition, and the running counts up to there.

    ``outcomes`` counts events, rejects and withheld ones as they were judged;
    ``removed`` what was erased, expired or purged since.
    """

    position: Position
    outcomes: int
    withheld: int
    removed: int


class Sink(Protocol):
    """Where outcomes go: the lake, the live store."""

    def write(self, outcome: Outcome) -> None:
        """Make the events visible together with the positions, in one atomic step, durably.

        Rows at or below a stored position are dropped first, so that a replay
        with other batch bounds adds nothing twice. Repeating a call has no
        further effect.

        Raises:
            WarehouseError: it is not known to be written; repeat the call.
        """
        ...

    def positions(self) -> Mapping[Partition, Position]:
        """The stored position of each partition this sink has ever written."""
        ...


@dataclass(frozen=True, slots=True)
class Rejudged:
    """What became of rejects that were judged anew.

    Attributes:
        events: a table of schema `EVENTS`.
        rejects: a table of schema `REJECTS`: elements of a hit that was one reject
            as a whole, and that are refused themselves.
        origins: the ``hit_id`` of each row of both -> that of the reject it comes
            from. Each of these rejects is an event itself, under its own name.
    """

    events: pa.Table
    rejects: pa.Table
    origins: Mapping[str, str]


class Merger(Protocol):
    """Where rejects are, to be made events of, or to be removed."""

    def merge(self, rejudged: Rejudged) -> Collection[str]:
        """Make events of rejects: by ``hit_id``, without positions, durably. Returns the names of those rejects.

        What comes of a reject that is not there any more is left out, and so is a
        row that is there already; so a call may be repeated, also after a crash, and
        two may be made at once. The sums hold at every moment.

        Raises:
            WarehouseError: it is not known to be done; repeat the call.
        """
        ...

    def purge(self, wanted: Callable[[pa.Table], Any]) -> Iterator[int]:
        """Remove the rejects that are wanted, step by step; after each the number of those removed.

        Args:
            wanted: rows with the columns ``hit_id received_at reason partition
                position`` -> for each whether it goes.

        Raises:
            WarehouseError: the last step is not known to be done; repeat the call.
        """
        ...


NAMES: Final = "/names"
"""In place of a site, which is never called so, where the name of a hit stands in place of an event id."""


class Claim(NamedTuple):
    """A hit that says it is the event `event_id` of `site`."""

    site: str
    event_id: str
    hit_id: str


class Seen(Protocol):
    """Who owns an event id. No sink: its outage is retried as infrastructure."""

    def claim(self, claims: Sequence[Claim]) -> Sequence[str]:
        """The owner of each event id: the ``hit_id`` that claimed it first within the window.

        Durable before it returns, so that asking again gives the same answer,
        also after a crash or a power cut.

        Raises:
            WarehouseError: cannot be told now; ask again.
        """
        ...
