"""Installations whose live store is in a table of DynamoDB."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from pixelake import build
from pixelake.errors import SettingsError, WarehouseError
from pixelake.operate import folder
from pixelake.operate.person import Person
from pixelake.settings import Settings
from tests.stages import accept, consuming

NAME = "Zq7-secret-person"
BROWSER = b"User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"


def _machine(tmp_path: Path, table: str) -> Settings:
    return Settings(data=tmp_path / "data", live=f"dynamodb://{table}", lake_window=0.05, live_window=0.05)


def _seen(settings: Settings, number: int) -> list[str]:
    """The sites of the newest events, once there are so many."""
    reader, deadline = build.live_reader(settings), time.monotonic() + 30
    while len(rows := reader.newest(10)) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    return sorted(row.event["site"] for row in rows)


def test_hits_are_shown_and_a_person_leaves(tmp_path: Path, dynamodb: str) -> None:
    """Hits are there for another machine; an erasure takes a person's off, also where a site has the name."""
    settings, other = _machine(tmp_path, dynamodb), _machine(tmp_path / "other", dynamodb)
    with folder.occupied(settings.data, ["consume"]), consuming(settings):
        accept(
            settings,
            "/pixel.gif?site=a",
            f"/pixel.gif?site=a&user={NAME}",
            f"/pixel.gif?site={NAME}.example",
            headers=BROWSER,
        )
        assert _seen(other, 3) == ["a", "a", f"{NAME}.example".lower()]
        assert build.live_reader(other).now(300.0).hits == 3
        proof = build.erase(settings, Person("user", NAME), lambda *_: None)
    assert proof.found == []
    assert _seen(other, 1) == ["a"]
    assert build.live_reader(other).now(300.0).hits == 1
    assert not (settings.data / "live" / "live.sqlite").exists()


def test_a_table_that_is_not_there(tmp_path: Path, dynamodb: str) -> None:
    """The live store says so in one line; the folder is not touched."""
    settings = _machine(tmp_path, f"{dynamodb}-gone")
    build.check(settings)
    for use in (build.live_store, lambda chosen: build.live_reader(chosen).newest(1)):
        with pytest.raises(WarehouseError) as caught:
            use(settings)
        assert "\n" not in str(caught.value)
        assert caught.value.hint
    assert not settings.data.exists()


@pytest.mark.parametrize("url", ["dynamodb://", "dynamodb://a/b/c", "dynamodb://user:pass@table", "x://t"])
def test_a_url_that_names_no_table(tmp_path: Path, url: str) -> None:
    """It is refused before anything is made, and a password in it is not told."""
    with pytest.raises(SettingsError) as caught:
        build.check(Settings(data=tmp_path / "data", live=url))
    assert caught.value.hint
    assert "pass" not in str(caught.value)


def test_a_folder_goes_on_without_the_table(tmp_path: Path, dynamodb: str) -> None:
    """Who takes `--live` away begins a new live store in the folder, which takes what it lacks from the stream."""
    settings = _machine(tmp_path, dynamodb)
    with consuming(settings):
        accept(settings, "/pixel.gif?site=a", headers=BROWSER)
        assert _seen(settings, 1) == ["a"]
    embedded = Settings(data=settings.data, lake_window=0.05, live_window=0.05)
    with consuming(embedded):
        assert _seen(embedded, 1) == ["a"]
    with closing(build.live_store(embedded)) as file, closing(build.live_store(settings)) as table:
        assert dict(file.positions()) == dict(table.positions())
