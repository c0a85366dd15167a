"""Questions: visitors of several days, the period before, what cannot be asked, intervals on all clocks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import Misasked
from pixelake.warehouse import compare
from pixelake.warehouse.asking import Clocks, Questions
from pixelake.warehouse.compare import before
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.questions import questions
from pixelake.warehouse.rollup.build import Builder
from pixelake.warehouse.zones import Clock, fixed
from tests.warehouse.asked import Asked, Row, lake_of
from tests.warehouse.outcomes import event

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 2, 9, tzinfo=UTC)


def _views(*told: tuple[float, str | None, str], **columns: Any) -> list[Row]:
    """Views: hours behind `MONDAY`, the user, the path."""
    return [
        event(
            "a",
            n,
            received_at=MONDAY + hours * HOUR,
            user_id=user,
            visitor_id=f"{user or 'x'}-{hours // 24}",
            host="h",
            path=path,
            **columns,
        )
        for n, (hours, user, path) in enumerate(told, 1)
    ]


# --- visitors of several days

KNOWN = _views((1, "ann", "/"), (25, "ann", "/"), (26, "bob", "/"), (30, "bob", "/b"), (200, "cat", "/"))


def test_visitors_of_days_are_known_by_their_user_ids(tmp_path: Path) -> None:
    """Ann comes on two days: two daily visitors, one visitor; and nothing is noted."""
    with lake_of(tmp_path, KNOWN, MONDAY, MONDAY + 7 * DAY) as asked:
        answer = asked.answer("overview")
        assert answer.notes == {}
        row = asked.row("overview")
        assert (row["visitors"], row["daily_visitors"]) == (2, 3)


def test_visitors_of_each_row(tmp_path: Path) -> None:
    """Of a list each row has its own, of a series each week."""
    with lake_of(tmp_path, KNOWN, MONDAY, MONDAY + 14 * DAY) as asked:
        assert [(row["value"], row["visitors"]) for row in asked.rows("pages")] == [("h/", 3), ("h/b", 1)]
        assert asked.column("pages", "visitors", limit=1, skip=1) == [1]
        assert asked.column("entries", "visitors") == [3, 1]
        weeks = asked.rows("series", interval="week")
        assert [(row["visitors"], row["daily_visitors"]) for row in weeks] == [(2, 3), (1, 1)]


def test_visitors_are_told_by_those_who_pass(tmp_path: Path) -> None:
    """One unknown visitor and nobody knows; unless the filter leaves him out."""
    rows = [*KNOWN, *[row | {"position": 99, "hit_id": "a-99"} for row in _views((40, None, "/c"))]]
    with lake_of(tmp_path, rows, MONDAY, MONDAY + 7 * DAY) as asked:
        answer = asked.answer("overview")
        assert answer.table["visitors"].to_pylist() == [None]
        assert "user_id" in answer.notes["visitors"]
        assert asked.column("pages", "visitors") == [None, None, None]
        assert asked.answer("overview", filter="path is not /c").notes == {}
        assert asked.row("overview", filter="path is not /c")["visitors"] == 2


def test_visitors_of_days_that_were_counted_before(tmp_path: Path) -> None:
    """Counts that are kept know nobody by name; visitors are the same."""
    with lake_of(tmp_path, KNOWN, MONDAY, MONDAY + 7 * DAY) as asked:
        raw = [asked.rows(name) for name in ("overview", "pages", "series")]
        Builder(tmp_path / "lake", Clocks(fixed("UTC"), {})).run()
        assert {part.source for part in asked.answer("pages").parts} == {"days"}
        assert [asked.rows(name) for name in ("overview", "pages", "series")] == raw


# --- the period before

BEFORE = {
    # as they are on the wall clock of Berlin
    "a month": ("2026-03-01", "2026-04-01", "2026-02-01", "2026-03-01"),
    "two months": ("2026-03-01", "2026-05-01", "2026-01-01", "2026-03-01"),
    "a year": ("2026-01-01", "2027-01-01", "2025-01-01", "2026-01-01"),
    "a day on which the clocks change": ("2026-03-29", "2026-03-30", "2026-03-28", "2026-03-29"),
    "a week": ("2026-03-25", "2026-04-01", "2026-03-18", "2026-03-25"),
    "a day up to now": ("2026-03-25", "2026-03-25T15:00", "2026-03-24", "2026-03-24T15:00"),
    "some days up to now": ("2026-03-20", "2026-03-22T15:00", "2026-03-17", "2026-03-19T15:00"),
    "hours": ("2026-03-25T10:00", "2026-03-25T15:00", "2026-03-25T05:00", "2026-03-25T10:00"),
}


def _berlin(text: str) -> datetime:
    clock = Clock(fixed("Europe/Berlin"))
    day, _, hour = text.partition("T")
    return clock.bounds(date.fromisoformat(day))[0] + int(hour[:2] or 0) * HOUR


@pytest.mark.parametrize("told", BEFORE.values(), ids=BEFORE.keys())
def test_the_period_before(told: tuple[str, str, str, str]) -> None:
    """As many days or months before, on the wall clock; else what lasted as long."""
    start, end, first, last = map(_berlin, told)
    assert before(start, end, Clock(fixed("Europe/Berlin"))) == (first, last)


def test_a_figure_beside_the_one_before(tmp_path: Path) -> None:
    """Each column also with the value before, each number with the share by which it changed."""
    rows = _views((1, None, "/"), (2, None, "/"), (25, None, "/"), (26, None, "/"), (27, None, "/"))
    with lake_of(tmp_path, rows, MONDAY + DAY, MONDAY + 2 * DAY) as asked:
        row = asked.row("overview", compare=True)
        assert (row["views"], row["before_views"], row["change_views"]) == (3, 2, 0.5)
        assert list(row) == [each.name for each in compare.columns(questions()["overview"])]
        first = asked.row("overview", compare=True, start=MONDAY, end=MONDAY + DAY)
        assert (first["before_views"], first["change_views"], first["change_bounce_rate"]) == (0, None, None)


def test_a_series_beside_the_one_before(tmp_path: Path) -> None:
    """Bucket by bucket, in order; where the one before is shorter, with nothing."""
    rows = _views((1, None, "/"), (25, None, "/"), (26, None, "/"))
    with lake_of(tmp_path, rows, MONDAY + DAY, MONDAY + 2 * DAY) as asked:
        hours = asked.rows("series", compare=True, interval="hour")
        assert [(row["views"], row["before_views"]) for row in hours[:4]] == [(0, 0), (1, 1), (1, 0), (0, 0)]
        assert hours[1]["before_bucket"] == MONDAY + HOUR
        months = {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 4, 1, tzinfo=UTC)}
        days = asked.rows("series", compare=True, interval="day", **months)
        assert [row["before_views"] for row in days] == [0] * 8 + [1, 2] + [0] * 18 + [None] * 3


def test_a_list_beside_the_one_before(tmp_path: Path) -> None:
    """The rows of the period, each with what its like had before, wherever that stood; null for the new ones."""
    rows = [
        *_views((1, None, "/old"), (2, None, "/old"), (3, None, "/a"), (25, None, "/a"), (26, None, "/a")),
        *[row | {"position": 50, "hit_id": "a-50"} for row in _views((27, None, "/new"))],
    ]
    rows[3]["country"] = "DE"
    with lake_of(tmp_path, rows, MONDAY + DAY, MONDAY + 2 * DAY) as asked:
        pages = asked.rows("pages", compare=True)
        assert [(row["value"], row["views"], row["before_views"], row["change_views"]) for row in pages] == [
            ("h/a", 2, 1, 1.0),
            ("h/new", 1, None, None),
        ]
        assert asked.column("pages", "before_views", compare=True, limit=1) == [1]
        countries = [(row["value"], row["before_views"]) for row in asked.rows("countries", compare=True)]
        assert countries == [(None, 3), ("DE", None)]


# --- intervals and clocks

DAYS_OF_CHANGE = {
    "forward in Berlin": ("Europe/Berlin", date(2026, 3, 29), 23),
    "back in Berlin": ("Europe/Berlin", date(2026, 10, 25), 25),
    "back by half an hour": ("Australia/Lord_Howe", date(2026, 4, 5), 25),
    "midnight is skipped": ("Africa/Cairo", date(2026, 4, 24), 23),
    "in quarters": ("Asia/Kathmandu", date(2026, 3, 29), 24),
}


@pytest.mark.parametrize("told", DAYS_OF_CHANGE.values(), ids=DAYS_OF_CHANGE.keys())
def test_days_on_which_clocks_change(tmp_path: Path, told: tuple[str, date, int]) -> None:
    """An event in each quarter of an hour: each is in its day and in its hour, and none in two."""
    zone, day, hours = told
    clock = Clock(fixed(zone))
    start, end = clock.bounds(day)
    quarters = int((end - start + 2 * HOUR) / timedelta(minutes=15))
    rows = [
        event("a", n + 1, received_at=start - HOUR + n * timedelta(minutes=15), visitor_id=f"v{n}")
        for n in range(quarters)
    ]
    with lake_of(tmp_path, rows, start, end, {"shop": zone}) as asked:
        inside = quarters - 8
        assert asked.column("series", "hits", interval="day") == [inside]
        buckets = asked.rows("series", interval="hour")
        assert len(buckets) == hours
        assert sum(row["hits"] for row in buckets) == inside
        assert max(row["hits"] for row in buckets) == 4
        around = asked.column("series", "hits", interval="day", start=start - DAY, end=end + DAY)
        assert around == [4, inside, 4]


def test_weeks_and_months(tmp_path: Path) -> None:
    """A week begins on Monday, a month on its first, on the wall clock of the site."""
    at = [
        datetime(2026, 2, 28, 23, 30, tzinfo=UTC),  # Sunday, March 1 in Berlin
        datetime(2026, 3, 1, 22, 59, tzinfo=UTC),  # still Sunday
        datetime(2026, 3, 1, 23, 0, tzinfo=UTC),  # Monday
        datetime(2026, 3, 31, 22, 0, tzinfo=UTC),  # April, since the clocks have changed
    ]
    rows = [event("a", n, received_at=moment) for n, moment in enumerate(at, 1)]
    clock = Clock(fixed("Europe/Berlin"))
    start, end = clock.bounds(date(2026, 2, 1))[0], clock.bounds(date(2026, 4, 30))[1]
    with lake_of(tmp_path, rows, start, end, {"shop": "Europe/Berlin"}) as asked:
        assert asked.column("series", "hits", interval="month") == [0, 3, 1]
        weeks = {row["bucket"]: row["hits"] for row in asked.rows("series", interval="week")}
        assert weeks[clock.bounds(date(2026, 2, 23))[0]] == 2
        assert weeks[clock.bounds(date(2026, 3, 2))[0]] == 1
        assert weeks[clock.bounds(date(2026, 3, 30))[0]] == 1


def test_days_of_another_zone(tmp_path: Path) -> None:
    """Hits are told by them; visitors are known by the days of the site, and have no number, with the reason."""
    rows = [event("a", 1, received_at=MONDAY + 5 * HOUR, visitor_id="v")]
    with lake_of(tmp_path, rows, MONDAY, MONDAY + 2 * DAY) as asked:
        answer = asked.answer("series", interval="day", zone="Asia/Tokyo", end=MONDAY + 3 * DAY)
        assert {"visitors", "daily_visitors"} <= answer.notes.keys()
        rows_of_tokyo = asked.rows("series", interval="day", zone="Asia/Tokyo", end=MONDAY + 3 * DAY)
        first = rows_of_tokyo[0]
        assert (first["hits"], first["visitors"], first["daily_visitors"]) == (1, None, None)
        hours = asked.rows("series", interval="hour", zone="Asia/Tokyo")
        assert sum(row["visitors"] for row in hours) == 1


def test_sites_with_clocks_of_their_own(tmp_path: Path) -> None:
    """All sites together: each event counts on the day of its own site."""
    at = datetime(2026, 2, 9, 20, 0, tzinfo=UTC)  # the 10th in Kathmandu
    rows = [
        event("a", 1, received_at=at, site="east", visitor_id="v"),
        event("a", 2, received_at=at + 6 * HOUR, site="east", visitor_id="v"),
        event("a", 3, received_at=at, site="shop", visitor_id="v"),
        event("a", 4, received_at=at + 6 * HOUR, site="shop", visitor_id="w"),
    ]
    with lake_of(tmp_path, rows, MONDAY, MONDAY + 3 * DAY, {"east": "Asia/Kathmandu"}) as asked:
        assert asked.row("overview", "east")["daily_visitors"] == 1
        assert asked.row("overview", "shop")["daily_visitors"] == 2
        assert asked.row("overview", None)["daily_visitors"] == 3
        assert asked.row("overview", None)["hits"] == 4


# --- every question takes what all take


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A lake of two days and two sites."""
    rows = _views(*((hours, None if hours % 3 else "ann", f"/{hours % 5}") for hours in range(1, 47)), country="DE")
    for row in rows[::4]:
        row |= {"site": "blog", "country": None, "event": "purchase", "bot": row["position"] % 8 == 1}
    with lake_of(tmp_path_factory.mktemp("some"), rows, MONDAY + DAY, MONDAY + 2 * DAY) as found:
        yield found


