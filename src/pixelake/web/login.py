"""Logging in and out, and what belongs to who is logged in.

Every log-in begins a session with a new id, and ends the one that the browser
had before. A wrong name costs as much as a wrong password.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from pixelake.address import Networks
from pixelake.errors import QueryError, SettingsError
from pixelake.registry import passwords
from pixelake.registry.access import User, user_name
from pixelake.web.access import SHARE, Forbidden, access_of
from pixelake.web.bodies import FORM, Body, Text, absent, body_of
from pixelake.web.line import Refused
from pixelake.web.peer import NOBODYS, address_of, is_own_page, local_path
from pixelake.web.sessions import KEY, Doorman, Opened
from pixelake.web.throttle import Throttle

WAITING: Final = 16
"""Passwords that wait to be compared."""
WRONG: Final = "wrong name or password"

_log = structlog.get_logger()


class Entered(Body):
    """What somebody logs in with; `next` is the path to go on to."""

    user: Text
    password: Text
    next: Text = "/"


class Changed(Body):
    """One's own password."""

    current: Text
    password: Text


class Login:
    """Compares passwords, one at a time, and slows down who guesses. Belongs to one event loop.

    Args:
        doorman: knows who was let in.
        trusted: proxies whose word on the client's address is believed.
        throttle: counts what was wrong.
    """

    def __init__(self, doorman: Doorman, trusted: Networks = NOBODYS, throttle: Throttle | None = None) -> None:
        self.doorman, self.trusted = doorman, trusted
        self._throttle = throttle or Throttle()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")
        self._waiting = 0

    async def fits(self, request: Request, name: str, kept: str | None, password: str) -> bool:
        """Whether that is the password of which that is kept; None: there is nobody of that name.

        Args:
            request: who asks.
            name: whom the tries are counted for.
            kept: the hash.
            password: the guess.

        Raises:
            Refused: too many were wrong, or too many are being compared.
        """
        if self._waiting >= WAITING:
            raise Refused(503, "too many are logging in", 5)
        keys = f"address {address_of(request, self.trusted)}", f"name {name}"
        try:
            self._throttle.begin(keys)
        except Refused:
            _log.info("login", outcome="slowed")
            raise
        fitting = await self.compute(passwords.fits, kept, password)
        if fitting:
            self._throttle.right(keys[1], keys[:1])
        _log.info("login", outcome="right" if fitting else "wrong")
        return bool(fitting)

    async def compute(self, call: Any, *arguments: Any) -> Any:
        """What takes a tenth of a second, in the one thread for it."""
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
        finally:
            self._waiting -= 1

    async def hashed(self, password: str, name: str = "") -> str:
        """What is kept of a new password.

        Raises:
            QueryError: it may not be one.
        """
        try:
            passwords.check(password, name)
        except SettingsError as error:
            raise QueryError(f"password: {error}", error.hint) from None
        kept: str = await self.compute(passwords.hashed, password)
        return kept

    async def enter(self, request: Request, given: Entered) -> str | None:
        """Begin a session; its secret. None: the name or the password is wrong."""
        name = user_name(given.user)
        user = (await self.doorman.look()).users.get(name or "")
        counted = name or "nobody"
        if not await self.fits(request, counted, user.password if user else None, given.password) or user is None:
            return None
        return await self.begin(request, user)

    async def begin(self, request: Request, user: User | None = None) -> str | None:
        """A session with a new id, in the place of the one that the browser had; None: the user is gone by now."""
        before = await self.doorman.opened(request)
        instead = before.session.hash if before else ""
        return await self.doorman.change(lambda: self.doorman.book.open_session(user, instead=instead))

    def close(self) -> None:
        """Compare nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def routes(login: Login) -> APIRouter:
    """Logging in and out, one's own password and sessions."""
    found = APIRouter(include_in_schema=False)
    doorman = login.doorman

    @found.post("/login")
    async def log_in(request: Request) -> Response:
        """Begin a session by name and password, sent as JSON or as a form of our own page."""
        if not is_own_page(request.headers):
            raise Forbidden("this did not come from the log-in page", hint="programs send a token: `pixelake keys`")
        is_form = request.headers.get("content-type", "").startswith(FORM)
        given = await body_of(request, Entered, form=True)
        try:
            secret = await login.enter(request, given)
        except Refused:
            if is_form:
                return _back(given, "slow")
            raise
        if secret is None:
            return _back(given, "wrong") if is_form else JSONResponse({"error": WRONG, "hint": ""}, 401)
        path = local_path(given.next)
        answer: Response = RedirectResponse(path, 303) if is_form else JSONResponse({"next": path})
        doorman.hand_out(request, answer, secret)
        return answer

    @found.post("/logout")
    async def log_out(request: Request) -> Response:
        """End this session."""
        opened = opened_of(request)
        await doorman.change(lambda: doorman.book.close_session(opened.session.hash))
        return _left(doorman, request)

    @found.post("/logout-everywhere")
    async def log_out_everywhere(request: Request) -> Response:
        """End all sessions of who asks."""
        opened = opened_of(request)
        await doorman.change(lambda: doorman.book.close_sessions(opened.session.user))
        _log.info("signed_out_everywhere")
        return _left(doorman, request)

    @found.get("/me")
    async def me(request: Request) -> dict[str, Any]:
        """Who asks, and what requests of that one that change something have to carry."""
        return about(request)

    @found.post("/password")
    async def change_password(request: Request) -> Response:
        """Another password for who asks; all other sessions end."""
        given = await body_of(request, Changed)
        return await _change_password(login, request, given)

    _session_routes(found, doorman)
    return found


