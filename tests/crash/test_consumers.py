"""Consumers that are killed, stopped, doubled, and whose lake is away, in short; `scripts/crash` does it at length."""

from pathlib import Path

from tests.crash import consumers
from tests.crash.campaign import Load
from tests.crash.fleet import WINDOWS

LOAD = Load(rate=100.0, connections=20)


def quiet(_: str) -> None:
    """Nobody watches."""


def test_kills_lose_double_and_tear_nothing(tmp_path: Path) -> None:
    """Killed in a write of each sink, beside one that goes on with what was taken from it; one of four workers, too.

    Every tenth request is sent again, on another connection: it counts once, and every repeat is kept and marked.
    """
    found = consumers.kill(tmp_path, consumers.WORKER, LOAD, 0.2, tell=quiet)
    assert found.good, str(found)
    assert found.repeats, str(found)


def test_two_consumers_write_at_once(tmp_path: Path) -> None:
    """Each with a partition of its own, into one lake, one live store and one folder of Parquet."""
    found = consumers.two(tmp_path, 2.0, LOAD, files="parquet", tell=quiet)
    assert found.good, str(found)


def test_a_zombie_adds_nothing(tmp_path: Path) -> None:
    """A consumer is stopped in a write of the lake, its partitions are taken over, and it goes on."""
    found = consumers.sleep(tmp_path, 1.0, LOAD, moments=[consumers.in_a_lake_write], tell=quiet)
    assert found.good, str(found)


def test_a_lake_that_is_away(tmp_path: Path) -> None:
    """Live goes on, `status` tells how much waits, and when the lake is back all of it is there once."""
    found = consumers.away(tmp_path, 2.0, LOAD, settings=WINDOWS, tell=quiet)
    assert found.good, str(found)
