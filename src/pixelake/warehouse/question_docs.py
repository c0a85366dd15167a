"""The page ``docs/questions.md``, made of what the questions declare."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from pixelake.warehouse.now import QUESTION as NOW
from pixelake.warehouse.questions import GROUPS, Column, Option, Question, questions

GROUP_NAMES: Final[Mapping[str, str]] = {
    "traffic": "Traffic",
    "content": "Content",
    "origin": "Origin",
    "devices": "Devices",
    "machines": "Machines",
    "shop": "Shop",
    "ads": "Ads",
    "mail": "Mail",
    "badges": "Badges",
    "unusual": "Unusual",
    "newest": "Newest",
}
KIND_NAMES: Final[Mapping[str, str]] = {
    "figure": "one row",
    "series": "a row a bucket, in order, without gaps",
    "list": "rows with an order",
}


def as_markdown() -> str:
    """The page."""
    all_of_them = sorted([*questions().values(), NOW], key=lambda each: (GROUPS.index(each.group), each.name))
    groups = groupby(all_of_them, key=lambda each: each.group)
    parts = [f"## {GROUP_NAMES[group]}\n\n" + "\n".join(map(_question, some)) for group, some in groups]
    return _PAGE.format(questions="\n".join(parts))


def _question(question: Question) -> str:
    lines = [f"### {question.name}", "", f"{_safe(question.summary)} ({KIND_NAMES[question.kind]})", ""]
    lines += ["| column | type | unit | what it is |", "|---|---|---|---|", *map(_column, question.columns), ""]
    if question.options:
        lines += [
            "| option | type | default | what it does |",
            "|---|---|---|---|",
            *map(_option, question.options),
            "",
        ]
    return "\n".join(lines)


def _column(column: Column) -> str:
    return f"| `{column.name}` | {column.type} | {column.unit} | {_safe(column.meaning)} |"


def _option(option: Option) -> str:
    kind = _choices(option.choices) if option.choices else option.type
    return f"| `{option.name}` | {kind} | {_safe(option.default)} | {_safe(option.meaning)} |"


def _choices(choices: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in choices)


def _safe(text: str) -> str:
    return text.replace("|", "&#124;")


_PAGE: Final = """# Questions

Made from the files in `src/pixelake/warehouse/sql/`:
`python -c 'from pixelake.warehouse import question_docs as d; print(d.as_markdown(), end="")' > docs/questions.md`.

`pixelake query` lists the questions, `pixelake query QUESTION` asks one, `/api/v1/QUESTION` and the dashboard give
the same rows. All of them take

- **site**: only this one; else all. A person on two sites is a visitor of each.
- **from**, **to**: a date (its midnight) or a time, `to` excluded; or **period**: `today`, `yesterday`, `24h`, `7d`,
  `30d`, `last-week`, `month`, `last-month`, `12mo`, `year`; else 30 days up to now.
- **zone**: on whose wall clock the period and the buckets are; else the site's own. Visitors are known by the days of
  the site: where the days of another zone are not the same, its days, weeks and months have no number of them.
- **filter**, any number of times: which events. `country is DE`, `path contains /blog`, `browser in Firefox, Safari`,
  `path matches ^/blog/`, `properties.plan is pro`, and `is not`, `not in`, `does not contain`, `does not match`;
  nothing behind `is`: where there is none. All must hold; as JSON there are `and`, `or` and `not`: `["or", ["is",
  "country", ["DE"]], ["contains", "path", ["/blog"]]]`. `contains` is in any case, `matches` is RE2.
- **people** (on the command line `--all` for the opposite): machines, repeats, HEADs and what was fetched before
  anybody looked are left out.
- **compare**: also the period before: whole months have the months before them, what begins at midnight as many days
  before (of a day that is not over the same part), anything else what lasted as long. Each column has one with
  `before_` in front of its name, each number the share by which it changed, `change_`.
- lists: **limit**, and a **cursor** (`--skip`); a series: **interval**, `minute`, `quarter` (of an hour), `hour`,
  `day`, `week` (from Monday) or `month`.
- what stands below as its own options.

What they count by:

- A **hit** is an event of a person; a **view** is one named `pageview`.
- A **visitor** is a person on one day of a site ([visitors](visitors.md)). `daily_visitors` adds up the days:
  somebody who comes on three days is three of them. `visitors` are different people: the same number within a day of
  the site; over several days only if every event that counts has a `user_id`, else null, with the reason beside it.
- A **visit** is what one person does on a site until 30 minutes of silence. It may cross midnight, and belongs to the
  day and the bucket in which it began; what comes later than four o'clock on the next day is not looked at. A
  **bounce** is a visit of a single hit. A filter chooses events: a visit counts if one of its events passes, and
  counts whole.
- Rows with the same figures are ordered by their names; nothing (null) comes last.
- No number is an estimate, unless its name says so: what `unusual` expects is one.

Days that are over are counted once, and kept ([how](rollups.md)); `pixelake query QUESTION --explain` tells which
rows come from where. It makes no difference to any number.

{questions}"""
