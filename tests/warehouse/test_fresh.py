"""What an outcome still adds."""

import dataclasses

import pytest

from pixelake.errors import WarehouseError
from pixelake.warehouse.fresh import above
from tests.warehouse.outcomes import event, outcome, reject


def test_rows_at_or_below_the_stored_position_are_dropped() -> None:
    """Of each table only rows above the position of their own partition stay."""
    whole = outcome([event("a", 1), event("a", 3), event("b", 1)], [reject("a", 2)], [("a", 4), ("b", 2)])
    rest = above(whole, {"a": 2})
    assert rest.events["hit_id"].to_pylist() == ["a-3", "b-1"]
    assert rest.rejects.num_rows == 0
    assert rest.withheld["position"].to_pylist() == [4, 2]
    assert rest.positions == {"a": 4, "b": 2}
    assert rest.first == {"a": 3, "b": 1}


def test_partition_without_anything_new_is_gone() -> None:
    """A position that is reached already is none of the rest."""
    assert above(outcome([event("a", 3)]), {"a": 3}).positions == {}


def test_all_elements_of_a_hit_stay_together() -> None:
    """Several rows of one position are dropped or kept together."""
    whole = outcome([event("a", 1), event("a", 2), event("a", 2, hit_id="a-2.1")])
    assert above(whole, {"a": 1}).events.num_rows == 2


def test_row_of_an_unknown_partition_is_no_silent_loss() -> None:
    """A row whose partition has no position raises instead of vanishing."""
    with pytest.raises(WarehouseError, match="without a position"):
        above(dataclasses.replace(outcome([event("a", 1)]), positions={}), {})
