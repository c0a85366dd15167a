"""The routes of single hits: an event with all its columns, a reject with why, and a reject judged anew."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field, field_validator
from starlette.responses import Response

from pixelake.event import FIELDS
from pixelake.reject import FIELDS as REJECT_FIELDS
from pixelake.reject import REASONS
from pixelake.warehouse.period import FIRST_YEAR, LAST_YEAR
from pixelake.web.access import SHARE, Forbidden, access_of, check_all, check_owner, site_of
from pixelake.web.asked import Asking, attended
from pixelake.web.described import Fault
from pixelake.web.formats import TYPES, json_of
from pixelake.web.parameters import OfSite

LONGEST: Final = 200
"""Characters of a name."""
_MISSING: Final[dict[int | str, dict[str, Any]]] = {404: {"model": Fault, "description": "There is none of that name"}}
_MEANINGS: Final = {
    "event": {field.name: field.meaning for field in FIELDS},
    "reject": {field.name: field.meaning for field in REJECT_FIELDS},
}

_Row = Mapping[str, Any]
Name = Annotated[str, Path(min_length=1, max_length=LONGEST, description="its `hit_id`", examples=["p-4f1c9a2e-12"])]


class OfHit(OfSite):
    """Where it may be found."""

    at: datetime | None = Field(None, description="its `received_at`, or any time of that hour: it is found sooner")

    @field_validator("at")
    @classmethod
    def _bounded(cls, value: datetime | None) -> datetime | None:
        if value is not None and not FIRST_YEAR <= value.year <= LAST_YEAR:
            raise ValueError(f"a time between {FIRST_YEAR} and {LAST_YEAR}")
        return value


def routes(asking: Asking) -> APIRouter:
    """One hit."""
    found = APIRouter(tags=["newest"])
    one = asyncio.Lock()  # those that wait for their turn take no thread from others

    @found.get("/hit/{hit_id:path}", response_model=None, responses=_MISSING)
    async def hit(request: Request, hit_id: Name, of: Annotated[OfHit, Query()]) -> Response:
        """One event with every column, or one reject with its raw hit and why it is one.

        `kind` says which, `row` has the columns, `meanings` says what they are. A reject is of no site, and so only
        for who may see all.
        """
        _check_rows(request)
        site = site_of(request, of.site)
        kind, row = await attended(request, _look(asking, request, hit_id, site, of.at))
        return _missing(hit_id) if row is None else _told(kind, row)

    @found.post("/replay/{hit_id:path}", responses=_MISSING)
    async def replay(request: Request, hit_id: Name) -> JSONResponse:
        """Judge one reject anew, by the rules of today: an event now, or still refused, and why. For owners."""
        check_all(request)
        check_owner(request)
        if not _is_name(hit_id):
            return _missing(hit_id)
        async with one:
            report = await asyncio.to_thread(asking.sources.hits.replay, hit_id)
        asking.heavy.drop(_reject_key(hit_id))
        return JSONResponse(dict(report)) if report["looked_at"] else _missing(hit_id)

    return found


def _check_rows(request: Request) -> None:
    """Who has a shared link sees figures, nobody's single hits.

    Raises:
        Forbidden: this one has.
    """
    if access_of(request).role == SHARE:
        raise Forbidden("a shared link shows no single events")


async def _look(
    asking: Asking, request: Request, hit_id: str, site: str | None, at: datetime | None
) -> tuple[str, _Row | None]:
    if not _is_name(hit_id):
        return "", None
    hits, caller = asking.sources.hits, access_of(request).caller
    moment = at if at is None or at.tzinfo else at.replace(tzinfo=UTC)
    key = "hit", hit_id, site, moment
    event = await _found(asking, key, partial(hits.event, hit_id, site, moment), caller)
    if event is not None or access_of(request).sites is not None:
        return "event", event
    return "reject", await _found(asking, _reject_key(hit_id), partial(hits.reject, hit_id), caller)


async def _found(asking: Asking, key: tuple[Any, ...], look: Callable[[], _Row | None], caller: str) -> _Row | None:
    """What is there. That nothing is there is not remembered: it may be, the next moment."""
    row = await asking.heavy.get(key, look, caller=caller)
    if row is None:
        asking.heavy.drop(key)
    return row


def _reject_key(hit_id: str) -> tuple[str, str]:
    return "reject", hit_id


def _is_name(hit_id: str) -> bool:
    return "\0" not in hit_id


def _told(kind: str, row: Mapping[str, Any]) -> Response:
    told: dict[str, Any] = {"kind": kind, "row": row, "meanings": _MEANINGS[kind]}
    if kind == "reject":
        told |= {"row": {**row, "detail": _read(row["detail"]), "raw": _read(row["raw"])}, "why": _why(row["reason"])}
    return Response(json_of(told), media_type=TYPES["json"], headers={"Cache-Control": "no-store"})


def _read(text: str | None) -> Any:
    """JSON as what it says; what is none, as it is."""
    try:
        return None if text is None else msgspec.json.decode(text)
    except (ValueError, RecursionError):  # ValueError: msgspec's, and half a surrogate pair
        return text


def _why(reason: str) -> dict[str, str]:
    known = REASONS.get(reason)
    return known._asdict() if known else {"text": "a reason of another version of the program", "remedy": ""}


def _missing(hit_id: str) -> JSONResponse:
    hint = "the lake has a new one within seconds; an old one may have been erased, or be of another site"
    return JSONResponse({"error": f"there is no hit {hit_id[:60]!r}", "hint": hint}, 404)
