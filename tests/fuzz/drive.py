"""Streams of bytes through `Connection`, as clients and networks treat it.

Everything is real but the wire, which is in memory, and the disk, which is a
list that takes its time. `tests.fuzz.judge` says what must hold.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, NamedTuple

from pixelake.collect.office import Office
from pixelake.collect.plain import END
from pixelake.collect.protocol import Connection
from pixelake.collect.worker import open_office
from pixelake.dialects.native import Native
from pixelake.errors import StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings
from tests.fuzz.mutate import pieces, stream
from tests.fuzz.second import Told

MAX_HEAD: Final = 4_096
SETTINGS: Final = Settings(max_head=MAX_HEAD, max_body=2_048, answer_deadline=60.0)
"""Small bounds, so that they are reached; a deadline that is not."""
_AT_REST: Final = 12
"""Turns of the loop without any change after which nothing more will happen: the longest chain has seven."""
_PATIENCE: Final = 10.0
"""Seconds after which a turn that is not closed, or not committed, never will be."""


class Weather(NamedTuple):
    """What the process runs under."""

    name: str
    settings: Settings
    failing: bool = False


WEATHERS: Final = (
    *[Weather("usual", SETTINGS)] * 5,
    Weather("strict", replace(SETTINGS, privacy="strict")),
    Weather("accepted", replace(SETTINGS, answer="accepted")),
    Weather("proxied", replace(SETTINGS, proxy_protocol="on", trusted_proxies=("2001:db8::/32",))),
    Weather("crowded", replace(SETTINGS, max_waiting=3)),
    Weather("failing", SETTINGS, failing=True),
)
"""Mostly as it usually is."""


class Wrong(Exception):
    """Something that must hold does not."""


class Watched(Connection):
    """A connection that says what it reads."""

    __slots__ = ("told",)

    def __init__(self, office: Office) -> None:
        super().__init__(office)
        self.told: list[Told] = []

    def data_received(self, data: bytes) -> None:
        """Note what goes the short way."""
        free = self.turn is None
        super().data_received(data)
        if free and self.head is data and self._waits:
            self.told.append(Told(data))

    def careful(self) -> None:
        """It was none of the short way."""
        self.told.pop()
        super().careful()

    def request(self, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        """Note what goes the careful way; unless its request line is refused."""
        at = len(self.told)
        self.told.append(Told(head, body))
        super().request(head, body, keep_alive=keep_alive)
        if len(self.told) > at + 1:
            del self.told[at]

    def refuse(self, reason: str, head: bytes = b"") -> None:
        """Note what is refused."""
        self.told.append(Told(head, b"", reason))
        super().refuse(reason, head)

    @property
    def stuck(self) -> str:
        """Why it cannot stay as it is, now that nothing moves any more; empty if it can."""
        framing = self._framing
        if self._waits:
            return "a request is never answered"
        if self._broken or self._transport is None:
            return ""
        if self._held and not self._paused:
            return "reading is never taken up again"
        if framing is None or framing._body is not None or framing._proxied:
            return ""
        if END in re.sub(rb"^(?:\r\n)+", b"", framing.buffer):
            return "a whole head is left lying"
        return "" if len(framing.buffer) <= MAX_HEAD else "more is held than may be"

    @property
    def left(self) -> bytes | None:
        """The beginning of a head that it holds; None if it is within something else."""
        framing = self._framing
        if framing is None:
            return b""
        return None if framing._body is not None or framing._proxied else framing.buffer


class Wire(asyncio.Transport):
    """The transport, in memory. Like those of asyncio and uvloop it takes and drops what is written once it closes."""

    def __init__(self, address: str, rng: Random) -> None:
        super().__init__({"peername": (address, 1)})
        self.out = bytearray()
        self.open = self.reading = True
        self.ended = False  # we will write no more
        self._loop = asyncio.get_running_loop()
        self._slow = rng.random() < 0.1  # the client reads when it pleases
        self.full = False

    def connect(self, protocol: Watched) -> None:
        """Begin."""
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """To the client."""
        if self.ended:
            raise Wrong("it writes after it said that it would not")
        if self.open:
            self.out += data
            if self._slow and not self.full:
                self.full = True
                self._protocol.pause_writing()

    def read_on(self) -> None:
        """The client has read everything."""
        if self.full:
            self.full = False
            if self.open:
                self._protocol.resume_writing()

    def write_eof(self) -> None:
        """No more to the client."""
        self.ended = True

    def can_write_eof(self) -> bool:
        """TCP can."""
        return True

    def pause_reading(self) -> None:
        """Take nothing from the client."""
        self.reading = False

    def resume_reading(self) -> None:
        """Take it again."""
        self.reading = True

    def is_closing(self) -> bool:
        """Was it closed?"""
        return not self.open

    def close(self) -> None:
        """End, once all is written."""
        if self.open:
            self.open = False
            self._loop.call_soon(self._protocol.connection_lost, None)

    abort = close


class Disk:
    """A writer whose commits take some turns of the loop, and in bad weather fail."""

    def __init__(self, rng: Random, *, failing: bool) -> None:
        self.hits: list[Hit] = []
        self.busy = 0
        self._rng = rng
        self._failing = failing

    async def append(self, hits: Sequence[Hit]) -> None:
        """Keep the hits, or not."""
        self.busy += 1
        for _ in range(self._rng.choice((0, 0, 1, 4))):
            await asyncio.sleep(0)
        self.busy -= 1
        if self._failing and self._rng.random() < 0.5:
            raise StreamUnavailable("bad weather")
        self.hits += hits

    async def close(self) -> None:
        """Nothing to let go."""


@dataclass
class Client:
    """One stream of bytes, and what became of it.

    Attributes:
        sent: the requests.
        ending: how it ends when all is sent: ``half`` closed at once, or ``stays``.
        cut: the pieces they come in.
        left: those still to come.
        rest: what the connection held when all was at rest; None if it was within something else than a head.
        stuck: why it could not stay as it was then.
        hits: what was kept of it.
    """

    sent: list[bytes]
    cut: list[bytes]
    ending: str
    connection: Watched
    wire: Wire
    left: list[bytes] = field(default_factory=list)
    rest: bytes | None = b""
    stuck: str = ""
    hits: list[Hit] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def step(self, rng: Random) -> None:
        """The network brings one more piece, if the connection takes it."""
        wire = self.wire
        if rng.random() < 0.3:
            wire.read_on()
        if not self.left or not wire.open or not wire.reading:
            return
        self.connection.data_received(self.left.pop(0))
        if not self.left and self.ending == "half" and wire.open and not self.connection.eof_received():
            wire.close()


class Batch(NamedTuple):
    """What came of some clients at once on one process."""

    weather: Weather
    office: Office
    clients: list[Client]
    faults: list[str]


def run(seed: int, number: int, streams: int) -> Batch:
    """Some clients at once on one process. The same again for the same seed and number."""
    return asyncio.run(_run(Random(f"{seed} {number}"), streams))


async def _run(rng: Random, streams: int) -> Batch:
    faults: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: faults.append(f"{context.get('exception') or context['message']!r}"))
    weather = rng.choice(WEATHERS)
    disk = Disk(rng, failing=weather.failing)
    office = open_office(weather.settings, disk, [Native({})])
    clients = [_client(rng, office, number) for number in range(streams)]
    await _settle(rng, office, clients, disk)
    for client in clients:
        client.rest = client.connection.left if client.wire.open else None
        client.stuck = client.connection.stuck
    faults += await _end(rng, office, clients, disk)
    by_peer = defaultdict(list)
    for hit in disk.hits:
        by_peer[hit.peer].append(hit)
    for client in clients:
        client.hits = by_peer[client.connection.peer]
    return Batch(weather, office, clients, faults)


def _client(rng: Random, office: Office, number: int) -> Client:
    sent = stream(rng)
    cut = pieces(rng, sent)
    if office.proxied:
        introduction = b"PROXY TCP4 203.0.%d.%d 192.0.2.1 5 80\r\n" % divmod(number, 256)
        at = rng.choice((0, 0, len(introduction), rng.randrange(len(introduction))))
        cut = [introduction[:at], introduction[at:] + b"".join(cut[:1]), *cut[1:]]
    wire = Wire(f"2001:db8:{number:x}::1", rng)
    connection = Watched(office)
    wire.connect(connection)
    cut = [piece for piece in cut if piece]
    return Client(sent, cut, rng.choice(("half", "stays", "stays")), connection, wire, list(cut))


async def _settle(rng: Random, office: Office, clients: Sequence[Client], disk: Disk) -> None:
    """Bring everything, and wait until nothing moves any more."""
    quiet, before, patience = 0, -1, time.monotonic() + _PATIENCE
    while quiet < _AT_REST:
        for client in [each for each in clients if each.wire.open and (each.left or each.wire.full)]:
            try:
                client.step(rng)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
                client.faults.append(f"raised {error!r}")
                client.wire.close()
        await asyncio.sleep(0)
        now = sum(len(each.wire.out) + len(each.left) + each.wire.full for each in clients)
        busy = disk.busy or office.desk._waiting or office.desk.open.plain or office.desk.open.hits
        busy = busy or any(each.wire.full and each.wire.open for each in clients)  # it is only slow to read
        quiet = quiet + 1 if now == before and (not busy or time.monotonic() > patience) else 0
        before = now


async def _end(rng: Random, office: Office, clients: Sequence[Client], disk: Disk) -> list[str]:
    """All ends: some clients go, the others are swept away. What is still held then."""
    for client in clients:
        if client.wire.open and rng.random() < 0.3:
            client.wire.close()
    for _ in range(4):
        office.tick += 1_000
        for connection in list(office.connections):
            connection.sweep()
        await _settle(rng, office, clients, disk)
    held = {
        "connections": len(office.connections),
        "bytes of bodies": office.room.taken,
        "hits that wait": office.desk._waiting,
        "bytes of hits": office.desk._bytes,
    }
    return [f"{count} {what} are held when all is over" for what, count in held.items() if count]
