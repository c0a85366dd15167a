"""What a report shows, as rows of tables. Each is an answer of a named question: nothing is counted here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Headline(NamedTuple):
    """A figure at the top.

    Attributes:
        column: of the question `overview`.
        title: what stands above it.
        unit: how it is written: see `pixelake.operate.report.words.number`.
    """

    column: str
    title: str
    unit: str


class Section(NamedTuple):
    """A list.

    Attributes:
        question: whose rows it shows.
        title: what stands above it.
        column: by which the bars are, and whose change is told.
        unit: how it is called.
        nothing: how a row without a value is called.
        beside: another column that is shown, or empty.
        beside_unit: how that is written.
        beside_title: how it is called.
        is_optional: left out if there are no rows.
        options: of the question.
        key: the column with the names.
    """

    question: str
    title: str
    column: str
    unit: str
    nothing: str = "not known"
    beside: str = ""
    beside_unit: str = ""
    beside_title: str = ""
    is_optional: bool = False
    options: Mapping[str, str] = _NOTHING
    key: str = "value"

    @property
    def told_unit(self) -> str:
        """What its numbers are."""
        return f"{self.beside_title} · {self.unit}" if self.beside else self.unit


COUNTRIES: Final = "countries"
"""The question whose rows are codes of countries."""
HEADLINES: Final = (
    Headline("visitors", "Visitors", "count"),
    Headline("daily_visitors", "Visitors, day by day", "count"),
    Headline("visits", "Visits", "count"),
    Headline("views", "Page views", "count"),
    Headline("views_per_visit", "Views a visit", "ratio"),
    Headline("bounce_rate", "Bounce rate", "share"),
    Headline("seconds_per_visit", "Time of a visit", "seconds"),
    Headline("hits", "All that people did", "count"),
)
"""In their order. Of the two numbers of visitors one is shown: see `pixelake.operate.report.gather`."""

SECTIONS: Final = (
    Section("pages", "Pages", "views", "views"),
    Section(
        "entries", "Entry pages", "visits", "visits", beside="bounce_rate", beside_unit="share", beside_title="bounce"
    ),
    Section("referrers", "Referrers", "visits", "visits", nothing="none: direct"),
    Section("channels", "Channels", "visits", "visits", nothing="none: direct"),
    Section("campaigns", "Campaigns", "visits", "visits", nothing="no campaign", is_optional=True),
    Section(COUNTRIES, "Countries", "daily_visitors", "visitors"),
    Section("devices", "Devices", "daily_visitors", "visitors"),
    Section("browsers", "Browsers", "daily_visitors", "visitors"),
    Section("events", "Events", "hits", "hits"),
    Section(
        "goals",
        "Goals",
        "conversions",
        "times",
        beside="rate",
        beside_unit="share",
        beside_title="of visits",
        is_optional=True,
    ),
    Section(
        "mails",
        "Mail",
        "opens",
        "opens",
        nothing="without a name",
        beside="clicks",
        beside_unit="count",
        beside_title="clicks",
        is_optional=True,
        options=MappingProxyType({"by": "message"}),
    ),
    Section(
        "ads",
        "Ads",
        "net",
        "impressions",
        nothing="no campaign",
        beside="click_rate",
        beside_unit="share",
        beside_title="clicked",
        is_optional=True,
    ),
    Section("badges", "Badges", "shown", "times", nothing="an image proxy", is_optional=True, key="host"),
    Section("bots", "Machines", "hits", "hits", nothing="without a name", is_optional=True),
    Section("proxies", "Fetched in people's place", "hits", "hits", is_optional=True),
)
"""In their order."""
ROWS: Final = 8
"""Of each."""
UNUSUAL: Final = 8
"""Rows of unusual hours."""
