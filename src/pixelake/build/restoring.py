"""What makes a data folder of a backup, and what is done to it before anybody uses it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pixelake.build.erasing import erase_again
from pixelake.build.places import registry_file
from pixelake.build.saving import backup_place
from pixelake.build.stores import registry
from pixelake.clock import SYSTEM
from pixelake.errors import SettingsError
from pixelake.settings import Settings

if TYPE_CHECKING:
    from pixelake.operate.restore import Finished, Restored
    from pixelake.warehouse.place import Place

Told = Callable[[int, int], None]
_HERE: Final = ("stream", "lake", "live", "registry", "files")
"""Settings that may name another place than the data folder; a restored one has all below it."""


def restore(settings: Settings, where: str, told: Told, at: str = "") -> "Restored":
    """Make the data folder of a backup.

    Raises:
        BackupError: it cannot be made, and nothing is left of it.
        SettingsError: a setting names a part that is not below the data folder.
    """
    from pixelake.operate.restore import restore as make

    registry_file(settings)
    elsewhere = [name for name in _HERE if getattr(settings, name)]
    if elsewhere:
        hint = f"restore without --{elsewhere[0]}; then move that part to where it shall be"
        raise SettingsError("a restore puts everything below the data folder", hint)
    place = backup_place(where)
    return make(place, settings.data, told, lambda folder: _finish(settings, place, folder), at)


def _finish(settings: Settings, place: "Place", folder: Path) -> "Finished":
    """Destroy the salts that are due, and do again the erasures that were not done yet when the backup was begun.

    Who came back after an erasure, and is in the backup, is not erased once more.
    """
    from pixelake.operate.erasures import read
    from pixelake.operate.folder import ROLES, occupied
    from pixelake.operate.restore import Finished

    inside = replace(settings, data=folder)
    known = registry_file(inside)
    if not known.exists():
        return Finished()
    with closing(registry(inside)) as shared:
        salts = shared.destroy_salts(SYSTEM.now(), at_once=True)
        shared.access.close_all_sessions()  # one that was ended since must not open anything again
    done = {entry.id for entry in read(known.parent) if entry.state == "done"}
    entries = [entry for entry in read(place) if entry.id not in done]
    if not entries:
        return Finished(salts)
    with occupied(folder, ROLES):  # an older version's is migrated first
        return Finished(salts, erase_again(inside, entries))
