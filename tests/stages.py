"""The stages of an installation in this process: hits are accepted as a collector does, and settled by its consumer."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pixelake import build
from pixelake.clock import SYSTEM
from pixelake.hit import Hit
from pixelake.settings import Settings

PATIENCE = 20.0
"""Seconds."""


def accept(settings: Settings, *targets: str, headers: bytes = b"", received_at: int | None = None) -> None:
    """Put hits of these paths in, with header lines; received now, or then (µs since 1970, UTC)."""
    at = SYSTEM.now() if received_at is None else received_at
    hits = [Hit.of(at, "192.0.2.1", "192.0.2.1", "GET", target.encode(), headers) for target in targets]

    async def append() -> None:
        writer = build.writer(settings)
        await writer.append(hits)
        await writer.close()

    asyncio.run(append())


@contextmanager
def consuming(settings: Settings) -> Iterator[None]:
    """A consumer runs; it has ended afterwards."""
    stop = threading.Event()
    consumer = threading.Thread(target=build.consumer(settings).run, args=(stop,))
    consumer.start()
    try:
        yield
    finally:
        stop.set()
        consumer.join()


def settle(settings: Settings, done: Callable[[], bool] | None = None, patience: float = PATIENCE) -> None:
    """Run a consumer until nothing is left in the stream, or it is `done`; no longer than so many seconds."""
    done = done or (lambda: not build.status(settings).in_stream)
    with consuming(settings):
        deadline = time.monotonic() + patience
        while not done() and time.monotonic() < deadline:
            time.sleep(0.05)
