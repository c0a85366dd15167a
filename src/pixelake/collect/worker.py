"""A collector process: connections on an inherited socket, hits into a partition of its own."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterable
from typing import Final

import structlog
import uvloop

from pixelake import telemetry
from pixelake.clock import SYSTEM, Clock
from pixelake.collect.admission import Desk
from pixelake.collect.keep import Keeper
from pixelake.collect.protocol import Connection, Limits, Office
from pixelake.dialects.base import Answer, Dialect, Route
from pixelake.settings import Settings
from pixelake.stream.base import Writer

BACKLOG: Final = 4_096
"""Connections the kernel holds while no process accepts; the kernel caps it at net.core.somaxconn."""
ROOT: Final = Route(b"/", frozenset({b"GET", b"HEAD"}), Answer.IMAGE)
"""``/`` is a pixel too, with a query."""

_LOG = structlog.get_logger("collect")


def run(
    settings: Settings,
    listener: socket.socket,
    writer: Callable[[], Writer],
    dialects: Iterable[Dialect],
    clock: Clock = SYSTEM,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in work, and return.

    `listener` is bound and listening, or about to; other processes may accept
    on it as well. `writer` is called inside the event loop.
    """
    uvloop.run(_serve(settings, listener, writer, dialects, clock))


async def _serve(
    settings: Settings,
    listener: socket.socket,
    writer: Callable[[], Writer],
    dialects: Iterable[Dialect],
    clock: Clock,
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    office = open_office(settings, writer(), dialects, clock)
    server = await loop.create_server(lambda: Connection(office), sock=listener, backlog=BACKLOG)
    pulse = asyncio.create_task(_pulse(office))
    await stop.wait()
    server.close()
    await _drain(office, settings.shutdown_timeout)
    pulse.cancel()
    await office.desk.close()
    _report(office)


def open_office(settings: Settings, writer: Writer, dialects: Iterable[Dialect], clock: Clock = SYSTEM) -> Office:
    """What the connections of a process share, from its settings. To be called inside the event loop."""
    desk = Desk(
        writer,
        deadline=settings.answer_deadline,
        max_waiting=settings.max_waiting,
        max_bytes=settings.max_waiting_bytes,
        durable=settings.answer == "durable",
        clock=clock,
    )
    return Office(
        desk=desk,
        keeper=Keeper(settings.secret_parameters),
        routes={ROOT.path: ROOT} | {route.path: route for dialect in dialects for route in dialect.routes},
        limits=Limits(
            settings.max_head,
            settings.max_body,
            settings.max_waiting_bytes,
            settings.header_timeout,
            settings.idle_timeout,
            settings.max_connections,
        ),
        clock=clock,
        ready=lambda: "unavailable" if desk.last_failure else "",
    )


async def _pulse(office: Office) -> None:
    """Once a second: a new date, the numbers, and an end to connections that are too slow."""
    failing = ""
    while True:
        await asyncio.sleep(1)
        office.tick += 1
        office.answers.refresh()
        for connection in list(office.connections):
            connection.sweep()
        _report(office)
        failure = office.desk.last_failure
        if bool(failure) != bool(failing):
            if failure:
                _LOG.error("hits are refused", reason=failure)
            else:
                _LOG.info("hits are taken again")
        failing = failure


def _report(office: Office) -> None:
    """Hand the counts over. Once a second, because a labelled counter costs more than a request's framing."""
    answers = telemetry.counter("pixelake_answers_total")
    for (status, reason), count in office.counts.items():
        answers.labels(status.decode(), reason).inc(count)
    office.counts.clear()
    telemetry.gauge("pixelake_connections").set(len(office.connections))


async def _drain(office: Office, bound: float) -> None:
    """Answer what is in work and close the rest, within `bound` seconds."""
    office.stopping = True
    loop = asyncio.get_running_loop()
    deadline = loop.time() + bound
    while office.connections and loop.time() < deadline:
        for connection in list(office.connections):
            connection.sweep()
        await asyncio.sleep(0.02)
    for connection in list(office.connections):
        connection.abort()
