"""Queries in the registry: kept, replaced, taken away, and gone with the person that they name."""

from pathlib import Path

import pytest

from pixelake.errors import SettingsError
from pixelake.registry.queries import LONGEST, LONGEST_NAME, MOST, Query
from pixelake.registry.sqlite import SqliteRegistry

PAGES = Query("Pages & visits", "select path, count(*) from events group by 1", None, 7)


@pytest.fixture
def registry(tmp_path: Path) -> SqliteRegistry:
    """An empty one."""
    return SqliteRegistry(tmp_path / "registry.sqlite")


def test_a_query_is_seen_by_others(registry: SqliteRegistry, tmp_path: Path) -> None:
    """Another process reads it as it was put there, in the order of names."""
    other = Query("A first one", "select 'é\n'", "shop.example", 8)
    registry.queries.put(PAGES)
    registry.queries.put(other)
    assert SqliteRegistry(tmp_path / "registry.sqlite").queries.all() == [other, PAGES]


def test_a_query_is_replaced_and_removed(registry: SqliteRegistry) -> None:
    """One of the same name takes its place; removed once, there is none."""
    registry.queries.put(PAGES)
    registry.queries.put(PAGES._replace(sql="select 1", changed=9))
    assert registry.queries.all() == [PAGES._replace(sql="select 1", changed=9)]
    assert registry.queries.remove(PAGES.name)
    assert not registry.queries.remove(PAGES.name)
    assert registry.queries.all() == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a\nb",
        "x" * (LONGEST_NAME + 1),
        "\0",
        ".",
        "..",
        ".hidden",
        "a/b",
        "a\\b",
        " a",
        "a ",
        "\u202ea",
        "\ud800",
    ],
    ids=[
        "empty",
        "blank",
        "lines",
        "long",
        "zero",
        "dot",
        "dots",
        "hidden",
        "slash",
        "back",
        "begins",
        "ends",
        "rtl",
        "half",
    ],
)
def test_names_that_cannot_be(registry: SqliteRegistry, name: str) -> None:
    """A name is some characters on one line, which an address can carry as they are."""
    with pytest.raises(SettingsError, match="can be called"):
        registry.queries.put(PAGES._replace(name=name))


@pytest.mark.parametrize(
    "text", ["", " \n", "x" * (LONGEST + 1), "select '\0'"], ids=["empty", "blank", "long", "zero"]
)
def test_texts_that_are_not_kept(registry: SqliteRegistry, text: str) -> None:
    """A query has a text, of a bounded length, without zero bytes."""
    with pytest.raises(SettingsError, match="query"):
        registry.queries.put(PAGES._replace(sql=text))


def test_there_is_a_bound(registry: SqliteRegistry) -> None:
    """So many at most; one of them can still be replaced."""
    for number in range(MOST):
        registry.queries.put(Query(f"query {number}", "select 1"))
    with pytest.raises(SettingsError, match=f"there are {MOST} queries"):
        registry.queries.put(PAGES)
    registry.queries.put(Query("query 7", "select 2"))
    assert len(registry.queries.all()) == MOST


def test_who_is_erased_takes_queries_along(registry: SqliteRegistry, tmp_path: Path) -> None:
    """A query that names the person goes, and no byte of it stays; others do."""
    registry.queries.put(Query("Anna", "select * from events where user_id = 'anna-7134'"))
    registry.queries.put(PAGES)
    assert registry.forget(lambda texts: ["anna-7134" in text for text in texts]) == 1
    assert registry.queries.all() == [PAGES]
    assert all(b"anna-7134" not in path.read_bytes() for path in tmp_path.iterdir())
