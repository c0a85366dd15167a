"""The rows of a Parquet file as lines of JSON, for whoever reads lines; any other file is lines already."""

from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from pixelake.errors import SourceError
from pixelake.operate.lines import BLOCK, ID_LENGTH, Line, Source

MAGIC: Final = b"PAR1"
ROWS: Final = 4_096
"""That are in the memory at once."""


def source_of(name: str, file: BinaryIO) -> Source:
    """The lines of a file, or its rows if it is Parquet.

    Raises:
        SourceError: it cannot be read.
    """
    file.seek(0)
    start = file.read(len(MAGIC))
    return RowSource(name, file) if start == MAGIC else Source(name, file)


class RowSource(Source):
    """A Parquet file whose content is known; its rows are lines, objects of the columns that are no lists or maps."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        """Look the file through.

        Raises:
            SourceError: it cannot be read, or is damaged.
        """
        self.name, self._file = name, file
        self._digest = self._sum()
        self.id = self._digest[:ID_LENGTH]
        self._rows = self._open()
        self.lines = self._rows.metadata.num_rows
        self.size = file.seek(0, 2)

    def read(self, longest: int, start: int = 1) -> Iterator[Line]:
        """The rows from that number on, of each at most `longest` bytes. Raises SourceError as `Source.read` does."""
        columns = [each.name for each in self._rows.schema_arrow if not pa.types.is_nested(each.type)]
        number = 0
        try:
            for batch in self._rows.iter_batches(ROWS, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    if number >= start:
                        data = msgspec.json.encode(row)
                        yield Line(number, data[:longest], len(data) > longest)
        except (pa.ArrowException, OSError, TypeError, ValueError) as error:
            raise self._damaged(error) from error
        if self._sum() != self._digest:
            raise SourceError(f"{self.name} was changed while it was read", "import a copy of it")

    def _open(self) -> pq.ParquetFile:
        try:
            self._file.seek(0)
            return pq.ParquetFile(self._file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> SourceError:
        return SourceError(f"{self.name} is damaged: {str(error).splitlines()[0][:200]}", "get it anew")

    def _sum(self) -> str:
        digest = sha256()
        try:
            self._file.seek(0)
            while block := self._file.read(BLOCK):
                digest.update(block)
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror or error}", "look at the file") from error
        return digest.hexdigest()
