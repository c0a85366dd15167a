"""The named questions: ``sql/<name>.sql``, one file each.

Its first line is a comment: name, parameters, and the shape of the answer.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple, Protocol

import pyarrow as pa

from pixelake.errors import QueryError

_HEAD: Final = re.compile(r"-- (\w+)\(([\w, ]+)\): (.+)")
_PARAMETER: Final = re.compile(r"\$(\w+)")
_HOUR: Final = "%Y%m%d%H"

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A period lies between these two: nothing was received before, and arithmetic on times is safe within."""
MAX_BUCKETS: Final = 2_000
"""Rows of a series: what a screen shows. Without a bound, the gaps of a long period would fill the memory."""
ROWS: Final = 10
STEP: Final = timedelta(hours=1)


class Question(NamedTuple):
    """A question: its name, what can be given, the shape of its answer, and its SQL."""

    name: str
    parameters: Sequence[str]
    answer: str
    sql: str


@cache
def questions() -> dict[str, Question]:
    """All questions by name."""
    files = (resources.files("pixelake.warehouse") / "sql").iterdir()
    parsed = (_parse(file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".sql"))
    return {question.name: question for question in sorted(parsed)}


def _parse(text: str) -> Question:
    head = _HEAD.match(text)
    if not head:
        raise ValueError(f"a question begins with `-- name(parameters): answer`, not with {text.splitlines()[0]!r}")
    return Question(head[1], tuple(head[2].split(", ")), head[3], text)


class Asked(Protocol):
    """What answers SQL of ours: `pixelake.warehouse.query.Lakehouse`, or `pixelake.warehouse.resting.Resting`."""

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """The answer to one SELECT.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


class Questions:
    """Answers the named questions over a lake. Several threads may ask at once."""

    def __init__(self, lakehouse: Asked) -> None:
        self._lakehouse = lakehouse

    def question(
        self,
        name: str,
        site: str | None = None,
        *,
        start: datetime,
        end: datetime,
        limit: int | None = None,
        step: timedelta | None = None,
    ) -> pa.Table:
        """The answer for what was received from `start` to before `end` (with a zone).

        Args:
            name: which question.
            site: of one site, else of all.
            start: from this moment on, between `EARLIEST` and `LATEST`.
            end: to before this one.
            limit: rows of a list at most, else `ROWS`.
            step: length of a bucket of a series, else `STEP`; at most `MAX_BUCKETS` fit into the period.

        Raises:
            QueryError: there is no such question, it does not take what was given, or it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        asked = questions().get(name)
        if asked is None:
            raise QueryError(f"there is no question {name!r}", f"there are {', '.join(questions())}")
        _check_taken(asked, {"site": site, "limit": limit, "step": step})
        _check_period(start, end)
        length = STEP if step is None else step
        if "step" in asked.parameters:
            _check_buckets(end - start, length)
        values = {"site": site, "start": start, "end": end, "step": length, **_hours(start, end)}
        values["limit"] = ROWS if limit is None else limit
        names = set(_PARAMETER.findall(asked.sql))
        return self._lakehouse.ask(asked.sql, {name: value for name, value in values.items() if name in names})


def _check_taken(asked: Question, given: Mapping[str, Any]) -> None:
    """What a question does not take is refused: ignored, it would make the answer look like another's."""
    for name, value in given.items():
        if value is not None and name not in asked.parameters:
            raise QueryError(
                f"the question {asked.name!r} takes no `{name}`", f"it takes {', '.join(asked.parameters)}"
            )


def _check_period(start: datetime, end: datetime) -> None:
    for name, moment in (("from", start), ("to", end)):
        if not EARLIEST <= moment <= LATEST:
            raise QueryError(f"`{name}` is out of range", f"it lies in the years {EARLIEST.year} to {LATEST.year - 1}")
    if start >= end:
        raise QueryError("`from` must lie before `to`", "both are moments, ISO 8601 with zone")


def _check_buckets(period: timedelta, step: timedelta) -> None:
    if step <= timedelta():
        raise QueryError("`step` must be longer than nothing", "for example an hour")
    buckets = -(-period // step)
    if buckets > MAX_BUCKETS:
        fits = f"{MAX_BUCKETS:,} fit at most: let `to` lie within {MAX_BUCKETS * step} of `from`, or take longer steps"
        raise QueryError(f"from `from` to `to` there are {buckets:,} steps of {step}", fits)


def _hours(start: datetime, end: datetime) -> dict[str, Any]:
    """The first and the last day and hour, so that only files of the period are opened: in some of them a day lies."""
    first, last = (moment.astimezone(UTC).strftime(_HOUR) for moment in (start, end))
    return {"first_hour": first, "last_hour": last, "first_day": first[:8], "last_day": last[:8]}
