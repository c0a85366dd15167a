"""What tests and the demo need in place of the world: a clock, a journal of actions, visitors.

The stream in memory is `pixelake.stream.memory`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from random import Random
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from pixelake.clock import SECOND


@dataclass(slots=True)
class FakeClock:
    """A clock that moves only when it is told to, or when somebody sleeps by it.

    Attributes:
        microseconds: what `now` says, since the epoch, UTC.
        seconds: what `monotonic` says.
        slept: how long each sleep was.
    """

    microseconds: int = 1_770_757_200 * SECOND  # 2026-02-10 21:00 UTC
    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> int:
        """Microseconds since the epoch, UTC."""
        return self.microseconds

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self.seconds

    def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move both readings on."""
        self.seconds += seconds
        self.microseconds += round(seconds * SECOND)


@dataclass(slots=True)
class Journal:
    """The order in which things were done.

    Attributes:
        entries: ``"<name>.<method>"`` of every call that returned, ``"<name>.<method>!"`` of every one that raised.
    """

    entries: list[str] = field(default_factory=list)

    def watch(self, name: str, thing: object) -> Any:
        """`thing`, with its calls written down under `name` when they end."""
        return _Watched(name, thing, self.entries)


class _Watched:
    def __init__(self, name: str, thing: object, entries: list[str]) -> None:
        self._name = name
        self._thing = thing
        self._entries = entries

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(self._thing, attribute)
        return self._noted(attribute, value) if callable(value) else value

    def _noted(self, attribute: str, call: Any) -> Any:
        def noted(*arguments: Any, **named: Any) -> Any:
            try:
                answer = call(*arguments, **named)
            except BaseException:
                self._entries.append(f"{self._name}.{attribute}!")
                raise
            self._entries.append(f"{self._name}.{attribute}")
            return answer

        return noted


class Request(NamedTuple):
    """A request of some visitor to the pixel: target, headers, and an IPv4 address of their own in 127.0.0.0/8."""

    target: str
    headers: dict[str, str]
    address: str


_SITES: Final = ("shop.example", "blog.example", "docs.example")
_PAGES: Final = (
    ("/", "Home"),
    ("/pricing", "Pricing"),
    ("/blog/pixels-you-can-trust", "Pixels you can trust"),
    ("/docs/start", "Getting started"),
    ("/products/lamp", "A lamp"),
    ("/products/kettle", "A kettle"),
    ("/blog/what-a-200-means", "What a 200 means"),
    ("/docs/sql", "Asking in SQL"),
    ("/about", "About us"),
    ("/products/chair", "A chair"),
    ("/contact", "Contact"),
    ("/legal/privacy", "Privacy"),
)
REFERRERS: Final = (
    "",
    "https://www.google.com/",
    "https://duckduckgo.com/",
    "https://news.ycombinator.com/item?id=1",
    "https://www.linkedin.com/",
    "https://www.bing.com/",
    "https://old.reddit.com/r/analytics/",
)
CAMPAIGNS: Final = (("newsletter", "email", "spring"), ("google", "cpc", "brand"), ("linkedin", "social", "launch"))
_LANGUAGES: Final = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.6", "es-ES,es;q=0.9", "fr-FR,fr;q=0.8", "ja-JP,ja;q=0.9")
_BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Mobile Safari/537.36",
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{m} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.{m} Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.{m} Safari/605.1.15"
    ),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0",
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/{v}.0.0.0 Safari/537.36 Edg/{v}.0.0.0"
    ),
)
_BOTS: Final = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.5.0",
)


def zipf(count: int) -> Sequence[float]:
    """Cumulated weights of `count` things, of which the n-th is as frequent as 1/n of the first."""
    return tuple(accumulate(1 / rank for rank in range(1, count + 1)))


def traffic(random: Random, visitors: int = 400) -> Iterator[Request]:
    """Requests of people who look around, without end: a few pages and sites get most, some visitors are machines."""
    people = [_visitor(random) for _ in range(visitors)]
    while True:
        yield _view(random, *random.choice(people))


def _visitor(random: Random) -> tuple[dict[str, str], str]:
    machine = random.random() < 0.06
    agent = random.choice(_BOTS if machine else _BROWSERS)
    headers = {"User-Agent": agent.format(v=random.randint(128, 142), m=random.randint(0, 6))}
    if not machine:
        headers["Accept-Language"] = random.choice(_LANGUAGES)
    return headers, f"127.{random.randint(1, 250)}.{random.randint(1, 250)}.{random.randint(1, 250)}"


def _view(random: Random, headers: dict[str, str], address: str) -> Request:
    site = random.choices(_SITES, cum_weights=zipf(len(_SITES)))[0]
    path, title = random.choices(_PAGES, cum_weights=zipf(len(_PAGES)))[0]
    url = f"https://{site}{path}"
    if random.random() < 0.15:
        source, medium, campaign = random.choice(CAMPAIGNS)
        url += "?" + urlencode({"utm_source": source, "utm_medium": medium, "utm_campaign": campaign})
    query = {"site": site, "url": url, "title": title, "event_id": f"{random.getrandbits(64):016x}"}
    referrer = random.choices(REFERRERS, cum_weights=zipf(len(REFERRERS)))[0]
    if referrer:
        query["referrer"] = referrer
    if random.random() < 0.03:
        query |= {"event": "purchase", "value": f"{random.randint(500, 20_000) / 100:.2f}", "currency": "EUR"}
    return Request("/pixel.gif?" + urlencode(query), headers | {"Referer": f"https://{site}/"}, address)
