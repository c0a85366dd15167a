"""Tokens of programs, and what one that is for a single site may see."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pixelake.registry.tokens import hash_of
from pixelake.warehouse.questions import questions
from tests.web.house import ALLS, SHOPS, serving


@pytest.fixture
def shops(standing):
    """A client whose token reads the site `shop` alone."""
    with httpx.Client(base_url=standing.url, headers={"Authorization": f"Bearer {SHOPS}"}, timeout=30) as client:
        yield client


@pytest.mark.parametrize("name", questions())
def test_questions_are_of_its_site(standing, shops, name):
    """Whoever names no site is asked for its own; what is of no site cannot be asked at all."""
    before = len(standing.questions.asked)
    answer = shops.get(f"/api/v1/{name}?period=8d")
    if name in {"rejects", "refused"}:
        assert (answer.status_code, answer.json()["parameter"]) == (400, "site")
    else:
        assert answer.json()["site"] == "shop"
    assert {ask.site for ask in standing.questions.asked[before:]} <= {"shop"}


def test_the_rest_is_of_its_site(house):
    """Live figures, recent events, the live feed and SQL are of its site; the feed tells no sums."""
    house.live.put(site="blog", title="other")
    house.live.put(site="shop", title="own")
    with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {SHOPS}"}, timeout=30) as client:
        assert client.get("/api/v1/now?format=rows").json()[0]["hits_5"] == 1
        assert [event["title"] for event in client.get("/api/v1/recent").json()] == ["own"]
        assert client.get("/api/v1/sql?q=select 1").status_code == 200
        assert house.lake.asked[-1] == ("select 1", "shop")
        with client.stream("GET", "/api/v1/live?after=0") as feed:
            text = ""
            for part in feed.iter_text():
                text += part
                if "event: now" in text and "event: events" in text:
                    break
        assert "own" in text
        assert "other" not in text
        assert "event: status" not in text


def test_a_token_of_all_sites(house):
    """It reads everything, as the dashboard's own does; that it was used is written down, once an hour."""
    with httpx.Client(base_url=house.url, headers={"Authorization": f"bearer {ALLS}"}, timeout=30) as client:
        assert client.get("/api/v1/status").status_code == 200
        assert client.get("/api/v1/pages?site=blog").status_code == 200
    _until(lambda: house.registry.used == [hash_of(ALLS)])


def test_slow_sql_keeps_no_question_waiting(house):
    """Not even that of several callers, who ask for as much as they may."""
    house.lake.seconds = 10.0
    with httpx.Client(base_url=house.url, timeout=30) as client, ThreadPoolExecutor(8) as pool:
        callers = [{"Authorization": f"Bearer {token}"} for token in (SHOPS, ALLS)]
        asked = [pool.submit(_hung_up, house.url, callers[n % 2], n) for n in range(8)]
        _until(lambda: len(house.lake.asked) == 2)
        begun = time.monotonic()
        for headers in callers:
            assert client.get("/api/v1/pages", headers=headers).status_code == 200
        assert time.monotonic() - begun < 2
        assert [each.result() for each in asked] == [True] * 8


def _hung_up(url, headers, number):
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/api/v1/sql?q=select {number}", headers=headers, timeout=3)
    return True


def test_a_token_that_was_taken_away(house):
    """Within two seconds it opens nothing; one that never was neither."""
    with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {ALLS}"}, timeout=30) as client:
        assert client.get("/api/v1/about").status_code == 200
        house.registry.tokens = []
        _until(lambda: client.get("/api/v1/about").status_code == 401)
        assert client.get("/api/v1/about", headers={"Authorization": "Bearer plk_"}).status_code == 401


def test_its_site_is_not_there_yet(house):
    """Before its first hit it hears that there is no such site, and no name of any other."""
    house.registry.names = ["blog"]
    with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {SHOPS}"}, timeout=30) as client:
        answer = client.get("/api/v1/pages")
    assert (answer.status_code, answer.json()["parameter"]) == (400, "site")
    assert "blog" not in answer.text


def test_a_token_is_no_cookie_and_no_address():
    """A token of a program is taken as a bearer only."""
    with serving() as house, httpx.Client(base_url=house.url, timeout=30) as client:
        assert client.get("/", params={"token": ALLS}).status_code == 401
        assert client.get("/api/v1/about", params={"token": ALLS}).status_code == 401


def _until(happens, seconds=20.0):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)
