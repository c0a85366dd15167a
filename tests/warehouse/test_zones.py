"""Tests of `pixelake.warehouse.zones`: when a local date begins, which bucket a moment is in, and the same in SQL."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.zones import Clock, Zones, buckets, fixed, literal, local_us

US = timedelta(microseconds=1)


def at(text: str) -> datetime:
    """A moment, UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "begun", "ended"),
    [
        ("UTC", "2026-03-10", "2026-03-10 00:00", "2026-03-11 00:00"),
        ("Europe/Zurich", "2026-03-29", "2026-03-28 23:00", "2026-03-29 22:00"),  # 23 hours
        ("Europe/Zurich", "2026-10-25", "2026-10-24 22:00", "2026-10-25 23:00"),  # 25 hours
        ("Australia/Lord_Howe", "2026-04-05", "2026-04-04 13:00", "2026-04-05 13:30"),  # 24.5 hours
        ("Australia/Lord_Howe", "2026-10-04", "2026-10-03 13:30", "2026-10-04 13:00"),  # 23.5 hours
        ("America/St_Johns", "2026-03-08", "2026-03-08 03:30", "2026-03-09 02:30"),
        ("Asia/Kathmandu", "2026-03-10", "2026-03-09 18:15", "2026-03-10 18:15"),
        ("Asia/Kolkata", "2026-03-10", "2026-03-09 18:30", "2026-03-10 18:30"),
        ("America/Havana", "2026-03-08", "2026-03-08 05:00", "2026-03-09 04:00"),  # there is no midnight
        ("Pacific/Apia", "2011-12-29", "2011-12-29 10:00", "2011-12-30 10:00"),
        ("Pacific/Apia", "2011-12-30", "2011-12-30 10:00", "2011-12-30 10:00"),  # a date that never was
        ("Pacific/Apia", "2011-12-31", "2011-12-30 10:00", "2011-12-31 10:00"),
    ],
)
def test_a_date_begins_and_ends(zone: str, day: str, begun: str, ended: str) -> None:
    """Where clocks change it is shorter or longer, and where a date is skipped it is empty."""
    assert Clock(fixed(zone)).bounds(date.fromisoformat(day)) == (at(begun), at(ended))


@pytest.mark.parametrize(
    "zone", ["Europe/Zurich", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu", "America/Havana"]
)
def test_days_follow_each_other(zone: str) -> None:
    """Each begins when the one before it ends, and a moment's date is the one that holds it."""
    clock = Clock(fixed(zone))
    for number in range(400):
        day = date(2026, 1, 1) + timedelta(days=number)
        begun, ended = clock.bounds(day)
        assert ended == clock.bounds(day + timedelta(days=1))[0]
        assert [clock.date(moment) for moment in (begun, ended - US)] == [day, day]
        assert clock.date(begun - US) == day - timedelta(days=1)


def test_a_site_that_moves() -> None:
    """From then on it goes by its new clock; the date on which it moves ends by that, and some hours are none of it."""
    moved = at("2026-03-30 09:00")
    zones: Zones = ((0, "Europe/Berlin"), ((moved - at("1970-01-01")) // US, "Asia/Tokyo"))
    clock = Clock(zones)
    assert clock.bounds(date(2026, 3, 30)) == (at("2026-03-29 22:00"), at("2026-03-30 15:00"))
    assert clock.date(moved - US) == clock.date(moved) == date(2026, 3, 30)
    assert [offset // timedelta(hours=1) for _, offset in clock.offsets(at("2026-03-28"), at("2026-04-02"))] == [
        1,
        2,
        9,
    ]
    assert clock.bounds(date(2026, 3, 29))[0] == at("2026-03-28 23:00")
    assert clock.bounds(date(2026, 4, 1))[0] == at("2026-03-31 15:00")


def test_a_zone_that_is_none() -> None:
    """Is refused by its name; also what is a path, or a folder of zones."""
    for name in ("Europe/Nowhere", "", "../etc/passwd", "/etc/passwd", "Europe", "x" * 500, "a\0b"):
        with pytest.raises(QueryError, match=r"\Azone: "):
            Clock(fixed(name))


def steps(zone: str, start: str, end: str, interval: str) -> Sequence[str]:
    """When buckets begin, as the wall clock there shows it."""
    found = buckets(Clock(fixed(zone)), at(start), at(end), interval)
    return [f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M}" for moment in found]


def test_buckets_of_hours_where_clocks_change() -> None:
    """An hour is skipped in spring and comes twice in autumn; where it is half of one, an hour begins anew."""
    assert steps("Europe/Zurich", "2026-03-29 00:00", "2026-03-29 03:00", "hour") == [
        "29 01:00",
        "29 03:00",
        "29 04:00",
    ]
    assert steps("Europe/Zurich", "2026-10-25 00:00", "2026-10-25 03:00", "hour") == [
        "25 02:00",
        "25 02:00",
        "25 03:00",
    ]
    assert steps("Australia/Lord_Howe", "2026-04-04 14:00", "2026-04-04 16:30", "hour") == [
        "05 01:00",
        "05 01:30",
        "05 02:00",
    ]


def test_buckets_lie_on_the_wall_clock() -> None:
    """Hours of Kathmandu begin at a quarter past UTC's, weeks on Monday, months on the first; one may lie before."""
    assert buckets(Clock(fixed("Asia/Kathmandu")), at("2026-03-10 10:00"), at("2026-03-10 11:20"), "hour") == [
        at("2026-03-10 09:15"),
        at("2026-03-10 10:15"),
        at("2026-03-10 11:15"),
    ]
    shown = steps("Asia/Kathmandu", "2026-03-10 10:01", "2026-03-10 10:31", "quarter")
    assert shown == ["10 15:45", "10 16:00", "10 16:15"]
    assert steps("UTC", "2026-03-10 00:00", "2026-03-24 00:00", "week") == ["09 00:00", "16 00:00", "23 00:00"]
    assert steps("UTC", "2026-01-31 00:00", "2026-03-01 00:00", "month") == ["01 00:00", "01 00:00"]
    assert steps("UTC", "2026-01-31 00:00", "2026-02-01 12:00", "day") == ["31 00:00", "01 00:00"]


@pytest.mark.parametrize("zone", ["Europe/Zurich", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"])
def test_sql_shows_the_same_clock(zone: str) -> None:
    """For moments of a year and more, on both sides of each change of the clock."""
    clock, start, end = Clock(fixed(zone)), at("2026-01-01"), at("2027-02-01")
    moments = [start + timedelta(hours=7 * number, minutes=number % 60) for number in range(1_350)]
    moments += [moment + side for moment, _ in clock.offsets(start, end)[1:] for side in (-US, US * 0)]
    sql = f"select {local_us(clock, start, end)} from unnest([{', '.join(map(literal, moments))}]) as t(received_at)"
    found = [us for (us,) in duckdb.connect().execute(sql).fetchall()]
    assert [(at("1970-01-01") + us * US).date() for us in found] == [clock.date(moment) for moment in moments]
