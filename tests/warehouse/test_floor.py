"""How far a table is known to be durable."""

import os
from pathlib import Path

import pytest
from deltalake import DeltaTable
from structlog.testing import capture_logs

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import floor
from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome, reject


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the lake is."""
    return tmp_path / "lake"


def _floors(folder: Path) -> tuple[int, int]:
    return floor.read(folder / "events"), floor.read(folder / "rejects")


def test_no_floor_is_below_everything(folder: Path) -> None:
    """Where nothing was noted nothing is known."""
    assert _floors(folder) == (floor.NONE, floor.NONE)


def test_a_folder_that_is_none(folder: Path) -> None:
    """That it cannot be looked at is the disk's fault, and no damage that a backup would mend."""
    folder.write_text("no folder")
    with pytest.raises(LakeUnavailable, match="Not a directory") as caught:
        floor.read(folder / "events")
    assert caught.value.hint == "look at the disk"


def test_each_write_raises_it(folder: Path) -> None:
    """Opening and every write note the version they made durable, each table its own."""
    lake = Lake(folder)
    assert _floors(folder) == (0, 0)
    lake.write(outcome([event("a", 1)]))
    lake.write(outcome([event("a", 2)], [reject("a", 3)]))
    assert _floors(folder) == (2, 1)


def test_it_is_raised_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note is written once all that it speaks of is synced."""
    lake, synced = Lake(folder), []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append(path.name.removesuffix(".tmp") if path.is_file() else "")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    lake.write(outcome([event("a", 1)]))
    files = [name for name in synced if name]
    assert [files[0].partition("-")[0], *files[1:]] == ["part", f"{1:020}.json", floor.FLOOR]


def test_files_of_others_are_synced_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another program committed, which may not sync, is synced before it is called durable; ours not again."""
    lake, synced = Lake(folder), []
    lake.write(outcome([event("a", 1)]))
    lake.write(outcome([event("a", 2)]))
    table = DeltaTable(str(folder / "events"))
    table.optimize.compact()
    compacted = Path(table.file_uris()[0]).name
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    lake.write(outcome([event("a", 3)]))
    assert synced.index(compacted) < synced.index(f"{floor.FLOOR}.tmp")
    assert not [name for name in synced if name.startswith("part-") and name.endswith(".parquet") and name != compacted]
    assert _floors(folder) == (4, 0)


def test_a_failure_leaves_the_write_as_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If it cannot be noted, the rows are durable all the same; it is said, and the old floor holds."""
    lake = Lake(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, capture_logs() as logs:
        patch.setattr(floor, "raise_to", full)
        lake.write(outcome([event("a", 1)]))
    assert "No space" in logs[0]["error"]
    assert _floors(folder) == (0, 0)
    lake.write(outcome([event("a", 2)]))
    assert _floors(folder) == (2, 0)


def test_other_programs_pass_over_it(folder: Path) -> None:
    """A vacuum by Delta's own tools does not take it for waste."""
    Lake(folder).write(outcome([event("a", 1)]))
    table = DeltaTable(str(folder / "events"))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert _floors(folder) == (1, 0)
