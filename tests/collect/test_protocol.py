"""The collector as a client sees it: real sockets, a real stream, bytes in and bytes out."""

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop

from pixelake.collect.logs.records import Records
from pixelake.collect.office import Office
from pixelake.collect.pixel import GIF, REFUSALS
from pixelake.collect.protocol import Connection
from pixelake.collect.worker import open_office
from pixelake.dialects.native import Native
from pixelake.errors import StreamUnavailable
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.stream.base import Writer
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader

PIXEL = b"GET /pixel.gif?n=1 HTTP/1.1\r\nHost: a\r\n\r\n"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes


class Collector:
    """A collector on a free port, in a thread of its own."""

    def __init__(self, settings: Settings, writer: Writer, records: Callable[[], Records] | None = None) -> None:
        self.office: Office
        self._settings = settings
        self._records = records
        self._writer = writer
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(30)

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self.office = open_office(self._settings, self._writer, [Native({})], records=self._records)
        server = await self.loop.create_server(lambda: Connection(self.office), "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for connection in list(self.office.connections):
            connection.abort()
        if self.office.deliveries:
            await self.office.deliveries.close()
        await self.office.desk.close()

    def stop(self) -> None:
        """Close everything."""
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def pulse(self, seconds: int) -> None:
        """Let seconds pass for the sweep."""

        def sweep() -> None:
            self.office.tick += seconds
            for connection in list(self.office.connections):
                connection.sweep()

        self.loop.call_soon_threadsafe(sweep)

    def talk(self, *parts: bytes, end: bool = False, wait: float = 0.3) -> bytes:
        """Send the parts; all that comes until the other side closes or is silent for `wait` seconds."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.settimeout(wait if not end else 5)
            for part in parts:
                client.sendall(part)
            if end:
                client.shutdown(socket.SHUT_WR)
            received = b""
            try:
                while data := client.recv(65_536):
                    received += data
            except TimeoutError:
                pass
            return received

    def ask(self, *parts: bytes) -> list[Answer]:
        """The answers to what is sent."""
        return answers(self.talk(*parts))


def answers(data: bytes) -> list[Answer]:
    """Take answers apart. Those to HEAD must come last."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        found.append(Answer(int(first.split()[1]), headers, data[:length]))
        data = data[length:]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "data" / "stream"


@pytest.fixture
def settings() -> Settings:
    """Small bounds, so that they can be reached."""
    return Settings(max_head=20_000, max_body=10_000)


@pytest.fixture
def collector(folder: Path, settings: Settings) -> Iterator[Collector]:
    """A running collector."""
    running = Collector(settings, SqliteWriter(folder))
    yield running
    running.stop()


def kept(folder: Path) -> list[Hit]:
    """All hits that are durable."""
    reader = SqliteReader(folder, "test")
    found: list[Hit] = []
    while batch := reader.read(1_000, 0):
        found.extend(batch.hits)
    reader.close()
    return found


@pytest.mark.parametrize("target", ["/pixel.gif", "/pixel", "/p.gif", "/trackingpixel", "/?a=1", "/pixel.gif?a=1"])
def test_the_pixel(collector: Collector, folder: Path, target: str) -> None:
    """Each of its paths answers with the 43 bytes, never cached, and the hit is durable by then."""
    [answer] = collector.ask(f"GET {target} HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\n\r\n".encode())
    assert answer.status == 200
    assert answer.body == GIF
    assert len(GIF) == 43
    assert answer.headers["content-type"] == "image/gif"
    assert answer.headers["cache-control"] == "no-store"
    [hit] = kept(folder)
    assert (hit.method, hit.target, hit.headers) == ("GET", target.encode(), b"Host: a\r\nUser-Agent: x\r\n")
    assert (hit.peer, hit.client, hit.source) == ("127.0.0.1", "127.0.0.1", "http")


def test_head_is_kept_and_has_no_body(collector: Collector, folder: Path) -> None:
    """HEAD answers the same headers without the GIF."""
    data = collector.talk(b"HEAD /pixel.gif HTTP/1.1\r\nHost: a\r\n\r\n")
    assert data.startswith(b"HTTP/1.1 200")
    assert b"Content-Length: 43" in data
    assert data.endswith(b"\r\n\r\n")
    assert [hit.method for hit in kept(folder)] == ["HEAD"]


def test_events_take_a_body(collector: Collector, folder: Path) -> None:
    """POST /events answers 204 to a page of any origin, also with credentials, and keeps the body as sent."""
    body = b'{"event":"buy"}'
    request = b"POST /events HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\nContent-Length: %d\r\n\r\n%s"
    [answer] = collector.ask(request % (len(body), body))
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    assert [hit.body for hit in kept(folder)] == [body]


def test_preflight(collector: Collector, folder: Path) -> None:
    """OPTIONS tells a page what it may send, and is no hit."""
    [answer] = collector.ask(b"OPTIONS /events HTTP/1.1\r\nHost: a\r\nOrigin: https://x.example\r\n\r\n")
    assert answer.status == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-origin"] == "https://x.example"
    assert kept(folder) == []


@pytest.mark.parametrize(
    ("request_line", "status", "reason"),
    [
        (b"GET /nowhere HTTP/1.1", 404, "no_route"),
        (b"GET / HTTP/1.1", 404, "no_route"),
        (b"PUT /pixel.gif HTTP/1.1", 405, "method"),
        (b"GET /events HTTP/1.1", 405, "method"),
        (b"GET /pixel.gif", 505, "http_version"),
        (b"GET /pixel.gif HTTP/3.0", 400, "bad_request"),
        (b"GET /pixel.gif?a=\x00 HTTP/1.1", 400, "bad_request"),
        (b"GET /pixel.gif?a=b c HTTP/1.1", 400, "bad_request"),
        (b"NONSENSE /pixel.gif HTTP/1.1", 400, "bad_request"),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400, "bad_request"),
        (b"CONNECT a:443 HTTP/1.1", 405, "method"),
    ],
)
def test_refusals(collector: Collector, folder: Path, request_line: bytes, status: int, reason: str) -> None:
    """What is no hit has its own status and says why; nothing is kept."""
    [answer] = collector.ask(
        request_line + b"\r\nHost: a\r\n\r\n" if b"HTTP" in request_line else request_line + b"\r\n\r\n"
    )
    assert (answer.status, answer.headers["x-pixelake"]) == (status, reason)
    assert answer.body != GIF
    assert kept(folder) == []
    if reason == "method" and b"CONNECT" not in request_line:
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "block",
    [
        b"Host: a\r\nX: a\r\n b\r\n",
        b"Host : a\r\n",
        b"Host: a\nX: b\r\n",
        b"Host: a\r\nX: \x00\r\n",
        b"Host: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        b"Host: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Host: a\r\nContent-Length: -1\r\n",
        b"Host: a\r\nTransfer-Encoding: gzip\r\n",
    ],
    ids=["obs-fold", "space", "bare-lf", "nul", "two-lengths", "length-and-chunked", "negative", "not-chunked"],
)
def test_malformed_heads_are_refused(collector: Collector, folder: Path, block: bytes) -> None:
    """Whatever could be framed in two ways is framed in none."""
    [answer] = collector.ask(b"POST /events HTTP/1.1\r\n" + block + b"\r\n")
    assert (answer.status, answer.headers["connection"]) == (400, "close")
    assert kept(folder) == []


