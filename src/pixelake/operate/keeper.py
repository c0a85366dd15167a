"""Runs the tasks of maintenance when they are due, beside a consumer.

Light ones run in a thread here. Heavy ones run in a process of its own, which
gives way to all others, ends when it is done, and so gives its memory back: a
compaction needs some 100 MB for a second or two, and in a process that stays
most of it would stay, too; and the consumer would wait for it at each step, as
Python runs one thread at a time. To start one costs about a second of the
processor. So one is only started if there is something to do.

The hour that is being written would have 60 files more each time that pays. So
its few newest ones are packed here, in a thread (`Tidy`): they are small.
"""

import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from pixelake import telemetry
from pixelake.clock import SECOND
from pixelake.operate import maintain
from pixelake.operate.child import Child
from pixelake.operate.maintain import Chore, House
from pixelake.settings import Settings
from pixelake.warehouse import packing
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.vacuum import maintaining

LOOK: Final = 30.0
"""Seconds between two looks at what is due. Nothing heavy at the first: just then others have much to do."""

TIDY: Final = 10.0
"""Seconds between two looks at the open hour: two commits."""
TIDY_BYTES: Final = 32 << 20
"""Of files that are packed here; larger ones are for a process of its own."""
POLL: Final = 0.1
"""Seconds between looks whether the process has ended."""

Apart = Callable[[threading.Event], int]
"""Runs all heavy tasks that are due in a process of its own, until the event is set; its exit status."""


class Tidy:
    """Keeps the files of the open hour few, between two compactions.

    Args:
        house: whose lake.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._lake: Lake | None = None
        self._version = -1

    def look(self) -> int:
        """Pack what has become too many since the last call; return how many files were packed.

        Nothing while somebody else maintains the lake: an erasure must find no file that is just being written.

        Raises:
            LakeUnavailable: the lake cannot be read or written.
        """
        with maintaining(self._house.place) as nobody_else:
            return self._pack() if nobody_else else 0

    def _pack(self) -> int:
        lake, self._lake = self._lake or self._house.lake(), None
        if lake.look() == self._version:
            self._lake = lake
            return 0
        version, now, done = lake.look(), self._house.clock.now(), 0
        hours = {_hour(now), _hour(now - round(packing.HOUR_OVER.total_seconds() * SECOND))}
        for table, job in lake.plan(thorough=False):
            if job.folder in hours and job.size <= TIDY_BYTES:
                done += lake.compact((table, job)).files
        self._lake, self._version = lake, version + bool(done)
        return done


def _hour(moment: int) -> str:
    return datetime.fromtimestamp(moment / SECOND, UTC).strftime("year=%Y/month=%m/day=%d/hour=%H")


class Keeper:
    """Looks after the tasks.

    Args:
        house: what they work on.
        apart: runs the heavy ones.
    """

    def __init__(self, house: House, apart: Apart) -> None:
        self._house, self._apart = house, apart
        self._is_new = True

    def look(self, stop: threading.Event) -> None:
        """Do what is due; of the first call, only what is light. Returns soon once `stop` is set.

        Raises:
            PixelakeError, OSError: it cannot be told what is, or no process can be started.
        """
        due = maintain.due(self._house)
        for task in due:
            if not task.is_heavy:
                log(maintain.perform(self._house, task))
        try:
            if not self._is_new and self._is_free():
                self._look_apart(due, stop)
        finally:
            self._is_new = False
            self._tell()

    def _look_apart(self, due: Sequence[Chore], stop: threading.Event) -> None:
        heavy = wanted(self._house, due)
        self._note_idle([task for task in due if task.is_heavy and task not in heavy])
        if heavy:
            self._run_apart(stop)

    def _note_idle(self, tasks: Sequence[Chore]) -> None:
        """Once an hour, that there was nothing to do is a good end, too: else an idle lake looks like a sick one."""
        known, now = self._house.registry.tasks(), self._house.clock.now()
        for task in tasks:
            last = known.get(task.name)
            if last is None or last.error or not 0 <= now - last.succeeded < maintain.HOUR * SECOND:
                self._house.registry.begin_task(task.name, now)
                self._house.registry.end_task(task.name, now, "nothing to do", "")

    def _is_free(self) -> bool:
        with maintaining(self._house.place) as nobody_else:
            return nobody_else

    def _run_apart(self, stop: threading.Event) -> None:
        """Let them run, and note it if they did not come to an end."""
        began = self._house.clock.now()
        status = self._apart(stop)
        if stop.is_set():
            return
        for last in self._house.registry.tasks().values():
            if not last.ended and last.started >= began:
                error = f"it was cut short: its process ended with status {status}"
                self._house.registry.end_task(last.task, self._house.clock.now(), "", error)
                structlog.get_logger().warning("maintenance failed", task=last.task, error=error)

    def _tell(self) -> None:
        """Say in the metrics how the last runs went."""
        for last in self._house.registry.tasks().values():
            if last.succeeded:
                telemetry.gauge("pixelake_maintain_success_timestamp_seconds").labels(task=last.task).set(
                    last.succeeded / SECOND
                )
            if last.ended:
                telemetry.gauge("pixelake_maintain_seconds").labels(task=last.task).set(
                    max(0.0, (last.ended - last.started) / SECOND)
                )
            telemetry.gauge("pixelake_maintain_failing").labels(task=last.task).set(bool(last.error))


def in_child(settings: Settings, role: str = "maintain") -> Apart:
    """What runs such a role in a process that ends with this one. Only in a child of the supervisor."""

    def run(stop: threading.Event) -> int:
        lifeline, ours = os.pipe()
        try:
            child = Child(role, f"{role}-1", settings, listener=None, lifeline=lifeline, metrics=telemetry.joined())
            while child.lives and not stop.wait(POLL):
                pass
        finally:
            os.close(ours)  # ends it, if it lives
            os.close(lifeline)
        child.close()
        return child.status or 0

    return run


def wanted(house: House, due: Sequence[Chore]) -> list[Chore]:
    """The heavy ones of them for which there is something to do.

    Raises:
        PixelakeError: it cannot be told.
    """
    return [task for task in due if task.is_heavy and task.is_wanted(house)]


def run_heavy(house: House) -> None:
    """Do the heavy tasks that are due and wanted, unless somebody else maintains the lake. For a process of its own.

    Raises:
        PixelakeError: it cannot be told which.
    """
    with maintaining(house.place, maintain.PATIENCE) as nobody_else:
        if nobody_else:
            for task in wanted(house, maintain.due(house)):
                log(maintain.perform(house, task))


def log(done: maintain.Done) -> None:
    """Write a line about a task."""
    if done.error:
        structlog.get_logger().warning("maintenance failed", task=done.task, error=done.error, hint=done.hint)
    else:
        structlog.get_logger().info("maintained", task=done.task, done=done.text, seconds=done.seconds)
