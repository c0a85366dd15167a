"""Messages of a mapping template become the hits that a collector makes of the same requests."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from pixelake import hit_json
from pixelake.clock import SECOND
from pixelake.collect.mapped import Mapped
from pixelake.dialects.native import Native
from pixelake.errors import NewerVersion, StreamError
from pixelake.hit import UNREADABLE, Hit
from pixelake.settings import Settings
from pixelake.stream import messages

AT = 1_770_711_000_123
SENT_AT = AT * 1_000 + SECOND
USUAL = [("Host", "api.example"), ("User-Agent", "Mozilla/5.0"), ("Referer", "https://shop.example/a?b=c")]


def packed(text: str) -> str:
    """As a template writes a text."""
    return b64encode(text.encode()).decode()


def made(**changed: Any) -> bytes:
    """A message; members that are None are not there."""
    members: dict[str, Any] = {
        "id": "ZAbCdEfG=",
        "request": "chosen-by-a-client",
        "time": str(AT),
        "peer": "203.0.113.9",
        "method": "GET",
        "stage": "prod",
        "path": "/prod/pixel.gif",
        "query": [("site", "a"), ("title", "ä & b=c")],
        "headers": USUAL,
        **changed,
    }
    told = {name: _packed(value) for name, value in members.items() if value is not None}
    return json.dumps({"mapped": 1, **told}, separators=(",", ":")).encode()


def _packed(value: Any) -> Any:
    return packed(value) if isinstance(value, str) else [[packed(name), packed(text)] for name, text in value]


def decoded(settings: Settings | None = None, **changed: Any) -> Hit:
    """The hit of a message."""
    return Mapped(settings or Settings()).decode(made(**changed), SENT_AT)


def test_a_message() -> None:
    """Method, path without the stage, query anew, headers in order, time, peer, name."""
    assert decoded() == Hit(
        AT * 1_000,
        "203.0.113.9",
        "203.0.113.9",
        b"GET /pixel.gif?site=a&title=%C3%A4%20%26%20b%3Dc HTTP/1.1\r\nHost: api.example\r\nUser-Agent: Mozilla/5.0\r\n"
        b"Referer: https://shop.example/a?b=c\r\n\r\n",
        source="apigateway",
        hit_id="apigateway-ZAbCdEfG=",
    )


def test_the_event() -> None:
    """The dialect reads in it what the client sent."""
    (element,) = Native(Settings().aliases).decode(decoded())
    assert element.values == {"site": ["a"], "title": ["ä & b=c"]}


def test_lines_of_our_own() -> None:
    """The other form in a queue is read as before."""
    hit = Hit(AT * 1_000, "::1", "::1", b"GET /pixel.gif?a=%ff HTTP/1.1\r\n\r\n", hit_id="mine")
    assert Mapped(Settings()).decode(hit_json.encode(hit), SENT_AT) == hit


def test_the_name_is_not_a_clients() -> None:
    """The extended id counts; the other only where there is none."""
    assert decoded().hit_id == "apigateway-ZAbCdEfG="
    assert decoded(id="").hit_id == "apigateway-chosen-by-a-client"


def test_secrets_are_taken_out() -> None:
    """As by the collector: headers that are never kept, and values of secret parameters."""
    hit = decoded(query=[("password", "hush"), ("a", "1")], headers=[*USUAL, ("Cookie", "hush"), ("X-Api-Key", "hush")])
    assert b"hush" not in hit.head
    assert hit.target == b"/pixel.gif?password=&a=1"


def test_the_viewer_behind_cloudfront() -> None:
    """Who called is CloudFront; its word on the viewer is believed if it is declared."""
    headers = [*USUAL, ("CloudFront-Viewer-Address", "2001:db8::1:46532")]
    trusting = Settings(trusted_proxies=("203.0.113.0/24",), client_header="cloudfront-viewer-address")
    assert decoded(trusting, headers=headers).client == "2001:db8::1"
    assert decoded(headers=headers).client == "203.0.113.9"


def test_strict_privacy() -> None:
    """No whole address is in the hit."""
    hit = decoded(Settings(privacy="strict"), headers=[*USUAL, ("X-Forwarded-For", "203.0.113.9")])
    assert (hit.peer, hit.client) == ("203.0.113.0", "203.0.113.0")
    assert b"203.0.113.9" not in hit.head


def test_no_rate_is_drawn_from() -> None:
    """A request that was answered with the image is kept, however many there are."""
    mapped = Mapped(Settings(address_rate=0.001, address_burst=1, site_rate=0.001, site_burst=1))
    assert [mapped.decode(made(), SENT_AT).source for _ in range(5)] == ["apigateway"] * 5


def test_headers_add_no_lines() -> None:
    """A line end in a value is a space; what is no name of a header has no line."""
    hit = decoded(headers=[("X-A", "1\r\nX-Evil: 2"), ("X B", "3"), ("", "4")])
    assert hit.headers == b"X-A: 1  X-Evil: 2\r\n"


def test_an_encoder_that_breaks_lines() -> None:
    """Line ends that an encoder of base64 puts into long texts mean nothing."""
    text = packed("x" * 200)
    broken = "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    data = made(query=[("a", "x" * 200)]).replace(text.encode(), broken.encode())
    assert b"\r\n" in data
    assert Mapped(Settings()).decode(data, SENT_AT).target == b"/pixel.gif?a=" + b"x" * 200


BROKEN: dict[str, Callable[[], bytes]] = {
    "cut off": lambda: made()[:-5],
    "a member is missing": lambda: made(peer=None),
    "no base64": lambda: made().replace(packed("203.0.113.9").encode(), b"203.0.113.9"),
    "no UTF-8": lambda: made(path="/\xff").replace(packed("/\xff").encode(), b64encode(b"/\xff")),
    "another version": lambda: made().replace(b'"mapped":1', b'"mapped":0'),
    "no version of ours": lambda: made().replace(b'"mapped":1', b'"mapped":4000'),
    "no time": lambda: made(time="yesterday"),
    "a time before there was a web": lambda: made(time="1"),
    "a time that never comes": lambda: made(time="9" * 20),
    "ahead of its message": lambda: made(time=str(AT + 2 * 86_400_000)),
    "no method": lambda: made(method="GET /x HTTP/1.1\r\n"),
    "no name": lambda: made(id="a b"),
    "the name of an event in a body": lambda: made(id="x.1"),
    "nested": lambda: b'{"mapped":' + b"[" * 20_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_nobody_can_read(data: Callable[[], bytes]) -> None:
    """It is no hit, and becomes a reject with its bytes; it holds up nothing."""
    mapped = Mapped(Settings())
    with pytest.raises(StreamError) as caught:
        mapped.decode(data(), SENT_AT)
    assert not isinstance(caught.value, NewerVersion)
    assert caught.value.hint
    hit = messages.hit(data(), SENT_AT, "sqs-1", mapped.decode)
    assert hit == Hit(SENT_AT, "", "", b"", data(), UNREADABLE, "sqs-1")


def test_a_newer_template() -> None:
    """Its message waits for a newer consumer."""
    data = b'{"mapped":2,"all":"else"}'
    with pytest.raises(NewerVersion, match="version 2"):
        messages.hit(data, SENT_AT, "sqs-1", Mapped(Settings()).decode)


def test_without_this_reader_it_is_unreadable() -> None:
    """Who is not told how secrets are taken out does not take it for a hit."""
    assert messages.hit(made(), SENT_AT, "sqs-1").source == UNREADABLE
