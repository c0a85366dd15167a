"""Who may see and change what: a walk through all routes, as nobody, as viewers, and by a shared link."""

import re
import time
from contextlib import contextmanager

import httpx
import pytest
from fastapi.routing import APIRoute

from pixelake.registry.access import DAY
from pixelake.registry.tokens import hash_of
from pixelake.warehouse.questions import questions
from pixelake.web import shares
from tests.web.browser import KEPT, PASSWORD, Browser, entrance, people

PERSON = {"Accept": "text/html"}
FREE = {"/health", "/login", "/api/v1/login"}
"""Whom they answer does not matter."""
OWNERS = ("/api/v1/users", "/api/v1/shares", "/api/v1/tokens")
OF_NONE = {
    "/api/v1/about",
    "/api/v1/charts",
    "/api/v1/me",
    "/api/v1/sessions",
    "/api/v1/logout",
    "/api/v1/logout-everywhere",
    "/api/v1/password",
    "/api/v1/sessions/{known}",
    "/openapi.json",
}
"""What tells nothing of any site: of the program, or of who asks alone."""


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A web role over a real registry."""
    with entrance(tmp_path_factory.mktemp("standing")) as running:
        yield running


@pytest.fixture
def house(standing):
    """It, with the usual people."""
    people(standing.registry)
    return standing


def _leaves(routes, start=""):
    """Every route with its whole path, also those of routers within routers."""
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, APIRoute):
            yield route, start + route.path
        elif inner is not None:
            context = getattr(route, "include_context", None)
            yield from _leaves(inner.routes, start + (getattr(context, "prefix", "") or ""))


def _walk(house):
    """Method and path of every route, with something in the place of each parameter."""
    found = [
        (method, path)
        for route, path in _leaves(house.app.routes)
        for method in sorted(route.methods - {"HEAD", "OPTIONS"})
    ]
    assert len(found) > 50
    return found


def _url(path):
    return re.sub(r"\{\w+\}", "x", path)


def _ask(client, method, path, **more):
    body = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
    with client.stream(method, _url(path), **body, **more) as answer:
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            answer.read()
        return answer


def test_nobody_gets_in(house):
    """Walk all routes: without a session each answers 401, or leads a person to the log-in. A mounted folder, too."""
    with httpx.Client(base_url=house.url) as client:
        for method, path in _walk(house):
            if path not in FREE:
                assert _ask(client, method, path).status_code == 401, (method, path)
                answer = _ask(client, method, path, headers=PERSON)
                is_page = method == "GET" and not path.startswith("/api/")
                assert answer.status_code == (303 if is_page else 401), (method, path)
        for path in ("/static/index.html", "/static/account.html", "/static/index.html/", "/nowhere", "//", "/share"):
            assert client.get(path).status_code == 401, path


def test_what_anybody_may_have(house):
    """Style sheets and scripts are the same in every installation; the log-in page needs them."""
    with httpx.Client(base_url=house.url) as client:
        for path in ("/static/tokens.css", "/static/access.css", "/static/door.js", "/static/mark.svg"):
            assert client.get(path).status_code == 200, path


@contextmanager
def _who(house, role):
    """Somebody who may look, as a client."""
    if role == "token":
        name = f"t{time.monotonic_ns()}"
        token = house.client.post("/api/v1/tokens", json={"name": name, "site": "shop"}).json()["token"]
        with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {token}"}, timeout=30) as client:
            _until(lambda: client.get("/api/v1/me").status_code == 200)
            yield client
    else:
        with Browser(house.url) as client:
            client.login(role)
            yield client


@pytest.mark.parametrize("role", ["ann", "token"])
def test_one_site_alone(house, role):
    """Walk all routes as who sees one site, and name another: refused, or it tells nothing of any site."""
    house.live.put(site="blog", title="of the blog")
    with _who(house, role) as client:
        asked = len(house.questions.asked), len(house.lake.asked)
        for method, path in _walk(house):
            if path in FREE | OF_NONE or not path.startswith("/api/"):
                continue
            more = {"q": "select 1"} if (method, path) == ("GET", "/api/v1/sql") else {}
            answer = _ask(client, method, path, params={"site": "blog", **more})
            if path == "/api/v1/site-names":
                assert _ask(client, method, path).json()["names"] == ["shop"]
            else:
                assert answer.status_code == 403, (method, path)
                is_told = answer.json().get("parameter") == "site"
                assert is_told or "owner" in answer.text, (method, path)
            assert "of the blog" not in answer.text
        assert (len(house.questions.asked), len(house.lake.asked)) == asked


MINE = {"/api/v1/login", "/api/v1/logout", "/api/v1/logout-everywhere", "/api/v1/password", "/api/v1/sessions/{known}"}
"""What everybody may change: one's own."""


