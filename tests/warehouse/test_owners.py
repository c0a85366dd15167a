"""What a lake knows of the owners of event ids."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pixelake.clock import SECOND
from pixelake.errors import LakeUnavailable
from pixelake.testing import FakeClock
from pixelake.warehouse.base import Claim
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.owners import owners
from pixelake.warehouse.seen_sqlite import DAY, SqliteSeen
from tests.warehouse.outcomes import START, event, outcome

NOW = int(START.timestamp()) * SECOND


def _at(position: int) -> int:
    return NOW + position * SECOND


def test_no_lake_knows_no_owner(tmp_path: Path) -> None:
    """Before the first write there is nothing to tell, and looking makes nothing."""
    assert list(owners(tmp_path / "lake", 0)) == []
    assert list(tmp_path.iterdir()) == []


def test_first_events_own(tmp_path: Path) -> None:
    """Events with an id that are no repeats, with their times; oldest hours first."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 7200, event_id="late"), event("a", 7201)]))
    rows = [
        event("b", 1, event_id="e", site="x"),
        event("b", 2, event_id="e", site="x", duplicate=True),
        event("b", 3, event_id="e", site="y", duplicate=None),
        event("b", 4),
    ]
    lake.write(outcome(rows))
    assert list(owners(tmp_path / "lake", 0)) == [
        (Claim("x", "e", "b-1"), _at(1)),
        (Claim("y", "e", "b-3"), _at(3)),
        (Claim("shop", "late", "a-7200"), _at(7200)),
    ]


def test_only_those_of_the_window(tmp_path: Path) -> None:
    """What was received before is not told; its files are not even opened, so long as they are of other hours."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", at, event_id=str(at)) for at in (1, 3700, 3702)]))
    first = next((tmp_path / "lake/events").rglob("hour=21/*.parquet"))
    first.write_bytes(first.read_bytes()[:50].ljust(first.stat().st_size))
    assert [claim.event_id for claim, _ in owners(tmp_path / "lake", _at(3701))] == ["3702"]


def test_a_damaged_file_is_unavailable(tmp_path: Path) -> None:
    """It is told as what it is: no reason for the consumer, and then the server, to die."""
    Lake(tmp_path / "lake").write(outcome([event("a", 1, event_id="e")]))
    (path,) = (tmp_path / "lake/events").rglob("hour=21/*.parquet")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(LakeUnavailable, match=path.name):
        list(owners(tmp_path / "lake", 0))


def test_repeats_stay_repeats_when_everything_is_forgotten(tmp_path: Path) -> None:
    """A new file that begins with what the lake knows answers as the old one did, until the same windows end."""
    Lake(tmp_path / "lake").write(outcome([event("a", 1, event_id="e"), event("a", 2, event_id="e", duplicate=True)]))
    clock = FakeClock(_at(10))
    seen = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    assert seen.is_new
    seen.restore(owners(tmp_path / "lake", _at(0)))
    assert not seen.is_new
    assert seen.claim([Claim("shop", "e", hit) for hit in ("a-3", "a-1", "a-2")]) == ["a-1", "a-1", "a-1"]
    clock.advance(DAY - 8)
    assert seen.claim([Claim("shop", "e", "a-4")]) == ["a-4"]


def test_restored_only_once(tmp_path: Path) -> None:
    """What was claimed since is not overwritten by a second start."""
    seen = SqliteSeen(tmp_path / "seen.sqlite")
    seen.restore([])
    seen.claim([Claim("s", "e", "new")])
    again = SqliteSeen(tmp_path / "seen.sqlite")
    assert not again.is_new
    again.restore([(Claim("s", "e", "old"), int(datetime.now(UTC).timestamp()) * SECOND)])
    assert again.claim([Claim("s", "e", "other")]) == ["new"]


def test_the_latest_owner_counts(tmp_path: Path) -> None:
    """If the lake has two owners of one id, because the first one's window had ended, the later one owns it."""
    second = START + timedelta(hours=25)
    rows = [event("a", 1, event_id="e"), event("a", 2, event_id="e", received_at=second)]
    Lake(tmp_path / "lake").write(outcome(rows[::-1]))
    seen = SqliteSeen(tmp_path / "seen.sqlite", clock=FakeClock(int(second.timestamp()) * SECOND))
    seen.restore(owners(tmp_path / "lake", 0))
    assert seen.claim([Claim("shop", "e", "x")]) == ["a-2"]
