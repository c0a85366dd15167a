"""Who may look, and by what: users and tokens, for owners alone."""

from typing import Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from pixelake.dialects.site import site_name
from pixelake.errors import QueryError, SettingsError
from pixelake.registry.access import User, user_name
from pixelake.registry.base import Registry
from pixelake.web.access import check_owner
from pixelake.web.bodies import Body, Text, absent, body_of
from pixelake.web.login import Login

_log = structlog.get_logger()


class NewUser(Body):
    """Somebody who may log in."""

    name: Text
    password: Text
    role: Literal["owner", "viewer"] = "viewer"
    sites: list[Text] | None = None


class OtherUser(Body):
    """What changes of a user; the rest stays."""

    role: Literal["owner", "viewer"] | None = None
    sites: list[Text] | None = None
    password: Text | None = None


class NewToken(Body):
    """A token for a program."""

    name: Text
    site: Text | None = None


def sites_of(names: list[str] | None) -> list[str] | None:
    """Names of sites, as they are compared.

    Raises:
        QueryError: one of them can be no site.
    """
    if names is None:
        return None
    found = [site_name(name) for name in names]
    if None in found:
        raise QueryError(f"sites: there can be no site {names[found.index(None)][:80]!r}", "a host or a slug")
    return [name for name in found if name]


def user_routes(login: Login) -> APIRouter:
    """Users: to list, make, change and remove."""
    found = APIRouter(include_in_schema=False, dependencies=[Depends(check_owner)])
    doorman = login.doorman
    book = doorman.book

    @found.get("/users")
    async def users() -> list[dict[str, Any]]:
        """All of them, by name."""
        return [_told(user) for user in (await doorman.door()).users.values()]

    @found.post("/users", status_code=201)
    async def add(request: Request) -> dict[str, Any]:
        """A new one."""
        given = await body_of(request, NewUser)
        sites = sites_of(given.sites)
        kept = await login.hashed(given.password, user_name(given.name) or "")
        try:
            name = await doorman.change(lambda: book.add_user(given.name, given.role, sites, kept))
        except SettingsError as error:
            raise QueryError(f"user: {error}", error.hint) from None
        _log.info("user_added", role=given.role)
        return _told((await doorman.door()).users[name])

    @found.patch("/users/{name}")
    async def change(request: Request, name: str) -> Response:
        """Another role, other sites (null: all) or another password; the last ends all sessions of that one."""
        given = await body_of(request, OtherUser)
        user = (await doorman.door()).users.get(name)
        if user is None:
            return absent("there is no such user")
        await _change(login, user, given)
        changed = (await doorman.door()).users.get(name)
        return JSONResponse(_told(changed)) if changed else absent("there is no such user")

    @found.delete("/users/{name}")
    async def remove(name: str) -> Response:
        """Nobody of that name gets in any longer, and whoever is in is out at once."""
        if not await doorman.change(lambda: book.remove_user(name)):
            return absent("there is no such user")
        _log.info("user_removed")
        return Response(status_code=204)

    return found


async def _change(login: Login, user: User, given: OtherUser) -> None:
    doorman, book = login.doorman, login.doorman.book
    kept = None if given.password is None else await login.hashed(given.password, user.name)
    role = given.role or user.role
    named = given.sites if "sites" in given.model_fields_set else _list(user, role)
    sites = sites_of(named)
    if {"role", "sites"} & given.model_fields_set:
        try:
            await doorman.change(lambda: book.change_user(user.name, role, sites))
        except SettingsError as error:
            raise QueryError(f"user: {error}", error.hint) from None
        _log.info("user_changed", role=role)
    if kept is not None:
        await doorman.change(lambda: book.set_password(user.name, kept))
        _log.info("password_changed")


def _list(user: User, role: str) -> list[str] | None:
    return None if user.sites is None or role == "owner" else sorted(user.sites)


def _told(user: User) -> dict[str, Any]:
    sites = None if user.sites is None else sorted(user.sites)
    return {"name": user.name, "role": user.role, "sites": sites, "created": user.created}


def token_routes(login: Login, registry: Registry) -> APIRouter:
    """Tokens of programs: to list, make and remove."""
    found = APIRouter(include_in_schema=False, dependencies=[Depends(check_owner)])
    change = login.doorman.change

    @found.get("/tokens")
    async def tokens() -> list[dict[str, Any]]:
        """Those that hold, the oldest first."""
        known = await change(registry.tokens)
        shown = ("name", "site", "created", "used")
        return [{name: getattr(token, name) for name in shown} for token in known if not token.revoked]

    @found.post("/tokens", status_code=201)
    async def add(request: Request) -> dict[str, Any]:
        """A new one, which is told this once."""
        given = await body_of(request, NewToken)
        sites = sites_of(None if given.site is None else [given.site])
        try:
            token = await change(lambda: registry.add_token(given.name, sites[0] if sites else None))
        except SettingsError as error:
            raise QueryError(f"name: {error}", error.hint) from None
        _log.info("token_added")
        return {"name": given.name, "site": sites[0] if sites else None, "token": token}

    @found.delete("/tokens/{name}")
    async def remove(name: str) -> Response:
        """Within a second or two nobody is answered by it."""
        if not await change(lambda: registry.remove_token(name)):
            return absent("there is no such token")
        _log.info("token_removed")
        return Response(status_code=204)

    return found
