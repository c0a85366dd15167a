"""The supervisor's end of a child: what it is told, when it ends, how it says why."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from pixelake import telemetry
from pixelake.errors import PixelakeError

ENVIRONMENT: Final = "_PIXELAKE_CHILD"
"""The variable that makes a process a child. Settings begin with ``PIXELAKE_``, so it is none."""


class Assignment(msgspec.Struct, frozen=True):
    """What a child is told.

    Attributes:
        role: what it runs.
        process: its name.
        settings: every setting, in the types that TOML has.
        lifeline: file descriptor that reads end-of-file once the supervisor has ended.
        report: file descriptor for the one line that says why it could not go on.
        listener: file descriptor to accept on, if any.
        metrics: folder to count in.
    """

    role: str
    process: str
    settings: dict[str, Any]
    lifeline: int
    report: int
    listener: int | None
    metrics: str


def assignment() -> Assignment | None:
    """What this process was told, if it is a child. It is no secret to its own children, so it is taken away."""
    text = os.environ.pop(ENVIRONMENT, None)
    return msgspec.json.decode(text, type=Assignment) if text else None


def obey(told: Assignment) -> None:
    """End when the supervisor ends; count where all count."""
    threading.Thread(target=_end_with_supervisor, args=(told.lifeline,), name="lifeline", daemon=True).start()
    telemetry.join(Path(told.metrics), told.process)


def _end_with_supervisor(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)  # at once: what has been answered for is durable, and nobody waits for the rest


def report(told: Assignment, error: PixelakeError) -> None:
    """Tell the supervisor why this child cannot go on."""
    with suppress(OSError):
        os.write(told.report, f"{error}\n{error.hint}".encode()[:4_096])
