"""Batch -> what its hits say: rows of valid elements, rejected elements, withheld ones. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final, NamedTuple

from pixelake.cache import bounded
from pixelake.dialects.base import Element, Fault
from pixelake.dialects.site import DEFAULT
from pixelake.dialects.text import text
from pixelake.hit import Hit
from pixelake.stream.base import Batch, Position
from pixelake.transform.page import NO_PAGE, Page, read_page
from pixelake.transform.raw import raw_json, see_json
from pixelake.transform.redact import Redactor, redacted
from pixelake.transform.rules import Rules
from pixelake.transform.validate import AT, too_long, validate

MAX_ELEMENTS: Final = 20_000
MAX_VALUES: Final = 200_000
MAX_TEXT: Final = 16 << 20
"""Characters. A call ends behind the hit that reaches one of these, so that no batch can take the memory."""
MAX_SHARED: Final = 32 << 20
"""Characters that the elements of one hit may have from its head, which is repeated for each of them."""

COLUMNS: Final = (
    # of the hit
    "hit_id",
    "position",
    "received_at",
    "source",
    "dialect",
    "method",
    "client",
    "user_agent",
    "accept_language",
    "dnt",
    "gpc",
    "anonymous",
    # of the element
    "properties",
    "host",
    "path",
    "tags",
    "click_id",
    "referred",
    "referring_host",
    *AT,
)
"""The columns of `Decoded.rows`; those of `validate` stand last."""


class Rejected(NamedTuple):
    """An element that is no event."""

    hit_id: str
    position: Position
    hit: Hit
    site: str
    user_agent: str | None
    anonymous: bool
    faults: Sequence[Fault]
    raw: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What hits say, in order.

    Attributes:
        batch: the hits that were decoded: the first ones of what `decode` was given.
        rows: a tuple of `COLUMNS` for each valid element.
        rejected: the elements with faults.
        withheld: a position for each element that policy keeps nothing of.
    """

    batch: Batch
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    withheld: list[Position] = field(default_factory=list)


class Size(NamedTuple):
    """What a hit takes of the memory; roughly, but never much less than it does."""

    elements: int
    values: int
    text: int


class Head(NamedTuple):
    """What is used of the headers."""

    user_agent: str | None
    accept_language: str | None
    referer: str | None
    dnt: bool
    gpc: bool
    faults: tuple[Fault, ...]


def decode(batch: Batch, rules: Rules) -> Decoded:
    """Decode the first hits of a batch, as many as the memory is for; the caller goes on behind them."""
    decoded = Decoded(batch)
    hits = elements = values = text = 0
    for hit, hit_id, position in zip(batch.hits, batch.ids, batch.positions, strict=True):
        size = _decode_hit(decoded, hit, hit_id, position, rules)
        hits += 1
        elements += size.elements
        values += size.values
        text += size.text
        if elements >= MAX_ELEMENTS or values >= MAX_VALUES or text >= MAX_TEXT:
            break
    if hits == len(batch.hits):
        return decoded
    first = Batch(batch.partition, batch.hits[:hits], batch.positions[:hits])
    return Decoded(first, decoded.rows, decoded.rejected, decoded.withheld)


