"""Reloads and stops under load, as clients see them: nobody is refused, reset, or left without an answer."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pixelake.operate.listen import healthy
from pixelake.supervise import START_ATTEMPTS
from tests.certificates import Pair, make
from tests.crash.campaign import Server, children, settle

REQUEST = b"GET /pixel.gif?site=s.example&event_id=%d HTTP/1.1\r\nHost: p.example\r\n\r\n"


@dataclass
class Seen:
    """What the clients saw: answers by status, and everything else that happened to them."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    statuses: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    closes: int = 0
    ids: Iterator[int] = field(default_factory=itertools.count)


async def _visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen) -> bool:
    """One request; whether the connection stays."""
    writer.write(REQUEST % next(seen.ids))
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    seen.statuses[head[9:12].decode()] += 1
    leaves = b"connection: close" in head.lower()
    seen.closes += leaves
    return not leaves


async def _client(port: int, seen: Seen, secure: ssl.SSLContext | None, visits: int, pause: float) -> None:
    """Connections one after the other, with so many visits each, until told to stop."""
    while not seen.stop.is_set():
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=secure)
            for _ in range(visits):
                if not await _visit(reader, writer, seen) or seen.stop.is_set():
                    break
                await asyncio.sleep(pause)
            writer.close()
            with contextlib.suppress(ssl.SSLError):  # the farewell is no request
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError) as error:
            seen.faults[repr(error)] += 1
            await asyncio.sleep(0.05)


async def _under_load(port: int, secure: ssl.SSLContext | None, harm: Callable[[], None]) -> Seen:
    """Clients that stay, with and without pauses, and clients that come anew each time, while `harm` is done."""
    seen = Seen()
    kinds = [(10**9, 0.0)] * 4 + [(10**9, 0.2)] * 8 + [(1, 0.0)] * 4 + [(1, 0.02)] * 8
    clients = [asyncio.create_task(_client(port, seen, secure, visits, pause)) for visits, pause in kinds]
    await asyncio.to_thread(harm)
    seen.stop.set()
    await asyncio.wait_for(asyncio.gather(*clients), 30)
    return seen


