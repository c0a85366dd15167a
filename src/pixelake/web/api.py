"""The JSON API and the page.

Everything but ``/health`` needs a token (`pixelake.web.auth`). Errors are
``{"error", "hint"}``, one line each; a bad parameter is named in ``parameter``.
"""

import json
import re
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from pixelake import __version__
from pixelake.address import Networks
from pixelake.clock import SYSTEM
from pixelake.errors import PixelakeError, QueryError, RegistryUnavailable
from pixelake.registry.tokens import RARELY, Token
from pixelake.web import asked, declared, doors, hits, saved, sites, sql, tables
from pixelake.web.access import SHARE, Forbidden, access_of, check_all, site_of
from pixelake.web.asked import Asking
from pixelake.web.auth import HEADERS, Guard, forbidden, gate, is_person, refusal
from pixelake.web.charts import CHARTS
from pixelake.web.described import FAULTS
from pixelake.web.line import Rates, Refused
from pixelake.web.live import Feed
from pixelake.web.login import Login
from pixelake.web.parameters import Behind, Find, Newest, Parameters
from pixelake.web.picker import BUSY_SECONDS, Found, busiest, found
from pixelake.web.sessions import Doorman
from pixelake.web.shares import QUESTIONS
from pixelake.web.sources import Sources

STATIC: Final = Path(__file__).parent / "static"
PAGES: Final = {"/": "index", "/live": "live", "/events": "events", "/explore": "explore", "/sites": "sites"}
"""Each page of the dashboard, and its file."""
STATUS_SECONDS: Final = 1.0
TOKEN: Final = "access_token"  # noqa: S105 the name of the secret, not the secret

STALLED: Final = "ok, but the consumer cannot go on: `pixelake status` says why\n"

_NAMED: Final = re.compile(r"(\w+)\b")


class _Service:
    """What the routes share."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.asking = Asking(sources)
        self.answers = self.asking.light
        self.feed = Feed(sources.live, self.status)
        self._used: dict[str, float] = {}

    async def status(self) -> Mapping[str, Any]:
        """Both sums and the delays, at most a second old."""
        return await self.answers.get("status", self.sources.status, STATUS_SECONDS)

    async def tokens(self) -> Mapping[str, Token]:
        """The tokens of programs that hold, as of a second ago."""
        snapshot = await self.answers.get("tokens", self.sources.registry.snapshot, STATUS_SECONDS)
        return snapshot.tokens

    def used(self, token: Token) -> None:
        """Write down, now and then, that a token is in use."""
        now = time.monotonic()
        if now >= self._used.get(token.hash, 0.0):
            self._used[token.hash] = now + RARELY / 1e6
            self.answers.start(("used", token.hash), partial(self._use, token.hash))

    def _use(self, held: str) -> None:
        try:
            self.sources.registry.use_token(held, SYSTEM.now())
        except RegistryUnavailable:
            self._used.pop(held, None)  # the next request tells

    async def sites(self, find: Find, own: frozenset[str] | None) -> Found:
        """The sites that match, busiest first; of who sees only some, those."""
        if own is not None:
            return found(own, {}, find.search, find.limit)
        snapshot = await self.answers.get("sites", self.sources.registry.snapshot)
        busy = await self.asking.heavy.get("busy", partial(busiest, self.sources.questions), BUSY_SECONDS, "sites")
        key = "sites", find
        return await self.answers.get(key, partial(found, snapshot.sites, busy, find.search, find.limit))


def create(sources: Sources, hosts: Iterable[str] = (), trusted: Iterable[str] = ()) -> FastAPI:
    """The application of the web role.

    Args:
        sources: where its answers come from.
        hosts: names the dashboard is reached by, beside addresses and ``localhost``.
        trusted: proxies whose word on the client's address is believed: see `pixelake.address.Networks`.

    Reads the access token from the registry. ``app.state.feed`` is the live
    feed; it must be closed for the server to stop (`pixelake.web.server.run` does).
    """
    service = _Service(sources)
    door = gate(sources.registry.secret(TOKEN), hosts)
    login = Login(Doorman(sources.registry.access, door.cookie), Networks(trusted))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.feed.start()
        yield
        service.feed.close()
        service.asking.close()
        login.close()

    app = FastAPI(
        title="pixelake", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    app.state.feed = service.feed
    app.include_router(_pages(service, app))
    app.include_router(doors.routes(login, sources.registry))
    app.include_router(asked.routes(service.asking, service.feed), prefix="/api/v1")
    app.include_router(sql.routes(service.asking), prefix="/api/v1")
    app.include_router(tables.routes(service.asking), prefix="/api/v1", responses=FAULTS)
    app.include_router(saved.routes(sources.registry), prefix="/api/v1", responses=FAULTS)
    app.include_router(declared.routes(service.asking), prefix="/api/v1", responses=FAULTS)
    app.include_router(hits.routes(service.asking), prefix="/api/v1", responses=FAULTS)
    app.include_router(sites.routes(service.asking, service.feed), prefix="/api/v1", responses=FAULTS)
    app.include_router(_house_routes(service), prefix="/api/v1", responses=FAULTS)
    app.include_router(_live_routes(service), prefix="/api/v1", responses=FAULTS)
    app.mount("/static", GZipMiddleware(StaticFiles(directory=STATIC), minimum_size=1_000))
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(PixelakeError, _pixelake_error)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(Exception, _internal_error)
    app.add_middleware(Guard, gate=door, login=login, held=service.tokens, used=service.used, rates=Rates())
    return app


def _pages(service: _Service, app: FastAPI) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> PlainTextResponse:
        # 200 in any case: to start us again helps nobody. Why it is, strangers are not told.
        stalled = await service.answers.get("stalled", service.sources.stalled, STATUS_SECONDS)
        return PlainTextResponse(STALLED if stalled else "ok\n")

    @routes.get("/openapi.json")
    async def openapi() -> JSONResponse:
        # making it takes a second, which others need not wait
        return JSONResponse(await service.answers.get("openapi", app.openapi, float("inf")))

    for path, name in PAGES.items():
        routes.add_api_route(path, partial(_page, name))

    return routes


async def _page(name: str) -> FileResponse:
    return FileResponse(STATIC / f"{name}.html")


def _house_routes(service: _Service) -> APIRouter:
    """What there is to ask about."""
    routes = APIRouter(tags=["house"])

    @routes.get("/charts")
    async def charts(request: Request) -> list[dict[str, Any]]:
        """The panels of the dashboard; of a shared link those that it shows."""
        is_share = access_of(request).role == SHARE
        return [chart._asdict() for chart in CHARTS if not is_share or chart.question in QUESTIONS]

    @routes.get("/site-names")
    async def site_names(request: Request, find: Annotated[Find, Query()]) -> Found:
        """Names of sites, those with the most hits of the last days first, and how many match in all."""
        return await service.sites(find, access_of(request).sites)

    @routes.get("/about")
    async def about() -> dict[str, str]:
        """How the pixel is reached."""
        sources = service.sources
        return {"version": __version__, "collect_url": sources.collect_url, "snippet": sources.snippet}

    return routes


def _live_routes(service: _Service) -> APIRouter:
    """What happens now."""
    routes = APIRouter(tags=["live"])
    feed = service.feed

    @routes.get("/status")
    async def status(request: Request) -> Mapping[str, Any]:
        """Both sums and the delays, as `pixelake status --json` has them. Of all sites together."""
        check_all(request)
        return await service.status()

    @routes.get("/recent", response_model=list[dict[str, Any]])
    async def recent(request: Request, of: Annotated[Newest, Query()]) -> Response:
        """The events of the last seconds and days that the live store has, newest first."""
        # In ASCII: unlike pydantic's, this JSON also carries half a surrogate pair.
        rows = await feed.newest(of.limit, site_of(request, of.site))
        return Response(json.dumps(rows), media_type="application/json")

    @routes.get("/live", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def live(
        request: Request, of: Annotated[Behind, Query()], last_event_id: Annotated[str, Header()] = ""
    ) -> Response:
        """Server-sent events: `events`, `now`, `status`. Resumes behind `Last-Event-ID`."""
        site = site_of(request, of.site)
        if feed.full:
            return JSONResponse({"error": "too many viewers", "hint": "try again"}, 503, {"Retry-After": "5"})
        cursor = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 19 else of.after
        if cursor is None:  # before it answers: whoever lists the recent ones once it has, misses none between
            cursor = await feed.cursor()
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold the events back
        access = access_of(request)
        frames = feed.watch(site, cursor, sums=access.sites is None, events=access.role != SHARE)
        return StreamingResponse(frames, 200, headers, "text/event-stream")

    return routes


async def _bad_parameter(request: Request, error: Exception) -> JSONResponse:
    """400 with the parameter's name and what it accepts."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for this type alone
    first = error.errors()[0]
    name = str(first["loc"][-1])
    accepted = _accepted(request)
    if name in accepted:
        fault = first["msg"].removeprefix("Value error, ")
        body = {"error": f"{name}: {fault}", "parameter": name, "hint": f"it is: {accepted[name]}"}
    else:
        hint = f"this route has {', '.join(accepted)}"
        body = {"error": f"unknown parameter {name!r}", "parameter": name, "hint": hint}
    return JSONResponse(body, 400)