def test_bare_line_feeds_are_refused_at_once(collector: Collector) -> None:
    """A head that can never end is not waited for."""
    [answer] = collector.ask(b"GET /pixel.gif HTTP/1.1\nHost: a\n\n")
    assert answer.status == 400


@pytest.mark.parametrize(
    "query",
    [
        "title=café".encode(),
        b"title=caf\xe9",
        "t=\U0001f98a".encode(),
        b"a=%zz&b=%&c=%f",
        b"a=1&a=2&a=3",
        b"=&&==&a",
        b"q=" + b"x" * 8_192,
        b"%00=%00",
        b"a=<script>\"'",
    ],
    ids=["utf8", "latin1", "emoji", "percent", "repeated", "empty-names", "8KB", "nul", "markup"],
)
def test_odd_queries_are_kept_as_sent(collector: Collector, folder: Path, query: bytes) -> None:
    """Byte by byte; what it means is decided later."""
    target = b"/pixel.gif?" + query
    [answer] = collector.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.status == 200
    assert [hit.target for hit in kept(folder)] == [target]


def test_secrets_are_not_kept(collector: Collector, folder: Path) -> None:
    """Cookies, credentials and secret parameters never reach the disk, also not in a referrer."""
    collector.ask(
        b"GET /pixel.gif?a=1&Password=hunter2&b=2 HTTP/1.1\r\nHost: a\r\ncookie: sid=hunter2\r\n"
        b"AUTHORIZATION: Bearer hunter2\r\nReferer: https://a/?access_token=hunter2&x=1\r\n\r\n"
    )
    [hit] = kept(folder)
    assert hit.target == b"/pixel.gif?a=1&Password=&b=2"
    assert hit.headers == b"Host: a\r\nReferer: https://a/?access_token=&x=1\r\n"
    assert not any(b"hunter2" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_keep_alive_and_pipelining(collector: Collector, folder: Path) -> None:
    """Requests sent ahead are answered one after the other, in order, also across kinds."""
    requests = [
        PIXEL,
        b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        PIXEL.replace(b"n=1", b"n=2"),
        b"GET /x HTTP/1.1\r\n\r\n",
    ]
    assert [answer.status for answer in collector.ask(b"".join(requests))] == [200, 200, 200, 404]
    assert [hit.target for hit in kept(folder)] == [b"/pixel.gif?n=1", b"/pixel.gif?n=2"]


def test_a_request_may_come_byte_by_byte(collector: Collector, folder: Path) -> None:
    """However the network cuts it."""
    body = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + PIXEL
    assert [answer.status for answer in collector.ask(*(body[i : i + 1] for i in range(len(body))))] == [204, 200]
    assert [hit.body for hit in kept(folder)] == [b"hello", b""]


@pytest.mark.parametrize(
    ("head", "closes", "says"),
    [
        (b"HTTP/1.0\r\n", True, "close"),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", False, "keep-alive"),
        (b"HTTP/1.1\r\nConnection: close\r\n", True, "close"),
        (b"HTTP/1.1\r\n", False, None),
    ],
)
def test_connection_ends_as_agreed(collector: Collector, head: bytes, closes: bool, says: str | None) -> None:
    """HTTP/1.0 closes unless asked to stay, HTTP/1.1 stays unless asked to close."""
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.settimeout(0.3)
        client.sendall(b"GET /pixel.gif " + head + b"\r\n")
        [answer] = answers(client.recv(65_536))
        assert answer.headers.get("connection") == says
        if closes:
            assert client.recv(1) == b""
        else:
            with pytest.raises(TimeoutError):
                client.recv(1)


def test_half_closed_clients_get_their_answer(collector: Collector) -> None:
    """A client may close its sending side right after the request."""
    assert collector.talk(PIXEL, end=True).startswith(b"HTTP/1.1 200")
    assert collector.talk(b"GET /pix", end=True) == b""


def test_requests_sent_ahead_of_a_half_close_are_answered(collector: Collector, folder: Path) -> None:
    """All whole ones, although nothing more will come; what is not whole is not."""
    assert collector.talk(PIXEL * 3 + b"GET /pix", end=True).count(b"HTTP/1.1 200") == 3
    assert len(kept(folder)) == 3


def test_reading_goes_on_after_much_was_sent_ahead(collector: Collector) -> None:
    """More than the bound of what may wait: reading pauses, and is taken up again."""
    request = PIXEL[:-2] + b"X: " + b"a" * 400 + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.settimeout(30)
        for count in (300, 1):
            client.sendall(request * count)
            received = b""
            while received.count(GIF) < count:
                more = client.recv(65_536)
                assert more
                received += more


def test_what_is_sent_ahead_is_bounded(collector: Collector) -> None:
    """Answers that wait for no disk do not let the buffer grow either."""
    plenty = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 20_000
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.settimeout(0.5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            client.sendall(plenty * 10)
        assert (
            max(
                len(connection._framing.buffer if connection._framing else b"")
                for connection in collector.office.connections
            )
            < 1_000_000
        )


def test_clients_that_never_read_are_ended(folder: Path, settings: Settings) -> None:
    """Their connections do not stay for ever."""
    running = Collector(replace(settings, header_timeout=2), SqliteWriter(folder))
    try:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.connect(("127.0.0.1", running.port))
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" * 1_000_000)
            assert len(running.office.connections) == 1
            running.pulse(20)
            deadline = time.monotonic() + 30
            while running.office.connections and time.monotonic() < deadline:
                time.sleep(0.01)
            assert not running.office.connections
    finally:
        running.stop()


def test_bodies_being_received_are_bounded_together(folder: Path, settings: Settings) -> None:
    """However many connections send them."""
    running = Collector(replace(settings, max_waiting_bytes=6_000), SqliteWriter(folder))
    head = b"POST /events HTTP/1.1\r\nContent-Length: 9000\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", running.port)) as first:
            first.sendall(head + b"a" * 5_000)
            deadline = time.monotonic() + 30
            while running.office.room.taken < 5_000 and time.monotonic() < deadline:
                time.sleep(0.01)
            [answer] = running.ask(head + b"a" * 5_000)
            assert (answer.status, answer.headers["x-pixelake"]) == (503, "busy")
        deadline = time.monotonic() + 30
        while running.office.room.taken and time.monotonic() < deadline:
            time.sleep(0.01)
        assert running.office.room.taken == 0
        assert [answer.status for answer in running.ask(head.replace(b"9000", b"5") + b"hello")] == [204]
    finally:
        running.stop()


