"""Rows leave a file: the others stay as they were, in their order, and no byte of what went stays behind."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import lake as lakes
from pixelake.warehouse import layout, leave, place
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.compact import PREFIX
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.sums import LakeReader
from tests.s3 import Server, reached
from tests.warehouse.outcomes import event, outcome, reject

SECRET = "Zq7-secret-person-9x"


@pytest.fixture
def table(tmp_path: Path) -> DeltaWriter:
    """An empty table of events."""
    return DeltaWriter(tmp_path / "events", EVENTS, SYSTEM)


def put(table: DeltaWriter, rows: list[dict[str, Any]]) -> DataFile:
    """A file of these rows, committed."""
    (add,) = table.add_files(pa.Table.from_pylist(rows, EVENTS))
    table.commit(Change([add]), {})
    return table.log.files[add.path]


def user(name: str) -> leave.Gone:
    """The rows of a user."""
    return lambda rows: pc.equal(rows["user_id"], pa.scalar(name))


def read(table: DeltaWriter, path: str) -> pa.Table:
    """The rows of a file, as they are stored."""
    return place.parquet(table.log.folder / path).read()


def test_others_stay_in_their_order(table: DeltaWriter) -> None:
    """What does not go is equal in every column, in the order it had."""
    rows = [event("a", at, user_id="x" if at % 3 else "y", title=f"t{at}") for at in range(1, 31)]
    file = put(table, rows)
    before = read(table, file.name)
    left = leave.rewrite(table, file, user("y"), ["user_id"])
    assert left.adds is not None
    (add,) = left.adds
    after = read(table, add.path)
    assert after.equals(before.filter(pc.equal(before["user_id"], "x")))
    assert left.gone == Counter(a=10)
    assert left.ids == {f"a-{at}" for at in range(3, 31, 3)}


def test_statistics_follow(table: DeltaWriter) -> None:
    """The successor's statistics are those of the rows it has, so that who prunes by them finds every row."""
    file = put(table, [event("a", at, user_id="y" if at in {1, 9} else "x") for at in range(1, 10)])
    left = leave.rewrite(table, file, user("y"))
    assert left.adds
    table.commit(Change(left.adds, [file]), {})
    (new,) = table.log.files.values()
    assert new.statistics()["numRecords"] == 7
    assert (new.statistics()["minValues"]["position"], new.statistics()["maxValues"]["position"]) == (2, 8)
    assert new.name.rpartition("/")[0] == file.name.rpartition("/")[0]


def test_a_file_that_loses_nothing_stays(table: DeltaWriter) -> None:
    """No file is written where no row goes, also when the answer is null for each."""
    file = put(table, [event("a", at) for at in range(1, 4)])
    assert leave.rewrite(table, file, user("nobody")).adds is None
    assert len(list(Path(str(table.log.folder)).rglob("*.parquet"))) == 1


def test_a_file_that_loses_all_has_no_successor(table: DeltaWriter) -> None:
    """All rows gone: nothing is written, and the rows are counted by partition."""
    file = put(table, [*(event("a", at) for at in range(1, 4)), event("b", 7)])
    left = leave.rewrite(table, file, lambda rows: pa.repeat(pa.scalar(True), rows.num_rows), ["site"])
    assert (left.adds, left.gone) == ((), Counter(a=3, b=1))
    assert len(list(Path(str(table.log.folder)).rglob("*.parquet"))) == 1


@pytest.mark.parametrize("small", [0, 1 << 30], ids=["dictionaries", "plain"])
@pytest.mark.parametrize("name", ["part-", PREFIX])
def test_no_byte_of_what_went_stays(table: DeltaWriter, monkeypatch: pytest.MonkeyPatch, name: str, small: int) -> None:
    """Dictionaries and statistics of the successor hold nothing of the rows that went."""
    monkeypatch.setattr(leave, "SMALL", small)
    rows = [
        event("a", at, user_id=SECRET if at % 2 else "other", site="shop", title=f"about {SECRET if at % 2 else 'all'}")
        for at in range(1, 2_001)
    ]
    stored = layout.complete(pa.Table.from_pylist(rows, EVENTS), table.stored)
    extent = layout.Extent()
    extent.add(stored)
    values = dict(zip(("year", "month", "day", "hour"), ("2026", "02", "10", "21"), strict=True))
    add = table.add_file(values, f"{name}x", lambda file: layout.write(stored, file), extent)
    table.commit(Change([add]), {})
    left = leave.rewrite(table, table.log.files[add.path], user(SECRET), ["user_id"])
    assert left.adds
    path = Path(str(table.log.folder)) / left.adds[0].path
    assert path.name.startswith(name)
    assert SECRET.encode() not in uncompressed(path)
    assert pq.ParquetFile(path).metadata.num_rows == 1_000


def uncompressed(path: Path) -> bytes:
    """The bytes of a file, and all values of its pages as text, those of dictionaries too, used or not."""
    source = pq.ParquetFile(path, read_dictionary=layout.dictionaries(pq.ParquetFile(path).metadata))
    sink = pa.BufferOutputStream()
    for group in range(source.num_row_groups):
        for column in source.read_row_group(group).columns:
            for chunk in column.chunks:
                values = chunk.dictionary if isinstance(chunk, pa.DictionaryArray) else chunk
                sink.write(repr(values.to_pylist()).encode())
    return bytes(sink.getvalue()) + path.read_bytes()


