"""What the routes answer, as the OpenAPI has it: one model a question, its definitions among them."""

from datetime import date, datetime
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from pixelake.warehouse.ask import Answer
from pixelake.warehouse.now import QUESTION
from pixelake.warehouse.questions import Column, Question, questions
from pixelake.web.formats import TYPES

_KINDS: Final[dict[str, Any]] = {
    "text": str,
    "int": int,
    "float": float,
    "amount": float,
    "time": datetime,
    "date": date,
    "bool": bool,
    "texts": list[str | None],
    "ints": list[int | None],
    "floats": list[float | None],
    "json": Any,
}
_SAMPLES: Final[dict[str, Any]] = {
    "text": "example.com/",
    "int": 12,
    "float": 0.25,
    "amount": 12.5,
    "time": "2026-03-01T00:00:00Z",
    "date": "2026-03-01",
    "bool": True,
    "texts": ["one"],
    "ints": [1],
    "floats": [0.5],
    "json": "{}",
}


class Fault(BaseModel):
    """What is wrong, and what to do about it."""

    error: str = Field(description="what is wrong, in a line")
    hint: str = Field("", description="what to do about it")
    parameter: str | None = Field(None, description="the one at fault, if it is one")


class Told(BaseModel):
    """A column of the rows, with its definition."""

    name: str
    unit: str = Field(description="what is counted; empty: nothing")
    meaning: str = Field(description="its definition")


class Source(BaseModel):
    """Where the rows of some days come from."""

    source: str = Field(description="months, days (counted before), trail (events kept with their visits), or rows")
    first: str = Field(description="the first local day")
    last: str = Field(description="the last one")
    files: int = Field(description="files of what was counted before")


class Answered(BaseModel):
    """The answer to a question."""

    model_config = ConfigDict(populate_by_name=True)

    question: str
    site: str | None
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    zone: str = Field(description="on whose wall clock dates and buckets are")
    columns: list[Told]
    notes: dict[str, str] = Field(description="column -> why it has no value")
    next: str | None = Field(description="`cursor` of the rows behind these; null: there are none")
    source: list[Source]
    version: str = Field(description="of the lake")


class Typed(BaseModel):
    """A column of an SQL text's rows."""

    name: str
    type: str = Field(description="int, float, time, date, bool, text, or other")


class Rows(BaseModel):
    """Rows of an SQL text, by the names of their columns."""

    columns: list[Typed]
    rows: list[dict[str, Any]]


FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": Fault, "description": "A parameter is wrong: which, and what it accepts"},
    401: {"model": Fault, "description": "There is no token, or one that does not hold"},
    403: {"model": Fault, "description": "The token does not reach so far"},
    421: {"description": "The host name is not one of the dashboard's"},
    429: {"model": Fault, "description": "You ask too much: `Retry-After` says when to come again"},
    503: {"model": Fault, "description": "A store cannot be read now, or too much is asked by all"},
}
"""What any route may answer."""


def answers_of(question: Question) -> dict[int | str, dict[str, Any]]:
    """What the route of a question answers."""
    whole, row = _models(question.name)
    sample = {column.name: _SAMPLES[column.type] for column in question.columns}
    example: dict[str, Any] = {
        "question": question.name,
        "site": "example.com",
        "from": "2026-03-01T00:00:00Z",
        "to": "2026-04-01T00:00:00Z",
        "zone": "UTC",
        "rows": [sample],
        "columns": [each.model_dump() for each in map(told, question.columns)],
        "notes": {},
        "next": None,
        "source": [{"source": "months", "first": "2026-03-01", "last": "2026-03-31", "files": 1}],
        "version": "41-3",
    }
    return answers(whole | list[row], question.summary, example)  # type: ignore[valid-type]


def answers(model: Any, described: str, example: Any, *, arrow: bool = False) -> dict[int | str, dict[str, Any]]:
    """What a route answers that has rows."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    content: dict[str, Any] = {"application/json": {"example": example}}
    content |= {TYPES["csv"]: {"schema": {"type": "string"}}, TYPES["parquet"]: binary}
    if arrow:
        content[TYPES["arrow"]] = binary
    return {
        200: {"model": model, "description": described, "content": content},
        304: {"description": "As it was (`If-None-Match`)"},
        **FAULTS,
    }


@cache
def _models(name: str) -> tuple[type[BaseModel], type[BaseModel]]:
    """The answer to a question, and a row of it; made once a process, as each takes a while."""
    row = _row(QUESTION if name == QUESTION.name else questions()[name])
    rows: Any = (list[row], Field(description="in order"))  # type: ignore[valid-type]
    return create_model(f"Answer_{name}", __base__=Answered, rows=rows), row


def _row(question: Question) -> type[BaseModel]:
    fields: dict[str, Any] = {
        f"c_{number}": (_KINDS[column.type] | None, Field(None, alias=column.name, description=_meaning(column)))
        for number, column in enumerate(question.columns)
    }
    return create_model(f"Row_{question.name}", __config__=ConfigDict(extra="allow"), **fields)


def _meaning(column: Column) -> str:
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def told(column: Column) -> Told:
    """A column with its definition."""
    return Told(name=column.name, unit=column.unit, meaning=column.meaning)


def columns_of(question: Question, answer: Answer) -> list[dict[str, Any]]:
    """The columns of an answer, with their definitions."""
    known = {column.name: told(column) for column in question.columns}
    for name, column in list(known.items()):
        known[f"before_{name}"] = Told(name=f"before_{name}", unit=column.unit, meaning=f"{name}, in the period before")
        known[f"change_{name}"] = Told(
            name=f"change_{name}", unit="share", meaning=f"by which share of before {name} has changed"
        )
    names = answer.table.column_names
    return [known.get(name, Told(name=name, unit="", meaning="")).model_dump() for name in names]
