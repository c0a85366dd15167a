"""What Explore asks of the API: the schema, queries that are kept, goals and funnels; who may change them."""

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from pixelake import event, reject
from pixelake.registry.goals import Funnel, Goal
from pixelake.registry.queries import Query
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.warehouse.views import COLUMNS
from pixelake.web.api import TOKEN, create
from pixelake.web.server import server
from tests.web.house import CountedQuestions, MemoryLake, MemoryLive, sources


@dataclass
class House:
    """A web role over a real registry."""

    registry: SqliteRegistry
    client: httpx.Client
    bearers: dict[str, str]

    def ask(
        self, method: str, path: str, who: str = "owner", body: object = None, *, kind: str = "", **parameters: str
    ):
        """The answer to somebody; `kind` is what the bytes of a body say they are."""
        headers = {"Authorization": f"Bearer {self.bearers[who]}"} | ({"Content-Type": kind} if kind else {})
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.client.request(method, path, params=parameters or None, headers=headers, **sent)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Two sites; an owner, and programs that read one site or all."""
    registry = SqliteRegistry(tmp_path_factory.mktemp("explore") / "registry.sqlite")
    registry.add_sites(["shop", "blog"])
    bearers = {
        "owner": registry.secret(TOKEN),
        "shop": registry.add_token("shop", "shop"),
        "all": registry.add_token("all"),
    }
    listening = socket.create_server(("127.0.0.1", 0))
    running = server(create(sources(CountedQuestions(), MemoryLake(), MemoryLive(), registry)))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.005)
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/api/v1/", timeout=30) as client:
            yield House(registry, client, bearers)
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()
        registry.close()


@pytest.fixture
def house(standing: House) -> House:
    """The same, with nothing kept or declared."""
    known = standing.registry.snapshot()
    for query in standing.registry.queries.all():
        standing.registry.queries.remove(query.name)
    for site in known.sites:
        for goal in known.goals.get(site, ()):
            standing.registry.remove_goal(site, goal.name)
        for funnel in known.funnels.get(site, ()):
            standing.registry.remove_funnel(site, funnel.name)
    return standing


def test_the_schema_has_every_column(house: House) -> None:
    """All tables that SQL may name, with the declared meaning of each column."""
    tables = {each["name"]: each for each in house.ask("GET", "schema").json()["tables"]}
    assert list(tables) == ["events", "rejects", "visits", "daily"]
    assert tables["events"]["columns"] == [each._asdict() for each in event.FIELDS]
    assert [each["name"] for each in tables["rejects"]["columns"]] == [each.name for each in reject.FIELDS]
    assert [each["meaning"] for each in tables["visits"]["columns"]] == [each.meaning for each in COLUMNS["visits"]]
    assert all(each["meaning"] for each in tables.values())


def test_the_schema_of_one_site(house: House) -> None:
    """It has no rejects: those are of no site."""
    for answer in (house.ask("GET", "schema", "shop"), house.ask("GET", "schema", site="blog")):
        assert [each["name"] for each in answer.json()["tables"]] == ["events", "visits", "daily"]


def test_rows_of_sql_tell_their_types(house: House) -> None:
    """Also where there are no rows: a page can write numbers as numbers."""
    answer = house.ask("POST", "sql", body=b"select 1")
    assert answer.json()["columns"] == [{"name": "n", "type": "int"}, {"name": "text", "type": "text"}]


def test_a_query_is_kept(house: House) -> None:
    """An owner keeps it, those who see all sites read it, and it is removed once."""
    body = {"sql": "select 1", "site": None}
    assert house.ask("PUT", "queries/Ümläut & <b>", body=body).status_code == 204
    (kept,) = house.ask("GET", "queries", "all").json()["queries"]
    assert (kept["name"], kept["sql"], kept["site"]) == ("Ümläut & <b>", "select 1", None)
    assert kept["changed"] > 0
    assert house.ask("DELETE", "queries/Ümläut & <b>").status_code == 204
    gone = house.ask("DELETE", "queries/Ümläut & <b>")
    assert (gone.status_code, gone.json()["error"]) == (400, "name: there is no query 'Ümläut & <b>'")


def test_queries_of_other_sites_are_not_told(house: House) -> None:
    """Who sees one site reads those of that site alone: the text of others may tell of other sites."""
    for name, site in (("own", "shop"), ("other", "blog"), ("general", None)):
        house.registry.queries.put(Query(name, "select 1", site, 1))
    named = [each["name"] for each in house.ask("GET", "queries", "shop").json()["queries"]]
    assert named == ["own"]
    assert len(house.ask("GET", "queries").json()["queries"]) == 3
    assert house.ask("GET", "queries", "shop", site="blog").status_code == 403


@pytest.mark.parametrize("who", ["shop", "all"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "queries/q", {"sql": "select 1"}),
        ("DELETE", "queries/q", None),
        ("PUT", "declared/goal?site=shop&name=g", {"filters": ["event is a"]}),
        ("DELETE", "declared/goal?site=shop&name=g", None),
        ("PUT", "declared/funnel?site=shop&name=f", {"steps": [["event is a"], ["event is b"]]}),
        ("DELETE", "declared/funnel?site=shop&name=f", None),
    ],
)
def test_only_owners_change(house: House, who: str, method: str, path: str, body: object) -> None:
    """A program's token reads, and changes nothing."""
    house.registry.queries.put(Query("q", "select 1", "shop", 1))
    house.registry.add_goal("shop", Goal("g", ("event is g",)))
    house.registry.add_funnel("shop", Funnel("f", (("event is a",), ("event is g",))))
    before = house.registry.snapshot(), house.registry.queries.all()
    assert house.ask(method, path, who, body).status_code == 403
    assert (house.registry.snapshot(), house.registry.queries.all()) == before


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "sql"),
        (b"[]", "body"),
        (b"{}", "sql"),
        (b'{"sql": 7}', "sql"),
        (b'{"sql": ""}', "body"),
        (b'{"sql": "a", "more": 1}', "more"),
        (b'{"sql": "\\ud800"}', "sql"),
        (b"\xff", "body"),
        (b"x" * 300_000, "body"),
        (b'{"sql": "a\\u0000"}', "body"),
        (b"[" * 100_000, "body"),
    ],
    ids=["none", "list", "nothing", "number", "empty", "more", "half", "bytes", "long", "zero", "deep"],
)
def test_bodies_that_cannot_be(house: House, body: bytes, named: str) -> None:
    """Each is answered with a line that says so, and what of it; nothing is kept."""
    answer = house.ask("PUT", "queries/q", body=body, kind="application/json")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{named}: ")
    assert answer.json()["hint"]
    assert "\n" not in answer.json()["error"]
    assert house.registry.queries.all() == []


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_says_that_it_is_json(house: House, kind: str) -> None:
    """What a form of another page could send changes nothing."""
    for path in ("queries/q", "declared/goal?site=shop&name=g"):
        answer = house.ask("PUT", path, body=b'{"sql": "select 1"}', kind=kind)
        assert (answer.status_code, answer.json()["parameter"]) == (400, "body")
        assert "Content-Type" in answer.json()["hint"]
    assert house.registry.queries.all() == []


