"""Tests of `pixelake.operate.turns`: who waits for whom, and for how long."""

import threading
import time
from pathlib import Path

import pytest

from pixelake import machine
from pixelake.operate.folder import TURN
from pixelake.operate.turns import SMALL, turn


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with little memory."""
    monkeypatch.setattr(machine, "memory", lambda: SMALL - 1)


@pytest.mark.usefixtures("small")
def test_one_waits_until_the_other_is_done(tmp_path: Path) -> None:
    """They are never at it together, and each has its turn."""
    order: list[str] = []

    def work(name: str) -> None:
        with turn(tmp_path, 30.0) as is_ours:
            assert is_ours
            order.append(f"{name} begins")
            time.sleep(0.1)
            order.append(f"{name} ends")

    threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(order) == 8
    assert all(first.split()[0] == second.split()[0] for first, second in zip(order[::2], order[1::2], strict=True))


@pytest.mark.usefixtures("small")
def test_patience_ends(tmp_path: Path) -> None:
    """Whoever has waited long enough goes on beside the other, who keeps the turn."""
    with turn(tmp_path) as first, turn(tmp_path, 0.1) as second:
        assert first
        assert not second
        with turn(tmp_path, 0.1) as third:
            assert not third


@pytest.mark.usefixtures("small")
def test_a_folder_that_cannot_be_written_to_holds_up_nobody(tmp_path: Path) -> None:
    """Who may only read asks at once."""
    with turn(tmp_path / "nowhere") as is_ours:
        assert not is_ours


def test_a_large_machine_has_no_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is memory for all; no file is made."""
    monkeypatch.setattr(machine, "memory", lambda: SMALL)
    with turn(tmp_path), turn(tmp_path, 0.0) as is_ours:
        assert is_ours
    assert not (tmp_path / TURN).exists()
