"""SQL for people, over HTTP: one SELECT, bounded in time, memory, rows and bytes."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pixelake.errors import QueryError
from pixelake.web import formats
from pixelake.web.access import access_of, site_of
from pixelake.web.asked import Asking, attended, rendered
from pixelake.web.described import Rows, answers
from pixelake.web.formats import distinct
from pixelake.web.parameters import LONGEST_SQL, SQL_FORMATS, Sql, SqlInQuery
from pixelake.web.tables import kind_of

MOST_ROWS: Final = 100_000
MOST_BYTES: Final = 64 << 20
"""Of an answer. `pixelake sql` has no such bounds."""

_EXAMPLE: Final = {"columns": [{"name": "n", "type": "int"}], "rows": [{"n": 12}]}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {
                "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_SQL},
                "example": "select count(*) as n from events",
            }
        },
    }
}


def routes(asking: Asking) -> APIRouter:
    """SELECT, in the address or in the body."""
    found = APIRouter(tags=["sql"])
    told = answers(
        Rows | list[dict[str, Any]], f"The rows; {MOST_ROWS:,} and {MOST_BYTES >> 20} MB at most", _EXAMPLE, arrow=True
    )

    @found.get("/sql", response_model=None, responses=told, operation_id="sql")
    async def sql(request: Request, given: Annotated[SqlInQuery, Query()]) -> Response:
        """One SELECT over `events`, `rejects` and the views `visits` and `daily`; of one site for a token of one."""
        return await _answer(asking, request, given, given.q)

    @found.post("/sql", response_model=None, responses=told, operation_id="sql_post", openapi_extra=_BODY)
    async def sql_post(request: Request, given: Annotated[Sql, Query()]) -> Response:
        """The same, with the SELECT as the body (UTF-8)."""
        return await _answer(asking, request, given, await _text(request))

    return found


async def _text(request: Request) -> str:
    """The body.

    Raises:
        QueryError: it is too long, or no text.
    """
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > LONGEST_SQL:
            raise QueryError(f"body: more than {LONGEST_SQL:,} bytes", "one SELECT")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise QueryError("body: it is no UTF-8", "one SELECT, as text") from None
    if "\0" in text:
        raise QueryError("body: it holds a zero byte", "one SELECT, as text")
    return text


async def _answer(asking: Asking, request: Request, given: Sql, text: str) -> Response:
    site = site_of(request, given.site)
    form = formats.chosen(given.format, request.headers.get("accept", ""), SQL_FORMATS)
    ask = partial(asking.sources.lake.sql, text, site=site, rows=MOST_ROWS, size=MOST_BYTES)
    table = await attended(request, asking.sql.get((text, site), ask, 0.0, caller=access_of(request).caller))
    around = {"columns": [{"name": each.name, "type": kind_of(each.type)} for each in distinct(table).schema]}
    return await rendered(table, form, around, "sql", {"Cache-Control": "no-store"})
