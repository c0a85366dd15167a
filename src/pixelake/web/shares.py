"""Shared links: whoever has one sees one site, without a log-in, and changes nothing.

``/share/<secret>`` is the page, and ``/share/<secret>/api/v1/...`` is what it asks: no cookie is needed, so that it
also works in a frame on another site's page, and takes nobody's own log-in away.

A link shows sums and lists of many, and who is here now. It shows no rows of single events, no ids, no properties (a
sender may have put a name into them), and takes no filter by them.
"""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import Field
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response

from pixelake.dialects.site import site_name
from pixelake.errors import QueryError, SettingsError
from pixelake.registry.access import DAY, Share
from pixelake.registry.tokens import hash_of
from pixelake.warehouse.filters import Filter, columns_in
from pixelake.web.access import SHARE, Access, Forbidden, access_of, check_owner
from pixelake.web.bodies import FORM, Body, Text, absent, body_of
from pixelake.web.line import Refused
from pixelake.web.login import Login
from pixelake.web.peer import OWN_FORM, SAFE, address_of, is_own_page
from pixelake.web.sessions import KEY

STATIC: Final = Path(__file__).parent / "static"
START: Final = "/share/"
ANCESTORS: Final = "pixelake.ancestors"
"""In the scope of a request for a page that others may hold in a frame."""
API: Final = "/api/v1/"
QUESTIONS: Final = frozenset(
    {
        "overview",
        "series",
        "entries",
        "events",
        "exits",
        "hosts",
        "pages",
        "titles",
        "campaigns",
        "channels",
        "cities",
        "countries",
        "languages",
        "referrers",
        "regions",
        "browsers",
        "devices",
        "screens",
        "systems",
        "bots",
        "prefetches",
        "proxies",
        "carts",
        "cohorts",
        "funnel",
        "goals",
        "revenue",
        "mails",
        "unusual",
        "now",
    }
)
"""What a link may ask. Not: rejects, newest, repeats and properties, which hold what single senders sent; badges and
sites, which are of several sites."""
ROUTES: Final = QUESTIONS | {"me", "charts", "site-names", "about", "live"}
"""Of the API, what a link may ask."""
NAMED: Final = frozenset({"mails"})
"""Questions that a link asks of all together alone: their rows are what senders put into properties."""
COLUMNS: Final = frozenset(
    {
        "site",
        "event",
        "host",
        "path",
        "title",
        "currency",
        "referrer_host",
        "channel",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "country",
        "region",
        "city",
        "language",
        "browser",
        "browser_version",
        "os",
        "os_version",
        "device",
        "screen",
        "bot",
        "bot_name",
        "proxy",
        "prefetch",
        "duplicate",
    }
)
"""By which a link may filter: those whose values it is shown anyway."""
_HINT: Final = "a shared link shows sums and lists of many, never single events or people: log in to see more"

_log = structlog.get_logger()


class NewShare(Body):
    """A link; `days`: until it expires."""

    name: Text
    site: Text
    days: int | None = Field(None, ge=1, le=3_650)
    password: Text | None = None
    ancestors: list[Text] = Field(default_factory=list)


class Password(Body):
    """Of a link."""

    password: Text


class Way(NamedTuple):
    """A request by a link.

    Attributes:
        share: which.
        path: behind its secret; empty: the page itself.
    """

    share: Share
    path: str


def check_shown(request: Request, question: str, what: Filter, options: Mapping[str, Any]) -> None:
    """Whether who asks may ask so: by a link neither by single people's ids nor by what senders put into properties.

    Raises:
        Forbidden: this one may not.
    """
    if access_of(request).role != SHARE:
        return
    if question not in QUESTIONS:
        raise Forbidden(f"a shared link does not show {question!r}", hint=_HINT)
    if hidden := sorted(columns_in(what) - COLUMNS):
        raise Forbidden(f"filter: a shared link does not look at {hidden[0]!r}", "filter", _HINT)
    if question in NAMED and options.get("by"):
        raise Forbidden("by: a shared link does not list what senders named", "by", _HINT)
    if options.get("steps"):
        raise Forbidden("steps: a shared link shows declared funnels alone", "steps", "name one with `funnel`")


