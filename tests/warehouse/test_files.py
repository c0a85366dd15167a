"""Plain files: their layout and content, as the tools that people use read them; and their steps, each cut short."""

import gzip
import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import dataset, orc

from pixelake.errors import LakeUnavailable, WarehouseError
from pixelake.event import FIELDS, PARTITION_COLUMNS
from pixelake.testing import FakeClock
from pixelake.warehouse import durable, files_place
from pixelake.warehouse.base import EVENTS, Outcome
from pixelake.warehouse.files import FORMATS, MEMBER_ROWS, Files
from pixelake.warehouse.files_place import Folder
from tests.warehouse.outcomes import START, event, outcome, read_files, reject

HOUR = "year=2026/month=02/day=10/hour=21"
VALUES = {"value": Decimal("19.990000"), "currency": "EUR", "title": 'a "b"\n\0\u202e'}


def files(folder: Path, kind: str = "json.gz") -> Files:
    """The sink."""
    return Files(Folder(folder), kind)


def names(folder: Path) -> list[str]:
    """Every file that is in view."""
    found = (str(path.relative_to(folder)) for path in folder.rglob("*.*") if path.is_file())
    return sorted(name for name in found if not name.startswith(("_", ".")))


def test_layout(tmp_path: Path) -> None:
    """A file for each hour and partition, named by the positions of its commit; rejects under a prefix of their own."""
    rows = [event("p-1", 3), event("p-1", 4, received_at=START + timedelta(hours=1)), event("q/../_x.y", 1)]
    files(tmp_path).write(outcome(rows, [reject("p-1", 5)], [("p-1", 7)]))
    reach = f"p-1-{3:020}-{7:020}.json.gz"
    assert names(tmp_path) == [
        f"errors/{HOUR}/{reach}",
        f"events/{HOUR}/{reach}",
        f"events/{HOUR}/q%2F%2E%2E%2F%5Fx%2Ey-{1:020}-{1:020}.json.gz",
        f"events/year=2026/month=02/day=10/hour=22/{reach}",
    ]


def test_lines_of_json(tmp_path: Path) -> None:
    """A line an event: without what is null, times as in RFC 3339, amounts as numbers, properties as arrays by name."""
    files(tmp_path).write(outcome([event("p", 1, **VALUES), event("p", 2)]))
    (path,) = tmp_path.rglob("*.json.gz")
    text = gzip.decompress(path.read_bytes())
    assert text.endswith(b"}\n")
    first, second = (json.loads(line) for line in text.splitlines())
    assert first == {
        "hit_id": "p-1",
        "received_at": "2026-02-10T21:00:01Z",
        "partition": "p",
        "position": 1,
        "source": "http",
        "dialect": "native",
        "method": "GET",
        "site": "shop",
        "event": "pageview",
        "title": VALUES["title"],
        "value": 19.99,
        "currency": "EUR",
        "properties": {"color": ["red", "blue"]},
        "visitor_id": "visitor-1",
        "bot": False,
        "duplicate": False,
    }
    assert second["hit_id"] == "p-2"


@pytest.mark.parametrize("kind", ["json.gz", "parquet"])
def test_read_by_duckdb(tmp_path: Path, kind: str) -> None:
    """The folders are columns, amounts and times are what they are; also with more rows than a gzip member has."""
    count = MEMBER_ROWS + 10 if kind == "json.gz" else 10
    rows = [event("p", n + 1, received_at=START, **VALUES) for n in range(count)]
    files(tmp_path, kind).write(outcome(rows, [reject("p", count + 1)]))
    function = {"json.gz": "read_json", "parquet": "read_parquet"}[kind]
    place = f"{function}('{tmp_path}/events/*/*/*/*/*.{kind}', hive_partitioning = true, hive_types_autocast = false)"
    question = f"""
        select count(*), count(distinct hit_id), sum(value)::decimal(18,2), min(hour), min(received_at)::varchar,
            any_value(title), max(position)
        from {place}"""
    with duckdb.connect() as house:
        house.execute("set timezone = 'UTC'")
        found = house.execute(question).fetchone()
    assert found is not None
    at = "2026-02-10 21:00:00" if kind == "json.gz" else "2026-02-10 21:00:00+00"
    assert found[:2] + found[3:] == (count, count, "21", at, VALUES["title"], count)
    assert found[2] == Decimal("19.99") * count


