"""Who is here, as packed numbers."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_present
from pixelake.warehouse.base import EVENTS
from pixelake.warehouse.live_base import Now
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.warehouse.outcomes import START, event, outcome

START_US = int(START.timestamp()) * SECOND
LATER = START_US + 3_600 * SECOND


def test_more_people_than_events_are_kept(tmp_path: Path) -> None:
    """Of one write only the newest events can be looked at; everybody is counted, of each site."""
    clock = FakeClock(START_US)
    store = LiveStore(tmp_path / "live.sqlite", clock=clock)
    rows = [
        event("a", n + 1, site=f"s{n % 3}", visitor_id=f"v{n % 2000}", received_at=START, title=str(n))
        for n in range(3000)
    ]
    rows[0]["site"] = "rare"
    store.write(outcome(rows))
    reader = LiveReader(tmp_path / "live.sqlite", clock)
    assert reader.now(60) == Now(2000, 3000)
    assert reader.now(60, "s1") == Now(1000, 1000)
    newest = reader.newest(10_000)
    assert len(newest) == 500
    assert [row.event["title"] for row in newest[:3]] == ["2999", "2998", "2997"]
    assert reader.newest(5, "rare")[0].event["hit_id"] == "a-1"


def test_people_leave(tmp_path: Path) -> None:
    """After the time they are known to be here nothing of them is kept, and what comes later than that is not taken."""
    clock = FakeClock(START_US)
    store = LiveStore(tmp_path / "live.sqlite", clock=clock)
    store.write(outcome([event("a", 1)]))
    clock.advance(live_present.KEPT / SECOND + 2)
    store.write(outcome([event("a", 2, received_at=START)]))
    assert store._connection.execute("select count(*) from present").fetchone() == (0,)


def test_marks_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """The same person has the same mark in every write; no person has that of nobody."""
    rows = [event("a", n + 1, visitor_id="v") for n in range(2)]
    rows.append(event("a", 3, visitor_id=None))
    people = pa.Table.from_pylist(rows, EVENTS)
    (row,) = live_present.rows(people, 0)
    assert row.marks == bytes.fromhex("a3eb179576dcf79d") * 2 + bytes(8)
    assert row.newest == START_US + 3 * SECOND
    assert live_present.count([row[2:]], START_US, LATER) == (1, 3)
    assert live_present.count([row[2:]], START_US + 2 * SECOND, LATER) == (0, 1)
    assert live_present.count([], 0, LATER) == (0, 0)
    assert live_present.count([row[2:]], START_US, START_US + 2 * SECOND) == (1, 2)


def test_old_rows_of_a_late_write_stay_out() -> None:
    """A backlog is not here."""
    rows = [event("a", 1), event("a", 2, received_at=START + timedelta(hours=1))]
    (row,) = live_present.rows(pa.Table.from_pylist(rows, EVENTS), START_US + 60 * SECOND)
    assert len(row.times) == 8
