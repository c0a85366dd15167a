"""The raw hit of a reject: enough to try again, and nothing that may not be kept."""

import base64
import gzip
import json
from typing import Any

import pytest

from pixelake.dialects.native import Native
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.transform.raw import bare_json, raw_json, read, see_json
from pixelake.transform.rules import make_rules
from tests.judging import AT, hit, rules

RULES = rules()


def raw(sent: Hit, *, anonymous: bool = False) -> dict[str, Any]:
    """What is kept of it."""
    return dict(json.loads(raw_json(sent, RULES, anonymous=anonymous)))


def test_an_innocent_hit_stays_as_it_was() -> None:
    """Byte by byte, but for the addresses."""
    sent = hit("/pixel.gif?a=1&&b=%7e+x&c&url=/a&value=x", {"X-Forwarded-For": "198.51.100.7", "X-Odd": "\tb "})
    found = raw(sent)
    assert found["target"].encode() == sent.target
    assert found["headers"].encode() == sent.headers.replace(b"100.7", b"100.0")
    assert (found["peer"], found["body"], found["received_at"]) == ("203.0.113.0", "", AT)


def test_urls_are_cut_as_on_events() -> None:
    """In the query, in a body, in the Referer; a replay sees them so."""
    long = "https://u:p@a.example/b?utm_source=n&id=7#x"
    short = "https://a.example/b?utm_source=n"
    body = json.dumps({"referrer": long, "x": long}).encode()
    found = raw(
        hit("/events?page=" + long.replace("&", "%26").replace("#", "%23"), {"Referer": long}, method="POST", body=body)
    )
    assert found["target"] == "/events?page=https://a.example/b%3Futm_source%3Dn"
    assert f"Referer: {short}\r\n" in found["headers"]
    assert json.loads(found["body"]) == {"referrer": short, "x": long}


def test_an_anonymous_hit_has_no_user() -> None:
    """Neither under its name nor under an alias, in whatever type of body."""
    sent = hit("/events?userid=ada&USER=ada&a=1", method="POST", body=b'[{"uid":"ada","a":1},{"user":["ada"]},"ada",7]')
    found = raw(sent, anonymous=True)
    assert found["target"] == "/events?a=1"
    assert found["body"] == '[{"a":1},{},null,7]'
    assert "ada" in str(raw(sent))
    form = raw(hit("/events", method="POST", body=b"user_id=ada&a=1"), anonymous=True)
    assert form["body"] == "a=1"
    packed = hit("/events", {"Content-Encoding": "gzip"}, method="POST", body=gzip.compress(b'{"user":"ada","a":1}'))
    assert gzip.decompress(base64.b64decode(raw(packed, anonymous=True)["body_base64"])) == b'{"a":1}'


UNREADABLE = {
    "broken": (b'{"user":"ada', {}, '{"user":"ada'),
    "broken, with a secret": (b'{"password":"x', {}, None),
    "packed badly": (gzip.compress(b'{"password":"x"}')[:-9], {"Content-Encoding": "gzip"}, None),
    "packed in another way": (b"whatever", {"Content-Encoding": "br"}, None),
    "a form with files": (b"--x", {"Content-Type": "multipart/form-data"}, "--x"),
    "a form with files and a secret": (b'name="password" x', {"Content-Type": "multipart/form-data"}, None),
    "in another charset": ("password".encode("utf-16"), {}, None),
    "a url with a query": (b'{"url":"https://a.example/?id=7", broken', {}, None),
    "an encoded url": (b"url=https%3A%2F%2Fa.example%2F%3Fid%3D7", {"Content-Type": "text/xml"}, None),
    "a url in JSON's letters": (rb'{"url":"https:\/\/a.example\/\u003fid\u003d7', {}, None),
    "a url with a user": (b"<url>https://u:p@a.example/</url>", {"Content-Type": "text/xml"}, None),
    "base64": (base64.b64encode(b'{"url":"https://a.example/?id=7","password":"hunter2"}'), {}, None),
}


