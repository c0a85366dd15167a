"""The bound on sites that have counts and lists of their own."""

from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.testing import FakeClock
from pixelake.warehouse import live_sites
from pixelake.warehouse.live_sites import OTHER
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from tests.warehouse.outcomes import START, event, outcome

START_US = int(START.timestamp()) * SECOND


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four sites are counted, two have lists."""
    monkeypatch.setattr(live_sites, "COUNTED", 4)
    monkeypatch.setattr(live_sites, "LISTED", 2)


def counted(reader: LiveReader) -> dict[str, int]:
    """Hits by site."""
    found: dict[str, int] = {}
    for each in reader.minutes(0):
        if each.name == "hits":
            found[each.site] = found.get(each.site, 0) + each.number
    return found


def sites(folder: Path, *writes: list[str]) -> LiveReader:
    """A store to which these sites were written, by a new process each time."""
    clock, at = FakeClock(START_US), 0
    for names in writes:
        rows = [event("a", at + n + 1, site=name, received_at=START) for n, name in enumerate(names)]
        at += len(names)
        LiveStore(folder / "live.sqlite", clock=clock).write(outcome(rows))
    return LiveReader(folder / "live.sqlite", clock)


def test_sites_beyond_the_bound_are_counted_together(tmp_path: Path) -> None:
    """Nothing is lost from the sums; who was first keeps its place, however many come later."""
    reader = sites(tmp_path, ["a", "a", "b"], ["c", "d", "d", "e", "f", "a"], [f"junk-{n}" for n in range(500)])
    assert counted(reader) == {"a": 3, "b": 1, "d": 2, "c": 1, OTHER: 502}
    assert reader.top("event", "a", 0, 5)[0].number == 3
    assert reader.top("event", "d", 0, 5) == []
    assert sum(top.number for top in reader.top("event", None, 0, 5)) == 509
    assert reader.now(60).hits == 509


def test_of_many_at_once_the_most_frequent_have_a_place(tmp_path: Path) -> None:
    """Within one write it is not the order that counts."""
    reader = sites(tmp_path, [f"junk-{n}" for n in range(50)] + ["real"] * 3)
    assert counted(reader)["real"] == 3
    assert len(counted(reader)) == 5


def test_a_new_interval_begins_anew(tmp_path: Path) -> None:
    """Who came too late in one interval may be early in the next."""
    reader = sites(tmp_path, [f"junk-{n}" for n in range(50)])
    later = START.replace(minute=10)
    store = LiveStore(tmp_path / "live.sqlite", clock=FakeClock(START_US))
    store.write(outcome([event("a", 100, site="real", received_at=later)]))
    assert counted(reader)["real"] == 1


def test_a_failed_write_gives_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a transaction that was rolled back had met is met again."""
    store = LiveStore(tmp_path / "live.sqlite", clock=FakeClock(START_US))
    with monkeypatch.context() as patch:
        patch.setattr(LiveStore, "_forget", lambda *_: (_ for _ in ()).throw(RuntimeError))
        with pytest.raises(RuntimeError):
            store.write(outcome([event("a", 1, site="x")]))
    store.write(outcome([event("a", n + 1, site=name) for n, name in enumerate("abcd")]))
    rows = store._connection.execute("select site, rank from sites order by rank").fetchall()
    assert rows == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
