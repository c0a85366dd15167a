"""What nobody needs any more leaves a table's folder: files that were replaced, old log, empty folders.

- Data files that the log took out longer ago than `keep` seconds. Until then whoever reads an older version finds
  them; after that a reader of ours looks again, at the newest one.
- Files that no commit names, a day after they were written: a compaction was cut short, a commit failed.
- Log entries and checkpoints that no version of the last `keep` seconds needs, and never the last two checkpoints that
  can be read: so a log is bounded, and a damaged checkpoint has another one behind it.
- Folders of hours and days that have been empty for an hour.

What a recovery set aside (``_broken/``) is evidence, and stays.

**What it can never take.** A data file goes only if the newest version does not
name it, and if that version is durable: on a disk, at or below the table's
floor, which a recovery does not go behind (`recover`). Else a power cut could
take back the commit that replaced a file, whose successor nobody has, and find
the file gone. Files go first, their folders are synced, and only then do the
log entries go that tell of them. So a power cut leaves an entry whose files are
gone, which nobody misses, and no file that nobody knows of; and whatever is cut
short is done by the next run. Entries go oldest first: who reads meanwhile sees
a log that begins later. On a disk they go under the lock of the lake, in which
others open it.

What is being written is not named by a commit yet: that is what the day is for.
Ages are told by the clock of the disk or the store. And our own writers write
under the lock of the lake, or are tasks of maintenance, of which there is one at
a time (`maintaining`), or are done within seconds.

**How old a commit is** its entry tells: the times in it are those of the clock
that the lake is given. None is believed to be younger than a later one, so that
a clock that once stood a year ahead does not keep the log for a year.

Why not `deltalake`'s vacuum and log cleanup: the first knows neither floor nor
lock nor hold, and syncs nothing; the second keeps no second checkpoint, and
goes by the times of files, which a restored folder has lost.
"""

import math
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import structlog
from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, floor
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.delta_log import (
    CHECKPOINT,
    ENTRY,
    EVENTS_FOLDER,
    LAST_CHECKPOINT,
    LOG,
    UNREADABLE,
    Action,
    DataFile,
    DeltaLog,
    parse_entry,
    read_checkpoint,
)
from pixelake.warehouse.place import Found, Place, one_line
from pixelake.warehouse.recover import BROKEN

HOLD: Final = ".hold"
MAINTAINED: Final = ".maintained"
CLOCK: Final = "_clock"
"""An empty file in a table's folder, touched to learn what time it is for the disk."""
HOLD_WAIT: Final = 60.0
"""Seconds to wait for a vacuum that is just running, or for those who hold it off."""
STRAY: Final = 86_400.0
"""Seconds after which a file that no commit names belongs to nobody."""
EMPTY: Final = 3_600.0
"""Seconds after which an empty folder goes."""
CHECKPOINTS: Final = 2
"""Readable checkpoints that are always kept."""
AT_ONCE: Final = 1_000
"""Files that are removed under one lock: some 20 ms."""
TOMBSTONES: Final = "delta.deletedFileRetentionDuration"
"""How long a checkpoint tells of replaced files; Delta's own default is a week, with 17,000 commits a day."""

_LEFT_BY_LOG: Final = re.compile(r".*(\.tmp|\.json#\d+|\.parquet#\d+)")
_OF_ENTRY: Final = re.compile(r"(\d{20})\.(json|crc|checkpoint\.parquet)")
_DATA: Final = re.compile(r"[^_.].*\.parquet(\.tmp|#\d+)?")
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)

Turn = Callable[[], AbstractContextManager[None]]
"""Holds off the other writers of the lake."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What went from a table's folder; the names are an interface.

    Attributes:
        table: ``events`` or ``rejects``.
        files: data files that the log had taken out.
        strays: files that no commit named.
        bytes: of both.
        entries: files of the log.
        folders: empty ones.
        evidence: folders of what recoveries set aside; they stay.
    """

    table: str
    files: int
    strays: int
    bytes: int
    entries: int
    folders: int
    evidence: int


class History(NamedTuple):
    """What the entries of a log tell of the past.

    Attributes:
        end: the newest version that is old; -1 if none is.
        gone: names that old entries took out.
        recent: names that younger ones took out.
    """

    end: int
    gone: AbstractSet[str]
    recent: AbstractSet[str]


