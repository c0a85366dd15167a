"""What the routes take: one model a route, from which requests are checked and the OpenAPI is made."""

from functools import cache
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from pixelake.warehouse.filters import MOST_FILTERS
from pixelake.warehouse.period import DEFAULT, NAMED
from pixelake.warehouse.questions import Option, questions
from pixelake.warehouse.zones import INTERVALS

MAX_ROWS: Final = 10_000
"""Of a list, in one answer as JSON with all that is around its rows."""
MAX_SAVED: Final = 100_000
"""Of a list, as a file: its rows alone."""
FORMATS: Final = ("json", "rows", "csv", "parquet")
SQL_FORMATS: Final = (*FORMATS, "arrow")
LONGEST: Final = 2_000
"""Characters of a text."""
LONGEST_SQL: Final = 100_000

_NUMBERS: Final = {"int": int, "float": float, "amount": float}
_FORMAT: Final = "json; rows: an array of its rows alone; csv; parquet. Else what `Accept` says"


class Parameters(BaseModel):
    """Nothing unknown, and no zero bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_zero_bytes(cls, value: Any) -> Any:
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and "\0" in text for text in texts):
            raise ValueError("it holds a zero byte")
        return value


Site = Annotated[str | None, Field(description="only this site; else all", min_length=1, max_length=255)]


class OfSite(Parameters):
    """A site, or all."""

    site: Site = None


class Newest(OfSite):
    """How many, of which site."""

    limit: int = Field(50, ge=1, le=100, description="at most so many events")


class Find(Parameters):
    """Which sites."""

    search: str = Field("", max_length=255, description="only sites with this in their name, in any case")
    limit: int = Field(100, ge=1, le=1_000, description="at most so many sites")


class Present(OfSite):
    """Who is here, in some format."""

    format: Literal["json", "rows", "csv", "parquet"] | None = Field(None, description=_FORMAT)


class Behind(OfSite):
    """Where a live feed begins."""

    after: int | None = Field(None, ge=0, le=2**63 - 1, description="events behind this cursor; else from now on")


class Asked(OfSite):
    """What every question takes."""

    start: str | None = Field(
        None,
        alias="from",
        max_length=40,
        description="start, included: a date (midnight on the wall clock) or an ISO 8601 time",
        examples=["2026-03-01"],
    )
    end: str | None = Field(
        None, alias="to", max_length=40, description="end, excluded; else now", examples=["2026-04-01"]
    )
    period: str | None = Field(
        None,
        max_length=40,
        description=f"instead of them one of {', '.join(NAMED)}, or another number; default {DEFAULT}",
        examples=["7d"],
    )
    zone: str | None = Field(
        None,
        max_length=60,
        description="on whose wall clock dates and buckets are; else the site's own",
        examples=["Europe/Zurich"],
    )
    filter: list[str] = Field(
        [],
        max_length=MOST_FILTERS,
        description="which events: `country is DE`, `path contains /blog`, `browser in Firefox, Safari`,"
        ' `properties.plan is not pro`, or JSON: `["or", ["is", "country", ["DE"]], ...]`; all given must hold',
        examples=[["country is DE"]],
    )
    people: bool = Field(True, description="false: machines and repeats, too")
    compare: bool = Field(False, description="also the period before, in columns `before_` and `change_`")
    format: Literal["json", "rows", "csv", "parquet"] | None = Field(None, description=_FORMAT)


class AskedList(Asked):
    """What a list takes, too."""

    limit: int = Field(
        100,
        ge=1,
        le=MAX_SAVED,
        description=f"at most so many rows; as `json` {MAX_ROWS:,} at most",
    )
    cursor: str | None = Field(
        None, max_length=500, description="rows behind: `next` of the answer before, asked for likewise"
    )


class AskedSeries(Asked):
    """What a series takes, too."""

    interval: Literal[INTERVALS] | None = Field(  # type: ignore[valid-type]
        None, description="of a bucket; else by the length of the period"
    )


class Sql(Parameters):
    """A SELECT."""

    site: Site = None
    format: Literal["json", "rows", "csv", "parquet", "arrow"] | None = Field(None, description=f"{_FORMAT}; arrow")


class SqlInQuery(Sql):
    """A SELECT in the address."""

    q: str = Field(max_length=LONGEST_SQL, description="the SELECT", examples=["select count(*) from events"])


COMMON: Final = frozenset({*Asked.model_fields, *AskedList.model_fields, *AskedSeries.model_fields})
"""Fields that are no options of a question."""


@cache
def of_question(name: str) -> type[Asked]:
    """What the route of that question takes; made once a process, as each takes a while."""
    question = questions()[name]
    base: Any = {"list": AskedList, "series": AskedSeries}.get(question.kind, Asked)
    fields: dict[str, Any] = {option.name: _field(option) for option in question.options if option.name not in COMMON}
    made: type[Asked] = create_model(f"Asked_{question.name}", __base__=base, **fields)
    return made


def _field(option: Option) -> tuple[Any, Any]:
    """An option as a field: None where it is not given."""
    default = f"; default {option.default}" if option.default else ""
    described = f"{option.meaning}{default}"
    if option.type in {"texts", "filters"}:
        return list[Annotated[str, Field(max_length=LONGEST)]] | None, Field(
            None, description=described, max_length=MOST_FILTERS
        )
    if option.choices:
        return Literal[tuple(option.choices)] | None, Field(None, description=described)
    kind = _NUMBERS.get(option.type, bool if option.type == "bool" else str)
    bounds: dict[str, Any] = {"max_length": LONGEST} if kind is str else {}
    if kind in {int, float}:
        bounds = {"ge": -(2**53) + 1, "le": 2**53 - 1}
    return kind | None, Field(None, description=described, **bounds)
