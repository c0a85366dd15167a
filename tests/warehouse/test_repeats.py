"""Hits that are like one before them, which no event_id tells apart or joins."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.asked import lake_of
from tests.warehouse.outcomes import event

MIDNIGHT = datetime(2026, 2, 11, tzinfo=UTC)


def _view(position: int, seconds: float, **columns: Any) -> dict[str, Any]:
    page = {
        "url": "https://shop.example/a",
        "host": "shop.example",
        "path": "/a",
        "visitor_id": "ann",
        "properties": [],
    }
    return event("a", position, received_at=MIDNIGHT + timedelta(seconds=seconds), **{**page, **columns})


def _asked(folder: Path, rows: list[dict[str, Any]]) -> list[tuple[str, str, int, int]]:
    with lake_of(folder, rows, MIDNIGHT - timedelta(days=1), MIDNIGHT + timedelta(days=1)) as asked:
        answer = asked.rows("repeats")
    return [(row["value"], row["event"], row["hits"], row["repeats"]) for row in answer]


def test_the_same_within_seconds(tmp_path: Path) -> None:
    """Each hit that follows its like within ten seconds is a repeat, in a chain too; later it is a view."""
    rows = [_view(n, at) for n, at in enumerate([40_000, 40_010, 40_019, 40_030, 50_000], 1)]
    assert _asked(tmp_path, rows) == [("shop.example/a", "pageview", 5, 2)]


def test_what_gets_past_caches_is_not_compared(tmp_path: Path) -> None:
    """Whatever `rnd` and its like hold, in whatever order properties come; other properties tell hits apart."""
    sent = [
        [("rnd", ["1"]), ("color", ["red"])],
        [("color", ["red"]), ("rnd", ["2"]), ("_", ["3"])],
        [("color", ["red"]), ("CB", ["4"])],
        [("color", ["blue"])],
        [("color", ["blue", "red"])],
    ]
    rows = [_view(n, 40_000 + n, properties=properties) for n, properties in enumerate(sent, 1)]
    assert _asked(tmp_path, rows) == [("shop.example/a", "pageview", 5, 2)]


OTHERS = {
    "another visitor": {"visitor_id": "bob"},
    "another event": {"event": "cart"},
    "another page": {"url": "https://shop.example/b", "path": "/b"},
    "another query": {"url": "https://shop.example/a?ref=x"},
    "another title": {"title": "x"},
    "another amount": {"value": 5},
    "a machine": {"bot": True},
    "certainly the same": {"duplicate": True},
    "a HEAD": {"method": "HEAD"},
    "another site": {"site": "blog"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_others_are_no_repeats(tmp_path: Path, other: dict[str, Any]) -> None:
    """What differs in anything that was said, or is not counted at all, repeats nothing."""
    assert _asked(tmp_path, [_view(1, 40_000), _view(2, 40_001, **other)]) == []


def test_who_is_unknown_repeats_nobody(tmp_path: Path) -> None:
    """Without a visitor nobody can say that two hits are of one."""
    assert _asked(tmp_path, [_view(n, 40_000 + n, visitor_id=None) for n in (1, 2)]) == []


def test_across_midnight(tmp_path: Path) -> None:
    """A visitor has another name from midnight on, and is still the same."""
    rows = [_view(1, -2), _view(2, 2, visitor_id="ann-11", visitor_before="ann")]
    assert _asked(tmp_path, rows) == [("shop.example/a", "pageview", 2, 1)]
