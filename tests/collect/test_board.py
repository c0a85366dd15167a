"""What a collector shares with other roles."""

import threading
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.collect.board import EVERY, MAX_WAITING, Board
from pixelake.errors import RegistryUnavailable
from pixelake.registry.base import UNDECLARED_PROXY
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """It moves only when it is told to."""
    return FakeClock()


@pytest.fixture
def registry(tmp_path: Path, clock: FakeClock) -> SqliteRegistry:
    """A registry of its own."""
    return SqliteRegistry(tmp_path / "registry.sqlite", clock=clock)


def told(board: Board, registry: SqliteRegistry) -> list[tuple[str, int]]:
    """What the registry has, after what there is was told."""
    board.exchange()
    if board._thread:
        board._thread.join()
    return sorted((each.detail, each.at) for each in registry.noticed(0))


def test_once_a_minute(registry: SqliteRegistry, clock: FakeClock) -> None:
    """The same thing is told once, and after a minute again if it is still seen."""
    board = Board(lambda: registry, clock)
    first = clock.now()
    assert told(board, registry) == []
    for _ in range(int(EVERY)):
        board.see(UNDECLARED_PROXY, "10.0.0.1")
        assert told(board, registry) == [("10.0.0.1", first)]
        clock.advance(1)
    board.see(UNDECLARED_PROXY, "10.0.0.2")
    assert told(board, registry) == [("10.0.0.1", first), ("10.0.0.2", first + 60 * SECOND)]
    board.see(UNDECLARED_PROXY, "10.0.0.1")
    clock.advance(1)
    assert told(board, registry)[0] == ("10.0.0.1", first + 60 * SECOND)


def test_when_nothing_is_seen_nothing_is_told(registry: SqliteRegistry, clock: FakeClock) -> None:
    """What is over is not told again."""
    board = Board(lambda: registry, clock)
    board.see(UNDECLARED_PROXY, "10.0.0.1")
    before = told(board, registry)
    clock.advance(10 * EVERY)
    assert told(board, registry) == before


def test_a_flood_is_bounded(registry: SqliteRegistry, clock: FakeClock) -> None:
    """Ever new details take neither the memory nor the registry."""
    board = Board(lambda: registry, clock)
    for number in range(10_000):
        board.see(UNDECLARED_PROXY, f"10.0.{number // 256}.{number % 256}")
    assert len(told(board, registry)) == MAX_WAITING


def test_a_registry_that_hangs_holds_nobody(registry: SqliteRegistry, clock: FakeClock) -> None:
    """`exchange` returns at once; what is seen meanwhile is told afterwards."""
    board = Board(lambda: registry, clock)
    with registry._lock:
        board.see(UNDECLARED_PROXY, "10.0.0.1")
        board.exchange()
        board.see(UNDECLARED_PROXY, "10.0.0.2")
        board.exchange()
        assert threading.active_count() >= 2
    board._thread.join()
    assert [detail for detail, _ in told(board, registry)] == ["10.0.0.1", "10.0.0.2"]


def test_a_registry_that_fails_harms_nobody(registry: SqliteRegistry, clock: FakeClock) -> None:
    """What it cannot take is given up, and told again when it is due."""
    board = Board(lambda: registry, clock)
    registry.close()
    board.see(UNDECLARED_PROXY, "10.0.0.1")
    board.exchange()
    board._thread.join()
    clock.advance(EVERY)
    board.see(UNDECLARED_PROXY, "10.0.0.1")
    board.exchange()
    board._thread.join()


def test_badges_are_read(registry: SqliteRegistry, clock: FakeClock) -> None:
    """What was published is shown."""
    board = Board(lambda: registry, clock)
    registry.set_badge("blog", True)
    registry.publish_badges({"blog": 7})
    told(board, registry)
    assert board.badges == {"blog": 7}


def test_a_registry_that_cannot_be_opened_is_tried_again(registry: SqliteRegistry, clock: FakeClock) -> None:
    """It may come back."""
    attempts = []

    def open_it() -> SqliteRegistry:
        attempts.append(1)
        if len(attempts) == 1:
            raise RegistryUnavailable("not now")
        return registry

    board = Board(open_it, clock)
    told(board, registry)
    board.see(UNDECLARED_PROXY, "10.0.0.1")
    assert [detail for detail, _ in told(board, registry)] == ["10.0.0.1"]