@pytest.mark.parametrize("role", ["vera", "token"])
def test_who_looks_changes_nothing(house, role):
    """Walk all routes: what changes something is for owners; a viewer of all sites cannot make itself one either."""
    before = house.registry.access.door()
    with _who(house, role) as client:
        for method, path in _walk(house):
            is_reading = method == "GET" and not path.startswith(OWNERS)
            if path in MINE or is_reading or path == "/api/v1/sql":
                continue
            answer = _ask(
                client, method, path, params={"site": "shop", "name": "x"} if "declared" in path else {"site": "shop"}
            )
            assert answer.status_code == 403, (method, path, answer.text)
            assert answer.json()["error"]
        assert client.patch("/api/v1/users/vera", json={"role": "owner"}).status_code == 403
    after = house.registry.access.door()
    assert (after.users, after.shares) == (before.users, before.shares)


def test_a_viewer_of_all_sites(house):
    """Sees them all, and both sums."""
    with Browser(house.url) as client:
        client.login("vera")
        assert client.get("/api/v1/pages?site=blog").json()["site"] == "blog"
        assert client.get("/api/v1/status").status_code == 200


def test_a_viewer_of_several_sites(house):
    """Has to name one of them; hears which, and nothing of others."""
    with Browser(house.url) as client:
        client.login("two")
        assert client.get("/api/v1/pages?site=shop").json()["site"] == "shop"
        answer = client.get("/api/v1/pages")
        assert (answer.status_code, answer.json()["parameter"]) == (400, "site")
        assert "'shop', 'x'" in answer.json()["hint"]
        assert client.get("/api/v1/pages?site=blog").status_code == 403
        unknown = client.get("/api/v1/pages?site=x")
        assert unknown.status_code == 400
        assert "blog" not in unknown.text
        assert client.get("/api/v1/site-names").json() == {"names": ["shop", "x"], "total": 2}
        assert client.get("/api/v1/status").status_code == 403


