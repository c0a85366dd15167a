"""Questions over small lakes, for tests."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pixelake.warehouse import filters
from pixelake.warehouse.ask import Answer, Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.rows import rows_of
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import outcome

Row = dict[str, Any]
COLUMNS = {"country": "text", "path": "text", "browser": "text", "bot": "bool", "value": "decimal(18,6)"}


class Asked:
    """Questions over a lake: in short words.

    Args:
        questions: what answers.
        start: of the period, if nothing is said.
        end: of it.
    """

    def __init__(self, questions: Questions, start: datetime, end: datetime) -> None:
        self.questions, self.start, self.end = questions, start, end

    def asked(self, name: str, site: str | None = "shop", **more: Any) -> Ask:
        """The ask: `filter` is a text or some."""
        given = {"start": self.start, "end": self.end} | more
        texts = given.pop("filter", ())
        chosen = filters.parse([texts] if isinstance(texts, str) else texts, COLUMNS)
        return Ask(name, site=site, filter=chosen, **given)

    def answer(self, name: str, site: str | None = "shop", **more: Any) -> Answer:
        """What is answered."""
        return self.questions.ask(self.asked(name, site, **more))

    def rows(self, name: str, site: str | None = "shop", **more: Any) -> list[Row]:
        """The rows of it."""
        return list(rows_of(self.answer(name, site, **more).table))

    def row(self, name: str, site: str | None = "shop", **more: Any) -> Row:
        """Its only row."""
        (found,) = self.rows(name, site, **more)
        return found

    def column(self, name: str, column: str, site: str | None = "shop", **more: Any) -> list[Any]:
        """One column of it."""
        return [row[column] for row in self.rows(name, site, **more)]


@contextmanager
def lake_of(
    folder: Path,
    rows: Iterable[Row],
    start: datetime,
    end: datetime,
    zones: Mapping[str, str] | None = None,
    *,
    known: frozenset[str] | None = None,
    rejects: Iterable[Row] = (),
) -> Iterator[Asked]:
    """Questions over these rows: the sites have these zones, else UTC."""
    Lake(folder / "lake").write(outcome(rows, rejects))
    clocks = Clocks(fixed("UTC"), {site: fixed(zone) for site, zone in (zones or {}).items()}, known)
    with Lakehouse(folder / "lake") as house:
        yield Asked(Questions(house, lambda: clocks), start, end)
