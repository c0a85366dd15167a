"""Signals as something to wait for, and what a hangup means."""

import os
import selectors
import signal
import socket
import termios
from collections.abc import Iterator
from contextlib import contextmanager

Heard = frozenset[int]
"""Numbers of signals."""


class Signals:
    """What has been sent to this process since somebody last asked."""

    def __init__(self, wake: socket.socket) -> None:
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._selector.register(wake, selectors.EVENT_READ)

    def wait(self, timeout: float | None) -> Heard:
        """Until any signal comes, or for `timeout` seconds; the signals that came."""
        return frozenset(self._wake.recv(4_096)) if self._selector.select(timeout) else frozenset()

    def close(self) -> None:
        """Wait no more."""
        self._selector.close()


@contextmanager
def taken(*numbers: signal.Signals) -> Iterator[Signals]:
    """Take these signals; afterwards they do again what they did before."""
    wake, ours = socket.socketpair()
    wake.setblocking(False)
    ours.setblocking(False)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    wakeup = signal.set_wakeup_fd(ours.fileno())
    signals = Signals(wake)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        signals.close()
        wake.close()
        ours.close()


class Terminal:
    """The terminal this process was started in, if there is one.

    SIGHUP has two senders: who wants a reload, and the terminal's end (the
    kernel, and the shell, which passes it on to its jobs). The kernel closes
    the terminal's files before it tells anybody (``__tty_hangup``), so a file
    that was open tells which it is.
    """

    def __init__(self) -> None:
        try:
            self._file = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:  # started without one, by a service manager for instance
            self._file = -1

    @property
    def gone(self) -> bool:
        """Whether there was one and it has ended."""
        if self._file < 0:
            return False
        try:
            termios.tcgetattr(self._file)
        except termios.error:
            return True
        return False

    def close(self) -> None:
        """Look no more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