def test_a_body_in_countless_pieces_is_refused(collector: Collector) -> None:
    """Each piece costs a call."""
    chunks = b"1\r\na\r\n" * 9_000
    [answer] = collector.ask(b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks * 5)
    assert answer.status == 413


def test_bodies_in_all_framings(collector: Collector, folder: Path) -> None:
    """By length, chunked, and on a GET; after a chunked one the connection ends."""
    chunked = b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    on_get = b"GET /pixel.gif HTTP/1.1\r\nContent-Length: 3\r\n\r\nxyz"
    found = collector.ask(on_get + chunked)
    assert [answer.status for answer in found] == [200, 204]
    assert found[1].headers["connection"] == "close"
    assert [hit.body for hit in kept(folder)] == [b"xyz", b"abcde"]


def test_expect_continue(collector: Collector) -> None:
    """A client that asks first is told to go on."""
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.settimeout(30)
        client.sendall(b"POST /events HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"{}")
        assert client.recv(1_000).startswith(b"HTTP/1.1 204")


def test_an_upgrade_is_not_taken_up(collector: Collector, folder: Path) -> None:
    """As curl --http2 asks: the request is answered over HTTP/1.1."""
    request = b"GET /pixel.gif HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert [answer.status for answer in collector.ask(request + PIXEL)] == [200, 200]
    assert b"Upgrade: h2c" in kept(folder)[0].headers


def test_absolute_targets(collector: Collector, folder: Path) -> None:
    """As proxies write them: routed by their path, kept as sent."""
    requests = b"".join(
        b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        for target in (b"http://a.example/pixel.gif?x", b"http://a.example?x")
    )
    assert [answer.status for answer in collector.ask(requests)] == [200, 200]
    assert [hit.target for hit in kept(folder)] == [b"http://a.example/pixel.gif?x", b"http://a.example?x"]


@pytest.mark.parametrize("size", [30_000, 1_000_000])
def test_a_large_head_is_refused_so_that_the_client_sees_it(collector: Collector, size: int) -> None:
    """431 arrives although the client is still sending: no reset."""
    with socket.create_connection(("127.0.0.1", collector.port)) as client:
        client.settimeout(30)
        client.sendall(b"GET /pixel.gif HTTP/1.1\r\nX: " + b"a" * size + b"\r\n\r\n")
        received = b""
        while data := client.recv(65_536):
            received += data
    [answer] = answers(received)
    assert (answer.status, answer.headers["x-pixelake"]) == (431, "head_too_large")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /events HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + b"a" * 20_000,
        b"POST /events HTTP/1.1\r\nContent-Length: 99999999999999999\r\n\r\n",
        b"POST /events HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4e20\r\n" + b"a" * 20_000 + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "huge-length", "chunked"],
)
def test_a_large_body_is_refused(collector: Collector, folder: Path, request_bytes: bytes) -> None:
    """413, whether it says its size or not."""
    [answer] = collector.ask(request_bytes)
    assert (answer.status, answer.headers["x-pixelake"]) == (413, "body_too_large")
    assert kept(folder) == []


