"""Tests of `pixelake.warehouse.spill`."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.spill import Spill

KILLED = """
import os, pathlib, signal, sys
from pixelake.warehouse.spill import Spill
spill = Spill(pathlib.Path(sys.argv[1]))
spill.place.mkdir()
(spill.place / "rows.tmp").write_text("somebody")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_kill_leaves_is_removed(tmp_path: Path) -> None:
    """The next one removes what a killed process has spilled, and leaves alone what another one uses."""
    used = Spill(tmp_path)
    used.place.mkdir()
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    Spill(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == [used.place.parent.name]
    used.close()
    assert not list(tmp_path.iterdir())


def test_a_query_spills_there(tmp_path: Path) -> None:
    """A sort that does not fit into the memory is done on that disk; afterwards nothing is left."""
    folder = tmp_path / "spill"
    with closing(Lakehouse(tmp_path / "lake", memory="64MB", threads=1, spill=folder)) as lake:
        rows = lake.ask("select count(*) from (select distinct i, md5(i::text) from range(2000000) t(i))")
        assert rows.to_pylist() == [{"count_star()": 2_000_000}]
        assert folder.stat().st_mode & 0o077 == 0
        assert len(list(folder.iterdir())) == 1
    assert not list(folder.iterdir())


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """Questions are answered all the same; one that needs more than the memory is refused."""
    place = tmp_path / "file"
    place.write_text("no folder")
    with closing(Lakehouse(tmp_path / "lake", memory="32MB", threads=1, spill=place)) as lake:
        assert lake.ask("select count(*) as n from events").to_pylist() == [{"n": 0}]
        with pytest.raises(QueryError):
            lake.ask("select distinct i, md5(i::text) from range(3000000) t(i)")
