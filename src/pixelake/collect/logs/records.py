"""What the records of a stream hold, whoever wrote them, made hits of: JSON of hits, and lines of CloudFront's logs.

A record is one line or many. Each line that tells of a hit is one, and so is
each that nobody can read: it will be a reject. What is well readable and tells
of no hit (a picture of a site that a CDN is in front of) is none.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pixelake.clock import SECOND
from pixelake.collect.logs.line import LONGEST, Line, Read
from pixelake.collect.logs.visits import Wanted, hit_of
from pixelake.hit import UNREADABLE, Hit

MOST_LINES: Final = 10_000
"""Of a record of a mebibyte; one with more is of no log, and is left as one line."""
FIRST_TIME: Final = 631_152_000 * SECOND
"""1990: there was no log of the web before."""
AHEAD: Final = 86_400 * SECOND
"""A log's clock may be wrong by so much."""

Message = Callable[[bytes, int, str], Hit]
"""A line of JSON, when it came (µs UTC), and a name for it -> the hit; one with `UNREADABLE` if it is none."""


class Records:
    """Makes hits of records. It may be used by several threads.

    Args:
        unpack: what a producer has packed into one record; or that record.
        message: reads a line of JSON as a hit.
        realtime: reads a line of CloudFront's real-time log.
        standard: reads a line of JSON of its standard log.
        wanted: which lines of logs count.
    """

    def __init__(
        self,
        unpack: Callable[[bytes], Sequence[bytes]],
        message: Message,
        realtime: Read,
        standard: Read,
        wanted: Wanted,
    ) -> None:
        self._unpack, self._message, self._realtime = unpack, message, realtime
        self._standard, self._wanted = standard, wanted

    def hits(self, data: bytes, at: int, name: str) -> Iterator[Hit]:
        """The hits of a record, in order; each has a ``hit_id``.

        Args:
            data: of the record.
            at: when it came, in microseconds since the epoch.
            name: unique, of 1 to 200 letters ``!`` to ``~``: with the number of the line it names a hit that has no
                name of its own. The same for the same record, however often it comes.

        Raises:
            NewerVersion: a newer program must read it.
        """
        lines = (line for each in self._unpack(data) for line in _lines(each))
        for number, line in enumerate(lines, 1):
            if hit := self._hit(line, at, f"{name}-{number}"):
                yield hit

    def _hit(self, line: bytes, at: int, name: str) -> Hit | None:
        """None if it tells of no hit."""
        if line.startswith(b"{"):
            sent = self._message(line, at, name)
            if sent.source != UNREADABLE:
                return sent
        found = self._logged(line, at, name)
        return Hit(at, "", "", b"", line, UNREADABLE, name) if isinstance(found, str) else found

    def _logged(self, line: bytes, at: int, name: str) -> Hit | str | None:
        if len(line) > LONGEST:
            return f"it is longer than {LONGEST} bytes"
        read = self._standard(line) if line.startswith(b"{") else self._realtime(line)
        if not isinstance(read, Line):
            return read
        if not FIRST_TIME <= read.at <= at + AHEAD:
            return "its time is before 1990, or in the future"
        return hit_of(read, read.name or name, self._wanted)


def _lines(data: bytes) -> list[bytes]:
    """Those that hold something. What is of no text, and so of no lines, is one."""
    if data.count(b"\n") > MOST_LINES:
        return [data]
    return [line for line in (each.rstrip(b"\r") for each in data.split(b"\n")) if line.strip()]
