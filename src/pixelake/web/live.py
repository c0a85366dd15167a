"""The live feed: one poller a process, any number of viewers (server-sent events).

A viewer that does not read fast enough is let go: its browser comes back by
itself and says where it was (``Last-Event-ID``), so that it misses nothing
that a screen still shows.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from pixelake.warehouse.now import now
from pixelake.web.minutes import Minutes
from pixelake.web.sources import Live, Row

T = TypeVar("T")

POLL_SECONDS: Final = 0.4
FIGURES_SECONDS: Final = 1.0
"""Visitors now and both sums are looked up this often, and sent if they changed."""
KEEP_ALIVE_SECONDS: Final = 15.0
READ: Final = 500
"""Events taken from the store in one look; of more only the newest."""
SHOWN: Final = 100
"""Events sent to a viewer in one frame: what a screen shows."""
WAITING: Final = 64
"""Frames that may wait for a viewer: half a minute's worth."""
MAX_VIEWERS: Final = 1_000

_log = structlog.get_logger()


def frame(event: str, data: Any, cursor: int | None = None) -> bytes:
    """One server-sent event. JSON without line breaks needs no further escaping."""
    head = "" if cursor is None else f"id: {cursor}\n"
    return f"{head}event: {event}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def shown(row: Row) -> dict[str, Any]:
    """A recent event as JSON, with its place."""
    return {**row.event, "cursor": row.cursor}


@dataclass(slots=True, eq=False)
class _Viewer:
    """One open page. It has been sent everything up to `cursor`. It sees both sums, and single events, if it may."""

    site: str | None
    cursor: int
    sums: bool = True
    events: bool = True
    frames: "asyncio.Queue[bytes | None]" = field(default_factory=lambda: asyncio.Queue(WAITING))
    last: dict[str, bytes] = field(default_factory=dict)

    def end(self) -> None:
        """Nothing more, and nothing of what waits."""
        while not self.frames.empty():
            self.frames.get_nowait()
        self.frames.put_nowait(None)


class Feed:
    """Looks at the live store while somebody watches, and tells all viewers.

    All calls to the reader are made by one thread of its own. Belongs to one
    event loop: `start` and `close` are called in it.
    """

    def __init__(self, live: Live, status: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        self._live = live
        self._minutes = Minutes(live)
        self._status = status
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="live")
        self._viewers: set[_Viewer] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    @property
    def full(self) -> bool:
        """Whether no further viewer is taken."""
        return self._closed or len(self._viewers) >= MAX_VIEWERS

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """A call to the reader, in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def now(self, site: str | None) -> dict[str, int]:
        """The answer to the question ``now``, of a site or of all."""
        return await self.call(now, self._live, site)

    async def newest(self, limit: int, site: str | None) -> list[dict[str, Any]]:
        """The newest events, newest first."""
        return [shown(row) for row in await self.call(self._live.newest, limit, site)]

    async def cursor(self) -> int:
        """Where the newest event is: behind it is what comes from now on."""
        rows = await self.call(self._live.newest, 1)
        return rows[0].cursor if rows else 0

    async def watch(
        self, site: str | None, cursor: int, *, sums: bool = True, events: bool = True
    ) -> AsyncIterator[bytes]:
        """What happens on a site, or on all, behind `cursor`, as server-sent events.

        Without `sums` for who may not see what is of all sites together, without `events` for who may not see
        single ones.
        """
        viewer = _Viewer(site, cursor, sums, events)
        self._viewers.add(viewer)
        try:
            yield b"retry: 1000\n\n"
            while (data := await _next(viewer)) is not None:
                yield data
        finally:
            self._viewers.discard(viewer)

    def start(self) -> None:
        """Begin to look."""
        self._tasks = [
            asyncio.create_task(self._repeat(POLL_SECONDS, self._events)),
            asyncio.create_task(self._repeat(FIGURES_SECONDS, self._figures)),
        ]

    def close(self) -> None:
        """End all streams at once; their browsers come back to whoever listens next."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        for viewer in self._viewers:
            viewer.end()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _repeat(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        well = True
        while True:
            try:
                if self._viewers:
                    await step()
                well = True
            except Exception as error:  # noqa: BLE001 the feed outlives whatever one look at the stores raises
                if well:
                    _log.warning("live_feed_failed", error=str(error), kind=type(error).__name__)
                well = False
            await asyncio.sleep(seconds)

    async def _events(self) -> None:
        # Who joins or is set back during the look is behind other rows: the next look is theirs.
        before = self._cursors()
        rows = await self.call(self._live.after, min(before.values(), default=0), READ)
        if not rows:
            return
        frames: dict[tuple[str | None, int], bytes | None] = {}
        for viewer, cursor in before.items():
            if viewer.cursor != cursor:
                continue
            key = viewer.site, cursor
            if key not in frames:
                frames[key] = _events_frame(rows, *key)
            self._send(viewer, frames[key] if viewer.events else None)
            viewer.cursor = max(cursor, rows[-1].cursor)

    async def _figures(self) -> None:
        await self._set_back()
        here = {site: frame("now", await self._here(site)) for site in {viewer.site for viewer in self._viewers}}
        for viewer in list(self._viewers):
            self._send_changed(viewer, "now", here.get(viewer.site))
        status = frame("status", await self._status())  # last: it needs the lake, which may be away
        for viewer in [each for each in self._viewers if each.sums]:
            self._send_changed(viewer, "status", status)

    async def _here(self, site: str | None) -> dict[str, Any]:
        """Who is here, and what came in each minute of the last half hour."""
        return {**await self.now(site), "minutes": await self.call(self._minutes.of, site)}

    async def _set_back(self) -> None:
        """Only a store that began anew is behind where its viewers were before it was asked: they begin with it."""
        before = self._cursors()
        newest = await self.cursor()
        for viewer, cursor in before.items():
            if viewer.cursor == cursor > newest:
                viewer.cursor = 0

    def _cursors(self) -> dict[_Viewer, int]:
        return {viewer: viewer.cursor for viewer in self._viewers}

    def _send_changed(self, viewer: _Viewer, kind: str, data: bytes | None) -> None:
        if data is not None and viewer.last.get(kind) != data:
            viewer.last[kind] = data
            self._send(viewer, data)

    def _send(self, viewer: _Viewer, data: bytes | None) -> None:
        if data is None:
            return
        try:
            viewer.frames.put_nowait(data)
        except asyncio.QueueFull:
            self._viewers.discard(viewer)
            viewer.end()


async def _next(viewer: _Viewer) -> bytes | None:
    try:
        return await asyncio.wait_for(viewer.frames.get(), KEEP_ALIVE_SECONDS)
    except TimeoutError:
        return b": still here\n\n"


def _events_frame(rows: Sequence[Row], site: str | None, cursor: int) -> bytes | None:
    """What a viewer of that site has not seen yet, oldest first; or None."""
    fresh = [shown(row) for row in rows if row.cursor > cursor and site in (None, row.event["site"])]
    return frame("events", fresh[-SHOWN:], rows[-1].cursor) if fresh else None
