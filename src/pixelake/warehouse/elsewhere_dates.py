"""Statements that go with the day on which they run: dates near one day, told from ``current_date`` instead.

Works on the trees of `sqlglot`, in place. ``current_date`` has to be that of UTC.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlglot import exp

NEAR: Final = timedelta(days=400)
"""What lies farther from the day is a bound of its own, as 1970 is."""
ROW: Final = 3
"""So many days one after the other are told by the first and the last."""
EPOCH: Final = date(1970, 1, 1)
DAY_US: Final = 86_400_000_000
_FORMS: Final[Sequence[tuple[re.Pattern[str], str]]] = (
    (re.compile(r"\d{8}"), "%Y%m%d"),
    (re.compile(r"\d{10}"), "%Y%m%d%H"),
)
"""Texts that are times: what they look like, and how they are read and written."""
_MICROSECONDS: Final = re.compile(r"\d{14,16}")


def moved(tree: Any, today: date) -> Any:
    """The tree with the dates, moments, hours and microseconds near a day told from the day on which it will run.

    Args:
        tree: a query; its moments are whole seconds.
        today: the day that stands for that one.
    """
    for each in list(tree.find_all(exp.Array)):
        _listed(each, today)
    for each in list(tree.find_all(exp.Literal)):
        if (new := _told(each, today)) is not None:
            each.replace(new)
    return tree


def _told(literal: Any, today: date) -> Any:
    """What stands for a literal; nothing if it is no time, or one that does not move."""
    if not literal.is_string:
        return _microseconds(int(literal.name), today) if _MICROSECONDS.fullmatch(literal.name) else None
    if isinstance(literal.parent, exp.Cast):
        return _at(_moment(literal.parent), today)
    form = next((form for looks, form in _FORMS if looks.fullmatch(literal.name)), None)
    told = _at(_read(literal.name, form), today) if form else None
    return told and exp.TimeToStr(this=exp.cast(told, "timestamp"), format=exp.Literal.string(form))


def _moment(cast: Any) -> datetime | None:
    """The moment of a cast of a literal to a date or a moment."""
    if not isinstance(cast, exp.Cast) or not isinstance(cast.this, exp.Literal):
        return None
    if not cast.to.is_type("date", "timestamptz"):
        return None
    return _read(cast.this.name)


def _read(text: str, form: str = "") -> datetime | None:
    """A moment by a form, or by ISO 8601; in UTC if it says no zone; nothing if it is none."""
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007 - just below
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _day(number: int) -> Any:
    """So many days behind the one on which it runs."""
    if not number:
        return exp.CurrentDate()
    kind = exp.Add if number > 0 else exp.Sub
    return kind(this=exp.CurrentDate(), expression=_interval(abs(number), "DAY"))


def _interval(number: int, unit: str) -> Any:
    return exp.Interval(this=exp.Literal.string(str(number)), unit=exp.var(unit))


def _at(moment: datetime | None, today: date) -> Any:
    """A moment as a day, and if it is not midnight, seconds behind it; nothing if it is none, or far away."""
    if moment is None or abs(days := moment.date() - today) > NEAR:
        return None
    seconds = (moment - datetime.combine(moment.date(), datetime.min.time(), UTC)) // timedelta(seconds=1)
    day = _day(days.days)
    if not seconds:
        return day
    return exp.Add(this=exp.cast(day, "timestamp"), expression=_interval(seconds, "SECOND"))


def _microseconds(moment: int, today: date) -> Any:
    """Microseconds since 1970."""
    days, rest = divmod(moment, DAY_US)
    number = days - (today - EPOCH).days
    if abs(number) > NEAR.days:
        return None
    epoch = exp.cast(exp.Literal.string(EPOCH.isoformat()), "date")
    since = exp.cast(exp.DateDiff(this=_day(number), expression=epoch, unit=exp.var("DAY")), "bigint")
    us = exp.Mul(this=since, expression=exp.Literal.number(DAY_US))
    return exp.paren(exp.Add(this=us, expression=exp.Literal.number(rest))) if rest else us


def _listed(array: Any, today: date) -> None:
    """A list of days, one after the other, and perhaps of others behind them."""
    moments = [_moment(each) for each in array.expressions]
    first = moments[0] if moments else None
    if first is None or abs(first.date() - today) > NEAR:
        return
    many = next((at for at, each in enumerate(moments) if each != first + at * timedelta(days=1)), len(moments))
    if many < ROW:
        return
    day = (first.date() - today).days
    days = exp.GenerateSeries(start=_day(day), end=_day(day + many - 1), step=_interval(1, "DAY"))
    kind = exp.DataType(this=exp.DataType.Type.ARRAY, expressions=[array.expressions[0].to.copy()], nested=True)
    told, rest = exp.cast(days, kind), [each.copy() for each in array.expressions[many:]]
    array.replace(exp.ArrayConcat(this=told, expressions=[exp.Array(expressions=rest)]) if rest else told)
