"""The named questions: ``sql/<name>.sql``, one file each. This module reads them; `pixelake.warehouse.asking` asks.

A file begins with what the question promises, a line each::

    -- pages: Pages, the most viewed first.
    -- group: content
    -- kind: list
    -- key value text: host and path of the page
    -- sum views int views: how often people looked at it
    -- sum daily_visitors int people: its visitors of each day, added up
    -- part us
    -- calc seconds float s = us / 1e6 / views: what it took
    -- option window int = 7: days in which it counts
    -- pick by text = campaign (campaign|placement): what a row is of
    -- order: views desc, value

then come some statements, each behind a line that names it:

``-- partial``
    what is counted of each day: it has ``site``, ``local_day``, the keys and the sums, and reads the relations of
    `pixelake.warehouse.trail`. Days add up, so that those that are over may have been counted before.
    ``bucket_of(x)`` is the beginning of the bucket of a moment, or null.
``-- partial with OPTION``
    what is counted instead if that option is given; it is counted when it is asked for.
``-- answer``
    the rows, made of ``summed`` (the sums by the keys over all days), or of the relations themselves if there is no
    partial. Without it the rows are the columns declared.

A question with ``daily_visitors`` also answers ``visitors``, if that is known: see `VISITORS`.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final, NamedTuple

GROUPS: Final = (
    "traffic",
    "content",
    "origin",
    "devices",
    "machines",
    "shop",
    "ads",
    "mail",
    "badges",
    "unusual",
    "newest",
)
KINDS: Final = ("figure", "series", "list")
"""One row; a row a bucket, in order of time, without gaps; rows with an order, of which some are asked for."""
TYPES: Final = {
    "text": "varchar",
    "int": "bigint",
    "float": "double",
    "amount": "decimal(38, 6)",
    "time": "timestamptz",
    "date": "date",
    "bool": "boolean",
    "texts": "varchar[]",
    "filters": "varchar[]",
    "ints": "bigint[]",
    "floats": "double[]",
    "json": "varchar",
}
"""Types of columns and options -> DuckDB's."""
DAILY: Final = "daily_visitors"
VISITORS: Final = "visitors"
VISITORS_MEANING: Final = (
    "different people. Exact within a day of the site; over several days only where every event has a `user_id`, "
    "else null: a visitor without one is another one each day"
)
RELATIONS: Final = ("everything", "hits", "visits", "visiting", "rejected", "unfiltered")

_LINE: Final = re.compile(r"-- (\w+)(?: ([^:=(]*))?(?: = ([^:]*?))?(?: \(([^)]*)\))?: (.+)\Z")
_SECTION: Final = re.compile(r"^-- (partial|answer)(?: (of|with) (\w+))?$", re.MULTILINE)
_READ: Final = re.compile(r"\b(?:from|join)\s+(\w+)", re.IGNORECASE)
_SUMS: Final = ("sum", "min", "max")
PEOPLE: Final = "people"
"""The role of a column of lists of people, of which there are so many different ones: made when it is asked for."""


class Column(NamedTuple):
    """A column of an answer.

    Attributes:
        name: unique.
        type: one of `TYPES`.
        unit: what is counted, or empty.
        meaning: its definition.
        role: ``key``, ``sum``, ``min``, ``max``, ``calc`` or ``col``.
        how: of ``calc``: SQL over the sums.
    """

    name: str
    type: str
    unit: str
    meaning: str
    role: str
    how: str = ""


class Option(NamedTuple):
    """Something that this question alone takes.

    Attributes:
        name: unique.
        type: one of `TYPES`.
        default: as text; empty: none.
        choices: what it may be; empty: anything of its type.
        meaning: what it does.
        picks: the partial has a column of this name, and only its rows with this value count.
    """

    name: str
    type: str
    default: str
    choices: Sequence[str]
    meaning: str
    picks: bool = False


class Question(NamedTuple):
    """A question.

    Attributes:
        name: its name.
        summary: what it answers, a sentence or some.
        group: one of `GROUPS`.
        kind: one of `KINDS`.
        columns: of the answer, in order.
        parts: sums that the answer does not show.
        options: what it alone takes.
        order: SQL; of the rows.
        partial: SQL; empty if it cannot be answered day by day.
        counted_as: the question whose partial it is; mostly its own name.
        answer: SQL; empty if the columns tell.
        instead: option -> the partial that takes the place of the other one if it is given; never counted before.
    """

    name: str
    summary: str
    group: str
    kind: str
    columns: Sequence[Column]
    parts: Sequence[Column]
    options: Sequence[Option]
    order: str
    partial: str
    counted_as: str
    answer: str
    instead: Mapping[str, str] = MappingProxyType({})

    @property
    def keys(self) -> list[str]:
        """The columns by which is summed."""
        return [each.name for each in self.columns if each.role == "key"]

    @property
    def picks(self) -> list[str]:
        """The columns of the partial of which one value is picked."""
        return [each.name for each in self.options if each.picks]

    @property
    def sums(self) -> list[Column]:
        """What is summed, shown or not."""
        return [each for each in (*self.columns, *self.parts) if each.role in (*_SUMS, PEOPLE)]

    @property
    def reads(self) -> frozenset[str]:
        """The relations that it reads."""
        return frozenset(_READ.findall(self.partial or self.answer)) & frozenset(RELATIONS)


