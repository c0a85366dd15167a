"""Everything about who may look: logging in, users, tokens, shared links, and their pages."""

from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import FileResponse

from pixelake.registry.base import Registry
from pixelake.web import login, people, shares
from pixelake.web.peer import OWN_FORM

STATIC: Final = Path(__file__).parent / "static"
API: Final = "/api/v1"


def routes(entry: login.Login, registry: Registry) -> APIRouter:
    """The routes of all of it."""
    found = APIRouter(include_in_schema=False)
    found.include_router(login.routes(entry), prefix=API)
    found.include_router(people.user_routes(entry), prefix=API)
    found.include_router(people.token_routes(entry, registry), prefix=API)
    found.include_router(shares.routes(entry), prefix=API)

    @found.get("/login")
    async def door() -> FileResponse:
        return FileResponse(STATIC / "door.html", headers=OWN_FORM)

    @found.get("/account")
    async def account() -> FileResponse:
        return FileResponse(STATIC / "account.html")

    return found
