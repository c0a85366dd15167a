"""A collector process: connections on an inherited socket, hits into a partition of its own."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog
import uvloop

from pixelake import telemetry
from pixelake.clock import SYSTEM, Clock
from pixelake.collect.admission import Admission
from pixelake.collect.badge import badge
from pixelake.collect.board import Board
from pixelake.collect.firehose import MOST, Deliveries
from pixelake.collect.framing import Room
from pixelake.collect.logs.records import Records
from pixelake.collect.office import Limits, Office
from pixelake.collect.protocol import Connection
from pixelake.collect.tls import Reloading
from pixelake.collect.turn import PACE, Desk
from pixelake.dialects.base import Dialect, routes
from pixelake.errors import SettingsError
from pixelake.registry.base import UNDECLARED_PROXY, Registry
from pixelake.settings import Settings, workers
from pixelake.stream.base import Writer

BACKLOG: Final = 4_096
"""Connections the kernel holds while no process accepts; the kernel caps it at net.core.somaxconn."""
GRACE_SECONDS: Final = 1.0
"""A draining process still answers what arrives on idle connections for so long, at most half of its time."""
FAREWELL_SECONDS: Final = 3.0
"""For the client to take leave of TLS."""
SWITCH_SECONDS: Final = 0.001
"""How long the thread that commits waits for Python's lock before it asks for it, some three times a commit. With
Python's own 5 ms a busy loop would hold up every commit by 15."""
SLOWEST_PACE: Final = 4
"""Workers that share a disk share its commits: two at half the pace cost no more than one. No slower than that many."""

_LOG = structlog.get_logger("collect")


def run(
    settings: Settings,
    listener: socket.socket,
    writer: Callable[[], Writer],
    dialects: Sequence[Dialect],
    registry: Callable[[], Registry],
    *,
    records: Callable[[], Records] | None = None,
    clock: Clock = SYSTEM,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in work and what still arrives, and return.

    `listener` is bound and listening, or about to; other processes may accept
    on it as well. `writer` is called inside the event loop, `registry` in a
    thread beside it, `ready` once connections are accepted. With TLS, SIGHUP reads the certificate again.
    `records` makes what reads deliveries of Firehose, if there is a key for them.

    Raises:
        SettingsError: the certificate cannot be used.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    uvloop.run(
        _serve(settings, listener, writer, dialects, Board(registry, clock), records=records, clock=clock, ready=ready)
    )


async def _serve(
    settings: Settings,
    listener: socket.socket,
    writer: Callable[[], Writer],
    dialects: Sequence[Dialect],
    board: Board,
    *,
    records: Callable[[], Records] | None,
    clock: Clock,
    ready: Callable[[], None],
) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    native = dialects[0]
    office = open_office(
        settings, writer(), dialects, clock, lambda target: badge(target, native, board.badges), records=records
    )
    secure = _secure(settings)
    server = await loop.create_server(
        lambda: Connection(office),
        sock=listener,
        backlog=BACKLOG,
        ssl=secure.context if secure else None,
        ssl_handshake_timeout=settings.header_timeout if secure else None,
        ssl_shutdown_timeout=FAREWELL_SECONDS if secure else None,
    )
    pulse = asyncio.create_task(_pulse(office, board))
    ready()
    await stop.wait()
    pulse.cancel()
    await _drain(office, server, settings.shutdown_timeout)
    if office.deliveries:
        await office.deliveries.close()
    await office.desk.close()
    _report(office)


def _secure(settings: Settings) -> Reloading | None:
    """What to speak TLS with, if we do. Read again on SIGHUP."""
    if not settings.tls_certificate:
        return None
    secure = Reloading(Path(settings.tls_certificate), Path(settings.tls_key))
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, secure)
    return secure


def _reload(secure: Reloading) -> None:
    try:
        secure.reload()
    except SettingsError as error:
        telemetry.counter("pixelake_reload_failures_total").inc()
        _LOG.error("cannot reload: the old certificate goes on", reason=str(error), hint=error.hint)


def open_office(
    settings: Settings,
    writer: Writer,
    dialects: Iterable[Dialect],
    clock: Clock = SYSTEM,
    shown: Callable[[bytes], bytes | None] = lambda _: None,
    *,
    records: Callable[[], Records] | None = None,
) -> Office:
    """What the connections of a process share, from its settings. To be called inside the event loop."""
    found = routes(dialects)
    admission = Admission(settings)
    deliveries = None
    if settings.firehose_key and records:
        deliveries = Deliveries(settings.firehose_key, writer, records(), admission, clock)
    desk = Desk(
        writer,
        admission,
        found,
        max_head=settings.max_head,
        deadline=settings.answer_deadline,
        max_waiting=settings.max_waiting,
        max_bytes=settings.max_waiting_bytes,
        pace=PACE * min(workers(settings), SLOWEST_PACE),
        durable=settings.answer == "durable",
        clock=clock,
    )
    return Office(
        desk=desk,
        routes=found,
        limits=Limits(
            settings.max_head,
            settings.max_body,
            settings.header_timeout,
            settings.idle_timeout,
            settings.max_connections,
        ),
        ready=desk.ready,
        badge=shown,
        room=Room(settings.max_waiting_bytes + (MOST if deliveries else 0)),
        deliveries=deliveries,
        proxied=settings.proxy_protocol == "on",
    )


async def _pulse(office: Office, board: Board) -> None:
    """Once a second: a new date, the numbers, and an end to connections that are too slow."""
    failing = ""
    while True:
        await asyncio.sleep(1)
        try:
            _beat(office, board)
        except Exception:  # noqa: BLE001 - the next second may be better; without a pulse nothing would ever time out
            _LOG.exception("the pulse missed a beat")
        failure = office.desk.last_failure
        if bool(failure) != bool(failing):
            if failure:
                _LOG.error("hits are refused", reason=failure)
            else:
                _LOG.info("hits are taken again")
        failing = failure


def _beat(office: Office, board: Board) -> None:
    office.tick += 1
    office.desk.answers.refresh()
    for connection in list(office.connections):
        connection.sweep()
    _report(office)
    admission = office.desk.admission
    if admission.undeclared:
        board.see(UNDECLARED_PROXY, admission.undeclared)
        admission.undeclared = ""
    board.exchange()


def _report(office: Office) -> None:
    """Hand the numbers over."""
    office.desk.report()
    answers = telemetry.counter("pixelake_answers_total")
    for (status, reason), count in office.desk.counts.items():
        answers.labels(status.decode(), reason).inc(count)
    office.desk.counts.clear()
    telemetry.gauge("pixelake_connections").set(len(office.connections))


async def _drain(office: Office, server: asyncio.Server, bound: float) -> None:
    """Accept no more, answer what is in work and what still arrives, and close the rest, within `bound` seconds.

    A request may be on its way on an idle connection, or be behind a TLS
    handshake that has only begun: to close at once would reset it. So each
    connection ends with its next answer, and those that stay idle for the
    grace are closed then. Who is not in `office.connections` yet is counted
    by the server, which tells when all have gone only if asked before it closes.
    """
    office.stop()
    gone = asyncio.create_task(server.wait_closed())
    await asyncio.sleep(0)
    server.close()
    deadline = asyncio.get_running_loop().time() + bound
    await asyncio.wait([gone], timeout=min(GRACE_SECONDS, bound / 2))
    while not gone.done() and asyncio.get_running_loop().time() < deadline:
        for connection in list(office.connections):
            connection.sweep()
        await asyncio.wait([gone], timeout=0.02)
    gone.cancel()
    for connection in list(office.connections):
        connection.abort()
