"""Tests of `pixelake.operate.folder`: a folder is taken once, has a version, and nothing of others is touched."""

import os
import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from pixelake import build
from pixelake.errors import DataFolderError, FolderInUse, FolderVersion, LakeUnavailable
from pixelake.operate import folder
from pixelake.operate.folder import ROLES, VERSION, begun, existing, occupied
from pixelake.settings import Settings
from pixelake.testing import FakeClock
from pixelake.warehouse.query import Lakehouse
from tests.warehouse.golden import GOLDEN, lake_of


def _names(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()}


def test_made_on_first_use(tmp_path: Path) -> None:
    """The folder is made, for its owner alone, with its version."""
    data = tmp_path / "a" / "data"
    with occupied(data, ROLES):
        assert (data / "version").read_text() == f"{VERSION}\n"
    assert data.stat().st_mode & 0o777 == 0o700
    assert existing(data) == data


def test_taken_once(tmp_path: Path) -> None:
    """A second server waits a moment, then is refused; when the first has ended it is not."""
    clock = FakeClock()
    with occupied(tmp_path, ROLES), pytest.raises(FolderInUse), occupied(tmp_path, ROLES, clock):
        pass
    assert sum(clock.slept) == pytest.approx(folder.PATIENCE, abs=0.1)
    with occupied(tmp_path, ROLES):
        pass


def test_roles_alone(tmp_path: Path) -> None:
    """Different roles share a folder; the same one twice, or `serve` beside a role, do not."""
    with occupied(tmp_path, ["collect"]):
        with occupied(tmp_path, ["consume"]):
            pass
        with pytest.raises(FolderInUse), occupied(tmp_path, ["collect"], FakeClock()):
            pass
        with pytest.raises(FolderInUse), occupied(tmp_path, ROLES, FakeClock()):
            pass


def test_a_newer_folder_is_left_alone(tmp_path: Path) -> None:
    """What a newer version wrote is neither written to nor read."""
    (tmp_path / "version").write_text(f"{VERSION + 1}\n")
    for use in (lambda: occupied(tmp_path, ROLES).__enter__(), lambda: existing(tmp_path)):
        with pytest.raises(FolderVersion, match="newer"):
            use()
    assert _names(tmp_path) == {"version"}


def test_an_older_folder_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step runs once, in order; readers say that it has not run yet."""
    (tmp_path / "version").write_text("0\n")
    with pytest.raises(FolderVersion, match="older"):
        existing(tmp_path)
    steps: list[Path] = []
    monkeypatch.setattr(folder, "MIGRATIONS", {0: steps.append} | folder.MIGRATIONS)
    for _ in range(2):
        with occupied(tmp_path, ROLES):
            pass
    assert steps == [tmp_path]
    assert existing(tmp_path) == tmp_path


def test_an_older_folder_without_a_way(tmp_path: Path) -> None:
    """A folder that nobody knows how to migrate is refused and stays as it is."""
    (tmp_path / "version").write_text("0\n")
    with pytest.raises(FolderVersion, match="older"), occupied(tmp_path, ROLES):
        pass
    assert (tmp_path / "version").read_text() == "0\n"


@pytest.mark.parametrize("said", [b"\xff\x00", b"9" * 5_000], ids=["no number", "too long"])
def test_a_damaged_version(tmp_path: Path, said: bytes) -> None:
    """A version that is no number, or none that can be, is refused, with what to do."""
    (tmp_path / "version").write_bytes(said)
    with pytest.raises(DataFolderError, match="damaged"):
        existing(tmp_path)


def test_somebody_elses_folder(tmp_path: Path) -> None:
    """A folder with other things in it is refused; nothing is added to it."""
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(DataFolderError, match=r"thesis\.odt"), occupied(tmp_path, ROLES):
        pass
    with pytest.raises(DataFolderError, match=r"thesis\.odt"):
        existing(tmp_path)
    assert _names(tmp_path) == {"thesis.odt"}


def test_a_restore_cut_short(tmp_path: Path) -> None:
    """Nobody takes what it has left for a data folder, and is told what to do."""
    (tmp_path / ".restoring" / "stream").mkdir(parents=True)
    with pytest.raises(DataFolderError, match="was cut short") as caught, occupied(tmp_path, ROLES):
        pass
    assert "pixelake restore" in caught.value.hint
    with pytest.raises(DataFolderError, match="was cut short"):
        existing(tmp_path)


def test_a_start_cut_short(tmp_path: Path) -> None:
    """Locks and half a version are what a start leaves that was cut short; so is an empty disk's lost+found."""
    for name in ("lock", "lock-collect", "version.new"):
        (tmp_path / name).touch()
    (tmp_path / "lost+found").mkdir()
    with occupied(tmp_path, ROLES):
        assert existing(tmp_path) == tmp_path


