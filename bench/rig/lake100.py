"""A lake of many events over thirteen months, as it lies after `pixelake maintain compact`: one packed file a day.

Deterministic: the same number of events gives the same rows. DuckDB draws codes
(which page, which browser, ...) by hashes of the visit's number; here they become
dictionaries, and pixelake's own writer makes the files and the commits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SYSTEM
from pixelake.warehouse import layout
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER
from pixelake.warehouse.packing import PREFIX

FIRST: Final = date(2025, 1, 1)
DAYS: Final = 396
"""Thirteen months, up to the end of January."""
END: Final = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=DAYS)
SITES: Final = 20
PAGES: Final = 10_000
"""Of the largest site; another one has fewer, as it has fewer visits, but 200."""
LARGEST: Final = "site-01.example"
PARTITION: Final = "0123456789ab"
VIEWS: Final = 3.86
"""Events of a visit, on average: 1 to 12."""
COMMIT_DAYS: Final = 4

_COUNTRIES: Final = (
    *("US", "DE", "GB", "FR", "IN", "CA", "NL", "BR", "AU", "ES", "IT", "JP", "PL", "SE", "CH", "AT", "BE", "DK", "NO"),
    *("FI", "PT", "IE", "CZ", "MX", "AR", "ZA", "SG", "KR", "TW", "TR", "UA", "RO", "GR", "HU", "NZ", "IL", "CL", "CO"),
    *("ID", "TH", "VN", "PH", "MY", "HK", "EG", "NG", "KE", "MA", "SA", "AE", "PK", "BD", "LK", "NP", "SK", "SI", "HR"),
    *("BG", "LT", "LV"),
)
_BROWSERS: Final = (
    "Chrome",
    "Safari",
    "Firefox",
    "Edge",
    "Samsung Internet",
    "Opera",
    "DuckDuckGo",
    "Brave",
    "Vivaldi",
)
_SYSTEMS: Final = ("Windows", "Android", "iOS", "macOS", "Linux", "ChromeOS")
_DEVICES: Final = ("desktop", "mobile", "tablet")
_LANGUAGES: Final = (
    "en-US",
    "de",
    "en-GB",
    "fr",
    "es",
    "nl",
    "pt-BR",
    "it",
    "ja",
    "pl",
    "sv",
    "da",
    "de-CH",
    "ko",
    "tr",
)
_SCREENS: Final = (
    "1920x1080",
    "390x844",
    "1536x864",
    "412x915",
    "1366x768",
    "2560x1440",
    "360x800",
    "1440x900",
    "820x1180",
)
_CHANNELS: Final = ("direct", "search", "social", "referral", "mail", "paid")
_EVENTS: Final = ("pageview", "signup", "cart", "purchase", "download", "video")
_CAMPAIGNS: Final = tuple(f"campaign-{number:02}" for number in range(40))
_HOSTS: Final = ("google.com", "bing.com", "duckduckgo.com", "facebook.com", "reddit.com", "news.ycombinator.com")
_REFERRERS: Final = (*_HOSTS, *(f"blog-{number:03}.example" for number in range(294)))

_ENGINE: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_U: Final = "((hash(({0}) * 64 + {1}) >> 11) / 9007199254740992.0)"
"""A number from 0 to 1, by a number and another one that tells what for."""


def _u(what: str, salt: int) -> str:
    return _U.format(what, salt)


def _zipf(what: str, salt: int, most: str) -> str:
    """SQL: from 0 on, where the n-th is about as frequent as 1/n of the first."""
    return f"cast(least(floor(exp({_u(what, salt)} * ln({most} + 1.0))) - 1, {most} - 1) as integer)"


@dataclass(frozen=True)
class Made:
    """What was written."""

    events: int
    bytes: int
    files: int


class _Names:
    """The texts behind codes."""

    def __init__(self) -> None:
        self.sites = [f"site-{number + 1:02}.example" for number in range(SITES)]
        self.pages = [max(200, PAGES // (number + 1)) for number in range(SITES)]
        self.starts = [sum(self.pages[:number]) for number in range(SITES)]
        paths = [f"/{('blog', 'docs', 'shop', 'news')[page % 4]}/page-{page}" if page else "/" for page in range(PAGES)]
        self.texts: dict[str, Sequence[str]] = {
            "site": self.sites,
            "host": self.sites,
            "path": paths,
            "title": [f"Page {page} of a site" for page in range(PAGES)],
            "url": [f"https://{site}{path}" for at, site in enumerate(self.sites) for path in paths[: self.pages[at]]],
            "country": _COUNTRIES,
            "region": [f"{country}-{number}" for country in _COUNTRIES for number in range(6)],
            "city": [f"City {number} of {country}" for country in _COUNTRIES for number in range(25)],
            "timezone": [f"Zone/{country}" for country in _COUNTRIES],
            "language": _LANGUAGES,
            "browser": _BROWSERS,
            "browser_version": [str(120 + number) for number in range(25)],
            "os": _SYSTEMS,
            "os_version": [str(10 + number) for number in range(8)],
            "device": _DEVICES,
            "screen": _SCREENS,
            "user_agent": [
                f"Mozilla/5.0 ({system}; {device}) {_ENGINE} {browser}/{120 + number}.0.0.0"
                for browser in _BROWSERS for system in _SYSTEMS for device in _DEVICES for number in range(25)
            ],
            "channel": _CHANNELS,
            "event": _EVENTS,
            "referrer_host": [*_REFERRERS, *self.sites],
            "referrer": [f"https://{host}/" for host in (*_REFERRERS, *self.sites)],
            "utm_source": ("newsletter", "google", "facebook", "partner"),
            "utm_medium": ("email", "cpc", "social", "affiliate"),
            "utm_campaign": _CAMPAIGNS,
            "hour": [f"{hour:02}" for hour in range(24)],
            "bot_name": ("Googlebot", "bingbot", "AhrefsBot", "GPTBot"),
        }  # fmt: skip
        self.arrays = {name: pa.array(texts, pa.string()) for name, texts in self.texts.items()}


def _visits(day: int, count: int, names: _Names) -> str:
    """SQL: the visits of a day: codes of all that a visit and its visitor have."""
    shares = [1 / (number + 1) for number in range(SITES)]
    bounds, reached = [], 0.0
    for share in shares:
        reached += share / sum(shares)
        bounds.append(reached)
    site = " ".join(f"when {{u}} < {bound:.9f} then {number}" for number, bound in enumerate(bounds[:-1]))
    pick_site = f"case {site.format(u='u')} else {SITES - 1} end"
    starts, pages = ([*map(str, each)] for each in (names.starts, names.pages))
    return f"""
