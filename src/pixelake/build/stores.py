"""Streams, the registry, the lake and the stores beside it, as the settings name them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixelake import machine
from pixelake.build.places import (
    BUCKET,
    badges_at,
    check_not_gone,
    lake_place,
    live_file,
    place_of,
    registry_file,
    remote_stream,
    stream_place,
    table,
    table_of,
)
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import SettingsError, WarehouseError
from pixelake.settings import AUTO, Settings
from pixelake.stream.base import Reader, Watcher, Writer

if TYPE_CHECKING:
    from pixelake.registry.sqlite import SqliteRegistry
    from pixelake.stream.messages import Decode
    from pixelake.transform.enrich.own import Own
    from pixelake.transform.feed import Plan
    from pixelake.warehouse.badges_sqlite import BadgeStore
    from pixelake.warehouse.clocks import Clocks
    from pixelake.warehouse.lake import Lake
    from pixelake.warehouse.live_base import Reader as Live
    from pixelake.warehouse.live_base import Store
    from pixelake.warehouse.query import Lakehouse
    from pixelake.warehouse.seen_dynamodb import DynamoSeen
    from pixelake.warehouse.seen_sqlite import SqliteSeen
    from pixelake.warehouse.sql_apart import Apart
    from pixelake.warehouse.sums import LakeReader


DAY: Final = 86_400.0
"""Seconds."""
LIVE_LOOK: Final = 0.2
"""Seconds for which a table that is the live store is not asked again whether anything is new."""
SQL_PART: Final = 8
"""Queries take an eighth of the memory, if the setting says no more; at least and at most so many bytes."""
SQL_LEAST: Final = 64 << 20
SQL_MOST: Final = 4 << 30
SQL_THREAD_MEMORY: Final = 1 << 30
"""Bytes of the machine for each thread of queries."""
SQL_THREADS: Final = 2
"""Of all queries together: a third core is for those who do not ask."""


def writer(settings: Settings) -> Writer:
    """Where the collector puts hits. To be called inside its event loop.

    Raises:
        SettingsError: there is no such backend, or what it needs is not installed.
        StreamUnavailable: the environment does not say how AWS is reached.
    """
    if where := remote_stream(settings):
        with _installed():
            from pixelake.stream import remote
        return remote.writer(*where)
    from pixelake.stream.sqlite import SqliteWriter

    return SqliteWriter(
        place_of(settings, "stream", "stream"),
        segment_bytes=settings.segment_bytes,
        segment_age=settings.segment_age,
        reserve=settings.disk_reserve,
        bound=settings.stream_bytes,
        window=settings.commit_window,
    )


def reader(settings: Settings, group: str) -> Reader:
    """Where the consumer takes hits from. Raises as `writer` does."""
    if where := remote_stream(settings):
        with _installed():
            from pixelake.stream import remote
        return remote.reader(*where, stream_place(settings), group, decoder(settings))
    from pixelake.stream.sqlite_reader import SqliteReader

    return SqliteReader(
        place_of(settings, "stream", "stream"),
        group,
        retention=settings.stream_retention,
        bound=settings.stream_bytes,
    )


def decoder(settings: Settings) -> "Decode":
    """What reads a message of a stream of AWS: a line of our own, or what a mapping template made."""
    from pixelake.collect.mapped import Mapped

    return Mapped(settings).decode


def watcher(settings: Settings) -> Watcher:
    """What `status` asks. Raises as `writer` does."""
    if where := remote_stream(settings):
        with _installed():
            from pixelake.stream import remote
        return remote.watcher(*where, stream_place(settings))
    from pixelake.stream.sqlite_watcher import SqliteWatcher

    return SqliteWatcher(place_of(settings, "stream", "stream"))


def check_stream(settings: Settings) -> None:
    """Refuse a stream of AWS that cannot be used, before anything is made. A disk says so when hits come.

    Raises:
        SettingsError: there is no such backend, or what it needs is not installed; or hits wait in the data folder that
            nobody would settle.
        StreamUnavailable: there is no such queue or stream, or it does not let us in.
        LakeUnavailable: it cannot say which hits wait.
    """
    if where := remote_stream(settings):
        with _installed():
            from pixelake.stream import remote
        remote.check(*where)
        if waiting := _waiting(settings):
            raise SettingsError(
                f"{waiting:,} hits wait in {settings.data / 'stream'}, which nobody would settle",
                "run `pixelake consume` without --stream until `pixelake status` says that none waits",
            )


def _waiting(settings: Settings) -> int:
    """Hits of an embedded stream in the data folder that are not in the lake."""
    from pixelake.stream.sqlite_watcher import SqliteWatcher

    held = SqliteWatcher(settings.data / "stream").extents()
    reached = lake_reader(settings).progress() if held else {}
    positions = {name: progress.position for name, progress in reached.items()}
    return sum(max(0, extent.last - positions.get(extent.partition, 0)) for extent in held)


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install if something is missing."""
    try:
        yield
    except ImportError as error:
        missing = f"the stream is on AWS, but {error.name} is missing"
        raise SettingsError(missing, "pip install 'pixelake[aws]'") from None


