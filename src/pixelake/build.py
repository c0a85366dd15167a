"""Settings become objects: the only file that names every backend.

A role imports only what it runs, inside its function: a collector must not pay
for pyarrow, and a misspelt flag must be answered at once.
"""

import re
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import (
    LakeUnavailable,
    LakeUnreachable,
    RegistryUnavailable,
    SettingsError,
    StreamError,
    WarehouseError,
)
from pixelake.settings import Settings, parse_address
from pixelake.settings import check as check_values
from pixelake.stream.base import Reader, Watcher, Writer

if TYPE_CHECKING:
    from pixelake.dialects.base import Dialect
    from pixelake.operate.replay import Replay
    from pixelake.operate.status import Status
    from pixelake.registry.base import Noticed
    from pixelake.registry.sqlite import SqliteRegistry
    from pixelake.transform.consumer import Consumer
    from pixelake.transform.enrich.geo import Geo
    from pixelake.transform.enrich.own import Own
    from pixelake.transform.feed import Plan
    from pixelake.transform.judge import Judge
    from pixelake.transform.rules import Rules
    from pixelake.transform.schemas import Schemas
    from pixelake.warehouse.badges_sqlite import BadgeStore
    from pixelake.warehouse.lake import Lake, LakeReader
    from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
    from pixelake.warehouse.place import Place
    from pixelake.warehouse.query import Lakehouse
    from pixelake.warehouse.seen_sqlite import SqliteSeen

