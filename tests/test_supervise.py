"""Tests of `pixelake.supervise`, on real roles: who listens, who dies with whom, who is started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from pixelake.settings import parse_address
from tests.crash.campaign import children

ADOPT = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Runs a command in a session of its own, whose terminal is its standard input."""


class Running:
    """`pixelake <arguments>` on a folder, its output in files beside it."""

    def __init__(
        self, folder: Path, *arguments: str, data: Path | None = None, terminal: int = subprocess.DEVNULL
    ) -> None:
        self.data = data or folder / "data"
        self._out, self._err = folder / "out", folder / "err"
        command = [sys.executable, "-P", "-m", "pixelake", *arguments, "--data", str(self.data)]
        program = [sys.executable, "-c", ADOPT, *command] if terminal >= 0 else command
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(program, stdin=terminal, stdout=out, stderr=err, cwd=folder)

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """What it has logged so far."""
        return self._err.read_text()

    def pixel(self) -> str:
        """The pixel's address, once it answers."""
        wait(lambda: "Pixel: " in self.out, lambda: self.out + self.err)
        return next(line for line in self.out.splitlines() if line.startswith("Pixel: ")).removeprefix("Pixel: ")

    def children(self, role: str) -> list[int]:
        """Its processes of that role."""
        return children(self.process.pid, role)


def wait(true: Callable[[], object], why: Callable[[], str] = str, seconds: float = 30.0) -> None:
    """Until it is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why()
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts commands, and ends them after the test."""
    started: list[Running] = []

    def _start(*arguments: str, data: Path | None = None, terminal: int = subprocess.DEVNULL) -> Running:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Running(folder, *arguments, data=data, terminal=terminal))
        return started[-1]

    yield _start
    for running in started:
        running.process.terminate()
        running.process.wait(30)


COLLECT = ("collect", "--collect", "127.0.0.1:0")


def test_behind_a_balancer(start: Callable[..., Running]) -> None:
    """Also where each connection must begin with a PROXY header it is found out that the pixel answers."""
    server = start(*COLLECT, "--proxy-protocol", "on", "--trusted-proxies", "loopback")
    address = urlsplit(server.pixel()).netloc
    asked = [sys.executable, "-P", "-m", "pixelake", "health", "collect", "--collect", address]
    assert subprocess.run(asked, check=False).returncode == 0


def test_the_children_of_a_killed_supervisor_die(start: Callable[..., Running]) -> None:
    """SIGKILL for the supervisor ends its children too, at once."""
    server = start(*COLLECT, "--workers", "2")
    server.pixel()
    pids = server.children("collect")
    assert len(pids) == 2
    server.process.kill()
    wait(lambda: not any(map(alive, pids)), seconds=10.0)


def test_a_killed_child_is_started_again(start: Callable[..., Running]) -> None:
    """While the only collector is away connections wait; being killed often is no failure to start."""
    server = start(*COLLECT)
    url = server.pixel()
    for _ in range(6):
        (pid,) = server.children("collect")
        os.kill(pid, signal.SIGKILL)
        with urlopen(f"{url}?site=s", timeout=20) as answer:
            assert answer.status == 200
    assert server.process.poll() is None


def test_a_role_that_cannot_start_ends_everything(start: Callable[..., Running]) -> None:
    """After repeated failures to start, all ends: exit 1, and the last line says why."""
    server = start("consume", "--lake", "file:///dev/null/lake")
    assert server.process.wait(60) == 1
    last = server.err.splitlines()[-1]
    assert last.startswith("pixelake: consume cannot start: ")
    assert "/dev/null/lake" in last
    assert "Traceback" not in server.err


