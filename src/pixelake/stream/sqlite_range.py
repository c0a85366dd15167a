"""Reads the hits of a span of time from the embedded stream, beside everybody: takes no lock, changes nothing.

Retention may unlink segments meanwhile, and damaged ones are set aside: what is
gone is passed over, and so is a hit that was erased as a whole: what others said
in it is in the lake alone. Each look at a file is a short one, so that its owner can
go on to move what is in the write-ahead log.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from pixelake.clock import SECOND
from pixelake.errors import StreamError
from pixelake.hit import ERASED, Codec, Hit
from pixelake.stream import segment
from pixelake.stream.base import Batch, Partition, Position

MOST_HITS: Final = 16_384
MOST_BYTES: Final = 16 << 20
"""Of a batch; one row of the stream may have more."""
STALL: Final = 600 * SECOND
"""Hits of one row may have waited so long (µs) for their commit, or been received so much before its first one, if the
clock was set back meanwhile."""

_PLACES: Final = "SELECT first, received_at FROM groups WHERE first <= ? AND received_at >= ? AND received_at < ?"
_ROW: Final = segment.SELECT + " WHERE first = ?"


class Span(NamedTuple):
    """From a moment up to another, which is not part of it; µs UTC."""

    begin: int
    end: int

    def has(self, moment: int) -> bool:
        """Whether a moment lies in it."""
        return self.begin <= moment < self.end


class SqliteRange:
    """The hits that are still held. One thread.

    Args:
        stream: the folder of the partitions.
    """

    def __init__(self, stream: Path) -> None:
        self._stream = stream
        self._codec = Codec()

    def hits(self, span: Span, up_to: Mapping[Partition, Position]) -> Iterator[Batch]:
        """Those received in `span`, up to these positions; of each partition in order, with gaps where others are.

        Memory: one batch, some 16 MB before they are decoded.

        Raises:
            StreamError: a segment cannot be read, or a newer version wrote it.
        """
        for folder in segment.partitions(self._stream):
            if folder.name in up_to:
                yield from _batches(folder.name, self._of(folder, span, up_to[folder.name]))

    def _of(self, folder: Path, span: Span, last: Position) -> Iterator[tuple[Position, Hit, int]]:
        """Position, hit, and about its bytes."""
        try:
            paths = [path for path in segment.segments(folder) if int(path.stem) <= last]
        except FileNotFoundError:
            return
        for path in paths:
            for row in self._rows(path, span, last):
                hits = self._decoded(row, path)
                size = self._codec.size(row.data) // max(1, len(hits))
                for position, hit in enumerate(hits, row.first):
                    if position <= last and span.has(hit.received_at) and hit.source != ERASED:
                        yield position, hit, size

    def _decoded(self, row: segment.Row, path: Path) -> list[Hit]:
        try:
            return segment.hits_of(row, self._codec)
        except segment.Damaged as error:
            structlog.get_logger().warning("passed over damaged hits", segment=str(path), error=str(error))
            return []

    def _rows(self, path: Path, span: Span, last: Position) -> Generator[segment.Row, None, None]:
        """The rows of a segment that may have hits of the span."""
        try:
            with closing(segment.connect(path)) as opened:
                segment.check(opened, path)
                found = opened.execute(_PLACES, (last, span.begin - STALL, span.end + STALL)).fetchall()
                for first, _ in sorted(found):
                    fields = opened.execute(_ROW, (first,)).fetchone()
                    if fields is not None:
                        yield segment.as_row(fields)
        except segment.FAILURES as error:
            if not path.exists():
                return  # it was forgotten meanwhile, or set aside
            if not segment.is_damage(error):
                hint = getattr(error, "hint", "") or "look at the disk of the data folder"
                raise StreamError(f"cannot read {path}: {error}", hint) from error
            structlog.get_logger().warning("passed over a damaged segment", segment=str(path), error=str(error))


def _batches(partition: Partition, found: Iterator[tuple[Position, Hit, int]]) -> Iterator[Batch]:
    positions: list[Position] = []
    hits: list[Hit] = []
    taken = 0
    for position, hit, size in found:
        if hits and (len(hits) >= MOST_HITS or taken + size > MOST_BYTES):
            yield Batch(partition, hits, positions)
            positions, hits, taken = [], [], 0
        positions.append(position)
        hits.append(hit)
        taken += size
    if hits:
        yield Batch(partition, hits, positions)
