"""The sites together, and what is declared of one: over a real lake, a real live store and a real registry."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from pixelake.registry.base import Site
from pixelake.registry.sqlite import POLICY_DELAY
from pixelake.web.api import TOKEN
from pixelake.web.eachsite import LEAST_DAYS, SHOWN
from tests.browser.house import House, serving

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
ZONES = {"west.example": "America/Los_Angeles", "east.example": "Asia/Kathmandu"}
Ask = Callable[..., httpx.Response]


def client_of(house: House, bearer: str) -> Ask:
    """What asks the API as somebody."""

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {bearer}"}
        return httpx.request(method, house.origin + "api/v1/" + path, headers=headers, timeout=60, **more)

    return ask


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Five sites in three zones with two weeks of hits, of people, machines, and users who say who they are."""
    with serving(tmp_path_factory.mktemp("sites")) as house:
        for site, zone in ZONES.items():
            house.registry.set_zone(site, zone)
        house.registry.add_sites(["quiet.example"])
        arriving: list[dict[str, Any]] = []
        for number, site in enumerate(["shop.example", *ZONES], 1):
            arriving += hits(site, 5 * number)
        for each in range(20):
            at = NOW - each % 5 * 24 * HOUR
            arriving.append({"site": "known.example", "user_id": f"u{each % 3}", "received_at": at})
        for days in (9, 10):  # in the period before alone
            arriving.append({"site": "gone.example", "received_at": NOW - days * 24 * HOUR})
        house.arrive(*arriving)
        yield house


def hits(site: str, number: int) -> Iterator[dict[str, Any]]:
    """So many on each of two weeks' days, at one hour; a fifth is of machines."""
    for day in range(14):
        for each in range(number):
            who = f"{site} {each % 3} {day}"
            yield {"site": site, "visitor_id": who, "bot": each % 5 == 4, "received_at": NOW - day * 24 * HOUR}


@pytest.fixture(scope="module")
def ask(standing: House) -> Ask:
    """As the owner."""
    return client_of(standing, standing.registry.secret(TOKEN))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One to change things in: each test has sites of its own."""
    with serving(tmp_path_factory.mktemp("declared")) as running:
        yield running


def named(answer: httpx.Response) -> list[str]:
    """The sites of an answer, in order."""
    assert answer.status_code == 200, answer.text
    return [row["site"] for row in answer.json()["rows"]]


# --- all of them


@pytest.mark.parametrize("more", [{"period": "7d"}, {"period": "today"}, {"period": "yesterday", "zone": "Asia/Tokyo"}])
def test_each_number_is_that_of_the_sites_own_dashboard(ask: Ask, more: dict[str, str]) -> None:
    """In its own zone, compared with the period before, also where only one of the two has anything."""
    given = {**more, "compare": "true"}
    rows = ask("GET", "each-site", params=given).json()["rows"]
    others = {"shop.example", "known.example", "gone.example", "quiet.example"}
    assert {row["site"] for row in rows} - {"here.example"} == {*ZONES, *others}
    for row in rows:
        (own,) = ask("GET", "overview", params={**given, "site": row["site"]}).json()["rows"]
        columns = [head + name for head in ("", "before_", "change_") for name in SHOWN]
        if own["visitors"] is None:  # nobody can tell; where nothing was before, that is 0 all the same
            columns = [name for name in columns if not name.endswith("_visitors") or "daily" in name]
        assert {name: row[name] for name in columns} == {name: own[name] for name in columns}, row["site"]
        (every,) = ask("GET", "sites", params={**more, "site": row["site"]}).json()["rows"] or [{"hits": 0}]
        assert row["arrived"] == every["hits"]
        assert row["left_out"] == (pytest.approx(1 - own["hits"] / every["hits"]) if every["hits"] else None)


def test_visitors_of_those_who_say_who_they_are(ask: Ask) -> None:
    """They are known over several days: three people, and not the sum of the days."""
    (row,) = ask("GET", "each-site", params={"period": "7d", "search": "known"}).json()["rows"]
    assert row["visitors"] == 3
    assert row["daily_visitors"] > 3


def test_the_line_of_days(ask: Ask) -> None:
    """A number for each day of the period, two weeks at least, on the site's own days; it adds up to the views."""
    rows = ask("GET", "each-site", params={"period": "30d"}).json()["rows"]
    assert {len(row["days"]) for row in rows} == {30}
    assert {row["site"]: sum(row["days"]) for row in rows} == {row["site"]: row["views"] for row in rows}
    short = ask("GET", "each-site", params={"period": "today"}).json()["rows"]
    assert {len(row["days"]) for row in short} == {LEAST_DAYS}
    assert {row["zone"] for row in short} == {"UTC", *ZONES.values()}


