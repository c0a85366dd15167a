"""A folder of plain files that come into view in one step, and survive a power cut.

::

    <folder>/
      .lock          whose turn it is among writers
      _commit.json   the newest commit: its number, what it notes, and the files it shows
      _staged/       files that no commit shows yet; what no commit names is garbage
      events/...     what was shown

Names that begin with an underscore or a dot are passed over by Hive, Athena,
Spark and pyarrow. A commit is the replacement of ``_commit.json``; after it the
files are moved to where they belong, and who finds them not moved, because the
writer died, moves them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import IO, Any, Final, NamedTuple, Protocol

import msgspec

from pixelake.clock import SYSTEM, Clock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable

COMMIT: Final = "_commit.json"
STAGED: Final = "_staged"
LOCK: Final = ".lock"
LOCK_WAIT: Final = 60.0
"""Seconds to wait for another writer."""


class Commit(NamedTuple):
    """What is in view: the `number` of the commit, its `note`, and the names of the files it added."""

    number: int
    note: Mapping[str, Any]
    names: Sequence[str]


Fill = Callable[[IO[bytes]], None]
"""Writes a file's content."""


class View(Protocol):
    """Where files come into view. One writer at a time, inside `turn`."""

    def turn(self) -> Any:
        """A context: among all writers only one is inside. What a dead one left is finished or removed at its begin.

        Raises:
            LakeUnavailable: somebody else is inside for too long, or it cannot be told.
        """
        ...

    def last(self) -> Commit:
        """The newest commit; number 0 before the first. Any time.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        ...

    def show(self, files: Mapping[str, Fill], note: Mapping[str, Any]) -> None:
        """Bring `files` (by name, with slashes) into view together with `note`, durably, all or nothing.

        Raises:
            LakeUnavailable: it is not known to be done; ask `last`.
        """
        ...


class Folder:
    """A `View` on a local disk. Made if it is not there.

    Raises:
        LakeUnavailable: it cannot be made.
    """

    def __init__(self, folder: Path, clock: Clock = SYSTEM) -> None:
        self._folder, self._clock = folder.absolute(), clock
        self._made: set[Path] = set()
        self._durable = -1
        """The number of the commit that we know to be durable, and its files too."""
        with self.turn():
            pass

    @contextmanager
    def turn(self) -> Iterator[None]:
        """See `View`."""
        with durable.reported(f"write to {self._folder}"):
            durable.make_folder(self._folder / STAGED, self._folder.parent.parent)
            with durable.locked(self._folder / LOCK, LOCK_WAIT, self._clock):
                self._finish(self.last())
                yield

    def last(self) -> Commit:
        """See `View`."""
        path = self._folder / COMMIT
        try:
            return msgspec.json.decode(path.read_bytes(), type=Commit)
        except FileNotFoundError:
            return Commit(0, {}, ())
        except (OSError, ValueError) as error:
            raise LakeUnavailable(f"cannot read {path}: {error}", "restore it from a backup") from error

    def show(self, files: Mapping[str, Fill], note: Mapping[str, Any]) -> None:
        """See `View`."""
        with durable.reported(f"write to {self._folder}"):
            commit = Commit(self.last().number + 1, note, list(files))
            for index, fill in enumerate(files.values()):
                durable.write(self._staged(commit, index), fill)
            content = BytesIO(msgspec.json.encode(commit))
            durable.write(self._folder / COMMIT, lambda file: copyfileobj(content, file))
            self._move(commit)
            self._durable = commit.number

    def _staged(self, commit: Commit, index: int) -> Path:
        return self._folder / STAGED / f"{commit.number}-{index}"

    def _move(self, commit: Commit) -> None:
        """Move files to where they belong, those that are not there yet, durably."""
        targets = [self._folder / PurePosixPath(name) for name in commit.names]
        for index, target in enumerate(targets):
            staged = self._staged(commit, index)
            if staged.exists():
                if target.parent not in self._made or not target.parent.exists():
                    durable.make_folder(target.parent, self._folder)
                staged.rename(target)
        folders = {target.parent for target in targets}
        for folder in folders:
            if folder.exists():  # whose files were all taken away, in the meantime
                durable.sync(folder)
        self._made = folders

    def _finish(self, commit: Commit) -> None:
        """Do what a writer that died or failed has left to do, and remove what it had begun."""
        if commit.number != self._durable:
            self._made.clear()
            if commit.number:
                durable.rewrite(self._folder / COMMIT)
            self._move(commit)
            self._durable = commit.number
        for garbage in (self._folder / STAGED).iterdir():
            garbage.unlink()
