"""The demo's world: a sample page with the tag on it, and visitors who come and go."""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from heapq import heappop, heappush
from html import escape
from http import HTTPStatus
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, islice
from math import exp
from pathlib import Path
from random import Random
from typing import Final

import structlog

from pixelake import telemetry
from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.operate.child import Child
from pixelake.operate.demo_world import CLIENT_HEADER, VISITS, Deed, World, rhythm
from pixelake.operate.listen import connection
from pixelake.settings import Settings
from pixelake.testing import Request

HURRY: Final = 0.3
"""How much faster than in the past one page follows another: nobody who watches has a minute."""
LIVELY: Final = 1.2
"""Visits a second at the start."""
CALM: Final = 120.0
"""Seconds after which they are a third of that."""
LEAST: Final = 0.05
LOOK: Final = 0.2
"""Seconds between looks at whoever makes the past."""
_GUESS: Final = {True: "is there memory?", False: "the lines above may say why"}
"""Hints to who was killed, and who was not."""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A page with a pixel</title>
<body style="font: 1.1rem/1.6 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>A page with a pixel</h1>
<p>This page ends with the tag below. Each time you load it, the dashboard shows a visit.</p>
<pre style="white-space: pre-wrap; background: #8881; padding: 1rem">{shown}</pre>
{tag}
</body></html>
"""

log = structlog.get_logger()


@contextmanager
def sample_page(tag: str) -> Iterator[str]:
    """A page that ends with `tag`, on this machine; yields its address."""
    body = _PAGE.format(tag=tag, shown=escape(tag)).encode()

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, name="sample page", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def arriving(world: World, random: Random, clock: Clock = SYSTEM) -> Iterator[Request]:
    """What visitors send, each when it is due, without end: a lively start, then as many as in the past's hours."""
    begun = clock.monotonic()
    order, due = count(), list[tuple[float, int, Request]]()
    coming = 0.0
    while True:
        while not due or coming <= due[0][0]:
            for after, request in _next(world, random):
                heappush(due, (coming + after * HURRY, next(order), request))
            now = datetime.fromtimestamp(clock.now() / SECOND, UTC)
            coming += random.expovariate(rate(now, coming))
        at, _, request = heappop(due)
        clock.sleep(max(0.0, begun + at - clock.monotonic()))
        yield request


def rate(now: datetime, elapsed: float) -> float:
    """Visits a second, so long after the start: somebody who has just begun to look wants to see something move."""
    return max(VISITS / 3_600 * rhythm(now), LIVELY * exp(-elapsed / CALM), LEAST)


def _next(world: World, random: Random) -> list[Deed]:
    make = random.choices((world.visit, world.machine, world.ad, world.badge), (80, 9, 8, 5))[0]
    return make()


def send_visitors(url: str, requests: Iterable[Request], most: int | None = None) -> int:
    """Send requests to the pixel at `url`, so many of them or without end; how many it took."""
    return sum(_send(url, request) for request in islice(requests, most))


def _send(url: str, request: Request) -> bool:
    visit = connection(url, 5.0)
    try:
        visit.request("GET", request.target, headers=request.headers)
        return visit.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        visit.close()


@contextmanager
def past(settings: Settings) -> Iterator[None]:
    """A process of its own makes the past, or one line of the log says why there is none.

    It ends with the block at the latest. Only beside `supervise.serve`.
    """
    metrics, over = telemetry.joined(), threading.Event()
    lifeline, ours = os.pipe()
    try:
        child = _historian(settings, lifeline, metrics)
        watching = threading.Thread(target=_watch, args=(child, over), name="past", daemon=True)
        watching.start()
        try:
            yield
        finally:
            over.set()  # first: what ends with us has not failed
            watching.join()
            os.close(ours)  # ends it, if it lives
            if child:
                child.close()
    finally:
        os.close(lifeline)


def _historian(settings: Settings, lifeline: int, metrics: Path) -> Child | None:
    try:
        return Child("past", "past-1", settings, listener=None, lifeline=lifeline, metrics=metrics)
    except OSError as error:  # no memory, no process left
        _tell(f"cannot start a process: {error.strerror or error}", "is there memory?")
        return None


def _watch(child: Child | None, over: threading.Event) -> None:
    """Wait for its end; tell of one that was not meant."""
    while child and child.lives:
        if over.wait(LOOK):
            return
    if child and child.status and not over.is_set():
        message, _, hint = child.reason.partition("\n")
        _tell(message or _ended(child.status), hint or _GUESS[child.status < 0])


def _ended(status: int) -> str:
    return f"killed by signal {-status}" if status < 0 else f"it ends with status {status}"


def _tell(reason: str, hint: str) -> None:
    log.error("the demo has no past", reason=reason, hint=f"{hint}; to try again, stop the demo and start it")


def in_front(settings: Settings) -> Settings:
    """The settings of a demo: its visitors come by a CDN on this machine, unless another proxy is declared."""
    if settings.trusted_proxies:
        return settings
    return replace(settings, trusted_proxies=("loopback",), client_header=CLIENT_HEADER)
