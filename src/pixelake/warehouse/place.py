"""Where a lake lies: a folder on a disk (`pathlib.Path`), or one in an object store (`Remote`).

Both are walked with ``/``. What is read from a lake is read by these functions.
What a disk needs beside (syncs, a lock, a note of what is durable) a store does
not: a put is durable, and whole, when it is acknowledged, and a commit of
Delta's log is a put that fails if somebody was first.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol, Self, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq


class Remote(Protocol):
    """A name in an object store; ``str()`` of it is its URL. Whatever fails raises OSError, in one line."""

    def __hash__(self) -> int:
        """Two of one name in one bucket are equal."""
        ...

    @property
    def name(self) -> str:
        """The part behind the last slash."""
        ...

    @property
    def hint(self) -> str:
        """Where to look when it does not work."""
        ...

    @property
    def options(self) -> Mapping[str, str]:
        """What `deltalake` has to be told to open it."""
        ...

    @property
    def filesystem(self) -> Any:
        """An `fsspec` file system that opens its URL."""
        ...

    def __truediv__(self, name: str) -> Self: ...

    def check(self) -> None:
        """Return if we are let in.

        Raises:
            LakeUnreachable: nobody tells.
            LakeUnavailable: we are not, or it is not there.
        """
        ...

    def read_bytes(self) -> bytes:
        """All of it.

        Raises:
            FileNotFoundError: it is not there, though its bucket is.
        """
        ...

    def open(self) -> BufferedReader:
        """It, to be read in any order.

        Raises:
            FileNotFoundError: it is not there.
        """
        ...

    def write(self, fill: Callable[[IO[bytes]], None]) -> int:
        """Make it of what `fill` writes, all or nothing, durably. Returns its size in bytes."""
        ...

    def put(self, file: IO[bytes]) -> int:
        """Make it of all that this file holds, all or nothing, durably. Returns its size in bytes."""
        ...

    def create(self, data: bytes) -> bool:
        """Make it of this, all or nothing, durably; False if it is there already, whosever it is."""
        ...

    def tag(self) -> Hashable | None:
        """Tells its contents apart from others of this name; None if it is not there."""
        ...

    def sizes(self, below: bool = True) -> dict[str, int]:
        """The names in this folder and the bytes of each; also those in the folders `below` it."""
        ...

    def found(self) -> "dict[str, Found]":
        """The names in this folder and those below it: how large and how old each is, by the store's own clock."""
        ...

    def remove(self, names: Sequence[str]) -> None:
        """Remove these names of this folder and those below it. One that is not there is none that fails."""
        ...


class Found(NamedTuple):
    """A file that is there: its bytes, and the seconds since it was written."""

    size: int
    age: float


Place: TypeAlias = Path | Remote

LONGEST: Final = 300
"""Characters told of an error."""
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m|↳")
_FAULT: Final = re.compile(r"<Code>(.*?)</Code>(?:.*?<Message>(.*?)</Message>)?", re.DOTALL)


def one_line(error: object) -> str:
    """What the client of an object store says, in one line: the server's code and message if it answered."""
    text = _ANSI.sub("", str(error)).partition("Debug source")[0]
    found = _FAULT.search(text)
    words = ": ".join(filter(None, found.groups())) if found else text
    return " ".join(words.split())[:LONGEST]


def code(error: object) -> str:
    """The code in what a server of S3's answered; empty if nobody did."""
    found = _FAULT.search(str(error))
    return found[1] if found else ""


def absolute(place: Place) -> Place:
    """The same place, wherever this process goes."""
    return place.absolute() if isinstance(place, Path) else place


def tag(place: Place) -> Hashable | None:
    """Tells a file apart from others that had its name; None if it is not there.

    Raises:
        OSError: it cannot be told.
    """
    if not isinstance(place, Path):
        return place.tag()
    try:
        status = place.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def names(folder: Place) -> set[str]:
    """The names in a folder; none if it is not there.

    Raises:
        OSError: they cannot be read.
    """
    if not isinstance(folder, Path):
        return set(folder.sizes(below=False))
    try:
        return {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return set()


def parquet(place: Place, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """A Parquet file, to be read in part; the named columns of text as dictionaries.

    Raises:
        OSError, pa.ArrowInvalid: it is not there, or damaged.
    """
    try:
        return pq.ParquetFile(place if isinstance(place, Path) else place.open(), read_dictionary=list(dictionaries))
    except pa.ArrowInvalid as error:
        raise pa.ArrowInvalid(f"{place} is damaged: {error}") from error  # Arrow does not say which it is


def scan(files: Sequence[Place], columns: Sequence[str], schema: pa.Schema, wanted: Any) -> Iterator[pa.RecordBatch]:
    """The rows of Parquet files that are `wanted` (an expression of `pyarrow.dataset`), file by file.

    Statistics rule out what need not be read. Columns that a file lacks are null.

    Raises:
        OSError: a file cannot be read.
    """
    import pyarrow.dataset as ds  # noqa: PLC0415 - loads pandas where that is installed, which takes 0.2 s

    form = ds.ParquetFileFormat()
    for file in files:
        # A path has Arrow's own threads; theirs must not call Python, which may be about to end.
        source: Any = str(file) if isinstance(file, Path) else pa.PythonFile(file.open(), mode="r")
        local = {"filesystem": _local()} if isinstance(file, Path) else {}
        fragment = form.make_fragment(source, **local)
        threads = isinstance(file, Path)
        yield from fragment.to_batches(schema=schema, columns=list(columns), filter=wanted, use_threads=threads)


def _local() -> Any:
    from pyarrow import fs  # noqa: PLC0415 - loads every file system that Arrow knows

    return fs.LocalFileSystem()
