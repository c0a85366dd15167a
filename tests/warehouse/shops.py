"""Small lakes that are written by hand, and asked."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pixelake.warehouse import filters
from pixelake.warehouse.asking import Ask, Clocks, Questions
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, outcome

NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
"""A Tuesday."""
START, END = datetime(2025, 6, 10, tzinfo=UTC), datetime(2025, 6, 11, tzinfo=UTC)
Rows = list[dict[str, Any]]


class Opened:
    """A lake of some events, and how it is asked."""

    def __init__(self, folder: Path, acts: Sequence[Mapping[str, Any]], declared: Mapping[str, Any]) -> None:
        Lake(folder).write(outcome(event("p", at, **act) for at, act in enumerate(acts, 1)))
        self.lakehouse = Lakehouse(folder)
        self._questions = Questions(
            self.lakehouse, lambda: Clocks(fixed("UTC"), {}), lambda name: declared.get(name, {})
        )

    def __call__(
        self, question: str, start: datetime = START, end: datetime = END, site: str | None = "shop", **options: Any
    ) -> Rows:
        """The rows of an answer."""
        passing = options.pop("passing", filters.NOTHING)
        return self._questions.ask(Ask(question, start, end, site, filter=passing, options=options)).table.to_pylist()


def act(who: str, minute: float, name: str = "pageview", path: str = "/", **columns: Any) -> dict[str, Any]:
    """Something that a visitor did so many minutes after noon."""
    moment = NOON + timedelta(minutes=minute)
    known = {"received_at": moment, "visitor_id": who, "event": name, "host": "h", "path": path}
    return {**known, **columns}


def put(
    who: str, minute: float, amount: str | None = None, currency: str | None = "EUR", **more: Any
) -> dict[str, Any]:
    """Somebody puts something into the cart."""
    return act(who, minute, "add_to_cart", value=None if amount is None else Decimal(amount), currency=currency, **more)


def buy(
    who: str, minute: float, amount: str | None = None, currency: str | None = "EUR", **more: Any
) -> dict[str, Any]:
    """Somebody orders."""
    return act(who, minute, "purchase", value=None if amount is None else Decimal(amount), currency=currency, **more)


def picked(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of all rows."""
    return [tuple(row[name] for name in names) for row in rows]
