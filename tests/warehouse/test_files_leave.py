"""Rows leave plain files of every format; the others stay, and no byte of what went does."""

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pixelake.warehouse.files import FORMATS, Files
from pixelake.warehouse.files_leave import Leaving, leave
from pixelake.warehouse.files_place import Folder
from tests.warehouse.outcomes import event, outcome, read_files, reject

SECRET = "Zq7-secret-person-9x"


def rows(table: pa.Table) -> Any:
    """Events of the person, and rejects that hold it."""
    name = "user_id" if "user_id" in table.column_names else "raw"
    found: Any = pc.match_substring(table[name], SECRET)
    return found.fill_null(False)


def lines(found: Sequence[bytes]) -> list[bool]:
    """The same of lines of JSON."""
    return [SECRET.encode() in line for line in found]


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_leave(tmp_path: Path, kind: str) -> None:
    """Of three files one loses some rows, one all, one none; a later write goes on behind the same positions."""
    folder = tmp_path / "files"
    sink = Files(Folder(folder), kind)
    sink.write(outcome([event("a", at, user_id=SECRET if at % 2 else "x") for at in range(1, 6)]))
    sink.write(outcome([event("b", 1, user_id=SECRET)], [reject("b", 2, raw=SECRET)]))
    sink.write(outcome([event("c", 1, user_id="x")]))
    before = read_files(folder, "events", kind)
    done = leave(folder, rows, lines)
    assert (done.files, done.rows, done.gone, done.changed) == (4, 8, 5, 3)
    assert read_files(folder, "events", kind) == [row for row in before if row["user_id"] != SECRET]
    assert read_files(folder, "errors", kind) == []
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        assert SECRET.encode() not in (gzip.decompress(data) if kind == "json.gz" and path.suffix == ".gz" else data)
    assert leave(folder, rows, lines)._replace(files=0, rows=0, bytes=0) == Leaving(0, 0, 0, 0, 0)
    sink.write(outcome([event("a", at) for at in range(4, 8)]))
    assert [row["position"] for row in read_files(folder, "events", kind) if row["partition"] == "a"] == [2, 4, 6, 7]


def test_what_is_not_there(tmp_path: Path) -> None:
    """Without plain files nothing is looked at, and nothing is made."""
    assert leave(tmp_path / "files", rows, lines) == Leaving(0, 0, 0, 0, 0)
    assert not list(tmp_path.iterdir())


def test_what_was_cut_short_is_tidied(tmp_path: Path) -> None:
    """A file in the making of somebody who was killed holds what should go."""
    folder = tmp_path / "files"
    Files(Folder(folder), "parquet").write(outcome([event("a", 1)]))
    (path,) = (folder / "events").rglob("*.parquet")
    (path.parent / f"{path.name}.tmp").write_bytes(SECRET.encode())
    (folder / "_staged" / "9-0").write_bytes(SECRET.encode())
    leave(folder, rows, lines)
    assert [each.name for each in folder.rglob("*") if each.suffix == ".tmp" or each.name == "9-0"] == []
