"""What lines count as, judged by the same code as hits that come in."""

from collections.abc import Sequence
from typing import Any

import pytest

from pixelake.collect.logs.line import Line
from pixelake.collect.logs.visits import Wanted, hit_of, routes_of
from pixelake.dialects.native import Native
from pixelake.hit import Hit
from tests.judging import AT, CHROME, events

ROUTES = routes_of([Native({})])
SHOP = Wanted("shop.example", ROUTES)


def line(target: str, *, method: str = "GET", status: int = 200, referrer: str = "", host: str = "") -> Line:
    """A line of a browser."""
    told = (method.encode(), target.encode(), status, referrer.encode(), CHROME.encode(), host.encode())
    return Line(AT, "203.0.113.9", *told)


def one(found: Hit | str | None) -> dict[str, Any]:
    """The event that a hit is."""
    assert isinstance(found, Hit)
    told: Sequence[Any] = events(found)
    assert len(told) == 1
    return dict(told[0])


def test_a_page() -> None:
    """A page's line is a view of its url, as the page's own pixel would tell it."""
    told = one(hit_of(line("/a%20b/c%26d?utm_source=x%20y&id=7", referrer="https://t.co/?a=1&b=2"), "p-1", SHOP))
    assert told["site"] == "shop.example"
    assert told["url"] == "https://shop.example/a%20b/c%26d?utm_source=x%20y"
    assert (told["path"], told["utm_source"], told["referrer"]) == ("/a%20b/c%26d", "x y", "https://t.co/")
    assert (told["event"], told["source"], told["hit_id"]) == ("pageview", "import", "p-1")
    assert (told["browser"], told["ip"], told["properties"]) == ("Chrome", "203.0.113.0", [])


def test_the_host_of_the_line() -> None:
    """Without a site of ours, it is the line's host."""
    everywhere = Wanted("", ROUTES)
    assert one(hit_of(line("/", host="Blog.Example:8080"), "p-1", everywhere))["site"] == "blog.example"
    for host in ("", "_", "a b", "<script>", "x" * 300):
        assert hit_of(line("/", host=host), "p-1", everywhere) == "its host is none"


def test_a_pixels_line_is_the_hit_as_it_was_sent() -> None:
    """Its query tells, and its referrer is the page."""
    told = one(hit_of(line("/pixel.gif?event=buy&value=3&x=%C3%A4", referrer="https://a.example/b"), "p-1", SHOP))
    assert (told["site"], told["event"], told["path"]) == ("a.example", "buy", "/b")
    assert told["properties"] == [("x", ["ä"])]


@pytest.mark.parametrize(
    "sent",
    {
        "a style": line("/a.css"),
        "a font, in capitals": line("/x/y.WOFF2?v=1"),
        "not found": line("/nothing", status=404),
        "moved": line("/old", status=301),
        "a form": line("/buy", method="POST"),
        "only a head": line("/", method="HEAD"),
        "a refused pixel": line("/pixel.gif?x=1", status=503),
        "an image of that name": line("/pixel.gif"),
        "no request": Line(AT, "203.0.113.9", b"", b"", 400, b"", b"", b""),
        "to another server": line("a.example:443", method="CONNECT"),
    }.values(),
)
def test_left_out(sent: Line) -> None:
    """What is no view of a page does not count."""
    assert hit_of(sent, "p-1", SHOP) is None


def test_everything() -> None:
    """Where all is wanted, what is no view is an event of its own name, with method and status."""
    wanted = Wanted("shop.example", ROUTES, everything=True)
    told = one(hit_of(line("/a.css", method="DELETE", status=404), "p-1", wanted))
    assert (told["event"], told["path"]) == ("request", "/a.css")
    assert told["properties"] == [("method", ["DELETE"]), ("status", ["404"])]
    assert one(hit_of(line("/"), "p-1", wanted))["event"] == "pageview"
    assert hit_of(Line(AT, "203.0.113.9", b"", b"", 400, b"", b"", b""), "p-1", wanted) == "it has no request"


def test_absolute_targets_are_of_our_own_site() -> None:
    """Whoever asks for another server's page makes no site of it."""
    told = one(hit_of(line("http://evil.example/x"), "p-1", SHOP))
    assert (told["site"], told["url"]) == ("shop.example", "https://shop.example/x")


def test_nothing_leaves_its_place() -> None:
    """Line ends, quotes and separators of a line cannot begin another header or field."""
    bad = 'x\r\nDNT: 1\r\n\r\n"&site=evil.example&user=ada#\0 \x7f'
    sent = Line(AT, "203.0.113.9", b"GET", f"/{bad}".encode(), 200, bad.encode(), bad.encode(), b"")
    found = hit_of(sent, "p-1", SHOP)
    assert isinstance(found, Hit)
    assert found.headers.count(b"\r\n") == 1
    told = one(found)
    assert (told["site"], told["user_id"], told["dnt"]) == ("shop.example", None, False)
    pixel = hit_of(sent._replace(target=f"/pixel.gif?title={bad}".encode()), "p-1", SHOP)
    assert isinstance(pixel, Hit)
    assert pixel.headers.count(b"\r\n") == 2
