"""Backups: what is copied, and where to; and what is lost if parts of a folder are of different times."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixelake.build.places import (
    BUCKET,
    REGISTRY,
    badges_at,
    lake_place,
    live_file,
    place_of,
    registry_file,
    stream_place,
    table_of,
)
from pixelake.build.stores import lake, live_store, registry, watcher
from pixelake.clock import SYSTEM
from pixelake.errors import SettingsError
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.backup import Backup, Parts
    from pixelake.operate.restore import Checked
    from pixelake.warehouse.place import Place

Told = Callable[[int, int], None]
TASK: Final = "backup"
"""The name under which the registry notes the last backup, for `status` and the metrics."""


def backup_place(text: str) -> "Place":
    """Where backups lie: a folder, or one in a bucket (``s3://bucket/prefix``). Asks nobody.

    Raises:
        SettingsError: it is neither, or what it needs is not installed.
    """
    if text and "://" not in text:
        return Path(text)
    found = BUCKET.fullmatch(text)
    if not found:
        raise SettingsError("the place of a backup is a folder, or s3://bucket/prefix", "who we are is told by AWS_*")
    try:
        from pixelake.warehouse import objects
    except ImportError as error:
        raise SettingsError(f"the place is on S3, but {error.name} is missing", "pip install 'pixelake[s3]'") from None
    return objects.lake(found["bucket"], found["prefix"])


def parts(settings: Settings) -> "Parts":
    """Where everything is that belongs to this installation."""
    from pixelake.operate.backup import Parts

    return Parts(
        data=settings.data,
        stream=stream_place(settings),
        lake=lake_place(settings),
        live=live_file(settings),
        badges=badges_at(settings),
        seen=settings.data / "seen" / "seen.sqlite",
        registry=settings.data.joinpath(*REGISTRY) if table_of(settings, "registry") else registry_file(settings),
        files=place_of(settings, "files", "files"),
    )


def backup(settings: Settings, where: str, told: Told, keep: int = 0) -> "Backup":
    """Copy all of it to that place, and remember in the registry which backups are there.

    Raises:
        BackupError: it cannot be made.
        SettingsError: a part is where backups do not look.
    """
    from pixelake.operate.backup import backup as make
    from pixelake.warehouse.place import absolute

    if name := table_of(settings, "registry"):
        raise SettingsError(
            f"the registry is in the table {name}, which no backup has",
            "the lake is what cannot be made again: copy that; see docs/registry.md",
        )

    place = backup_place(where)
    name, started = str(absolute(place)), SYSTEM.now()
    with closing(registry(settings)) as shared:

        def begun(stamps: Sequence[str]) -> None:
            shared.remember_backups(name, stamps)

        made = make(parts(settings), place, told, begun, keep=keep, reserve=settings.disk_reserve)
        shared.begin_task(TASK, started)  # not before: the keeper would take it for one of its own that was cut short
        shared.end_task(TASK, SYSTEM.now(), f"{made.files:,} files", "")
        return made


def backups(where: str) -> Sequence[str]:
    """The names of the backups at that place, oldest first.

    Raises:
        BackupError: there are none.
    """
    from pixelake.operate.depot import Depot

    depot = Depot(backup_place(where))
    depot.check()
    return depot.stamps()


def check_backups(where: str, told: Told) -> "Checked":
    """Whether the backups at that place are whole.

    Raises:
        BackupError: there are none.
    """
    from pixelake.operate.restore import check

    return check(backup_place(where), told)


def reckon(settings: Settings) -> None:
    """Note in the lake which hits are lost because parts of the folder are of different times.

    Raises:
        LakeUnavailable: the lake cannot be written now.
    """
    from pixelake.operate.reckon import reckon as note
    from pixelake.warehouse.badges_sqlite import BadgeStore

    with closing(live_store(settings)) as live, closing(BadgeStore(badges_at(settings))) as badges:
        note(lake(settings), watcher(settings), (live.positions, badges.positions))
