"""The JSON API and the page.

Everything but ``/health`` needs the access token (`pixelake.web.auth`). Errors
are ``{"error", "hint"}``, one line each; a bad parameter is named in ``parameter``.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pixelake import __version__
from pixelake.errors import PixelakeError, QueryError
from pixelake.warehouse.questions import EARLIEST, LATEST, MAX_BUCKETS
from pixelake.warehouse.rows import rows_of
from pixelake.web.answers import Answers
from pixelake.web.auth import HEADERS, Guard, gate
from pixelake.web.charts import CHARTS
from pixelake.web.live import Feed
from pixelake.web.picker import BUSY_SECONDS, Found, busiest, found
from pixelake.web.sources import Sources

STATIC: Final = Path(__file__).parent / "static"
DAY: Final = timedelta(days=1)
MAX_ROWS: Final = 1_000
STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": DAY}
STATUS_SECONDS: Final = 1.0
TOKEN: Final = "access_token"  # noqa: S105 the name of the secret, not the secret
QUESTIONS: Final = {chart.question: chart.kind for chart in CHARTS if chart.question != "now"}
"""The named questions that the API answers, those of the charts, with the kind of their panel."""

STALLED: Final = "ok, but the consumer cannot go on: `pixelake status` says why\n"


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Site = Annotated[str | None, Field(description="only this site; else all", min_length=1, max_length=255)]


class OfSite(_Parameters):
    """A site, or all."""

    site: Site = None


class Newest(OfSite):
    """How many, of which site."""

    limit: int = Field(50, ge=1, le=100, description="at most so many events")


class Find(_Parameters):
    """Which sites."""

    search: str = Field("", max_length=255, description="only sites with this in their name, in any case")
    limit: int = Field(100, ge=1, le=MAX_ROWS, description="at most so many sites")


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= LATEST:
        raise ValueError(f"it lies in the years {EARLIEST.year} to {LATEST.year - 1}")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]


class Period(OfSite):
    """A period, by default the last 24 hours."""

    start: Moment | None = Field(None, alias="from", description="start, ISO 8601 with zone, included")
    end: Moment | None = Field(None, alias="to", description="end, ISO 8601 with zone, excluded")

    def more(self) -> Mapping[str, Any]:
        """What else the question is given."""
        return {}


class Top(Period):
    """The first rows of a list, over a period."""

    limit: int = Field(10, ge=1, le=MAX_ROWS, description="at most so many rows of a list")

    def more(self) -> Mapping[str, Any]:
        """The number of rows."""
        return {"limit": self.limit}


class Steps(Period):
    """A period, step by step."""

    step: Literal["minute", "hour", "day"] = Field(
        "hour", description=f"minute, hour or day (UTC); at most {MAX_BUCKETS:,} in the period"
    )

    def more(self) -> Mapping[str, Any]:
        """The length of a step."""
        return {"step": STEPS[self.step]}


class Behind(OfSite):
    """Where a live feed begins."""

    after: int | None = Field(None, ge=0, le=2**63 - 1, description="events behind this cursor; else from now on")


class Answer(BaseModel):
    """The answer to a named question."""

    question: str
    site: str | None
    start: datetime = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="to")
    rows: list[dict[str, Any]]


class _Service:
    """What the routes share."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.answers = Answers()
        self.feed = Feed(sources.live, self.status)

    async def status(self) -> Mapping[str, Any]:
        """Both sums and the delays, at most a second old."""
        return await self.answers.get("status", self.sources.status, STATUS_SECONDS)

    async def ask(self, name: str, period: Period) -> Answer:
        """The answer to a named question."""
        return await self.answers.get((name, period), partial(self._answer, name, period))

    def _answer(self, name: str, period: Period) -> Answer:
        end = period.end or datetime.now(UTC)
        start = period.start or end - DAY
        table = self.sources.questions.question(name, period.site, start=start, end=end, **period.more())
        return Answer(question=name, site=period.site, start=start, end=end, rows=list(rows_of(table)))

    async def sites(self, find: Find) -> Found:
        """The sites that match, busiest first."""
        snapshot = await self.answers.get("sites", self.sources.registry.snapshot)
        busy = await self.answers.get("busy", partial(busiest, self.sources.questions), BUSY_SECONDS)
        key = "sites", find
        return await self.answers.get(key, partial(found, snapshot.sites, busy, find.search, find.limit))


