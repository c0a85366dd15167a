"""The charts and panels of the dashboard, as rows of a table.

The page reads them from ``/api/v1/charts`` and draws a panel for each, over the
last 24 hours. A new panel is a new row and, if its question is new, a new file
of SQL.
"""

from typing import Final, NamedTuple


class Chart(NamedTuple):
    """One panel.

    Attributes:
        name: unique.
        title: what stands above it.
        question: the named question it shows.
        column: of the answer; of a list, by what the bars are.
        kind: ``figure``, ``rest`` (the share of all hits that are not people's), ``line`` or ``list``.
        unit: what is counted.
        help: what the figure means, in a sentence.
        people: whether the question leaves machines and repeats out.
        nothing: of a list: how a row without a value is called.
    """

    name: str
    title: str
    question: str
    column: str
    kind: str
    unit: str
    help: str
    people: bool = True
    nothing: str = ""


CHARTS: Final = (
    Chart(
        "visitors_now", "Visitors now", "now", "visitors_5", "figure", "people", "People seen in the last 5 minutes."
    ),
    Chart(
        "visitors_half_hour",
        "Visitors, 30 min",
        "now",
        "visitors_30",
        "figure",
        "people",
        "People seen in the last 30 minutes.",
    ),
    Chart(
        "visitors",
        "Visitors, 24 h",
        "overview",
        "daily_visitors",
        "figure",
        "people",
        "The visitors of each day, added up over the last 24 hours. A visitor is known for one day of the site, "
        "so someone who came on both days counts twice. Machines are left out.",
    ),
    Chart(
        "views",
        "Page views, 24 h",
        "overview",
        "views",
        "figure",
        "views",
        "Pages seen by people in the last 24 hours.",
    ),
    Chart(
        "hits",
        "All hits, 24 h",
        "overview",
        "hits",
        "figure",
        "hits",
        "Everything that arrived in the last 24 hours: people, machines and repeats.",
        people=False,
    ),
    Chart(
        "rest",
        "Not people, 24 h",
        "overview",
        "hits",
        "rest",
        "% of hits",
        "Share of hits that are no person's: known machines, prefetches, HEAD and repeats. "
        "They are kept, but left out of the other figures.",
        people=False,
    ),
    Chart(
        "series",
        "Last 24 hours",
        "series",
        "views",
        "line",
        "people, views",
        "Views and visitors by the hour, people only.",
    ),
    Chart("pages", "Top pages", "pages", "views", "list", "views", "Pages by views of people in the last 24 hours."),
    Chart(
        "referrers",
        "Top referrers",
        "referrers",
        "visits",
        "list",
        "visits",
        "Where visits of the last 24 hours came from. Those without a referrer are direct.",
        nothing="direct",
    ),
)
"""Every panel, in the order of the page."""
