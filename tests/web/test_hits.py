"""Single hits over HTTP: an event with every column, a reject with why, and a reject judged anew."""

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