def _accepted(request: Request) -> dict[str, str]:
    """Each query parameter of the route, with what it means."""
    told = getattr(request.scope.get("endpoint"), "__annotations__", {})
    models = [each for hint in told.values() for each in get_args(hint)[:1] if isinstance(each, type)]
    fields = [model.model_fields for model in models if issubclass(model, Parameters)]
    return {field.alias or name: field.description or "" for each in fields for name, field in each.items()}


async def _http_error(request: Request, error: Exception) -> Response:
    """A page for people who look for one that there is not; JSON for programs."""
    assert isinstance(error, HTTPException)  # noqa: S101 registered for this type alone
    if error.status_code == 404 and is_person(request):
        return FileResponse(STATIC / "nowhere.html", 404)
    hint = "the routes are in /openapi.json" if error.status_code == 404 else ""
    return JSONResponse({"error": error.detail, "hint": hint}, error.status_code, error.headers)


async def _pixelake_error(request: Request, error: Exception) -> JSONResponse:
    """400 for a question that cannot be answered, with the parameter at fault; 503 for a store that is away."""
    assert isinstance(error, PixelakeError)  # noqa: S101 registered for this type alone
    line = str(error).partition("\n")[0]
    body = {"error": line, "hint": error.hint.partition("\n")[0]}
    if not isinstance(error, QueryError):
        return JSONResponse(body, 503, {"Retry-After": "5"})
    named = _NAMED.match(line)
    if named and (named[1] in _accepted(request) or named[1] == "body"):
        body["parameter"] = named[1]
    return JSONResponse(body, 400)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 registered for this type alone
    return refusal(error)


async def _forbidden(_: Request, error: Exception) -> Response:
    assert isinstance(error, Forbidden)  # noqa: S101 registered for this type alone
    return forbidden(error)


async def _internal_error(_: Request, __: Exception) -> JSONResponse:
    """500: a defect. It is answered outside the guard, so it brings the headers itself."""
    return JSONResponse({"error": "internal error", "hint": "the server's log has more"}, 500, HEADERS)
