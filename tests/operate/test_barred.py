"""Whoever was erased does not come back with an import; what they sent later comes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake import build
from pixelake.clock import SECOND
from pixelake.operate import erasures
from pixelake.operate.erasures import Entry
from pixelake.operate.export import Wanted, export_to
from pixelake.operate.imports import Options
from pixelake.settings import Settings
from tests.operate.importing import log_line
from tests.warehouse.outcomes import START, event, outcome, reject

NAME = "Zq7-secret-person"
AT = int(START.timestamp()) * SECOND + 60 * SECOND


def erased(settings: Settings, name: str, state: Any = "done", at: int = AT, **places: Any) -> None:
    """Note an erasure in the log of an installation."""
    shared = build.registry(settings)
    key = shared.secret(erasures.SECRET)
    shared.close()
    entry = Entry("e-" + name, at, state, "user", erasures.digest(name, key), len(name), **places)
    erasures.append(settings.data / "registry", entry)


def brought(settings: Settings, *paths: Path, **options: Any) -> list[Any]:
    """Import files."""
    with Path("/dev/null").open("rb") as nothing:
        report = build.import_files(
            settings, [str(path) for path in paths], Options(**options), nothing, lambda *_: None
        )
    assert build.lake_reader(settings).sums().holds
    return list(report.files)


def ids(settings: Settings, table: str) -> list[str]:
    """The names of the rows of a table, and of the rows that hold the person."""
    path = settings.data / "out.ndjson"
    export_to(settings.data / "lake", Wanted(table), path)
    return sorted(json.loads(line)["hit_id"] for line in path.read_bytes().splitlines())


@pytest.mark.parametrize("state", ["begun", "done"])
def test_an_export_brings_nobody_back(tmp_path: Path, state: str) -> None:
    """By the id, in text, in a reject, and by the place: left out and told. Others come, and what came later."""
    here, there = Settings(data=tmp_path / "a"), Settings(data=tmp_path / "b")
    later = START + timedelta(minutes=2)
    rows = [
        event("p", 1, user_id=NAME),
        event("p", 2, title=f"about {NAME}"),
        event("p", 3, user_id="other", properties=[("a", ["x", None])]),
        event("p", 4, title="by its place alone"),
        event("p", 5, user_id=NAME, received_at=later),
    ]
    raw = json.dumps({"received_at": 1, "method": "GET", "target": f"/?user={NAME}"})
    build.lake(here).write(outcome(rows, [reject("p", 6, raw=raw), reject("p", 7)]))
    erased(there, NAME, state, places={"p": [(4, 4)]})
    paths = [tmp_path / "events", tmp_path / "rejects"]
    for path in paths:
        export_to(here.data / "lake", Wanted(path.name), path)
    events, rejects = brought(there, *paths, form="ndjson")
    assert (events.events, events.erased, events.known) == (2, 3, 0)
    assert (rejects.rejects, rejects.erased) == (1, 1)
    assert ids(there, "events") == ["p-3", "p-5"]
    assert ids(there, "rejects") == ["p-7"]


def test_a_log_brings_nobody_back(tmp_path: Path) -> None:
    """A pixel's line, and one that cannot be read: withheld."""
    settings = Settings(data=tmp_path / "data")
    log = tmp_path / "access.log"
    log.write_text("".join(f"{line}\n" for line in (log_line(1, f"/pixel.gif?user={NAME}"), log_line(2), NAME)))
    erased(settings, NAME, at=AT + 365 * 86_400 * SECOND)
    (found,) = brought(settings, log, form="combined", site="shop.example")
    assert (found.events, found.rejects, found.left_out) == (1, 0, 2)
    assert len(ids(settings, "events")) == 1
    assert ids(settings, "rejects") == []


def test_a_log_of_erasures_that_cannot_be_read(tmp_path: Path) -> None:
    """Nobody can tell who was erased: nothing is brought."""
    settings = Settings(data=tmp_path / "data")
    build.registry(settings).close()
    (settings.data / "registry" / erasures.FILE).mkdir()
    log = tmp_path / "access.log"
    log.write_text(log_line(1) + "\n")
    with pytest.raises(erasures.BackupError):
        brought(settings, log, form="combined", site="shop.example")
    assert build.lake_reader(settings).sums().in_lake == 0
