"""User agent -> does it say that it is a machine, and which."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pixelake.cache import bounded
from pixelake.transform.enrich.lists import load
from pixelake.transform.enrich.patterns import LONGEST, checked, either, shown

CRAWLERS: Final = "crawlers.txt"
SIGNATURES: Final = "signatures.txt"
_MARKS: Final = "/;:,()+ _-."
_KINDS: Final = ("@ ", "? ", "! ", "~ ")
_PASSED_OVER: Final = 4
"""How often at most something is not looked at: each costs 2 µs, and no browser has more."""
_WORD: Final = re.compile(r"[\w.-]{0,40}\Z", re.ASCII), re.compile(r"[\w.-]{0,40}", re.ASCII)
"""What a name goes on with, before and behind what was found of it."""
_PRODUCT: Final = re.compile(r"(?:Mozilla/\S* \(?(?:compatible; ?)?)?([\w.! -]+)", re.ASCII)
"""The first product behind what everybody writes."""


class Bots:
    """Tells machines from browsers. An enricher: pure, once made.

    All patterns of a kind are one alternation, so that the time does not grow
    with their number, and RE2's time is linear in the user agent, whatever it holds.

    Args:
        crawlers: patterns, one a line, in their case; any that fits makes a bot.
        signatures: patterns in any case; its first lines explain them.

    Raises:
        SettingsError: a line is no RE2 pattern, or fits an empty user agent and so every one.
    """

    def __init__(self, crawlers: str, signatures: str) -> None:
        kinds: dict[str, list[str]] = {"": [], "@": [], "?": [], "!": [], "~": []}
        for number, line in _lines(signatures):
            mark, pattern = (line[0], line[2:]) if line[:2] in _KINDS else ("", line)
            kinds[mark].append(checked(pattern, f"{SIGNATURES}, line {number}"))
        named = [checked(line, f"{CRAWLERS}, line {number}") for number, line in _lines(crawlers)]
        self._worded = either(kinds[""], case=False)
        self._named = either(named, case=True)
        self._addressed = either(kinds["@"], case=False)
        self._shaped = either(kinds["?"], case=False)
        self._excepted = either(kinds["!"], case=False)
        self._passed_over = either(kinds["~"], case=False)
        self._name = bounded(20_000)(self._look)

    def __call__(self, user_agent: str | None, spider: bool, proxy: str | None) -> tuple[bool, str | None]:
        """Is it a machine, and its name as it writes it. A missing user agent alone makes no bot.

        Args:
            user_agent: as sent; only its beginning is looked at, as real ones have 400 letters at most.
            spider: something else about it says that it is one: a brand of its client hints.
            proxy: who fetched it in a person's place; that is no bot, whatever the lists say.
        """
        if proxy is not None:
            return False, None
        name = self._name(user_agent[:LONGEST]) if user_agent else None
        return spider or name is not None, name

    def _look(self, user_agent: str) -> str | None:
        told = self._passed_over.sub(" ", user_agent, _PASSED_OVER).strip()
        found = self._named.search(told) or self._worded.search(told)
        if found:
            return _around(told, *found.span())
        if self._addressed.search(told):
            return _first(user_agent)
        if self._shaped.search(user_agent) and not self._excepted.search(user_agent):
            return _first(user_agent)
        return None


@cache
def built_in() -> Bots:
    """With the lists that come with pixelake."""
    return make_bots(None)


def make_bots(folder: Path | None) -> Bots:
    """With the user's lists, if the folder has them.

    Raises:
        SettingsError: one of them cannot be read, or is wrong.
    """
    return Bots(load(CRAWLERS, folder), load(SIGNATURES, folder))


def bot(user_agent: str | None, spider: bool, proxy: str | None = None) -> tuple[bool, str | None]:
    """`Bots` with the lists that come with pixelake."""
    return built_in()(user_agent, spider, proxy)


def _around(user_agent: str, start: int, end: int) -> str:
    """The whole word or words in which something was found."""
    before = _WORD[0].search(user_agent, max(0, start - 40), start)
    behind = _WORD[1].match(user_agent, end)
    first = before.start() if before else start
    last = behind.end() if behind else end
    return shown(user_agent[first:last].strip(_MARKS).rpartition("; ")[2]) or "unnamed"


def _first(user_agent: str) -> str:
    """The first product."""
    product = _PRODUCT.match(user_agent)
    return shown((product[1] if product else user_agent).strip()) or "unnamed"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()
