"""A span of the stream, read beside everybody: which hits, in which order, and what is passed over."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pixelake.errors import StreamError
from pixelake.hit import PARTLY_ERASED, Hit
from pixelake.stream import segment, sqlite_range
from pixelake.stream.base import Position
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_range import Span, SqliteRange
from pixelake.stream.sqlite_reader import SqliteReader
from tests.hits import append, drain

SECOND = 1_000_000
AT = 1_770_757_200 * SECOND
EVER = Span(0, 1 << 60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stream is."""
    return tmp_path / "stream"


def received(*seconds: int) -> list[Hit]:
    """Hits that came so many seconds after some moment."""
    return [Hit.of(AT + each * SECOND, "", "", "GET", b"/?n=%d" % each, b"") for each in seconds]


def there(folder: Path, span: Span = EVER, **up_to: Position) -> Mapping[str, list[tuple[Position, int]]]:
    """Positions and seconds, by partition."""
    found: dict[str, list[tuple[Position, int]]] = {}
    known = up_to or {path.name: 1 << 60 for path in segment.partitions(folder)}
    for batch in SqliteRange(folder).hits(span, known):
        seconds = [(hit.received_at - AT) // SECOND for hit in batch.hits]
        found.setdefault(batch.partition, []).extend(zip(batch.positions, seconds, strict=True))
    return found


def test_the_span(folder: Path) -> None:
    """From its first moment on, up to its last one and without it; whatever the clock did meanwhile."""
    append(SqliteWriter(folder), received(0, 5, 2, 9), close=True)
    append(SqliteWriter(folder), received(3), close=True)
    span = Span(AT + 2 * SECOND, AT + 9 * SECOND)
    assert sorted(there(folder, span).values()) == [[(1, 3)], [(2, 5), (3, 2)]]
    assert there(folder, Span(AT + 10 * SECOND, 1 << 60)) == {}


def test_up_to_a_position(folder: Path) -> None:
    """Of each partition that is named; others, and those that are not there, have none."""
    append(SqliteWriter(folder), received(*range(5)), close=True)
    append(SqliteWriter(folder), received(7), close=True)
    (name, *_) = (path.name for path in segment.partitions(folder) if len(there(folder)[path.name]) > 1)
    assert there(folder, **{name: 2, "000000000000": 9}) == {name: [(1, 0), (2, 1)]}


def test_over_segments_and_batches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All hits once, in order; a batch has a bound."""
    monkeypatch.setattr(sqlite_range, "MOST_HITS", 4)
    for part in range(3):
        append(SqliteWriter(folder, segment_bytes=1), *(received(n) for n in range(part, part + 5)), close=True)
    batches = list(SqliteRange(folder).hits(EVER, {path.name: 99 for path in segment.partitions(folder)}))
    assert max(len(batch.hits) for batch in batches) == 4
    assert sum(len(batch.hits) for batch in batches) == 15
    for name in {batch.partition for batch in batches}:
        positions = [at for batch in batches if batch.partition == name for at in batch.positions]
        assert positions == list(range(1, len(positions) + 1))


def test_what_is_erased(folder: Path) -> None:
    """A hit of which only its time is left is passed over; one that others are told of, too, is not."""
    partly = msgspec.structs.replace(received(2)[0], source="http" + PARTLY_ERASED)
    append(SqliteWriter(folder), [*received(0), received(1)[0].erased(), partly], close=True)
    assert list(there(folder).values()) == [[(1, 0), (3, 2)]]


def test_beside_an_owner_and_a_reader(folder: Path) -> None:
    """Neither is disturbed: a reader has its partition, the owner goes on, and what it appends is seen."""
    writer = SqliteWriter(folder)
    append(writer, received(0))
    reader = SqliteReader(folder, "g")
    assert len(drain(reader)) == 1
    append(writer, received(1))
    assert list(there(folder).values()) == [[(1, 0), (2, 1)]]
    assert [at for batch in drain(reader) for at in batch.positions] == [2]
    reader.close()


def test_what_is_forgotten_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is passed over."""
    append(SqliteWriter(folder), received(0), close=True)
    append(SqliteWriter(folder), received(1), close=True)
    first, second = segment.partitions(folder)
    real = segment.connect

    def connect(path: Path, **options: bool) -> sqlite3.Connection:
        if path.parent == first:
            segment.unlink(path)
        return real(path, **options)

    monkeypatch.setattr(segment, "connect", connect)
    assert there(folder).keys() == {second.name}


def test_damage_is_passed_over(folder: Path) -> None:
    """A row that is not what was written, or a file that is none: the others are there."""
    append(SqliteWriter(folder), received(0), close=True)
    append(SqliteWriter(folder), received(1), close=True)
    first, second = segment.partitions(folder)
    (path,) = segment.segments(first)
    with closing(segment.connect(path, write=True)) as opened:
        opened.execute("update groups set data = x'0200'")
    assert there(folder).keys() == {second.name}
    (path,) = segment.segments(second)
    segment.unlink(path)
    path.write_bytes(b"no segment" * 1_000)
    assert there(folder) == {}


def test_what_a_newer_version_wrote(folder: Path) -> None:
    """Is no damage: it is told."""
    append(SqliteWriter(folder), received(0), close=True)
    (path,) = segment.segments(segment.partitions(folder)[0])
    with closing(segment.connect(path, write=True)) as opened:
        opened.execute("update groups set data = x'7f00'")
    with pytest.raises(StreamError, match="version 7f") as raised:
        there(folder)
    assert "newer" in raised.value.hint
