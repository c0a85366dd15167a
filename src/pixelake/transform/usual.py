"""The usual hits: images with a plain query, taken apart together, by what their parts were the last time.

Most hits say little that others have not said: a page, its title, a user agent.
So each field of a query, each block of header lines and each Referer is read
once, and remembered; and what all hits of a batch say becomes columns at once.
A hit with anything about it that is not usual (a body, a repeated name, a
secret, a fault, an objection to being tracked) is left to
`pixelake.transform.decode`, and the two always agree: a test holds them to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.cache import Memory
from pixelake.dialects.site import DEFAULT
from pixelake.dialects.text import text
from pixelake.hit import Hit
from pixelake.stream.base import Batch
from pixelake.transform.columns import EMPTY, Coded, Columns, by_identity, by_value, indices
from pixelake.transform.enrich.consent import FORMS, consent
from pixelake.transform.fields import NOTHING, PROPERTY, UNUSUAL, Field, FieldReader, Fields
from pixelake.transform.head import HEAD_PARTS, referring_page
from pixelake.transform.page import BEFORE_PARTS, NO_PAGE, PAGE_PARTS, Page
from pixelake.transform.parts import Cutter, Parts
from pixelake.transform.rules import Rules
from pixelake.transform.size import Size
from pixelake.transform.validate import AT

MOST_FIELDS: Final = 32
"""Of a usual query. To learn what a field says costs several times what it costs to read it: hostile ones are new."""
MOST_GROWTH: Final = 64
"""Characters that a byte of a Referer may become, if what holds a secret is encoded anew, several times over."""

_pc: Any = pc  # its stubs do not fit together
_SITE, _EVENT, _URL, _REFERRER, _CONSENT = (AT[name] for name in ("site", "event", "url", "referrer", "consent"))
_PAGEVIEW: Final = "pageview"


class _Said(NamedTuple):
    """What fields of one column say: the rows they are of, the codes of their values, and these."""

    rows: Any
    codes: Any
    values: Sequence[Any]

    def whole(self, rows: int) -> bool:
        """Is there a value in each of the rows?"""
        return len(self.rows) == rows and None not in self.values

    def each(self) -> Iterable[tuple[int, Any]]:
        """Row and value."""
        return zip(self.rows.to_pylist(), map(self.values.__getitem__, self.codes.to_pylist()), strict=True)

    def coded(self, rows: int, absent: Any) -> tuple[Coded, Sequence[Any]]:
        """Codes and values for all rows."""
        if len(self.rows) == rows:
            return Coded(self.codes, len(self.values)), self.values
        spread = _pc.scatter(self.codes, self.rows, max_index=rows - 1)
        codes = spread.fill_null(pa.scalar(len(self.values), pa.int32()))
        return Coded(codes, len(self.values) + 1), [*self.values, absent]


class Usual(NamedTuple):
    """Hits that are usual, and what they say.

    Attributes:
        parts: each of them.
        native: column -> what is said of it.
        properties: row -> name -> its values.
        pages: of the rows, by code.
        sites: likewise.
    """

    parts: Parts
    native: Mapping[int, _Said]
    properties: Mapping[int, Mapping[str, Sequence[str]]]
    pages: tuple[Coded, Sequence[Page]]
    sites: tuple[Coded, Sequence[str]]

    def size(self, hits: Sequence[Hit]) -> Size:
        """What they take together; `hits` are those that were sorted."""
        fields = sum(map(len, self.properties.values()))
        return Size(len(self.parts.at), 2 * fields, sum(map(len, [hits[at].head for at in self.at])))

    def sizes(self, hits: Sequence[Hit]) -> Mapping[int, Size]:
        """Place -> what that one takes. Of a property there is the name too; of columns there is a fixed number."""
        fields = self.properties
        return {at: Size(1, 2 * len(fields.get(row, ())), len(hits[at].head)) for row, at in enumerate(self.at)}

    @property
    def at(self) -> Sequence[int]:
        """The place of each among the hits."""
        places: Sequence[int] = self.parts.at.to_pylist()
        return places


class UsualReader:
    """Reads the hits that are usual, for one set of rules. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._cut = Cutter(rules)
        self._fields = Fields(FieldReader(rules))
        self._referers: Memory[bytes, Page | None] = Memory(self._referer)
        self._name = rules.fallback.name

    def sort(self, hits: Sequence[Hit]) -> Usual | None:
        """Those of the hits that are usual; None if none is."""
        parts = self._cut(hits)
        while len(parts.at):
            read = self._read(parts)
            if isinstance(read, Usual):
                return read
            parts = parts.only(pa.array([row not in read for row in range(len(parts.at))]))
        return None

    def columns(self, usual: Usual, batch: Batch) -> Columns:
        """The columns of `pixelake.transform.decode.COLUMNS`, and those that are read from heads and pages."""
        parts, ats = usual.parts, usual.at
        found = Columns(len(ats))
        everything = len(ats) == len(batch.hits)
        hits = batch.hits if everything else [batch.hits[at] for at in ats]
        positions = pa.array(batch.positions, pa.int64()).take(parts.at)
        found.put("position", positions)
        found.put("received_at", pa.array([hit.received_at for hit in hits], pa.int64()))
        if any(map(attrgetter("hit_id"), hits)):
            ids = batch.ids
            found.put("hit_id", [ids[at] for at in ats])
        else:  # as `Batch.ids` has it
            found.put("hit_id", _pc.binary_join_element_wise(batch.partition, positions.cast(pa.string()), "-"))
        clients = [hit.client for hit in hits]
        found.put("client", clients)
        peers = [hit.peer for hit in hits]
        _put(found, "proxied", [False] if clients == peers else [a != b for a, b in zip(clients, peers, strict=True)])
        _put(found, "source", [hit.source for hit in hits])
        # of the methods and heads some may be of other hits alone
        ways = parts.way.dictionary_encode()
        methods = [(parts.methods[code],) for code in ways.dictionary.to_pylist()]
        found.put_coded(Coded(ways.indices, len(methods)), ("method",), methods)
        found.put_constant("dialect", self._name)
        found.put_constant("anonymous", value=False)
        known = parts.about.dictionary_encode()
        heads = [parts.heads[code] for code in known.dictionary.to_pylist()]
        coded = Coded(known.indices, len(heads), [head.memo for head in heads])
        found.put_parts(coded, heads, HEAD_PARTS)
        self._put_said(found, usual)
        return found

    def _put_said(self, found: Columns, usual: Usual) -> None:
        rows = found.rows
        for column, at in AT.items():
            absent = _PAGEVIEW if at == _EVENT else None
            if at in (_URL, _SITE, _REFERRER):
                continue
            if at not in usual.native:
                found.put_constant(column, absent)
                continue
            coded, values = usual.native[at].coded(rows, absent)
            found.put_coded(coded, (column,), [(absent if value is None else value,) for value in values])
        coded, pages = usual.pages
        found.put_parts(coded, pages, PAGE_PARTS)
        coded, sites = usual.sites
        found.put_coded(coded, ("site",), [(site,) for site in sites])
        named = usual.native.get(_REFERRER)
        if named is None:
            for name, part in BEFORE_PARTS.items():
                found.put_constant(name, part(NO_PAGE))
            found.put_constant("referred", value=False)
        else:
            coded, pages = named.coded(rows, NO_PAGE)
            found.put_parts(coded, [NO_PAGE if page is None else page for page in pages], BEFORE_PARTS)
            told = set(named.rows.to_pylist())
            _put(found, "referred", [row in told for row in range(rows)])
        self._put_properties(found, usual)

    def _put_properties(self, found: Columns, usual: Usual) -> None:
        if not usual.properties:
            found.put_constant("properties", EMPTY)
            return
        properties = dict(usual.properties)
        if not FORMS.keys().isdisjoint(chain.from_iterable(properties.values())):
            told = list(found.values("consent"))
            for row, sent in properties.items():
                rest = dict(sent)
                told[row] = consent(told[row], rest)
                properties[row] = rest
            found.put("consent", told)
        found.put("properties", [properties.get(row, EMPTY) for row in range(found.rows)])

    def _read(self, parts: Parts) -> Usual | frozenset[int]:
        """What these hits say, a row each; or the rows that are not usual after all."""
        lists = _pc.split_pattern(parts.query, b"&")
        lengths = _pc.list_value_length(lists)
        if _pc.max(lengths).as_py() > MOST_FIELDS:
            return frozenset(_pc.indices_nonzero(_pc.greater(lengths, MOST_FIELDS)).to_pylist())
        known = lists.flatten().dictionary_encode()
        fields, codes = self._fields.said(known.dictionary.to_pylist()), known.indices
        rows = _pc.list_parent_indices(lists)
        # a place for each column and each property; what is none of these comes last
        names = dict.fromkeys(field.name for field in fields if field.place == PROPERTY)
        places = {name: len(AT) + number for number, name in enumerate(names)}
        width = len(AT) + len(places)
        kinds = [places[field.name] if field.place == PROPERTY else field.place for field in fields]
        at = indices(kinds).take(codes)
        if UNUSUAL in kinds:
            return frozenset(rows.filter(_pc.equal(at, UNUSUAL)).to_pylist())
        if NOTHING in kinds:
            says = _pc.not_equal(at, NOTHING)
            rows, codes, at = rows.filter(says), codes.filter(says), at.filter(says)
        if twice := _twice(rows, at, width):
            return twice
        native = {
            place: _said(rows, codes, at, place, fields) for place in dict.fromkeys(kinds) if 0 <= place < len(AT)
        }
        properties: dict[int, dict[str, Sequence[str]]] = {}
        if places:
            chosen = _pc.greater_equal(at, len(AT))
            for row, code in zip(rows.filter(chosen).to_pylist(), codes.filter(chosen).to_pylist(), strict=True):
                properties.setdefault(row, {})[fields[code].name] = (fields[code].value,)
        return self._placed(parts, native, properties)

    def _placed(
        self, parts: Parts, said: Mapping[int, _Said], properties: Mapping[int, Mapping[str, Sequence[str]]]
    ) -> Usual | frozenset[int]:
        """Page and site of each hit, which may come from its Referer."""
        rows = len(parts.at)
        odd = self._too_long(parts.referer)
        if known := self._rules.schemas.known:
            events = dict(said[_EVENT].each()) if _EVENT in said else {}
            odd.update(row for row in range(rows) if (events.get(row) or _PAGEVIEW) in known)
        pages = _whole(said.get(_URL), rows)
        sites = _whole(said.get(_SITE), rows)
        if pages is None or sites is None:
            page_of: list[Any] = [None] * rows if _URL not in said else _values(said[_URL], rows)
            site_of: list[Any] = [None] * rows if _SITE not in said else _values(said[_SITE], rows)
            for row, referer in enumerate(parts.referer.to_pylist()):
                page, site = page_of[row], site_of[row]
                if page is not None and (site or page.host):
                    site_of[row] = site or page.host
                    continue
                referring = self._referers[referer] if referer else NO_PAGE
                if referring is None:
                    odd.add(row)
                    continue
                page_of[row] = page = page or referring
                site_of[row] = site or page.host or referring.host or DEFAULT
            if not odd:
                pages, sites = by_identity(page_of), by_value(site_of)
        if odd or pages is None or sites is None:
            return frozenset(odd)
        return Usual(parts, said, properties, pages, sites)

    def _too_long(self, referers: Any) -> set[int]:
        """The rows whose Referer is too long as text, whether or not anything is read from it."""
        long = _pc.greater(_pc.binary_length(referers), self._rules.max_field // MOST_GROWTH)
        rows = _pc.indices_nonzero(long)
        found = zip(rows.to_pylist(), referers.take(rows).to_pylist(), strict=True)
        return {row for row, referer in found if self._referers[referer] is None}

    def _referer(self, sent: bytes) -> Page | None:
        """The page that a Referer tells; None if that is not usual."""
        referer = self._rules.secrets.text(text(sent.strip()))
        return None if len(referer) > self._rules.max_field else referring_page(referer, self._rules.kept_query)


def _said(rows: Any, codes: Any, at: Any, place: int, fields: Sequence[Field]) -> _Said:
    """What the fields of one place say. Their codes are numbered anew, from 0 on."""
    chosen = _pc.equal(at, place)
    mine = codes.filter(chosen).dictionary_encode()
    return _Said(rows.filter(chosen), mine.indices, [fields[code].value for code in mine.dictionary.to_pylist()])


def _twice(rows: Any, at: Any, width: int) -> frozenset[int]:
    """The rows that say something twice."""
    keys: Any = _pc.add(_pc.multiply(rows.cast(pa.int64()), pa.scalar(width, pa.int64())), at)
    if len(keys.dictionary_encode().dictionary) == len(keys):
        return frozenset()
    counts: Any = _pc.value_counts(keys)
    more = counts.field("values").filter(_pc.greater(counts.field("counts"), 1))
    return frozenset(key // width for key in more.to_pylist())


def _whole(said: _Said | None, rows: int) -> tuple[Coded, Sequence[Any]] | None:
    return said.coded(rows, None) if said is not None and said.whole(rows) else None


def _values(said: _Said, rows: int) -> list[Any]:
    values: list[Any] = [None] * rows
    for row, value in said.each():
        values[row] = value
    return values


def _put(found: Columns, name: str, values: Sequence[Any]) -> None:
    """A column that mostly is the same in each row."""
    if values.count(values[0]) == len(values):
        found.put_constant(name, values[0])
    else:
        found.put(name, values)
