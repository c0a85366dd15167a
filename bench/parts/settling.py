"""What it costs to settle hits: from the stream into the sinks, and each step of judging them."""

import asyncio
import gc
import multiprocessing
import resource
import threading
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from rig.population import Population, hits
from rig.servers import scratch
from rig.tables import say, spread, table

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.stream.sqlite import SqliteWriter
from pixelake.transform import process as judging
from pixelake.transform.columns import Columns
from pixelake.transform.consumer import Consumer
from pixelake.transform.decode import Decoder
from pixelake.transform.enrich.table import enrich
from pixelake.transform.facts import gather
from pixelake.transform.feed import Plan

GROUP: Final = 200
"""Hits of a commit, as a busy collector makes them."""
WARM: Final = 100_000
"""Hits settled before the clock starts: start-up, and what is looked at once a user agent, is not an event's cost."""
WINDOW: Final = 600 * SECOND
"""The time the hits are of."""


class Cost(NamedTuple):
    """CPU µs an event, events a second, the memory of the process in MB at most."""

    cpu: float
    rate: float
    memory: float


def events(options: Namespace) -> None:
    """Through the consumer with default settings: into the lake alone, and into all sinks."""
    rows = []
    for name, share, everything in (
        ("lake", 0.0, False),
        ("lake; each hit has an event id", 1.0, False),
        ("lake, live store and badges", 0.0, True),
    ):
        say(name)
        found = [_apart(_settle, options.hits, share, everything) for _ in range(options.rounds)]
        rows.append([name, *(spread([run[n] for run in found], form) for n, form in enumerate((".1f", ",.0f", ".0f")))])
    table(f"{options.hits:,} hits, from the stream", ["into", "CPU µs/event", "events/s", "memory MB"], rows)


def _settle(count: int, event_ids: float, everything: bool) -> Cost:
    """Settle `count` hits behind some that warm up."""
    with scratch() as folder:
        settings = Settings(data=folder / "data")
        asyncio.run(_fill(settings, count + WARM, event_ids))
        gc.collect()
        made = build.consumer(settings) if everything else _into_the_lake(settings)
        stop = threading.Event()
        thread = threading.Thread(target=made.run, args=(stop, 600.0))
        thread.start()
        lake = build.lake_reader(settings)

        def settled(wanted: int) -> int:
            while (found := sum(each.outcomes for each in lake.progress().values())) < wanted:
                time.sleep(0.2)
            return found

        before = settled(WARM)
        began, cpu = time.perf_counter(), time.process_time()
        done = settled(count + WARM) - before
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        thread.join()
        return Cost(used / done * 1e6, done / seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _into_the_lake(settings: Settings) -> Consumer:
    plan = Plan(name="lake", sink=build.lake(settings), window=build.lake_window(settings), rows=settings.lake_rows)
    return Consumer(
        readers=lambda group: build.reader(settings, group),
        judge=build.judge(settings),
        plans=(plan,),
        batch_size=settings.batch_size,
    )


async def _fill(settings: Settings, count: int, event_ids: float) -> None:
    """Hits of the last minutes in the stream."""
    writer = SqliteWriter(settings.data / "stream")
    made = hits(count, SYSTEM.now() - WINDOW, WINDOW, Population(event_ids=event_ids))
    while group := list(islice(made, GROUP)):
        await writer.append(group)
    await writer.close()


def steps(options: Namespace) -> None:
    """Each enricher, and what is around them, on the same batches, behind some that warm up."""
    costs = _apart(_steps, options.hits)
    rows = [[name, f"{cost:.2f}"] for name, cost in costs.items()]
    table("Steps of judging", ["step", "CPU µs/event"], [*rows, ["together", f"{sum(costs.values()):.2f}"]])


def _steps(count: int) -> dict[str, float]:
    costs: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.process_time()
            try:
                return function(*arguments)
            finally:
                costs[name] += time.process_time() - began

        return call

    with scratch() as folder:
        settings = Settings(data=folder / "data")
        rules, registry, seen = build.rules(settings), build.registry(settings), build.seen(settings)
        decode, ask = timed("decode", Decoder(rules)), timed("facts", gather)
        for enricher in rules.enrichers:  # their cost comes out of that of the whole
            costs[f"enrich: {enricher.name}"] = 0.0
        judging.enrich = lambda columns, enricher: timed(f"enrich: {enricher.name}", enrich)(columns, enricher)
        Columns.table = timed("Arrow", Columns.table)  # type: ignore[method-assign]
        whole = 0.0
        gc.disable()
        for number, batch in enumerate(_batches(WARM + count, settings.batch_size)):
            if number * settings.batch_size == WARM:
                costs.update(dict.fromkeys(costs, 0.0))
                whole = 0.0
            decoded = decode(batch)
            facts = ask(decoded, registry, seen, settings.default_zone)
            began = time.process_time()
            judging.process(decoded, facts)
            whole += time.process_time() - began
    inner = sum(cost for name, cost in costs.items() if name not in {"decode", "facts"})
    return {name: cost / count * 1e6 for name, cost in (costs | {"the rest": whole - inner}).items()}


def _batches(count: int, size: int) -> Iterator[Batch]:
    made, start = hits(count, SYSTEM.now() - WINDOW, WINDOW), 1
    while group := list(islice(made, size)):
        yield Batch("0123456789ab", group, range(start, start + len(group)))
        start += len(group)


def _apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own: its caches are cold, and its memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


PARTS: Final[dict[str, tuple[Callable[[Namespace], None], str]]] = {
    "events": (events, "CPU an event, events a second and memory, from the stream into the sinks"),
    "steps": (steps, "CPU an event of each enricher, and of what is around them"),
}
"""Name -> what it does, and in words."""
