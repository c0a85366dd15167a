"""The order of the consumer's actions: in the lake before committed; whatever happens, each hit once."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pixelake import telemetry
from pixelake.dialects.native import Native
from pixelake.errors import StreamError
from pixelake.hit import Hit
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.stream.base import Partition, Position
from pixelake.stream.memory import MemoryStream
from pixelake.testing import FakeClock, Journal
from pixelake.transform import feed as feeding
from pixelake.transform.consumer import Consumer
from pixelake.transform.feed import Plan
from pixelake.transform.judge import Judge
from pixelake.transform.rules import make_rules
from pixelake.warehouse.badges_sqlite import BadgeStore
from pixelake.warehouse.files import Files
from pixelake.warehouse.files_place import Folder
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_sqlite import LiveStore
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.seen_sqlite import SqliteSeen
from pixelake.warehouse.sums import LakeReader
from tests.judging import hit, rules
from tests.sinks import MemorySink, eventually


class World:
    """A stream, and what a consumer needs besides sinks. `clock` stands still."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.stream = MemoryStream()
        self.registry = SqliteRegistry(folder / "registry.sqlite")
        self.seen = SqliteSeen(folder / "seen.sqlite", 86_400.0, 86_400.0)
        self.writer = self.stream.writer()
        self.partition = self.stream.extents()[0].partition
        self.rules = rules()
        self.sent = 0

    def send(self, count: int) -> None:
        """So many hits more."""
        hits = [hit(f"/?site=s&event_id=e{self.sent + n}") for n in range(count)]
        asyncio.run(self.writer.append(hits))
        self.sent += count

    def ids(self) -> list[str]:
        """Of all hits that were sent."""
        return [f"{self.partition}-{n + 1}" for n in range(self.sent)]

    def committed(self) -> Position:
        """How far the consumer's group is."""
        return self.stream._committed.get("consume", {}).get(self.partition, 0)

    def consumer(
        self,
        sinks: Mapping[str, Any],
        *,
        window: float = 0.0,
        readers: Callable[[str], Any] | None = None,
        batch: int = 10,
        loose: str = "",
    ) -> Consumer:
        """A consumer that feeds these sinks; the one named `loose` does not hold the stream."""
        plans = [
            Plan(name=name, sink=sink, window=window, rows=1_000_000, holds=name != loose)
            for name, sink in sinks.items()
        ]
        judge = Judge(self.rules, self.registry, self.seen)
        return Consumer(
            readers=readers or self.stream.reader, judge=judge, plans=plans, batch_size=batch, clock=self.clock
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An installation in which nothing has happened; infrastructure is tried again at once."""
    monkeypatch.setattr("pixelake.transform.retry.FIRST_PAUSE", 0.001)
    monkeypatch.setattr("pixelake.transform.consumer.WAIT", 0.01)
    made = World(tmp_path)
    yield made
    made.registry.close()
    made.seen.close()


@contextmanager
def running(consumer: Consumer, results: list[bool] | None = None) -> Iterator[threading.Event]:
    """The consumer in a thread; told to stop at the end, it must end in time."""
    stop = threading.Event()
    ended: list[bool] = [] if results is None else results
    thread = threading.Thread(target=lambda: ended.append(consumer.run(stop, 10.0)))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(20)
    assert not thread.is_alive()
    assert ended


def test_in_the_lake_before_committed(world: World) -> None:
    """The journal of two sinks and a stream: begin behind the sinks, then read, write both, and commit last."""
    journal = Journal()
    lake, live = MemorySink(), MemorySink()
    world.send(3)
    consumer = world.consumer(
        {"live": journal.watch("live", live), "lake": journal.watch("lake", lake)},
        readers=lambda group: journal.watch("stream", world.stream.reader(group)),
    )
    with running(consumer):
        eventually(lambda: world.committed() == 3)
    entries = [entry for index, entry in enumerate(journal.entries) if entry != journal.entries[index - 1]]
    assert entries[:4] == ["live.positions", "lake.positions", "stream.rewind", "stream.read"]
    commit = entries.index("stream.commit")
    assert entries.index("lake.write") < commit
    assert entries.index("live.write") < commit
    assert entries[-1] == "stream.close"


def test_every_real_sink_before_the_commit(world: World, tmp_path: Path) -> None:
    """Event ids are claimed first; then live store, lake and files have the hits, before the stream is committed.

    Badges do not hold the stream: what they miss they take from the lake.
    """
    journal = Journal()
    sinks = {
        "live": LiveStore(tmp_path / "live.sqlite"),
        "lake": Lake(tmp_path / "lake"),
        "files": Files(Folder(tmp_path / "files"), "json.gz"),
        "badges": BadgeStore(tmp_path / "badges.sqlite", tmp_path / "lake"),
    }
    world.seen = journal.watch("seen", world.seen)
    world.send(3)
    consumer = world.consumer(
        {name: journal.watch(name, sink) for name, sink in sinks.items()},
        readers=lambda group: journal.watch("stream", world.stream.reader(group)),
        loose="badges",
    )
    with running(consumer):
        eventually(lambda: world.committed() == 3)
        eventually(lambda: sinks["badges"].positions() == {world.partition: 3})
    commit = journal.entries.index("stream.commit")
    claim = journal.entries.index("seen.claim")
    for name in ("live", "lake", "files"):
        written = journal.entries.index(f"{name}.write")
        assert claim < written < journal.entries.index(f"{name}.positions", written) < commit
    assert claim < journal.entries.index("badges.write")
    for name in ("live", "lake", "files", "badges"):
        assert sinks[name].positions() == {world.partition: 3}


def test_nothing_is_committed_that_one_sink_lacks(world: World) -> None:
    """As long as a sink hangs, only what it has is committed, whatever the other one has."""
    lake, live = MemorySink(), MemorySink()
    with running(world.consumer({"live": live, "lake": lake})):
        world.send(5)
        eventually(lambda: world.committed() == 5)
        lake.gate.clear()
        world.send(5)
        eventually(lambda: len(live.ids) == 10)
        assert world.committed() == 5
        lake.gate.set()
        eventually(lambda: world.committed() == 10)
    assert lake.ids == live.ids == world.ids()


def test_a_sink_that_does_not_hold_the_stream(world: World) -> None:
    """While it hangs, at the start and later, the stream is committed; what is still held comes to it, too."""
    lake, badges = MemorySink(), MemorySink()
    badges.failures = 3
    badges.gate.clear()
    with running(world.consumer({"lake": lake, "badges": badges}, loose="badges")):
        world.send(5)
        eventually(lambda: world.committed() == 5)
        world.send(5)
        eventually(lambda: world.committed() == 10)
        assert not badges.ids
        badges.gate.set()
        eventually(lambda: badges.ids == world.ids())


def test_a_sink_that_cannot_say_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it does not hold the stream, the start does not wait for it."""

    def broken() -> Mapping[Partition, Position]:
        raise StreamError("broken")

    lake, badges = MemorySink(), MemorySink()
    monkeypatch.setattr(badges, "positions", broken)
    world.send(5)
    with running(world.consumer({"lake": lake, "badges": badges}, loose="badges"), []):
        eventually(lambda: world.committed() == 5)


def test_windows(world: World) -> None:
    """Nothing is written while the clock stands still; when it moves on, everything at once; at the end, the rest."""
    lake = MemorySink()
    consumer = world.consumer({"lake": lake}, window=5.0, batch=2)
    with running(consumer) as stop:
        world.send(6)
        eventually(lambda: consumer.health().sinks[0].waiting == 6)
        time.sleep(2 * feeding.LOOK)
        assert lake.writes == 0
        world.clock.advance(5.0)
        eventually(lambda: world.committed() == 6)
        assert lake.writes == 1
        world.send(2)
        eventually(lambda: consumer.health().sinks[0].waiting == 2)
        assert lake.writes == 1
        stop.set()
    assert lake.ids == world.ids()
    assert world.committed() == 8


def test_an_outage_of_a_sink_loses_nothing(world: World) -> None:
    """Failed writes are repeated until they work; health tells the error in the meantime."""
    lake = MemorySink()
    lake.failures = 1_000_000
    consumer = world.consumer({"lake": lake})
    with running(consumer):
        world.send(4)
        eventually(lambda: consumer.health().error == "down")
        assert consumer.health().sinks[0].oldest is not None
        lake.failures = 0
        eventually(lambda: world.committed() == 4)
        eventually(lambda: consumer.health() == (0.0, "", [("lake", True, 0, None, "")]))
    assert lake.ids == world.ids()


def test_stopping_during_an_outage(world: World) -> None:
    """It ends in time, commits nothing that is not written, and the next consumer goes on."""
    lake = MemorySink()
    lake.failures = 1_000_000
    with running(world.consumer({"lake": lake})):
        world.send(4)
        eventually(lambda: lake.failures < 1_000_000)
    assert world.committed() == 0
    lake.failures = 0
    with running(world.consumer({"lake": lake})):
        eventually(lambda: world.committed() == 4)
    assert lake.ids == world.ids()


def test_a_sink_that_hangs_at_the_end(world: World) -> None:
    """It is left behind when the time is over, and the others are flushed and committed as far as all have it."""
    lake, live = MemorySink(), MemorySink()
    lake.gate.clear()
    stop = threading.Event()
    world.send(3)
    consumer = world.consumer({"live": live, "lake": lake})
    thread = threading.Thread(target=lambda: eventually(lambda: len(live.ids) == 3) or stop.set())
    thread.start()
    assert not consumer.run(stop, 0.2)
    thread.join()
    assert world.committed() == 0
    lake.gate.set()


class FailsOnce:
    """A reader whose first call of `method` fails, after it did its work or instead of it."""

    def __init__(self, reader: Any, method: str) -> None:
        self._reader = reader
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._reader, name)
        self._method = ""

        def fail(*_: Any) -> None:
            raise StreamError("down")

        return fail


