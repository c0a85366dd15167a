"""Clocks that are wrong: what is kept by time survives a jump, a step back, a machine that slept."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pixelake.clock import BELIEVED_AFTER, SECOND, SYSTEM, Careful
from pixelake.collect.rate import Buckets
from pixelake.hit import Hit
from pixelake.operate.notices import notices
from pixelake.registry.base import STALLED
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.stream import segment
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SWEEP, SqliteReader
from pixelake.testing import FakeClock
from pixelake.warehouse.base import Claim
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from pixelake.warehouse.seen_sqlite import SqliteSeen
from tests.warehouse.outcomes import START, event, outcome

YEAR = 365 * 86_400 * SECOND
DAY = 86_400.0
START_US = int(START.timestamp()) * SECOND


# --- the clock that believes slowly


def test_an_ordinary_clock_is_believed() -> None:
    """As it goes on, it is told; a small difference is none."""
    clock = FakeClock()
    careful = Careful(clock, clock.now() - 10 * SECOND)
    for _ in range(100):
        clock.advance(7_200)
        clock.microseconds += SECOND
        assert careful.now() == clock.now()


def test_a_jump_that_passes() -> None:
    """A clock that is a year ahead for a while makes nothing older than it is."""
    clock = FakeClock()
    right = FakeClock()
    careful = Careful(clock)
    clock.microseconds += YEAR
    for _ in range(59):
        assert careful.now() == right.now()
        for each in (clock, right):
            each.advance(60)
    clock.microseconds -= YEAR
    assert careful.now() == right.now() == clock.now()


def test_a_jump_that_lasts() -> None:
    """After an hour it is the time: a clock that was wrong before has been put right."""
    clock = FakeClock()
    careful = Careful(clock)
    clock.microseconds += YEAR
    assert careful.now() == clock.now() - YEAR
    clock.advance(BELIEVED_AFTER)
    assert careful.now() == clock.now()
    clock.advance(1)
    assert careful.now() == clock.now()


def test_a_step_back_is_believed_at_once() -> None:
    """Nothing is made old by it; and the time goes on from there."""
    clock = FakeClock()
    careful = Careful(clock)
    for step in (3_600, 1, 86_400):
        clock.microseconds -= step * SECOND
        assert careful.now() == clock.now()
        clock.advance(5)
        assert careful.now() == clock.now()


def test_wrong_from_the_start() -> None:
    """The newest thing that is kept tells that the clock may be wrong; with nothing kept, any time will do."""
    clock = FakeClock()
    kept = clock.now()
    clock.microseconds += YEAR
    careful = Careful(clock, kept)
    assert careful.now() == kept
    clock.advance(60)
    assert careful.now() == kept + 60 * SECOND
    assert Careful(clock).now() == clock.now()


def test_each_jump_is_looked_at_anew() -> None:
    """An hour is not made of two half hours with the right time in between."""
    clock = FakeClock()
    careful = Careful(clock)
    for _ in range(4):
        clock.microseconds += YEAR
        careful.now()
        clock.advance(BELIEVED_AFTER / 2)
        assert careful.now() == clock.now() - YEAR
        clock.microseconds -= YEAR
        assert careful.now() == clock.now()


# --- the stream


def _hit(clock: FakeClock) -> Hit:
    return Hit.of(clock.now(), "192.0.2.1", "192.0.2.1", "GET", b"/pixel.gif?site=a", b"")


def _append(writer: SqliteWriter, clock: FakeClock) -> None:
    async def append() -> None:
        await writer.append([_hit(clock)])

    asyncio.run(append())


def _here() -> FakeClock:
    """The time of the files that a test writes, and that moves only when told to."""
    return FakeClock(SYSTEM.now())


def _stream(tmp_path: Path, clock: FakeClock) -> Path:
    """A partition of three segments, and an empty one behind them, whose owner has gone."""

    async def fill() -> None:
        writer = SqliteWriter(tmp_path, segment_age=0, clock=clock)
        for _ in range(3):
            await writer.append([_hit(clock)])
        await writer.close()

    asyncio.run(fill())
    (folder,) = segment.partitions(tmp_path)
    return folder


def _settle(reader: SqliteReader, upto: int) -> None:
    for _ in range(20):
        batch = reader.read(10, 0.0)
        if batch is not None:
            reader.commit({batch.partition: min(upto, batch.positions[-1])})


def _sweep(reader: SqliteReader, clock: FakeClock, folder: Path, upto: int) -> None:
    clock.advance(SWEEP + 1)
    reader.commit({folder.name: upto})


def test_a_jump_does_not_empty_the_stream(tmp_path: Path) -> None:
    """What is settled and not old stays while a clock is a year ahead for a while; what is not settled stays anyway."""
    clock = _here()
    folder = _stream(tmp_path, clock)
    before = segment.segments(folder)
    reader = SqliteReader(tmp_path, "g", retention=DAY, clock=clock)
    _settle(reader, upto=2)
    clock.microseconds += YEAR
    _sweep(reader, clock, folder, 2)
    assert segment.segments(folder) == before
    clock.advance(BELIEVED_AFTER)
    _sweep(reader, clock, folder, 2)
    _sweep(reader, clock, folder, 2)
    assert [int(path.stem) for path in segment.segments(folder)] == [3, 4]
    reader.close()


def test_a_stream_found_by_a_clock_that_is_ahead(tmp_path: Path) -> None:
    """A machine that starts with a wrong clock forgets nothing for an hour, and everything old after it."""
    clock = _here()
    folder = _stream(tmp_path, clock)
    clock.microseconds += YEAR
    reader = SqliteReader(tmp_path, "g", retention=DAY, clock=clock)
    _settle(reader, upto=3)
    for _ in range(5):
        _sweep(reader, clock, folder, 3)
    assert len(segment.segments(folder)) == 4
    clock.advance(BELIEVED_AFTER)
    _sweep(reader, clock, folder, 3)
    assert not segment.partitions(tmp_path)
    reader.close()


def test_a_segment_is_as_old_as_it_is(tmp_path: Path) -> None:
    """Steps of the wall clock neither close a segment nor keep it open; what is received goes on in one order."""
    clock = FakeClock()

    async def fill() -> None:
        writer = SqliteWriter(tmp_path, segment_age=3_600, clock=clock)
        for step in (0, YEAR, -2 * YEAR, YEAR):
            clock.microseconds += step
            await writer.append([_hit(clock)])
        (folder,) = segment.partitions(tmp_path)
        assert len(segment.segments(folder)) == 1
        clock.advance(3_601)
        await writer.append([_hit(clock)])
        await writer.append([_hit(clock)])
        assert len(segment.segments(folder)) == 2
        await writer.close()

    asyncio.run(fill())
    reader = SqliteReader(tmp_path, "g", clock=clock)
    read: list[int] = []
    while len(read) < 6:  # where a batch ends is the reader's affair
        batch = reader.read(10, 30.0)
        assert batch is not None
        read += batch.positions
    assert read == [1, 2, 3, 4, 5, 6]
    reader.close()


# --- the live store


def _kept(store: LiveStore) -> tuple[int, int]:
    (events,) = store._connection.execute("select count(*) from recent").fetchone()
    (minutes,) = store._connection.execute("select count(*) from minutes").fetchone()
    return events, minutes


def test_a_jump_does_not_wipe_the_last_days(tmp_path: Path) -> None:
    """While a clock is a year ahead for a minute nothing is forgotten; after it goes on as before."""
    clock = FakeClock(START_US)
    store = LiveStore(tmp_path / "live.sqlite", clock=clock)
    store.write(outcome([event("a", n) for n in range(1, 4)]))
    kept = _kept(store)
    clock.microseconds += YEAR
    store.write(outcome([event("a", 4)]))
    assert _kept(store) == (kept[0] + 1, kept[1])
    clock.microseconds -= YEAR
    clock.advance(60)
    store.write(outcome([event("a", 5)]))
    assert _kept(store)[0] == kept[0] + 2
    clock.advance(8 * DAY)
    later = START + timedelta(days=8)
    store.write(outcome([event("a", 6, received_at=later)]))
    assert _kept(store)[0] == 1


def test_a_live_store_found_by_a_clock_that_is_ahead(tmp_path: Path) -> None:
    """It is not emptied by a machine that starts with a wrong clock."""
    clock = FakeClock(START_US)
    LiveStore(tmp_path / "live.sqlite", clock=clock).write(outcome([event("a", 1)]))
    clock.microseconds += YEAR
    store = LiveStore(tmp_path / "live.sqlite", clock=clock)
    store.write(outcome([event("a", 2)]))
    assert _kept(store)[0] == 2
    clock.advance(BELIEVED_AFTER + 1)
    store.write(outcome([event("a", 3)]))
    clock.advance(1)
    store.write(outcome([event("a", 4, received_at=START + timedelta(days=365, hours=1))]))
    assert _kept(store)[0] == 1


def test_who_was_here_when_the_clock_was_ahead(tmp_path: Path) -> None:
    """Does not count as here until that time comes."""
    clock = FakeClock(START_US)
    store = LiveStore(tmp_path / "live.sqlite", clock=clock)
    store.write(
        outcome(
            [event("a", 1, visitor_id="now"), event("a", 2, visitor_id="then", received_at=START + timedelta(hours=2))]
        )
    )
    clock.advance(10)
    assert LiveReader(tmp_path / "live.sqlite", clock).now(300.0).visitors == 1


# --- event ids, salts, notices, rates


def test_a_repeat_is_one_whatever_the_clock_says(tmp_path: Path) -> None:
    """While a clock is ahead, after it, and after a step back, an event id belongs to its first hit."""
    clock = FakeClock()
    seen = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    assert seen.claim([Claim("a", "e1", "first")]) == ["first"]
    clock.microseconds += YEAR
    assert seen.claim([Claim("a", "e1", "second"), Claim("a", "e2", "third")]) == ["first", "third"]
    clock.microseconds -= YEAR + 3_600 * SECOND
    assert seen.claim([Claim("a", "e1", "fourth"), Claim("a", "e2", "fifth")]) == ["first", "third"]
    seen.close()
    clock.microseconds += YEAR
    again = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    assert again.claim([Claim("a", "e1", "sixth"), Claim("a", "e2", "seventh")]) == ["first", "third"]


def test_a_claim_after_a_long_sleep(tmp_path: Path) -> None:
    """It is made now, not when the machine went to sleep: it holds for the whole window."""
    clock = FakeClock()
    SqliteSeen(tmp_path / "seen.sqlite", clock=clock).claim([Claim("a", "e1", "first")])
    clock.microseconds += 3 * 86_400 * SECOND
    seen = SqliteSeen(tmp_path / "seen.sqlite", window=DAY, clock=clock)
    assert seen.claim([Claim("a", "e2", "second")]) == ["second"]
    clock.advance(DAY - 1)
    assert seen.claim([Claim("a", "e2", "third"), Claim("a", "e1", "fourth")]) == ["second", "fourth"]


def test_salts(tmp_path: Path) -> None:
    """A clock that is ahead for a minute destroys no salt, however often it is looked at meanwhile, nor makes two."""
    clock = FakeClock()
    registry = SqliteRegistry(tmp_path / "registry.sqlite", clock=clock)
    today = datetime.fromtimestamp(clock.now() / SECOND, UTC).date()
    salt = registry.salts([today])[today]
    for _ in range(3):
        registry.destroy_salts(clock.now() + YEAR)
        clock.advance(20)
        registry.destroy_salts(clock.now())
    assert registry.salts([today]) == {today: salt}


def test_a_stall_of_tomorrow(tmp_path: Path) -> None:
    """What was noticed by a clock that was ahead is not told for as long as that."""
    clock = FakeClock()
    registry = SqliteRegistry(tmp_path / "registry.sqlite", clock=clock)
    registry.notice(STALLED, "the lake is away", clock.now() + YEAR)
    assert notices(registry.noticed, clock) == []
    registry.notice(STALLED, "the lake is away", clock.now() + SECOND)  # of a host whose clock is a little ahead
    assert len(notices(registry.noticed, clock)) == 1


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["ahead", "back"])
def test_rates_do_not_look_at_the_wall(jump: int) -> None:
    """A bucket is as full as time has passed: a jump neither fills it nor keeps it empty."""
    clock = FakeClock()
    buckets = Buckets(rate=1.0, burst=2)

    def take() -> bool:
        return buckets.take(b"a", clock.monotonic()) == 0.0

    assert [take(), take(), take()] == [True, True, False]
    clock.microseconds += jump
    assert not take()
    clock.advance(1)
    assert take()
