"""Requests at a given rate, whether or not answers come: latencies that a page would see."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from parts.options import Options
from rig.disk import SlowDisk, slow_disk
from rig.load import Run, find_k6, k6, openloop, wrk
from rig.proof import Roll
from rig.servers import Server, nginx, pixelake, scratch
from rig.tables import say, spread, table

ROUNDS: Final = 3
RATES: Final = (1.0, 10.0, 1_000.0)
FSYNC_MS: Final = (0, 1, 5, 20)
STALL: Final = 2.0
"""Seconds."""
DEADLINE: Final = 0.5
"""Seconds: the default of `answer_deadline`."""
TIMES: Final = {"p50 ms": ("p50", ".1f"), "p99 ms": ("p99", ".1f"), "p99.9 ms": ("p999", ".1f")}


def rates(options: Options) -> None:
    """Low rates, and half of the limit; nginx beside it shows what of a latency is the generator's."""
    rows = []
    with _collector() as (ours, roll), scratch() as folder, nginx(folder) as theirs:
        for rate in (*RATES, options.rate or _half(ours)):
            runs: dict[str, list[Run]] = {theirs.name: [], ours.name: []}
            for turn in range(options.rounds or ROUNDS):
                say(f"{rate:,.0f}/s, round {turn + 1}")
                seconds = max(options.seconds, 3 / rate)
                runs[theirs.name].append(openloop(theirs, rate, seconds))
                runs[ours.name].append(roll.call(ours, rate, seconds))
            rows += [[f"{rate:,.0f}", name, *_openloop_cells(found)] for name, found in runs.items()]
            if rate in RATES:  # k6 needs more CPU for a request than both servers together
                rows += _with_k6(ours, rate, options.seconds)
        header = ["hits/s", "server", "generator", "sent/s", "not 200", *TIMES, "max ms", "late p99 ms", "CPU µs/hit"]
        table("At a given rate", header, rows)


def slow_disks(options: Options) -> None:
    """The cost of an fsync, and one that stalls."""
    rows = []
    with scratch() as control, slow_disk(control) as disk, _collector(disk.environment) as (ours, roll):
        half = options.rate or _half(ours)
        if not disk.calls:
            sys.exit("no fsync was seen: is SQLite linked into Python, and not loaded by it?")
        for milliseconds in FSYNC_MS:
            disk.delay(milliseconds / 1e3)
            for rate in (RATES[-1], half):
                say(f"fsync + {milliseconds} ms, {rate:,.0f}/s")
                before = disk.calls
                runs = [roll.call(ours, rate, options.seconds) for _ in range(options.rounds or ROUNDS)]
                rows.append([f"+ {milliseconds} ms", f"{rate:,.0f}", *_disk_cells(runs, disk.calls - before)])
        disk.delay(0)
        header = ["fsync", "hits/s", "answers", *TIMES, "max ms", "fsyncs/s", "hits/fsync"]
        table("With a slower disk", header, rows)
        stalls = [_stall(ours, roll, disk, rate, options) for rate in (RATES[-1], half)]
        header = ["hits/s", "answers", "p50 ms", "slowest answer ms", "slowest 200 ms", "late at most ms"]
        table(f"With one fsync that takes {STALL:g} s (`answer_deadline` is {DEADLINE * 1e3:g} ms)", header, stalls)


def workers(options: Options) -> None:
    """One and two workers at the same load."""
    with _collector() as (one, roll_one), _collector(workers=2) as (two, roll_two):
        rate = options.rate or _half(one)
        pairs = [(one, roll_one), (two, roll_two)]
        runs: dict[str, list[Run]] = {one.name: [], two.name: []}
        for turn in range(options.rounds or ROUNDS):
            say(f"{rate:,.0f}/s, round {turn + 1}")
            for server, roll in pairs[turn % 2 :] + pairs[: turn % 2]:
                runs[server.name].append(roll.call(server, rate, options.seconds, 512))
        header = ["hits/s", "server", "generator", "sent/s", "not 200", *TIMES, "max ms", "late p99 ms", "CPU µs/hit"]
        rows = [[f"{rate:,.0f}", name, *_openloop_cells(found)] for name, found in runs.items()]
        table("Two workers against one, 512 connections", header, rows)
        ratios = [b.cpu / a.cpu for a, b in zip(runs[one.name], runs[two.name], strict=True)]
        print(f"\nCPU of two / one, round by round: {spread(ratios, '.2f')}.", flush=True)


