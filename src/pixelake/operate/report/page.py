"""A report as one HTML file: no script, and nothing that is loaded from anywhere."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from pixelake.operate.report import chart, words
from pixelake.operate.report.gather import Figure, Panel, Point, Report, Row
from pixelake.operate.report.markup import SHEET, Html, el, isolated, joined

ACROSS: Final = 4
"""Figures in a row."""
PILLAR: Final = 120
"""Pixels of the highest column in a mail."""
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(report: Report, *, for_mail: bool = False, closing: str = "") -> str:
    """The whole document.

    Args:
        report: what it shows.
        for_mail: its chart is made of a table: programs for mail show no SVG.
        closing: a last line.
    """
    title = f"{words.site_of(report)}: {words.period_of(report)}"
    head = joined(
        (
            Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            el("title", "", title),
            Html(f"<style>{SHEET}</style>"),
        )
    )
    sheet = el("div", "sheet", *_sheet(report, for_mail, closing))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>{el("body", "body", sheet)}</html>\n'


def _sheet(report: Report, for_mail: bool, closing: str) -> Iterator[Html]:
    yield el("p", "brand", "pixelake report")
    yield el("h1", "title", isolated(words.site_of(report)))
    yield el("p", "period", words.period_line(report))
    yield _figures(report)
    yield _over_time(report, for_mail)
    if report.unusual:
        yield _unusual(report)
    yield el("div", "parts", *(_panel(each, report.wanted.site) for each in report.panels))
    yield _people(report)
    if report.notes:
        yield _part("Notes", "", *(el("p", "text", note) for note in report.notes))
    yield _trust(report)
    yield from (el("p", "small", each) for each in (*words.small(report), closing) if each)


def _part(title: str, unit: str, *inner: Html) -> Html:
    told = el("span", "unit", unit) if unit else Html("")
    return el("section", "part", el("h2", "heading", told, title), *inner)


def _figures(report: Report) -> Html:
    rows = (
        el("tr", "", *(_figure(each) for each in row), *(el("td", "figure") for _ in range(ACROSS - len(row))))
        for row in (report.figures[at : at + ACROSS] for at in range(0, len(report.figures), ACROSS))
    )
    return el("table", "figures", *rows, role="presentation")


def _figure(of: Figure) -> Html:
    value = el("span", "value", words.number(of.value, of.of.unit))
    before = f"before: {words.number(of.before, of.of.unit)}"
    return el(
        "td",
        "figure",
        el("span", "label", of.of.title),
        value,
        " ",
        el("span", "change", words.change(of.change), title=before),
    )


def _over_time(report: Report, for_mail: bool) -> Html:
    drawn = _columns(report) if for_mail else Html(chart.svg(report))
    legend = [] if for_mail else [*_key("key", "━", "this period"), *_key("key-before", "╌", "the period before")]
    if any(each.unusual for each in report.points):
        legend += _key("key-mark", "■" if for_mail else "○", "unusual hours")
    inner = [drawn, el("p", "legend", *legend)]
    if not for_mail:
        inner.append(_table(report))
    return _part("Over time", f"page views by {report.interval}", *inner)


def _key(look: str, sign: str, meaning: str) -> list[str]:
    return [el("span", look, sign), f" {meaning}   "]


def _columns(report: Report) -> Html:
    """The chart as a table of columns."""
    most = max([1, *(each.views for each in report.points)])
    pillars = (
        el(
            "td",
            "column",
            words.number(each.views),
            el(
                "div",
                "pillar-mark" if each.unusual else "pillar",
                style=f"height:{max(1, PILLAR * each.views // most)}px",
            ),
        )
        for each in report.points
    )
    labels = (el("td", "column-label", _day(each.at, report.interval)) for each in report.points)
    return el("table", "columns", el("tr", "", *pillars), el("tr", "", *labels), role="presentation")


def _day(at: datetime, interval: str) -> str:
    return f"{at:%a} {at.day}" if interval == "day" else words.bucket(at, interval)


def _table(report: Report) -> Html:
    """The numbers behind the chart, for who wants to read them."""
    head = el(
        "tr",
        "",
        el("th", "name", report.interval.capitalize(), scope="col"),
        *(el("th", "number", each, scope="col") for each in ("Views", "Before", "Visitors")),
    )
    rows = (_point(each, report.interval) for each in report.points)
    return el("details", "", el("summary", "", "The numbers of the chart"), el("table", "list", head, *rows))


def _point(of: Point, interval: str) -> Html:
    when = f"{words.day(of.at)}, {of.at:%H:%M}" if interval == "hour" else words.day(of.at)
    numbers = (of.views, of.before, of.visitors)
    cells = (el("td", "number", words.number(each)) for each in numbers)
    return el("tr", "", el("th", "name", when, scope="row"), *cells)


def _unusual(report: Report) -> Html:
    site = report.wanted.site
    lines = (
        el("p", "text", el("strong", "", words.hours(each)), " · ", isolated(words.unusual(each, site)))
        for each in report.unusual
    )
    return _part("Unusual hours", "", *lines)


def _panel(panel: Panel, site: str | None) -> Html:
    of = panel.of
    if not panel.rows:
        return _part(of.title, "", el("p", "quiet", "Nothing in this period."))
    most = max([1.0, *(row.value for row in panel.rows)])
    rows = [_row(panel, row, words.page_name(row.name, site, of.nothing), most) for row in panel.rows]
    more = [el("p", "small", f"The first {len(panel.rows)}; there are more.")] * panel.more
    return _part(of.title, of.told_unit, el("table", "list", *rows), *more)


def _row(panel: Panel, row: Row, name: str, most: float) -> Html:
    width = max(1, round(100 * row.value / most))
    bar = el("div", "track", el("div", "bar", style=f"width:{width}%"))
    beside = [el("td", "side", words.number(row.beside, panel.of.beside_unit))] * bool(panel.of.beside)
    return el(
        "tr",
        "",
        el("th", "name", isolated(name), bar, scope="row"),
        *beside,
        el("td", "number", words.number(row.value)),
        el("td", "side", words.change(row.change)),
    )


def _people(report: Report) -> Html:
    return _part("People and machines", "", el("p", "text", words.people(report)))


def _trust(report: Report) -> Html:
    lines = (
        el("p", "text", el("span", "good" if holds else "bad", "✓" if holds else "✗"), f" {text}")
        for text, holds in words.sums_of(report)
    )
    return _part("Where every hit is", "", el("p", "quiet", words.trust(report)), *lines)
