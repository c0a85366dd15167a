"""An `Event` is one decoded, validated, enriched happening; `FIELDS` declares its columns.

In bulk events are a table of columns, never a million objects. The Arrow and
Delta schemas, the API and the docs are all derived from this one list. Types
are text, so that nothing here needs Arrow: ``text``, ``bool``, ``int64``,
``timestamp`` (microseconds, UTC), ``decimal(18,6)``, ``map<text,list<text>>``.

Formats set hard: a column is never renamed, retyped or taken away; new ones
are added at the end of their group and are null in older files.
"""

from typing import Final, NamedTuple


class Field(NamedTuple):
    """One column: its name, type, unit (or ``""``), and what it means."""

    name: str
    type: str
    unit: str
    meaning: str


FIELDS: Final = (
    # identity
    Field(
        "hit_id", "text", "", "unique name of this row: partition and position, `.n` for further elements of one hit"
    ),
    Field("event_id", "text", "", "the client's own id, if it sent one"),
    Field("impression_id", "text", "", "the ad impression this belongs to"),
    Field(
        "received_at", "timestamp", "µs UTC", "when the collector had the whole request; rules reports and partitions"
    ),
    Field(
        "occurred_at",
        "timestamp",
        "µs UTC",
        "when it happened: the client's claim, corrected for its clock; else received_at",
    ),
    Field("sent_at", "timestamp", "µs UTC", "when the client says it sent this"),
    Field("partition", "text", "", "the stream's partition it came by"),
    Field("position", "int64", "", "its place in that partition"),
    Field("source", "text", "", "where the hit came from: http, cloudfront, apigateway, ..."),
    Field("dialect", "text", "", "the protocol it was sent in: native, matomo, ..."),
    Field("method", "text", "", "the request's method; a HEAD is never a view"),
    # what
    Field("site", "text", "", "the site it counts for"),
    Field("event", "text", "", "what happened; `pageview` if nothing was said"),
    Field("url", "text", "", "the page, with only the listed query names"),
    Field("host", "text", "", "host of the page"),
    Field("path", "text", "", "path of the page; null where only an origin is known"),
    Field("title", "text", "", "title of the page"),
    Field("value", "decimal(18,6)", "currency", "an amount"),
    Field("currency", "text", "ISO 4217", "of the amount"),
    Field("properties", "map<text,list<text>>", "", "everything else that was sent: each name with all its values"),
    # from where
    Field("referrer", "text", "", "where the visitor came from, with only the listed query names"),
    Field("referrer_host", "text", "", "host of the referrer, without `www.`"),
    Field("channel", "text", "", "search, social, mail, paid, referral, direct, ..."),
    Field("utm_source", "text", "", "campaign tag"),
    Field("utm_medium", "text", "", "campaign tag"),
    Field("utm_campaign", "text", "", "campaign tag"),
    Field("utm_term", "text", "", "campaign tag"),
    Field("utm_content", "text", "", "campaign tag"),
    Field("click_id", "text", "", "kind of the click id (gclid, fbclid, ...), never its value"),
    # who
    Field("user_id", "text", "", "the user, as given"),
    Field("visitor_id", "text", "", "keyed hash of address, user agent and site under the salt of the site's day"),
    Field("visitor_before", "text", "", "the same under yesterday's salt, in the first 30 minutes of a day"),
    Field("ip", "text", "", "the client's address, truncated: IPv4 /24, IPv6 /48"),
    Field("country", "text", "ISO 3166-1", "country of the address"),
    Field("region", "text", "ISO 3166-2", "region of the address"),
    Field("city", "text", "", "city of the address"),
    Field("timezone", "text", "IANA", "time zone of the client"),
    Field("language", "text", "BCP 47", "first language the client prefers"),
    # with what
    Field("user_agent", "text", "", "the user agent, as sent"),
    Field("browser", "text", "", "family of the browser"),
    Field("browser_version", "text", "", "its major version"),
    Field("os", "text", "", "family of the operating system"),
    Field("os_version", "text", "", "its version, as far as a reduced user agent tells it"),
    Field("device", "text", "", "desktop, mobile, tablet, tv, ..."),
    Field("screen", "text", "px", "width x height"),
    # to be trusted?
    Field("bot", "bool", "", "a machine that says so, or that is known"),
    Field("bot_name", "text", "", "its name"),
    Field("proxy", "text", "", "who fetched it in a person's place: gmail, apple-mpp, scanner, github-camo, ..."),
    Field("prefetch", "bool", "", "fetched ahead of a visit that may never come; null where unknown"),
    Field("duplicate", "bool", "", "its event_id belongs to an earlier hit; left out of every report"),
    Field("signed", "bool", "", "a key vouches for it"),
    Field("dnt", "bool", "", "the client sent DNT: 1"),
    Field("gpc", "bool", "", "the client sent Sec-GPC: 1"),
    Field("consent", "text", "", "the consent the page sent along"),
    # partition columns: zero-padded text, UTC, of received_at
    Field("year", "text", "UTC", "partition column"),
    Field("month", "text", "UTC", "partition column"),
    Field("day", "text", "UTC", "partition column"),
    Field("hour", "text", "UTC", "partition column"),
)

PARTITION_COLUMNS: Final = ("year", "month", "day", "hour")
"""The columns that tell the hour: ``year=2026/month=02/day=10/hour=21/``. The first three are folders only; a file may
hold several hours of its day, so that the hour is a column of it, too."""

REQUIRED: Final = frozenset(
    {
        "hit_id",
        "received_at",
        "partition",
        "position",
        "source",
        "dialect",
        "method",
        "site",
        "event",
        *PARTITION_COLUMNS,
    }
)
"""Columns that are never null."""


def as_markdown() -> str:
    """The page ``docs/columns.md``."""
    return _PAGE.format(columns="\n".join(map(_row, FIELDS)))


def _row(field: Field) -> str:
    name = f"**`{field.name}`**" if field.name in REQUIRED else f"`{field.name}`"
    return f"| {name} | {field.type} | {field.unit} | {field.meaning.replace('|', '&#124;')} |"


_PAGE: Final = """# Columns of events

Made from `src/pixelake/event.py`:
`python -c 'from pixelake import event; print(event.as_markdown(), end="")' > docs/columns.md`.

Those in bold are never null. A column is never renamed, retyped or taken away; new ones come at the end of their group
and are null in older files. `year`, `month` and `day` are the folders of the files, mostly `hour`, too: who asks for
some days or hours opens only theirs. What is no event has [columns of its own](rejects.md).

| column | type | unit | meaning |
|---|---|---|---|
{columns}
"""
