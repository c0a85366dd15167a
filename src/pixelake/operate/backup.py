"""Copies a whole data folder, beside a running server or without one, so that what comes back is whole.

The order makes it so:

1. the log of erasures; the live store, the counts of badges, plain files: each with its positions,
2. the lake, events and rejects of one moment (`pixelake.warehouse.moment`),
3. who owned which event id: at least all that the lake's rows were judged by,
4. the registry: at least all sites, salts and policies that they were judged by,
5. the user's own rules and lists,
6. the stream: it has every hit above all the positions of 1 and 2.

So a server that starts on the copy begins behind those positions, and judges
the rest anew: nothing is missing or doubled. Until the end nobody vacuums the
lake or forgets old hits; should somebody of another version do it nevertheless,
that is noticed, and all is copied again.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pixelake import __version__
from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock
from pixelake.errors import BackupError
from pixelake.operate.copies import ATTEMPTS, Copier, files_below, nothing
from pixelake.operate.depot import ERASURES, Depot, Manifest, Told
from pixelake.operate.folder import VERSION
from pixelake.stream import hold, mend, segment
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import moment, vacuum
from pixelake.warehouse.files_place import COMMIT, STAGED, Folder
from pixelake.warehouse.place import Place
from pixelake.warehouse.sums import LakeReader

TRIES: Final = 3
"""How often all is copied if the stream forgets faster than that."""
PAUSE: Final = 0.1
"""Seconds to wait for somebody who sets a damaged segment aside."""
OWN: Final = ("schemas", "lists")
"""Folders of the user's own."""

Positions = Mapping[Partition, Position]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Where the parts of an installation are. What is not there is left out."""

    data: Path
    stream: Path
    lake: Place
    live: Path
    badges: Path
    seen: Path
    registry: Path
    files: Path

    def places(self) -> Sequence[Path]:
        """The folders of them."""
        lake = [self.lake] if isinstance(self.lake, Path) else []
        return [self.data, self.stream, self.files, *lake]


@dataclass(frozen=True, slots=True)
class Backup:
    """What was done; the names are an interface.

    Attributes:
        stamp: the backup's name: when it was begun (UTC).
        place: where it lies.
        files: it consists of.
        bytes: of them.
        new_files: that were not there already.
        new_bytes: of them.
        seconds: it took.
        removed: the older backups that were removed.
        freed: bytes that only they had.
    """

    stamp: str
    place: str
    files: int
    bytes: int
    new_files: int
    new_bytes: int
    seconds: float
    removed: Sequence[str]
    freed: int

    def as_dict(self) -> dict[str, Any]:
        """All by their names."""
        return asdict(self)


def as_text(found: Backup) -> str:
    """For people, in one or two lines."""
    line = (
        f"backup {found.stamp} in {found.place}: {found.files:,} files, {found.bytes / 1e6:,.1f} MB,"
        f" {found.new_bytes / 1e6:,.1f} MB of them new, in {found.seconds:.1f} s"
    )
    gone = f"\n{len(found.removed):,} older backups removed, {found.freed / 1e6:,.1f} MB freed"
    return line + gone * bool(found.removed)


def backup(
    parts: Parts,
    where: Place,
    told: Told,
    begun: Callable[[Sequence[str]], None],
    *,
    keep: int = 0,
    reserve: int = 0,
    clock: Clock = SYSTEM,
) -> Backup:
    """Make a backup. What is cut short leaves none; the next one uses what it had copied.

    Args:
        parts: of the installation, which is of this version.
        where: a folder outside of it, or one in a bucket; made if it is not there.
        told: hears how many bytes are copied, and about how many there are.
        begun: hears which backups the place has: with this one before anything is copied, and at the end.
        keep: of the backups there only so many, the newest, this one too; 0: all.
        reserve: bytes of the disk that are the collector's.
        clock: for the name.

    Raises:
        BackupError: it cannot be made; no backup that was there before is harmed.
        StreamError, LakeUnavailable: a part cannot be read now.
    """
    began = time.monotonic()
    depot = Depot(where)
    _check_apart(depot.place, parts)
    with depot.writing() as scratch:
        stamp = depot.next_stamp(clock.now())
        begun([*depot.stamps(), stamp])
        before = _newest(depot)
        room = depot.room(reserve, parts.stream if parts.stream.exists() else parts.data)
        known = {file.path: file for file in before.files} if before else {}
        copier = Copier(depot, scratch, before=known, room=room, told=told, total=_total(parts))
        with _held(parts):
            for _ in range(TRIES):
                if _copy(copier, parts, clock):
                    break
                copier.forget("")
            else:
                hint = "raise stream_retention, and let no older version run beside this one"
                raise BackupError("the stream forgets faster than it can be copied", hint)
        files = tuple(copier.files.values())
        depot.finish(Manifest(stamp, clock.now(), VERSION, __version__, files))
        removed, freed = depot.prune(keep) if keep else ((), 0)
        begun(depot.stamps())
    return Backup(
        stamp=stamp,
        place=str(depot.place),
        files=len(files),
        bytes=sum(file.size for file in files),
        new_files=depot.new_files,
        new_bytes=depot.new_bytes,
        seconds=round(time.monotonic() - began, 3),
        removed=removed,
        freed=freed,
    )


def _check_apart(target: Place, parts: Parts) -> None:
    if not isinstance(target, Path):
        return
    resolved = target.resolve()
    for each in parts.places():
        if resolved == each.resolve() or each.resolve() in resolved.parents:
            raise BackupError(f"{target} lies inside of what is to be copied", "name a folder outside, on another disk")


def _newest(depot: Depot) -> Manifest | None:
    """The last backup that can be read: what it has need not be copied again."""
    for stamp in reversed(depot.stamps()):
        with contextlib.suppress(BackupError):
            return depot.manifest(stamp)
    return None


def _total(parts: Parts) -> int:
    """About how many bytes there are; of a lake in a bucket nothing is known."""
    found, roots = 0, {path.resolve() for path in parts.places()}
    for folder in [path for path in roots if roots.isdisjoint(path.parents)]:
        for file in files_below(folder):
            with contextlib.suppress(OSError):
                found += file.stat().st_size
    return found


@contextlib.contextmanager
def _held(parts: Parts) -> Iterator[None]:
    """Nothing is forgotten or vacuumed until the end."""
    with contextlib.ExitStack() as stack:
        if parts.stream.is_dir():
            stack.enter_context(hold.hold(parts.stream))
        if not isinstance(parts.lake, Path) or parts.lake.is_dir():
            stack.enter_context(vacuum.hold(parts.lake))
        yield


def _copy(copier: Copier, parts: Parts, clock: Clock) -> bool:
    """Copy all, in the order that makes it whole; False if the stream does not reach back to the lake's positions."""
    starts = _starts(parts.stream)
    _erasures(copier, parts)
    _live(copier, parts)
    needed = [_files(copier, parts), _lake(copier, parts, clock)]
    _seen(copier, parts)
    _registry(copier, parts)
    for name in OWN:
        copier.folder(name, parts.data / name)
    _stream(copier, parts.stream)
    return all(_reaches_back(copier, parts, positions, starts) for positions in needed if positions is not None)