@pytest.mark.parametrize("method", ["read", "commit", "rewind"])
def test_an_outage_of_the_stream(world: World, method: str) -> None:
    """Whatever call fails is repeated."""
    lake = MemorySink()
    consumer = world.consumer({"lake": lake}, readers=lambda group: FailsOnce(world.stream.reader(group), method))
    with running(consumer):
        world.send(4)
        eventually(lambda: world.committed() == 4)
    assert lake.ids == world.ids()


def test_a_crash_before_the_commit_adds_nothing(world: World) -> None:
    """Hits that are in the lake and were never committed come again, in other batches, and change nothing."""
    lake = MemorySink()
    world.send(25)
    with running(world.consumer({"lake": lake})):
        eventually(lambda: world.committed() == 25)
    world.stream._committed["consume"].clear()
    world.send(3)
    with running(world.consumer({"lake": lake}, batch=7)):
        eventually(lambda: world.committed() == 28)
    assert lake.ids == world.ids()


def test_a_restored_lake_gets_what_the_stream_still_holds(world: World) -> None:
    """A sink that is behind the stream's commit, or empty, is filled from its own position; others stay as they are."""
    lake, live = MemorySink(), MemorySink()
    world.send(12)
    with running(world.consumer({"live": live, "lake": lake})):
        eventually(lambda: world.committed() == 12)
    older, fresh = MemorySink({world.partition: 4}), MemorySink()
    world.send(1)
    with running(world.consumer({"live": live, "older": older, "fresh": fresh})):
        eventually(lambda: world.committed() == 13)
        eventually(lambda: len(fresh.ids) == 13)
    assert live.ids == fresh.ids == world.ids()
    assert older.ids == world.ids()[4:]


