"""The JSON API."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pixelake.errors import LakeUnavailable, QueryError
from pixelake.warehouse.questions import questions
from pixelake.web import formats
from pixelake.web.charts import CHARTS

MARCH = {"from": "2026-03-01", "to": "2026-03-08"}


@pytest.mark.parametrize("name", questions())
def test_questions(standing, name):
    """Every named question has a route; without a period it is asked of the last 30 days, up to this minute."""
    answer = standing.client.get(f"/api/v1/{name}").json()
    assert answer["question"] == name
    assert answer["rows"] is not None
    length = datetime.fromisoformat(answer["to"]) - datetime.fromisoformat(answer["from"])
    assert timedelta(days=29) < length <= timedelta(days=30, minutes=1)


def test_what_is_asked(house):
    """Period, site, filter, people, comparison and limit are handed on; dates are midnights of the zone."""
    given = {"from": "2026-03-29", "to": "2026-03-30", "zone": "Europe/Zurich", "site": "shop", "limit": "3"}
    more = {"filter": ["country is DE", "path contains /a"], "people": "false", "compare": "true"}
    assert house.client.get("/api/v1/pages", params={**given, **more}).status_code == 200
    (ask,) = house.questions.asked
    assert (ask.question, ask.site, ask.zone, ask.limit, ask.people, ask.compare) == (
        ("pages", "shop", "Europe/Zurich", 3, False, True)
    )
    assert (ask.start, ask.end) == (datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC))
    assert [test.column for test in ask.filter.parts] == ["country", "path"]


def test_an_interval_and_options(house):
    """A series takes an interval; a question's own options are handed on as they are."""
    assert house.client.get("/api/v1/series?interval=week").status_code == 200
    assert house.questions.asked[-1].interval == "week"
    assert house.client.get("/api/v1/newest?search=a%20b").status_code == 200
    assert house.questions.asked[-1].options == {"search": "a b"}


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("limit=10001", "limit"),
        ("site=", "site"),
        ("site=" + "x" * 256, "site"),
        ("site=nowhere", "site"),
        ("from=tomorrow", "from"),
        ("from=2026-02-30", "from"),
        ("from=2026-03-02&to=2026-03-01", "from"),
        ("period=fortnight", "period"),
        ("period=7d&from=2026-03-02", "period"),
        ("zone=Mars/Olympus", "zone"),
        ("zone=../../etc/passwd", "zone"),
        ("filter=country", "filter"),
        ("filter=colour is red", "filter"),
        ("filter=path matches (", "filter"),
        ("to=%00", "to"),
        ("limt=3", "limt"),
        ("people=perhaps", "people"),
        ("format=xml", "format"),
        ("cursor=x", "cursor"),
        ("cursor=WzEsMiwzLDRd", "cursor"),
        ("from=0001-01-01T00:00:00Z", "from"),
        ("to=0001-01-01T00:00:00%2B14:00", "to"),
        ("to=9999-12-31T23:59:59-14:00", "to"),
    ],
)
def test_bad_parameters(standing, query, named):
    """A bad or unknown parameter is 400, with its name and what is accepted; the lake is not asked."""
    before = len(standing.questions.asked)
    answer = standing.client.get(f"/api/v1/pages?{query}")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == named
    assert answer.json()["hint"]
    assert len(standing.questions.asked) == before


@pytest.mark.parametrize(("name", "named"), [("overview", "limit"), ("series", "cursor"), ("pages", "interval")])
def test_what_a_question_does_not_take(standing, name, named):
    """A limit for what is no list, and an interval for what is no series, are refused like any unknown parameter."""
    before = len(standing.questions.asked)
    answer = standing.client.get(f"/api/v1/{name}?{named}=hour")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == named
    assert len(standing.questions.asked) == before


