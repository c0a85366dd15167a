"""Whether a question can be asked so: its period, its zone, its options."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from heapq import nsmallest
from typing import Any, Final

from pixelake.errors import QueryError
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.filters import LONGEST, NOTHING, is_text
from pixelake.warehouse.questions import Option, Question, questions
from pixelake.warehouse.zones import INTERVALS, known

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A period lies between these two: nothing was received before, and arithmetic on times is safe within."""
MOST_ROWS: Final = 1 << 31
"""Of a list."""
_NAMED: Final = 10
"""Sites that a hint names."""


def check(ask: Ask, sites: Collection[str] | None = None) -> Question:
    """The question, if it can be asked so.

    Args:
        ask: what is asked.
        sites: all that there are; None: any name may be one.

    Raises:
        QueryError: it cannot; says which parameter, and what it may be.
    """
    question = questions().get(ask.question)
    if question is None:
        raise QueryError(f"question: there is no {ask.question[:60]!r}", f"there are {', '.join(questions())}")
    _check_period(ask)
    _check_site(question, ask, sites)
    if ask.zone is not None:
        known(ask.zone)
    if ask.interval is not None and question.kind != "series":
        raise QueryError(f"interval: the question {question.name!r} takes none", "it is for series")
    if ask.interval is not None and ask.interval not in INTERVALS:
        raise QueryError(f"interval: there is no {ask.interval[:40]!r}", f"one of {', '.join(INTERVALS)}")
    _check_rows(question, ask)
    options(question, ask.options)
    return question


def _check_rows(question: Question, ask: Ask) -> None:
    if question.kind != "list" and (ask.limit is not None or ask.skip):
        raise QueryError(f"limit: the question {question.name!r} takes none", "it is for lists")
    if ask.limit is not None and not 0 < ask.limit <= MOST_ROWS:
        raise QueryError(f"limit: {ask.limit} is out of range", f"1 to {MOST_ROWS:,}")
    if not 0 <= ask.skip <= MOST_ROWS:
        raise QueryError(f"skip: {ask.skip} is out of range", f"0 to {MOST_ROWS:,}")
    if ask.compare and not is_comparable(question):
        raise QueryError(
            f"compare: the question {question.name!r} takes none", "its rows have no like in another period"
        )


def is_comparable(question: Question) -> bool:
    """Whether the rows of two periods can be told to be of the same."""
    return question.kind != "list" or bool(question.keys)


def _check_period(ask: Ask) -> None:
    for name, moment in (("from", ask.start), ("to", ask.end)):
        if not EARLIEST <= moment <= LATEST:
            raise QueryError(
                f"{name}: it is out of range", f"it lies in the years {EARLIEST.year} to {LATEST.year - 1}"
            )
    if ask.start >= ask.end:
        raise QueryError("from: it must lie before `to`", "the period begins with `from` and ends before `to`")


def _check_site(question: Question, ask: Ask, sites: Collection[str] | None) -> None:
    if ask.site is not None and sites is not None and ask.site not in sites:
        raise QueryError(
            f"site: there is no site {ask.site[:60]!r}", f"there are {_some(sites)}" if sites else "there are none yet"
        )
    if ask.site is not None and not is_text(ask.site):
        raise QueryError(f"site: {ask.site[:60]!r} is no name", "of a host, or a slug")
    if question.reads == {"rejected"} and (ask.site is not None or ask.filter != NOTHING):
        name = "filter" if ask.site is None else "site"
        raise QueryError(
            f"{name}: the question {question.name!r} takes none", "what was refused is of no site, and no event"
        )


def _some(sites: Collection[str]) -> str:
    """The names of some sites."""
    named = ", ".join(nsmallest(_NAMED, sites))
    return named if len(sites) <= _NAMED else f"{named}, and {len(sites) - _NAMED:,} more"


def options(question: Question, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a question with their values; the default where none is given.

    Raises:
        QueryError: it has no such option, or it cannot be that.
    """
    taken = {each.name: each for each in question.options}
    for name in given:
        if name not in taken:
            raise QueryError(f"{name}: the question {question.name!r} takes none", f"it takes {_taken(question)}")
    return {name: _value(each, given.get(name, each.default)) for name, each in taken.items()}


def _taken(question: Question) -> str:
    common = "site, from, to, zone, filter, people, compare"
    special = {"series": ["interval"], "list": ["limit", "cursor"]}.get(question.kind, [])
    return ", ".join([common, *special, *(each.name for each in question.options)])


def _value(option: Option, value: Any) -> Any:
    if value in ("", None):
        return None
    if option.choices and value not in option.choices:
        raise QueryError(f"{option.name}: not {str(value)[:40]!r}", f"one of {', '.join(option.choices)}")
    try:
        if option.type == "int":
            return _bounded(int(value))
        if option.type in {"float", "amount"}:
            return _bounded(Decimal(str(value)))
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        raise QueryError(f"{option.name}: {str(value)[:40]!r} is no number", option.meaning) from None
    if isinstance(value, str):
        return _text(option, value)
    if option.type in {"texts", "filters"} and isinstance(value, list | tuple):
        return [_only_text(option, each) for each in value]
    if option.type == "bool" and isinstance(value, bool):
        return value
    raise QueryError(f"{option.name}: {str(value)[:40]!r} is no text", option.meaning)


def _only_text(option: Option, value: Any) -> str:
    if not isinstance(value, str) or not is_text(value) or len(value) > LONGEST:
        raise QueryError(f"{option.name}: {str(value)[:40]!r} cannot be", f"texts of {LONGEST:,} characters at most")
    return value


def _text(option: Option, value: str) -> Any:
    """What a text stands for that is no number."""
    if not is_text(value) or len(value) > LONGEST:
        raise QueryError(f"{option.name}: {value[:40]!r} cannot be", f"a text of {LONGEST:,} characters at most")
    if option.type == "bool":
        if value.lower() not in {"true", "false"}:
            raise QueryError(f"{option.name}: {value[:40]!r} is neither true nor false", option.meaning)
        return value.lower() == "true"
    if option.type == "filters":  # a value may hold a comma
        return [value]
    if option.type == "texts":
        return [each.strip() for each in value.split(",") if each.strip()]
    return value


def _bounded(number: Any) -> Any:
    if not abs(number) < 1 << 53:
        raise ValueError(number)
    return number
