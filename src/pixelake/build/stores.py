"""Streams, the registry, the lake and the stores beside it, as the settings name them."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixelake import machine
from pixelake.build.places import BUCKET, badges_at, check_not_gone, lake_place, place_of
from pixelake.clock import SECOND, SYSTEM
from pixelake.settings import AUTO, Settings
from pixelake.stream.base import Reader, Watcher, Writer

if TYPE_CHECKING:
    from pixelake.registry.sqlite import SqliteRegistry
    from pixelake.transform.enrich.own import Own
    from pixelake.transform.feed import Plan
    from pixelake.warehouse.badges_sqlite import BadgeStore
    from pixelake.warehouse.clocks import Clocks
    from pixelake.warehouse.lake import Lake
    from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
    from pixelake.warehouse.query import Lakehouse
    from pixelake.warehouse.seen_sqlite import SqliteSeen
    from pixelake.warehouse.sql_apart import Apart
    from pixelake.warehouse.sums import LakeReader


DAY: Final = 86_400.0
"""Seconds."""
SQL_PART: Final = 8
"""Queries take an eighth of the memory, if the setting says no more; at least and at most so many bytes."""
SQL_LEAST: Final = 64 << 20
SQL_MOST: Final = 4 << 30
SQL_THREAD_MEMORY: Final = 1 << 30
"""Bytes of the machine for each thread of queries."""
SQL_THREADS: Final = 2
"""Of all queries together: a third core is for those who do not ask."""


def writer(settings: Settings) -> Writer:
    """Where the collector puts hits. To be called inside its event loop."""
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
    """Where the consumer takes hits from."""
    from pixelake.stream.sqlite_reader import SqliteReader

    return SqliteReader(
        place_of(settings, "stream", "stream"),
        group,
        retention=settings.stream_retention,
        bound=settings.stream_bytes,
    )


def watcher(settings: Settings) -> Watcher:
    """What `status` asks."""
    from pixelake.stream.sqlite_watcher import SqliteWatcher

    return SqliteWatcher(place_of(settings, "stream", "stream"))


def registry(settings: Settings) -> "SqliteRegistry":
    """The shared memory of the installation."""
    from pixelake.registry.sqlite import SqliteRegistry

    place = place_of(settings, "registry", "registry", "registry.sqlite")
    # a salt must outlive the hits that may still need it, by a day
    return SqliteRegistry(place, settings.default_zone, retention=settings.stream_retention + DAY)


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
        if not folder.is_begun(settings.data):
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


def live_store(settings: Settings) -> "LiveStore":
    """The last days, open for writing."""
    from pixelake.warehouse.live_sqlite import LiveStore

    return LiveStore(place_of(settings, "live", "live", "live.sqlite"), settings.live_retention)


def live_reader(settings: Settings) -> "LiveReader":
    """The last days, for the dashboard."""
    from pixelake.warehouse.live_sqlite import LiveReader

    return LiveReader(place_of(settings, "live", "live", "live.sqlite"))


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


def seen(settings: Settings) -> "SqliteSeen":
    """Who owns an event id: ``<data>/seen/``. If that is gone, or older than the lake, as far as the lake knows."""
    from pixelake.warehouse.owners import latest, owners
    from pixelake.warehouse.seen_sqlite import SqliteSeen

    found = SqliteSeen(settings.data / "seen" / "seen.sqlite", settings.repeat_window, settings.stream_retention)
    since, place = SYSTEM.now() - int(settings.repeat_window * SECOND), lake_place(settings)
    if found.is_new:
        lake(settings)  # first: opening it sets aside what a power cut broke
        found.restore(owners(place, since))
    elif found.lacks(latest(place, since)):
        found.complete(owners(place, since))
    return found
