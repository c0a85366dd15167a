"""The hot path: the requests of one turn of the event loop become hits, one append, and their answers.

What is the same for all hits of a turn is done once for all of them: the time,
the look for anything odd, the append, the deadline. What is left for each is
to note its head, to make it a `Hit`, and to write its answer.

The way of a plain hit: `Connection.data_received` -> `Desk.close_turn` ->
`Writer.append` -> `Desk.settle`. What is not plain leaves it for
`pixelake.collect.framing` and comes back by `Desk.add`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, Protocol

from pixelake import telemetry
from pixelake.clock import SYSTEM, Clock
from pixelake.collect.admission import Admission, Guest, Refused
from pixelake.collect.pixel import Answers
from pixelake.collect.plain import Odd
from pixelake.dialects.base import Answer, Route
from pixelake.errors import HitTooLarge, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream.base import Writer

PACE: Final = 0.002
FEW: Final = 16
"""A commit of few hits keeps the next one waiting until so many seconds after its beginning: each costs as much as some
ten hits, whatever it holds. The first one after a silence never waits."""
COMMIT_BYTES: Final = 4 << 20
"""Of heads and bodies in a commit, if it has more than one turn."""
FORGET: Final = 5.0
"""Seconds after which a failure no longer speaks against the next attempt."""
LARGE: Final = 4_096
"""Bytes of heads, on average, that are not left with their connections."""
SLICE: Final = 0.01
"""Seconds of a turn at most: a hit is dated, and its deadline begins, with a turn."""


class Waiting(Guest, Protocol):
    """A connection, as the desk sees it.

    Attributes:
        turn: the turn it waits for; None while it has no request in work, `BUSY` while it is occupied otherwise.
        head: of the request in work, if it looked plain.
        more: there is something to do behind the answer.
    """

    turn: "Turn | None"
    head: bytes
    more: bool

    def write(self, data: bytes, /) -> None:
        """Send it."""
        ...

    def advance(self) -> None:
        """The answer is written: go on with what else there is to do."""
        ...

    def careful(self) -> None:
        """The head is not plain: take it the careful way, which may end in `Desk.add`."""
        ...

    def close_after(self) -> None:
        """The request in work is the last one of this connection."""
        ...

    def finish(self, answer: bytes) -> None:
        """Send the answer, and close."""
        ...

    def settle(self, reason: str, retry_after: int | None = None) -> None:
        """The hit is durable (no reason), or why it is not known to be; `retry_after` seconds it would be, perhaps."""
        ...


class Turn:
    """The hits of one turn, and who waits for them.

    A turn is what arrives while the event loop goes round once; while a commit
    is under way, or held few hits and began less than a pace ago, what arrives until then,
    but never more than a `SLICE`.
    """

    __slots__ = ("closing", "guests", "hits", "last", "others", "plain", "scheduled", "size", "timer")

    def __init__(self) -> None:
        self.plain: list[Waiting] = []  # those that want the image and stay
        self.last: list[Waiting] = []  # those that go with it
        self.others: list[Waiting] = []
        self.hits: list[Hit] = []
        self.guests: list[Waiting] = []  # who sent each hit
        self.size = 0  # bytes of the hits
        self.scheduled = False
        self.closing: asyncio.Handle | None = None  # ends it
        self.timer: asyncio.TimerHandle | None = None  # answers when the deadline has passed

    def end(self) -> None:
        """It is settled."""
        if self.timer is not None:
            self.timer.cancel()


def _refuse(turns: Sequence[Turn], places: AbstractSet[int], reason: str) -> None:
    """Tell those whose hits are at these places of a commit why they are not kept."""
    guests = [(turn, guest) for turn in turns for guest in turn.guests]
    for turn, guest in (guests[place] for place in places):
        if guest.turn is turn:
            guest.settle(reason)


def _is_hopeless(turns: Sequence[Turn], places: AbstractSet[int]) -> bool:
    """Whether nothing of a commit was taken, not even a head without a body: so not only one body was too large."""
    hits = [hit for turn in turns for hit in turn.hits]
    return len(places) == len(hits) and not all(hit.body for hit in hits)


_SEEN: Final = b"-"
"""In place of a head that is not left with its connection."""
_CLOSE: Final = b"\r\nConnection: close\r\n"
"""As it is usually written."""
BUSY: Final = Turn()
"""In place of a turn: the connection is occupied otherwise, or gone."""


class Desk:
    """Takes requests in, has them made durable, answers. One a process; what waits is bounded.

    Args:
        writer: the partition of this process.
        admission: who may come in, and what of a request is kept.
        routes: path -> where hits are taken in.
        max_head: bytes of a head.
        deadline: seconds after which an answer is given without the disk's word.
        max_waiting: hits that may wait for a commit.
        max_bytes: bytes they may have together.
        pace: seconds from the beginning of a commit of few hits to that of the next one.
        durable: answer after the commit; else as soon as the hit is taken in.

    Attributes:
        hot: how a head begins that may be plain: a GET of an image that is always the same, with a query.
        open: the turn that is going on.
        answers: as bytes.
        counts: answers by status and reason since somebody last emptied it.
        last_failure: why the last append failed, or ``""``.
    """

    def __init__(
        self,
        writer: Writer,
        admission: Admission,
        routes: Mapping[bytes, Route],
        *,
        max_head: int,
        deadline: float,
        max_waiting: int,
        max_bytes: int,
        pace: float = PACE,
        durable: bool = True,
        clock: Clock = SYSTEM,
    ) -> None:
        self.hot = tuple(
            b"GET " + path + b"?"
            for path, route in routes.items()
            if route.answer is Answer.IMAGE and b"GET" in route.methods
        )
        self.max_head = max_head
        self.open = Turn()
        self.answers = Answers()
        self.counts: Counter[tuple[bytes, str]] = Counter()
        self.last_failure = ""
        self.admission = admission
        self._writer = writer
        self._deadline = deadline
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._pace = pace
        self._durable = durable
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting = self._bytes = 0
        self._closed: list[Turn] = []  # they wait for the commit under way to end
        self._committing = False
        self._failed_at: float | None = None  # when the last commit began, if it failed
        self._not_before = 0.0  # when the next commit may begin
        self._durable_hits = 0  # since the last report
        self._commits: list[float] = []  # how many seconds each took, since the last report
        self._idle = asyncio.Event()
        self._hits = telemetry.counter("pixelake_hits_total")
        self._seconds = telemetry.histogram("pixelake_commit_seconds")
        self._gauge = telemetry.gauge("pixelake_waiting_hits")

    def schedule(self, turn: Turn) -> None:
        """The first request of a turn is here: close it when all that has arrived is read, and the stream is free."""
        turn.scheduled = True
        turn.timer = self._loop.call_later(self._deadline, self._give_up, turn)
        self._plan(turn)

    def _give_up(self, turn: Turn) -> None:
        """The deadline of a turn has passed. One that is answered must not go on to collect."""
        if turn is self.open:
            self.close_turn()
        self.settle(turn, "undecided")

    def _plan(self, turn: Turn) -> None:
        """When to close it: at the end of this round of the loop, but not before the stream is free."""
        if self._committing:
            turn.closing = self._loop.call_later(SLICE, self.close_turn)
            return
        pause = self._not_before - self._clock.monotonic()
        turn.closing = (
            self._loop.call_later(pause, self.close_turn) if pause > 0 else self._loop.call_soon(self.close_turn)
        )

    def close_turn(self) -> None:
        """Make hits of all that arrived in this turn, and have them made durable as soon as the stream is free."""
        turn, self.open = self.open, Turn()
        if turn.plain:
            self._judge(turn)
        if not turn.hits:
            turn.end()
            if not self._waiting:
                self._idle.set()
            return
        self._closed.append(turn)
        self._waiting += len(turn.hits)
        self._bytes += turn.size
        if not self._durable:
            self.settle(turn, "")
        if not self._committing:
            self._commit()

    def _judge(self, turn: Turn) -> None:
        """Make hits of the heads that look plain: of all at once, unless something is odd."""
        connections = turn.plain
        heads = [connection.head for connection in connections]
        size = sum(map(len, heads))
        may = self.admission.may_all(heads) if self._has_room(turn, len(heads), size) else False
        if may is False:
            turn.plain = []
            for connection in connections:
                self._take(connection, turn)
            return
        now = self._clock.now()
        turn.hits += [Hit(now, each.peer, each.client, each.head) for each in connections]
        turn.guests += connections
        turn.size += size
        if may is None:
            turn.plain = []
            for connection in connections:
                closes = _CLOSE in connection.head or Odd.CLOSE in self.admission.odds(connection.head)
                self._file(connection, turn, closes=closes)
        if size > LARGE * len(heads):
            for connection in connections:
                connection.head = _SEEN

    def _commit(self) -> None:
        """One append for all turns that are closed, within `COMMIT_BYTES`: to encode a large one holds up the loop."""
        count, size = 0, 0
        while count < len(self._closed) and (not count or size + self._closed[count].size <= COMMIT_BYTES):
            size += self._closed[count].size
            count += 1
        turns, self._closed = self._closed[:count], self._closed[count:]
        hits = turns[0].hits if len(turns) == 1 else [hit for turn in turns for hit in turn.hits]
        self._committing = True
        began = self._clock.monotonic()
        if len(hits) < FEW:
            self._not_before = began + self._pace
        append: asyncio.Future[None]
        try:
            append = asyncio.ensure_future(self._writer.append(hits))
        except Exception as error:  # noqa: BLE001 - whatever it was, somebody waits for an answer
            append = self._loop.create_future()
            append.set_exception(error)
        append.add_done_callback(partial(self._committed, turns, began))

    def _committed(self, turns: Sequence[Turn], began: float, append: asyncio.Future[None]) -> None:
        """The stream has given its word: answer, then go on with what has arrived since."""
        failure = append.exception()
        reason = "" if failure is None else failure.reason if isinstance(failure, StreamUnavailable) else "unavailable"
        large = failure.places if isinstance(failure, HitTooLarge) else frozenset[int]()
        failed = bool(reason) and (not large or _is_hopeless(turns, large))
        self.last_failure = str(failure) if failed else ""
        slow = self._clock.monotonic() - began > self._pace
        if slow:  # the disk is what all wait for: it goes on first
            if self.open.closing is not None:
                self.open.closing.cancel()
                self.close_turn()
            self._go_on(turns, began, failed=failed, refused=len(large))
        try:
            if large:
                _refuse(turns, large, reason)
            for turn in turns:
                self.settle(turn, "" if large else reason)
                turn.end()
        finally:
            if not slow:
                self._go_on(turns, began, failed=failed, refused=len(large))

    def _go_on(self, turns: Sequence[Turn], began: float, *, failed: bool, refused: int) -> None:
        """The stream is free."""
        hits = sum(len(turn.hits) for turn in turns)
        self._waiting -= hits
        self._bytes -= sum(turn.size for turn in turns)
        self._durable_hits += 0 if failed else hits - refused
        self._failed_at = began if failed else None
        self._commits.append(self._clock.monotonic() - began)
        self._committing = False
        if self._closed:
            self._commit()
        elif self.open.closing is not None:
            self.open.closing.cancel()
            self._plan(self.open)
        elif not self._waiting:
            self._idle.set()

    def report(self) -> None:
        """Hand the numbers over. To be called each second: a counter costs more than the framing of a request."""
        commits, self._commits = self._commits, []
        for seconds in commits:
            self._seconds.observe(seconds)
        self._hits.inc(self._durable_hits)
        self._durable_hits = 0
        self._gauge.set(self._waiting)

    def _take(self, connection: Waiting, turn: Turn) -> None:
        """One of a turn in which something was odd, or that finds little room."""
        odds = self.admission.odds(connection.head)
        if Odd.FRAMING in odds:
            connection.careful()
            return
        hit = self._admitted(turn, connection, connection.head, b"", odds)
        if isinstance(hit, Refused):
            if Odd.CLOSE in odds:
                connection.close_after()
            connection.settle(*hit)
        else:
            self._file(connection, turn, closes=Odd.CLOSE in odds)

    @staticmethod
    def _file(connection: Waiting, turn: Turn, *, closes: bool) -> None:
        """Among those who stay, or those who go with their answer."""
        if closes:
            connection.close_after()
            turn.last.append(connection)
        else:
            turn.plain.append(connection)

    def add(self, connection: Waiting, head: bytes, body: bytes) -> None:
        """Take in a request that came the careful way."""
        turn = self.open
        hit = self._admitted(turn, connection, head, body, self.admission.odds(head))
        if isinstance(hit, Refused):
            connection.settle(*hit)
            return
        connection.turn = turn
        turn.others.append(connection)
        if not turn.scheduled:
            self.schedule(turn)

    def _admitted(
        self, turn: Turn, connection: Waiting, head: bytes, body: bytes, odds: frozenset[Odd]
    ) -> Hit | Refused:
        size = len(head) + len(body)
        if not self._has_room(turn, 1, size):
            return Refused("busy")
        hit = self.admission.hit(self._clock, connection, head, body, odds)
        if isinstance(hit, Hit):
            turn.hits.append(hit)
            turn.guests.append(connection)
            turn.size += size
        return hit

    def _has_room(self, turn: Turn, hits: int, size: int) -> bool:
        """One hit is always taken in, however large it is."""
        waiting, held = self._waiting + len(turn.hits), self._bytes + turn.size
        return waiting + hits <= self._max_waiting and (held + size <= self._max_bytes or (not waiting and hits == 1))

    def settle(self, turn: Turn, reason: str) -> None:
        """Answer everybody who still waits for this turn. A status, once sent, is never overwritten."""
        waiting = turn.others
        if reason or not self.hot:
            waiting = turn.others + turn.plain + turn.last  # not `guests`: those whose judging broke off are none
        else:
            for connection in turn.last:
                if connection.turn is turn:
                    connection.finish(self.answers.last)
                    self.counts[b"200", ""] += 1
            answer, answered = self.answers.plain, 0
            for connection in turn.plain:
                if connection.turn is turn:
                    connection.turn = None
                    connection.write(answer)
                    answered += 1
                    if connection.more:
                        connection.advance()
            self.counts[b"200", ""] += answered
        for connection in waiting:
            if connection.turn is turn:
                connection.settle(reason)

    def ready(self) -> str:
        """Why hits cannot be taken now, or ``""``. A failure is forgotten after a while: who asks may send nothing."""
        failed = self._failed_at is not None and self._clock.monotonic() - self._failed_at < FORGET
        return "unavailable" if failed else ""

    def stop(self) -> None:
        """From now on each connection ends with its next answer."""
        self.hot = ()

    async def close(self) -> None:
        """Wait until everything taken in is settled, then let the partition go."""
        while self._waiting or self.open.hits or self.open.plain:
            self._idle.clear()
            await self._idle.wait()
        await self._writer.close()
