"""Hits of a day as a collector keeps them: sites and pages by Zipf's law, many visitors, recorded user agents.

Deterministic: the same seed gives the same hits. A visitor has an address, a
user agent and a language of their own, and looks at some pages of few sites.
"""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import quote, urlencode

from pixelake.hit import Hit
from pixelake.testing import CAMPAIGNS, REFERRERS

AGENTS: Final = Path(__file__).parents[2] / "tests" / "data" / "user_agents.txt"
"""Recorded ones, a line each; tests/data/README.md says whose."""

_LANGUAGES: Final = ("en-US,en;q=0.9", "de-DE,de;q=0.9,en;q=0.6", "es-ES,es;q=0.9", "fr-FR,fr;q=0.8", "ja-JP")
_WORDS: Final = (
    "lamp",
    "kettle",
    "chair",
    "pricing",
    "guide",
    "pixel",
    "news",
    "docs",
    "start",
    "about",
    "garden",
    "sql",
)
DAY: Final = 86_400_000_000


@dataclass(frozen=True)
class Population:
    """Who visits what.

    Attributes:
        sites: number of sites.
        pages: number of pages of each site.
        visitors: number of visitors.
        agents: number of different user agents.
        event_ids: share of hits that carry one; the tag for pages sends one, an image in an e-mail does not.
    """

    sites: int = 50
    pages: int = 2_000
    visitors: int = 300_000
    agents: int = 7_000
    event_ids: float = 0.0


class _Zipf:
    """Numbers from 0: the n-th is as frequent as 1/n of the first."""

    def __init__(self, count: int, random: Random) -> None:
        self._weights: Sequence[float] = tuple(accumulate(1 / rank for rank in range(1, count + 1)))
        self._random = random

    def __call__(self) -> int:
        return bisect(self._weights, self._random.random() * self._weights[-1])


def hits(count: int, start: int, span: int = DAY, population: Population | None = None, seed: int = 1) -> Iterator[Hit]:
    """`count` hits, spread evenly over `span` µs from `start` (µs UTC)."""
    who = population or Population()
    random = Random(seed)
    site, page, agent = _Zipf(who.sites, random), _Zipf(who.pages, random), _Zipf(who.agents, random)
    agents = user_agents(who.agents)
    visitors = [(_address(random), agent()) for _ in range(who.visitors)]
    targets: dict[tuple[int, int], tuple[str, str]] = {}
    for number in range(count):
        place = site(), page()
        if place not in targets:
            targets[place] = _target(*place)
        address, which = random.choice(visitors)
        yield Hit(
            start + span * number // count,
            address,
            address,
            _head(random, targets[place], agents[which], _LANGUAGES[which % len(_LANGUAGES)], who.event_ids),
        )


def _address(random: Random) -> str:
    return f"{random.randrange(1, 224)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def user_agents(count: int) -> list[str]:
    """Recorded user agents, and newer versions of the recorded browsers if there are too few."""
    found = AGENTS.read_text().splitlines()[:count]
    for number in range(count - len(found)):
        found.append(
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            f"Chrome/{100 + number % 43}.0.{number}.{number % 211} Safari/537.36"
        )
    return found


def _target(site: int, page: int) -> tuple[str, str]:
    host = f"{_WORDS[site % len(_WORDS)]}{site}.example"
    words = [_WORDS[(page + n) % len(_WORDS)] for n in range(1 + page % 4)]
    path = f"/{'/'.join(words)}-{page}" if page else "/"
    title = " ".join(words).capitalize()
    return urlencode(
        {"site": host, "url": f"https://{host}{path}", "title": f"{title}, number {page}"}
    ), f"https://{host}{path}"


def _head(random: Random, target: tuple[str, str], agent: str, language: str, event_ids: float) -> bytes:
    query, referer = target
    chance = random.random()
    if chance < 0.4:
        query += "&referrer=" + quote(REFERRERS[1 + random.randrange(len(REFERRERS) - 1)], safe="")
    elif chance < 0.5:
        source, medium, campaign = random.choice(CAMPAIGNS)
        query += f"&utm_source={source}&utm_medium={medium}&utm_campaign={campaign}"
    elif chance < 0.53:
        query += f"&event=purchase&value={random.randint(500, 20_000) / 100:.2f}&currency=EUR"
    if random.random() < event_ids:
        query += f"&event_id={random.getrandbits(64):016x}"
    return (
        f"GET /pixel.gif?{query} HTTP/1.1\r\nHost: pixel.example\r\nUser-Agent: {agent}\r\n"
        "Accept: image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8\r\n"
        f"Referer: {referer}\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: {language}\r\n"
        "Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: cross-site\r\n\r\n"
    ).encode("latin-1", "replace")
