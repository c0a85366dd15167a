"""Logging in and out: sessions, their cookies, guessing, and requests that other pages forge."""

import threading
import time

import httpx
import pytest

from pixelake.registry import passwords
from pixelake.registry.access import IDLE
from pixelake.registry.tokens import hash_of
from pixelake.web import throttle
from pixelake.web.line import Refused
from pixelake.web.peer import local_path
from tests.web.browser import KEPT, PASSWORD, Browser, entrance, people


@pytest.fixture(scope="module")
def standing(tmp_path_factory):
    """A web role over a real registry."""
    with entrance(tmp_path_factory.mktemp("standing")) as running:
        yield running


@pytest.fixture
def house(standing, monkeypatch):
    """It, with the usual people, and guesses that cost nothing."""
    monkeypatch.setattr(throttle, "FREE", 1_000_000)
    people(standing.registry)
    return standing


@pytest.fixture
def fresh(tmp_path):
    """Another one, where nobody has guessed yet."""
    with entrance(tmp_path) as running:
        yield running


@pytest.fixture
def browser(house):
    """A browser of nobody yet."""
    with Browser(house.url) as client:
        yield client


def _cookie(answer):
    return answer.headers["set-cookie"]


def test_a_name_and_a_password(browser):
    """Whoever knows both is let in, and told who it is; the name in any case."""
    assert browser.login(" ANN ").json() == {"next": "/"}
    me = browser.get("/api/v1/me").json()
    assert (me["name"], me["role"], me["sites"], me["has_password"]) == ("ann", "viewer", ["shop"], True)
    assert browser.get("/api/v1/pages").json()["site"] == "shop"


def test_by_a_form(browser):
    """The log-in page works without its script: right goes on, wrong leads back and says so."""
    right = browser.post("/api/v1/login", data={"user": "ann", "password": PASSWORD, "next": "/?site=shop"})
    assert (right.status_code, right.headers["location"]) == (303, "/?site=shop")
    wrong = browser.post("/api/v1/login", data={"user": "ann", "password": "no", "next": "/live"})
    assert (wrong.status_code, wrong.headers["location"]) == (303, "/login?next=%2Flive#wrong")
    assert "set-cookie" not in wrong.headers


@pytest.mark.parametrize(
    "user",
    [
        "ann",
        "nobody",
        "<script>alert(1)</script>",
        "a\r\nSet-Cookie: x=y",
        "\u0430nn",
        "x" * 4_000,
        "\0",
        "' or 1=1 --",
        "\U0001f600",
    ],
    ids=["password", "name", "html", "line", "alike", "long", "zero", "sql", "emoji"],
)
def test_wrong(browser, user):
    """A wrong name and a wrong password are told apart by nothing, and what was sent is never repeated."""
    answer = browser.login(user, "wrong password")
    assert (answer.status_code, answer.json()) == (401, {"error": "wrong name or password", "hint": ""})
    assert "set-cookie" not in answer.headers


