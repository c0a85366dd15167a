"""What keeps a lake is killed at any moment, in short; `scripts/crash keep` does it at length."""

from pathlib import Path

import pytest

from tests.crash.campaign import Load
from tests.crash.keeping import TASKS, keep


@pytest.mark.parametrize("task", TASKS)
def test_what_is_cut_short_is_whole(tmp_path: Path, task: str) -> None:
    """Nothing is lost, doubled or half there, at any moment; and it is finished by the next one."""
    verdict = keep(tmp_path, 3, Load(rate=40.0, connections=8), (task,))
    assert verdict.good, str(verdict)
