"""Tests of `pixelake.collect.admission`: each setting that decides who comes in, and as what."""

import math
import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.collect.admission import Admission, Refused
from pixelake.collect.plain import SECRET_HEADERS
from pixelake.hit import Hit
from pixelake.settings import Settings
from pixelake.testing import FakeClock
from tests.fuzz.mutate import spelled

VALUE = b"hunter2xyz"


@dataclass
class Guest:
    """Who sends a request."""

    address: str = ""
    peer: str = ""
    client: str = ""


def head(query: bytes = b"a=1", *lines: bytes) -> bytes:
    """A GET of the pixel."""
    return (
        b"GET /pixel.gif?"
        + query
        + b" HTTP/1.1\r\nHost: a\r\n"
        + b"".join(b"%b\r\n" % each for each in lines)
        + b"\r\n"
    )


class Door:
    """An admission with some settings, a clock, and a peer."""

    def __init__(self, peer: str = "198.51.100.7", told: str = "", **settings: Any) -> None:
        self.admission = Admission(Settings(**settings))
        self.clock = FakeClock()
        self.guest = Guest()
        self.admission.greet(self.guest, peer, told)

    def __call__(self, sent: bytes, body: bytes = b"") -> Hit | Refused:
        """What comes of a request."""
        return self.admission.hit(self.clock, self.guest, sent, body, self.admission.odds(sent))


def test_usually_nothing_stands_against_it() -> None:
    """A plain head is kept as it is, and may come in with others; one that ends its connection is told apart."""
    door = Door()
    assert door(head()) == Hit(door.clock.now(), "198.51.100.7", "198.51.100.7", head())
    assert door.admission.may_all([head(), head(b"b=2")]) is True
    assert door.admission.may_all([head(), head(b"b=2", b"Connection: close")]) is None
    assert door.admission.may_all([head(), head(b"password=2")]) is False


@pytest.mark.parametrize("setting", [{"site_rate": 1.0}, {"address_rate": 1.0}, {"privacy": "strict"}])
def test_what_looks_at_each(setting: dict[str, Any]) -> None:
    """Rates and strict privacy let nobody in unseen."""
    assert Door(**setting).admission.may_all([head()]) is False


def test_the_rate_of_a_site() -> None:
    """Past its burst a site is refused, and told when to come back; others are not, and then neither is it."""
    door = Door(site_rate=0.25, site_burst=2.0)
    for _ in range(2):
        assert isinstance(door(head(b"site=a.example")), Hit)
    refused = door(head(b"site=a.example"))
    assert refused == Refused("rate_site", 4)
    assert isinstance(door(head(b"site=b.example")), Hit)
    door.clock.advance(4)
    assert isinstance(door(head(b"site=a.example")), Hit)


def test_the_rate_of_an_address() -> None:
    """As of a site; whom a trusted proxy names has a rate of its own."""
    door = Door("10.0.0.1", address_rate=1.0, address_burst=1.0, trusted_proxies=("10.0.0.0/8",))
    first, second = (head(b"a", b"X-Forwarded-For: 203.0.113.%d" % number) for number in (1, 2))
    assert isinstance(door(first), Hit)
    assert door(first) == Refused("rate_address", 1)
    assert isinstance(door(second), Hit)


def test_a_proxy_nobody_declared() -> None:
    """Its address is everybody's: no rate for it, and it is noted."""
    door = Door("10.0.0.1", address_rate=1.0, address_burst=1.0)
    forwarded = head(b"a", b"X-Forwarded-For: 203.0.113.1")
    assert [isinstance(door(forwarded), Hit) for _ in range(3)] == [True] * 3
    assert door.admission.undeclared == "10.0.0.1"
    assert isinstance(door(head()), Hit)
    assert door(head()) == Refused("rate_address", 1)


@pytest.mark.parametrize(
    ("trusted", "client"), [((), "10.0.0.1"), (("10.0.0.0/8",), "203.0.113.9")], ids=["undeclared", "declared"]
)
def test_who_the_client_is(trusted: tuple[str, ...], client: str) -> None:
    """Only a declared proxy is believed, by its header and by what it introduces a connection with."""
    hit = Door("10.0.0.1", trusted_proxies=trusted)(head(b"a", b"X-Forwarded-For: 1.1.1.1, 203.0.113.9"))
    assert isinstance(hit, Hit)
    assert (hit.peer, hit.client) == ("10.0.0.1", client)
    introduced = Door("10.0.0.1", "203.0.113.9", trusted_proxies=trusted)(head())
    assert isinstance(introduced, Hit)
    assert (introduced.peer, introduced.client) == (client, client)