def test_two_consumers(world: World) -> None:
    """Two that see the same hits, in batches of their own, give each hit once."""
    lake = MemorySink()
    lock = threading.Lock()

    class Locked(MemorySink):
        def write(self, outcome: Any) -> None:
            with lock:
                lake.write(outcome)

        def positions(self) -> Mapping[Partition, Position]:
            return lake.positions()

    with running(world.consumer({"lake": Locked()})), running(world.consumer({"lake": Locked()}, batch=3)):
        for _ in range(10):
            world.send(10)
        eventually(lambda: world.committed() == 100)
    assert lake.ids == world.ids()


class Fragile(Native):
    """The native dialect with a defect."""

    def decode(self, hit: Hit) -> Any:
        """Fails on what a `boom` is in."""
        if b"boom" in hit.target:
            raise ZeroDivisionError
        return super().decode(hit)


class Counting:
    """A reader that counts the hits it gives."""

    def __init__(self, reader: Any, given: list[int]) -> None:
        self._reader, self._given = reader, given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def read(self, limit: int, wait: float) -> Any:
        """The next hits."""
        batch = self._reader.read(limit, wait)
        self._given.append(len(batch.hits) if batch else 0)
        return batch


def test_poison_in_a_large_batch(world: World, tmp_path: Path) -> None:
    """One bad hit of 10,000: 9,999 events and one reject in a real lake, all committed, and none is read again."""
    world.rules = make_rules(Settings(), [Fragile({})])
    given: list[int] = []
    lake = Lake(tmp_path / "lake")
    targets = [f"/?site=s&event_id=e{n}" for n in range(9_999)]
    targets.insert(4_321, "/?boom")
    asyncio.run(world.writer.append([hit(target) for target in targets]))
    with running(
        world.consumer({"lake": lake}, batch=10_000, readers=lambda group: Counting(world.stream.reader(group), given))
    ):
        eventually(lambda: world.committed() == 10_000, 60.0)
    assert [count for count in given if count] == [10_000]
    sums = LakeReader(tmp_path / "lake").sums()
    assert (sums.in_lake, sums.rejected, sums.outcomes) == (9_999, 1, 10_000)
    with Lakehouse(tmp_path / "lake") as house:
        assert house.sql("select hit_id, reason from rejects").to_pylist() == [
            {"hit_id": f"{world.partition}-4322", "reason": "poison"}
        ]