def test_order_search_and_pages(ask: Ask) -> None:
    """The busiest first, or by the alphabet; in any case; a page at a time, with how many there are in all."""
    whole = named(ask("GET", "each-site"))
    assert whole[0] == "east.example"
    assert whole[-1] == "quiet.example"
    assert named(ask("GET", "each-site", params={"order": "name"})) == sorted(whole)
    pages = [ask("GET", "each-site", params={"limit": 4, "skip": skip}) for skip in (0, 4)]
    assert [name for page in pages for name in named(page)] == whole
    assert {page.json()["total"] for page in pages} == {len(whole)}
    assert sorted(named(ask("GET", "each-site", params={"search": "ST.ex"}))) == ["east.example", "west.example"]
    assert named(ask("GET", "each-site", params={"search": "' or 1=1 --"})) == []
    assert named(ask("GET", "each-site", params={"site": "shop.example"})) == ["shop.example"]


def test_who_is_here_and_when_the_last_was(standing: House, ask: Ask) -> None:
    """The live store tells, so that it is a second old; a site without a hit has none."""
    standing.arrive({"site": "here.example", "visitor_id": "v"}, {"site": "here.example", "visitor_id": "w"})
    (row,) = ask("GET", "each-site", params={"search": "here"}).json()["rows"]
    assert row["now"] == 2
    assert abs(row["last"] / 1e6 - datetime.now(UTC).timestamp()) < 60
    (row,) = ask("GET", "each-site", params={"search": "quiet"}).json()["rows"]
    assert (row["now"], row["last"], row["views"], row["left_out"]) == (0, None, 0, None)


@pytest.mark.parametrize(
    "given", ["period=zork", "zone=Mars", "limit=0", "limit=101", "skip=-1", "order=x", "filter=y"]
)
def test_what_cannot_be_asked(ask: Ask, given: str) -> None:
    """It is said which parameter is at fault."""
    answer = ask("GET", f"each-site?{given}")
    assert answer.status_code == 400
    assert answer.json()["parameter"] == given.partition("=")[0]


def test_a_token_of_one_site_sees_that_one(standing: House) -> None:
    """In the list, in its number, and in what is declared; others are forbidden."""
    own = client_of(standing, standing.registry.add_token("shop", "shop.example"))
    answer = own("GET", "each-site")
    assert (named(answer), answer.json()["total"]) == (["shop.example"], 1)
    assert own("GET", "each-site", params={"site": "east.example"}).status_code == 403
    assert own("GET", "site", params={"site": "shop.example"}).json()["known"]
    assert own("GET", "site", params={"site": "east.example"}).status_code == 403
    for method in ("POST", "PATCH"):
        assert own(method, "site", json={"site": "shop.example", "zone": "Asia/Tokyo"}).status_code == 403
    assert standing.registry.snapshot().sites["shop.example"].zones == ((0, "UTC"),)


# --- one of them