DAY: Final = 86_400.0
"""Seconds."""
LAKE_WINDOW: Final = 5.0
LAKE_WINDOW_REMOTE: Final = 60.0
"""Seconds between writes of the lake on a disk, and of one in a bucket, where each costs some requests."""
_BUCKET: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/+(?P<prefix>[^?#\s]*[^?#\s/])/*")
BADGE_SECONDS: Final = 2.0
"""Between looks at what badges should show."""
_AWAY: Final = (WarehouseError, StreamError, RegistryUnavailable, OSError)
"""What passes by itself, or once somebody has seen to it; it is not the settings."""


def _place(settings: Settings, name: str, *default: str) -> Path:
    """Where an embedded backend keeps its data: in the data folder, or where a ``file:`` URL says.

    Raises:
        SettingsError: the URL is of another backend.
    """
    hint = f"write file:///absolute/path, or nothing for {'/'.join(('<data>', *default))}"
    try:
        url = urlsplit(getattr(settings, name))
    except ValueError:
        raise SettingsError(f"{name} is no URL", hint) from None
    if not any(url):
        return settings.data.joinpath(*default)
    if url.scheme == "file" and not url.netloc and url.path:
        return Path(url.path)
    # the URL may hold a password: only its scheme is told
    raise SettingsError(f"{name}: there is no backend for {url.scheme or 'this'}:// URLs", hint)


def _lake_place(settings: Settings) -> "Place":
    """Where the lake is: a folder, or one in a bucket (``s3://bucket/prefix``). Asks nobody.

    Raises:
        SettingsError: the URL is of another backend, or what it needs is not installed.
    """
    if not settings.lake.startswith("s3://"):
        return _place(settings, "lake", "lake")
    found = _BUCKET.fullmatch(settings.lake)
    if not found:
        raise SettingsError("lake names no bucket and prefix", "write s3://bucket/prefix; who we are is told by AWS_*")
    try:
        from pixelake.warehouse import objects
    except ImportError as error:
        raise SettingsError(f"the lake is on S3, but {error.name} is missing", "pip install 'pixelake[s3]'") from None
    return objects.lake(found["bucket"], found["prefix"])


def lake_window(settings: Settings) -> float:
    """Seconds between writes of the lake: as set, else what suits where it is."""
    return settings.lake_window or (LAKE_WINDOW_REMOTE if settings.lake.startswith("s3://") else LAKE_WINDOW)


def check_lake(settings: Settings) -> None:
    """Refuse a lake that cannot be looked into, before anything is made. A disk says so when it is opened.

    A lake that was there before and is out of reach just now is no reason not to
    collect: the consumer waits for it.

    Raises:
        SettingsError: there is no such backend.
        LakeUnavailable: the bucket is not there, or does not let us in.
    """
    place = _lake_place(settings)
    if isinstance(place, Path):
        return
    try:
        place.check()
    except LakeUnreachable:
        if not _was_open(settings):
            raise


def _was_open(settings: Settings) -> bool:
    """Whether a consumer has opened a lake here before, so that the settings are hardly at fault."""
    return _badges(settings).exists()  # is made right behind it


def check(settings: Settings) -> None:
    """Refuse settings that no role could start with, before anything is made.

    Raises:
        SettingsError: a value is out of range, there is no such backend, a certificate cannot be used, or a
            schema is none.
    """
    check_values(settings)
    dialects(settings)
    schemas(settings)
    if settings.tls_certificate:
        from pixelake.collect import tls

        tls.context(Path(settings.tls_certificate), Path(settings.tls_key))
    for name in ("stream", "files", "live", "registry"):
        _place(settings, name, name)
    _lake_place(settings)


# --- stream ---


def writer(settings: Settings) -> Writer:
    """Where the collector puts hits. To be called inside its event loop."""
    from pixelake.stream.sqlite import SqliteWriter

    return SqliteWriter(
        _place(settings, "stream", "stream"),
        segment_bytes=settings.segment_bytes,
        segment_age=settings.segment_age,
        reserve=settings.disk_reserve,
        bound=settings.stream_bytes,
        window=settings.commit_window,
    )


def reader(settings: Settings, group: str) -> Reader:
    """Where the consumer takes hits from."""
    from pixelake.stream.sqlite_reader import SqliteReader

    return SqliteReader(
        _place(settings, "stream", "stream"),
        group,
        retention=settings.stream_retention,
        bound=settings.stream_bytes,
    )


def watcher(settings: Settings) -> Watcher:
    """What `status` asks."""
    from pixelake.stream.sqlite_watcher import SqliteWatcher

    return SqliteWatcher(_place(settings, "stream", "stream"))


# --- registry and dialects ---


def registry(settings: Settings) -> "SqliteRegistry":
    """The shared memory of the installation."""
    from pixelake.registry.sqlite import SqliteRegistry

    place = _place(settings, "registry", "registry", "registry.sqlite")
    # a salt must outlive the hits that may still need it, by a day
    return SqliteRegistry(place, settings.default_zone, retention=settings.stream_retention + DAY)


def dialects(settings: Settings) -> "Sequence[Dialect]":
    """Every protocol that is spoken here.

    Raises:
        SettingsError: an alias means nothing.
    """
    from pixelake.dialects.aliases import checked
    from pixelake.dialects.native import Native

    return (Native(checked(settings.aliases)),)


# --- transform ---


def geo(settings: Settings) -> "Geo | None":
    """What tells the place of an address; None without a file of addresses.

    Raises:
        SettingsError: the geo file is missing, or is none.
    """
    from pixelake.transform.enrich.geo import Geo
    from pixelake.transform.enrich.geo_file import GeoFile

    return Geo(GeoFile(Path(settings.geo_file))) if settings.geo_file else None


def check_enrichers(settings: Settings) -> None:
    """Refuse enrichers that cannot be made, before anything is. Only who judges hits needs them.

    Raises:
        SettingsError: the geo file is missing, or is none; a list, or an enricher of the user's, cannot be used.
    """
    rules(settings)


def own_enrichers(settings: Settings) -> "Sequence[Own]":
    """The user's own enrichers, imported.

    Raises:
        SettingsError: one cannot be imported, or cannot be as it is declared.
    """
    from pixelake.transform.enrich.own import load_own

    return load_own(settings.enrichers)


def lists(settings: Settings) -> Path:
    """Where the user's lists are, for `pixelake.transform.enrich.lists.load`; the folder need not exist.

    Raises:
        SettingsError: it was named, but there is none.
    """
    folder = Path(settings.lists) if settings.lists else settings.data / "lists"
    if settings.lists and not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}", "name an existing one with --lists, or none")
    return folder


def schemas(settings: Settings) -> "Schemas":
    """The user's JSON Schemas, compiled.

    Raises:
        SettingsError: the named folder is not there, or a file in it is no JSON Schema.
    """
    folder = Path(settings.schemas) if settings.schemas else settings.data / "schemas"
    if settings.schemas and not folder.is_dir():
        raise SettingsError(f"there is no folder {folder}", "name an existing one with --schemas, or none")
    from pixelake.transform.schemas import load

    return load(folder)


def rules(settings: Settings) -> "Rules":
    """What decides how a hit is judged.

    Raises:
        SettingsError: something that it is read from is missing or wrong.
    """
    from pixelake.transform.enrich.geo import cdn_of
    from pixelake.transform.enrich.table import make_enrichers
    from pixelake.transform.rules import Known, make_rules

    places = geo(settings)
    known = Known(
        schemas=schemas(settings),
        enrichers=make_enrichers(lists(settings), places, cdn_of(settings.geo_headers, settings.client_header)),
        own=own_enrichers(settings),
        refresh=places.refresh if places else Known().refresh,
    )
    return make_rules(settings, dialects(settings), known)


def judge(settings: Settings, by: "Rules | None" = None) -> "Judge":
    """What makes outcomes of hits, by these rules."""
    from pixelake.transform.judge import Judge

    return Judge(by or rules(settings), registry(settings), seen(settings))


# --- warehouse ---


def _check_not_gone(settings: Settings) -> None:
    """Refuse to begin a new lake in the place of one that was there: its disk may not be mounted just now."""
    from pixelake.warehouse.delta_log import EVENTS_FOLDER, LOG

    place = _lake_place(settings)
    if isinstance(place, Path) and _was_open(settings) and not (log := place / EVENTS_FOLDER / LOG).is_dir():
        raise LakeUnavailable(
            f"the lake {place} is gone", f"mount it or restore it; to begin a new one there: mkdir -p {log}"
        )


def lake(settings: Settings, own: "Sequence[Own]" = ()) -> "Lake":
    """The lake, open for writing; with the columns of these enrichers. Made if there was none before.

    Raises:
        LakeUnavailable: it is gone, or cannot be opened.
    """
    _check_not_gone(settings)
    from pixelake.transform.enrich.own import own_fields
    from pixelake.warehouse.lake import Lake
    from pixelake.warehouse.schema import events_schema

    return Lake(_lake_place(settings), schema=events_schema(own_fields(own)))


def lake_reader(settings: Settings) -> "LakeReader":
    """How far the lake is."""
    from pixelake.warehouse.lake import LakeReader

    return LakeReader(_lake_place(settings))


def asked_lake(settings: Settings) -> "Lakehouse":
    """The lake, open for the questions of a command: what is gone is told, not shown as empty.

    Raises:
        LakeUnavailable: it is gone.
    """
    _check_not_gone(settings)
    return lakehouse(settings)


def lakehouse(settings: Settings) -> "Lakehouse":
    """The lake, open for questions; empty as long as it is not there."""
    from pixelake.warehouse.query import Lakehouse

    return Lakehouse(_lake_place(settings), settings.sql_timeout, settings.sql_memory)


def _files(settings: Settings) -> "Sequence[Plan]":
    """Plain files beside the lake, if they are wanted."""
    from pixelake.transform.feed import Plan
    from pixelake.warehouse.files import Files
    from pixelake.warehouse.files_place import Folder

    if settings.files_format == "off":
        return ()
    sink = Files(Folder(_place(settings, "files", "files")), settings.files_format)
    return (Plan(name="files", sink=sink, window=settings.files_window, rows=settings.lake_rows),)


def live_store(settings: Settings) -> "LiveStore":
    """The last days, open for writing."""
    from pixelake.warehouse.live_sqlite import LiveStore

    return LiveStore(_place(settings, "live", "live", "live.sqlite"), settings.live_retention)


def live_reader(settings: Settings) -> "LiveReader":
    """The last days, for the dashboard."""
    from pixelake.warehouse.live_sqlite import LiveReader

    return LiveReader(_place(settings, "live", "live", "live.sqlite"))


def badge_store(settings: Settings) -> "BadgeStore":
    """What badges show. If it was deleted, is damaged or behind, as far as the lake knows."""
    from pixelake.warehouse.badges_sqlite import BadgeStore

    lake(settings)  # first: opening it sets aside what a power cut broke
    found = BadgeStore(_badges(settings), _lake_place(settings))
    found.catch_up()
    return found


def _badges(settings: Settings) -> Path:
    return settings.data / "live" / "badges.sqlite"


def publish_badges(settings: Settings) -> Callable[[], None]:
    """What lets badges show the counts, each time it is called."""
    from pixelake.warehouse.badges_sqlite import counts

    shown = registry(settings)

    def publish() -> None:
        if sites := shown.snapshot().badges:
            shown.publish_badges(counts(_badges(settings), sites))

    return publish


def seen(settings: Settings) -> "SqliteSeen":
    """Who owns an event id: ``<data>/seen/``. If that was deleted, as far as the lake knows."""
    from pixelake.warehouse.owners import owners
    from pixelake.warehouse.seen_sqlite import SqliteSeen

    found = SqliteSeen(settings.data / "seen" / "seen.sqlite", settings.repeat_window, settings.stream_retention)
    if found.is_new:
        lake(settings)  # first: opening it sets aside what a power cut broke
        since = SYSTEM.now() - int(settings.repeat_window * SECOND)
        found.restore(owners(_lake_place(settings), since))
    return found


# --- roles: what a child of the supervisor runs ---


def collect(settings: Settings, listener: socket | None, ready: Callable[[], None]) -> None:
    """Run a collector on an inherited socket."""
    from pixelake.collect import worker

    assert listener is not None  # noqa: S101 - the supervisor gives collectors one
    worker.run(
        settings, listener, lambda: writer(settings), dialects(settings), lambda: registry(settings), ready=ready
    )


def consumer(settings: Settings) -> "Consumer":
    """From the stream into the live store and the lake, each at its own pace."""
    from pixelake.transform.consumer import Consumer
    from pixelake.transform.feed import Plan

    by = rules(settings)
    badges = Plan(
        name="badges",
        sink=badge_store(settings),
        window=lake_window(settings),
        rows=settings.lake_rows,
        holds=False,  # what it misses it takes from the lake
    )
    return Consumer(
        readers=lambda group: reader(settings, group),
        judge=judge(settings, by),
        plans=(
            Plan(name="live", sink=live_store(settings), window=settings.live_window, rows=settings.lake_rows),
            Plan(name="lake", sink=lake(settings, by.own), window=lake_window(settings), rows=settings.lake_rows),
            badges,
            *_files(settings),
        ),
        batch_size=settings.batch_size,
    )


def consume(settings: Settings, _: socket | None, _ready: Callable[[], None]) -> None:
    """Run the consumer until SIGTERM. If the lake is away that was there before, wait for it."""
    from pixelake.operate import maintain
    from pixelake.operate.pulse import EVERY, pulse
    from pixelake.transform.retry import Retry, Stopped

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    shared = registry(settings)
    opening = Retry("open the lake", stop, on=_AWAY if _was_open(settings) else ())
    made: list[Consumer] = []
    before = (
        maintain.Task("destroy salts", maintain.HOUR, lambda: shared.destroy_salts(SYSTEM.now())),
        maintain.Task(
            "say what is wrong", EVERY, pulse(shared, lambda: [opening.error, *(each.health().error for each in made)])
        ),
    )
    maintain.start(before, stop)
    try:
        made.append(opening(lambda: _consumer_once_open(settings)))
    except Stopped:
        return
    maintain.start((maintain.Task("publish badges", BADGE_SECONDS, publish_badges(settings)),), stop)
    made[0].run(stop, settings.shutdown_timeout)


def _consumer_once_open(settings: Settings) -> "Consumer":
    lake(settings)  # first: all else takes half a second to make, too much to find the lake away each time
    return consumer(settings)


def web(settings: Settings, listener: socket | None, _ready: Callable[[], None]) -> None:
    """Run the dashboard on an inherited socket."""
    from pixelake.operate.listen import pixel_url
    from pixelake.operate.pulse import is_stalled
    from pixelake.operate.snippet import snippet
    from pixelake.warehouse.questions import Questions
    from pixelake.web import api, server
    from pixelake.web.sources import Sources

    assert listener is not None  # noqa: S101 - the supervisor gives the dashboard one
    shared = registry(settings)
    sources = Sources(
        questions=Questions(lakehouse(settings)),
        live=live_reader(settings),
        registry=shared,
        status=lambda: status(settings, shared.noticed).as_dict(),
        collect_url=pixel_url(settings),
        snippet=snippet(pixel_url(settings), "SITE"),
        stalled=lambda: is_stalled(shared),
    )
    host, _ = parse_address("web", settings.web)
    server.run(api.create(sources, hosts=(host, *settings.web_hosts)), [listener])


def replay(settings: Settings, told: Callable[[int, int], None]) -> "Replay":
    """What judges rejects anew. `told` hears how many were looked at, and how many there are."""
    from pixelake.operate.replay import Replay

    by = rules(settings)
    return Replay(asked_lake(settings), lambda: lake(settings, by.own), judge(settings, by), told)


def status(settings: Settings, noticed: "Callable[[int], Sequence[Noticed]] | None" = None) -> "Status":
    """Where every hit is. `noticed` is the registry's, if it is open."""
    from pixelake.operate.notices import notices
    from pixelake.operate.status import status as look

    told = notices(noticed or (lambda since: _noticed(settings, since)))
    return replace(look(lake_reader(settings), watcher(settings)), notices=told)


def _noticed(settings: Settings, since: int) -> "Sequence[Noticed]":
    """What roles have noticed. A registry that is not there is not made."""
    if not _place(settings, "registry", "registry", "registry.sqlite").exists():
        return ()
    with closing(registry(settings)) as opened:
        return opened.noticed(since)


ROLES: Final[Mapping[str, Callable[[Settings, socket | None, Callable[[], None]], None]]] = {
    "collect": collect,
    "consume": consume,
    "web": web,
}
"""What each role runs: with settings, the socket it listens on, and what a collector calls once it serves."""
