"""Single hits over HTTP: an event with every column, a reject with why, and a reject judged anew."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from pixelake.reject import REASONS
from tests.web.house import SHOPS, House

EVENT = {"hit_id": "p-1", "site": "shop", "event": "cart", "properties": {"colour": ["red"]}, "value": None}
REJECT = {
    "hit_id": "p-2",
    "stage": "validate",
    "reason": "bad_number",
    "detail": '[{"reason":"bad_number","field":"value","text":"=cmd"}]',
    "raw": '{"query":"value=\\ud800"}',
}


@pytest.fixture
def hit(house: House) -> House:
    """A web role with an event and a reject."""
    house.hits.events["p-1"], house.hits.rejects["p-2"] = EVENT, REJECT
    return house


@pytest.fixture
def shop(hit) -> httpx.Client:
    """A client with the token of the site `shop`."""
    with httpx.Client(base_url=hit.url, headers={"Authorization": f"Bearer {SHOPS}"}) as client:
        yield client


def test_an_event_is_told_with_every_column_and_what_it_means(hit: House) -> None:
    """The row as it is, the kind, and the meaning of each column; nobody keeps a copy."""
    answer = hit.client.get("/api/v1/hit/p-1")
    told = answer.json()
    assert (told["kind"], told["row"]) == ("event", EVENT)
    assert told["meanings"]["site"] == "the site it counts for"
    assert answer.headers["cache-control"] == "no-store"


def test_the_hour_and_the_site_are_passed_on(hit: House) -> None:
    """A time without a zone is UTC."""
    hit.client.get("/api/v1/hit/p-1", params={"at": "2026-03-01T08:00:00", "site": "shop"})
    (name, site, at), *_ = hit.hits.asked
    assert (name, site, at.isoformat()) == ("p-1", "shop", "2026-03-01T08:00:00+00:00")


def test_a_name_with_slashes_is_found(hit: House) -> None:
    """Whoever made a hit named it as he liked."""
    hit.hits.events["a/b c?d"] = {**EVENT, "hit_id": "a/b c?d"}
    assert hit.client.get("/api/v1/hit/a%2Fb%20c%3Fd").json()["row"]["hit_id"] == "a/b c?d"


def test_a_reject_says_why_and_what_to_do(hit: House) -> None:
    """Its faults as objects, its reason in words with the remedy; what is no JSON stays text."""
    told = hit.client.get("/api/v1/hit/p-2").json()
    assert told["kind"] == "reject"
    assert told["row"]["detail"] == [{"reason": "bad_number", "field": "value", "text": "=cmd"}]
    assert told["row"]["raw"] == REJECT["raw"]
    assert told["why"] == REASONS["bad_number"]._asdict()


@pytest.mark.parametrize("name", ["p-9", "%00", "..%2F..%2Fetc", "x" * 200, "%F0%9F%A6%86"])
def test_a_name_that_nothing_has_is_404(hit: House, name: str) -> None:
    """With a sentence, whatever the name is made of."""
    answer = hit.client.get(f"/api/v1/hit/{name}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("there is no hit")
    assert answer.json()["hint"]


@pytest.mark.parametrize("path", ["/api/v1/hit/" + "x" * 201, "/api/v1/hit/p-1?at=noon", "/api/v1/hit/p-1?all=1"])
def test_what_cannot_be_asked_is_400(hit: House, path: str) -> None:
    """A name that is too long, a time that is none, an unknown parameter."""
    assert hit.client.get(path).status_code == 400


def test_one_site_sees_its_own_events_alone(hit: House, shop: httpx.Client) -> None:
    """Another site is refused, its events are not there, and rejects are of no site."""
    hit.hits.events["p-3"] = {**EVENT, "hit_id": "p-3", "site": "blog"}
    assert shop.get("/api/v1/hit/p-1").status_code == 200
    assert shop.get("/api/v1/hit/p-3").status_code == 404
    assert shop.get("/api/v1/hit/p-3", params={"site": "blog"}).status_code == 403
    assert shop.get("/api/v1/hit/p-2").status_code == 404


def test_a_replay_tells_what_became_of_it(hit: House) -> None:
    """Once it is an event; then there is no such reject any more."""
    assert hit.client.post("/api/v1/replay/p-2").json() == {"looked_at": 1, "replayed": 1, "refused": {}}
    assert hit.client.post("/api/v1/replay/p-2").status_code == 404


def test_only_an_owner_of_all_sites_replays(hit: House, shop: httpx.Client) -> None:
    """A token of one site changes nothing."""
    assert shop.post("/api/v1/replay/p-2").status_code == 403
    assert "p-2" in hit.hits.rejects


def test_a_replay_is_no_get(hit: House) -> None:
    """A link that somebody is made to follow changes nothing."""
    assert hit.client.get("/api/v1/replay/p-2").status_code == 405
    assert "p-2" in hit.hits.rejects


def test_what_was_not_there_is_looked_for_again(hit: House) -> None:
    """Somebody looks before the hit is in the lake: a moment later it is found, as an event or as a reject."""
    assert hit.client.get("/api/v1/hit/p-7").status_code == 404
    hit.hits.rejects["p-7"] = {**REJECT, "hit_id": "p-7"}
    assert hit.client.get("/api/v1/hit/p-7").json()["kind"] == "reject"
    assert hit.client.get("/api/v1/hit/p-8").status_code == 404
    hit.hits.events["p-8"] = {**EVENT, "hit_id": "p-8"}
    assert hit.client.get("/api/v1/hit/p-8").json()["kind"] == "event"


def test_a_reject_that_was_replayed_is_a_reject_no_more(hit: House) -> None:
    """Whoever looked at it just before sees what became of it, at once."""
    assert hit.client.get("/api/v1/hit/p-2").json()["kind"] == "reject"
    assert hit.client.post("/api/v1/replay/p-2").json()["replayed"] == 1
    assert hit.client.get("/api/v1/hit/p-2").status_code == 404
    hit.hits.events["p-2"] = {**EVENT, "hit_id": "p-2"}
    assert hit.client.get("/api/v1/hit/p-2").json()["kind"] == "event"


def test_replays_that_wait_keep_nobody_else_waiting(hit: House) -> None:
    """They take turns, and forty of them do not take the threads of other routes."""
    running, peak, go = [0], [0], threading.Event()

    def replay(hit_id: str) -> dict[str, int]:
        running[0] += 1
        peak[0] = max(peak[0], running[0])
        go.wait(20)
        running[0] -= 1
        return {"looked_at": 1, "replayed": 1}

    hit.hits.replay = replay  # type: ignore[method-assign]
    with ThreadPoolExecutor(40) as senders:
        asked = [senders.submit(hit.client.post, f"/api/v1/replay/p-{number}", timeout=60) for number in range(40)]
        while not running[0]:
            time.sleep(0.01)
        time.sleep(0.5)
        try:
            assert hit.client.get("/api/v1/site", params={"site": "shop"}, timeout=15).status_code == 200
        finally:
            go.set()
        assert {each.result().status_code for each in asked} == {200}
    assert peak == [1]
