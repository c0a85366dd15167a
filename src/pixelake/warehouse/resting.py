"""The lake, open for questions only while somebody asks some: an idle dashboard holds no database in memory."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

import pyarrow as pa

from pixelake.warehouse.reading import Standing, Statement

REST: Final = 300.0
"""Seconds without a question after which the memory is let go; to open it again takes some 0.1 s."""


class Closable(Protocol):
    """What is opened: `pixelake.warehouse.query.Lakehouse`."""

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """See `pixelake.warehouse.query.Lakehouse`."""
        ...

    def sql(
        self,
        text: str,
        parameters: Mapping[str, Any] = ...,
        *,
        site: str | None = None,
        rows: int | None = None,
        size: int | None = None,
    ) -> pa.Table:
        """See there."""
        ...

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """See there."""
        ...

    def standing(self) -> Standing:
        """See there."""
        ...

    def close(self) -> None:
        """Let the memory go."""
        ...


class Stranger(Protocol):
    """What runs SQL that is not trusted: `pixelake.warehouse.sql_apart.Apart`, or a lake itself."""

    def sql(self, text: str, *, site: str | None = None, rows: int | None = None, size: int | None = None) -> pa.Table:
        """See `pixelake.warehouse.query.Lakehouse`."""
        ...


class Resting:
    """Opens a lake when it is asked, and closes it when nobody has asked for a while. Any number of threads.

    Args:
        opened: opens it.
        rest: seconds without a question until it is closed.
        apart: runs what is not trusted; else the lake does, in this process.
    """

    def __init__(self, opened: Callable[[], Closable], rest: float = REST, apart: Stranger | None = None) -> None:
        self._opened, self._rest, self._apart = opened, rest, apart
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

    def sql(self, text: str, *, site: str | None = None, rows: int | None = None, size: int | None = None) -> pa.Table:
        """The answer to one SELECT of somebody's: only what it may read, and so much at most.

        Raises:
            QueryError: it is not allowed, wrong, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        if self._apart:
            return self._apart.sql(text, site=site, rows=rows, size=size)
        with self._awake() as lake:
            return lake.sql(text, site=site, rows=rows, size=size)

    def plan(self, make: Callable[[Standing], Statement]) -> tuple[pa.Table, Statement, str]:
        """Make a statement for the newest version of the lake, and run it: the rows, the statement, the version.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        with self._awake() as lake:
            return lake.plan(make)

    def standing(self) -> Standing:
        """The lake at its newest version: what that is called, and which columns it has. Reads no rows.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        with self._awake() as lake:
            return lake.standing()

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
