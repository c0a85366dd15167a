"""Is a lake still small and quick after a month, and after three years? On a clock that is turned by hand.

A month: a commit every five seconds of that clock, maintenance whenever it is
due by it, and another process that asks in a loop whether it sees each row
exactly once. Three years of a blog with 200 hits a day: a file an hour, written
and maintained day by day; then what a year's question takes. README.md has the
method and results.

    scripts/bench keep --days 3        so many days; 30 is the whole of it, and takes four hours
    scripts/bench keep --blog          three years of a blog
    scripts/bench keep --memory ...    in memory instead of on the disk: a sync costs nothing
    scripts/bench keep --folder F ...  there, and it stays: a month that was stopped goes on where it ended
"""

import argparse
import multiprocessing
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from random import Random
from typing import Any, Final

import pyarrow as pa
from rig.machine import describe
from rig.population import hits
from rig.servers import scratch
from rig.tables import say, table

from pixelake import build
from pixelake.clock import SECOND
from pixelake.errors import PixelakeError
from pixelake.event import PARTITION_COLUMNS
from pixelake.operate import keeper, maintain
from pixelake.operate.maintain import House
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.testing import FakeClock
from pixelake.transform.retry import Retry
from pixelake.warehouse.base import REJECTS, WITHHELD, Outcome
from pixelake.warehouse.delta_log import LOG, DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader

START: Final = 1_770_681_600 * SECOND
"""2026-02-10 00:00 UTC."""
DAY: Final = 86_400
WINDOW: Final = 5
"""Seconds between commits."""
ROWS: Final = 2
"""Rows of a commit."""
TIDY: Final = round(keeper.TIDY)
LOOK: Final = round(keeper.LOOK)
"""Seconds between looks at the open hour, and at what is due: those of `serve`."""
BLOG_DAYS: Final = 3 * 365
BLOG_HITS: Final = 200
BLOG_LATE: Final = 3 * 3_600 * SECOND
"""When a day of the blog is written and maintained, after its end."""
PARTITION: Final = "0123456789ab"
PAUSE: Final = 0.25
"""Seconds between the questions of the reader, who is not to take the core of the writer."""
SAMPLES: Final = 5
"""Processes that open the lake, each for the first time."""
COUNT: Final = "select count(*) from events"
YEAR: Final = (
    "select date_trunc('day', received_at) as day, count(*) as views, count(distinct visitor_id) as visitors"
    " from events where received_at >= $start and received_at < $end and bot is not true and duplicate is not true"
    " group by 1 order by 1"
)
PAGES: Final = (
    "select path, count(*) as views from events where received_at >= $start and received_at < $end"
    " and bot is not true group by 1 order by 2 desc limit 20"
)
CHECK: Final = "select count(*), sum(position), min(position), max(position) from events"
_COLD: Final = """
import sys, time
began = time.perf_counter()
from pathlib import Path
from pixelake.warehouse.query import Lakehouse
imported = time.perf_counter()
with Lakehouse(Path(sys.argv[1])) as house:
    house.ask(sys.argv[2], eval(sys.argv[3]))
    cold = time.perf_counter()
    house.ask(sys.argv[2], eval(sys.argv[3]))
    warm = time.perf_counter()
print(imported - began, cold - imported, warm - cold)
"""


