"""A report as a PDF, set by Typst: text of any direction, in the fonts of the machine, else in those of Typst.

A character that none of them has stands as a box. What was sent reaches the template as data alone.
"""

import json
import re
from importlib import resources
from typing import Any, Final

from pixelake.errors import PixelakeError, SettingsError
from pixelake.operate.report import chart, words
from pixelake.operate.report.gather import Panel, Report, Row

_HERE: Final = resources.files("pixelake.operate.report")
_LONG: Final = re.compile(r"\S{25,}")
_BREAK: Final = re.compile(r"[/?&=_.-]")
_WORD: Final = re.compile(r"[^\s\u200b]{12}")
_SPACE: Final = "\u200b"
"""Takes no room, and lets a line end there."""


def pdf(report: Report) -> bytes:
    """The whole document.

    Raises:
        SettingsError: Typst is not installed.
        PixelakeError: it cannot be set.
    """
    try:
        import typst  # noqa: PLC0415 - an extra
    except ImportError:
        raise SettingsError("a PDF needs typst", "pip install 'pixelake[report]', or write --format html") from None
    told = {"report": json.dumps(told_of(report))}
    template = (_HERE / "paper.typ").read_bytes()
    try:
        return typst.compile(template, format="pdf", sys_inputs=told, font_paths=typst.Fonts())
    except (RuntimeError, ValueError) as error:
        raise PixelakeError(f"the PDF cannot be made: {error}", "write --format html") from error


def told_of(report: Report) -> dict[str, Any]:
    """What the template shows: texts, and shares in percent."""
    return {
        "title": f"{words.site_of(report)}: {words.period_of(report)}",
        "site": breakable(words.site_of(report)),
        "period": words.period_line(report),
        "figures": [
            {
                "title": each.of.title,
                "value": words.number(each.value, each.of.unit),
                "change": words.change(each.change),
            }
            for each in report.figures
        ],
        "chart": chart.svg(report),
        "chart-unit": f"page views by {report.interval}",
        "has-marks": any(each.unusual for each in report.points),
        "unusual": [
            {"when": words.hours(each), "text": breakable(words.unusual(each, report.wanted.site))}
            for each in report.unusual
        ],
        "panels": [_panel(each, report.wanted.site) for each in report.panels],
        "people": words.people(report),
        "notes": [breakable(each) for each in report.notes],
        "trust": words.trust(report),
        "sums": [{"text": text, "holds": holds} for text, holds in words.sums_of(report)],
        "small": [*words.small(report)],
    }


def _panel(panel: Panel, site: str | None) -> dict[str, Any]:
    most = max([1.0, *(row.value for row in panel.rows)])
    return {
        "title": panel.of.title,
        "unit": panel.of.told_unit,
        "has-beside": bool(panel.of.beside),
        "rows": [_row(panel, row, site, most) for row in panel.rows],
        "more": panel.more,
    }


def _row(panel: Panel, row: Row, site: str | None, most: float) -> dict[str, Any]:
    return {
        "name": breakable(words.page_name(row.name, site, panel.of.nothing)),
        "share": max(1, round(100 * row.value / most)),
        "value": words.number(row.value),
        "beside": words.number(row.beside, panel.of.beside_unit),
        "change": words.change(row.change),
    }


def breakable(text: str) -> str:
    """With places in long words where a line may end."""
    return _LONG.sub(lambda word: _WORD.sub(rf"\g<0>{_SPACE}", _BREAK.sub(rf"\g<0>{_SPACE}", word[0])), text)
