"""The function that shows things: the dashboard and its API, behind API Gateway. Its handler is `handler`.

The same application as that of the role `web`, served inside the function: who
asks it must log in as there. An event stream ends after some seconds with what
came until then, since API Gateway takes answers only whole; browsers come back
by themselves and miss nothing.

It is set as `pixelake.aws.consume` is; ``PIXELAKE_WEB_HOSTS`` names the hosts
under which API Gateway is asked.
"""

import socket
import threading
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any, Final

from pixelake.aws import gateway
from pixelake.aws.complain import reported
from pixelake.build import functions
from pixelake.build.roles import dashboard
from pixelake.collect import told
from pixelake.errors import PixelakeError, SourceError
from pixelake.settings import Settings
from pixelake.telemetry import log_to_stderr
from pixelake.web import server

if TYPE_CHECKING:
    from fastapi import FastAPI

STREAM: Final = 2.5
"""Seconds that an event stream lasts: two looks of the feed."""
SECONDS: Final = 28.0
"""For an answer: API Gateway waits 30."""
MOST: Final = 4_400_000
"""Bytes of an answer: Lambda takes 6 MiB, in base64."""
UP: Final = 20.0
"""Seconds for the application to be up."""


class Api:
    """The application on a loopback port, and a way to ask it.

    Args:
        app: the dashboard.
    """

    def __init__(self, app: "FastAPI") -> None:
        self._server = server.server(app)
        listener = socket.create_server(("127.0.0.1", 0))
        self._port: int = listener.getsockname()[1]
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[listener]), name="api", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still serves; another instance is to be made if not."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Let it end."""
        self._server.should_exit = True

    def __call__(self, event: object) -> Mapping[str, Any]:
        """The answer to a request, in both formats.

        Raises:
            SourceError: the event is none of API Gateway.
            PixelakeError: the application does not answer.
        """
        asked = gateway.request(event)
        until = time.monotonic() + SECONDS
        self._wait()
        connection = HTTPConnection("127.0.0.1", self._port, timeout=max(1.0, until - time.monotonic()))
        try:
            connection.putrequest(asked.method, asked.target.decode(), skip_host=True, skip_accept_encoding=True)
            for name, value in _headers(asked.head + told.lines(_cookies(event))):
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(asked.body)))
            connection.endheaders(asked.body)
            wire = connection.sock
            return _answer(event, connection.getresponse(), wire)
        except (OSError, HTTPException) as error:
            raise PixelakeError(f"the dashboard does not answer: {error}", "see the log of the function") from error
        finally:
            connection.close()

    def _wait(self) -> None:
        deadline = time.monotonic() + UP
        while not self._server.started and self.is_alive and time.monotonic() < deadline:
            time.sleep(0.01)


def _headers(head: bytes) -> list[tuple[str, str]]:
    """The lines of a head that are for the application."""
    lines = [line.decode("latin-1").partition(": ") for line in head.split(b"\r\n")[1:] if line]
    return [(name, value) for name, _, value in lines if name.lower() not in _OURS]


def _cookies(event: object) -> list[tuple[str, str]]:
    """Of format 2.0, where they stand apart."""
    cookies = event.get("cookies") if isinstance(event, Mapping) else None
    return [("Cookie", "; ".join(map(str, cookies)))] if isinstance(cookies, list) and cookies else []


def _answer(event: object, found: HTTPResponse, wire: socket.socket) -> Mapping[str, Any]:
    kind = found.headers.get("Content-Type", "")
    body = _stream(found, wire) if kind.startswith("text/event-stream") else found.read(MOST + 1)
    if len(body) > MOST:
        text = b'{"error":"the answer is too long for a function","hint":"ask for less: a limit, a shorter period"}\n'
        return {"statusCode": 413, "headers": {"Content-Type": "application/json"}, "body": text.decode()}
    several: dict[str, list[str]] = {}
    for name, value in found.headers.items():
        if name.lower() not in _OURS:
            several.setdefault(name, []).append(value)
    answer = {"statusCode": found.status, "body": b64encode(body).decode(), "isBase64Encoded": True}
    if isinstance(event, Mapping) and event.get("version") == "2.0":
        cookies = [value for name in several if name.lower() == "set-cookie" for value in several[name]]
        headers = {name: ",".join(values) for name, values in several.items() if name.lower() != "set-cookie"}
        return {**answer, "headers": headers, "cookies": cookies}
    return {**answer, "multiValueHeaders": several}


def _stream(found: HTTPResponse, wire: socket.socket) -> bytes:
    """What comes in some seconds."""
    data, deadline = b"", time.monotonic() + STREAM
    with suppress(TimeoutError):
        while (left := deadline - time.monotonic()) > 0 and len(data) < MOST:
            wire.settimeout(left)
            if not (part := found.read1(65_536)):
                break
            data += part
    return data


_OURS: Final = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive", "te", "upgrade"})
"""Headers between two who talk to each other, and of nobody behind them."""


def api(chosen: Settings) -> Api:
    """The function, by these settings; API Gateway says who asks, in its last word of ``X-Forwarded-For``."""
    return Api(dashboard(replace(chosen, trusted_proxies=("loopback", *chosen.trusted_proxies))))


@cache
def _instance() -> Api:
    log_to_stderr("info")
    return api(functions.settings())


def handler(event: object, context: object) -> Mapping[str, Any]:  # noqa: ARG001 - Lambda gives it
    """Answer an event of API Gateway, in payload format 2.0 or 1.0."""
    try:
        with reported("a request is not answered"):
            if not _instance().is_alive:
                _instance.cache_clear()
            return _instance()(event)
    except SourceError:
        return {"statusCode": 400, "headers": {"Content-Type": "text/plain"}, "body": "bad request\n"}
    except PixelakeError:
        return {"statusCode": 503, "headers": {"Retry-After": "5"}, "body": "not available\n"}