base as materialized (
  select
    v, {pick_site} as site, cast({_u("v", 4)} * {max(1, int(count * 2))} as bigint) * {SITES} + {pick_site} as who,
    {_u("v", 5)} as t, {_u("v", 6)} as o
  from (select v, {_u("v", 1)} as u from (select {day} * 10000000::bigint + range as v from range({count})))
),
visits as materialized (
  select
    v, site, who,
    [{", ".join(pages)}][site + 1] as pages, [{", ".join(starts)}][site + 1] as page_start,
    {_u("v", 7)} < 0.06 as is_bot,
    cast(86400e6 * (t + 0.07 * sin(2 * pi() * t)) as bigint) as began,
    cast(least(12, 1 - floor(ln(1 - {_u("v", 8)} * 0.9999) * 2.35)) as integer) as views,
    {_zipf("who", 20, str(len(_COUNTRIES)))} as country,
    cast({_u("who", 21)} * 6 as integer) % 6 as region_of,
    cast({_u("who", 22)} * 25 as integer) % 25 as city_of,
    {_zipf("who", 23, str(len(_LANGUAGES)))} as language,
    {_zipf("who", 24, str(len(_BROWSERS)))} as browser,
    cast({_u("who", 25)} * 25 as integer) % 25 as browser_version,
    {_zipf("who", 26, str(len(_SYSTEMS)))} as os,
    cast({_u("who", 27)} * 8 as integer) % 8 as os_version,
    case when {_u("who", 28)} < 0.52 then 0 when {_u("who", 28)} < 0.95 then 1 else 2 end as device,
    {_zipf("who", 29, str(len(_SCREENS)))} as screen,
    case when o < 0.35 then 0 when o < 0.65 then 1 when o < 0.78 then 2 when o < 0.9 then 3 when o < 0.95 then 4
      else 5 end as channel,
    {_zipf("v", 31, "294")} as other,
    {_zipf("v", 32, "4")} as source, {_zipf("v", 33, str(len(_CAMPAIGNS)))} as campaign
  from base
)"""


def _events(first: date, day: int, counts: Sequence[int], names: _Names, position: int) -> str:
    """SQL: the events of a day in the order of time, in codes."""
    base = f"timestamptz '{first + timedelta(days=day):%Y-%m-%d} 00:00:00+00'"
    return f"""
