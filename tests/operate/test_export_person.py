"""What is held about a person can be written out: all that an erasure would take, and nothing of others."""

import io
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pixelake.cli import run
from pixelake.dialects.native import Native
from pixelake.errors import SourceError
from pixelake.operate import export as exporting
from pixelake.operate import folder
from pixelake.operate.export import Wanted
from pixelake.operate.export_person import export, export_to
from pixelake.operate.person import Person
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.walk import Select
from tests.warehouse.outcomes import event, outcome, reject

NAME = "Zq7-secret-person"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with two people and their rejects."""
    place = tmp_path / "data" / "lake"
    raw = {"received_at": 1, "source": "http", "peer": "", "client": "", "method": "GET", "headers": "", "body": ""}
    rows = [
        event("a", 1, user_id=NAME),
        event("a", 2, user_id="other", title=f"about {NAME}"),
        event("a", 3, user_id="other"),
        event("a", 4, user_id="u1"),
    ]
    rejects = [
        reject("a", 5, raw=json.dumps(raw | {"target": f"/?user={NAME}"})),
        reject("a", 6, raw=json.dumps(raw | {"target": "/?user=u1"})),
        reject("a", 7, raw=json.dumps(raw | {"target": "/?user=u12"})),
    ]
    Lake(place).write(outcome(rows, rejects))
    return place


def exported(lake: Path, name: str, table: str) -> list[str]:
    """The hits of a person's rows."""
    out, native = io.BytesIO(), Native({})
    found = export(lake, Person("user", name), Wanted(table), out, lambda *_: None, lambda _: native)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert found.rows == len(lines)
    return [line["hit_id"] for line in lines]


@pytest.mark.parametrize(
    ("name", "table", "ids"),
    [
        (NAME, "events", ["a-1", "a-2"]),
        (NAME, "rejects", ["a-5"]),
        ("u1", "events", ["a-4"]),
        ("u1", "rejects", ["a-6"]),
        ("nobody-here", "events", []),
    ],
)
def test_rows_of_a_person(lake: Path, name: str, table: str, ids: list[str]) -> None:
    """By the whole id, and by its text if it is long enough; rejects by what their hits say."""
    assert exported(lake, name, table) == ids


def test_a_file_is_for_its_owner(lake: Path, tmp_path: Path) -> None:
    """What is written is whole, and nobody else on the machine may read it."""
    path, native = tmp_path / "person.ndjson", Native({})
    export_to(lake, Person("user", NAME), Wanted(), path, lambda *_: None, lambda _: native)
    assert len(path.read_bytes().splitlines()) == 2
    assert path.stat().st_mode & 0o77 == 0


def test_the_command(lake: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """`export --user` writes them to standard output."""
    data = lake.parent
    (data / "version").write_text(f"{folder.VERSION}\n")
    assert run(["export", "--user", NAME, "--data", str(data)]) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert [json.loads(line)["hit_id"] for line in lines] == ["a-1", "a-2"]
    assert run(["export", "--user", "a", "--visitor", "b", "--data", str(data)]) == 2


def test_it_is_for_its_owner_from_its_first_byte_on(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it is written."""
    modes = []

    def written(slices: Any, _schema: Any, _form: str, out: BinaryIO) -> int:
        modes.append(os.fstat(out.fileno()).st_mode & 0o777)
        return len(list(slices))

    monkeypatch.setattr(exporting, "write", written)
    export_to(lake, Person("user", NAME), Wanted(), tmp_path / "x", lambda *_: None, lambda _: Native({}))
    assert modes == [0o600]


def test_rejects_are_of_no_site(lake: Path) -> None:
    """It is said."""
    with pytest.raises(SourceError, match="no column site"):
        export(
            lake,
            Person("user", NAME),
            Wanted("rejects", select=Select(site="a")),
            io.BytesIO(),
            lambda *_: None,
            lambda _: Native({}),
        )