def test_the_next_rows(house):
    """`next` goes on behind the rows, over the same period, also after it has moved on; of no other question."""
    first = house.client.get("/api/v1/pages?limit=2&filter=country is DE").json()
    more = {"limit": 5, "filter": "country is DE", "cursor": first["next"]}
    second = house.client.get("/api/v1/pages", params=more).json()
    assert (second["from"], second["to"], second["next"]) == (first["from"], first["to"], None)
    assert [ask.skip for ask in house.questions.asked] == [0, 2]
    other = house.client.get("/api/v1/pages", params={**more, "filter": "country is FR"})
    assert (other.status_code, other.json()["parameter"]) == (400, "cursor")


@pytest.mark.parametrize("form", ["rows", "csv", "parquet"])
def test_what_is_not_whole_says_so(house, form):
    """Where rows stand alone the place of the next ones is a header; whole answers have none."""
    first = house.client.get(f"/api/v1/pages?limit=2&format={form}")
    assert first.headers["x-pixelake-next"] == house.client.get("/api/v1/pages?limit=2").json()["next"]
    rest = house.client.get("/api/v1/pages", params={"cursor": first.headers["x-pixelake-next"], "format": form})
    assert rest.status_code == 200
    assert "x-pixelake-next" not in rest.headers


@pytest.mark.parametrize(("form", "most"), [("json", 10_000), ("rows", 100_000), ("csv", 100_000)])
def test_a_file_has_more_rows_than_an_answer_to_look_at(house, form, most):
    """Each form has its bound, and one row more is refused with what to do."""
    assert house.client.get(f"/api/v1/pages?limit={most}", params={"format": form, "limit": most}).status_code == 200
    assert house.questions.asked[-1].limit == most
    refused = house.client.get("/api/v1/pages", params={"format": form, "limit": most + 1})
    assert (refused.status_code, refused.json()["parameter"]) == (400, "limit")
    assert refused.json()["hint"]


@pytest.mark.parametrize("rows", [0, 1, formats.PART, 2 * formats.PART + 1])
def test_long_answers_are_written_in_parts(rows):
    """However many rows there are, all stand in it, in order, and once."""
    table = pa.table({"n": pa.array(range(rows), pa.int64()), "text": pa.array([f"ä{n}" for n in range(rows)])})
    assert json.loads(formats.body(table, "rows", {})) == table.to_pylist()
    assert formats.body(table, "csv", {}).decode().splitlines() == ["n,text", *(f"{n},ä{n}" for n in range(rows))]


def test_definitions_stand_beside_the_numbers(house):
    """An answer has the unit and the meaning of each column, and why one has no value."""
    answer = house.client.get("/api/v1/pages", params=MARCH).json()
    assert [column["name"] for column in answer["columns"]] == list(answer["rows"][0])
    assert all(column["meaning"] for column in answer["columns"])
    assert answer["notes"] == {"visitors": "nobody knows"}


def test_formats(house):
    """JSON, its rows alone, CSV in which no text is a formula, and Parquet; by name or by `Accept`."""
    ask = "/api/v1/pages?period=7d"
    whole = house.client.get(ask).json()["rows"]
    assert house.client.get(ask + "&format=rows").json() == whole
    csv = house.client.get(ask, headers={"Accept": "text/html, text/csv;q=0.9"})
    assert csv.headers["content-type"].startswith("text/csv")
    assert csv.text == "value,views,visitors\n/,3,\n'=1+1,1,\n"
    assert csv.headers["content-disposition"] == 'attachment; filename="pages.csv"'
    parquet = house.client.get(ask + "&format=parquet")
    assert pq.read_table(pa.BufferReader(parquet.content)).to_pylist() == whole