def test_a_wrong_name_costs_as_much(browser, monkeypatch):
    """A password is compared also where there is no such user: the time does not tell."""
    compared = []
    monkeypatch.setattr(passwords, "fits", lambda kept, _: bool(compared.append(kept)))
    for user in ("ann", "nobody", "\0"):
        browser.login(user, "wrong password")
    assert compared == [KEPT, None, None]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'{"user": "ann"}', 400),
        (b'{"user": 1, "password": "x"}', 400),
        (b'{"user": "ann", "password": ["x"]}', 400),
        (b'{"user": "ann", "password": "x", "role": "owner"}', 400),
        (b"[" * 60_000, 400),
        (b'{"user": "' + b"a" * 70_000 + b'"}', 400),
        (b"\xff\xfe", 400),
        (b'{"user": "\\ud800", "password": "\\ud800"}', 400),
    ],
    ids=["none", "cut", "list", "half", "number", "nested", "more", "deep", "large", "bytes", "surrogate"],
)
def test_bad_bodies(browser, body, status):
    """Whatever is sent instead of a name and a password is refused in a line, and repeated nowhere."""
    answer = browser.post("/api/v1/login", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert set(answer.json()) >= {"error", "hint"}
    assert len(answer.text) < 500


def test_cookie_flags(house, browser):
    """No script reads the cookie, no other site's page sends it along; by HTTPS no other host can set it."""
    plain = _cookie(browser.login("ann"))
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(plain.split("; "))
    assert "Domain" not in plain
    assert "Secure" not in plain
    host = house.url.removeprefix("http://")
    secure = _cookie(
        browser.post("/api/v1/login", json={"user": "ann", "password": PASSWORD}, headers={"Origin": f"https://{host}"})
    )
    assert secure.startswith("__Host-pixelake_")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= set(secure.split("; "))


def test_a_plain_cookie_is_none_by_https(browser):
    """Behind a proxy that speaks HTTPS, a cookie that a page without it could have set opens nothing."""
    browser.login("ann")
    assert browser.get("/api/v1/me").status_code == 200
    assert browser.get("/api/v1/me", headers={"X-Forwarded-Proto": "https"}).status_code == 401


def test_a_proxy_that_does_not_tell_of_https(house, browser):
    """Where only changes tell of it, by their Origin, a browser stays logged in; what it changes is taken."""
    origin = {"Origin": house.url.replace("http://", "https://")}
    cookie = _cookie(browser.post("/api/v1/login", json={"user": "ann", "password": PASSWORD}, headers=origin))
    held = {"Cookie": cookie.partition(";")[0]}  # a browser's jar takes it by HTTPS alone
    mine = browser.get("/api/v1/me", headers=held)
    assert mine.status_code == 200
    more = {**held, **origin, "X-CSRF-Token": mine.json()["csrf"]}
    assert browser.post("/api/v1/logout", headers=more).is_success


def test_no_fixation(house, browser):
    """Every log-in has an id of its own; what the browser came with is none that anybody chose, and ends."""
    name = _cookie(browser.login("ann")).partition("=")[0]
    first = browser.cookies[name]
    browser.login("vera")
    second = browser.cookies[name]
    assert first != second
    sessions = house.registry.access.door().sessions
    assert hash_of(first) not in sessions
    assert sessions[hash_of(second)].user == "vera"
    with Browser(house.url, cookies={name: "chosen-by-somebody"}) as other:
        assert other.login("ann").status_code == 200
        assert "chosen-by-somebody" not in [each.value for each in other.cookies.jar if each.domain]
        assert hash_of("chosen-by-somebody") not in house.registry.access.door().sessions


def test_logging_out(browser):
    """The session ends, not only the cookie."""
    browser.login("ann")
    cookies = dict(browser.cookies)
    answer = browser.post("/api/v1/logout")
    assert answer.json() == {"next": "/login"}
    assert "Max-Age=0" in _cookie(answer)
    browser.cookies.update(cookies)
    assert browser.get("/api/v1/me").status_code == 401


def test_logging_out_everywhere(house, browser):
    """All sessions of that user end, also in other browsers; nobody else's."""
    with Browser(house.url) as second, Browser(house.url) as other:
        for client, user in ((browser, "ann"), (second, "ann"), (other, "vera")):
            client.login(user)
        assert [each["this"] for each in browser.get("/api/v1/sessions").json()].count(True) == 1
        assert len(browser.get("/api/v1/sessions").json()) == 2
        assert browser.post("/api/v1/logout-everywhere").status_code == 200
        assert second.get("/api/v1/me").status_code == 401
        assert other.get("/api/v1/me").status_code == 200


def test_ending_one_session(house, browser):
    """One's own, in another browser; never somebody else's."""
    with Browser(house.url) as second, Browser(house.url) as other:
        for client, user in ((browser, "ann"), (second, "ann"), (other, "vera")):
            client.login(user)
        theirs = other.get("/api/v1/sessions").json()[0]["id"]
        assert browser.delete(f"/api/v1/sessions/{theirs}").status_code == 404
        assert browser.delete("/api/v1/sessions/").status_code in {404, 405, 307}
        mine = next(each["id"] for each in browser.get("/api/v1/sessions").json() if not each["this"])
        assert browser.delete(f"/api/v1/sessions/{mine}").status_code == 204
        assert [client.get("/api/v1/me").status_code for client in (browser, second, other)] == [200, 401, 200]


def test_one_s_own_password(house, browser):
    """Who changes it stays, by a new session; everywhere else that one is out, and the old password with it."""
    with Browser(house.url) as second:
        browser.login("ann")
        second.login("ann")
        before = dict(browser.cookies)
        wrong = browser.post("/api/v1/password", json={"current": "wrong", "password": "another password"})
        assert (wrong.status_code, wrong.json()["parameter"]) == (403, "current")
        short = browser.post("/api/v1/password", json={"current": PASSWORD, "password": "short"})
        assert short.status_code == 400
        answer = browser.post("/api/v1/password", json={"current": PASSWORD, "password": "another password"})
        assert answer.status_code == 200
        assert dict(browser.cookies) != before
        assert browser.get("/api/v1/me").status_code == 200
        assert second.get("/api/v1/me").status_code == 401
        assert second.login("ann").status_code == 401
        assert second.login("ann", "another password").status_code == 200


def test_another_process_ends_it(house, browser):
    """Who is removed by the command line is out within a second."""
    browser.login("ann")
    house.registry.access.remove_user("ann")
    end = time.monotonic() + 1
    while browser.get("/api/v1/me").status_code == 200:
        assert time.monotonic() < end
    assert browser.get("/api/v1/me").status_code == 401


def test_an_idle_session_is_over(house, browser, monkeypatch):
    """A cookie that nobody used for a week opens nothing."""
    browser.login("ann")
    held = next(iter(house.registry.access.door().sessions.values()))
    assert held.holds(held.used + IDLE - 1)
    monkeypatch.setattr("pixelake.web.sessions.Doorman.now", lambda _: held.used + IDLE)
    assert browser.get("/api/v1/me").status_code == 401


def test_a_feed_ends_with_its_session(house, browser):
    """A live page that was open is closed soon after its session has ended, and its browser is not let in again."""
    browser.login("ann")
    ended = threading.Event()

    def watch():
        with browser.stream("GET", "/api/v1/live") as feed:
            for _ in feed.iter_text():
                begun.set()
        ended.set()

    begun = threading.Event()
    thread = threading.Thread(target=watch)
    thread.start()
    assert begun.wait(20)
    assert not ended.wait(1.2)
    house.registry.access.close_all_sessions()
    assert ended.wait(20)
    thread.join()
    assert browser.get("/api/v1/live").status_code == 401


FORGED = {
    "foreign": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "foreign_old_browser": {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
    "same_site": {"Sec-Fetch-Site": "same-site"},
    "sandboxed": {"Origin": "null", "Sec-Fetch-Site": None},
    "other_port": {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": None},
    "nothing": {"Origin": None, "Sec-Fetch-Site": None},
    "typed": {"Origin": None, "Sec-Fetch-Site": "none"},
    "prefix": {"Origin": "http://127.0.0.1.evil.example", "Sec-Fetch-Site": None},
    "broken": {"Origin": "http://[", "Sec-Fetch-Site": "same-origin"},
}
"""What headers a request has that no page of the dashboard sent; None: none."""


def _forge(browser, method, path, headers, **more):
    request = browser.build_request(method, path, **more)
    for name, value in headers.items():
        request.headers.pop(name, None)
        if value is not None:
            request.headers[name] = value
    return browser.send(request)


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_other_pages_change_nothing(house, browser, headers):
    """A request that came from elsewhere is refused, although the browser sends the cookie, and even with the token."""
    browser.login("olga")
    for method, path, more in (
        ("POST", "/api/v1/logout", {}),
        ("POST", "/api/v1/tokens", {"json": {"name": "evil"}}),
        ("DELETE", "/api/v1/users/ann", {}),
    ):
        assert _forge(browser, method, path, headers, **more).status_code in {401, 403}
    assert "ann" in house.registry.access.door().users
    assert browser.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_other_pages_log_nobody_in(browser, headers):
    """Nor can another page log a browser in as somebody else."""
    answer = _forge(browser, "POST", "/api/v1/login", headers, json={"user": "ann", "password": PASSWORD})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("token", [None, "", "x" * 64, "\xff"], ids=["missing", "empty", "wrong", "bytes"])
def test_no_change_without_the_token(browser, token):
    """From our own origin, too, a change needs the session's token: a forged form cannot have it."""
    browser.login("olga")
    del browser.headers["X-CSRF-Token"]
    headers = {} if token is None else {"X-CSRF-Token": token.encode("latin-1")}
    assert browser.post("/api/v1/logout", headers=headers).status_code == 403
    assert browser.get("/api/v1/me").status_code == 200


def test_a_token_of_another_session(house, browser):
    """The token is of one session alone."""
    with Browser(house.url) as other:
        other.login("ann")
        browser.login("olga")
        headers = {"X-CSRF-Token": other.headers["X-CSRF-Token"]}
        assert browser.post("/api/v1/logout", headers=headers).status_code == 403


def test_programs_need_no_token(house):
    """A bearer is sent by no browser on its own: what has one may change things without an origin."""
    assert house.client.post("/api/v1/tokens", json={"name": "of-a-program"}).status_code == 201
    body = {"Content-Type": "text/plain"}
    assert house.client.post("/api/v1/tokens", content=b'{"name": "x"}', headers=body).status_code == 400


def test_guessing_is_slowed(fresh, monkeypatch):
    """After some wrong passwords one has to wait, twice as long each time; the right one is not even looked at."""
    with Browser(fresh.url) as browser:
        told = [browser.login("ann", "wrong password") for _ in range(throttle.FREE + 6)]
        assert {each.status_code for each in told[: throttle.FREE]} == {401}
        assert told[-1].status_code == 429
        assert int(told[-1].headers["retry-after"]) >= 1
        assert browser.login("ann").status_code == 429
        form = browser.post("/api/v1/login", data={"user": "ann", "password": PASSWORD})
        assert form.headers["location"].endswith("#slow")
        monkeypatch.setattr(throttle, "FREE", 100)
        assert browser.login("ann").status_code == 200


def test_guessing_all_at_once(fresh):
    """Sending many guesses at the same moment gets no more of them looked at."""
    answers = []

    def guess(number):
        with Browser(fresh.url) as client:
            answers.append(client.login("ann", f"guess number {number}").status_code)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert throttle.FREE <= answers.count(401) <= throttle.FREE + 2
    assert set(answers) <= {401, 429, 503}


def test_addresses_behind_a_proxy(tmp_path):
    """Behind a proxy of ours each visitor has an address of its own; nobody else can claim one."""
    guess = {"user": "nobody", "password": "wrong password"}
    with entrance(tmp_path, trusted=("loopback",)) as house, Browser(house.url) as client:
        for number in range(throttle.FREE + 6):
            headers = {"X-Forwarded-For": "198.51.100.1, 192.0.2.7"}
            answer = client.post("/api/v1/login", json=guess | {"user": f"nobody{number}"}, headers=headers)
        assert answer.status_code == 429
        headers = {"X-Forwarded-For": "192.0.2.8"}
        assert client.post("/api/v1/login", json=guess, headers=headers).status_code == 401


class _Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def test_the_wait_doubles():
    """1, 2, 4 seconds and so on up to a minute; forgotten after an hour; the right password forgets at once."""
    clock = _Clock()
    slow = throttle.Throttle(clock)
    for _ in range(throttle.FREE):
        slow.begin(["name ann", "address a"])
    waits = []
    for _ in range(8):
        begun = clock.seconds
        while True:
            try:
                slow.begin(["name ann"])
                break
            except Refused:
                clock.seconds += 0.5
        waits.append(clock.seconds - begun)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    with pytest.raises(Refused):
        slow.begin(["name ann"])
    slow.right("name ann", ["address a"])
    slow.begin(["name ann"])
    clock.seconds += throttle.FORGOTTEN
    for _ in range(throttle.FREE):
        slow.begin(["address a"])


def test_what_is_remembered_of_guesses_is_bounded(monkeypatch):
    """Made-up names do not fill the memory."""
    monkeypatch.setattr(throttle, "MOST", 100)
    slow = throttle.Throttle()
    for number in range(1_000):
        slow.begin([f"name {number}"])
    assert len(slow._tried) == 100


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/live?site=a%2Fb", "/live?site=a%2Fb"),
        ("//evil.example", "/"),
        ("///evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\u2215evil", "/"),
        ("", "/"),
        ("live", "/"),
        ("/login?next=/login", "/"),
        ("/" + "a" * 5_000, "/"),
        ("/./\\evil.example", "/"),
    ],
    ids=[
        *("path", "host", "host_again", "backslash", "backslashes", "address", "script", "tab", "line", "alike"),
        *("empty", "relative", "itself", "long", "dots"),
    ],
)
def test_only_local_paths(wanted, path):
    """After the log-in one goes on to a page of the dashboard, whatever a link said."""
    assert local_path(wanted) == path


def test_an_open_redirect(browser):
    """The answer to the log-in leads nowhere else either."""
    assert browser.login("ann", next="//evil.example").json() == {"next": "/"}
    answer = browser.post("/api/v1/login", data={"user": "ann", "password": PASSWORD, "next": "https://evil.example"})
    assert answer.headers["location"] == "/"


PERSON = {"Accept": "text/html,application/xhtml+xml"}


def test_people_are_led_to_the_door(browser):
    """A page without a session leads to the log-in, and from there back; programs hear 401."""
    answer = browser.get("/account?site=a%26b", headers=PERSON)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Faccount%3Fsite%3Da%2526b")
    assert browser.get("/", headers=PERSON).headers["location"] == "/login"
    assert browser.get("/account").status_code == 401
    assert browser.get("/api/v1/me", headers=PERSON).status_code == 401
    assert "Log in" in browser.get("/login").text


def test_the_address_of_serve(house):
    """The token in the address opens a session of an owner, whose cookie is not the token."""
    token = house.registry.secret("access_token")
    with Browser(house.url) as client:
        answer = client.get("/", params={"token": token, "site": "shop"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/?site=shop")
        assert token not in _cookie(answer)
        me = client.get("/api/v1/me").json()
        assert (me["role"], me["sites"], me["has_password"]) == ("owner", None, False)
        client.headers["X-CSRF-Token"] = me["csrf"]
        assert client.post("/api/v1/password", json={"current": "x", "password": "y" * 20}).status_code == 400
        assert client.post("/api/v1/logout-everywhere").status_code == 200
        assert client.get("/api/v1/me").status_code == 401


def test_what_is_logged(house, browser, capfd):
    """That somebody logged in, or tried, is in the log: without name, password or address."""
    browser.login("ann")
    browser.login("somebody-else", "wrong password")
    time.sleep(0.2)
    told = "".join(capfd.readouterr())
    assert "login" in told
    assert not [text for text in ("ann", "somebody-else", "wrong password", PASSWORD, "127.0.0.1") if text in told]


def test_a_host_that_looks_like_a_path(house):
    """What stands in the Host header decides nothing about which route is asked."""
    for host in ("localhost/health?", "localhost/static/x?", "localhost/login?"):
        with httpx.Client(base_url=house.url, headers={"Host": host}) as client:
            assert client.get("/api/v1/status").status_code in {400, 401, 421}
