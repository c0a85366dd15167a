"""After a power cut: broken tails are set aside, and nothing else; what was durable and is lost is told."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from deltalake import DeltaTable

from pixelake.errors import LakeUnavailable
from pixelake.warehouse.floor import FLOOR
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.recover import BROKEN, broken
from pixelake.warehouse.sums import LakeReader
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


def _floor(folder: Path, version: int) -> None:
    """As if the power was cut before anything newer was known to be durable."""
    (folder / "events" / FLOOR).write_text(f'{{"version": {version}}}')


def _last_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20] + b"\0" * 20)


def _tree(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
    _floor(folder, left or -1)
    with structlog.testing.capture_logs() as logs:
        lake = Lake(folder)
    assert lake.set_aside
    assert (logs[0]["log_level"], logs[0]["positions"]) == ("warning", {"a": left} if left else {})
    kept = [path for path in (folder / "events" / BROKEN).rglob("*") if path.is_file()]
    assert sorted(f"events/{path.name}" for path in kept) == sorted(lake.set_aside)
    assert lake.positions() == ({"a": left} if left else {})
    lake.write(outcome([event("a", position) for position in range(1, WRITES + 1)]))
    rows = DeltaTable(str(folder / "events")).to_pyarrow_table()
    assert sorted(rows["position"].to_pylist()) == [1, 2, 3, 4]
    sums = LakeReader(folder).sums()
    assert sums.holds
    assert (sums.in_lake, sums.missed) == (WRITES, 0)
    assert [path.parent for path in LakeReader(folder).set_aside()] == [folder / "events" / BROKEN]


LOST: dict[str, tuple[Callable[[Path], None], Callable[[Path], Path]]] = {
    "newest entry empty": (lambda lake: _entry(lake, 4).write_bytes(b"") and None, lambda lake: _entry(lake, 4)),
    "newest entry missing": (lambda lake: _entry(lake, 4).unlink(), lambda lake: _entry(lake, 4)),
    "old entry missing": (lambda lake: _entry(lake, 2).unlink(), lambda lake: _entry(lake, 2)),
    "old data file missing": (lambda lake: _data(lake, 2).unlink(), lambda lake: next(_missing(lake))),
    "old data file short": (lambda lake: os.truncate(_data(lake, 2), 99), lambda lake: _data(lake, 2)),
    "newest data file empty": (lambda lake: os.truncate(_data(lake, 4), 0), lambda lake: _data(lake, 4)),
    "the whole log": (lambda lake: shutil.rmtree(_entry(lake, 0).parent), lambda lake: _entry(lake, 0)),
}


def _missing(folder: Path) -> Iterator[Path]:
    files = (Path(uri) for uri in DeltaTable(str(folder / "events")).file_uris())
    return (path for path in files if not path.exists())


@pytest.mark.parametrize("name", LOST)
def test_what_was_durable_is_never_set_aside(folder: Path, name: str) -> None:
    """If something is lost that was settled long ago, nothing is touched, and the operator hears which file it is."""
    damage, lost = LOST[name]
    damage(folder)
    before = _tree(folder)
    with pytest.raises(LakeUnavailable) as caught:
        Lake(folder)
    assert str(lost(folder)) in str(caught.value)
    assert "restore" in caught.value.hint
    assert _tree(folder) == before


@pytest.mark.parametrize("name", LOST)
def test_a_reader_shows_what_was_lost(folder: Path, name: str) -> None:
    """No sum with a tick beside a damaged lake: rows whose file is gone are not in it, and a lost entry is an error."""
    LOST[name][0](folder)
    if "data" not in name:
        with pytest.raises(LakeUnavailable) as caught:
            LakeReader(folder).sums()
        assert str(LOST[name][1](folder)) in str(caught.value)
        return
    sums = LakeReader(folder).sums()
    assert not sums.holds
    assert (sums.in_lake, sums.outcomes) == (WRITES - 1, WRITES)
    assert sums.damaged == [LOST[name][1](folder)]


def test_both_tables_are_looked_at_before_one_is_touched(folder: Path) -> None:
    """A broken tail of the events stays where it is while the rejects are damaged."""
    _entry(folder, 4).write_bytes(b"")
    _floor(folder, 3)
    (folder / "rejects/_delta_log" / _entry(folder, 0).name).unlink()
    before = _tree(folder)
    with pytest.raises(LakeUnavailable, match="rejects"):
        Lake(folder)
    assert _tree(folder) == before


def test_a_file_of_a_checkpoint_counts_too(folder: Path) -> None:
    """Also files that only a checkpoint still names are needed."""
    _data(folder, 1).unlink()
    DeltaTable(str(folder / "events")).create_checkpoint()
    for version in range(5):
        _entry(folder, version).unlink()
    with pytest.raises(LakeUnavailable, match="missing or damaged"):
        Lake(folder)


def test_the_remedies_help(folder: Path) -> None:
    """A file put back makes the lake whole; one that is given up does not stop the others, and shows."""
    path, data = _data(folder, 2), _data(folder, 2).read_bytes()
    path.unlink()
    with pytest.raises(LakeUnavailable):
        Lake(folder)
    path.write_bytes(data)
    Lake(folder).write(outcome([event("a", 5)]))
    assert LakeReader(folder).sums().holds
    path.unlink()
    DeltaTable(str(folder / "events")).repair()
    Lake(folder).write(outcome([event("a", 6)]))
    sums = LakeReader(folder).sums()
    assert (sums.in_lake, sums.outcomes, sums.holds, sums.damaged) == (5, 6, False, [])


def test_a_damaged_floor_is_no_floor_at_zero(folder: Path) -> None:
    """If the note of what is durable cannot be read, nothing is set aside on its account."""
    (folder / "events" / FLOOR).write_bytes(b"")
    _entry(folder, 4).write_bytes(b"")
    with pytest.raises(LakeUnavailable, match=FLOOR):
        Lake(folder)
    assert _entry(folder, 4).exists()


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
    _floor(folder, 3)
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
    _floor(folder, 3)
    before = sorted(folder.rglob("*"))
    assert LakeReader(folder).sums().in_lake == 3
    assert sorted(folder.rglob("*")) == before


def test_no_table_needs_no_recovery(tmp_path: Path) -> None:
    """Nothing is made where nothing is."""
    assert broken(tmp_path / "none") == ()
    assert list(tmp_path.iterdir()) == []
