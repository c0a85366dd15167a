"""The questions of all sites side by side: each row is what the question of that site answers."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.warehouse.asked import lake_of
from tests.warehouse.outcomes import event

MONDAY = datetime(2026, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVENING = MONDAY + 20 * HOUR  # the 10th in Kathmandu
ROWS = [
    event("a", 1, received_at=EVENING, site="east", visitor_id="v"),
    event("a", 2, received_at=EVENING + 6 * HOUR, site="east", visitor_id="v"),
    event("a", 3, received_at=EVENING, site="shop", visitor_id="v", user_id="jane"),
    event("a", 4, received_at=EVENING, site="shop", visitor_id="w", bot=True),
    event("a", 5, received_at=EVENING + 30 * HOUR, site="shop", visitor_id="w", event="cart"),
]
SHOWN = ("hits", "views", "visitors", "daily_visitors", "visits", "views_per_visit", "bounce_rate")


def test_the_figures_of_each_site(tmp_path: Path) -> None:
    """They are those of its overview; the most viewed is first."""
    with lake_of(tmp_path, ROWS, MONDAY, MONDAY + 72 * HOUR, {"east": "Asia/Kathmandu"}) as asked:
        rows = asked.rows("overviews", None)
        assert [(row["site"], row["views"], row["anonymous"]) for row in rows] == [("east", 2, 2), ("shop", 1, 1)]
        for row in rows:
            own = asked.row("overview", row["site"])
            assert {name: row[name] for name in SHOWN} == {name: own[name] for name in SHOWN}
        assert [row["site"] for row in asked.rows("overviews", None, limit=1)] == ["east"]


def test_the_days_of_each_site(tmp_path: Path) -> None:
    """Each on its own wall clock; of the sites that are named, or of all."""
    east = ("east", date(2026, 2, 10), 2, 2)
    shop = [("shop", date(2026, 2, 9), 1, 1), ("shop", date(2026, 2, 11), 0, 1)]
    with lake_of(tmp_path, ROWS, MONDAY, MONDAY + 72 * HOUR, {"east": "Asia/Kathmandu"}) as asked:

        def days(**options: list[str]) -> list[tuple[str, date, int, int]]:
            rows = asked.rows("days", None, options=options)
            return [(row["site"], row["local_day"], row["views"], row["hits"]) for row in rows]

        assert days() == [east, *shop]
        assert days(names=["shop", "' or 1=1 --"]) == shop
        assert days(names=["nowhere"]) == []
