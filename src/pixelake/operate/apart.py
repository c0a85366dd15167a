"""Runs something in a process of its own, for the sake of the memory it would leave behind in this one."""

import os
import pickle
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from pixelake.errors import PixelakeError

FAILED = b"\0"
"""What the other process says when it did not come to a word of its own."""


def apart(action: Callable[[], object]) -> None:
    """Run `action` in a copy of this process, which then ends; raise here the `PixelakeError` it raises there.

    What it changes in memory, and every library it loads, is gone with it. In a
    process with other threads it is run here, and its memory stays: they would be
    missing in the copy, and whoever waits for one of them there waits for ever.

    Raises:
        PixelakeError: `action` raised it, or the copy was killed.
        OSError: there is no memory for a copy, or too many processes.
    """
    if threads() > 1:
        action()
        return
    sys.stdout.flush()
    sys.stderr.flush()
    told, tell = os.pipe()
    process = os.fork()
    if not process:
        os.close(told)
        _run(action, tell)
    os.close(tell)
    with os.fdopen(told, "rb") as said:
        answer = said.read()
    os.waitpid(process, 0)
    if answer in (b"", FAILED):
        raise PixelakeError("a check before the start was cut short", "the lines above may say why; is there memory?")
    error = pickle.loads(answer)  # noqa: S301 - from our own copy
    if error is not None:
        raise error


def threads() -> int:
    """How many there are in this process, those of libraries too where the system tells."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


def _run(action: Callable[[], object], tell: int) -> None:
    """What the copy does. Never returns."""
    said = FAILED
    try:
        try:
            action()
            said = pickle.dumps(None)
        except PixelakeError as error:
            said = pickle.dumps(error)
        except KeyboardInterrupt:
            pass  # the terminal has told both of us
        except BaseException:  # noqa: BLE001 - it must not go on as if it were the process that was copied
            sys.excepthook(*sys.exc_info())
        with os.fdopen(tell, "wb") as out:
            out.write(said)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)
