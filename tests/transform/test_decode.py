"""What hits say: sites, pages, policies, ids."""

import base64
import gzip
import json

import msgspec
import pytest

from pixelake.dialects.base import Fault
from pixelake.hit import ERASURE, PARTLY_ERASED, UNREADABLE, Hit
from pixelake.transform import size
from pixelake.transform.decode import decode, refusals
from pixelake.transform.enrich.consent import Policies
from tests.judging import batch, events, hit, judge, rejects, rules

PAGES = {
    "url and site": ("?site=Shop&url=https://a.example/b", {}, ("shop", "https://a.example/b", "a.example", "/b")),
    "no site": ("?url=https://A.Example:8080/b", {}, ("a.example", "https://A.Example:8080/b", "a.example", "/b")),
    "no url": ("", {}, ("www.example.com", "https://www.example.com/from", "www.example.com", "/from")),
    "a referer that is an origin": (
        "",
        {"Referer": "https://www.example.com/"},
        ("www.example.com", "https://www.example.com/", "www.example.com", None),
    ),
    "a url that is an origin": ("?url=https://a.example", {}, ("a.example", "https://a.example", "a.example", None)),
    "a url that is the root": ("?url=https://a.example/", {}, ("a.example", "https://a.example/", "a.example", "/")),
    "a path": ("?url=/b", {}, ("www.example.com", "/b", None, "/b")),
    "nothing at all": ("", {"Referer": ""}, ("default", None, None, None)),
    "an empty site": ("?site=", {"Referer": ""}, ("default", None, None, None)),
    "a host no site can have": ("?url=http://<script>/", {"Referer": ""}, ("default", "http://<script>/", None, "/")),
    "an alias": ("?page=https://a.example/b", {}, ("a.example", "https://a.example/b", "a.example", "/b")),
}


@pytest.mark.parametrize(("query", "headers", "expected"), PAGES.values(), ids=PAGES.keys())
def test_site_and_page(query: str, headers: dict[str, str], expected: tuple[str | None, ...]) -> None:
    """The site is what was sent, else the host of the page; the page is what was sent, else the Referer."""
    (event,) = events(hit(f"/pixel.gif{query}", headers))
    assert tuple(event[name] for name in ("site", "url", "host", "path")) == expected


def test_every_path_is_read() -> None:
    """The root with a query, and paths that no dialect knows, are read by the native dialect."""
    for path in ("/?userid=u", "/trackingpixel?userid=u", "/elsewhere?userid=u", "?userid=u"):
        (event,) = events(hit(path))
        assert (event["user_id"], event["dialect"], event["event"]) == ("u", "native", "pageview")


def test_elements_have_ids_of_their_own() -> None:
    """The first element of a hit has the hit's id, further ones `.1`, `.2`; a bad one keeps its number."""
    body = b'[{"a":"1"},{"value":"x"},{"a":"3"}]'
    outcome = judge(hit("/events", method="POST", body=body))
    assert outcome.events["hit_id"].to_pylist() == ["p-1", "p-1.2"]
    assert outcome.rejects["hit_id"].to_pylist() == ["p-1.1"]


def test_a_given_hit_id_is_kept() -> None:
    """An unordered source names its hits itself."""
    assert events(Hit.of(1, "", "", "GET", b"/", b"", hit_id="abc"))[0]["hit_id"] == "abc"


def test_anonymous() -> None:
    """By default DNT and Sec-GPC leave the event, but no user and no visitor, whichever way they were sent."""
    for header in ("DNT", "Sec-GPC"):
        (event,) = events(hit("/?userid=a&user=b&plan=gold", {header: "1"}))
        assert event["user_id"] is None
        assert event["visitor_id"] is None
        assert event["properties"] == [("plan", ["gold"])]
        assert event["ip"] == "203.0.113.0"
        assert (event["dnt"], event["gpc"]) == (header == "DNT", header == "Sec-GPC")


def test_repeated_urls_are_cut_too() -> None:
    """What is kept of them as properties holds no unlisted name either."""
    (event,) = events(hit("/?url=/a%3Fs=1&url=/b%3Fs=1&referrer=/c%3Fs=1&page=/d%3Fref=1"))
    assert event["url"] == "/a"
    assert event["properties"] == [("url", ["/a", "/b", "/d?ref=1"])]


def test_ignored() -> None:
    """With `ignore` the signal is written down and does nothing. DNT: 0 is no signal."""
    (event,) = events(hit("/?user=a", {"DNT": "1"}), do_not_track="ignore")
    assert (event["user_id"], event["dnt"]) == ("a", True)
    assert event["visitor_id"]
    (event,) = events(hit("/?user=a", {"DNT": "0"}))
    assert (event["user_id"], event["dnt"]) == ("a", False)


