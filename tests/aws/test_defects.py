"""The page on the defects of others: what it points to is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/aws-defects.md").read_text()
SHOWN = sorted(set(re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), SHOWN, ids=["::".join(each) for each in SHOWN])
def test_what_shows_it_is_there(file: str, name: str) -> None:
    """Each test that the page names."""
    assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("design", "count"), [("A", 17), ("B", 11), ("C", 10), ("D", 18)])
def test_every_defect_has_a_row(design: str, count: int) -> None:
    """In order, none twice, and each with a test or with the stack that it belongs to."""
    rows = [line for line in PAGE.splitlines() if re.match(rf"\| {design}\d+ \|", line)]
    assert [int(re.findall(r"\d+", row)[0]) for row in rows] == list(range(1, count + 1))
    assert all("::test_" in row or "*stack*" in row for row in rows)


def test_what_all_four_lack_has_a_row() -> None:
    """Copies, people, consent, versions, judging again, load, and sums; each with a test."""
    rows = [line for line in PAGE.partition("## All four")[2].splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 7
    assert all("::test_" in row for row in rows)
