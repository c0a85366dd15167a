"""What a line of a log says of a request, whatever the log looks like."""

from collections.abc import Callable
from typing import Final, NamedTuple

SOURCE: Final = "import"
"""The `source` of hits from logs that name none of their own."""
LONGEST: Final = 65_536
"""Bytes of a line. Servers bound heads well below that."""


class Line(NamedTuple):
    """A request as a server wrote it down.

    Attributes:
        at: when, µs UTC.
        address: of the client; the name of its host if the server looked that up.
        method: empty if what was sent is no request.
        target: path and query, as sent; empty likewise.
        status: of the answer.
        referrer: as sent; empty if there was none.
        agent: the user agent, likewise.
        host: whom it was sent to; empty if the format does not tell.
        source: of the hit.
        name: of the hit, where a log names its requests; else it is its place in the file.
        headers: further lines of its head, each with its CR LF.
    """

    at: int
    address: str
    method: bytes
    target: bytes
    status: int
    referrer: bytes
    agent: bytes
    host: bytes
    source: str = SOURCE
    name: str = ""
    headers: bytes = b""


Read = Callable[[bytes], Line | str | None]
"""A line without its end -> what it says, why it cannot be read, or None if it tells of no request. Never raises."""


class Format(NamedTuple):
    """How lines are read, and whether they tell the host.

    Attributes:
        read: reads a line.
        has_host: as said.
        source: of the hits.
        begin: makes what reads a file whose lines with a ``#`` say how those behind them are read; else `read` does.
    """

    read: Read
    has_host: bool
    source: str = SOURCE
    begin: Callable[[], Read] | None = None
