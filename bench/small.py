"""Everything on the smallest machine: `serve` in one gigabyte, while all that takes memory happens at once.

A lake of some days is made first. Then `serve` runs in a cgroup without swap,
and beside it, in the same cgroup, a compaction and heavy SQL, again and again.
Outside of it: hits at a constant rate, and a dashboard that is open (its live
feed, and its questions again and again). README.md has the method and results.

    scripts/bench small                            10 minutes at 500 hits/s in 1 GB
    scripts/bench small --minutes 1 --core 0       on one core
    scripts/bench small --minutes 1 --fsync 20     each fsync takes 20 ms more
"""

import argparse
import asyncio
import http.client
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from rig.cgroup import Small, small
from rig.disk import slow_disk
from rig.load import Run
from rig.machine import describe
from rig.meters import family, written
from rig.population import Population, hits
from rig.proof import Roll
from rig.servers import Server, scratch
from rig.tables import say, table

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.operate.folder import occupied
from pixelake.settings import Settings
from pixelake.stream.sqlite import SqliteWriter

GB: Final = 1 << 30
DAYS: Final = 3
GROUP: Final = 500
SETTLE: Final = 10.0
"""Seconds of silence before the idle memory is read."""
DASHBOARD: Final = 5.0
"""Seconds between the questions of the page."""
QUESTIONS: Final = ("overview", "series", "pages", "referrers", "sites", "newest", "now", "status")
HEAVY: Final = (
    "select site, count(distinct visitor_id), count(distinct url), max(title) from events group by site",
    "select url, user_agent, count(*) from events group by all order by 3 desc limit 100",
    "select hit_id, url, user_agent, received_at from events order by url, received_at limit 10",
)
WAYS: Final = ("compaction", "sql", "questions", "feed")
"""What happens beside the hits."""
CLI: Final = [sys.executable, "-P", "-m", "pixelake"]


@dataclass
class Tally:
    """What happened beside the hits."""

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    messages: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    written: int = 0

    def enter(self, name: str, began: float, fault: str = "") -> None:
        """One more of that name."""
        self.done[name] += not fault
        self.failed[name] += bool(fault)
        self.seconds[name] = max(self.seconds.get(name, 0.0), time.monotonic() - began)
        if fault:
            self.messages.setdefault(name, fault)


class House(NamedTuple):
    """What runs: `serve`, the address of its dashboard, its cgroup, and how a command is run in that."""

    server: Server
    web: str
    group: Small
    command: list[str]
    environment: Mapping[str, str]

    def run(self, *arguments: str) -> str:
        """Run a command on its folder; what went wrong, if anything did."""
        result = subprocess.run(
            [*self.command, *arguments, "--data", str(self.server.folder / "data")],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | dict(self.environment),
        )
        return "" if result.returncode == 0 else f"{result.returncode}: {result.stderr.strip()[-300:]}"


@dataclass
class Found:
    """What came of it.

    Attributes:
        run: of the generator.
        tally: what happened beside it.
        anonymous: bytes that could be neither dropped nor written back, at most.
        most: bytes of each process at most.
        commits: see `_commits`.
        ended: what the supervisor said of processes that ended without being asked.
        killed: processes that the kernel has killed.
        written: bytes, by process.
        proof: that each answer is in the stream.
    """

    run: Run
    tally: Tally
    anonymous: int
    most: dict[str, int]
    commits: str
    ended: list[str]
    killed: int
    written: dict[str, int]
    proof: str

    @property
    def verdict(self) -> str | None:
        """Why the benchmark fails, if it does."""
        if self.killed or self.ended:
            return f"{self.killed} processes were killed for want of memory, {len(self.ended)} were started again"
        return None


