"""Who the client is."""

from dataclasses import fields
from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pixelake.collect.client import HEADERS, MAX_HOPS, Clients
from pixelake.settings import Settings, check
from tests.strategies import addresses, forwarding, told

TRUSTED = ("10.0.0.0/8", "2001:db8:ffff::/48")
PROXY = "10.0.0.1"


def client(header: str, *values: bytes, peer: str = PROXY) -> str:
    """The client, where these are the values of that header."""
    lines = b"".join(b"%b: %b\r\n" % (header.title().encode(), value) for value in values)
    return Clients(TRUSTED, header).client(peer, b"Host: a.example\r\n" + lines + b"Accept: */*\r\n")


LISTS = {
    "none": ((), PROXY),
    "one": ((b"203.0.113.9",), "203.0.113.9"),
    "what the client made up stands first": ((b"6.6.6.6, 203.0.113.9",), "203.0.113.9"),
    "behind trusted proxies": ((b"6.6.6.6, 203.0.113.9, 10.0.0.3, 10.0.0.2",), "203.0.113.9"),
    "trusted proxies alone": ((b"10.0.0.3, 10.0.0.2",), "10.0.0.3"),
    "several headers": ((b"6.6.6.6", b"203.0.113.9, 10.0.0.3", b"10.0.0.2"), "203.0.113.9"),
    "not an address": ((b"203.0.113.9, unknown, 10.0.0.2",), "10.0.0.2"),
    "not an address at the end": ((b"203.0.113.9, x",), PROXY),
    "a port": ((b"203.0.113.9:567",), "203.0.113.9"),
    "no port": ((b"203.0.113.9:",), PROXY),
    "IPv6": ((b"2001:DB8::0:1",), "2001:db8::1"),
    "brackets": ((b"[2001:db8::1]",), "2001:db8::1"),
    "brackets and a port": ((b"[2001:db8::1]:80",), "2001:db8::1"),
    "quotes": ((b'"[2001:db8::1]:4711"',), "2001:db8::1"),
    "an open bracket": ((b"[2001:db8::1",), PROXY),
    "behind the bracket": ((b"[2001:db8::1]x",), PROXY),
    "mapped": ((b"::ffff:203.0.113.9, ::ffff:10.0.0.2",), "203.0.113.9"),
    "NAT64": ((b"64:ff9b::cb00:7109",), "203.0.113.9"),
    "a trusted one of IPv6": ((b"203.0.113.9, [2001:db8:ffff::1]:80",), "203.0.113.9"),
    "empty entries": ((b",203.0.113.9, ,\t10.0.0.2,",), "203.0.113.9"),
    "no blanks": ((b"203.0.113.9,10.0.0.2",), "203.0.113.9"),
}


@pytest.mark.parametrize(("values", "expected"), LISTS.values(), ids=LISTS.keys())
def test_x_forwarded_for(values: tuple[bytes, ...], expected: str) -> None:
    """From the end, the first address that is no trusted proxy's; no further than what cannot be read."""
    assert client("x-forwarded-for", *values) == expected


ELEMENTS = {
    "one": ((b"for=203.0.113.9",), "203.0.113.9"),
    "any case, more pairs": ((b"proto=https;FOR=203.0.113.9;by=10.0.0.1",), "203.0.113.9"),
    "blanks": ((b" for=203.0.113.9 ; proto=https ,for=10.0.0.2 ",), "203.0.113.9"),
    "IPv6": ((b'for="[2001:db8:cafe::17]:4711"',), "2001:db8:cafe::17"),
    "IPv6 without its quotes": ((b"for=[2001:db8:cafe::17]:4711",), "2001:db8:cafe::17"),
    "an escape": ((b'for="203.0.113\\.9"',), "203.0.113.9"),
    "a hidden port": ((b'for="203.0.113.9:_port"',), "203.0.113.9"),
    "behind trusted proxies": ((b"for=6.6.6.6, for=203.0.113.9", b"for=10.0.0.3, for=10.0.0.2"), "203.0.113.9"),
    "unknown": ((b"for=203.0.113.9, for=unknown, for=10.0.0.2",), "10.0.0.2"),
    "hidden": ((b"for=203.0.113.9, for=_gazonk",), PROXY),
    "none": ((b"proto=https",), PROXY),
    "two": ((b"for=203.0.113.9;for=203.0.113.8",), PROXY),
    "empty elements": ((b",,for=203.0.113.9, ,",), "203.0.113.9"),
    "a comma in quotes": ((b'for=203.0.113.9;host="a, for=6.6.6.6"',), "203.0.113.9"),
    "a pair in quotes": ((b'host="a;for=6.6.6.6";for=203.0.113.9',), "203.0.113.9"),
    "a quote left open before": ((b'for="6.6.6.6, for=203.0.113.9',), "203.0.113.9"),
    "a quote left open before a quote": ((b'for="6.6.6.6, for="203.0.113.9"',), "203.0.113.9"),
    "a quote left open across headers": ((b'for="6.6.6.6', b'for=203.0.113.9;host="a"'), "203.0.113.9"),
    "not closed": ((b'for="203.0.113.9',), PROXY),
    "no pair": ((b"203.0.113.9",), PROXY),
}


