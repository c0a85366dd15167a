"""Batch -> what its hits say: rows of valid elements, rejected elements, withheld ones. Pure."""

from collections.abc import Callable, Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, NamedTuple

from pixelake.dialects.base import Element, Fault
from pixelake.dialects.site import DEFAULT
from pixelake.hit import ERASED, ERASURE, PARTLY_ERASED, UNREADABLE, Hit
from pixelake.stream.base import Batch, Position
from pixelake.transform.columns import Columns, by_identity, joined
from pixelake.transform.enrich.consent import Policies, consent
from pixelake.transform.head import HEAD_PARTS, Head, read_head, referring_page
from pixelake.transform.page import BEFORE_PARTS, NO_PAGE, PAGE_PARTS, read_page
from pixelake.transform.raw import bare_json, line_json, raw_json, see_json
from pixelake.transform.redact import redacted
from pixelake.transform.rules import Rules
from pixelake.transform.size import NO_SIZE, Size, together
from pixelake.transform.usual import Usual, UsualReader
from pixelake.transform.validate import AT, unknown_site, validate

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
"""The columns of a row of a hit that is not usual; those of `validate` stand last."""


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
    """What hits say.

    Attributes:
        batch: the hits that were decoded: the first ones of what `decode` was given.
        rules: by which.
        columns: a row for each valid element, in the order of positions if `in_order`. Its columns are those of
            `COLUMNS`, and what is read from heads and pages in place of these.
        rejected: the elements with faults, in order.
        withheld: a position for each element that policy keeps nothing of, in order.
        in_order: as said; else those of usual hits stand first.
    """

    batch: Batch
    rules: Rules
    columns: Columns
    rejected: Sequence[Rejected] = ()
    withheld: Sequence[Position] = ()
    in_order: bool = True


class _Others(NamedTuple):
    """What hits say that are not usual."""

    rows: list[tuple[Any, ...]]
    rejected: list[Rejected]
    withheld: list[Position]


