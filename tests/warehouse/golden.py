"""The golden lakes: what each version of the lake's layout looked like, as text.

A folder holds, for each of the two tables::

    <table>/log/*.json          the entries of the log as they were, but for the sizes of files
    <table>/files.ndjson        a line for each data file that the log names, also old ones: its path and its rows

They are made once, by the code that first wrote that layout, and never again: from then on every later program has to
read them. Parquet is no text and each Arrow writes it a little differently, so `lake_of` makes the files anew. After a
new layout has been introduced::

    .venv/bin/python -m tests.warehouse.golden v2
"""

import json
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema

from pixelake.event import Field
from pixelake.warehouse.base import EVENTS, Rejudged
from pixelake.warehouse.delta_log import LOG
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.schema import events_schema
from tests.warehouse.outcomes import START, event, outcome, reject

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "lake"
TABLES: Final = ("events", "rejects")


def write(folder: Path) -> None:
    """A small lake with all that a lake may have: late rows, replays, purges, a compaction, a column added later."""
    lake = Lake(folder)
    late = START + timedelta(hours=4)  # of the next day
    before = datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)
    first = event("a", 1, title="it's \0 é \U0001f600", value=Decimal("-12.345678"), occurred_at=before, bot=None)
    lake.write(outcome([first, event("b", 1, properties=None)], [reject("a", 2, raw="{}")], [("a", 3)]))
    lake.write(outcome([event("a", 4), event("a", 5, site="blog", received_at=START + timedelta(hours=1))]))
    lake.write(outcome([event("b", 2, received_at=late)], [reject("b", 3), reject("b", 4, received_at=late)]))
    for todo in lake.plan():
        lake.compact(todo)
    again = pa.Table.from_pylist([event("a", 2)], EVENTS)
    lake.merge(Rejudged(again, pa.Table.from_pylist([], lake._rejects.stored), {"a-2": "a-2"}))
    list(lake.purge(lambda rows: pa.array([text == "b-3" for text in rows["hit_id"].to_pylist()])))
    wider = Lake(folder, schema=events_schema([Field("score", "int64", "", "the user's own")]))
    wider.write(outcome([event("a", 6), event("a", 7, received_at=late)], [reject("a", 8, raw="\\ \x1b[2J")]))


def kept(lake: Path, target: Path) -> None:
    """Keep a lake as text."""
    for table in TABLES:
        entries = sorted((lake / table / LOG).glob("*.json"))
        (target / table / "log").mkdir(parents=True)
        added = []
        for entry in entries:
            text = entry.read_text()
            (target / table / "log" / entry.name).write_text(text)
            added += [action["add"]["path"] for action in map(json.loads, text.splitlines()) if "add" in action]
        lines = [{"path": path, "rows": _rows(lake / table / unquote(path))} for path in added]
        (target / table / "files.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))


def lake_of(golden: Path, folder: Path) -> None:
    """Make the lake that a golden folder tells of, in a folder that is not there yet."""
    for table in TABLES:
        entries = {path.name: path.read_text().splitlines() for path in sorted((golden / table / "log").iterdir())}
        sizes: dict[str, int] = {}
        schema: Any = None
        metadata = [json.loads(line)["metaData"] for lines in entries.values() for line in lines if "metaData" in line]
        schema = pa.schema(Schema.from_json(metadata[-1]["schemaString"]).to_arrow())
        for line in (golden / table / "files.ndjson").read_text().splitlines():
            found = json.loads(line)
            path = folder / table / unquote(found["path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            columns = pa.schema([field for field in schema if field.name in found["rows"][0]])
            pq.write_table(pa.Table.from_pylist(list(map(_row, found["rows"])), columns), path, compression="zstd")
            sizes[found["path"]] = path.stat().st_size
        (folder / table / LOG).mkdir()
        for name, lines in entries.items():
            actions = [_sized(json.loads(line), sizes) for line in lines]
            (folder / table / LOG / name).write_text("".join(json.dumps(action) + "\n" for action in actions))


def _sized(action: dict[str, Any], sizes: dict[str, int]) -> dict[str, Any]:
    for kind in ("add", "remove"):
        if kind in action:
            action[kind]["size"] = sizes[action[kind]["path"]]
    return action


def _rows(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    return {"decimal": str(value)} if isinstance(value, Decimal) else value


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return datetime.fromisoformat(value["time"]) if "time" in value else Decimal(value["decimal"])
    return [tuple(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write(Path(made) / "lake")
        kept(Path(made) / "lake", GOLDEN / sys.argv[1])
