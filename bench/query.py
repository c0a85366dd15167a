"""What a question costs over a lake of many events: rolled up and raw, cold and warm, and in another engine.

    scripts/bench query                             a lake of 100 million events, all parts; hours, 10 GB of disk
    scripts/bench query --events 1e6 --part rolled  --help lists the parts

Lakes are made in ``build/query`` (or ``--lakes``) and stay there for the next time. Each part asks in a process of its
own; *cold* is its first time around, with the libraries loaded and the files in the page cache.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from rig import lake100
from rig.machine import describe
from rig.servers import BUILD
from rig.tables import say, table

from pixelake.errors import PixelakeError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.filters import Joined, Test
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.rollup.build import Builder
from pixelake.warehouse.rollup.manifest import FOLDER
from pixelake.warehouse.zones import fixed

ASKED: Final = (
    *("overview", "series", "pages", "entries", "exits", "referrers", "channels", "campaigns", "countries"),
    *("browsers", "systems", "devices", "events"),
)
UNLIMITED: Final = ("overview", "series")
TOGETHER: Final = 4
"""Questions that are asked at a time, as a page does."""
END: Final = lake100.END - timedelta(days=16)
"""In the middle of a month, so that a year is eleven whole months and the days of two halves."""
PERIODS: Final = {"30 days": timedelta(days=30), "12 months": timedelta(days=365)}
SOME: Final = Joined("and", (Test("country", "is", ("DE", "FR")), Test("browser", "is", ("Firefox",))))
CLOCKS: Final = Clocks(fixed("UTC"), {})
ROUNDS: Final = 20
RAW_SECONDS: Final = 300.0
PARTS: Final = ("rolled", "filtered", "raw", "chdb", "growth")
SETTINGS: Final = {"rolled": {}, "filtered": {}, "raw": {"timeout": RAW_SECONDS, "memory": "1GB"}}
"""Of the `Lakehouse`, where they are not its own."""


def question(name: str, period: str, part: str) -> Ask:
    """The question as the page of the largest site asks it."""
    limit = None if name in UNLIMITED else 10
    filters = {"filter": SOME} if part == "filtered" else {}
    return Ask(name, END - PERIODS[period], END, lake100.LARGEST, limit=limit, **filters)  # type: ignore[arg-type]


# --- the lake


def made(folder: Path, events: int) -> dict[str, Any]:
    """A lake with its roll-ups, made if it is not there; what that took."""
    folder.mkdir(parents=True, exist_ok=True)
    told, lake = folder / "made.json", folder / "lake"
    if not told.exists():
        if lake.exists():
            sys.exit(f"{lake} was not finished: remove it")
        say(f"a lake of {events:,} events")
        began, used = time.perf_counter(), time.process_time()
        found = lake100.make(lake, events, lambda day, rows: None if day % 30 else say(f"day {day}, {rows:,} events"))
        facts = {"events": found.events, "bytes": found.bytes, "files": found.files}
        facts |= {"seconds": time.perf_counter() - began, "cpu": time.process_time() - used}
        told.write_text(json.dumps(facts))
    facts = json.loads(told.read_text())
    began, used = time.perf_counter(), time.process_time()
    built = Builder(lake, CLOCKS).run(lambda done, whole: None if done % 30 else say(f"{done} of {whole} days counted"))
    if built.days:
        facts["rollup"] = {
            "days": built.days,
            "months": built.months,
            "seconds": time.perf_counter() - began,
            "cpu": time.process_time() - used,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        }
        told.write_text(json.dumps(facts))
    if "rollup" in facts:
        facts["rollup"] |= _sizes(lake)
    return dict(facts)


def _sizes(lake: Path) -> dict[str, int]:
    files = list((lake / FOLDER).glob("*.parquet"))
    return {
        "trail": sum(file.stat().st_size for file in files if ".trail" in file.name),
        "sums": sum(file.stat().st_size for file in files if ".trail" not in file.name),
    }


@contextmanager
def without_rollups(lake: Path) -> Iterator[None]:
    """The lake as if nothing had been counted."""
    here, aside = lake / FOLDER, lake.with_name(f"{lake.name}.{FOLDER}")
    here.rename(aside)
    try:
        yield
    finally:
        aside.rename(here)


def _report_made(facts: dict[str, Any]) -> None:
    count, roll = facts["events"], facts.get("rollup", {})
    rows = [
        ["lake", f"{facts['seconds']:.0f}", f"{facts['cpu'] / count * 1e6:.1f}", f"{facts['bytes'] / count:.1f}"],
    ]
    if roll:
        each = f"{roll['cpu'] / count * 1e6:.1f}"
        rows.append(["trail", f"{roll['seconds']:.0f}", each, f"{roll['trail'] / count:.2f}"])
        rows.append(["sums", "", "", f"{roll['sums'] / count:.2f}"])
    table(f"{count:,} events, {facts['files']} files", ["", "s", "CPU µs/event", "bytes/event"], rows)


# --- asking, in a process of its own


def ask(lake: Path, part: str, period: str, rounds: int, together: int) -> dict[str, Any]:
    """Ask all questions so many times; seconds of each, and of each time around."""
    with Lakehouse(lake, **SETTINGS[part]) as lakehouse:
        asking = Questions(lakehouse, lambda: CLOCKS)

        def one(name: str) -> tuple[float, str]:
            began = time.perf_counter()
            try:
                answer = asking.ask(question(name, period, part))
            except PixelakeError as error:
                return float("nan"), str(error)
            return time.perf_counter() - began, "+".join(dict.fromkeys(each.source for each in answer.parts))

        found = _around(one, rounds, together)
    return found | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}


def _around(one: Callable[[str], tuple[float, str]], rounds: int, together: int) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in ASKED}
    whole, sources = [], {}
    with ThreadPoolExecutor(together) as pool:
        for _ in range(rounds):
            began = time.perf_counter()
            for name, (took, source) in zip(ASKED, pool.map(one, ASKED), strict=True):
                seconds[name].append(took)
                sources[name] = source
            whole.append(time.perf_counter() - began)
    return {"seconds": seconds, "whole": whole, "sources": sources}


def ask_chdb(lake: Path, period: str, rounds: int) -> dict[str, Any]:
    """The same of ClickHouse, in this process, over the same files of events; one question at a time."""
    from chdb import session  # noqa: PLC0415 - an extra, and 400 MB

    from pixelake.warehouse.elsewhere import elsewhere  # noqa: PLC0415 - for that alone

    events = lake.absolute() / "events"
    days = [END - PERIODS[period] - timedelta(days=1) + timedelta(days=day) for day in range(PERIODS[period].days + 2)]
    files = [file for day in days for file in (events / f"{day:year=%Y/month=%m/day=%d}").glob("*.parquet")]
    engine = session.Session()
    for setting in (
        "use_hive_partitioning = 0",
        f"max_execution_time = {RAW_SECONDS:.0f}",
        f"max_memory_usage = {8 << 30}",
    ):
        engine.query(f"set {setting}")
    engine.query("create database if not exists lake")
    named = ",".join(file.relative_to(events).as_posix() for file in files)
    folders = ", ".join(
        f"formatDateTime(received_at, '{form}', 'UTC') as {name}"
        for name, form in (("year", "%Y"), ("month", "%m"), ("day", "%d"))
    )
    engine.query(f"create view lake.events as select *, {folders} from file('{events}/{{{named}}}', Parquet)")

    def one(name: str) -> tuple[float, str]:
        sql = elsewhere(question(name, period, "raw"), CLOCKS, "clickhouse")
        began = time.perf_counter()
        try:
            engine.query(sql, "CSV")
        except Exception as error:  # noqa: BLE001 - a figure that is not there, and why
            return float("nan"), str(error)[:200]
        return time.perf_counter() - began, "chdb"

    found = _around(one, rounds, 1)
    return found | {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}


def apart(folder: Path, part: str, period: str, rounds: int, together: int = TOGETHER) -> dict[str, Any]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--asker", part, period, "--rounds", str(rounds), "--together", str(together)]
    result = subprocess.run([*command, "--lakes", str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(result.stdout.splitlines()[-1]))


# --- what came of it


def high(values: Sequence[float]) -> float:
    """The 95th percentile, of warm ones."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def _ms(seconds: float) -> str:
    return "no answer" if seconds != seconds else f"{seconds * 1e3:,.0f}"  # noqa: PLR0124 - not a number


