"""Goals and funnels in the registry: declared, replaced, taken away, seen by all."""

from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.registry.goals import LONGEST, MOST, Funnel, Goal
from pixelake.registry.sqlite import SqliteRegistry

ORDER = Goal("order", ("event is purchase", "country in DE, AT"), "2.50")


@pytest.fixture
def registry(tmp_path: Path) -> SqliteRegistry:
    """An empty one."""
    return SqliteRegistry(tmp_path / "registry.sqlite")


def test_a_goal_is_seen_by_others(registry: SqliteRegistry, tmp_path: Path) -> None:
    """Another process has it in its next snapshot, and the site is a site."""
    other = SqliteRegistry(tmp_path / "registry.sqlite")
    before = other.snapshot().version
    registry.add_goal("shop", ORDER)
    assert other.snapshot().goals == {"shop": (ORDER,)}
    assert other.snapshot().version > before
    assert "shop" in other.snapshot().sites


def test_a_goal_is_replaced(registry: SqliteRegistry) -> None:
    """One of the same name on the same site; those of other sites stay."""
    registry.add_goal("shop", ORDER)
    registry.add_goal("other", ORDER)
    registry.add_goal("shop", Goal("order", ("event is order",)))
    assert registry.snapshot().goals == {"other": (ORDER,), "shop": (Goal("order", ("event is order",)),)}


def test_a_funnel_keeps_its_order(registry: SqliteRegistry) -> None:
    """Its steps come back as they were given, each with its filters."""
    funnel = Funnel("way", (("path is /z",), ("path is /a", "event is pageview"), ("event is purchase",)))
    registry.add_funnel("shop", funnel)
    assert registry.snapshot().funnels == {"shop": (funnel,)}


def test_taken_away(registry: SqliteRegistry) -> None:
    """Once; then there is none."""
    registry.add_goal("shop", ORDER)
    registry.add_funnel("shop", Funnel("way", (("path is /",), ("path is /a",))))
    assert registry.remove_goal("shop", "order")
    assert registry.remove_funnel("shop", "way")
    assert not registry.remove_goal("shop", "order")
    assert not registry.remove_funnel("shop", "way")
    assert (registry.snapshot().goals, registry.snapshot().funnels) == ({}, {})


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * (LONGEST + 1), "\0"])
def test_names_that_cannot_be(registry: SqliteRegistry, name: str) -> None:
    """A name is some characters on one line."""
    with pytest.raises(SettingsError, match="can be called"):
        registry.add_goal("shop", Goal(name, ("event is purchase",)))
    with pytest.raises(SettingsError, match="can be called"):
        registry.add_funnel("shop", Funnel(name, (("event is purchase",),)))


@pytest.mark.parametrize("worth", ["much", "nan", "inf", "1e12", "0.0000001", ""])
def test_what_is_no_amount(registry: SqliteRegistry, worth: str) -> None:
    """A goal is worth a decimal, such as events can have, or says nothing."""
    with pytest.raises(SettingsError, match="is no amount"):
        registry.add_goal("shop", Goal("order", ("event is purchase",), worth))
    assert registry.snapshot().goals == {}


def test_there_is_a_bound(registry: SqliteRegistry) -> None:
    """A site has so many goals at most; one of them can still be replaced."""
    for number in range(MOST):
        registry.add_goal("shop", Goal(f"goal {number}", ("event is purchase",)))
    with pytest.raises(SettingsError, match="the site has 100 goals"):
        registry.add_goal("shop", ORDER)
    registry.add_goal("shop", Goal("goal 7", ("event is order",)))
    assert len(registry.snapshot().goals["shop"]) == MOST


def test_a_goal_needs_a_condition(registry: SqliteRegistry) -> None:
    """Else every event would reach it."""
    with pytest.raises(SettingsError, match="has no condition"):
        registry.add_goal("shop", Goal("order", ()))


def test_who_is_erased_takes_no_goal_along(registry: SqliteRegistry) -> None:
    """Somebody who calls themselves `purchase` is not who the goal is about; a site of their name is."""
    registry.add_goal("shop", ORDER)
    registry.add_goal("purchase-site", ORDER)
    registry.forget(lambda texts: ["purchase" in text for text in texts])
    assert registry.snapshot().goals == {"shop": (ORDER,)}
