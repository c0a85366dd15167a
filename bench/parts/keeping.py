"""What a day of events takes on the disk, and how soon an event can be seen."""

import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import Final

import deltalake
from rig.load import openloop
from rig.population import DAY, hits
from rig.servers import scratch, serve
from rig.tables import say, table

from pixelake import build
from pixelake.operate.compaction import compact
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.transform.retry import Retry
from pixelake.warehouse.files import write_json

START: Final = 1_770_681_600_000_000
"""2026-02-10 00:00 UTC."""
PART: Final = 50_000
"""Events of a write."""
RATE: Final = 5_000.0
"""Hits a second."""
WARM: Final = 5.0
"""Seconds of load before the clock starts: the first hits wait for the consumer to start."""
POLL: Final = 0.02
"""Seconds between looks at what can be seen."""


def size(options: Namespace) -> None:
    """One day, as written, compacted, and as gzipped JSON."""
    with scratch() as folder:
        settings = Settings(data=folder / "data")
        judge, lake = build.judge(settings), build.lake(settings)
        retry = Retry("judge", threading.Event(), on=())
        done = 0
        made = hits(options.events, START, DAY)
        with (folder / "events.json.gz").open("wb") as file:
            while group := list(islice(made, PART)):
                batch = Batch("0123456789ab", group, range(done + 1, done + len(group) + 1))
                for outcome in judge(batch, retry):
                    lake.write(outcome)
                    write_json(outcome.events, file)
                done += len(group)
                say(f"{done:,} events")
        packed = (folder / "events.json.gz").stat().st_size
        before = _bytes(settings)
        began = time.perf_counter()
        compact(lake, lambda done, total: say(f"{done:,} of {total:,} files compacted"))
        took = time.perf_counter() - began
        after = _bytes(settings)
        rows = [
            [name, f"{total / 1e6:,.0f}", f"{total / done:.1f}", f"{total / packed:.2f}"]
            for name, total in (
                ("Parquet, as written", before),
                ("Parquet, compacted", after),
                ("`.json.gz`, as `files_format` writes it", packed),
            )
        ]
        table(f"{done:,} events of one day", ["", "MB", "bytes/event", "of .json.gz"], rows)
        print(f"\nCompacting took {took:.0f} s, {took / done * 1e6:.1f} µs an event.")


def _bytes(settings: Settings) -> int:
    """Of the files that the newest version of the events has."""
    files = deltalake.DeltaTable(str(settings.data / "lake" / "events")).get_add_actions(flatten=True)
    return sum(files["size_bytes"].to_pylist())


def delay(options: Namespace) -> None:
    """From accepted to visible, in a program that does everything, while hits keep coming."""
    with scratch() as folder, serve(folder) as server:
        settings = Settings(data=folder / "data")
        looks: list[tuple[float, int, int, int]] = []
        openloop(server, RATE, WARM)
        stop = threading.Event()
        looking = threading.Thread(target=_look, args=(settings, looks, stop))
        looking.start()
        run = openloop(server, RATE, options.seconds)
        time.sleep(8)  # the last ones need a window of the lake
        stop.set()
        looking.join()
    rows = []
    for name, column in (("live store", 2), ("lake, so SQL", 3)):
        found = sorted(_delays(looks, column))
        shares = [found[min(len(found) - 1, int(len(found) * share))] for share in (0.5, 0.99, 1.0)]
        rows.append([name, *(f"{seconds:.2f}" for seconds in shares)])
    table(
        f"{RATE:,.0f} hits/s for {options.seconds:g} s, {run.answers:,} answers: from accepted to visible",
        ["in", "p50 s", "p99 s", "max s"],
        rows,
    )


def _look(settings: Settings, looks: list[tuple[float, int, int, int]], stop: threading.Event) -> None:
    """When, and how many were accepted, in the live store, and in the lake."""
    watcher, lake = build.watcher(settings), build.lake_reader(settings)
    with closing(build.live_store(settings)) as live:
        while not stop.wait(POLL):
            accepted = sum(extent.last for extent in watcher.extents())
            now = time.monotonic()  # what is seen behind it may be newer, so a delay is never told too short
            shown = sum(live.positions().values())
            kept = sum(each.position for each in lake.progress().values())
            looks.append((now, accepted, shown, kept))


def _delays(looks: Sequence[tuple[float, int, int, int]], column: int) -> list[float]:
    """For each look, the seconds until all that was accepted by then could be seen."""
    found, later = [], 0
    for when, accepted, *_ in looks:
        while later < len(looks) and looks[later][column] < accepted:
            later += 1
        if later == len(looks):
            break
        found.append(max(0.0, looks[later][0] - when))
    return found


PARTS: Final[dict[str, tuple[Callable[[Namespace], None], str]]] = {
    "size": (size, "bytes an event of a day of 5 million, compacted, beside .json.gz"),
    "delay": (delay, "seconds from accepted to visible at 5,000 hits/s"),
}
"""Name -> what it does, and in words."""
