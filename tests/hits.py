"""Hits that tell their number, and how to put them in and get them out of a stream."""

import asyncio

from pixelake.hit import Hit
from pixelake.stream.base import Batch, Reader, Writer


def hits(start: int, count: int) -> list[Hit]:
    """Hits that tell their number."""
    return [
        Hit.of(1_000_000 + n, "192.0.2.1", "192.0.2.1", "GET", b"/?n=%d" % n, b"") for n in range(start, start + count)
    ]


def append(writer: Writer, *groups: list[Hit], close: bool = False) -> None:
    """Append groups at once, as connections do."""

    async def run() -> None:
        await asyncio.gather(*(writer.append(group) for group in groups))
        if close:
            await writer.close()

    asyncio.run(run())


def drain(reader: Reader, limit: int = 100) -> list[Batch]:
    """All that is there."""
    batches = []
    while batch := reader.read(limit, 0):
        batches.append(batch)
    return batches


def numbers(batches: list[Batch]) -> list[int]:
    """The numbers of all hits."""
    return [int(hit.target.partition(b"=")[2]) for batch in batches for hit in batch.hits]