def _decode_hit(decoded: Decoded, hit: Hit, hit_id: str, position: Position, rules: Rules) -> Size:
    """Add the elements of a hit, and say what they take."""
    head = _head(hit.headers, rules.max_field, rules.secrets)
    dialect = rules.dialect(hit.target)
    elements = dialect.decode(hit)
    shared = len(hit.target) + len(hit.headers)
    if len(elements) > 1 and len(elements) * shared > MAX_SHARED:
        elements = (Element({}, (Fault("too_many", "body", "its elements repeat a head of that length"),)),)
    private = head.dnt or head.gpc
    if private and rules.do_not_track == "withhold":
        decoded.withheld.extend([position] * len(elements))
        return Size(len(elements), 0, 0)
    anonymous = private and rules.do_not_track == "anonymous"
    agent = head.user_agent
    about = (hit.received_at, hit.source, dialect.name, hit.method, hit.client)
    about_head = (agent, head.accept_language, head.dnt, head.gpc, anonymous)
    raw = ""
    search = rules.secrets.search()
    values, text = 0, len(hit.body) + len(elements) * shared
    for index, element in enumerate(elements):
        name = f"{hit_id}.{index}" if index else hit_id
        sent = "\0".join(chain(element.values, *element.values.values()))
        values += sent.count("\0") + 1
        text += len(sent)
        all_short = len(sent) <= rules.max_field
        if rules.secrets.may_hold(sent):
            element = Element(redacted(element.values, search), element.faults)  # noqa: PLW2901 - the same, redacted
            all_short = False  # what is encoded anew may have become longer
        row, site, faults = _decode_element(element, head, anonymous, rules, all_short=all_short)
        if faults:
            told = raw or raw_json(hit, rules, anonymous=anonymous)
            decoded.rejected.append(Rejected(name, position, hit, site, agent, anonymous, faults, told))
            raw = raw or see_json(name)
        else:
            decoded.rows.append((name, position, *about, *about_head, *row))
    return Size(len(elements), values, text)


def _decode_element(
    element: Element, head: Head, anonymous: bool, rules: Rules, *, all_short: bool
) -> tuple[list[Any], str, Sequence[Fault]]:
    """The columns that come from the element, its site, and all its faults."""
    row, properties, faults = validate(element.values, rules.max_field, all_short=all_short)
    if anonymous:
        row[_USER] = None
        properties.pop("user", None)
    for name in _URLS:
        if name in properties:  # a repeated one is a property too
            properties[name] = [read_page(sent, rules.kept_query).url for sent in properties[name]]
    page = read_page(row[_URL], rules.kept_query) if row[_URL] else _referring_page(head, rules)
    before = read_page(row[_REFERRER], rules.kept_query) if row[_REFERRER] else NO_PAGE
    row[_URL] = page.url or None
    row[_REFERRER] = before.url or None
    row[_SITE] = row[_SITE] or page.host or _referring_page(head, rules).host or DEFAULT
    row[_EVENT] = row[_EVENT] or "pageview"
    referred = "referrer" in element.values
    row[:0] = (properties, page.host, page.path, page.tags, page.click_id, referred, before.host)
    return row, row[_SITE + _AHEAD], (*element.faults, *faults, *head.faults)


_SITE, _EVENT, _URL, _USER, _REFERRER = (AT[name] for name in ("site", "event", "url", "user_id", "referrer"))
_URLS: Final = ("url", "referrer")
_AHEAD: Final = COLUMNS.index("site") - COLUMNS.index("properties")
"""How many columns of the element stand before those of `validate`."""


def _referring_page(head: Head, rules: Rules) -> Page:
    """The page, as the Referer tells it.

    A Referer that ends behind its origin may have been cut there by the browser
    (Referrer-Policy): the path is unknown.
    """
    if not head.referer:
        return NO_PAGE
    page = read_page(head.referer, rules.kept_query)
    return page._replace(path=None) if page.path == "/" and "?" not in head.referer else page


_NAMES: Final = (b"user-agent", b"accept-language", b"referer", b"dnt", b"sec-gpc")


@bounded(8_192)
def _head(headers: bytes, max_field: int, secrets: Redactor) -> Head:
    """Of a header that comes twice the first counts."""
    lines = [line.partition(b":") for line in headers.split(b"\r\n")]
    found = {name.lower(): value for name, _, value in reversed(lines)}
    agent, language, referer, dnt, gpc = [text(found[name].strip()) if name in found else None for name in _NAMES]
    referer = secrets.text(referer) if referer else None
    faults: tuple[Fault, ...] = ()
    if 3 * len(headers) > max_field:  # a byte that cannot be decoded becomes three letters
        texts = (("user-agent", agent), ("accept-language", language), ("referer", referer))
        faults = tuple(too_long(name, sent, max_field) for name, sent in texts if sent and len(sent) > max_field)
    return Head(agent or None, language or None, referer, dnt == "1", gpc == "1", faults)
