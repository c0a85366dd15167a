"""What the collector answers, byte by byte; and the page of the docs that tells of its refusals."""

import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake import settings
from pixelake.collect import pixel
from pixelake.collect.pixel import CLOSE, GIF, KEEP, PNG, REFUSALS, STAY, Answers, cors

ANSWERS = Answers()


def taken_apart(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers by lower-case name, body. Every header must come once."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), head
    return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, body


def test_the_png() -> None:
    """One pixel, RGBA, transparent: every chunk has the checksum that its bytes give."""
    assert PNG.startswith(b"\x89PNG\r\n\x1a\n")
    rest, chunks = PNG[8:], {}
    while rest:
        length = int.from_bytes(rest[:4], "big")
        assert zlib.crc32(rest[4 : 8 + length]) == int.from_bytes(rest[8 + length : 12 + length], "big")
        chunks[rest[4:8]], rest = rest[8 : 8 + length], rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    assert chunks[b"IHDR"] == bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0])
    assert zlib.decompress(chunks[b"IDAT"]) == bytes(5)
    assert len(PNG) == 67


@pytest.mark.parametrize("connection", [STAY, KEEP, CLOSE], ids=["stay", "keep", "close"])
@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [("image", "image/gif", GIF), ("png", "image/png", PNG), ("badge", "image/svg+xml", b"<svg/>")],
)
def test_images(name: str, kind: str, body: bytes, connection: bytes) -> None:
    """Each says what it is and how long, is stored nowhere, may be shown anywhere; HEAD is the same without a body."""
    more = (body,) if name == "badge" else ()
    get, head = (getattr(ANSWERS, name)(method, connection, *more) for method in ("GET", "HEAD"))
    assert get == head + body
    status, headers, sent = taken_apart(get)
    assert (status, headers["content-type"], headers["content-length"], sent) == (200, kind, str(len(body)), body)
    assert "no-store" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    assert connection in get


def test_a_badge_is_asked_for_again_and_runs_nothing() -> None:
    """Proxies that know only ``no-cache`` ask again; a document made of it is sandboxed. Without one it is the GIF."""
    _, headers, _ = taken_apart(ANSWERS.badge("GET", STAY, b"<svg/>"))
    assert headers["cache-control"] == "no-store, no-cache, max-age=0"
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert ANSWERS.badge("GET", STAY, None) == ANSWERS.image("GET", STAY)
    assert ANSWERS.badge("HEAD", CLOSE, None) == ANSWERS.image("HEAD", CLOSE)


@pytest.mark.parametrize("reason", REFUSALS)
def test_refusals(reason: str) -> None:
    """Each says why, and when to come again if that helps; a page's script may read both. With the GIF or with text."""
    refusal = REFUSALS[reason]
    for image in (True, False):
        extra = b"" if image else cors(b"\r\nOrigin: https://a.example\r\n")
        status, headers, body = taken_apart(ANSWERS.refusal(reason, CLOSE, image=image, extra=extra))
        assert f"{status}" == refusal.status[:3]
        assert headers["x-pixelake"] == reason
        assert headers.get("retry-after") == (str(refusal.retry_after) if refusal.retry_after else None)
        assert headers["access-control-expose-headers"] == "Retry-After, X-Pixelake"
        assert headers["access-control-allow-origin"] == ("*" if image else "https://a.example")
        assert body == (GIF if image else refusal.text.encode() + b"\n")
        assert headers["content-length"] == str(len(body))
        head = ANSWERS.refusal(reason, CLOSE, image=image, extra=extra, method="HEAD")
        assert head.endswith(b"\r\n\r\n")
        assert taken_apart(head) == (status, headers, b"")


def test_who_is_busy_says_until_when() -> None:
    """What helps to wait for says how long, and nothing else does."""
    waits = {reason for reason, refusal in REFUSALS.items() if refusal.retry_after}
    assert waits == {reason for reason, refusal in REFUSALS.items() if refusal.status[:3] in ("429", "503")}


@pytest.mark.parametrize(("seconds", "told"), [(None, "1"), (0, "1"), (-3, "1"), (1, "1"), (7_200, "7200")])
def test_retry_after_of_an_answer(seconds: int | None, told: str) -> None:
    """A limit knows better than its reason when to come again; never at once."""
    for image in (True, False):
        answer = ANSWERS.refusal("rate_site", STAY, image=image, retry_after=seconds)
        assert taken_apart(answer)[1]["retry-after"] == told


ORIGINS = {
    "a host": b"https://shop.example",
    "a port": b"http://localhost:3000",
    "IPv6": b"http://[::1]:8080",
    "punycode": b"https://xn--mnchen-3ya.example",
    "upper case": b"HTTPS://Shop.Example",
    "underscore": b"https://my_shop.example",
    "an extension": b"moz-extension://6f0a9b3c-1d2e-4f5a-8b7c-9d0e1f2a3b4c",
    "a file": b"file://",
    "an app": b"capacitor://localhost",
    "null": b"null",
}


