"""User agent -> does it say that it is a machine, and which."""

import re
from typing import Final

from pixelake.cache import LONGEST, bounded

_NAMED: Final = (
    # agents of search, AI and archives whose names do not end in "bot"
    "Mediapartners-Google|Google-InspectionTool|Google-Read-Aloud|GoogleOther|APIs-Google|FeedFetcher-Google"
    "|Google Favicon|Google-Safety|Storebot-Google|AdsBot-Google(?:-Mobile)?|BingPreview|Slurp|ia_archiver"
    "|archive\\.org_bot|ChatGPT-User|OAI-SearchBot|Claude-User|Claude-SearchBot|anthropic-ai|Perplexity-User|cohere-ai|meta-externalagent"
    "|Bytespider|HTTrack|Scrapy|Nutch|Heritrix|Qwantify|Teoma|Barkrowler|MegaIndex|Snap URL Preview Service"
    # previews of links
    "|facebookexternalhit|facebookcatalog|WhatsApp/|SkypeUriPreview|vkShare|Embedly|Iframely|Slack-ImgProxy|Mastodon/"
    # monitors, auditors, scanners
    "|Chrome-Lighthouse|Google Page Speed|PageSpeed|GTmetrix|Pingdom|UptimeRobot|StatusCake|Site24x7|Datadog"
    "|NewRelicPinger|Catchpoint|Checkly|CensysInspect|Expanse|zgrab|masscan|Nmap|Nikto|sqlmap|nuclei|WPScan"
    "|Screaming Frog|W3C_Validator"
    # browsers without a person
    "|HeadlessChrome|Headless|PhantomJS|SlimerJS|Puppeteer|Playwright|Selenium|Cypress|jsdom|Splash"
    # tools and libraries
    "|curl/|Wget/|python-requests|Python-urllib|python-httpx|aiohttp|Go-http-client|Java/|Apache-HttpClient|libwww-perl"
    "|lwp-|PycURL|http\\.rb|Faraday|GuzzleHttp|axios/|node-fetch|undici|PostmanRuntime|insomnia/|k6/|wrk|ApacheBench"
    "|autocannon|Locust|HTTPie|libcurl|WinHttp|RestSharp|Ruby"
)
_GENERIC: Final = r"[\w.-]{0,40}(?:(?<!cu)bot(?:s?\b|[_-])|crawl(?:er|ing)?\b|spider)"
"""Anything whose product says so. Not the phones of the brand Cubot."""

_BOT: Final = re.compile(rf"(?<![\w])(?:{_NAMED})|{_GENERIC}", re.IGNORECASE)


def bot(user_agent: str | None, spider: bool) -> tuple[bool, str | None]:
    """Is it a machine, and its name as it writes it. A missing user agent alone makes no bot.

    Args:
        user_agent: as sent; only its beginning is looked at, as real ones have 400 letters at most.
        spider: the user-agent database lists it as one.
    """
    name = _name(user_agent[:LONGEST]) if user_agent else None
    return spider or name is not None, name


@bounded(20_000)
def _name(user_agent: str) -> str | None:
    found = _BOT.search(user_agent)
    return found[0].strip("/;) _-.") if found else None
