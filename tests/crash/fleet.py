"""A collector with several workers, and several consumers on its partitions, to be killed and stopped; its clients."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pixelake import build
from pixelake import settings as chosen
from pixelake.warehouse.sums import LakeReader
from tests.crash.campaign import PATIENCE, children, free_port

CONSUME = "from pixelake import build, settings; build.ROLES['consume'](settings.load(), None, lambda: None)"
"""A consumer without the lock that lets a folder have one only."""
WINDOWS = {"LAKE_WINDOW": "0.3", "FILES_WINDOW": "0.4", "LIVE_WINDOW": "0.2"}
SITE = "crash.example"
ELEMENTS = 5
"""Events of a POST: they come into view together or not at all."""
KINDS = ("pixel", "pixel", "pixel", "post", "badge")
"""Of requests, as often as each comes."""

Process = subprocess.Popen[bytes]


@dataclass
class Sent:
    """What the clients know of each event id: how often it was sent, and how often it got a whole 200."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)


class Fleet:
    """The processes of one data folder. Consumers are started again whenever they are killed.

    Args:
        folder: for the data and the log.
        workers: of the collector; each makes a partition.
        consumers: how many there should be.
        files: the format of the plain files.
        settings: of all processes, as in the environment, without the prefix.
    """

    def __init__(
        self,
        folder: Path,
        workers: int,
        consumers: int,
        files: str = "json.gz",
        settings: Mapping[str, str] = WINDOWS,
    ) -> None:
        self.data, self.port, self.files = folder / "data", free_port(), files
        self.log, self._workers, self._count = folder / "log", workers, consumers
        own = {"DATA": str(self.data), "FILES_FORMAT": files, **settings}
        self._environment = os.environ | {f"PIXELAKE_{name}": value for name, value in own.items()}
        self._collector: Process | None = None
        self.consumers: list[Process] = []

    @contextlib.contextmanager
    def running(self) -> Iterator["Fleet"]:
        """The collector, and then the consumers; stopped at the end."""
        try:
            self._start_collector()
            self.keep_up()
            yield self
        finally:
            self.stop()

    def _start_collector(self) -> None:
        listen = ["--collect", f"127.0.0.1:{self.port}", "--workers", str(self._workers)]
        self._collector = self._run([sys.executable, "-P", "-m", "pixelake", "collect", *listen])
        until("the collector is ready", self._is_ready)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ready", timeout=5) as answer:
                return answer.status == 200 and len(self._workers_now()) == self._workers
        except (urllib.error.URLError, OSError):
            return False

    def _run(self, command: list[str]) -> Process:
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=self._environment)

    def keep_up(self) -> None:
        """As many consumers as there should be."""
        self.consumers = [each for each in self.consumers if each.poll() is None]
        while len(self.consumers) < self._count:
            self.consumers.append(self._run([sys.executable, "-P", "-c", CONSUME]))

    def add_consumer(self) -> Process:
        """One more."""
        self._count += 1
        self.keep_up()
        return self.consumers[-1]

    def kill_consumer(self, victim: Process | None = None) -> None:
        """SIGKILL one of them, and start another one."""
        victim = victim or random.choice(self.consumers)
        victim.kill()
        victim.wait()
        self.keep_up()

    def kill_worker(self) -> bool:
        """SIGKILL a worker of the collector, which is started again by its supervisor; False if there is none now."""
        pids = self._workers_now()
        for pid in random.sample(pids, min(1, len(pids))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def _workers_now(self) -> list[int]:
        assert self._collector is not None
        return children(self._collector.pid, "collect")

    def held_by(self, consumer: Process) -> list[str]:
        """The partitions that a consumer reads."""
        held = {_inode(handle) for handle in Path(f"/proc/{consumer.pid}/fd").iterdir()}
        locks = (self.data / "stream").glob("[!.]*/reader-consume.lock")
        return sorted(lock.parent.name for lock in locks if _inode(lock) in held)

    def has_open(self, consumer: Process, name: str) -> bool:
        """Whether a consumer has a file of that name open."""
        handles = Path(f"/proc/{consumer.pid}/fd").iterdir()
        return any(path.name == name for path in map(_target, handles))

    def take_from(self, consumer: Process, most: int | None = None) -> list[str]:
        """Take partitions from a consumer, as a broker does from one it does not hear of: with new locks.

        Who held an old one goes on as if nothing had happened, beside whoever takes the new one.
        """
        taken = self.held_by(consumer)[:most]
        for name in taken:
            (self.data / "stream" / name / "reader-consume.lock").unlink(missing_ok=True)
        return taken

    @contextlib.contextmanager
    def reserved(self, partition: str) -> Iterator[None]:
        """Keep a partition from being read by anybody."""
        with (self.data / "stream" / partition / "reader-consume.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def partitions(self) -> list[str]:
        """Those that are there; not those that are being made."""
        return sorted(path.parent.name for path in (self.data / "stream").glob("[!.]*/owner.lock"))

    def stop(self) -> None:
        """SIGTERM to all; SIGKILL to who does not end."""
        everybody = [each for each in (*self.consumers, self._collector) if each is not None]
        for each in everybody:
            each.send_signal(signal.SIGCONT)
            each.terminate()
        for each in everybody:
            try:
                each.wait(30)
            except subprocess.TimeoutExpired:
                each.kill()
                each.wait()

    def status(self) -> Mapping[str, Any]:
        """What `pixelake status --json` says."""
        return json.loads(self.ask("status", "--json"))

    def ask(self, *arguments: str) -> str:
        """What a command on the same folder prints."""
        done = self.try_to_ask(*arguments)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def try_to_ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a command on the same folder does."""
        command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)

    def settle(self) -> None:
        """Wait until nothing waits for any sink any more."""
        deadline = time.monotonic() + PATIENCE
        while build.status(chosen.load({"data": str(self.data)})).in_stream or self.behind():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the sinks do not catch up: {self.status()}, {self.behind()}")
            self.keep_up()
            time.sleep(0.1)

    def behind(self) -> Mapping[str, Any]:
        """The positions of sinks that are not those of the lake."""
        others = {name: positions(self.data, name) for name in ("live", "badges")}
        if self.files != "off":
            others["files"] = dict(json.loads((self.data / "files" / "_commit.json").read_bytes())[1])
        lake = {name: each.position for name, each in LakeReader(self.data / "lake").progress().items()}
        return {name: found for name, found in others.items() if found != lake}


def until(what: str, happens: Any, patience: float = PATIENCE) -> None:
    """Wait until it happens.

    Raises:
        RuntimeError: it does not.
    """
    deadline = time.monotonic() + patience
    while not happens():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(0.02)


def _target(handle: Path) -> Path:
    with contextlib.suppress(OSError):
        return handle.readlink()
    return handle


def _inode(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def positions(data: Path, store: str) -> dict[str, int]:
    """How far the store of that name (``live`` or ``badges``) is."""
    with contextlib.closing(sqlite3.connect(data / "live" / f"{store}.sqlite", timeout=30)) as database:
        return dict(database.execute("select partition, position from positions"))


AGAIN = 0.1
"""How many of the requests are sent again, on another connection: half of them because the client hung up before the
answer, half because it came and got lost."""


async def client(port: int, sent: Sent, rate: float, over: asyncio.Event) -> None:
    """Hits one after the other, so many a second at most, each on its own connection; again if there is no answer."""
    while not over.is_set():
        event_id = f"{random.getrandbits(96):024x}"
        kind = random.choice(KINDS)
        again = random.random() < AGAIN
        answered = await _request(port, sent, event_id, kind, again and random.random() < 0.5)
        while again or not answered:
            again = False
            answered = await _request(port, sent, event_id, kind, False)
            if not answered:
                await asyncio.sleep(0.05)
                if over.is_set():
                    break
        await asyncio.sleep(random.uniform(0.5, 1.5) / rate)


async def _request(port: int, sent: Sent, event_id: str, kind: str, hangs_up: bool) -> bool:
    """Send a hit on a connection of its own; whether it was answered with 200."""
    ids = [f"{event_id}.{n}" for n in range(ELEMENTS)] if kind == "post" else [event_id]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        sent.sent.update(ids)
        writer.write(_message(ids, kind))
        await writer.drain()
        if hangs_up:
            await asyncio.sleep(random.choice([0.0, 0.001, 0.01]))
            return False
        answer = await asyncio.wait_for(reader.read(), 10)
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
    good = answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 204 ")) and b"\r\n\r\n" in answer
    if good:
        sent.answered.update(ids)
    return good


async def flow(port: int, sent: Sent, rate: float, over: asyncio.Event) -> None:
    """So many pixels a second on one connection, whether they are answered or not; at the end, until all are.

    Raises:
        OSError, asyncio.IncompleteReadError: the connection broke.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waiting: deque[str] = deque()
    sending = asyncio.create_task(_send(writer, waiting, sent, rate, over))
    try:
        while waiting or not sending.done():
            if not waiting:
                await asyncio.sleep(0.01)
                continue
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(length)
            event_id = waiting.popleft()
            sent.answered[event_id] += head.startswith(b"http/1.1 200 ")
        await sending
    finally:
        sending.cancel()
        writer.close()


async def _send(
    writer: asyncio.StreamWriter, waiting: deque[str], sent: Sent, rate: float, over: asyncio.Event
) -> None:
    began, count = time.monotonic(), 0
    while not over.is_set():
        due = int((time.monotonic() - began) * rate) - count
        ids = [f"{random.getrandbits(96):024x}" for _ in range(due)]
        count += due
        waiting.extend(ids)
        sent.sent.update(ids)
        writer.writelines(_message([each], "pixel").replace(b"Connection: close\r\n", b"") for each in ids)
        await writer.drain()
        await asyncio.sleep(0.02)


def _message(ids: list[str], kind: str) -> bytes:
    rest = "Host: pixel\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
    rest += "Connection: close\r\n"
    if kind == "post":
        body = json.dumps([{"site": SITE, "event": "many", "event_id": each} for each in ids]).encode()
        return f"POST /events HTTP/1.1\r\n{rest}Content-Length: {len(body)}\r\n\r\n".encode() + body
    more = "&event=badge" if kind == "badge" else f"&url=https://{SITE}/{ids[0][:2]}"
    return f"GET /pixel.gif?site={SITE}&event_id={ids[0]}{more} HTTP/1.1\r\n{rest}\r\n".encode()
