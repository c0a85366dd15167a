"""After a power cut: broken tails are set aside, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from deltalake import DeltaTable

from pixelake.errors import LakeUnavailable
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import Lake, LakeReader
from pixelake.warehouse.recover import BROKEN, recover
from tests.warehouse.outcomes import event, outcome

WRITES = 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A lake of `WRITES` writes, one event each."""
    lake = Lake(tmp_path / "lake")
    for position in range(1, WRITES + 1):
        lake.write(outcome([event("a", position)]))
    return tmp_path / "lake"


def _entry(folder: Path, version: int) -> Path:
    return folder / "events/_delta_log" / f"{version:020}.json"


def _data(folder: Path, position: int) -> Path:
    table = DeltaTable(str(folder / "events"), version=position)
    before = DeltaTable(str(folder / "events"), version=position - 1)
    return Path((set(table.file_uris()) - set(before.file_uris())).pop())


def _last_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20] + b"\0" * 20)


DAMAGE: dict[str, tuple[Callable[[Path], None], int]] = {
    "newest entry empty": (lambda lake: _entry(lake, 4).write_bytes(b""), 3),
    "newest entry zeroes": (lambda lake: _entry(lake, 4).write_bytes(b"\0" * 900), 3),
    "newest entry cut": (lambda lake: _entry(lake, 4).write_bytes(_entry(lake, 4).read_bytes()[:-9]), 3),
    "older entry empty": (lambda lake: _entry(lake, 2).write_bytes(b""), 1),
    "entry missing in between": (lambda lake: _entry(lake, 3).unlink(), 2),
    "data file empty": (lambda lake: _data(lake, 4).write_bytes(b""), 3),
    "data file short": (lambda lake: _data(lake, 3).write_bytes(_data(lake, 3).read_bytes()[:-1]), 2),
    "data file missing": (lambda lake: _data(lake, 4).unlink(), 3),
    "data file without its end": (lambda lake: _last_half(_data(lake, 4)), 3),
    "everything": (lambda lake: [_entry(lake, version).write_bytes(b"") for version in range(5)] and None, 0),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_broken_tail_is_set_aside(folder: Path, name: str) -> None:
    """The table opens as of before the damage; what is broken is kept and told; the outcomes can be written again."""
    damage, left = DAMAGE[name]
    damage(folder)
    with structlog.testing.capture_logs() as logs:
        lake = Lake(folder)
    assert lake.set_aside
    assert logs[0]["log_level"] == "warning"
    kept = [path for path in (folder / "events" / BROKEN).rglob("*") if path.is_file()]
    assert sorted(f"events/{path.name}" for path in kept) == sorted(lake.set_aside)
    assert lake.positions() == ({"a": left} if left else {})
    lake.write(outcome([event("a", position) for position in range(1, WRITES + 1)]))
    rows = DeltaTable(str(folder / "events")).to_pyarrow_table()
    assert sorted(rows["position"].to_pylist()) == [1, 2, 3, 4]
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert sums.in_lake == WRITES


def test_whole_lake_is_left_alone(folder: Path) -> None:
    """Opening a lake that is whole moves nothing."""
    assert Lake(folder).set_aside == []
    assert not (folder / "events" / BROKEN).exists()


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_bad_checkpoint_and_pointer_are_set_aside(folder: Path, garbage: bytes) -> None:
    """A damaged checkpoint costs nothing: the entries are there."""
    log = folder / "events/_delta_log"
    (log / "00000000000000000003.checkpoint.parquet").write_bytes(garbage)
    (log / "_last_checkpoint").write_bytes(b'{"version":3,"size":7}')
    lake = Lake(folder)
    assert sorted(lake.set_aside) == ["events/00000000000000000003.checkpoint.parquet", "events/_last_checkpoint"]
    assert lake.positions() == {"a": 4}
    lake.write(outcome([event("a", 5)]))
    assert DeltaTable(str(folder / "events")).to_pyarrow_table().num_rows == 5


def test_empty_pointer_is_set_aside_and_the_checkpoint_used(folder: Path) -> None:
    """A good checkpoint stays good when only the file that points to it was lost."""
    DeltaTable(str(folder / "events")).create_checkpoint()
    (folder / "events/_delta_log/_last_checkpoint").write_bytes(b"")
    lake = Lake(folder)
    assert lake.set_aside == ["events/_last_checkpoint"]
    assert lake.positions() == {"a": 4}


def test_file_that_a_later_entry_removed_need_not_be_there(folder: Path) -> None:
    """Compacted and vacuumed files are missing for good reason."""
    table = DeltaTable(str(folder / "events"))
    table.optimize.compact()
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert Lake(folder).set_aside == []


def test_setting_aside_a_removal_looks_at_the_removed_again(folder: Path) -> None:
    """If a compaction is broken and its old files too, both go."""
    old = _data(folder, 4)
    table = DeltaTable(str(folder / "events"))
    table.optimize.compact()
    table.update_incremental()
    Path(table.file_uris()[0]).write_bytes(b"")
    old.unlink()
    assert Lake(folder).positions() == {"a": 3}


def test_lost_beginning_is_not_begun_anew(folder: Path) -> None:
    """A log without its first entry is no power cut: nothing is moved, the operator is told."""
    _entry(folder, 0).unlink()
    with pytest.raises(LakeUnavailable, match="lost its beginning"):
        Lake(folder)
    assert _entry(folder, 1).exists()


def test_reader_moves_nothing(folder: Path) -> None:
    """`status` beside a broken lake shows what is whole and leaves it as it is."""
    _entry(folder, 4).write_bytes(b"")
    before = sorted(folder.rglob("*"))
    assert LakeReader(folder).sums().in_lake == 3
    assert sorted(folder.rglob("*")) == before


def test_no_table_needs_no_recovery(tmp_path: Path) -> None:
    """Nothing is made where nothing is."""
    assert recover(tmp_path / "none", FakeClock()) == ()
    assert list(tmp_path.iterdir()) == []