class ShareDoor:
    """Lets in who has a link.

    Args:
        login: compares passwords.
    """

    def __init__(self, login: Login) -> None:
        self._login, self._doorman = login, login.doorman

    async def way(self, request: Request) -> Way | Response:
        """Which link a request came by; or the answer that it has none that holds."""
        secret, slash, rest = request.scope["path"].removeprefix(START).partition("/")
        share = (await self._doorman.door()).shares.get(hash_of(secret))
        path = slash + rest if rest else ""
        if share is None or not share.holds(self._doorman.now()):
            return _over(is_page=_is_page(path))
        return Way(share, path)

    async def access(self, request: Request, share: Share) -> Access | None:
        """What a request by a link may see; None: it has expired, was removed, or asks for a password first."""
        door = await self._doorman.door()
        if door.shares.get(share.hash) != share or not share.holds(self._doorman.now()):
            return None
        if share.password and await self._doorman.opened(request, share) is None:
            return None
        caller = f"share {share.id} {address_of(request, self._login.trusted)}"
        return Access(caller, frozenset({share.site}), SHARE, share.name)

    async def enter(self, request: Request, way: Way) -> Response | None:
        """The answer to a request by a link that may not pass; None: it may, to `inner` of its path."""
        if request.method == "POST" and not way.path and way.share.password:
            return await self._open(request, way.share)
        if request.method not in SAFE:
            return JSONResponse({"error": "a shared link changes nothing", "hint": _HINT}, 405, {"Allow": "GET, HEAD"})
        if way.path and way.path.removeprefix(API) not in ROUTES:
            return _not_shown(request, is_page=_is_page(way.path))
        if await self.access(request, way.share) is not None:
            return None
        if way.path:
            return JSONResponse({"error": "this link asks for a password", "hint": "open its page first"}, 401)
        return FileResponse(STATIC / "share.html", 401, OWN_FORM)

    async def _open(self, request: Request, share: Share) -> Response:
        """Compare the password of a link, and begin a session for it alone."""
        if not is_own_page(request.headers):
            raise Forbidden("this did not come from the link's own page", hint="open the link")
        is_form = request.headers.get("content-type", "").startswith(FORM)
        given = await body_of(request, Password, form=True)
        here = request.scope["path"].rstrip("/")
        try:
            is_right = await self._login.fits(request, f"share {share.id}", share.password, given.password)
        except Refused:
            if is_form:
                return RedirectResponse(f"{here}#slow", 303)
            raise
        book = self._doorman.book
        secret = await self._doorman.change(lambda: book.open_session(share=share)) if is_right else None
        if secret is None:
            wrong = JSONResponse({"error": "wrong password", "hint": ""}, 401)
            return RedirectResponse(f"{here}#wrong", 303) if is_form else wrong
        answer: Response = RedirectResponse(here, 303) if is_form else JSONResponse({"next": here})
        self._doorman.hand_out(request, answer, secret, share)
        return answer


def inner(way: Way) -> Mapping[str, Any]:
    """What changes in the scope of a request by a link on its way to the routes."""
    path = way.path or "/"
    more: dict[str, Any] = {} if way.path else {ANCESTORS: way.share.ancestors}
    return {"path": path, "raw_path": path.encode(), KEY: None, **more}


def _is_page(path: str) -> bool:
    """Whether people, not programs, open what is behind a secret."""
    return not path.startswith("/api/")


def _not_shown(request: Request, *, is_page: bool) -> Response:
    """For people 404, with the way to what the link shows; 403 for programs."""
    if not is_page or "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"error": "a shared link does not show this", "hint": _HINT}, 403)
    secret = request.scope["path"].removeprefix(START).partition("/")[0]
    text = (STATIC / "nowhere.html").read_text(encoding="utf-8")
    return HTMLResponse(text.replace('href="/"', f'href="{escape(START + secret)}"'), 404)


def _over(*, is_page: bool) -> Response:
    """404: a sentence for people, JSON for programs."""
    if is_page:
        return FileResponse(STATIC / "gone.html", 404)
    return JSONResponse({"error": "this link holds no longer", "hint": "whoever gave it to you can make another"}, 404)


def routes(login: Login) -> APIRouter:
    """Links: to list, make and remove, for owners alone."""
    found = APIRouter(include_in_schema=False, dependencies=[Depends(check_owner)])
    doorman = login.doorman
    book = doorman.book

    @found.get("/shares")
    async def shares() -> list[dict[str, Any]]:
        """All of them, also those that have expired, the oldest first; without their secrets."""
        now = doorman.now()
        return [_told(share, now) for share in (await doorman.door()).shares.values()]

    @found.post("/shares", status_code=201)
    async def add(request: Request) -> dict[str, Any]:
        """A new one, whose address is told this once."""
        given = await body_of(request, NewShare)
        site = site_name(given.site)
        if site is None:
            raise QueryError(f"site: there can be no site {given.site[:80]!r}", "a host or a slug")
        expires = doorman.now() + given.days * DAY if given.days else 0
        kept = await login.hashed(given.password) if given.password else ""
        try:
            made = await doorman.change(lambda: book.add_share(given.name, site, expires, kept, given.ancestors))
        except SettingsError as error:
            raise QueryError(f"share: {error}", error.hint) from None
        share, secret = made
        _log.info("share_added", expires=bool(expires), password=bool(kept), framed=bool(share.ancestors))
        return _told(share, doorman.now()) | {"address": START + secret}

    @found.delete("/shares/{known}")
    async def remove(known: str) -> Response:
        """Within a second nobody is answered by it."""
        if not await doorman.change(lambda: book.remove_share(known)):
            return absent("there is no such link")
        _log.info("share_removed")
        return Response(status_code=204)

    return found


def _told(share: Share, now: int) -> dict[str, Any]:
    return {
        "id": share.id,
        "name": share.name,
        "site": share.site,
        "created": share.created,
        "expires": share.expires or None,
        "expired": not share.holds(now),
        "password": bool(share.password),
        "ancestors": list(share.ancestors),
    }
