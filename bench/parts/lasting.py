"""What lasts: connections that do nothing or nearly nothing, and load for minutes."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

from parts.options import Options
from rig.load import Run, wrk
from rig.meters import resident
from rig.proof import Ledger, Roll
from rig.servers import Server, pixelake, scratch
from rig.tables import say, spread, table
from rig.traffic import ways

ROUNDS: Final = 3
RATE: Final = 1_000.0
IDLE: Final = 5_000
SLOW: Final = 500
SETTLE: Final = 15.0
"""Seconds until the crowd is measured: longer than a server waits for a request."""
SAMPLES: Final = 20


def idle(options: Options) -> None:
    """Others' latency and the memory, without and with a crowd of connections."""
    with scratch() as folder:
        roll = Roll(folder)
        with pixelake(folder) as server:
            roll.call(server, RATE, 1)  # warm
            alone, small = _calls(server, roll, options), _memory(server)
            say(f"{IDLE:,} idle connections, {SLOW:,} slow ones")
            with _crowd(server.port) as crowd:
                time.sleep(SETTLE)
                among, large = _calls(server, roll, options), _memory(server)
                open_still, ended = crowd.still_open, crowd.ended
        proof = roll.check(folder / "data")
    rows = [["none", *_cells(alone), f"{small:.0f}"], [f"{IDLE:,} + {SLOW:,}", *_cells(among), f"{large:.0f}"]]
    table(
        f"{RATE:,.0f} hits/s among connections that are idle, and slow ones that send a byte a second",
        ["other connections", "not 200", "p50 ms", "p99 ms", "p99.9 ms", "memory MB"],
        rows,
    )
    print(
        f"\n{large - small:.0f} MB more; {open_still:,} of the idle ones were open at the end; "
        f"the server ended slow ones {ended:,} times, and each began anew. {proof}.",
        flush=True,
    )


def soak(options: Options) -> None:
    """Full load over 512 connections, and the memory meanwhile."""
    ledger = Ledger()
    seconds = options.minutes * 60
    rows = []
    with scratch() as folder:
        with pixelake(folder) as server, ThreadPoolExecutor(1) as pool:
            ledger.enter(wrk(server, 512, 2), 512)
            work = pool.submit(wrk, server, 512, seconds)
            began = time.monotonic()
            for number in range(SAMPLES + 1):
                time.sleep(max(0.0, began + number * seconds / SAMPLES - time.monotonic()))
                rows.append([f"{time.monotonic() - began:,.0f}", f"{_memory(server):.1f}", f"{_disk(server):,.0f}"])
                say(f"{rows[-1][0]} s: {rows[-1][1]} MB")
            run = ledger.enter(work.result(), 512)
        proof = ledger.check(folder / "data")
    table("Full load", ["s", "memory MB", "stream MB"], rows)
    print(f"\n{run.rate:,.0f} answers/s, CPU {run.cpu:.1f} µs/answer, p99 {run.p99:.1f} ms. {proof}.", flush=True)


class Crowd:
    """Connections that are held open after a first request, and slow ones that send a byte of a request each second.

    A slow one that the server ends, with or without an answer, begins anew.
    """

    def __init__(self, port: int) -> None:
        self.ended = 0
        """How often the server has ended a slow one."""
        self._port = port
        before, after = next(ways(f"127.0.0.1:{port}"))
        self._request = before + b"crowd" + after
        self._idle = [self._served() for _ in range(IDLE)]
        self._slow = [(self._connect(), 0) for _ in range(SLOW)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._trickle, name="trickle")
        self._thread.start()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port))

    def _served(self) -> socket.socket:
        client = self._connect()
        client.sendall(self._request)
        client.recv(4_096)
        return client

    def _trickle(self) -> None:
        while not self._stop.wait(1):
            self._slow = [self._one_byte(client, at) for client, at in self._slow]

    def _one_byte(self, client: socket.socket, at: int) -> tuple[socket.socket, int]:
        if _is_quiet(client):
            client.send(self._request[at : at + 1])
            return client, at + 1
        client.close()
        self.ended += 1
        return self._connect(), 0

    @property
    def still_open(self) -> int:
        """Idle connections that the server has not ended."""
        return sum(map(_is_quiet, self._idle))

    def close(self) -> None:
        """Let all of them go."""
        self._stop.set()
        self._thread.join()
        for client in [*self._idle, *(client for client, _ in self._slow)]:
            client.close()


@contextmanager
def _crowd(port: int) -> Iterator[Crowd]:
    crowd = Crowd(port)
    try:
        yield crowd
    finally:
        crowd.close()


def _is_quiet(client: socket.socket) -> bool:
    """Whether neither an answer nor the end of the connection has arrived."""
    try:
        client.recv(4_096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _calls(server: Server, roll: Roll, options: Options) -> list[Run]:
    return [roll.call(server, RATE, options.seconds) for _ in range(options.rounds or ROUNDS)]


def _cells(runs: list[Run]) -> list[str]:
    bad = sum(run.details["sent"] - run.details["answers"].get("200", 0) for run in runs)
    times = [[getattr(run, key) for run in runs] for key in ("p50", "p99", "p999")]
    return [f"{bad:,}", *(spread(values, ".2f") for values in times)]


def _memory(server: Server) -> float:
    """MB that all its processes hold."""
    return sum(map(resident, server.processes)) / 1e6


def _disk(server: Server) -> float:
    """MB of its data folder."""
    return sum(path.stat().st_size for path in (server.folder / "data").rglob("*") if path.is_file()) / 1e6
