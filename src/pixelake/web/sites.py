"""The sites together: the figures of some of them at once, and what is declared of one.

Each number is the one that the dashboard of that site shows: it is asked for in
the site's own zone.
"""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from pixelake.dialects.site import site_name
from pixelake.errors import QueryError, SettingsError
from pixelake.registry.base import Registry, Snapshot
from pixelake.warehouse.zones import known
from pixelake.web import formats
from pixelake.web.access import access_of, check_owner, site_of
from pixelake.web.asked import CACHE, Asking, attended
from pixelake.web.bodies import Body, Text, body_of
from pixelake.web.bodies import described as of_body
from pixelake.web.eachsite import EachSite, SitesAsked
from pixelake.web.live import Feed
from pixelake.web.parameters import Parameters
from pixelake.web.sources import Sources

LOOPBACK: Final = ("127.", "localhost", "::1")
"""How hosts begin that only this machine can reach."""


_Zone = Annotated[str, Field(description="IANA name of its time zone", min_length=1, max_length=60)]


class OneSite(Parameters):
    """Which site."""

    site: str = Field(description="name of the site", min_length=1, max_length=255)


class NewSite(Body):
    """A site to declare, and its zone; without one it has the default zone."""

    site: Text
    zone: _Zone | None = None


class SiteChange(Body):
    """What is to be changed of a site; what is not given stays."""

    site: Text
    zone: _Zone | None = None
    policy: Literal["default", "ignore", "anonymous", "withhold"] | None = Field(
        None, description="what DNT and Sec-GPC do; default: what the setting do_not_track says"
    )
    badge: bool | None = Field(None, description="whether it has a badge")


def routes(asking: Asking, feed: Feed) -> APIRouter:
    """All sites; one; a new one; a change of one."""
    found = APIRouter(tags=["sites"])
    sources, each = asking.sources, EachSite(asking, feed)

    @found.get("/each-site", response_model=None)
    async def each_site(request: Request, given: Annotated[SitesAsked, Query()]) -> Response:
        """The sites, some at a time, each with the figures of a period; `total` is how many match."""
        if given.site is not None:
            site_of(request, given.site)
        answer = await attended(request, each.page(given, access_of(request)))
        return Response(formats.json_of(answer), headers=CACHE, media_type="application/json")

    @found.get("/site")
    async def site(request: Request, given: Annotated[OneSite, Query()]) -> dict[str, Any]:
        """What is declared of a site, and its tags."""
        name = site_of(request, named(given.site)) or ""
        return described(sources, await asyncio.to_thread(sources.registry.snapshot), name)

    @found.post("/site", status_code=201, openapi_extra=of_body(NewSite))
    async def add_site(request: Request) -> dict[str, Any]:
        """Declare a site. One that is there stays as it is: `new` is false then."""
        check_owner(request)
        given = await body_of(request, NewSite)
        new = await asyncio.to_thread(add, sources.registry, given)
        return described(sources, await asyncio.to_thread(sources.registry.snapshot), named(given.site)) | {"new": new}

    @found.patch("/site", openapi_extra=of_body(SiteChange))
    async def change_site(request: Request) -> dict[str, Any]:
        """Let another zone or policy hold for hits of a site from now on, or give it a badge."""
        check_owner(request)
        given = await body_of(request, SiteChange)
        await asyncio.to_thread(change, sources.registry, given)
        return described(sources, await asyncio.to_thread(sources.registry.snapshot), given.site)

    return found


def named(text: str) -> str:
    """The name of a site, as it is kept.

    Raises:
        QueryError: no site can be called so.
    """
    name = site_name(text)
    if name is None:
        raise QueryError(f"site: {text[:80]!r} is neither a host name nor a slug", "such as shop.example or my-shop")
    return name


def add(registry: Registry, given: NewSite) -> bool:
    """Make a site of it, unless there is one. Whether it was made.

    Raises:
        QueryError: it cannot be called so, there is no such zone, or no room.
    """
    name = named(given.site)
    if name in registry.snapshot().sites:
        return False
    if given.zone:
        known(given.zone)
        _told("site", lambda: registry.change_zone(name, given.zone or ""))
    else:
        registry.add_sites([name])
    if name not in registry.snapshot().sites:
        raise QueryError(f"site: there is no room for {name!r}", "the registry has as many sites as it may")
    return True


def change(registry: Registry, given: SiteChange) -> None:
    """Change what is given of a site.

    Raises:
        QueryError: there is no such site, zone or policy.
    """
    if given.site not in registry.snapshot().sites:
        raise QueryError(f"site: there is no site {given.site[:80]!r}", "add it first")
    if given.zone is not None:
        _told("zone", lambda: registry.change_zone(given.site, given.zone or ""))
    if given.policy is not None:
        registry.set_policy(given.site, "" if given.policy == "default" else given.policy)
    if given.badge is not None:
        registry.set_badge(given.site, given.badge)


def _told(parameter: str, call: Callable[[], Any]) -> None:
    """What the registry refuses is the fault of a parameter."""
    try:
        call()
    except SettingsError as error:
        raise QueryError(f"{parameter}: {error}", error.hint) from None


def described(sources: Sources, snapshot: Snapshot, name: str) -> dict[str, Any]:
    """A site: ``known`` says whether it is one yet."""
    site = snapshot.sites.get(name)
    return {
        "site": name,
        "known": site is not None,
        "zone": site.zones[-1][1] if site else sources.clocks().of(None).zones[-1][1],
        "zones": [{"from": start, "zone": zone} for start, zone in site.zones] if site else [],
        "policy": (snapshot.policies.get(name) or [(0, "")])[-1][1] or "default",
        "default_policy": sources.policy,
        "badge": name in snapshot.badges,
        "closed": sources.closed,
        "local": is_local(sources.collect_url),
        "tags": dict(sources.tags(name)),
    }


def is_local(url: str) -> bool:
    """Whether only this machine can reach that."""
    return (urlsplit(url).hostname or "").startswith(LOOPBACK)
