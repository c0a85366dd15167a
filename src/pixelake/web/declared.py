"""Goals and funnels that sites declare: who may see a site reads them, an owner changes them."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pixelake.errors import Misasked, QueryError, SettingsError
from pixelake.registry.goals import LONGEST, Funnel, Goal
from pixelake.warehouse.filters import MOST_FILTERS
from pixelake.warehouse.shop import LEAST_STEPS, MOST_STEPS, declarable
from pixelake.web.access import check_owner, site_of
from pixelake.web.asked import Asking
from pixelake.web.bodies import Body, body_of, described
from pixelake.web.parameters import LONGEST as LONGEST_TEXT
from pixelake.web.parameters import Parameters

Filter = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
Filters = Annotated[list[Filter], Field(min_length=1, max_length=MOST_FILTERS)]
_GOAL: Final = {"filters": ["event is purchase"], "worth": "2.50"}
_FUNNEL: Final = {"steps": [["path is /"], ["event is add_to_cart"], ["event is purchase"]]}


class OneSite(Parameters):
    """A site."""

    site: str = Field(min_length=1, max_length=255, description="the site that declares it")


class Named(OneSite):
    """Something that a site declares."""

    name: str = Field("", max_length=LONGEST, description="what it is called")


class ToldGoal(BaseModel):
    """A goal."""

    name: str
    filters: list[str] = Field(description="an event that passes all of them reaches it")
    worth: str | None = Field(description="what that is worth, a decimal; null: it does not say")


class ToldFunnel(BaseModel):
    """A funnel."""

    name: str
    steps: list[list[str]] = Field(description="of each step the filters, all of which an event of it passes")


class Declared(BaseModel):
    """What a site declares."""

    goals: list[ToldGoal]
    funnels: list[ToldFunnel]


class NewGoal(Body):
    """What a goal is to be."""

    filters: Filters
    worth: Annotated[str, Field(max_length=40)] | None = None


class NewFunnel(Body):
    """What a funnel is to be."""

    steps: Annotated[list[Filters], Field(min_length=LEAST_STEPS, max_length=MOST_STEPS)]


def routes(asking: Asking) -> APIRouter:
    """List, declare, take away."""
    found = APIRouter(tags=["shop"])
    registry = asking.sources.registry

    @found.get("/declared")
    async def declared(request: Request, of: Annotated[OneSite, Query()]) -> Declared:
        """The goals and funnels of a site."""
        site = site_of(request, of.site) or of.site
        known = await asyncio.to_thread(registry.snapshot)
        return Declared(
            goals=[ToldGoal(**each._asdict()) for each in known.goals.get(site, ())],
            funnels=[
                ToldFunnel(name=each.name, steps=[list(step) for step in each.steps])
                for each in known.funnels.get(site, ())
            ],
        )

    @found.put("/declared/goal", status_code=204, openapi_extra=described(NewGoal, _GOAL))
    async def put_goal(request: Request, of: Annotated[Named, Query()]) -> Response:
        """Declare a goal, in the place of one of its name; it holds at once, also for the past. For owners."""
        site = _owned(request, of)
        new = await body_of(request, NewGoal)
        await _check(asking, site, [new.filters])
        worth = None if new.worth is None else new.worth.strip() or None
        return await _change(asking, partial(registry.add_goal, site, Goal(of.name, tuple(new.filters), worth)))

    @found.put("/declared/funnel", status_code=204, openapi_extra=described(NewFunnel, _FUNNEL))
    async def put_funnel(request: Request, of: Annotated[Named, Query()]) -> Response:
        """Declare a funnel, in the place of one of its name. For owners."""
        site = _owned(request, of)
        new = await body_of(request, NewFunnel)
        await _check(asking, site, new.steps)
        return await _change(asking, partial(registry.add_funnel, site, Funnel(of.name, tuple(map(tuple, new.steps)))))

    @found.delete("/declared/goal", status_code=204)
    async def delete_goal(request: Request, of: Annotated[Named, Query()]) -> Response:
        """Take a goal away; the events stay. For owners."""
        return await _take(asking, of, partial(registry.remove_goal, _owned(request, of), of.name))

    @found.delete("/declared/funnel", status_code=204)
    async def delete_funnel(request: Request, of: Annotated[Named, Query()]) -> Response:
        """Take a funnel away; the events stay. For owners."""
        return await _take(asking, of, partial(registry.remove_funnel, _owned(request, of), of.name))

    return found


def _owned(request: Request, of: Named) -> str:
    """The site, if who asks may change it."""
    site = site_of(request, of.site) or of.site
    check_owner(request)
    return site


async def _check(asking: Asking, site: str, conditions: list[list[str]]) -> None:
    """Whether the site is there, and all of these are filters that name no person.

    Raises:
        Misasked: one is not.
    """
    here = await asking.here()
    if here.clocks.known is not None and site not in here.clocks.known:
        raise Misasked(f"site: there is no site {site!r}", "it becomes one with its first hit")
    try:
        for texts in conditions:
            declarable(texts, here.standing.columns)
    except QueryError as error:
        raise Misasked(f"body: {str(error).removeprefix('filter: ')}", error.hint) from None


async def _change(asking: Asking, change: Callable[[], Any]) -> Response:
    try:
        await asyncio.to_thread(change)
    except SettingsError as error:
        raise Misasked(f"body: {error}", error.hint) from None
    asking.changed()
    return Response(status_code=204)


async def _take(asking: Asking, of: Named, remove: Callable[[], bool]) -> Response:
    if not await asyncio.to_thread(remove):
        raise Misasked(f"name: {of.site} declares none named {of.name!r}", "`GET /api/v1/declared` lists them")
    asking.changed()
    return Response(status_code=204)