@contextmanager
def hold(lake: Place, wait: float = HOLD_WAIT, clock: Clock = SYSTEM) -> Iterator[None]:
    """Keep every file that is there now, until the end: for a backup. Several may.

    Commits go on. In a bucket nothing holds a vacuum off but `lake_history`.

    Raises:
        LakeUnavailable: a vacuum has been running for `wait` seconds, or the lake cannot be written to.
    """
    if not isinstance(lake, Path):
        yield
        return
    lock, deadline = Flock(lake / HOLD), clock.monotonic() + wait
    with durable.reported(f"hold {lake}"):
        while not lock.acquire(shared=True):
            if clock.monotonic() >= deadline:
                raise LakeUnavailable(f"a vacuum of {lake} takes very long", "wait for it, and try again")
            clock.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def alone(lake: Place, wait: float = 0.0, clock: Clock = SYSTEM) -> Iterator[bool]:
    """Whether nobody holds files, after `wait` seconds at most; and nobody does until the end."""
    if not isinstance(lake, Path):
        yield True
        return
    lock, deadline = Flock(lake / HOLD), clock.monotonic() + wait
    with durable.reported(f"vacuum {lake}"):
        while not (got := lock.acquire()) and clock.monotonic() < deadline:
            clock.sleep(0.05)
    try:
        yield got
    finally:
        lock.release()


@contextmanager
def maintaining(lake: Place, wait: float = 0.0, clock: Clock = SYSTEM) -> Iterator[bool]:
    """Whether nobody else maintains this lake on this machine, after `wait` seconds at most; and nobody until the end.

    For whoever writes files long before he commits them, beside the lock of the lake. In a bucket there is no
    such lock: two that do the same at once get in each other's way, and lose nothing.
    """
    if not isinstance(lake, Path) or not (lake / EVENTS_FOLDER / LOG).is_dir():
        # there is no lake, or its disk is not mounted: nothing is begun in its place
        yield True
        return
    with durable.reported(f"maintain {lake}"):
        lock, deadline = Flock(lake / MAINTAINED), clock.monotonic() + wait
        while not (got := lock.acquire()) and clock.monotonic() < deadline:
            clock.sleep(0.05)
    try:
        yield got
    finally:
        lock.release()


def sweep(table: DeltaWriter, keep: float, clock: Clock, turn: Turn) -> Swept:
    """Remove what nobody needs any more; see above. The caller is `alone`, and its table durable up to the newest.

    Args:
        table: refreshed.
        keep: seconds of history.
        clock: that of the lake's commits.
        turn: of the lake.

    Raises:
        LakeUnavailable: the disk or the store does not let us; what went is gone, and the next run goes on.
    """
    log = table.log
    with durable.reported(f"vacuum {log.folder}"):
        _tell_others(table, keep, turn)
        found = _found(log.folder)
        entries = sorted(int(match[1]) for name in found if (match := ENTRY.fullmatch(name.removeprefix(f"{LOG}/"))))
        history = _history(log, entries, clock.now() - round(keep * 1_000_000))
        files = _unneeded(table, _replaced(log, found, history), turn)
        strays = _unneeded(table, _strays(found, history), turn)
        doomed = _old_log(log, found, history)
        for start in range(0, len(doomed), AT_ONCE):
            with turn():
                _remove(log.folder, doomed[start : start + AT_ONCE])
        with turn():
            folders = _remove_empty(log.folder)
    return Swept(
        table=log.folder.name,
        files=len(files),
        strays=len(strays),
        bytes=sum(found[name].size for name in (*files, *strays)),
        entries=len(doomed),
        folders=folders,
        evidence=len([*(log.folder / BROKEN).glob("*")]) if isinstance(log.folder, Path) else 0,
    )


