"""What has to be done again and again, as a table of tasks, beside whatever else a role does."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from pixelake.errors import PixelakeError

HOUR = 3_600.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done when a role starts and then each `every` seconds. It may be cut short at any moment."""

    name: str
    every: float
    run: Callable[[], object]


def start(tasks: Sequence[Task], stop: threading.Event) -> None:
    """Run each task in a thread of its own until `stop` is set. One that fails is logged and tried again next time."""
    for task in tasks:
        threading.Thread(target=_repeat, args=(task, stop), name=task.name, daemon=True).start()


def _repeat(task: Task, stop: threading.Event) -> None:
    while True:
        try:
            task.run()
        except (PixelakeError, OSError) as error:
            structlog.get_logger().warning(f"cannot {task.name}", error=str(error))
        if stop.wait(task.every):
            return
