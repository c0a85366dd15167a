"""What keeps a lake is killed at any moment, in short; `scripts/crash keep` does it at length."""

from pathlib import Path

import pytest

from tests.crash.campaign import Load
from tests.crash.keeping import TASKS, keep

TOGETHER = {("erase", "replay", "import", "maintain"): 4, ("migrate", "backup", "restore"): 4}
"""Tasks that are killed in turn, on one server, and how often: once each. What a migration has made is looked at before
the next one, so there is one more of them."""

LOOK = 0.2
"""Seconds between looks: looking more often takes more of a processor than all that is looked at."""


def test_all_tasks_are_killed() -> None:
    """None is left out, and none is there twice."""
    assert sorted(task for tasks in TOGETHER for task in tasks) == sorted(TASKS)


@pytest.mark.parametrize("tasks", TOGETHER, ids=" ".join)
def test_what_is_cut_short_is_whole(tmp_path: Path, tasks: tuple[str, ...]) -> None:
    """Nothing is lost, doubled or half there, at any moment; and it is finished by the next one."""
    verdict = keep(tmp_path, TOGETHER[tasks], Load(rate=40.0, connections=8), tasks, look=LOOK)
    assert verdict.good, str(verdict)
