"""What an export writes, in each format; of one version, in order of time."""

import csv
import io
import json
import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pixelake.errors import LakeUnavailable, SourceError
from pixelake.operate import export as exporting
from pixelake.operate.export import FORMATS, Wanted, as_text, export, export_to
from pixelake.warehouse import swap
from pixelake.warehouse import walk as walking
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.standing import Rows
from pixelake.warehouse.swap import Exchange, Staging
from pixelake.warehouse.walk import Select
from tests.operate.importing import Place
from tests.warehouse.outcomes import START, event, outcome, reject


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A lake without anything."""
    made = Place(tmp_path)
    yield made
    made.registry.close()


def written(place: Place, form: str, table: str = "events", select: Select = walking.EVERYTHING) -> bytes:
    """An export."""
    out = io.BytesIO()
    export(place.folder / "lake", Wanted(table, form, select), out)
    return out.getvalue()


def test_ndjson_names_each_column(place: Place) -> None:
    """Times with their microseconds, decimals and maps as they are; nothing for what is null."""
    at = START + timedelta(microseconds=7)
    place.lake.write(outcome([event("p", 1, received_at=at, value=12, properties=[("a", ["1", "2"]), ("b", [])])]))
    (line,) = written(place, "ndjson").splitlines()
    told = json.loads(line)
    assert told["received_at"] == "2026-02-10T21:00:00.000007Z"
    assert told["value"] == "12.000000"
    assert told["properties"] == {"a": ["1", "2"], "b": []}
    assert "title" not in told
    assert told["hour"] == "21"


def test_csv_has_no_formulas(place: Place) -> None:
    """A text that a spreadsheet would run begins with an apostrophe; numbers stay numbers."""
    titles = ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "a=1", "1-1", ""]
    place.lake.write(outcome([event("p", n, title=title, value=-5) for n, title in enumerate(titles, 1)]))
    rows = list(csv.DictReader(io.StringIO(written(place, "csv").decode(), newline="")))
    assert [row["title"] for row in rows] == [f"'{title}" for title in titles[:6]] + titles[6:]
    assert {row["value"] for row in rows} == {"-5.000000"}
    assert rows[0]["properties"] == '{"color":["red","blue"]}'


def test_other_formats(place: Place) -> None:
    """JSON is an array, Parquet a file with the columns of the table."""
    place.lake.write(outcome([event("p", n) for n in range(1, 4)]))
    assert [row["position"] for row in json.loads(written(place, "json"))] == [1, 2, 3]
    rows = pq.read_table(io.BytesIO(written(place, "parquet")))
    assert rows["position"].to_pylist() == [1, 2, 3]
    assert rows.column_names == place.table().column_names


@pytest.mark.parametrize("form", FORMATS)
def test_before_the_first_hit(tmp_path: Path, form: str) -> None:
    """There is nothing, in a form that can be read; and no lake is made."""
    out = io.BytesIO()
    assert export(tmp_path / "lake", Wanted(form=form), out).rows == 0
    expected = {"ndjson": b"", "json": b"[]\n"}
    assert out.getvalue() == expected.get(form, out.getvalue())
    assert not (tmp_path / "lake").exists()


def test_some_of_it(place: Place) -> None:
    """By time, the end not included, and by site."""
    place.lake.write(outcome([event("p", n, site="ab"[n % 2]) for n in range(1, 9)], [reject("p", 9)]))
    moments = (START + timedelta(seconds=3), START + timedelta(seconds=6))
    for select, expected in (
        (Select(*moments), [3, 4, 5]),
        (Select(end=moments[0]), [1, 2]),
        (Select(start=moments[1], site="a"), [6, 8]),
        (Select(start=START + timedelta(days=1)), []),
    ):
        rows = written(place, "ndjson", select=select).splitlines()
        assert [json.loads(row)["position"] for row in rows] == expected
    with pytest.raises(SourceError, match="no column site"):
        written(place, "ndjson", "rejects", Select(site="a"))


def test_a_file_is_whole_or_not_there(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An export that fails leaves neither a part nor the end of an older one."""
    place.lake.write(outcome([event("p", 1)]))
    path = tmp_path / "out.ndjson"
    found = export_to(place.folder / "lake", Wanted(), path)
    assert (found.rows, found.left_out) == (1, [])
    assert "1 rows of version" in as_text(found)
    before = path.read_bytes()

    def fails(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(exporting._FILLS, "ndjson", fails)
    with pytest.raises(LakeUnavailable, match="No space left"):
        export_to(place.folder / "lake", Wanted(), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.glob("out*")] == ["out.ndjson"]


def test_what_is_written_meanwhile_is_of_the_next_version(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that come in while it runs are not in it."""
    place.lake.write(outcome([event("p", 1), event("p", 4_000)]))
    scan = walking.place.scan

    def and_meanwhile(*arguments: object) -> object:
        place.lake.write(outcome([event("p", n) for n in range(4_001, 4_003)]))
        return scan(*arguments)

    monkeypatch.setattr(walking.place, "scan", and_meanwhile)
    assert len(written(place, "ndjson").splitlines()) == 2


def test_a_pipe_stays_a_pipe_and_a_link_a_link(place: Place, tmp_path: Path) -> None:
    """What is no file is written as it goes; of a link the file behind it is made."""
    place.lake.write(outcome([event("p", 1)]))
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "elsewhere.ndjson"
    os.mkfifo(pipe)
    link.symlink_to(target)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    export_to(place.folder / "lake", Wanted(), pipe)
    reader.join()
    export_to(place.folder / "lake", Wanted(), link)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert heard == [target.read_bytes()] == [written(place, "ndjson")]


def test_rejects_while_a_replay_has_been_cut_short(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their table is not what it will be: it is said who ends that, and nothing wrong is written."""
    monkeypatch.setattr(exporting, "PAUSES", (0.0,))
    rejects = [reject("p", 1), reject("p", 2)]
    place.lake.write(outcome([], rejects))
    change = outcome([event("p", 1)])

    def judge(staging: Staging) -> None:
        gone = staging.standing.rows("p", 1, 1)
        staging.put(Exchange("p", gone, Rows(change.events, change.rejects), 0))

    with monkeypatch.context() as patch:
        patch.setattr(swap, "settle", killed)
        with pytest.raises(LakeUnavailable, match="killed"):
            place.lake.swap(judge)
    with pytest.raises(LakeUnavailable, match="cut short"):
        written(place, "ndjson", "rejects")
    assert len(written(place, "ndjson").splitlines()) == 1
    Lake(place.folder / "lake")
    (line,) = written(place, "ndjson", "rejects").splitlines()
    assert json.loads(line)["hit_id"] == "p-2"


def killed(_events: object, _rejects: object, ready: object = None) -> tuple[()]:
    """What settles nothing, and dies behind the commit of a swap."""
    if ready is None:
        return ()
    raise LakeUnavailable("killed", "none")
