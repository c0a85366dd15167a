"""Parts of a data folder of different times: what is still held is neither lost nor doubled, and the rest is told."""

import os
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.stream import segment
from pixelake.stream.base import GROUP
from pixelake.stream.segment import partitions, segments
from tests.operate.installation import Installation

OLD = 10 * 86_400
"""Seconds: older than a stream keeps what is settled."""


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten hits of one partition, settled."""
    made = Installation(tmp_path_factory.mktemp("early") / "data")
    made.send(range(10))
    made.settle()
    return made.data


@pytest.fixture(scope="module")
def late(early: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same later: ten more of another partition, settled too."""
    made = Installation(shutil.copytree(early, tmp_path_factory.mktemp("late") / "data"))
    made.send(range(10, 20))
    made.settle()
    return made.data


@pytest.fixture
def house(late: Path, tmp_path: Path) -> Installation:
    """A copy of the later one."""
    return Installation(shutil.copytree(late, tmp_path / "data"))


def newest(house: Installation, early: Path) -> Path:
    """The folder of the partition that came later."""
    known = {path.name for path in partitions(early / "stream")}
    [found] = [path for path in partitions(house.data / "stream") if path.name not in known]
    return found


def make_old(folder: Path) -> None:
    """As if its hits had come long ago."""
    for path in segments(folder):
        with closing(segment.connect(path, write=True)) as connection:
            connection.execute("update groups set received_at = received_at - ?", (OLD * SECOND,))
        os.utime(path, (time.time() - OLD, time.time() - OLD))


def counts(house: Installation) -> tuple[int, int, int]:
    """Hits that were accepted, are settled, are missed."""
    found = house.status()
    assert found.accepted == found.in_stream + found.settled + found.missed
    return found.accepted, found.settled, found.missed


def test_an_older_lake(house: Installation, early: Path) -> None:
    """It gets again what it lacks, once; and the live store and the badges have nothing twice."""
    before = live(house), badges(house)
    house.put("lake", early)
    house.settle()
    assert house.rows() == list(range(20))
    assert counts(house) == (20, 20, 0)
    assert (live(house), badges(house)) == before


def live(house: Installation) -> object:
    """What the live store counts."""
    return sorted(minute for minute in build.live_reader(house.settings).minutes(0))


