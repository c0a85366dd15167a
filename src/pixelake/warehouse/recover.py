"""Makes a table whole again after a power cut.

What was not yet synced may have come back as empty or missing files. The
first log entry that is broken, and everything newer, is set aside in
``_broken/<time>/`` and reported; its hits are read again as far as the stream
still has them, which it does of all that is newer than the last synced commit.

What is broken at or below the table's floor (`floor`) was durable and was lost
in another way, and its hits may be long gone from the stream: then nothing is
touched, and the operator has to restore it.

Whoever calls this holds the lock of the lake, so that none of our commits is
under way. A foreign writer's entry appears whole or not at all.
"""

import re
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog

from pixelake.clock import SECOND, Clock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, floor
from pixelake.warehouse.delta_log import (
    CHECKPOINT,
    ENTRY,
    LAST_CHECKPOINT,
    LOG,
    UNREADABLE,
    Action,
    DataFile,
    DeltaLog,
    lost_entry,
    parse_entry,
    read_checkpoint,
)

BROKEN: Final = "_broken"
MAGIC: Final = b"PAR1"
"""A Parquet file begins and ends with it."""


def broken(folder: Path) -> Sequence[Path]:
    """The files of the log that have to be set aside, so that the table in `folder` is whole. Changes nothing.

    Raises:
        OSError: the disk does not let us.
        LakeUnavailable: something is lost that was durable; or the beginning of the log is gone, and no checkpoint
            stands for it.
    """
    log, durable_to = folder / LOG, floor.read(folder)
    if not log.is_dir():
        if durable_to > floor.NONE:
            raise lost_entry(folder, 0)
        return ()
    entries, checkpoints = _versions(log, ENTRY), _versions(log, CHECKPOINT)
    good, files = _newest(checkpoints)
    if good < 0 and entries and 0 not in entries:
        raise LakeUnavailable(f"the log of {folder} has lost its beginning", "restore it from a backup")
    actions = {good: [_added(file) for file in files]} | _follow(entries, good + 1)
    end = _end(folder, actions, durable_to)
    found = [path for version, path in entries.items() if version >= end]
    found += [path for version, path in checkpoints.items() if version > good]
    if _misleads(log / LAST_CHECKPOINT, {version for version in checkpoints if version <= good}):
        found.append(log / LAST_CHECKPOINT)
    return found


def set_aside(folder: Path, files: Sequence[Path], clock: Clock) -> None:
    """Move `files`, which are `broken`, out of the way, durably, and say so.

    Raises:
        OSError: the disk does not let us.
    """
    if not files:
        return
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.now() // SECOND)) + f"-{clock.now() % SECOND:06}"
    aside = folder / BROKEN / stamp
    durable.make_folder(aside, folder)
    # Newest first: a crash in between leaves a shorter log, not one with a hole.
    for path in sorted(files, reverse=True):
        path.rename(aside / path.name)
    durable.sync(aside)
    durable.sync(folder / LOG)
    log = DeltaLog(folder)
    log.refresh()
    structlog.get_logger().warning(
        "the lake set aside what was broken before it was synced; hits above these positions are read again,"
        " as far as the stream still has them",
        table=folder.name,
        positions={name: version for name, version in log.transactions.items() if "/" not in name},
        files=[path.name for path in files],
        kept_in=str(aside),
    )


def _versions(log: Path, pattern: re.Pattern[str]) -> dict[int, Path]:
    """The files of one kind, oldest first."""
    matches = filter(None, (pattern.fullmatch(path.name) for path in log.iterdir()))
    return {int(match[1]): log / match[0] for match in sorted(matches, key=lambda match: match[1])}


def _newest(checkpoints: dict[int, Path]) -> tuple[int, Sequence[DataFile]]:
    """The newest readable checkpoint and its files; version -1 if there is none."""
    for version in reversed(checkpoints):
        try:
            return version, list(read_checkpoint(checkpoints[version])[0].values())
        except UNREADABLE:
            continue
    return -1, ()


def _added(file: DataFile) -> Action:
    return {"add": {"path": file.path, "size": file.size}}


def _misleads(pointer: Path, good: Container[int]) -> bool:
    """Whether ``_last_checkpoint`` names no good checkpoint."""
    if not pointer.exists():
        return False
    try:
        return msgspec.json.decode(pointer.read_bytes())["version"] not in good
    except UNREADABLE:
        return True


def _follow(entries: Mapping[int, Path], start: int) -> dict[int, list[Action]]:
    """The actions of the entries from `start` up to the first broken one."""
    actions: dict[int, list[Action]] = {}
    while (parsed := _parse(entries.get(start + len(actions)))) is not None:
        actions[start + len(actions)] = parsed
    return actions


def _parse(entry: Path | None) -> list[Action] | None:
    try:
        return parse_entry(entry.read_bytes()) if entry else None
    except UNREADABLE:
        return None


def _end(folder: Path, actions: Mapping[int, Sequence[Action]], durable_to: int) -> int:
    """The first broken version; that behind the last if all are whole. `actions` begins with the checkpoint.

    Raises:
        LakeUnavailable: it is not above `durable_to`, or it is the checkpoint.
    """
    end = max(actions) + 1
    if end <= durable_to:
        raise lost_entry(folder, end)
    trusted = max(durable_to, min(actions))
    # Setting an entry aside brings back the files it removed: look again with the new end.
    while (found := _first_broken(folder, actions, end, trusted)) is not None:
        end, path = found
        if end <= trusted:
            raise _lost(folder, path)
    return end


def _first_broken(
    folder: Path, actions: Mapping[int, Sequence[Action]], end: int, trusted: int
) -> tuple[int, Path] | None:
    """The first version before `end` that adds a file which is still needed and is not whole, and that file.

    Up to `trusted` the sizes have to do: the bytes were synced.
    """
    kept = {version: found for version, found in actions.items() if version < end}
    removed = {action["path"] for _, action in _each(kept, "remove")}
    for version, add in _each(kept, "add"):
        file = DataFile(add["path"], add["size"], None)
        if file.path in removed:
            continue
        if not file.is_whole(folder) or (version > trusted and not _has_magic(folder / file.name)):
            return version, folder / file.name
    return None


def _each(actions: Mapping[int, Sequence[Action]], kind: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    return ((version, action[kind]) for version, found in actions.items() for action in found if action.get(kind))


def _has_magic(path: Path) -> bool:
    """Whether a Parquet file has its beginning and its end."""
    try:
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
            file.seek(-len(MAGIC), 2)
            return head == MAGIC == file.read()
    except OSError:
        return False


def _lost(folder: Path, path: Path) -> LakeUnavailable:
    return LakeUnavailable(
        f"{path} is missing or damaged, although it was durable; the lake is not written to",
        f"restore it from a backup; to give its rows up, move it away if it is there, and run"
        f" deltalake.DeltaTable({str(folder)!r}).repair() in Python",
    )
