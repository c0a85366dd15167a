"""The short way of usual hits, held to the long way of all."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.hit import Hit
from pixelake.transform import parts
from pixelake.transform.decode import Decoder
from pixelake.transform.process import process
from pixelake.transform.usual import UsualReader
from tests.judging import AT, CHROME, batch, hit, rules, salted

NAMES = (
    *("site", "event", "url", "title", "referrer", "user", "uid", "event_id", "value", "currency", "sent_at"),
    *("URL", "plan", "password", "", "utm_source", "tz", "consent", "gdpr", "gpp_sid", "us_privacy", "%70lan"),
)
WORDS = (
    "",
    "a",
    "example.com",
    "https://example.com/a?utm_source=x&gclid=1",
    "https%3A%2F%2Fshop.example%2F%3Fid%3D1",
    *("%C3%A4", "%FF", "1.5", "1e3", "eur", "x+y", "%00", "1770757199", "password%3Dx", "Sec%2"),
    *("\u00e4", "a=b", "//b.example/c", "1YNN", "2_6", "1", " ", "x" * 151, "\\u0070assword", "%C2%A0a.example"),
    *("https%253A%252F%252Fa%252F%253Fq", "%7B%22href%22:1%7D", "mailto:u@a.example", "https://u:p@h.example/?x=1"),
)
FIELDS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from([*NAMES, "plan", "password", "", "utm_source"]), st.sampled_from(WORDS)).map(
            "=".join
        ),
        st.sampled_from(["", "site", "=", "plan", "%75rl=https://e.example/", "token=1"]),
    ),
    max_size=8,
).map("&".join)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "User-Agent": st.sampled_from(["", "curl/8", "Mozilla/5.0 \u00e4", "x" * 200]),
        "Referer": st.sampled_from(
            ["", "https://r.example", "https://r.example/", "https://r.example/p?id=1", "x" * 200, "{}", "u@r.example"]
        ),
        "referer": st.sampled_from(["https://second.example/"]),
        "Accept-Language": st.sampled_from(["de", "*", ""]),
        "X-Referer": st.just("https://wrong.example/"),
        "DNT": st.sampled_from(["0", "1"]),
        "Sec-GPC": st.sampled_from(["1", ""]),
    },
)
PATHS = st.sampled_from(["/pixel.gif", "/pixel", "/", "/p.gif", "/badge.svg", "/204", "/other"])


def _outcome(decoder: Decoder, *hits: Any) -> Any:
    decoded = decoder(batch(*hits))
    return process(decoded, salted(decoded))


def _long_way(**settings: Any) -> Decoder:
    decoder = Decoder(rules(**settings))
    decoder._usual.sort = lambda _: None  # type: ignore[method-assign]
    return decoder


SHORT, LONG = Decoder(rules(max_field=150)), _long_way(max_field=150)


@given(PATHS, FIELDS, HEADERS, st.sampled_from(["GET", "HEAD"]), st.sampled_from([b"", b"{}"]))
def test_both_ways_agree(path: str, query: str, headers: dict[str, str], method: str, body: bytes) -> None:
    """Whatever is sent, nobody can tell from the outcome which way it went; also not the second time."""
    sent = hit(f"{path}?{query}", {"Referer": "", **headers}, method=method, body=body)
    long = _outcome(LONG, sent)
    for _ in range(2):
        short = _outcome(SHORT, sent)
        assert short.events.to_pylist() == long.events.to_pylist()
        assert short.rejects.to_pylist() == long.rejects.to_pylist()


@pytest.mark.parametrize(
    "query",
    [
        "site=a&url=https://a.example/b&title=T",
        "event=buy&value=1.5&currency=eur&plan=gold&uid=u",
        "title=%C3%A4+b",
        "a",
        "",
    ],
)
def test_usual_hits_go_the_short_way(query: str) -> None:
    """What most pages send is usual; else this file would save nothing."""
    assert UsualReader(rules()).sort([hit(f"/pixel.gif?{query}")]) is not None


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/pixel.gif?title=a&title=b", {}),
        ("/pixel.gif?plan=a&plan=b", {}),
        ("/pixel.gif?value=x", {}),
        ("/pixel.gif?password=x", {}),
        ("/pixel.gif?url=https://a.example/?password=x", {}),
        ("/badge.svg?site=a", {}),
        ("/pixel.gif?" + "&".join(map(str, range(100))), {}),
        ("/pixel.gif?site=a", {"DNT": "1"}),
        ("/pixel.gif?site=a", {"User-Agent": "x" * 9_000}),
    ],
)
def test_others_do_not(target: str, headers: dict[str, str]) -> None:
    """A hit with anything to decide about is left to those who decide."""
    assert UsualReader(rules()).sort([hit(target, headers)]) is None


def test_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a proxy writes for each request makes no two heads different, and changes nothing."""
    monkeypatch.setattr(parts, "MANY", 4)
    sent = [
        hit(
            f"/pixel.gif?site=a&url=https://a.example/{number}",
            {
                "X-Forwarded-For": f"203.0.113.{number}",
                "User-Agent": ("one", "two \u00e4")[number % 2],
                "CF-Ray": f"{number:x}-FRA",
                "x-request-id": f"{number}",
                "Accept-Language": "de",
            },
        )
        for number in range(40)
    ]
    reader = UsualReader(rules())
    found = reader.sort(sent)
    assert found is not None
    assert len(found.parts.heads) == 2
    assert _outcome(Decoder(rules()), *sent).events.to_pylist() == _outcome(_long_way(), *sent).events.to_pylist()


