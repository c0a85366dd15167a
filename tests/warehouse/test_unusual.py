"""The question `unusual`, asked of a lake; and what it makes of counts."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pixelake.errors import QueryError
from pixelake.warehouse import unusual
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Clocks, Questions
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome
from pixelake.warehouse.filters import parse
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.unusual_departures import Departure
from pixelake.warehouse.zones import Clock, fixed
from tests.warehouse.outcomes import event, reject

MONDAY = datetime(2026, 2, 2, tzinfo=UTC)
DAYS = 70
START, END = MONDAY + timedelta(days=63), MONDAY + timedelta(days=DAYS)
OUTAGE = START + timedelta(days=1, hours=10)
SALE = START + timedelta(days=3, hours=15)
BROKEN = START + timedelta(days=4, hours=10)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten weeks of a site with some hits at ten and at three o'clock; in the last one an outage, a sale and rejects."""
    rng = random.Random(4)
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    for day in range(DAYS):
        for hour in (10, 15):
            at = MONDAY + timedelta(days=day, hours=hour)
            for name, count in _counts(rng, at, day):
                for number in range(count):
                    path = "/sale" if number >= 60 else f"/{number % 3}"
                    who = {"country": "DE" if number % 2 or number >= 60 else "FR", "host": "shop.example"}
                    when = at + timedelta(seconds=number)
                    rows.append(event("a", len(rows) + 1, received_at=when, site=name, path=path, **who))
            for number in range(80 if at == BROKEN else 6 + rng.randrange(5)):
                when = at + timedelta(seconds=number)
                rejects.append(reject("a", 100_000 + len(rejects), received_at=when, reason="bad_number"))
    made = tmp_path_factory.mktemp("unusual")
    events, refused = pa.Table.from_pylist(rows, EVENTS), pa.Table.from_pylist(rejects, REJECTS)
    first, last = {"a": 1}, {"a": 200_000}
    Lake(made).write(Outcome(events, refused, WITHHELD.empty_table(), first=first, positions=last))
    return made


def _counts(rng: random.Random, at: datetime, day: int) -> Sequence[tuple[str, int]]:
    shop = 0 if at == OUTAGE else 180 if at == SALE else 40 + rng.randrange(15)
    young = (200 if day == DAYS - 2 else 20) if day >= DAYS - 10 else 0
    return [("shop", shop), ("young", young)]


def asked(folder: Path, site: str | None = "shop", **given: Any) -> list[dict[str, Any]]:
    """The rows of the last week."""
    zones = Clocks(fixed("UTC"), {})
    ask = Ask("unusual", **{"start": START, "end": END, "site": site, **given})
    return Questions(Lakehouse(folder), lambda: zones).ask(ask).table.to_pylist()


def told(rows: Sequence[Mapping[str, Any]]) -> list[tuple[datetime, str, str | None]]:
    """When and what, of rows."""
    return [(row["begins"], row["what"], row["value"]) for row in rows]


def test_an_outage_and_what_a_sale_brought_are_told_each_once(folder: Path) -> None:
    """All pages and countries stood still with the site, which is one row."""
    rows = told(asked(folder))
    assert (OUTAGE, "site", "shop") in rows
    assert (SALE, "site", "shop") in rows
    assert [row for row in rows if row[0] == OUTAGE] == [(OUTAGE, "site", "shop")]
    assert all(row[0] in {OUTAGE, SALE} for row in rows)


def test_a_row_has_its_figures_and_says_so_in_words(folder: Path) -> None:
    """Nothing on a Tuesday at ten, where some 47 hits are usual, by eight weeks."""
    row = next(row for row in asked(folder) if row["begins"] == OUTAGE)
    assert (row["ends"], row["hours"], row["hits"], row["weeks"]) == (OUTAGE + timedelta(hours=1), 1, 0, 8)
    assert 40 <= row["expected"] <= 54
    assert 0 < row["low"] <= row["expected"] <= row["high"]
    assert (row["factor"], row["score"] < -4) == (0, True)
    words = f"0 hits; {row['low']} to {row['high']} are usual on Tuesdays from 10:00 to 11:00 (8 weeks)"
    assert row["reason"] == words


def test_a_new_site_does_not_cry_wolf(folder: Path) -> None:
    """A site of ten days may have ten times its hits: nobody knows yet what is usual."""
    assert asked(folder, "young") == []


