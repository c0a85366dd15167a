"""Tests of `pixelake.operate.maintain`."""

import threading

from pixelake.errors import PixelakeError
from pixelake.operate.maintain import Task, start


def test_tasks_are_done_again_and_again() -> None:
    """At once, and then each time the interval is over, also after a failure; until told to stop."""
    stop, often = threading.Event(), threading.Event()
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise PixelakeError("no luck")
        if len(runs) >= 3:
            often.set()

    start([Task("try", 0.01, work)], stop)
    assert often.wait(5)
    stop.set()


def test_slow_tasks_do_not_hold_others() -> None:
    """Each has a thread of its own."""
    stop, done, go = threading.Event(), threading.Event(), threading.Event()
    start([Task("wait", 1, lambda: go.wait(5)), Task("do", 1, done.set)], stop)
    assert done.wait(5)
    go.set()
    stop.set()
