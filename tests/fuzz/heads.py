"""What must hold of `Plain`: a head that it finds nothing odd in is one whole request in everybody's eyes."""

import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import httptools

from pixelake.collect.client import FORWARDING_HEADERS
from pixelake.collect.framing import _escaped
from pixelake.collect.keep import Keeper
from pixelake.collect.plain import Odd, Plain
from pixelake.settings import Settings
from tests.fuzz.mutate import near_plain
from tests.fuzz.second import read, same, taken_apart

AWKWARD: Final = ("a-b", "token2", "api key", "paßwort", "É", "x.y", "a+b", "a[b]", "%41", "password")
"""Names of secrets that can be spelled in more than one way."""
_NAMES: Final = (Settings().secret_parameters, AWKWARD)
JUDGES: Final = [(names, Plain(names), Keeper(names)) for names in _NAMES]
_HOST: Final = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Heard:
    """What llhttp says of a head."""

    def __init__(self, head: bytes) -> None:
        self.whole = self.keeps = self.fails = False
        self.body = b""
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fails = True
        self.version = self._parser.get_http_version()

    def on_url(self, data: bytes) -> None:
        """The target, or a part of it."""
        self.target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_body(self, data: bytes) -> None:
        """There should be none."""
        self.body += data

    def on_message_complete(self) -> None:
        """The request is whole."""
        self.whole = True
        self.keeps = self._parser.should_keep_alive()


def faults(plain: Plain, keeper: Keeper, head: bytes) -> Iterator[str]:
    """What is wrong with the verdict on a head that begins as a GET of an image with a query and ends as a head."""
    odds = plain.odds(head)
    if (not plain.any_odds([head])) is bool(odds):
        yield "one look says it is plain, the other that it is not"
    llhttp = Heard(head)
    if Odd.FRAMING not in odds:
        yield from _unframed(head, llhttp, closes=Odd.CLOSE in odds)
    if (llhttp.fails and Heard(_escaped(head)).fails) or head[: head.find(b"\r\n")].count(b" ") != 2:
        return  # it is refused
    if Odd.SECRET not in odds and keeper.head(head) != head:
        yield f"a secret is overlooked: {keeper.head(head)!r}"
    names = {name for name, _ in taken_apart(head, b"").headers}
    if Odd.FORWARDED not in odds and names.intersection(name.encode() for name in FORWARDING_HEADERS):
        yield "a proxy is not heard"


def _unframed(head: bytes, llhttp: Heard, *, closes: bool) -> Iterator[str]:
    ours = taken_apart(head, b"")
    if llhttp.fails or not llhttp.whole or llhttp.body or llhttp.version != "1.1":
        yield "llhttp refuses it, or waits for more"
    elif (llhttp.target, llhttp.headers) != (ours.target, ours.headers):
        yield "llhttp reads another request"
    elif llhttp.keeps is closes:
        yield "llhttp does not agree on the connection's end"
    if len(_HOST.findall(head)) != 1:  # h11 wants one; we do not care
        head = _HOST.sub(rb"\r\nX: \1", head).replace(b"\r\n", b"\r\nHost: a\r\n", 1)
        ours = taken_apart(head, b"")
    reading = read(head)
    if len(reading.requests) != 1 or reading.starts[-1] != len(head) or not same(ours, reading.requests[0]):
        yield f"h11 does not agree: {reading}"
    elif (reading.end == "closes") is not closes:
        yield "h11 does not agree on the connection's end"


def check(rng: Random, count: int) -> Iterator[str]:
    """Judge near-plain heads, one by one and together."""
    names, plain, keeper = rng.choice(JUDGES)
    heads = [near_plain(rng, names) for _ in range(count)]
    for head in heads:
        for fault in faults(plain, keeper, head):
            yield f"{fault}: {head!r}"
    yield from together(plain, rng, heads)


def together(plain: Plain, rng: Random, heads: Sequence[bytes]) -> Iterator[str]:
    """Heads of several connections are judged like each by itself."""
    well = [head for head in heads if plain.odds(head) <= {Odd.CLOSE}]
    group = rng.choices(well, k=min(len(well), 20)) + (rng.choices(heads, k=1) if rng.random() < 0.5 else [])
    rng.shuffle(group)
    odds = frozenset[Odd]().union(*map(plain.odds, group))
    found = plain.any_odds(group)
    if found != odds and not (Odd.FRAMING in found and Odd.FRAMING in odds):
        yield f"together {found} is odd, and one by one {odds}: {group!r}"
