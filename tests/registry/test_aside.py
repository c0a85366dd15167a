"""A registry with salts of its own."""

from datetime import date
from pathlib import Path

from pixelake.registry.aside import Aside
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock

DAYS = (date(1999, 1, 1), date(2026, 2, 10))


def test_salts_are_its_own(tmp_path: Path) -> None:
    """Of any day, always the same, and nobody else's; the sites are everybody's."""
    registry = SqliteRegistry(tmp_path / "registry.sqlite", clock=FakeClock())
    one, same, other = Aside(registry, "a"), Aside(registry, "a"), Aside(registry, "b")
    salts = one.salts(DAYS)
    assert salts == same.salts(DAYS)
    assert {len(salt) for salt in salts.values()} == {32}
    others = [*salts.values(), *other.salts(DAYS).values(), *registry.salts(DAYS).values()]
    assert len(set(others)) == 5  # the registry has none for a day so long ago
    one.add_sites(["a.example"])
    assert "a.example" in other.snapshot().sites
    registry.close()


def test_secrets_are_destroyed(tmp_path: Path) -> None:
    """No byte of it is left in the files, and whoever asks again gets another one."""
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    secret, stays = registry.secret("import/x%"), registry.secret("import-y")
    assert registry.secrets("import/") == ["import/x%"]
    assert any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    registry.destroy_secret("import/x%")
    registry.destroy_secret("import/never")
    assert registry.secrets("import") == ["import-y"]
    assert not any(secret.encode() in path.read_bytes() for path in tmp_path.iterdir())
    assert registry.secret("import/x%") != secret
    assert registry.secret("import-y") == stays
    registry.close()
