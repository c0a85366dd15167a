"""Which weekly reports were sent."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pixelake.registry.reports import AGAIN, KEPT, Book
from pixelake.registry.sqlite import SqliteRegistry

WEEK, NOW = "2026-11-09", 10 * AGAIN


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """A registry's."""
    return SqliteRegistry(tmp_path / "registry.sqlite").reports


def test_one_of_many_sends_it(tmp_path: Path) -> None:
    """Of machines and processes that look at the same moment one sets out, and one begins."""
    registries = [SqliteRegistry(tmp_path / "registry.sqlite") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        claimed = [*pool.map(lambda each: each.reports.claim("shop", WEEK, NOW), registries)]
        begun = [*pool.map(lambda each: each.reports.begin("shop", WEEK, NOW), registries)]
    assert (claimed.count(True), begun.count(True)) == (1, 1)


def test_what_was_sent_is_never_sent_again(book: Book) -> None:
    """However long ago it was, and wherever the clock goes."""
    assert book.claim("shop", WEEK, NOW)
    assert book.begin("shop", WEEK, NOW)
    book.end("shop", WEEK, NOW)
    assert not any(book.claim("shop", WEEK, at) for at in (0, NOW, NOW + AGAIN, 10**18))
    assert not book.begin("shop", WEEK, NOW + AGAIN)
    book.fail("shop", WEEK, "too late")
    assert book.all()[0].error == ""


def test_what_failed_is_tried_again_later(book: Book) -> None:
    """After a while, not at once; it is remembered why."""
    assert book.claim("shop", WEEK, NOW)
    assert book.begin("shop", WEEK, NOW)
    book.fail("shop", WEEK, "x" * 10_000)
    assert len(book.all()[0].error) == 500
    assert not book.claim("shop", WEEK, NOW + AGAIN - 1)
    assert book.claim("shop", WEEK, NOW + AGAIN)
    assert book.begin("shop", WEEK, NOW + AGAIN)


def test_what_was_cut_short_while_it_was_made_is_made_again(book: Book) -> None:
    """Nothing was sent by then."""
    assert book.claim("shop", WEEK, NOW)
    assert book.claim("shop", WEEK, NOW + AGAIN)


def test_what_was_cut_short_while_it_was_sent_is_not(book: Book) -> None:
    """It may have come."""
    assert book.claim("shop", WEEK, NOW)
    assert book.begin("shop", WEEK, NOW)
    assert not book.claim("shop", WEEK, NOW + 100 * AGAIN)


def test_sites_and_weeks_are_apart(book: Book) -> None:
    """Another site, or another week, is another report."""
    assert book.claim("shop", WEEK, NOW)
    assert book.claim("blog", WEEK, NOW)
    assert book.claim("shop", "2026-11-16", NOW)


def test_old_weeks_are_forgotten(book: Book) -> None:
    """The table does not grow for ever."""
    for number in range(KEPT + 5):
        assert book.claim("shop", f"2026-{number:04}", NOW)
    assert len(book.all()) == KEPT
    assert book.all()[-1].week == f"2026-{KEPT + 4:04}"


def test_a_site_that_is_forgotten_goes_from_here_too(tmp_path: Path) -> None:
    """Its name may be somebody's; a week is nobody's."""
    registry = SqliteRegistry(tmp_path / "registry.sqlite")
    registry.reports.claim("anna.example", WEEK, NOW)
    assert registry.forget(lambda texts: [WEEK in text for text in texts]) == 0
    assert registry.forget(lambda texts: ["anna" in text for text in texts]) == 1
    assert registry.reports.all() == []
