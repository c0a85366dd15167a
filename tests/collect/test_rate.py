"""How fast hits may come."""

from fractions import Fraction
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelake.collect.rate import Buckets, Sites, address_key
from pixelake.dialects.native import Native
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.transform.decode import decode
from pixelake.transform.rules import make_rules
from tests.strategies import addresses, messy

ALIASES = Settings().aliases


class Model:
    """A token bucket as the textbook has it, in exact fractions."""

    def __init__(self, rate: Fraction, burst: Fraction) -> None:
        self.rate, self.burst, self.tokens, self.at = rate, burst, burst, Fraction(0)

    def take(self, now: Fraction, cost: Fraction) -> Fraction:
        """Seconds to wait; 0 if the tokens were there."""
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens >= cost:
            self.tokens -= cost
            return Fraction(0)
        return (cost - self.tokens) / self.rate


@given(
    st.sampled_from([1, 2, 8]),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.integers(1, 7)), max_size=60),
)
def test_buckets_are_those_of_the_textbook(rate: int, burst: int, moves: list[tuple[int, int, int]]) -> None:
    """Each key is let through, and told how long to wait, just as by a bucket of tokens of its own."""
    buckets = Buckets(rate, burst)
    models = [Model(Fraction(rate), Fraction(burst)) for _ in range(3)]
    now = Fraction(1_000)
    for step, who, cost in moves:
        now += Fraction(step, 16)  # parts that a float holds exactly
        expected = models[who].take(now, Fraction(min(cost, burst)))
        assert buckets.take(str(who), float(now), cost) == expected


def test_a_second_is_the_usual_burst() -> None:
    """Without a burst those of a second may come at once, and one at least."""
    for rate, most in ((5.0, 5), (0.25, 1)):
        buckets = Buckets(rate)
        assert [buckets.take(b"a", 10.0) for _ in range(most)] == [0.0] * most
        assert buckets.take(b"a", 10.0) == pytest.approx(1 / rate)


@pytest.mark.parametrize("rate", [0.3, 3, 7, 49, 1_000])
def test_rounding_refuses_nobody(rate: float) -> None:
    """A burst is whole, also of thirds of a second at a late hour."""
    buckets = Buckets(rate, 9)
    for number in range(100):
        now = 1_234_567.1 + number * 40
        assert [buckets.take(b"a", now) for _ in range(9)] == [0.0] * 9
        assert buckets.take(b"a", now) > 0


def test_a_flood_of_keys_resets_nobody() -> None:
    """A key that has used up its hits stays refused, however many new keys come, and the memory is bounded."""
    buckets = Buckets(1, 10, most=100)
    for _ in range(10):
        assert buckets.take("hot", 50.0) == 0.0
    for number in range(5_000):
        now = 50.0 + number / 1_000
        assert buckets.take(f"new {number}", now) == 0.0
        assert len(buckets) <= 100
        assert number % 500 or buckets.take("hot", 50.0) > 0


def test_a_flood_of_keys_over_time_resets_nobody() -> None:
    """The same where the flood lasts, and the hot key takes whatever flows in."""
    buckets = Buckets(1, 10, most=100)
    hot = 0
    for number in range(20_000):
        now = 50.0 + number / 200
        hot += buckets.take("hot", now) == 0.0
        buckets.take(f"new {number}", now)
    assert hot <= 10 + 100 + 1
    assert len(buckets) <= 101


def test_the_fullest_is_forgotten() -> None:
    """Of too many keys the one that has drawn least goes, also if it is the newest."""
    buckets = Buckets(1, 64, most=3)
    for key, cost in (("half", 32), ("empty", 64), ("little", 2), ("more", 16)):
        assert buckets.take(key, 10.0, cost) == 0.0
    assert len(buckets) == 3
    assert buckets.take("little", 10.0, 64) == 0.0  # was forgotten, so its bucket was full; now "more" is
    assert buckets.take("half", 10.0, 64) == 32
    assert buckets.take("empty", 10.0, 64) == 64


def test_full_buckets_are_let_go() -> None:
    """Keys that come and stay away do not pile up, long before there are too many."""
    buckets = Buckets(10, 10)
    for number in range(1_000):
        buckets.take(number.to_bytes(4, "big"), number / 10)
    assert len(buckets) < 10


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9), st.integers(1, 4)), max_size=80))
def test_books_are_kept(moves: list[tuple[int, int, int]]) -> None:
    """With room for few, too: no key is lost or kept twice, and never more than the bound."""
    buckets = Buckets(4, 3, most=4)
    now = 0.0
    for step, who, cost in moves:
        now += step / 16
        assert buckets.take(who.to_bytes(1, "big"), now, cost) <= 3 / 4
        assert sorted(key for keys in buckets._order.values() for key in keys) == sorted(buckets._full_at)
        assert len(buckets) <= 4


