"""What badges show, beside what every sink promises (`tests/contract/test_sinks.py`)."""

from pathlib import Path

import pytest

from pixelake.errors import WarehouseError
from pixelake.warehouse.badges_sqlite import BadgeStore, Loads, counts, loads_of
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from tests.warehouse.outcomes import event, outcome

LOADS = [
    event("a", 1, event="badge", site="x"),
    event("a", 2, event="badge", site="x", proxy="github-camo", visitor_id=None),
    event("a", 3, event="badge", site="y", bot=None, duplicate=None),
    event("a", 4, event="pageview", site="x"),
    event("a", 5, event="badge", site="x", bot=True),
    event("a", 6, event="badge", site="x", duplicate=True),
    event("a", 7, event="badge", site="x", method="HEAD"),
    event("b", 1, event="badge", site="x"),
]
"""Three loads of x, one of y."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the counts are."""
    return tmp_path / "live" / "badges.sqlite"


def test_loads_are_counted(path: Path) -> None:
    """Those of the badge alone, without machines, repeats and HEAD; an image proxy counts as who asks through it."""
    BadgeStore(path).write(outcome(LOADS))
    assert counts(path, ["x", "y", "z"]) == {"x": 3, "y": 1, "z": 0}


def test_the_lake_says_the_same(path: Path, tmp_path: Path) -> None:
    """In SQL, as the module has it, and for a store that begins anew."""
    Lake(tmp_path / "lake").write(outcome(LOADS))
    with Lakehouse(tmp_path / "lake") as house:
        rows = house.sql(
            "select site, count(*) as n from events where event = 'badge' and method <> 'HEAD'"
            " and not coalesce(bot or duplicate, false) group by 1"
        ).to_pylist()
    assert {row["site"]: row["n"] for row in rows} == {"x": 3, "y": 1}
    assert loads_of(tmp_path / "lake", {}) == Loads({"x": 3, "y": 1}, {"a": 7, "b": 1})
    assert loads_of(tmp_path / "lake", {"a": 2, "b": 1}) == Loads({"y": 1}, {"a": 7})


def test_no_lake_has_no_loads(tmp_path: Path) -> None:
    """Looking makes nothing."""
    assert loads_of(tmp_path / "lake", {}) == Loads({}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_store_made_again_counts_nothing_twice(path: Path, tmp_path: Path) -> None:
    """It begins with what the lake holds, at the lake's positions; what comes again below them is known."""
    Lake(tmp_path / "lake").write(outcome(LOADS))
    store = BadgeStore(path, tmp_path / "lake")
    store.catch_up()
    store.write(outcome([*LOADS, event("a", 8, event="badge", site="y")]))
    assert counts(path, ["x", "y"]) == {"x": 3, "y": 2}
    assert dict(store.positions()) == {"a": 8, "b": 1}


def test_caught_up_only_once(path: Path, tmp_path: Path) -> None:
    """A second start, or a second process, adds nothing."""
    Lake(tmp_path / "lake").write(outcome(LOADS))
    for _ in range(2):
        BadgeStore(path, tmp_path / "lake").catch_up()
    assert counts(path, ["x", "y"]) == {"x": 3, "y": 1}


def test_a_gap_is_made_up_from_the_lake(path: Path, tmp_path: Path) -> None:
    """What was missed while the counts could not be written is counted once, also of partitions that are gone."""
    store = BadgeStore(path, tmp_path / "lake")
    for sink in (Lake(tmp_path / "lake"), store):
        sink.write(outcome(LOADS[:2]))
    Lake(tmp_path / "lake").write(outcome(LOADS[2:]))
    store.write(outcome([event("a", position, event="badge", site="y") for position in (8, 9)]))
    assert counts(path, ["x", "y"]) == {"x": 3, "y": 3}
    assert dict(store.positions()) == {"a": 9, "b": 1}


@pytest.mark.parametrize("where", [0, 4_096], ids=["its head", "a page"])
def test_a_damaged_store_is_set_aside(path: Path, tmp_path: Path, where: int) -> None:
    """It is kept beside a new one, which the lake fills; its write-ahead log goes with it."""
    Lake(tmp_path / "lake").write(outcome(LOADS))
    store = BadgeStore(path, tmp_path / "lake")
    store.catch_up()
    store.close()
    data = bytearray(path.read_bytes())
    data[where : where + 1_000] = b"garbage, " * 111 + b"!"
    path.write_bytes(data)
    path.with_name("badges.sqlite-wal").write_bytes(b"left behind")
    store = BadgeStore(path, tmp_path / "lake")
    store.catch_up()
    assert counts(path, ["x", "y"]) == {"x": 3, "y": 1}
    (broken,) = (each for each in path.parent.glob("*.broken-*") if each.name[-1].isdigit())
    assert broken.read_bytes() == data


def test_what_is_no_damage_is_not_set_aside(path: Path) -> None:
    """A file that cannot be opened, here a folder, stays and is an error."""
    path.mkdir(parents=True)
    with pytest.raises(WarehouseError):
        BadgeStore(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_counts_of_no_store(path: Path) -> None:
    """It is an error with a hint, not a badge that counts from 0 again."""
    with pytest.raises(WarehouseError) as caught:
        counts(path, ["x"])
    assert caught.value.hint


def test_sites_that_are_meant_are_forgotten(path: Path) -> None:
    """Their counts go, and no byte of their names stays; the others count on."""
    store = BadgeStore(path)
    store.write(outcome([*LOADS, event("c", 1, event="badge", site="zq7-secret.example")]))
    assert store.hide(lambda sites: ["secret" in site for site in sites]) == 1
    assert store.hide(lambda sites: ["secret" in site for site in sites]) == 0
    assert counts(path, ["x", "y", "zq7-secret.example"]) == {"x": 3, "y": 1, "zq7-secret.example": 0}
    assert all(b"zq7-secret" not in file.read_bytes() for file in path.parent.iterdir())
