"""Starts the roles as processes, starts them again when they die, and stops them in order.

The listening sockets belong to the supervisor and every child inherits its
own, so that connections wait in the kernel's queue while a child is started
again. Each child also inherits the read end of a pipe that nobody writes to,
the lifeline: when the supervisor ends, however it ends, the pipe closes and
the child ends. What a child must know travels in one variable of its
environment; the settings among it, so that all processes have read the same.
"""

import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from pixelake import telemetry
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError, PortInUse
from pixelake.operate import folder
from pixelake.operate.child import ENVIRONMENT, Assignment
from pixelake.operate.listen import address_of, bind, healthy
from pixelake.settings import NAMES, Settings, parse_address

START_SECONDS: Final = 5.0
"""A child that lives shorter has not started."""
START_ATTEMPTS: Final = 5
"""After so many failures to start in a row we give up; at once if it is for the settings, which do not change."""
SLOWEST_RESTART: Final = {True: 1.0, False: 5.0}
"""Seconds between restarts at most: after a death by signal, which is somebody else's doing, and after others."""

OWN_SHARE: Final = 0.8
"""The part of its time for draining that a child plans with; the rest is for ending."""
URGENT: Final = (signal.SIGTERM, signal.SIGINT)
"""Signals that ask to stop; sent again, to stop without waiting for the drain."""
STOPPING: Final = (*URGENT, signal.SIGHUP)
"""And the end of the terminal, of which shell and kernel may both tell: the second one means no more than the first."""
LISTENING: Final = ("collect", "web")
"""Roles that listen, each on the setting of its name."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """A process to keep alive.

    Attributes:
        role: the command it runs.
        process: its name, unlike those of all others: ``collect-1``.
        listener: the socket it accepts on.
    """

    role: str
    process: str
    listener: socket.socket | None = None


def serve(settings: Settings, roles: Sequence[str], ready: Callable[[Settings], None]) -> None:
    """Run these roles until SIGTERM, SIGINT, or SIGHUP unless it is ignored (nohup).

    `ready` is called once, by a thread, as soon as everybody who listens
    answers; its settings have the real addresses where port 0 was asked for.

    Raises:
        PortInUse: a listening address is taken. The data folder is untouched then.
        DataFolderError: the folder cannot be used.
        PixelakeError: a role cannot be started, or was killed before it had drained.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection is a file; 1,024 is for ancient programs
    os.umask(0o077)  # hits are personal data: nobody else on this machine may read them
    listeners = {role: bind(role, getattr(settings, role)) for role in roles if role in LISTENING}
    settings = replace(
        settings,
        collect=address_of(listeners["collect"]) if "collect" in listeners else settings.collect,
        web=address_of(listeners["web"]) if "web" in listeners else settings.web,
    )
    with folder.occupied(settings.data, roles), telemetry.folder(settings.data / "run" / "-".join(roles)) as metrics:
        telemetry.join(metrics, "supervisor")
        _serve_metrics(settings, metrics)
        announcer = threading.Thread(
            target=_announce, args=(list(listeners.values()), lambda: ready(settings)), name="announcer", daemon=True
        )
        announcer.start()
        if not Supervisor(_tasks(settings, roles, listeners), settings, metrics).run():
            raise PixelakeError("stopped before everything was in the lake", "nothing is lost: the next start goes on")


