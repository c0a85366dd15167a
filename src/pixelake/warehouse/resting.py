"""The lake, open for questions only while somebody asks some: an idle dashboard holds no database in memory."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import pyarrow as pa

REST: Final = 300.0
"""Seconds without a question after which the memory is let go; to open it again takes some 0.1 s."""


class Closable(Protocol):
    """What is opened: `pixelake.warehouse.query.Lakehouse`."""

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """The answer to one SELECT."""
        ...

    def close(self) -> None:
        """Let the memory go."""
        ...


class Resting:
    """Opens a lake when it is asked, and closes it when nobody has asked for a while. Any number of threads.

    Args:
        opened: opens it.
        rest: seconds without a question until it is closed.
    """

    def __init__(self, opened: Callable[[], Closable], rest: float = REST) -> None:
        self._opened, self._rest = opened, rest
        self._lock = threading.Lock()
        self._lake: Closable | None = None
        self._asking = 0
        self._timer: threading.Timer | None = None

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """The answer to one SELECT.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        with self._awake() as lake:
            return lake.ask(text, parameters)

    @contextmanager
    def _awake(self) -> Iterator[Closable]:
        with self._lock:
            if self._timer:
                self._timer.cancel()
            if self._lake is None:
                self._lake = self._opened()
            lake = self._lake
            self._asking += 1
        try:
            yield lake
        finally:
            with self._lock:
                self._asking -= 1
                if not self._asking:
                    self._timer = threading.Timer(self._rest, self._sleep)
                    self._timer.daemon = True
                    self._timer.start()

    def _sleep(self) -> None:
        """Close it, unless somebody asks just now: then the timer of that one will."""
        with self._lock:
            if self._asking or self._lake is None or self._timer is not threading.current_thread():
                return
            self._lake.close()
            self._lake = None
