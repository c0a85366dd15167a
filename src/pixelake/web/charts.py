"""The charts and panels of the dashboard, as rows of a table.

The page reads them from ``/api/v1/charts`` and draws a panel for each. A new
panel is a new row and, if its question is new, a new file of SQL.
"""

from typing import Final, NamedTuple


class Chart(NamedTuple):
    """One panel.

    Attributes:
        name: unique; for a figure also the column of the answer.
        title: what stands above it.
        question: the named question it shows, or ``now`` for the live figures.
        kind: ``figure``, ``share`` (of the answer's ``hits``), ``line`` or ``list``.
        unit: what is counted.
        help: what the figure means, in a sentence.
    """

    name: str
    title: str
    question: str
    kind: str
    unit: str
    help: str


CHARTS: Final = (
    Chart("visitors_now", "Visitors now", "now", "figure", "people", "People seen in the last 5 minutes."),
    Chart("hits_minute", "Hits, last minute", "now", "figure", "hits", "Hits of people in the last 60 seconds."),
    Chart(
        "visitors",
        "Visitors, 24 h",
        "overview",
        "figure",
        "people",
        "Different people in the last 24 hours. A visitor is known for one day of the site, "
        "so someone who came on both days counts twice. Machines are left out.",
    ),
    Chart("views", "Page views, 24 h", "overview", "figure", "views", "Pages seen by people in the last 24 hours."),
    Chart(
        "hits",
        "All hits, 24 h",
        "overview",
        "figure",
        "hits",
        "Everything that arrived in the last 24 hours: people, machines and repeats.",
    ),
    Chart(
        "bots",
        "Machines, 24 h",
        "overview",
        "share",
        "% of hits",
        "Share of hits by machines that say so or are known. They are kept, but left out of the other figures.",
    ),
    Chart("series", "Last 24 hours", "series", "line", "people, views", "Views and visitors by the hour, people only."),
    Chart("pages", "Top pages", "pages", "list", "views", "Pages by views of people in the last 24 hours."),
    Chart(
        "referrers",
        "Top referrers",
        "referrers",
        "list",
        "visitors",
        "Where people came from in the last 24 hours, by visitors. Visits without a referrer are `direct`.",
    ),
)
"""Every panel, in the order of the page."""
