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
    assert house.questions.asked == [("pages", "shop", start, start + timedelta(hours=1), {"limit": 3})]


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
        ("from=0001-01-01T00:00:00Z", "from"),
        ("to=0001-01-01T00:00:00%2B14:00", "to"),
        ("to=9999-12-31T23:59:59-14:00", "to"),
    ],
)
def test_bad_parameters(house, query, named):
    """A bad or unknown parameter is 400, with its name and what is accepted; the lake is not asked."""
    answer = house.client.get(f"/api/v1/pages?{query}")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == named
    assert answer.json()["hint"]
    assert house.questions.asked == []


@pytest.mark.parametrize(("name", "named"), [("overview", "limit"), ("series", "limit"), ("pages", "step")])
def test_what_a_question_does_not_take(house, name, named):
    """A limit for what is no list, and a step for what is no series, are refused like any unknown parameter."""
    answer = house.client.get(f"/api/v1/{name}?{named}=hour")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == named
    assert house.questions.asked == []


def test_a_step(house):
    """A series may be asked by the minute, the hour or the day."""
    assert house.client.get("/api/v1/series?step=day").status_code == 200
    assert house.questions.asked[0][-1] == {"step": timedelta(days=1)}
    assert house.client.get("/api/v1/series?step=second").json()["parameter"] == "step"


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
    assert house.client.get("/api/v1/sites").json() == {"names": ["shop"], "total": 1}
    assert house.client.get("/api/v1/now").json() == {"visitors_now": 0, "hits_minute": 0}
    assert house.client.get("/api/v1/about").json()["snippet"] == "<img>"
    charts = house.client.get("/api/v1/charts").json()
    assert {chart["question"] for chart in charts} == {*QUESTIONS, "now"}


def test_the_busiest_sites_come_first(house):
    """Of very many sites a hundred are listed, those with most hits first; a text finds the others, in any case."""
    house.registry.names = [f"site-{number:05}" for number in range(20_000)]
    house.questions.hits = {"site-00900": 5, "site-19000": 7}
    sites = house.client.get("/api/v1/sites").json()
    assert sites["total"] == 20_000
    assert sites["names"][:3] == ["site-19000", "site-00900", "site-00000"]
    assert len(sites["names"]) == 100
    found = house.client.get("/api/v1/sites?search=E-000&limit=2").json()
    assert found == {"names": ["site-00000", "site-00001"], "total": 100}
    assert house.client.get("/api/v1/sites?search=00900").json() == {"names": ["site-00900"], "total": 1}


def test_sites_while_the_lake_is_away(house):
    """Sites can be chosen also while nobody can tell which are busy; and the lake is not asked each time."""
    house.registry.names = ["b", "a"]
    house.questions.error = LakeUnavailable("the lake is away", "wait")
    assert house.client.get("/api/v1/sites").json()["names"] == ["a", "b"]
    assert house.client.get("/api/v1/sites?search=b").json()["names"] == ["b"]
    assert len(house.questions.asked) == 1


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
