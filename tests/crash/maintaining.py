"""Kill compaction, retention and vacuum at any moment: for `tests.crash.keeping`."""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import START, event, outcome

if TYPE_CHECKING:
    from tests.crash.keeping import Scene

OLD = "old.example"
ROWS = 60
"""Old rows of a round, on as many days as there are tasks in a week."""
TASKS = ("retain", "compact", "vacuum", "all")
HISTORY = ("--lake-history", "60")


def maintain(scene: "Scene") -> Iterator[str]:
    """Old rows come; a task is killed, and done again: they are gone and counted, and all others are there."""
    gone = 0
    scene.finish("sites", "retention", OLD, "30")
    while True:
        for task in TASKS:
            gone += _come(scene)
            what = scene.kill(2.5, "maintain", task, *HISTORY)
            scene.server.keep_up()
            scene.finish("maintain", "all", *HISTORY)
            rows = json.loads(
                scene.finish("sql", f"select count(*) n from events where site = '{OLD}'", "--format", "json") or "[{}]"
            )
            if rows[0].get("n") != 0:
                scene.faults.append(f"after {task} old rows are left: {rows}")
            if (removed := scene.server.status()["removed"]) < gone:
                scene.faults.append(f"after {task} {removed} are counted as removed, not {gone}")
            yield f"{task} {what}"


def _come(scene: "Scene") -> int:
    """Rows that are long over, of a partition of their own, half of them beside rows of a site that keeps all."""
    name = uuid.uuid4().hex[:12]
    rows = [
        event(
            name,
            position,
            site=OLD if position <= ROWS else "crash.example",
            event_id=f"{name}{position}",
            received_at=START - timedelta(days=400 + position % 7),
        )
        for position in range(1, ROWS + 6)
    ]
    random.shuffle(rows)
    deadline = SYSTEM.monotonic() + 60
    while True:
        try:
            Lake(scene.server.data / "lake").write(outcome(rows))
        except LakeUnavailable:
            if SYSTEM.monotonic() > deadline:
                raise
        else:
            return ROWS
