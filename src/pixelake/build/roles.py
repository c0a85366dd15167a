"""What a child of the supervisor runs."""

import signal
import threading
from collections.abc import Callable, Mapping
from socket import socket
from typing import TYPE_CHECKING, Final

from pixelake.build.asking import questions, wall_clocks
from pixelake.build.judging import dialects, judge, rules
from pixelake.build.keeping import house, replay_one, status, stock
from pixelake.build.places import carried, lake_place, lake_window, queue_name, was_open
from pixelake.build.records import records
from pixelake.build.reporting import desk, look_for_reports
from pixelake.build.saving import reckon
from pixelake.build.stores import (
    badge_store,
    files_plans,
    lake,
    lake_apart,
    lakehouse,
    live_reader,
    live_store,
    publish_badges,
    reader,
    registry,
    sweep_spill,
    writer,
)
from pixelake.build.transfer import demo_past, gate
from pixelake.errors import (
    RegistryUnavailable,
    StreamError,
    WarehouseError,
)
from pixelake.settings import Settings, parse_address

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pixelake.transform.consumer import Consumer
    from pixelake.transform.queue import QueueConsumer


BADGE_SECONDS: Final = 2.0
"""Between looks at what badges should show."""
_AWAY: Final = (WarehouseError, StreamError, RegistryUnavailable, OSError)
"""What passes by itself, or once somebody has seen to it; it is not the settings."""


def collect(settings: Settings, listener: socket | None, ready: Callable[[], None]) -> None:
    """Run a collector on an inherited socket."""
    from pixelake.collect import worker

    assert listener is not None  # noqa: S101 - the supervisor gives collectors one
    worker.run(
        carried(settings),
        listener,
        lambda: writer(settings),
        dialects(settings),
        lambda: registry(settings),
        records=lambda: records(settings),
        ready=ready,
    )


def consumer(settings: Settings) -> "Consumer | QueueConsumer":
    """From the stream into the live store and the lake, each at its own pace; from a queue into the lake first."""
    from pixelake.transform.consumer import Consumer
    from pixelake.transform.enrich.own import own_fields
    from pixelake.transform.feed import Late, Plan
    from pixelake.transform.queue import QueueConsumer
    from pixelake.warehouse.past import Past
    from pixelake.warehouse.schema import events_schema

    by = rules(settings)
    badges = Plan(
        name="badges",
        sink=badge_store(settings),
        window=lake_window(settings),
        rows=settings.lake_rows,
        holds=False,  # what it misses it takes from the lake
    )
    live = Late(lambda: live_store(settings))
    shared = registry(settings)
    if queue := queue_name(settings, shared.secret):
        return QueueConsumer(
            readers=lambda group: reader(settings, group),
            judge=judge(settings, by),
            bar=gate(settings, shared).bar,
            lake=lake(settings, by.own),
            past=Past(lake_place(settings), events_schema(own_fields(by.own))),
            plans=(Plan(name="live", sink=live, window=0, rows=0), badges, *files_plans(settings)),
            partition=queue,
            window=lake_window(settings),
            rows=settings.lake_rows,
            batch_size=settings.batch_size,
        )
    return Consumer(
        readers=lambda group: reader(settings, group),
        judge=judge(settings, by, named=True),
        plans=(
            Plan(name="live", sink=live, window=settings.live_window, rows=settings.lake_rows),
            Plan(name="lake", sink=lake(settings, by.own), window=lake_window(settings), rows=settings.lake_rows),
            badges,
            *files_plans(settings),
        ),
        batch_size=settings.batch_size,
    )


