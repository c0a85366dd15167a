"""Writes rows into a lake, and asks a named question of it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import event, outcome


def written(folder: Path, rows: Iterable[dict[str, Any]]) -> Lakehouse:
    """A lake with these columns of events, each at a position of its own."""
    Lake(folder).write(outcome([event("a", number, **row) for number, row in enumerate(rows, 1)]))
    return Lakehouse(folder)


def answered(lakehouse: Lakehouse, question: str, start: datetime, end: datetime, **asked: Any) -> Answer:
    """What a question answers, all days being those of UTC."""
    return Questions(lakehouse, lambda: Clocks(fixed("UTC"), {})).ask(Ask(question, start, end, **asked))
