"""The named questions: ``sql/<name>.sql``, one file each.

Its first line is a comment: name, parameters, and the shape of the answer.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final, NamedTuple

import pyarrow as pa

from pixelake.errors import QueryError
from pixelake.warehouse.query import Lakehouse

_HEAD: Final = re.compile(r"-- (\w+)\(([\w, ]+)\): (.+)")
_PARAMETER: Final = re.compile(r"\$(\w+)")
_HOUR: Final = "%Y%m%d%H"


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


class Questions:
    """Answers the named questions over a lake. Several threads may ask at once."""

    def __init__(self, lakehouse: Lakehouse) -> None:
        self._lakehouse = lakehouse

    def question(
        self,
        name: str,
        site: str | None = None,
        *,
        start: datetime,
        end: datetime,
        limit: int = 10,
        step: timedelta = timedelta(hours=1),
    ) -> pa.Table:
        """The answer for what was received from `start` to before `end` (with a zone), of one site or of all.

        Raises:
            QueryError: there is no such question, or it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        asked = questions().get(name)
        if asked is None:
            raise QueryError(f"there is no question {name!r}", f"there are {', '.join(questions())}")
        values = {"site": site, "start": start, "end": end, "limit": limit, "step": step, **_hours(start, end)}
        names = set(_PARAMETER.findall(asked.sql))
        return self._lakehouse.ask(asked.sql, {name: value for name, value in values.items() if name in names})


def _hours(start: datetime, end: datetime) -> dict[str, Any]:
    """The first and the last hour's folders, so that only files of the period are opened."""
    return {"first_hour": start.astimezone(UTC).strftime(_HOUR), "last_hour": end.astimezone(UTC).strftime(_HOUR)}
