"""Tests of `pixelake.operate.listen`."""

import pytest

from pixelake.errors import PortInUse, SettingsError
from pixelake.operate.listen import PATIENCE, address_of, bind, everywhere, healthy, pixel_url, reachable
from pixelake.settings import Settings
from pixelake.testing import FakeClock


def test_addresses() -> None:
    """Port 0 becomes a real one; IPv6 stands in brackets; a wildcard is reached by loopback."""
    clock = FakeClock()
    with bind("collect", "127.0.0.1:0") as listener:
        assert address_of(listener) == f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(PortInUse):
            bind("web", address_of(listener), clock)
    assert sum(clock.slept) == pytest.approx(PATIENCE, abs=0.1)  # it may be about to be free
    assert reachable("0.0.0.0:80") == "127.0.0.1:80"
    assert reachable("[::]:80") == "[::1]:80"
    assert reachable("10.0.0.1:80") == "10.0.0.1:80"


def test_no_address() -> None:
    """What is no address, or none of ours, is refused."""
    with pytest.raises(SettingsError):
        bind("collect", "8080")
    with pytest.raises(PortInUse):
        bind("collect", "192.0.2.1:80")


def test_nobody_answers() -> None:
    """A socket alone is not healthy, although it accepts."""
    with bind("collect", "127.0.0.1:0") as listener:
        assert not healthy(f"http://{address_of(listener)}", 0.1)


URLS = {
    "the public address": (Settings(public_url="https://p.example/"), "https://p.example"),
    "an address": (Settings(collect="10.0.0.1:80"), "http://10.0.0.1:80"),
    "a certificate": (Settings(collect="0.0.0.0:443", tls_certificate="c", tls_key="k"), "https://127.0.0.1:443"),
    "the wildcard": (Settings(collect="0.0.0.0:80"), "http://127.0.0.1:80"),
    "the wildcard of IPv6": (Settings(collect="[::]:80"), "http://[::1]:80"),
}


@pytest.mark.parametrize(("settings", "url"), URLS.values(), ids=URLS.keys())
def test_pixel_url(settings: Settings, url: str) -> None:
    """A tag never points to the wildcard: nobody can connect to that."""
    assert pixel_url(settings) == url


def test_everywhere() -> None:
    """The wildcard is known in both families."""
    assert [everywhere(f"{host}:80") for host in ("0.0.0.0", "[::]", "127.0.0.1", "[::1]")] == [
        True,
        True,
        False,
        False,
    ]