ADDRESSES = {
    "IPv4": ("203.0.113.9", "203.0.113.9"),
    "mapped": ("::ffff:203.0.113.9", "203.0.113.9"),
    "NAT64": ("64:ff9b::203.0.113.9", "203.0.113.9"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
    "a zone": ("fe80::1%eth0", "fe80::"),
    "a Unix socket": ("", ""),
}


@pytest.mark.parametrize(("client", "key"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_address_key(client: str, key: str) -> None:
    """IPv4 has its own bucket, IPv6 that of its /64."""
    assert address_key(client) == key


@given(addresses)
def test_address_keys_are_addresses(client: str) -> None:
    """A key is an address, and its own key; so there are no more keys than networks."""
    key = address_key(client)
    assert address_key(key) == key
    assert not key or ip_address(key)


SITES = {
    "named": (b"/p.gif?site=shop.example&url=https%3A%2F%2Fa.example", b"", b"shop.example"),
    "in capitals": (b"/p.gif?SITE=Shop.Example", b"", b"shop.example"),
    "encoded": (b"/p.gif?a=1&%73ite=shop%2Eexample", b"", b"shop.example"),
    "by an alias": (b"/p.gif?shop=a.example", b"", b"a.example"),
    "twice": (b"/p.gif?site=a.example&site=b.example", b"", b"a.example"),
    "first in other letters": (b"/p.gif?Site=a.example&site=b.example", b"", b"a.example"),
    "as nothing": (b"/p.gif?site=&url=//b.example/", b"", b"b.example"),
    "as what none can be": (b"/p.gif?site=a/b&url=//b.example/", b"", b"b.example"),
    "too long": (b"/p.gif?site=" + b"a" * 254, b"", b"default"),
    "by the page": (b"/p.gif?url=https://B.example:8080/x?site=no", b"Referer: https://c.example/", b"b.example"),
    "by the page's alias": (b"/p.gif?page=https://b.example/", b"", b"b.example"),
    "by a page without host": (b"/p.gif?url=/x", b"Referer: https://c.example/\r\n", b"c.example"),
    "by the origin": (b"/events", b"Referer: https://c.example/\r\nOrigin: https://D.example:1\r\n", b"d.example"),
    "by no origin": (b"/events", b"origin: null\r\nREFERER:https://c.example/x\r\n", b"c.example"),
    "by nothing": (b"/p.gif?a=1", b"Host: h.example\r\n", b"default"),
    "by too much": (b"/p.gif?" + b"a=1&" * 1_000 + b"site=a.example", b"", b"default"),
    "in a path": (b"/site=a.example", b"", b"default"),
    "in other letters than ASCII": (b"/p.gif?site=b%C3%BCcher.example", b"", "bücher.example".encode()),
}


@pytest.mark.parametrize(("target", "headers", "site"), SITES.values(), ids=SITES.keys())
def test_sites(target: bytes, headers: bytes, site: bytes) -> None:
    """By name, else by the page in the query, by the origin, by the referrer."""
    assert Sites({**ALIASES, "shop": "site"}).of(target, headers) == site


RULES = make_rules(Settings(), [Native(ALIASES)])
names = st.sampled_from([b"site", b"SITE", b"%73ite", b"url", b"page", b"x", b"si%74e", b"Site", b"%55RL"])
values = st.sampled_from(
    [b"a.example", b"A.Example", b"b%2Eexample", b"", b"+", b"//c.example/", b"https://D.example:1/?x", b"/x", b"\xff"]
)
queries = st.lists(st.one_of(st.tuples(names, values).map(b"=".join), messy), min_size=1, max_size=5).map(b"&".join)


@given(queries, st.sampled_from([b"", b"Referer: https://r.example/x\r\n", b"Referer: null\r\n"]))
@example(b"site=a.example&site=b.example", b"")
def test_the_lake_names_the_same_site(query: bytes, headers: bytes) -> None:
    """Whatever a query holds, an event's site in the lake is the one whose bucket its hit drew from."""
    hit = Hit.of(1, "", "", "GET", b"/pixel.gif?" + query, headers)
    for site in decode(Batch("p", [hit], [1]), RULES).columns.values("site"):
        assert Sites(ALIASES).of(hit.target, hit.headers) == site.encode()


@given(st.binary(max_size=80) | messy, st.binary(max_size=60))
def test_every_request_has_a_site(target: bytes, headers: bytes) -> None:
    """Whatever is sent, the answer is some bytes, and not many."""
    assert 0 < len(Sites(ALIASES).of(target, headers)) <= 4 * 253