class Secure(Server):
    """A server that speaks TLS if it has a pair."""

    def __init__(self, folder: Path, pair: Pair | None = None, workers: int = 2) -> None:
        super().__init__(folder / "data", folder / "log", workers)
        self._pair = pair

    def _command(self) -> list[str]:
        pair = self._pair
        return [
            *super()._command(),
            *("--answer-deadline", "30"),  # on a busy machine a hit may take longer than a person would wait
            *(["--tls-certificate", str(pair.certificate), "--tls-key", str(pair.key)] if pair else []),
        ]

    @property
    def collectors(self) -> set[int]:
        """The processes that take hits."""
        assert self._process is not None
        return set(children(self._process.pid, "collect"))

    def reload(self) -> None:
        """Ask for it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def exchange(self) -> None:
        """Ask for it and wait until others have come and the ones before have gone."""
        before = self.collectors
        assert len(before) == self._workers
        self.reload()
        until(lambda: len(self.collectors) == self._workers and not self.collectors & before)

    def serves(self) -> bool:
        """Whether all collectors are there, and one of them answers."""
        url = f"{'https' if self._pair else 'http'}://127.0.0.1:{self.port}"
        return len(self.collectors) == self._workers and healthy(url)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secure]:
    """A running server with two collectors."""
    made = Secure(tmp_path, make(tmp_path, "served") if request.param == "TLS" else None)
    made.start()
    try:
        until(made.serves)
        yield made
    finally:
        made.kill_all()


def test_a_reload_drops_nothing(server: Secure) -> None:
    """While all collectors are exchanged twice every request gets its 200, and every hit is in the lake once."""

    def harm() -> None:
        for _ in range(2):
            time.sleep(0.5)
            server.exchange()

    seen = asyncio.run(_under_load(server.port, server._pair.trusting if server._pair else None, harm))
    assert not seen.faults
    assert set(seen.statuses) == {"200"}
    assert seen.closes  # some were told to go, so it was a drain
    settle(server)
    status = server.status()
    assert status["in_lake"] == status["accepted"] == seen.statuses["200"]
    assert server.stop() == 0


def test_reloads_in_a_row(server: Secure) -> None:
    """Many hangups at once are no harm: they end in two collectors that serve."""
    before = server.collectors
    for _ in range(5):
        server.reload()
        time.sleep(0.1)
    until(lambda: len(server.collectors) == 2 and not server.collectors & before)
    seen = asyncio.run(_under_load(server.port, server._pair.trusting if server._pair else None, lambda: time.sleep(1)))
    assert not seen.faults
    assert server.stop() == 0


def test_a_stop_during_a_reload(server: Secure) -> None:
    """Successors that are about to serve end, too: in time, with exit status 0."""
    server.reload()
    until(lambda: len(server.collectors) > 2)
    assert server.stop() == 0


def test_a_kill_during_a_reload(server: Secure) -> None:
    """A collector that dies while its successor starts is replaced by it; there are two in the end."""
    before = server.collectors
    server.reload()
    until(lambda: len(server.collectors) > 2)
    for pid in before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    until(lambda: len(server.collectors) == 2 and not server.collectors & before)
    seen = asyncio.run(_under_load(server.port, server._pair.trusting if server._pair else None, lambda: time.sleep(1)))
    assert not seen.faults


def shown(port: int) -> bytes:
    """The certificate that the server shows."""
    return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", port)))


def test_certificates(tmp_path: Path) -> None:
    """A reload shows the new certificate; a broken one changes nothing, is said once, and can be put right."""
    pair, other = make(tmp_path, "served"), make(tmp_path, "other")
    server = Secure(tmp_path, pair, workers=1)
    server.start()
    log = tmp_path / "log"
    try:
        until(server.serves)
        old = pair.der
        assert shown(server.port) == old
        before = server.collectors
        pair.certificate.write_bytes(other.certificate.read_bytes())
        server.reload()
        until(lambda: "cannot reload" in log.read_text())
        assert log.read_text().count("does not belong") == 1
        assert server.collectors == before
        assert shown(server.port) == old
        pair.replace(other)
        server.exchange()
        assert shown(server.port) == other.der
    finally:
        server.kill_all()


def test_a_collector_that_dies_beside_a_broken_certificate(tmp_path: Path) -> None:
    """It is no reason to end everything: it starts again once the files are right."""
    pair = make(tmp_path, "served")
    server = Secure(tmp_path, pair, workers=1)
    server.start()
    try:
        until(server.serves)
        key = pair.key.read_bytes()
        pair.key.write_bytes(b"")
        for pid in server.collectors:
            os.kill(pid, signal.SIGKILL)
        until(lambda: (tmp_path / "log").read_text().count("holds no private key") > START_ATTEMPTS)
        pair.key.write_bytes(key)
        until(server.serves)
        assert shown(server.port) == pair.der
    finally:
        server.kill_all()


def test_an_idle_connection_of_a_stopping_server(tmp_path: Path) -> None:
    """What arrives on it within the grace is answered, and told to go; silent ones are closed, not reset."""
    command = [sys.executable, "-P", "-m", "pixelake", "collect", "--collect", "127.0.0.1:0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = next(line for line in iter(server.stdout.readline, "") if line.startswith("Pixel: "))
        address = ("127.0.0.1", int(line.rsplit(":", 1)[1].split("/")[0]))
        with socket.create_connection(address) as busy, socket.create_connection(address) as silent:
            for client in (busy, silent):
                client.settimeout(10)
                client.sendall(REQUEST % 1)
                assert b"HTTP/1.1 200" in client.recv(4_096)
            server.terminate()
            time.sleep(0.3)
            busy.sendall(REQUEST % 2)
            answer = busy.recv(4_096)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer.lower()
            assert silent.recv(1) == b""
        assert server.wait(10) == 0