def registry(settings: Settings) -> "SqliteRegistry":
    """The shared memory of the installation.

    Raises:
        RegistryUnavailable: it cannot be read now.
        SettingsError: there is no such backend, or what it needs is not installed.
    """
    kept = settings.stream_retention + DAY  # a salt must outlive the hits that may still need it, by a day
    if name := table_of(settings, "registry"):
        from pixelake.registry.dynamodb import DynamoRegistry

        return DynamoRegistry(table(name), settings.default_zone, retention=kept)
    from pixelake.registry.sqlite import SqliteRegistry

    return SqliteRegistry(registry_file(settings), settings.default_zone, retention=kept)


def lake(settings: Settings, own: "Sequence[Own]" = ()) -> "Lake":
    """The lake, open for writing; with the columns of these enrichers. Made if there was none before.

    Raises:
        LakeUnavailable: it is gone, or cannot be opened.
    """
    check_not_gone(settings)
    from pixelake.transform.enrich.own import own_fields
    from pixelake.warehouse.lake import Lake
    from pixelake.warehouse.schema import events_schema

    return Lake(lake_place(settings), schema=events_schema(own_fields(own)))


def lake_reader(settings: Settings) -> "LakeReader":
    """How far the lake is."""
    from pixelake.warehouse.sums import LakeReader

    return LakeReader(lake_place(settings))


def asked_lake(settings: Settings) -> "Lakehouse":
    """The lake, open for the questions of a command: what is gone is told, not shown as empty.

    Raises:
        LakeUnavailable: it is gone.
    """
    check_not_gone(settings)
    return lakehouse(settings)


def lakehouse(settings: Settings) -> "Lakehouse":
    """The lake, open for questions; empty as long as it is not there."""
    from pixelake.operate import folder
    from pixelake.warehouse.query import Lakehouse

    return Lakehouse(
        lake_place(settings),
        settings.sql_timeout,
        _sql_memory(settings),
        threads=_sql_threads(),
        spill=spill(settings) if folder.is_begun(settings.data) else None,  # nothing is written to an empty folder
        clocks=clocks(settings),
    )


def lake_apart(settings: Settings) -> "Apart":
    """The lake, open for SQL that is not trusted: each query in a process of its own."""
    from pixelake.operate import folder
    from pixelake.warehouse.sql_apart import Apart

    place = lake_place(settings)
    bucket = BUCKET.fullmatch(settings.lake) if settings.lake.startswith("s3://") else None
    return Apart(
        (bucket["bucket"], bucket["prefix"], str(spill(settings))) if bucket else (str(place),),
        timeout=settings.sql_timeout,
        memory=_sql_memory(settings),
        threads=_sql_threads(),
        spill=spill(settings) if folder.is_begun(settings.data) else None,
        clocks=clocks(settings),
    )


def _sql_memory(settings: Settings) -> str:
    automatic = f"{machine.share(SQL_PART, SQL_MOST, SQL_LEAST)}B"
    return automatic if settings.sql_memory == AUTO else settings.sql_memory


