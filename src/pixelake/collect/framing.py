"""The careful way: bytes to requests, for whatever is not one plain head in one piece.

The framing is llhttp's (`httptools`); here heads are only cut off at their
empty line, so that they can be kept as sent. One request is in work at a time:
what a client sends ahead (pipelining) waits in a bounded buffer, which keeps
answers in order.
"""

import re
from typing import Final, Protocol

import httptools

from pixelake.collect.plain import END
from pixelake.collect.proxy import ProxyError, parse_proxy

MAX_PIECES: Final = 20_000
"""Pieces of a body; each costs a call, however small it is."""
LEAST_PIECE: Final = 512
"""Bytes of a piece of one that may have more of them."""
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT: Final = re.compile(rb" HTTP/1\.1\r\n(?:.*\r\n)?(?i:expect):[ \t]*(?i:100-continue)[ \t]*\r\n", re.DOTALL)
"""A client of HTTP/1.0 does not know what to make of a 100 (RFC 9110 10.1.1)."""
_UPGRADE: Final = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_EMPTY_LINES: Final = re.compile(rb"^(?:\r\n)+")
"""RFC 9112 2.2: some clients send them before a request."""
_BEGINNING: Final = re.compile(rb"[A-Za-z]|\r?\Z")
_UNSAFE: Final = re.compile(rb"[\x80-\xff]")


class Room:
    """What all connections of a process share: the bytes of all bodies that are being received, and their bound."""

    __slots__ = ("most", "taken")

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0


