"""The named questions, by cases whose numbers can be worked out by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.warehouse import question_docs
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.questions import TYPES, parse, questions
from tests.warehouse.asked import Asked, Row, lake_of
from tests.warehouse.outcomes import START, event, outcome, reject

HOUR = timedelta(hours=1)
SHOP = {"host": "shop.example", "path": "/"}

ROWS = [
    event("a", 1, visitor_id="v1", host="shop.example", path="/", referrer_host="search.example"),
    event("a", 2, visitor_id="v1", host="shop.example", path="/cart", referrer_host="shop.example"),
    event("a", 3, visitor_id="v2", user_id="jane", host="www.shop.example", path="/", referrer_host="shop.example"),
    event("a", 4, visitor_id="v3", user_id="jane", host="shop.example", path="/"),
    event("a", 5, visitor_id="v4", path="/", host="shop.example", bot=True, bot_name="Crawler"),
    event("a", 6, visitor_id="v5", path="/", host="shop.example", duplicate=True),
    event("a", 7, visitor_id="v6", path="/", host="shop.example", method="HEAD"),
    event("a", 8, visitor_id="v7", event="signup", host="shop.example", path="/"),
    event("a", 9, visitor_id=None, path=None, bot=None, duplicate=None),
    event("a", 10, visitor_id="v8", site="blog", host="blog.example", path="/"),
    event("a", 11, visitor_id="v9", host="shop.example", path="/late", received_at=START + 2 * HOUR),
]


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    """The questions over a lake of `ROWS`, of its first hour."""
    with lake_of(tmp_path, ROWS, START, START + HOUR) as found:
        yield found


# --- their files


def test_every_file_is_a_question() -> None:
    """Each file declares its columns and options with types that there are, and a definition."""
    assert set(questions()) >= {"overview", "series", "pages", "referrers", "newest"}
    for name, question in questions().items():
        assert question.name == name
        assert question.partial or question.answer
        assert all(each.type in TYPES and each.meaning for each in (*question.columns, *question.options))
        assert question.kind != "list" or question.order, name


@pytest.mark.parametrize("name", sorted(questions()))
def test_every_list_has_a_total_order(name: str) -> None:
    """Rows that are alike in all figures are told apart by their keys: the same rows on each page, always."""
    question = questions()[name]
    ordered = {part.split()[0] for part in question.order.split(",") if part.strip()}
    keys = {"step"} if name == "funnel" else set(question.keys)  # a step has one name
    assert question.kind != "list" or keys <= ordered, question.order


@pytest.mark.parametrize(
    "head",
    [
        "-- other: its first line names another\n-- group: traffic\n-- kind: figure",
        "-- q: a column of no type\n-- group: traffic\n-- kind: list\n-- key value nothing: x",
        "-- q: an option of no type\n-- group: traffic\n-- kind: list\n-- option window nothing: x",
        "-- q: a line that says nothing\n-- group: traffic\n-- kind: list\n-- key",
        "-- q: no role\n-- group: traffic\n-- kind: list\n-- product value int: x",
    ],
)
def test_a_head_that_is_none_is_refused(head: str) -> None:
    """A misspelt head is told, not passed over."""
    with pytest.raises(ValueError, match=r"q\.sql"):
        parse("q", f"{head}\n-- answer\nselect 1")


def test_the_page_of_the_docs() -> None:
    """`docs/questions.md` has every question, column and definition as they are declared."""
    page = (Path(__file__).parents[2] / "docs" / "questions.md").read_text()
    assert page == question_docs.as_markdown()
    assert "### overview" in page


# --- what they say


def test_overview(asked: Asked) -> None:
    """Machines, repeats and HEADs are left out; a user on two devices is one visitor."""
    # hits 1 2 3 4 8 9; visitors v1, jane, v7; visits: v1 (2 views), jane (2), v7 (no view, 1 hit)
    assert asked.row("overview") == {
        "hits": 6,
        "views": 5,
        "visitors": 3,
        "daily_visitors": 3,
        "visits": 3,
        "views_per_visit": pytest.approx(4 / 3),
        "bounce_rate": pytest.approx(1 / 3),
        "seconds_per_visit": pytest.approx((1 + 1 + 0) / 3),
    }


def test_overview_with_machines(asked: Asked) -> None:
    """With machines and repeats each hit counts."""
    assert asked.row("overview", people=False)["hits"] == 9
    assert asked.row("overview", people=False)["visitors"] == 6


def test_all_sites(asked: Asked) -> None:
    """Without a site all sites are counted."""
    assert asked.row("overview", None)["hits"] == 7


def test_period_is_half_open(asked: Asked) -> None:
    """What came exactly at the end is not of the period; what came at the start is."""
    at = START + timedelta(seconds=2)
    assert asked.row("overview", None, start=at, end=at + timedelta(seconds=1))["hits"] == 1
    assert asked.row("overview", None, end=START + 2 * HOUR)["hits"] == 7
    assert asked.row("overview", None, end=START + 2 * HOUR + timedelta(microseconds=1))["hits"] == 8


def test_series_fills_gaps(asked: Asked) -> None:
    """Every bucket of the period has a row, also when nothing came."""
    rows = asked.rows("series", end=START + 3 * HOUR)
    assert [(row["bucket"], row["hits"], row["views"], row["visitors"]) for row in rows] == [
        (START, 6, 5, 3),
        (START + HOUR, 0, 0, 0),
        (START + 2 * HOUR, 1, 1, 1),
    ]


def test_series_by_the_minute(asked: Asked) -> None:
    """Another interval gives other buckets; the first holds the start."""
    start = START + timedelta(seconds=3)
    rows = asked.rows("series", None, start=start, end=START + timedelta(minutes=3), interval="minute")
    assert [(row["bucket"].minute, row["hits"]) for row in rows] == [(0, 5), (1, 0), (2, 0)]


def test_pages(asked: Asked) -> None:
    """Pages by views of people; an event without a path is none; of the same figures the names tell the order."""
    rows = [(row["value"], row["views"], row["visitors"]) for row in asked.rows("pages")]
    assert rows == [("shop.example/", 2, 2), ("shop.example/cart", 1, 1), ("www.shop.example/", 1, 1)]
    answer = asked.answer("pages", limit=1)
    assert answer.more
    assert answer.table.num_rows == 1
    assert asked.column("pages", "value", limit=2, skip=2) == ["www.shop.example/"]


def test_entries_and_exits(asked: Asked) -> None:
    """The first and the last page of visits; what looked at no page has none."""
    entries = [(row["value"], row["visits"], row["bounce_rate"]) for row in asked.rows("entries")]
    assert entries == [("shop.example/", 1, 0), ("www.shop.example/", 1, 0)]
    assert asked.column("exits", "value") == ["shop.example/", "shop.example/cart"]


def test_referrers(asked: Asked) -> None:
    """Hosts that sent visits; the site itself, with or without www, is none; none comes last of the same number."""
    rows = [(row["value"], row["visits"], row["visitors"], row["views"]) for row in asked.rows("referrers")]
    assert rows == [(None, 2, 2, 2), ("search.example", 1, 1, 2)]


def test_campaigns(tmp_path: Path) -> None:
    """The tag that is picked, of the first hit of each visit."""
    rows = [
        event("a", 1, visitor_id="v1", utm_source="mail", utm_campaign="may"),
        event("a", 2, visitor_id="v1", utm_source="other"),
        event("a", 3, visitor_id="v2", utm_campaign="may"),
        event("a", 4, visitor_id="v3"),
    ]
    with lake_of(tmp_path, rows, START, START + HOUR) as asked:
        assert [(row["value"], row["visits"]) for row in asked.rows("campaigns")] == [("may", 2)]
        assert asked.column("campaigns", "value", options={"by": "utm_source"}) == ["mail"]


def test_sites(asked: Asked) -> None:
    """Sites by everything that arrived."""
    assert asked.rows("sites", None) == [{"value": "shop", "hits": 9}, {"value": "blog", "hits": 1}]
    assert asked.rows("sites", None, limit=1) == [{"value": "shop", "hits": 9}]


def test_a_visit_ends_after_half_an_hour(tmp_path: Path) -> None:
    """30 minutes of silence are still one visit, a moment more makes two."""
    at = [0, 1_800, 1_800 + 1_800.001]
    rows = [event("a", n, visitor_id="v", received_at=START + timedelta(seconds=s)) for n, s in enumerate(at, 1)]
    with lake_of(tmp_path, rows, START, START + 2 * HOUR) as asked:
        row = asked.row("overview")
        assert (row["visits"], row["bounce_rate"], row["seconds_per_visit"]) == (2, 0.5, 900)


def test_a_visit_across_midnight_is_of_the_day_it_began(tmp_path: Path) -> None:
    """It counts once, on the first day, with all its pages; the visitor is one on each day."""
    midnight = datetime(2026, 2, 11, tzinfo=UTC)
    ids = [(-10, "old", None), (5, "new", "old"), (20, "new", "old"), (45, "new", None)]
    rows = [
        event("a", n, visitor_id=who, visitor_before=was, received_at=midnight + timedelta(minutes=m), **SHOP)
        for n, (m, who, was) in enumerate(ids, 1)
    ]
    day = timedelta(days=1)
    with lake_of(tmp_path, rows, midnight - day, midnight + day) as asked:
        days = asked.rows("series", interval="day")
        assert [(row["visits"], row["hits"], row["daily_visitors"]) for row in days] == [(1, 1, 1), (0, 3, 1)]
        whole = asked.row("overview")
        assert (whole["visits"], whole["views_per_visit"], whole["seconds_per_visit"]) == (1, 4, 55 * 60)


def test_machines(tmp_path: Path) -> None:
    """Bots, proxies and prefetches each have their list; what counts as people's is told apart."""
    rows = [
        event("a", 1, bot=True, bot_name="Crawler"),
        event("a", 2, bot=True, bot_name="Crawler", event="ping"),
        event("a", 3, bot=True, bot_name=None),
        event("a", 4, proxy="gmail"),
        event("a", 5, proxy="scanner"),
        event("a", 6, prefetch=True, **SHOP),
        event("a", 7),
    ]
    with lake_of(tmp_path, rows, START, START + HOUR) as asked:
        bots = [(row["value"], row["hits"], row["views"], row["last_seen"]) for row in asked.rows("bots")]
        assert bots == [
            ("Crawler", 2, 1, START + timedelta(seconds=2)),
            (None, 1, 1, START + timedelta(seconds=3)),
        ]
        proxies = [(row["value"], row["hits"], row["counted"]) for row in asked.rows("proxies")]
        assert proxies == [("gmail", 1, 1), ("scanner", 1, 0)]
        assert [(row["value"], row["hits"]) for row in asked.rows("prefetches")] == [("shop.example/", 1)]


