"""Numbers, dates and names as a report writes them."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from pixelake.operate.report.gather import Report, Unusual

LONGEST: Final = 160
"""Characters of a name; the rest is cut off, and an ellipsis says so."""
NONE: Final = "\N{EN DASH}"
"""In place of a number that there is not."""
_JOINERS: Final = frozenset("\u200c\u200d")
"""They are unseen, too, but letters and emoji are made with them."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that turn text around, break it or cannot be seen."""
_MINUTE: Final = 60
_SLUG: Final = re.compile(r"[^a-z0-9]+")


def number(value: float | None, unit: str = "count") -> str:
    """A number as one reads it.

    Args:
        value: None: there is none.
        unit: ``count``, ``ratio``, ``share`` (0.5 is 50%) or ``seconds``.
    """
    if value is None:
        return NONE
    if unit == "share":
        return f"{value:.0%}"
    if unit == "ratio":
        return f"{value:,.1f}"
    return _duration(value) if unit == "seconds" else f"{value:,.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def change(share: float | None) -> str:
    """By how much something changed: ``+12%``; without a change to tell, nothing."""
    if share is None:
        return ""
    if abs(share) < 0.005:
        return "±0%"
    if share >= 10:
        return f"\N{MULTIPLICATION SIGN}{share + 1:,.0f}"
    return f"{share:+,.0%}".replace("-", "\N{MINUS SIGN}")


def name(text: str | None, nothing: str) -> str:
    r"""A name that somebody sent, as text that does nothing: what cannot be seen is written out (``\u202e``)."""
    if text is None:
        return nothing
    shown = "".join(_visible(each) for each in text[: LONGEST + 1])
    return shown if len(text) <= LONGEST else f"{shown[:LONGEST]}…"


def page_name(text: str | None, site: str | None, nothing: str) -> str:
    """The name of a page or the like, without the host if that is the site: ``/pricing``."""
    return name(text.removeprefix(site) if text and site and text.startswith(f"{site}/") else text, nothing)


def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode()


def day(moment: datetime) -> str:
    """A date: ``16 Nov 2026``."""
    return f"{moment.day} {moment:%b %Y}"


def span(begins: datetime, ends: datetime) -> str:
    """A period in words: ``October 2026``, ``16 to 22 Nov 2026``, ``22 Nov 2026, 00:00 to 14:05``."""
    if _is_midnight(begins) and _is_midnight(ends):
        return _days(begins, ends - timedelta(microseconds=1))
    if begins.date() == (ends - timedelta(microseconds=1)).date():
        return f"{day(begins)}, {begins:%H:%M} to {_clock(begins, ends)}"
    return f"{_moment(begins)} to {_moment(ends)}"


def _moment(at: datetime) -> str:
    return day(at) if _is_midnight(at) else f"{day(at)}, {at:%H:%M}"


def _days(first: datetime, last: datetime) -> str:
    """Whole days, from the first to the last."""
    if first.date() == last.date():
        return f"{first:%A}, {day(first)}"
    if first.day == 1 and (last + timedelta(microseconds=1)).day == 1:
        return _months(first, last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    return f"{day(first)} to {day(last)}"


def _months(first: datetime, last: datetime) -> str:
    if first.year == last.year and (first.month, last.month) == (1, 12):
        return f"{first:%Y}"
    return " to ".join(dict.fromkeys((f"{first:%B %Y}", f"{last:%B %Y}")))


def _is_midnight(moment: datetime) -> bool:
    return moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _clock(begins: datetime, ends: datetime) -> str:
    return f"{ends:%H:%M}" if ends.date() == begins.date() else "24:00"


def hours(of: Unusual) -> str:
    """When unusual hours were: ``Tue 17 Nov, 14:00 to 16:00``."""
    begun = f"{of.begins:%a} {of.begins.day} {of.begins:%b, %H:%M}"
    if (of.ends - timedelta(microseconds=1)).date() == of.begins.date():
        return f"{begun} to {_clock(of.begins, of.ends)}"
    return f"{begun} to {of.ends:%a} {of.ends.day} {of.ends:%b, %H:%M}"


def bucket(moment: datetime, interval: str) -> str:
    """Where a point of the chart lies."""
    if interval == "hour":
        return f"{moment:%H:%M}"
    return f"{moment:%b %Y}" if interval == "month" else f"{moment.day} {moment:%b}"


def site_of(report: Report) -> str:
    """The name of the site."""
    return name(report.wanted.site, "All sites")


def period_of(report: Report) -> str:
    """The period in words."""
    return span(report.begins, report.ends)


def before_of(report: Report) -> str:
    """The period before in words."""
    return span(report.before_begins, report.before_ends)


def period_line(report: Report) -> str:
    """Which period it is, beside which one, on whose clock."""
    return f"{period_of(report)}, compared with {before_of(report)} · {report.zone}"


def unusual(of: Unusual, site: str | None) -> str:
    """What was unusual, and why."""
    if of.what in {"site", "all"}:
        return of.reason
    return f"{of.what} {page_name(of.value, site, 'not known')}: {of.reason}"


def people(report: Report) -> str:
    """How much was not of people."""
    rest = report.everything - report.people
    share = f" ({rest / report.everything:.0%})" if report.everything else ""
    return (
        f"{number(report.everything)} hits arrived: {number(report.people)} of people, and {number(rest)}{share} of"
        " machines, repeats and what was fetched ahead. Those are kept, and counted in no other figure but the lists"
        " of machines and of what was fetched in people's place."
    )


def trust(report: Report) -> str:
    """What stands above both sums."""
    if not report.sums:
        return "Both sums could not be read when this was made."
    return f"Both sums, of all sites, when this was made ({day(report.made)}, {report.made:%H:%M}):"


def small(report: Report) -> Iterator[str]:
    """The small print: what each figure counts."""
    for each in report.figures:
        yield f"{each.of.title}: {report.definitions[each.of.title]}."
    yield "People only, unless it says otherwise. A change compares with the period before."


def visitors_of(report: Report) -> str:
    """The first figure, with its change: for a subject."""
    first = report.figures[0]
    told = f" ({change(first.change)})" if first.change is not None else ""
    return f"{number(first.value)} {'visitor' if first.value == 1 else 'visitors'}{told}"


def sums_of(report: Report) -> list[tuple[str, bool]]:
    """Both sums in words, each with whether it holds; none if they are not known."""
    if not (sums := report.sums):
        return []
    hits = f"{sums['accepted']:,} accepted = {sums['in_stream']:,} in the stream + {sums['settled']:,} settled"
    outcomes = (
        f"{sums['outcomes']:,} outcomes = {sums['in_lake']:,} in the lake + {sums['rejected']:,} rejected"
        f" + {sums['withheld']:,} withheld + {sums['removed']:,} removed"
    )
    return [
        (hits, sums["accepted"] == sums["in_stream"] + sums["settled"]),
        (outcomes, sums["outcomes"] == sum(sums[each] for each in ("in_lake", "rejected", "withheld", "removed"))),
    ]


def file_name(report: Report, form: str) -> str:
    """What a file with it may be called anywhere: ``report-shop-example-2026-11-16.html``.

    Of the name of a site only letters and digits are taken, as anybody may have sent it.
    """
    slug = _SLUG.sub("-", (report.wanted.site or "all-sites").lower())[:60].strip("-") or "site"
    return f"report-{slug}-{report.begins:%Y-%m-%d}.{form}"
