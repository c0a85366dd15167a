"""Kill everything in turn under load, or cut the power, and count: what got a 200 is in the lake exactly once.

Run by `scripts/crash` and `scripts/powercut`; in short forms by the tests
beside this file. Clients speak HTTP/1.1 over raw connections, each request
with an id of its own; an id counts as answered only with a whole 200 in hand.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

ROLES = ("collect", "consume", "web", "supervisor")
"""Who is killed, in turn."""
PATIENCE = 120.0
"""Seconds for the lake to catch up once the load is over."""


@dataclass
class Tally:
    """What the clients saw."""

    sent: int = 0
    answered: set[str] = field(default_factory=set)
    refused: int = 0
    broken: int = 0


@dataclass(frozen=True)
class Verdict:
    """What came of it. `lost` and `duplicated` must be 0, and `faults` empty."""

    sent: int
    answered: int
    in_lake: int
    lost: int
    duplicated: int
    faults: tuple[str, ...]
    kills: int

    def __str__(self) -> str:
        """One line, and one for each fault."""
        head = (
            f"sent {self.sent}, answered {self.answered}, in the lake {self.in_lake}, "
            f"lost {self.lost}, duplicated {self.duplicated}, {self.kills} kills or cuts"
        )
        return "\n".join([head, *(f"fault: {fault}" for fault in self.faults)])

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.faults)


class Server:
    """`pixelake serve` on one folder and one port, started again as often as it is killed."""

    def __init__(self, data: Path, log: Path, workers: int = 1) -> None:
        self.data, self._log, self._workers = data, log, workers
        self.port, self._web = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not answer yet. The port may still be held by children that are just dying."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)

    def _command(self) -> list[str]:
        listen = ["--collect", f"127.0.0.1:{self.port}", "--web", f"127.0.0.1:{self._web}"]
        others = ["--workers", str(self._workers), "--lake-window", "0.5", "--data", str(self.data)]
        return [sys.executable, "-P", "-m", "pixelake", "serve", *listen, *others]

    def keep_up(self) -> None:
        """Start it again if it has ended: a start may fail while the one before is dying."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self, role: str) -> bool:
        """SIGKILL one process of that role; False if there is none just now."""
        assert self._process is not None
        if role == "supervisor":
            self._process.kill()
            self._process.wait()
            return True
        pids = children(self._process.pid, role)
        for pid in pids[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def kill_all(self) -> None:
        """SIGKILL the supervisor and whatever it started."""
        if self._process is not None:
            pids = [pid for role in ROLES for pid in children(self._process.pid, role)]
            self._process.kill()
            self._process.wait()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and wait; the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def ask(self, *arguments: str) -> str:
        """What a command on the same folder prints."""
        command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def status(self) -> dict[str, float]:
        """What `pixelake status --json` says."""
        return json.loads(self.ask("status", "--json"))


def children(parent: int, role: str) -> list[int]:
    """The processes of that role below `parent`."""
    lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in lines.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and f"pixelake {role}" in args]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def send(port: int, ids: Iterator[str], tally: Tally, pause: float) -> None:
    """One client: a request after the other on one connection, a new connection whenever it breaks."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        try:
            for event_id in ids:
                if not await _send_one(reader, writer, event_id, tally):
                    break
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            else:
                return
        except (OSError, asyncio.IncompleteReadError):
            tally.broken += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _send_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, event_id: str, tally: Tally) -> bool:
    """Send one hit; whether the connection can be used again."""
    tally.sent += 1
    target = f"/pixel.gif?site=crash.example&event_id={event_id}"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: pixel\r\nUser-Agent: crash\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    if head.startswith(b"HTTP/1.1 200 "):
        tally.answered.add(event_id)
    else:
        tally.refused += 1
        await asyncio.sleep(0.02)
    return b"\r\nconnection: close" not in head.lower()


@dataclass(frozen=True)
class Load:
    """So many hits by so many clients, in about so many seconds."""

    hits: int
    connections: int
    seconds: float


async def bear(load: Load, port: int, tally: Tally, harm: Iterator[int]) -> int:
    """Send the load while `harm` runs to its end in a thread; what it counted last."""
    ids = (f"{random.getrandbits(96):024x}" for _ in range(load.hits))
    pause = load.seconds * load.connections / load.hits
    clients = asyncio.gather(*(send(port, ids, tally, pause) for _ in range(load.connections)))
    done = 0
    while count := await asyncio.to_thread(next, harm, 0):
        done = count
    await asyncio.wait_for(clients, load.seconds + PATIENCE)
    return done


def settle(server: Server) -> None:
    """Wait until nothing waits for the lake any more."""
    deadline = time.monotonic() + PATIENCE
    while server.status()["in_stream"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the lake does not catch up: {server.status()}")
        time.sleep(0.3)


def judge(server: Server, tally: Tally, kills: int) -> Verdict:
    """Compare what was answered with what is in the lake."""
    rows = json.loads(server.ask("sql", "select event_id, hit_id, duplicate from events", "--format", "json"))
    found: dict[str, int] = {}
    for row in rows:
        found[row["event_id"]] = found.get(row["event_id"], 0) + (not row["duplicate"])
    status = server.status()
    faults = []
    if len({row["hit_id"] for row in rows}) != len(rows):
        faults.append("a hit_id is there twice")
    if status["accepted"] != status["in_stream"] + status["settled"]:
        faults.append(f"hits do not add up: {status}")
    if status["outcomes"] != status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]:
        faults.append(f"outcomes do not add up: {status}")
    if status["in_lake"] != len(rows):
        faults.append(f"status counts {status['in_lake']} events, the lake has {len(rows)}")
    return Verdict(
        sent=tally.sent,
        answered=len(tally.answered),
        in_lake=len(rows),
        lost=sum(not found.get(event_id) for event_id in tally.answered),
        duplicated=sum(count > 1 for count in found.values()),
        faults=tuple(faults),
        kills=kills,
    )


def crash(folder: Path, hits: int, connections: int, kills: int, pause: float = 1.5) -> Verdict:
    """Kill each role in turn under load, `pause` seconds apart; then a clean start, and the count."""
    server = Server(folder / "data", folder / "log")
    return _campaign(server, Load(hits, connections, pause * kills), _kills(server, kills, pause))


def _kills(server: Server, kills: int, pause: float) -> Iterator[int]:
    for count in range(kills):
        time.sleep(pause * random.uniform(0.5, 1.5))
        while not server.kill(ROLES[count % len(ROLES)]):
            time.sleep(0.05)
            server.keep_up()
        server.keep_up()
        yield count + 1


def powercut(folder: Path, hits: int, connections: int, cuts: int, pause: float = 6.0) -> Verdict:
    """Cut the power of the disk under load, `pause` seconds apart; what was not synced is gone each time."""
    with Disk(folder).mounted() as disk:
        server = Server(disk.place / "data", folder / "log")
        return _campaign(server, Load(hits, connections, pause * cuts), _cuts(server, disk, cuts, pause))


def _cuts(server: Server, disk: "Disk", cuts: int, pause: float) -> Iterator[int]:
    for count in range(cuts):
        time.sleep(pause * random.uniform(0.5, 1.5))
        disk.cut()
        time.sleep(random.uniform(0.0, 0.3))  # a server may go on for a moment with a dead disk
        server.kill_all()
        disk.remount()
        server.start()
        yield count + 1


def _campaign(server: Server, load: Load, harm: Iterator[int]) -> Verdict:
    tally = Tally()
    server.start()
    try:
        done = asyncio.run(bear(load, server.port, tally, harm))
        server.kill_all()
        server.start()
        settle(server)
        verdict = judge(server, tally, done)
        status = server.stop()
    except BaseException:
        server.kill_all()
        raise
    return replace(verdict, faults=(*verdict.faults, f"the server stopped with {status}")) if status else verdict


class Disk:
    """A file system in a file, whose power can be cut (Linux, root). ext4 on a loop device."""

    SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN
    NO_LOG_FLUSH = 2  # what is not in the journal by now never gets there

    def __init__(self, folder: Path) -> None:
        self._image, self.place = folder / "disk.img", folder / "disk"

    @contextlib.contextmanager
    def mounted(self) -> Iterator["Disk"]:
        """The disk, empty; gone afterwards."""
        self.place.mkdir()
        with self._image.open("wb") as image:
            image.truncate(600 << 20)
        _run("mkfs.ext4", "-q", str(self._image))
        _run("mount", "-o", "loop", str(self._image), str(self.place))
        try:
            yield self
        finally:
            self._unmount()
            self.place.rmdir()
            self._image.unlink()

    def cut(self) -> None:
        """From now on nothing reaches the disk any more."""
        handle = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, self.SHUTDOWN, struct.pack("I", self.NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def remount(self) -> None:
        """The power is back."""
        self._unmount()
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def _unmount(self) -> None:
        """Dying processes may hold it for a moment."""
        for _ in range(100):
            if subprocess.run(["umount", str(self.place)], capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.1)
        _run("umount", str(self.place))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def why_no_power_cuts(folder: Path) -> str:
    """Why the power cannot be cut on this machine, or nothing."""
    if not sys.platform.startswith("linux") or os.geteuid():
        return "needs Linux and root"
    try:
        with Disk(folder).mounted() as disk:
            disk.cut()
    except (OSError, RuntimeError) as error:
        return f"no loop devices that can be shut down: {error}"
    return ""


def main() -> int:
    """Run one campaign by hand."""
    parser = argparse.ArgumentParser(prog="scripts/crash or scripts/powercut", description=__doc__)
    parser.add_argument("campaign", choices=["crash", "powercut"])
    parser.add_argument("--hits", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--times", type=int, help="kills (20) or cuts (3)")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look at it")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"pixelake-{chosen.campaign}-"))
    if chosen.campaign == "powercut" and (why := why_no_power_cuts(folder)):
        print(f"skipped: {why}")
        return 0
    print(f"in {folder}", flush=True)
    if chosen.campaign == "crash":
        verdict = crash(folder, chosen.hits, chosen.connections, chosen.times or 20)
    else:
        verdict = powercut(folder, chosen.hits, chosen.connections, chosen.times or 3)
    print(verdict)
    if verdict.good and not chosen.keep:
        shutil.rmtree(folder)
    return not verdict.good


if __name__ == "__main__":
    sys.exit(main())
