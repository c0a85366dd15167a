"""Backups: what is restored is whole, whatever happened meanwhile; what is damaged is told; nothing else is touched."""

import errno
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pixelake import build
from pixelake.clock import SECOND, SYSTEM
from pixelake.errors import BackupError, FolderInUse, FolderVersion, PixelakeError, SettingsError
from pixelake.operate import backup as backups
from pixelake.operate import copies, folder
from pixelake.operate import depot as depots
from pixelake.operate.depot import Depot, File, Manifest
from pixelake.settings import Settings
from pixelake.stream import segment
from pixelake.stream.segment import partitions, segments
from pixelake.warehouse.again import REPLAYED
from pixelake.warehouse.lake import Lake
from tests.operate.installation import Installation, silent


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten hits that are settled, ten that are not, and plain files of the former."""
    made = Installation(tmp_path_factory.mktemp("original") / "data", files_format="json.gz", files_window=0.05)
    made.send(range(10))
    made.settle()
    made.send(range(10, 20))
    return made.data


@pytest.fixture
def house(original: Path, tmp_path: Path) -> Installation:
    """A copy of it."""
    return Installation(shutil.copytree(original, tmp_path / "data"), files_format="json.gz", files_window=0.05)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where backups go."""
    return tmp_path / "backups"


def back_up(house: Installation, place: Path, keep: int = 0) -> backups.Backup:
    """A backup."""
    return build.backup(house.settings, str(place), silent, keep)


def restored(place: Path, data: Path, at: str = "") -> Installation:
    """The newest backup, or another."""
    build.restore(Settings(data=data), str(place), silent, at)
    return Installation(data, files_format="json.gz", files_window=0.05)


def manifest(place: Path) -> Path:
    """The newest manifest's file."""
    return max(place.glob("*Z.json"))


def test_what_was_acknowledged_is_there_once(house: Installation, place: Path, tmp_path: Path) -> None:
    """What was settled, and what was not: also sites, salts and secrets are those of before, and so are the counts."""
    with closing(build.registry(house.settings)) as registry:
        registry.set_badge("s.example", True)
        today = SYSTEM.now() // SECOND
        before = registry.secret("dashboard"), registry.salts([datetime.fromtimestamp(today, UTC).date()])
    done = back_up(house, place)
    house.send(range(20, 30))
    house.settle()
    again = restored(place, tmp_path / "new")
    again.settle()
    assert again.rows() == list(range(20))
    assert again.status().accepted == again.status().settled == 20
    with closing(build.registry(again.settings)) as registry:
        assert (registry.secret("dashboard"), registry.salts([datetime.fromtimestamp(today, UTC).date()])) == before
        assert registry.snapshot().badges == {"s.example": 0}
        assert registry.backups() == {str(place): [done.stamp]}
    assert sum(len(path.read_bytes()) > 0 for path in (again.data / "files").rglob("*.json.gz")) == 2
    assert house.rows() == list(range(30))


def test_what_is_in_it_is_the_owners(house: Installation, place: Path, tmp_path: Path) -> None:
    """Salts and secrets are in it: nobody else may look, neither there nor at what is restored."""
    back_up(house, place)
    modes = {path: path.stat().st_mode & 0o077 for path in [place, *place.rglob("*")]}
    assert not [path for path, mode in modes.items() if mode]
    build.restore(Settings(data=tmp_path / "new"), str(place), silent)
    loose = [path for path in (tmp_path / "new").rglob("*") if path.stat().st_mode & 0o077 and path.name != "version"]
    assert not loose