def consume(settings: Settings, _: socket | None, _ready: Callable[[], None]) -> None:
    """Run the consumer until SIGTERM. If the lake is away that was there before, wait for it."""
    from pixelake.operate import keeper, maintain
    from pixelake.operate import reckon as reckoning
    from pixelake.operate import stock as stocks
    from pixelake.operate.pulse import EVERY, pulse
    from pixelake.operate.report.plan import LOOK as REPORTS
    from pixelake.transform.retry import Retry, Stopped

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    shared = registry(settings)
    opening = Retry("open the lake", stop, on=_AWAY if was_open(settings) else ())
    made: list[Consumer | QueueConsumer] = []
    keep = keeper.Keeper(house(settings, shared), keeper.in_child(settings))
    before = (
        maintain.Task("maintain the lake", keeper.LOOK, lambda: keep.look(stop)),
        maintain.Task(
            "say what is wrong", EVERY, pulse(shared, lambda: [opening.error, *(each.health().error for each in made)])
        ),
        maintain.Task(
            "say how far it is",
            EVERY,
            lambda: stocks.tell([sink for each in made for sink in each.health().sinks]),
        ),
        maintain.Task("take stock", stocks.EVERY, stock(settings, shared)),
    )
    maintain.start(before, stop)
    try:
        made.append(opening(lambda: _consumer_once_open(settings)))
    except Stopped:
        return
    tidy = keeper.Tidy(house(settings, shared))
    beside = (
        maintain.Task("pack the open hour", keeper.TIDY, tidy.look),
        maintain.Task("publish badges", BADGE_SECONDS, publish_badges(settings)),
        maintain.Task("tell what is lost", reckoning.EVERY, lambda: reckon(settings)),
        maintain.Task("sweep what queries left", maintain.HOUR, lambda: sweep_spill(settings)),
        maintain.Task(
            "send reports", REPORTS, look_for_reports(settings, shared, keeper.in_child(settings, "report"), stop)
        ),
    )
    maintain.start(beside, stop)
    made[0].run(stop, settings.shutdown_timeout)


def maintain(settings: Settings, _: socket | None, _ready: Callable[[], None]) -> None:
    """Do what keeps the lake small, as far as it is due, and end."""
    from pixelake.operate.turns import turn

    with turn(settings.data):
        from pixelake.operate.keeper import run_heavy

        run_heavy(house(settings))


def report(settings: Settings, _: socket | None, _ready: Callable[[], None]) -> None:
    """Send the weekly reports that are due, and end."""
    from pixelake.operate.report.weekly import send_due

    send_due(desk(settings, registry(settings)))


def past(settings: Settings, _: socket | None, _ready: Callable[[], None]) -> None:
    """Give a demo its past, and end."""
    demo_past(settings)


def _consumer_once_open(settings: Settings) -> "Consumer | QueueConsumer":
    lake(settings)  # first: all else takes half a second to make, too much to find the lake away each time
    return consumer(settings)


def dashboard(settings: Settings) -> "FastAPI":
    """The dashboard and its API, as an application that somebody is to serve."""
    from pixelake.operate.hits import Hits
    from pixelake.operate.listen import pixel_url
    from pixelake.operate.pulse import is_stalled
    from pixelake.operate.snippet import KINDS, snippet
    from pixelake.warehouse.resting import Resting
    from pixelake.web import api
    from pixelake.web.sources import Sources

    shared = registry(settings)
    told = wall_clocks(settings, shared)
    lake = Resting(lambda: lakehouse(settings), apart=lake_apart(settings))
    sources = Sources(
        questions=questions(lake, told, shared),
        lake=lake,
        clocks=told,
        live=live_reader(settings),
        registry=shared,
        status=lambda: status(settings, shared).as_dict(),
        collect_url=pixel_url(settings),
        snippet=snippet(pixel_url(settings), "SITE"),
        stalled=lambda: is_stalled(shared),
        hits=Hits(lake, lambda hit_id: replay_one(settings, hit_id)),
        tags=lambda site: {kind: snippet(pixel_url(settings), site, kind) for kind in KINDS},
        policy=settings.do_not_track,
        closed=settings.sites == "closed",
    )
    host, _ = parse_address("web", settings.web)
    return api.create(sources, hosts=(host, *settings.web_hosts), trusted=settings.trusted_proxies)


def web(settings: Settings, listener: socket | None, _ready: Callable[[], None]) -> None:
    """Run the dashboard on an inherited socket."""
    from pixelake.web import server

    assert listener is not None  # noqa: S101 - the supervisor gives the dashboard one
    server.run(dashboard(settings), [listener])


ROLES: Final[Mapping[str, Callable[[Settings, socket | None, Callable[[], None]], None]]] = {
    "collect": collect,
    "consume": consume,
    "maintain": maintain,
    "past": past,
    "report": report,
    "web": web,
}
"""What each role runs: with settings, the socket it listens on, and what a collector calls once it serves."""
