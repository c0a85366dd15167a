"""Queries in SQL that are kept under a name: an owner keeps them, and who may see their site reads them."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pixelake.clock import SYSTEM
from pixelake.errors import Misasked, SettingsError
from pixelake.registry.base import Registry
from pixelake.registry.queries import LONGEST, LONGEST_NAME
from pixelake.registry.queries import Query as Kept
from pixelake.web.access import access_of, check_owner, site_of
from pixelake.web.bodies import Body, body_of, described
from pixelake.web.described import Fault
from pixelake.web.parameters import OfSite

_NO_NAME: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Fault, "description": "No address has that name"}}
"""One with a line feed, or `..`."""
_EXAMPLE: Final = {"sql": "select count(*) as n from events", "site": None}
Name = Annotated[str, Path(max_length=LONGEST_NAME, description="what the query is called")]


class Saved(BaseModel):
    """A query that is kept."""

    name: str
    sql: str = Field(description="the SELECT")
    site: str | None = Field(description="the site whose rows it asks; null: all")
    changed: int = Field(description="when it was last put there, µs since 1970, UTC")


class Queries(BaseModel):
    """Those that are kept."""

    queries: list[Saved]


class NewQuery(Body):
    """What a query is to be."""

    sql: Annotated[str, Field(max_length=LONGEST)]
    site: Annotated[str, Field(min_length=1, max_length=255)] | None = None


def routes(registry: Registry) -> APIRouter:
    """List, keep, remove."""
    found = APIRouter(tags=["sql"])

    @found.get("/queries")
    async def queries(request: Request, of: Annotated[OfSite, Query()]) -> Queries:
        """Queries that are kept, by name: all, or those of the sites that who asks may see, or of one."""
        sites = access_of(request).sites if of.site is None else {site_of(request, of.site)}
        kept = await asyncio.to_thread(registry.queries.all)
        return Queries(queries=[Saved(**each._asdict()) for each in kept if sites is None or each.site in sites])

    @found.put("/queries/{name:path}", status_code=204, responses=_NO_NAME, openapi_extra=described(NewQuery, _EXAMPLE))
    async def put(request: Request, name: Name) -> Response:
        """Keep a query, in the place of one of its name. For owners."""
        check_owner(request)
        new = await body_of(request, NewQuery)
        try:
            await asyncio.to_thread(registry.queries.put, Kept(name, new.sql, new.site, SYSTEM.now()))
        except SettingsError as error:
            raise Misasked(f"body: {error}", error.hint) from None
        return Response(status_code=204)

    @found.delete("/queries/{name:path}", status_code=204, responses=_NO_NAME)
    async def delete(request: Request, name: Name) -> Response:
        """Keep it no longer. For owners."""
        check_owner(request)
        if not await asyncio.to_thread(registry.queries.remove, name):
            raise Misasked(f"name: there is no query {name[:80]!r}", "`GET /api/v1/queries` lists them")
        return Response(status_code=204)

    return found