@pytest.mark.parametrize(("values", "expected"), ELEMENTS.values(), ids=ELEMENTS.keys())
def test_forwarded(values: tuple[bytes, ...], expected: str) -> None:
    """The same for `Forwarded`; a quote that the client leaves open hides nothing of what a proxy wrote behind it."""
    assert client("forwarded", *values) == expected


def quoted(text: str) -> str:
    """As a proxy writes what it does not know."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(told, st.text('",;=\\ afor6.', max_size=30), st.text('",;=\\ afor6.', max_size=30))
@example(b'for="x', ",for=6.6.6.6;a=", "")
@example(b"", ",for=6.6.6.6;a=", ";b=")
def test_nobody_can_forge_what_a_proxy_wrote(sent: bytes, host: str, by: str) -> None:
    """Whatever the client sends ahead, or has the proxy quote, the client is whom the proxy names."""
    element = f"for=203.0.113.9;host={quoted(host)};by={quoted(by)}".encode()
    assert client("forwarded", sent + b", " + element if sent else element) == "203.0.113.9"
    assert client("forwarded", sent, element) == "203.0.113.9"


VIEWERS = {
    "IPv4": (b"198.51.100.10:46532", "198.51.100.10"),
    "IPv6": (b"2001:db8::1:46532", "2001:db8::1"),
    "IPv6 in full": (b"2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
    "IPv6 in brackets": (b"[2001:db8::1]:46532", "2001:db8::1"),
    "no port": (b"198.51.100.10", PROXY),
    "an empty one": (b"", PROXY),
    "no number": (b"198.51.100.10:x", PROXY),
}


@pytest.mark.parametrize(("value", "expected"), VIEWERS.values(), ids=VIEWERS.keys())
def test_cloudfront_viewer_address(value: bytes, expected: str) -> None:
    """Address and port; the port is behind the last colon, also of IPv6."""
    assert client("cloudfront-viewer-address", value) == expected


def test_one_address() -> None:
    """Cloudflare names one address. Of several headers the last one is the nearest proxy's."""
    assert client("cf-connecting-ip", b"203.0.113.9") == "203.0.113.9"
    assert client("cf-connecting-ip", b"2001:db8::1") == "2001:db8::1"
    assert client("cf-connecting-ip", b"6.6.6.6", b"203.0.113.9") == "203.0.113.9"
    assert client("cf-connecting-ip", b"6.6.6.6, 203.0.113.9") == PROXY
    assert client("cf-connecting-ip") == PROXY


@given(st.sampled_from(sorted(HEADERS)), addresses, forwarding | st.binary(max_size=60))
def test_an_untrusted_peer_is_not_believed(header: str, peer: str, headers: bytes) -> None:
    """Whatever it sends, the client of such a peer is the peer."""
    clients = Clients(TRUSTED, header)
    if not clients.trusts(peer):
        assert clients.client(peer, headers) == clients.client(peer, b"")
        assert Clients((), header).client(peer, headers) == clients.client(peer, b"")


@given(
    st.sampled_from(sorted(HEADERS)), st.sampled_from([PROXY, "2001:db8:ffff::1"]), forwarding | st.binary(max_size=60)
)
def test_a_client_is_an_address(header: str, peer: str, headers: bytes) -> None:
    """A trusted peer may send what it likes: the client is an address in its usual spelling, and nothing is raised."""
    found = Clients(TRUSTED, header).client(peer, headers)
    assert str(ip_address(found)) == found


