"""The declared columns, and that the docs tell them."""

from pathlib import Path

from pixelake import event
from pixelake.event import FIELDS, PARTITION_COLUMNS, REQUIRED

PAGE = Path(__file__).parents[1] / "docs" / "columns.md"


def test_docs_tell_every_column() -> None:
    """``docs/columns.md`` is what the declarations say, a row a column."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == event.as_markdown()
    rows = [line.split(" | ")[0].strip("|* `") for line in page.splitlines() if line.startswith(("| `", "| **"))]
    assert rows == [field.name for field in FIELDS]


def test_each_column_is_declared_once_with_a_meaning() -> None:
    """Names differ, meanings are told, and what is required or a folder is a column."""
    names = [field.name for field in FIELDS]
    assert len(set(names)) == len(names)
    assert all(field.meaning for field in FIELDS)
    assert set(names) >= REQUIRED
    assert names[-len(PARTITION_COLUMNS) :] == list(PARTITION_COLUMNS)
