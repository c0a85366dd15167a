"""Listening sockets: who may have them, and whether somebody answers behind them."""

import errno
import socket
import ssl
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final
from urllib.parse import urlsplit

from pixelake.clock import SYSTEM, Clock
from pixelake.errors import PortInUse
from pixelake.settings import Settings, parse_address

BACKLOG: Final = 4_096
"""Connections that may wait while the collectors are started again; the kernel may have a lower bound."""
PATIENCE: Final = 1.5
"""Seconds to wait for a port: the server before us may be dying right now."""


def bind(name: str, address: str, clock: Clock = SYSTEM) -> socket.socket:
    """A listening socket on ``host:port``; `name` is the setting that says so.

    Raises:
        PortInUse: the address is taken, or cannot be had.
        SettingsError: it is no address.
    """
    host, port = parse_address(name, address)
    deadline = clock.monotonic() + PATIENCE
    while True:
        try:
            return _listen(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and clock.monotonic() < deadline:
                clock.sleep(0.05)  # the server before us may be dying right now
                continue
            flag = "--" + name.replace("_", "-")
            reason = error.strerror or str(error)
            raise PortInUse(f"cannot listen on {address}: {reason}", f"name another address with {flag}") from error


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """``host:port`` of a listening socket; the host in brackets if it is IPv6."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def reachable(address: str) -> str:
    """An address that a client on this machine can connect to: the wildcard is none."""
    host, _, port = address.rpartition(":")
    wildcards = {"0.0.0.0": "127.0.0.1", "0": "127.0.0.1", "[::]": "[::1]", "::": "[::1]"}  # noqa: S104 - not bound here
    return f"{wildcards.get(host, host)}:{port}"


def everywhere(address: str) -> bool:
    """Whether it is the wildcard: all addresses of this machine, and itself none."""
    host, _ = parse_address("collect", address)
    return host in ("0.0.0.0", "::", "0")  # noqa: S104 - nothing is bound here


def pixel_url(settings: Settings) -> str:
    """How the pixel is reached from outside, as far as the settings tell; else from this machine."""
    return settings.public_url.rstrip("/") or url_of(settings, "collect")


def url_of(settings: Settings, role: str) -> str:
    """How a role that listens is reached from this machine."""
    secure = role == "collect" and settings.tls_certificate
    return f"{'https' if secure else 'http'}://{reachable(getattr(settings, role))}"


def connection(url: str, timeout: float, source: tuple[str, int] | None = None) -> HTTPConnection:
    """A connection to a server of this machine; its certificate is for the name that others know it by."""
    place = urlsplit(url)
    host = place.hostname or ""
    if place.scheme != "https":
        return HTTPConnection(host, place.port, timeout, source)
    unverified = ssl._create_unverified_context()  # noqa: S323, SLF001 - we ask ourselves, by address
    return HTTPSConnection(host, place.port, timeout=timeout, source_address=source, context=unverified)


def healthy(url: str, timeout: float = 5.0) -> bool:
    """Whether somebody answers at that address; its socket accepts long before there is anybody.

    Who asks for a PROXY header answers, too: only a load balancer could say more.
    """
    asked = connection(url, timeout)
    try:
        asked.request("GET", "/health")
        answer = asked.getresponse()
        return answer.status == HTTPStatus.OK or answer.getheader("X-Pixelake") == "proxy_header"
    except (OSError, HTTPException):
        return False
    finally:
        asked.close()
