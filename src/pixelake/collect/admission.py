"""From many requests to one commit, and back: the desk of a collector process.

Hits that arrive in one turn of the event loop become one append (the stream
merges appends that wait into one commit). Each connection gets its answer when
that append is durable, 503 if it fails, and 503 `undecided` if the disk takes
longer than the deadline. What waits is bounded.
"""

import asyncio
from typing import Protocol

from pixelake import telemetry
from pixelake.clock import SYSTEM, Clock
from pixelake.errors import StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream.base import Writer


class Waiting(Protocol):
    """A connection that waits for an answer."""

    group: "Group | None"
    """The group its hit is in; None once it is answered or gone."""

    def settle(self, reason: str) -> None:
        """Send the answer: success if `reason` is empty, else that refusal."""
        ...


class Group:
    """The hits of one turn, and who waits for them."""

    __slots__ = ("connections", "hits", "size")

    def __init__(self) -> None:
        self.size = 0
        self.hits: list[Hit] = []
        self.connections: list[Waiting] = []

    def settle(self, reason: str) -> None:
        """Answer everybody who still waits for this group. A status, once sent, is never overwritten."""
        for connection in self.connections:
            if connection.group is self:
                connection.group = None
                connection.settle(reason)


class Desk:
    """Takes hits in, has them made durable, settles the connections.

    Args:
        writer: the partition of this process.
        deadline: seconds after which an answer is given without the disk's word.
        max_waiting: hits that may wait for a commit.
        max_bytes: bytes they may have together.
        durable: answer after the commit; else as soon as the hit is taken in.
    """

    def __init__(
        self,
        writer: Writer,
        *,
        deadline: float,
        max_waiting: int,
        max_bytes: int,
        durable: bool = True,
        clock: Clock = SYSTEM,
    ) -> None:
        self._writer = writer
        self._deadline = deadline
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._durable = durable
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._open: Group | None = None
        self._waiting = self._bytes = 0
        self._appends: set[asyncio.Task[None]] = set()
        self.last_failure = ""
        self._hits = telemetry.counter("pixelake_hits_total")
        self._seconds = telemetry.histogram("pixelake_commit_seconds")
        self._gauge = telemetry.gauge("pixelake_waiting_hits")

    def admit(self, hit: Hit, connection: Waiting) -> str:
        """Take a hit in; the reason if not."""
        if self._waiting >= self._max_waiting or self._bytes >= self._max_bytes:
            return "busy"
        size = len(hit.target) + len(hit.headers) + len(hit.body)
        self._waiting += 1
        self._bytes += size
        group = self._open
        if group is None:
            group = self._open = Group()
            self._loop.call_soon(self._close_group)
        group.hits.append(hit)
        group.size += size
        if self._durable:
            group.connections.append(connection)
            connection.group = group
        else:
            connection.settle("")
        return ""

    def _close_group(self) -> None:
        """The turn is over: one append for all of it."""
        group, self._open = self._open, None
        if group is not None:
            task = self._loop.create_task(self._append(group))
            self._appends.add(task)
            task.add_done_callback(self._appends.discard)

    async def _append(self, group: Group) -> None:
        timer = self._loop.call_later(self._deadline, group.settle, "undecided")
        began = self._clock.monotonic()
        try:
            await self._writer.append(group.hits)
        except StreamUnavailable as error:
            self.last_failure = f"{error}"
            group.settle("unavailable")
        else:
            self.last_failure = ""
            group.settle("")
            self._hits.inc(len(group.hits))
            self._seconds.observe(self._clock.monotonic() - began)
        finally:
            timer.cancel()
            self._waiting -= len(group.hits)
            self._bytes -= group.size
            self._gauge.set(self._waiting)

    async def close(self) -> None:
        """Wait until everything taken in is settled, then let the partition go."""
        self._close_group()
        if self._appends:
            await asyncio.wait(self._appends)
        await self._writer.close()