def test_missing_and_empty(tmp_path: Path) -> None:
    """For those who only read, a missing folder is an error, an empty one is not; neither is made or written to."""
    with pytest.raises(DataFolderError, match="no data folder"):
        existing(tmp_path / "nowhere")
    assert existing(tmp_path) == tmp_path
    assert not _names(tmp_path)


@pytest.mark.parametrize("place", ["file/data", "file"])
def test_unusable(tmp_path: Path, place: str) -> None:
    """Where no folder can be, the error says so in one line."""
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderError, match="cannot use"), occupied(tmp_path / place, ROLES):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable(tmp_path: Path) -> None:
    """A folder that may not be written to is refused."""
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderError, match="Permission"), occupied(tmp_path, ROLES):
        pass


def test_a_command_that_writes_first(tmp_path: Path) -> None:
    """It marks an empty folder as a data folder, so that the server takes it later; a stranger's it leaves alone."""
    assert begun(tmp_path) == tmp_path
    (tmp_path / "registry").mkdir()
    with occupied(tmp_path, ROLES):
        assert begun(tmp_path) == tmp_path
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / "thesis.tex").touch()
    with pytest.raises(DataFolderError, match="no data folder"):
        begun(stranger)
    assert [path.name for path in stranger.iterdir()] == ["thesis.tex"]
    with pytest.raises(DataFolderError, match="there is no data folder"):
        begun(tmp_path / "none")


def test_the_lake_of_an_older_folder_is_brought_up_by_its_first_writer(tmp_path: Path) -> None:
    """A folder of data version 3: until then it is only read; its rows are as they were, the hour is a column then."""
    lake_of(GOLDEN / "v1", tmp_path / "lake")
    (tmp_path / "version").write_text("3\n")
    with Lakehouse(tmp_path / "lake") as house:
        rows = house.ask("select * from events order by hit_id").to_pylist()
    with occupied(tmp_path, ROLES):
        assert (tmp_path / "version").read_text() == f"{VERSION}\n"
        assert DeltaTable(str(tmp_path / "lake" / "events")).metadata().partition_columns[-1] == "hour"
        build.lake(Settings(data=tmp_path))
    with Lakehouse(tmp_path / "lake") as house:
        assert house.ask("select * from events order by hit_id").to_pylist() == rows
    assert DeltaTable(str(tmp_path / "lake" / "events")).metadata().partition_columns == ["year", "month", "day"]


def test_a_lake_that_cannot_be_brought_up_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room nothing has changed, the folder can be taken, and the next who opens the lake tries again."""
    lake_of(GOLDEN / "v1", tmp_path / "lake")
    (tmp_path / "version").write_text("3\n")
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    with occupied(tmp_path, ROLES):
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "disk_usage", lambda _: usage)
            with pytest.raises(LakeUnavailable, match="must be free"):
                build.lake(Settings(data=tmp_path))
        assert DeltaTable(str(tmp_path / "lake" / "events")).metadata().partition_columns[-1] == "hour"
        build.lake(Settings(data=tmp_path))
    assert DeltaTable(str(tmp_path / "lake" / "events")).metadata().partition_columns[-1] == "day"


def test_an_older_folder_without_a_lake(tmp_path: Path) -> None:
    """One that lies elsewhere, or is not begun, is not made by it."""
    (tmp_path / "version").write_text("3\n")
    with occupied(tmp_path, ROLES):
        pass
    assert not (tmp_path / "lake").exists()