def report(title: str, found: dict[str, Any], against: dict[str, Any] | None = None) -> None:
    """A table of one run; `against` the same of another engine."""
    header = ["question", "cold ms", "warm ms", "p95 ms", "from"] + (["chdb warm ms", "times"] if against else [])
    rows = []
    for name, each in [*found["seconds"].items(), ("all", found["whole"])]:
        warm = each[1:] or each
        cells = [name, _ms(each[0]), _ms(statistics.median(warm)), _ms(high(warm)), found["sources"].get(name, "")]
        if against:
            other = against["seconds"].get(name, against["whole"])
            theirs = statistics.median(other[1:] or other)
            cells += [_ms(theirs), f"{theirs / statistics.median(warm):.1f}"]
        rows.append(cells)
    table(f"{title}; memory at most {found['memory'] / 1e6:,.0f} MB", header, rows)


def report_growth(found: dict[int, dict[str, Any]]) -> None:
    """Warm milliseconds of each question by the size of the lake."""
    sizes = sorted(found)
    rows = []
    for name in ASKED:
        times = [statistics.median(found[size]["seconds"][name][1:]) for size in sizes]
        rows.append([name, *map(_ms, times), f"{times[-1] / times[0]:.2f}"])
    table(
        "Rolled up, 12 months, one at a time: ms, warm",
        ["question", *(f"{each:,}" for each in sizes), "last / first"],
        rows,
    )


