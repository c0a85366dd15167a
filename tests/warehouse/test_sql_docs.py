"""The snippets of docs/sql.md: they run, and count what is there."""

import re
from pathlib import Path
from typing import Any

import pytest

from pixelake.warehouse.lake import Lake
from tests.warehouse.outcomes import event, outcome

TEXT = (Path(__file__).parents[2] / "docs" / "sql.md").read_text(encoding="utf-8").partition("Not tried here")[0]
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda text: text.partition(":")[0].strip("# ").partition(",")[0])
def test_a_snippet_runs(snippet: str, tmp_path: Path) -> None:
    """It reads the lake beside pixelake."""
    Lake(tmp_path).write(outcome([event("a", 1), event("a", 2, site="blog"), event("a", 3)]))
    names: dict[str, Any] = {"LAKE": str(tmp_path)}
    exec(snippet, names)
    assert [tuple(row) for row in names["rows"]] == [("blog", 1), ("shop", 2)]


def test_there_are_snippets() -> None:
    """The page still has them."""
    assert len(SNIPPETS) == 4
