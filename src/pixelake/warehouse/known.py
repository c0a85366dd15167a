"""Visitors over several days, where each of them said who they are."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pixelake.warehouse.ask import Ask
from pixelake.warehouse.questions import DAILY, PEOPLE, VISITORS, Column, Question, questions

_COUNTED: Final = re.compile(
    r"\bcount\(distinct person\)(\s+filter\s+\((?:[^()]|\([^()]*\))*\))?\s+as\s+daily_visitors\b"
)
_ANONYMOUS: Final = "anonymous"
_HITS: Final = re.compile(r"\bunion all\b")
"""Behind it a series counts visits, which takes longer."""


def anonymous(ask: Ask) -> tuple[Question, Ask]:
    """A question of how many hits are there whose person cannot be known on another day, and how to ask it."""
    series = questions()["series"]
    told = tuple(each for each in series.parts if each.name == _ANONYMOUS)
    figure = series._replace(kind="figure", columns=told, parts=(), order="", partial=_HITS.split(series.partial)[0])
    return figure, replace(ask, question="series", zone=None, interval=None, limit=None, skip=0, options={})


def people(question: Question, ask: Ask) -> tuple[Question, Ask] | None:
    """A question of the different people in each of its rows, and how to ask it; None if it cannot be made.

    It counts who the question counts: the same SQL, which keeps the people that it else only numbers. A person on two
    sites is one on each, as in all counts of visitors.
    """
    partials = {name: _listing(sql) for name, sql in {"": question.partial, **question.instead}.items()}
    if not question.partial or None in partials.values():
        return None
    sqls: dict[str, str] = {name: sql for name, sql in partials.items() if sql}
    keys = [each for each in question.columns if each.role == "key"]
    columns = [*keys, Column(VISITORS + "_known", "texts", "people", "", PEOPLE)]
    made = question._replace(columns=columns, parts=(), order="", partial=sqls.pop(""), instead=sqls, answer="")
    return made, replace(ask, limit=None, skip=0)


def _listing(partial: str) -> str | None:
    listed, found = _COUNTED.subn(
        lambda found: f"list(distinct site || ' ' || person){found[1] or ''} as {VISITORS}_known", partial
    )
    return listed if found else None


def takes(question: Question, notes: Mapping[str, Any]) -> bool:
    """Whether visitors have no number, and might have one."""
    return VISITORS in notes and DAILY not in notes and any(each.name == VISITORS for each in question.columns)