def badges(house: Installation) -> object:
    """How far the badges are."""
    with closing(build.badge_store(house.settings)) as store:
        return store.positions()


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers forget what they may at once."""
    monkeypatch.setattr("pixelake.stream.sqlite_reader.SWEEP", 0.0)


@pytest.mark.usefixtures("sweeping")
def test_an_older_lake_under_old_hits(early: Path, tmp_path: Path) -> None:
    """The stream remembers that they were settled, and they are old: it keeps them until this lake has them."""
    patient = Installation(shutil.copytree(early, tmp_path / "data"), stream_retention=2.0 * OLD)
    patient.send(range(10, 20), at=SYSTEM.now() - OLD * SECOND)
    patient.settle()
    folder = newest(patient, early)
    for path in segments(folder):
        os.utime(path, (time.time() - OLD, time.time() - OLD))
    patient.put("lake", early)
    house = Installation(patient.data)
    reader = build.reader(house.settings, GROUP)
    reader.rewind({name: each.position for name, each in build.lake_reader(house.settings).progress().items()})
    reader.read(1, 0)
    reader.commit({})  # something else was settled: it looks for what may be forgotten
    reader.close()
    house.settle()
    assert house.rows() == list(range(20))
    assert counts(house) == (20, 20, 0)


def test_an_older_lake_and_a_stream_that_has_forgotten(house: Installation, early: Path) -> None:
    """What nobody holds any more is told as missed; once, however often one looks."""
    house.put("lake", early)
    shutil.rmtree(newest(house, early))
    house.settle()
    build.reckon(house.settings)
    build.reckon(house.settings)
    assert house.rows() == list(range(10))
    assert counts(house) == (20, 10, 10)
    assert "10 hits are lost" in house.status().troubles[0]
    house.send(range(20, 25))
    house.settle()
    assert counts(house) == (25, 15, 10)


def test_an_older_lake_and_a_partition_without_its_old_segments(house: Installation, early: Path) -> None:
    """Its owner lives on with an empty one: no hit comes that would show the gap."""
    house.put("lake", early)
    folder = newest(house, early)
    for path in segments(folder):
        segment.unlink(path)
    segment.create(folder, folder.name, 11)
    shutil.rmtree(house.data / "live")  # nobody else knows
    house.settle()
    build.reckon(house.settings)
    assert counts(house) == (20, 10, 10)


def test_an_older_lake_and_half_a_partition(house: Installation, early: Path, late: Path) -> None:
    """What the stream still has of it comes; how much before it is gone shows as missed."""
    house.put("lake", early)
    folder = newest(house, early)
    [path] = segments(folder)
    with closing(segment.connect(path)) as connection:
        rows = [segment.Row(*row) for row in connection.execute(f"{segment.SELECT} WHERE first > 5 ORDER BY first")]
    segment.unlink(path)
    segment.create(folder, folder.name, 6, rows)
    house.settle()
    build.reckon(house.settings)
    assert house.rows() == [*range(10), *range(15, 20)]
    assert counts(house) == (20, 15, 5)


def test_a_lake_that_was_begun_anew_lacks_nothing(house: Installation, early: Path) -> None:
    """It begins with what the stream holds; what was before is none of its business."""
    shutil.rmtree(house.data / "lake")
    (house.data / "lake" / "events" / "_delta_log").mkdir(parents=True)
    shutil.rmtree(newest(house, early))
    build.reckon(house.settings)
    house.settle()
    assert house.rows() == list(range(10))
    assert house.status().missed == 0


def test_an_older_stream(house: Installation, early: Path) -> None:
    """What it still holds is not taken again; new hits are not taken for those that came after the copy."""
    house.put("stream", early)
    house.send(range(20, 25))
    house.settle()
    build.reckon(house.settings)
    assert house.rows() == list(range(25))
    assert counts(house) == (25, 25, 0)


@pytest.mark.usefixtures("sweeping")
def test_an_older_stream_is_forgotten_in_time(house: Installation, early: Path, tmp_path: Path) -> None:
    """Nobody commits it again, since the lake has it all; it goes nevertheless when it is old: people are in it."""
    before = Installation(shutil.copytree(early, tmp_path / "before"))
    shutil.rmtree(before.data / "stream" / "groups.sqlite", ignore_errors=True)
    (before.data / "stream" / "groups.sqlite").unlink(missing_ok=True)
    house.put("stream", before.data)
    [folder] = partitions(house.data / "stream")
    make_old(folder)
    house.send(range(20, 25))
    house.settle()
    house.send(range(25, 30))
    house.settle()
    assert not folder.exists()
    assert house.rows() == list(range(30))


def test_an_older_stream_under_a_lake_that_is_not_so_far(house: Installation, early: Path, late: Path) -> None:
    """The live store knows of hits that neither of both has: they are missed, once all that is there is settled."""
    house.send(range(20, 30))
    house.settle()
    last = newest(house, late)
    house.put("lake", early)
    house.put("stream", early)
    house.settle()
    build.reckon(house.settings)
    assert house.rows() == list(range(10))
    assert counts(house) == (30, 10, 20)
    assert last.name in build.lake_reader(house.settings).progress()


def test_older_stores_beside(house: Installation, early: Path) -> None:
    """A live store, badges and event ids from before: the lake is not touched, and the live store gets what is held."""
    after = live(house)
    house.put("live", early)
    house.run(lambda: live(house) == after)
    assert house.rows() == list(range(20))
    assert counts(house) == (20, 20, 0)


def test_older_owners_of_event_ids(house: Installation, early: Path) -> None:
    """What was claimed since is known by the lake: a repeat of it stays one."""
    house.put("seen", early)
    house.send([15, 5, 25])
    house.settle()
    with closing(build.lakehouse(house.settings)) as lake:
        rows = lake.ask("select event_id, duplicate from events order by received_at desc limit 3", {}).to_pylist()
    assert {row["event_id"]: row["duplicate"] for row in rows} == {"15": True, "5": True, "25": False}


def test_an_older_registry(house: Installation, early: Path) -> None:
    """Sites that it does not know become known again by their next hit; the lake is not touched."""
    house.put("registry", early)
    house.send(range(20, 25))
    house.settle()
    assert house.rows() == list(range(25))


def test_times(house: Installation) -> None:
    """The helper makes what it says."""
    [folder, *_] = partitions(house.data / "stream")
    make_old(folder)
    assert segment.touched_at(segments(folder)[-1]) < SYSTEM.now() - (OLD - 60) * SECOND
