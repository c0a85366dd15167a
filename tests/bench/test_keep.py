"""The benchmark of maintenance: that its reader would notice, and that a short run comes to its end."""

import argparse
import multiprocessing
from pathlib import Path

import keep
import pytest

from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome


class Told:
    """The end of a pipe."""

    def send(self, checks: keep.Checks) -> None:
        """Keep it."""
        self.checks = checks


class Once:
    """Says to stop after one look."""

    def __init__(self) -> None:
        self.looks = 0

    def is_set(self) -> bool:
        """Whether there was one."""
        self.looks += 1
        return self.looks > 1


@pytest.mark.parametrize(
    ("positions", "committed", "is_good"),
    [
        pytest.param([1, 2, 3], (3, 3), True, id="each once"),
        pytest.param([1, 2, 3], (2, 4), True, id="a commit is under way"),
        pytest.param([], (0, 2), True, id="before the first"),
        pytest.param([1, 2, 3], (4, 4), False, id="one is missing"),
        pytest.param([1, 2, 2], (2, 3), False, id="one is there twice"),
        pytest.param([1, 2, 4], (3, 4), False, id="one in between is missing"),
    ],
)
def test_the_reader_notices(
    tmp_path: Path, positions: list[int], committed: tuple[int, int], is_good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing, and what is there twice; not what is just being committed."""
    lake = Lake(tmp_path)
    if positions:
        lake.write(outcome([event("p", position) for position in positions]))
    monkeypatch.setattr(multiprocessing, "parent_process", multiprocessing.current_process)
    told = Told()
    begun, done = (multiprocessing.Value("q", number) for number in reversed(committed))
    keep._read(tmp_path, begun, done, Once(), told)
    assert (told.checks.done, told.checks.failed) == ((1, 0) if is_good else (0, 1))


def test_a_short_run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A few commits, and no check that failed."""
    monkeypatch.setattr(keep, "SAMPLES", 1)
    keep.month(tmp_path, argparse.Namespace(days=30 * keep.WINDOW / keep.DAY))
    printed = capsys.readouterr().out
    assert "60 rows" in printed
    assert "| failed |" in printed
    assert " | 0 | " in printed
