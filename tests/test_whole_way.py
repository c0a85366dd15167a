"""Odd input through everything: whatever was answered 200 or 204 is an event or a reject, and nothing breaks."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.crash.campaign import Server, settle
from tests.crash.test_restore import send


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    folder = tmp_path_factory.mktemp("whole")
    made = Server(folder / "data", folder / "log")
    made.start()
    send(made, 0, 1)  # it answers
    yield made
    assert made.stop() == 0
    made.kill_all()


def request(target: bytes, *lines: bytes, method: bytes = b"GET", body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A request that ends its connection."""
    head = [method + b" " + target + b" HTTP/" + version, b"Host: a", b"Connection: close", *lines]
    return b"\r\n".join([*head, b"", b""]) + body


def length(body: bytes) -> bytes:
    """The header that says how long a body is."""
    return b"Content-Length: %d" % len(body)


def talk(server: Server, data: bytes) -> bytes:
    """What comes back until the end."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.settimeout(10)
        client.sendall(data)
        received = b""
        while more := client.recv(65_536):
            received += more
    return received


def rows(server: Server, query: str) -> list[dict[str, object]]:
    """The answer to a query."""
    return json.loads(server.ask("sql", query, "--format", "json"))


JSON = (
    rb'{"site":"odd.example","event_id":"json","title":"\u0000 \ud83e\udd8a",'
    rb'"nested":{"a":[1,2]},"n":12345678901234567890.5}'
)
HOSTILE = b"<script>alert(1)</script>\"'"

EVENTS = {
    "invalid-utf8": request(b"/pixel.gif?site=odd.example&event_id=invalid-utf8&title=%FF%FEx\xff"),
    "percent": request(b"/pixel.gif?site=odd.example&event_id=percent&a=%zz&b=%&c=%f&d=100%"),
    "repeated": request(b"/pixel.gif?site=odd.example&event_id=repeated&tag=1&tag=2&tag=1"),
    "8KB": request(b"/pixel.gif?site=odd.example&event_id=8KB&q=" + b"x" * 8_000),
    "no-agent": request(b"/pixel.gif?site=odd.example&event_id=no-agent"),
    "unknown": request(b"/pixel.gif?site=odd.example&event_id=unknown&colour=red&%F0%9F%A6%8A=fox"),
    "nul": request(b"/pixel.gif?site=odd.example&event_id=nul&title=a%00b"),
    "emoji": request("/pixel.gif?site=odd.example&event_id=emoji&title=\U0001f98a".encode()),
    "hostile": request(
        b"/pixel.gif?site=odd.example&event_id=hostile&title=%3Cscript%3Ealert(1)%3C/script%3E%22'",
        b"User-Agent: " + HOSTILE,
        b"Referer: https://x.example/" + HOSTILE,
    ),
    "body-on-get": request(b"/pixel.gif?site=odd.example&event_id=body-on-get", length(b"hello"), body=b"hello"),
    "http10": request(b"/pixel.gif?site=odd.example&event_id=http10", version=b"1.0"),
    "head": request(b"/pixel.gif?site=odd.example&event_id=head", method=b"HEAD"),
    "png": request(b"/pixel.png?site=odd.example&event_id=png"),
    "nothing": request(b"/204?site=odd.example&event_id=nothing"),
    "badge": request(b"/badge.svg?site=odd.example&event_id=badge"),
    "json": request(b"/events", length(JSON), b"Content-Type: application/json", method=b"POST", body=JSON),
}
"""Each is one event, with its name as id."""

BAD_BODIES = (b"{", b"[1]", b"\xff\xfe", b'{"value": "many", "site": "odd.example"}', b"")


@pytest.fixture(scope="module")
def kept(server: Server) -> dict[str, dict[str, object]]:
    """The events that became of the odd requests, by id."""
    for name, data in EVENTS.items():
        status = talk(server, data)[9:12]
        assert status in (b"200", b"204"), name
    pipelined = b"".join(
        request(b"/pixel.gif?site=odd.example&event_id=pipe%d" % n).replace(b"Connection: close\r\n", b"")
        for n in range(4)
    )
    assert talk(server, pipelined + request(b"/?site=odd.example&event_id=pipe4")).count(b"HTTP/1.1 200 ") == 5
    assert talk(server, request(b"/pixel.gif")).startswith(b"HTTP/1.1 200 ")
    for body in BAD_BODIES:
        data = request(b"/events", length(body), b"Content-Type: application/json", method=b"POST", body=body)
        assert talk(server, data)[9:12] == b"204"
    settle(server)
    return {str(row["event_id"]): row for row in rows(server, "select * from events where site = 'odd.example'")}


@pytest.mark.parametrize("name", [*EVENTS, *(f"pipe{n}" for n in range(5))])
def test_odd_requests_are_events(kept: dict[str, dict[str, object]], name: str) -> None:
    """Each came out as one event."""
    assert name in kept


def test_what_they_say_is_kept(kept: dict[str, dict[str, object]]) -> None:
    """Values come out as they were meant, and what cannot be read is still there."""
    assert kept["emoji"]["title"] == "\U0001f98a"
    assert kept["nul"]["title"] == "a\x00b"
    assert kept["hostile"]["title"] == HOSTILE.decode()
    assert kept["hostile"]["user_agent"] == HOSTILE.decode()
    assert dict(kept["repeated"]["properties"])["tag"] == ["1", "2", "1"]  # type: ignore[call-overload]
    assert dict(kept["unknown"]["properties"]) == {"colour": ["red"], "\U0001f98a": ["fox"]}  # type: ignore[call-overload]
    assert "%FF" in str(kept["invalid-utf8"]["title"])
    assert kept["head"]["method"] == "HEAD"
    assert [kept[name]["event"] for name in ("png", "nothing", "badge")] == ["pageview", "pageview", "badge"]
    assert kept["json"]["title"] == "\x00 \U0001f98a"


def test_no_query_is_an_event_of_the_default_site(server: Server, kept: dict[str, dict[str, object]]) -> None:
    """A bare pixel counts too."""
    assert rows(server, "select event, path from events where site = 'default'") == [
        {"event": "pageview", "path": None}
    ]


def test_what_cannot_be_read_is_a_reject(server: Server, kept: dict[str, dict[str, object]]) -> None:
    """With its reason; and both sums hold."""
    reasons = {str(row["reason"]) for row in rows(server, "select reason from rejects")}
    assert reasons == {"body_unreadable", "element_not_object", "bad_number"}
    status = server.status()
    assert status["accepted"] == status["settled"]
    assert status["outcomes"] == status["in_lake"] + status["rejected"]
    assert status["rejected"] >= 4


def test_the_log_says_nothing_of_it(server: Server, kept: dict[str, dict[str, object]]) -> None:
    """No traceback, and no text from outside."""
    log = (server.data.parent / "log").read_text()
    assert "Traceback" not in log
    assert "script" not in log
