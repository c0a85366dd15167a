"""A child of the supervisor, from both ends: how it is started and told, when it ends, how it says what."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from pixelake import machine, telemetry
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError
from pixelake.settings import NAMES, Settings

ENVIRONMENT: Final = "_PIXELAKE_CHILD"
"""The variable that makes a process a child. Settings begin with ``PIXELAKE_``, so it is none."""
READY: Final = b"ready\n"
"""What a child reports once it serves."""
BESIDE: Final = (10, 600)
"""The same of a command that runs beside a server."""
ARENAS: Final = "2"
"""Heaps of the C library. It would make eight for each core, and keep in each what was needed there once."""
GIVES_WAY: Final = {"consume": (5, 300), "web": (10, 600), "maintain": (5, 400), "past": (5, 500), "report": (5, 500)}
"""Role -> how much nicer it is than a collector, and how much sooner it is killed when the memory is out: nobody waits
for them, and what they do is repeated; a collector's hits come once. A consumer starts maintenance and reports,
and passes its own on."""


class Assignment(msgspec.Struct, frozen=True):
    """What a child is told.

    Attributes:
        role: what it runs.
        process: its name.
        settings: every setting, in the types that TOML has.
        lifeline: file descriptor that reads end-of-file once the supervisor has ended.
        report: file descriptor for what it has to say: that it is ready, and the one line why it could not go on.
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


# --- the supervisor's end


class Child:
    """A process that runs a role.

    Attributes:
        process: its name.
        started: when, in seconds of the monotonic clock.

    Raises:
        OSError: there is no memory for it, or too many processes.
    """

    def __init__(
        self,
        role: str,
        process: str,
        settings: Settings,
        *,
        listener: socket.socket | None,
        lifeline: int,
        metrics: Path,
    ) -> None:
        self.process = process
        self.started = SYSTEM.monotonic()
        self._said = b""
        self._report, theirs = os.pipe()
        os.set_blocking(self._report, False)
        accepts = listener.fileno() if listener else None
        told = Assignment(role, process, _plain(settings), lifeline, theirs, accepts, str(metrics))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                # -P: a file of the working folder must not be imported in place of ours. `--data` is for readers of ps
                [sys.executable, "-P", "-m", "pixelake", role, "--data", str(settings.data)],
                env={"MALLOC_ARENA_MAX": ARENAS} | os.environ | {ENVIRONMENT: msgspec.json.encode(told).decode()},
                pass_fds=[end for end in (lifeline, theirs, accepts) if end is not None],
                stdin=subprocess.DEVNULL,
                process_group=0,  # the terminal sends Ctrl-C to its whole group, but only we know the order to stop in
            )
        except OSError:
            os.close(self._report)
            raise
        finally:
            os.close(theirs)

    @property
    def lives(self) -> bool:
        """Whether it has not ended yet."""
        return self.status is None

    @property
    def status(self) -> int | None:
        """Its exit status, negative after a death by signal; None while it lives."""
        return self._process.poll()

    @property
    def ready(self) -> bool:
        """Whether it has ever served."""
        self._listen()
        return self._said.startswith(READY)

    @property
    def reason(self) -> str:
        """Why it could not go on: its message and, on a second line, its hint. Empty if it did not say."""
        self._listen()
        return self._said.removeprefix(READY).decode(errors="replace").strip()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.lives:
            self._process.send_signal(number)

    def close(self) -> None:
        """Wait for its end and let it go."""
        self._process.wait()
        self._listen()
        if self._report >= 0:
            os.close(self._report)
            self._report = -1

    def _listen(self) -> None:
        with suppress(BlockingIOError):  # it, or somebody it started, still holds the other end
            while self._report >= 0 and (more := os.read(self._report, 4_096)):
                self._said += more


def _plain(settings: Settings) -> dict[str, Any]:
    """Every setting in the types that `pixelake.settings.load` takes."""
    return {name: _plain_value(getattr(settings, name)) for name in NAMES}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value


# --- the child's end


def assignment() -> Assignment | None:
    """What this process was told, if it is a child. It is no secret to its own children, so it is taken away."""
    text = os.environ.pop(ENVIRONMENT, None)
    return msgspec.json.decode(text, type=Assignment) if text else None


def obey(told: Assignment) -> None:
    """End when the supervisor ends, not with its terminal; give way as the role does; count where all count."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # some send it to every process of a service
    threading.Thread(target=_end_with_supervisor, args=(told.lifeline,), name="lifeline", daemon=True).start()
    machine.give_way(*GIVES_WAY.get(told.role, (0, 0)))
    telemetry.join(Path(told.metrics), told.process)


def _end_with_supervisor(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)  # at once: what has been answered for is durable, and nobody waits for the rest


def ready(told: Assignment) -> None:
    """Tell the supervisor that this child serves."""
    _say(told, READY)


def report(told: Assignment, error: PixelakeError) -> None:
    """Tell the supervisor why this child cannot go on."""
    _say(told, f"{error}\n{error.hint}".encode()[:4_000])


def _say(told: Assignment, text: bytes) -> None:
    with suppress(OSError):
        os.write(told.report, text)
