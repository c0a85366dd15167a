"""Reports made by hand, and names that somebody sent to do harm."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pixelake.operate.report.gather import Figure, Panel, Point, Report, Row, Unusual, Wanted
from pixelake.operate.report.sections import HEADLINES, SECTIONS

START = datetime(2026, 11, 9, tzinfo=UTC)
END = datetime(2026, 11, 16, tzinfo=UTC)
NAUGHTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "</style><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "&lt;b&gt; &amp;amp;",
    '#panic("out") $x^2$ *bold* @label <label> // not a comment',
    "#set page(fill: red); \\ \\u{0}",
    '=HYPERLINK("http://evil.example")',
    "subject\r\nBcc: victim@example.com\r\n\r\nbody",
    "nul\x00bell\x07escape\x1b[31m",
    "right\u202eot\u202dleft\u2066\u2069",
    "lone \ud800 surrogate",
    "日本語のとても長い名前",
    "👩\u200d👩\u200d👧\u200d👦 and 🏳\ufe0f\u200d🌈",
    "עברית שלום",
    "العربية",
    "zal͓̞͇go̵̧̱",
    "x" * 5_000,
    "y" * 161,
    " ",
    "",
    "\u200b\ufeff",
    "{{7*7}} ${7*7} %s %(x)s {0}",
)
"""Each does harm where text is taken for something else."""


def report(names: Any = ("/", "/pricing"), site: str | None = "shop.example", **changed: Any) -> Report:
    """A report of a week, whose lists have these names for rows."""
    rows = [Row(name, 100.0 - at, 0.5 if at else None, 0.25) for at, name in enumerate([*names, None])]
    made = Report(
        wanted=Wanted(site, START, END),
        zone="UTC",
        begins=START.replace(tzinfo=None),
        ends=END.replace(tzinfo=None),
        before_begins=(START - timedelta(days=7)).replace(tzinfo=None),
        before_ends=START.replace(tzinfo=None),
        made=datetime(2026, 11, 16, 7, 5),  # noqa: DTZ001 - a wall clock
        made_at=datetime(2026, 11, 16, 7, 5, tzinfo=UTC),
        interval="day",
        figures=[Figure(each, 1_204.0, 1_075.0, 0.12) for each in HEADLINES[1:]],
        points=[Point((START + timedelta(days=n)).replace(tzinfo=None), 10 * n, n, 5 * n, n == 3) for n in range(7)],
        panels=[Panel(each, rows, more=True) for each in SECTIONS],
        everything=1_500,
        people=1_204,
        unusual=[
            Unusual(
                datetime(2026, 11, 12, 13),  # noqa: DTZ001 - a wall clock
                datetime(2026, 11, 12, 16),  # noqa: DTZ001 - a wall clock
                "page",
                name,
                "9 views; 1 to 2 are usual",
            )
            for name in names
        ],
        notes=["Goals: not answered, it took too long."],
        definitions={each.title: f"what {each.column} are" for each in HEADLINES},
        sums={"accepted": 5, "in_stream": 1, "settled": 4, "outcomes": 4, "in_lake": 3, "rejected": 1}
        | {"withheld": 0, "removed": 0},
    )
    return replace(made, **changed)