@pytest.mark.parametrize(
    ("peer", "usual"), [("::ffff:203.0.113.9", "203.0.113.9"), ("2001:DB8:0::1", "2001:db8::1"), ("", "")]
)
def test_the_peer_itself(peer: str, usual: str) -> None:
    """Without a proxy the client is the peer, in its usual spelling; a Unix socket has none."""
    assert Clients(()).client(peer, b"X-Forwarded-For: 6.6.6.6\r\n") == usual


def test_names_are_exact() -> None:
    """Only the header that is set tells: none that ends in its name, or that only a value names."""
    lines = b"Forwarded: for=6.6.6.6\r\nNot-X-Forwarded-For: 6.6.6.6\r\nX: x-forwarded-for: 6.6.6.6\r\n"
    assert Clients(TRUSTED).client(PROXY, lines) == PROXY
    assert Clients(TRUSTED).client(PROXY, b"x-forwarded-for:203.0.113.9") == "203.0.113.9"
    assert Clients(TRUSTED).client(PROXY, lines + b"X-FORWARDED-FOR: 203.0.113.9\r\n") == "203.0.113.9"


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
def test_a_long_chain_ends(header: str) -> None:
    """Of an endless chain of trusted proxies only the nearest are looked at."""
    form = "for=10.1.0.{}" if header == "forwarded" else "10.1.0.{}"
    hops = ", ".join(form.format(number) for number in range(MAX_HOPS + 1))
    assert client(header, hops.encode()) == "10.1.0.1"


UNDECLARED = {
    "a list": ("10.0.0.1", b"x-forwarded-for: 203.0.113.9\r\n", True),
    "Forwarded": ("192.168.0.1", b"Host: a\r\nForwarded: for=203.0.113.9\r\n", True),
    "CloudFront": ("172.16.0.1", b"Host: a\r\nCLOUDFRONT-VIEWER-ADDRESS: 203.0.113.9:1\r\n", True),
    "Cloudflare": ("127.0.0.1", b"Cf-Connecting-Ip: 203.0.113.9\r\n", True),
    "nginx": ("::1", b"X-Real-IP: 203.0.113.9\r\n", True),
    "a local network of IPv6": ("fd00::1", b"X-Real-IP: 203.0.113.9\r\n", True),
    "a link": ("fe80::1", b"X-Real-IP: 203.0.113.9\r\n", True),
    "a carrier's": ("100.64.0.1", b"X-Real-IP: 203.0.113.9\r\n", True),
    "mapped": ("::ffff:10.0.0.1", b"X-Real-IP: 203.0.113.9\r\n", True),
    "declared": ("10.9.0.1", b"X-Forwarded-For: 203.0.113.9\r\n", False),
    "no such header": ("10.0.0.1", b"Host: a\r\nX-Forwarded-Proto: https\r\nX: forwarded:\r\n", False),
    "from the internet": ("203.0.113.9", b"X-Forwarded-For: 6.6.6.6\r\n", False),
    "a Unix socket": ("", b"X-Forwarded-For: 6.6.6.6\r\n", False),
}


@pytest.mark.parametrize(("peer", "headers", "expected"), UNDECLARED.values(), ids=UNDECLARED.keys())
def test_undeclared(peer: str, headers: bytes, expected: bool) -> None:
    """A proxy that nobody declared is one of an inner network, untrusted, that sends a forwarding header."""
    assert Clients(["10.9.0.0/16"]).undeclared(peer, headers) is expected


def test_the_source_of_a_connection() -> None:
    """What a PROXY header tells counts if its sender is trusted and it tells something."""
    clients = Clients(TRUSTED)
    assert clients.source(PROXY, "203.0.113.9") == "203.0.113.9"
    assert clients.source(PROXY, "") == PROXY
    assert clients.source("203.0.113.8", "6.6.6.6") == "203.0.113.8"


def test_every_header_is_a_choice() -> None:
    """The setting has the headers that are read, and no others; the default one of each is the same."""
    (setting,) = [each for each in fields(Settings) if each.name == "client_header"]
    assert set(setting.metadata["choices"]) == set(HEADERS)
    settings = Settings(trusted_proxies=("private", "2001:db8::7"), proxy_protocol="on")
    check(settings)
    assert Clients(settings.trusted_proxies, settings.client_header).trusts("192.168.0.1")
