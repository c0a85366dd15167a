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
from itertools import accumulate, chain
from typing import Any, Final, NamedTuple, TypeAlias

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
MEMORY: Final = 48 << 20
"""Bytes of the fields that are remembered, in each of two generations: those of some 40,000 pages."""
EACH: Final = 512
"""Bytes that a field takes besides what was sent, about."""
QUOTA: Final = MEMORY // EACH // 2
"""Fields of one name that are remembered: values that never come again (an event id) must not drive out the others."""

_pc: Any = pc  # its stubs do not fit together
_SITE, _EVENT, _URL, _REFERRER, _CONSENT = (AT[name] for name in ("site", "event", "url", "referrer", "consent"))
_CHECKED: Final = frozenset(AT[column] for column, _ in CHECKS)
_ESCAPED: Final = re.compile(b"[%+]")
_REFERER: Final = (b"\nR", b"\nr")
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
    """Numbers for fields of queries that come again and again, bounded in bytes. Two generations, as `Memory` has.

    A number holds until `begin` is called again.

    Args:
        read: what a field says; pure.
    """

    def __init__(self, read: Callable[[bytes], Field]) -> None:
        self._read = read
        self._left = MEMORY
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._said: list[Field] = []
        self._said_before: list[Field] = []
        self._passing: list[Field] = []
        """What is not remembered; its numbers are negative."""
        self._taken: dict[bytes, int] = {}

    def begin(self) -> None:
        """A new batch."""
        self._passing = []
        if self._left < 0:
            self._old, self._said_before = self._young, self._said
            self._young, self._said, self._taken, self._left = {}, [], {}, MEMORY

    def numbers(self, fields: Sequence[bytes]) -> list[int]:
        """A number for each field; the same field may have two in a batch if it is not remembered."""
        found: list[Any] = list(map(self._young.get, fields))
        at = 0
        for _ in range(found.count(None)):
            at = found.index(None, at)
            found[at] = self._learn(fields[at])
        return found

    def __getitem__(self, number: int) -> Field:
        """What the field of a number says."""
        return self._said[number] if number >= 0 else self._passing[-1 - number]

    def _learn(self, field: bytes) -> int:
        number = self._young.get(field)
        if number is not None:
            return number
        before = self._old.get(field)
        said = self._read(field) if before is None else self._said_before[before]
        name = field.partition(b"=")[0]
        taken = self._taken.get(name, 0)
        if taken >= QUOTA or len(field) > LONGEST or self._left < 0:
            self._passing.append(said)
            return -len(self._passing)
        self._taken[name] = taken + 1
        self._left -= len(field) + EACH
        self._said.append(said)
        number = self._young[field] = len(self._said) - 1
        return number