def test_withheld() -> None:
    """With `withhold` nothing is kept, not even of what would be a reject; each element is counted."""
    hits = [hit("/", {"DNT": "1"}), hit("/events", {"DNT": "1"}, method="POST", body=b'[{},{"value":"x"}]'), hit()]
    outcome = judge(*hits, do_not_track="withhold")
    assert outcome.withheld.to_pylist() == [{"partition": "p", "position": at} for at in (1, 2, 2)]
    assert outcome.events["position"].to_pylist() == [3]
    assert outcome.rejects.num_rows == 0


def test_headers_beyond_the_bound_are_rejected() -> None:
    """A user agent longer than a field may be makes a reject; the site is still known."""
    (reject,) = rejects(hit("/?site=s", {"User-Agent": "x" * 101}), max_field=100)
    assert reject["reason"] == "too_long"
    assert '"field":"user-agent"' in reject["detail"]


def test_the_first_of_two_headers_counts() -> None:
    """As everywhere else."""
    sent = hit()
    twice = Hit.of(
        sent.received_at, "", "", "GET", b"/", b"Referer: http://a.example/1\r\nreferer: http://b.example/2\r\n"
    )
    assert events(twice)[0]["host"] == "a.example"


def test_a_call_ends_at_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of images and of bodies alike."""
    monkeypatch.setattr(size, "MAX_VALUES", 100)
    form = hit("/events", method="POST", body=b"&".join(b"a%d=1" % n for n in range(60)))
    for sent in (hit("/?" + "&".join(f"a{n}" for n in range(60))), form):
        assert len(decode(batch(sent, sent, sent, sent), rules()).batch.hits) == 1
    assert len(decode(batch(*[hit("/?a=1")] * 90), rules()).batch.hits) == 50


def test_a_call_ends_at_much_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unpacked text counts, not what was sent; headers count, and what is rejected."""
    monkeypatch.setattr(size, "MAX_TEXT", 10_000)
    packed = gzip.compress(b'{"a":"%s"}' % (b"x" * 8_000))
    large = [
        hit("/events", {"Content-Encoding": "gzip"}, method="POST", body=packed),
        hit("/?value=x&a=" + "x" * 8_000),
        hit("/", {"User-Agent": "x" * 8_000}),
        hit("/events", method="POST", body=b"x" * 8_000),
    ]
    for sent in large:
        assert len(decode(batch(sent, sent, sent, sent), rules()).batch.hits) <= 2
    assert len(decode(batch(*[hit("/?a=1")] * 4), rules()).batch.hits) == 4


def test_a_head_is_not_repeated_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small body of many elements under a large head is one reject."""
    body = b"[" + b"{}," * 9_999 + b"{}]"
    (reject,) = rejects(hit("/events?title=" + "x" * 8_000, method="POST", body=body))
    assert reject["reason"] == "too_many"
    assert judge(hit("/events?title=x", method="POST", body=body)).events.num_rows == 10_000


SECRETS = {
    "a parameter": ("?password=hunter2", b""),
    "in capitals": ("?Password=hunter2", b""),
    "an encoded name": ("?%70assword=hunter2", b""),
    "a name in brackets": ("?user[password]=hunter2", b""),
    "a url": ("?url=https://a.example/%3Fpassword=hunter2", b""),
    "a url in a url": ("?next=https%3A%2F%2Fa%2F%3Fn%3Dhttps%253A%252F%252Fb%252F%253Fpassword%253Dhunter2", b""),
    "a fragment": ("?next=https://a.example/%23access_token=hunter2", b""),
    "a form": ("", b"a=1&password=hunter2"),
    "JSON": ("", b'{"a":1,"password":"hunter2"}'),
    "JSON in JSON": ("", b'{"a":{"b":[{"password":["hunter2"]}]}}'),
    "JSON in a string": ("", b'{"a":"{\\"password\\":\\"hunter2\\"}"}'),
    "JSON with an escaped name": ("", b'{"p\\u0061ssword":"hunter2"}'),
    "a name that is twice there": ("", b'{"password":"hunter2","password":""}'),
    "lines": ("", b'{"a":1}\n{"password":"hunter2"}'),
    "JSON in a query": ("?data=%7B%22password%22%3A%22hunter2%22%7D", b""),
    "a name alone": ("?%7B%22password%22%3A%22hunter2%22%7D", b""),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("query", "body"), SECRETS.values(), ids=SECRETS.keys())
@pytest.mark.parametrize("bad", ["", "&value=x"])
def test_no_secret_is_in_any_outcome(query: str, body: bytes, bad: str, packed: bool) -> None:
    """Neither in events nor in rejects, however it was sent."""
    headers = {"Content-Encoding": "gzip"} if packed and body else {}
    query = (query or "?") + bad
    sent = hit("/events" + query, headers, method="POST", body=gzip.compress(body) if headers else body)
    outcome = judge(sent)
    assert (outcome.rejects.num_rows > 0) == bool(bad)
    told = repr((outcome.events.to_pylist(), outcome.rejects.to_pylist()))
    for row in outcome.rejects.to_pylist():
        raw = json.loads(row["raw"])
        if "body_base64" in raw:
            told += repr(gzip.decompress(base64.b64decode(raw["body_base64"])))
    assert "hunter2" not in told


def test_a_secret_in_the_referer() -> None:
    """It is in no column, also where the name is one whose query is kept."""
    (event,) = events(hit("/", {"Referer": "https://a.example/?ref=https%3A%2F%2Fb%2F%3Fpassword%3Dhunter2"}))
    assert event["url"] == "https://a.example/?ref=https%3A%2F%2Fb%2F%3Fpassword%3D"


def test_what_only_mentions_a_secret_stays() -> None:
    """As it was sent, letter by letter."""
    (event,) = events(hit("/?title=I+forgot+my+password%3F&note=https://a.example/secret/%2541?a=%2541"))
    assert event["title"] == "I forgot my password?"
    assert event["properties"] == [("note", ["https://a.example/secret/%41?a=%41"])]


def test_a_call_ends_at_many_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the hit that reaches the bound, the caller goes on."""
    monkeypatch.setattr(size, "MAX_ELEMENTS", 3)
    bulk = hit("/events", method="POST", body=b"[{},{}]")
    decoded = decode(batch(bulk, bulk, bulk, start=7), rules())
    assert list(decoded.batch.positions) == [7, 8]
    assert len(decoded.batch.hits) == 2
    assert list(decoded.columns.values("position")) == [7, 7, 8, 8]


