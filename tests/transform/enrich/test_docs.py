"""``docs/enrichers.md`` says what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

from pixelake.transform.enrich.early import NAME
from pixelake.transform.enrich.geo import CDNS, Geo
from pixelake.transform.enrich.lists import load
from pixelake.transform.enrich.proxy import PROXIES, RELAY, read_proxies
from pixelake.transform.enrich.table import make_enrichers

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "enrichers.md").read_text(encoding="utf-8")
LISTS = ROOT / "src" / "pixelake" / "transform" / "enrich" / "lists"


def _rows(head: str) -> Iterator[list[str]]:
    """The cells of the table that begins with `head`."""
    lines = PAGE[PAGE.index(f"| {head} |") :].splitlines()[2:]
    for line in lines:
        if not line.startswith("| "):
            return
        yield [cell.strip() for cell in line.strip("| ").split(" | ")]


def _names(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`([^`]+)`", cell))


def test_each_enricher(tmp_path: Path) -> None:
    """Names, inputs and outputs, in the order they run, with all that may be switched on."""
    (tmp_path / RELAY).write_text("192.0.2.0/24\n")
    made = make_enrichers(tmp_path, Geo(), CDNS["cloudfront"])
    told = [tuple(map(_names, row[:3])) for row in _rows("enricher | takes | gives")]
    assert told == [((each.name,), each.inputs, each.outputs) for each in made]


def test_each_proxy() -> None:
    """Name and source, in the order of the list; Private Relay has a list of its own."""
    told = [(_names(name)[0], source) for name, _, source in _rows("`proxy` | whose")]
    assert told[:-1] == [(each.name, each.source) for each in read_proxies(load(PROXIES))]
    assert told[-1][0] == "private-relay"


def test_each_list() -> None:
    """The files that there are, and the user's own."""
    told = {_names(row[0])[0] for row in _rows("file | for | source")}
    assert told == {path.name for path in LISTS.iterdir() if path.suffix in {".txt", ".toml"}} | {RELAY}


def test_links() -> None:
    """What the page names is there."""
    for target in re.findall(r"\]\(([^)#:]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    assert f"`{NAME}`" in PAGE


def test_data_of_others() -> None:
    """Each file of `tests/data` is listed with whose it is, and under which licence."""
    data = ROOT / "tests" / "data"
    page = (data / "README.md").read_text(encoding="utf-8")
    for path in data.iterdir():
        assert path.name == "README.md" or f"`{path.name}`" in page, path.name