def _live(copier: Copier, parts: Parts) -> None:
    for name, path in (("live", parts.live), ("badges", parts.badges)):
        if path.exists():
            copier.database(f"live/{name}.sqlite", path, nothing)


def _files(copier: Copier, parts: Parts) -> Positions | None:
    """The plain files beside the lake, and how far they go."""
    if not (parts.files / COMMIT).exists():
        return None
    view = Folder(parts.files)
    for _ in range(ATTEMPTS):
        copier.forget("files")
        with view.turn():
            note, shown = (parts.files / COMMIT).read_bytes(), list(files_below(parts.files))
            positions = view.last().note
        with contextlib.suppress(FileNotFoundError):  # whoever fetches files may take one away meanwhile
            for file in shown:
                name = file.relative_to(parts.files).as_posix()
                if name != COMMIT and not name.startswith(f"{STAGED}/"):
                    copier.plain(f"files/{name}", file)
            copier.text(f"files/{COMMIT}", note)
            return {name: int(at) for name, at in positions.items()}
    raise BackupError(f"files vanish from {parts.files} while they are copied", "try again when nobody fetches them")


def _lake(copier: Copier, parts: Parts, clock: Clock) -> Positions | None:
    missing: object = None
    for _ in range(ATTEMPTS):
        copier.forget("lake")
        found = moment.moment(parts.lake, clock)
        if found is None:
            return None
        try:
            for name, size in found.files:
                copier.plain(f"lake/{name}", parts.lake / name, size)
        except FileNotFoundError as error:
            missing = error.filename or error
            continue
        for name, data in found.notes.items():
            copier.text(f"lake/{name}", data)
        return found.progress
    raise BackupError(f"the lake lacks a file that it needs: {missing}", "see `pixelake status`; restore it first")


