"""What any version ever wrote is read today: see `tests.stream.golden`."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from pixelake.hit import Codec
from pixelake.stream import segment
from pixelake.stream.groups import Committed
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.stream.sqlite_watcher import SqliteWatcher
from tests.hits import drain
from tests.stream.golden import GOLDEN, HITS, SETTLED, make

VERSIONS = sorted(path.name for path in GOLDEN.iterdir())


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the files of one version: SQLite writes beside what it reads."""
    return shutil.copytree(GOLDEN / request.param, tmp_path / request.param)


def test_no_version_is_forgotten() -> None:
    """Version 1 and all that follow it."""
    assert [f"v{number}" for number in range(1, len(VERSIONS) + 1)] == VERSIONS


def test_the_codec_reads_its_bytes(golden: Path) -> None:
    """Field by field what was written."""
    assert tuple(Codec().decode((golden / "hits.bin").read_bytes())) == HITS


def test_the_newest_version_is_what_is_written_today(tmp_path: Path) -> None:
    """A change of what is on the disk needs golden files of its own."""
    make(tmp_path / "today")
    newest = GOLDEN / VERSIONS[-1]
    assert (tmp_path / "today" / "hits.bin").read_bytes()[:1] == (newest / "hits.bin").read_bytes()[:1]
    assert _schema(tmp_path / "today") == _schema(newest)


def _schema(folder: Path) -> set[tuple[str, str, int]]:
    found = set()
    for path in (folder / "stream").rglob("*.sqlite"):
        database = sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)
        (version,) = database.execute("PRAGMA user_version").fetchone()
        found |= {(path.name, sql, version) for (sql,) in database.execute("SELECT sql FROM sqlite_master")}
        database.close()
    return found


def test_a_reader_gets_its_hits(golden: Path) -> None:
    """All of them, in order, at their positions, from both segments; nothing is set aside."""
    [partition] = segment.partitions(golden / "stream")
    reader = SqliteReader(golden / "stream", "other", retention=1e12)
    batches = drain(reader)
    reader.close()
    assert tuple(hit for batch in batches for hit in batch.hits) == HITS
    assert [place for batch in batches for place in batch.positions] == list(range(1, len(HITS) + 1))
    assert {batch.partition for batch in batches} == {partition.name}
    [extent] = SqliteWatcher(golden / "stream").extents()
    assert (extent.first, extent.last, extent.set_aside) == (1, len(HITS), [])


def test_a_group_goes_on_where_it_was(golden: Path) -> None:
    """The positions of readers are read too."""
    [partition] = segment.partitions(golden / "stream")
    committed = Committed(golden / "stream", "consume")
    assert committed.get(partition.name) == SETTLED
    committed.close()
    reader = SqliteReader(golden / "stream", "consume", retention=1e12)
    assert tuple(hit for batch in drain(reader) for hit in batch.hits) == HITS[SETTLED:]
    reader.close()
