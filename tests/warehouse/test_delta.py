"""The writer of one Delta table."""

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction

from pixelake.clock import SYSTEM
from pixelake.errors import Conflict, LakeUnavailable
from pixelake.warehouse import durable, layout
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DeltaLog
from tests.warehouse.outcomes import START, event, outcome


@pytest.fixture
def writer(tmp_path: Path) -> DeltaWriter:
    """A writer of a new table."""
    return DeltaWriter(tmp_path / "t", EVENTS, SYSTEM)


def _table(writer: DeltaWriter) -> DeltaTable:
    return DeltaTable(str(writer.log.folder))


def _foreign_commit(writer: DeltaWriter, transactions: dict[str, int]) -> None:
    _table(writer).create_write_transaction(
        [],
        mode="append",
        schema=Schema.from_arrow(EVENTS),
        commit_properties=CommitProperties(app_transactions=[Transaction(*each) for each in transactions.items()]),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False),
    )


def test_rows_come_back_as_written(writer: DeltaWriter) -> None:
    """Deltalake reads the same rows and columns, of every type."""
    rows = outcome([event("a", 1, title="\0é\U0001f600", value=None), event("a", 2)]).events
    writer.commit(Change(writer.add_files(rows)), {"a": 2})
    read = _table(writer).to_pyarrow_table().sort_by("position")
    assert read.select(EVENTS.names).to_pylist() == rows.to_pylist()


def test_layout_is_a_folder_an_hour(writer: DeltaWriter) -> None:
    """Rows lie in the folder of their hour, in their order, with the hour and without the day, which folders tell."""
    rows = [event("a", 1, site="z"), event("a", 2, site="b"), event("a", 3, received_at=START + timedelta(hours=3))]
    adds = writer.add_files(outcome(rows).events)
    assert [add.path.rpartition("/")[0] for add in adds] == [
        "year=2026/month=02/day=10/hour=21",
        "year=2026/month=02/day=11/hour=00",
    ]
    file = pq.ParquetFile(writer.log.folder / adds[0].path)
    assert file.read(columns=["site"])["site"].to_pylist() == ["z", "b"]
    assert not {"year", "month", "day"} & set(file.schema_arrow.names)
    assert file.read(columns=["hour"])["hour"].to_pylist() == ["21", "21"]
    assert adds[1].partition_values == {"year": "2026", "month": "02", "day": "11"}


def test_a_file_may_hold_a_day(writer: DeltaWriter) -> None:
    """Rows of several hours lie in one file in the folder of their day; other programs see the hour of each."""
    rows = outcome([event("a", at, received_at=START + timedelta(hours=at)) for at in (0, 1, 2)]).events
    stored, extent = layout.complete(rows, writer.stored), layout.Extent()
    extent.add(stored)
    day = {"year": "2026", "month": "02", "day": "10"}
    add = writer.add_file(day, "packed-x", lambda file: layout.write(stored, file), extent)
    assert add.path.startswith("year=2026/month=02/day=10/packed-x-")
    writer.commit(Change([add]), {"a": 2})
    read = _table(writer).to_pyarrow_table(columns=["position", "year", "day", "hour"]).sort_by("position").to_pylist()
    assert [(row["day"], row["hour"]) for row in read] == [("10", "21"), ("10", "22"), ("10", "23")]
    dataset = _table(writer).to_pyarrow_dataset()
    assert dataset.to_table(filter=(ds.field("hour") == "22") & (ds.field("day") == "10")).num_rows == 1


def test_a_folder_that_was_taken_away_is_made_again(writer: DeltaWriter) -> None:
    """What takes empty folders away does not disturb a writer that has written there before."""
    rows = outcome([event("a", 1)]).events
    (add,) = writer.add_files(rows)
    shutil.rmtree(writer.log.folder / "year=2026")
    (again,) = writer.add_files(rows)
    assert not (writer.log.folder / add.path).exists()
    assert (writer.log.folder / again.path).stat().st_size == again.size


def test_no_statistics_on_identifying_columns(writer: DeltaWriter) -> None:
    """Neither the log nor a footer has bounds of who it was: they would outlive an erasure, or find people."""
    add = writer.add_files(outcome([event("a", 1, user_id="jane", ip="192.0.2.0")]).events)[0]
    assert set(json.loads(add.stats)["minValues"]) == {"received_at", "partition", "position"}
    footer = pq.ParquetFile(writer.log.folder / add.path).metadata.row_group(0)
    columns = [footer.column(index) for index in range(footer.num_columns)]
    with_bounds = {column.path_in_schema for column in columns if column.is_stats_set}
    assert with_bounds == {"received_at", "partition", "position", "site", "event", "hour"}


