"""Tests of `pixelake.operate.status`, on a real lake and a real stream."""

import shutil
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import LakeUnavailable
from pixelake.operate.status import Status, as_text, status
from pixelake.registry.base import UNDECLARED_PROXY
from pixelake.settings import Settings
from pixelake.stream import segment
from pixelake.stream.sqlite_watcher import SqliteWatcher
from pixelake.testing import FakeClock
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.recover import BROKEN
from pixelake.warehouse.sums import LakeReader
from tests.stages import accept, settle
from tests.warehouse.outcomes import event, outcome

CLOCK = FakeClock()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A house of its own."""
    return Settings(data=tmp_path, lake_window=0.05, live_window=0.05)


def _accept(settings: Settings, targets: list[str], age: float = 0.0) -> None:
    accept(settings, *targets, received_at=CLOCK.now() - round(age * SECOND))


def _settle(settings: Settings) -> None:
    settle(settings, lambda: not _status(settings).in_stream)


def _status(settings: Settings) -> Status:
    return status(LakeReader(settings.data / "lake"), SqliteWatcher(settings.data / "stream"), CLOCK)


VIEW = "/pixel.gif?site=a"
REJECT = "/pixel.gif?site=a&value=much"


def test_nothing_yet(settings: Settings) -> None:
    """Before the first hit all is zero."""
    found = _status(settings)
    assert {value for value in found.as_dict().values() if value != []} == {0}
    assert found.troubles == []


def test_waiting(settings: Settings) -> None:
    """Hits that wait are in the stream; the lag is the age of the oldest."""
    _accept(settings, [VIEW] * 3, age=7.0)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (3, 3, 0)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (7.0, 7.0)
    assert found.hits_hold
    assert found.outcomes_hold


def test_settled(settings: Settings) -> None:
    """Settled hits are events or rejects; the stream still holds them, but nothing lags."""
    _accept(settings, [VIEW, REJECT, VIEW], age=7.0)
    _settle(settings)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (3, 0, 3)
    assert (found.outcomes, found.in_lake, found.rejected, found.withheld, found.removed) == (3, 2, 1, 0, 0)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (0.0, 7.0)


def test_between(settings: Settings) -> None:
    """Several partitions, one of them settled."""
    _accept(settings, [VIEW] * 2, age=9.0)
    _settle(settings)
    _accept(settings, [VIEW] * 5, age=4.0)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled) == (7, 5, 2)
    assert (found.lag_seconds, found.oldest_hit_age_seconds) == (4.0, 9.0)


def test_a_wiped_stream(settings: Settings) -> None:
    """The lake remembers what it has settled of a stream that is gone; new hits are counted on top."""
    _accept(settings, [VIEW] * 4)
    _settle(settings)
    shutil.rmtree(settings.data / "stream")
    assert _status(settings).accepted == _status(settings).settled == 4
    _accept(settings, [VIEW])
    _settle(settings)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled, found.in_lake) == (5, 0, 5, 5)


def test_a_damaged_lake_shows(settings: Settings) -> None:
    """An old file that is gone takes its events out of the sum, which then does not hold; the file is named."""
    _accept(settings, [VIEW] * 4)
    _settle(settings)
    lost = next((settings.data / "lake/events").rglob("*.parquet"))
    lost.unlink()
    found = _status(settings)
    assert (found.outcomes, found.in_lake, found.hits_hold, found.outcomes_hold) == (4, 0, True, False)
    assert found.damaged == [str(lost)]
    assert str(lost) in found.troubles[0]


def test_what_was_set_aside_shows(settings: Settings) -> None:
    """What a power cut broke is not forgotten once the lake goes on without it."""
    aside = settings.data / "lake/events" / BROKEN / "20260210T210000-000001"
    aside.mkdir(parents=True)
    _accept(settings, [VIEW])
    _settle(settings)
    found = _status(settings)
    assert (found.hits_hold, found.outcomes_hold) == (True, True)
    assert found.set_aside == [str(aside)]
    assert str(aside) in found.troubles[0]
    assert as_text(found).splitlines()[-1] == f"! {found.troubles[0]}"


def test_a_gap_shows_for_good(settings: Settings) -> None:
    """Hits that the stream had let go before the lake had them do not count as settled."""
    Lake(settings.data / "lake").write(outcome([event("p", 5)]))
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled, found.missed) == (5, 0, 1, 4)
    assert not found.hits_hold
    assert found.outcomes_hold
    assert "4 hits are lost" in found.troubles[0]


@pytest.mark.parametrize("which", ["the first", "the second", "the last"])
def test_a_damaged_stream_shows(settings: Settings, which: str) -> None:
    """Hits that were damaged in the stream are lost and counted as that, also where nothing comes behind them."""
    for _ in range(3):
        _accept(settings, [VIEW] * 4)
    folders = sorted(path for path in (settings.data / "stream").iterdir() if path.is_dir())
    _join(folders)
    row = 1 + 4 * ["the first", "the second", "the last"].index(which)
    _damage(folders[0], row)
    assert _status(settings).in_stream == 12
    _settle(settings)
    found = _status(settings)
    assert (found.accepted, found.in_stream, found.settled, found.missed, found.in_lake) == (12, 0, 8, 4, 8)
    assert (found.hits_hold, found.outcomes_hold, found.lag_seconds) == (False, True, 0.0)
    [aside] = found.set_aside
    assert "4 hits are lost" in found.troubles[0]
    assert any(aside in trouble for trouble in found.troubles)


def _join(folders: list[Path]) -> None:
    """Make the rows of several partitions those of the first one."""
    target = segment.connect(segment.segments(folders[0])[0], write=True)
    for place, folder in enumerate(folders[1:], 1):
        source = segment.connect(segment.segments(folder)[0])
        for first, last, received_at, data in source.execute(segment.SELECT):
            moved = (first + 4 * place, last + 4 * place, received_at, data)
            target.execute(segment.INSERT, moved)
        source.close()
        shutil.rmtree(folder)
    target.close()


def _damage(folder: Path, first: int) -> None:
    database = segment.connect(segment.segments(folder)[0], write=True)
    database.execute("UPDATE groups SET data = zeroblob(99) WHERE first = ?", (first,))
    database.close()


def test_an_unknown_loss_shows(settings: Settings) -> None:
    """Nobody knows how many hits a destroyed file had: the sum does not hold, and its folder is to be kept."""
    _accept(settings, [VIEW] * 4)
    [path] = (settings.data / "stream").glob("*/*.sqlite")
    with path.open("r+b") as file:
        file.write(bytes(4_096))
    stream = build.reader(settings, "consume")
    assert stream.read(100, 0) is None
    stream.close()
    found = _status(settings)
    assert (found.accepted, found.missed, found.hits_hold) == (0, 0, False)
    line = f"an unknown number of hits behind position 0 of partition {path.parent.name} are lost"
    assert found.troubles[0] == line
    assert line in found.as_dict()["damaged"]
    assert not any("remove it" in trouble for trouble in found.troubles)
    assert as_text(found).startswith("✗ hits")


def test_an_unknown_loss_behind_what_was_settled_shows(settings: Settings) -> None:
    """What the lake has is not lost, so the loss is behind it; the keys that others read stay the same."""
    _accept(settings, [VIEW] * 4)
    _settle(settings)
    keys = _status(settings).as_dict().keys()
    [path] = (settings.data / "stream").glob("*/*.sqlite")
    with path.open("r+b") as file:
        file.write(bytes(4_096))
    stream = build.reader(settings, "look")
    assert stream.read(100, 0) is None
    stream.close()
    found = _status(settings)
    assert "behind position 4 of" in found.troubles[0]
    assert (found.settled, found.hits_hold) == (4, False)
    assert found.as_dict().keys() == keys == {each.name for each in fields(Status)} - {"evidence", "lost_behind"}


def test_evidence_of_lost_hits_is_to_be_kept(settings: Settings) -> None:
    """Nobody is told to remove the folder that tells which hits are lost."""
    _accept(settings, [VIEW] * 4)
    [folder] = [path for path in (settings.data / "stream").iterdir() if path.is_dir()]
    _damage(folder, 1)
    _settle(settings)
    found = _status(settings)
    [aside] = found.set_aside
    [line] = [trouble for trouble in found.troubles if aside in trouble]
    assert "keep it" in line
    assert "remove" not in line


def test_damage_nobody_has_looked_at_shows(settings: Settings) -> None:
    """Status names the file, beside a consumer that is not running."""
    _accept(settings, [VIEW] * 4)
    [path] = (settings.data / "stream").glob("*/*.sqlite")
    path.write_bytes(b"")
    assert _status(settings).damaged == [str(path)]


def test_what_is_lost_shows(settings: Settings) -> None:
    """If the stream has let hits go that were not settled, the sum does not hold, and says so."""
    held = LakeReader(settings.data / "lake"), _Forgetful()
    found = status(*held, CLOCK)
    assert (found.accepted, found.in_stream, found.settled) == (10, 6, 0)
    assert not found.hits_hold


class _Forgetful(SqliteWatcher):
    """A stream that holds positions 5 to 10 of a partition, of which nothing is settled."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"))

    def extents(self) -> list[tuple[str, int, int, int]]:
        from pixelake.stream.base import Extent

        return [Extent("p", 5, 10, 0)]


