"""Who is one visitor, in the questions: across midnight too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.questions import Questions
from tests.warehouse.outcomes import event, outcome

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
    _view(6, -1, "cat-10", user_id="cat"),
    _view(7, 1, "cat-11", "cat-10", user_id="cat"),
]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Questions]:
    """Ann is here from 23:58 to 10:00, Bob at 23:59 and again at 00:40, Cat has said who she is."""
    Lake(tmp_path / "lake").write(outcome(ROWS))
    with Lakehouse(tmp_path / "lake") as house:
        yield Questions(house)


def _visitors(asked: Questions, name: str, start: int, end: int, **more: timedelta) -> list[int]:
    period = {"start": MIDNIGHT + timedelta(hours=start), "end": MIDNIGHT + timedelta(hours=end)}
    return [row["visitors"] for row in asked.question(name, "shop", **period, **more).to_pylist()]


@pytest.mark.parametrize("name", ["overview", "pages", "referrers"])
def test_who_stays_across_midnight_is_one(asked: Questions, name: str) -> None:
    """Ann and Cat are one each, also with Ann's later pages; Bob, who came back after the first half hour, is two."""
    assert _visitors(asked, name, -24, 24) == [4]


def test_a_bucket_across_midnight_has_them_once(asked: Questions) -> None:
    """A bucket on both sides of midnight counts them once; each hour for itself has whoever was there."""
    assert _visitors(asked, "series", -24, 24, step=timedelta(days=365)) == [4]
    assert _visitors(asked, "series", -1, 1) == [3, 3]


def test_a_later_period_counts_them_the_same(asked: Questions) -> None:
    """A period that does not hold midnight loses nobody: who was known yesterday is one of today's."""
    assert _visitors(asked, "overview", 0, 24) == [3]
    assert _visitors(asked, "overview", 9, 24) == [1]


def test_other_rows_of_the_visitor_tell_it_too(tmp_path: Path) -> None:
    """What told who the visitor was may be an event that the question itself leaves out."""
    rows = [_view(1, -2, "ann-10"), _view(2, 1, "ann-11", "ann-10", event="signup"), _view(3, 40, "ann-11")]
    Lake(tmp_path / "lake").write(outcome(rows))
    with Lakehouse(tmp_path / "lake") as house:
        assert _visitors(Questions(house), "pages", -24, 24) == [1]
