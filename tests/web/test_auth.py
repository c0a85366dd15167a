"""Who may look, and what every answer carries."""

import httpx
import pytest

from pixelake.web.auth import HEADERS, gate
from tests.web.house import TOKEN, serving

CLOSED = (
    "/",
    "/api/v1/overview",
    "/api/v1/series",
    "/api/v1/pages",
    "/api/v1/referrers",
    "/api/v1/now",
    "/api/v1/newest",
    "/api/v1/status",
    "/api/v1/sites",
    "/api/v1/charts",
    "/api/v1/about",
    "/api/v1/live",
    "/openapi.json",
    "/static/index.html",
    "/account",
    "/nowhere",
)


@pytest.mark.parametrize("path", CLOSED)
def test_everything_needs_the_token(stranger, path):
    """Without the token every route answers 401, also those that do not exist."""
    assert stranger.get(path).status_code == 401


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", "Bearer \xff", f"Bearer {TOKEN}x"])
def test_wrong_bearer(stranger, value):
    """A bearer that is not exactly the token opens nothing."""
    answer = stranger.get("/api/v1/status", headers={"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("cookie", ["x", 'a="', "a[]=2;;b", "pixelake_00000000=" + TOKEN, "=;=;" * 50])
def test_odd_cookies(stranger, cookie):
    """A cookie that cannot be read, or is not ours, opens nothing and breaks nothing."""
    assert stranger.get("/api/v1/status", headers={"Cookie": cookie.encode("latin-1")}).status_code == 401


def test_health_is_open(stranger):
    """`/health` needs no token and no known host name, for load balancers."""
    assert stranger.get("/health", headers={"Host": "anything.example"}).text == "ok\n"


def test_health_says_that_the_consumer_stalls():
    """Whoever asks hears that it cannot go on, not why; still with 200, since we do answer."""
    with serving(stalled=lambda: True) as house, httpx.Client(base_url=house.url) as client:
        answer = client.get("/health")
        assert (answer.status_code, "cannot go on" in answer.text) == (200, True)
        assert client.head("/health").status_code == 200


def test_token_becomes_a_cookie(stranger):
    """The token in the address is swapped for a cookie that no script reads, and leaves the address."""
    answer = stranger.get("/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert stranger.get("/").status_code == 200
    assert stranger.get("/api/v1/status").status_code == 200


def test_the_rest_of_the_address_stays(stranger):
    """Only the token is taken out of the address."""
    answer = stranger.get("/", params={"token": TOKEN, "site": "a&b=//evil.example"})
    assert answer.headers["location"] == "/?site=a%26b%3D%2F%2Fevil.example"


def test_wrong_token_says_how(stranger):
    """A wrong token leads a person to the page that says where the address is, and lets nobody in."""
    answer = stranger.get("/", params={"token": "wrong"}, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login#token")
    assert "pixelake serve" in stranger.get("/login").text
    assert stranger.get("/", params={"token": "wrong"}).status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_wrong_token_beats_a_good_cookie(standing):
    """Whoever opens an address with a wrong token is told so, whatever else they hold."""
    assert standing.client.get("/", params={"token": "wrong"}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/health", "/api/v1/status", "/api/v1/pages?limit=0", "/nowhere"])
def test_headers(standing, path):
    """Every answer, also an error, carries the headers that keep the page closed."""
    answer = standing.client.get(path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


def test_static_files_are_asked_for_again(standing):
    """The browser keeps static files, but asks each time whether they changed: an update shows at once."""
    answer = standing.client.get("/static/tokens.css")
    assert answer.headers["cache-control"] == "private, no-cache"
    again = standing.client.get("/static/tokens.css", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:81",
        "127.0.0.1",
        "LOCALHOST.",
        "[::1]:80",
        "pixel.localhost",
        "10.1.2.3:8081",
        "stats.example.org",
        "Stats.Example.org:443",
    ],
)
def test_own_hosts(standing, host):
    """Addresses, loopback names and listed names are served."""
    assert standing.client.get("/api/v1/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[", "@"])
def test_foreign_hosts(standing, host):
    """A name that was made to point here is refused, also with the token (DNS rebinding)."""
    assert standing.client.get("/api/v1/status", headers={"Host": host}).status_code == 421


def test_cookies_of_two_installations():
    """Two installations on one host do not overwrite each other's cookie."""
    assert gate("one").cookie != gate("two").cookie