@pytest.mark.parametrize("kind", ["parquet", "orc"])
def test_columns_keep_their_types(tmp_path: Path, kind: str) -> None:
    """Arrow reads back what was written, and the folders as columns; maps of lists too."""
    rows = [event("p", 1, **VALUES), event("p", 2)]
    files(tmp_path, kind).write(outcome(rows))
    found = dataset.dataset(tmp_path / "events", format=kind, partitioning="hive").to_table().sort_by("position")
    assert set(found.column_names) == {field.name for field in FIELDS}
    stored = found.drop_columns(list(PARTITION_COLUMNS)).to_pylist()
    wanted = [field.name for field in EVENTS if field.name not in PARTITION_COLUMNS]
    assert stored == [{name: row.get(name) for name in wanted} for row in rows]


def test_orc_of_one_file(tmp_path: Path) -> None:
    """ORC is read without Arrow's datasets, too."""
    files(tmp_path, "orc").write(outcome([event("p", 1)], [reject("p", 2, detail="[]")]))
    (path,) = (tmp_path / "errors").rglob("*.orc")
    assert orc.ORCFile(path).read().to_pylist()[0]["detail"] == "[]"


def test_only_withheld_moves_the_position(tmp_path: Path) -> None:
    """Nothing to show, and still settled."""
    sink = files(tmp_path)
    sink.write(outcome([], [], [("p", 4)]))
    assert (dict(sink.positions()), names(tmp_path)) == ({"p": 4}, [])


WRITES = (
    outcome([event("a", 1), event("b", 1)]),
    outcome(
        [event("a", n) for n in (2, 3)] + [event("b", 2, received_at=START + timedelta(hours=1))], [reject("a", 4)]
    ),
    outcome([event("a", 5)]),
)
AGAIN = outcome([event("a", n) for n in (1, 2, 3, 5, 6)] + [event("b", 1), event("b", 2)], [reject("a", 4)])
"""The same hits, if all of them come again in another batch, and one more."""


class PowerCut(BaseException):
    """What no handler expects."""


def _steps(monkeypatch: pytest.MonkeyPatch, step: Callable[[str], None]) -> None:
    """Call `step` before each change of the disk, and after those that a failure can follow."""

    def around(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*arguments: Any, **named: Any) -> Any:
            step(name)
            result = function(*arguments, **named)
            step(f"after {name}")
            return result

        return changed

    for name in ("write", "rewrite", "sync", "make_folder"):
        monkeypatch.setattr(durable, name, around(name, getattr(durable, name)))
    monkeypatch.setattr(Path, "rename", around("rename", Path.rename))
    monkeypatch.setattr(Path, "unlink", around("unlink", Path.unlink))


def _count_steps(folder: Path, run: Callable[[Path], None]) -> int:
    count = 0

    def step(_: str) -> None:
        nonlocal count
        count += 1

    with pytest.MonkeyPatch.context() as patch:
        _steps(patch, step)
        run(folder)
    return count


def _write_all(folder: Path) -> None:
    sink = files(folder)
    for each in WRITES:
        sink.write(each)


def _ids(folder: Path) -> list[str]:
    return sorted(row["hit_id"] for prefix in ("events", "errors") for row in read_files(folder, prefix, "json.gz"))