def remove_replaced(table: DeltaWriter, names: Collection[str]) -> int:
    """Remove data files that the newest version does not name, however young, durably. Returns how many were there.

    For an erasure: what held a person must not wait. The caller is `alone` and has the turn. What somebody committed
    since these names were read stays.

    Args:
        table: refreshed, and durable up to the newest version.
        names: of files below the table's folder.

    Raises:
        LakeUnavailable: the disk or the store does not let us, or it is not known that the commit is durable.
    """
    log = table.log
    doomed = set(names) - {file.name for file in log.files.values()}
    if isinstance(log.folder, Path) and floor.read(log.folder) < log.version:
        raise LakeUnavailable(f"cannot note how far {log.folder} is durable", "look at the disk, and try again")
    with durable.reported(f"remove files of {log.folder}"):
        there = doomed & set(_found(log.folder))
        _remove(log.folder, sorted(there))
    return len(there)


def _tell_others(table: DeltaWriter, keep: float, turn: Turn) -> None:
    """Let checkpoints forget replaced files when we remove them; `deltalake` writes them, and others may vacuum."""
    folder = table.log.folder
    wanted = f"interval {max(1, math.ceil(keep))} seconds"
    options = None if isinstance(folder, Path) else dict(folder.options)
    try:
        opened = DeltaTable(str(folder), storage_options=options)
        if opened.metadata().configuration.get(TOMBSTONES) == wanted:
            return
        with turn():
            opened.update_incremental()
            opened.alter.set_table_properties({TOMBSTONES: wanted}, post_commithook_properties=_NO_HOOKS)
            table.refresh()
    except (DeltaError, OSError) as error:
        # somebody was first, a checkpoint is damaged, the disk is full: what frees it must go on; this can wait
        structlog.get_logger().info("checkpoints keep replaced files longer", table=folder.name, error=one_line(error))


def _found(folder: Place) -> Mapping[str, Found]:
    """Every file below a table's folder, by its name there; not what recoveries set aside."""
    if not isinstance(folder, Path):
        return folder.found()
    probe = folder / CLOCK
    probe.touch()
    now = probe.stat().st_mtime
    return {name: Found(entry.st_size, now - entry.st_mtime) for name, entry in _walk(folder)}


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    todo = [""]
    while todo:
        prefix = todo.pop()
        with os.scandir(folder / prefix) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if entry.name == LOG or entry.name[0] not in "_.":
                        todo.append(f"{prefix}{entry.name}/")
                else:
                    yield prefix + entry.name, entry.stat(follow_symlinks=False)


def _history(log: DeltaLog, versions: Iterable[int], before: int) -> History:
    """What the entries tell that are there.

    Args:
        log: whose.
        versions: of them, ascending.
        before: what was committed by then (µs UTC) is old.
    """
    read = [(version, *_told(log, version)) for version in versions if version <= log.version]
    times = [time for _, time, _ in read]
    for at in range(len(times) - 2, -1, -1):
        times[at] = min(times[at], times[at + 1])
    old = sum(1 for time in times if time * 1_000 < before)
    return History(
        end=read[old - 1][0] if old else -1,
        gone={name for _, _, names in read[:old] for name in names},
        recent={name for _, _, names in read[old:] for name in names},
    )


def _told(log: DeltaLog, version: int) -> tuple[float, Sequence[str]]:
    """When an entry was committed (ms UTC; infinity: it does not say), and the names of the files it took out."""
    try:
        actions = parse_entry(log.entry(version).read_bytes())
    except UNREADABLE:
        return math.inf, ()
    names = [DataFile(action["remove"]["path"], 0, None).name for action in actions if action.get("remove")]
    return max(_times(actions), default=math.inf), names


def _times(actions: Sequence[Action]) -> list[float]:
    """The times in an entry; that of the program that wrote it only if there are no others."""
    inside = [_time(action, kind, field) for action in actions for kind, field in _STAMPS]
    known = [time for time in inside if time is not None]
    return known or [time for action in actions if (time := _time(action, "commitInfo", "timestamp")) is not None]


_STAMPS: Final = (("add", "modificationTime"), ("remove", "deletionTimestamp"), ("txn", "lastUpdated"))


def _time(action: Action, kind: str, field: str) -> float | None:
    value: Any = (action.get(kind) or {}).get(field)
    return value if isinstance(value, int | float) else None


def _replaced(log: DeltaLog, found: Iterable[str], history: History) -> list[str]:
    """The files that old commits took out, and that no newer one brought back and took out again."""
    if isinstance(log.folder, Path) and floor.read(log.folder) < history.end:
        return []  # it is not known that what replaced them is durable: next time
    return sorted(name for name in found if name in history.gone and name not in history.recent)