def test_whom_a_load_balancer_introduces_is_no_proxy() -> None:
    """Its headers are believed only if it is trusted itself; `client` differs from `peer` just then (geo asks that)."""
    spoofed = head(b"a", b"X-Forwarded-For: 198.51.100.1", b"CF-IPCountry: AQ")
    direct = Door("10.0.0.1", "203.0.113.9", trusted_proxies=("10.0.0.0/8",))(spoofed)
    assert isinstance(direct, Hit)
    assert direct.client == direct.peer == "203.0.113.9"
    edge = Door("10.0.0.1", "203.0.113.9", trusted_proxies=("10.0.0.0/8", "203.0.113.0/24"))(spoofed)
    assert isinstance(edge, Hit)
    assert (edge.peer, edge.client) == ("203.0.113.9", "198.51.100.1")


def test_strict_privacy() -> None:
    """No whole address of anybody is kept, wherever it was told."""
    door = Door("10.1.2.3", privacy="strict", trusted_proxies=("10.0.0.0/8",))
    hit = door(head(b"a", b"X-Forwarded-For: 203.0.113.9", b"X-Real-IP: 203.0.113.9"))
    assert isinstance(hit, Hit)
    assert (hit.peer, hit.client) == ("10.1.2.0", "203.0.113.0")
    assert b"203.0.113.9" not in hit.head
    assert hit.target == b"/pixel.gif?a"


HEADERS = st.builds(
    lambda name, upper, gap: (name.upper() if upper else name.title()).encode() + b":" + gap + VALUE,
    st.sampled_from(SECRET_HEADERS),
    st.booleans(),
    st.sampled_from([b" ", b"", b"\t", b"  "]),
)
NAMES = (*Settings().secret_parameters, "a-b", "token2", "api key", "x.y")
PARAMETERS = st.builds(
    lambda name, seed, nested: (
        b"url=https%3A%2F%2Fa%2F%3F" + name.replace(" ", "+").encode() + b"%3D" + VALUE
        if nested and " " not in name
        else spelled(random.Random(seed), name) + b"=" + VALUE
    ),
    st.sampled_from(NAMES),
    st.integers(0, 2**32),
    st.booleans(),
)
PLAIN_LINES = st.sampled_from([b"X: cookie", b"Cookies: 1", b"Referer: https://a/?b=1&c", b"X-Y:  z ", b"Accept: */*"])
PLAIN_PARAMETERS = st.sampled_from(
    [b"a=1", b"passwords=1", b"t=a%20b", b"url=https%3A%2F%2Fa%2F%3Fx%3D1", b"=&", b"nosecret=1"]
)


@given(
    st.lists(st.one_of(PARAMETERS, PLAIN_PARAMETERS), max_size=4),
    st.lists(
        st.one_of(HEADERS, PLAIN_LINES, PARAMETERS.map(lambda each: b"Referer: https://a/?x=1&" + each)), max_size=4
    ),
)
def test_no_secret_is_kept(parameters: list[bytes], lines: list[bytes]) -> None:
    """Wherever it stands and however it is spelled; what is kept is still a whole head."""
    door = Door(secret_parameters=NAMES)
    lines = [line for line in lines if b"Referer" not in line or not (b"%" in line or b"+" in line)]
    sent = head(b"&".join(parameters), *lines)
    hit = door(sent)
    assert isinstance(hit, Hit)
    assert VALUE not in hit.head
    assert hit.head.startswith(b"GET /pixel.gif?")
    assert b" HTTP/1.1\r\nHost: a\r\n" in hit.head
    assert hit.head.endswith(b"\r\n\r\n")
    if VALUE not in sent:
        assert hit.head == sent


def test_bodies_lose_their_secrets() -> None:
    """Whether the head has any or not."""
    hit = Door()(head(), b'{"password":"hunter2","a":1}')
    assert isinstance(hit, Hit)
    assert hit.body == b'{"password":"","a":1}'


def test_a_wait_is_rounded_up() -> None:
    """Whoever comes back when told is let in."""
    door = Door(address_rate=0.3, address_burst=1.0)
    door(head())
    refused = door(head())
    assert isinstance(refused, Refused)
    assert refused.retry_after == math.ceil(1 / 0.3)
    door.clock.advance(refused.retry_after)
    assert isinstance(door(head()), Hit)