def test_a_site_is_added(house: House) -> None:
    """Under its name as it is kept, with its zone from the first hit on, and with its tags; a second time it stays."""
    ask = client_of(house, house.registry.secret(TOKEN))
    answer = ask("POST", "site", json={"site": " Shop.Example ", "zone": "Asia/Kolkata"})
    assert answer.status_code == 201
    told = answer.json()
    assert (told["site"], told["new"], told["known"], told["zone"]) == ("shop.example", True, True, "Asia/Kolkata")
    assert told["tags"] == house.tags("shop.example")
    assert told["local"]
    assert house.registry.snapshot().sites["shop.example"] == Site("shop.example", ((0, "Asia/Kolkata"),))
    again = ask("POST", "site", json={"site": "shop.example", "zone": "Asia/Tokyo"}).json()
    assert (again["new"], again["zone"]) == (False, "Asia/Kolkata")
    assert ask("POST", "site", json={"site": "other"}).json()["zone"] == "UTC"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"site": "<script>alert(1)</script>"}, "site:"),
        ({"site": "https://shop.example/"}, "site:"),
        ({"site": "a\0b"}, "site:"),
        ({"site": "x" * 254}, "site:"),
        ({"site": ""}, "site:"),
        ({"site": 5}, "site:"),
        ({"site": "s", "zone": "Mars/Olympus"}, "zone:"),
        ({"site": "s", "zone": "../../etc/passwd"}, "zone:"),
        ({"site": "s", "zork": 1}, "zork:"),
        ({}, "site:"),
        ([], "body:"),
    ],
)
def test_what_can_be_no_site(house: House, body: Any, error: str) -> None:
    """It is refused with what is wrong; nothing is made."""
    before = house.registry.snapshot().sites
    answer = client_of(house, house.registry.secret(TOKEN))("POST", "site", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(error)
    assert answer.json()["hint"]
    assert house.registry.snapshot().sites == before


def test_a_site_is_changed(house: House) -> None:
    """Only what is given, and from now on: what arrived before keeps its days."""
    ask = client_of(house, house.registry.secret(TOKEN))
    ask("POST", "site", json={"site": "shop", "zone": "Asia/Kolkata"})
    told = ask("PATCH", "site", json={"site": "shop", "zone": "Europe/Zurich"}).json()
    assert (told["zone"], told["policy"], told["badge"]) == ("Europe/Zurich", "default", False)
    first, then = told["zones"]
    assert first == {"from": 0, "zone": "Asia/Kolkata"}
    assert abs(then["from"] - datetime.now(UTC).timestamp() * 1e6) < 30e6 + POLICY_DELAY
    told = ask("PATCH", "site", json={"site": "shop", "policy": "withhold", "badge": True}).json()
    assert (told["zone"], told["policy"], told["badge"]) == ("Europe/Zurich", "withhold", True)
    told = ask("PATCH", "site", json={"site": "shop", "policy": "default", "badge": False}).json()
    assert (told["policy"], told["badge"], told["default_policy"]) == ("default", False, "anonymous")


def test_no_change_of_what_is_not_there(house: House) -> None:
    """A misspelt name makes no site, and a misspelt zone or policy changes nothing."""
    ask = client_of(house, house.registry.secret(TOKEN))
    house.registry.add_sites(["still"])
    for body in ({"site": "stil", "zone": "UTC"}, {"site": "still", "zone": "Mars"}, {"site": "still", "policy": "z"}):
        assert ask("PATCH", "site", json=body).status_code == 400
    known = house.registry.snapshot()
    assert known.sites["still"] == Site("still", ((0, "UTC"),))
    assert "stil" not in known.sites
    assert "still" not in known.policies


def test_a_site_that_is_none_yet(house: House) -> None:
    """Its tags are told all the same: its first hit may make it one."""
    told = client_of(house, house.registry.secret(TOKEN))("GET", "site", params={"site": "New.example"}).json()
    assert (told["site"], told["known"], told["zone"], told["zones"]) == ("new.example", False, "UTC", [])
    assert "site=new.example" in told["tags"]["page"]