def test_row_groups_are_taken_one_by_one(table: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a file with many groups, looked at in parts of another size: exactly those that are meant go."""
    monkeypatch.setattr(layout, "GROUP_ROWS", 700)
    monkeypatch.setattr(leave, "LOOK_ROWS", 333)
    rows = [event("a", at, user_id="y" if at % 7 == 0 or at <= 700 else "x") for at in range(1, 3_001)]
    left = leave.rewrite(table, put(table, rows), user("y"), ["user_id"])
    assert left.adds
    kept = read(table, left.adds[0].path)
    assert kept["position"].to_pylist() == [at for at in range(701, 3_001) if at % 7]


def test_a_missing_file_is_said(table: DeltaWriter) -> None:
    """A file that is not there is told in one line, and nothing is committed."""
    file = put(table, [event("a", 1)])
    (Path(str(table.log.folder)) / file.name).unlink()
    with pytest.raises(LakeUnavailable, match="No such file"):
        leave.rewrite(table, file, user("x"))


def test_columns_that_came_later_are_null(tmp_path: Path) -> None:
    """A file without a column that the table has since is asked about it as null, and its successor has it."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 1), event("a", 2)]))
    schema = EVENTS.append(pa.field("own", pa.string()))
    newer = DeltaWriter(tmp_path / "lake" / "events", schema, SYSTEM)
    (file,) = newer.log.files.values()
    asked: list[Any] = []

    def gone(rows: pa.Table) -> Any:
        asked.extend(rows["own"].to_pylist())
        return pc.equal(rows["position"], pa.scalar(1))

    left = leave.rewrite(newer, file, gone, ["own", "position"])
    assert asked == [None, None]
    assert left.adds
    assert "own" in read(newer, left.adds[0].path).column_names


def sums(folder: Path) -> tuple[int, int, int, int]:
    """Outcomes, in the lake, rejected and removed; they add up."""
    found = LakeReader(folder).sums()
    assert found.holds, found
    return found.outcomes, found.in_lake, found.rejected, found.removed


def fill(lake: Lake) -> None:
    """Six events of two users in three files, two partitions, and a reject."""
    for partition in ("a", "b"):
        rows = [event(partition, at, user_id="y" if at == 2 else "x") for at in range(1, 4)]
        lake.write(outcome(rows, [reject(partition, 4)]))


def test_rows_that_leave_are_counted(tmp_path: Path) -> None:
    """What leaves is removed from the sums, by partition, and a second call finds nothing."""
    lake = Lake(tmp_path / "lake")
    fill(lake)
    assert sums(tmp_path / "lake") == (8, 6, 2, 0)
    lefts = [left for left in lake.leave(user("y"), ["user_id"]) if left.adds is not None]
    assert {hit_id for left in lefts for hit_id in left.ids} == {"a-2", "b-2"}
    assert sums(tmp_path / "lake") == (8, 4, 2, 2)
    assert all(left.adds is None for left in lake.leave(user("y"), ["user_id"]))
    fresh = Lake(tmp_path / "lake")
    fresh.write(outcome([event("a", 5)]))
    assert sums(tmp_path / "lake") == (9, 5, 2, 2)


def test_others_may_compact_and_write_meanwhile(tmp_path: Path) -> None:
    """Files that somebody else replaces while they are looked at are looked at again; nothing is lost or left."""
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "lake")
    fill(lake)
    asked = []

    def gone(rows: pa.Table) -> Any:
        if not asked:
            for todo in other.plan():
                other.compact(todo)
            other.write(outcome([event("a", 5, user_id="y"), event("a", 6)]))
        asked.append(rows.num_rows)
        return pc.equal(rows["user_id"], pa.scalar("y"))

    assert {each for left in lake.leave(gone, ["user_id"]) for each in left.ids} >= {"a-2", "b-2", "a-5"}
    assert sums(tmp_path / "lake") == (10, 5, 2, 3)
    log = DeltaLog(tmp_path / "lake" / "events")
    log.refresh()
    users = [place.parquet(log.folder / file.name).read()["user_id"].to_pylist() for file in log.files.values()]
    assert "y" not in {user for found in users for user in found}


def test_what_is_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each commit the sums hold; who stops behind the first one finds the rest at the next call."""
    monkeypatch.setattr(lakes, "LEAVING", 1)
    lake = Lake(tmp_path / "lake")
    fill(lake)
    for left in lake.leave(user("y"), ["user_id"]):
        assert left.gone.total() == 1
        break
    assert sums(tmp_path / "lake") == (8, 5, 2, 1)
    assert sum(left.gone.total() for left in Lake(tmp_path / "lake").leave(user("y"), ["user_id"])) == 1
    assert sums(tmp_path / "lake") == (8, 4, 2, 2)


def test_a_lake_in_a_bucket(seaweedfs: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in an object store."""
    reached(monkeypatch, seaweedfs.environment)
    from pixelake.warehouse import objects

    folder = objects.lake(seaweedfs.bucket(), "a/lake")
    lake = Lake(folder)
    fill(lake)
    assert sum(left.gone.total() for left in lake.leave(user("y"), ["user_id"])) == 2
    found = LakeReader(folder).sums()
    assert (found.holds, found.in_lake, found.removed) == (True, 4, 2)
