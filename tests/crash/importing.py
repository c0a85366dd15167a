"""Kill imports of logs and of exports at any moment: for `tests.crash.keeping`."""

import json
import random
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pixelake.operate.export import Wanted, export_to
from pixelake.operate.import_logs import PARTITION
from pixelake.operate.lines import Source
from pixelake.warehouse.lake import Lake
from tests.operate.importing import log_line
from tests.warehouse.outcomes import START, event, outcome, reject

if TYPE_CHECKING:
    from tests.crash.keeping import Scene

HOURS = 150
"""Of a file: a commit has 64 at most, so that there is something between two of them."""
SITE = "imported.example"


def bring(scene: "Scene") -> Iterator[str]:
    """A log, or an export, comes in; it is killed, and begun again: each line is there once, and no key is left."""
    files = scene.server.data.parent / "files"
    files.mkdir(exist_ok=True)
    while True:
        for make in (_log, _events, _rejects):
            path, table, partition, expected, options = make(files)
            what = scene.kill(8.0, "import", str(path), *options)
            scene.server.keep_up()
            told = json.loads(scene.finish("import", str(path), *options, "--json") or '{"files":[{}]}')["files"][0]
            ids = f"select count(*) n, count(distinct hit_id) d from {table} where partition = '{partition}'"
            (found,) = json.loads(scene.finish("sql", ids, "--format", "json") or "[{}]")
            if found != {"n": expected, "d": expected}:
                scene.faults.append(f"{make.__name__}: {expected} rows became {found}; it said {told}")
            if left := list((scene.server.data / "import").glob("*")):
                scene.faults.append(f"{make.__name__}: an import left {left}")
            path.unlink()
            yield f"{make.__name__[1:]} {what}"


def _log(files: Path) -> tuple[Path, str, str, int, tuple[str, ...]]:
    """A log: its path, table, partition, how many rows it must become, and how it is imported."""
    path, name = files / "access.log", uuid.uuid4().hex
    paths = [random.choice((f"/pixel.gif?site={SITE}&event_id={name}-{n}", "/a.css")) for n in range(HOURS)]
    lines = [log_line(3_600 * n, target) for n, target in enumerate(paths)]
    lines[random.randrange(HOURS)] = "no line"
    path.write_text("\n".join(lines))
    with path.open("rb") as file:
        partition = PARTITION + Source("log", file).id
    views = sum(not line.count(".css") and line != "no line" for line in lines)
    return path, "events", partition, views, ("--format", "combined", "--site", SITE)


def _events(files: Path) -> tuple[Path, str, str, int, tuple[str, ...]]:
    """An export of events."""
    return _export(files, "events")


def _rejects(files: Path) -> tuple[Path, str, str, int, tuple[str, ...]]:
    """An export of rejects."""
    return _export(files, "rejects")


def _export(files: Path, table: str) -> tuple[Path, str, str, int, tuple[str, ...]]:
    path, partition = files / "rows.ndjson", uuid.uuid4().hex[:12]
    make = event if table == "events" else reject
    rows = [make(partition, n, received_at=START + timedelta(hours=n)) for n in range(1, HOURS)]
    if table == "events":
        rows = [row | {"event_id": row["hit_id"]} for row in rows]  # the campaign looks for any that is there twice
    lake = files / partition
    Lake(lake).write(outcome(rows) if table == "events" else outcome((), rows))
    export_to(lake, Wanted(table), path)
    return path, table, partition, len(rows), ("--format", "ndjson")
