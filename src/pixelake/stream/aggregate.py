"""Many records in one record of Kinesis, in the format of Amazon's producer library (KPL).

An aggregate is `MAGIC`, a protobuf message and the MD5 of that message::

    message AggregatedRecord {
      repeated string partition_key_table     = 1;
      repeated string explicit_hash_key_table = 2;
      repeated Record records                 = 3;
    }
    message Record {
      required uint64 partition_key_index     = 1;
      optional uint64 explicit_hash_key_index = 2;
      required bytes  data                    = 3;
      repeated Tag    tags                    = 4;
    }
    message Tag { required string key = 1; optional string value = 2; }

Indices count from 0. The format is described in ``aggregation-format.md`` of
https://github.com/awslabs/amazon-kinesis-producer: what is not an aggregate to
the last byte is a plain record.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

MAGIC: Final = b"\xf3\x89\x9a\xc2"
AGGREGATE_BYTES: Final = 5 * 1_024
"""Of an aggregate: Firehose bills each record as a multiple of it."""
_DIGEST: Final = 16
_MAX_VARINT: Final = 10
"""Bytes of a number of 64 bits."""
_LAST_FIELD: Final = (1 << 29) - 1
_FIXED: Final = {1: 8, 5: 4}
"""Wire type -> bytes."""
_VARINT, _BYTES = 0, 2
_KEY, _HASH_KEY, _RECORD = 0x0A, 0x12, 0x1A
_KEY_INDEX, _HASH_KEY_INDEX, _DATA, _TAG = 0x08, 0x10, 0x1A, 0x22
_TAG_KEY, _TAG_VALUE = 0x0A, 0x12
"""Field and wire type, as they stand before a value."""


class Record(NamedTuple):
    """What a producer put in: a plain record, or one of an aggregate."""

    data: bytes
    partition_key: str
    hash_key: str | None = None
    tags: tuple[tuple[str, str | None], ...] = ()


class Aggregate(NamedTuple):
    """One record to be put into a stream.

    Attributes:
        partition_key: to be put with.
        data: the bytes of the record.
        records: how many of those given it holds.
    """

    partition_key: str
    data: bytes
    records: int


class _Damaged(ValueError):
    """No aggregate. Never leaves this module."""


def random_key() -> str:
    """A partition key that nobody had before; its MD5 chooses the shard."""
    return secrets.token_hex(8)


def pack(
    records: Iterable[bytes], key: Callable[[], str] = random_key, size: int = AGGREGATE_BYTES
) -> Iterator[Aggregate]:
    """The records in order, as few aggregates as hold them.

    All records of an aggregate have one partition key, the one it is put with:
    the shard is chosen by the outer key alone, and readers (KCL 2) drop, in
    silence, a record whose own key belongs to another shard than the one it
    was read from.

    A record that is alone is put plain, as KPL does, so that every reader can
    read it; unless it looks like an aggregate itself. An empty one is always alone.

    Args:
        records: the bytes of each.
        key: called once an aggregate, for its partition key: 1 to 256 characters.
        size: bytes of an aggregate at most. Only a record that is alone may take more.
    """
    held: list[bytes] = []
    parts: list[bytes] = []
    name, left = "", 0
    for data in records:
        part = _field(_RECORD, b"\x08\x00" + _field(_DATA, data))
        if held and (len(part) > left or not (data and held[0])):
            yield _closed(name, held, parts)
            held, parts = [], []
        if not held:
            name = key()
            left = size - len(MAGIC) - _DIGEST - len(_field(_KEY, name.encode()))
        held.append(data)
        parts.append(part)
        left -= len(part)
    if held:
        yield _closed(name, held, parts)


def _closed(key: str, held: Sequence[bytes], parts: Sequence[bytes]) -> Aggregate:
    if len(held) == 1 and not held[0].startswith(MAGIC):
        return Aggregate(key, held[0], 1)
    message = _field(_KEY, key.encode()) + b"".join(parts)
    return Aggregate(key, MAGIC + message + _digest(message), len(held))


def unpack(data: bytes, partition_key: str, hash_key: str | None = None) -> list[Record]:
    """The records of an aggregate, in order; or the one plain record that `data` is.

    Never raises, whatever the bytes are, and takes time that grows with their
    length. Plain is also an aggregate that is damaged anywhere, without a record,
    or with one that is empty, of which a few bytes make thousands: nothing is
    left out in silence.

    Args:
        data: the bytes of a record, as read from a stream.
        partition_key: what it was put with.
        hash_key: the same, if it was put with one.
    """
    message = data[len(MAGIC) : -_DIGEST]
    if message and data.startswith(MAGIC) and _digest(message) == data[-_DIGEST:]:
        try:
            return _records(message) or [Record(data, partition_key, hash_key)]
        except ValueError:  # damaged, or a text that is not UTF-8
            pass
    return [Record(data, partition_key, hash_key)]


def _records(message: bytes) -> list[Record]:
    keys: list[str] = []
    hash_keys: list[str] = []
    spans: list[tuple[int, int]] = []
    for tag, start, end in _fields(message, 0, len(message)):
        if tag == _KEY:
            keys.append(message[start:end].decode())
        elif tag == _HASH_KEY:
            hash_keys.append(message[start:end].decode())
        elif tag == _RECORD:
            spans.append((start, end))
    return [_record(message, *span, keys, hash_keys) for span in spans]


def _record(message: bytes, start: int, end: int, keys: Sequence[str], hash_keys: Sequence[str]) -> Record:
    data = index = hash_index = None
    tags = []
    for tag, first, last in _fields(message, start, end):
        if tag == _DATA:
            data = message[first:last]
        elif tag == _KEY_INDEX:
            index = first
        elif tag == _HASH_KEY_INDEX:
            hash_index = first
        elif tag == _TAG:
            tags.append(_tag(message, first, last))
    if not data or index is None:
        raise _Damaged
    return Record(data, _at(keys, index), None if hash_index is None else _at(hash_keys, hash_index), tuple(tags))


def _tag(message: bytes, start: int, end: int) -> tuple[str, str | None]:
    found = {tag: message[first:last].decode() for tag, first, last in _fields(message, start, end) if tag & 7 == 2}
    if _TAG_KEY not in found:
        raise _Damaged
    return found[_TAG_KEY], found.get(_TAG_VALUE)


def _at(table: Sequence[str], index: int) -> str:
    if index >= len(table):
        raise _Damaged
    return table[index]


def _fields(message: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, and the number (and 0) or where the bytes begin and end; what has a fixed length is passed over.

    Raises:
        _Damaged: a field has no end, no number, or is of a kind that cannot be passed over (groups are long gone).
    """
    while at < end:
        tag, at = _varint(message, at, end)
        kind = tag & 7
        if not 0 < tag >> 3 <= _LAST_FIELD:
            raise _Damaged
        if kind == _VARINT:
            value, at = _varint(message, at, end)
            yield tag, value, 0
            continue
        if kind == _BYTES:
            length, at = _varint(message, at, end)
        elif kind in _FIXED:
            length = _FIXED[kind]
        else:
            raise _Damaged
        start, at = at, at + length
        if at > end:
            raise _Damaged
        if kind == _BYTES:
            yield tag, start, at


def _varint(message: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of 64 bits, and where it ends."""
    value = 0
    for place, byte in enumerate(message[at : min(end, at + _MAX_VARINT)]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + place + 1
    raise _Damaged


def _field(tag: int, data: bytes) -> bytes:
    """A field of bytes: its tag, their length, the bytes."""
    length, start = len(data), bytearray((tag,))
    while length > 0x7F:
        start.append(length & 0x7F | 0x80)
        length >>= 7
    start.append(length)
    return bytes(start) + data


def _digest(message: bytes) -> bytes:
    return hashlib.md5(message, usedforsecurity=False).digest()
