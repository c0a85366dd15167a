"""The demo's made-up people: who they are, where they come from, and what they do on three sites.

All of it is invented. Sites end with ``.example``, addresses are from 198.18.0.0/15, which is reserved for tests
(RFC 2544): nobody has them. Where a visitor is stands in the headers that a CDN in front of the pixel would add.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from math import cos, pi
from random import Random
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlencode

from pixelake.testing import Request

T = TypeVar("T")
CLIENT_HEADER: Final = "cloudfront-viewer-address"
"""In which visitors' addresses stand: the setting of that name."""
MARK: Final = "demo"
"""The secret in the registry that a demo's folder has, and no other. Salts of its past are made of it."""
VISITS: Final = 22.0
"""An hour, on average of a working day's hours, on all sites."""
SHOP: Final = "shop.example"
BLOG: Final = "blog.example"
DOCS: Final = "docs.example"
PEOPLE: Final = 7_000
FIRST: Final = 0.2
"""Share of them who are there when the past begins; the others turn up little by little."""
WEEKEND: Final = 0.62
"""Visits on a Saturday or Sunday, of those on another day."""


class Site(NamedTuple):
    """A site: how many of all visits it gets, its pages and how often each is seen, and where visits come from."""

    name: str
    share: float
    pages: Mapping[str, tuple[str, float]]
    sources: Mapping[str, float]


class Person(NamedTuple):
    """Somebody: what every request of theirs carries, whence it is sent, and who they are to the shop."""

    headers: dict[str, str]
    address: str
    screen: str
    user: str


Deed = tuple[float, Request]
"""Seconds after the visit began, and what was sent."""

SITES: Final = (
    Site(
        SHOP,
        0.62,
        {
            "/": ("Home", 30),
            "/products/lamp": ("Lamp Aurora", 16),
            "/products/kettle": ("Kettle Tarn", 13),
            "/products/chair": ("Chair Nook", 11),
            "/products/desk": ("Desk Plain", 8),
            "/products/rug": ("Rug Fjord", 6),
            "/collections/autumn": ("Autumn", 9),
            "/sale": ("Sale", 7),
            "/about": ("About us", 3),
            "/help/delivery": ("Delivery", 3),
            "/help/returns": ("Returns", 2),
            "/contact": ("Contact", 1.5),
        },
        {
            "": 34,
            "https://www.google.com/": 24,
            "https://duckduckgo.com/": 5,
            "https://www.bing.com/": 4,
            "https://www.instagram.com/": 7,
            "https://www.pinterest.com/": 5,
            "https://chatgpt.com/": 2,
            "?utm_source=google&utm_medium=cpc&utm_campaign=brand": 7,
            "?utm_source=instagram&utm_medium=paid_social&utm_campaign=autumn-2026": 5,
            "?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter": 5,
        },
    ),
    Site(
        BLOG,
        0.22,
        {
            "/": ("The blog", 14),
            "/pixels-you-can-trust": ("Pixels you can trust", 22),
            "/what-a-200-means": ("What a 200 means", 17),
            "/a-year-costs-what-a-day-costs": ("A year costs what a day costs", 12),
            "/counting-without-cookies": ("Counting without cookies", 11),
            "/how-mail-lies-about-opens": ("How mail lies about opens", 9),
            "/tags/sql": ("Tagged SQL", 4),
        },
        {
            "": 26,
            "https://news.ycombinator.com/": 13,
            "https://www.google.com/": 20,
            "https://lobste.rs/": 5,
            "https://old.reddit.com/r/dataengineering/": 7,
            "https://www.linkedin.com/": 6,
            "https://mastodon.social/": 4,
            "https://duckduckgo.com/": 5,
            "?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter": 5,
        },
    ),
    Site(
        DOCS,
        0.16,
        {
            "/": ("Documentation", 22),
            "/start": ("Getting started", 26),
            "/sql": ("Asking in SQL", 15),
            "/api": ("API", 13),
            "/settings": ("Settings", 9),
            "/deploy": ("Deployment", 8),
            "/faq": ("Questions and answers", 5),
        },
        {"": 40, "https://github.com/": 22, "https://www.google.com/": 24, "https://stackoverflow.com/": 6},
    ),
)
PRICES: Final = {"lamp": 129.0, "kettle": 79.0, "chair": 249.0, "desk": 480.0, "rug": 199.0}