ODD_HEADS = {
    "nothing": b"",
    "no end of the line": b"GET /pixel.gif?a=b HTTP/1.1",
    "no headers": b"GET /pixel.gif?a=b HTTP/1.1\r\n\r\n",
    "no version": b"GET /pixel.gif?a=b\r\n\r\n",
    "blanks in the query": b"GET /pixel.gif?a=b c HTTP/1.1\r\n\r\n",
    "a line feed before a name": b"GET /?a HTTP/1.1\r\nX: a\nReferer: https://a.example/\r\nUser-Agent: x\r\n\r\n",
    "a carriage return before a name": b"GET /?a HTTP/1.1\r\nX: a\rReferer: https://a.example/\r\n\r\n",
    "a carriage return in the Referer": b"GET /?a HTTP/1.1\r\nReferer: https://a.example/\rb\r\n\r\n",
    "two Referers": b"GET /?a HTTP/1.1\r\nReferer: https://a.example/\r\nReferer: https://b.example/\r\n\r\n",
    "a Referer that ends the head": b"GET /?a HTTP/1.1\r\nReferer: https://a.example/",
    "a Referer and no empty line": b"GET /?a HTTP/1.1\r\nReferer: https://a.example/\r\n",
}


@pytest.mark.parametrize("head", ODD_HEADS.values(), ids=ODD_HEADS.keys())
def test_heads_that_no_browser_sends(head: bytes) -> None:
    """Streams of other makers may hold any bytes: a line ends where `Hit` says that it ends, on both ways."""
    sent = [Hit(AT, "192.0.2.1", "192.0.2.1", head), hit("/pixel.gif?site=a")]
    short, long = (_outcome(way, *sent) for way in (Decoder(rules()), _long_way()))
    assert short.events.to_pylist() == long.events.to_pylist()
    assert short.rejects.to_pylist() == long.rejects.to_pylist()


@pytest.mark.parametrize(
    "line",
    ["X-Request-Id: {}\rjunk", "X-Request-Id: {}\nUser-Agent: y", "X: {}\nX-Request-Id: 1", "X: {}\r\nCF-Ray: 1"],
)
def test_what_a_proxy_writes_is_a_whole_line(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """Leaving it out changes no line beside it."""
    monkeypatch.setattr(parts, "MANY", 2)
    lines = [f"Via: v\r\nUser-Agent: x\r\n{line.format(n)}\r\nX-Request-Id: {n}\r\nDNT: 0\r\n" for n in range(9)]
    sent = [Hit.of(AT, "192.0.2.1", "192.0.2.1", "GET", b"/?site=a", each.encode()) for each in lines]
    assert _outcome(Decoder(rules()), *sent).events.to_pylist() == _outcome(_long_way(), *sent).events.to_pylist()


def test_other_hits_leave_no_trace() -> None:
    """What only hits say that are not usual stands in no column of those that are, not even beside their rows."""
    sent = [
        hit("/pixel.gif?site=a"),
        hit("/events", method="POST", body=b"{}"),
        hit("/pixel.gif?site=b", {"DNT": "1", "User-Agent": "other"}),
        hit("/p.gif?site=a&plan=x&plan=y", method="HEAD"),
        hit("/p.gif?site=a", {"User-Agent": "x"}),
    ]
    reader = UsualReader(rules())
    found = reader.sort(sent)
    assert found is not None
    columns = reader.columns(found, batch(*sent))
    assert set(columns.distinct(("method",))[1]) == {("GET",)}
    assert columns.distinct(("site",))[1] == [("a",)]
    assert {agent for (agent,) in columns.distinct(("user_agent",))[1]} == {CHROME, "x"}
