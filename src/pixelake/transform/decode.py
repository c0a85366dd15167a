"""Batch -> what its hits say: rows of valid elements, rejected elements, withheld ones. Pure."""

from collections.abc import Callable, Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pixelake.dialects.base import Element, Fault
from pixelake.dialects.site import DEFAULT
from pixelake.hit import Hit
from pixelake.stream.base import Batch, Position
from pixelake.transform.columns import Columns
from pixelake.transform.enrich.consent import Policies, consent
from pixelake.transform.head import HEAD_COLUMNS, Head, read_head, referring_page
from pixelake.transform.page import NO_PAGE, read_page
from pixelake.transform.raw import bare_json, raw_json, see_json
from pixelake.transform.redact import redacted
from pixelake.transform.rules import Rules
from pixelake.transform.usual import Usual
from pixelake.transform.validate import AT, unknown_site, validate

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
    "proxied",
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
        rules: by which.
        rows: a tuple of `COLUMNS` for each valid element.
        rejected: the elements with faults.
        withheld: a position for each element that policy keeps nothing of.
    """

    batch: Batch
    rules: Rules
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    withheld: list[Position] = field(default_factory=list)


class Size(NamedTuple):
    """What a hit takes of the memory; roughly, but never much less than it does."""

    elements: int
    values: int
    text: int


_PROPERTIES, _SITE_COLUMN = COLUMNS.index("properties"), COLUMNS.index("site")


class Decoder:
    """Decodes the hits of batches; remembers what comes again and again. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._usual = Usual(rules)

    def __call__(self, batch: Batch, policies: Policies | None = None) -> Decoded:
        """Decode the first hits of a batch, as many as the memory is for; the caller goes on behind them.

        Args:
            batch: the hits.
            policies: what an objection to being tracked does on each site; by default what the settings say.
        """
        decoded = Decoded(batch, self._rules)
        policies = policies or Policies(self._rules.do_not_track)
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
                size = _decode_hit(decoded, hit, hit_id, position, policies)
                elements += size.elements
                values += size.values
                text += size.text
            if elements >= MAX_ELEMENTS or values >= MAX_VALUES or text >= MAX_TEXT:
                break
        if hits == len(batch.hits):
            return decoded
        return replace(decoded, batch=Batch(batch.partition, batch.hits[:hits], batch.positions[:hits]))


def decode(batch: Batch, rules: Rules, policies: Policies | None = None) -> Decoded:
    """Decode one batch."""
    return Decoder(rules)(batch, policies)


def only_known(decoded: Decoded, known: Container[str]) -> Decoded:
    """What is left where sites are closed: an event of a site that nobody declared becomes a reject."""
    refused = {at: (fault,) for at, row in enumerate(decoded.rows) if (fault := unknown_site(row[_SITE_COLUMN], known))}
    if not refused:
        return decoded
    rows = [row for at, row in enumerate(decoded.rows) if at not in refused]
    return replace(decoded, rows=rows, rejected=[*decoded.rejected, *refusals(decoded, refused)])


def refusals(decoded: Decoded, faults: Mapping[int, Sequence[Fault]]) -> list[Rejected]:
    """Rows that decoded well, by their place, as rejects. Of a hit with several, the first one has the raw hit."""
    hits = dict(zip(decoded.batch.positions, decoded.batch.hits, strict=True))
    raw_at = {rejected.position: rejected.hit_id for rejected in reversed(decoded.rejected)}
    found = []
    for at, why in faults.items():
        row = dict(zip(COLUMNS, decoded.rows[at], strict=True))
        hit, position, anonymous = hits[row["position"]], row["position"], row["anonymous"]
        if position in raw_at:
            raw = see_json(raw_at[position])
        else:
            raw = raw_json(hit, decoded.rules, anonymous=anonymous)
            raw_at[position] = row["hit_id"]
        agent = row["head"].user_agent
        found.append(Rejected(row["hit_id"], position, hit, row["site"], agent, anonymous, why, raw))
    return found


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
    "head": {name: attrgetter(name) for name in HEAD_COLUMNS},
    "page": {
        "url": lambda page: page.url or None,
        **{name: attrgetter(name) for name in ("host", "path", "tags", "click_id")},
    },
    "before": {"referrer": lambda page: page.url or None, "referring_host": attrgetter("host")},
}
"""Column of a decoded row -> the columns that are read from it."""


