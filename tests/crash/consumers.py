"""Kill consumers in the middle of their writes, stop them for a while, take their lake away; and count.

Run by `scripts/crash --consumers` and `scripts/crash --away`; in short forms by
the tests beside this file. One `pixelake collect` with several workers takes
the hits, several consumers share its partitions, with every sink there is.
Some requests are sent again on another connection, with the same event id,
because their answer was lost.
"""

import asyncio
import contextlib
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.campaign import PATIENCE, Load, Tell, _free_port, children

CONSUME = "from pixelake import build, settings; build.consume(settings.load(), None, lambda: None)"
"""A consumer without the lock that lets a folder have one only."""
WINDOWS = {"LAKE_WINDOW": "0.3", "FILES_WINDOW": "0.4", "LIVE_WINDOW": "0.2", "FILES_FORMAT": "json.gz"}
ELEMENTS = 5
"""Events of a POST: they come into view together or not at all."""


@dataclass
class Sent:
    """What the clients know.

    Attributes:
        sent: how often each event id was sent.
        answered: how often it got a whole 200.
    """

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Result:
    """What came of it. All counts but `answered`, `events` and `repeats` must be 0, and `faults` empty.

    Attributes:
        answered: event ids with an answer.
        events: rows in the lake.
        repeats: of these marked `duplicate`.
        lost: event ids that were answered and are not in the lake, or not as often as they were answered.
        duplicated: event ids that count more than once.
        half_visible: looks at which a hit's elements, or the sums, were not whole.
    """

    answered: int
    events: int
    repeats: int
    lost: int
    duplicated: int
    half_visible: int
    faults: tuple[str, ...]
    harm: Counter[str]

    def __str__(self) -> str:
        names = ("answered", "events", "repeats", "lost", "duplicated", "half_visible")
        head = "".join(f"{name.replace('_', ' '):>14}" for name in names)
        row = "".join(f"{getattr(self, name):>14,}" for name in names)
        done = f"{self.harm.total()} times: " + ", ".join(f"{what} {count}" for what, count in self.harm.items())
        return "\n".join([head, row, done, *(f"fault: {fault}" for fault in self.faults)])

    @property
    def good(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.half_visible or self.faults)


