"""What must hold of the codec of hits: damaged bytes are an error or hits, and never anything else."""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

import msgspec
import zstandard

from pixelake.errors import StreamError
from pixelake.hit import VERSION, Codec, Hit
from tests.fuzz.mutate import IMAGES, request

_PACK: Final = zstandard.ZstdCompressor(level=1, write_checksum=True)
_CODEC: Final = Codec()
_ODD: Final = (b"\xdd\xff\xff\xff\xff", b"\xdc\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x9f", b"\x90", b"\xc0", b"\xcf")
"""MessagePack that promises much (array 32, array 16, binary 32), and what no field is."""
DEEP: Final = b"\x91" * 5_000
"""Arrays within arrays."""


def first_version(hits: list[tuple[Any, ...]]) -> bytes:
    """Hits as version 1 wrote them: received_at, peer, client, method, target, headers, body, source, hit_id."""
    return b"\x01" + _PACK.compress(msgspec.msgpack.encode(hits))


def _hit(rng: Random) -> tuple[Any, ...]:
    head = request(rng)
    return (
        rng.getrandbits(50),
        "192.0.2.1",
        "2001:db8::1",
        "GET",
        rng.choice(IMAGES),
        head,
        rng.randbytes(9),
        "http",
        "",
    )


def _group(rng: Random) -> tuple[bytes, list[Hit]]:
    """A group in either version, and what it holds."""
    hits = [_hit(rng) for _ in range(rng.randrange(6))]
    whole = [Hit.of(*hit) for hit in hits]
    return (first_version(hits) if rng.random() < 0.5 else _CODEC.encode(whole)), whole


def _damaged(rng: Random, data: bytes) -> bytes:
    """As a disk or a hand may damage it, before or after it was packed."""
    if rng.random() < 0.5:
        packed = bytearray(zstandard.ZstdDecompressor().decompress(data[1:]))
        at = rng.randint(0, len(packed))
        packed[at : at + rng.randrange(3)] = rng.choice((rng.randbytes(2), *_ODD, DEEP))
        return rng.choice((b"\x01", VERSION)) + _PACK.compress(bytes(packed))
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(damaged))
        damaged[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    return bytes(damaged)[: rng.choice((None, rng.randint(0, len(damaged))))]


def check(rng: Random, count: int) -> Iterator[str]:
    """Write, damage and read groups."""
    for _ in range(count):
        data, hits = _group(rng)
        if _CODEC.decode(data) != hits:
            yield f"what was written is not read again: {hits}"
        damaged = _damaged(rng, data)
        try:
            found = _CODEC.decode(damaged)
        except StreamError:
            continue
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            yield f"{error!r} from {damaged[:100]!r}"
            continue
        if not all(isinstance(hit, Hit) for hit in found):
            yield f"{found} from {damaged!r}"