def test_a_lake_that_is_away(settings: Settings) -> None:
    """The error says how many hits wait for it, and since when, as far as the stream knows."""
    _accept(settings, [VIEW] * 2)
    _settle(settings)
    _accept(settings, [VIEW] * 3, age=312.0)
    (settings.data / "lake").rename(settings.data / "elsewhere")
    (settings.data / "lake").write_text("no folder")
    with pytest.raises(LakeUnavailable, match=r"; 3 hits wait, the oldest for 312 s$"):
        status(LakeReader(settings.data / "lake"), build.watcher(settings), CLOCK)


def test_a_lake_that_is_gone(settings: Settings) -> None:
    """An empty folder in its place is no lake in which nothing is settled: the same error, and no zeros."""
    _accept(settings, [VIEW] * 2)
    _settle(settings)
    _accept(settings, [VIEW] * 3, age=10.0)
    (settings.data / "lake").rename(settings.data / "elsewhere")
    (settings.data / "lake").mkdir()
    with pytest.raises(LakeUnavailable, match=r"is gone; 3 hits wait, the oldest for \d+ s$") as caught:
        build.status(settings)
    assert "mount it" in caught.value.hint


def test_as_text() -> None:
    """A sum that holds is ticked, one that does not is crossed."""
    counts: dict[str, Any] = dict.fromkeys((field.name for field in fields(Status)), 0) | {
        "damaged": (),
        "set_aside": (),
        "notices": (),
        "evidence": (),
        "lost_behind": {},
        "maintenance": (),
    }
    found = Status(**counts | {"accepted": 1_234, "settled": 1_234, "outcomes": 5, "in_lake": 2, "rejected": 4})
    good, bad = as_text(found).splitlines()[:2]
    assert good == "✓ hits      1,234 accepted = 0 in the stream + 1,234 settled"
    assert bad.startswith("✗ outcomes  5 = 2 in the lake + 4 rejected + 0 withheld")