TAKEN: dict[str, dict[str, Any]] = {
    "a filter, another zone": {"filter": ["country is DE", "path is not /3"], "zone": "Asia/Kathmandu"},
    "all of some hours": {"start": MONDAY + 20 * HOUR, "end": MONDAY + 31 * HOUR, "site": None, "people": False},
}


@pytest.mark.parametrize("name", sorted(questions()))
def test_every_question_takes_what_all_take(some: Asked, name: str) -> None:
    """Whatever of it is given, the columns are those that it declares, also beside the period before."""
    question = questions()[name]
    always: dict[str, Any] = {"options": {"steps": ["event is a", "event is b"]}} if name == "funnel" else {}
    always |= {"limit": 3, "skip": 1} if question.kind == "list" else {}
    for given in TAKEN.values():
        more = {"site": "shop", **always, **given}
        if name in {"rejects", "refused"}:
            more |= {"site": None, "filter": ()}
        answer = some.answer(name, **more)
        assert answer.table.column_names == [each.name for each in question.columns]
        if question.kind == "series" or question.keys:
            compared = some.answer(name, **more, compare=True).table
            assert compared.column_names[: len(question.columns)] == answer.table.column_names
            assert set(compared.column_names) == {each.name for each in compare.columns(question)}


# --- how it is answered