class Fleet:
    """A collector with several workers, and consumers that are started again whenever they are killed."""

    def __init__(self, folder: Path, workers: int, consumers: int) -> None:
        self.data, self.port = folder / "data", _free_port()
        self._log, self._workers, self._count = folder / "log", workers, consumers
        self._collector: subprocess.Popen[bytes] | None = None
        self.consumers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the collector, and then the consumers."""
        listen = ["--collect", f"127.0.0.1:{self.port}", "--workers", str(self._workers), "--data", str(self.data)]
        self._collector = self._run([sys.executable, "-P", "-m", "pixelake", "collect", *listen])
        deadline = time.monotonic() + PATIENCE
        while len(list((self.data / "stream").glob("*/owner.lock"))) < self._workers:
            if time.monotonic() > deadline or self._collector.poll() is not None:
                raise RuntimeError(f"the collector does not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.05)
        self.keep_up()

    def _run(self, command: list[str]) -> subprocess.Popen[bytes]:
        more = {f"PIXELAKE_{name}": value for name, value in WINDOWS.items()} | {"PIXELAKE_DATA": str(self.data)}
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, env=os.environ | more)

    def keep_up(self) -> None:
        """As many consumers as there should be."""
        self.consumers = [each for each in self.consumers if each.poll() is None]
        while len(self.consumers) < self._count:
            self.consumers.append(self._run([sys.executable, "-P", "-c", CONSUME]))

    def kill_consumer(self) -> None:
        """SIGKILL one of them, and start another one."""
        victim = random.choice(self.consumers)
        victim.kill()
        victim.wait()
        self.keep_up()

    def kill_worker(self) -> bool:
        """SIGKILL a worker of the collector, which is started again by its supervisor; False if there is none now."""
        assert self._collector is not None
        pids = children(self._collector.pid, "collect")
        for pid in random.sample(pids, min(1, len(pids))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def part_with(self, consumer: subprocess.Popen[bytes]) -> None:
        """Take all partitions from a consumer, as a broker does from one it does not hear of: with new locks.

        Those of others go on under their old ones, which nobody else can have.
        """
        for lock in (self.data / "stream").glob("*/reader-consume.lock"):
            inode = str(lock.stat().st_ino)
            handles = Path(f"/proc/{consumer.pid}/fd")
            if any(_inode(handle) == inode for handle in handles.iterdir()):
                lock.unlink()

    def stop(self) -> None:
        """SIGTERM to all; SIGKILL to who does not end."""
        for each in [*self.consumers, self._collector]:
            if each is not None:
                each.send_signal(signal.SIGCONT)
                each.terminate()
        for each in [*self.consumers, self._collector]:
            if each is not None:
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
        command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def _inode(handle: Path) -> str:
    try:
        return str(handle.stat().st_ino)
    except OSError:
        return ""


async def client(port: int, sent: Sent, pause: float, over: asyncio.Event) -> None:
    """Hits one after the other; one in ten loses its answer or comes again, on another connection."""
    while not over.is_set():
        event_id = f"{random.getrandbits(96):024x}"
        kind = random.choice(("pixel", "pixel", "pixel", "post"))
        again = random.random() < 0.1
        loses_answer = again and random.random() < 0.5
        answered = await _request(port, sent, event_id, kind, loses_answer)
        while (again or not answered) and not over.is_set():
            again = False
            answered = await _request(port, sent, event_id, kind, False)
            if not answered:
                await asyncio.sleep(0.05)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))


async def _request(port: int, sent: Sent, event_id: str, kind: str, loses_answer: bool) -> bool:
    """Send a hit on a connection of its own; whether it was answered with 200."""
    ids = [event_id] if kind == "pixel" else [f"{event_id}.{n}" for n in range(ELEMENTS)]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    try:
        sent.sent.update(ids)
        writer.write(_head(ids, kind))
        await writer.drain()
        if loses_answer:
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


def _head(ids: list[str], kind: str) -> bytes:
    if kind == "pixel":
        target = f"/pixel.gif?site=crash.example&event_id={ids[0]}&url=https://crash.example/{ids[0][:2]}"
        return f"GET {target} HTTP/1.1\r\nHost: pixel\r\nUser-Agent: crash\r\nConnection: close\r\n\r\n".encode()
    body = json.dumps([{"site": "crash.example", "event": "many", "event_id": each} for each in ids]).encode()
    length = len(body)
    head = f"POST /events HTTP/1.1\r\nHost: p\r\nUser-Agent: crash\r\nConnection: close\r\nContent-Length: {length}"
    return f"{head}\r\n\r\n".encode() + body


class Looker:
    """Looks at the lake as often as asked, in this process: what is in view must be whole at every moment."""

    def __init__(self, data: Path) -> None:
        from pixelake.warehouse.lake import LakeReader

        self._reader, self._lake = LakeReader(data / "lake"), data / "lake"
        self.half_visible, self.looks = 0, 0

    def look(self) -> None:
        """Both sums of one moment, and the elements of each hit of one snapshot."""
        from pixelake.errors import LakeUnavailable, QueryError
        from pixelake.warehouse.query import Lakehouse

        question = f"""
            select count(*) from (
              select regexp_extract(hit_id, '^[^.]*') as hit, count(*) as n
              from events where event = 'many' group by 1 having n <> {ELEMENTS})"""
        try:
            sums = self._reader.sums()
            with Lakehouse(self._lake) as house:
                torn = house.sql(question).column(0)[0].as_py()
        except (LakeUnavailable, QueryError):
            return  # there is none yet
        self.looks += 1
        self.half_visible += (not sums.holds) + torn


def crash(
    folder: Path, kills: int, load: Load, *, workers: int = 4, consumers: int = 2, pause: float = 0.4, tell: Tell
) -> Result:
    """Kill consumers and workers, each at another moment, and let some sleep while others take over; then count."""
    fleet, sent = Fleet(folder, workers, consumers), Sent()
    fleet.start()
    looker = Looker(fleet.data)
    try:
        harm = asyncio.run(_bear(load, fleet, sent, _harm(fleet, looker, kills, pause), tell))
        fleet.keep_up()
        settle(fleet)
        looker.look()
        return judge(fleet, sent, harm, looker)
    finally:
        fleet.stop()


async def _bear(load: Load, fleet: Fleet, sent: Sent, harm: Iterator[str], tell: Tell) -> Counter[str]:
    over = asyncio.Event()
    pause = load.connections / load.rate
    clients = asyncio.gather(*(client(fleet.port, sent, pause, over) for _ in range(load.connections)))
    done: Counter[str] = Counter()
    try:
        while what := await asyncio.to_thread(next, harm, ""):
            done[what] += 1
            tell(f"{done.total():>4}  {what:<28} sent {sent.sent.total():,}, answered {sent.answered.total():,}")
    finally:
        over.set()
        await asyncio.wait_for(clients, PATIENCE)
    return done


def at_any_moment(_: Path) -> str:
    """Now."""
    return "at any moment"


def _when(path: Path, pattern: str, found: Callable[[set[Path]], bool], seconds: float = 3.0) -> None:
    """Wait until what matches `pattern` is so, looking every half a millisecond."""
    deadline = time.monotonic() + seconds
    while not found(set(path.glob(pattern))) and time.monotonic() < deadline:
        time.sleep(0.0005)


def in_a_lake_write(data: Path) -> str:
    """When a new data file of the events is there, before or while the log names it."""
    pattern = "lake/events/year=*/*/*/*/*.parquet*"
    before = set(data.glob(pattern))
    _when(data, pattern, lambda now: bool(now - before))
    time.sleep(random.choice([0.0, 0.001, 0.003, 0.006]))
    return "in a lake write"


def in_a_write_of_files(data: Path) -> str:
    """When files are staged, before or while they come into view."""
    _when(data, "files/_staged/*", bool)
    time.sleep(random.choice([0.0, 0.0005, 0.002, 0.004]))
    return "in a write of files"


def in_a_live_write(data: Path) -> str:
    """When the log of the live store changes."""
    log = data / "live" / "live.sqlite-wal"
    with contextlib.suppress(OSError):
        before, deadline = log.stat().st_mtime_ns, time.monotonic() + 2
        while log.stat().st_mtime_ns == before and time.monotonic() < deadline:
            time.sleep(0.0005)
    time.sleep(random.choice([0.0, 0.0005, 0.002]))
    return "in a live write"


MOMENTS = (in_a_lake_write, in_a_write_of_files, at_any_moment, in_a_live_write)


def _harm(fleet: Fleet, looker: Looker, kills: int, pause: float) -> Iterator[str]:
    """Each eighth time a worker of the collector dies, each fifteenth a consumer sleeps while others take over."""
    for count in range(kills):
        time.sleep(pause * random.uniform(0.2, 1.8))
        if count % 15 == 7:
            yield _zombie(fleet, random.uniform(1.5, 4.0))
        elif count % 8 == 5:
            yield "worker" if fleet.kill_worker() else "no worker just now"
        else:
            moment = MOMENTS[count % len(MOMENTS)](fleet.data)
            fleet.kill_consumer()
            yield f"consumer {moment}"
        if count % 3 == 0:
            looker.look()
        fleet.keep_up()


def _zombie(fleet: Fleet, seconds: float) -> str:
    """A consumer that is stopped in the middle of whatever it does; others take over; then it goes on."""
    sleeper = random.choice(fleet.consumers)
    sleeper.send_signal(signal.SIGSTOP)
    fleet.part_with(sleeper)
    time.sleep(seconds)
    sleeper.send_signal(signal.SIGCONT)
    return "zombie"


def settle(fleet: Fleet) -> None:
    """Wait until nothing waits for any sink any more."""
    deadline = time.monotonic() + PATIENCE
    while fleet.status()["in_stream"] or _behind(fleet.data):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the sinks do not catch up: {fleet.status()}, {_behind(fleet.data)}")
        fleet.keep_up()
        time.sleep(0.3)


def _behind(data: Path) -> Mapping[str, Any]:
    """The positions of sinks that are not those of the lake."""
    from pixelake.warehouse.lake import LakeReader

    lake = {name: each.position for name, each in LakeReader(data / "lake").progress().items()}
    others = {"live": live_positions(data), "files": commit_of(data)}
    return {name: found for name, found in others.items() if found != lake}


def live_positions(data: Path) -> dict[str, int]:
    """Of the live store."""
    with contextlib.closing(sqlite3.connect(data / "live" / "live.sqlite", timeout=30)) as database:
        return dict(database.execute("select partition, position from positions"))


def commit_of(data: Path) -> dict[str, int]:
    """The positions of the plain files."""
    return dict(json.loads((data / "files" / "_commit.json").read_bytes())[1])


def judge(fleet: Fleet, sent: Sent, harm: Counter[str], looker: Looker) -> Result:
    """Compare what was answered with what is in each sink."""
    question = "select event_id, hit_id, duplicate from events"
    rows = json.loads(fleet.ask("sql", question, "--format", "json", "--sql-timeout", "500"))
    there = Counter(row["event_id"] for row in rows)
    counted = Counter(row["event_id"] for row in rows if not row["duplicate"])
    status, faults = fleet.status(), []
    if len({row["hit_id"] for row in rows}) != len(rows):
        faults.append("a hit_id is there twice")
    if status["accepted"] != status["in_stream"] + status["settled"]:
        faults.append(f"hits do not add up: {status}")
    if status["outcomes"] != status["in_lake"] + status["rejected"] + status["withheld"] + status["removed"]:
        faults.append(f"outcomes do not add up: {status}")
    if too_many := [each for each, count in there.items() if count > sent.sent[each]]:
        faults.append(f"{len(too_many)} event ids are there more often than they were sent")
    faults += _of_files(fleet.data, rows)
    faults += _of_live(fleet.data, len(rows), sum(row["duplicate"] for row in rows))
    return Result(
        answered=len(sent.answered),
        events=len(rows),
        repeats=sum(bool(row["duplicate"]) for row in rows),
        lost=sum(there[each] < count for each, count in sent.answered.items()),
        duplicated=sum(counted[each] != 1 for each in there),
        half_visible=looker.half_visible,
        faults=tuple(faults),
        harm=harm,
    )


def _of_files(data: Path, rows: list[dict[str, Any]]) -> list[str]:
    """The plain files must have the same rows as the lake."""
    found: list[tuple[str, bool]] = []
    for path in (data / "files" / "events").rglob("*.json.gz"):
        lines = gzip.decompress(path.read_bytes()).splitlines()
        found += [(row["hit_id"], row["duplicate"]) for row in map(json.loads, lines)]
    if sorted(found) == sorted((row["hit_id"], row["duplicate"]) for row in rows):
        return []
    return [f"the files have {len(found)} rows, {len(set(found))} different ones; the lake has {len(rows)}"]


def _of_live(data: Path, events: int, repeats: int) -> list[str]:
    with contextlib.closing(sqlite3.connect(data / "live" / "live.sqlite", timeout=30)) as database:
        found = dict(database.execute("select name, sum(count) from minutes group by name"))
        listed = database.execute("select coalesce(sum(count), 0) from lists where name = 'event'").fetchone()[0]
    wrong = []
    if (found.get("hits", 0), found.get("duplicates", 0)) != (events, repeats):
        wrong.append(f"the live store counts {found}; the lake has {events} events, {repeats} of them repeats")
    if listed != events - repeats:
        wrong.append(f"the top list of events adds up to {listed}, not to {events - repeats}")
    return wrong


@dataclass(frozen=True)
class Absence:
    """What happened while the lake was away.

    Attributes:
        hits: events accepted in all.
        lag: seconds of lag that `status` showed last while it was away.
        live: whether the live store had all that was answered shortly after, although the lake was away.
        waited: hits that waited for the lake when it came back.
        seconds: until they were in it, while more came.
        result: the count.
    """

    lag: float
    live: bool
    waited: int
    seconds: float
    rate: float
    result: Result

    def __str__(self) -> str:
        caught_up = (self.waited + self.rate * self.seconds) / self.seconds / self.rate
        return (
            f"{self.result}\nlag shown {self.lag:.1f} s; live went on: {self.live}; {self.waited:,} hits waited and"
            f" were there after {self.seconds:.1f} s: {caught_up:.0f} times the rate of arrival"
        )


def away(folder: Path, seconds: float, load: Load, tell: Tell) -> Absence:
    """Put a file in place of the lake's folder for so many seconds, under load."""
    fleet, sent = Fleet(folder, 2, 1), Sent()
    fleet.start()
    found: dict[str, Any] = {}
    try:
        harm = asyncio.run(_bear(load, fleet, sent, _absence(fleet, sent, seconds, found), tell))
        settle(fleet)
        result = judge(fleet, sent, harm, Looker(fleet.data))
        return Absence(result=result, rate=found.pop("rate"), **found)
    finally:
        fleet.stop()


