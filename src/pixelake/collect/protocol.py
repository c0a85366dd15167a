"""One connection: bytes in, one hit a request, its answer when the hit is durable.

The framing is llhttp's (`httptools`); here heads are only cut off at their
empty line, so that they can be kept as sent. One request is in work at a time:
what a client sends ahead (pipelining) waits in a bounded buffer, which keeps
answers in order. Refusals of malformed input end the connection, drained for
a while first, because a client that is still sending would otherwise see a
reset instead of the answer.

The way of a hit: `data_received` -> `_head` -> `_request` -> `Desk.admit`,
then, when it is durable, `settle`.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import httptools

from pixelake.clock import Clock
from pixelake.collect.admission import Desk, Group
from pixelake.collect.keep import Keeper
from pixelake.collect.pixel import CLOSE, KEEP, STAY, Answers, cors
from pixelake.dialects.base import Answer, Route
from pixelake.hit import Hit

END: Final = b"\r\n\r\n"
CR: Final = 13
MAX_PIECES: Final = 20_000
"""Pieces of a body; each costs a call, however small it is."""
DRAIN_SECONDS: Final = 3.0
"""How long a refused client may go on sending before the connection is closed."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT: Final = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)
_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_UNSAFE: Final = re.compile(rb"[\x80-\xff]")
_ABSOLUTE: Final = re.compile(rb"^[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a process and its connections: bytes, seconds, connections."""

    max_head: int
    max_body: int
    max_receiving: int
    header_timeout: float
    idle_timeout: float
    max_connections: int


@dataclass(slots=True)
class Office:
    """What all connections of a process share.

    Attributes:
        desk: takes the hits.
        keeper: takes the secrets out of them.
        routes: path -> where hits are taken in.
        ready: tells why the process cannot take hits now, or ``""``.
        tick: counts seconds; connections note it, so that a sweep finds those that are too slow.
        counts: answers by status and reason since somebody last emptied it.
        receiving: bytes of all bodies that are being received.
        stopping: each connection ends with its next answer.
    """

    desk: Desk
    keeper: Keeper
    routes: Mapping[bytes, Route]
    limits: Limits
    clock: Clock
    ready: Callable[[], str]
    answers: Answers = field(default_factory=Answers)
    connections: "set[Connection]" = field(default_factory=set)
    counts: Counter[tuple[bytes, str]] = field(default_factory=Counter)
    tick: int = 0
    receiving: int = 0
    stopping: bool = False


class Connection(asyncio.Protocol):
    """See the module. ``group`` is the group of hits it waits for, or None."""

    __slots__ = (
        "_answer", "_body", "_broken", "_buffer", "_complete", "_eof", "_head_bytes", "_held", "_keep", "_method",
        "_office", "_parser", "_paused", "_peer", "_pieces", "_rest", "_since", "_transport", "busy", "group",
    )  # fmt: skip

    def __init__(self, office: Office) -> None:
        self._office = office
        self.group: Group | None = None
        self.busy = False  # a request is being received or answered
        self._since = office.tick  # when it began, or when the last one was answered
        self._buffer = b""  # the beginning of a head, or what the client sent ahead
        self._head_bytes = b""
        self._body: bytearray | None = None  # being received, if not None
        self._pieces = 0  # in how many pieces it came
        self._rest = 0  # bytes of the body still to come; -1: chunked
        self._broken = False  # refused for good: whatever comes is thrown away
        self._paused = False  # the client does not read its answers
        self._held = False  # we do not read
        self._eof = False  # the client will send no more
        self._keep = STAY
        self._method = "GET"
        self._answer = Answer.EMPTY

    # --- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client came."""
        self._transport: asyncio.Transport | None = cast(asyncio.Transport, transport)
        self._peer = _host(transport.get_extra_info("peername"))
        self._parser = httptools.HttpRequestParser(self)
        office = self._office
        office.connections.add(self)
        if len(office.connections) > office.limits.max_connections:
            self._refuse_and_close("connections", image=True)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """The client went. Its hit, if it waits for a commit, stays."""
        self._office.connections.discard(self)
        self._end_body()
        self._transport = None
        self.group = None
        del self._parser  # it refers to us: let the reference count end both

    def eof_received(self) -> bool:
        """The client will send no more; whole requests that it has sent still get their answers."""
        self._eof = True
        return self.busy and self._body is None and not self._broken

    def pause_writing(self) -> None:
        """The client does not read its answers: take no more of its requests."""
        self._paused = True
        self._hold()

    def _hold(self) -> None:
        self._held = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._paused = False
        self._advance()

    def sweep(self) -> None:
        """Called each second: end what is silent or too slow."""
        limits, waited = self._office.limits, self._office.tick - self._since
        if self._transport is None:
            return
        if self._broken or self._paused:
            if waited > limits.header_timeout + DRAIN_SECONDS:
                self._transport.abort()  # it neither reads nor goes
        elif self.busy and self._body is None:
            return
        elif self.busy or self._buffer:
            if waited > limits.header_timeout:
                self._refuse_and_close("timeout")
        elif waited > limits.idle_timeout or self._office.stopping:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # --- framing

    def data_received(self, data: bytes) -> None:
        """Bytes came: usually one whole head."""
        if self._broken:
            return
        if self._body is not None:
            self._more_body(data)
        elif self.busy or self._buffer:
            self._buffer += data
            if not self.busy:
                self._cut()
            if len(self._buffer) > self._office.limits.max_head and not self._broken:
                self._hold()
        else:
            self._since = self._office.tick
            end = data.find(END)
            if 0 < end == len(data) - 4 <= self._office.limits.max_head and data[0] != CR:
                self._head(data)
            else:
                self._buffer = data
                self._cut()

    def _cut(self) -> bool:
        """Cut one head off the buffer, if it holds a whole one. Whether more is to come of it, or of the rest."""
        limit = self._office.limits.max_head
        buffer = self._buffer = self._buffer.lstrip(b"\r\n")  # RFC 9112 2.2: empty lines before a request
        end = buffer.find(END)
        if end > limit or (end < 0 and len(buffer) > limit):
            self._refuse_and_close("head_too_large")
        elif end >= 0:
            self._buffer = buffer[end + 4 :]
            self._head(buffer[: end + 4])
        elif buffer and (b"\n\n" in buffer or not buffer[:1].isalpha()):  # can never become a head: do not wait
            self._refuse_and_close("bad_request")
        return self.busy or self._broken or END in self._buffer

    def _head(self, head: bytes) -> None:
        """A whole head: let llhttp judge it, then wait for a body or go on."""
        self.busy = True
        self._complete = False
        self._head_bytes = head
        try:
            self._parser.feed_data(head if head.isascii() else _escaped(head))
        except httptools.HttpParserUpgrade:
            if not self._without_upgrade(head):
                return
        except httptools.HttpParserError:
            self._refuse_and_close("bad_request")
            return
        if self._complete:
            self._request(head, b"")
        else:
            self._expect_body(head)

    def _without_upgrade(self, head: bytes) -> bool:
        """We never upgrade: judge the head as if it had not been asked for. False if it was refused."""
        self._parser = httptools.HttpRequestParser(self)
        self._complete = False
        try:
            self._parser.feed_data(_UPGRADE.sub(b"\r\nx-upgrade:", _escaped(head)))
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):  # CONNECT always upgrades
            self._refuse_and_close("method")
            return False
        return True

    def _expect_body(self, head: bytes) -> None:
        """The head announces a body.

        A chunked one ends the connection, because llhttp does not say where the next head begins.
        """
        chunked = _CHUNKED.search(head) is not None
        length = _LENGTH.search(head)
        if not chunked and (length is None or len(length[1]) > 18):
            self._refuse_and_close("bad_length")
            return
        self._rest = -1 if chunked or length is None else int(length[1])
        if self._rest > self._office.limits.max_body:
            self._refuse_and_close("body_too_large")
            return
        self._body = bytearray()
        self._pieces = 0
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._more_body(data)
        elif _EXPECT.search(head) and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _more_body(self, data: bytes) -> None:
        if self._rest >= 0:
            data, self._buffer = data[: self._rest], data[self._rest :]
            self._rest -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._complete:  # what follows a whole body is another matter
                self._refuse_and_close("bad_request")
                return
        limits, body = self._office.limits, self._body or b""
        if len(body) > limits.max_body or self._pieces > MAX_PIECES:
            self._refuse_and_close("body_too_large")
        elif self._complete:
            self._end_body()
            if self._rest < 0:
                self._keep = CLOSE
            self._request(self._head_bytes, bytes(body))
        elif self._office.receiving > limits.max_receiving:
            self._refuse_and_close("busy")

    def _end_body(self) -> None:
        if self._body is not None:
            self._office.receiving -= len(self._body)
            self._body = None

    # --- llhttp's side

    def on_body(self, data: bytes) -> None:
        """A piece of the body, without its chunk framing."""
        if self._body is not None and not self._complete:
            self._body += data
            self._pieces += 1
            self._office.receiving += len(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._complete:
            self._complete = True
            self._keep = STAY if self._parser.should_keep_alive() else CLOSE

    # --- one request

    def _request(self, head: bytes, body: bytes) -> None:
        """A whole request: find its route, make it a hit, hand it to the desk."""
        office = self._office
        line_end = head.find(b"\r\n")
        try:
            raw_method, target, version = head[:line_end].split(b" ")
        except ValueError:
            self._refuse_and_close("http_version")
            return
        if version != b"HTTP/1.1":
            if version != b"HTTP/1.0":
                self._refuse_and_close("http_version")
                return
            if self._keep is STAY:
                self._keep = KEEP
        method = self._method = raw_method.decode()
        path, mark, _ = target.partition(b"?")
        route = office.routes.get(path)
        if route is None or not mark:  # rarely; and the root is a pixel only with a query
            path, route = _route(office.routes, target)
        if route is None or raw_method not in route.methods:
            self._no_hit(path, route)
            return
        self._answer = route.answer
        now, peer, keeper = office.clock.now(), self._peer, office.keeper
        if body:
            body = keeper.body(body)
        hit = Hit(now, peer, peer, method, keeper.target(target), keeper.headers(head, line_end), body)
        reason = office.desk.admit(hit, self)
        if reason:
            self.settle(reason)

    def settle(self, reason: str) -> None:
        """The desk's word: the hit is durable (no reason), or why it is not known to be."""
        if self._office.stopping:
            self._keep = CLOSE
        answers = self._office.answers
        if self._answer is Answer.IMAGE:
            if reason:
                self._send(answers.refusal(reason, self._keep, image=True, method=self._method), reason)
            else:
                self._send(answers.image(self._method, self._keep), "")
        elif reason:
            extra = cors(self._head_bytes)
            self._send(answers.refusal(reason, self._keep, method=self._method, extra=extra), reason)
        else:
            self._send(answers.empty(self._head_bytes, self._keep), "")

    def _no_hit(self, path: bytes, route: Route | None) -> None:
        """Health, preflight, an unknown path, a wrong method."""
        answers, method, keep = self._office.answers, self._method, self._keep
        if route is None:
            reason = self._office.ready() if path == b"/ready" else "" if path == b"/health" else "no_route"
            if reason:
                self._send(answers.refusal(reason, keep, method=method), reason)
            else:
                self._send(answers.text("200 OK", "ok", keep, method=method), "")
            return
        allowed = b", ".join([*sorted(route.methods), b"OPTIONS"])
        if method == "OPTIONS":
            self._send(answers.preflight(self._head_bytes, allowed, keep), "")
        else:
            extra = b"Allow: " + allowed + b"\r\n"
            self._send(answers.refusal("method", keep, method=method, extra=extra), "method")

    # --- answers

    def _send(self, answer: bytes, reason: str) -> None:
        office = self._office
        office.counts[answer[9:12], reason] += 1
        self.busy = False
        self._since = office.tick
        transport = self._transport
        if transport is None:
            return
        transport.write(answer)
        if self._keep is CLOSE:
            self._broken = True
            transport.close()
        elif self._buffer or self._held:
            asyncio.get_running_loop().call_soon(self._advance)
        elif self._eof:
            transport.close()

    def _advance(self) -> None:
        """Go on with what the client sent ahead, or read on."""
        if self.busy or self._broken or self._paused or self._transport is None:
            return
        if self._buffer and self._cut():
            return
        if self._eof:
            self._transport.close()
        elif self._held:
            self._held = False
            self._transport.resume_reading()

    def _refuse_and_close(self, reason: str, *, image: bool = False) -> None:
        """Answer, say no more, and read on for a while without listening.

        To close at once would reset the connection under a client that is still
        sending, before it has read the answer.
        """
        self._broken = True
        self._buffer = b""
        self._end_body()
        transport = self._transport
        if transport is None:
            return
        extra = b"" if image else cors(self._head_bytes)
        answer = self._office.answers.refusal(reason, CLOSE, image=image, extra=extra)
        self._office.counts[answer[9:12], reason] += 1
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


def _escaped(head: bytes) -> bytes:
    """The head as llhttp takes it: no byte above 127 in the target. Browsers escape those, curl does not."""
    line_end = head.find(b"\r\n")
    return _UNSAFE.sub(lambda byte: b"%%%02X" % ord(byte[0]), head[:line_end]) + head[line_end:]


def _host(peername: object) -> str:
    """The address of a peer, without port and IPv6 zone; empty for a Unix socket."""
    return str(peername[0]).partition("%")[0] if isinstance(peername, tuple) else ""
