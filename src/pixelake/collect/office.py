"""What the connections of a process share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pixelake.collect.firehose import Deliveries
from pixelake.collect.framing import Room
from pixelake.collect.turn import Desk
from pixelake.dialects.base import Route


class Held(Protocol):
    """A connection, as whoever watches over all of them sees it."""

    def sweep(self) -> None:
        """End it if it is silent or too slow."""
        ...

    def abort(self) -> None:
        """End it now."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a process and its connections: bytes, seconds, connections."""

    max_head: int
    max_body: int
    header_timeout: float
    idle_timeout: float
    max_connections: int


@dataclass(slots=True)
class Office:
    """What all connections of a process share.

    Attributes:
        desk: takes the hits.
        routes: path -> where hits are taken in.
        ready: tells why the process cannot take hits now, or ``""``.
        badge: target -> the badge it asks for, if its site has one.
        room: for bodies that are being received.
        deliveries: takes those of Firehose, if they are wanted.
        proxied: each connection begins with a PROXY header.
        tick: counts seconds; connections note it, so that a sweep finds those that are too slow.
        stopping: each connection ends with its next answer.
    """

    desk: Desk
    routes: Mapping[bytes, Route]
    limits: Limits
    ready: Callable[[], str]
    badge: Callable[[bytes], bytes | None]
    room: Room
    deliveries: Deliveries | None = None
    proxied: bool = False
    connections: set[Held] = field(default_factory=set)
    tick: int = 0
    stopping: bool = False

    def stop(self) -> None:
        """From now on each connection ends with its next answer."""
        self.stopping = True
        self.desk.stop()
