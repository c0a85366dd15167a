"""Who is one visitor, in the questions: on a day, across midnight, and over several days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.asked import Asked, lake_of
from tests.warehouse.outcomes import event

MIDNIGHT = datetime(2026, 2, 11, tzinfo=UTC)
PAGE = {"host": "shop.example", "path": "/"}


def _view(position: int, minutes: int, visitor: str, before: str | None = None, **columns: object) -> dict[str, object]:
    at = MIDNIGHT + timedelta(minutes=minutes)
    who = {"visitor_id": visitor, "visitor_before": before}
    return event("a", position, received_at=at, **{**PAGE, **who, **columns})


ROWS = [
    _view(1, -2, "ann-10"),
    _view(2, 1, "ann-11", "ann-10"),
    _view(3, 600, "ann-11"),
    _view(4, -1, "bob-10"),
    _view(5, 40, "bob-11"),
    _view(6, -1, "cat-10", user_id="cat", country="DE"),
    _view(7, 1, "cat-11", "cat-10", user_id="cat", country="DE"),
]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """Ann is here from 23:58 to 10:00, Bob at 23:59 and again at 00:40, Cat has said who she is."""
    with lake_of(tmp_path, ROWS, MIDNIGHT, MIDNIGHT) as found:
        yield found


def _hours(start: int, end: int) -> dict[str, Any]:
    return {"start": MIDNIGHT + timedelta(hours=start), "end": MIDNIGHT + timedelta(hours=end)}


@pytest.mark.parametrize("name", ["overview", "pages"])
def test_each_day_has_its_visitors(asked: Asked, name: str) -> None:
    """Three on each of the two days, six daily visitors; how many different ones of both nobody can say."""
    for hours in (_hours(-24, 0), _hours(0, 24)):
        row = asked.row(name, **hours)
        assert (row["visitors"], row["daily_visitors"]) == (3, 3)
    answer = asked.answer(name, **_hours(-24, 24))
    assert answer.table.select(["visitors", "daily_visitors"]).to_pylist() == [{"visitors": None, "daily_visitors": 6}]
    assert "user_id" in answer.notes["visitors"]


def test_who_stays_across_midnight_has_one_visit(asked: Asked) -> None:
    """Ann's and Cat's visits go on, and are of the day before; Bob's second one is of the new day, as Ann's at ten."""
    assert asked.column("series", "visits", interval="day", **_hours(-24, 24)) == [3, 2]


def test_part_of_a_day(asked: Asked) -> None:
    """A period within a day has those who were there in it."""
    assert asked.row("overview", **_hours(9, 24))["visitors"] == 1
    assert asked.column("series", "visitors", interval="hour", **_hours(-1, 1)) == [3, 3]


def test_who_said_it_is_one_on_all_days(asked: Asked) -> None:
    """Those with a user_id are known over several days."""
    answer = asked.answer("overview", filter="country is DE", **_hours(-24, 24))
    assert answer.notes == {}
    assert answer.table.select(["visitors", "daily_visitors"]).to_pylist() == [{"visitors": 1, "daily_visitors": 2}]