def test_the_next_one_copies_only_what_is_new(
    house: Installation, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of the lake and closed segments that are there are not even read."""
    first = back_up(house, place)
    house.settle()
    read: list[str] = []
    add = Depot.add

    def watched(self: Depot, source: Any, scratch: Path) -> tuple[int, str]:
        read.append(source.name)
        return add(self, source, scratch)

    monkeypatch.setattr(Depot, "add", watched)
    house.send(range(20, 25))
    second = back_up(house, place)
    new = [path for path in map(Path, read) if path.suffix == ".parquet"]
    assert len(new) == 1
    assert second.files > first.files
    assert second.new_bytes < second.bytes
    read.clear()
    third = back_up(house, place)
    assert not read
    assert third.new_files <= 2  # the registry, which remembers the second, is never quite the same
    assert len({first.stamp, second.stamp, third.stamp}) == 3


def test_old_ones_go(house: Installation, place: Path, tmp_path: Path) -> None:
    """With what only they had; the others are whole, and the registry knows which are left."""
    stamps = [back_up(house, place).stamp]
    house.settle()
    stamps.append(back_up(house, place).stamp)
    house.send(range(20, 25))
    last = back_up(house, place, keep=2)
    assert last.removed == stamps[:1]
    assert last.freed > 0
    assert build.backups(str(place)) == [stamps[1], last.stamp]
    found = build.check_backups(str(place), silent)
    assert (found.whole, found.faults) == ([stamps[1], last.stamp], {})
    needed = {file.sha256 for stamp in found.whole for file in Depot(place).manifest(stamp).files}
    assert {path.name for path in (place / "pool").rglob("*") if path.is_file()} == needed
    older = restored(place, tmp_path / "older", at=stamps[1])
    older.settle()
    assert older.rows() == list(range(20))
    with closing(build.registry(house.settings)) as registry:
        assert registry.backups() == {str(place): [stamps[1], last.stamp]}


def test_a_clock_that_went_back(house: Installation, place: Path) -> None:
    """The backup made last is the newest, also by its name: it is not the one that goes."""
    first = back_up(house, place)
    later = depots.moment_of(first.stamp) + 7_200 * SECOND
    path = manifest(place)
    Depot(place).finish(
        Manifest(Depot(place).next_stamp(later), 0, folder.VERSION, "", Depot(place).manifest(path.stem).files)
    )
    last = back_up(house, place, keep=1)
    assert build.backups(str(place)) == [last.stamp]
    assert depots.moment_of(last.stamp) > later


def test_the_stream_forgot_meanwhile(
    house: Installation, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older consumer settles and removes what the copied lake does not have: all is copied again."""
    seen, tries = backups._seen, []

    def settled_and_gone(copier: Any, parts: backups.Parts) -> None:
        tries.append(1)
        if len(tries) == 1:
            house.settle()
            shutil.rmtree(next(path for path in partitions(house.data / "stream") if segments(path)))
            shutil.rmtree(partitions(house.data / "stream")[0])
        seen(copier, parts)

    monkeypatch.setattr(backups, "_seen", settled_and_gone)
    back_up(house, place)
    assert len(tries) == 2
    again = restored(place, tmp_path / "new")
    again.settle()
    assert again.rows() == list(range(20))
    assert again.status().missed == 0


def test_a_stream_that_always_forgets(house: Installation, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no backup then, and it is said why."""
    monkeypatch.setattr(backups, "_reaches_back", lambda *_: False)
    with pytest.raises(BackupError, match="faster"):
        back_up(house, place)
    assert build.backups(str(place)) == []


def test_while_a_replay_is_half_done(house: Installation, place: Path, tmp_path: Path) -> None:
    """A lake that a crash has left between two commits is copied as it is, and whoever opens the copy finishes it."""
    house.settle()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pixelake.warehouse.again._take_out", _crash)
        _make_a_reject_an_event(house)
    back_up(house, place)
    again = restored(place, tmp_path / "new")
    assert again.status().outcomes_hold
    assert build.lake_reader(again.settings).sums() == build.lake_reader(house.settings).sums()


def _crash(*_: object) -> None:
    raise KeyboardInterrupt


def _make_a_reject_an_event(house: Installation) -> None:
    from pixelake.warehouse.base import EVENTS, REJECTS, Outcome, Rejudged
    from pixelake.warehouse.schema import WITHHELD
    from tests.warehouse.outcomes import event, reject

    lake = Lake(house.data / "lake")
    rejects = pa.Table.from_pylist([reject("feedfeedfeed", 1)], REJECTS)
    lake.write(Outcome(EVENTS.empty_table(), rejects, WITHHELD.empty_table(), {"feedfeedfeed": 1}, {"feedfeedfeed": 1}))
    judged = pa.Table.from_pylist([event("feedfeedfeed", 1, event_id="77")], EVENTS)
    with pytest.raises(KeyboardInterrupt):
        lake.merge(Rejudged(judged, REJECTS.empty_table(), {"feedfeedfeed-1": "feedfeedfeed-1"}))
    assert lake._events.log.transactions[REPLAYED] == 1


def test_what_was_set_aside_comes_along(house: Installation, place: Path, tmp_path: Path) -> None:
    """Which hits are lost is told by the restored folder too."""
    settled = build.lake_reader(house.settings).progress()
    [path] = [path for each in partitions(house.data / "stream") if each.name not in settled for path in segments(each)]
    with closing(segment.connect(path, write=True)) as connection:
        connection.execute("update groups set data = x'00' where first = 6")
    house.settle()
    before = house.status()
    assert before.missed == 5
    back_up(house, place)
    again = restored(place, tmp_path / "new")
    assert again.status().missed == 5
    assert [Path(path).name for path in again.status().evidence] == [Path(path).name for path in before.evidence]


def test_places_that_cannot_be(house: Installation, place: Path, tmp_path: Path) -> None:
    """Inside of what is copied, a file, a folder of somebody else's, one of a newer version: nothing is written."""
    (tmp_path / "file").write_text("")
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "letter.txt").write_text("")
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / depots.MARKER).write_text("2\n")
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / depots.MARKER).write_text("9" * 5_000)
    cases = {
        house.data / "backups": "inside",
        house.data: "inside",
        house.data / "stream" / "x": "inside",
        tmp_path / "file": "no folder",
        strange: "letter.txt",
        newer: "newer version",
        damaged: "is damaged",
    }
    for path, why in cases.items():
        with pytest.raises(BackupError, match=why):
            back_up(house, path)
    assert {path.name for path in strange.iterdir()} == {"letter.txt"}
    assert not (house.data / "backups").exists()
    with pytest.raises(SettingsError):
        build.backup(house.settings, "ftp://x/y", silent)
    with pytest.raises(SettingsError):  # it would be the folder that one happens to stand in
        build.backup(house.settings, "", silent)