def test_unchanged_is_not_sent_again(house):
    """As long as the lake is the same, whoever holds the answer is told so without a question; then it is asked."""
    first = house.client.get("/api/v1/pages", params=MARCH)
    tag = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    assert first.headers["cache-control"] == "private, no-cache"
    again = house.client.get("/api/v1/pages", params=MARCH, headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert len(house.questions.asked) == 1
    assert house.client.get("/api/v1/pages", params={**MARCH, "format": "csv"}, headers=tag).status_code == 200
    assert house.client.get("/api/v1/pages", params={**MARCH, "people": "false"}, headers=tag).status_code == 200
    house.lake.version = "2-0"
    wait(lambda: house.client.get("/api/v1/pages", params=MARCH, headers=tag).status_code == 200)


def test_the_tag_is_of_the_version_that_was_read(house):
    """An answer from before a change carries the tag of then, so that nobody takes it for the new one."""
    old = house.client.get("/api/v1/pages", params=MARCH).headers["etag"]
    house.lake.version = "2-0"
    wait(lambda: house.client.get("/api/v1/pages", params=MARCH, headers={"If-None-Match": old}).status_code == 200)
    assert house.client.get("/api/v1/pages", params=MARCH).headers["etag"] == old  # shared, from version 1


def wait(happens, seconds=20.0):
    """Until something happens."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    while not happens():
        assert datetime.now(UTC) < end


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


def test_a_lake_that_is_away(house):
    """While the lake cannot be read, questions say so with 503."""
    house.lake.error = LakeUnavailable("the lake is away", "wait")
    answer = house.client.get("/api/v1/pages")
    assert (answer.status_code, answer.json()["error"]) == (503, "the lake is away")


def test_a_defect_shows_no_trace(house):
    """A defect answers 500 without a word about the inside, under the same headers."""
    house.questions.error = ZeroDivisionError("secret inside")
    answer = house.client.get("/api/v1/pages")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_many_viewers_cost_one_query(house):
    """A hundred viewers who ask the same at once cost one query."""
    house.questions.seconds = 0.5
    with ThreadPoolExecutor(100) as viewers:
        answers = list(viewers.map(lambda _: house.client.get("/api/v1/pages", params=MARCH).status_code, range(100)))
    assert answers == [200] * 100
    assert len(house.questions.asked) == 1


def test_now(house):
    """`now` is answered by the live store, of the last 5 and 30 minutes."""
    house.live.put()
    house.live.put(site="blog")
    answer = house.client.get("/api/v1/now").json()
    assert answer["rows"] == [{"visitors_5": 2, "hits_5": 2, "visitors_30": 2, "hits_30": 2}]
    assert house.client.get("/api/v1/now?site=blog&format=rows").json()[0]["hits_5"] == 1
    assert house.questions.asked == []


def test_recent(house):
    """The newest events come first, of one site or of all, also with text that no UTF-8 can carry."""
    house.live.put(title="one")
    house.live.put(title="\ud800", site="blog")
    assert [event["title"] for event in house.client.get("/api/v1/recent").json()] == ["\ud800", "one"]
    assert [event["title"] for event in house.client.get("/api/v1/recent?site=shop").json()] == ["one"]


def test_what_the_page_needs(house):
    """Status, sites, the tag, and a table of panels whose questions all exist."""
    assert house.client.get("/api/v1/status").json()["settled"] == 4
    assert house.client.get("/api/v1/site-names").json() == {"names": ["blog", "shop"], "total": 2}
    assert house.client.get("/api/v1/about").json()["snippet"] == "<img>"
    charts = house.client.get("/api/v1/charts").json()
    assert [chart["name"] for chart in charts] == [chart.name for chart in CHARTS]
    assert {chart["question"] for chart in charts} <= {*questions(), "now"}


def test_the_busiest_sites_come_first(house):
    """Of very many sites a hundred are listed, those with most hits first; a text finds the others, in any case."""
    house.registry.names = [f"site-{number:05}" for number in range(20_000)]
    house.questions.hits = {"site-00900": 5, "site-19000": 7}
    sites = house.client.get("/api/v1/site-names").json()
    assert sites["total"] == 20_000
    assert sites["names"][:3] == ["site-19000", "site-00900", "site-00000"]
    assert len(sites["names"]) == 100
    found = house.client.get("/api/v1/site-names?search=E-000&limit=2").json()
    assert found == {"names": ["site-00000", "site-00001"], "total": 100}
    assert house.client.get("/api/v1/site-names?search=00900").json() == {"names": ["site-00900"], "total": 1}


def test_sites_while_the_lake_is_away(house):
    """Sites can be chosen also while nobody can tell which are busy; and the lake is not asked each time."""
    house.registry.names = ["b", "a"]
    house.questions.error = LakeUnavailable("the lake is away", "wait")
    assert house.client.get("/api/v1/site-names").json()["names"] == ["a", "b"]
    assert house.client.get("/api/v1/site-names?search=b").json()["names"] == ["b"]
    assert len(house.questions.asked) == 1


def test_sql(house):
    """One SELECT, in the address or in the body; nothing is remembered of it."""
    answer = house.client.get("/api/v1/sql", params={"q": "select 1 as n", "site": "shop"})
    assert answer.json()["rows"] == [{"n": 1, "text": "@formula"}]
    assert answer.headers["cache-control"] == "no-store"
    assert house.client.post("/api/v1/sql?format=rows", content="select 'ä'").json() == [{"n": 1, "text": "@formula"}]
    assert house.lake.asked == [("select 1 as n", "shop"), ("select 'ä'", None)]


def test_numbers_in_csv():
    """They are numbers, also below zero; truth is as in JSON; only text can be a formula."""
    table = pa.table({"n": [-1, 10**15], "f": [-0.5, None], "is": [True, False], "text": ["-1", "a"], "-n": [[-1], []]})
    assert formats.body(table, "csv", {}).decode() == (
        "n,f,is,text,'-n\n-1,-0.5,true,'-1,[-1]\n1000000000000000,,false,a,[]\n"
    )


def test_sql_formats(house):
    """SQL has an Arrow stream, too."""
    csv = house.client.post("/api/v1/sql", content="select 1", headers={"Accept": "text/csv"})
    assert csv.text == "n,text\n1,'@formula\n"
    arrow = house.client.post("/api/v1/sql?format=arrow", content="select 1")
    assert pa.ipc.open_stream(arrow.content).read_all().to_pylist() == [{"n": 1, "text": "@formula"}]


@pytest.mark.parametrize("body", [b"\xff\xfe", b"select '\0'", b"x" * 100_001])
def test_bad_sql_bodies(house, body):
    """A body that is no text, or too long, is 400, and reaches no lake."""
    answer = house.client.post("/api/v1/sql", content=body)
    assert (answer.status_code, answer.json()["parameter"]) == (400, "body")
    assert house.lake.asked == []


def test_sql_that_is_refused(house):
    """What the lake refuses is 400 with its line and hint; a name of the SQL is no parameter."""
    house.lake.error = QueryError("drop is not allowed", "one SELECT")
    answer = house.client.get("/api/v1/sql?q=drop table events")
    assert (answer.status_code, answer.json()) == (400, {"error": "drop is not allowed", "hint": "one SELECT"})


def test_openapi(standing):
    """The API describes itself: every parameter with a sentence, every question with an example and its definitions."""
    api = standing.client.get("/openapi.json").json()
    paths = api["paths"]
    assert "/api/v1/live" in paths
    parameters = [p for path in paths.values() for how in path.values() for p in how.get("parameters", ())]
    assert all(p.get("description") for p in parameters if p["in"] == "query")
    for question in questions().values():
        told = paths[f"/api/v1/{question.name}"]["get"]
        assert told["responses"]["200"]["content"]["application/json"]["example"]["question"] == question.name
        row = api["components"]["schemas"][f"Row_{question.name}"]["properties"]
        assert set(row) == {column.name for column in question.columns}
        assert all(row[column.name]["description"] for column in question.columns)


@pytest.mark.parametrize("path", ["/static/../api.py", "/static/%2e%2e/api.py", "/static/..%2fapi.py", "/static/"])
def test_static_files_only(standing, path):
    """Nothing outside the static folder is served."""
    assert standing.client.get(path).status_code == 404
