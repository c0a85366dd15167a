"""Tests of `pixelake.operate.rejects`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pixelake.operate.rejects import find
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from tests.warehouse.outcomes import outcome, reject

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
