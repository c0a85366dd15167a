"""The demo's past: ten weeks that never were, judged like any other hits and written to the lake at once.

Each hit has the source ``demo`` and lies in a partition of its own, so that anybody can tell it from one that arrived.
"""

import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import pyarrow as pa

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.hit import Hit
from pixelake.operate.demo_world import BLOG, DOCS, MARK, SHOP, VISITS, Deed, World, rhythm
from pixelake.registry.aside import Aside
from pixelake.registry.goals import Funnel, Goal
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Batch
from pixelake.testing import Request
from pixelake.transform.judge import Judge
from pixelake.transform.retry import Retry
from pixelake.transform.rules import Rules
from pixelake.warehouse.base import Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.seen_sqlite import SqliteSeen

SOURCE: Final = "demo"
"""The `source` of hits that were never sent."""
PARTITION: Final = "demo-"
"""Before the name of their partition."""
DAYS: Final = 70
LESS: Final = 0.75
"""The same at its beginning, of those at its end."""
CROWD_AGO: Final = 3
"""Days since a post of others sent a crowd: the unusual hours."""
CROWD: Final = (340, 15, 3)
"""Of it: visits, hour of the day (UTC), and how many hours it lasts."""
MAILS: Final = 130
"""Opens of each week's letter."""
JUDGED: Final = 10_000
"""Hits that are judged at once."""
_FOREVER: Final = 3_155_760_000.0
_HOUR: Final = timedelta(hours=1)


def declare(registry: SqliteRegistry) -> None:
    """What a shop would declare: goals, a funnel, and a badge of the documentation."""
    registry.add_sites([SHOP, BLOG, DOCS])
    registry.set_badge(DOCS, True)
    registry.add_goal(SHOP, Goal("order", ("event is purchase",)))
    registry.add_goal(SHOP, Goal("into the cart", ("event is add_to_cart",)))
    registry.add_goal(SHOP, Goal("looked at delivery", ("path is /help/delivery",)))
    registry.add_goal(BLOG, Goal("letter", ("event is signup",), "2.50"))
    registry.add_goal(DOCS, Goal("download", ("event is download",)))
    steps = ("path matches ^/products/",), ("event is add_to_cart",), ("path is /checkout",), ("event is purchase",)
    registry.add_funnel(SHOP, Funnel("order", steps))


def requests(random: Random, end: datetime) -> Iterator[tuple[datetime, Request]]:
    """What was sent in the past that ends then, in no order: a rhythm of days and weeks, and a little more each week.

    Of what begins before the end, the part behind it is left out.
    """
    world, begin = World(random), end - timedelta(days=DAYS)
    for at, deeds in _visits(world, random, begin, end):
        for after, request in deeds:
            moment = at + timedelta(seconds=after)
            if moment < end:
                yield moment, request


def _visits(world: World, random: Random, begin: datetime, end: datetime) -> Iterator[tuple[datetime, list[Deed]]]:
    length, noise = end - begin, 1.0
    for number in range(DAYS * 24):
        at = begin + number * _HOUR
        when = (at - begin) / length
        if number % 24 == 0:
            noise = random.gauss(1, 0.05)
        busy = VISITS * rhythm(at) * noise * (LESS + (1 - LESS) * when)
        yield from ((_within(random, at), world.visit(when)) for _ in range(_drawn(random, busy)))
        yield from ((_within(random, at), world.ad()) for _ in range(_drawn(random, busy * 0.1)))
        yield from ((_within(random, at), world.badge()) for _ in range(_drawn(random, busy * 0.06)))
        yield from ((_within(random, at), world.machine()) for _ in range(_drawn(random, VISITS * 0.12)))
    yield from _letters(world, random, begin, end)
    yield from _crowd(world, random, end)


def _letters(world: World, random: Random, begin: datetime, end: datetime) -> Iterator[tuple[datetime, list[Deed]]]:
    """A letter to customers each Tuesday morning."""
    first = begin.replace(hour=7, minute=0, second=0, microsecond=0) + timedelta(days=(1 - begin.weekday()) % 7)
    for number in range(DAYS // 7 + 1):
        sent = first + timedelta(weeks=number)
        if begin <= sent < end:
            message = f"letter-{sent:%G-%V}"
            yield from ((sent, world.mail(message, int(sent.timestamp()))) for _ in range(_drawn(random, MAILS)))


def _crowd(world: World, random: Random, end: datetime) -> Iterator[tuple[datetime, list[Deed]]]:
    """One thing that is unusual: a post that sends a crowd, most of it in the first hour."""
    visits, hour, hours = CROWD
    begun = (end - timedelta(days=CROWD_AGO)).replace(hour=hour, minute=5, second=0, microsecond=0)
    for _ in range(visits):
        yield begun + hours * _HOUR * random.random() ** 1.6, world.crowd()


def _within(random: Random, hour: datetime) -> datetime:
    return hour + timedelta(seconds=random.uniform(0, 3_600))


def _drawn(random: Random, mean: float) -> int:
    """About that many, scattering a little less than by chance alone: what each of them does scatters, too."""
    return max(0, round(random.gauss(mean, 0.5 * mean**0.5)))


def hits(random: Random, end: datetime) -> list[Hit]:
    """The past's hits, in order of time, as a CDN in front would have passed them on."""
    sent = sorted(requests(random, end), key=lambda each: each[0])
    return [_hit(at, request) for at, request in sent]


def _hit(at: datetime, request: Request) -> Hit:
    lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items()).encode()
    received_at = round(at.timestamp() * SECOND)
    return Hit.of(received_at, "127.0.0.1", request.address, "GET", request.target.encode(), lines, source=SOURCE)


def write(
    lake: Lake, rules: Rules, registry: SqliteRegistry, folder: Path, *, random: Random, clock: Clock = SYSTEM
) -> int:
    """Give the demo its past, if it has none yet; in one commit, so that it is there whole or not at all.

    Args:
        lake: open for writing.
        rules: as the consumer's.
        registry: where sites, goals and the mark of a demo are put.
        folder: for what is needed on the way; emptied at the end.
        random: what happened.
        clock: where the past ends.

    Returns:
        How many hits it has.

    Raises:
        PixelakeError: the lake or the registry cannot be used now.
    """
    if any(name.startswith(PARTITION) for name in lake.positions()):
        return 0
    declare(registry)
    made = hits(random, datetime.fromtimestamp(clock.now() / SECOND, UTC))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = SqliteSeen(folder / "seen.sqlite", _FOREVER, _FOREVER, clock)
    try:
        key = registry.secret(MARK)
        judge = Judge(rules, Aside(registry, key), seen)
        lake.write(_judged(judge, f"{PARTITION}{key[:8]}", made), coarse=True)
    finally:
        seen.close()
        shutil.rmtree(folder, ignore_errors=True)
    return len(made)


def _judged(judge: Judge, partition: str, made: list[Hit]) -> Outcome:
    retry = Retry("judge the demo's past", threading.Event(), on=())
    parts = [outcome for batch in _batches(partition, made) for outcome in judge(batch, retry)]
    return Outcome(
        events=pa.concat_tables([each.events for each in parts]),
        rejects=pa.concat_tables([each.rejects for each in parts]),
        withheld=pa.concat_tables([each.withheld for each in parts]),
        first={partition: 1},
        positions={partition: len(made)},
    )


def _batches(partition: str, made: list[Hit]) -> Iterator[Batch]:
    for start in range(0, len(made), JUDGED):
        some = made[start : start + JUDGED]
        yield Batch(partition, some, range(start + 1, start + len(some) + 1))
