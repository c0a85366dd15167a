"""The file of the embedded registry: who else is at it, and what is no place for it."""

import sqlite3
from pathlib import Path

import pytest

from pixelake.errors import RegistryUnavailable
from pixelake.registry import file
from pixelake.registry.sqlite import SqliteRegistry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the registry is."""
    return tmp_path / "registry" / "registry.sqlite"


def test_a_registry_that_somebody_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that never ends its transaction is told apart from a bad disk, and the hint says how to find it."""
    monkeypatch.setattr(file, "BUSY", 0.1)
    registry = SqliteRegistry(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryUnavailable, match="another process has been writing") as caught:
        registry.add_sites(["a.example"])
    assert f"fuser -v {path}" in caught.value.hint
    other.execute("ROLLBACK")
    other.close()
    registry.add_sites(["a.example"])
    registry.close()


def test_a_link_to_nothing_is_no_place(path: Path, tmp_path: Path) -> None:
    """It is refused, and nothing is made at the other end; once something is there it is used."""
    there = tmp_path / "elsewhere" / "registry.sqlite"
    path.parent.mkdir()
    there.parent.mkdir()
    path.symlink_to(there)
    with pytest.raises(RegistryUnavailable, match=f"is a link to {there}, and nothing is there") as caught:
        SqliteRegistry(path)
    assert "mount or restore" in caught.value.hint
    assert not list(there.parent.iterdir())
    SqliteRegistry(there).close()
    registry = SqliteRegistry(path)
    registry.add_sites(["a.example"])
    registry.close()
    assert path.is_symlink()
    assert list(SqliteRegistry(there).snapshot().sites) == ["a.example"]
