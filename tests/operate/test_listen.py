"""Tests of `pixelake.operate.listen`."""

import pytest

from pixelake.errors import PortInUse, SettingsError
from pixelake.operate.listen import PATIENCE, address_of, bind, healthy, reachable
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
        assert not healthy(listener, 0.1)