def create(sources: Sources, hosts: Iterable[str] = ()) -> FastAPI:
    """The application of the web role.

    Args:
        sources: where its answers come from.
        hosts: names the dashboard is reached by, beside addresses and ``localhost``.

    Reads the access token from the registry. ``app.state.feed`` is the live
    feed; it must be closed for the server to stop (`pixelake.web.server.run` does).
    """
    service = _Service(sources)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.feed.start()
        yield
        service.feed.close()
        service.answers.close()

    app = FastAPI(title="pixelake", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.feed = service.feed
    app.include_router(_pages(service))
    app.include_router(_lake_routes(service), prefix="/api/v1")
    app.include_router(_live_routes(service), prefix="/api/v1")
    app.mount("/static", StaticFiles(directory=STATIC))
    app.add_exception_handler(RequestValidationError, _bad_parameter)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(PixelakeError, _pixelake_error)
    app.add_exception_handler(Exception, _internal_error)
    app.add_middleware(Guard, gate=gate(sources.registry.secret(TOKEN), hosts))
    return app


def _pages(service: _Service) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> PlainTextResponse:
        # 200 in any case: to start us again helps nobody. Why it is, strangers are not told.
        stalled = await service.answers.get("stalled", service.sources.stalled, STATUS_SECONDS)
        return PlainTextResponse(STALLED if stalled else "ok\n")

    @routes.get("/")
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return routes


def _lake_routes(service: _Service) -> APIRouter:
    """The named questions, and what there is to ask about."""
    routes = APIRouter(tags=["lake"])

    for name, kind in QUESTIONS.items():
        ask = _asker(service, name, kind)
        routes.add_api_route(f"/{name}", ask, name=name, summary=f"The question `{name}`, over a period")

    @routes.get("/charts")
    async def charts() -> list[dict[str, str]]:
        """The panels of the dashboard."""
        return [chart._asdict() for chart in CHARTS]

    @routes.get("/sites")
    async def sites(find: Annotated[Find, Query()]) -> Found:
        """Names of sites, those with the most hits of the last days first, and how many match in all."""
        return await service.sites(find)

    @routes.get("/about")
    async def about() -> dict[str, str]:
        """How the pixel is reached."""
        sources = service.sources
        return {"version": __version__, "collect_url": sources.collect_url, "snippet": sources.snippet}

    return routes


def _asker(service: _Service, name: str, kind: str) -> Callable[..., Awaitable[Answer]]:
    """The route of a question, with the parameters that its kind of panel takes."""

    async def figure(period: Annotated[Period, Query()]) -> Answer:
        return await service.ask(name, period)

    async def top(period: Annotated[Top, Query()]) -> Answer:
        return await service.ask(name, period)

    async def line(period: Annotated[Steps, Query()]) -> Answer:
        return await service.ask(name, period)

    routes: dict[str, Callable[..., Awaitable[Answer]]] = {"list": top, "line": line}
    return routes.get(kind, figure)


def _live_routes(service: _Service) -> APIRouter:
    """What happens now."""
    routes = APIRouter(tags=["live"])
    feed = service.feed

    @routes.get("/status")
    async def status() -> Mapping[str, Any]:
        """Both sums and the delays, as `pixelake status --json` has them."""
        return await service.status()

    @routes.get("/now")
    async def now(of: Annotated[OfSite, Query()]) -> dict[str, int]:
        """Visitors of the last 5 minutes and hits of the last one, people only."""
        return await feed.now(of.site)

    @routes.get("/newest", response_model=list[dict[str, Any]])
    async def newest(of: Annotated[Newest, Query()]) -> Response:
        """The newest events, newest first."""
        # In ASCII: unlike pydantic's, this JSON also carries half a surrogate pair.
        return Response(json.dumps(await feed.newest(of.limit, of.site)), media_type="application/json")

    @routes.get("/live")
    async def live(of: Annotated[Behind, Query()], last_event_id: Annotated[str, Header()] = "") -> Response:
        """Server-sent events: `events`, `now`, `status`. Resumes behind `Last-Event-ID`."""
        if feed.full:
            return JSONResponse({"error": "too many viewers", "hint": "try again"}, 503, {"Retry-After": "5"})
        cursor = int(last_event_id) if last_event_id.isdecimal() and len(last_event_id) < 19 else of.after
        headers = {"X-Accel-Buffering": "no"}  # nginx would hold the events back
        return StreamingResponse(feed.watch(of.site, cursor), 200, headers, "text/event-stream")

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
    route = request.app.openapi()["paths"].get(request.url.path, {}).get("get", {})
    return {known["name"]: known["description"] for known in route.get("parameters", ()) if known["in"] == "query"}


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for this type alone
    hint = "the routes are in /openapi.json" if error.status_code == 404 else ""
    return JSONResponse({"error": error.detail, "hint": hint}, error.status_code, error.headers)


async def _pixelake_error(_: Request, error: Exception) -> JSONResponse:
    """400 for a question that cannot be answered, 503 for a store that cannot be reached."""
    assert isinstance(error, PixelakeError)  # noqa: S101 registered for this type alone
    line = str(error).partition("\n")[0]
    return JSONResponse({"error": line, "hint": error.hint}, 400 if isinstance(error, QueryError) else 503)


async def _internal_error(_: Request, __: Exception) -> JSONResponse:
    """500: a defect. It is answered outside the guard, so it brings the headers itself."""
    return JSONResponse({"error": "internal error", "hint": "the server's log has more"}, 500, HEADERS)
