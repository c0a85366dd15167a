"""Addresses, cut short."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.transform.address import packed, truncated, without_addresses
from tests.work import growth

ADDRESSES = {
    "IPv4": ("203.0.113.9", "203.0.113.0"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    "IPv4 in IPv6": ("::ffff:203.0.113.9", "203.0.113.0"),
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


@given(st.ip_addresses())
def test_truncated_is_the_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """For every address it is its network's first one, as the library says."""
    mapped = getattr(address, "ipv4_mapped", None) or address
    network = ipaddress.ip_network((mapped, 24 if mapped.version == 4 else 48), strict=False)
    assert ipaddress.ip_address(truncated(str(address)) or "") == network.network_address
    assert packed(str(address)) == mapped.packed


HEADERS = {
    "a list": ("203.0.113.9, 198.51.100.7", "203.0.113.0, 198.51.100.0"),
    "ports": ("203.0.113.9:8080", "203.0.113.0:8080"),
    "RFC 7239": ('for="[2001:db8:1:2::3]:443";proto=https', 'for="[2001:db8:1::]:443";proto=https'),
    "an IPv6 port without brackets": ("2001:db8:1:2:3:4:5:6:443", "-"),
    "names": ("unknown, _hidden", "unknown, _hidden"),
    "no address": ("999.999.999.999", "-"),
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