def _strays(found: Mapping[str, Found], history: History) -> list[str]:
    """Files that nobody commits any more."""
    known = history.gone | history.recent
    old = (name for name, file in found.items() if file.age >= STRAY and name not in known)
    return sorted(name for name in old if _is_ours(PurePosixPath(name)))


def _unneeded(table: DeltaWriter, names: Sequence[str], turn: Turn) -> list[str]:
    """Remove those that the newest version does not name; return them."""
    removed = []
    for start in range(0, len(names), AT_ONCE):
        with turn():
            table.refresh()
            needed = {file.name for file in table.log.files.values()}
            free = [name for name in names[start : start + AT_ONCE] if name not in needed]
            _remove(table.log.folder, free)
            removed += free
    return removed


def _is_ours(path: PurePosixPath) -> bool:
    """Whether a file that no commit names looks like one that was meant to be committed."""
    if path.parts[0] == LOG:
        return bool(_LEFT_BY_LOG.fullmatch(path.name))
    return "=" in path.parts[0] and bool(_DATA.fullmatch(path.name))


def _old_log(log: DeltaLog, found: Mapping[str, Found], history: History) -> list[str]:
    """The files of the log that no version needs which is kept, oldest first."""
    names = [name.removeprefix(f"{LOG}/") for name in found if name.startswith(f"{LOG}/")]
    checkpoints = sorted((int(match[1]) for name in names if (match := CHECKPOINT.fullmatch(name))), reverse=True)
    begin = _begin(log, [version for version in checkpoints if version <= log.version], history.end)
    old = ((int(match[1]), name) for name in names if (match := _OF_ENTRY.fullmatch(name)) and int(match[1]) < begin)
    return [f"{LOG}/{name}" for _, name in sorted(old)]


def _begin(log: DeltaLog, checkpoints: Sequence[int], end: int) -> int:
    """The checkpoint that the log shall begin with; -1: leave it as it is.

    Args:
        log: whose.
        checkpoints: their versions, newest first.
        end: the newest version that is old.
    """
    if not any(version <= end for version in checkpoints[CHECKPOINTS - 1 :]):
        return -1  # the usual case of a table that hardly changes: nothing is read
    good: list[int] = []
    for version in checkpoints:
        if len(good) < CHECKPOINTS and _is_good(log.folder / LOG / f"{version:020}.checkpoint.parquet"):
            good.append(version)
    if len(good) < CHECKPOINTS:
        return -1
    if isinstance(log.folder, Path):
        durable.sync(log.folder / LOG)
    last = min(good[-1], end, _last_checkpoint(log.folder))
    return max((version for version in checkpoints if version <= last), default=-1)


def _is_good(checkpoint: Place) -> bool:
    """Whether a checkpoint can be read. On a disk it is durable then: nothing else will tell what it tells."""
    try:
        read_checkpoint(checkpoint)
    except UNREADABLE:
        return False
    if isinstance(checkpoint, Path):
        durable.rewrite(checkpoint)
    return True


def _last_checkpoint(folder: Place) -> float:
    """The version that ``_last_checkpoint`` names, where others begin to read; infinity if it names none."""
    try:
        return int(parse_entry((folder / LOG / LAST_CHECKPOINT).read_bytes())[0]["version"])
    except UNREADABLE:
        return math.inf


def _remove(folder: Place, names: Sequence[str]) -> None:
    """Remove files, in this order; durably, when it returns."""
    if not isinstance(folder, Path):
        folder.remove(names)
        return
    for name in names:
        (folder / name).unlink(missing_ok=True)
    for parent in {(folder / name).parent for name in names}:
        durable.sync(parent)


def _remove_empty(table: Place) -> int:
    """Remove folders of days and hours that have been empty for a while; how many.

    What a power cut brings back is empty, too.
    """
    if not isinstance(table, Path):
        return 0
    now, count = (table / CLOCK).stat().st_mtime, 0
    for path, folders, files in os.walk(table, topdown=False):
        name = path.removeprefix(str(table)).lstrip("/")
        if files or folders or "=" not in name or now - Path(path).stat().st_mtime < EMPTY:
            continue
        Path(path).rmdir()
        count += 1
    return count
