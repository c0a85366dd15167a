"""Batch -> what its hits say: rows of valid elements, rejected elements, withheld ones. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pixelake.dialects.base import Element, Fault
from pixelake.dialects.site import DEFAULT
from pixelake.hit import Hit
from pixelake.stream.base import Batch, Position
from pixelake.transform.columns import Columns
from pixelake.transform.head import Head, read_head, referring_page
from pixelake.transform.page import NO_PAGE, read_page
from pixelake.transform.raw import raw_json, see_json
from pixelake.transform.redact import redacted
from pixelake.transform.rules import Rules
from pixelake.transform.usual import Usual
from pixelake.transform.validate import AT, validate

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
    "anonymous",
    "head",
    # of the element
    "properties",
    "page",
    "before",
    "referred",
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


_PROPERTIES: Final = COLUMNS.index("properties")


class Decoder:
    """Decodes the hits of batches; remembers what comes again and again. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._usual = Usual(rules)

    def __call__(self, batch: Batch) -> Decoded:
        """Decode the first hits of a batch, as many as the memory is for; the caller goes on behind them."""
        decoded = Decoded(batch)
        rows, usual = decoded.rows, self._usual.row
        hits = elements = values = text = 0
        for hit, hit_id, position in zip(batch.hits, batch.ids, batch.positions, strict=True):
            row = usual(hit, hit_id, position)
            hits += 1
            if row is not None:
                rows.append(row)
                elements += 1
                values += 2 * len(row[_PROPERTIES])  # each with its name; of columns there is a fixed number
                text += len(hit.head)
            else:
                size = _decode_hit(decoded, hit, hit_id, position, self._rules)
                elements += size.elements
                values += size.values
                text += size.text
            if elements >= MAX_ELEMENTS or values >= MAX_VALUES or text >= MAX_TEXT:
                break
        if hits == len(batch.hits):
            return decoded
        first = Batch(batch.partition, batch.hits[:hits], batch.positions[:hits])
        return Decoded(first, decoded.rows, decoded.rejected, decoded.withheld)


def decode(batch: Batch, rules: Rules) -> Decoded:
    """Decode one batch."""
    return Decoder(rules)(batch)


def spread(decoded: Decoded) -> Columns:
    """The columns of the rows, with those of heads and pages."""
    found = dict(zip(COLUMNS, zip(*decoded.rows, strict=True), strict=True))
    columns = Columns(len(decoded.rows))
    things = [(found.pop(name), parts) for name, parts in _PARTS.items()]
    for name, values in found.items():
        columns.put(name, values)
    for values, parts in things:
        columns.put_parts(values, parts)
    return columns


_PARTS: Final[Mapping[str, Mapping[str, Callable[[Any], Any]]]] = {
    "head": {name: attrgetter(name) for name in ("user_agent", "accept_language", "dnt", "gpc")},
    "page": {
        "url": lambda page: page.url or None,
        **{name: attrgetter(name) for name in ("host", "path", "tags", "click_id")},
    },
    "before": {"referrer": lambda page: page.url or None, "referring_host": attrgetter("host")},
}
"""Column of a decoded row -> the columns that are read from it."""


def _decode_hit(decoded: Decoded, hit: Hit, hit_id: str, position: Position, rules: Rules) -> Size:
    """Add the elements of a hit, and say what they take."""
    head = read_head(hit.headers, rules.max_field, rules.secrets)
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
    about = (hit.received_at, hit.source, dialect.name, hit.method, hit.client, anonymous, head)
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
            decoded.rejected.append(Rejected(name, position, hit, site, head.user_agent, anonymous, faults, told))
            raw = raw or see_json(name)
        else:
            decoded.rows.append((name, position, *about, *row))
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
    page = read_page(row[_URL], rules.kept_query) if row[_URL] else referring_page(head.referer, rules.kept_query)
    before = read_page(row[_REFERRER], rules.kept_query) if row[_REFERRER] else NO_PAGE
    row[_SITE] = row[_SITE] or page.host or referring_page(head.referer, rules.kept_query).host or DEFAULT
    row[_EVENT] = row[_EVENT] or "pageview"
    row[:0] = (properties, page, before, "referrer" in element.values)
    return row, row[_SITE + _AHEAD], (*element.faults, *faults, *head.faults)


_SITE, _EVENT, _URL, _USER, _REFERRER = (AT[name] for name in ("site", "event", "url", "user_id", "referrer"))
_URLS: Final = ("url", "referrer")
_AHEAD: Final = COLUMNS.index("site") - COLUMNS.index("properties")
"""How many columns of the element stand before those of `validate`."""
