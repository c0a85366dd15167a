"""What takes a person out of everything, and what writes out what is held about one."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from pixelake.build.judging import dialects
from pixelake.build.places import BUCKET, check_not_gone, erasures_place, lake_place, remote_stream, table_of
from pixelake.build.saving import backup_place, parts
from pixelake.build.stores import lake, live_store, registry, sweep_spill
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.dialects.base import Dialect
    from pixelake.operate.erase import Means
    from pixelake.operate.erase_proof import Proof
    from pixelake.operate.erasures import Begun, Entry
    from pixelake.operate.export import Exported, Wanted
    from pixelake.operate.person import Person
    from pixelake.registry.sqlite import SqliteRegistry

Told = Callable[[str, int, int], None]
BESIDE: Final = ("landing", "errors", "aws/lambda", "logs", "AWSLogs")
"""Folders of the bucket of a lake that functions fill: what is landed for them, what failed, and logs of a CDN."""


def erase(settings: Settings, person: "Person", told: Told) -> "Proof":
    """Erase a person. To be repeated if it is cut short.

    Raises:
        PixelakeError: a part cannot be read or written now, or hits are not settled and nobody goes on.
    """
    from pixelake.operate.erase import erase as run

    check_not_gone(settings)
    with closing(registry(settings)) as shared:
        return run(_means(settings, shared), person, told)


def erase_again(settings: Settings, entries: "Sequence[Entry]", told: Told = lambda *_: None) -> int:
    """Do erasures again in a folder that was restored; returns how many.

    Raises:
        PixelakeError: a part cannot be read or written; repeat the call.
    """
    from pixelake.operate.erase import again

    with closing(registry(settings)) as shared:
        return again(_means(settings, shared), entries, told)


def unfinished_erasures(settings: Settings) -> "Sequence[Begun]":
    """Those that were begun and not finished.

    Raises:
        BackupError: their log cannot be read.
    """
    from pixelake.operate.erasures import unfinished

    return unfinished(erasures_place(settings))


def export_person(
    settings: Settings, person: "Person", wanted: "Wanted", out: BinaryIO | Path, told: Callable[[int, int], None]
) -> "Exported":
    """Write out the rows of a table that are a person's.

    Raises:
        LakeUnavailable: the lake is gone or cannot be read, or the file cannot be written.
        QueryError: a value cannot be written in this format.
        OSError: what is open cannot be written.
    """
    from pixelake.operate import export_person as exporting

    check_not_gone(settings)
    where, dialect = lake_place(settings), dialect_of(settings)
    if isinstance(out, Path):
        return exporting.export_to(where, person, wanted, out, told, dialect)
    return exporting.export(where, person, wanted, out, told, dialect)


def _means(settings: Settings, shared: "SqliteRegistry") -> "Means":
    from pixelake.operate.erase import Means
    from pixelake.warehouse.badges_sqlite import BadgeStore

    where = parts(settings)
    return Means(
        parts=where,
        log=erasures_place(settings),
        registry=shared,
        lake=lambda: lake(settings),
        live=lambda: live_store(settings) if table_of(settings, "live") or where.live.exists() else None,
        badges=lambda: BadgeStore(where.badges),
        dialect=dialect_of(settings),
        backup_place=backup_place,
        sweep=lambda: sweep_spill(settings),
        beyond=_beyond(settings),
    )


def _beyond(settings: Settings) -> list[str]:
    """What is on the way on AWS: nothing can be taken out of it; what comes of it later is withheld."""
    if where := remote_stream(settings):
        scheme, name = where
        return [f"hits in {scheme}://{name}: until its retention ends; what is read of them is withheld"]
    bucket = BUCKET.fullmatch(settings.lake) if table_of(settings, "registry") else None
    return _beside(bucket["bucket"]) if bucket else []


def _beside(bucket: str) -> list[str]:
    """What functions may have beside a lake: nothing here says whether hits come by a stream, a queue or Firehose."""
    from pixelake.warehouse import objects

    told = "if functions fill this lake: hits in streams and queues of AWS, until their retention ends"
    found = [f"{told}; what is read of them is withheld"]
    for name in BESIDE:
        place = objects.lake(bucket, name)
        try:
            count = len(place.sizes())
        except OSError as error:
            found.append(f"{place}/ cannot be looked into ({error}): what was put there for functions is not erased")
            continue
        if count:
            found.append(
                f"{count:,} objects in {place}/, which nobody looked into: until a rule of the bucket ends them"
            )
    return found


def dialect_of(settings: Settings) -> "Callable[[bytes], Dialect]":
    """The dialect of a hit, by its target; the first one's is what has no route."""
    spoken = dialects(settings)
    routes = {route.path: dialect for dialect in spoken for route in dialect.routes}
    return lambda target: routes.get(target.partition(b"?")[0], spoken[0])
