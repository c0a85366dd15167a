"""Visits against small cases worked by hand: the arithmetic stands beside each."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pixelake.warehouse import filters
from tests.warehouse.shops import END, START, Opened, act, picked

Lake = Callable[..., Opened]
FIGURES = ("visits", "bounce_rate", "views_per_visit", "seconds_per_visit")
NEXT_DAY = (END, END + timedelta(days=1))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """Opens a lake in which this happened."""
    opened: list[Opened] = []

    def make(*acts: Mapping[str, Any]) -> Opened:
        opened.append(Opened(tmp_path / f"lake{len(opened)}", acts, {}))
        return opened[-1]

    yield make
    for each in opened:
        each.lakehouse.close()


def test_two_visits(lake: Lake) -> None:
    """0, 10 and 40 minutes are one visit of 2,400 s; 71 is 31 later, another of 0: 1,200 s each, half bounce."""
    ask = lake(act("a", 0), act("a", 10), act("a", 40), act("a", 71))
    assert picked(ask("overview"), *FIGURES) == [(2, 0.5, 2.0, 1200.0)]


def test_half_an_hour_is_not_silence(lake: Lake) -> None:
    """30 minutes to the second go on with the visit, a millisecond more does not."""
    assert picked(lake(act("a", 0), act("a", 30))("overview"), "visits") == [(1,)]
    assert picked(lake(act("a", 0), act("a", 30 + 1 / 60_000))("overview"), "visits") == [(2,)]


def test_a_bounce_is_a_single_hit(lake: Lake) -> None:
    """A view with a click is none; two people with one view each are: 2/3. A lone click is one, too, without a view."""
    ask = lake(act("a", 0), act("a", 1, "click"), act("b", 0), act("c", 0, "click"))
    assert picked(ask("overview"), *FIGURES) == [(3, 2 / 3, 2 / 3, 20.0)]


def test_entry_and_exit(lake: Lake) -> None:
    """The first and the last page of each visit: a comes in by /1 and leaves by /3, b has /2 for both."""
    ask = lake(
        *(act("a", 0, path="/1"), act("a", 1, path="/2"), act("a", 2, path="/3"), act("a", 3, "click", path="/9")),
        act("b", 0, path="/2"),
    )
    columns = ("value", "visits", "views", "bounce_rate", "seconds_per_visit")
    assert picked(ask("entries"), *columns) == [("h/1", 1, 3, 0.0, 180.0), ("h/2", 1, 1, 1.0, 0.0)]
    assert picked(ask("exits"), *columns) == [("h/2", 1, 1, 1.0, 0.0), ("h/3", 1, 3, 0.0, 180.0)]


def test_over_midnight(lake: Lake) -> None:
    """23:55 to 00:20 is one visit of 1,500 s of the day it began; the next day has hits of it, and no visit."""
    ask = lake(act("monday", 715, path="/1"), act("tuesday", 740, path="/2", visitor_before="monday"))
    assert picked(ask("overview"), "hits", *FIGURES) == [(1, 1, 0.0, 2.0, 1500.0)]
    assert picked(ask("overview", *NEXT_DAY), "hits", *FIGURES) == [(1, 0, None, None, None)]
    assert picked(ask("exits"), "value") == [("h/2",)]
    both = ask("overview", START, NEXT_DAY[1])
    assert picked(both, "hits", "daily_visitors", *FIGURES) == [(2, 2, 1, 0.0, 2.0, 1500.0)]


def test_silence_over_midnight(lake: Lake) -> None:
    """23:40 and 00:11 are two visits, one a day, though it is known that they are of one person."""
    ask = lake(act("monday", 700), act("tuesday", 731, visitor_before="monday"))
    assert picked(ask("overview"), "visits") == [(1,)]
    assert picked(ask("overview", *NEXT_DAY), "visits") == [(1,)]


def test_a_night(lake: Lake) -> None:
    """Every 25 minutes from 23:35 on: of the visit is what lies before 04:00, so 23:35 + 10 x 25 minutes = 03:45."""
    first = act("monday", 695)
    night = [act("tuesday", 695 + 25 * at, visitor_before="monday" if at == 1 else None) for at in range(1, 15)]
    ask = lake(first, *night)
    assert picked(ask("overview"), *FIGURES) == [(1, 0.0, 11.0, 10 * 25 * 60.0)]
    assert picked(ask("overview", *NEXT_DAY), "hits", "visits") == [(14, 0)]


def test_users_are_known_on_any_device(lake: Lake) -> None:
    """One user with two visitors has one visit; one visitor without and one with a user_id are two people."""
    ask = lake(act("phone", 0, user_id="u"), act("laptop", 10, user_id="u"))
    assert picked(ask("overview"), "daily_visitors", "visits") == [(1, 1)]
    ask = lake(act("phone", 0), act("phone", 10, user_id="u"))
    assert picked(ask("overview"), "daily_visitors", "visits") == [(2, 2)]


def test_machines_do_not_visit(lake: Lake) -> None:
    """Nor do they keep a visit alive: 0 and 40 minutes are two, whatever a bot does at 20."""
    ask = lake(act("a", 0), act("a", 20, bot=True), act("a", 40), act("a", 41, duplicate=True))
    assert picked(ask("overview"), "hits", "visits") == [(2, 2)]


def test_a_filter_picks_visits_by_their_events(lake: Lake) -> None:
    """With `path is /2` a counts with the whole visit, of 120 s and 3 views, and one hit; b does not."""
    ask = lake(act("a", 0, path="/1"), act("a", 1, path="/2"), act("a", 2, path="/3"), act("b", 0, path="/1"))
    rows = ask("overview", passing=filters.Test("path", "is", ("/2",)))
    assert picked(rows, "hits", "daily_visitors", *FIGURES) == [(1, 1, 1, 0.0, 3.0, 120.0)]


def test_sites_apart(lake: Lake) -> None:
    """One user on two sites has a visit on each."""
    ask = lake(act("a", 0, user_id="u"), act("b", 1, user_id="u", site="other"))
    assert picked(ask("overview", site=None), "daily_visitors", "visits", "bounce_rate") == [(2, 2, 1.0)]
