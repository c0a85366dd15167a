"""One event by its name, wherever in the lake it is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.single import event
from tests.warehouse.outcomes import event as a_row
from tests.warehouse.outcomes import outcome

PLACED = "p-7"
NAMED = "named by its maker"
"""A name that tells no place."""


@pytest.fixture
def house(tmp_path: Path):
    """A lake with an event whose name tells its place, and one whose name does not."""
    rows = [a_row("p", 1, hit_id=NAMED, site="blog"), a_row("p", 7)]
    Lake(tmp_path).write(outcome(rows))
    with Lakehouse(tmp_path) as opened:
        yield opened


def test_it_has_every_column(house: Lakehouse) -> None:
    """Also those that are empty; times have a zone."""
    found = event(house, PLACED)
    assert found is not None
    assert {"hit_id", "user_agent", "properties", "hour"} <= set(found)
    assert found["received_at"].tzinfo is not None


@pytest.mark.parametrize("name", [PLACED, NAMED])
@pytest.mark.parametrize("late", [None, 0, 99])
def test_it_is_found_however_much_is_known(house: Lakehouse, name: str, late: int | None) -> None:
    """Without its hour, with it, and also where the hour is a wrong one."""
    received = event(house, name)["received_at"]
    found = event(house, name, at=None if late is None else received + timedelta(hours=late))
    assert (found or {}).get("hit_id") == name


def test_another_site_is_none(house: Lakehouse) -> None:
    """Who sees one site does not see it."""
    assert event(house, NAMED, "shop") is None
    assert event(house, NAMED, "blog")["site"] == "blog"


@pytest.mark.parametrize("name", ["p-8", "", "' or 1=1 --", "p-999999999999999999", "x" * 200])
def test_a_name_that_nothing_has_is_none(house: Lakehouse, name: str) -> None:
    """Whatever it is made of."""
    assert event(house, name, at=datetime(2026, 3, 1, tzinfo=UTC)) is None
    assert event(house, name) is None
