"""Backups in a bucket, and of a lake in a bucket."""

from pathlib import Path

import pytest

from pixelake import build
from pixelake.errors import BackupError
from pixelake.operate.depot import MARKER, Depot
from pixelake.settings import Settings
from tests.operate.installation import Installation, silent
from tests.s3 import MISSING, Server

objects = pytest.importorskip("pixelake.warehouse.objects", reason=MISSING, exc_type=ImportError)


def test_there_and_back(s3: Server, tmp_path: Path) -> None:
    """Made, made again, thinned out, looked at, restored: as on a disk."""
    house = Installation(tmp_path / "data")
    house.send(range(10))
    house.settle()
    house.send(range(10, 20))
    place = f"s3://{s3.bucket()}/pixelake/backups"
    with pytest.raises(BackupError, match="no backups"):
        build.backups(place)
    first = build.backup(house.settings, place, silent)
    house.settle()
    second = build.backup(house.settings, place, silent, 1)
    assert second.removed == [first.stamp]
    assert second.new_files < second.files
    assert build.backups(place) == [second.stamp]
    assert build.check_backups(place, silent).whole == [second.stamp]
    build.restore(Settings(data=tmp_path / "new"), place, silent)
    again = Installation(tmp_path / "new")
    assert again.rows() == list(range(20))


def test_what_is_missing_there(s3: Server, tmp_path: Path) -> None:
    """A file of the pool, or the bucket: one line, and nothing is left."""
    house = Installation(tmp_path / "data")
    house.send(range(3))
    bucket = s3.bucket()
    done = build.backup(house.settings, f"s3://{bucket}/b", silent)
    file = Depot(objects.lake(bucket, "b")).manifest(done.stamp).files[0]
    objects.lake(bucket, "b").remove([f"pool/{file.sha256[:2]}/{file.sha256}"])
    with pytest.raises(BackupError, match="missing"):
        build.restore(Settings(data=tmp_path / "new"), f"s3://{bucket}/b", silent)
    assert not (tmp_path / "new").exists()
    with pytest.raises(BackupError, match="NoSuchBucket"):
        build.backup(house.settings, f"s3://{bucket}-not/b", silent)
    objects.lake(bucket, "other").write(lambda to: to.write(b"x"))
    (objects.lake(bucket, "strange") / "letter.txt").write(lambda to: to.write(b"x"))
    with pytest.raises(BackupError, match="letter"):
        build.backup(house.settings, f"s3://{bucket}/strange", silent)
    assert MARKER not in (objects.lake(bucket, "strange")).sizes()


def test_a_lake_in_a_bucket(s3: Server, tmp_path: Path) -> None:
    """It is copied, too; restored, it lies on the disk."""
    house = Installation(tmp_path / "data", lake=f"s3://{s3.bucket()}/lake")
    house.send(range(10))
    house.settle()
    house.send(range(10, 15))
    first = build.backup(house.settings, str(tmp_path / "backups"), silent)
    second = build.backup(house.settings, str(tmp_path / "backups"), silent)
    assert second.new_files <= 2 < first.new_files
    build.restore(Settings(data=tmp_path / "new"), str(tmp_path / "backups"), silent)
    again = Installation(tmp_path / "new")
    again.settle()
    assert again.rows() == list(range(15))