@pytest.mark.parametrize(("error", "every"), [(PowerCut, 1), (OSError, 3)], ids=["killed", "disk fails"])
def test_each_step_cut_short(tmp_path: Path, error: type[BaseException], every: int) -> None:
    """Wherever a writer ends, the next one shows each hit once, whatever bounds its batch has; nothing is left over."""
    steps = _count_steps(tmp_path / "counted", _write_all)
    assert steps > 50
    for end in range(0, steps, every):
        folder, passed = tmp_path / str(end), 0

        def step(_: str, end: int = end) -> None:
            nonlocal passed
            passed += 1
            if passed > end:
                raise error(28, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            _steps(patch, step)
            with pytest.raises((PowerCut, WarehouseError)):
                _write_all(folder)
        sink = files(folder)
        shown, stored = _ids(folder), dict(sink.positions())
        assert shown == sorted(_expected(stored)), f"step {end}: what is in view is not what the positions say"
        sink.write(AGAIN)
        assert _ids(folder) == ["a-1", "a-2", "a-3", "a-4", "a-5", "a-6", "b-1", "b-2"], f"step {end}"
        assert not any((folder / "_staged").iterdir())
        shutil.rmtree(folder)


def _expected(stored: dict[str, int]) -> list[str]:
    return [f"{name}-{at}" for name, last in stored.items() for at in range(1, last + 1)]


def test_a_repeat_after_a_failure_in_the_same_process(tmp_path: Path) -> None:
    """A write that failed is repeated by the same sink, as the consumer does, at whatever step it failed."""
    steps = _count_steps(tmp_path / "counted", _write_all)
    for end in range(8, steps, 4):
        folder, passed = tmp_path / str(end), 0
        sink = files(folder)

        def step(_: str, end: int = end) -> None:
            nonlocal passed
            passed += 1
            if passed == end:
                raise OSError(5, "Input/output error")

        with pytest.MonkeyPatch.context() as patch:
            _steps(patch, step)
            for each in WRITES:
                _until_written(sink, each)
        assert _ids(folder) == sorted(_expected({"a": 5, "b": 2})), f"step {end}"


def _until_written(sink: Files, each: Outcome) -> None:
    for _ in range(3):
        try:
            sink.write(each)
        except LakeUnavailable:
            continue
        return
    raise AssertionError("it never works again")


def test_nothing_is_in_view_before_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are made where nobody looks; only the commit decides."""
    seen = []
    original = durable.write

    def write(path: Path, fill: Any) -> int:
        seen.append((path.name, names(tmp_path)))
        return original(path, fill)

    monkeypatch.setattr(durable, "write", write)
    files(tmp_path).write(WRITES[1])
    assert [name for name, _ in seen] == ["1-0", "1-1", "1-2", "_commit.json"]
    assert all(not found for _, found in seen)
    assert len(names(tmp_path)) == 3


def test_files_that_were_taken_away_do_not_come_back(tmp_path: Path) -> None:
    """Who moves files elsewhere, folders included, may; what comes next is shown beside."""
    sink = files(tmp_path)
    sink.write(WRITES[0])
    shutil.rmtree(tmp_path / "events")
    sink.write(WRITES[1])
    assert _ids(tmp_path) == ["a-2", "a-3", "a-4", "b-2"]
    files(tmp_path).write(WRITES[0])
    assert _ids(tmp_path) == ["a-2", "a-3", "a-4", "b-2"]


def test_a_writer_that_hangs_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for its turn too long says who may be in the way."""
    monkeypatch.setattr(files_place, "LOCK_WAIT", 0.05)
    one, other = Folder(tmp_path), Folder(tmp_path, FakeClock())
    with one.turn(), pytest.raises(LakeUnavailable, match="another writer"):
        Files(other, "orc").write(WRITES[0])


def test_a_broken_commit_is_told(tmp_path: Path) -> None:
    """It is not taken for an empty folder, which would write everything again."""
    files(tmp_path).write(WRITES[0])
    (tmp_path / "_commit.json").write_bytes(b"{")
    with pytest.raises(LakeUnavailable) as caught:
        files(tmp_path)
    assert caught.value.hint


def test_every_format_is_a_setting() -> None:
    """What can be set can be written."""
    from pixelake.settings import Settings

    choices = Settings.__dataclass_fields__["files_format"].metadata["choices"]
    assert set(choices) == {"off", *FORMATS}
