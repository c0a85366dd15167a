"""The routes of the named questions: one each, made from `pixelake.warehouse.questions`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pixelake.errors import Misasked
from pixelake.warehouse import now
from pixelake.warehouse.ask import Answer
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.questions import Question, questions
from pixelake.warehouse.reading import Standing
from pixelake.web import formats
from pixelake.web.access import access_of, check_known, site_of
from pixelake.web.answers import Answers
from pixelake.web.asking import Resolved, next_cursor, resolve
from pixelake.web.described import answers_of, columns_of
from pixelake.web.line import AT_ONCE, Line
from pixelake.web.live import Feed
from pixelake.web.parameters import FORMATS, MAX_ROWS, MAX_SAVED, Asked, AskedList, Present, of_question
from pixelake.web.shares import check_shown
from pixelake.web.sources import Sources

T = TypeVar("T")

CACHE: Final = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}
HERE_SECONDS: Final = 0.25
"""What the lake and the registry say of themselves is looked up so often at most."""
SQL_AT_ONCE: Final = 2
"""Queries of people's own SQL that run at once, one of each caller: each has its own process, threads and memory."""
SMALL: Final = 200
"""Rows that are written without a thread."""
GONE: Final = 499
"""Nobody sees this status; it is in no standard."""
NEXT: Final = "X-Pixelake-Next"
"""Header of an answer that is rows alone and not all of them: the `cursor` of those behind."""
BOOT: Final = secrets.token_hex(8)
"""Of this process: its ETags are good as long as it runs, whatever is restored in between."""


@dataclass(frozen=True, slots=True)
class Here:
    """What an answer depends on, beside what is asked."""

    clocks: Clocks
    standing: Standing
    declared: int