with {_visits(day, counts[day], names)},
stepped as (
  select *, unnest(range(views)) as step from visits
),
walked as materialized (
  select
    * exclude (pages), began + case when step = 0 then 0 else
      cast(1e6 * (step * 45 + {_u("v * 16 + step", 40)} * 40) as bigint) end as at_us,
    {_zipf("v * 16 + step", 41, "pages")} as page,
    {_u("v * 16 + step", 42)} as e
  from stepped
),
placed as materialized (select * from walked where at_us < 86400000000)
select
  row_number() over (order by at_us, v, step) + {position} as position,
  printf('{PARTITION}-%012d', row_number() over (order by at_us, v, step) + {position}) as hit_id,
  {base} + to_microseconds(at_us) as received_at,
  {base} + to_microseconds(at_us) as occurred_at,
  cast(at_us // 3600000000 as integer) as hour,
  site, site as host, page as path, page as title, page_start + page as url,
  if(is_bot or e >= 0.03, 0, cast(1 + floor(e / 0.006) as integer)) as event,
  if(not is_bot and e >= 0.012 and e < 0.018, cast(5 + e * 5000 as decimal(18, 6)), null) as value,
  if(step > 0, {len(_REFERRERS)} + site, case channel
    when 1 then source % 3 when 2 then 3 + source % 2 when 3 then 6 + other end) as referrer_host,
  channel,
  if(channel > 3, source, null) as utm_source,
  if(channel > 3, source, null) as utm_medium,
  if(channel > 3, campaign, null) as utm_campaign,
  md5(concat(who, ':', {day})) as visitor_id,
  if(at_us < 1800000000, md5(concat(who, ':', {day - 1})), null) as visitor_before,
  printf('10.%d.%d.0', who % 250, (who // 250) % 250) as ip,
  country, country as timezone, country * 6 + region_of as region, country * 25 + city_of as city,
  language, browser, browser_version, os, os_version, device, screen,
  ((browser * {len(_SYSTEMS)} + os) * {len(_DEVICES)} + device) * 25 + browser_version as user_agent,
  is_bot as bot, if(is_bot, cast(who % 4 as integer), null) as bot_name
from placed order by position"""


def make(lake: Path, events: int, told: Any = lambda *_: None, first: date = FIRST) -> Made:
    """Write the lake, which is not there yet."""
    names = _Names()
    whole = [1.0 - 0.25 * ((first + timedelta(days=day)).weekday() >= 5) + 0.2 * day / DAYS for day in range(DAYS)]
    counts = [max(1, round(events / VIEWS * share / sum(whole))) for share in whole]
    DeltaWriter(lake / REJECTS_FOLDER, REJECTS, SYSTEM)
    table = DeltaWriter(lake / EVENTS_FOLDER, EVENTS, SYSTEM)
    position = bytes_ = 0
    with duckdb.connect() as database:
        database.execute("set threads = 1; set memory_limit = '1GB'; set TimeZone = 'UTC'")
        adds = []
        for day in range(DAYS):
            coded = database.execute(_events(first, day, counts, names, position)).to_arrow_table()
            rows = _decoded(coded, names, table.stored)
            adds.append(_add(table, rows, first + timedelta(days=day)))
            position, bytes_ = position + rows.num_rows, bytes_ + adds[-1].size
            if len(adds) == COMMIT_DAYS or day == DAYS - 1:
                versions = {PARTITION: position, f"{PARTITION}/outcomes": position}
                table.commit(Change(adds), versions)
                adds = []
            told(day + 1, position)
    return Made(position, bytes_, DAYS)


def _decoded(coded: pa.Table, names: _Names, schema: pa.Schema) -> pa.Table:
    """With texts for codes, and all columns of the lake."""
    count = coded.num_rows
    columns = {name: coded[name] for name in coded.column_names}
    columns["referrer"] = columns["referrer_host"]
    for name, texts in names.arrays.items():
        codes = columns[name].combine_chunks().cast(pa.int32())
        array = pa.DictionaryArray.from_arrays(codes, texts)
        if len(texts) * 8 > count:  # a dictionary with what is not there would take more than the rows
            array = array.cast(pa.string()).dictionary_encode()
        columns[name] = array
    paid: Any = columns["value"].is_valid().combine_chunks()
    columns["currency"] = pc.if_else(paid, "EUR", pa.scalar(None, pa.string())).dictionary_encode()
    constant = {"partition": PARTITION, "source": "http", "dialect": "native", "method": "GET"}
    for name, text in constant.items():
        columns[name] = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), count), pa.array([text]))
    wanted = layout.with_dictionaries(schema)
    false = {"duplicate": False, "signed": False, "dnt": False, "gpc": False}
    for name, value in false.items():
        columns[name] = pa.repeat(pa.scalar(value), count)
    arrays = [columns[each.name] if each.name in columns else pa.nulls(count, each.type) for each in wanted]
    return pa.table(dict(zip(wanted.names, arrays, strict=True))).cast(wanted)


def _add(table: DeltaWriter, rows: pa.Table, day: date) -> Any:
    extent = layout.Extent()

    def fill(file: Any) -> None:
        with layout.writer(file, rows.schema, layout.packed(rows)) as target:
            for at in range(0, rows.num_rows, layout.PACKED_ROWS):
                part = rows.slice(at, layout.PACKED_ROWS)
                target.write_table(part, row_group_size=part.num_rows)
                extent.add(part)

    values = {"year": f"{day:%Y}", "month": f"{day:%m}", "day": f"{day:%d}"}
    return table.add_file(values, f"{PREFIX}{day:%Y%m%d}", fill, extent)
