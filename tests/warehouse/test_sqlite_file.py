"""SQLite files that processes share."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pixelake.errors import WarehouseError
from pixelake.warehouse import sqlite_file

_SCHEMA = "create table if not exists t (a integer)"


def test_file_is_durable_and_shared(tmp_path: Path) -> None:
    """Commits are synced (FULL), and readers do not stop writers (WAL)."""
    connection = sqlite_file.connect(tmp_path / "new" / "a.sqlite", _SCHEMA)
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert connection.execute("pragma synchronous").fetchone() == (2,)
    connection.close()


def test_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    """An exception takes back everything."""
    connection = sqlite_file.connect(tmp_path / "a.sqlite", _SCHEMA)

    def fail() -> None:
        with sqlite_file.transaction(connection):
            connection.execute("insert into t values (1)")
            connection.execute("insert into none values (1)")

    with pytest.raises(sqlite3.OperationalError):
        fail()
    assert connection.execute("select count(*) from t").fetchone() == (0,)
    connection.close()


def test_reader_cannot_write(tmp_path: Path) -> None:
    """A connection to look only refuses to write, and makes no file."""
    sqlite_file.connect(tmp_path / "a.sqlite", _SCHEMA).close()
    reader = sqlite_file.connect_to_read(tmp_path / "a.sqlite")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("insert into t values (1)")
    reader.close()
    with pytest.raises(sqlite3.OperationalError):
        sqlite_file.connect_to_read(tmp_path / "none.sqlite")


def test_damaged_file_is_told(tmp_path: Path) -> None:
    """What is no database is an error with a hint."""
    (tmp_path / "a.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(WarehouseError, match="not a database") as caught:
        sqlite_file.connect(tmp_path / "a.sqlite", _SCHEMA)
    assert f"move {tmp_path} away" in caught.value.hint


_OPENER = """
import sys
from pathlib import Path
from pixelake.warehouse import sqlite_file
for n in range(20):
    sqlite_file.connect(Path(sys.argv[1]) / f"{n}.sqlite", "create table if not exists t (a integer)").close()
"""


def test_several_processes_make_it_at_once(tmp_path: Path) -> None:
    """Opening a new file at the same moment fails for nobody."""
    openers = [subprocess.Popen([sys.executable, "-c", _OPENER, str(tmp_path)]) for _ in range(3)]
    assert [opener.wait(60) for opener in openers] == [0, 0, 0]
