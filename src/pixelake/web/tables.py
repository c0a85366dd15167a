"""The tables that people's own SQL may name, with the meaning of every column."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import pyarrow as pa
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from pixelake import event, reject
from pixelake.warehouse.views import COLUMNS, DAILY, EVENTS, NAMES, REJECTS, SITE_NAMES, VISITS
from pixelake.web.access import site_of
from pixelake.web.asked import Asking
from pixelake.web.parameters import OfSite

_MEANINGS: Final[Mapping[str, str]] = {
    EVENTS: "a hit a row: people's are those `where not bot and not duplicate and not prefetch and method <> 'HEAD'`",
    REJECTS: "a hit a row that is no event, and why",
    VISITS: "a visit of people a row, which ended with 30 minutes of silence",
    DAILY: "a site and a day on its wall clock a row, people only",
}
_VIEW_TYPES: Final = {"int": "int64", "float": "double", "amount": "decimal(18,6)", "time": "timestamp"}


class Explained(BaseModel):
    """A column."""

    name: str
    type: str
    unit: str = Field(description="empty: it has none")
    meaning: str


class Table(BaseModel):
    """A table, or a view."""

    name: str
    meaning: str
    columns: list[Explained]


class Schema(BaseModel):
    """What SQL may name."""

    tables: list[Table]


def routes(asking: Asking) -> APIRouter:
    """The schema."""
    found = APIRouter(tags=["sql"])

    @found.get("/schema")
    async def schema(request: Request, of: Annotated[OfSite, Query()]) -> Schema:
        """The tables of SQL and their columns, with those of your own enrichers; for one site without `rejects`."""
        names = NAMES if site_of(request, of.site) is None else SITE_NAMES
        kinds = (await asking.here()).standing.columns
        return Schema(
            tables=[Table(name=each, meaning=_MEANINGS[each], columns=_columns(each, kinds)) for each in names]
        )

    return found


def _columns(table: str, kinds: Mapping[str, str]) -> list[Explained]:
    if table in COLUMNS:
        return [
            Explained(name=each.name, type=_VIEW_TYPES.get(each.type, each.type), unit=each.unit, meaning=each.meaning)
            for each in COLUMNS[table]
        ]
    fields: Iterable[event.Field] = reject.FIELDS if table == REJECTS else event.FIELDS
    known = [Explained(**each._asdict()) for each in fields]
    own = set(kinds) - {each.name for each in known} if table == EVENTS else set()
    return known + [Explained(name=each, type=kinds[each], unit="", meaning="of an enricher") for each in sorted(own)]


def kind_of(kind: pa.DataType) -> str:
    """An Arrow type in a word: ``int``, ``float``, ``time``, ``date``, ``bool``, ``text`` or ``other``."""
    tests: dict[str, Any] = {
        "int": pa.types.is_integer,
        "float": lambda of: pa.types.is_floating(of) or pa.types.is_decimal(of),
        "time": pa.types.is_timestamp,
        "date": pa.types.is_date,
        "bool": pa.types.is_boolean,
        "text": lambda of: pa.types.is_string(of) or pa.types.is_large_string(of),
    }
    return next((word for word, fits in tests.items() if fits(kind)), "other")
