"""Who may look, and what every answer carries: one ASGI wrapper around the whole application.

People have a session (`pixelake.web.sessions`): by name and password, or by the
access token, which travels once in the address that `serve` prints and is
swapped for a session at once, so that it stays in no history entry, bookmark or
referrer. Programs send that token, or one of their own (`pixelake keys`), as a
bearer. Shared links have a door of their own (`pixelake.web.shares`).
"""

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelake.errors import PixelakeError, QueryError
from pixelake.registry.tokens import PREFIX, Token, hash_of
from pixelake.web import sessions
from pixelake.web.access import KEY, OWNER, TOKEN, Access, Forbidden
from pixelake.web.line import Rates, Refused
from pixelake.web.login import Login
from pixelake.web.peer import SAFE, address_of, is_own_page
from pixelake.web.shares import ANCESTORS, START, ShareDoor, Way, inner

OPEN: Final = frozenset({"/health"})
"""Routes that anybody may ask: they tell nothing."""
DOORS: Final = frozenset({"/login", "/api/v1/login"})
"""Where people log in."""
STATIC: Final = "/static/"
STILL_SECONDS: Final = 0.5
"""A feed that goes on for hours ends so long after who watches may no longer look."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""What every answer carries, unless it says otherwise itself."""
REVALIDATE: Final = "private, no-cache"
"""For static files, which have an ETag: kept by the browser, and asked for again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets in who holds the token, and answers only under names that are ours.

    Attributes:
        token: the secret of this installation.
        hosts: further host names to answer under. Addresses and names of the
            loopback interface always pass: a page on a foreign name that was
            made to point here (DNS rebinding) can have neither in its requests.
    """

    token: str
    hosts: frozenset[str] = frozenset()

    @property
    def cookie(self) -> str:
        """Name of the cookie: its own for each installation, since cookies do not tell ports apart."""
        return "pixelake_" + hashlib.sha256(b"cookie" + self.token.encode()).hexdigest()[:8]

    def knows(self, token: str) -> bool:
        """Whether that is the token, in constant time."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self.token.encode())

    def serves(self, host: str) -> bool:
        """Whether that is a name of ours, in the form of a Host header."""
        name = _host_name(host)
        return name == "localhost" or name.endswith(".localhost") or name in self.hosts or _is_address(name)


def bearer_of(headers: Headers) -> str | None:
    """The bearer of a request; None: it has none."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


def gate(token: str, hosts: Iterable[str] = ()) -> Gate:
    """A gate that also answers under `hosts`."""
    return Gate(token, frozenset(_host_name(host) for host in hosts))


def _host_name(host: str) -> str:
    """The name in a Host header, without port, brackets and trailing dot."""
    host = host.strip().lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


Held = Callable[[], Awaitable[Mapping[str, Token]]]
"""Tells the tokens of programs that hold, by their hash."""


