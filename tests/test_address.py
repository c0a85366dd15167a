"""Addresses, cut short."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.address import Networks, may_carry, packed, truncated, without_addresses, written
from tests.work import growth

ADDRESSES = {
    "IPv4": ("203.0.113.9", "203.0.113.0"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    "IPv4 in IPv6": ("::ffff:203.0.113.9", "203.0.113.0"),
    "IPv4 by NAT64": ("64:ff9b::cb00:7109", "203.0.113.0"),
    "NAT64 of a network's own": ("64:ff9b:1::cb00:7109", "64:ff9b:1::"),
    "a zone": ("fe80::1%eth0", "fe80::"),
    "nothing": ("", None),
    "a name": ("localhost", None),
    "NUL": ("1.2.3.4\x00", None),
    "foreign digits": ("\u0661.\u0662.\u0663.\u0664", None),
}


@pytest.mark.parametrize(("sent", "expected"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_truncated(sent: str, expected: str | None) -> None:
    """IPv4 to /24, IPv6 to /48, IPv4 also where it is written as IPv6."""
    assert truncated(sent) == expected


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def unwrapped(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """IPv4 where it is written as IPv6, as the library says."""
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return getattr(address, "ipv4_mapped", None) or address


@given(st.ip_addresses())
def test_truncated_is_the_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """For every address it is its network's first one, as the library says."""
    known = unwrapped(address)
    network = ipaddress.ip_network((known, 24 if known.version == 4 else 48), strict=False)
    assert ipaddress.ip_address(truncated(str(address)) or "") == network.network_address
    assert packed(str(address)) == known.packed
    assert written(known.packed) == str(known)


HEADERS = {
    "a list": ("203.0.113.9, 198.51.100.7", "203.0.113.0, 198.51.100.0"),
    "ports": ("203.0.113.9:8080", "203.0.113.0:8080"),
    "RFC 7239": ('for="[2001:db8:1:2::3]:443";proto=https', 'for="[2001:db8:1::]:443";proto=https'),
    "an IPv6 port without brackets": ("2001:db8:1:2:3:4:5:6:443", "-"),
    "names": ("unknown, _hidden", "unknown, _hidden"),
    "no address": ("999.999.999.999", "-"),
    "NAT64": ("64:ff9b::203.0.113.9", "203.0.113.0"),
    "too many digits": ("a2001:db8:1:2:3:4:5:6", "a2001:-"),
}


def test_a_long_run_holds_no_address_afterwards() -> None:
    """Wherever it is cut, no more than two groups of digits are left side by side."""
    for start in range(20):
        left = without_addresses(("2001:db8:1:2:3:4:5:6:" * 40)[start:])
        assert not re.search(r"[0-9a-f]+:[0-9a-f]+:[0-9a-f]+:[0-9a-f]", left)


@pytest.mark.parametrize("run", ["f", ":", "1", ".", "1.", "f:", "::", "1.1.1.", "ffff:", "fffff:", " ", "a:g"])
def test_the_time_grows_with_the_length(run: str) -> None:
    """Eight times the letters take about eight times as long, not sixty-four times, whatever they are."""
    assert growth(without_addresses, run) < 24


@pytest.mark.parametrize(("sent", "expected"), HEADERS.values(), ids=HEADERS.keys())
def test_without_addresses(sent: str, expected: str) -> None:
    """Every address of a forwarding header is cut, and what only looks like one goes."""
    assert without_addresses(sent) == expected


@pytest.mark.parametrize("name", ["x-forwarded-for", "Via", "x-anything", "Host-Address", "origin-ip", "datex", ""])
def test_headers_that_may_carry_an_address(name: str) -> None:
    """All that are not known to carry none, also those whose names only begin like one of these."""
    assert may_carry(name)


@pytest.mark.parametrize(
    "name", ["User-Agent", "host", "Origin", "accept-language", "Sec-CH-UA", "If-None-Match", "date"]
)
def test_headers_that_carry_none(name: str) -> None:
    """Versions and times in them only look like addresses."""
    assert not may_carry(name)


@given(st.lists(st.ip_addresses().flatmap(lambda one: st.tuples(st.just(one), st.integers(1, one.max_prefixlen)))))
def test_networks_hold_what_the_library_says(pairs: list[tuple[ipaddress.IPv4Address, int]]) -> None:
    """An address is in some networks if it is in one of them; addresses at their edges are tried."""
    networks = [ipaddress.ip_network(pair, strict=False) for pair in pairs]
    plain = [each for each in networks if unwrapped(each.network_address).version == each.version]
    known = Networks(map(str, plain))
    assert bool(known) == bool(plain)
    for each in plain:
        for value in (-1, 0, each.num_addresses - 1, each.num_addresses):
            at = int(each.network_address) + value
            if 0 <= at < 1 << each.max_prefixlen:
                address = unwrapped(type(each.network_address)(at))
                assert (address.packed in known) == any(address in network for network in plain)


def test_networks_of_mapped_addresses() -> None:
    """A network that is written as IPv6 but is one of IPv4 holds the addresses of IPv4, however they are written."""
    known = Networks(["::ffff:10.0.0.0/104", "64:ff9b::c000:200/120"])
    for address, inside in {"10.1.2.3": True, "::ffff:10.9.9.9": True, "192.0.2.9": True, "11.0.0.1": False}.items():
        assert ((packed(address) or b"") in known) == inside


def test_networks_by_name() -> None:
    """``loopback`` and ``private`` are words for what they say."""
    known = Networks(["loopback", "private"])
    for address in ("127.9.9.9", "::1", "10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.1.1", "fd00::1", "fe80::1"):
        assert (packed(address) or b"") in known
    for address in ("8.8.8.8", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::2"):
        assert (packed(address) or b"") not in known


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("10.0.0.1/8", "unlike 10.0.0.0/8"),
        ("proxy.example", "no network"),
        ("", "no network"),
        ("10.0.0.0/33", "no network"),
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("::ffff:0:0/96", "everybody"),
        ("10.0.0.0/8/8", "no network"),
    ],
)
def test_no_network(name: str, why: str) -> None:
    """What is none, what is meant otherwise, and what would trust everybody, is refused by name."""
    with pytest.raises(ValueError, match=re.escape(why)) as raised:
        Networks(["192.0.2.0/24", name])
    assert repr(name) in str(raised.value)