def test_a_goal_is_declared(house: House) -> None:
    """It is in the list at once, questions are asked anew, and it is taken away once."""
    tag = house.ask("GET", "goals", site="shop").headers["etag"]
    put = house.ask(
        "PUT", "declared/goal", site="shop", name="a/b ☕", body={"filters": ["event is a"], "worth": " 2.50 "}
    )
    assert put.status_code == 204
    goals = house.ask("GET", "declared", "shop", site="shop").json()["goals"]
    assert goals == [{"name": "a/b ☕", "filters": ["event is a"], "worth": "2.50"}]
    assert house.ask("GET", "goals", site="shop").headers["etag"] != tag
    assert house.ask("DELETE", "declared/goal", site="shop", name="a/b ☕").status_code == 204
    assert house.ask("DELETE", "declared/goal", site="shop", name="a/b ☕").status_code == 400
    assert house.ask("GET", "declared", site="shop").json() == {"goals": [], "funnels": []}


def test_a_funnel_is_declared(house: House) -> None:
    """Its steps come back in their order, each with its filters; other sites do not see it."""
    steps = [["path is /"], ["event is a", "country is DE"]]
    assert house.ask("PUT", "declared/funnel", site="shop", name="way", body={"steps": steps}).status_code == 204
    assert house.ask("GET", "declared", site="shop").json()["funnels"] == [{"name": "way", "steps": steps}]
    assert house.ask("GET", "declared", site="blog").json()["funnels"] == []
    assert house.ask("GET", "declared", "shop", site="blog").status_code == 403
    assert house.ask("DELETE", "declared/funnel", site="shop", name="way").status_code == 204


@pytest.mark.parametrize(
    ("what", "parameters", "body", "told"),
    [
        ("goal", {"site": "nowhere"}, {"filters": ["event is a"]}, "there is no site 'nowhere'"),
        ("goal", {"name": ""}, {"filters": ["event is a"]}, "can be called ''"),
        ("goal", {"name": "a\nb"}, {"filters": ["event is a"]}, "can be called"),
        ("goal", {}, {"filters": []}, "at least 1 item"),
        ("goal", {}, {"filters": ["nonsense"]}, "nonsense"),
        ("goal", {}, {"filters": ["user_id is anna"]}, "'user_id' is of one person"),
        ("goal", {}, {"filters": ["event is a"], "worth": "much"}, "'much' is no amount"),
        ("funnel", {}, {"steps": [["event is a"]]}, "at least 2 items"),
        ("funnel", {}, {"steps": [["event is a"], ["ip is 203.0.113.0"]]}, "'ip' is of one person"),
        ("funnel", {}, {"steps": [["event is a"]] * 13}, "at most 12 items"),
    ],
)
def test_what_cannot_be_declared(house: House, what: str, parameters: dict, body: object, told: str) -> None:
    """A sentence says why, and nothing is declared."""
    given = {"site": "shop", "name": "one", **parameters}
    answer = house.ask("PUT", f"declared/{what}", body=body, **given)
    assert (answer.status_code, answer.json()["error"].count("\n")) == (400, 0)
    assert told in answer.json()["error"]
    snapshot = house.registry.snapshot()
    assert (dict(snapshot.goals), dict(snapshot.funnels), set(snapshot.sites)) == ({}, {}, {"shop", "blog"})