class Guard:
    """The application behind the gate; every answer carries `HEADERS`.

    Args:
        app: the application.
        gate: for the access token.
        login: who was let in, and by which proxies.
        held: the tokens of programs.
        used: is told of each that a request came with.
        rates: how fast each caller may ask.
    """

    def __init__(
        self, app: ASGIApp, *, gate: Gate, login: Login, held: Held, used: Callable[[Token], None], rates: Rates
    ) -> None:
        self._app, self._gate, self._login, self._held, self._used = app, gate, login, held, used
        self._rates, self._shares, self._doorman = rates, ShareDoor(login), login.doorman

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on what may pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(dict(scope), receive)
        passed = request.scope
        feed = _Feed(send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _guard(message, passed)
                feed.begins(message, lambda: self._still(request))
            await send(message)

        try:
            answer = await self._check(request)
        except Forbidden as error:
            answer = forbidden(error)
        except Refused as error:
            answer = refusal(error)
        except PixelakeError as error:
            answer = unavailable(error)
        await feed.run((answer or self._app)(passed, receive, send_guarded))

    async def _check(self, request: Request) -> Response | None:
        """The answer to a request that may not pass."""
        path = request.scope["path"]  # of `request.url` a part may come from the Host header
        if path in OPEN:
            return None
        if not self._gate.serves(request.headers.get("host", "")):
            return PlainTextResponse(
                "This host name is not one of the dashboard's. Use its address, or list the name in `web_hosts`.\n", 421
            )
        if path.startswith(START):
            return await self._enter(request)
        if path == "/" and "token" in request.query_params:
            return await self._swap(request, request.query_params)
        if path in DOORS:
            self._rates.take(f"address {self._address(request)}")
        is_for_all = path in DOORS or (path.startswith(STATIC) and not path.rstrip("/").endswith(".html"))
        return None if is_for_all else await self._admit(request)

    async def _admit(self, request: Request) -> Response | None:
        access = await self._access(request)
        if access is None:
            return _refused(request)
        self._rates.take(access.caller)
        opened = request.scope.get(sessions.KEY)
        if opened and request.method not in SAFE and not (is_own_page(request.headers) and opened.vouches(request)):
            hint = f"send the header {sessions.CSRF_HEADER} with `csrf` of /api/v1/me; programs send a token instead"
            raise Forbidden("this did not come from a page of the dashboard", hint=hint)
        request.scope[KEY] = access
        return None

    async def _access(self, request: Request) -> Access | None:
        """Who asks; None: nobody who may."""
        bearer = bearer_of(request.headers)
        if bearer is None:
            return await self._session(request)
        if bearer.startswith(PREFIX):
            token = (await self._held()).get(hash_of(bearer))
            if token is None:
                return None
            self._used(token)
            sites = None if token.site is None else frozenset({token.site})
            return Access(f"token {token.hash}", sites, TOKEN, token.name)
        return Access(f"address {self._address(request)}") if self._gate.knows(bearer) else None

    async def _session(self, request: Request) -> Access | None:
        """Who asks by a session; None: it has none that holds, or of somebody who was removed."""
        opened = await self._doorman.opened(request)
        if opened is None:
            return None
        user = await self._doorman.user_of(opened.session)
        if user is None and opened.session.user:
            return None
        request.scope[sessions.KEY] = opened
        if user is None:
            return Access(f"address {self._address(request)}", None, OWNER)
        return Access(f"user {user.name}", user.sites, user.role, user.name)

    async def _enter(self, request: Request) -> Response | None:
        """By a shared link: the answer, or None and the scope as the routes know it."""
        way = await self._shares.way(request)
        if isinstance(way, Response):
            return way
        self._rates.take(f"share {way.share.id} {self._address(request)}")
        answer = await self._shares.enter(request, way)
        if answer is None:
            request.scope[KEY] = await self._shares.access(request, way.share)
            request.scope.update(inner(way), **{_WAY: way})
        return answer

    async def _still(self, request: Request) -> bool:
        """Whether who was let in would be now, and would see the same."""
        way: Way | None = request.scope.get(_WAY)
        try:
            access = await (self._shares.access(request, way.share) if way else self._access(request))
        except PixelakeError:
            return True  # the registry is away: it is asked again
        return access == request.scope.get(KEY)

    async def _swap(self, request: Request, query: QueryParams) -> Response:
        """A session for the token, and the same address without it."""
        rest = urlencode([(name, value) for name, value in query.multi_items() if name != "token"])
        if not self._gate.knows(query["token"]):
            _log.info("login", outcome="wrong", by="token")
            return RedirectResponse("/login#token", 303) if is_person(request) else _refused(request)
        secret = await self._login.begin(request)
        answer = RedirectResponse("/?" + rest if rest else "/", 303)
        if secret is not None:
            _log.info("login", outcome="right", by="token")
            self._doorman.hand_out(request, answer, secret)
        return answer

    def _address(self, request: Request) -> str:
        return address_of(request, self._login.trusted)


_WAY: Final = "pixelake.way"
"""In the scope of a request by a shared link."""


class _Feed:
    """An answer that goes on and on, until who asked for it may no longer look."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._limit: asyncio.Timeout | None = None
        self._watch: asyncio.Task[None] | None = None

    async def run(self, answering: Awaitable[None]) -> None:
        """Answer, and end what goes on when its time has come."""
        try:
            async with asyncio.timeout(None) as self._limit:
                await answering
        except TimeoutError:
            if self._watch is None or not self._watch.done():
                raise
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if self._watch is not None:
                self._watch.cancel()

    def begins(self, message: Message, still: Callable[[], Awaitable[bool]]) -> None:
        """Look now and then, if that is one."""
        if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream"):
            self._watch = asyncio.ensure_future(self._until_over(still))

    async def _until_over(self, still: Callable[[], Awaitable[bool]]) -> None:
        while await still():  # noqa: ASYNC110 - what it waits for happens in other processes, too
            await asyncio.sleep(STILL_SECONDS)
        if self._limit is not None:
            self._limit.reschedule(asyncio.get_running_loop().time())


def _guard(message: Message, scope: Mapping[str, Any]) -> None:
    """Put the headers that keep a page closed on an answer; a link's own page may be held by those that it names."""
    headers = MutableHeaders(scope=message)
    ancestors = scope.get(ANCESTORS)
    if ancestors:
        framed = POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(ancestors)}")
        headers.setdefault("Content-Security-Policy", framed)
    if ancestors is not None:
        headers.setdefault("X-Robots-Tag", "noindex")
    if scope["path"].startswith(STATIC):
        headers.setdefault("Cache-Control", REVALIDATE)
    for name, value in HEADERS.items():
        if not (ancestors and name == "X-Frame-Options"):
            headers.setdefault(name, value)


def is_person(request: Request) -> bool:
    """Whether a browser wants a page."""
    wants = "text/html" in request.headers.get("accept", "") and request.method in SAFE
    return wants and not request.scope["path"].startswith("/api/")


def _refused(request: Request) -> Response:
    """The log-in page for people, 401 for programs."""
    if is_person(request):
        query = request.scope["query_string"].decode("latin-1")
        here = request.scope["path"] + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?{urlencode({'next': here})}" if here != "/" else "/login", 303)
    body = {
        "error": "this needs a log-in, or a token that holds",
        "hint": "open /login, or send `Authorization: Bearer <token>` (`pixelake keys`)",
    }
    return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})


def forbidden(error: Forbidden) -> Response:
    """403: who asks may not."""
    body = {"error": str(error), "hint": error.hint}
    return JSONResponse(body | ({"parameter": error.parameter} if error.parameter else {}), 403)


def unavailable(error: PixelakeError) -> Response:
    """400: it cannot be asked so; 503: a store is away."""
    body = {"error": str(error).partition("\n")[0], "hint": error.hint.partition("\n")[0]}
    return JSONResponse(body, 400) if isinstance(error, QueryError) else JSONResponse(body, 503, {"Retry-After": "5"})


def refusal(error: Refused) -> Response:
    """429 or 503: there is no room now."""
    body = {"error": str(error), "hint": f"come again in {error.seconds} s; ask fewer questions at once"}
    return JSONResponse(body, error.status, {"Retry-After": str(error.seconds)})