def test_a_child_that_blames_the_settings_ends_everything(tmp_path: Path) -> None:
    """Settings do not change: there is no second attempt, and one line."""
    program = (
        "import pathlib; from pixelake import supervise, settings;"
        f"chosen = settings.Settings(stream='kafka://x', data=pathlib.Path({str(tmp_path)!r}));"
        "supervise.serve(chosen, ('consume',), print)"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr.count("kafka") == 1
    assert "consume cannot start: stream: there is no backend for kafka://" in done.stderr


SIGNALS = {"SIGTERM": signal.SIGTERM, "Ctrl-C": signal.SIGINT}


@pytest.fixture
def terminal() -> Iterator[tuple[BinaryIO, int]]:
    """A terminal: the end whose closing is its end, and the one that programs are started in."""
    master, slave = os.openpty()
    with os.fdopen(master, "rb", 0) as window:
        yield window, slave
    os.close(slave)


def test_the_end_of_the_terminal(start: Callable[..., Running], terminal: tuple[BinaryIO, int]) -> None:
    """It stops everything in good order: exit 0, nothing said."""
    window, inside = terminal
    server = start(*COLLECT, terminal=inside)
    server.pixel()
    window.close()
    assert server.process.wait(30) == 0
    assert server.err == ""


def test_a_hangup_while_the_terminal_is_there(start: Callable[..., Running], terminal: tuple[BinaryIO, int]) -> None:
    """It asks for a reload: somebody else takes the hits, and nothing stops."""
    server = start(*COLLECT, terminal=terminal[1])
    url = server.pixel()
    before = server.children("collect")
    server.process.send_signal(signal.SIGHUP)
    wait(lambda: (now := server.children("collect")) and not set(now) & set(before), lambda: server.err)
    with urlopen(f"{url}?site=s", timeout=20) as answer:
        assert answer.status == 200
    assert server.process.poll() is None


def test_a_hangup_of_every_process(start: Callable[..., Running]) -> None:
    """Service managers may send it to children, too: to the consumer and the dashboard it means nothing."""
    server = start("serve", "--collect", "127.0.0.1:0", "--web", "127.0.0.1:0")
    server.pixel()
    others = server.children("consume") + server.children("web")
    for pid in [server.process.pid, *others, *server.children("collect")]:
        os.kill(pid, signal.SIGHUP)
    wait(lambda: '"reloaded"' in server.err, lambda: server.err)
    assert server.children("consume") + server.children("web") == others
    assert "process ended" not in server.err


def test_a_successor_that_does_not_serve(start: Callable[..., Running], tmp_path: Path) -> None:
    """The old process goes on, and the failure is said and counted."""
    server = start(*COLLECT, "--metrics", "127.0.0.1:0")
    url = server.pixel()
    before = server.children("collect")
    server.process.send_signal(signal.SIGHUP)
    wait(lambda: len(server.children("collect")) > 1)
    for pid in set(server.children("collect")) - set(before):
        os.kill(pid, signal.SIGKILL)
    wait(lambda: "cannot reload" in server.err, lambda: server.err)
    assert server.children("collect") == before
    with urlopen(f"{url}?site=s", timeout=20) as answer:
        assert answer.status == 200
    with urlopen(metrics_of(server), timeout=20) as answer:
        assert b"pixelake_reload_failures_total 1.0" in answer.read()


def test_a_hangup_during_the_start(tmp_path: Path) -> None:
    """Before anybody is started there is nothing to reload: it is no reason to end."""
    program = """
import os, signal, sys
from pathlib import Path
from pixelake import settings, supervise, telemetry
bind = supervise.bind
def hang_up(role, address):
    os.kill(os.getpid(), signal.SIGHUP)
    return bind(role, address)
supervise.bind = hang_up
telemetry.log_to_stderr("info")
chosen = settings.Settings(collect="127.0.0.1:0", data=Path(sys.argv[1]))
supervise.serve(chosen, ("collect",), lambda _: os.kill(os.getpid(), signal.SIGTERM))
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "reloads" not in done.stderr


def test_a_death_beside_a_successor_that_hangs(start: Callable[..., Running]) -> None:
    """Who serves is started again at once: the successor may never serve."""
    server = start(*COLLECT)
    url = server.pixel()
    (old,) = server.children("collect")
    server.process.send_signal(signal.SIGHUP)
    wait(lambda: len(server.children("collect")) > 1)
    (successor,) = set(server.children("collect")) - {old}
    os.kill(successor, signal.SIGSTOP)
    try:
        os.kill(old, signal.SIGKILL)
        with urlopen(f"{url}?site=s", timeout=20) as answer:  # long before the successor is given up
            assert answer.status == 200
        assert '"reloaded"' not in server.err
    finally:
        os.kill(successor, signal.SIGKILL)


def test_what_has_left_measures_nothing(start: Callable[..., Running]) -> None:
    """After a reload the sums of gauges are of the living, and counts go on."""
    server = start(*COLLECT, "--metrics", "127.0.0.1:0")
    url = server.pixel()
    metrics = metrics_of(server)
    with urlopen(f"{url}?site=s", timeout=20):
        pass
    (pid,) = server.children("collect")
    with socket.create_connection(parse_address("", urlsplit(url).netloc)) as idle:
        wait(lambda: b"pixelake_connections 1.0" in urlopen(metrics, timeout=20).read())
        server.process.send_signal(signal.SIGHUP)
        wait(lambda: '"reloaded"' in server.err, lambda: server.err)
        os.kill(pid, signal.SIGKILL)  # while it drains, so that it cannot put its numbers in order
        wait(
            lambda: b"pixelake_connections 0.0" in urlopen(metrics, timeout=20).read(),
            lambda: urlopen(metrics, timeout=20).read().decode(),
        )
        assert b"pixelake_hits_total 1.0" in urlopen(metrics, timeout=20).read()
        idle.close()


def test_nohup(start: Callable[..., Running]) -> None:
    """Who ignores the end of the terminal goes on."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        server = start(*COLLECT)
    finally:
        signal.signal(signal.SIGHUP, before)
    url = server.pixel()
    server.process.send_signal(signal.SIGHUP)
    with urlopen(f"{url}?site=s", timeout=20) as answer:
        assert answer.status == 200
    assert server.process.poll() is None


def test_a_second_hangup_does_not_cut_the_drain(start: Callable[..., Running], terminal: tuple[BinaryIO, int]) -> None:
    """Shell and kernel may both tell that the terminal is gone: that is no haste."""
    window, inside = terminal
    server = start(*COLLECT, "--shutdown-timeout", "60", terminal=inside)
    server.pixel()
    (pid,) = server.children("collect")
    os.kill(pid, signal.SIGSTOP)  # it drains once it may
    window.close()
    time.sleep(0.2)
    server.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert server.process.poll() is None
    os.kill(pid, signal.SIGCONT)
    assert server.process.wait(30) == 0


@pytest.mark.parametrize("number", SIGNALS.values(), ids=SIGNALS.keys())
def test_a_signal_stops_everything(start: Callable[..., Running], number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end all processes in good order: exit 0, nothing said."""
    server = start(*COLLECT)
    with urlopen(f"{server.pixel()}?site=s") as answer:
        assert answer.status == 200
    server.process.send_signal(number)
    assert server.process.wait(30) == 0
    assert server.err == ""


def test_a_second_signal_stops_at_once(start: Callable[..., Running]) -> None:
    """Who does not want to wait for the drain sends the signal again: exit 1, one line."""
    server = start(*COLLECT, "--shutdown-timeout", "60")
    server.pixel()
    (pid,) = server.children("collect")
    os.kill(pid, signal.SIGSTOP)  # it will not drain
    server.process.terminate()
    time.sleep(0.3)
    assert server.process.poll() is None
    server.process.terminate()
    assert server.process.wait(30) == 1
    assert "nothing is lost" in server.err
    assert not alive(pid)


def test_the_drain_is_bounded(start: Callable[..., Running]) -> None:
    """A child that does not end in `shutdown_timeout` is killed."""
    server = start(*COLLECT, "--shutdown-timeout", "0.5")
    server.pixel()
    (pid,) = server.children("collect")
    os.kill(pid, signal.SIGSTOP)
    server.process.terminate()
    assert server.process.wait(10) == 1
    assert not alive(pid)


def test_a_port_in_use(start: Callable[..., Running]) -> None:
    """A taken port is one line and exit 1, and the data folder is not even made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = start("serve", "--collect", "127.0.0.1:0", "--web", address)
        assert server.process.wait(30) == 1
    (line,) = server.err.splitlines()
    assert address in line
    assert "--web" in line
    assert not server.data.exists()


def test_a_second_server(start: Callable[..., Running]) -> None:
    """A second server on a folder is one line and exit 1; the first goes on."""
    first = start(*COLLECT)
    url = first.pixel()
    second = start("serve", "--collect", "127.0.0.1:0", "--web", "127.0.0.1:0", data=first.data)
    assert second.process.wait(30) == 1
    (line,) = second.err.splitlines()
    assert "another server runs" in line
    with urlopen(f"{url}?site=s", timeout=20) as answer:
        assert answer.status == 200


def metrics_of(server: Running) -> str:
    """Where its metrics are."""
    (line,) = [line for line in server.err.splitlines() if '"metrics"' in line]
    return line.split('"url": "')[1].split('"')[0]


def test_metrics(start: Callable[..., Running]) -> None:
    """With --metrics the sums over all processes are served."""
    server = start(*COLLECT, "--metrics", "127.0.0.1:0")
    with urlopen(f"{server.pixel()}?site=s"):
        pass
    url = metrics_of(server)

    def counted() -> bool:
        with urlopen(url) as answer:
            return b"pixelake_hits_total 1.0" in answer.read()

    wait(counted, lambda: urlopen(url).read().decode())
