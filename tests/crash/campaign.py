"""Kill everything in turn under load, or cut the power, and count: what got a 200 is in the lake exactly once.

Run by `scripts/crash` and `scripts/powercut`; in short forms by the tests
beside this file. Clients speak HTTP/1.1 over raw connections, each request
with an id of its own; an id counts as answered only with a whole 200 in hand.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pixelake import build, settings

ROLES = ("collect", "consume", "web")
"""What the supervisor starts."""
VICTIMS = ("collect", "consume", "supervisor", "collect", "web", "all")
"""Who is killed, in turn."""
PATIENCE = 120.0
"""Seconds for the lake to catch up once the load is over."""


@dataclass
class Tally:
    """What the clients saw.

    Attributes:
        answered: ids that got their 200 while there was power.
        late: ids that got it after the power had been cut, when nobody could have sent it.
        cut: grows when the power is cut, and when it is back: odd while there is none.
    """

    sent: int = 0
    answered: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    cut: int = 0
    refused: int = 0
    broken: int = 0


@dataclass(frozen=True)
class Verdict:
    """What came of it. `lost` and `duplicated` must be 0, and `faults` empty.

    Attributes:
        harm: what was done, how often.
        late: answers after the power had been cut, and how many of these are not in the lake. They are no part of the
            promise: a sync that is under way while FS_IOC_SHUTDOWN takes effect may return success for data that is
            gone. On Linux 6.18 a loop of nothing but pwrite and fdatasync, too, finds its last block missing after
            some of the cuts. Where the power is gone for good nobody is left to answer.
    """

    sent: int
    answered: int
    in_lake: int
    lost: int
    duplicated: int
    faults: tuple[str, ...]
    harm: Counter[str]
    late: tuple[int, int]

    def __str__(self) -> str:
        """A table of one row, what was done, and a line for each fault."""
        names = ("sent", "answered", "in_lake", "lost", "duplicated")
        head = "".join(f"{name.replace('_', ' '):>12}" for name in names)
        row = "".join(f"{getattr(self, name):>12,}" for name in names)
        done = f"{self.harm.total()} times: " + ", ".join(f"{what} {count}" for what, count in self.harm.items())
        if self.late[0]:
            done += f"\n{self.late[0]} answers after the power was cut are not counted, {self.late[1]} of them not kept"
        return "\n".join([head, row, done, *(f"fault: {fault}" for fault in self.faults)])

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.faults)


class Server:
    """`pixelake serve` on one folder and one port, started again as often as it is killed."""

    def __init__(self, data: Path, log: Path, workers: int = 1, more: Sequence[str] = ()) -> None:
        self.data, self._log, self._workers, self._more = data, log, workers, more
        self.port, self._web = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it may not answer yet. The port may still be held by children that are just dying."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log, start_new_session=True)

    def _command(self) -> list[str]:
        listen = ["--collect", f"127.0.0.1:{self.port}", "--web", f"127.0.0.1:{self._web}"]
        others = ["--workers", str(self._workers), "--lake-window", "0.5", "--data", str(self.data)]
        return [sys.executable, "-P", "-m", "pixelake", "serve", *listen, *others, *self._more]

    def children(self, role: str) -> list[int]:
        """The processes of that role, just now."""
        assert self._process is not None
        return children(self._process.pid, role)

    def keep_up(self) -> None:
        """Start it again if it has ended: a start may fail while the one before is dying."""
        if self._process is None or self._process.poll() is not None:
            self.start()

    def kill(self, role: str) -> bool:
        """SIGKILL one process of that role; False if there is none just now."""
        assert self._process is not None
        if role == "all":
            self.kill_all()
            return True
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
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def status(self) -> dict[str, float]:
        """What `pixelake status --json` says."""
        return json.loads(self.ask("status", "--json"))

    def waiting(self) -> int:
        """Hits that wait for the lake. Without a process of its own: who asks again and again would be all the load."""
        return build.status(settings.load({"data": str(self.data)})).in_stream


def children(parent: int, role: str) -> list[int]:
    """The processes of that role below `parent`."""
    lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in lines.splitlines()]
    return [int(pid) for pid, ppid, args in rows if int(ppid) == parent and f"pixelake {role}" in args]


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def send(port: int, tally: Tally, pause: float, over: asyncio.Event) -> None:
    """One client: a request after the other on one connection, a new connection whenever it breaks."""
    while not over.is_set():
        try:
            cut = tally.cut
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        try:
            goes_on = True
            while goes_on and not over.is_set():
                goes_on = await _send_one(reader, writer, tally, cut)
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        except (OSError, asyncio.IncompleteReadError):
            tally.broken += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _send_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally, cut: int) -> bool:
    """Send one hit on a connection that was opened after so many cuts; whether it can be used again."""
    event_id = f"{random.getrandbits(96):024x}"
    tally.sent += 1
    target = f"/pixel.gif?site=crash.example&event_id={event_id}"
    writer.write(f"GET {target} HTTP/1.1\r\nHost: pixel\r\nUser-Agent: crash\r\n\r\n".encode())
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    if head.startswith(b"HTTP/1.1 200 "):
        (tally.late if cut % 2 or cut != tally.cut else tally.answered).add(event_id)
    else:
        tally.refused += 1
        await asyncio.sleep(0.02)
    return b"\r\nconnection: close" not in head.lower()


@dataclass(frozen=True)
class Load:
    """So many hits a second by so many clients, as long as harm is done."""

    rate: float = 200.0
    connections: int = 50


Tell = Callable[[str], None]
"""Is told how far a campaign is, a line each."""


async def bear(load: Load, port: int, tally: Tally, harm: Iterator[str], tell: Tell) -> Counter[str]:
    """Send the load while `harm` runs to its end in a thread; what it did, how often."""
    over = asyncio.Event()
    pause = load.connections / load.rate
    clients = asyncio.gather(*(send(port, tally, pause, over) for _ in range(load.connections)))
    done: Counter[str] = Counter()
    while what := await asyncio.to_thread(next, harm, ""):
        done[what] += 1
        tell(f"{done.total():>4}  {what:<24} sent {tally.sent:,}, answered {len(tally.answered):,}")
    over.set()
    await asyncio.wait_for(clients, PATIENCE)
    return done


def settle(server: Server) -> None:
    """Wait until nothing waits for the lake any more."""
    deadline = time.monotonic() + PATIENCE
    while server.waiting():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the lake does not catch up: {server.status()}")
        time.sleep(0.1)


def judge(server: Server, tally: Tally, harm: Counter[str]) -> Verdict:
    """Compare what was answered with what is in the lake."""
    question = "select event_id, hit_id, duplicate from events"
    rows = json.loads(server.ask("sql", question, "--format", "json", "--sql-timeout", "500"))
    found: dict[str, int] = {}
    for row in rows:
        if row["event_id"] is None:  # of a task that counts its own
            continue
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
        harm=harm,
        late=(len(tally.late), sum(not found.get(event_id) for event_id in tally.late)),
    )


def _silent(_: str) -> None:
    pass


def crash(folder: Path, kills: int, load: Load, pause: float = 0.5, tell: Tell = _silent) -> Verdict:
    """Kill each victim in turn under load, some `pause` seconds after hits are answered again; then the count."""
    server, tally = Server(folder / "data", folder / "log"), Tally()
    return campaign_of(server, load, tally, _kills(server, tally, kills, pause), tell)


def _wait_for_answers(server: Server, tally: Tally) -> None:
    """Until hits are answered: harm that is done to a server which is just starting shows little."""
    before, deadline = len(tally.answered), time.monotonic() + PATIENCE
    while len(tally.answered) < before + 10:
        if time.monotonic() > deadline:
            raise RuntimeError("it does not answer any more")
        server.keep_up()
        time.sleep(0.02)


def _kills(server: Server, tally: Tally, kills: int, pause: float) -> Iterator[str]:
    for count in range(kills):
        _wait_for_answers(server, tally)
        time.sleep(pause * random.uniform(0.0, 2.0))
        victim = VICTIMS[count % len(VICTIMS)]
        while not server.kill(victim):
            time.sleep(0.05)
            server.keep_up()
        server.keep_up()
        yield victim


def powercut(folder: Path, cuts: int, load: Load, pause: float = 4.0, tell: Tell = _silent) -> Verdict:
    """Cut the power of the disk under load, `pause` seconds apart; what was not synced is gone each time.

    Raises:
        RuntimeError: the lake does not open afterwards.
    """
    with Disk(folder).mounted() as disk:
        server, tally = Server(disk.place / "data", folder / "log"), Tally()
        return campaign_of(server, load, tally, _cuts(server, disk, tally, cuts, pause), tell)


def _cuts(server: Server, disk: "Disk", tally: Tally, cuts: int, pause: float) -> Iterator[str]:
    for count in range(cuts):
        _wait_for_answers(server, tally)
        time.sleep(pause * random.uniform(0.5, 1.5))
        with contextlib.ExitStack() as beside:
            moment = MOMENTS[count % len(MOMENTS)](server.data / "lake", beside)
            tally.cut += 1
            disk.cut()
            time.sleep(random.uniform(0.0, 0.3))  # a server may go on for a moment with a dead disk
            server.kill_all()
        disk.remount()
        tally.cut += 1
        server.start()
        _wait_for_the_lake(server)
        yield moment


def at_any_moment(_: Path, __: contextlib.ExitStack) -> str:
    """Now."""
    return "at any moment"


def in_a_lake_commit(lake: Path, _: contextlib.ExitStack) -> str:
    """Between a new data file of the events and the entry of the log that names it, if we catch it."""
    deadline = time.monotonic() + 10
    files, entries = _count(lake, "events/year=*/**/*.parquet*"), _count(lake, "events/_delta_log/*.json")
    while _count(lake, "events/year=*/**/*.parquet*") <= files and time.monotonic() < deadline:
        time.sleep(0.0005)
    time.sleep(random.choice([0.0, 0.002, 0.005, 0.01]))
    return "in a lake commit" if _count(lake, "events/_delta_log/*.json") == entries else "after a lake commit"


def in_a_compaction(lake: Path, beside: contextlib.ExitStack) -> str:
    """While an hour's files are made one, from the new file on."""
    command = [sys.executable, "-m", "pixelake", "maintain", "compact", "--data", str(lake.parent)]
    before = _count(lake, "events/year=*/**/packed-*")
    packer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    beside.callback(packer.wait)
    beside.callback(packer.kill)
    while _count(lake, "events/year=*/**/packed-*") == before and packer.poll() is None:
        time.sleep(0.0005)
    time.sleep(random.choice([0.0, 0.002, 0.005, 0.01]))
    return "in a compaction" if packer.poll() is None else "after a compaction"