class Decoder:
    """Decodes the hits of batches; remembers what comes again and again. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._usual = UsualReader(rules)

    def __call__(self, batch: Batch, policies: Policies | None = None) -> Decoded:
        """Decode the first hits of a batch, as many as the memory is for; the caller goes on behind them.

        Args:
            batch: the hits.
            policies: what an objection to being tracked does on each site; by default what the settings say.
        """
        policies = policies or Policies(self._rules.do_not_track)
        end = together(batch.hits)
        while True:
            part = batch if end == len(batch.hits) else Batch(batch.partition, batch.hits[:end], batch.positions[:end])
            usual = self._usual.sort(part.hits)
            others, end = self._others(part, usual, policies)
            if end == len(part.hits):
                return self._joined(part, usual, others)

    def _others(self, batch: Batch, usual: Usual | None, policies: Policies) -> tuple[_Others, int]:
        """What the other hits say, and how many hits, usual ones too, there is memory for."""
        others = _Others([], [], [])
        sizes: Mapping[int, Size] = {}
        if usual:
            if len(usual.parts.at) == len(batch.hits) and not usual.size(batch.hits).is_much:
                return others, len(batch.hits)
            sizes = usual.sizes(batch.hits)
        total = NO_SIZE
        for at, (hit, hit_id, position) in enumerate(zip(batch.hits, batch.ids, batch.positions, strict=True)):
            known = sizes.get(at)
            total = total.plus(known or _decode_hit(others, self._rules, hit, hit_id, position, policies))
            if total.is_much:
                return others, at + 1
        return others, len(batch.hits)

    def _joined(self, batch: Batch, usual: Usual | None, others: _Others) -> Decoded:
        columns = self._usual.columns(usual, batch) if usual else None
        in_order = not (columns and others.rows)
        if others.rows or columns is None:
            rest = spread(others.rows)
            columns = joined(columns, rest) if columns else rest
        return Decoded(batch, self._rules, columns, others.rejected, others.withheld, in_order)


def decode(batch: Batch, rules: Rules, policies: Policies | None = None) -> Decoded:
    """Decode one batch."""
    return Decoder(rules)(batch, policies)


def only_known(decoded: Decoded, known: Container[str]) -> Decoded:
    """What is left where sites are closed: an event of a site that nobody declared becomes a reject."""
    sites = decoded.columns.values("site")
    refused = {at: (fault,) for at, site in enumerate(sites) if (fault := unknown_site(site, known))}
    if not refused:
        return decoded
    kept = decoded.columns.keep([at for at in range(decoded.columns.rows) if at not in refused])
    return replace(decoded, columns=kept, rejected=[*decoded.rejected, *refusals(decoded, refused)])


def refusals(decoded: Decoded, faults: Mapping[int, Sequence[Fault]]) -> list[Rejected]:
    """Rows that decoded well, by their place, as rejects. Of a hit with several, the first one has the raw hit.

    It is kept as the strictest policy of the hit's elements wants it, whichever of them is refused.
    """
    hits = dict(zip(decoded.batch.positions, decoded.batch.hits, strict=True))
    raw_at = {rejected.position: rejected.hit_id for rejected in reversed(decoded.rejected)}
    found = []
    columns = [decoded.columns.values(name) for name in ("position", "hit_id", "site", "user_agent", "anonymous")]
    policies = {position: {"withhold"} for position in decoded.withheld}
    for position, anonymous in zip(columns[0], columns[4], strict=True):
        if anonymous:
            policies.setdefault(position, set()).add("anonymous")
    for at, why in sorted(faults.items(), key=lambda each: (columns[0][each[0]], each[0])):
        position, hit_id, site, agent, anonymous = (values[at] for values in columns)
        if position in raw_at:
            raw = see_json(raw_at[position])
        else:
            raw = _raw(hits[position], decoded.rules, policies.get(position, frozenset()))
            raw_at[position] = hit_id
        found.append(Rejected(hit_id, position, hits[position], site, agent, anonymous, why, raw))
    return found


def spread(rows: Sequence[tuple[Any, ...]]) -> Columns:
    """Columns of rows, with those of heads and pages."""
    values = zip(*rows, strict=True) if rows else ((),) * len(COLUMNS)
    found = dict(zip(COLUMNS, values, strict=True))
    columns = Columns(len(rows))
    things = [(found.pop(name), parts) for name, parts in _PARTS.items()]
    for name, each in found.items():
        columns.put(name, each)
    for each, parts in things:
        coded, distinct = by_identity(each)
        if parts is HEAD_PARTS:
            coded.memos = [head.memo for head in distinct]
        columns.put_parts(coded, distinct, parts)
    return columns


_PARTS: Final[Mapping[str, Mapping[str, Callable[[Any], Any]]]] = {
    "head": HEAD_PARTS,
    "page": PAGE_PARTS,
    "before": BEFORE_PARTS,
}
"""Column of a row -> the columns that are read from it."""


def _decode_hit(  # noqa: PLR0917 - a hit, and what about it
    others: _Others, rules: Rules, hit: Hit, hit_id: str, position: Position, policies: Policies
) -> Size:
    """Add the elements of a hit, and say what they take."""
    if hit.source == ERASED:
        others.withheld.append(position)
        return Size(1, 0, 0)
    if hit.source == UNREADABLE:
        others.rejected.append(_unreadable(hit, hit_id, position, rules))
        return Size(1, 0, len(hit.body))
    head = read_head(hit.headers, rules.max_field, rules.secrets)
    dialect = rules.dialect(hit.target)
    elements = dialect.decode(hit)
    shared = len(hit.target) + len(hit.headers)
    if len(elements) > 1 and len(elements) * shared > MAX_SHARED:
        elements = (Element({}, (Fault("too_many", "body", "its elements repeat a head of that length"),)),)
    source = hit.source.removesuffix(PARTLY_ERASED)
    about = (hit.received_at, source, dialect.name, hit.method, hit.client, hit.client != hit.peer)
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
        policy = policies.of(site, hit.received_at) if head.objects else "ignore"
        is_erased = source != hit.source and ERASURE in sent
        read.append((row, site, faults, "erased" if is_erased else policy))
    raw = ""
    for index, (row, site, faults, policy) in enumerate(read):
        name = f"{hit_id}.{index}" if index else hit_id
        anonymous = policy == "anonymous"
        if policy in {"withhold", "erased"}:
            others.withheld.append(position)
        elif faults:
            told = raw or _raw(hit, rules, {policy for *_, policy in read})
            others.rejected.append(Rejected(name, position, hit, site, head.user_agent, anonymous, faults, told))
            raw = raw or see_json(name)
        else:
            if anonymous:
                row[_AHEAD + _USER] = None
                row[0].pop("user", None)
            others.rows.append((name, position, *about, anonymous, head, *row))
    return Size(len(elements), values, text)


def _unreadable(hit: Hit, hit_id: str, position: Position, rules: Rules) -> Rejected:
    fault = Fault("message_unreadable", "", "it is no hit")
    raw = line_json(hit.body, hit.received_at, hit.source, rules)
    return Rejected(hit_id, position, hit, "", None, True, (fault,), raw)


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
