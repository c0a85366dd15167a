"""The JSON API."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pixelake.errors import LakeUnavailable, QueryError
from pixelake.web.api import QUESTIONS


@pytest.mark.parametrize("name", QUESTIONS)
def test_questions(standing, name):
    """Every named question is answered over the last 24 hours."""
    answer = standing.client.get(f"/api/v1/{name}").json()
    assert answer["question"] == name
    assert answer["rows"] == [{"value": "/", "views": 3, "visitors": 2}]
    assert datetime.fromisoformat(answer["to"]) - datetime.fromisoformat(answer["from"]) == timedelta(days=1)


def test_a_period(house):
    """A period, a site and a limit are handed on."""
    given = {"from": "2026-02-10T00:00:00Z", "to": "2026-02-10T01:00:00+00:00", "site": "shop", "limit": "3"}
    assert house.client.get("/api/v1/pages", params=given).status_code == 200
    start = datetime(2026, 2, 10, tzinfo=UTC)
    assert house.questions.asked == [("pages", "shop", start, start + timedelta(hours=1), 3)]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=1001", "limit"),
        ("site=", "site"),
        ("site=" + "x" * 256, "site"),
        ("from=yesterday", "from"),
        ("from=2026-02-10T00:00:00", "from"),
        ("to=%00", "to"),
        ("limt=3", "limt"),
    ],
)
def test_bad_parameters(house, query, named):
    """A bad or unknown parameter is 400, with its name and what is accepted; the lake is not asked."""
    answer = house.client.get(f"/api/v1/pages?{query}")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == named
    assert answer.json()["hint"]
    assert house.questions.asked == []


def test_a_period_that_ends_before_it_begins(standing):
    """The start must lie before the end."""
    answer = standing.client.get("/api/v1/pages?from=2026-02-10T00:00:00Z&to=2026-02-09T00:00:00Z")
    assert answer.status_code == 400
    assert "`from`" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(QueryError("too slow\nat line 1", "ask less"), 400), (LakeUnavailable("the lake is away", "wait"), 503)],
)
def test_errors_are_one_line(house, error, status):
    """What cannot be answered is one line and a hint, and is not remembered."""
    house.questions.error = error
    answer = house.client.get("/api/v1/pages")
    assert answer.status_code == status
    assert answer.json() == {"error": str(error).split("\n")[0], "hint": error.hint}
    house.questions.error = None
    assert house.client.get("/api/v1/pages").status_code == 200


def test_a_defect_shows_no_trace(house):
    """A defect answers 500 without a word about the inside, under the same headers."""
    house.questions.error = ZeroDivisionError("secret inside")
    answer = house.client.get("/api/v1/pages")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_many_viewers_cost_one_query(house):
    """A hundred viewers who ask the same at once cost one query."""
    house.questions.seconds = 0.3
    with ThreadPoolExecutor(100) as viewers:
        answers = list(viewers.map(lambda _: house.client.get("/api/v1/pages").status_code, range(100)))
    assert answers == [200] * 100
    assert len(house.questions.asked) == 1


def test_newest(house):
    """The newest events come first, of one site or of all, also with text that no UTF-8 can carry."""
    house.live.put(title="one")
    house.live.put(title="\ud800", site="blog")
    assert [event["title"] for event in house.client.get("/api/v1/newest").json()] == ["\ud800", "one"]
    assert [event["title"] for event in house.client.get("/api/v1/newest?site=shop").json()] == ["one"]


def test_what_the_page_needs(house):
    """Status, sites, live figures, the tag, and a table of panels whose questions all exist."""
    assert house.client.get("/api/v1/status").json()["settled"] == 4
    assert house.client.get("/api/v1/sites").json() == ["shop"]
    assert house.client.get("/api/v1/now").json() == {"visitors_now": 0, "hits_minute": 0}
    assert house.client.get("/api/v1/about").json()["snippet"] == "<img>"
    charts = house.client.get("/api/v1/charts").json()
    assert {chart["question"] for chart in charts} == {*QUESTIONS, "now"}


def test_openapi(standing):
    """The API describes itself: every parameter with a sentence."""
    paths = standing.client.get("/openapi.json").json()["paths"]
    assert "/api/v1/live" in paths
    assert all(
        p.get("description") for path in paths.values() for p in path["get"].get("parameters", ()) if p["in"] == "query"
    )


@pytest.mark.parametrize("path", ["/static/../api.py", "/static/%2e%2e/api.py", "/static/..%2fapi.py", "/static/"])
def test_static_files_only(standing, path):
    """Nothing outside the static folder is served."""
    assert standing.client.get(path).status_code == 404