def test_maintenance_shows(settings: Settings) -> None:
    """How each task went last; one that failed is among the troubles, until it goes well."""
    with closing(build.registry(settings)) as registry:
        registry.begin_task("vacuum", 1)
        registry.end_task("vacuum", 2, "", "the disk is full")
        found = build.status(settings)
        assert as_text(found).splitlines()[-1] == "! maintenance: vacuum failed: the disk is full"
        assert found.as_dict()["maintenance"] == [
            {"task": "vacuum", "started": 1, "ended": 2, "done": "", "error": "the disk is full", "succeeded": 0}
        ]
        registry.begin_task("vacuum", 3)
        registry.end_task("vacuum", 4, "nothing to remove", "")
        assert build.status(settings).troubles == []


def test_notices_show(settings: Settings) -> None:
    """What a collector has noticed is among the troubles, with the setting; and no registry is made to ask it."""
    assert build.status(settings).as_dict()["notices"] == []
    assert not (settings.data / "registry").exists()
    with closing(build.registry(settings)) as registry:
        registry.notice(UNDECLARED_PROXY, "10.0.0.1", SYSTEM.now())
    found = build.status(settings)
    assert [(each["level"], each["setting"]) for each in found.as_dict()["notices"]] == [("error", "trusted_proxies")]
    assert "10.0.0.1" in as_text(found).splitlines()[-1]
    assert found.hits_hold
