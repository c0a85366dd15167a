"""Reading a Delta log, beside what deltalake reads of it."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from pixelake.clock import SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DeltaLog, parse_entry
from tests.warehouse.outcomes import event, outcome


def _written(folder: Path, commits: int) -> DeltaWriter:
    writer = DeltaWriter(folder, EVENTS, SYSTEM)
    for position in range(1, commits + 1):
        writer.commit(Change(writer.add_files(outcome([event("a", position)]).events)), {"a": position})
    return writer


def test_no_table_is_an_empty_one(tmp_path: Path) -> None:
    """Where nothing was written yet there are no files, no transactions, and nothing is made."""
    log = DeltaLog(tmp_path / "none")
    log.refresh()
    assert (log.version, log.files, log.transactions, log.rows()) == (-1, {}, {}, 0)
    assert list(tmp_path.iterdir()) == []


def test_reads_on_where_it_was(tmp_path: Path) -> None:
    """A refresh adds what was committed since, and agrees with deltalake."""
    writer, log = _written(tmp_path / "t", 2), DeltaLog(tmp_path / "t")
    log.refresh()
    writer.commit(Change(writer.add_files(outcome([event("a", 3)]).events)), {"a": 3, "b": 7})
    log.refresh()
    table = DeltaTable(str(tmp_path / "t"))
    assert (log.version, log.rows()) == (table.version(), 3)
    assert log.transactions == {"a": 3, "b": 7}
    assert {str(log.folder / file.name) for file in log.files.values()} == {
        uri.removeprefix("file://") for uri in table.file_uris()
    }


def test_reads_a_checkpoint_and_what_came_after(tmp_path: Path) -> None:
    """From a checkpoint the same is read as from the whole log, without its entries."""
    writer = _written(tmp_path / "t", 3)
    DeltaTable(str(tmp_path / "t")).create_checkpoint()
    writer.commit(Change(()), {"a": 4})
    whole = dict(writer.log.files)
    for version in range(3):
        writer.log.entry(version).unlink()
    log = DeltaLog(tmp_path / "t")
    log.refresh()
    assert (log.version, log.checkpoint, log.transactions, log.files) == (4, 3, {"a": 4}, whole)


def test_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    """A reader takes the entries instead of a checkpoint it cannot read."""
    _written(tmp_path / "t", 3)
    (tmp_path / "t/_delta_log/00000000000000000003.checkpoint.parquet").write_bytes(b"garbage")
    log = DeltaLog(tmp_path / "t")
    log.refresh()
    assert (log.version, log.transactions) == (3, {"a": 3})


def test_stops_before_a_broken_entry_and_goes_on_when_it_is_replaced(tmp_path: Path) -> None:
    """A reader shows the table as of before a broken entry, and changes nothing."""
    writer = _written(tmp_path / "t", 3)
    entry = writer.log.entry(3)
    good = entry.read_bytes()
    entry.write_bytes(b"")
    log = DeltaLog(tmp_path / "t")
    log.refresh()
    assert (log.version, log.transactions) == (2, {"a": 2})
    assert entry.read_bytes() == b""
    entry.write_bytes(good)
    log.refresh()
    assert (log.version, log.transactions) == (3, {"a": 3})


def test_begins_anew_when_the_entry_it_stands_on_was_replaced(tmp_path: Path) -> None:
    """After a recovery another entry has the same number: what was read of the old one is forgotten."""
    writer, log = _written(tmp_path / "t", 3), DeltaLog(tmp_path / "t")
    log.refresh()
    writer.log.entry(3).unlink()
    other = DeltaWriter(tmp_path / "t", EVENTS, SYSTEM)
    other.commit(Change(()), {"b": 1})
    log.refresh()
    assert (log.version, log.transactions, log.rows()) == (3, {"a": 2, "b": 1}, 2)


def test_foreign_removal_and_rewrite_are_followed(tmp_path: Path) -> None:
    """Compaction by deltalake itself changes the files and no rows."""
    _written(tmp_path / "t", 3)
    table = DeltaTable(str(tmp_path / "t"))
    table.optimize.compact()
    log = DeltaLog(tmp_path / "t")
    log.refresh()
    assert (len(log.files), log.rows(), log.transactions) == (1, 3, {"a": 3})


def test_rows_without_statistics_come_from_the_footer(tmp_path: Path) -> None:
    """A file whose writer gave no count is counted by its footer."""
    log = _written(tmp_path / "t", 2).log
    log.files = {path: file._replace(stats=None) for path, file in log.files.items()}
    assert log.rows() == 2


def test_log_without_its_beginning_is_no_empty_table(tmp_path: Path) -> None:
    """A log whose first entries are gone and that has no checkpoint is an error, not an empty lake."""
    _written(tmp_path / "t", 2).log.entry(0).unlink()
    with pytest.raises(LakeUnavailable, match="lost its beginning"):
        DeltaLog(tmp_path / "t").refresh()


def test_table_of_a_newer_reader_version_is_refused(tmp_path: Path) -> None:
    """A table with features that are not read here is an error, not wrong rows."""
    log = _written(tmp_path / "t", 1).log
    log.entry(2).write_text('{"protocol":{"minReaderVersion":3,"minWriterVersion":7}}\n')
    with pytest.raises(LakeUnavailable, match="version 3"):
        DeltaLog(tmp_path / "t").refresh()


@pytest.mark.parametrize("data", [b"", b"\n", b"\0" * 200, b'{"add":', b"[1]\n", b'{"a":1}\n{"b"'])
def test_damaged_entry_raises(data: bytes) -> None:
    """What a power cut leaves of an entry is never taken for one."""
    with pytest.raises(ValueError):  # noqa: PT011 - of several libraries
        parse_entry(data)
