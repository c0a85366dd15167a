"""Starts the roles as processes, starts them again when they die, and stops them in order.

The listening sockets belong to the supervisor and every child inherits its
own, so that connections wait in the kernel's queue while a child is started
again. Each child also inherits the read end of a pipe that nobody writes to,
the lifeline: when the supervisor ends, however it ends, the pipe closes and
the child ends. What a child must know travels in one variable of its
environment; the settings among it, so that all processes have read the same.

On SIGHUP the collectors are exchanged one after the other: a successor starts
on the same socket, and only when it serves is the old one asked to drain. So
no connection is refused, and what cannot start (a broken certificate, say)
exchanges nothing. If the hangup is the end of our terminal, it is a stop.
"""

import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from pixelake import telemetry
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError, PortInUse
from pixelake.operate import folder
from pixelake.operate.child import Child
from pixelake.operate.listen import address_of, bind, healthy, url_of
from pixelake.operate.processes import Processes
from pixelake.operate.signals import Heard, Signals, Terminal, taken
from pixelake.settings import Settings, parse_address, workers

START_SECONDS: Final = 5.0
"""A child that lives shorter has not started."""
START_ATTEMPTS: Final = 5
"""After so many failures to start in a row we give up; at once if it is for the settings, which do not change."""
SLOWEST_RESTART: Final = {True: 1.0, False: 5.0}
"""Seconds between restarts at most: after a death by signal, which is somebody else's doing, and after others."""

OWN_SHARE: Final = 0.8
"""The part of its time for draining that a child plans with; the rest is for ending."""
STOPPING: Final = frozenset({signal.SIGTERM, signal.SIGINT})
"""Signals that ask to stop; sent again, to stop without waiting for the drain."""
READY_SECONDS: Final = 30.0
"""A successor that does not serve by then is given up."""
POLL: Final = 0.05
"""Seconds between looks at a successor."""
LISTENING: Final = ("collect", "web")
"""Roles that listen, each on the setting of its name."""
RELOADED: Final = ("collect",)
"""Roles that are exchanged on SIGHUP: those who read certificates, and whose absence somebody would notice."""

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
    """Run these roles until SIGTERM, SIGINT, or the end of our terminal unless SIGHUP is ignored (nohup).

    `ready` is called once, by a thread, as soon as everybody who listens
    answers; its settings have the real addresses where port 0 was asked for.

    Raises:
        PortInUse: a listening address is taken. The data folder is untouched then.
        DataFolderError: the folder cannot be used.
        PixelakeError: a role cannot be started, or was killed before it had drained.
    """
    with taken(signal.SIGCHLD, *STOPPING, *_hangup()) as signals, closing(Terminal()) as terminal:
        _serve(settings, roles, ready, signals, terminal)


def _serve(
    settings: Settings,
    roles: Sequence[str],
    ready: Callable[[Settings], None],
    signals: Signals,
    terminal: Terminal,
) -> None:
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
        (metrics / telemetry.SUPERVISOR).write_text(str(os.getpid()))
        _serve_metrics(settings, metrics)
        announcer = threading.Thread(
            target=_announce,
            args=([url_of(settings, role) for role in listeners], lambda: ready(settings)),
            name="announcer",
            daemon=True,
        )
        announcer.start()
        if not Supervisor(_tasks(settings, roles, listeners), settings, metrics).run(signals, terminal):
            raise PixelakeError("stopped before everything was in the lake", "nothing is lost: the next start goes on")


def _tasks(settings: Settings, roles: Sequence[str], listeners: Mapping[str, socket.socket]) -> list[Task]:
    counts = {"collect": workers(settings)}
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
        port = telemetry.serve(metrics, host, port, Processes())
    except OSError as error:
        raise PortInUse(
            f"cannot listen on {settings.metrics}: {error.strerror or error}", "name another address with --metrics"
        ) from error
    log.info("metrics", url=f"http://{host}:{port}/metrics")