def _session_routes(found: APIRouter, doorman: Doorman) -> None:
    @found.get("/sessions")
    async def sessions(request: Request) -> list[dict[str, Any]]:
        """The sessions of who asks, the one that was used last first."""
        return await _sessions(doorman, opened_of(request))

    @found.delete("/sessions/{known}")
    async def end(request: Request, known: str) -> Response:
        """End one of them."""
        opened = opened_of(request)
        mine = [each["id"] for each in await _sessions(doorman, opened)]
        if known not in mine:
            return absent("there is no such session of yours")
        door = await doorman.door()
        held = next(held for held in door.sessions if held.startswith(known))
        await doorman.change(lambda: doorman.book.close_session(held))
        return Response(status_code=204)


async def _sessions(doorman: Doorman, opened: Opened) -> list[dict[str, Any]]:
    mine, now = opened.session, doorman.now()
    return [
        {"id": each.hash[:16], "created": each.created, "used": each.used, "this": each.hash == mine.hash}
        for each in (await doorman.door()).sessions.values()
        if (each.user, each.share) == (mine.user, "") and each.holds(now)
    ]


async def _change_password(login: Login, request: Request, given: Changed) -> Response:
    doorman = login.doorman
    user = await doorman.user_of(opened_of(request).session)
    if user is None:
        raise QueryError("who came by the access token has no password", "`pixelake users add` makes a user with one")
    if not await login.fits(request, user.name, user.password, given.current):
        raise Forbidden("current: that is not your password", "current", "an owner can give you another one")
    kept = await login.hashed(given.password, user.name)
    await doorman.change(lambda: doorman.book.set_password(user.name, kept))
    secret = await login.begin(request, user._replace(password=kept))
    if secret is None:
        return _left(doorman, request)
    answer = JSONResponse({"changed": True})
    doorman.hand_out(request, answer, secret)
    return answer


def opened_of(request: Request) -> Opened:
    """The session by which a request came.

    Raises:
        QueryError: it came by none.
    """
    opened: Opened | None = request.scope.get(KEY)
    if opened is None:
        raise QueryError("this is for who has logged in", "a program's token has no session")
    return opened


def about(request: Request) -> dict[str, Any]:
    """Who asks: name, role, sites (null: all), and the token for what changes something (null: none is needed)."""
    access, opened = access_of(request), request.scope.get(KEY)
    is_user = bool(opened and opened.session.user) and access.role != SHARE
    return {
        "name": access.name or access.role,
        "role": access.role,
        "sites": None if access.sites is None else sorted(access.sites),
        "csrf": opened.csrf if opened and access.role != SHARE else None,
        "has_password": is_user,
    }


def _back(given: Entered, fault: str) -> Response:
    """To the log-in page, which says what was wrong."""
    return RedirectResponse(f"/login?{urlencode({'next': local_path(given.next)})}#{fault}", 303)


def _left(doorman: Doorman, request: Request) -> Response:
    answer = JSONResponse({"next": "/login"})
    doorman.take_back(request, answer)
    return answer
