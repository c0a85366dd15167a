"""Makes a table whole again after a power cut.

What was not yet synced may have come back as empty or missing files. The
first log entry that is broken, and everything newer, is set aside in
``_broken/<time>/`` and reported; its hits come again from the stream, which
keeps all that is newer than the last synced commit.

Whoever calls this holds the lock of the lake, so that none of our commits is
under way. A foreign writer's entry appears whole or not at all.
"""

import re
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import msgspec
import structlog

from pixelake.clock import SECOND, Clock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable
from pixelake.warehouse.delta_log import (
    CHECKPOINT,
    ENTRY,
    LAST_CHECKPOINT,
    LOG,
    UNREADABLE,
    Action,
    parse_entry,
    read_checkpoint,
)

BROKEN: Final = "_broken"
MAGIC: Final = b"PAR1"
"""A Parquet file begins and ends with it."""


def recover(folder: Path, clock: Clock) -> Sequence[str]:
    """Set the broken tail of the table in `folder` aside. Returns the names of the files that were moved.

    Raises:
        OSError: the disk does not let us.
        LakeUnavailable: the beginning of the log is gone, and no checkpoint stands for it.
    """
    log = folder / LOG
    if not log.is_dir():
        return ()
    entries, checkpoints = _versions(log, ENTRY), _versions(log, CHECKPOINT)
    good = next((version for version in reversed(checkpoints) if _readable(checkpoints[version])), -1)
    if good < 0 and entries and 0 not in entries:
        raise LakeUnavailable(f"the log of {folder} has lost its beginning", "restore it from a backup")
    end = _end(folder, entries, good + 1)
    broken = [path for version, path in entries.items() if version >= end]
    broken += [path for version, path in checkpoints.items() if version > good]
    if _misleads(log / LAST_CHECKPOINT, {version for version in checkpoints if version <= good}):
        broken.append(log / LAST_CHECKPOINT)
    if broken:
        _set_aside(folder, broken, clock)
    return [path.name for path in broken]


def _versions(log: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    """The files of one kind, oldest first."""
    matches = filter(None, (pattern.fullmatch(path.name) for path in log.iterdir()))
    return {int(match[1]): log / match[0] for match in sorted(matches, key=lambda match: match[1])}


def _readable(checkpoint: Path) -> bool:
    try:
        read_checkpoint(checkpoint)
    except UNREADABLE:
        return False
    return True


def _misleads(pointer: Path, good: Container[int]) -> bool:
    """Whether ``_last_checkpoint`` names no good checkpoint."""
    if not pointer.exists():
        return False
    try:
        return msgspec.json.decode(pointer.read_bytes())["version"] not in good
    except UNREADABLE:
        return True


def _end(folder: Path, entries: Mapping[int, Path], start: int) -> int:
    """The first broken version from `start` on; that behind the last if all are whole."""
    actions: dict[int, list[Action]] = {}
    end = start
    while (parsed := _parse(entries.get(end))) is not None:
        actions[end] = parsed
        end += 1
    # Setting an entry aside brings back the files it removed: look again with the new end.
    while (broken := _first_broken(folder, actions, end)) is not None:
        end = broken
    return end


def _parse(entry: Path | None) -> list[Action] | None:
    try:
        return parse_entry(entry.read_bytes()) if entry else None
    except UNREADABLE:
        return None


def _first_broken(folder: Path, actions: Mapping[int, Sequence[Action]], end: int) -> int | None:
    """The first version before `end` that adds a file which is still needed and is not whole."""
    kept = {version: found for version, found in actions.items() if version < end}
    removed = {action["path"] for _, action in _each(kept, "remove")}
    for version, add in _each(kept, "add"):
        if add["path"] not in removed and not _whole(folder / unquote(add["path"]), add["size"]):
            return version
    return None


def _each(actions: Mapping[int, Sequence[Action]], kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((version, action[kind]) for version, found in actions.items() for action in found if action.get(kind))


def _whole(path: Path, size: int) -> bool:
    """Whether a Parquet file has its size, its beginning and its end."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(-len(MAGIC), 2)
            return head == MAGIC == file.read() and file.tell() == size
    except OSError:
        return False


def _set_aside(folder: Path, broken: Sequence[Path], clock: Clock) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.now() // SECOND)) + f"-{clock.now() % SECOND:06}"
    aside = folder / BROKEN / stamp
    durable.make_folder(aside, folder)
    # Newest first: a crash in between leaves a shorter log, not one with a hole.
    for path in sorted(broken, reverse=True):
        path.rename(aside / path.name)
    durable.sync(aside)
    durable.sync(folder / LOG)
    structlog.get_logger().warning(
        "the lake lost what was not yet synced; its hits come again from the stream",
        table=folder.name,
        files=[path.name for path in broken],
        kept_in=str(aside),
    )
