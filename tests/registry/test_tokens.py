"""Tokens of the API, as the registry keeps them."""

from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.registry import tokens
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Some moment."""
    return FakeClock()


@pytest.fixture
def registry(tmp_path: Path, clock: FakeClock) -> SqliteRegistry:
    """A registry of its own."""
    return SqliteRegistry(tmp_path / "r.sqlite", clock=clock)


def test_a_token_is_told_once(registry: SqliteRegistry, tmp_path: Path, clock: FakeClock) -> None:
    """It is found by its hash, by every process; neither the file nor its log has it."""
    token = registry.add_token("report", "shop.example")
    other = SqliteRegistry(tmp_path / "r.sqlite")
    (found,) = other.snapshot().tokens.values()
    assert found == tokens.Token(tokens.hash_of(token), "report", "shop.example", clock.now())
    assert token.startswith(tokens.PREFIX)
    assert len(token) > 40
    assert not [path for path in tmp_path.iterdir() if token.encode() in path.read_bytes()]


def test_a_token_that_was_taken_away(registry: SqliteRegistry, clock: FakeClock) -> None:
    """It holds no longer, and stays in the list; another one may have its name."""
    registry.add_token("report")
    before = registry.snapshot().version
    clock.advance(1)
    assert registry.remove_token("report")
    assert not registry.remove_token("report")
    assert registry.snapshot().version > before
    assert registry.snapshot().tokens == {}
    registry.add_token("report")
    assert [bool(token.revoked) for token in registry.tokens()] == [True, False]


def test_when_it_was_used(registry: SqliteRegistry, clock: FakeClock) -> None:
    """It is written down once an hour at most, and changes no snapshot."""
    token = tokens.hash_of(registry.add_token("report"))
    version, first = registry.snapshot().version, clock.now()
    for _ in range(3):
        registry.use_token(token, clock.now())
        clock.advance(1200)
    assert [each.used for each in registry.tokens()] == [first]
    clock.advance(1)
    registry.use_token(token, clock.now())
    assert [each.used for each in registry.tokens()] == [clock.now()]
    assert registry.snapshot().version == version


@pytest.mark.parametrize("name", ["", " ", "-a", "a b", "a\n", "é", "x" * 65, "a;--"])
def test_bad_names(registry: SqliteRegistry, name: str) -> None:
    """A name is a word of ASCII."""
    with pytest.raises(SettingsError, match="cannot be called"):
        registry.add_token(name)


def test_there_is_room_for_so_many(registry: SqliteRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is taken once, and there are so many at most."""
    monkeypatch.setattr(tokens, "MOST", 2)
    registry.add_token("one")
    with pytest.raises(SettingsError, match="already"):
        registry.add_token("one")
    registry.add_token("two")
    with pytest.raises(SettingsError, match="there are 2 tokens"):
        registry.add_token("three")


def test_erasing_somebody_takes_no_token_away(registry: SqliteRegistry) -> None:
    """A token that is called like a person is the operator's."""
    registry.add_token("anna")
    assert registry.forget(lambda texts: ["anna" in text for text in texts]) == 0
    assert [token.name for token in registry.tokens()] == ["anna"]
