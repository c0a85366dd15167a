"""The named questions."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.questions import MAX_BUCKETS, Questions, questions
from tests.warehouse.outcomes import START, event, outcome

ROWS = [
    event("a", 1, visitor_id="v1", host="shop.example", path="/", referrer_host="search.example"),
    event("a", 2, visitor_id="v1", host="shop.example", path="/cart", referrer_host="shop.example"),
    event("a", 3, visitor_id="v2", user_id="jane", host="www.shop.example", path="/", referrer_host="shop.example"),
    event("a", 4, visitor_id="v3", user_id="jane", host="shop.example", path="/"),
    event("a", 5, visitor_id="v4", path="/", host="shop.example", bot=True),
    event("a", 6, visitor_id="v5", path="/", host="shop.example", duplicate=True),
    event("a", 7, visitor_id="v6", path="/", host="shop.example", method="HEAD"),
    event("a", 8, visitor_id="v7", event="signup", host="shop.example", path="/"),
    event("a", 9, visitor_id=None, path=None, bot=None, duplicate=None),
    event("a", 10, visitor_id="v8", site="blog", host="blog.example", path="/"),
    event("a", 11, visitor_id="v9", host="shop.example", path="/late", received_at=START + timedelta(hours=2)),
]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Questions]:
    """The questions over a lake of `ROWS`."""
    Lake(tmp_path / "lake").write(outcome(ROWS))
    with Lakehouse(tmp_path / "lake") as house:
        yield Questions(house)


def _rows(asked: Questions, name: str, site: str | None = "shop", **period: object) -> list[dict[str, object]]:
    given = {"start": START, "end": START + timedelta(hours=1)} | period
    return asked.question(name, site, **given).to_pylist()


def test_every_file_is_a_question() -> None:
    """Each file names itself, its parameters and its answer in its first line, and uses no others."""
    assert set(questions()) >= {"overview", "series", "pages", "referrers"}
    for name, question in questions().items():
        assert question.name == name
        assert question.answer
        for parameter in question.parameters:
            assert f"${parameter}" in question.sql


def test_overview_counts_people(asked: Questions) -> None:
    """Hits are all; views and visitors are people's; a user on two devices is one visitor."""
    assert _rows(asked, "overview") == [{"hits": 9, "views": 5, "visitors": 3, "bots": 1, "duplicates": 1}]


def test_overview_of_all_sites(asked: Questions) -> None:
    """Without a site all sites are counted."""
    assert _rows(asked, "overview", None)[0]["hits"] == 10


def test_period_is_half_open(asked: Questions) -> None:
    """What came exactly at the end is not of the period; what came at the start is."""
    at = START + timedelta(seconds=2)
    assert _rows(asked, "overview", None, start=at, end=at + timedelta(seconds=1))[0]["hits"] == 1
    assert _rows(asked, "overview", None, end=START + timedelta(hours=2))[0]["hits"] == 10
    assert _rows(asked, "overview", None, end=START + timedelta(hours=2, seconds=1))[0]["hits"] == 11


def test_series_fills_gaps(asked: Questions) -> None:
    """Every bucket of the period has a row, also when nothing came."""
    rows = _rows(asked, "series", end=START + timedelta(hours=3))
    assert [(row["bucket"], row["hits"], row["views"], row["visitors"]) for row in rows] == [
        (START, 9, 5, 3),
        (START + timedelta(hours=1), 0, 0, 0),
        (START + timedelta(hours=2), 1, 1, 1),
    ]


def test_series_by_the_minute(asked: Questions) -> None:
    """Another step gives other buckets; the first holds the start."""
    start = START + timedelta(seconds=5)
    rows = _rows(asked, "series", None, start=start, end=START + timedelta(minutes=3), step=timedelta(minutes=1))
    assert [(row["bucket"].minute, row["hits"]) for row in rows] == [(0, 6), (1, 0), (2, 0)]


def test_series_in_another_zone_of_the_caller(asked: Questions) -> None:
    """A period is an instant: its zone does not matter."""
    start = datetime.fromisoformat("2026-02-10T22:00:00+01:00")
    assert _rows(asked, "series", start=start, end=start + timedelta(hours=1))[0]["hits"] == 9


