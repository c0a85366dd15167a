"""What a lake knows of the owners of event ids."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from pixelake.clock import SECOND
from pixelake.collect.logs.line import SOURCE
from pixelake.errors import LakeUnavailable
from pixelake.hit import ERASED, Hit
from pixelake.operate.import_logs import PARTITION
from pixelake.stream.base import Batch
from pixelake.testing import FakeClock
from pixelake.transform.judge import once_each
from pixelake.warehouse.base import NAMES, Claim
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.owners import FROM_LOGS, OF_FILES, latest, owners
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


def test_logs_own_nothing(tmp_path: Path) -> None:
    """An event from a log must not make a repeat of one that comes in."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", 1, event_id="e"), event("a", 2, event_id="f", source=SOURCE)]))
    lake.write(outcome([event(OF_FILES + "1f", 1, event_id="g", source="cloudfront")]))
    assert [claim.event_id for claim, _ in owners(tmp_path / "lake", 0)] == ["e"]
    assert OF_FILES == PARTITION
    assert FROM_LOGS == SOURCE


def test_only_those_of_the_window(tmp_path: Path) -> None:
    """What was received before is not told; its files are not even opened, so long as they are of other hours."""
    lake = Lake(tmp_path / "lake")
    lake.write(outcome([event("a", at, event_id=str(at)) for at in (1, 3700, 3702)]))
    first = next((tmp_path / "lake/events").rglob("hour=21/*.parquet"))
    first.write_bytes(first.read_bytes()[:50].ljust(first.stat().st_size))
    assert [claim.event_id for claim, _ in owners(tmp_path / "lake", _at(3701))] == ["3702"]


def test_a_file_of_a_day_is_looked_at(tmp_path: Path) -> None:
    """One that holds a whole day has hours of the window, too; its other rows are not told."""
    lake = Lake(tmp_path / "lake")
    for at in (1, 3700, 3702):
        lake.write(outcome([event("a", at, event_id=str(at))]))
    for todo in lake.plan():
        lake.compact(todo)
    assert len(list((tmp_path / "lake/events").rglob("day=10/packed-*"))) == 1
    lake.write(outcome([event("b", 3703, event_id="b")]))
    assert {claim.event_id for claim, _ in owners(tmp_path / "lake", _at(3701))} == {"3702", "b"}


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


def test_the_latest_events(tmp_path: Path) -> None:
    """Of the file that ends last and has event ids; none of before."""
    lake = Lake(tmp_path / "lake")
    assert latest(tmp_path / "lake", 0) == ()
    lake.write(outcome([event("a", 1, event_id="1"), event("a", 100, event_id="2"), event("a", 101)]))
    lake.write(outcome([event("a", 102, event_id="2", duplicate=True), event("a", 103)]))
    assert latest(tmp_path / "lake", 0) == [Claim("shop", "2", "a-100")]
    assert latest(tmp_path / "lake", _at(101)) == ()


def test_one_that_is_older_than_the_lake(tmp_path: Path) -> None:
    """It was put back from a copy: what it lacks is taken from the lake, and what it knows stays as it is."""
    clock = FakeClock()
    known, missing = Claim("shop", "1", "b-7"), Claim("shop", "2", "a-2")
    seen = SqliteSeen(tmp_path / "seen.sqlite", clock=clock)
    seen.restore([])
    seen.claim([known])
    assert not seen.lacks([])
    assert not seen.lacks([Claim("shop", "1", "a-1")])
    assert seen.lacks([known, missing])
    seen.complete([(Claim("shop", "1", "a-1"), _at(1)), (missing, _at(2))])
    assert not seen.lacks([known, missing])
    assert seen.claim([Claim("shop", "1", "c-1"), Claim("shop", "2", "c-2")]) == ["b-7", "a-2"]
    seen.close()


def test_hits_with_names_own_them(tmp_path: Path) -> None:
    """The name, by the place it came to; of a repeat, too; not of hits that are called by their places."""
    rows = [
        event("a", 1, hit_id="w-1"),
        event("a", 2, hit_id="w-2", event_id="e", duplicate=True),
        event("a", 3, hit_id="w-3", event_id="f"),
        event("a", 4),
        event("a", 5, hit_id="a-5.1"),
        event(OF_FILES + "1f", 1, hit_id="w-4"),
    ]
    Lake(tmp_path / "lake").write(outcome(rows))
    found = dict(owners(tmp_path / "lake", 0, named=True))
    assert found == {
        Claim("shop", "f", "w-3"): _at(3),
        Claim(NAMES, "w-1", "a-1"): _at(1),
        Claim(NAMES, "w-2", "a-2"): _at(2),
        Claim(NAMES, "w-3", "a-3"): _at(3),
    }
    assert set(latest(tmp_path / "lake", 0, named=True)) == set(found)
    assert [claim for claim, _ in owners(tmp_path / "lake", 0)] == [Claim("shop", "f", "w-3")]


def test_a_name_stays_known_when_everything_is_forgotten(tmp_path: Path) -> None:
    """A delivery that comes again after the file was lost is withheld, whichever place it comes to."""
    Lake(tmp_path / "lake").write(outcome([event("a", 1, hit_id="w-1")]))
    seen = SqliteSeen(tmp_path / "seen.sqlite", clock=FakeClock(_at(10)))
    seen.restore(owners(tmp_path / "lake", 0, named=True))
    hit = Hit.of(_at(1), "192.0.2.1", "192.0.2.1", "GET", b"/", b"", hit_id="w-1")
    other = msgspec.structs.replace(hit, hit_id="w-2")
    found = once_each(Batch("a", [hit, hit, other], [1, 2, 3]), seen)
    assert [each.source == ERASED for each in found.hits] == [False, True, False]
    seen.close()
