"""Makes the golden files of the embedded stream, one folder for each version of what is on the disk.

They are made once, by the code that first wrote that version, and never again: from then on every later program has to
read them. After a new version of the segment, of ``groups.sqlite`` or of the codec has been introduced::

    .venv/bin/python -m tests.stream.golden v2

A folder holds::

    hits.bin                    HITS, as `pixelake.hit.Codec` wrote them
    stream/<partition>/*.sqlite the same hits in two segments: two groups, then one
    stream/groups.sqlite        the group ``consume`` has settled SETTLED of them
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from pixelake.hit import Codec, Hit
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "stream"
SETTLED: Final = 3
HITS: Final = (
    Hit.of(1_770_757_200_000_001, "192.0.2.7", "192.0.2.7", "GET", b"/pixel.gif?site=a&event=caf%C3%A9", b"DNT: 1\r\n"),
    Hit.of(1_770_757_200_000_002, "::1", "2001:db8::9", "HEAD", b"/?url=\xff\x00", b""),
    Hit.of(
        1_770_757_200_500_000, "", "", "POST", b"/events", b"Content-Type: application/json\r\n", b'[{"event":"x"}]'
    ),
    Hit.of(1_770_757_201_000_000, "192.0.2.8", "192.0.2.8", "GET", b"/p.gif", b"", b"", "cloudfront", "request-1"),
    Hit.of(1_770_757_201_000_001, "192.0.2.8", "192.0.2.8", "GET", b"/p.gif", b"User-Agent: \xf0\x9f\x98\x80\r\n"),
)
"""What every version holds, in order: every field of a hit has a value of its own somewhere."""
GROUPS: Final = (HITS[:2], HITS[2:3], HITS[3:])
"""How they were appended; the second one closed its segment."""


async def _write(stream: Path) -> None:
    size = sum(len(Codec().encode(group)) for group in GROUPS[:2])
    writer = SqliteWriter(stream, segment_bytes=size)
    for group in GROUPS:
        await writer.append(group)
    await writer.close()


def make(folder: Path) -> None:
    """Write the files of today's version into a folder that does not exist yet."""
    folder.mkdir(parents=True)
    (folder / "hits.bin").write_bytes(Codec().encode(HITS))
    asyncio.run(_write(folder / "stream"))
    reader = SqliteReader(folder / "stream", "consume", retention=1e12)  # nothing is too old
    batch = reader.read(len(HITS), 0)
    assert batch is not None
    reader.commit({batch.partition: SETTLED})
    reader.close()
    for lock in (folder / "stream").rglob("*.lock"):
        lock.unlink()


if __name__ == "__main__":
    make(GOLDEN / sys.argv[1])
