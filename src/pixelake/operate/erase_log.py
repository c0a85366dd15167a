"""Where the lines of the log of erasures lie: a file that grows, or in a bucket an object for each line.

Nothing can be added to an object. So a line is one, made only if nobody has made
it before, and never written again: however many erase at once, each line stays.
Those of an older version, which are in one object, are read, too.
"""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final

from pixelake.disk import sync
from pixelake.warehouse.place import Place, Remote

FILE: Final = "erasures.jsonl"
FOLDER: Final = "erasures"
"""In a bucket."""
AT_ONCE: Final = 16
"""Lines that are read from a bucket at once."""
KEPT: Final = 4_096
"""Lines of a bucket that are kept: none ever changes."""
_NAME: Final = re.compile(r"(?P<id>.+)\.(?P<number>\d+)\.json")


def add(where: Place, name: str, line: bytes) -> None:
    """Add a line of the erasure of that name, durably. Only who erases adds to it, so that its last line is its own.

    Raises:
        OSError: it is not known to be there.
    """
    if isinstance(where, Path):
        _add_to_file(where, line)
        return
    folder = where / FOLDER
    number = sum(found[0] == name for found in map(_parts, folder.sizes(below=False)) if found)
    while not (folder / f"{name}.{number}.json").create(line):
        number += 1


def lines(where: Place) -> Sequence[bytes]:
    """The lines, those of each erasure in order; of one in a bucket the last line only.

    Raises:
        OSError: they cannot be read.
    """
    try:
        found = (where / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        found = []
    return found if isinstance(where, Path) else [*found, *_objects(where / FOLDER)]


def _objects(folder: Remote) -> Sequence[bytes]:
    """The last line of each erasure in a bucket."""
    last: dict[str, int] = {}
    for found in map(_parts, folder.sizes(below=False)):
        if found:
            last[found[0]] = max(found[1], last.get(found[0], 0))
    names = [f"{name}.{number}.json" for name, number in last.items()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda name: _line(_Object(folder / name)), names))


def _parts(name: str) -> tuple[str, int] | None:
    """The erasure and the number of a line; None of what is none."""
    found = _NAME.fullmatch(name)
    return (found["id"], int(found["number"])) if found else None


class _Object:
    """An object that never changes: known by its URL."""

    def __init__(self, place: Remote) -> None:
        self.place, self._url = place, str(place)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Object) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)


@lru_cache(KEPT)
def _line(one: _Object) -> bytes:
    return one.place.read_bytes()


def _add_to_file(where: Path, line: bytes) -> None:
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(where / FILE, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        end = os.fstat(handle).st_size
        torn = end and os.pread(handle, 1, end - 1) != b"\n"  # by a power cut
        os.write(handle, b"\n" * bool(torn) + line + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    sync(where)
