"""Many browsers on the live page: how long a hit takes to all of their screens, and what that costs the pixel.

    scripts/bench viewers                            200 viewers, 200 hits/s, 30 s a run, 3 rounds
    scripts/bench viewers --viewers 50 --rate 500

A viewer is a connection to the live feed (server-sent events), as a page holds one, and reads all of it. Four marked
hits a second are sent beside the others; each is timed from before it is sent until its event is in what a viewer has
received. The pixel is measured as everywhere here: from when a request was due. Rounds go in turns, without viewers
and with them, in a new folder each.
"""

import argparse
import asyncio
import http.client
import re
import secrets
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from rig.load import openloop
from rig.machine import describe
from rig.servers import Server, scratch, serve
from rig.tables import say, table

MARKS: Final = 4
"""Marked hits a second."""
MARK: Final = re.compile(rb"mark-([0-9a-f]{12})")
SITE: Final = "marks.example"


@dataclass
class Screens:
    """What the viewers have seen.

    Attributes:
        sent: when each marked hit was begun, by its mark.
        seen: seconds until it was on a screen, one for each viewer and mark.
        open: viewers that are connected.
        ended: connections that ended before they should.
    """

    sent: dict[bytes, float] = field(default_factory=dict)
    seen: list[float] = field(default_factory=list)
    open: int = 0
    ended: int = 0


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--rate", type=float, default=200, help="hits a second; default: 200")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(describe(), flush=True)
    alone, among, screens = [], [], []
    for number in range(options.rounds):
        for viewers in (0, options.viewers) if number % 2 == 0 else (options.viewers, 0):
            run, seen = measured(viewers, options.rate, options.seconds)
            (among if viewers else alone).append(run)
            screens += [seen] if viewers else []
            say(f"{viewers} viewers: p99 {run['p99']:.1f} ms")
    report(options, alone, among, screens)


def measured(viewers: int, rate: float, seconds: float) -> tuple[dict[str, Any], Screens]:
    """One run in a new folder: what came of the pixel, and on the screens."""
    with scratch() as folder, serve(folder) as server:
        screens = Screens()
        with watching(_dashboard(folder / "output.log"), viewers, screens), marking(server, screens):
            run = openloop(server, rate, seconds)
        return run.details, screens


def _dashboard(log: Path) -> str:
    """Its address, once it is said."""
    deadline = time.monotonic() + 15
    while not (found := re.search(r"Dashboard: (\S+)", log.read_text())):
        if time.monotonic() > deadline:
            sys.exit(f"serve did not say where its dashboard is:\n{log.read_text()[-2_000:]}")
        time.sleep(0.05)
    return found[1]


@contextmanager
def watching(address: str, viewers: int, screens: Screens) -> Iterator[None]:
    """So many viewers, in a thread of their own."""
    loop, stop = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(_watch(address, viewers, screens, stop),))
    thread.start()
    deadline = time.monotonic() + 60
    while screens.open < viewers:
        if time.monotonic() > deadline:
            sys.exit(f"only {screens.open} of {viewers} viewers were let in")
        time.sleep(0.05)
    try:
        yield
        time.sleep(2)
    finally:
        stop.set()
        thread.join()
        loop.close()


async def _watch(address: str, viewers: int, screens: Screens, stop: threading.Event) -> None:
    tasks = [asyncio.create_task(_viewer(address, screens, stop)) for _ in range(viewers)]
    await asyncio.to_thread(stop.wait)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _viewer(address: str, screens: Screens, stop: threading.Event) -> None:
    where = urlsplit(address)
    token = where.query.removeprefix("token=")
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1 << 24)
    head = f"GET /api/v1/live HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(head.encode())
    assert b" 200 " in await reader.readline()
    screens.open += 1
    rest, known = b"", set[bytes]()
    while data := await reader.read(1 << 18):
        now, text = time.monotonic(), rest + data
        for mark in set(MARK.findall(text)) - known:
            known.add(mark)
            screens.seen.append(now - screens.sent[mark])
        rest = text[-17:]
    screens.ended += not stop.is_set()


@contextmanager
def marking(server: Server, screens: Screens) -> Iterator[None]:
    """Marked hits, a few a second, until the block ends."""
    stop = threading.Event()

    def send() -> None:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        while not stop.wait(1 / MARKS):
            mark = secrets.token_hex(6)
            screens.sent[mark.encode()] = time.monotonic()
            client.request("GET", f"/pixel.gif?site={SITE}&title=mark-{mark}")
            client.getresponse().read()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def report(options: argparse.Namespace, alone: Sequence[Any], among: Sequence[Any], screens: Sequence[Screens]) -> None:
    """Two tables."""
    rows = []
    for name, runs in (("nobody watches", alone), (f"{options.viewers} viewers", among)):
        for key in ("p50", "p99"):
            values = [run[key] for run in runs]
            rows.append([name, key, f"{statistics.median(values):.2f}", f"[{min(values):.2f} to {max(values):.2f}]"])
    ratio = statistics.median(run["p99"] for run in among) / statistics.median(run["p99"] for run in alone)
    rows.append(["ratio", "p99", f"{ratio:.2f}", ""])
    table(f"The pixel at {options.rate:g} hits/s, ms", ["", "", "median", "least to most"], rows)
    seen = sorted(second for each in screens for second in each.seen)
    marks = sum(len(each.sent) for each in screens)
    rows = [
        ["marked hits x viewers, seen", f"{len(seen):,} of {marks * options.viewers:,}"],
        ["p50, s", f"{seen[len(seen) // 2]:.2f}"],
        ["p99, s", f"{seen[int(0.99 * len(seen))]:.2f}"],
        ["at most, s", f"{seen[-1]:.2f}"],
        ["connections that ended", f"{sum(each.ended for each in screens)}"],
    ]
    table("From hit to screen", ["", ""], rows)


if __name__ == "__main__":
    main()