def _sql_threads() -> int:
    """One where memory is small: each takes some of its own, and hits have to come through beside it."""
    return max(1, min(SQL_THREADS, machine.cores(), machine.memory() // SQL_THREAD_MEMORY))


def clocks(settings: Settings) -> "Callable[[], Clocks]":
    """What tells the wall clocks of all sites, as the registry has them when it is called; asks nobody before."""
    from pixelake.operate import folder
    from pixelake.warehouse.clocks import Clocks
    from pixelake.warehouse.zones import fixed

    def now() -> Clocks:
        if not table_of(settings, "registry") and not folder.is_begun(settings.data):
            return Clocks(fixed(settings.default_zone), {})
        with closing(registry(settings)) as shared:
            return Clocks.of_registry(shared.snapshot(), settings.default_zone)

    return now


def spill(settings: Settings) -> Path:
    """Where queries put what does not fit into their memory."""
    return settings.data / "spill"


def sweep_spill(settings: Settings) -> None:
    """Remove what queries that were killed have put there: rows of people.

    Raises:
        OSError: the folder cannot be read.
    """
    from pixelake.warehouse.spill import sweep

    sweep(spill(settings))


def files_plans(settings: Settings) -> "Sequence[Plan]":
    """Plain files beside the lake, if they are wanted."""
    from pixelake.transform.feed import Late, Plan
    from pixelake.warehouse.files import Files
    from pixelake.warehouse.files_place import Folder

    if settings.files_format == "off":
        return ()
    place = place_of(settings, "files", "files")
    sink = Late(lambda: Files(Folder(place), settings.files_format))
    return (Plan(name="files", sink=sink, window=settings.files_window, rows=settings.lake_rows),)


def live_store(settings: Settings) -> "Store":
    """The last days, open for writing.

    Raises:
        WarehouseError: it cannot be opened.
        SettingsError: there is no such backend, or what it needs is not installed.
    """
    if name := table_of(settings, "live"):
        shared = table(name, WarehouseError)
        from pixelake.warehouse.live_dynamodb import DynamoLive

        return DynamoLive(shared, settings.live_retention)
    from pixelake.warehouse.live_sqlite import LiveStore

    return LiveStore(live_file(settings), settings.live_retention)


def live_reader(settings: Settings) -> "Live":
    """The last days, for the dashboard. Raises `SettingsError` as `live_store` does."""
    if name := table_of(settings, "live"):
        shared = table(name, WarehouseError)
        from pixelake.warehouse.live_dynamodb_reader import DynamoLiveReader

        return DynamoLiveReader(shared, settings.live_retention, look=LIVE_LOOK)
    from pixelake.warehouse.live_sqlite import LiveReader

    return LiveReader(live_file(settings))


def badge_store(settings: Settings) -> "BadgeStore":
    """What badges show. If it was deleted, is damaged or behind, as far as the lake knows."""
    from pixelake.warehouse.badges_sqlite import BadgeStore

    lake(settings)  # first: opening it sets aside what a power cut broke
    found = BadgeStore(badges_at(settings), lake_place(settings))
    found.catch_up()
    return found


def publish_badges(settings: Settings) -> Callable[[], None]:
    """What lets badges show the counts, each time it is called."""
    from pixelake.warehouse.badges_sqlite import counts

    shown = registry(settings)

    def publish() -> None:
        if sites := shown.snapshot().badges:
            shown.publish_badges(counts(badges_at(settings), sites))

    return publish


def seen(settings: Settings) -> "SqliteSeen | DynamoSeen":
    """Who owns an event id, or the name of a hit: in the table of the registry, else ``<data>/seen/``.

    If that folder is gone, or older than the lake, as far as the lake knows.
    """
    if name := table_of(settings, "registry"):
        shared = table(name, WarehouseError)
        from pixelake.warehouse.seen_dynamodb import DynamoSeen

        return DynamoSeen(shared, settings.repeat_window, settings.stream_retention)
    from pixelake.warehouse.owners import latest, owners
    from pixelake.warehouse.seen_sqlite import SqliteSeen

    found = SqliteSeen(settings.data / "seen" / "seen.sqlite", settings.repeat_window, settings.stream_retention)
    since, place = SYSTEM.now() - int(settings.repeat_window * SECOND), lake_place(settings)
    named = not remote_stream(settings)  # else nobody asks by names: the lake knows those hits itself
    if found.is_new:
        lake(settings)  # first: opening it sets aside what a power cut broke
        found.restore(owners(place, since, named=named))
    elif found.lacks(latest(place, since, named=named)):
        found.complete(owners(place, since, named=named))
    return found