_PLACES: Final[Sequence[Any]] = (
    # weight, country, language, then region, city and time zone of some of its places
    (24, "DE", "de-DE,de;q=0.9", ("BE", "Berlin"), ("BY", "Munich"), ("HH", "Hamburg"), "Europe/Berlin"),
    (17, "US", "en-US,en;q=0.9", ("CA", "San Francisco"), ("NY", "New York"), ("TX", "Austin"), "America/New_York"),
    (11, "GB", "en-GB,en;q=0.9", ("ENG", "London"), ("ENG", "Manchester"), ("SCT", "Edinburgh"), "Europe/London"),
    (8, "FR", "fr-FR,fr;q=0.9", ("IDF", "Paris"), ("ARA", "Lyon"), "Europe/Paris"),
    (6, "NL", "nl-NL,nl;q=0.9", ("NH", "Amsterdam"), ("UT", "Utrecht"), "Europe/Amsterdam"),
    (5, "ES", "es-ES,es;q=0.9", ("MD", "Madrid"), ("CT", "Barcelona"), "Europe/Madrid"),
    (4, "AT", "de-AT,de;q=0.9", ("9", "Vienna"), ("6", "Graz"), "Europe/Vienna"),
    (4, "CH", "de-CH,de;q=0.9", ("ZH", "Zürich"), ("BE", "Bern"), "Europe/Zurich"),
    (3, "IN", "en-IN,en;q=0.9", ("KA", "Bengaluru"), ("MH", "Mumbai"), "Asia/Kolkata"),
    (3, "CA", "en-CA,en;q=0.9", ("ON", "Toronto"), ("BC", "Vancouver"), "America/Toronto"),
    (3, "SE", "sv-SE,sv;q=0.9", ("AB", "Stockholm"), "Europe/Stockholm"),
    (3, "PL", "pl-PL,pl;q=0.9", ("14", "Warsaw"), ("12", "Kraków"), "Europe/Warsaw"),
    (2.5, "IT", "it-IT,it;q=0.9", ("25", "Milan"), ("62", "Rome"), "Europe/Rome"),
    (2, "BR", "pt-BR,pt;q=0.9", ("SP", "São Paulo"), "America/Sao_Paulo"),
    (2, "JP", "ja-JP,ja;q=0.9", ("13", "Tokyo"), "Asia/Tokyo"),
    (1.5, "AU", "en-AU,en;q=0.9", ("NSW", "Sydney"), "Australia/Sydney"),
    (1, "KE", "en-KE,en;q=0.9", ("30", "Nairobi"), "Africa/Nairobi"),
    (1, "MX", "es-MX,es;q=0.9", ("CMX", "Mexico City"), "America/Mexico_City"),
)
_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
_MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
_ANDROID: Final = "Mozilla/5.0 (Linux; Android 10; K)"
_IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_{m} like Mac OS X)"
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0"
_WEBKIT: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.{m}"
_FIREFOX: Final = "rv:{v}.0) Gecko/20100101 Firefox/{v}.0"
_BROWSERS: Final = (
    # weight, user agent, size of the screen
    (27, f"{_WINDOWS} {_CHROME} Safari/537.36", "1920x1080"),
    (22, f"{_ANDROID} {_CHROME} Mobile Safari/537.36", "412x915"),
    (20, f"{_IPHONE} {_WEBKIT} Mobile/15E148 Safari/604.1", "390x844"),
    (13, f"{_MAC} {_WEBKIT} Safari/605.1.15", "1512x982"),
    (9, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; {_FIREFOX}", "1920x1080"),
    (6, f"{_WINDOWS} {_CHROME} Safari/537.36 Edg/{{v}}.0.0.0", "1536x864"),
    (3, f"Mozilla/5.0 (X11; Linux x86_64; {_FIREFOX}", "2560x1440"),
)
_MACHINES: Final = (
    (30, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (18, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    (16, "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)"),
    (12, "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
    (10, "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"),
    (8, "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)"),
    (6, "curl/8.5.0"),
)
_READERS: Final = (
    (40, "Mozilla/5.0"),
    (28, "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"),
    (25, ""),
    (4, "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"),
    (3, "Barracuda Sentinel (EE)"),
)
"""Who fetches a mail's image, by their user agent; empty: whoever reads it."""
_CENTRE: Final = ("US", "VA", "Ashburn", "")
"""Where machines are."""
_ADS: Final = (("brand", "search", "text-a"), ("autumn-2026", "feed", "red-chair"), ("autumn-2026", "story", "lamp"))


def rhythm(at: datetime) -> float:
    """How busy an hour is, beside an average one of a working day: quiet nights and weekends (UTC)."""
    hour = at.hour + at.minute / 60
    return (1.6 - cos(2 * pi * (hour - 3.5) / 24)) / 1.6 * (WEEKEND if at.weekday() >= 5 else 1)


class World:
    """Visitors to draw from.

    Args:
        random: everything is drawn from it: of equal ones the worlds are equal.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._people = [self._person(number) for number in range(PEOPLE)]
        self._sites = _weighed([(site.share, site) for site in SITES])
        self._pages = {
            site.name: _weighed([(weight, path) for path, (_, weight) in site.pages.items()]) for site in SITES
        }
        self._sources = {site.name: _weighed([(w, source) for source, w in site.sources.items()]) for site in SITES}
        self._titles = {(site.name, path): title for site in SITES for path, (title, _) in site.pages.items()}
        self._machines = _weighed(_MACHINES)

    def visit(self, when: float = 1.0) -> list[Deed]:
        """What one visitor does.

        Args:
            when: 0 at the beginning of the past, 1 now: who is there already.
        """
        site = _draw(self._random, self._sites)
        return self._walk(self.person(when), site.name, _draw(self._random, self._sources[site.name]), "")

    def crowd(self) -> list[Deed]:
        """The visit of somebody whom a post of others sends: all of them see the same page first."""
        return self._walk(self.person(1.0), SHOP, "https://old.reddit.com/r/InteriorDesign/", "/products/lamp")

    def machine(self) -> list[Deed]:
        """A page that a machine fetches."""
        site = _draw(self._random, self._sites)
        address, agent = self._address(), _draw(self._random, self._machines)
        page = self._page(site.name, _draw(self._random, self._pages[site.name]))
        return [(0.0, Request(_target(page), {"User-Agent": agent} | _told(address, *_CENTRE), address))]

    def ad(self) -> list[Deed]:
        """An ad that is shown somewhere, and sometimes clicked: then somebody comes to the shop."""
        random, person = self._random, self.person(1.0)
        campaign, placement, creative = random.choice(_ADS)
        told = {"campaign": campaign, "placement": placement, "creative": creative}
        told |= {"impression_id": self._id(), "site": SHOP, "user": person.user}
        shown = {"event": "impression", "rendered": "1"} if random.random() < 0.85 else {"event": "impression"}
        deeds = [(0.0, _request(person, told | shown))]
        if random.random() < 0.06:
            deeds.append((9.0, _request(person, told | {"event": "click"})))
            tags = urlencode({"utm_source": "display", "utm_medium": "cpc", "utm_campaign": campaign})
            deeds += [(10.0 + after, deed) for after, deed in self._walk(person, SHOP, f"?{tags}", "/sale")]
        return deeds

    def mail(self, message: str, sent_at: int) -> list[Deed]:
        """A mail that somebody gets, sent at that second since the epoch: most are opened in their place."""
        random, person = self._random, self._people[random_below(self._random, PEOPLE // 5) * 5]
        agent = _draw(random, _weighed(_READERS))
        headers = person.headers | {"User-Agent": agent} if agent else person.headers
        told = {"site": SHOP, "message": message, "user": person.user or self._id()[:8], "mail_sent_at": str(sent_at)}
        after = 3.0 if "Barracuda" in agent else random.expovariate(1 / 28_000) + 60
        deeds = [(after, _request(person._replace(headers=headers), told | {"event": "open"}))]
        if not agent and random.random() < 0.3:
            deeds.append((after + 40, _request(person, told | {"event": "click"})))
            letter = "?utm_source=newsletter&utm_medium=email&utm_campaign=weekly-letter"
            deeds += [(after + 41 + more, deed) for more, deed in self._walk(person, SHOP, letter, "/sale")]
        return deeds

    def badge(self) -> list[Deed]:
        """Somebody looks at a README on GitHub, whose image proxy asks for the badge; or at a page that shows it."""
        person = self.person(1.0)
        if self._random.random() < 0.8:
            headers = {"User-Agent": "github-camo (876de43e)"} | _told(person.address, *_CENTRE)
        else:
            headers = person.headers | {"Referer": f"https://{DOCS}/"}
        return [(0.0, Request(f"/badge.svg?site={DOCS}", headers, person.address))]

    def person(self, when: float) -> Person:
        """Somebody who is there by then; who came lately is there more often."""
        there = PEOPLE * (FIRST + (1 - FIRST) * when)
        return self._people[min(PEOPLE - 1, int(there * self._random.random() ** 0.6))]

    def _person(self, number: int) -> Person:
        random = self._random
        _, country, language, *places, zone = _draw(random, _WHERE)
        region, city = random.choice(places)
        _, agent, screen = _draw(random, _WITH)
        headers = {
            "User-Agent": agent.format(v=random.randint(136, 145), m=random.randint(0, 6)),
            "Accept-Language": language,
        }
        address = self._address()
        user = f"c-{1_000 + number}" if random.random() < 0.3 or number % 5 == 0 else ""
        return Person(headers | _told(address, country, region, city, zone), address, screen, user)

    def _address(self) -> str:
        random = self._random
        return f"198.{random.choice((18, 19))}.{random.randint(0, 255)}.{random.randint(1, 254)}"

    def _id(self) -> str:
        return f"{self._random.getrandbits(64):016x}"

    def _page(self, site: str, path: str, query: str = "") -> dict[str, str]:
        title = self._titles.get((site, path), path.strip("/").capitalize())
        return {"site": site, "url": f"https://{site}{path}{query}", "title": title, "event_id": self._id()}

    def _walk(self, person: Person, site: str, source: str, entry: str) -> list[Deed]:
        """Pages one after the other, and what is done on them; a few leave at once."""
        random, deeds, at = self._random, list[Deed](), 0.0
        path = entry or _draw(random, self._pages[site])
        referrer, query = ("", source) if source.startswith("?") else (source, "")
        if not entry and random.random() < 0.01:
            person = person._replace(headers=person.headers | {"Sec-Purpose": "prefetch"})
        who = {"user": person.user} if person.user and site == SHOP else {}
        for _ in range(random.randint(3, 6)):
            told = self._page(site, path, query) | who | {"screen": person.screen}
            deeds.append((at, _request(person, told | ({"referrer": referrer} if referrer else {}))))
            deeds += [(at + after, _request(person, more)) for after, more in self._deeds(site, path, told)]
            if random.random() > (0.72 if len(deeds) > 1 else 0.56):
                break
            referrer, query, at = told["url"], "", deeds[-1][0] + random.lognormvariate(3.4, 0.8)
            path = _draw(random, self._pages[site])
        if random.random() < 0.004:
            deeds.append((deeds[-1][0] + 1, deeds[-1][1]))  # sent again by a nervous network
        return deeds

    def _deeds(self, site: str, path: str, told: Mapping[str, str]) -> Iterator[tuple[float, dict[str, str]]]:
        """What somebody does on a page, beside seeing it: an event of its own each."""
        random = self._random
        if site == SHOP and path.startswith("/products/"):
            yield from self._buy(path.removeprefix("/products/"), told)
        elif site == BLOG and random.random() < 0.03:
            yield 45.0, {**told, "event": "signup", "plan": "letter", "event_id": self._id()}
        elif site == DOCS and random.random() < 0.05:
            kind = random.choice(("deb", "docker", "wheel"))
            yield 30.0, {**told, "event": "download", "kind": kind, "event_id": self._id()}

    def _buy(self, product: str, told: Mapping[str, str]) -> Iterator[tuple[float, dict[str, str]]]:
        """Into the cart, to the checkout, and paid for; at each step some stop."""
        random, price = self._random, f"{PRICES[product]:.2f}"
        if random.random() > 0.13:
            return
        who = {key: told[key] for key in ("user", "screen", "site") if key in told}
        worth = {"value": price, "currency": "EUR", "product": product}
        at = random.uniform(10, 60)
        yield at, {**told, **worth, "event": "add_to_cart", "event_id": self._id()}
        if random.random() < 0.62:
            yield at + 25, self._page(SHOP, "/cart") | who
            if random.random() < 0.72:
                yield at + 70, self._page(SHOP, "/checkout") | who
                if random.random() < 0.7:
                    paid = "12,5O" if random.random() < 0.01 else price  # somebody's script has a letter for a zero
                    done = worth | {"value": paid, "event": "purchase"}
                    yield at + 150, self._page(SHOP, "/thanks") | who | done


def random_below(random: Random, most: int) -> int:
    """A whole number from 0 to one below `most`."""
    return int(random.random() * most)


def _told(address: str, country: str, region: str, city: str, zone: str) -> dict[str, str]:
    """What a CDN tells of a client; what is not ASCII as UTF-8 in percent signs, as CloudFront writes it."""
    place = {"Country": country, "Country-Region": region, "City": _escaped(city), "Time-Zone": zone}
    headers = {f"CloudFront-Viewer-{name}": value for name, value in place.items() if value}
    return {"CloudFront-Viewer-Address": f"{address}:443", **headers}


def _escaped(text: str) -> str:
    return "".join(each if each.isascii() else "".join(f"%{byte:02X}" for byte in each.encode()) for each in text)


def _request(person: Person, told: Mapping[str, str]) -> Request:
    return Request(_target({name: value for name, value in told.items() if value}), person.headers, person.address)


def _target(told: Mapping[str, str]) -> str:
    return f"/pixel.gif?{urlencode(told)}"


def _weighed(pairs: Sequence[tuple[float, T]]) -> tuple[Sequence[T], Sequence[float]]:
    """Things, and their cumulated weights."""
    return [thing for _, thing in pairs], list(accumulate(weight for weight, _ in pairs))


def _draw(random: Random, among: tuple[Sequence[T], Sequence[float]]) -> T:
    return random.choices(among[0], cum_weights=among[1])[0]


_WHERE: Final = _weighed([(place[0], place) for place in _PLACES])
_WITH: Final = _weighed([(browser[0], browser) for browser in _BROWSERS])
