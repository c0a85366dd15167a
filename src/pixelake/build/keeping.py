"""What commands do with the data that is there: look at the sums, judge rejects anew."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pixelake import machine
from pixelake.build.judging import judge, rules
from pixelake.build.places import (
    check_not_gone,
    erasures_place,
    lake_place,
    registry_file,
    stream_place,
    table_of,
)
from pixelake.build.stores import asked_lake, lake, lake_reader, registry, seen, spill, watcher
from pixelake.cache import forget
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.maintain import House
    from pixelake.operate.replay import Replay, Report
    from pixelake.operate.rerun import Rerun
    from pixelake.operate.status import Status
    from pixelake.registry.sqlite import SqliteRegistry

ROLLUP_PART: Final = 8
"""Roll-ups are made with an eighth of the memory, at least and at most so many bytes."""
ROLLUP_LEAST: Final = 128 << 20
ROLLUP_MOST: Final = 512 << 20


def replay(settings: Settings, told: Callable[[int, int], None]) -> "Replay":
    """What judges rejects anew. `told` hears how many were looked at, and how many there are."""
    from pixelake.operate.replay import Replay

    by = rules(settings)
    return Replay(asked_lake(settings), lambda: lake(settings, by.own), judge(settings, by), told)


def replay_one(settings: Settings, hit_id: str) -> "Report":
    """Judge the reject of that name anew, and leave nothing open behind it.

    Raises:
        PixelakeError: the lake, the registry or the store of event ids cannot be used now.
    """
    from pixelake.operate.replay import Replay, Wanted
    from pixelake.transform.head import read_head
    from pixelake.transform.judge import Judge

    by = rules(settings)
    with asked_lake(settings) as found, closing(registry(settings)) as shared, closing(seen(settings)) as known:
        judging = Judge(by, shared, known)
        try:
            return Replay(found, lambda: lake(settings, by.own), judging).run(Wanted(hit_id=hit_id))
        finally:
            forget(read_head)  # heads know what these enrichers found, and so hold them: 2 MB


def rerun(settings: Settings, told: Callable[[int, int], None]) -> "Rerun":
    """What judges a span of the stream anew. `told` hears how many rows were looked at, and about how many there are.

    Raises:
        LakeUnavailable: the lake is gone.
    """
    from pixelake.operate.rerun import PATIENCE, Rerun
    from pixelake.stream.sqlite_range import SqliteRange
    from pixelake.transform.enrich.consent import Policies
    from pixelake.warehouse.vacuum import maintaining

    check_not_gone(settings)
    by, shared = rules(settings), registry(settings)
    return Rerun(
        lambda: lake(settings, by.own) if lake_reader(settings).progress() else None,
        lambda: maintaining(lake_place(settings), PATIENCE),
        SqliteRange(stream_place(settings)),
        judge(settings, by, named=True),
        is_anonymous=lambda site, at: Policies(by.do_not_track, shared.snapshot().policies).of(site, at) == "anonymous",
        told=told,
    )


def status(settings: Settings, shared: "SqliteRegistry | None" = None) -> "Status":
    """Where every hit is. `shared` is the registry, if it is open.

    Raises:
        LakeUnavailable: the lake is gone, or cannot be read.
        StreamError: the stream cannot be read.
    """
    from pixelake.operate import erasures
    from pixelake.operate.notices import notices
    from pixelake.operate.status import status as look

    found = look(lake_reader(settings), watcher(settings), check=lambda: check_not_gone(settings))
    with _known(settings, shared) as known:
        if known is None:
            return found
        unfinished = erasures.notices(erasures_place(settings))
        told = [*notices(known.noticed), *unfinished]
        return replace(found, notices=told, maintenance=[*known.tasks().values()])


def stock(settings: Settings, shared: "SqliteRegistry") -> "Callable[[], None]":
    """What takes stock for the metrics, each time it is called."""
    from pixelake.operate.stock import Bounds, Stock

    held = watcher(settings)
    bounds = Bounds(stream_place(settings), settings.stream_bytes, settings.disk_reserve)
    return Stock(lambda: status(settings, shared), held, shared, bounds).take


@contextmanager
def _known(settings: Settings, shared: "SqliteRegistry | None") -> "Iterator[SqliteRegistry | None]":
    """The registry, if there is one: it is not made for a look."""
    if shared or not (table_of(settings, "registry") or registry_file(settings).exists()):
        yield shared
        return
    with closing(registry(settings)) as opened:
        yield opened


def house(settings: Settings, shared: "SqliteRegistry | None" = None) -> "House":
    """What maintenance works on. `shared` is the registry, if it is open."""
    from pixelake.operate.maintain import House

    return House(
        lake=lambda: lake(settings),
        place=lake_place(settings),
        registry=shared or registry(settings),
        history=settings.lake_history,
        retention=settings.lake_retention,
        rejects_retention=settings.rejects_retention,
        memory=f"{machine.share(ROLLUP_PART, ROLLUP_MOST, ROLLUP_LEAST)}B",
        spill=spill(settings),
    )
