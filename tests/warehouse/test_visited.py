"""Tests of `pixelake.warehouse.visited`: visits without their events are those that the trail knows."""

from datetime import timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.trail import VISIT, Scope, relations, trail
from pixelake.warehouse.visited import visits
from pixelake.warehouse.zones import Clock, fixed
from tests.warehouse.test_trail import DAY, hits

SCOPE = Scope(Clock(fixed("UTC")), "true", DAY, DAY)
SPANS = [(0, 24), (1, 11), (10.5, 12)]


def both(rows: list[dict[str, Any]], wanted: tuple[str, ...], passing: str, span: tuple[float, float]) -> list[Any]:
    """These columns of the visits that begin within some hours of the day: as the trail knows them, and without it."""
    start, end = (SCOPE.start + timedelta(hours=hour) for hour in span)
    known = relations(start, end, passing, visits=True, wanted=wanted)["visits"]
    columns = ", ".join(wanted)
    statements = [
        f"with trail as ({trail(SCOPE, EVENTS.names)}) select person, {columns} from ({known}) order by all",
        f"select person, {columns} from ({visits(SCOPE, start, end, passing, wanted)}) order by all",
    ]
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.register("events", pa.Table.from_pylist(rows, EVENTS))
        return [database.execute(statement).to_arrow_table().to_pylist() for statement in statements]


@pytest.mark.parametrize("span", SPANS)
@pytest.mark.parametrize("passing", ["true", "path = '/3'", "host is null"])
@pytest.mark.parametrize("wanted", [VISIT, ("visit_at", "visit_hits"), ("visit_at", "entry_referrer_host")])
def test_both_ways_tell_the_same(wanted: tuple[str, ...], passing: str, span: tuple[float, float]) -> None:
    """Whatever is asked of visits: also of those that cross midnight, at the same moment, or of a filter."""
    rows = [
        *hits(-20, 5, 600, 600, 625, 660, 700, 1_430, 1_445, referrer_host="a.example"),
        *hits(640, 650, referrer_host="h", user_id="u"),
    ]
    rows = [row | {"hit_id": f"{at:02}"} for at, row in enumerate(reversed(rows))]
    with_trail, without = both(rows, wanted, passing, span)
    assert with_trail == without


def test_there_are_visits_to_compare() -> None:
    """The hits above are several visits, and one that crosses midnight is of the day on which it began."""
    found, _ = both(hits(-20, 5, 600, 625, 660, 1_430, 1_445), ("visit_at", "visit_hits"), "true", (0, 24))
    assert [row["visit_hits"] for row in found] == [2, 1, 2]
