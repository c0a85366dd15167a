"""A folder in a bucket: what is special about it, beside what holds of every place."""

import io
import os
import threading
from pathlib import Path
from typing import IO

import pytest

from pixelake.errors import LakeUnavailable, LakeUnreachable
from tests.s3 import MISSING, Server, reached

objects = pytest.importorskip("pixelake.warehouse.objects", reason=MISSING, exc_type=ImportError)

DATA = os.urandom(3 << 20)
"""More than is read at a time."""


@pytest.fixture
def folder(s3: Server) -> "objects.ObjectPath":
    """A folder in a new bucket of each server."""
    return objects.lake(s3.bucket(), "/a//b/".replace("//", "/"))


def put(path: "objects.ObjectPath", data: bytes) -> None:
    """Make an object."""
    path.write(lambda file: file.write(data) and None)


def test_names(folder: "objects.ObjectPath") -> None:
    """A URL, and a last part; keys have no slash in front."""
    assert str(folder / "x").endswith("/a/b/x")
    assert str(folder / "x").startswith("s3://lake-")
    assert (folder / "x" / "y").name == "y"
    put(folder / "x", b"1")
    assert folder.sizes() == {"x": 1}


def test_one_name_is_one_place(folder: "objects.ObjectPath") -> None:
    """Made twice it is equal, as paths are."""
    assert folder / "a" == folder / "a" != folder / "b"
    assert len({folder / "a", folder / "a", folder / "b"}) == 2


def test_sizes(folder: "objects.ObjectPath") -> None:
    """Of all that is below, or of what lies here alone; a name that only begins alike is not ours."""
    for number in range(3):
        put(folder / f"deep={number}" / "file", b"x" * number)
    put(folder / "here", b"1234")
    put(folder.__class__(folder._bucket, "a/b-neighbour"), b"not ours")
    assert folder.sizes() == {"deep=0/file": 0, "deep=1/file": 1, "deep=2/file": 2, "here": 4}
    assert folder.sizes(below=False) == {"here": 4}


def test_more_than_one_page(folder: "objects.ObjectPath") -> None:
    """The client hands over fifty names at a time."""
    for number in range(60):
        put(folder / f"{number}", b"")
    assert len(folder.sizes()) == len(folder.sizes(below=False)) == 60


def test_a_large_object_is_read_in_parts(folder: "objects.ObjectPath") -> None:
    """From any place, in any order, to its end."""
    put(folder / "large", DATA)
    with (folder / "large").open() as file:
        assert file.seek(-5, io.SEEK_END) == len(DATA) - 5
        assert file.read() == DATA[-5:]
        assert file.read() == b""
        file.seek(1 << 20)
        assert file.read(10) == DATA[1 << 20 : (1 << 20) + 10]
        file.seek(3, io.SEEK_CUR)
        assert file.tell() == (1 << 20) + 13
        file.seek(0)
        assert file.read() == DATA


