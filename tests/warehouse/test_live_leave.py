"""Events leave the live store: counts are as if they had never come, once, and no byte of them stays."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_lists
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.warehouse.outcomes import START, event, outcome

START_US = int(START.timestamp()) * SECOND
SECRET = "Zq7-secret-person-9x"


def store(path: Path) -> LiveStore:
    """A store at the beginning of time."""
    return LiveStore(path, 3600.0, 1_000, FakeClock(START_US))


def shown(path: Path) -> list[Any]:
    """All that a screen may show, without cursors."""
    reader = LiveReader(path, FakeClock(START_US + 60 * SECOND))
    tops = [reader.top(name, None, 0, 100) for name in live_lists.NAMES]
    return [[row.event for row in reader.newest(100)], reader.minutes(0), reader.now(600), tops]


EVENTS_OF = st.lists(
    st.fixed_dictionaries(
        {
            "site": st.sampled_from(["shop", "blog"]),
            "event": st.sampled_from(["pageview", "click"]),
            "user_id": st.sampled_from([SECRET, "x", None]),
            "visitor_before": st.sampled_from([None, "before"]),
            "path": st.sampled_from(["/", "/a"]),
            "host": st.just("h"),
            "country": st.sampled_from(["DE", None]),
            "bot": st.booleans(),
            "duplicate": st.booleans(),
        }
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(EVENTS_OF)
def test_as_if_they_had_never_come(tmp_path_factory: pytest.TempPathFactory, columns: list[dict[str, Any]]) -> None:
    """Whatever came: after some have left, all that a screen shows is what it shows if only the others come."""
    folder = tmp_path_factory.mktemp("live")
    rows = [event("a", at, **each) for at, each in enumerate(columns, 1)]
    gone = [row for row in rows if row["user_id"] == SECRET]
    first, other = store(folder / "first.sqlite"), store(folder / "other.sqlite")
    half = len(rows) // 2
    for part in (rows[:half], rows[half:]):
        first.write(outcome(part))
        other.write(outcome([row for row in part if row not in gone]))
    assert first.leave(pa.Table.from_pylist(gone, EVENTS)) == len(gone)
    assert first.leave(pa.Table.from_pylist(gone, EVENTS)) == 0
    assert shown(folder / "first.sqlite") == shown(folder / "other.sqlite")


def test_what_was_never_counted_is_not_taken_off(tmp_path: Path) -> None:
    """Rows above the positions, of other partitions, or that are too old by now, lower no count."""
    live = store(tmp_path / "live.sqlite")
    live.write(outcome([event("a", 1)]))
    before = shown(tmp_path / "live.sqlite")
    old = event("a", 1, received_at=START.replace(year=2020))
    rows = [event("a", 2), event("b", 1), old]
    assert live.leave(pa.Table.from_pylist(rows, EVENTS)) == 0
    assert shown(tmp_path / "live.sqlite") == before


def test_what_a_list_does_not_name_is_taken_off_the_rest(tmp_path: Path) -> None:
    """The sum of a list stays exact, also where a value was trimmed."""
    live = store(tmp_path / "live.sqlite")
    rows = [event("a", at, host="h", path=f"/{at}") for at in range(1, 3 * live_lists.MOST)]
    live.write(outcome(rows))
    live.leave(pa.Table.from_pylist(rows[::2], EVENTS))
    found = LiveReader(tmp_path / "live.sqlite").top("page", "shop", 0, 1_000)
    assert sum(each.number for each in found) == len(rows) - len(rows[::2])


def test_what_is_meant_by_its_text_is_hidden(tmp_path: Path) -> None:
    """Recent events, sites and values of lists that hold a text go; sums of lists stay, and the others' rows."""
    path = tmp_path / "live.sqlite"
    live = store(path)
    live.write(
        outcome(
            [
                event("a", 1, title=SECRET),
                event("a", 2, site=f"{SECRET}.example"),
                event("a", 3, host="h", path=f"/{SECRET}"),
                event("a", 4, host="h", path="/ok"),
            ]
        )
    )

    def is_meant(texts: Sequence[str]) -> list[bool]:
        return [SECRET in text for text in texts]

    assert live.hide(is_meant) > 0
    assert live.hide(is_meant) == 0
    live.scrub()
    assert [row.event["hit_id"] for row in LiveReader(path).newest(9)] == ["a-4"]
    assert sum(each.number for each in LiveReader(path).top("page", "shop", 0, 9)) == 2
    live.close()
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file


def test_scrub_beside_a_writer_and_readers(tmp_path: Path) -> None:
    """Old pages and the log hold nothing of what was deleted long ago, and whoever has the file open goes on."""
    path = tmp_path / "live.sqlite"
    live, writer = store(path), store(path)
    writer.write(outcome([event("a", at, title=SECRET) for at in range(1, 50)]))
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("select count(*) from recent").fetchall()
        reader.execute("delete from recent")
        reader.commit()
        live.scrub()
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file
    writer.write(outcome([event("a", 60)]))
    assert [row.event["hit_id"] for row in LiveReader(path).newest(9)] == ["a-60"]