def words(sql: str) -> frozenset[str]:
    """All words of a text."""
    return frozenset(re.findall(r"\w+", sql))


@cache
def questions() -> Mapping[str, Question]:
    """All questions by name, in the order of `GROUPS`."""
    files = (resources.files("pixelake.warehouse") / "sql").iterdir()
    texts = {file.name[:-4]: file.read_text(encoding="utf-8") for file in files if file.name.endswith(".sql")}
    found = {name: parse(name, text) for name, text in sorted(texts.items())}
    resolved = (_resolved(each, found) for each in found.values())
    return {each.name: each for each in sorted(resolved, key=lambda each: (GROUPS.index(each.group), each.name))}


def _resolved(question: Question, others: Mapping[str, Question]) -> Question:
    if question.counted_as == question.name:
        return question
    model = others[question.counted_as]
    own = {each.name for each in question.columns}
    hidden = [each._replace(role=each.role) for each in model.sums if each.name not in own]
    return question._replace(partial=model.partial, parts=[*question.parts, *hidden])


def parse(name: str, text: str) -> Question:
    """The question of a file.

    Raises:
        ValueError: it is not as this module says.
    """
    head, sections = _cut(text)
    lines = [_LINE.match(line) or _bad(name, line) for line in head if line.strip()]
    if not lines or lines[0][1] != name:
        raise ValueError(f"{name}.sql: its first line is `-- {name}: what it answers`")
    told = {found[1]: found[5] for found in lines[1:] if not found[2]}
    shown: list[Column] = []
    parts: list[Column] = []
    options: list[Option] = []
    for found in lines[1:]:
        words_of = (found[2] or "").split()
        if found[1] in {"option", "pick"}:
            options.append(_option(name, words_of, found))
        elif found[1] == "part":
            parts.append(Column(words_of[0], words_of[1], "", found[5], "sum"))
        elif words_of:
            column = Column(
                words_of[0], words_of[1], " ".join(words_of[2:]), found[5], found[1], (found[3] or "").strip()
            )
            if column.name == DAILY:
                shown.append(Column(VISITORS, "int", "people", VISITORS_MEANING, "col"))
            shown.append(column)
    for column in (*shown, *parts):
        if column.type not in TYPES or column.role not in {"key", "calc", "col", *_SUMS}:
            raise ValueError(f"{name}.sql: {column.role} {column.name} {column.type}")
    (partial, model), (answer, _) = sections.get("partial", ("", "")), sections.get("answer", ("", ""))
    instead = {key.removeprefix("with "): sql for key, (sql, _) in sections.items() if key.startswith("with ")}
    if not instead.keys() <= {each.name for each in options}:
        raise ValueError(f"{name}.sql: a partial with what is no option")
    return Question(
        name,
        lines[0][5],
        told["group"],
        told["kind"],
        shown,
        parts,
        options,
        told.get("order", ""),
        partial,
        model or name,
        answer,
        instead,
    )


def _cut(text: str) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """The lines of the head, and the statements by name, each with the question that it is taken from.

    What is counted instead, with an option, has the name ``with`` and that of the option.
    """
    marks = list(_SECTION.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    sections = {
        (f"with {mark[3]}" if mark[2] == "with" else mark[1]): (text[mark.end() : end].strip(), mark[3] or "")
        for mark, end in zip(marks, ends, strict=True)
    }
    return text[: marks[0].start() if marks else len(text)].splitlines(), sections


def _option(name: str, named: Sequence[str], found: "re.Match[str]") -> Option:
    if len(named) != 2 or named[1] not in TYPES:
        raise ValueError(f"{name}.sql: {found[0]}")
    choices = tuple(found[4].split("|")) if found[4] else ()
    return Option(named[0], named[1], (found[3] or "").strip(), choices, found[5], found[1] == "pick")


def _bad(name: str, line: str) -> "re.Match[str]":
    raise ValueError(f"{name}.sql: {line!r} is not as the head of a question")