def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer of a few outcomes, and no patience."""
    monkeypatch.setattr(feeding, "BUFFER_BYTES", 30_000)
    monkeypatch.setattr(feeding, "PATIENCE", 0.0)
    monkeypatch.setattr(feeding, "LOOK", 0.01)


def test_a_sink_that_stalls_holds_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is detached, the other goes on; when it works again it catches up by itself, and is attached again."""
    sizes(monkeypatch)
    lake, live = MemorySink(), MemorySink()
    consumer = world.consumer({"live": live, "lake": lake})
    with running(consumer):
        world.send(5)
        eventually(lambda: world.committed() == 5)
        lake.gate.clear()
        for _ in range(30):
            world.send(20)
            eventually(lambda: len(live.ids) == world.sent)
        assert [sink.attached for sink in consumer.health().sinks] == [True, False]
        assert consumer.health().sinks[1].waiting < 300
        lake.gate.set()
        eventually(lambda: consumer.health().sinks[1].attached)
        world.send(20)
        eventually(lambda: world.committed() == world.sent)
    assert lake.ids == live.ids == world.ids()


def test_catching_up_while_more_arrives(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under steady traffic a slow sink that was detached joins again, without a gap (which the sink would notice)."""
    sizes(monkeypatch)
    lake, live = MemorySink(), MemorySink()
    consumer = world.consumer({"live": live, "lake": lake})
    with running(consumer):
        lake.gate.clear()
        for _ in range(20):
            world.send(20)
            eventually(lambda: len(live.ids) == world.sent)
        assert not consumer.health().sinks[1].attached
        lake.gate.set()

        def attached_while_more_arrives() -> bool:
            world.send(2)
            return consumer.health().sinks[1].attached

        eventually(attached_while_more_arrives)
        world.send(50)
        eventually(lambda: world.committed() == world.sent)
    assert lake.ids == live.ids == world.ids()


class SeesNothingAtFirst:
    """A reader that finds the stream empty, twice."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._misses = 2

    def __getattr__(self, name: str) -> Any:
        if name != "read" or not self._misses:
            return getattr(self._reader, name)
        self._misses -= 1
        return lambda *_: None


def test_joining_too_early_leaves_no_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detached sink that believes to be at the end is not attached before it has what was offered in the meantime."""
    sizes(monkeypatch)

    def readers(group: str) -> Any:
        reader = world.stream.reader(group)
        return reader if group == "consume" else SeesNothingAtFirst(reader)

    lake, live = MemorySink(), MemorySink()
    consumer = world.consumer({"live": live, "lake": lake}, readers=readers)
    with running(consumer):
        lake.gate.clear()
        for _ in range(20):
            world.send(20)
            eventually(lambda: len(live.ids) == world.sent)
        assert not consumer.health().sinks[1].attached
        lake.gate.set()
        for _ in range(10):
            world.send(3)
            time.sleep(0.01)
        eventually(lambda: world.committed() == world.sent)
    assert lake.ids == live.ids == world.ids()


def test_stopping_while_detached(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a detached sink lacks is not committed, and comes again after the start."""
    sizes(monkeypatch)
    lake, live = MemorySink(), MemorySink()
    consumer = world.consumer({"live": live, "lake": lake})
    with running(consumer, results := []):
        lake.gate.clear()
        for _ in range(20):
            world.send(20)
            eventually(lambda: len(live.ids) == world.sent)
        threading.Timer(0.2, lake.gate.set).start()
    assert results == [True]
    assert world.committed() == lake.positions()[world.partition]
    with running(world.consumer({"live": live, "lake": lake})):
        eventually(lambda: world.committed() == world.sent)
    assert lake.ids == live.ids == world.ids()


def test_overlapping_outcomes_are_never_written_as_one() -> None:
    """A stream that gives hits again (a partition came back) must not put them twice into one write."""
    from tests.judging import judge

    one, other = judge(hit(), hit()), judge(hit(), hit(), hit())
    pile = feeding._Pile()
    for outcome in (one, other):
        pile.add(outcome, 0, 0.0)
    sink = MemorySink()
    while pile:
        sink.write(pile.take())
    assert sink.writes == 2
    assert sink.ids == ["p-1", "p-2", "p-3"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The consumer does not go on as if nothing had happened: it fails, and is started again by who watches it."""

    def die(_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(feeding.Feed, "_write_next", die)
    world.send(3)
    stop = threading.Event()
    threading.Timer(0.3, lambda: world.send(3)).start()
    with pytest.raises(RuntimeError, match="feeds lake has died"):
        world.consumer({"lake": MemorySink()}).run(stop, 1.0)


def test_hits_of_every_kind_settle(world: World) -> None:
    """Events, rejects and withheld hits all move the positions on."""
    sent: Sequence[Hit] = [hit("/?value=x"), hit("/", {"DNT": "1"}), hit()]
    asyncio.run(world.writer.append(list(sent)))
    lake = MemorySink()
    with running(world.consumer({"lake": lake})):
        eventually(lambda: world.committed() == 3)
    assert len(lake.ids) == 3


def test_failures_of_a_sink_are_counted(world: World) -> None:
    """Each failed write once, under the sink's name; writes that work are timed."""
    failures = telemetry.counter("pixelake_sink_failures_total").labels(sink="counted")
    seconds = telemetry.histogram("pixelake_sink_seconds").labels(sink="counted")
    sink = MemorySink()
    sink.failures = 3
    world.send(5)
    with running(world.consumer({"counted": sink})):
        eventually(lambda: len(sink.ids) == 5)
    assert failures._value.get() == 3
    assert seconds._sum.get() > 0