@dataclass
class Checks:
    """What the reader saw."""

    done: int = 0
    failed: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Kept:
    """A lake on a clock turned by hand, and what became of it.

    Attributes:
        position: of the last row that was committed.
        begun: of the last one that was about to be.
        most: files that an hour of the current day had, of all looks.
        seconds: by what they were spent on.
    """

    folder: Path
    clock: FakeClock
    lake: Lake
    house: House
    tidy: keeper.Tidy
    log: DeltaLog
    rows: pa.Table
    position: int = 0
    begun: int = 0
    most: int = 0
    runs: Counter[str] = field(default_factory=Counter)
    seconds: Counter[str] = field(default_factory=Counter)

    def go_on(self) -> None:
        """From where an earlier run ended: each commit had so many rows, and so many seconds."""
        self.position = LakeReader(self.folder).sums().in_lake
        self.clock.advance(self.position // ROWS * WINDOW)

    def commit(self, moments: Sequence[int], begun: "Synchronized[int] | None" = None) -> None:
        """Write a row for each of these moments (µs UTC), in which it was received."""
        began = time.perf_counter()
        outcome = _outcome(self.rows, self.position + 1, moments)
        self.begun = self.position + len(moments)
        if begun is not None:
            begun.value = self.begun
        self.lake.write(outcome)
        self.position = self.begun
        self.seconds["commits"] += time.perf_counter() - began
        self.runs["commits"] += 1
        if self.runs["commits"] % 7 == 0:
            self.log.refresh()
            self.most = max(self.most, *_files_an_hour(self.log, self.clock)[0].values(), 0)

    def tidy_up(self) -> None:
        """Pack the open hour, as `serve` does."""
        began = time.perf_counter()
        self.runs["tidy"] += bool(self.tidy.look())
        self.seconds["maintenance"] += time.perf_counter() - began

    def look_after(self) -> None:
        """Do what is due, as `serve` does."""
        began = time.perf_counter()
        for task in maintain.due(self.house):
            if task.is_wanted(self.house):
                done = maintain.perform(self.house, task)
                if done.error:
                    raise PixelakeError(f"{done.task}: {done.error}", done.hint)
                self.runs[task.name] += 1
        self.seconds["maintenance"] += time.perf_counter() - began


@contextmanager
def _kept(folder: Path, start: int) -> Iterator[Kept]:
    clock = FakeClock(start)
    with closing(SqliteRegistry(folder / "registry.sqlite", clock=clock)) as registry:
        place = folder / "lake"
        lake, own = Lake(place, clock), Lake(place, clock)
        house = House(lambda: own, place, registry, Settings().lake_history, 0, 0, clock)
        yield Kept(place, clock, lake, house, keeper.Tidy(house), DeltaLog(place / "events"), _judged(folder))


def _judged(folder: Path) -> pa.Table:
    """Some thousand events of many visitors, as the program judges them."""
    settings = Settings(data=folder / "judge")
    (folder / "judge").mkdir(exist_ok=True)
    group = list(islice(hits(4_000, START, DAY), 4_000))
    batch = Batch(PARTITION, group, range(1, len(group) + 1))
    judged = build.judge(settings)(batch, Retry("judge", threading.Event(), on=()))
    return pa.concat_tables([outcome.events for outcome in judged]).combine_chunks()


def _outcome(rows: pa.Table, first: int, moments: Sequence[int]) -> Outcome:
    """Rows received in these moments, at the positions from `first` on."""
    count = len(moments)
    times = [datetime.fromtimestamp(moment / SECOND, UTC) for moment in moments]
    positions = range(first, first + count)
    part = rows.slice(first % (rows.num_rows - count), count)
    changed = {
        "position": pa.array(positions, pa.int64()),
        "partition": pa.array([PARTITION] * count, pa.string()),
        "hit_id": pa.array([f"{PARTITION}-{position}" for position in positions], pa.string()),
        "received_at": pa.array(times, pa.timestamp("us", "UTC")),
    }
    folders = zip(*(time.strftime("%Y %m %d %H").split() for time in times), strict=True)
    changed |= {name: pa.array(texts, pa.string()) for name, texts in zip(PARTITION_COLUMNS, folders, strict=True)}
    for name, values in changed.items():
        at = part.schema.get_field_index(name)
        part = part.set_column(at, part.schema.field(at), values)
    return Outcome(
        part, REJECTS.empty_table(), WITHHELD.empty_table(), {PARTITION: first}, {PARTITION: first + count - 1}
    )


def _files_an_hour(log: DeltaLog, clock: FakeClock) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """How many files each hour may be in: of the current day, and of others."""
    today = datetime.fromtimestamp(clock.now() / SECOND, UTC).strftime("year=%Y/month=%m/day=%d")
    hours, days = Counter[str](), Counter[str]()
    for file in log.files.values():
        folder = file.name.rpartition("/")[0]
        (hours if "hour=" in folder else days)[folder] += 1
    found = {name: count + days[name.rpartition("/")[0]] for name, count in hours.items()} | dict(days)
    current = {name: count for name, count in found.items() if name.startswith(today)}
    return current, {name: count for name, count in found.items() if name not in current}


def _read(folder: Path, begun: "Synchronized[int]", done: "Synchronized[int]", stop: Event, told: Any) -> None:
    """Ask in a loop whether each row is there exactly once: between what was committed before and after."""
    checks, parent = Checks(), multiprocessing.parent_process()
    with Lakehouse(folder, timeout=120) as house:
        while not stop.is_set() and parent and parent.is_alive():
            least, began = done.value, time.perf_counter()
            try:
                ((count, total, low, high),) = [tuple(row.values()) for row in house.ask(CHECK).to_pylist()]
            except PixelakeError as error:
                checks.failed += 1
                checks.wrong.append(str(error))
                continue
            most = begun.value
            checks.slowest = max(checks.slowest, time.perf_counter() - began)
            is_whole = not count or (total == count * (count + 1) // 2 and (low, high) == (1, count))
            if is_whole and least <= count <= most:
                checks.done += 1
            else:
                checks.failed += 1
                checks.wrong.append(f"{count} rows, sum {total}, {low} to {high}; {least} to {most} were committed")
            time.sleep(PAUSE)
    told.send(checks)


def _read_on(*arguments: Any) -> None:
    """The same, whatever Ctrl-C does to the others of its group."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _read(*arguments)


def month(folder: Path, options: argparse.Namespace) -> None:
    """So many days of a commit every five seconds."""
    context = multiprocessing.get_context("spawn")
    begun, done, stop = context.Value("q", 0), context.Value("q", 0), context.Event()
    told, telling = context.Pipe(duplex=False)
    with _kept(folder, START) as kept:
        kept.go_on()
        done.value = begun.value = kept.position
        reader = context.Process(target=_read_on, args=(kept.folder, begun, done, stop, telling))
        reader.start()
        telling.close()  # so that its death is the end of what it tells
        began, commits = time.perf_counter(), round(options.days * DAY / WINDOW)
        with suppress(KeyboardInterrupt):  # what is there by then is reported
            for number in range(kept.position // ROWS, commits):
                kept.commit([kept.clock.now()] * ROWS, begun)
                done.value = kept.position
                kept.clock.advance(WINDOW)
                if number % (TIDY // WINDOW) == 0:
                    kept.tidy_up()
                if number % (LOOK // WINDOW) == 0:
                    kept.look_after()
                if number % 1_000 == 999:
                    say(f"{number + 1:,} of {commits:,} commits, {time.perf_counter() - began:,.0f} s")
        stop.set()
        checks: Checks = told.recv()
        reader.join()
        days = kept.position / ROWS * WINDOW / DAY
        _report(kept, f"{days:.2f} days of a commit every {WINDOW} s, {kept.position:,} rows")
    _print_checks(checks)
    _cold(kept.folder, [("count", COUNT, {})])


def _report(kept: Kept, title: str) -> None:
    events = kept.folder / "events"
    log = [path for path in (events / LOG).iterdir() if path.name[:20].isdecimal()]
    checkpoints = [path for path in log if path.name.endswith(".checkpoint.parquet")]
    data = [path for path in events.rglob("*.parquet") if path.parent.name != LOG]
    newest = DeltaLog(events)
    newest.refresh()
    current, others = _files_an_hour(newest, kept.clock)
    sums = LakeReader(kept.folder).sums()
    if not kept.position <= sums.in_lake <= kept.begun or not sums.holds:
        raise SystemExit(f"{sums.in_lake:,} rows in the lake, not {kept.position:,}")
    now, else_where = max(current.values(), default=0), max(others.values(), default=0)
    rows = [
        ["files an hour of the current day is in, now (most of all looks)", f"{now} ({kept.most})"],
        ["files an hour of other days is in, most", f"{else_where}"],
        ["data files of the newest version; on the disk", f"{len(newest.files):,}; {len(data):,}"],
        ["bytes of data, newest version", f"{sum(file.size for file in newest.files.values()):,}"],
        ["log: versions; files there; bytes", f"{newest.version:,}; {len(log):,}; {_size(log):,}"],
        ["checkpoints; bytes of the newest", f"{len(checkpoints)}; {_size(sorted(checkpoints)[-1:]):,}"],
        ["runs", ", ".join(f"{name} {count:,}" for name, count in sorted(kept.runs.items()))],
        ["real seconds", ", ".join(f"{name} {spent:,.0f}" for name, spent in sorted(kept.seconds.items()))],
        ["ms a commit", f"{kept.seconds['commits'] / max(1, kept.runs['commits']) * 1_000:.1f}"],
    ]
    table(title, ["", ""], rows)


def _size(files: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _print_checks(checks: Checks) -> None:
    row = [f"{checks.done:,}", f"{checks.failed:,}", f"{checks.slowest * 1_000:,.0f}"]
    table("A reader in a loop: each committed row exactly once", ["checks", "failed", "slowest ms"], [row])
    for wrong in checks.wrong[:5]:
        print(f"- {wrong}")


def _cold(folder: Path, questions: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
    """What a new process takes to open the lake and answer, after it has loaded its libraries; then again."""
    rows = []
    for name, text, parameters in questions:
        samples = []
        for _ in range(SAMPLES):
            command = [sys.executable, "-c", _COLD, str(folder), text, repr(dict(parameters))]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            samples.append([float(word) * 1_000 for word in said.split()])
        rows.append([name, *(f"{sorted(column)[len(column) // 2]:,.0f}" for column in zip(*samples, strict=True))])
    table(f"New processes, median of {SAMPLES}", ["question", "libraries ms", "cold ms", "warm ms"], rows)


def blog(folder: Path, options: argparse.Namespace) -> None:
    """Years of 200 hits a day."""
    random, days = Random(7), round(options.days)
    with _kept(folder, START - days * DAY * SECOND + BLOG_LATE) as kept:
        began = time.perf_counter()
        with suppress(KeyboardInterrupt):  # what is there by then is reported
            for day in range(days):
                kept.clock.advance(DAY)
                midnight = kept.clock.now() - BLOG_LATE - DAY * SECOND
                kept.commit(sorted(midnight + random.randrange(DAY) * SECOND for _ in range(BLOG_HITS)))
                kept.tidy_up()
                kept.look_after()
                if day % 100 == 99:
                    say(f"{day + 1:,} of {days:,} days, {time.perf_counter() - began:,.0f} s")
        for _ in range(2):
            kept.clock.advance(Settings().lake_history + 3_600)
            kept.tidy_up()
            kept.look_after()
        _report(kept, f"{kept.position / BLOG_HITS:,.0f} days of a blog, {kept.position:,} rows")
    year = {"start": "2025-02-10T00:00:00Z", "end": "2026-02-10T00:00:00Z"}
    _cold(kept.folder, [("count", COUNT, {}), ("a year, by day", YEAR, year), ("a year, pages", PAGES, year)])


@contextmanager
def _in_memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pixelake-keep-", dir="/dev/shm") as folder:
        yield Path(folder)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, help=f"how many; default: 3 of the month, {BLOG_DAYS:,} of the blog")
    parser.add_argument("--blog", action="store_true", help="three years of a blog instead")
    parser.add_argument("--memory", action="store_true", help="the lake lies in memory")
    parser.add_argument("--folder", type=Path, help="where it is, and stays")
    options = parser.parse_args()
    options.days = options.days or (BLOG_DAYS if options.blog else 3)
    print(describe(), flush=True)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
    own = nullcontext(options.folder) if options.folder else _in_memory() if options.memory else scratch()
    with own as folder:
        (blog if options.blog else month)(folder, options)


if __name__ == "__main__":
    main()