def _announce(urls: Sequence[str], ready: Callable[[], None]) -> None:
    """Ask everybody for ``/health`` until they answer: the sockets accept long before there is somebody behind them."""
    for url in urls:
        while not healthy(url):
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
    """A task and the processes that do it just now, if any.

    Attributes:
        child: who does it.
        successor: who is about to, while the collectors are exchanged.
        leaving: who did it before, and drains.
        name: of the child, or of the last one. A successor has the other one of two, because nobody else may count
            under the name of a living process, and a new name for each would fill the folder.
        served: whether somebody before the child has served with these settings.
    """

    task: Task
    name: str
    child: Child | None = None
    successor: Child | None = None
    leaving: Child | None = None
    leave_by: float = 0.0
    start_at: float = 0.0
    short_lives: int = 0
    failed_starts: int = 0
    served: bool = False

    @property
    def other_name(self) -> str:
        """The name that the child does not have."""
        first = self.task.process
        return f"{first}b" if self.name == first else first

    @property
    def has_served(self) -> bool:
        """Whether the settings cannot be at fault."""
        return self.served or (self.child is not None and self.child.ready)

    @property
    def all(self) -> list[Child]:
        """Everybody who still lives."""
        return [each for each in (self.leaving, self.child, self.successor) if each and each.lives]


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
    _reload: bool = False
    _exchanged: list[_Slot] = field(default_factory=list)

    def run(self, signals: Signals, terminal: Terminal) -> bool:
        """Run until a signal asks to stop, then drain; True if everybody ended in time.

        Args:
            signals: SIGCHLD, `STOPPING`, and SIGHUP if it is for us.
            terminal: the one whose end is a stop.

        Raises:
            PixelakeError: a child cannot be started, again and again.
        """
        self._slots = [_Slot(task, task.process) for task in self.tasks]
        self._lifeline, ours = os.pipe()
        try:
            while not self._asked_to_stop(signals.wait(self._until_next_look()), terminal):
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

    def _asked_to_stop(self, heard: Heard, terminal: Terminal) -> bool:
        if signal.SIGHUP in heard and not terminal.gone:  # who is not started yet will read what there is by then
            self._reload = self._reload or any(slot.all for slot in self._slots)
        return bool(heard & STOPPING) or (signal.SIGHUP in heard and terminal.gone)

    def _until_next_look(self) -> float | None:
        now = SYSTEM.monotonic()
        due = [slot.start_at for slot in self._slots if slot.child is None]
        due += [now + POLL for slot in self._slots if slot.successor]
        due += [slot.leave_by for slot in self._slots if slot.leaving]
        return max(0.0, min(due) - now) if due else None

    def _look(self) -> None:
        """Bury the dead, start what is due, go on with an exchange."""
        for slot in self._slots:
            self._watch_successor(slot)
            self._watch_leaving(slot)
            if slot.child and not slot.child.lives:
                self._bury(slot, slot.child)
            if not slot.child and slot.start_at <= SYSTEM.monotonic():
                slot.child = self._start(slot, slot.name)
        self._exchange()

    def _start(self, slot: _Slot, name: str) -> Child | None:
        settings = replace(self.settings, shutdown_timeout=self._share * OWN_SHARE)
        try:
            return Child(
                slot.task.role,
                name,
                settings,
                listener=slot.task.listener,
                lifeline=self._lifeline,
                metrics=self.metrics,
            )
        except OSError as error:  # no memory, no process left: later, perhaps
            log.warning("cannot start a process", process=name, reason=str(error))
            slot.start_at = SYSTEM.monotonic() + SLOWEST_RESTART[False]
            return None

    def _bury(self, slot: _Slot, dead: Child) -> None:
        """A child has ended without being asked: when does it start again?"""
        code, slot.served, slot.child = dead.status or 0, slot.has_served, None
        dead.close()
        killed = code < 0
        short = SYSTEM.monotonic() - dead.started < START_SECONDS
        # somebody has served with these settings: a file that they name has changed since, and may be put right
        misled = code == os.EX_CONFIG and any(
            each.has_served for each in self._slots if each.task.role == slot.task.role
        )
        slot.short_lives = slot.short_lives + 1 if short else 0
        slot.failed_starts = slot.failed_starts + 1 if short and code > 0 and not misled else 0
        if slot.failed_starts >= START_ATTEMPTS or (code == os.EX_CONFIG and not misled):
            message, _, hint = dead.reason.partition("\n")
            raise PixelakeError(
                f"{slot.task.role} cannot start: {message or f'it ends with status {code}'}",
                hint or "the lines above may say why",
            )
        pause = min(0.05 * 2.0**slot.short_lives, SLOWEST_RESTART[killed])
        slot.start_at = SYSTEM.monotonic() + pause
        telemetry.counter("pixelake_restarts_total").labels(role=slot.task.role).inc()
        log.warning("process ended", process=dead.process, status=code, reason=dead.reason, starts_again_in=pause)

    # --- the exchange of the collectors

    def _exchange(self) -> None:
        """One slot after the other, so that at most one process more than usual starts at a time."""
        if self._reload and not self._exchanged and not any(slot.leaving for slot in self._slots):
            self._reload = False
            self._exchanged = [slot for slot in self._slots if slot.task.role in RELOADED]
            log.info("reloads", processes=len(self._exchanged))
        if self._exchanged and not self._exchanged[0].successor:
            slot = self._exchanged[0]
            slot.successor = self._start(slot, slot.other_name)
            if not slot.successor:
                self._give_up(slot, "it cannot be started")

    def _watch_successor(self, slot: _Slot) -> None:
        """Let it take over once it serves; forget it if it does not."""
        new = slot.successor
        if not new:
            return
        if not new.lives:
            self._give_up(slot, new.reason or f"it ends with status {new.status}")
        elif new.ready:
            slot.leaving, slot.child, slot.successor = slot.child, new, None
            slot.name, slot.served = new.process, True
            slot.leave_by = SYSTEM.monotonic() + self._share
            if slot.leaving:
                slot.leaving.send(signal.SIGTERM)
            self._exchanged.remove(slot)
            if not self._exchanged:
                log.info("reloaded")
        elif SYSTEM.monotonic() - new.started > READY_SECONDS:
            self._give_up(slot, f"it does not serve after {READY_SECONDS:.0f} s")

    def _give_up(self, slot: _Slot, reason: str) -> None:
        """The old ones go on, here and in the slots that would have followed."""
        if slot.successor:
            slot.successor.send(signal.SIGKILL)
            self._forget(slot.successor)
            slot.successor = None
        self._exchanged.clear()
        message, _, hint = reason.partition("\n")
        telemetry.counter("pixelake_reload_failures_total").inc()
        log.error("cannot reload: the old processes go on", process=slot.task.process, reason=message, hint=hint)

    def _watch_leaving(self, slot: _Slot) -> None:
        if slot.leaving and slot.leaving.lives and SYSTEM.monotonic() > slot.leave_by:
            log.warning("did not end in time", processes=[slot.leaving.process], shutdown_timeout=self._share)
            slot.leaving.send(signal.SIGKILL)
            slot.leaving.close()
        if slot.leaving and not slot.leaving.lives:
            self._forget(slot.leaving)
            slot.leaving = None

    def _forget(self, gone: Child) -> None:
        """Nobody goes on under this name, for now."""
        gone.close()
        telemetry.forget(self.metrics, gone.process)

    # --- the end

    def _drain(self, signals: Signals) -> bool:
        """Stop role by role: collectors finish their answers, then the consumer writes what is left."""
        roles = list(dict.fromkeys(task.role for task in self.tasks))
        until = SYSTEM.monotonic()
        for role in roles:
            slots = [slot for slot in self._slots if slot.task.role == role]
            for child in [child for slot in slots for child in slot.all if child is not slot.leaving]:
                child.send(signal.SIGTERM)
            until += self._share
            while any(slot.all for slot in slots) and SYSTEM.monotonic() < until:
                if signals.wait(until - SYSTEM.monotonic()) & STOPPING:
                    return False
        late = [child.process for slot in self._slots for child in slot.all]
        if late:
            log.warning("did not end in time", processes=late, shutdown_timeout=self.settings.shutdown_timeout)
        return not late

    def _kill(self) -> None:
        """Whoever is still there ends now. What they have answered for is durable."""
        everybody = [each for slot in self._slots for each in (slot.leaving, slot.child, slot.successor) if each]
        for child in everybody:
            child.send(signal.SIGKILL)
        for child in everybody:
            child.close()


def _hangup() -> list[signal.Signals]:
    """SIGHUP, if it is for us: under nohup it is not."""
    return [each for each in (signal.SIGHUP,) if signal.getsignal(each) != signal.SIG_IGN]
