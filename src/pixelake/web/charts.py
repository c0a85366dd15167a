"""The figures, charts and panels of the dashboard, as rows of a table.

The page reads them from ``/api/v1/charts`` and draws each over the period and
the filters of its address. A new panel is a new row and, if its question is
new, a new file of SQL.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Chart(NamedTuple):
    """One figure, the chart over time, or one tab of a panel.

    Attributes:
        name: unique.
        title: what stands above it.
        question: the named question it shows.
        column: of the answer: the figure, or by what the bars of a list are.
        kind: ``figure``, ``series``, ``list`` or ``map`` (a list with a map of the world above it).
        help: what it means, in a sentence.
        panel: title of the panel of which it is a tab.
        key: column of the answer that names a row.
        filter: column of events by which a click on a row filters; ``page``: host and path; ``""``: none.
        more: further columns of the answer that the whole list shows.
        unit: how the figure is written: ``count``, ``share``, ``seconds``, ``ratio`` or ``amount``.
        good: whether more of it is better (1), worse (-1), or neither (0).
        nothing: how a row without a name is called.
        by: an option of the question, and what it may be.
        people: whether the switch for machines and repeats means anything to it.
        whole: only for who sees all sites, and without a site.
        wide: asked only once it is near the screen: it reads much.
    """

    name: str
    title: str
    question: str
    column: str
    kind: str
    help: str
    panel: str = ""
    key: str = "value"
    filter: str = ""
    more: tuple[str, ...] = ()
    unit: str = "count"
    good: int = 1
    nothing: str = "not known"
    by: tuple[str, Mapping[str, str]] | None = None
    people: bool = True
    whole: bool = False
    wide: bool = False


_SEEN: Final = ("views", "hits")
_VISITS: Final = ("daily_visitors", "views", "bounce_rate", "seconds_per_visit")
_TAGS: Final = {
    "utm_campaign": "Campaign",
    "utm_source": "Source",
    "utm_medium": "Medium",
    "utm_term": "Term",
    "utm_content": "Content",
}

FIGURES: Final = (
    Chart(
        "visitors",
        "Visitors",
        "overview",
        "visitors",
        "figure",
        "People. Somebody without a user id is known for one day of the site: over several days the visitors of each "
        "day are added up.",
    ),
    Chart(
        "visits",
        "Visits",
        "overview",
        "visits",
        "figure",
        "What one person does until 30 minutes of silence; a visit counts for the moment in which it began.",
    ),
    Chart("views", "Page views", "overview", "views", "figure", "Pages seen by people."),
    Chart(
        "views_per_visit",
        "Views a visit",
        "overview",
        "views_per_visit",
        "figure",
        "Pages seen in a visit, on average.",
        unit="ratio",
    ),
    Chart(
        "bounce_rate",
        "Bounce rate",
        "overview",
        "bounce_rate",
        "figure",
        "Share of visits that were a single hit.",
        unit="share",
        good=-1,
    ),
    Chart(
        "seconds_per_visit",
        "Visit duration",
        "overview",
        "seconds_per_visit",
        "figure",
        "From the first hit of a visit to its last, on average.",
        unit="seconds",
    ),
)
"""The headline; each is also a line of the chart."""

PANELS: Final = (
    Chart(
        "pages",
        "Pages",
        "pages",
        "views",
        "list",
        "How often people looked at each page.",
        "Pages",
        filter="page",
        more=("daily_visitors",),
    ),
    Chart(
        "entries",
        "Entry",
        "entries",
        "visits",
        "list",
        "The first page of visits.",
        "Pages",
        filter="page",
        more=_VISITS,
    ),
    Chart("exits", "Exit", "exits", "visits", "list", "The last page of visits.", "Pages", filter="page", more=_VISITS),
    Chart(
        "titles",
        "Titles",
        "titles",
        "views",
        "list",
        "Titles of pages.",
        "Pages",
        filter="title",
        more=("daily_visitors",),
    ),
    Chart("hosts", "Hosts", "hosts", "daily_visitors", "list", "Hosts of pages.", "Pages", filter="host", more=_SEEN),
    Chart(
        "channels",
        "Channels",
        "channels",
        "visits",
        "list",
        "What brought visits.",
        "Sources",
        nothing="direct or not told",
        filter="channel",
        more=_VISITS,
    ),
    Chart(
        "referrers",
        "Referrers",
        "referrers",
        "visits",
        "list",
        "Hosts that sent visits.",
        "Sources",
        filter="referrer_host",
        more=_VISITS,
        nothing="direct or not told",
    ),
    Chart(
        "campaigns",
        "Campaigns",
        "campaigns",
        "visits",
        "list",
        "Visits by their campaign tags.",
        "Sources",
        filter="by",
        more=_VISITS,
        nothing="no tag",
        by=("by", _TAGS),
    ),
    Chart(
        "countries",
        "Countries",
        "countries",
        "daily_visitors",
        "map",
        "Countries of visitors' addresses.",
        "Places",
        filter="country",
        more=_SEEN,
    ),
    Chart(
        "regions",
        "Regions",
        "regions",
        "daily_visitors",
        "list",
        "Regions of visitors' addresses.",
        "Places",
        filter="region",
        more=_SEEN,
    ),
    Chart(
        "cities",
        "Cities",
        "cities",
        "daily_visitors",
        "list",
        "Cities of visitors' addresses.",
        "Places",
        filter="city",
        more=_SEEN,
    ),
    Chart(
        "languages",
        "Languages",
        "languages",
        "daily_visitors",
        "list",
        "The first language that browsers prefer.",
        "Places",
        filter="language",
        more=_SEEN,
    ),
    Chart(
        "browsers",
        "Browsers",
        "browsers",
        "daily_visitors",
        "list",
        "Families of browsers.",
        "Devices",
        filter="browser",
        more=_SEEN,
    ),
    Chart(
        "systems",
        "Systems",
        "systems",
        "daily_visitors",
        "list",
        "Families of operating systems.",
        "Devices",
        filter="os",
        more=_SEEN,
    ),
    Chart(
        "devices",
        "Kinds",
        "devices",
        "daily_visitors",
        "list",
        "Desktop, mobile, tablet, ...",
        "Devices",
        filter="device",
        more=_SEEN,
    ),
    Chart(
        "screens",
        "Screens",
        "screens",
        "daily_visitors",
        "list",
        "Width and height of screens, in pixels.",
        "Devices",
        filter="screen",
        more=_SEEN,
    ),
    Chart(
        "events",
        "Events",
        "events",
        "hits",
        "list",
        "What happened, by the name of the event.",
        "Events",
        filter="event",
        more=("daily_visitors",),
    ),
    Chart(
        "goals",
        "Goals",
        "goals",
        "conversions",
        "list",
        "How often goals were reached; where none is declared, every event that is no page view is one.",
        "Events",
        more=("visits", "rate", "worth"),
        wide=True,
    ),
    Chart(
        "properties",
        "Properties",
        "properties",
        "hits",
        "list",
        "What events say beside the columns; a click opens the values of one.",
        "Events",
        filter="properties",
        more=("daily_visitors",),
        wide=True,
    ),
    Chart(
        "revenue",
        "Revenue",
        "revenue",
        "orders",
        "list",
        "What was earned, by currency.",
        "Events",
        key="currency",
        filter="currency",
        more=("revenue", "average"),
        wide=True,
    ),
    Chart(
        "bots",
        "Machines",
        "bots",
        "hits",
        "list",
        "Machines that say so or are known. They are kept, and left out of all other figures.",
        "People and machines",
        filter="bot_name",
        more=("views", "last_seen"),
        good=0,
        people=False,
        nothing="without a name",
    ),
    Chart(
        "proxies",
        "Proxies",
        "proxies",
        "hits",
        "list",
        "Who fetches in people's place: mail providers, image proxies, scanners.",
        "People and machines",
        filter="proxy",
        more=("last_seen",),
        good=0,
        people=False,
    ),
    Chart(
        "prefetches",
        "Prefetched",
        "prefetches",
        "hits",
        "list",
        "Pages fetched ahead of a visit that may never come.",
        "People and machines",
        filter="page",
        more=("last_seen",),
        good=0,
        people=False,
    ),
    Chart(
        "repeats",
        "Repeats",
        "repeats",
        "repeats",
        "list",
        "Events that were sent again with the same event id.",
        "People and machines",
        good=0,
        people=False,
    ),
    Chart(
        "rejects",
        "Rejects",
        "rejects",
        "hits",
        "list",
        "Hits that could not be judged, by their reason. They are kept, and can be replayed.",
        "People and machines",
        more=("stage", "last_seen"),
        good=0,
        people=False,
        whole=True,
    ),
    Chart(
        "mails",
        "Mail",
        "mails",
        "opens",
        "list",
        "Messages opened and clicked; mail proxies and scanners stand apart.",
        "Mail, ads and badges",
        more=("unique_opens", "apple_mpp", "gmail", "scanners", "clicks", "click_to_open"),
        by=("by", {"message": "Message", "all": "All together"}),
        wide=True,
    ),
    Chart(
        "ads",
        "Ads",
        "ads",
        "net",
        "list",
        "Impressions of ads: gross, what was discarded, and net; clicks; conversions.",
        "Mail, ads and badges",
        more=("gross", "bots", "repeated", "clicks", "click_rate", "conversions"),
        by=("by", {"campaign": "Campaign", "placement": "Placement", "creative": "Creative"}),
        wide=True,
    ),
    Chart(
        "badges",
        "Badges",
        "badges",
        "shown",
        "list",
        "Badges that were shown, and where.",
        "Mail, ads and badges",
        key="host",
        more=("proxy", "first_seen", "last_seen"),
        nothing="an image proxy",
        wide=True,
    ),
)
"""Every tab of every panel, in the order of the page."""

SERIES: Final = Chart(
    "series", "Over time", "series", "visitors", "series", "The period, bucket by bucket.", key="bucket"
)
UNUSUAL: Final = Chart(
    "unusual",
    "Unusual hours",
    "unusual",
    "score",
    "marks",
    "Hours that depart from what these hours of the week brought in the weeks before.",
    key="begins",
    wide=True,
)
CHARTS: Final = (*FIGURES, SERIES, UNUSUAL, *PANELS)
"""All of them."""