def test_files_for_sql(folder: "objects.ObjectPath", monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are fetched once, large ones by parts, within a bound of memory; nothing is written."""
    monkeypatch.setattr(objects, "SMALL", 1_000)
    put(folder / "small", b"x" * 999)
    put(folder / "large", DATA)
    put(folder / "other", b"y" * 999)
    files = folder.filesystem
    files._kept._most = 1_500
    for _ in range(2):
        assert files.open(str(folder / "small")).read() == b"x" * 999
        assert files.open(str(folder / "large")).read() == DATA
    assert (files.size(str(folder / "small")), files.info(str(folder / "large"))["size"]) == (999, len(DATA))
    assert files.modified("any") == files.modified("other")
    assert files._kept._size == 999
    assert files.open(str(folder / "other")).read() == b"y" * 999
    assert list(files._kept._files) == ["a/b/other"]
    with pytest.raises(FileNotFoundError):
        files.open(str(folder / "none"))
    with pytest.raises(OSError, match="can only be read"):
        files.open(str(folder / "small"), "wb")


def test_what_is_kept_is_counted_right() -> None:
    """Also by many threads, and when one name is put twice or is too large by itself."""
    kept = objects._Kept(100)

    def work(thread: int) -> None:
        for number in range(300):
            kept.put(f"{number % 7}", b"x" * (thread * 5 + number % 40))
            kept.get(f"{number % 5}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept._size == sum(map(len, kept._files.values())) <= 100
    kept.put("large", b"x" * 101)
    assert (kept._size, kept.get("large")) == (0, None)


def test_a_bucket_that_is_gone_is_no_empty_lake(s3: Server) -> None:
    """What is missing because all is missing is an error, not a missing file."""
    place = objects.lake("no-such-bucket", "lake")
    with pytest.raises(objects.StoreError, match="NoSuchBucket") as caught:
        (place / "file").read_bytes()
    assert caught.value.is_refusal
    assert caught.value.hint == objects.HINT
    with pytest.raises(LakeUnavailable, match="NoSuchBucket"):
        place.check()


def test_check(folder: "objects.ObjectPath", seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty bucket will do; an unknown key will not; where nobody answers it may pass."""
    folder.check()
    reached(monkeypatch, seaweedfs.environment | {"AWS_ACCESS_KEY_ID": "nobody"})
    with pytest.raises(LakeUnavailable, match="InvalidAccessKeyId") as caught:
        objects.lake(seaweedfs.bucket(), "lake").check()
    assert not isinstance(caught.value, LakeUnreachable)
    reached(monkeypatch, seaweedfs.environment | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(LakeUnreachable) as caught:
        objects.lake("bucket", "lake").check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        ("<Code>AccessDenied</Code>", True),
        ("<Code>NoSuchBucket</Code><Message>no</Message>", True),
        ("<Code>SlowDown</Code>", False),
        ("<Code>ServiceUnavailable</Code>", False),
        ("connection refused", False),
    ],
)
def test_a_refusal_is_told_from_a_bad_moment(said: str, refuses: bool) -> None:
    """Who says no will say it again; who is busy, or away, may not."""
    assert objects.StoreError(said).is_refusal is refuses


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Region and endpoint as for other programs of AWS's; without an endpoint only TLS is spoken."""
    assert objects.Bucket("b", {}).region == "us-east-1"
    assert objects.Bucket("b", {"AWS_DEFAULT_REGION": "eu-west-1"}).region == "eu-west-1"
    both = {"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-1"}
    assert objects.ObjectPath(objects.Bucket("b", both), "k").options["aws_region"] == "eu-north-1"
    assert objects.ObjectPath(objects.Bucket("b", {}), "k").options["allow_http"] == "false"
    assert objects.Bucket("b", {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}).plain
    assert not objects.Bucket("b", {"AWS_ENDPOINT_URL": "https://s3.example"}).plain


def test_found_and_removed(folder: "objects.ObjectPath") -> None:
    """What is there, how large, and how old by the store's clock; removed by name, also what is not there."""
    put(folder / "deep=1" / "file", b"123")
    put(folder / "here", b"1234")
    found = folder.found()
    assert {name: each.size for name, each in found.items()} == {"deep=1/file": 3, "here": 4, "_clock": 0}
    assert all(0 <= each.age < 600 for each in found.values())
    folder.remove(["deep=1/file", "none"])
    assert set(folder.sizes()) == {"here", "_clock"}
    folder.remove([])


def test_many_are_removed(folder: "objects.ObjectPath", monkeypatch: pytest.MonkeyPatch) -> None:
    """In as many requests as it takes."""
    monkeypatch.setattr(objects, "AT_ONCE", 2)
    for number in range(5):
        put(folder / f"{number}", b"x")
    folder.remove([f"{number}" for number in range(4)])
    assert folder.sizes() == {"4": 1}


def test_what_is_being_written_lies_where_it_may(s3: Server, tmp_path: Path) -> None:
    """In the folder that is named, not in the system's, which may be memory; the owner's alone, and nothing stays."""
    spool = tmp_path / "spill"
    place = objects.lake(s3.bucket(), "lake", spool)
    seen: list[Path] = []

    def fill(file: IO[bytes]) -> None:
        file.write(DATA)
        seen.append(Path(f"/proc/self/fd/{file.fileno()}").readlink())

    assert (place / "x").write(fill) == len(DATA)
    assert seen[0].parent == spool
    assert spool.stat().st_mode & 0o077 == 0
    assert (place / "x").read_bytes() == DATA
    assert not list(spool.iterdir())
    missing = objects.lake(s3.bucket(), "lake", tmp_path / "no" / "spill")
    assert (missing / "x").write(lambda file: file.write(b"12") and None) == 2