def test_explain(tmp_path: Path) -> None:
    """Where the rows would come from, for each part of the period; nothing is run."""
    with lake_of(tmp_path, KNOWN, MONDAY - DAY, MONDAY + DAY + 6 * HOUR) as asked:
        found = asked.questions.explain(asked.asked("pages"))
        assert [(part.source, part.first, part.last) for part in found.parts] == [("rows", "2026-02-09", "2026-02-10")]
        Builder(tmp_path / "lake", Clocks(fixed("UTC"), {})).run()
        found = asked.questions.explain(asked.asked("pages"))
        assert [(part.source, part.first, part.last) for part in found.parts] == [
            ("days", "2026-02-09", "2026-02-09"),
            ("trail", "2026-02-10", "2026-02-10"),
        ]
        assert "read_parquet" in found.sql
        assert found.version == asked.answer("pages").version


# --- what cannot be asked


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """A lake whose sites are known."""
    with lake_of(tmp_path, KNOWN, MONDAY, MONDAY + 7 * DAY, known=frozenset({"shop", "blog"})) as found:
        yield found


BAD = {
    "a question that there is not": ("overvew", {}, "question", "overview"),
    "a site that there is not": ("overview", {"site": "shp"}, "site", "blog, shop"),
    "a hostile site": ("overview", {"site": "' or 1=1 --"}, "site", "shop"),
    "a zone that there is not": ("overview", {"zone": "Mars/Olympus"}, "zone", "Europe/Zurich"),
    "a file for a zone": ("overview", {"zone": "../../etc/passwd"}, "zone", "Europe/Zurich"),
    "a period backwards": ("overview", {"end": MONDAY - DAY}, "from", "before"),
    "an empty period": ("overview", {"end": MONDAY}, "from", "before"),
    "before all time": ("overview", {"start": datetime(1, 1, 2, tzinfo=UTC)}, "from", "1970"),
    "behind all time": ("overview", {"end": datetime(9999, 12, 30, tzinfo=UTC)}, "to", "2199"),
    "an interval that there is not": ("series", {"interval": "year"}, "interval", "minute"),
    "an interval of a list": ("pages", {"interval": "day"}, "interval", "series"),
    "too many buckets": ("series", {"interval": "minute"}, "interval", "longer"),
    "a limit of a figure": ("overview", {"limit": 3}, "limit", "lists"),
    "no rows at all": ("pages", {"limit": 0}, "limit", "1 to"),
    "less than none": ("pages", {"skip": -1}, "skip", "0 to"),
    "an option that it has not": ("pages", {"options": {"window": 3}}, "window", "site"),
    "a value that it cannot be": ("campaigns", {"options": {"by": "x"}}, "by", "utm_source"),
    "half a character": ("properties", {"options": {"name": "\ud800"}}, "name", "text"),
    "a zero byte": ("properties", {"options": {"name": "\0"}}, "name", "text"),
    "a cursor that is none": ("newest", {"options": {"before": "yesterday"}}, "before", "cursor"),
    "a site of rejects": ("rejects", {}, "site", "no site"),
    "no like in another period": ("newest", {"compare": True}, "compare", "another"),
}


