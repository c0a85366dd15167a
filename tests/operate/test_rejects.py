"""Rejects are found by name, and purged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelake.operate.rejects import Old, find, purge
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from tests.warehouse.outcomes import START, event, outcome, reject

BODY = '{"method":"POST","body":"[1,2]"}'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Lakehouse]:
    """A lake with two rejects of one hit, one that points nowhere, and one with a name of its own."""
    rows: list[dict[str, Any]] = [
        reject("a-1", 7, raw=BODY),
        reject("a-1", 7, raw='{"see":"a-1-7"}') | {"hit_id": "a-1-7.1"},
        reject("a-1", 8, raw='{"see":"a-1-6"}'),
        reject("a-1", 9, raw="no JSON") | {"hit_id": "request-4-5"},
    ]
    Lake(tmp_path).write(outcome(rejects=rows))
    with Lakehouse(tmp_path) as house:
        yield house


RAW = {
    "by its place": ("a-1-7", BODY),
    "a further one of a hit": ("a-1-7.1", BODY),
    "one whose first is gone": ("a-1-8", '{"see":"a-1-6"}'),
    "by a name that is no place": ("request-4-5", "no JSON"),
}


@pytest.mark.parametrize(("hit_id", "raw"), RAW.values(), ids=RAW.keys())
def test_raw(house: Lakehouse, hit_id: str, raw: str) -> None:
    """The raw hit is found, also where the reject only names the one that holds it."""
    (row,) = find(house, hit_id)
    assert (row["hit_id"], row["raw"]) == (hit_id, raw)


@pytest.mark.parametrize("hit_id", ["", "a-1-6", "a-1-7.2", "-", "a-1-" + "9" * 30, "' or true --"])
def test_nobody(house: Lakehouse, hit_id: str) -> None:
    """A name that nobody has finds nothing, whatever it looks like."""
    assert find(house, hit_id) == []


PURGES = {
    "by reason": (Old(reason="too_long"), ["a-2", "a-4"]),
    "by age": (Old(days=1), ["a-4"]),
    "by both": (Old(reason="bad_number", days=1), ["a-1", "a-3", "a-4"]),
    "all": (Old(), []),
    "none so old": (Old(days=100), ["a-1", "a-2", "a-3", "a-4"]),
}


@pytest.mark.parametrize(("old", "left"), PURGES.values(), ids=PURGES.keys())
def test_purge(tmp_path: Path, old: Old, left: list[str]) -> None:
    """What is old goes and is counted as removed, what it leaves alone stays; again finds nothing."""
    lake, reader = Lake(tmp_path), LakeReader(tmp_path)
    clock = FakeClock(int(START.timestamp() * 1_000_000) + 86_400_000_000 + 3_000_000)
    rows = [reject("a", 1), reject("a", 2, reason="bad_number"), reject("a", 3)]
    lake.write(
        outcome([event("a", 5)], [*rows, reject("a", 4, reason="bad_number", received_at=START.replace(hour=23))])
    )
    told: list[int] = []
    assert purge(lake, old, told.append, clock) == 4 - len(left)
    assert told == [4 - len(left)] * (len(left) < 4)
    assert purge(lake, old, told.append, clock) == 0
    with Lakehouse(tmp_path) as house:
        assert house.ask("select hit_id from rejects order by 1")["hit_id"].to_pylist() == left
    sums = reader.sums()
    assert sums.holds
    assert (sums.rejected, sums.removed, sums.outcomes) == (len(left), 4 - len(left), 5)
