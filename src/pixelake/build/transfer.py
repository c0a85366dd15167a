"""What brings rows out of the lake, and files of hits into it."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pixelake.build.erasing import dialect_of
from pixelake.build.judging import dialects, rules
from pixelake.build.places import check_not_gone, erasures_place, lake_place, registry_file
from pixelake.build.stores import lake, registry, watcher
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.barred import Barred
    from pixelake.operate.export import Exported, Wanted
    from pixelake.operate.import_report import Report
    from pixelake.operate.imports import Options
    from pixelake.registry.sqlite import SqliteRegistry


def export(settings: Settings, wanted: "Wanted", out: BinaryIO | Path, told: Callable[[int, int], None]) -> "Exported":
    """Write rows of the lake to a file, which is there once it is whole, or to what is open already.

    Raises:
        LakeUnavailable: the lake is gone or cannot be read, or the file cannot be written.
        QueryError: a value cannot be written in this format.
        OSError: what is open cannot be written.
    """
    from pixelake.operate import export as exporting

    check_not_gone(settings)
    if isinstance(out, Path):
        return exporting.export_to(lake_place(settings), wanted, out, told)
    return exporting.export(lake_place(settings), wanted, out, told)


def import_files(
    settings: Settings, names: Sequence[str], options: "Options", stdin: BinaryIO, told: Callable[[int, int], None]
) -> "Report":
    """Import files of hits.

    Raises:
        SettingsError: the options do not fit together.
        SourceError: a file cannot be read, or is not what it should be.
        PixelakeError: the lake or the registry cannot be used now; begin again.
    """
    from pixelake.operate import imports

    imports.check(options)
    by = rules(settings)
    with closing(registry(settings)) as shared:
        return imports.run(
            imports.House(lake(settings, by.own), by, shared, settings.data, gate=gate(settings, shared)),
            names,
            options,
            dialects=dialects(settings),
            streamed=lambda: {extent.partition: extent.first for extent in watcher(settings).extents()},
            stdin=stdin,
            told=told,
        )


def gate(settings: Settings, shared: "SqliteRegistry") -> "Barred":
    """What keeps out whoever was erased."""
    from pixelake.operate import erasures
    from pixelake.operate.barred import Barred

    log, speaks = erasures_place(settings), dialect_of(settings)
    return Barred(
        log,
        lambda: shared.secret(erasures.SECRET),
        lambda hit: [element.values for element in speaks(hit.target).decode(hit)],
    )


def abandon_imports(settings: Settings) -> int:
    """Destroy the secrets of imports that were not finished. Returns how many.

    Raises:
        RegistryUnavailable: not all are destroyed; repeat the call.
    """
    from pixelake.operate import imports

    with closing(registry(settings)) as shared:
        return imports.abandon(shared, settings.data)


def check_demo(settings: Settings) -> None:
    """Refuse a demo in a folder that is not its own. Nothing in it is opened before it is free, and of this version.

    Raises:
        DataFolderError: it holds hits of somebody's, somebody works in it, or it is of another version.
        PixelakeError: it cannot be looked into.
    """
    from pixelake.operate import demo_alone, folder

    if not folder.is_begun(settings.data):
        return
    with folder.occupied(folder.existing(settings.data), folder.ROLES):
        demo_alone.check(
            settings.data,
            registry_file(settings),
            lambda: registry(settings),
            lambda: sum(extent.last for extent in watcher(settings).extents()),
        )


def demo_past(settings: Settings) -> int:
    """Give a demo its past, if it has none yet; returns how many hits that has.

    Raises:
        PixelakeError: the lake or the registry cannot be used now.
    """
    from random import Random

    from pixelake.operate import demo_past as past

    by = rules(settings)
    with closing(registry(settings)) as shared:
        random = Random()  # noqa: S311 - visitors, not secrets
        return past.write(lake(settings, by.own), by, shared, settings.data / "run" / "past", random=random)