@pytest.mark.parametrize("origin", ORIGINS.values(), ids=ORIGINS.keys())
def test_origins_are_echoed(origin: bytes) -> None:
    """To a page of any origin, with credentials; a cache is told that the answer differs by origin."""
    _, headers, _ = taken_apart(
        ANSWERS.empty(b"POST / HTTP/1.1\r\nA: b\r\nORIGIN:\t" + origin + b" \r\nC: d\r\n\r\n", STAY)
    )
    assert headers["access-control-allow-origin"] == origin.decode()
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["vary"] == "Origin"


NO_ORIGINS = {
    "nothing": b"",
    "anybody": b"*",
    "two": b"https://a.example https://b.example",
    "a list": b"https://a.example, https://b.example",
    "a path": b"https://a.example/",
    "a user": b"https://u@a.example",
    "not ASCII": "https://münchen.example".encode(),
    "another line": b"https://a.example\nSet-Cookie: a=b",
    "a carriage return": b"https://a.example\rX",
    "a NUL": b"https://a.example\0",
    "too long": b"https://" + b"a" * 300,
    "markup": b'https://a.example"><script>',
}


@pytest.mark.parametrize("origin", NO_ORIGINS.values(), ids=NO_ORIGINS.keys())
def test_what_is_no_origin_is_not_echoed(origin: bytes) -> None:
    """And no ``*`` stands in for it; but the answer still differs by origin."""
    assert cors(b"POST / HTTP/1.1\r\nOrigin: " + origin + b"\r\n\r\n") == b"Vary: Origin\r\n"


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=20).map(lambda tail: b"https://a.example" + tail)))
def test_no_origin_splits_an_answer(origin: bytes) -> None:
    """Whatever stands there, each answer keeps its lines."""
    head = b"POST /events HTTP/1.1\r\nOrigin: " + origin + b"\r\n\r\n"
    extra = cors(head)
    for answer in (
        ANSWERS.empty(head, CLOSE),
        ANSWERS.preflight(head, b"OPTIONS, POST", CLOSE),
        ANSWERS.refusal("busy", CLOSE, extra=extra),
    ):
        text, end, _ = answer.partition(b"\r\n\r\n")
        assert end
        assert b"\n" not in text.replace(b"\r\n", b"")
        names = [line.partition(b":")[0] for line in text.split(b"\r\n")[1:]]
        assert len(set(names)) == len(names)
        assert all(re.fullmatch(rb"[A-Za-z-]+", name) for name in names)


def test_a_preflight() -> None:
    """With credentials the Fetch standard takes ``*`` for a name: methods and headers are named, and for how long."""
    head = (
        b"OPTIONS /events HTTP/1.1\r\nOrigin: null\r\nAccess-Control-Request-Method: POST\r\n"
        b"Access-Control-Request-Headers: content-type\r\n\r\n"
    )
    status, headers, body = taken_apart(ANSWERS.preflight(head, b"OPTIONS, POST", KEEP))
    assert (status, body) == (204, b"")
    assert "content-length" not in headers
    assert headers["access-control-allow-origin"] == "null"
    assert headers["access-control-allow-credentials"] == "true"
    assert headers["access-control-allow-methods"] == headers["allow"] == "OPTIONS, POST"
    assert headers["access-control-allow-headers"] == "content-type, content-encoding"
    assert headers["access-control-max-age"] == "86400"
    assert headers["vary"] == "Origin"


def test_every_reason_is_used_and_told() -> None:
    """Whoever refuses gives a reason of the list, and the list has none that nobody gives."""
    package = Path(pixel.__file__).parents[1]
    files = [package / "errors.py", *(file for file in (package / "collect").glob("*.py") if file.name != "pixel.py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    given_for_sure = set(re.findall(r'(?:refuse|_refuse_and_close|Refused)\("([a-z_]+)"|reason = "([a-z_]+)"', code))
    assert {reason for pair in given_for_sure for reason in pair if reason} <= set(REFUSALS)
    assert {reason for reason in REFUSALS if f'"{reason}"' not in code} == set()


def test_docs_tell_every_refusal() -> None:
    """``docs/refusals.md`` is what the code says."""
    page = Path(__file__).parents[2] / "docs" / "refusals.md"
    assert page.read_text(encoding="utf-8") == pixel.as_markdown()


def test_docs_name_settings_that_there_are() -> None:
    """What to do about a refusal is nothing that was renamed."""
    named = {name for refusal in REFUSALS.values() for name in re.findall("`([a-z_]+)`", refusal.remedy)}
    assert named - {"event_id"} <= set(settings.NAMES)
