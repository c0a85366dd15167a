"""A table in order of time, a slice at a time, however its rows lie in files."""

from datetime import timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import walk as walking
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.walk import Select, columns_of, walk
from tests.warehouse.outcomes import START, event, outcome


def log_of(folder: Path) -> DeltaLog:
    """The events, of the newest version."""
    log = DeltaLog(folder / "events")
    log.refresh()
    return log


def slices(folder: Path, select: Select = walking.EVERYTHING) -> list[pa.Table]:
    """All slices."""
    log = log_of(folder)
    return list(walk(log, columns_of(log), select))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Four partitions whose 120 events of three days lie in many files, in no order."""
    lake, random = Lake(tmp_path), Random(1)
    for write in range(4):
        rows = [
            event(
                f"p{write}",
                n,
                received_at=START + timedelta(seconds=random.choice([0, 1, random.randrange(3 * 86_400)])),
            )
            for n in range(1, 31)
        ]
        lake.write(outcome(rows))
    return lake


@pytest.mark.parametrize("most", [2, 17, 65_536])
@pytest.mark.parametrize("packed", [False, True])
def test_in_order_and_each_once(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, packed: bool
) -> None:
    """Also when some are compacted; no slice is larger than its bound but for those of one moment."""
    monkeypatch.setattr(walking, "SLICE_ROWS", most)
    if packed:
        for job in lake.plan():
            lake.compact(job)
    found = slices(tmp_path)
    rows = [row for each in found for row in each.to_pylist()]
    assert len(rows) == len({row["hit_id"] for row in rows}) == 120
    keys = [(row["received_at"], row["partition"], row["position"]) for row in rows]
    assert keys == sorted(keys)
    assert all((row["day"], row["hour"]) == tuple(row["received_at"].strftime("%d %H").split()) for row in rows)
    for each in found:
        assert each.num_rows <= most + 100
        if each.num_rows > max(most, 2):
            assert len(set(each["received_at"].to_pylist())) < each.num_rows


def test_memory_is_bounded_by_bytes(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that are large come in smaller slices."""
    monkeypatch.setattr(walking, "SMALL", 0)
    monkeypatch.setattr(walking, "SLICE_BYTES", 20_000)
    few = slices(tmp_path)
    monkeypatch.setattr(walking, "SLICE_BYTES", 1 << 30)
    assert len(few) > 2 * len(slices(tmp_path))


def test_a_part(lake: Lake, tmp_path: Path) -> None:
    """Files of other days are not opened."""
    start, end = START + timedelta(days=1), START + timedelta(days=1, hours=6)
    rows = [row for each in slices(tmp_path, Select(start, end)) for row in each.to_pylist()]
    everything = [row for each in slices(tmp_path) for row in each.to_pylist()]
    assert rows == [row for row in everything if start <= row["received_at"] < end]
    assert rows
    for path in (tmp_path / "events").rglob("day=10/**/*.parquet"):
        path.write_bytes(b"")
    assert len(slices(tmp_path, Select(start, end)))
    with pytest.raises(LakeUnavailable):
        slices(tmp_path)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    """It has no columns and no rows."""
    assert slices(tmp_path) == []
    assert columns_of(log_of(tmp_path)).names == []