class Host(Protocol):
    """The connection, as the framing sees it."""

    def introduced(self, source: str) -> None:
        """A PROXY header came; it names `source`, or nobody."""
        ...

    def request(self, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        """A whole request came."""
        ...

    def refuse(self, reason: str, head: bytes = b"") -> None:
        """What came is no request, or too much; `head` is that of the request, if there is one."""
        ...

    def go_on(self) -> None:
        """The client waits for a word before it sends the body."""
        ...

    def hold(self) -> None:
        """Read no more for now."""
        ...

    def body_limit(self, head: bytes) -> int | str:
        """How many bytes the body of a request may have; or why it is refused before one comes."""
        ...


class Framing:
    """The bytes of one connection.

    Attributes:
        buffer: the beginning of a head, or what the client sent ahead.
    """

    __slots__ = (
        "_body", "_complete", "_head", "_host", "_keep_alive", "_max_body", "_max_head", "_parser", "_pieces",
        "_proxied", "_rest", "_room", "buffer",
    )  # fmt: skip

    def __init__(self, host: Host, max_head: int, room: Room, *, proxied: bool) -> None:
        self._host = host
        self._max_head = max_head
        self._max_body = 0  # of the request in work
        self._room = room
        self._proxied = proxied  # a PROXY header is still to come
        self._parser = httptools.HttpRequestParser(self)
        self._complete = False
        self._keep_alive = False
        self._head = b""
        self._body: bytearray | None = None  # being received, if not None
        self._pieces = 0  # in how many pieces it came
        self._rest = 0  # bytes of the body still to come; -1: chunked
        self.buffer = b""

    @property
    def empty(self) -> bool:
        """Is nothing held, and nothing waited for?"""
        return self._body is None and not self.buffer and not self._proxied

    def feed(self, data: bytes, *, busy: bool) -> None:
        """Bytes came. While a request is `busy` being answered, those behind it only wait."""
        if self._body is not None:
            self._more_body(data)
            return
        self.buffer += data
        if not busy:
            self.cut()
        if len(self.buffer) > self._max_head:
            self._host.hold()

    def drop(self) -> None:
        """Forget what came: no more will be listened to."""
        self.buffer = b""
        self._end_body()

    def end(self) -> None:
        """The connection is gone: let everything go that refers to it, so that reference counts end it."""
        self.drop()
        del self._parser, self._host

    def cut(self) -> bool:
        """Cut one head off the buffer, if it holds a whole one. False if more must come first: of a head, or a body."""
        if self._body is not None or (self._proxied and not self._introduce()):
            return False
        limit = self._max_head
        buffer = self.buffer = _EMPTY_LINES.sub(b"", self.buffer, 1)
        end = buffer.find(END)
        if end > limit or (end < 0 and len(buffer) > limit):
            self._host.refuse("head_too_large")
        elif (end < 0 and buffer.count(b"\n") > buffer.count(b"\r\n")) or not _BEGINNING.match(buffer):
            self._host.refuse("bad_request")  # it can never become a head: do not wait
        elif end >= 0:
            self.buffer = buffer[end + 4 :]
            self._judge(buffer[: end + 4])
            return self._body is None
        else:
            return False
        return True

    def _introduce(self) -> bool:
        """Take the PROXY header off the buffer, once it is whole."""
        try:
            header = parse_proxy(self.buffer)
        except ProxyError:
            self._host.refuse("proxy_header")
            return False
        if header is None:
            return False
        self._proxied = False
        self.buffer = self.buffer[header.size :]
        self._host.introduced(header.source)
        return True

    def _judge(self, head: bytes) -> None:
        """A whole head: let llhttp judge it, then wait for a body or go on."""
        self._complete = False
        self._head = head
        if b"\n" in head[: head.find(b"\r\n")]:  # llhttp takes one behind ``HTTP://``
            self._host.refuse("bad_request")
            return
        try:
            self._parser.feed_data(head if head.isascii() else _escaped(head))
        except httptools.HttpParserUpgrade:
            if not self._without_upgrade(head):
                return
        except httptools.HttpParserError:
            self._host.refuse("bad_request")
            return
        if self._complete:
            self._host.request(head, b"", keep_alive=self._keep_alive)
        else:
            self._expect_body(head)

    def _without_upgrade(self, head: bytes) -> bool:
        """We never upgrade: judge the head as if it had not been asked for. False if it was refused."""
        self._parser = httptools.HttpRequestParser(self)
        self._complete = False
        try:
            self._parser.feed_data(_UPGRADE.sub(b"\r\nx-upgrade:", _escaped(head)))
        except (httptools.HttpParserUpgrade, httptools.HttpParserError):  # CONNECT always upgrades
            self._host.refuse("method")
            return False
        return True

    def _expect_body(self, head: bytes) -> None:
        """The head announces a body.

        A chunked one ends the connection, because llhttp does not say where the next head begins.
        """
        chunked = _CHUNKED.search(head) is not None
        length = _LENGTH.search(head)
        if not chunked and (length is None or len(length[1]) > 18):
            self._host.refuse("bad_length", head)
            return
        limit = self._host.body_limit(head)
        if isinstance(limit, str):
            self._host.refuse(limit, head)
            return
        self._max_body = limit
        self._rest = -1 if chunked or length is None else int(length[1])
        if self._rest > self._max_body:
            self._host.refuse("body_too_large", head)
            return
        self._body = bytearray()
        self._pieces = 0
        if self.buffer:
            data, self.buffer = self.buffer, b""
            self._more_body(data)
        elif _EXPECT.search(head):
            self._host.go_on()

    def _more_body(self, data: bytes) -> None:
        if self._rest >= 0:
            data, self.buffer = data[: self._rest], data[self._rest :]
            self._rest -= len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self._complete:  # what follows a whole body is another matter
                self._host.refuse("bad_request", self._head)
                return
        body = self._body or b""
        if len(body) > self._max_body or self._pieces > max(MAX_PIECES, self._max_body // LEAST_PIECE):
            self._host.refuse("body_too_large", self._head)
        elif self._complete:
            self._end_body()
            self._host.request(self._head, bytes(body), keep_alive=self._keep_alive and self._rest >= 0)
        elif self._room.taken > self._room.most:
            self._host.refuse("busy", self._head)

    def _end_body(self) -> None:
        if self._body is not None:
            self._room.taken -= len(self._body)
            self._body = None

    # --- llhttp's side

    def on_body(self, data: bytes) -> None:
        """A piece of the body, without its chunk framing."""
        if self._body is not None and not self._complete:
            self._body += data
            self._pieces += 1
            self._room.taken += len(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if not self._complete:
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()


def _escaped(head: bytes) -> bytes:
    """The head as llhttp takes it: no byte above 127 in the target. Browsers escape those, curl does not."""
    line_end = head.find(b"\r\n")
    return _UNSAFE.sub(lambda byte: b"%%%02X" % ord(byte[0]), head[:line_end]) + head[line_end:]