def test_pages(asked: Questions) -> None:
    """Pages by views of people; an event without a path is none."""
    assert _rows(asked, "pages") == [
        {"value": "shop.example/", "views": 2, "visitors": 2},
        {"value": "shop.example/cart", "views": 1, "visitors": 1},
        {"value": "www.shop.example/", "views": 1, "visitors": 1},
    ]
    assert len(_rows(asked, "pages", limit=1)) == 1


def test_referrers(asked: Questions) -> None:
    """Referring hosts by visitors; the site itself, with or without www, is none; no referrer is direct."""
    assert _rows(asked, "referrers") == [
        {"value": "direct", "views": 2, "visitors": 1},
        {"value": "search.example", "views": 1, "visitors": 1},
    ]


def test_sites(asked: Questions) -> None:
    """Sites by everything that arrived."""
    assert _rows(asked, "sites", None) == [{"value": "shop", "hits": 9}, {"value": "blog", "hits": 1}]
    assert len(_rows(asked, "sites", None, limit=1)) == 1


@pytest.mark.parametrize(
    ("period", "named"),
    [
        ({"start": datetime(1, 1, 1, tzinfo=UTC)}, "`from`"),
        ({"end": datetime(9999, 12, 31, tzinfo=UTC)}, "`to`"),
        ({"start": datetime.fromisoformat("0001-01-01T00:00:00+14:00")}, "`from`"),
        ({"start": START, "end": START}, "`from`"),
        ({"end": START + timedelta(hours=MAX_BUCKETS, seconds=1)}, "steps of 1:00:00"),
        ({"step": timedelta(seconds=1)}, "3,600 steps"),
        ({"step": timedelta(0)}, "`step`"),
        ({"step": timedelta(hours=-1)}, "`step`"),
        ({"limit": 5}, "no `limit`"),
    ],
    ids=["early", "late", "before all time", "empty", "long", "many", "none", "backwards", "no list"],
)
def test_a_series_without_bound_is_refused(asked: Questions, period: dict[str, Any], named: str) -> None:
    """What would not end, or means nothing, is refused before the lake is asked; with what is accepted."""
    with pytest.raises(QueryError, match=named) as caught:
        _rows(asked, "series", **period)
    assert caught.value.hint


def test_the_longest_series(asked: Questions) -> None:
    """As many steps as are allowed are answered, in however long a period."""
    rows = _rows(asked, "series", end=START + timedelta(days=MAX_BUCKETS), step=timedelta(days=1))
    assert len(rows) in (MAX_BUCKETS, MAX_BUCKETS + 1)
    assert sum(row["hits"] for row in rows) == 10


def test_what_a_question_does_not_take_is_refused(asked: Questions) -> None:
    """A site or a limit that would be left aside is an error."""
    with pytest.raises(QueryError, match="no `site`"):
        _rows(asked, "sites", "shop")
    with pytest.raises(QueryError, match="no `limit`"):
        _rows(asked, "overview", limit=3)


def test_site_is_a_value(asked: Questions) -> None:
    """A hostile site name is the name of no site."""
    assert _rows(asked, "overview", "' or 1=1 --")[0]["hits"] == 0


def test_empty_lake_answers(tmp_path: Path) -> None:
    """Before the first hit each question has its answer, with zeros."""
    with Lakehouse(tmp_path / "none") as house:
        asked = Questions(house)
        assert _rows(asked, "overview") == [{"hits": 0, "views": 0, "visitors": 0, "bots": 0, "duplicates": 0}]
        assert [row["hits"] for row in _rows(asked, "series")] == [0]
        assert _rows(asked, "pages") == _rows(asked, "referrers") == []


def test_unknown_question_names_the_known(asked: Questions) -> None:
    """A misspelt question lists those there are."""
    with pytest.raises(QueryError) as caught:
        _rows(asked, "overvew")
    assert "overview" in caught.value.hint


def test_only_files_of_the_period_are_opened(asked: Questions, tmp_path: Path) -> None:
    """Other hours' files are not looked at: they may even be damaged."""
    late = next(path for path in (tmp_path / "lake/events").rglob("*.parquet") if "hour=23" in str(path))
    late.write_bytes(late.read_bytes()[:100])
    assert _rows(asked, "overview")[0]["hits"] == 9
