"""What is left of hits that are a person's, or that hold their id: for `pixelake.stream.erase`.

Of a hit only its place and time are left. But where a body has several elements
and the id is in some of them alone, these are exchanged for one that says so
(`pixelake.hit.ERASURE`), and the others stay as they were sent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from pixelake.dialects.base import Dialect
from pixelake.dialects.body import UNREADABLE, Kind, has_lines, kind_of, split_array, split_lines
from pixelake.dialects.coding import BodyError, as_sent, as_utf8, type_and_encoding, unpack
from pixelake.hit import ERASED, ERASURE, PARTLY_ERASED, Hit
from pixelake.operate.person import Who
from pixelake.stream.base import Partition, Position

WHOLE: Final = -1
"""In place of the index of an element: all of the hit."""
_GONE: Final = msgspec.json.encode({ERASURE: True})

Places = Mapping[tuple[Partition, Position], frozenset[int]]
"""Hits of which the lake had rows of the person -> the elements that those are of, or `WHOLE`."""


class HitsOf:
    """A `pixelake.stream.erase.Edit`: erases what holds the id, and what stands in places that are named.

    Args:
        who: whose.
        dialect: of a hit, by its target.
        places: as said.
    """

    def __init__(self, who: Who, dialect: Callable[[bytes], Dialect], places: Places) -> None:
        self._who, self._dialect, self._places = who, dialect, places

    def __call__(self, partition: Partition, positions: Sequence[Position], hits: Sequence[Hit]) -> Sequence[Hit]:
        """The hits with what is left of those; the same objects where nothing changes."""
        found = self._holding(hits)
        edited = []
        for at, (position, hit) in enumerate(zip(positions, hits, strict=True)):
            named = self._places.get((partition, position), frozenset())
            edited.append(self._left(hit, named) if (named or at in found) and hit.source != ERASED else hit)
        return edited

    def _holding(self, hits: Sequence[Hit]) -> frozenset[int]:
        """The places, among these hits, of those that hold the id."""
        texts: list[bytes] = []
        of: list[int] = []
        for at, hit in enumerate(hits):
            for text in texts_of(hit):
                texts.append(text)
                of.append(at)
        found = {at for at, there in zip(of, self._who.sent(texts), strict=True) if there}
        if not self._who.in_text:
            found = {at for at in found if any(map(self._is_meant, self._values(hits[at])))}
        return frozenset(found)

    def _values(self, hit: Hit) -> list[Mapping[str, Sequence[str]]]:
        return [element.values for element in self._dialect(hit.target).decode(hit)]

    def _is_meant(self, values: Mapping[str, Sequence[str]]) -> bool:
        return self._who.kind == "user" and self._who.values(values)

    def _left(self, hit: Hit, named: frozenset[int]) -> Hit:
        """What is left of a hit."""
        body = None
        if WHOLE not in named and hit.body and not self._is_in_head(hit):
            body = self._body(hit, named)
        if body is None:
            return hit.erased()
        source = hit.source.removesuffix(PARTLY_ERASED) + PARTLY_ERASED
        left = msgspec.structs.replace(hit, body=body, source=source)
        if body == hit.body and source == hit.source:
            return hit
        return hit.erased() if self._holding([left]) else left

    def _is_in_head(self, hit: Hit) -> bool:
        if self._who.in_text:
            return self._who.sent([hit.head])[0]
        bare = msgspec.structs.replace(hit, body=b"")
        return any(map(self._is_meant, self._values(bare)))

    def _body(self, hit: Hit, named: frozenset[int]) -> bytes | None:
        """The body without the elements that are named or hold the id; None if these are all, or cannot be told."""
        content_type, encoding = type_and_encoding(hit.headers)
        try:
            sent = as_utf8(unpack(hit.body, encoding), content_type)
            items, is_array = _elements(sent, content_type)
            said = self._values(hit)
        except (BodyError, *UNREADABLE):
            return None
        if len(items) < 2 or len(items) != len(said):
            return None
        gone = {at for at, item in enumerate(items) if at in named or self._holds(item, said[at])}
        if not named <= gone or len(gone | {at for at, item in enumerate(items) if item == _GONE}) == len(items):
            return None
        kept = [_GONE if at in gone else item for at, item in enumerate(items)]
        joined = b"[%s]" % b",".join(kept) if is_array else b"\n".join(kept)
        return as_sent(joined, content_type, encoding)

    def _holds(self, item: bytes, values: Mapping[str, Sequence[str]]) -> bool:
        return self._who.sent([item])[0] if self._who.in_text else self._is_meant(values)


def _elements(sent: bytes, content_type: bytes) -> tuple[list[bytes], bool]:
    """The elements of a readable body, and whether they stand in an array. Raises one of `UNREADABLE`, or BodyError."""
    kind = kind_of(content_type, sent)
    if kind is Kind.JSON and sent.lstrip()[:1] == b"[":
        return split_array(sent), True
    if kind is Kind.LINES or (kind is Kind.JSON and has_lines(sent)):
        return split_lines(sent), False
    return [sent], False


def texts_of(hit: Hit) -> Iterator[bytes]:
    """Where the id may be: head, body, and the body unpacked and in UTF-8, if it is not so as it was sent."""
    yield hit.head
    if hit.body:
        yield hit.body
        content_type, encoding = type_and_encoding(hit.headers)
        try:
            readable = as_utf8(unpack(hit.body, encoding), content_type)
        except BodyError:
            return
        if readable != hit.body:
            yield readable


def places_of(rows: pa.Table, *, whole: bool) -> dict[tuple[Partition, Position], frozenset[int]]:
    """Where the hits of these rows are, and which of their elements they are; `whole`: all of each hit."""
    columns: list[Any] = [rows[name].to_pylist() for name in ("partition", "position", "hit_id")]
    found: dict[tuple[Partition, Position], frozenset[int]] = {}
    for partition, position, hit_id in zip(*columns, strict=True):
        element = frozenset({WHOLE if whole else _index(hit_id)})
        found[partition, position] = found.get((partition, position), frozenset()) | element
    return found


def _index(hit_id: str) -> int:
    """Which element of its hit a row is, by its name."""
    end = hit_id.rpartition(".")[2] if "." in hit_id else ""
    return int(end) if end.isascii() and end.isdigit() else 0