def test_readers_prune_by_time_and_lose_no_row(writer: DeltaWriter) -> None:
    """The bounds of received_at hold for microseconds, too."""
    at = START + timedelta(microseconds=123_457)
    writer.commit(Change(writer.add_files(outcome([event("a", 1, received_at=at)]).events)), {"a": 1})
    dataset = _table(writer).to_pyarrow_dataset()
    assert dataset.to_table(filter=ds.field("received_at") == at).num_rows == 1
    assert dataset.to_table(filter=ds.field("received_at") > at).num_rows == 0


def test_commit_goes_on_behind_others(writer: DeltaWriter) -> None:
    """Who commits other transactions meanwhile does not disturb."""
    _foreign_commit(writer, {"b": 1})
    writer.commit(Change(()), {"a": 1})
    assert writer.log.transactions == {"a": 1, "b": 1}


def test_commit_compares(writer: DeltaWriter) -> None:
    """If somebody else moved the same transaction since the last look, nothing is written."""
    writer.commit(Change(()), {"a": 1})
    _foreign_commit(writer, {"a": 5})
    with pytest.raises(Conflict):
        writer.commit(Change(()), {"a": 2})
    assert writer.log.transactions == {"a": 5}


def test_commit_of_a_removal_compares_the_file(writer: DeltaWriter) -> None:
    """A file that somebody else took away meanwhile is not taken away twice."""
    for position in (1, 2):
        writer.commit(Change(writer.add_files(outcome([event("a", position)]).events)), {"a": position})
    file = next(iter(writer.log.files.values()))
    _table(writer).optimize.compact()
    with pytest.raises(Conflict):
        writer.commit(Change((), [file]), {"a": 3})


def test_checkpoints_are_made_and_equal_the_log(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint is made when one is due; what is read from it is what the log says."""
    monkeypatch.setattr("pixelake.warehouse.delta.CHECKPOINT_EVERY", 5)
    for position in range(1, 13):
        writer.commit(Change(writer.add_files(outcome([event("a", position)]).events)), {"a": position})
    fresh = DeltaLog(writer.log.folder)
    fresh.refresh()
    assert fresh.checkpoint == 9
    assert (fresh.version, fresh.files, fresh.transactions) == (12, writer.log.files, {"a": 12})
    assert _table(writer).to_pyarrow_table().num_rows == 12


def test_order_of_syncs(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data file is synced before its log entry is there; the entry and its folder before `commit` returns."""
    synced, entry = [], writer.log.entry(1)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, entry.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    adds = writer.add_files(outcome([event("a", 1)]).events)
    name = Path(adds[0].path).name
    assert synced[-2:] == [(f"{name}.tmp", False), ("hour=21", False)]
    folders = ["day=10", "month=02", "year=2026", "t"]
    assert [each for each, _ in synced[:-2]] == folders
    writer.commit(Change(adds), {"a": 1})
    assert synced[-2:] == [(entry.name, True), ("_delta_log", True)]


def test_entry_whose_sync_failed_is_written_anew(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync a commit is not reported as durable until its entry is rewritten: a second sync may lie."""
    real, entry = durable.sync, writer.log.entry(1)

    def failing(path: Path) -> None:
        if path == entry:
            raise OSError(5, "Input/output error")
        real(path)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "sync", failing)
        writer._flush = failing
        with pytest.raises(LakeUnavailable, match="Input/output error"):
            writer.commit(Change(()), {"a": 1})
    before = entry.stat().st_ino
    writer.refresh()
    assert entry.stat().st_ino != before
    assert writer.log.transactions == {"a": 1}


def test_opening_syncs_what_was_left(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries of a writer that was killed before it synced them are synced before anything is built on them."""
    _foreign_commit(writer, {"a": 1})
    synced = []
    real = durable.sync
    monkeypatch.setattr(durable, "sync", lambda path: (synced.append(path), real(path)))
    DeltaWriter(writer.log.folder, EVENTS, SYSTEM)
    assert {writer.log.entry(0), writer.log.entry(1)} <= set(synced)


def test_full_disk_is_unavailable(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is broken infrastructure, with a hint."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write", full)
    with pytest.raises(LakeUnavailable, match="No space left") as caught:
        writer.add_files(outcome([event("a", 1)]).events)
    assert caught.value.hint


def test_row_groups_are_bounded(writer: DeltaWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group is bounded in bytes, wherever the large rows lie, and in rows; all rows are there, in order."""
    monkeypatch.setattr("pixelake.warehouse.layout.GROUP_BYTES", 100_000)
    monkeypatch.setattr("pixelake.warehouse.layout.GROUP_ROWS", 40)
    rows = [event("a", place, title="x" * (60_000 if place < 4 else 1)) for place in range(1, 101)]
    (add,) = writer.add_files(outcome(rows).events)
    file = pq.ParquetFile(writer.log.folder / add.path)
    groups = [file.metadata.row_group(at).num_rows for at in range(file.metadata.num_row_groups)]
    assert groups[:3] == [1, 1, 1]
    assert max(groups) <= 40
    assert file.read(columns=["position"])["position"].to_pylist() == list(range(1, 101))
