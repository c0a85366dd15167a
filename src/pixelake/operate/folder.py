"""The data folder: whose it is, which version wrote it, and who works in it.

::

    <data>/
      version        one line: the version of everything below
      lock           held (flock) by `serve`
      lock-<role>    held by `serve` too, or by the command that runs that role alone
      lock-turn      held by what takes much memory, one after the other (`pixelake.operate.turns`)
      run/           where the running processes count; worth nothing once they have ended
      spill/         what queries put out of their memory while they run, and what is on its way to a bucket; worth
                     nothing afterwards
      .restoring/    what a restore is making, or one that was cut short has left
      stream/  lake/events/  lake/rejects/  live/  seen/  registry/
      schemas/       the user's own rules for events; only read
      lists/         the user's own lists for enrichers; only read

``live/`` may be deleted: what was shown of the last days is forgotten, and
badges count again what the lake holds. So may ``seen/``, but the owners of
event ids are then known as far as the lake tells.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pixelake.clock import SYSTEM, Clock
from pixelake.disk import Flock, sync
from pixelake.errors import DataFolderError, FolderInUse, FolderVersion

VERSION: Final = 4
"""The version of a data folder that this program writes."""


MIGRATIONS: Final[Mapping[int, Callable[[Path], None]]] = {
    1: lambda _: None,  # hits were written in another way, which is still read; but who knows only that must keep out
    2: lambda _: None,  # the store of event ids moves its own file; who does not know the new form must keep out
    3: lambda _: None,  # the lake is brought up by its first writer, the consumer: the pixel answers meanwhile
}
"""How a folder of each older version becomes the next one. Each may be repeated after a crash."""
ROLES: Final = ("collect", "consume", "web")
"""What can work in a folder; each only once."""
PATIENCE: Final = 1.5
"""Seconds to wait for a lock: the server before us may be dying right now."""
_POLL: Final = 0.05
UNFINISHED: Final = ".restoring"
"""What a restore makes, until all is there and checked."""
TURN: Final = "lock-turn"
_VERSION_FILE: Final = "version"
_NEW_VERSION: Final = "version.new"
_DIGITS: Final = 9
"""Of a version at most."""
_NOBODYS: Final = frozenset(
    {_NEW_VERSION, "lock", TURN, *(f"lock-{role}" for role in ROLES), "lists", "lost+found", "schemas"}
)
"""Names that a folder may hold although nobody has written to it yet: a start that was cut short, a fresh disk."""


@contextmanager
def occupied(folder: Path, roles: Sequence[str], clock: Clock = SYSTEM) -> Iterator[None]:
    """Make the folder if needed, take it for these roles, bring it to this version; let it go at the end.

    Raises:
        FolderInUse: somebody else runs one of these roles on it.
        FolderVersion: another version wrote it, and it cannot be migrated.
        DataFolderError: it cannot be written to, or it holds something else.
    """
    _make(folder)
    _check(folder)
    names = ("lock", *(f"lock-{role}" for role in roles)) if len(roles) > 1 else [f"lock-{role}" for role in roles]
    locks = [Flock(folder / name) for name in names]
    try:
        for lock in locks:
            _take(lock, folder, clock)
        _upgrade(folder)
        yield
    finally:
        for lock in locks:
            lock.release()


def existing(folder: Path) -> Path:
    """The folder, for those who only read: whether a server runs on it or not.

    Raises:
        DataFolderError: there is none, or it holds something else.
        FolderVersion: another version wrote it.
    """
    if not folder.is_dir():
        raise DataFolderError(
            f"there is no data folder {folder}", "name it with --data, or make one with `pixelake serve`"
        )
    found = _check(folder)
    if found is not None and found < VERSION:
        raise FolderVersion(
            f"{folder} was written by an older version (data version {found}, this one has {VERSION})",
            "start `pixelake serve` once: it migrates the folder or says what to do",
        )
    return folder


def begun(folder: Path) -> Path:
    """The same for those who may write to it beside a server; one that nobody has written to is of this version then.

    Raises:
        DataFolderError: there is none, it holds something else, or cannot be written to.
        FolderVersion: another version wrote it.
    """
    try:
        if _check(existing(folder)) is None:  # else what we write would make a stranger's folder of it
            _write_version(folder, VERSION)
    except OSError as error:
        raise _unusable(folder, error) from error
    return folder


def is_begun(folder: Path) -> bool:
    """Whether anybody has written to it as a data folder."""
    return (folder / _VERSION_FILE).exists()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error


def _check(folder: Path) -> int | None:
    """The version of the folder, or None while nobody has written to it."""
    try:
        text = (folder / _VERSION_FILE).read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        _check_empty(folder)
        return None
    except OSError as error:
        raise _unusable(folder, error) from error
    if not text.isdecimal() or len(text) > _DIGITS:
        raise DataFolderError(
            f"{folder / _VERSION_FILE} is damaged: it says {text[:40]!r}",
            f"write the number {VERSION} into it if this version of pixelake wrote the folder",
        )
    if int(text) > VERSION:
        raise FolderVersion(
            f"{folder} was written by a newer version (data version {text}, this one knows {VERSION})",
            "run that version of pixelake, or name another folder with --data",
        )
    return int(text)


def _check_empty(folder: Path) -> None:
    try:
        strangers = sorted({path.name for path in folder.iterdir()} - _NOBODYS)
    except OSError as error:
        raise _unusable(folder, error) from error
    if UNFINISHED in strangers:
        raise DataFolderError(
            f"a restore to {folder} is under way, or was cut short", "wait for its end, or run `pixelake restore` again"
        )
    if strangers:
        raise DataFolderError(
            f"{folder} is no data folder of pixelake: it holds {strangers[0]!r} and no version",
            "name an empty or a new folder with --data",
        )


def _take(lock: Flock, folder: Path, clock: Clock) -> None:
    deadline = clock.monotonic() + PATIENCE
    try:
        while not lock.acquire():
            if clock.monotonic() >= deadline:
                raise FolderInUse(
                    f"another server runs on {folder}", "stop it first, or name another folder with --data"
                )
            clock.sleep(_POLL)
    except OSError as error:
        raise _unusable(folder, error) from error


def _upgrade(folder: Path) -> None:
    """Bring the folder to this version, step by step; each step is durable before the next."""
    found = _check(folder)
    try:
        if found is None:
            _write_version(folder, VERSION)
            return
        for version in range(found, VERSION):
            if version not in MIGRATIONS:
                raise FolderVersion(
                    f"{folder} was written by an older version (data version {version}) that cannot be migrated",
                    "run that version of pixelake, or begin a new folder with --data",
                )
            MIGRATIONS[version](folder)
            _write_version(folder, version + 1)
    except OSError as error:
        raise _unusable(folder, error) from error


def _write_version(folder: Path, version: int) -> None:
    """Durable when it returns, also through a power cut: the file, its name, and the name of the folder."""
    new = folder / _NEW_VERSION
    new.write_text(f"{version}\n", encoding="ascii")
    sync(new)
    new.rename(folder / _VERSION_FILE)
    sync(folder)
    sync(folder.absolute().parent)


def _unusable(folder: Path, error: OSError) -> DataFolderError:
    return DataFolderError(
        f"cannot use the data folder {folder}: {error.strerror or error}",
        "name a folder that you may write to with --data",
    )