@pytest.mark.parametrize(("name", "more", "parameter", "hint"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_asked(asked: Asked, name: str, more: dict[str, Any], parameter: str, hint: str) -> None:
    """It is refused before the lake is asked, with the name of what is wrong and what it may be."""
    with pytest.raises(Misasked) as caught:
        asked.answer(name, **{"site": "shop", **more})
    assert caught.value.parameter == parameter
    assert hint in caught.value.hint


def test_before_a_site_there_is_a_hint(tmp_path: Path) -> None:
    """Who asks for one of many sites is told of some, not of thousands."""
    with Lakehouse(tmp_path / "none") as house:
        known = frozenset(f"s{n:04}" for n in range(5_000))
        asked = Asked(Questions(house, lambda: Clocks(fixed("UTC"), {}, known)), MONDAY, MONDAY + DAY)
        with pytest.raises(Misasked) as caught:
            asked.answer("overview", "nope")
        assert "s0009, and 4,990 more" in caught.value.hint
        assert asked.row("overview", "s0001")["hits"] == 0


def test_filters_of_columns_are_passed_on(asked: Asked) -> None:
    """What is asked reaches the statement as it is: the same ask again, the same rows."""
    ask = asked.asked("pages", filter="path is /b")
    assert asked.questions.ask(ask).table.num_rows == 1
    assert asked.questions.ask(replace(ask, limit=1)).table.equals(asked.questions.ask(ask).table)


def test_the_newest_are_looked_for_nearby(asked: Asked) -> None:
    """A list of the newest is whole wherever its rows lie: within the last hour, day, or long before."""
    moments = asked.column("newest", "received_at", limit=3, end=MONDAY + 31 * HOUR)
    assert moments == [MONDAY + hours * HOUR for hours in (30, 26, 25)]
    assert len(asked.rows("newest", limit=100, end=MONDAY + 31 * HOUR)) == 4
