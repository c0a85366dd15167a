"""A queue that keeps no order and hands out again: each hit once in the lake, and all sinks agree with it."""

import random
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from pixelake.errors import WarehouseError
from pixelake.hit import Hit
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream.base import Batch, Partition, Position
from pixelake.transform import queue
from pixelake.transform.feed import Plan
from pixelake.transform.judge import Judge
from pixelake.transform.queue import QueueConsumer
from pixelake.warehouse.base import WITHHELD, Outcome
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from pixelake.warehouse.past import Past
from pixelake.warehouse.seen_sqlite import SqliteSeen
from pixelake.warehouse.sums import LakeReader
from tests.judging import AT, hit, rules
from tests.sinks import eventually

QUEUE = "queue-of-tests"
Bar = Callable[[Outcome], Outcome]


class Pile:
    """What waits in a queue; what was taken and not committed comes back when its reader is closed."""

    def __init__(self, hits: list[Hit]) -> None:
        self.waiting = hits
        self.lock = threading.Lock()
        self.readers = 0


class PileReader:
    """Hands hits out of a pile, as a reader of a queue does."""

    ordered = False

    def __init__(self, pile: Pile, *, forgets: bool = False) -> None:
        self._pile, self._forgets = pile, forgets
        pile.readers += 1
        self._name, self._held, self._at = f"reader-{pile.readers}", dict[Position, Hit](), 0

    def read(self, limit: int, wait: float) -> Batch | None:
        """The next ones."""
        with self._pile.lock:
            hits = [self._pile.waiting.pop() for _ in range(min(limit, 7, len(self._pile.waiting)))]
        if not hits:
            threading.Event().wait(min(wait, 0.02))
            return None
        first, self._at = self._at + 1, self._at + len(hits)
        places = range(first, self._at + 1)
        self._held.update(zip(places, hits, strict=True))
        return Batch(self._name, hits, places)

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Forget them; or crash before."""
        if self._forgets:
            raise KeyboardInterrupt("crash before the queue is told")
        at = positions[self._name]
        self._held = {place: hit for place, hit in self._held.items() if place > at}

    def rewind(self, positions: Mapping[Partition, Position]) -> None:
        """Not asked for."""
        raise AssertionError(positions)

    def close(self) -> None:
        """Give back what is held."""
        with self._pile.lock:
            self._pile.waiting.extend(self._held.values())


class Flaky:
    """A live store that is away now and then."""

    def __init__(self, live: LiveStore, is_away: Callable[[], bool]) -> None:
        self._live, self._is_away = live, is_away

    def write(self, outcome: Outcome) -> None:
        """Write, or fail."""
        if self._is_away():
            raise WarehouseError("away", "wait")
        self._live.write(outcome)

    def positions(self) -> Mapping[Partition, Position]:
        """As it says."""
        return self._live.positions()


def hits(count: int) -> list[Hit]:
    """Hits with names, of which some are no events."""
    made = [hit(f"/pixel.gif?site=shop.example&url=https://shop.example/{n}", at=AT + n) for n in range(count)]
    return [msgspec.structs.replace(each, hit_id=f"w-{number}") for number, each in enumerate(made)]


@contextmanager
def house(folder: Path, is_away: Callable[[], bool] = lambda: False) -> Iterator[Callable[..., QueueConsumer]]:
    """Makes consumers of one pile, which share all stores."""
    registry = SqliteRegistry(folder / "registry" / "registry.sqlite")
    with (
        closing(registry),
        closing(SqliteSeen(folder / "seen.sqlite", 86_400.0, 86_400.0)) as seen,
        closing(LiveStore(folder / "live.sqlite", 1e9)) as live,
    ):

        def consumer(
            pile: Pile, *, window: float = 0.02, rows: int = 20, bar: Bar = lambda outcome: outcome, **options: Any
        ) -> QueueConsumer:
            return QueueConsumer(
                bar=bar,
                readers=lambda _: PileReader(pile, **options),
                judge=Judge(rules(), registry, seen),
                lake=Lake(folder / "lake"),
                past=Past(folder / "lake"),
                plans=[Plan(name="live", sink=Flaky(live, is_away), window=0, rows=0)],
                partition=QUEUE,
                window=window,
                rows=rows,
                batch_size=10,
            )

        yield consumer


def run(consumer: QueueConsumer, until: Callable[[], bool]) -> None:
    """Let it settle until something is so."""
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    try:
        eventually(until, 60)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def in_lake(folder: Path) -> Counter[str]:
    """The names there."""
    names = DeltaTable(str(folder / "lake" / "events")).to_pyarrow_table(columns=["hit_id"])["hit_id"].to_pylist()
    return Counter(names)


def in_live(folder: Path) -> int:
    """The views that the live store has counted."""
    return len(LiveReader(folder / "live.sqlite").newest(10_000))


def settled(folder: Path) -> int:
    """How many hits the lake has settled."""
    found = LakeReader(folder / "lake").progress().get(QUEUE)
    return found.position if found else 0


@pytest.mark.parametrize("seed", range(3))
def test_each_hit_once_everywhere(tmp_path: Path, seed: int) -> None:
    """Any order, many deliveries, a live store that is away half of the time, two consumers at once."""
    rng = random.Random(seed)
    made = hits(60)
    pile = Pile([*made, *rng.choices(made, k=50)])
    rng.shuffle(pile.waiting)
    with house(tmp_path, is_away=lambda: rng.random() < 0.5) as consumer:
        threads = []
        stop = threading.Event()
        for _ in range(2):
            threads.append(threading.Thread(target=consumer(pile).run, args=(stop,)))
            threads[-1].start()
        try:
            eventually(lambda: settled(tmp_path) == 60 and not pile.waiting, 60)
        finally:
            stop.set()
            for thread in threads:
                thread.join(30)
    with house(tmp_path) as consumer:
        run(consumer(Pile([])), lambda: in_live(tmp_path) == 60)  # one that begins takes from the lake what is missing
    assert in_lake(tmp_path) == Counter(f"w-{number}" for number in range(60))
    assert LakeReader(tmp_path / "lake").sums().holds


def test_a_crash_before_the_queue_is_told(tmp_path: Path) -> None:
    """The lake has them, the queue hands them out again, and nothing is there twice."""
    pile = Pile(hits(10))
    with house(tmp_path) as consumer:
        with pytest.raises(KeyboardInterrupt):
            consumer(pile, forgets=True).run(threading.Event())
        assert (settled(tmp_path), len(pile.waiting)) == (10, 10)
        run(consumer(pile), lambda: not pile.waiting)
    assert (settled(tmp_path), in_live(tmp_path)) == (10, 10)
    assert max(in_lake(tmp_path).values()) == 1


def test_what_is_no_hit_is_a_reject(tmp_path: Path) -> None:
    """It holds up nobody, and is counted once."""
    bad = [msgspec.structs.replace(hit("/pixel.gif?site=%FF"), hit_id=f"bad-{n}") for n in (1, 2, 1)]
    pile = Pile([*hits(3), *bad])
    with house(tmp_path) as consumer:
        run(consumer(pile), lambda: settled(tmp_path) == 5 and not pile.waiting)
    sums = LakeReader(tmp_path / "lake").sums()
    assert (sums.in_lake, sums.rejected, sums.holds) == (3, 2, True)


def test_a_lake_that_is_older_than_a_sink(tmp_path: Path) -> None:
    """It was restored from a backup: what it lacks is told as missed, and sinks go on with what is new."""
    with house(tmp_path) as consumer:
        first = consumer(Pile(hits(10)))
        run(first, lambda: in_live(tmp_path) == 10)
    shutil.rmtree(tmp_path / "lake")
    pile = Pile([msgspec.structs.replace(each, hit_id=f"new-{each.hit_id}") for each in hits(4)])
    with house(tmp_path) as consumer:
        run(consumer(pile), lambda: in_live(tmp_path) == 14 and not pile.waiting)
    sums = LakeReader(tmp_path / "lake").sums()
    assert (sums.missed, sums.in_lake, sums.progress[QUEUE].position) == (10, 4, 14)


def first_three(outcome: Outcome) -> Outcome:
    """The others are withheld."""
    gone = outcome.events[3:].select(WITHHELD.names).cast(WITHHELD)
    return replace(outcome, events=outcome.events[:3], withheld=gone)


def test_what_must_not_come_is_withheld(tmp_path: Path) -> None:
    """And counted."""
    with house(tmp_path) as consumer:
        run(consumer(Pile(hits(5)), bar=first_three), lambda: settled(tmp_path) == 5)
    sums = LakeReader(tmp_path / "lake").sums()
    assert (sums.in_lake, sums.withheld, sums.holds) == (3, 2, True)


def test_a_window_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what its outcomes take, however many hits a batch may have and however long the window is."""
    monkeypatch.setattr(queue, "BUFFER_BYTES", 20_000)
    written: list[int] = []
    real = Lake.settle
    monkeypatch.setattr(
        Lake,
        "settle",
        lambda self, outcome, name, bar: (written.append(outcome.events.num_rows), real(self, outcome, name, bar))[1],
    )
    with house(tmp_path) as consumer:
        run(consumer(Pile(hits(60)), window=5.0, rows=10_000), lambda: settled(tmp_path) >= 40)
    assert written[0] < 60


def test_a_side_sink_that_breaks_holds_up_nobody(tmp_path: Path) -> None:
    """Whatever it raises."""

    def breaks() -> bool:
        raise pa.ArrowInvalid("no error of ours")

    with house(tmp_path, is_away=breaks) as consumer:
        made = consumer(Pile(hits(5)))
        run(made, lambda: settled(tmp_path) == 5 and "ArrowInvalid" in made.health().error)


def test_it_says_how_it_is(tmp_path: Path) -> None:
    """A sink that is away is named with its error, until it follows again."""
    away = [True]
    pile = Pile(hits(5))
    with house(tmp_path, is_away=lambda: away[0]) as consumer:
        made = consumer(pile)

        def seen() -> bool:
            if settled(tmp_path) == 5 and made.health().error:
                assert "away" in made.health().error
                away[0] = False
                with pile.lock:
                    pile.waiting.append(msgspec.structs.replace(hits(1)[0], hit_id="one-more"))
            return in_live(tmp_path) == 6

        run(made, seen)
        assert made.health().error == ""