def _decode_hit(decoded: Decoded, hit: Hit, hit_id: str, position: Position, policies: Policies) -> Size:
    """Add the elements of a hit, and say what they take."""
    rules = decoded.rules
    head = read_head(hit.headers, rules.max_field, rules.secrets)
    dialect = rules.dialect(hit.target)
    elements = dialect.decode(hit)
    shared = len(hit.target) + len(hit.headers)
    if len(elements) > 1 and len(elements) * shared > MAX_SHARED:
        elements = (Element({}, (Fault("too_many", "body", "its elements repeat a head of that length"),)),)
    about = (hit.received_at, hit.source, dialect.name, hit.method, hit.client, hit.client != hit.peer)
    search = rules.secrets.search()
    values, text = 0, len(hit.body) + len(elements) * shared
    read = []
    for element in elements:
        sent = "\0".join(chain(element.values, *element.values.values()))
        values += sent.count("\0") + 1
        text += len(sent)
        all_short = len(sent) <= rules.max_field
        if rules.secrets.may_hold(sent):
            element = Element(redacted(element.values, search), element.faults)  # noqa: PLW2901 - the same, redacted
            all_short = False  # what is encoded anew may have become longer
        row, site, faults = _decode_element(element, head, rules, all_short=all_short)
        read.append((row, site, faults, policies.of(site, hit.received_at) if head.objects else "ignore"))
    raw = ""
    for index, (row, site, faults, policy) in enumerate(read):
        name = f"{hit_id}.{index}" if index else hit_id
        anonymous = policy == "anonymous"
        if policy == "withhold":
            decoded.withheld.append(position)
        elif faults:
            told = raw or _raw(hit, rules, {policy for *_, policy in read})
            decoded.rejected.append(Rejected(name, position, hit, site, head.user_agent, anonymous, faults, told))
            raw = raw or see_json(name)
        else:
            if anonymous:
                row[_AHEAD + _USER] = None
                row[0].pop("user", None)
            decoded.rows.append((name, position, *about, anonymous, head, *row))
    return Size(len(elements), values, text)


def _raw(hit: Hit, rules: Rules, policies: AbstractSet[str]) -> str:
    """The raw hit of its first reject, as the strictest policy of its sites wants it."""
    return bare_json(hit) if "withhold" in policies else raw_json(hit, rules, anonymous="anonymous" in policies)


def _decode_element(
    element: Element, head: Head, rules: Rules, *, all_short: bool
) -> tuple[list[Any], str, Sequence[Fault]]:
    """The columns that come from the element, its site, and all its faults."""
    row, properties, faults = validate(element.values, rules.max_field, all_short=all_short)
    row[_EVENT] = row[_EVENT] or "pageview"
    faults = [*element.faults, *faults, *head.faults, *rules.schemas.check(row[_EVENT], element.values)]
    for name in _URLS:
        if name in properties:  # a repeated one is a property too
            properties[name] = [read_page(sent, rules.kept_query).url for sent in properties[name]]
    row[_CONSENT] = consent(row[_CONSENT], properties)
    page = read_page(row[_URL], rules.kept_query) if row[_URL] else referring_page(head.referer, rules.kept_query)
    before = read_page(row[_REFERRER], rules.kept_query) if row[_REFERRER] else NO_PAGE
    site = row[_SITE] = row[_SITE] or page.host or referring_page(head.referer, rules.kept_query).host or DEFAULT
    row[:0] = (properties, page, before, "referrer" in element.values)
    return row, site, faults


_SITE, _EVENT, _URL, _USER, _REFERRER, _CONSENT = (
    AT[name] for name in ("site", "event", "url", "user_id", "referrer", "consent")
)
_URLS: Final = ("url", "referrer")
_AHEAD: Final = COLUMNS.index("site") - COLUMNS.index("properties")
"""How many columns of the element stand before those of `validate`."""