def test_owners_make_users(house):
    """An owner makes, changes and removes users; what changes holds for who is logged in at once."""
    with Browser(house.url) as owner, Browser(house.url) as other:
        owner.login("olga")
        made = owner.post("/api/v1/users", json={"name": "Max", "password": PASSWORD, "sites": ["Shop"]})
        assert made.status_code == 201
        assert "password" not in made.text
        assert "argon2" not in owner.get("/api/v1/users").text
        assert other.login("max").status_code == 200
        assert other.get("/api/v1/pages?site=blog").status_code == 403
        assert owner.patch("/api/v1/users/max", json={"sites": None}).json()["sites"] is None
        assert other.get("/api/v1/pages?site=blog").status_code == 200
        assert owner.patch("/api/v1/users/max", json={"role": "owner"}).json()["role"] == "owner"
        assert other.get("/api/v1/users").status_code == 200
        assert owner.patch("/api/v1/users/max", json={"password": "another password"}).status_code == 200
        assert other.get("/api/v1/me").status_code == 401
        assert other.login("max", "another password").status_code == 200
        assert owner.delete("/api/v1/users/max").status_code == 204
        assert other.get("/api/v1/me").status_code == 401
        assert owner.delete("/api/v1/users/max").status_code == 404
        assert owner.patch("/api/v1/users/max", json={}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {"name": "<img src=x onerror=alert(1)>", "password": PASSWORD},
        {"name": "a\r\nb", "password": PASSWORD},
        {"name": "x" * 65, "password": PASSWORD},
        {"name": "\u0430nn", "password": PASSWORD},
        {"name": "ann", "password": PASSWORD},
        {"name": "new", "password": "short"},
        {"name": "new", "password": PASSWORD, "role": "king"},
        {"name": "new", "password": PASSWORD, "sites": []},
        {"name": "new", "password": PASSWORD, "sites": ["a b"]},
        {"name": "new", "password": PASSWORD, "role": "owner", "sites": ["shop"]},
    ],
    ids=["html", "line", "long", "alike", "taken", "short", "role", "no_site", "odd_site", "owner_of_one"],
)
def test_no_such_users(house, body):
    """What cannot be is refused with a sentence, and nothing is made."""
    before = house.registry.access.door().users
    answer = house.client.post("/api/v1/users", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert PASSWORD not in answer.text
    assert house.registry.access.door().users == before


def test_owners_make_tokens(house):
    """A token is told once, reads its site, and no longer once it is removed; one for all sites is made by no site."""
    made = house.client.post("/api/v1/tokens", json={"name": "a-program", "site": "shop"}).json()
    with httpx.Client(base_url=house.url, headers={"Authorization": f"Bearer {made['token']}"}) as program:
        _until(lambda: program.get("/api/v1/pages").status_code == 200)
        assert program.get("/api/v1/pages?site=blog").status_code == 403
        assert program.get("/api/v1/me").json()["role"] == "token"
        assert program.post("/api/v1/tokens", json={"name": "more"}).status_code == 403
        assert program.post("/api/v1/logout").status_code == 400
        listed = house.client.get("/api/v1/tokens").json()
        assert ("a-program", "shop") in [(each["name"], each["site"]) for each in listed]
        assert made["token"] not in str(listed)
        assert house.client.delete("/api/v1/tokens/a-program").status_code == 204
        _until(lambda: program.get("/api/v1/pages").status_code == 401)
    assert house.client.delete("/api/v1/tokens/a-program").status_code == 404
    assert house.client.post("/api/v1/tokens", json={"name": "a b"}).status_code == 400


def _until(happens, seconds=20.0):
    end = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < end
        time.sleep(0.05)


def _share(house, **more):
    answer = house.client.post("/api/v1/shares", json={"name": "For the board", "site": "shop", **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def anybody(house):
    """Somebody without a log-in, who has no cookies."""
    with httpx.Client(base_url=house.url) as client:
        yield client


def test_a_link_shows_its_site(house, anybody):
    """Who has the link sees the page and the figures of its site, without any cookie."""
    share = _share(house)
    page = anybody.get(share["address"], headers=PERSON)
    assert page.status_code == 200
    assert page.headers["x-robots-tag"] == "noindex"
    api = share["address"] + "/api/v1"
    me = anybody.get(f"{api}/me").json()
    assert (me["name"], me["role"], me["sites"], me["csrf"]) == ("For the board", "share", ["shop"], None)
    assert anybody.get(f"{api}/pages").json()["site"] == "shop"
    assert anybody.get(f"{api}/site-names").json()["names"] == ["shop"]
    assert {chart["question"] for chart in anybody.get(f"{api}/charts").json()} <= shares.QUESTIONS
    assert not anybody.cookies
    assert hash_of(share["address"].removeprefix("/share/")) in house.registry.access.door().shares


def test_a_link_shows_nothing_else(house, anybody):
    """Walk all routes behind a link: what it does not show is refused, and no route knows another site by it."""
    share = _share(house)
    house.live.put(site="shop", title="a single event")
    for method, path in _walk(house):
        name = path.removeprefix("/api/v1/")
        answer = _ask(anybody, method, share["address"] + path, params={"site": "blog"})
        if method != "GET":
            assert answer.status_code == 405, (method, path)
        elif name in {"/", "me", "charts", "about"}:
            assert answer.status_code == 200
            assert "blog" not in answer.text
        elif name == "site-names":
            assert answer.status_code in {200, 400}
            assert "blog" not in answer.text
        else:
            assert answer.status_code in {403, 404}, (method, path)
    assert not shares.QUESTIONS - {*questions(), "now"}


@pytest.mark.parametrize("name", sorted({*questions(), "recent", "sql", "status"} - shares.QUESTIONS))
def test_what_links_keep_back(house, anybody, name):
    """No single events, no rejects, no properties, no SQL, no sums of all sites."""
    answer = anybody.get(f"{_share(house)['address']}/api/v1/{name}?q=select 1")
    assert answer.status_code == 403
    assert "single events" in answer.json()["hint"]


@pytest.mark.parametrize(
    "what",
    [
        "user_id is ann",
        "visitor_id is x",
        "properties.mail is a@example.org",
        '["or", ["is", "country", ["DE"]], ["not", ["is", "user_id", [""]]]]',
        "ip contains 192",
        "user_agent contains x",
        "url contains token",
        "event_id is 1",
        "click_id matches ^Cj0",
        "referrer contains token",
        "timezone is Asia/Tokyo",
    ],
    ids=["user", "visitor", "property", "hidden", "ip", "agent", "url", "event", "click", "referrer", "timezone"],
)
def test_links_look_for_nobody(house, anybody, what):
    """By a filter nobody finds out whether a certain person was there."""
    asked = len(house.questions.asked)
    answer = anybody.get(f"{_share(house)['address']}/api/v1/overview", params={"filter": what})
    assert (answer.status_code, answer.json()["parameter"]) == (403, "filter")
    assert len(house.questions.asked) == asked


def test_links_filter_by_what_they_show(house, anybody):
    """By country, page and the like a link can be filtered; funnels are those that are declared."""
    api = _share(house)["address"] + "/api/v1"
    assert anybody.get(f"{api}/overview", params={"filter": "country is DE"}).status_code == 200
    assert anybody.get(f"{api}/mails").status_code == 200
    answer = anybody.get(f"{api}/mails", params={"by": "message"})
    assert (answer.status_code, answer.json()["parameter"]) == (403, "by")
    answer = anybody.get(f"{api}/funnel", params={"steps": ["user_id is ann", "path is /"]})
    assert (answer.status_code, answer.json()["parameter"]) == (403, "steps")


def test_a_link_s_feed(house, anybody):
    """It tells who is here, and no single event."""
    house.live.put(site="shop", title="a single event")
    with anybody.stream("GET", _share(house)["address"] + "/api/v1/live?after=0") as feed:
        text = ""
        for part in feed.iter_text():
            text += part
            if "event: now" in text:
                break
        time.sleep(0.6)
    assert "a single event" not in text
    assert "event: status" not in text


def test_a_link_changes_nothing(house, anybody):
    """Nor can anything be changed by it, whatever method is used; not even by an owner who has it."""
    address = _share(house)["address"]
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("", "/api/v1/users", "/api/v1/me", "/api/v1/sql"):
            assert house.client.request(method, address + path).status_code == 405, (method, path)


@pytest.mark.parametrize(
    "path", ["/../users", "/api/v1/../users", "/api/v1//me", "/static/index.html", "/x", "//", "/login"]
)
def test_odd_paths_behind_a_link(house, anybody, path):
    """A link leads to what it shows and nowhere else."""
    url = httpx.URL(house.url + _share(house)["address"] + "/").copy_with(
        raw_path=(_share(house)["address"] + path).encode()
    )
    assert anybody.get(url).status_code in {403, 404}


def test_a_mistyped_page_behind_a_link(house, anybody):
    """People are told that there is none, with the way to the link's own first page; programs are refused."""
    address = _share(house, password=PASSWORD)["address"]
    for path in ("/pages", "/live", "/a/b"):
        page = anybody.get(address + path, headers=PERSON)
        assert page.status_code == 404
        assert "There is no such page" in page.text
        assert re.findall(r'<a href="([^"]*)"', page.text) == [address]
        assert anybody.get(address + path).json()["error"] == "a shared link does not show this"
    assert anybody.get(address + "/api/v1/sql", headers=PERSON).status_code == 403
    assert "no longer works" in anybody.get("/share/never-was/pages", headers=PERSON).text


def test_an_expired_link(house, anybody, monkeypatch):
    """It answers a page with a sentence, and programs 404; so does one that was removed, or never was."""
    share = _share(house, days=1)
    assert anybody.get(share["address"]).status_code == 200
    expires = share["expires"]
    monkeypatch.setattr("pixelake.web.sessions.Doorman.now", lambda _: expires)
    answer = anybody.get(share["address"], headers=PERSON)
    assert answer.status_code == 404
    assert "no longer works" in answer.text
    assert anybody.get(share["address"] + "/api/v1/pages").json()["error"] == "this link holds no longer"
    assert house.client.get("/api/v1/shares").json()[0]["expired"]
    monkeypatch.undo()
    assert house.client.delete(f"/api/v1/shares/{share['id']}").status_code == 204
    assert anybody.get(share["address"]).status_code == 404
    assert anybody.get("/share/never-was").status_code == 404
    assert house.client.delete(f"/api/v1/shares/{share['id']}").status_code == 404


def test_a_link_that_is_removed_ends_its_feed(house, anybody):
    """Who watches by it sees no more within a second or two."""
    share = _share(house)
    with anybody.stream("GET", share["address"] + "/api/v1/live") as feed:
        parts = feed.iter_text()
        next(parts)
        house.client.delete(f"/api/v1/shares/{share['id']}")
        begun = time.monotonic()
        for _ in parts:
            pass
    assert time.monotonic() - begun < 3


def test_a_link_with_a_password(house):
    """First asks for it; then a cookie opens this link, and nothing else."""
    share, other = _share(house, password=PASSWORD), _share(house, password=PASSWORD)
    with Browser(house.url) as client:
        page = client.get(share["address"])
        assert page.status_code == 401
        assert "asks for a password" in page.text
        assert client.get(share["address"] + "/api/v1/pages").status_code == 401
        assert client.post(share["address"], json={"password": "wrong password"}).status_code == 401
        wrong = client.post(share["address"], data={"password": "wrong password"})
        assert wrong.headers["location"] == share["address"] + "#wrong"
        right = client.post(share["address"], json={"password": PASSWORD})
        assert right.json() == {"next": share["address"]}
        assert {"HttpOnly", "SameSite=lax"} <= set(right.headers["set-cookie"].split("; "))
        assert client.get(share["address"] + "/api/v1/pages").status_code == 200
        assert client.get(other["address"]).status_code == 401
        assert client.get("/api/v1/me").status_code == 401
        secret = next(each.value for each in client.cookies.jar)
        cookie = right.headers["set-cookie"].partition("=")[0].rpartition("_")[0]
        assert client.get("/api/v1/me", headers={"Cookie": f"{cookie}={secret}"}).status_code == 401
    with httpx.Client(base_url=house.url, headers={"Origin": "https://evil.example"}) as foreign:
        assert foreign.post(share["address"], json={"password": PASSWORD}).status_code == 403


def test_a_link_keeps_one_s_own_log_in(house):
    """Who opens a link stays logged in, and sees by it what anybody would."""
    with Browser(house.url) as client:
        client.login("olga")
        address = _share(house)["address"]
        assert client.get(address + "/api/v1/me").json()["role"] == "share"
        assert client.get(address + "/api/v1/recent").status_code == 403
        assert client.get("/api/v1/me").json()["role"] == "owner"


def test_frames(house, anybody):
    """No page may be held in a frame, but that of a link by the pages that its owner named."""
    held = _share(house, ancestors=["https://Intra.example/", "https://*.example.org"])
    policy = anybody.get(held["address"]).headers["content-security-policy"]
    assert policy.endswith("frame-ancestors https://intra.example https://*.example.org")
    assert "x-frame-options" not in anybody.get(held["address"]).headers
    assert "script-src 'self'" in policy
    for answer in (
        anybody.get(_share(house)["address"]),
        anybody.get("/login"),
        house.client.get("/"),
        anybody.get(held["address"] + "/api/v1/me"),
    ):
        assert answer.headers["content-security-policy"].endswith("frame-ancestors 'none'")
        assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize(
    "more",
    [
        {"ancestors": ["https://a.example; script-src *"]},
        {"ancestors": ["https://a.example\r\nX: y"]},
        {"ancestors": ["*"]},
        {"ancestors": ["https://a.example"], "password": PASSWORD},
        {"days": 0},
        {"days": 10**9},
        {"days": "7"},
        {"site": "a b"},
        {"site": ""},
        {"name": ""},
        {"password": "short"},
        {"role": "owner"},
    ],
    ids=[
        "policy",
        "line",
        "any",
        "password",
        "now",
        "for_ever",
        "text",
        "odd_site",
        "no_site",
        "no_name",
        "short",
        "more",
    ],
)
def test_no_such_links(house, more):
    """What cannot be is refused with a sentence; nothing gets into a header."""
    body = {"name": "x", "site": "shop", **more}
    answer = house.client.post("/api/v1/shares", json=body)
    assert answer.status_code == 400
    assert not house.registry.access.door().shares


def test_a_link_made_before(house, anybody):
    """One that was made by another process is known within a second."""
    share, secret = house.registry.access.add_share("x", "shop", house.registry._clock.now() + DAY, KEPT)
    _until(lambda: anybody.get(f"/share/{secret}").status_code == 401)
    house.registry.access.remove_share(share.id)
    _until(lambda: anybody.get(f"/share/{secret}").status_code == 404)