_Way: TypeAlias = tuple[int, str, bytes, bytes, Head]
"""A hit that may be usual: its place among the hits, method, query, Referer, and the other header lines."""


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
        ways: each of them.
        native: column -> what is said of it.
        properties: row -> name -> its values.
        pages: of the rows, by code.
        sites: likewise.
    """

    ways: Sequence[_Way]
    native: Mapping[int, _Said]
    properties: Mapping[int, Mapping[str, Sequence[str]]]
    pages: tuple[Coded, Sequence[Page]]
    sites: tuple[Coded, Sequence[str]]

    def size(self, hits: Sequence[Hit]) -> Size:
        """What they take together; `hits` are those that were sorted."""
        fields = sum(map(len, self.properties.values()))
        return Size(len(self.ways), 2 * fields, sum(map(len, [hits[way[0]].head for way in self.ways])))

    def size_of(self, row: int, hits: Sequence[Hit]) -> Size:
        """What one of them takes. Of a property there is the name too; of columns there is a fixed number."""
        return Size(1, 2 * len(self.properties.get(row, ())), len(hits[self.ways[row][0]].head))


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
        self._fields.begin()
        ways = self._parted(hits)
        while ways:
            read = self._read(ways)
            if isinstance(read, Usual):
                return read
            ways = [way for row, way in enumerate(ways) if row not in read]
        return None

    def columns(self, usual: Usual, batch: Batch, ids: Sequence[str]) -> Columns:
        """The columns of `pixelake.transform.decode.COLUMNS`, and those that are read from heads and pages."""
        ats, methods, _, _, about = zip(*usual.ways, strict=True)
        found = Columns(len(ats))
        everything = len(ats) == len(batch.hits)
        hits = batch.hits if everything else [batch.hits[at] for at in ats]
        found.put("hit_id", ids if everything else [ids[at] for at in ats])
        found.put("position", batch.positions if everything else [batch.positions[at] for at in ats])
        found.put("received_at", [hit.received_at for hit in hits])
        clients = [hit.client for hit in hits]
        found.put("client", clients)
        peers = [hit.peer for hit in hits]
        _put(found, "proxied", [False] if clients == peers else [a != b for a, b in zip(clients, peers, strict=True)])
        _put(found, "source", [hit.source for hit in hits])
        _put(found, "method", methods)
        found.put_constant("dialect", self._name)
        found.put_constant("anonymous", False)
        heads, abouts = by_identity(about)
        heads.memos = [about.memo for about in abouts]
        found.put_parts(heads, abouts, HEAD_PARTS)
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

    def _parted(self, hits: Sequence[Hit]) -> list[_Way]:
        """The hits that may be usual, in parts. Each step here is a hundredth of what a hit costs."""
        found: list[_Way] = []
        longest = self._rules.max_field // 3  # a byte that cannot be decoded becomes three letters
        ways, known, heads = self._ways, self._heads.young.get, self._heads
        first, start_of_first, method_of_first = next((way + b"?", len(way) + 1, ways[way]) for way in ways)
        for at, hit in enumerate(hits):
            head = hit.head
            end = head.find(b"\r\n")
            if head.startswith(first):
                start, method = start_of_first, method_of_first
            else:
                start = head.find(b"?", 0, end) + 1
                method = ways.get(head[: start - 1], "") if start else ""
            if not method or end > LONGEST_LINE or hit.body:
                continue
            # the Referer stands apart, since it differs from page to page
            name = head.find(b"eferer: ", end) - 1
            if name > 0 and head[name - 1 : name + 1] in _REFERER:
                stop = head.find(b"\r\n", name)
                referer, block = head[name + 9 : stop], head[end + 2 : name] + head[stop + 2 : -2]
                if len(referer) > longest:
                    continue
            else:
                referer, block = b"", head[end + 2 : -2]
            about = known(block) or heads[block]
            if about is not None:
                found.append((at, method, head[start : head.rfind(b" ", start, end)], referer, about))
        return found

    def _read(self, ways: Sequence[_Way]) -> Usual | frozenset[int]:
        """What these hits say, a row each; or the rows that are not usual after all."""
        splits = [way[2].split(b"&") for way in ways]
        lengths = list(map(len, splits))
        if max(lengths) > MOST_FIELDS:
            return frozenset(row for row, length in enumerate(lengths) if length > MOST_FIELDS)
        known = indices(self._fields.numbers(list(chain.from_iterable(splits)))).dictionary_encode()
        fields = list(map(self._fields.__getitem__, known.dictionary.to_pylist()))
        codes = known.indices
        rows = _pc.list_parent_indices(pa.ListArray.from_arrays(indices(accumulate(lengths, initial=0)), codes))
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
        return self._placed(ways, native, properties)

    def _placed(
        self, ways: Sequence[_Way], said: Mapping[int, _Said], properties: Mapping[int, Mapping[str, Sequence[str]]]
    ) -> Usual | frozenset[int]:
        """Page and site of each hit, which may come from its Referer."""
        rows = len(ways)
        odd: set[int] = set()
        if known := self._rules.schemas.known:
            events = dict(said[_EVENT].each()) if _EVENT in said else {}
            odd.update(row for row in range(rows) if (events.get(row) or _PAGEVIEW) in known)
        pages = _whole(said.get(_URL), rows)
        sites = _whole(said.get(_SITE), rows)
        if pages is None or sites is None:
            page_of: list[Any] = [None] * rows if _URL not in said else _values(said[_URL], rows)
            site_of: list[Any] = [None] * rows if _SITE not in said else _values(said[_SITE], rows)
            for row, way in enumerate(ways):
                page, site = page_of[row], site_of[row]
                if page is not None and (site or page.host):
                    site_of[row] = site or page.host
                    continue
                referring = self._referers[way[3]] if way[3] else NO_PAGE
                if referring is None:
                    odd.add(row)
                    continue
                page_of[row] = page = page or referring
                site_of[row] = site or page.host or referring.host or DEFAULT
            if not odd:
                pages, sites = by_identity(page_of), _by_text(site_of)
        if odd or pages is None or sites is None:
            return frozenset(odd)
        return Usual(ways, said, properties, pages, sites)

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
        head = read_head(block, self._rules.max_field, self._rules.secrets)
        return None if head.faults or head.objects or head.referer is not None else head

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
