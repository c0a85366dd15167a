"""What the web role is handed: where its answers come from. It opens nothing itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
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

    def by_minute(self, since: int, site: str | None = None) -> Mapping[int, Mapping[str, int]]:
        """What came in each minute from `since` on (microseconds UTC): ``hits``, ``views``, ``bots``, and others."""
        ...


class Hits(Protocol):
    """Single hits by their names. Called by several threads at once."""

    def event(self, hit_id: str, site: str | None = None, at: datetime | None = None) -> Mapping[str, Any] | None:
        """The event of that name and site, with all its columns. `at` is a moment of the hour in which it came.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...

    def reject(self, hit_id: str) -> Mapping[str, Any] | None:
        """The reject of that name, with its raw hit.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...

    def replay(self, hit_id: str) -> Mapping[str, Any]:
        """Judge the reject of that name anew; what became of it, as ``rejects replay --json`` tells.

        Raises:
            PixelakeError: the lake or the registry cannot be used now.
        """
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
        hits: single hits, by their names.
        tags: what to paste for a site, by what it is for.
        policy: what DNT and Sec-GPC do on sites that have no policy of their own.
        closed: whether hits of sites that nobody declared are rejects.
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
    hits: Hits = field(kw_only=True)
    tags: Callable[[str], Mapping[str, str]] = lambda _: {}
    policy: str = "anonymous"
    closed: bool = False
