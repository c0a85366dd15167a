"""Clients that are slow, silent, impatient or rude do not keep others from their answers."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pixelake.collect.pixel import GIF
from pixelake.settings import Settings
from pixelake.stream.sqlite import SqliteWriter
from tests.collect.test_protocol import PIXEL, Collector, answers

SETTINGS = Settings(max_head=20_000, max_body=10_000)
POST = b"POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    """A running collector."""
    running = Collector(SETTINGS, SqliteWriter(tmp_path / "data" / "stream"))
    yield running
    running.stop()


def connect(stack: ExitStack, collector: Collector) -> socket.socket:
    """A client."""
    client = stack.enter_context(socket.create_connection(("127.0.0.1", collector.port)))
    client.settimeout(20)
    return client


def receive(client: socket.socket, images: int) -> bytes:
    """All that comes, up to so many images."""
    received = b""
    while received.count(GIF) < images:
        data = client.recv(65_536)
        assert data, received[-500:]
        received += data
    return received


def test_idle_and_slow_clients_hold_nobody_up(collector: Collector) -> None:
    """300 say nothing and 50 send a byte at a time: the others are answered at once, and in the end the 50 too."""
    with ExitStack() as stack:
        for _ in range(300):
            connect(stack, collector)
        slow = [connect(stack, collector) for _ in range(50)]
        quick = connect(stack, collector)
        for at in range(len(PIXEL)):
            for client in slow:
                client.sendall(PIXEL[at : at + 1])
            if at < len(PIXEL) - 1:
                quick.sendall(PIXEL)
                receive(quick, 1)
        for client in slow:
            receive(client, 1)
        assert len(collector.office.connections) == 351


def test_a_thousand_requests_ahead(collector: Collector) -> None:
    """All are answered, in order: the one that is no hit comes where it was asked for."""
    with ExitStack() as stack:
        client = connect(stack, collector)
        client.sendall(PIXEL * 500 + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" + PIXEL * 500)
        found = [answer.status for answer in answers(receive(client, 1_000))]
        assert found == [200] * 500 + [404] + [200] * 500


def test_clients_that_never_read_hold_nobody_up(collector: Collector) -> None:
    """They are no longer listened to; others are answered."""
    with ExitStack() as stack:
        for _ in range(5):
            deaf = connect(stack, collector)
            deaf.settimeout(0.2)
            with pytest.raises(TimeoutError):
                deaf.sendall(PIXEL * 500_000)
        quick = connect(stack, collector)
        quick.sendall(PIXEL)
        receive(quick, 1)


@pytest.mark.parametrize("ahead", [1, 2, 40, 400])
def test_a_body_behind_much_that_was_sent_ahead(collector: Collector, ahead: int) -> None:
    """Reading, once held, is taken up again for a body that has not come yet."""
    with ExitStack() as stack:
        client = connect(stack, collector)
        client.sendall((PIXEL[:-2] + b"X: " + b"a" * 400 + b"\r\n\r\n") * ahead + POST)
        receive(client, ahead)
        client.sendall(b"hello" + PIXEL)
        assert [answer.status for answer in answers(receive(client, 1))] == [204, 200]


@pytest.mark.parametrize("requests", [1, 2, 3, 50])
@pytest.mark.parametrize("last", [b"", b"GET /pix"])
def test_half_closed_at_once(collector: Collector, requests: int, last: bytes) -> None:
    """Whatever of it is whole is answered, and then the connection ends."""
    kinds = (PIXEL, b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", POST + b"hello")
    for first in range(len(kinds)):
        sent = b"".join(kinds[(first + number) % 3] for number in range(requests))
        assert collector.talk(sent + last, end=True).count(b"HTTP/1.1 ") == requests


def test_who_has_been_refused_may_still_send(collector: Collector) -> None:
    """The answer is read, although the client goes on sending."""
    with ExitStack() as stack:
        client = connect(stack, collector)
        client.sendall(b"GET /pixel.gif HTTP/1.1\nHost: a\n\n")
        client.sendall(b"x" * 100_000)
        assert client.recv(1_000).startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))  # as it arrives in pieces or at once


@pytest.mark.parametrize(
    ("line", "status"),
    [(b"GET  /pixel.gif HTTP/1.1", 400), (b"GET /pixel.gif", 505), (b"GET /pixel.gif HTTP/2.0", 505)],
)
def test_request_lines_that_llhttp_takes_and_we_do_not(collector: Collector, line: bytes, status: int) -> None:
    """Two blanks are a bad request; another version is another matter."""
    assert [answer.status for answer in collector.ask(line + b"\r\nHost: a\r\n\r\n")] == [status]


def test_a_refused_head_request_has_no_body(collector: Collector) -> None:
    """As RFC 9110 9.3.2 wants it, also when its body is too large."""
    found = collector.talk(b"HEAD /pixel.gif HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", wait=1)
    assert found.startswith(b"HTTP/1.1 413")
    assert found.endswith(b"\r\n\r\n")


def test_an_upgrade_behind_a_chunked_body_is_no_fault(collector: Collector) -> None:
    """The body is answered; nothing is raised."""
    chunked = b"POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    upgrade = PIXEL[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    [answer] = collector.ask(chunked + upgrade)
    assert (answer.status, answer.headers["connection"]) == (204, "close")