def main() -> None:
    """Run, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=float, default=500, help="hits a second; default: 500")
    parser.add_argument("--memory", type=float, default=1, help="gigabytes; default: 1")
    parser.add_argument("--events", type=int, default=1_000_000, help="in the lake before; default: 1,000,000")
    parser.add_argument("--workers", type=int, default=1, help="collectors; default: 1")
    parser.add_argument(
        "--without", choices=WAYS, action="append", default=[], help="leave this out; again for another"
    )
    parser.add_argument("--core", type=int, help="the only core for all of pixelake")
    parser.add_argument("--fsync", type=float, default=0, help="ms that each fsync takes longer")
    options = parser.parse_args()
    print(describe(), flush=True)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        environment: Mapping[str, str] = {}
        if options.fsync:
            disk = stack.enter_context(slow_disk(folder))
            disk.delay(options.fsync / 1e3)
            environment = disk.environment
        say(f"a lake of {options.events:,} events")
        _prepare(folder / "data", options.events)
        group = stack.enter_context(small(int(options.memory * GB)))
        command = group.within((["taskset", "-c", str(options.core)] if options.core is not None else []) + CLI)
        with _serve(command, folder, environment, options.workers) as (server, web):
            time.sleep(SETTLE)
            idle = _memory(server.processes[0])
            house = House(server, web, group, command, environment)
            found = _load(house, options)
            _report(options, house, found)
            _report_memory(idle, found.most)
        sys.exit(found.verdict)


def _prepare(data: Path, events: int) -> None:
    """A lake of some days, as a consumer would have written it and maintenance kept it, and a settled stream."""
    settings = Settings(data=data)
    with occupied(data, ("consume",)):
        asyncio.run(_fill(settings, events))
        made, stop = build.consumer(settings), threading.Event()
        thread = threading.Thread(target=made.run, args=(stop, 600.0))
        thread.start()
        lake = build.lake_reader(settings)
        while sum(each.outcomes for each in lake.progress().values()) < events:
            time.sleep(0.2)
        stop.set()
        thread.join()
    subprocess.run([*CLI, "maintain", "all", "--data", str(data)], check=True, stdout=subprocess.DEVNULL)


async def _fill(settings: Settings, count: int) -> None:
    writer = SqliteWriter(settings.data / "stream")
    span = DAYS * 86_400 * SECOND
    made = hits(count, SYSTEM.now() - span, span, Population())
    while group := list(islice(made, GROUP)):
        await writer.append(group)
    await writer.close()


@contextmanager
def _serve(
    command: list[str], folder: Path, environment: Mapping[str, str], workers: int
) -> Iterator[tuple[Server, str]]:
    """All of `serve` there; with the address of its dashboard."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PIXELAKE_")}
    flags = ["--collect", "127.0.0.1:0", "--web", "127.0.0.1:0", "--metrics", "127.0.0.1:0"]
    flags += ["--data", str(folder / "data")]
    out, err = folder / "out", folder / "err"
    with out.open("wb") as said, err.open("wb") as logged:
        process = subprocess.Popen(
            [*command, "serve", *flags, "--workers", str(workers)], stdout=said, stderr=logged, env=clean | environment
        )
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"Pixel: (\S+).*Dashboard: (\S+)", out.read_text(), re.DOTALL)):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"serve did not start:\n{err.read_text()[-2_000:]}")
            time.sleep(0.1)
        port = urlsplit(found[1]).port
        yield Server("pixelake serve", port or 0, False, family(process.pid), folder), found[2]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _load(house: House, options: argparse.Namespace) -> Found:
    """The hits, and what happens beside them."""
    server, tally, roll, stop = house.server, Tally(), Roll(house.server.folder), threading.Event()
    before = {process: written(process) for process in server.processes}
    most: dict[str, int] = {}
    anonymous = 0
    with ThreadPoolExecutor(5) as pool:
        ways = _ways(house, tally, stop)
        beside = [pool.submit(way) for name, way in ways.items() if name not in options.without]
        hits_come = pool.submit(roll.call, server, options.rate, options.minutes * 60, first=True)
        while not hits_come.done():
            time.sleep(1)
            anonymous = max(anonymous, house.group.anonymous)
            for name, (_, share) in _memory(server.processes[0]).items():
                most[name] = max(most.get(name, 0), share)
        stop.set()
        for each in beside:
            each.result()
    return Found(
        run=hits_come.result(),
        tally=tally,
        anonymous=anonymous,
        most=most,
        commits=_commits(server.folder),
        ended=[line for line in (server.folder / "err").read_text().splitlines() if '"process ended"' in line],
        killed=house.group.killed,
        written={_role(process): written(process) - at for process, at in before.items() if _lives(process)},
        proof=roll.check(server.folder / "data"),
    )


def _ways(house: House, tally: Tally, stop: threading.Event) -> dict[str, Callable[[], None]]:
    """What happens beside the hits until `stop` is set, by the names of `WAYS`."""

    def again(name: str, *arguments: str) -> None:
        while not stop.is_set():
            began = time.monotonic()
            tally.enter(
                name, began, house.run(*(random.choice(HEAVY) if word == "HEAVY" else word for word in arguments))
            )
            stop.wait(0.5)

    def ask() -> None:
        while not stop.is_set():
            _questions(tally, house.web)
            stop.wait(DASHBOARD)

    return {
        "compaction": lambda: again("compaction", "maintain", "compact"),
        "sql": lambda: again("heavy SQL", "sql", "HEAVY", "--format", "csv"),
        "questions": ask,
        "feed": lambda: _watch(tally, house.web, stop),
    }


