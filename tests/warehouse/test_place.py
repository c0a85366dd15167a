"""Where a lake lies: what holds of a folder on a disk, and of one in a bucket."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from pixelake.warehouse import durable, place
from pixelake.warehouse.place import Place
from tests.s3 import MISSING, Server, reached

objects = pytest.importorskip("pixelake.warehouse.objects", reason=MISSING, exc_type=ImportError)

ROWS = pa.table({"n": pa.array([1, 2, 3], pa.int64()), "text": ["a", "b", "a"]})


@pytest.fixture(params=["disk", "seaweedfs", "moto"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty folder of each kind."""
    if request.param == "disk":
        return tmp_path
    server: Server = request.getfixturevalue(request.param)
    reached(monkeypatch, server.environment)
    return objects.lake(server.bucket(), "a/b")


def put(where: Place, data: bytes) -> None:
    """Make a file."""
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
    assert durable.write(where, lambda file: file.write(data) and None) == len(data)


def parquet_of(rows: pa.Table) -> bytes:
    """Rows as a file."""
    file = io.BytesIO()
    pq.write_table(rows, file)
    return file.getvalue()


def test_names_and_paths(folder: Place) -> None:
    """A folder that is not there is empty; files of its folders are not its own."""
    assert place.names(folder / "none") == set()
    for name in ("one", "two"):
        put(folder / name, b"x")
    put(folder / "deep" / "three", b"x")
    assert {"one", "two"} <= place.names(folder) <= {"one", "two", "deep"}
    assert (folder / "deep" / "three").name == "three"
    assert str(folder / "deep" / "three").endswith("/deep/three")


def test_a_tag_tells_contents_apart(folder: Place) -> None:
    """None while it is not there; another after it was written anew with other contents."""
    file = folder / "file"
    assert place.tag(file) is None
    put(file, b"one")
    before = place.tag(file)
    assert before is not None
    assert place.tag(file) == before
    put(file, b"other")
    assert place.tag(file) not in (before, None)
    assert file.read_bytes() == b"other"


def test_what_is_missing_is_not_found(folder: Place) -> None:
    """For who reads on until there is no further entry."""
    with pytest.raises(FileNotFoundError):
        (folder / "none").read_bytes()


def test_half_a_file_is_none(folder: Place) -> None:
    """If filling fails nothing is there."""

    def fill(file: object) -> None:
        file.write(b"half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        durable.write(folder / "file", fill)
    assert place.names(folder) == set()


def test_parquet_is_read_in_part(folder: Place) -> None:
    """Columns, and texts as dictionaries where asked."""
    put(folder / "rows.parquet", parquet_of(ROWS))
    assert place.parquet(folder / "rows.parquet").read() == ROWS
    found = place.parquet(folder / "rows.parquet", ["text"]).read(columns=["text"])
    assert pa.types.is_dictionary(found.schema.field("text").type)
    assert found["text"].to_pylist() == ["a", "b", "a"]
    put(folder / "broken.parquet", b"PAR1 no PAR1")
    with pytest.raises((pa.ArrowInvalid, OSError)):
        place.parquet(folder / "broken.parquet")


def test_scan_takes_what_is_wanted(folder: Place) -> None:
    """Of several files, with null for columns that one lacks."""
    put(folder / "one.parquet", parquet_of(ROWS))
    put(folder / "two.parquet", parquet_of(ROWS.select(["n"])))
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    files = [folder / "one.parquet", folder / "two.parquet"]
    batches = place.scan(files, ["n", "text"], schema, ds.field("n") > 1)
    found = [row for batch in batches for row in batch.to_pylist()]
    assert found == [
        {"n": 2, "text": "b"},
        {"n": 3, "text": "a"},
        {"n": 2, "text": None},
        {"n": 3, "text": None},
    ]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("\x1b[31mGeneric S3 error\x1b[0m: no\nhost   there\n\nDebug source:\nlong", "Generic S3 error: no host there"),
        ("x <Error><Code>AccessDenied</Code><Message>no\n way</Message>", "AccessDenied: no way"),
        ("x <Code>SlowDown</Code>", "SlowDown"),
        ("y" * 5_000, "y" * place.LONGEST),
        ("", ""),
    ],
)
def test_errors_are_one_line(said: str, line: str) -> None:
    """Without colours, details for developers, or an end of line; bounded."""
    assert place.one_line(said) == line


def test_an_error_carries_its_hint() -> None:
    """What a store says names where to look; what a disk says, the disk."""
    for error, hint in ((objects.StoreError("no"), objects.StoreError.hint), (OSError(28, "full"), "look at the disk")):
        with pytest.raises(Exception, match="cannot work") as caught, durable.reported("work"):
            raise error
        assert caught.value.hint == hint
