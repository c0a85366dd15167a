"""How far a table is known to be durable: ``<table>/_synced.json``, a version of its log.

Up to there every entry and every data file that is still needed has been
synced; so what is missing there was not lost in a power cut, and its hits may
long be gone from the stream. Always a lower bound of the truth. Delta's own
tools pass over names that begin with an underscore. An object store loses
nothing that it has acknowledged: there is no such note there.
"""

import shutil
from collections.abc import Container, Iterable
from io import BytesIO
from pathlib import Path
from typing import Final

import msgspec

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable
from pixelake.warehouse.place import Place

FLOOR: Final = "_synced.json"
NONE: Final = -1
"""Below every version: nothing is known."""


def read(table: Place) -> int:
    """The newest version that is known to be durable; `NONE` if none is.

    Raises:
        LakeUnavailable: the file cannot be read.
    """
    if not isinstance(table, Path):
        return NONE
    path = table / FLOOR
    try:
        return int(msgspec.json.decode(path.read_bytes())["version"])
    except FileNotFoundError:
        return NONE
    except OSError as error:
        raise LakeUnavailable(f"cannot read {path}: {error.strerror or error}", "look at the disk") from error
    except (KeyError, TypeError, ValueError) as error:
        raise LakeUnavailable(
            f"cannot read {path}: {error}", "restore it from a backup; without it, a damaged lake may lose old hits"
        ) from error


def raise_to(table: Path, version: int, names: Iterable[str], synced: Container[str] = ()) -> None:
    """Note that everything up to `version` is durable, once it is.

    Args:
        table: the table's folder.
        version: of its log; every entry up to it is synced.
        names: the files below `table` that came since the old floor and are still needed.
        synced: those of them that are known to be synced; the others are now.

    Raises:
        OSError: it is not; the old floor holds.
    """
    for path in (table / name for name in names if name not in synced):
        durable.sync(path)
        durable.sync(path.parent)
        durable.make_folder(path.parent, table)
    note = BytesIO(msgspec.json.encode({"version": version}))
    durable.write(table / FLOOR, lambda file: shutil.copyfileobj(note, file))
