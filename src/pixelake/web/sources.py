"""What the web role is handed: where its answers come from. It opens nothing itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from pixelake.registry.base import Registry
from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.reading import Standing


class Questions(Protocol):
    """The named questions over the lake. Called by several threads at once."""

    def ask(self, ask: Ask) -> Answer:
        """The answer.

        Raises:
            QueryError: it cannot be asked so, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


class Lake(Protocol):
    """The lake. Called by several threads at once."""

    def standing(self) -> Standing:
        """At its newest version: what that is called, and which columns it has.

        Raises:
            LakeUnavailable: the lake cannot be read.
        """
        ...

    def sql(self, text: str, *, site: str | None = None, rows: int | None = None, size: int | None = None) -> pa.Table:
        """The answer to one SELECT of somebody's, of the rows of one site or of all; so many rows and bytes at most.

        Raises:
            QueryError: it is not allowed, wrong, or takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


class Row(Protocol):
    """A recent event and its place in the live store."""

    @property
    def cursor(self) -> int:
        """Grows with every event; never reused."""
        ...

    @property
    def event(self) -> Mapping[str, Any]:
        """The columns that a screen needs, as JSON values; ``received_at`` in microseconds, UTC."""
        ...


class Now(Protocol):
    """Who is here, people only."""

    @property
    def visitors(self) -> int:
        """Distinct visitors in the window."""
        ...

    @property
    def hits(self) -> int:
        """Their hits."""
        ...


class Live(Protocol):
    """The reader of the live store. Called by one thread at a time."""

    def after(self, cursor: int, limit: int) -> Sequence[Row]:
        """The newest `limit` events behind `cursor`, oldest first."""
        ...

    def newest(self, limit: int, site: str | None = None) -> Sequence[Row]:
        """The newest events, newest first."""
        ...

    def now(self, window_seconds: float, site: str | None = None) -> Now:
        """Who was here within the last seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything the web role shows.

    Attributes:
        questions: the named questions over the lake.
        lake: the lake itself.
        clocks: tells the wall clocks of the sites as they are now.
        live: the live store's reader.
        registry: sites, tokens, and the access token.
        status: both sums and the delays, by the names that ``status --json`` has.
        collect_url: how the pixel is reached from outside.
        snippet: the tag to paste into a page.
        stalled: whether the consumer cannot go on just now, because the lake, say, is away.
    """

    questions: Questions
    lake: Lake
    clocks: Callable[[], Clocks]
    live: Live
    registry: Registry
    status: Callable[[], Mapping[str, Any]]
    collect_url: str
    snippet: str
    stalled: Callable[[], bool] = lambda: False