def test_rejects(tmp_path: Path) -> None:
    """By reason and stage, of all sites together."""
    refused = [reject("a", 1), reject("a", 2), reject("a", 3, reason="bad_site", stage="validate"), reject("a", 9_000)]
    with lake_of(tmp_path, [event("b", 1)], START, START + HOUR, rejects=refused) as asked:
        rows = [(row["value"], row["stage"], row["hits"]) for row in asked.rows("rejects", None)]
        assert rows == [("too_long", "decode", 2), ("bad_site", "validate", 1)]


def test_rejects_before_the_first_event(tmp_path: Path) -> None:
    """They are told also if nothing at all became an event."""
    with lake_of(tmp_path, [], START, START + HOUR, rejects=[reject("a", 1)]) as asked:
        assert asked.column("rejects", "hits", None) == [1]


def test_properties(tmp_path: Path) -> None:
    """Names, and the values of one: a hit counts once for each of its different values."""
    said = [
        [("color", ["red", "blue", "red"]), ("size", ["1"])],
        [("color", ["red"])],
        [("it's", ["\u202e'; drop table x"])],
    ]
    rows = [event("a", n, visitor_id="v", properties=each) for n, each in enumerate(said, 1)]
    with lake_of(tmp_path, rows, START, START + HOUR) as asked:
        names = [(row["value"], row["hits"], row["visitors"]) for row in asked.rows("properties")]
        assert names == [("color", 2, 1), ("it's", 1, 1), ("size", 1, 1)]
        values = [(row["value"], row["hits"]) for row in asked.rows("properties", options={"name": "color"})]
        assert values == [("red", 2), ("blue", 1)]
        assert asked.column("properties", "value", options={"name": "it's"}) == ["\u202e'; drop table x"]
        assert asked.rows("properties", options={"name": "' or 1=1"}) == []


