"""The function of the schedule: what is due is done, and what fails is due again."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pixelake.aws import keep
from pixelake.aws.consume import Consume
from pixelake.build import functions, stores
from pixelake.errors import SettingsError
from tests.aws.deliveries import line, of_kinesis
from tests.aws.requests import sample

OLD = 40
"""Commits of an hour."""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Of functions that share a folder."""
    places = {name: f"file://{tmp_path}/{name}" for name in ("lake", "registry")}
    named = {f"PIXELAKE_{name.upper()}": place for name, place in places.items()}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PIXELAKE_DATA", str(tmp_path / "f"))
    keep._house.cache_clear()
    yield {**named, "PIXELAKE_DATA": str(tmp_path / "f")}
    keep._house.cache_clear()


def test_many_files_become_one(environment: dict[str, str], tmp_path: Path) -> None:
    """Called with AWS's own sample of an event: small files are packed, no row is lost, and it is noted."""
    consume = Consume(functions.stages(functions.settings(environment)))
    for number in range(OLD):
        consume(of_kinesis([line(number)]))
    events = DeltaTable(str(tmp_path / "lake" / "events"))
    assert len(events.file_uris()) >= OLD
    keep.handler(sample("scheduled"), None)
    events = DeltaTable(str(tmp_path / "lake" / "events"))
    assert len(events.file_uris()) < OLD / 2
    assert events.to_pyarrow_table().num_rows == OLD
    done = stores.registry(functions.settings(environment)).tasks()
    assert done["compact"].ended
    assert all(not task.error for task in done.values())


def test_without_a_lake(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It raises, with a line that says what is missing."""
    monkeypatch.delenv("PIXELAKE_LAKE")
    with pytest.raises(SettingsError):
        keep.handler(sample("scheduled"), None)
    told = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert "PIXELAKE_LAKE" in told["reason"]
    assert environment