def _commits(folder: Path) -> str:
    """Above how many ms the slowest hundredth of the collector's commits was, at least, as its metrics have it."""
    found = re.search(r"http://[^\"]+/metrics", (folder / "err").read_text())
    if not found:
        return "?"
    with urllib.request.urlopen(found[0]) as answer:
        text = answer.read().decode()
    buckets = [
        (float(edge), float(count))
        for edge, count in re.findall(r'pixelake_commit_seconds_bucket\{le="([0-9.]+|\+Inf)"\} (\S+)', text)
    ]
    whole = buckets[-1][1]
    return f"{next(edge for edge, count in buckets if count >= 0.99 * whole) * 1e3:g}"


def _report(options: argparse.Namespace, house: House, found: Found) -> None:
    run, tally = found.run.details, found.tally
    where = f"{options.memory:g} GB" + ("" if options.core is None else ", one core")
    where += f", fsync {options.fsync:g} ms slower" if options.fsync else ""
    rows = [
        ["p50, p99, p99.9, max (ms)", ", ".join(f"{run[key]:.1f}" for key in ("p50", "p99", "p999", "max"))],
        ["the generator itself was late, p99, max (ms)", f"{run['late_p99']:.1f}, {run['late_max']:.1f}"],
        ["99 of 100 commits took at most (ms)", found.commits],
        ["answers", json.dumps(run["answers"])],
        ["killed for want of memory; restarts", f"{found.killed}; {len(found.ended)}"],
        ["memory at most, with page cache", f"{house.group.peak / 1e6:.0f} MB"],
        ["of it not to be dropped", f"{found.anonymous / 1e6:.0f} MB"],
        *([f"written by {role}", f"{size / max(1, run['sent']):,.0f} B a hit"] for role, size in found.written.items()),
    ]
    for name in sorted(tally.done | tally.failed):
        counts = f"{tally.done[name]:,} done, {tally.failed[name]:,} failed"
        rows.append([name, f"{counts}, {tally.seconds[name]:.1f} s at most"])
    table(f"{options.rate:g} hits/s for {options.minutes:g} minutes in {where}", ["", ""], rows)
    print(f"\n{found.proof}.", flush=True)
    for name, text in [*sorted(tally.messages.items()), *(("ended", line) for line in found.ended)]:
        print(f"- {name}: {text}")


def _report_memory(idle: dict[str, tuple[int, int]], most: dict[str, int]) -> None:
    """Of each process, and of all of them while nothing happened."""
    sizes = [(name, *each, most.get(name, 0)) for name, each in idle.items()]
    rows = [[name, *(f"{size / 1e6:.0f}" for size in found)] for name, *found in sizes]
    rows.append(["all", *(f"{sum(each[place] for each in idle.values()) / 1e6:.0f}" for place in (0, 1)), ""])
    header = ["process", "idle, resident", "idle, its share (PSS)", "at most, its share (PSS)"]
    table("Memory of each process, MB", header, rows)


def _asked(web: str, path: str, timeout: float = 30.0) -> http.client.HTTPResponse:
    url = urlsplit(web)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout)
    token = parse_qs(url.query)["token"][0]
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    return connection.getresponse()


def _questions(tally: Tally, web: str) -> None:
    """What the page asks for, as often as it does."""
    for name in QUESTIONS:
        began, fault = time.monotonic(), ""
        try:
            with _asked(web, f"/api/v1/{name}") as answer:
                text = answer.read()
                fault = "" if answer.status == 200 else f"{answer.status} {text[:200]!r}"
        except OSError as error:
            fault = repr(error)
        tally.enter("questions of the page", began, fault)


def _watch(tally: Tally, web: str, stop: threading.Event) -> None:
    """The live feed, as long as it lasts."""
    began, frames = time.monotonic(), 0
    with suppress(OSError), _asked(web, "/api/v1/live") as feed:
        while not stop.is_set() and (line := feed.readline()):
            frames += line.startswith(b"event:")
    tally.enter("live feed", began, "" if stop.is_set() else "it ended")
    tally.done["frames of the live feed"] = frames
    tally.seconds["frames of the live feed"] = 0.0


def _memory(parent: int) -> dict[str, tuple[int, int]]:
    """Resident bytes and share (PSS) of each process of `serve`, by its role."""
    found: dict[str, tuple[int, int]] = {}
    for number, process in enumerate(family(parent)):
        with suppress(OSError):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
            sizes = {name: int(text.split()[0]) << 10 for name, text in (line.split(":") for line in lines)}
            role = _role(process)
            name = role if role not in found else f"{role} {number}"
            found[name] = sizes["Rss"], sizes["Pss"]
    return found


def _role(process: int) -> str:
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    role = words[words.index("pixelake") + 1]
    return "supervisor" if role == "serve" else role


def _lives(process: int) -> bool:
    return Path(f"/proc/{process}/io").exists()


if __name__ == "__main__":
    main()