def in_a_vacuum(lake: Path, beside: contextlib.ExitStack) -> str:
    """While replaced files and old entries of the log are removed, from the first one on, if there are any."""
    options = ["--lake-history", "60", "--data", str(lake.parent)]
    command = [sys.executable, "-m", "pixelake", "maintain", "vacuum", *options]
    before = _count(lake, "events/year=*/**/part-*") + _count(lake, "events/_delta_log/*.json")
    sweeper = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    beside.callback(sweeper.wait)
    beside.callback(sweeper.kill)
    there = before
    while there >= before and sweeper.poll() is None:
        before, there = max(before, there), _count(lake, "events/year=*/**/part-*")
        there += _count(lake, "events/_delta_log/*.json")
    time.sleep(random.choice([0.0, 0.001, 0.003, 0.01]))
    return "in a vacuum" if sweeper.poll() is None else "after a vacuum"


def _count(folder: Path, pattern: str) -> int:
    return sum(1 for _ in folder.glob(pattern))


MOMENTS = (at_any_moment, in_a_lake_commit, in_a_compaction, in_a_vacuum)
"""When the power is cut, in turn: each waits for its moment and names it."""


def _wait_for_the_lake(server: Server) -> None:
    """Until the lake can be read: a broken end of it is set aside by the consumer first."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.ask("sql", "select count(*) from events")
        except RuntimeError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the lake does not open after a power cut: {error}") from error
            time.sleep(0.2)
            server.keep_up()
        else:
            return


def campaign_of(server: Server, load: Load, tally: Tally, harm: Iterator[str], tell: Tell) -> Verdict:
    """Start the server, do harm to its end under load, let it settle, and count."""
    server.start()
    try:
        done = asyncio.run(bear(load, server.port, tally, harm, tell))
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
        self._mount()
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
        """The power is back.

        As long as anybody's mount namespace still has the old mount, mounting again gives the dead file system back:
        then a copy of the disk is mounted in its place.
        """
        self._unmount()
        self._mount()
        if self._is_dead():
            self._unmount()
            dead, self._image = self._image, self._image.with_name(f"disk-{time.monotonic_ns()}.img")
            _run("cp", "--sparse=always", str(dead), str(self._image))
            dead.unlink()
            self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", str(self._image), str(self.place))

    def _is_dead(self) -> bool:
        try:
            (self.place / "probe").touch()
            (self.place / "probe").unlink()
        except OSError:
            return True
        return False

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
