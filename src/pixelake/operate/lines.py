"""The lines of a file, plain or gzipped, named by its content: what is imported by its name is imported once.

A line ends with LF or CR LF. The content is looked through first, so that its
name is known before its first line is taken; a pipe is written down for that.
"""

import gzip
import io
import os
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from pixelake.errors import SourceError

BLOCK: Final = 1 << 20
"""Bytes that are read at once."""
ID_LENGTH: Final = 20
"""Hexadecimal digits of the name: among a billion files no two have the same by chance."""
STDIN: Final = "-"
_PACKED: Final = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
"""How files begin that are packed in a way that is not unpacked here."""
_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = (gzip.BadGzipFile, EOFError, zlib.error)


class Line(NamedTuple):
    """A line: its number from 1 on, its bytes without its end, and whether these are only its beginning."""

    number: int
    data: bytes
    is_cut: bool


class Source:
    """A file whose content is known.

    Attributes:
        name: as it was given.
        id: of the unpacked content; hexadecimal digits.
        lines: how many it has; the last one may lack its end.
        size: of the unpacked content, in bytes.
    """

    def __init__(self, name: str, file: BinaryIO) -> None:
        """Look the file through.

        Args:
            name: for people.
            file: can be read from its start.

        Raises:
            SourceError: it cannot be read, is damaged, or is packed in another way than gzip.
        """
        self.name, self._file = name, file
        digest, self.lines, self.size = sha256(), 0, 0
        last = b"\n"
        for block in self._blocks():
            digest.update(block)
            self.lines += block.count(b"\n")
            self.size += len(block)
            last = block[-1:]
        self.lines += last != b"\n"
        self._digest = digest.hexdigest()
        self.id = self._digest[:ID_LENGTH]

    def read(self, longest: int, start: int = 1) -> Iterator[Line]:
        """The lines from that number on, of each at most `longest` bytes.

        Raises:
            SourceError: it cannot be read, or, behind the last line, it is another file by now.
        """
        digest, left = sha256(), self.size
        number, rest, is_cut = 1, b"", False
        for block in self._blocks():
            block = block[:left]  # noqa: PLW2901 - what was added meanwhile is not looked at
            left -= len(block)
            digest.update(block)
            parts = (rest + block).split(b"\n")
            rest = parts.pop()
            for data in parts:
                if number >= start:
                    yield Line(number, data[:longest].removesuffix(b"\r"), is_cut or len(data) > longest)
                number, is_cut = number + 1, False
            if len(rest) > longest:
                rest, is_cut = rest[: longest + 1], True
            if not left:
                break
        if rest and number >= start:
            yield Line(number, rest[:longest].removesuffix(b"\r"), is_cut)
        if digest.hexdigest() != self._digest:
            raise SourceError(f"{self.name} was changed while it was read", "import a copy of it, or a rotated log")

    def _blocks(self) -> Iterator[bytes]:
        """The unpacked bytes."""
        try:
            self._file.seek(0)
            start = self._file.read(len(max(_PACKED, key=len)))
            self._file.seek(0)
            packed = next((name for magic, name in _PACKED.items() if start.startswith(magic)), None)
            if packed:
                raise SourceError(
                    f"{self.name} is packed with {packed}", "unpack it first; of packed files gzip is read"
                )
            source = gzip.GzipFile(fileobj=self._file) if start.startswith(_GZIP) else self._file
            while block := source.read(BLOCK):
                yield block
        except _DAMAGED as error:
            raise SourceError(
                f"{self.name} is damaged: {error}", "get it anew; nothing behind the damage is read"
            ) from error
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror or error}", "look at the file") from error


@contextmanager
def opened(
    name: str, spool: Path, stdin: BinaryIO, make: Callable[[str, BinaryIO], Source] = Source
) -> Iterator[Source]:
    """The file of that name, or what comes from `stdin` if that is `STDIN`.

    Args:
        name: a path.
        spool: a folder for what cannot be read twice; a nameless file there goes with us, however we end.
        stdin: for `STDIN`.
        make: of its name, and of what can be read from its start.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        file = stdin if name == STDIN else Path(name).open("rb")  # noqa: SIM115 - is closed below
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise SourceError(f"cannot read {name}: {why}", "name a file, or - for what comes through a pipe") from error
    try:
        with _twice(file, name, spool) as readable:
            yield make(name, readable)
    finally:
        if file is not stdin:
            file.close()


@contextmanager
def _twice(file: BinaryIO, name: str, spool: Path) -> Iterator[BinaryIO]:
    """The file, or a copy if it can be read only once."""
    try:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and name != STDIN:
            yield file
            return
    except (OSError, io.UnsupportedOperation):
        pass  # a file in memory, for tests: copied like a pipe
    with tempfile.TemporaryFile(dir=spool) as copy:
        try:
            shutil.copyfileobj(file, copy, BLOCK)
        except OSError as error:
            raise SourceError(f"cannot write {name} down: {error.strerror or error}", "look at the disk") from error
        yield copy
