"""A `Hit` is what arrived, verbatim; the codec writes many of them as bytes.

The bytes are one version byte and a zstd frame of a MessagePack array of hits,
each an array of fields in order. Version 2 holds the fields of `Hit`; version
1 held method, target and header lines apart, and is still read. Fields are
only ever added at the end, with a default.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Self

import msgspec
import zstandard

from pixelake.errors import StreamError

VERSION: Final = b"\x02"
MAX_GROUP_BYTES: Final = 1 << 30
"""Upper bound of a decompressed group: a damaged length must not take the memory."""
ERASED: Final = "erased"
"""The source of a hit of which only its time is kept: a person was erased. Its place in the partition stays."""
PARTLY_ERASED: Final = "+erased"
"""The ending of the source of a hit that others are told of, too: in its body stands `ERASURE` for what is gone."""
UNREADABLE: Final = "unreadable"
"""The source of what came by a stream and is no hit: its body is what came, and it has no head."""
ERASURE: Final = "pixelake-erased"
"""Whoever judges such a hit again withholds the elements that hold this. It means nothing in any other hit."""


class Hit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request, as it arrived.

    The head is kept whole and taken apart by whoever asks: the collector, which
    is in a hurry, never does.

    Attributes:
        received_at: microseconds since the epoch, UTC.
        peer: address of the other end of the connection; or whom its PROXY header, if one is believed, names.
        client: address of the client, as far as declared proxies tell; else `peer`.
        head: request line and header lines that are kept, byte by byte as sent,
            each with its CR LF, and the empty line that ends them.
        body: the body, decoded from its transfer coding only.
        source: where it came from: ``http``, ``cloudfront``, ...
        hit_id: set by whoever makes a hit for an unordered stream. An ordered
            stream leaves it empty and names its hits by their place
            (`pixelake.stream.base.Batch.ids`).
    """

    received_at: int
    peer: str
    client: str
    head: bytes
    body: bytes = b""
    source: str = "http"
    hit_id: str = ""

    @classmethod
    def of(  # noqa: PLR0917 - the parts of a request
        cls,
        received_at: int,
        peer: str,
        client: str,
        method: str,
        target: bytes,
        headers: bytes,
        body: bytes = b"",
        source: str = "http",
        hit_id: str = "",
    ) -> Self:
        r"""A hit from the parts of a head; `headers` are lines ``Name: value\r\n``."""
        head = b"%s %s HTTP/1.1\r\n%s\r\n" % (method.encode(), target, headers)
        return cls(received_at, peer, client, head, body, source, hit_id)

    def erased(self) -> Self:
        """What is kept of it once it is erased: when it was received."""
        return type(self)(self.received_at, "", "", b"", source=ERASED, hit_id=self.hit_id)

    @property
    def method(self) -> str:
        """``GET``, ``HEAD`` or ``POST``."""
        return self.head[: self.head.find(b" ")].decode("latin-1")

    @property
    def target(self) -> bytes:
        """Path and query, byte by byte as sent."""
        line = self.head[: self.head.find(b"\r\n")]
        return line[line.find(b" ") + 1 : line.rfind(b" ")]

    @property
    def headers(self) -> bytes:
        r"""The header lines that are kept, ``Name: value\r\n`` each, as sent."""
        return self.head[self.head.find(b"\r\n") + 2 : -2]

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that (lower-case) name, stripped."""
        for line in self.headers.split(b"\r\n"):
            key, _, value = line.partition(b":")
            if key.lower() == name:
                return value.strip()
        return None


class _FirstVersion(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of a hit in version 1."""

    received_at: int
    peer: str
    client: str
    method: str
    target: bytes
    headers: bytes
    body: bytes = b""
    source: str = "http"
    hit_id: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Hit])
_FIRST_DECODER = msgspec.msgpack.Decoder(list[_FirstVersion])


def _decode_first(packed: bytes) -> list[Hit]:
    return [Hit.of(*msgspec.structs.astuple(hit)) for hit in _FIRST_DECODER.decode(packed)]


_DECODERS: Final = {b"\x01": _decode_first, VERSION: _DECODER.decode}


class Codec:
    """Hits to bytes and back. Not for use by several threads at once.

    Level 1 of zstd: on groups of browser requests it is 4 times as fast as
    level 3 and its output 6 % larger.
    """

    def __init__(self, level: int = 1) -> None:
        self._compressor = zstandard.ZstdCompressor(level=level, write_checksum=True)
        self._decompressor = zstandard.ZstdDecompressor()

    def encode(self, hits: Sequence[Hit]) -> bytes:
        """The hits as bytes, in order."""
        return self.compress(_ENCODER.encode(hits))

    def encode_parts(self, hits: Sequence[Hit], size: int) -> Iterator[tuple[Sequence[Hit], bytes]]:
        """The hits in parts, in order, each with its bytes; before compression at most `size` bytes, or one hit."""
        packed = _ENCODER.encode(hits)
        if len(packed) <= size or len(hits) == 1:
            yield hits, self.compress(packed)
            return
        half = len(hits) // 2
        yield from self.encode_parts(hits[:half], size)
        yield from self.encode_parts(hits[half:], size)

    def compress(self, packed: bytes) -> bytes:
        """What `decode` reads, from the MessagePack of hits."""
        return VERSION + self._compressor.compress(packed)

    @staticmethod
    def size(data: bytes) -> int:
        """About how much memory the hits of encoded `data` take, in bytes; known before they are decoded."""
        try:
            return max(0, zstandard.frame_content_size(data[len(VERSION) :]))
        except zstandard.ZstdError:
            return 0  # `decode` will say so

    def decode(self, data: bytes) -> list[Hit]:
        """The hits of `encode`.

        Raises:
            StreamError: the bytes are damaged, or of a version this one does not know.
        """
        decode = _DECODERS.get(data[:1])
        if decode is None:
            raise StreamError(
                f"a group of hits is written in version {data[:1].hex() or 'none'}",
                "run the version of pixelake that wrote this stream, or a newer one",
            )
        if self.size(data) > MAX_GROUP_BYTES:  # else it would be believed, and allocated
            raise StreamError("a group of hits is damaged: it claims to be larger than any")
        try:
            packed = self._decompressor.decompress(data[1:], max_output_size=MAX_GROUP_BYTES)
            return decode(packed)
        except (zstandard.ZstdError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StreamError(f"a group of hits is damaged: {error}") from error