@contextmanager
def _collector(environment: Mapping[str, str] | None = None, workers: int = 1) -> Iterator[tuple[Server, Roll]]:
    """A collector, and the roll of its answers, which is compared with the stream at the end."""
    with scratch() as folder:
        roll = Roll(folder)
        with pixelake(folder, workers=workers, environment=environment) as server:
            yield server, roll
        print(f"\n{server.name}: {roll.check(folder / 'data')}.", flush=True)


def _half(server: Server) -> float:
    """Half of what goes through over 512 connections, to two digits."""
    wrk(server, 512, 1)
    return float(f"{wrk(server, 512, 3).rate / 2:.2g}")


def _not_200(run: Run) -> int:
    return int(run.details["sent"] - run.details["answers"].get("200", 0))


def _openloop_cells(runs: Sequence[Run]) -> list[str]:
    return [
        "openloop",
        spread([run.details["rate"] for run in runs], ",.0f"),
        f"{sum(map(_not_200, runs)):,} of {sum(run.details['sent'] for run in runs):,}",
        *_times(runs),
        spread([run.details["late_p99"] for run in runs], ".1f"),
        spread([run.cpu for run in runs], ",.1f"),
    ]


def _times(runs: Sequence[Run]) -> list[str]:
    """Percentiles, and the slowest."""
    return [
        *(spread([getattr(run, key) for run in runs], form) for key, form in TIMES.values()),
        spread([run.details["max"] for run in runs], ".1f"),
    ]


def _with_k6(server: Server, rate: float, seconds: float) -> list[list[str]]:
    """One run of k6, if it is there."""
    if not find_k6():
        return []
    run = k6(server, rate, max(seconds, 3 / rate))
    bad = run.details["not_200"] + run.details["dropped"]
    failed = f"{bad:,} of {run.answers + run.details['dropped']:,}"
    return [[f"{rate:,.0f}", server.name, "k6", f"{run.rate:,.0f}", failed, *_times([run]), "", f"{run.cpu:,.1f}"]]


def _disk_cells(runs: Sequence[Run], calls: int) -> list[str]:
    sent = sum(run.details["sent"] for run in runs)
    seconds = sum(run.seconds for run in runs)
    return [_statuses(runs), *_times(runs), f"{calls / seconds:,.0f}", f"{sent / max(1, calls):,.1f}"]


def _statuses(runs: Sequence[Run]) -> str:
    """Answers by status and reason, and connections that broke."""
    found: Counter[str] = Counter()
    for run in runs:
        found += Counter(run.details["answers"]) + Counter({"broken": run.details["broken"]})
    return ", ".join(f"{count:,} x {name}" for name, count in sorted(found.items()))


def _stall(server: Server, roll: Roll, disk: SlowDisk, rate: float, options: Options) -> list[str]:
    """One run with a stall in its middle, over as many connections as may come to wait."""
    say(f"a stall of {STALL:g} s at {rate:,.0f}/s")
    seconds = max(options.seconds, 2 * STALL)
    timer = threading.Timer(seconds / 4, disk.stall, [STALL])
    timer.start()
    run = roll.call(server, rate, seconds, min(15_000, int(rate * DEADLINE * 1.5)))
    timer.join()
    times = [run.details[key] for key in ("p50", "max", "slowest_200", "late_max")]
    return [f"{rate:,.0f}", _statuses([run]), *(f"{time:.1f}" for time in times)]