def test_badges(tmp_path: Path) -> None:
    """Whose badge was shown where: GitHub's proxy does not say."""
    shown: list[Row] = [
        {"host": "readme.example"},
        {"host": "readme.example"},
        {"host": None, "proxy": "github-camo"},
        {"host": "readme.example", "bot": True},
        {"host": "readme.example", "event": "pageview"},
    ]
    rows = [event("a", n, **{"event": "badge", **each}) for n, each in enumerate(shown, 1)]
    with lake_of(tmp_path, rows, START, START + HOUR) as asked:
        assert asked.rows("badges", None) == [
            {
                "owner": "shop",
                "host": "readme.example",
                "proxy": None,
                "shown": 2,
                "first_seen": START + timedelta(seconds=1),
                "last_seen": START + timedelta(seconds=2),
            },
            {
                "owner": "shop",
                "host": None,
                "proxy": "github-camo",
                "shown": 1,
                "first_seen": START + timedelta(seconds=3),
                "last_seen": START + timedelta(seconds=3),
            },
        ]


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Asked]:
    """Thirty events in three days, two in each moment."""
    rows = [
        event("a", n, received_at=START + n // 2 * 5 * HOUR, path=f"/{n}", title=f"Title {n}", visitor_id="v")
        for n in range(1, 31)
    ]
    with lake_of(tmp_path, rows, START, START + timedelta(days=5)) as found:
        yield found


def test_newest_goes_on_page_by_page(many: Asked) -> None:
    """Each event once, the newest first, also among those of the same moment."""
    found: list[str] = []
    options: dict[str, Any] = {}
    while rows := many.rows("newest", limit=7, options=options):
        found += [row["path"] for row in rows]
        options = {"before": rows[-1]["cursor"]}
    assert len(found) == 30
    # of one moment, the ids are compared as texts
    assert found == sorted(found, key=lambda path: (int(path[1:]) // 2, f"a-{path[1:]}"), reverse=True)


def test_newest_searches(many: Asked) -> None:
    """In any case, anywhere in what is written; hostile text is text."""
    assert many.column("newest", "path", limit=50, options={"search": "TITLE 30"}) == ["/30"]
    assert many.column("newest", "path", limit=2, options={"search": "/2"}) == ["/29", "/28"]
    assert many.rows("newest", limit=5, options={"search": "%' or '1'='1"}) == []


# --- before there is anything


@pytest.mark.parametrize("name", sorted(questions()))
def test_an_empty_lake_answers(tmp_path: Path, name: str) -> None:
    """Before the first hit each question has its answer: the columns that it declares, no rows, or zeros."""
    Lake(tmp_path / "lake").write(outcome())
    options = {"steps": ["event is a", "event is b"]} if name == "funnel" else {}
    with lake_of(tmp_path, [], START, START + 2 * HOUR) as asked:
        answer = asked.answer(name, None, options=options)
        assert answer.table.column_names == [each.name for each in questions()[name].columns]
        if questions()[name].kind == "series":
            assert asked.column(name, "hits", None) == [0, 0]


def test_only_files_of_the_period_are_opened(asked: Asked, tmp_path: Path) -> None:
    """Other hours' files are not looked at: they may even be damaged."""
    late = next(path for path in (tmp_path / "lake/events").rglob("*.parquet") if "hour=23" in str(path))
    late.write_bytes(late.read_bytes()[:100])
    assert asked.column("events", "hits", start=START, end=START + timedelta(minutes=30)) == [5, 1]
