"""Tests of `pixelake.stream.hold`: while somebody copies a stream nothing of it is forgotten, and nobody else waits."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from pixelake.errors import StreamError
from pixelake.stream import hold
from pixelake.stream.base import GROUP
from pixelake.stream.segment import partitions
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.testing import FakeClock
from tests.hits import append, drain, hits

LONG = 1_000.0
"""Seconds: all is old."""


def settle(stream: Path, clock: FakeClock) -> None:
    """Read all, commit it, and forget what may be."""
    reader = SqliteReader(stream, GROUP, retention=1.0, clock=clock)
    reader.read(1, 0)
    reached = {batch.partition: batch.positions[-1] for batch in drain(reader)}
    clock.advance(LONG)
    reader.commit(reached or {name.name: 10 for name in partitions(stream)})
    reader.close()


def filled(stream: Path) -> FakeClock:
    """Ten hits of an owner that is gone; the clock of their readers."""
    append(SqliteWriter(stream), hits(0, 10), close=True)
    clock = FakeClock()
    clock.microseconds = 4_000_000_000_000_000
    return clock


def test_nothing_is_forgotten_meanwhile(tmp_path: Path) -> None:
    """Settled, old, and still there; right after it is not."""
    clock = filled(tmp_path / "stream")
    with hold.hold(tmp_path / "stream"), hold.hold(tmp_path / "stream"):  # so may several
        settle(tmp_path / "stream", clock)
        assert partitions(tmp_path / "stream")
    settle(tmp_path / "stream", clock)
    assert not partitions(tmp_path / "stream")


def test_who_forgets_is_waited_for(tmp_path: Path) -> None:
    """But not for ever."""
    clock = FakeClock()
    with hold.forgetting(tmp_path) as may:
        assert may
        with pytest.raises(StreamError, match="hold"), hold.hold(tmp_path, clock):
            pass
        assert sum(clock.slept) == pytest.approx(hold.WAIT, abs=0.1)
    with hold.hold(tmp_path, clock), hold.forgetting(tmp_path) as may:
        assert not may


def test_a_holder_that_is_killed(tmp_path: Path) -> None:
    """Leaves nothing behind that holds anybody off."""
    context = multiprocessing.get_context("fork")
    inside, outside = context.Pipe()
    child = context.Process(target=_hold_for_ever, args=(tmp_path, inside))
    child.start()
    assert outside.recv()
    with hold.forgetting(tmp_path) as may:
        assert not may
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    with hold.forgetting(tmp_path) as may:
        assert may


def _hold_for_ever(stream: Path, told: object) -> None:
    with hold.hold(stream):
        told.send(True)  # type: ignore[attr-defined]
        signal.pause()