def test_two_at_once(house: Installation, place: Path) -> None:
    """The second is refused."""
    with Depot(place).writing(), pytest.raises(BackupError, match="under way"):
        back_up(house, place)
    back_up(house, place)


def test_a_disk_that_is_full(house: Installation, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with a hint; the backup before is whole, and with room again the next one is made."""
    first = back_up(house, place)
    house.settle()
    house.send(range(20, 30))
    full = depots.pour

    def pour(source: Any, target: Any, *more: Any) -> tuple[int, str]:
        if target is not None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "copy")
        return full(source, target, *more)

    monkeypatch.setattr(depots, "pour", pour)
    with pytest.raises(BackupError, match="No space left") as caught:
        back_up(house, place)
    assert "--keep" in caught.value.hint
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert build.check_backups(str(place), silent).whole == [first.stamp]
    with closing(build.registry(house.settings)) as registry:  # what was begun may still hold somebody
        assert first.stamp in registry.backups()[str(place)]
    assert back_up(house, place).stamp in build.check_backups(str(place), silent).whole
    assert not list(place.glob(f"{depots.SCRATCH}*"))


def test_the_reserve_is_the_collectors(house: Installation, place: Path, tmp_path: Path) -> None:
    """On the disk of the stream a backup leaves free what the collector needs."""
    poor = Settings(data=house.data, disk_reserve=1 << 60)
    with pytest.raises(BackupError, match="collector"):
        build.backup(poor, str(place), silent)


def test_what_a_killed_one_has_left(house: Installation, place: Path, tmp_path: Path) -> None:
    """No manifest, some files: the next backup uses and removes them."""
    back_up(house, place)
    manifest(place).unlink()
    (place / f"{depots.SCRATCH}dead").mkdir()
    (place / f"{depots.SCRATCH}dead" / "copy").write_bytes(b"half")
    done = back_up(house, place)
    assert done.new_bytes < done.bytes
    assert not list(place.glob(f"{depots.SCRATCH}*"))
    assert build.check_backups(str(place), silent).whole == [done.stamp]


# --- restore ---


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [Path.unlink, _cut, _flip], ids=["missing", "short", "a bit"])
@pytest.mark.parametrize("kind", [".parquet", "registry.sqlite", "json"])
def test_a_damaged_file(
    house: Installation, place: Path, tmp_path: Path, harm: Callable[[Path], None], kind: str
) -> None:
    """One line that names it; nothing is left that looks like a data folder; a check names the backup."""
    done = back_up(house, place)
    files = Depot(place).manifest(done.stamp).files
    victim = next(file for file in files if file.path.endswith(kind))
    path = place / "pool" / victim.sha256[:2] / victim.sha256
    harm(path)
    with pytest.raises(BackupError) as caught:
        restored(place, tmp_path / "new")
    assert victim.path in str(caught.value)
    assert "--at" in caught.value.hint
    assert not (tmp_path / "new").exists()
    found = build.check_backups(str(place), silent)
    assert found.whole == []
    assert victim.path in found.faults[done.stamp]


def test_a_damaged_file_heals(house: Installation, place: Path) -> None:
    """What lacks bytes in the pool is copied anew by the next backup, although its source has not changed."""
    back_up(house, place)
    _cut(max((path for path in (place / "pool").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size))
    done = back_up(house, place)
    assert done.stamp in build.check_backups(str(place), silent).whole


@pytest.mark.parametrize(
    "harm", [_cut, _flip, lambda path: path.write_bytes(b""), lambda path: path.write_bytes(b"[1]")]
)
def test_a_damaged_manifest(house: Installation, place: Path, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    """The same; another backup may be named, and nothing is removed from the pool by guesswork."""
    first = back_up(house, place)
    last = back_up(house, place)
    harm(manifest(place))
    with pytest.raises(BackupError, match="damaged"):
        restored(place, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    found = build.check_backups(str(place), silent)
    assert found.whole == [first.stamp]
    assert list(found.faults) == [last.stamp]
    before = {path.name for path in (place / "pool").rglob("*")}
    with pytest.raises(BackupError, match="damaged"):
        back_up(house, place, keep=2)
    assert before <= {path.name for path in (place / "pool").rglob("*")}
    assert restored(place, tmp_path / "new", at=first.stamp).status().accepted == 20


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "stream/../../x", "", ".", "stream//x", "stream/./x", "elsewhere/x", "version", "a\0b"]
)
def test_names_that_lead_elsewhere(tmp_path: Path, path: str) -> None:
    """A manifest is believed nothing that leads out of the folder, or to what no backup has."""
    place = tmp_path / "backups"
    with Depot(place).writing():
        pass
    files = (File(path, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),)
    Depot(place).finish(Manifest("20261121T000000Z", 0, folder.VERSION, "", files))
    with pytest.raises(BackupError):
        restored(place, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "x").exists()


def test_targets_that_cannot_be(house: Installation, place: Path, tmp_path: Path) -> None:
    """Only into an empty folder; nothing in another is touched."""
    back_up(house, place)
    (tmp_path / "file").write_text("")
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    cases = {tmp_path / "file": "no folder", full: "letter.txt", house.data: "not empty", place / "x": "among"}
    for path, why in cases.items():
        with pytest.raises(BackupError, match=why):
            build.restore(Settings(data=path), str(place), silent)
    assert (full / "letter.txt").read_text() == "dear"
    assert {path.name for path in full.iterdir()} == {"letter.txt"}
    assert house.status().accepted == 20
    with pytest.raises(SettingsError, match="below"):
        build.restore(Settings(data=tmp_path / "new", lake="s3://bucket/lake"), str(place), silent)
    with pytest.raises(BackupError, match="no backup 1999"):
        restored(place, tmp_path / "new", at="1999")
    with pytest.raises(BackupError, match="no backups"):
        build.restore(Settings(data=tmp_path / "new"), str(full), silent)


def test_an_empty_folder_that_is_there(house: Installation, place: Path, tmp_path: Path) -> None:
    """Such as a fresh disk that is mounted; it stays if the restore fails."""
    back_up(house, place)
    target = tmp_path / "disk"
    (target / "lost+found").mkdir(parents=True)
    assert restored(place, target).status().accepted == 20
    other = tmp_path / "other"
    other.mkdir()
    shutil.rmtree(place / "pool")
    with pytest.raises(BackupError):
        restored(place, other)
    assert list(other.iterdir()) == []


def test_one_that_was_cut_short_is_begun_again(house: Installation, place: Path, tmp_path: Path) -> None:
    """Killed while it copied, or while it moved things to their places: no server starts there, and a restore does."""
    back_up(house, place)
    for left in (("stream",), ("stream", "lake", "live")):
        target = tmp_path / f"new-{len(left)}"
        (target / ".restoring" / "registry").mkdir(parents=True)
        (target / ".restoring" / "version").write_text("3\n")
        for name in left:
            (target / name).mkdir()
            (target / name / "half").write_text("half")
        with pytest.raises(PixelakeError):
            folder.existing(target)
        again = restored(place, target)
        again.settle()
        assert again.rows() == list(range(20))
        assert not list(target.rglob("half"))
        assert not (target / ".restoring").exists()


def test_a_failure_behind_the_copy(
    house: Installation, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If what must be done before anybody uses it cannot be done, nobody gets it."""
    back_up(house, place)

    def fail(*_: object) -> None:
        raise BackupError("no")

    monkeypatch.setattr("pixelake.build.restoring._finish", fail)
    with pytest.raises(BackupError):
        restored(place, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_two_restores_at_once(house: Installation, place: Path, tmp_path: Path) -> None:
    """The second is refused, and does not disturb the first."""
    back_up(house, place)
    target = tmp_path / "new"

    def meanwhile(_: Path) -> Any:
        with pytest.raises(FolderInUse):
            build.restore(Settings(data=target), str(place), silent)
        from pixelake.operate.restore import Finished

        return Finished()

    from pixelake.operate.restore import restore

    restore(place, target, silent, meanwhile)
    assert folder.existing(target)


def test_versions(house: Installation, place: Path, tmp_path: Path) -> None:
    """A newer version's is refused; an older one's keeps its version, and is migrated at the next start."""
    done = back_up(house, place)
    found = Depot(place).manifest(done.stamp)
    for version in (folder.VERSION + 1, folder.VERSION - 1):
        stamp = Depot(place).next_stamp(SYSTEM.now())
        Depot(place).finish(Manifest(stamp, 0, version, "", found.files))
        if version > folder.VERSION:
            with pytest.raises(FolderVersion, match="newer"):
                restored(place, tmp_path / "new")
            assert not (tmp_path / "new").exists()
    build.restore(Settings(data=tmp_path / "new"), str(place), silent)
    assert (tmp_path / "new" / "version").read_text() == f"{folder.VERSION - 1}\n"


def test_salts_that_are_due_are_gone(house: Installation, place: Path, tmp_path: Path) -> None:
    """At once: the folder waited long enough. Those that are not due are there."""
    old, today = datetime.now(UTC).date() - timedelta(days=30), datetime.now(UTC).date()
    database = sqlite3.connect(house.data / "registry" / "registry.sqlite")
    with closing(database), database:
        database.execute("insert into salts values (?, ?)", (old.isoformat(), b"s" * 32))
    with closing(build.registry(house.settings)) as registry:
        kept = registry.salts([today])
    back_up(house, place)
    done = build.restore(Settings(data=tmp_path / "new"), str(place), silent)
    assert done.salts == 1
    assert b"s" * 32 not in (tmp_path / "new" / "registry" / "registry.sqlite").read_bytes()
    with closing(build.registry(Settings(data=tmp_path / "new"))) as registry:
        assert registry.salts([today]) == kept
        assert not registry.salts([old])


def test_what_is_told(house: Installation, place: Path) -> None:
    """The names are an interface, and fit into JSON."""
    told: list[tuple[int, int]] = []
    done = build.backup(house.settings, str(place), lambda *each: told.append(each))
    assert json.loads(json.dumps(done.as_dict()))["files"] == done.files
    assert told[-1][0] == done.bytes
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert "MB" in backups.as_text(done)


def test_erased_people_do_not_come_back(house: Installation, place: Path, tmp_path: Path) -> None:
    """Whoever was erased since the backup is erased again before anybody gets the folder; others are all there."""
    from pixelake.operate.person import Person

    house.settle()
    done = back_up(house, place)
    build.erase(house.settings, Person("user", "u3"), lambda *_: None)
    assert (place / "erasures.jsonl").exists()
    restored_from = build.restore(Settings(data=tmp_path / "new"), str(place), silent, done.stamp)
    assert restored_from.erasures == 1
    again = Installation(tmp_path / "new")
    again.settle()
    assert again.rows() == [number for number in range(20) if number % 7 != 3]
    assert again.status().removed == 3
    assert (tmp_path / "new" / "registry" / "erasures.jsonl").exists()


def test_who_came_back_after_an_erasure_stays(house: Installation, place: Path, tmp_path: Path) -> None:
    """What a backup holds of somebody who was erased before it was begun came later, and is whole after a restore."""
    from pixelake.operate.person import Person

    house.settle()
    first = back_up(house, place)
    build.erase(house.settings, Person("user", "u3"), lambda *_: None)
    house.send([24])
    house.settle()
    house.send([31])
    back_up(house, place)
    left = [number for number in range(20) if number % 7 != 3]
    assert build.restore(Settings(data=tmp_path / "newer"), str(place), silent).erasures == 0
    newer = Installation(tmp_path / "newer")
    newer.settle()
    assert newer.rows() == [*left, 24, 31]
    assert build.restore(Settings(data=tmp_path / "older"), str(place), silent, first.stamp).erasures == 1
    older = Installation(tmp_path / "older")
    older.settle()
    assert older.rows() == left


def test_an_erasure_while_it_copies(
    house: Installation, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is done before the registry is copied, and behind the rest, is done again: what was copied has them."""
    from pixelake.operate.person import Person

    house.settle()
    registry = backups._registry
    back_up(house, place)  # so that the place is known
    monkeypatch.setattr(backups.vacuum, "hold", lambda _: nullcontext())  # as in a bucket

    def erased(copier: copies.Copier, parts: backups.Parts) -> None:
        build.erase(house.settings, Person("user", "u3"), lambda *_: None)
        registry(copier, parts)

    monkeypatch.setattr(backups, "_registry", erased)
    back_up(house, place)
    assert build.restore(Settings(data=tmp_path / "new"), str(place), silent).erasures == 1
    again = Installation(tmp_path / "new")
    again.settle()
    assert again.rows() == [number for number in range(20) if number % 7 != 3]


def test_a_name_that_is_no_text(house: Installation, place: Path) -> None:
    """No manifest can hold it: it is told which one, and no backup is made that would lack it."""
    lists = house.data / "lists"
    lists.mkdir()
    for name in (b"\xff.txt", b"a\nb.txt"):
        strange = lists / os.fsdecode(name)
        strange.write_text("")
        with pytest.raises(BackupError, match="has the name"):
            back_up(house, place)
        strange.unlink()
    assert not list(place.glob("*.json"))


def test_a_name_that_is_no_moment(house: Installation, place: Path) -> None:
    """A file that only looks like a backup is none."""
    done = back_up(house, place)
    (place / "20269999T999999Z.json").write_text("{}")
    assert build.backups(str(place)) == [done.stamp]
    assert back_up(house, place).stamp > done.stamp


def test_a_database_is_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever others commit between two steps: they neither wait, nor are they seen, nor is anything begun again."""
    path = tmp_path / "live.sqlite"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("pragma journal_mode = wal")
    writer.execute("create table t(n integer, data blob)")
    writer.executemany("insert into t values (?, randomblob(5000))", [(n,) for n in range(1_000)])
    steps: list[int] = []

    def step(_: int) -> None:
        steps.append(1)
        writer.execute("insert into t values (?, randomblob(5000))", (1_000 + len(steps),))
        writer.execute("pragma wal_checkpoint(passive)").fetchall()

    monkeypatch.setattr(copies, "put_down", step)
    monkeypatch.setattr(copies, "PACE", 1 << 16)
    depot = Depot(tmp_path / "backups")
    with depot.writing() as scratch:
        copier = copies.Copier(depot, scratch, before={}, room=lambda _: None, told=silent, total=0)
        count = copier.database(
            "live/live.sqlite", path, lambda copy: copy.execute("select count(*) from t").fetchone()[0]
        )
    writer.close()
    assert count == 1_000
    assert 50 < len(steps) < 200


@pytest.mark.parametrize("room", [24 << 10, 64 << 10, 128 << 10])
def test_a_real_disk_that_is_full(house: Installation, tmp_path: Path, room: int) -> None:
    """Wherever it comes to its end: one line with a hint, no backup, nothing half; and with room it is made."""
    with small_disk(tmp_path / "disk", room) as disk:
        with pytest.raises(BackupError) as caught:
            back_up(house, disk / "backups")
        assert "--keep" in caught.value.hint
        assert "\n" not in str(caught.value)
        assert not list((disk / "backups").glob("*Z.json"))
        assert not list((disk / "backups").glob(f"{depots.SCRATCH}*"))
        subprocess.run(["mount", "-o", f"remount,size={64 << 20}", str(disk)], check=True)
        done = back_up(house, disk / "backups")
        assert build.check_backups(str(disk / "backups"), silent).whole == [done.stamp]


def test_a_restore_to_a_full_disk(house: Installation, place: Path, tmp_path: Path) -> None:
    """It is said before anything is written, and nothing is left."""
    back_up(house, place)
    with small_disk(tmp_path / "disk", 300 << 10) as disk:
        with pytest.raises(BackupError, match="room") as caught:
            restored(place, disk / "new")
        assert caught.value.hint
        assert not (disk / "new").exists()


@contextmanager
def small_disk(folder: Path, room: int) -> Iterator[Path]:
    """A disk of so many bytes."""
    if os.geteuid() or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and root")
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={room}", "pixelake-test", str(folder)]
    mounted = subprocess.run(words, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