def main() -> None:
    """Make what is not there, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=lambda text: int(float(text)), default=100_000_000, help="default: 1e8")
    parser.add_argument("--lakes", type=Path, default=BUILD / "query", help="folder of the lakes; they stay there")
    parser.add_argument("--part", choices=("make", *PARTS), action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="times that all questions are asked; default: 20")
    parser.add_argument(
        "--growth", type=lambda text: int(float(text)), nargs="*", default=[10**6, 10**7], help="other sizes"
    )
    parser.add_argument("--asker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--together", type=int, default=TOGETHER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.asker:
        part, period = options.asker
        lake = options.lakes / "lake"
        own = (
            ask_chdb(lake, period, options.rounds)
            if part == "chdb"
            else ask(lake, part, period, options.rounds, options.together)
        )
        print(json.dumps(own))
        return
    print(describe(), flush=True)
    parts = options.part or PARTS
    folder = options.lakes / f"{options.events}"
    _report_made(made(folder, options.events))
    run(folder, parts, options)


def run(folder: Path, parts: Sequence[str], options: argparse.Namespace) -> None:
    """Ask, part by part."""
    for period in PERIODS if "rolled" in parts else ():
        report(f"Rolled up, {period}, four at a time", apart(folder, "rolled", period, options.rounds))
    if "filtered" in parts:
        report("Of two countries and a browser, 30 days, four at a time", apart(folder, "filtered", "30 days", 5))
    others = {}
    if "chdb" in parts:
        others = {period: apart(folder, "chdb", period, 2, 1) for period in PERIODS}
        for period, other in others.items():
            mine = apart(folder, "rolled", period, options.rounds, 1)
            report(f"Rolled up, {period}, one at a time, against chdb over the events", mine, other)
    if "raw" in parts:
        with without_rollups(folder / "lake"):
            for period in PERIODS:
                report(f"Raw, {period}, one at a time", apart(folder, "raw", period, 2, 1), others.get(period))
    if "growth" in parts:
        found = {options.events: apart(folder, "rolled", "12 months", options.rounds, 1)}
        for size in options.growth:
            smaller = options.lakes / f"{size}"
            _report_made(made(smaller, size))
            found[size] = apart(smaller, "rolled", "12 months", options.rounds, 1)
        report_growth(found)


if __name__ == "__main__":
    main()
