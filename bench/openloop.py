"""Requests at a constant rate, whether or not answers come back; latencies from when each was due.

A generator that waits for an answer before it sends the next request slows
down with the server and never sees the queue (coordinated omission). This one
has a timetable: request `n` is due at ``start + n / rate``, and its latency
counts from then, also when it was sent later, because the generator was behind
or all connections were taken. How late it was itself is reported beside it.

One thread, epoll, non-blocking sockets, keep-alive connections, one request at
a time on each. Prints one line of JSON (`Outcome`); times are in ms.

    bench/openloop.py --port 8080 --rate 1000 --seconds 10 [--connections 64] [--answered FILE]
"""

import argparse
import gc
import json
import resource
import secrets
import select
import socket
import time
from array import array
from collections import Counter, deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rig.traffic import ways

NAP: Final = 50e-6
"""Seconds between looks while something is due soon; the system adds about as much again."""
GRACE: Final = 3.0
"""Seconds behind the end of the timetable until what is not sent or not answered is given up."""
READ: Final = 65_536


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    Attributes:
        tag: what the event ids of this run begin with.
        sent: requests sent; all that were asked for, unless connections were missing until the end.
        answers: by status, and by reason where the server gives one: ``200``, ``503 undecided``.
        broken: connections that ended with a request on them, and requests without an answer at the end.
        rate: requests sent a second.
        p50, p99, p999, max: ms from when a request was due to its whole answer, of all answers.
        slowest_200: the same, at most, of those with status 200.
        late_p99, late_max: ms that requests were sent later than due.
        cpu: seconds that this program took.
    """

    tag: str
    sent: int
    answers: dict[str, int]
    broken: int
    rate: float
    p50: float
    p99: float
    p999: float
    max: float
    slowest_200: float
    late_p99: float
    late_max: float
    cpu: float


class Client:
    """A connection; `number` is the request on it, or -1."""

    __slots__ = ("buffer", "number", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.number = -1


class OpenLoop:
    """A run: the timetable, the connections, what came back."""

    def __init__(self, port: int, rate: float, count: int, connections: int) -> None:
        self.tag = secrets.token_hex(4)
        self._prefix = self.tag.encode() + b"-"
        self.answers: Counter[str] = Counter()
        self.broken = 0
        self.latencies = array("d")
        self.lateness = array("d")
        self.good = array("I")  # the numbers of those that were answered 200
        self.slowest_200 = 0.0
        self._port = port
        self._step = 1 / rate
        self._count = count
        self._requests = ways(f"127.0.0.1:{port}")
        self._poll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._free: deque[Client] = deque()
        self._whole = 0
        """Length of an answer with status 200: the next one has the same."""
        for _ in range(connections):
            self._connect()

    def run(self) -> float:
        """Send everything, wait for the answers; the seconds that sending took."""
        gc.disable()
        self._start = time.monotonic() + 0.01
        give_up = self._start + self._count * self._step + GRACE
        sent = 0
        ended = self._start
        while (sent < self._count or len(self.latencies) + self.broken < sent) and time.monotonic() < give_up:
            events = self._poll.poll(0)
            for handle, _ in events:
                self._receive(self._clients[handle])
            before = sent
            sent = self._send_due(sent)
            if before != sent:
                ended = time.monotonic()
            elif not events:
                time.sleep(NAP)
        self.broken += sum(client.number >= 0 for client in self._clients.values())
        return ended - self._start

    def _send_due(self, number: int) -> int:
        """Send what is due, as far as connections are free; the number of the next request."""
        now = time.monotonic()
        last = min(self._count, int((now - self._start) / self._step) + 1) if now >= self._start else 0
        while number < last and self._free:
            client = self._free.popleft()
            client.number = number
            before, after = next(self._requests)
            try:
                client.socket.sendall(b"%b%b%d%b" % (before, self._prefix, number, after))
            except OSError:
                self._lose(client)
            self.lateness.append(time.monotonic() - self._start - number * self._step)
            number += 1
        return number

    def _receive(self, client: Client) -> None:
        try:
            data = client.socket.recv(READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(client)
        elif len(data) == self._whole and not client.buffer and data.startswith(b"HTTP/1.1 200 "):
            self._answered(client, "200")
        else:
            client.buffer += data
            self._parse(client)

    def _parse(self, client: Client) -> None:
        head, end, body = client.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        if len(body) < int(headers.get("content-length", 0)):
            return
        answer = f"{status.split(' ')[1]} {headers.get('x-pixelake', '')}".strip()
        if answer == "200":
            self._whole = len(client.buffer)
        client.buffer = b""
        self._answered(client, answer)
        if headers.get("connection", "").lower() == "close":
            self._lose(client)

    def _answered(self, client: Client, answer: str) -> None:
        latency = time.monotonic() - self._start - client.number * self._step
        self.latencies.append(latency)
        self.answers[answer] += 1
        if answer == "200":
            self.good.append(client.number)
            self.slowest_200 = max(self.slowest_200, latency)
        client.number = -1
        self._free.append(client)

    def _connect(self) -> None:
        client = Client(self._port)
        self._clients[client.socket.fileno()] = client
        self._poll.register(client.socket, select.EPOLLIN)
        self._free.append(client)

    def _lose(self, client: Client) -> None:
        """The connection has ended; another takes its place."""
        if client.number >= 0:
            self.broken += 1
        else:
            self._free.remove(client)
        del self._clients[client.socket.fileno()]
        client.socket.close()
        self._connect()


def percentile(ordered: list[float], share: float) -> float:
    """The least value that at least this share of the values does not exceed (nearest rank), in ms; 0 of none."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] * 1e3 if ordered else 0.0


def outcome(loop: OpenLoop, seconds: float) -> Outcome:
    """The figures of a run that took `seconds`."""
    latencies, lateness = sorted(loop.latencies), sorted(loop.lateness)
    return Outcome(
        tag=loop.tag,
        sent=len(lateness),
        answers=dict(loop.answers),
        broken=loop.broken,
        rate=len(lateness) / seconds,
        p50=percentile(latencies, 0.5),
        p99=percentile(latencies, 0.99),
        p999=percentile(latencies, 0.999),
        max=percentile(latencies, 1),
        slowest_200=loop.slowest_200 * 1e3,
        late_p99=percentile(lateness, 0.99),
        late_max=percentile(lateness, 1),
        cpu=time.process_time(),
    )


def main() -> None:
    """Run, and print the outcome."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--answered", type=Path, help="write the event ids of all 200s here, one a line")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    count = max(1, round(options.rate * options.seconds))
    loop = OpenLoop(options.port, options.rate, count, options.connections)
    took = loop.run()
    if options.answered:
        options.answered.write_text("".join(f"{loop.tag}-{number}\n" for number in loop.good))
    print(json.dumps(asdict(outcome(loop, took))))


if __name__ == "__main__":
    main()
