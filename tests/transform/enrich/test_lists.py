"""The lists of enrichers, and what a wrong one does to the start."""

from pathlib import Path

import pytest

from pixelake.cli import run
from pixelake.transform.enrich.lists import load

WRONG = {
    "crawlers.txt": "fine\n(",
    "signatures.txt": "? .*",
    "proxies.toml": "[[proxy",
    "private-relay.csv": "nonsense",
    "referrers.txt": "[nothing]\nx",
}
DATED = ("crawlers.txt", "signatures.txt", "proxies.toml", "referrers.txt")


@pytest.mark.parametrize(("name", "text"), WRONG.items(), ids=WRONG.keys())
def test_a_wrong_list_stops_the_start(tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, text: str) -> None:
    """One line with the file and a hint, exit 1, and nothing touched."""
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / name).write_text(text)
    assert run(["serve", "--data", str(tmp_path / "data"), "--lists", str(lists)]) == 1
    told = capfd.readouterr().err
    assert name in told
    assert told.count("\n") == 1
    assert told.rstrip().endswith(")")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", DATED)
def test_each_says_where_from_and_when(name: str) -> None:
    """Its first lines tell its source and its date."""
    head = "".join(line for line in load(name).splitlines(keepends=True)[:12] if line.startswith("#"))
    assert "2026-" in head
    assert "From" in head or "Ours" in head


def test_the_folder_need_not_exist(tmp_path: Path) -> None:
    """Without a file of the user's the built-in one counts."""
    assert load("crawlers.txt", tmp_path / "none") == load("crawlers.txt")