def test_slow_requests_and_idle_connections_end(collector: Collector) -> None:
    """A request that takes too long is answered 408; a silent connection is closed."""
    with (
        socket.create_connection(("127.0.0.1", collector.port)) as slow,
        socket.create_connection(("127.0.0.1", collector.port)) as idle,
    ):
        slow.settimeout(30)
        idle.settimeout(30)
        slow.sendall(b"GET /pixel.gif HTTP/1.1\r\n")
        idle.sendall(PIXEL)
        assert idle.recv(1_000).startswith(b"HTTP/1.1 200")
        collector.pulse(20)
        assert slow.recv(1_000).startswith(b"HTTP/1.1 408")
        collector.pulse(80)
        assert idle.recv(1) == b""


def test_health_and_ready(collector: Collector) -> None:
    """Both answer while the stream takes hits."""
    for path in (b"/health", b"/ready"):
        [answer] = collector.ask(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (answer.status, answer.body) == (200, b"ok\n")


def test_many_connections_share_commits(collector: Collector, folder: Path) -> None:
    """Hits of a hundred connections at once: all answered, all kept, in few commits."""
    clients = [socket.create_connection(("127.0.0.1", collector.port)) for _ in range(100)]
    for number, client in enumerate(clients):
        client.sendall(PIXEL.replace(b"n=1", b"n=%d" % number))
    for client in clients:
        client.settimeout(30)
        assert client.recv(1_000).startswith(b"HTTP/1.1 200")
        client.close()
    assert sorted(int(hit.target.partition(b"=")[2]) for hit in kept(folder)) == list(range(100))


class FailingWriter:
    """A disk that is full, or hangs, until it is told otherwise."""

    def __init__(self) -> None:
        self.hang = False
        self.fail = True
        self.kept: list[Hit] = []

    async def append(self, hits: Sequence[Hit]) -> None:
        """As the test wants it."""
        while self.hang:  # noqa: ASYNC110 - an event would have to live in the collector's loop
            await asyncio.sleep(0.01)
        if self.fail:
            raise StreamUnavailable("no space left on device")
        self.kept.extend(hits)

    async def close(self) -> None:
        """Nothing."""


@pytest.fixture
def disk() -> FailingWriter:
    """A bad disk."""
    return FailingWriter()


@pytest.fixture
def poor(disk: FailingWriter, settings: Settings) -> Iterator[Collector]:
    """A collector on a bad disk."""
    running = Collector(replace(settings, answer_deadline=0.1, max_waiting=3), disk)
    yield running
    disk.hang = False
    running.stop()


def test_what_is_not_durable_is_never_200(poor: Collector, disk: FailingWriter) -> None:
    """503 with the GIF, a reason and when to come back; and 200 again once the disk is well."""
    [answer] = poor.ask(PIXEL)
    assert (answer.status, answer.headers["x-pixelake"], answer.body) == (503, "unavailable", GIF)
    assert int(answer.headers["retry-after"]) > 0
    [ready] = poor.ask(b"GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (ready.status, ready.headers["x-pixelake"]) == (503, "unavailable")
    disk.fail = False
    assert [answer.status for answer in poor.ask(PIXEL)] == [200]
    assert len(disk.kept) == 1


def test_a_stalled_disk_is_undecided_at_the_deadline(poor: Collector, disk: FailingWriter) -> None:
    """The page is not held back; the late commit does not answer again."""
    disk.hang, disk.fail = True, False
    with socket.create_connection(("127.0.0.1", poor.port)) as client:
        client.settimeout(30)
        client.sendall(PIXEL)
        [answer] = answers(client.recv(65_536))
        assert (answer.status, answer.headers["x-pixelake"], answer.body) == (503, "undecided", GIF)
        disk.hang = False
        client.sendall(PIXEL)
        [answer] = answers(client.recv(65_536))
        assert answer.status == 200
    deadline = time.monotonic() + 30
    while len(disk.kept) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(disk.kept) == 2


def test_what_waits_is_bounded(poor: Collector, disk: FailingWriter) -> None:
    """Past the bound hits are refused as busy, at once."""
    disk.hang, disk.fail = True, False
    clients = [socket.create_connection(("127.0.0.1", poor.port)) for _ in range(5)]
    for client in clients:
        client.settimeout(30)
        client.sendall(PIXEL)
    reasons = sorted(answers(client.recv(65_536))[0].headers["x-pixelake"] for client in clients)
    for client in clients:
        client.close()
    assert reasons == ["busy", "busy", "undecided", "undecided", "undecided"]


def test_accepted_answers_before_the_disk(disk: FailingWriter, settings: Settings) -> None:
    """For those who ask for it by name."""
    disk.hang = True
    running = Collector(replace(settings, answer="accepted"), disk)
    try:
        assert [answer.status for answer in running.ask(PIXEL)] == [200]
    finally:
        disk.hang = disk.fail = False
        running.stop()
    assert len(disk.kept) == 1


def test_too_many_connections_are_told(disk: FailingWriter, settings: Settings) -> None:
    """One more than allowed gets 503 and is closed; the others are served."""
    disk.fail = False
    running = Collector(replace(settings, max_connections=1), disk)
    try:
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.settimeout(30)
            client.sendall(PIXEL)
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
            [answer] = running.ask(b"")
            assert (answer.status, answer.headers["x-pixelake"], answer.body) == (503, "connections", GIF)
            client.sendall(PIXEL)
            assert client.recv(1_000).startswith(b"HTTP/1.1 200")
    finally:
        running.stop()


def test_every_answer_is_counted(collector: Collector) -> None:
    """By status and reason."""
    collector.ask(PIXEL + PIXEL + b"GET /x HTTP/1.1\r\n\r\n")
    assert collector.office.desk.counts == {(b"200", ""): 2, (b"404", "no_route"): 1}


def test_reasons_are_names() -> None:
    """They go into a header and a label as they are."""
    assert all(re.fullmatch("[a-z_]+", reason) for reason in REFUSALS)
