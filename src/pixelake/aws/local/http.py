"""HTTP on this machine as API Gateway takes it: a server, and requests as events of its proxy integrations."""

import asyncio
import json
import secrets
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import uvicorn

from pixelake.aws.local.function import FunctionFailed
from pixelake.aws.local.mapping import ACCOUNT
from pixelake.aws.terms import Throttle
from pixelake.collect.rate import Buckets

Pairs = Sequence[tuple[str, str]]
BODY: Final = 10 << 20
"""Bytes that API Gateway takes at most."""
CALLS: Final = 32
"""Requests that are answered at once."""
PATIENCE: Final = 10.0
"""Seconds for a server to be up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        method: as sent.
        path: decoded.
        query: as sent.
        headers: names in lower case, values; a name may come again.
        body: its bytes.
        peer: the address of who sent it, and his port.
        at: when it came, in seconds since the epoch.
        name: the gateway's own name for it.
    """

    method: str
    path: str
    query: str
    headers: Pairs
    body: bytes
    peer: tuple[str, int]
    at: float
    name: str

    def header(self, name: str) -> str:
        """All values of a header, as one."""
        return ",".join(value for key, value in self.headers if key == name)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer."""

    status: int
    headers: Pairs
    body: bytes


Answer = Callable[[Asked], Told]


class Server:
    """Answers HTTP on an address until it is closed."""

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        self._answer = answer
        self._threads = ThreadPoolExecutor(CALLS, thread_name_prefix="front")
        config = uvicorn.Config(
            self._app, host, port, lifespan="off", access_log=False, log_level="warning",
            server_header=False, date_header=False, timeout_graceful_shutdown=5, interface="asgi3", proxy_headers=False,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="front", daemon=True)

    def start(self) -> str:
        """Listen; returns the URL.

        Raises:
            OSError: it cannot.
        """
        self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise OSError("the front cannot listen there")
            time.sleep(0.01)
        host, port = self._server.servers[0].sockets[0].getsockname()[:2]
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def close(self) -> None:
        """Answer what has come, and end."""
        self._server.should_exit = True
        self._thread.join()
        self._threads.shutdown()

    def _run(self) -> None:
        asyncio.run(self._server.serve())

    async def _app(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        body, more = b"", True
        while more and len(body) <= BODY:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        told = Told(413, (), b"") if len(body) > BODY else await self._told(_asked(scope, body))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.headers]
        headers.append((b"content-length", str(len(told.body)).encode()))
        await send({"type": "http.response.start", "status": told.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else told.body})

    async def _told(self, asked: Asked) -> Told:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, asked)


def _asked(scope: Mapping[str, Any], body: bytes) -> Asked:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    return Asked(
        method=scope["method"],
        path=unquote(scope["raw_path"].partition(b"?")[0].decode("latin-1"), errors="replace"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        peer=tuple(scope["client"] or ("127.0.0.1", 0)),
        at=time.time(),
        name=b64encode(secrets.token_bytes(11)).decode(),
    )


def in_2(asked: Asked) -> Mapping[str, Any]:
    """A request as an event in payload format 2.0, of an HTTP API."""
    joined: dict[str, str] = {}
    for name, value in asked.headers:
        if name != "cookie":
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": asked.path,
        "rawQueryString": asked.query,
        "cookies": [value for name, value in asked.headers if name == "cookie"],
        "headers": {**joined, "x-forwarded-for": _forwarded(asked)},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": asked.header("host"),
            "http": {
                "method": asked.method,
                "path": asked.path,
                "protocol": "HTTP/1.1",
                "sourceIp": asked.peer[0],
                "userAgent": asked.header("user-agent"),
            },
            "requestId": asked.name,
            "routeKey": "$default",
            "stage": "$default",
            "time": f"{datetime.fromtimestamp(asked.at, UTC):%d/%b/%Y:%H:%M:%S +0000}",
            "timeEpoch": int(asked.at * 1_000),
        },
        **_body(asked),
    }


def in_1(asked: Asked) -> Mapping[str, Any]:
    """A request as an event in payload format 1.0, of a REST API."""
    headers = [*asked.headers, ("x-forwarded-for", _forwarded(asked))]
    fields = parse_qsl(asked.query, keep_blank_values=True, errors="replace")
    return {
        "resource": "/{proxy+}",
        "path": asked.path,
        "httpMethod": asked.method,
        "headers": dict(headers),
        "multiValueHeaders": _many(headers),
        "queryStringParameters": dict(fields) or None,
        "multiValueQueryStringParameters": _many(fields) or None,
        "pathParameters": {"proxy": asked.path.removeprefix("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": asked.header("host"),
            "extendedRequestId": asked.name,
            "httpMethod": asked.method,
            "identity": {"sourceIp": asked.peer[0], "userAgent": asked.header("user-agent")},
            "path": asked.path,
            "protocol": "HTTP/1.1",
            "requestId": asked.name,
            "requestTime": f"{datetime.fromtimestamp(asked.at, UTC):%d/%b/%Y:%H:%M:%S +0000}",
            "requestTimeEpoch": int(asked.at * 1_000),
            "resourcePath": "/{proxy+}",
            "stage": "$default",
        },
        **_body(asked),
    }


def proxied(call: Callable[[Mapping[str, Any]], Any], event: Callable[[Asked], Mapping[str, Any]]) -> Answer:
    """A proxy integration: the function answers."""

    def answer(asked: Asked) -> Told:
        try:
            told = call(event(asked))
        except FunctionFailed:
            failed = json.dumps({"message": "Internal Server Error"}).encode()
            return Told(502 if event is in_1 else 500, (("content-type", "application/json"),), failed)
        text = told.get("body", "")
        body = b64decode(text) if told.get("isBase64Encoded") else text.encode()
        single = told.get("headers", {}).items()
        several = [(name, each) for name, values in told.get("multiValueHeaders", {}).items() for each in values]
        cookies = [("set-cookie", each) for each in told.get("cookies", ())]
        return Told(told["statusCode"], [*single, *several, *cookies], body)

    return answer


class Throttled:
    """An API that answers no more than so many requests a second, and so many at once beyond that; others get 429."""

    def __init__(self, answer: Answer, terms: Throttle) -> None:
        self._answer, self._bucket = answer, Buckets(terms.rate, terms.burst)
        self._lock = threading.Lock()

    def __call__(self, asked: Asked) -> Told:
        """The answer, or that there are too many."""
        with self._lock:
            wait = self._bucket.take("", time.monotonic())
        if wait:
            return Told(429, (("content-type", "application/json"),), b'{"message":"Too Many Requests"}')
        return self._answer(asked)


def _forwarded(asked: Asked) -> str:
    before = asked.header("x-forwarded-for")
    return f"{before}, {asked.peer[0]}" if before else asked.peer[0]


def _many(pairs: Pairs) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _body(asked: Asked) -> Mapping[str, Any]:
    if not asked.body:
        return {"body": None, "isBase64Encoded": False}
    try:
        return {"body": asked.body.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        return {"body": b64encode(asked.body).decode(), "isBase64Encoded": True}