class Asking:
    """Answers questions, bounded and shared.

    Attributes:
        heavy: what reads the lake.
        sql: people's own SQL, which may take its whole time: it has places of its own, and takes none of the others.
        light: what does not.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.heavy, self.light = Answers(AT_ONCE, Line()), Answers()
        self.sql = Answers(SQL_AT_ONCE, Line(SQL_AT_ONCE, 1))

    async def here(self) -> Here:
        """How the lake and the registry are."""
        return await self.light.get("here", self._here, HERE_SECONDS)

    def changed(self) -> None:
        """What is declared has changed: who asks from now on must see it."""
        self.light.drop("here")

    def _here(self) -> Here:
        sources = self.sources
        return Here(sources.clocks(), sources.lake.standing(), sources.registry.snapshot().version)

    async def answer(self, request: Request, question: Question, given: Asked) -> Response:
        """The answer to a question, or 304."""
        here = await self.here()
        site = site_of(request, given.site)
        check_known(request, here.clocks.known, site)
        form = formats.chosen(given.format, request.headers.get("accept", ""), FORMATS)
        _check_rows(given, form)
        resolved = resolve(question, given, site, here.clocks, here.standing)
        check_shown(request, question.name, resolved.ask.filter, resolved.ask.options)
        if (tag := _tag(resolved, here.standing.version, here.declared, form)) in _tags(request):
            return Response(status_code=304, headers={**CACHE, "ETag": tag})
        key = "question", resolved.name(here.declared)
        ask = partial(self.sources.questions.ask, resolved.ask)
        answer = await attended(request, self.heavy.get(key, ask, caller=access_of(request).caller))
        around = _around(question, resolved, answer)
        headers = {"ETag": _tag(resolved, answer.version, here.declared, form)}
        if form != "json" and around["next"]:
            headers[NEXT] = around["next"]
        return await rendered(answer.table, form, around, question.name, headers)

    def close(self) -> None:
        """Start nothing more."""
        self.heavy.close()
        self.sql.close()
        self.light.close()


def _check_rows(given: Asked, form: str) -> None:
    """Refuse more rows than an answer of that form has.

    Raises:
        Misasked: they are.
    """
    if form == "json" and isinstance(given, AskedList) and given.limit > MAX_ROWS:
        hint = f"go on behind `cursor`; as csv, parquet or rows an answer has up to {MAX_SAVED:,}"
        raise Misasked(f"limit: at most {MAX_ROWS:,} rows as json", hint)


def routes(asking: Asking, feed: Feed) -> APIRouter:
    """A route for each question."""
    found = APIRouter(tags=["questions"])
    for question in (now.QUESTION, *questions().values()):
        ask = _now(asking, feed) if question is now.QUESTION else _asker(asking, question)
        found.add_api_route(
            f"/{question.name}",
            ask,
            name=question.name,
            summary=question.summary,
            description=_description(question),
            response_model=None,
            responses=answers_of(question),
            tags=[question.group],
        )
    return found


def _asker(asking: Asking, question: Question) -> Callable[..., Awaitable[Response]]:
    """The route of a question, with the parameters that it takes."""
    model = of_question(question.name)

    async def ask(request: Request, given: Annotated[model, Query()]) -> Response:  # type: ignore[valid-type]
        return await asking.answer(request, question, given)

    return ask


def _now(asking: Asking, feed: Feed) -> Callable[..., Awaitable[Response]]:
    """The route of the question that the live store answers."""

    async def ask(request: Request, given: Annotated[Present, Query()]) -> Response:
        site = site_of(request, given.site)
        form = formats.chosen(given.format, request.headers.get("accept", ""), FORMATS)
        table = await feed.call(now.table, asking.sources.live, site)
        moment = datetime.now(UTC)
        around: dict[str, Any] = {
            "question": now.QUESTION.name,
            "site": site,
            "from": moment - timedelta(minutes=max(now.WINDOWS)),
            "to": moment,
            "zone": "UTC",
            "columns": columns_of(now.QUESTION, Answer(table)),
            "notes": {},
            "next": None,
            "source": [],
            "version": "",
        }
        return await rendered(table, form, around, now.QUESTION.name, {})

    return ask


def _description(question: Question) -> str:
    columns = (f"- `{each.name}`{f' ({each.unit})' if each.unit else ''}: {each.meaning}" for each in question.columns)
    return "\n".join([question.summary, "", *columns])


def _around(question: Question, resolved: Resolved, answer: Answer) -> Mapping[str, Any]:
    return {
        "question": question.name,
        "site": resolved.ask.site,
        "from": resolved.ask.start.astimezone(UTC),
        "to": resolved.ask.end.astimezone(UTC),
        "zone": resolved.zone,
        "columns": columns_of(question, answer),
        "notes": dict(answer.notes),
        "next": next_cursor(resolved) if answer.more else None,
        "source": [part._asdict() for part in answer.parts],
        "version": answer.version,
    }


async def rendered(table: Any, form: str, around: Mapping[str, Any], name: str, headers: Mapping[str, str]) -> Response:
    """Rows as an answer."""
    if table.num_rows <= SMALL:
        body = formats.body(table, form, around)
    else:
        body = await asyncio.to_thread(formats.body, table, form, around)
    more = {} if form in {"json", "rows"} else {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return Response(body, 200, {**CACHE, **more, **headers}, formats.TYPES[form])


async def attended(request: Request, wanted: Awaitable[T]) -> T:
    """What is wanted, as long as somebody waits for it: else it is given up."""
    answer: asyncio.Future[T] = asyncio.ensure_future(wanted)
    gone = asyncio.ensure_future(_gone(request))
    try:
        both: set[asyncio.Future[Any]] = {answer, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise HTTPException(GONE, "nobody waits for this any longer")
        return answer.result()
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _tag(resolved: Resolved, version: str, declared: int, form: str) -> str:
    return f'W/"{resolved.name(version, declared, form, BOOT)}"'


def _tags(request: Request) -> list[str]:
    return [each.strip() for each in request.headers.get("if-none-match", "").split(",")]
