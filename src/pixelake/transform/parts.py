"""Heads of hits, cut into parts by Arrow: the line, the query, the Referer, and the block of all other lines.

Heads repeat each other even more than queries do, so each block of lines is read once, and remembered.
"""

from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.cache import Memory
from pixelake.dialects.base import Answer
from pixelake.dialects.native import BADGE
from pixelake.hit import Hit
from pixelake.transform.head import Head, read_head
from pixelake.transform.rules import Rules

LONGEST_LINE: Final = 4_096
MANY: Final = 256
"""Blocks of header lines of a batch that may all be different; and how many of them tell whether there is a proxy."""
_OF_REQUEST: Final = (
    r"(?i)\r\n(?:(?:x-forwarded-for|forwarded|x-real-ip|true-client-ip|cf-connecting-ip|cf-ray|cloudfront-viewer-address"
    r"|x-amz-cf-id|x-amzn-trace-id|x-request-id|x-correlation-id|traceparent|tracestate|x-cloud-trace-context|x-vercel-id"
    r"|x-b3-[a-z]+|fly-request-id|x-client-ip|x-cluster-client-ip|x-request-start|x-varnish): [^\r]*\r\n)+"
)
"""Header lines with another value in each request, which nobody reads behind the collector."""

_pc: Any = pc  # its stubs do not fit together


class Parts(NamedTuple):
    """Hits that may be usual, in parts: Arrow arrays of a row each.

    Attributes:
        at: place among the hits.
        way: codes of `methods`.
        query: bytes.
        referer: bytes; empty if there is none.
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

    def only(self, usual: Any) -> "Parts":
        """The rows that are."""
        at, way, query, referer, about = (each.filter(usual) for each in self[:5])
        return self._replace(at=at, way=way, query=query, referer=referer, about=about)


class Cutter:
    """Cuts heads, for one set of rules. One thread at a time."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._heads: Memory[bytes, Head | None] = Memory(self._head)
        native = rules.fallback
        paths = {route.path for route in native.routes if route.answer is Answer.IMAGE} | {b"/"}
        self._ways = {
            method + b" " + path: method.decode()
            for method in (b"GET", b"HEAD")
            for path in paths
            if rules.dialect(path) is native and path != BADGE
        }

    def __call__(self, hits: Sequence[Hit]) -> Parts:
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
        blocks = _alike(_pc.binary_join_element_wise(b"\r", before, after.fill_null(b""), b""))
        heads = [self._heads[block] for block in blocks.dictionary.to_pylist()]
        parts = Parts(
            pa.array(range(len(hits)), pa.int32()), ways.indices, query, referer, blocks.indices, methods, heads
        )
        without = behind.is_null()
        usual = [
            version.is_valid(),
            _pc.starts_with(lines, b"\n").fill_null(False),
            # the Referer is a line of its own: a bare CR or LF ends none
            reduce(_pc.or_, (without, _pc.ends_with(before, b"\r"), _pc.equal(before, b""))),
            _pc.coalesce(_pc.starts_with(after, b"\n"), without),
            pa.array([method is not None for method in methods]).take(ways.indices),
            pa.array([head is not None for head in heads]).take(blocks.indices),
            _pc.less_equal(_pc.binary_length(line), LONGEST_LINE),
            pa.array([not hit.body for hit in hits]),
        ]
        chosen = reduce(_pc.and_, usual)
        return parts if _pc.all(chosen).as_py() else parts.only(chosen)

    def _head(self, block: bytes) -> Head | None:
        """What header lines say; None if that is not usual. They stand between the end of a line and an empty one."""
        head = read_head(block[2:-2], self._rules.max_field, self._rules.secrets)
        return None if head.faults or head.objects or head.referer is not None else head


def _alike(blocks: Any) -> Any:
    """Blocks of lines, each behind a CR LF, by code. If many differ, what proxies write for each request goes."""
    known = blocks.dictionary_encode()
    some = known.dictionary[:MANY]
    if len(known.dictionary) <= MANY or not _pc.any(_pc.match_substring_regex(some, _OF_REQUEST)).as_py():
        return known
    fewer = _pc.replace_substring_regex(known.dictionary, _OF_REQUEST, "\r\n").dictionary_encode()
    return pa.DictionaryArray.from_arrays(fewer.indices.take(known.indices), fewer.dictionary)


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
