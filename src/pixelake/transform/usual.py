"""The usual hit: an image with a plain query, taken apart by what its parts were the last time.

Most hits say little that others have not said: a page, its title, a user agent.
So each field of a query, each block of header lines and each Referer is read
once and remembered. A hit with anything about it that is not usual (a body, a
repeated name, a secret, a fault, an objection to being tracked) is left to
`pixelake.transform.decode`, and the two always agree: a test holds them to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pixelake.cache import Memory
from pixelake.dialects.base import Answer
from pixelake.dialects.native import BADGE
from pixelake.dialects.site import DEFAULT
from pixelake.dialects.text import text
from pixelake.hit import Hit
from pixelake.stream.base import Position
from pixelake.transform.columns import EMPTY
from pixelake.transform.enrich.consent import consent
from pixelake.transform.head import Head, read_head, referring_page
from pixelake.transform.page import NO_PAGE, Page, read_page
from pixelake.transform.rules import Rules
from pixelake.transform.validate import AT, COLUMNS, validate

LONGEST_LINE: Final = 4_096
MOST_FIELDS: Final = 64
"""Of a usual query."""

_SITE, _EVENT, _URL, _REFERRER, _CONSENT = (AT[name] for name in ("site", "event", "url", "referrer", "consent"))
_NOTHING: Final = tuple("pageview" if column == "event" else None for column in AT)
"""The row of who says nothing."""
_NEWLINE: Final = ord("\n")


class _Field(NamedTuple):
    """A field of a query: the place of its column in a row of `validate`, or its name if it is a property.

    ``bit`` is that place as a bit; 0 of a property, and of a field that says nothing, which has no name either.
    """

    bit: int
    at: int
    name: str
    value: Any


_UNUSUAL: Final = _Field(-1, 0, "", None)
_EMPTY: Final = _Field(0, 0, "", None)


class Usual:
    """Reads the hits that are usual, for one set of rules. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._fields: Memory[bytes, _Field] = Memory(self._field)
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

    def row(self, hit: Hit, hit_id: str, position: Position) -> tuple[Any, ...] | None:
        """The row of a hit (`pixelake.transform.decode.COLUMNS`); None if the hit is not usual."""
        head = hit.head
        end = head.find(b"\r\n")
        way, _, rest = head[:end].partition(b"?")
        method = self._ways.get(way)
        if method is None or end > LONGEST_LINE or hit.body:
            return None
        said = self._said(rest[: rest.rfind(b" ")])
        about, referer = self._about(head, end)
        if said is None or about is None:
            return None
        row, properties, referred = said
        if row[_EVENT] in self._rules.schemas.known:
            return None
        page = row[_URL]
        if page is None or not (row[_SITE] or page.host):
            referring = (self._referers.young.get(referer) or self._referers[referer]) if referer else NO_PAGE
            if referring is None:
                return None
            page = page or referring
            row[_SITE] = row[_SITE] or page.host or referring.host or DEFAULT
        elif not row[_SITE]:
            row[_SITE] = page.host
        return (
            hit_id,
            position,
            hit.received_at,
            hit.source,
            self._name,
            method,
            hit.client,
            hit.client != hit.peer,
            False,
            about,
            properties,
            page,
            row[_REFERRER] or NO_PAGE,
            referred,
            *row,
        )

    def _said(self, query: bytes) -> tuple[list[Any], Mapping[str, Sequence[str]], bool] | None:
        """What the query says: a row of `validate`, with pages for urls; properties; is a referrer named?"""
        if query.count(b"&") >= MOST_FIELDS:
            return None
        row: list[Any] = [*_NOTHING]
        properties: dict[str, Sequence[str]] = {}
        taken = 0
        known, remembered = self._fields.young, self._fields
        for field in query.split(b"&"):
            bit, at, name, value = known.get(field) or remembered[field]
            if bit & taken or bit < 0 or name in properties:
                return None
            if bit:
                taken |= bit
                row[at] = value
            elif name:
                properties[name] = (value,)
        if properties:
            row[_CONSENT] = consent(row[_CONSENT], properties)
        return row, properties or EMPTY, taken >> _REFERRER & 1 == 1

    def _about(self, head: bytes, end: int) -> tuple[Head | None, bytes]:
        """What the header lines behind `end` say; and the Referer apart, since it differs from page to page."""
        start = head.find(b"eferer: ", end) - 1
        if start > 0 and head[start] in b"Rr" and head[start - 1] == _NEWLINE:
            stop = head.find(b"\r\n", start)
            referer, block = head[start + 9 : stop], head[end + 2 : start] + head[stop + 2 : -2]
        else:
            referer, block = b"", head[end + 2 : -2]
        return self._heads.young.get(block) or self._heads[block], referer

    def _field(self, field: bytes) -> _Field:
        """What a field says."""
        (element,) = self._native.decode(Hit.of(0, "", "", "GET", self._path + b"?" + field, b""))
        if not element.values:
            return _UNUSUAL if element.faults else _EMPTY
        ((name, (sent, *_)),) = element.values.items()
        row, properties, faults = validate(element.values, self._rules.max_field)
        if element.faults or faults or not name or self._rules.secrets.may_hold(f"{name}\0{sent}"):
            return _UNUSUAL
        if properties:
            return _Field(0, 0, name, sent)
        at = AT[COLUMNS[name]]
        value = row[at]
        if at in (_URL, _REFERRER) and value:
            value = read_page(value, self._rules.kept_query)
        return _Field(1 << at, at, "", value if value is not None else _NOTHING[at])

    def _head(self, block: bytes) -> Head | None:
        """What header lines say; None if that is not usual."""
        head = read_head(block, self._rules.max_field, self._rules.secrets)
        return None if head.faults or head.objects or head.referer is not None else head

    def _referer(self, sent: bytes) -> Page | None:
        """The page that a Referer tells; None if that is not usual."""
        referer = self._rules.secrets.text(text(sent.strip()))
        return None if len(referer) > self._rules.max_field else referring_page(referer, self._rules.kept_query)
