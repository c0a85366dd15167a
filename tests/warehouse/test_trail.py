"""Tests of `pixelake.warehouse.trail`: which hits are one visit, and which day it belongs to."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.trail import Scope, relations, trail
from pixelake.warehouse.zones import Clock, fixed
from tests.warehouse.outcomes import event

DAY = date(2026, 3, 10)
MIDNIGHT = datetime(2026, 3, 10, tzinfo=UTC)


def hits(*minutes: float, **columns: Any) -> list[dict[str, Any]]:
    """Hits of one visitor so many minutes after midnight; each day makes a new name."""
    return [
        event(
            "a",
            at,
            received_at=MIDNIGHT + timedelta(minutes=minute),
            visitor_id="monday" if minute < 0 else "tuesday" if minute < 1_440 else "wednesday",
            visitor_before={0 <= minute < 30: "monday", 1_440 <= minute < 1_470: "tuesday"}.get(True),
            host="h",
            path=f"/{at}",
            **columns,
        )
        for at, minute in enumerate(minutes, 1)
    ]


def visits(rows: list[dict[str, Any]], day: date = DAY, **more: Any) -> list[tuple[float, int, str]]:
    """The visits of a day: when it began (minutes after midnight of Tuesday), how many hits it has, where it ended."""
    scope = Scope(Clock(fixed("UTC")), "true", day, day, **more)
    found = relations(scope.start, scope.end, "true", visits=True)["visits"]
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        database.register("events", pa.Table.from_pylist(rows, EVENTS))
        whole = trail(scope, EVENTS.names)
        sql = f"with trail as ({whole}) select epoch_us(visit_at), visit_hits, exit from ({found}) order by all"
        answer = database.execute(sql).fetchall()
    start = round(MIDNIGHT.timestamp()) * 1_000_000
    return [((begun - start) / 60_000_000, count, last) for begun, count, last in answer]


def test_silence_ends_a_visit() -> None:
    """Thirty minutes do not; a moment more does."""
    assert visits(hits(600, 630, 660)) == [(600, 3, "h/3")]
    later = 630 + 1 / 60_000_000
    assert visits(hits(600, later)) == [(600, 1, "h/1"), (pytest.approx(later, abs=1e-8), 1, "h/2")]


def test_a_visit_may_cross_midnight() -> None:
    """It belongs to the day on which it began, though the visitor has another name on the next; and not to that one."""
    rows = hits(1_430, 1_445, 1_460)
    assert visits(rows) == [(1_430, 3, "h/3")]
    assert visits(rows, DAY + timedelta(days=1)) == []
    assert visits(hits(-10, 5, 600)) == [(600, 1, "h/3")]


def test_who_comes_after_a_silence_across_midnight_begins_anew() -> None:
    """The new visit is of the new day."""
    rows = hits(1_430, 1_461)
    assert visits(rows) == [(1_430, 1, "h/1")]
    assert visits(rows, DAY + timedelta(days=1)) == [(1_461, 1, "h/2")]


def test_a_long_night_is_looked_at_until_four() -> None:
    """What lies later on the new day is not of the visit."""
    rows = hits(*range(1_420, 1_440 + 300, 20), user_id="ada")
    assert visits(rows) == [(1_420, 13, "h/13")]


def test_a_user_is_one_on_each_day() -> None:
    """Across midnight by the name that the site gave; with it, also without the visitor's."""
    rows = [row | {"visitor_id": None, "visitor_before": None} for row in hits(1_430, 1_445, user_id="ada")]
    assert visits(rows) == [(1_430, 2, "h/2")]


def test_nobody_has_no_visit() -> None:
    """A hit of which nothing tells who sent it is none's."""
    assert visits([row | {"visitor_id": None} for row in hits(600)]) == []


@pytest.mark.parametrize(
    "machine", [{"bot": True}, {"method": "HEAD"}, {"prefetch": True}, {"duplicate": True}, {"proxy": "scanner"}]
)
def test_only_people_visit(machine: dict[str, Any]) -> None:
    """What a machine sends neither begins a visit nor keeps one alive; unless machines are asked for, too."""
    rows = hits(600, 620, 640)
    rows[1] |= machine
    assert visits(rows) == [(600, 1, "h/1"), (640, 1, "h/3")]
    assert visits(rows, people=False) == [(600, 3, "h/3")]