def test_rejects_are_looked_at_where_no_site_and_no_filter_is_asked_for(folder: Path) -> None:
    """They are of no site, and of no event."""
    columns = {"country": "text"}
    assert (BROKEN, "reject", "bad_number") in told(asked(folder, None))
    assert "reject" not in {row["what"] for row in asked(folder)}
    assert "reject" not in {row["what"] for row in asked(folder, None, filter=parse(["country is DE"], columns))}


def test_a_filter_chooses_what_is_counted(folder: Path) -> None:
    """The sale was in Germany alone, the outage everywhere."""
    rows = asked(folder, filter=parse(["country is FR"], {"country": "text"}))
    assert OUTAGE in {row["begins"] for row in rows}
    assert SALE not in {row["begins"] for row in rows}


def test_hours_of_the_week_are_those_of_the_zone(folder: Path) -> None:
    """The same moment, by another clock; also where its hours begin at half of those of UTC."""
    row = next(row for row in asked(folder, zone="Asia/Tokyo") if row["begins"] == OUTAGE)
    assert "on Tuesdays from 19:00 to 20:00" in row["reason"]
    row = next(row for row in asked(folder, zone="Asia/Kolkata") if row["what"] == "site" and row["hits"] == 0)
    assert row["begins"] == OUTAGE - timedelta(minutes=30)
    assert "on Tuesdays from 15:00 to 16:00" in row["reason"]


def test_rows_are_limited_and_passed_over(folder: Path) -> None:
    """The newest first, as in every list."""
    rows = asked(folder)
    assert rows == sorted(rows, key=lambda row: row["begins"], reverse=True)
    assert asked(folder, limit=1) == rows[:1]
    assert asked(folder, limit=1, skip=1) == rows[1:2]


def test_parts_are_left_out_if_none_is_asked_for(folder: Path) -> None:
    """`top` bounds them; the whole is looked at anyway."""
    assert {row["what"] for row in asked(folder, None, options={"top": 0})} == {"all"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"options": {"top": 51}}, "top: "),
        ({"options": {"top": -1}}, "top: "),
        ({"options": {"top": "many"}}, "top: "),
        ({"start": END - timedelta(days=93)}, "from: "),
    ],
    ids=["too many", "too few", "no number", "too long"],
)
def test_what_cannot_be_asked_is_refused(folder: Path, given: Mapping[str, Any], message: str) -> None:
    """With the name of the parameter."""
    with pytest.raises(QueryError, match=message):
        asked(folder, **given)


def test_a_lake_without_events_has_nothing_unusual(tmp_path: Path) -> None:
    """Nor has a site that nobody knows."""
    Lake(tmp_path)
    assert asked(tmp_path) == []


# --- counts in, rows out


def counted(counts: Sequence[int], first: datetime, **more: Sequence[int]) -> pa.Table:
    """What the SQL gives of a site with these counts from an hour on, and of its pages by name."""
    rows = []
    for what, value, some in [("site", "shop", counts), *(("page", name, each) for name, each in more.items())]:
        at = [int((first + timedelta(hours=number)).timestamp()) * 1_000_000 for number in range(len(some))]
        hours = [(hour, count) for hour, count in zip(at, some, strict=True) if count]
        rows.append({"what": what, "value": value, "buckets": [a for a, _ in hours], "counts": [b for _, b in hours]})
    return pa.Table.from_pylist(rows)


def noisy(hours: int, seed: int = 1) -> list[int]:
    """About 50 hits an hour."""
    rng = random.Random(seed)
    return [50 + rng.randrange(-8, 9) for _ in range(hours)]


def rows_of(table: pa.Table, zone: str = "UTC", **given: Any) -> list[dict[str, Any]]:
    """The answer of counts."""
    ask = Ask("unusual", **{"start": START, "end": END, "site": "shop", **given})
    return unusual.after(table, ask, Clock(fixed(zone))).to_pylist()


def test_a_day_long_lift_is_one_row() -> None:
    """A campaign is told once, not every hour."""
    counts = noisy(24 * DAYS)
    day = 24 * 65
    counts[day : day + 24] = [2 * count for count in counts[day : day + 24]]
    (row,) = rows_of(counted(counts, MONDAY))
    assert (row["begins"], row["hours"]) == (MONDAY + timedelta(days=65), 24)
    assert "usual on Wednesdays" in row["reason"]