def _absence(fleet: Fleet, sent: Sent, seconds: float, found: dict[str, Any]) -> Iterator[str]:
    lake, elsewhere = fleet.data / "lake", fleet.data / "elsewhere"
    while not _rows(lake):
        time.sleep(0.2)
    time.sleep(1.0)
    lake.rename(elsewhere)
    lake.write_text("no folder")
    yield "lake taken away"
    began, before = time.monotonic(), sum(_positions(fleet.data).values())
    time.sleep(seconds)
    answered, deadline = sent.answered.total(), time.monotonic() + 10
    while _live_hits(fleet.data) < answered and time.monotonic() < deadline:
        time.sleep(0.05)
    found["live"] = _live_hits(fleet.data) >= answered
    found["rate"] = (sum(_positions(fleet.data).values()) - before) / (time.monotonic() - began)
    lake.unlink()
    elsewhere.rename(lake)
    found["lag"] = fleet.status()["oldest_hit_age_seconds"]
    found["waited"] = sum(_positions(fleet.data).values()) - _rows(lake)
    yield "lake brought back"
    began = time.monotonic()
    while sum(_positions(fleet.data).values()) - _rows(lake) > 2 * load_of_a_window(found["rate"]):
        time.sleep(0.02)
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError("the lake does not catch up")
    found["seconds"] = time.monotonic() - began
    yield "caught up"


def load_of_a_window(rate: float) -> float:
    """Hits that are always on their way: those of a window, and of a commit."""
    return max(20.0, rate)


def _positions(data: Path) -> dict[str, int]:
    return live_positions(data)


def _live_hits(data: Path) -> int:
    with contextlib.closing(sqlite3.connect(data / "live" / "live.sqlite", timeout=30)) as database:
        return int(database.execute("select sum(count) from minutes where name = 'hits'").fetchone()[0] or 0)


def _rows(lake: Path) -> int:
    """The hits settled in the lake: the sum of its positions."""
    from pixelake.errors import LakeUnavailable
    from pixelake.warehouse.lake import LakeReader

    try:
        return sum(each.position for each in LakeReader(lake).progress().values())
    except LakeUnavailable:
        return 0


def clean(folder: Path) -> None:
    """Remove what a campaign left."""
    shutil.rmtree(folder, ignore_errors=True)
