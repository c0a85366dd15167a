"""The question ``now``: who is here. The live store answers it, which is a second old; the lake would be ten.

The page, the API and the command line all ask here, so that they tell the same. It has no SQL, and so is none of
`pixelake.warehouse.questions.questions`: `QUESTION` is its definition.
"""

from typing import Any, Final, Protocol

import pyarrow as pa

from pixelake.warehouse.questions import parse

SUMMARY: Final = "Who is here: people of the last 5 and 30 minutes, and their hits."
WINDOWS: Final = (5, 30)
"""Minutes up to now."""
COLUMNS: Final = tuple(f"{what}_{minutes}" for minutes in WINDOWS for what in ("visitors", "hits"))
"""Of its only row."""

QUESTION: Final = parse(
    "now",
    f"""-- now: {SUMMARY}
-- group: traffic
-- kind: figure
-- col visitors_5 int people: different people of the last 5 minutes
-- col hits_5 int hits: what people did in the last 5 minutes
-- col visitors_30 int people: different people of the last 30 minutes
-- col hits_30 int hits: what people did in the last 30 minutes
""",
)


class Counts(Protocol):
    """People, and their hits."""

    @property
    def visitors(self) -> int:
        """Distinct ones."""
        ...

    @property
    def hits(self) -> int:
        """Of them, and of people who cannot be told apart."""
        ...


class Present(Protocol):
    """A live store's reader: `pixelake.warehouse.live_base.Reader`."""

    def now(self, window_seconds: float, site: str | None = None) -> Counts:
        """Who was here within the last seconds."""
        ...


def now(live: Present, site: str | None) -> dict[str, int]:
    """The row: ``visitors_5``, ``hits_5``, ``visitors_30``, ``hits_30``; machines and repeats are left out.

    Raises:
        WarehouseError: the live store cannot be read.
    """
    found = [live.now(minutes * 60.0, site) for minutes in WINDOWS]
    counts: list[int] = [number for each in found for number in (each.visitors, each.hits)]
    return dict(zip(COLUMNS, counts, strict=True))


def table(live: Present, site: str | None) -> pa.Table:
    """The same as a table of one row.

    Raises:
        WarehouseError: the live store cannot be read.
    """
    row: dict[str, Any] = {name: [number] for name, number in now(live, site).items()}
    return pa.table(row)
