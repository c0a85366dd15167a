"""A whole data folder in this process: hits go in, are settled by a real consumer, and are asked for."""

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixelake import build
from pixelake.clock import SYSTEM
from pixelake.hit import Hit
from pixelake.operate.folder import ROLES, occupied
from pixelake.operate.status import Status
from pixelake.settings import Settings

PATIENCE = 30.0


class Installation:
    """A data folder of today's version.

    Attributes:
        settings: of it; every segment of its stream holds few hits.
    """

    def __init__(self, data: Path, **more: Any) -> None:
        self.settings = Settings(data=data, lake_window=0.05, live_window=0.05, disk_reserve=0, **more)
        with occupied(data, ROLES):
            pass

    @property
    def data(self) -> Path:
        """The folder."""
        return self.settings.data

    def send(self, numbers: Iterable[int], at: int | None = None) -> None:
        """A partition more, with a hit for each number, which is its event id; each is durable."""
        asyncio.run(self._send([hit(number, SYSTEM.now() if at is None else at) for number in numbers]))

    async def _send(self, hits: list[Hit]) -> None:
        writer = build.writer(self.settings)
        for start in range(0, len(hits), 5):
            await writer.append(hits[start : start + 5])
        await writer.close()

    def settle(self) -> None:
        """Run a consumer until nothing waits."""
        self.run(lambda: not self.status().in_stream)

    def run(self, until: Callable[[], bool]) -> None:
        """Run a consumer until something is so."""
        consumer, stop = build.consumer(self.settings), threading.Event()
        thread = threading.Thread(target=consumer.run, args=(stop,))
        thread.start()
        deadline = time.monotonic() + PATIENCE
        while not until() and time.monotonic() < deadline:
            time.sleep(0.02)
        stop.set()
        thread.join()
        assert until()

    def status(self) -> Status:
        """Where every hit is."""
        return build.status(self.settings)

    def rows(self) -> list[int]:
        """The numbers that are in the lake; no hit twice, and the outcomes add up."""
        with closing(build.lakehouse(self.settings)) as lake:
            found: pa.Table = lake.ask("select event_id, hit_id from events", {})
        assert len(set(found["hit_id"].to_pylist())) == found.num_rows
        assert self.status().outcomes_hold
        return sorted(int(number) for number in found["event_id"].to_pylist())

    def wipe(self, *names: str) -> None:
        """Remove parts."""
        for name in names:
            shutil.rmtree(self.data / name)

    def put(self, name: str, copy: Path) -> None:
        """Put a part back from another folder, in place of what is there."""
        shutil.rmtree(self.data / name, ignore_errors=True)
        shutil.copytree(copy / name, self.data / name)


def hit(number: int, at: int) -> Hit:
    """A page view with this number as event id; an odd number has no site that can be, and so becomes a reject."""
    target = f"/pixel.gif?site=s.example&event_id={number}&user=u{number % 7}"
    return Hit.of(at, "192.0.2.1", "192.0.2.1", "GET", target.encode(), b"User-Agent: test\r\n", b"")


def silent(_done: int, _total: int) -> None:
    """Nobody watches."""