def _seen(copier: Copier, parts: Parts) -> None:
    """The file, and the sorted keys beside it that it names: they are exchanged now and then."""
    if not parts.seen.exists():
        return
    for _ in range(ATTEMPTS):
        copier.forget("seen")
        runs = copier.database(f"seen/{parts.seen.name}", parts.seen, _runs)
        with contextlib.suppress(FileNotFoundError):
            for name in runs:
                copier.plain(f"seen/{name}", parts.seen.with_name(name))
            return
    raise BackupError(f"{parts.seen} names files that are not there", "restart the server, then try again")


def _runs(seen: sqlite3.Connection) -> list[str]:
    if not seen.execute("select 1 from sqlite_master where name = 'runs'").fetchone():
        return []  # of an older version
    return [Path(name).name for (name,) in seen.execute("select file from runs")]


def _erasures(copier: Copier, parts: Parts) -> None:
    """The log of erasures before all else: an erasure that is done by it is done in everything that is copied."""
    if parts.registry.parent == parts.data / "registry":
        with contextlib.suppress(FileNotFoundError):
            copier.text(f"registry/{ERASURES}", (parts.registry.parent / ERASURES).read_bytes())


def _registry(copier: Copier, parts: Parts) -> None:
    """The file, and what else lies in its folder, if that is ours."""
    if parts.registry.exists():
        copier.database("registry/registry.sqlite", parts.registry, nothing)
    if parts.registry.parent == parts.data / "registry":
        copier.folder("registry", parts.registry.parent, {parts.registry.name, ERASURES})


def _starts(stream: Path) -> Positions:
    """The first position that is held of each partition."""
    found = {}
    for folder in segment.partitions(stream):
        with contextlib.suppress(FileNotFoundError):
            paths = segment.segments(folder)
            found[folder.name] = int(paths[0].stem) if paths else 0
    return found


def _stream(copier: Copier, stream: Path) -> None:
    groups = stream / "groups.sqlite"
    if groups.exists():
        copier.database(f"stream/{groups.name}", groups, nothing)
    for folder in segment.partitions(stream):
        with contextlib.suppress(FileNotFoundError):  # it had nothing that anybody still needs
            _partition(copier, folder)


def _partition(copier: Copier, folder: Path) -> None:
    """Closed segments byte by byte, the newest as of now, and what was ever set aside, all of one moment."""
    name = f"stream/{folder.name}"
    for _ in range(ATTEMPTS * 4):
        copier.forget(name)
        mend.resume(folder)
        if mend.under_way(folder):
            time.sleep(PAUSE)
            continue
        paths = segment.segments(folder)
        with contextlib.suppress(FileNotFoundError):
            is_left = _is_left(folder)
            for path in paths:
                _segment(copier, f"{name}/{path.name}", path, is_closed=is_left or path != paths[-1])
            copier.folder(f"{name}/{mend.DAMAGED}", folder / mend.DAMAGED)
            if segment.segments(folder)[: len(paths)] == paths and not mend.under_way(folder):
                return
        if not folder.exists():
            return
    raise BackupError(f"{folder} changes while it is copied", "see the server's log, and try again")


def _is_left(folder: Path) -> bool:
    """Whether a partition's owner is gone: nobody appends to it any more."""
    lock = Flock(folder / "owner.lock")
    if not lock.acquire():
        return False
    lock.release()
    return True


def _segment(copier: Copier, name: str, path: Path, *, is_closed: bool) -> None:
    if is_closed and not _has_log(path):
        copier.plain(name, path)
        if not _has_log(path):
            return
    copier.database(name, path, nothing)


def _has_log(path: Path) -> bool:
    """Whether a segment has rows that are not in its file yet: it is the newest, or somebody still has it open."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _reaches_back(copier: Copier, parts: Parts, copied: Positions, starts: Positions) -> bool:
    """Whether the copied stream has all above these positions that the stream had when the copy began."""
    held: dict[Partition, Position] = {}
    for path in copier.files:
        parent, _, name = path.rpartition("/")
        if parent.startswith("stream/") and parent.count("/") == 1 and name.endswith(".sqlite"):
            partition, first = parent.removeprefix("stream/"), int(name.removesuffix(".sqlite"))
            held[partition] = min(first, held.get(partition, first))
    now = LakeReader(parts.lake).progress()
    for name in {*starts, *now}:
        behind = copied.get(name, 0) + 1
        if name in held:
            if held[name] > max(behind, starts.get(name, 1)):
                return False
        elif name in starts and name in now and now[name].position >= behind:
            return False
    return True
