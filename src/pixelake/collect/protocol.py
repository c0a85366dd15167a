"""One connection: bytes in, one hit a request, its answer when the hit is durable.

A plain head goes straight to the desk (`data_received`); everything else goes
through `pixelake.collect.framing`. Refusals of malformed input end the
connection, drained for a while first, because a client that is still sending
would otherwise see a reset instead of the answer.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from pixelake.collect.firehose import Told, is_delivery, request_of, told
from pixelake.collect.framing import Framing
from pixelake.collect.office import Office
from pixelake.collect.pixel import CLOSE, KEEP, STAY, cors
from pixelake.collect.plain import END
from pixelake.collect.turn import BUSY, Turn
from pixelake.dialects.base import Answer, Route

DRAIN_SECONDS: Final = 3.0
"""How long a refused client may go on sending before the connection is closed."""
_ABSOLUTE: Final = re.compile(rb"^[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


class Request(NamedTuple):
    """What must be known of a request to answer it."""

    method: str = "GET"
    answer: Answer = Answer.IMAGE
    keep: bytes = STAY
    head: bytes = b""


PLAIN: Final = Request()
LAST: Final = Request(keep=CLOSE)


class Connection(asyncio.Protocol):
    """See the module.

    Attributes:
        turn: the turn it waits for; None while it has no request in work, `BUSY` while it is occupied otherwise.
        head: of the request in work, if that is plain. Empty when nothing has come for a while.
        more: there is something to do behind the answer.
        address: whom it speaks for: its other end, or whom its PROXY header names.
        peer: `address`, as a hit may keep it.
        client: the same, for hits without a header that tells another.
        write: the transport's.
    """

    __slots__ = (
        "_broken", "_desk", "_eof", "_framing", "_held", "_office", "_paused", "_request", "_since", "_transport",
        "address", "client", "head", "more", "peer", "turn", "write",
    )  # fmt: skip

    def __init__(self, office: Office) -> None:
        self._office = office
        self._desk = office.desk
        self.turn: Turn | None = BUSY if office.proxied else None
        self.head = b""
        self.more = False
        self.address = self.peer = self.client = ""
        self._request = PLAIN
        self._framing: Framing | None = None  # made when something is not plain
        self._since = office.tick  # when it began, or when something was last seen of it
        self._broken = False  # refused for good: whatever comes is thrown away
        self._paused = False  # the client does not read its answers
        self._held = False  # we do not read
        self._eof = False  # the client will send no more

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport: asyncio.Transport | None = cast(asyncio.Transport, transport)
        self.write = self._transport.write
        office = self._office
        self._desk.admission.greet(self, _host(transport.get_extra_info("peername")))
        office.connections.add(self)
        if len(office.connections) > office.limits.max_connections:
            self._refuse_and_close("connections", image=True)

    def data_received(self, data: bytes) -> None:
        """Bytes came: usually one plain head."""
        desk = self._desk
        if self.turn is None and data.startswith(desk.hot) and data.endswith(END) and len(data) <= desk.max_head:
            turn = self.turn = desk.open
            self.head = data
            turn.plain.append(self)
            if not turn.scheduled:
                desk.schedule(turn)
        elif not self._broken:
            self._feed(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """The client went. Its hit, if it waits for a commit, stays."""
        self._office.connections.discard(self)
        self._broken = True
        self.turn = BUSY
        self._transport = None
        del self.write  # it refers to the transport, and that to us: let the reference count end both
        if self._framing is not None:
            self._framing.end()
            self._framing = None

    def eof_received(self) -> bool:
        """The client will send no more; whole requests that it has sent still get their answers."""
        self._eof = self.more = True
        if self._broken or self.turn is None or self._transport is None:
            return False
        if not self._waits:
            self.advance()  # to what was sent ahead; closes, if nothing of that is whole
        return self._transport.can_write_eof()  # TLS has no half-closed connections

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more of its requests."""
        self._paused = True
        self.hold()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self._go_on()

    # --- what takes too long

    @property
    def _waits(self) -> bool:
        """Is a whole request in work?"""
        return self.turn is not None and self.turn is not BUSY

    def sweep(self) -> None:
        """Called each second: end what is silent or too slow."""
        office = self._office
        limits = office.limits
        if self.head:  # a plain request came since the last sweep
            if not self._waits:
                self.head = b""
            self._since = office.tick
        waited = office.tick - self._since
        if self._transport is None:
            return
        if self._broken or self._paused:
            if waited > limits.header_timeout + DRAIN_SECONDS:
                self._transport.abort()  # it neither reads nor goes
        elif self._waits:
            return
        elif self.turn is not None:
            if waited > limits.header_timeout:
                self._refuse_and_close("timeout")
        elif waited > limits.idle_timeout or office.stopping:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # --- the careful way

    def careful(self) -> None:
        """The head that was taken for a plain one is not."""
        head, self.head = self.head, b""
        self.turn = None
        if self._framing is not None:
            head, self._framing.buffer = head + self._framing.buffer, b""
        self._feed(head)
        if self.more and not self._waits:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _feed(self, data: bytes) -> None:
        framing = self._framing
        if framing is None:
            office = self._office
            framing = self._framing = Framing(self, office.limits.max_head, office.room, proxied=office.proxied)
        waits = self._waits
        if waits:
            self.more = True  # to be looked at behind the answer
        elif self.turn is None:
            self.turn = BUSY
            self._since = self._office.tick
        framing.feed(data, busy=waits)
        if self.turn is BUSY and not self._broken and framing.empty:
            self.turn = None

    def advance(self) -> None:
        """The answer is written: go on with what the client sent ahead, or read on."""
        self.turn = BUSY
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        transport, framing = self._transport, self._framing
        if transport is None or self._broken or self._paused or self._waits:
            return
        if framing is not None and framing.cut():
            return  # a request: its answer leads back here
        self.turn = None if framing is None or framing.empty else BUSY
        self.more = self._eof
        if self._eof:
            transport.close()
        elif self._held:
            self._held = False
            transport.resume_reading()

    def introduced(self, source: str) -> None:
        """A PROXY header came; it names `source`, or nobody."""
        self._desk.admission.greet(self, self.address, source)

    def go_on(self) -> None:
        """The client waits for a word before it sends the body."""
        if self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def hold(self) -> None:
        """Read no more for now."""
        self._held = self.more = True
        if self._transport is not None:
            self._transport.pause_reading()

    def body_limit(self, head: bytes) -> int | str:
        """How many bytes the body of a request may have; or why it is refused before one comes."""
        deliveries = self._office.deliveries
        return deliveries.room(head) if deliveries and is_delivery(head) else self._office.limits.max_body

    def refuse(self, reason: str, head: bytes = b"") -> None:
        """What came is no request, or too much."""
        self._request = Request("HEAD" if head.startswith(b"HEAD ") else "GET", head=head)
        self._refuse_and_close(reason)

    def request(self, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        """A whole request: find its route, hand it to the desk."""
        line = head[: head.find(b"\r\n")]
        if line.count(b" ") != 2:  # llhttp takes several blanks for one, and a line without a version for HTTP/0.9
            self.refuse("bad_request" if line.count(b" ") > 2 else "http_version", head)
            return
        raw_method, target, version = line.split(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            self.refuse("http_version", head)
            return
        keep = CLOSE if not keep_alive or self._office.stopping else STAY if version == b"HTTP/1.1" else KEEP
        path, route = _route(self._office.routes, target)
        method = raw_method.decode()
        if self._office.deliveries is not None and is_delivery(head):
            self._request = Request(method, Answer.EMPTY, keep, head)
            self.turn = Turn()  # one of its own: it is in work
            self._office.deliveries.begin(head, body).add_done_callback(self._delivered)
            return
        if route is None or raw_method not in route.methods:
            self._request = Request(method, Answer.EMPTY, keep, head)
            self._no_hit(path, route)
            return
        self._request = Request(method, route.answer, keep, head)
        self._desk.add(self, head, body)

    # --- answers

    def _delivered(self, task: "asyncio.Task[Told]") -> None:
        """What became of a delivery of Firehose."""
        if task.cancelled() or self._transport is None:
            return
        keep = CLOSE if self._office.stopping else self._request.keep
        reason, body = task.result()
        self._send(self._desk.answers.json(reason, body, keep), reason, keep)

    def close_after(self) -> None:
        """The request in work is the last one of this connection."""
        self._request = LAST

    def finish(self, answer: bytes) -> None:
        """Send the answer, and close."""
        self._broken = True
        self.turn = BUSY
        self.write(answer)
        if self._transport is not None:
            self._transport.close()

    def settle(self, reason: str, retry_after: int | None = None) -> None:
        """The hit is durable (no reason), or why it is not known to be; `retry_after` seconds it would be, perhaps."""
        method, answer, keep, head = self._request
        self.head = self.head[:1]  # who has much and is refused must not take the memory
        if self._office.stopping:
            keep = CLOSE
        answers = self._desk.answers
        if reason:
            image = answer is not Answer.EMPTY
            extra = b"" if image else cors(head)
            text = answers.refusal(reason, keep, image=image, method=method, extra=extra, retry_after=retry_after)
        elif answer is Answer.IMAGE:
            text = answers.image(method, keep)
        elif answer is Answer.PNG:
            text = answers.png(method, keep)
        elif answer is Answer.BADGE:
            text = answers.badge(method, keep, self._office.badge(head.split(b" ", 2)[1]))
        else:
            text = answers.empty(head, keep)
        self._send(text, reason, keep)

    def _no_hit(self, path: bytes, route: Route | None) -> None:
        """Health, preflight, an unknown path, a wrong method."""
        method, _, keep, head = self._request
        answers = self._desk.answers
        if route is None:
            reason = self._office.ready() if path == b"/ready" else "" if path == b"/health" else "no_route"
            if reason:
                self._send(answers.refusal(reason, keep, method=method), reason, keep)
            else:
                self._send(answers.text("200 OK", "ok", keep, method=method), "", keep)
            return
        allowed = b", ".join([*sorted(route.methods), b"OPTIONS"])
        if method == "OPTIONS":
            self._send(answers.preflight(head, allowed, keep), "", keep)
        else:
            extra = b"Allow: " + allowed + b"\r\n"
            self._send(answers.refusal("method", keep, method=method, extra=extra), "method", keep)

    def _send(self, answer: bytes, reason: str, keep: bytes) -> None:
        self._desk.counts[answer[9:12], reason] += 1
        self.turn = None
        self._request = PLAIN
        self._since = self._office.tick
        if self._transport is None:
            return
        self._transport.write(answer)
        if keep is CLOSE:
            self._broken = True
            self.turn = BUSY
            self._transport.close()
        elif self.more or (self._framing is not None and self._framing.buffer):
            self.advance()

    def _refuse_and_close(self, reason: str, *, image: bool = False) -> None:
        """Answer, say no more, and read on for a while without listening.

        To close at once would reset the connection under a client that is still
        sending, before it has read the answer.
        """
        self._broken = True
        self.turn = BUSY
        if self._framing is not None:
            self._framing.drop()
        transport = self._transport
        if transport is None:
            return
        method, _, _, head = self._request
        extra = b"" if image else cors(head)
        if self._office.deliveries is not None and is_delivery(head):
            answer = self._desk.answers.json(reason, told(reason, request_of(head)).body, CLOSE)
        else:
            answer = self._desk.answers.refusal(reason, CLOSE, image=image, method=method, extra=extra)
        self._desk.counts[answer[9:12], reason] += 1
        transport.write(answer)
        if transport.can_write_eof():
            transport.write_eof()
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, transport.abort)


def _route(routes: Mapping[bytes, Route], target: bytes) -> tuple[bytes, Route | None]:
    """The path of a target, and its route. A proxy may have written the whole URL (RFC 9112 3.2.2)."""
    path, mark, _ = target.partition(b"?")
    route = routes.get(path)
    if route is None:
        absolute = _ABSOLUTE.match(target)
        if absolute is not None:
            return _route(routes, b"/" + target[absolute.end() :].removeprefix(b"/"))
        return path, None
    return (path, None) if path == b"/" and not mark else (path, route)


def _host(peername: object) -> str:
    """The address of a peer, without port and IPv6 zone; empty for a Unix socket."""
    return str(peername[0]).partition("%")[0] if isinstance(peername, tuple) else ""