def _tasks(settings: Settings, roles: Sequence[str], listeners: Mapping[str, socket.socket]) -> list[Task]:
    collectors = settings.workers or max(1, (os.cpu_count() or 1) // 2)
    counts = {"collect": collectors}
    return [
        Task(role, f"{role}-{number}", listeners.get(role))
        for role in roles
        for number in range(1, counts.get(role, 1) + 1)
    ]


def _serve_metrics(settings: Settings, metrics: Path) -> None:
    if not settings.metrics:
        return
    host, port = parse_address("metrics", settings.metrics)
    try:
        port = telemetry.serve(metrics, host, port)
    except OSError as error:
        raise PortInUse(
            f"cannot listen on {settings.metrics}: {error.strerror or error}", "name another address with --metrics"
        ) from error
    log.info("metrics", url=f"http://{host}:{port}/metrics")


def _announce(listeners: Sequence[socket.socket], ready: Callable[[], None]) -> None:
    """Ask everybody for ``/health`` until they answer: the sockets accept long before there is somebody behind them."""
    for listener in listeners:
        while not healthy(listener):
            SYSTEM.sleep(0.05)
    try:
        ready()
    except BrokenPipeError:
        pass  # nobody reads what we print
    except OSError as error:
        log.warning("cannot say where we are", reason=error.strerror)
    except PixelakeError as error:
        log.warning("cannot say where we are", reason=str(error), hint=error.hint)


@dataclass(slots=True)
class _Slot:
    """A task and the process that does it just now, if any."""

    task: Task
    child: subprocess.Popen[bytes] | None = None
    report: int = -1
    started: float = 0.0
    start_at: float = 0.0
    short_lives: int = 0
    failed_starts: int = 0


@dataclass(slots=True)
class Supervisor:
    """Keeps tasks alive until it is told to stop.

    Attributes:
        tasks: what to keep alive. They stop in this order, all of one role at once.
        settings: what every child is told.
        metrics: the folder the children count in.
    """

    tasks: Sequence[Task]
    settings: Settings
    metrics: Path
    _slots: list[_Slot] = field(default_factory=list)
    _lifeline: int = -1

    def run(self) -> bool:
        """Run until a signal asks to stop, then drain; True if everybody ended in time.

        Raises:
            PixelakeError: a child cannot be started, again and again.
        """
        self._slots = [_Slot(task) for task in self.tasks]
        self._lifeline, ours = os.pipe()
        try:
            with _signals(signal.SIGCHLD, *_stopping()) as signals:
                while not signals.wait(self._until_next_start()):
                    self._look()
                return self._drain(signals)
        finally:
            self._kill()
            os.close(ours)
            os.close(self._lifeline)

    @property
    def _share(self) -> float:
        """Seconds that each role has for draining: one that hangs must leave time to the others."""
        return self.settings.shutdown_timeout / len({task.role for task in self.tasks})

    def _until_next_start(self) -> float | None:
        due = [slot.start_at for slot in self._slots if slot.child is None]
        return max(0.0, min(due) - SYSTEM.monotonic()) if due else None

    def _look(self) -> None:
        """Bury the dead, start what is due."""
        for slot in self._slots:
            code = slot.child.poll() if slot.child else None
            if code is not None:
                self._bury(slot, code)
            if slot.child is None and slot.start_at <= SYSTEM.monotonic():
                self._start(slot)

    def _start(self, slot: _Slot) -> None:
        slot.report, theirs = os.pipe()
        os.set_blocking(slot.report, False)
        listener = slot.task.listener.fileno() if slot.task.listener else None
        assignment = Assignment(
            slot.task.role,
            slot.task.process,
            _plain(replace(self.settings, shutdown_timeout=self._share * OWN_SHARE)),
            self._lifeline,
            theirs,
            listener,
            str(self.metrics),
        )
        try:
            slot.child = subprocess.Popen(  # noqa: S603 - our own program
                # -P: a file of the working folder must not be imported in place of ours. `--data` is for readers of ps
                [sys.executable, "-P", "-m", "pixelake", slot.task.role, "--data", str(self.settings.data)],
                env=os.environ | {ENVIRONMENT: msgspec.json.encode(assignment).decode()},
                pass_fds=[end for end in (self._lifeline, theirs, listener) if end is not None],
                stdin=subprocess.DEVNULL,
                process_group=0,  # the terminal sends Ctrl-C to its whole group, but only we know the order to stop in
            )
        except OSError as error:  # no memory, no process left: later, perhaps
            log.warning("cannot start a process", process=slot.task.process, reason=str(error))
            _read_report(slot)
            slot.start_at = SYSTEM.monotonic() + SLOWEST_RESTART[False]
        finally:
            os.close(theirs)
        slot.started = SYSTEM.monotonic()

    def _bury(self, slot: _Slot, code: int) -> None:
        """A child has ended without being asked: when does it start again?"""
        reason = _read_report(slot)
        killed = code < 0
        short = SYSTEM.monotonic() - slot.started < START_SECONDS
        slot.child = None
        slot.short_lives = slot.short_lives + 1 if short else 0
        slot.failed_starts = slot.failed_starts + 1 if short and code > 0 else 0
        if slot.failed_starts >= START_ATTEMPTS or code == os.EX_CONFIG:
            message, _, hint = reason.partition("\n")
            raise PixelakeError(
                f"{slot.task.role} cannot start: {message or f'it ends with status {code}'}",
                hint or "the lines above may say why",
            )
        pause = min(0.05 * 2.0**slot.short_lives, SLOWEST_RESTART[killed])
        slot.start_at = SYSTEM.monotonic() + pause
        telemetry.counter("pixelake_restarts_total").labels(role=slot.task.role).inc()
        log.warning("process ended", process=slot.task.process, status=code, reason=reason, starts_again_in=pause)

    def _drain(self, signals: "_Signals") -> bool:
        """Stop role by role: collectors finish their answers, then the consumer writes what is left."""
        roles = list(dict.fromkeys(task.role for task in self.tasks))
        until = SYSTEM.monotonic()
        for role in roles:
            slots = [slot for slot in self._slots if slot.task.role == role and slot.child]
            for slot in slots:
                _send(slot, signal.SIGTERM)
            until += self._share
            while any(map(_lives, slots)) and SYSTEM.monotonic() < until:
                if signals.wait(until - SYSTEM.monotonic(), URGENT):
                    return False
        late = [slot.task.process for slot in self._slots if _lives(slot)]
        if late:
            log.warning("did not end in time", processes=late, shutdown_timeout=self.settings.shutdown_timeout)
        return not late

    def _kill(self) -> None:
        """Whoever is still there ends now. What they have answered for is durable."""
        for slot in self._slots:
            _send(slot, signal.SIGKILL)
        for slot in self._slots:
            if slot.child:
                slot.child.wait()
                _read_report(slot)


def _plain(settings: Settings) -> dict[str, Any]:
    """Every setting in the types that `pixelake.settings.load` takes."""
    values = {name: getattr(settings, name) for name in NAMES}
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value


def _read_report(slot: _Slot) -> str:
    """What the child said last: its message and, on a second line, its hint."""
    if slot.report < 0:
        return ""
    try:
        return os.read(slot.report, 4_096).decode(errors="replace").strip()
    except BlockingIOError:  # somebody the child started still holds the other end
        return ""
    finally:
        os.close(slot.report)
        slot.report = -1


def _lives(slot: _Slot) -> bool:
    return slot.child is not None and slot.child.poll() is None


def _send(slot: _Slot, number: signal.Signals) -> None:
    if slot.child and _lives(slot):
        slot.child.send_signal(number)


class _Signals:
    """Signals as something to wait for."""

    def __init__(self, wake: socket.socket) -> None:
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._selector.register(wake, selectors.EVENT_READ)

    def wait(self, timeout: float | None, awaited: Sequence[signal.Signals] = STOPPING) -> bool:
        """Until any signal or the timeout; True if it was one of those awaited."""
        if not self._selector.select(timeout):
            return False
        return any(number in awaited for number in self._wake.recv(4_096))

    def close(self) -> None:
        """Wait no more."""
        self._selector.close()


def _stopping() -> list[signal.Signals]:
    """The signals that stop us here: under nohup a hangup does not."""
    return [each for each in STOPPING if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]


@contextmanager
def _signals(*numbers: signal.Signals) -> Iterator[_Signals]:
    """Take these signals; afterwards they do again what they did before."""
    wake, ours = socket.socketpair()
    wake.setblocking(False)
    ours.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(ours.fileno())
    signals = _Signals(wake)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.close()
        wake.close()
        ours.close()