def test_a_refused_element_tells_nothing_of_its_neighbours() -> None:
    """The raw hit of a reject is kept as the strictest policy of all its elements wants it, whichever is refused."""
    body = b'[{"site":"open","user":"carol"},{"site":"strict","user":"alice"}]'
    sent = batch(hit("/events?title=t", {"DNT": "1"}, method="POST", body=body))
    for policy, told in (("anonymous", False), ("withhold", False), ("ignore", True)):
        decoded = decode(sent, rules(), Policies("ignore", {"strict": ((0, policy),)}))
        (refused,) = refusals(decoded, {0: (Fault("unknown_site", "site", ""),)})
        assert ("alice" in refused.raw, "carol" in refused.raw) == (told, told)


def test_a_referer_that_grows() -> None:
    """What is encoded anew without its secrets may become longer than a field may be: then it is a fault."""
    headers = b"Referer: ?" + b"\xff" * 900 + b"%252526password%25253Dx\r\n"
    for query in (b"", b"?site=a&url=https://a.example/"):
        (row,) = rejects(Hit.of(1, "192.0.2.1", "192.0.2.1", "GET", b"/pixel.gif" + query, headers))
        assert row["reason"] == "too_long"


def test_an_erased_hit_is_withheld() -> None:
    """It keeps its place, and nobody takes it for a page."""
    outcome = judge(hit("/pixel.gif?site=a.example").erased(), hit("/pixel.gif?site=b.example"))
    assert outcome.withheld["position"].to_pylist() == [1]
    assert outcome.events["site"].to_pylist() == ["b.example"]


def test_erased_elements_are_withheld_and_others_keep_their_names() -> None:
    """What stands behind an erased element has the name it had before."""
    body = json.dumps([{"site": "a.example", "user": user} for user in (ERASURE, "other")]).encode()
    whole = hit("/events", {"Content-Type": "application/json"}, body=body, method="POST")
    partly = msgspec.structs.replace(whole, source=whole.source + PARTLY_ERASED)
    outcome = judge(partly)
    assert outcome.withheld["position"].to_pylist() == [1]
    (event,) = outcome.events.to_pylist()
    assert (event["user_id"], event["source"]) == ("other", whole.source)
    assert event["hit_id"].endswith(".1")
    assert judge(whole).events.num_rows == 2  # who only writes the word is no less an event


def test_what_came_and_is_no_hit_is_a_reject() -> None:
    """It says what came, as far as the lake would keep that, beside the events of its batch; its name is its own."""
    broken = Hit(hit().received_at, "", "", b"", b'{"v":1,"peer":"203.0.113.9","x":"ann@a.example"', UNREADABLE, "m-1")
    outcome = judge(hit("/?site=a"), broken, hit("/?site=b"))
    assert outcome.events["site"].to_pylist() == ["a", "b"]
    [reject] = outcome.rejects.to_pylist()
    assert (reject["hit_id"], reject["reason"], reject["position"]) == ("m-1", "message_unreadable", 2)
    assert reject["visitor_id"] is None
    assert '"source":"unreadable"' in reject["raw"]
    assert "203.0.113.9" not in reject["raw"]
    assert "ann@" not in reject["raw"]
