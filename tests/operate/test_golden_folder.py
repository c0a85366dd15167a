"""Whole data folders of every version that was ever released start under this program, and their sums hold."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pixelake import build
from pixelake.disk import Flock
from pixelake.errors import FolderVersion
from pixelake.operate import folder
from pixelake.operate.folder import ROLES, VERSION, existing, occupied
from pixelake.settings import Settings
from tests.operate.golden import GOLDEN, QUESTION, SETTLED, WAITING, unpack
from tests.operate.installation import Installation, silent

FOREVER = 3_000_000_000.0
"""Seconds: the folders do not grow younger."""
VERSIONS = sorted(path.stem for path in GOLDEN.glob("*.ndjson"))


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """A folder of an older version, and what was told of it."""
    told = unpack(GOLDEN / f"{request.param}.ndjson", tmp_path / "data")
    assert (tmp_path / "data" / "version").read_text() == request.param[1:] + "\n"
    return tmp_path / "data", told


def test_no_version_is_forgotten() -> None:
    """All up to the one before this; the present one's is made before it is succeeded."""
    assert {f"v{number}" for number in range(1, VERSION)} <= set(VERSIONS)


def _events(settings: Settings) -> list[dict[str, Any]]:
    with closing(build.lakehouse(settings)) as lake:
        rows: list[dict[str, Any]] = lake.ask(QUESTION, {}).to_pylist()
    return rows


def test_it_starts(golden: tuple[Path, dict[str, Any]]) -> None:
    """What was settled is there as it was; what waited is settled; a repeat of what was settled is still one."""
    data, told = golden
    with pytest.raises(FolderVersion, match="older"):
        existing(data)
    house = Installation(data, repeat_window=FOREVER)
    assert existing(data) == data
    before = house.status()
    assert (before.accepted, before.in_lake, before.rejected, before.in_stream) == (
        told["status"]["accepted"],
        told["status"]["in_lake"],
        told["status"]["rejected"],
        len(WAITING),
    )
    assert before.hits_hold
    assert before.outcomes_hold
    house.send([5])  # known to the owners of event ids
    house.settle()
    found = {row["hit_id"]: row for row in _events(house.settings)}
    old = told["events"]
    assert [found[row["hit_id"]] for row in old] == old
    new = [row for name, row in found.items() if name not in {row["hit_id"] for row in old}]
    assert sorted((int(row["event_id"]), row["duplicate"]) for row in new) == [
        (5, True),
        *((number, False) for number in WAITING),
    ]
    after = house.status()
    assert after.hits_hold
    assert after.outcomes_hold
    assert (after.in_stream, after.missed, after.set_aside, after.damaged) == (0, 0, [], [])
    assert len({row["event_id"] for row in found.values()} & {str(number) for number in SETTLED}) == len(SETTLED)


def test_its_stores_are_read(golden: tuple[Path, dict[str, Any]]) -> None:
    """Sites, salts and the dashboard's secret are those of before; the live store has not forgotten its positions."""
    data, _ = golden
    settings = Installation(data).settings
    with closing(build.registry(settings)) as registry:
        assert "s.example" in registry.snapshot().sites
        assert registry.noticed(0) is not None
    with closing(build.live_store(settings)) as live:
        assert sum(live.positions().values()) > len(SETTLED)


def test_a_migration_that_is_killed(golden: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """At the beginning or at the end of any step: it is repeated, and comes to the same."""
    data, told = golden

    def cut(step: Callable[[Path], None], when: str) -> Callable[[Path], None]:
        def run(target: Path) -> None:
            if when == "end":
                step(target)
            raise KeyboardInterrupt

        return run

    first = int((data / "version").read_text())
    for version in range(first, VERSION):
        for when in ("begin", "end"):
            steps = dict(folder.MIGRATIONS)
            steps[version] = cut(steps[version], when)
            with monkeypatch.context() as patch:
                patch.setattr(folder, "MIGRATIONS", steps)
                with pytest.raises(KeyboardInterrupt), occupied(data, ROLES):
                    pass
    house = Installation(data)
    house.settle()
    assert [row for row in _events(house.settings) if row in told["events"]] == told["events"]
    assert house.status().outcomes_hold


def test_a_backup_of_it(golden: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """A folder that was migrated and backed up is restored whole."""
    house = Installation(golden[0])
    build.backup(house.settings, str(tmp_path / "backups"), silent)
    build.restore(Settings(data=tmp_path / "new"), str(tmp_path / "backups"), silent)
    again = Installation(tmp_path / "new")
    again.settle()
    assert {row["event_id"] for row in _events(again.settings)} >= {str(number) for number in (*SETTLED, *WAITING)}
    assert again.status().hits_hold
    assert again.status().outcomes_hold


def test_who_is_older_stays_out(golden: tuple[Path, dict[str, Any]]) -> None:
    """One version newer than ours: whatever is asked, nothing is touched."""
    data, _ = golden
    (data / "version").write_text(f"{VERSION + 1}\n")
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    for ask in (existing, folder.begun):
        with pytest.raises(FolderVersion, match="newer"):
            ask(data)
    with pytest.raises(FolderVersion, match="newer"), occupied(data, ROLES):
        pass
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_the_helper(tmp_path: Path) -> None:
    """What is kept as text comes back byte by byte."""
    from tests.operate.golden import pack

    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(bytes(range(256)))
    pack(tmp_path / "a", {"x": 1}, tmp_path / "kept.ndjson")
    assert unpack(tmp_path / "kept.ndjson", tmp_path / "d") == {"x": 1}
    assert json.loads((tmp_path / "kept.ndjson").read_text().splitlines()[0]) == {"x": 1}
    shutil.rmtree(tmp_path / "a")
    assert (tmp_path / "d" / "b" / "c").read_bytes() == bytes(range(256))


def test_an_older_collector_goes_on_beside_a_newer_consumer(golden: tuple[Path, dict[str, Any]]) -> None:
    """The folder is migrated under it: what it appends, in its own way, is read; it is only not started again there."""
    data, _ = golden
    collector = Flock(data / "lock-collect")
    assert collector.acquire()
    try:
        with occupied(data, ["consume"]):
            assert existing(data) == data
    finally:
        collector.release()
    house = Installation(data)
    house.settle()
    assert house.status().hits_hold
