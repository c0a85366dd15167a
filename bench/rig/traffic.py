"""The requests of all generators: ``browser.http`` filled in. `browser.lua` and `arrivals.js` do the same."""

from itertools import cycle
from pathlib import Path
from typing import Final

TEMPLATE: Final = Path(__file__).parent.parent / "browser.http"
WAYS: Final = 5_000
"""So many user agents, pages and sites in turn; event ids never come again."""


def ways(host: str, connection: str = "keep-alive") -> "cycle[tuple[bytes, bytes]]":
    """Requests in turn without end, each as what stands before its event id and behind it.

    Args:
        host: for the ``Host`` header.
        connection: for the ``Connection`` header, ``keep-alive`` or ``close``.
    """
    template = TEMPLATE.read_text().replace("\n", "\r\n")
    return cycle([_fill(template, n, host, connection) for n in range(1, WAYS + 1)])


def _fill(template: str, n: int, host: str, connection: str) -> tuple[bytes, bytes]:
    filled = template.format(
        host=host,
        connection=connection,
        site=n % 100,
        page=n * 31 % 5_000,
        major=100 + n % 40,
        build=n * 7 % 6_000,
        event="\0",
    )
    before, after = filled.encode().split(b"\0")
    return before, after