def test_the_hour_that_is_not_over_is_no_drop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not yet counted is not missing; what is over and empty is."""
    now = MONDAY + timedelta(days=64, hours=12, minutes=30)
    monkeypatch.setattr(unusual.clocks, "SYSTEM", _Fixed(now))
    assert rows_of(counted(noisy(24 * 64 + 12), MONDAY)) == []
    (row,) = rows_of(counted(noisy(24 * 64 + 10), MONDAY))
    assert (row["begins"], row["hours"], row["hits"]) == (now - timedelta(hours=2, minutes=30), 2, 0)


class _Fixed:
    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> int:
        """Microseconds since the epoch."""
        return int(self._at.timestamp()) * 1_000_000


def test_a_period_to_come_has_nothing_unusual() -> None:
    """Nobody knows yet."""
    start = datetime(2199, 1, 1, tzinfo=UTC)
    assert rows_of(counted([5], MONDAY), start=start, end=start + timedelta(days=1)) == []


@pytest.mark.parametrize(
    ("zone", "change"),
    [
        ("Europe/Zurich", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),
        ("America/St_Johns", datetime(2026, 3, 8, 5, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 8, tzinfo=UTC)),
    ],
)
def test_the_week_in_which_clocks_change_is_as_usual(zone: str, change: datetime) -> None:
    """A site that follows the clock on the wall has the same hours before and after; but for an outage."""
    clock = Clock(fixed(zone))
    rng = random.Random(2)
    start, end = change - timedelta(days=3), change + timedelta(days=7)
    begins = unusual.buckets(clock, start - timedelta(days=70), end, "hour")
    work = [clock.offsets(each, each)[0][1] + each.replace(tzinfo=None) for each in begins]
    counts = [int((20 + 200 * (8 <= each.hour < 18)) * rng.uniform(0.9, 1.1)) for each in work]
    at = [int(each.timestamp()) * 1_000_000 for each in begins]

    def answer() -> list[dict[str, Any]]:
        table = pa.Table.from_pylist([{"what": "site", "value": "shop", "buckets": at, "counts": counts}])
        return unusual.after(table, Ask("unusual", start, end, "shop"), clock).to_pylist()

    assert answer() == []
    noon = next(number for number, each in enumerate(begins) if each >= change and work[number].hour == 12)
    counts[noon] = 0
    (row,) = answer()
    assert "from 12:00 to 13:00" in row["reason"]


def test_a_page_that_departs_with_its_site_is_not_told_again() -> None:
    """One that departs much more is."""
    site, page, hot = noisy(24 * DAYS), noisy(24 * DAYS, 2), noisy(24 * DAYS, 3)
    at = 24 * 65 + 10
    site[at], page[at], hot[at] = 150, 150, 900
    rows = rows_of(counted(site, MONDAY, page=page, hot=hot))
    assert sorted((row["what"], row["value"]) for row in rows) == [("page", "hot"), ("site", "shop")]


@pytest.mark.parametrize(
    ("part", "begins", "hours", "words"),
    [
        (
            Departure(0, 0, 34, 14, 8, 20, 5.0, 8),
            14,
            1,
            "34 views; 8 to 20 are usual on Tuesdays from 14:00 to 15:00 (8 weeks)",
        ),
        (
            Departure(0, 0, 1, 5000, 4000, 6000, -9.0, 3),
            23,
            1,
            "1 view; 4,000 to 6,000 are usual on Tuesdays from 23:00 to 24:00 (3 weeks)",
        ),
        (
            Departure(0, 4, 0, 90, 60, 60, -9.0, 1),
            22,
            5,
            "0 views; 60 are usual from Tuesdays 22:00 to Wednesdays 03:00 (1 week)",
        ),
        (
            Departure(0, 29, 0, 90, 60, 70, -9.0, 2),
            22,
            30,
            "0 views; 60 to 70 are usual from Tuesday 3 February, 22:00 to Thursday 5 February, 04:00 (2 weeks)",
        ),
    ],
    ids=["an hour", "the last of a day", "over midnight", "more than a day"],
)
def test_the_reason_reads_as_a_sentence(part: Departure, begins: int, hours: int, words: str) -> None:
    """With the count, what is usual, when, and by how many weeks."""
    at = datetime(2026, 2, 3, begins)  # noqa: DTZ001 - on a wall clock
    assert unusual.reason("page", part, at, at + timedelta(hours=hours)) == words