@pytest.mark.parametrize(("body", "headers", "expected"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_cannot_be_read(body: bytes, headers: dict[str, str], expected: str | None) -> None:
    """It stays, to be looked at, unless a secret may be in it, or the hit is anonymous."""
    sent = hit("/events", headers, method="POST", body=body)
    assert raw(sent)["body"] == expected
    assert raw(sent, anonymous=True)["body"] is None


def test_a_query_of_too_many_fields() -> None:
    """It stays as well, unless a secret may be in it, or the hit is anonymous."""
    sent = hit("/?" + "a&" * 1_000)
    assert raw(sent)["target"].encode() == sent.target
    assert raw(sent, anonymous=True)["target"] == "/"
    assert raw(hit("/?password=x" + "&a" * 1_000))["target"] == "/"
    assert raw(hit("/?url=https://a.example/?id=7" + "&a" * 1_000))["target"] == "/"


def test_a_whole_url_for_a_site() -> None:
    """A mistake that many make: it is cut as any other. A name stays as it is."""
    assert raw(hit("/?site=https://u:p@a.example/b?id=7"))["target"] == "/?site=https://a.example/b"
    assert raw(hit("/?site=A.example:80"))["target"] == "/?site=A.example:80"


def test_an_anonymous_hit_has_no_city() -> None:
    """As on events; the country stays."""
    sent = hit("/?value=x", {"CF-IPCountry": "DE", "CF-IPCity": "Jena", "X-Vercel-IP-Latitude": "50.9"})
    assert "CF-IPCity: Jena" in raw(sent)["headers"]
    headers = raw(sent, anonymous=True)["headers"]
    assert "CF-IPCountry: DE" in headers
    assert "Jena" not in headers
    assert "50.9" not in headers


HEADERS = {
    "a proxy nobody lists": ("WL-Proxy-Client-IP", "198.51.100.7", "198.51.100.0"),
    "two addresses": ("X-ProxyUser-Ip", "198.51.100.7:80, 2001:db8:1:2::3", "198.51.100.0:80, 2001:db8:1::"),
    "another": ("Akamai-Client-IP", "2001:db8:1:2::3", "2001:db8:1::"),
    "a version": ("User-Agent", "Chrome/142.1.2.3", "Chrome/142.1.2.3"),
    "versions": ("Sec-CH-UA-Full-Version-List", '"A";v="142.1.2.3"', '"A";v="142.1.2.3"'),
    "a language": ("Accept-Language", "de;q=0.9", "de;q=0.9"),
    "a session": ("X-Session-Id", "hunter2", None),
    "a key": ("Api-Key", "hunter2", None),
    "another key": ("X-ApiKey-Old", "hunter2", None),
    "a token": ("X-Amz-Security-Token", "hunter2", None),
    "a cookie": ("Set-Cookie2", "hunter2", None),
    "a secret in a value": ("X-Odd", "/a?password=hunter2", "/a?password="),
    "the request as it was": (
        "X-Original-URL",
        "/pixel.gif?utm_source=n&url=https://a/?id=7",
        "/pixel.gif?utm_source=n",
    ),
    "another way to tell it": ("X-Forwarded-Uri", "https://u:p@a.example/?user=ada", "https://a.example/"),
}


@pytest.mark.parametrize(("name", "value", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_headers(name: str, value: str, expected: str | None) -> None:
    """Addresses are cut in all but a few; what a name calls secret is left out, and the name stays."""
    headers = raw(Hit.of(AT, "", "", "GET", b"/", f"{name}: {value}\r\n".encode()))["headers"]
    assert headers == (f"{name}:\r\n" if expected is None else f"{name}: {expected}\r\n")


def test_the_names_of_secrets_come_from_the_settings() -> None:
    """Those that the operator names, and no others."""
    made = make_rules(Settings(secret_parameters=("pin",)), [Native({})])
    found = json.loads(raw_json(hit("/?PIN=7&password=x"), made, anonymous=False))
    assert found["target"] == "/?PIN=&password=x"


AGAIN = {
    "a view": hit("/pixel.gif?a=1&b=%ff"),
    "bytes": Hit.of(AT, "203.0.113.0", "203.0.113.0", "POST", b"/events?\xff", b"X-Odd: \xff\r\n", b"\xff=1"),
    "a name of its own": Hit.of(AT, "203.0.113.0", "2001:db8::", "GET", b"/?a", b"", source="sqs", hit_id="r-1"),
    "no address": Hit.of(AT, "", "", "GET", b"/?a", b""),
}


@pytest.mark.parametrize("sent", AGAIN.values(), ids=AGAIN.keys())
def test_a_hit_again(sent: Hit) -> None:
    """What is read is what was kept: all but the last part of the addresses."""
    kept = read(raw_json(sent, RULES, anonymous=False))
    assert (kept.see, kept.why) == ("", "")
    assert kept.hit is not None
    assert kept.hit.head == sent.head
    assert (kept.hit.body, kept.hit.source, kept.hit.hit_id) == (sent.body, sent.source, sent.hit_id)
    assert kept.hit.client in {sent.client, "203.0.113.0"}


NOT_AGAIN = {
    "another has it": (see_json("p-1"), "p-1", ""),
    "nothing was kept": (bare_json(hit("/pixel.gif?a=1")), "", "nobody kept its query, headers, body"),
    "a body with a secret": (
        raw_json(hit("/events", method="POST", body=b'{"password":"x'), RULES, anonymous=False),
        "",
        "nobody kept its body",
    ),
    "a query with a secret": (
        raw_json(hit("/?password=x" + "&a" * 1_000), RULES, anonymous=False),
        "",
        "nobody kept its query",
    ),
    "no raw hit": (None, "", "what was kept of it cannot be read"),
    "no JSON": ("{", "", "what was kept of it cannot be read"),
    "another JSON": ('{"a":1}', "", "what was kept of it cannot be read"),
    "other types": (
        '{"received_at":"x","source":"","peer":"","client":"","method":"GET","target":"/","headers":"","body":""}',
        "",
        "what was kept of it cannot be read",
    ),
}


@pytest.mark.parametrize(("sent", "see", "why"), NOT_AGAIN.values(), ids=NOT_AGAIN.keys())
def test_no_hit_again(sent: str | None, see: str, why: str) -> None:
    """What cannot be tried again says where it is, or why not."""
    assert read(sent) == (None, see, why)


def test_a_body_that_nobody_looks_at() -> None:
    """Of a view it is not needed to try again."""
    sent = hit("/pixel.gif?a=1", body=b'{"password":"x')
    assert read(raw_json(sent, RULES, anonymous=False)).hit is not None
