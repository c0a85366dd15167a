"""Who may look, and what every answer carries: one ASGI wrapper around the whole application.

The access token travels once in the address that `serve` prints; it is swapped
for a cookie at once, so that it stays in no history entry, bookmark or referrer.
Programs send it, or a token of their own (`pixelake keys`), as a bearer.
"""

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pixelake.errors import PixelakeError
from pixelake.registry.tokens import PREFIX, Token, hash_of
from pixelake.web.access import KEY, Access
from pixelake.web.line import Rates, Refused

OPEN: Final = frozenset({"/health"})
"""Routes that anybody may ask: they tell nothing."""
COOKIE_SECONDS: Final = 30 * 86_400

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

_STYLE: Final = (
    ":root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;"
    "padding:0 1.5rem}h1{font-size:1.25rem}code{background:#8882;padding:.15em .4em;border-radius:4px}"
)
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_DOOR: Final = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>pixelake</title>
<link rel="icon" href="data:,"><style>{_STYLE}</style>
<h1>This dashboard opens with its full address</h1>
<p>Open the line that <code>pixelake serve</code> prints when it starts:
<p><code>Dashboard: http://…/?token=…</code>
<p>The token in it is kept in this browser for 30 days. A token that is wrong or of another installation leads here.
</html>
"""


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

    def admits(self, headers: Headers) -> bool:
        """Whether a request carries the token, as a bearer or in the cookie."""
        if (bearer := bearer_of(headers)) is not None:
            return self.knows(bearer)
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return morsel is not None and self.knows(morsel.value)

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
        held: the tokens of programs.
        used: is told of each that a request came with.
        rates: how fast each caller may ask.
    """

    def __init__(self, app: ASGIApp, gate: Gate, held: Held, used: Callable[[Token], None], rates: Rates) -> None:
        self._app, self._gate, self._held, self._used, self._rates = app, gate, held, used, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on what may pass."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", REVALIDATE)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = await self._check(Request(scope))
        await (answer or self._app)(scope, receive, send_guarded)

    async def _check(self, request: Request) -> Response | None:
        """The answer to a request that may not pass."""
        if request.url.path in OPEN:
            return None
        if not self._gate.serves(request.headers.get("host", "")):
            return PlainTextResponse(
                "This host name is not one of the dashboard's. Use its address, or list the name in `web_hosts`.\n", 421
            )
        query = request.query_params
        if request.url.path == "/" and "token" in query:
            return self._swap(request, query) if self._gate.knows(query["token"]) else _refused(request)
        return await self._admit(request)

    async def _admit(self, request: Request) -> Response | None:
        try:
            access = await self._access(request)
            if access is None:
                return _refused(request)
            self._rates.take(access.caller)
        except Refused as error:
            return refusal(error)
        except PixelakeError as error:
            return JSONResponse({"error": str(error).partition("\n")[0], "hint": error.hint}, 503)
        request.scope[KEY] = access
        return None

    async def _access(self, request: Request) -> Access | None:
        """Who asks; None: nobody who may."""
        bearer = bearer_of(request.headers)
        if bearer and bearer.startswith(PREFIX):
            token = (await self._held()).get(hash_of(bearer))
            if token is None:
                return None
            self._used(token)
            return Access(f"token {token.hash}", token.site)
        address = request.client.host if request.client else ""
        return Access(f"address {address}") if self._gate.admits(request.headers) else None

    def _swap(self, request: Request, query: QueryParams) -> Response:
        """The cookie for the token, and the same address without it."""
        rest = urlencode([(name, value) for name, value in query.multi_items() if name != "token"])
        answer = RedirectResponse("/?" + rest if rest else "/", 303)
        answer.set_cookie(
            self._gate.cookie,
            self._gate.token,
            max_age=COOKIE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return answer


def _refused(request: Request) -> Response:
    """401: a page for people, JSON for programs."""
    if request.url.path == "/":
        policy = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; frame-ancestors 'none'"
        return HTMLResponse(_DOOR, 401, {"Content-Security-Policy": policy})
    body = {
        "error": "this needs a token that holds",
        "hint": "open the address that `serve` prints, or send `Authorization: Bearer <token>` (`pixelake keys`)",
    }
    return JSONResponse(body, 401, {"WWW-Authenticate": "Bearer"})


def refusal(error: Refused) -> Response:
    """429 or 503: there is no room now."""
    body = {"error": str(error), "hint": f"come again in {error.seconds} s; ask fewer questions at once"}
    return JSONResponse(body, error.status, {"Retry-After": str(error.seconds)})
