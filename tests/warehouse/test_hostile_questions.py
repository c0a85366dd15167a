"""Whatever is written into a parameter of a question: it is refused as such, or answered; nothing else happens."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pixelake.errors import QueryError
from pixelake.warehouse import filters
from pixelake.warehouse.ask import Ask
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.questions import questions
from pixelake.warehouse.zones import fixed
from tests.warehouse.outcomes import START, event, outcome

HOSTILE = (
    "'",
    '"',
    "';--",
    "'; drop table events; --",
    "x' or '1'='1",
    "\") union all select * from read_text('/etc/passwd') --",
    "$site",
    "$by",
    "{value}",
    "%s%n",
    "\\",
    "\0",
    "a\0b",
    "\ud800",
    "\u202e\U0001f4a9",
    "null",
    "NaN",
    "-inf",
    "1e400",
    "-0",
    "99999999999999999999",
    "9" * 5_000,
    "(" * 1_000,
    "[" * 1_000,
    "a" * 100_000,
    "../../etc/passwd",
    " ",
    "",
)
"""Texts that somebody may send."""
SOME = ("'; drop table events; --", "$site", "a\0b", "\ud800", "NaN", "9" * 5_000, "")
"""Of these, those that every question is asked with: to run each takes its time."""
ODD: tuple[Any, ...] = (None, True, -1, 0, 2**63, 2**200, 1.5, float("nan"), float("inf"), [], ["'"], {}, b"\0", "x")
"""What is no text."""
NAMES = tuple(questions())
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Questions]:
    """Questions over a lake that holds some hostile texts itself."""
    folder = tmp_path_factory.mktemp("lake")
    storable = [text for text in HOSTILE if "\ud800" not in text][:24]
    rows = [
        event(
            "a", number, event=("click", "open", "impression")[number % 3], properties=[(text, [text, ""])], path=text
        )
        | {"user_id": text or None, "impression_id": text or None, "utm_campaign": text, "referrer_host": text}
        for number, text in enumerate(storable, 1)
    ]
    Lake(folder).write(outcome(rows))
    with Lakehouse(folder) as lakehouse:
        yield Questions(lakehouse, lambda: Clocks(fixed("UTC"), {}))


def _ask(name: str) -> Ask:
    return Ask(name, START - DAY, START + DAY)


def _tried(asking: Questions, ask: Ask) -> bool:
    """Whether it was answered; it was refused else."""
    try:
        asking.ask(ask)
    except QueryError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_a_lake_that_is_hostile_itself(asking: Questions, name: str) -> None:
    """Every question answers over names, values and paths that look like SQL."""
    options = {"steps": ["event is click", "event is open"]} if name == "funnel" else {}
    assert _tried(asking, replace(_ask(name), options=options))


@pytest.mark.parametrize("name", NAMES)
def test_site_and_zone(asking: Questions, name: str) -> None:
    """A site or a zone of any text."""
    for text in SOME:
        _tried(asking, replace(_ask(name), site=text))
        assert not text or not _tried(asking, replace(_ask(name), zone=text))


@pytest.mark.parametrize("name", NAMES)
def test_every_option(asking: Questions, name: str) -> None:
    """Each option of each question, given each hostile text, and what is no text at all."""
    for option in questions()[name].options:
        for value in (*(HOSTILE if name == "ads" else SOME), *ODD):
            _tried(asking, replace(_ask(name), options={option.name: value}))


@pytest.mark.parametrize("name", NAMES)
def test_options_that_are_none(asking: Questions, name: str) -> None:
    """No question takes an option that it does not declare, whatever it is called."""
    for text in HOSTILE:
        assert not _tried(asking, replace(_ask(name), options={text: "x"}))


@pytest.mark.parametrize("name", NAMES)
def test_intervals(asking: Questions, name: str) -> None:
    """An interval is one of a few words."""
    for text in HOSTILE:
        assert not _tried(asking, replace(_ask(name), interval=text))


COLUMNS = {"event": "text", "path": "text", "country": "text", "bot": "bool", "value": "decimal(18,6)"}


def _filters() -> Iterator[filters.Filter]:
    for text in HOSTILE:
        for written in (
            f"path is {text}",
            f"path contains {text}",
            f"path matches {text}",
            f"properties.{text} is {text}",
            f"{text} is x",
            f"bot is {text}",
            f"value is {text}",
            f"path {text} x",
            f'["is", "path", ["{text}"]]',
            text,
        ):
            with suppress(QueryError):
                yield filters.parse([written], COLUMNS)


@pytest.mark.parametrize("name", ["pages", "ads"])
def test_filters(asking: Questions, name: str) -> None:
    """A filter of any text is refused with its name, or is one that every question answers."""
    answered = [_tried(asking, replace(_ask(name), filter=each)) for each in _filters()]
    assert any(answered)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\0"])
def test_no_zero_byte_and_no_half_character(asking: Questions, text: str) -> None:
    """What no database can hold is refused, wherever it stands."""
    assert not _tried(asking, replace(_ask("ads"), options={"conversion": text}))
    with pytest.raises(QueryError, match=r"^filter: "):
        filters.parse([f"path is {text}"], COLUMNS)
    with pytest.raises(QueryError, match=r"^filter: "):
        filters.parse([f"properties.{text} is x"], COLUMNS)


@pytest.mark.parametrize("name", NAMES)
def test_periods_at_the_ends_of_time(asking: Questions, name: str) -> None:
    """The longest period and the shortest, and those that are out of range."""
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    for start, end in (
        (first, last),
        (first, first + DAY),
        (last - DAY, last),
        (START, START + timedelta(microseconds=1)),
    ):
        _tried(asking, Ask(name, start, end))
    for start, end in (
        (first, first),
        (last, first),
        (datetime.min.replace(tzinfo=UTC), last),
        (first, datetime.max.replace(tzinfo=UTC)),
    ):
        assert not _tried(asking, Ask(name, start, end))
