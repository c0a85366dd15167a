"""The usual hits: images with a plain query, taken apart together, by what their parts were the last time.

Most hits say little that others have not said: a page, its title, a user agent.
So each field of a query, each block of header lines and each Referer is read
once, and remembered; and what all hits of a batch say becomes columns at once.
A hit with anything about it that is not usual (a body, a repeated name, a
secret, a fault, an objection to being tracked) is left to
`pixelake.transform.decode`, and the two always agree: a test holds them to it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, reduce
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.cache import LONGEST, Memory
from pixelake.dialects.base import Answer
from pixelake.dialects.native import BADGE
from pixelake.dialects.site import DEFAULT
from pixelake.dialects.text import text, unescape
from pixelake.hit import Hit
from pixelake.stream.base import Batch
from pixelake.transform.columns import EMPTY, Coded, Columns, by_identity, indices
from pixelake.transform.enrich.consent import FORMS, consent
from pixelake.transform.head import HEAD_PARTS, Head, read_head, referring_page
from pixelake.transform.page import BEFORE_PARTS, NO_PAGE, PAGE_PARTS, Page, read_page
from pixelake.transform.rules import Rules
from pixelake.transform.size import Size
from pixelake.transform.validate import AT, CHECKS, COLUMNS, validate

LONGEST_LINE: Final = 4_096
MOST_FIELDS: Final = 64
"""Of a usual query."""
MEMORY: Final = 64 << 20
"""Bytes of the fields that are remembered, in each of two generations: those of some 50,000 pages."""
EACH: Final = 512
"""Bytes that a field takes besides what was sent, about."""
QUOTA: Final = MEMORY // EACH // 2
"""Fields of one name that are remembered: values that never come again (an event id) must not drive out the others."""

_pc: Any = pc  # its stubs do not fit together
MANY: Final = 256
"""Blocks of header lines of a batch that may all be different."""
_OF_REQUEST: Final = (
    r"(?i)\n(?:x-forwarded-for|forwarded|x-real-ip|true-client-ip|cf-connecting-ip|cf-ray|cloudfront-viewer-address"
    r"|x-amz-cf-id|x-amzn-trace-id|x-request-id|x-correlation-id|traceparent|tracestate|x-cloud-trace-context|x-vercel-id"
    r"|x-b3-[a-z]+|fly-request-id|x-client-ip|x-cluster-client-ip|x-request-start|x-varnish): [^\r]*\r"
)
"""Header lines with another value in each request, which nobody reads behind the collector."""
_SITE, _EVENT, _URL, _REFERRER, _CONSENT = (AT[name] for name in ("site", "event", "url", "referrer", "consent"))
_CHECKED: Final = frozenset(AT[column] for column, _ in CHECKS)
_ESCAPED: Final = re.compile(b"[%+]")
_PAGEVIEW: Final = "pageview"


class Field(NamedTuple):
    """A field of a query: the place of its column in a row of `validate`, or one of those below, and its value."""

    place: int
    name: str
    value: Any


PROPERTY, NOTHING, UNUSUAL = -1, -2, -3
_UNUSUAL: Final = Field(UNUSUAL, "", None)
_NOTHING: Final = Field(NOTHING, "", None)


class Fields:
    """What fields of queries say that come again and again, bounded in bytes. Two generations, as `Memory` has.

    Args:
        read: what a field says; pure.
    """

    def __init__(self, read: Callable[[bytes], Field]) -> None:
        self._read = read
        self._left = MEMORY
        self._young: dict[bytes, Field] = {}
        self._old: dict[bytes, Field] = {}
        self._taken: dict[bytes, int] = {}

    def said(self, fields: Sequence[bytes]) -> list[Field]:
        """What each field says."""
        found: list[Any] = list(map(self._young.get, fields))
        at = 0
        for _ in range(found.count(None)):
            at = found.index(None, at)
            found[at] = self._learn(fields[at])
        return found

    def _learn(self, field: bytes) -> Field:
        said = self._old.get(field) or self._read(field)
        if len(field) > LONGEST:
            return said
        name = field.partition(b"=")[0]
        taken = self._taken.get(name, 0)
        if taken < QUOTA:
            if self._left < 0:
                self._old, self._young, self._taken, self._left, taken = self._young, {}, {}, MEMORY, 0
            self._taken[name] = taken + 1
            self._left -= len(field) + EACH
            self._young[field] = said
        return said


class _Parts(NamedTuple):
    """Hits that may be usual, in parts: Arrow arrays of a row each.

    Attributes:
        at: place among the hits.
        way: codes of `methods`.
        query: bytes.
        referer: bytes; null if there is none.
        about: codes of `heads`.
        methods: by code.
        heads: by code.
    """

    at: Any
    way: Any
    query: Any
    referer: Any
    about: Any
    methods: Sequence[str | None]
    heads: Sequence[Head | None]

    def only(self, usual: Any) -> "_Parts":
        """The rows that are."""
        at, way, query, referer, about = (each.filter(usual) for each in self[:5])
        return self._replace(at=at, way=way, query=query, referer=referer, about=about)


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

    parts: _Parts
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
        self._fields = Fields(self._field)
        self._names: Memory[bytes, Field] = Memory(self._name_of)
        self._heads: Memory[bytes, Head | None] = Memory(self._head)
        self._referers: Memory[bytes, Page | None] = Memory(self._referer)
        native = self._native = rules.fallback
        self._name = native.name
        paths = {route.path for route in native.routes if route.answer is Answer.IMAGE} | {b"/"}
        self._path = native.routes[0].path
        self._ways: Mapping[bytes, str] = {
            method + b" " + path: method.decode()
            for method in (b"GET", b"HEAD")
            for path in paths
            if rules.dialect(path) is native and path != BADGE
        }

    def sort(self, hits: Sequence[Hit]) -> Usual | None:
        """Those of the hits that are usual; None if none is."""
        parts = self._parted(hits)
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
        if len(parts.methods) == 1:
            found.put_constant("method", parts.methods[0])
        else:
            found.put_coded(Coded(parts.way, len(parts.methods)), ("method",), [(each,) for each in parts.methods])
        found.put_constant("dialect", self._name)
        found.put_constant("anonymous", value=False)
        known = parts.about.dictionary_encode()  # of the heads some may be of other hits alone
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

    def _parted(self, hits: Sequence[Hit]) -> _Parts:
        """The hits that may be usual, in parts."""
        head = pa.array([hit.head for hit in hits], pa.binary())
        # each line of the head is here without its last byte, and begins with that of the line before it
        line, lines = _cut(head, b"\r")
        way, rest = _cut(line, b"?")
        query, version = _cut(rest, b" ", reverse=True)
        before, behind = _cut(lines, b"\nReferer: ")
        if behind.null_count:
            other_before, other = _cut(lines, b"\nreferer: ")
            before, behind = _pc.if_else(behind.is_valid(), before, other_before), _pc.coalesce(behind, other)
        referer, after = _cut(behind, b"\r")
        ways = way.dictionary_encode()
        methods = [self._ways.get(each) for each in ways.dictionary.to_pylist()]
        blocks = _alike(_pc.binary_join_element_wise(before, after.fill_null(b""), b""))
        heads = [self._heads[block] for block in blocks.dictionary.to_pylist()]
        parts = _Parts(
            pa.array(range(len(hits)), pa.int32()), ways.indices, query, referer, blocks.indices, methods, heads
        )
        longest = self._rules.max_field // 3  # a byte that cannot be decoded becomes three letters
        usual = [
            version.is_valid(),
            _pc.starts_with(lines, b"\n").fill_null(False),
            _pc.starts_with(after, b"\n").fill_null(True),
            pa.array([method is not None for method in methods]).take(ways.indices),
            pa.array([head is not None for head in heads]).take(blocks.indices),
            _pc.less_equal(_pc.binary_length(line), LONGEST_LINE),
            _pc.less_equal(_pc.binary_length(referer), longest).fill_null(True),
            pa.array([not hit.body for hit in hits]),
        ]
        chosen = reduce(_pc.and_, usual)
        return parts if _pc.all(chosen).as_py() else parts.only(chosen)

    def _read(self, parts: _Parts) -> Usual | frozenset[int]:
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
        self, parts: _Parts, said: Mapping[int, _Said], properties: Mapping[int, Mapping[str, Sequence[str]]]
    ) -> Usual | frozenset[int]:
        """Page and site of each hit, which may come from its Referer."""
        rows = len(parts.at)
        odd: set[int] = set()
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
                pages, sites = by_identity(page_of), _by_text(site_of)
        if odd or pages is None or sites is None:
            return frozenset(odd)
        return Usual(parts, said, properties, pages, sites)

    def _field(self, field: bytes) -> Field:
        """What a field says."""
        name, equals, value = field.partition(b"=")
        known = self._names[name]
        if known is _UNUSUAL or not equals:
            return self._slowly(field)
        sent = value.decode() if value.isascii() and not _ESCAPED.search(value) else unescape(value.decode("latin-1"))
        if len(sent) > self._rules.max_field or self._rules.secrets.may_hold(f"{known.value}\0{sent}"):
            return self._slowly(field)
        if known.place == PROPERTY:
            return Field(PROPERTY, known.name, sent)
        told = read_page(sent, self._rules.kept_query) if known.place in (_URL, _REFERRER) and sent else sent or None
        return Field(known.place, "", told)

    def _slowly(self, field: bytes) -> Field:
        """What a field says, by those who read all hits."""
        (element,) = self._native.decode(Hit.of(0, "", "", "GET", self._path + b"?" + field, b""))
        if not element.values:
            return _UNUSUAL if element.faults else _NOTHING
        ((called, (told, *_)),) = element.values.items()
        row, properties, faults = validate(element.values, self._rules.max_field)
        if element.faults or faults or not called or self._rules.secrets.may_hold(f"{called}\0{told}"):
            return _UNUSUAL
        if properties:
            return Field(PROPERTY, called, told)
        at = AT[COLUMNS[called]]
        page = at in (_URL, _REFERRER) and row[at]
        return Field(at, "", read_page(row[at], self._rules.kept_query) if page else row[at])

    def _name_of(self, name: bytes) -> Field:
        """What a plain text under that name is; unusual if that takes a longer look. The value is the name itself."""
        (element,) = self._native.decode(Hit.of(0, "", "", "GET", self._path + b"?" + name + b"=x", b""))
        if element.faults or len(element.values) != 1:
            return _UNUSUAL
        (called,) = element.values
        column = COLUMNS.get(called)
        if not called or len(called) > self._rules.max_field or (column is not None and AT[column] in _CHECKED):
            return _UNUSUAL
        return Field(PROPERTY, called, called) if column is None else Field(AT[column], "", called)

    def _head(self, block: bytes) -> Head | None:
        """What header lines say; None if that is not usual."""
        head = read_head(block[1:-2], self._rules.max_field, self._rules.secrets)
        return None if head.faults or head.objects or head.referer is not None else head

    def _referer(self, sent: bytes) -> Page | None:
        """The page that a Referer tells; None if that is not usual."""
        referer = self._rules.secrets.text(text(sent.strip()))
        return None if len(referer) > self._rules.max_field else referring_page(referer, self._rules.kept_query)


def _alike(blocks: Any) -> Any:
    """Blocks of header lines by code. Where most are different, what proxies write for each request is left out."""
    known = blocks.dictionary_encode()
    if len(known.dictionary) <= max(MANY, len(known) // 2):
        return known
    return _pc.replace_substring_regex(blocks, _OF_REQUEST, "").dictionary_encode()


def _cut(texts: Any, at: bytes, *, reverse: bool = False) -> tuple[Any, Any]:
    """What is before and behind the first (or last) of these bytes; what has none is whole, and null behind."""
    if texts.null_count:
        texts = texts.fill_null(b"")
    parted = _pc.split_pattern(texts, at, max_splits=1, reverse=reverse)
    lengths = _pc.list_value_length(parted)
    bounds = _pc.min_max(lengths)
    if bounds["min"].as_py() == bounds["max"].as_py() == 2:
        flat, rows = parted.flatten(), len(texts)
        return flat.take(_numbers(0, rows)), flat.take(_numbers(1, rows))
    both = _pc.list_slice(parted, 0, 2, return_fixed_size_list=True).flatten()
    return both.take(_numbers(0, len(texts))), both.take(_numbers(1, len(texts)))


@lru_cache(maxsize=64)
def _numbers(first: int, count: int) -> Any:
    """Every other number."""
    return pa.array(range(first, first + 2 * count, 2), pa.int32())


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


def _by_text(values: Sequence[str]) -> tuple[Coded, Sequence[str]]:
    known: dict[str, int] = {}
    codes = indices([known.setdefault(value, len(known)) for value in values])
    return Coded(codes, len(known)), list(known)


def _put(found: Columns, name: str, values: Sequence[Any]) -> None:
    """A column that mostly is the same in each row."""
    if values.count(values[0]) == len(values):
        found.put_constant(name, values[0])
    else:
        found.put(name, values)
