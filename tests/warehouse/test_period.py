"""Periods as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.period import period
from pixelake.warehouse.zones import Clock, fixed

BERLIN = Clock(fixed("Europe/Berlin"))
NOW = datetime(2026, 3, 30, 13, 20, 30, tzinfo=UTC)
"""Monday, 15:20:30 in Berlin, a day after the clocks went forward."""
NEXT = "2026-03-30T13:21:00+00:00"

NAMED = {
    "today": ("2026-03-29T22:00:00+00:00", NEXT),
    "yesterday": ("2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
    "24h": ("2026-03-29T13:21:00+00:00", NEXT),
    "1d": ("2026-03-29T22:00:00+00:00", NEXT),
    "7d": ("2026-03-23T23:00:00+00:00", NEXT),
    "last-week": ("2026-03-22T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
    "month": ("2026-02-28T23:00:00+00:00", NEXT),
    "last-month": ("2026-01-31T23:00:00+00:00", "2026-02-28T23:00:00+00:00"),
    "12mo": ("2025-03-31T22:00:00+00:00", NEXT),
    "year": ("2025-12-31T23:00:00+00:00", NEXT),
}


@pytest.mark.parametrize(("name", "told"), NAMED.items(), ids=NAMED.keys())
def test_periods_by_name(name: str, told: tuple[str, str]) -> None:
    """They begin at midnights of the wall clock, and end with the minute that runs."""
    assert tuple(each.isoformat() for each in period(None, None, name, BERLIN, NOW)) == told


GIVEN = {
    "dates": ("2026-03-29", "2026-03-30", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
    "times of the wall clock": (
        "2026-03-29T01:30",
        "2026-03-29T03:30",
        "2026-03-29T00:30:00+00:00",
        "2026-03-29T01:30:00+00:00",
    ),
    "times with their zone": (
        "2026-03-29T00:00Z",
        "2026-03-29T12:00+09:00",
        "2026-03-29T00:00:00+00:00",
        "2026-03-29T03:00:00+00:00",
    ),
    "a time that is skipped": (
        "2026-03-29T02:30",
        "2026-03-30",
        "2026-03-29T01:30:00+00:00",
        "2026-03-29T22:00:00+00:00",
    ),
    "a time that comes twice": (
        "2025-10-26T02:30",
        "2025-10-27",
        "2025-10-26T00:30:00+00:00",
        "2025-10-26T23:00:00+00:00",
    ),
    "no end": ("2026-03-29", None, "2026-03-28T23:00:00+00:00", NEXT),
    "no start": (None, "2026-03-30", "2026-02-27T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
}


@pytest.mark.parametrize("told", GIVEN.values(), ids=GIVEN.keys())
def test_periods_from_and_to(told: tuple[str | None, str | None, str, str]) -> None:
    """A date is its midnight; a time without a zone is what the wall clock shows."""
    start, end, first, last = told
    assert tuple(each.isoformat() for each in period(start, end, None, BERLIN, NOW)) == (first, last)


def test_without_anything() -> None:
    """Thirty days, today among them."""
    start, end = period(None, None, None, BERLIN, NOW)
    assert BERLIN.date(start) == BERLIN.date(NOW) - timedelta(days=29)
    assert end.isoformat() == NEXT


REFUSED = {
    "no date": ("soon", None, None, "from"),
    "no such day": ("2026-02-30", None, None, "from"),
    "a date that is too long": ("2026-02-10T", "x" * 5_000, None, "to"),
    "backwards": ("2026-02-10", "2026-02-09", None, "from"),
    "empty": ("2026-02-10", "2026-02-10", None, "from"),
    "from and a name": ("2026-02-10", None, "7d", "period"),
    "no such name": (None, None, "forever", "period"),
    "none of them": (None, None, "0d", "period"),
    "too many days": (None, None, "99999d", "period"),
    "before all time": (None, None, "9999mo", "period"),
    "the first year": ("0001-01-01", None, None, "from"),
    "the last year": (None, "9999-12-31", None, "to"),
    "a zone that shifts it out": ("1970-01-01T00:00:00+14:00", "1970-01-02", None, None),
}


@pytest.mark.parametrize(("start", "end", "named", "parameter"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(start: str | None, end: str | None, named: str | None, parameter: str | None) -> None:
    """The message begins with what is at fault; what no calendar has is no failure of ours."""
    if parameter is None:
        assert period(start, end, named, BERLIN, NOW)[0].year == 1969
        return
    with pytest.raises(QueryError, match=f"^{parameter}: ") as caught:
        period(start, end, named, BERLIN, NOW)
    assert caught.value.hint
