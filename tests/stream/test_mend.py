"""Damaged segments: never a wrong hit, never a reader that stops, and what is lost is known."""

import asyncio
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pixelake.clock import SECOND
from pixelake.disk import sync
from pixelake.errors import StreamError, StreamUnavailable
from pixelake.hit import Hit
from pixelake.stream import mend, segment
from pixelake.stream.base import Position
from pixelake.stream.groups import DAMAGED, Committed
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.stream.sqlite_watcher import SqliteWatcher
from pixelake.testing import FakeClock
from tests.hits import append, drain, hits, numbers

PAGE = 4_096
LATER = 1_800_000_000 * SECOND
"""µs UTC, behind the time of a fake clock."""
SEGMENTS = (0, 1, 2)
"""The damaged partition has so many."""


def _noise(start: int, count: int) -> list[Hit]:
    """Hits that do not compress, so that a row of some of them is on several pages."""
    bits = random.Random(start)
    return [
        Hit.of(1_000_000 + n, "", "", "POST", b"/?n=%d" % n, b"", bits.randbytes(bits.choice([10, 500, 9_000])))
        for n in range(start, start + count)
    ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream of two partitions; that of ``N_HITS`` hits, in three segments, is the first in `_victim`."""
    stream = tmp_path_factory.mktemp("original") / "stream"
    writer = SqliteWriter(stream, segment_bytes=100_000)
    for start in range(0, N_HITS, 5):
        append(writer, _noise(start, 5))
    asyncio.run(writer.close())
    append(SqliteWriter(stream), hits(N_HITS, 20), close=True)
    assert len(_victim(stream)) == len(SEGMENTS)
    return stream


N_HITS = 90


def _victim(stream: Path) -> list[Path]:
    """The segments of the larger partition."""
    return max((segment.segments(folder) for folder in segment.partitions(stream)), key=len)


def _read_all(stream: Path) -> tuple[dict[Position, Hit], list[int], int]:
    """What a reader gets: hits of the damaged partition by position, numbers of the other's, errors on the way."""
    reader = SqliteReader(stream, "g", clock=FakeClock())
    victim = _victim(stream)[0].parent.name
    found: dict[Position, Hit] = {}
    others: list[int] = []
    errors = 0
    for _ in range(60):
        try:
            batch = reader.read(7, 0)
        except StreamError:
            errors += 1
            continue
        if batch is None:
            break
        if batch.partition != victim:
            others += numbers([batch])
            continue
        for place, hit in zip(batch.positions, batch.hits, strict=True):
            assert place not in found, "a position came twice"
            found[place] = hit
    reader.close()
    return found, others, errors


def _check(stream: Path) -> None:
    """Every hit that is read is the one that was written, all others are known to be lost; the rest is whole."""
    folder = _victim(stream)[0].parent
    found, others, errors = _read_all(stream)
    written = dict(enumerate(_noise_of_all(), 1))
    assert all(hit == written[place] for place, hit in found.items())
    assert others == list(range(N_HITS, N_HITS + 20))
    notes = mend.notes(folder)
    lost = [place for note in notes.values() for first, last in note.lost for place in range(first, last + 1)]
    missing = sorted(written.keys() - found.keys())
    if errors or any(note.more for note in notes.values()):  # held back: looks like a copy; or the end cannot be read
        assert set(lost) <= set(missing)
    else:
        assert sorted(lost) == missing
    assert all((path / note.segment).exists() for path, note in notes.items())
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == folder.name]
    assert len(extent.set_aside) == len(notes)


def _noise_of_all() -> list[Hit]:
    return [hit for start in range(0, N_HITS, 5) for hit in _noise(start, 5)]


def _change(path: Path, change: Callable[[bytearray], None]) -> None:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


@pytest.fixture
def stream(original: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(original, tmp_path / "stream")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Room for one copy an example."""
    return tmp_path_factory.mktemp("scratch")


@settings(max_examples=100)
@given(which=st.sampled_from(SEGMENTS), place=st.integers(0, 1 << 20), mask=st.binary(min_size=1, max_size=9))
@example(which=2, place=18, mask=b"\1\1")  # no WAL file any more, it says
@example(which=1, place=60, mask=b"\7\7\7\7")  # the version
@example(which=0, place=2 * PAGE - 3, mask=b"\xff\xff\xff")
def test_changed_bytes(original: Path, scratch: Path, which: int, place: int, mask: bytes) -> None:
    """Bytes that were changed anywhere in a segment never make a wrong hit, and what they cost is known."""
    stream = shutil.copytree(original, scratch / "stream")
    try:
        path = _victim(stream)[which]

        def change(data: bytearray) -> None:
            for offset, bits in enumerate(mask, place):
                data[offset % len(data)] ^= bits

        _change(path, change)
        _check(stream)
    finally:
        shutil.rmtree(stream)


@pytest.mark.parametrize("which", SEGMENTS)
def test_every_byte_of_the_pages_that_hold_it_together(original: Path, scratch: Path, which: int) -> None:
    """Header, schema, and the keys of the tree: a bit at every 101st place of the first three pages."""
    for offset in range(which, 3 * PAGE, 101):
        stream = shutil.copytree(original, scratch / "stream")
        path = _victim(stream)[which]
        _change(path, lambda data, offset=offset: data.__setitem__(offset, data[offset] ^ 1 << offset % 8))
        _check(stream)
        shutil.rmtree(stream)


@pytest.mark.parametrize("which", SEGMENTS)
@pytest.mark.parametrize("page", [0, 1, 3, 9, -1])
def test_a_page_of_zeros(stream: Path, which: int, page: int) -> None:
    """A sector that comes back empty."""

    def change(data: bytearray) -> None:
        start = page * PAGE % len(data)
        data[start : start + PAGE] = bytes(PAGE)

    _change(_victim(stream)[which], change)
    _check(stream)


@pytest.mark.parametrize("which", SEGMENTS)
@pytest.mark.parametrize("size", [0, 100, PAGE, 3 * PAGE, 40_000, -1, -PAGE])
def test_a_file_that_was_cut_off(stream: Path, which: int, size: int) -> None:
    """Its end is missing, or all of it."""
    path = _victim(stream)[which]
    os.truncate(path, size % path.stat().st_size)
    _check(stream)


def _damage_row(path: Path, first: Position) -> None:
    with sqlite3.connect(path) as other:
        other.execute("UPDATE groups SET data = zeroblob(99) WHERE first = ?", (first,))
    other.close()


def test_what_is_around_a_damaged_row_goes_on(stream: Path) -> None:
    """Only its own hits are lost; the segment is kept as it was found."""
    path = _victim(stream)[1]
    first = int(path.stem) + 5
    _damage_row(path, first)
    before = path.read_bytes()
    found, _, errors = _read_all(stream)
    assert errors == 0
    assert sorted(set(range(1, N_HITS + 1)) - found.keys()) == list(range(first, first + 5))
    [(aside, note)] = mend.notes(path.parent).items()
    assert (note.lost, note.more) == ([(first, first + 4)], False)
    assert (aside / path.name).read_bytes() == before
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (extent.first, extent.last, list(extent.lost)) == (1, N_HITS, [(first, first + 4)])
    assert list(extent.set_aside) == [str(aside)]


def test_hits_lost_at_the_end_are_counted(stream: Path) -> None:
    """The last row of all is damaged: nothing comes behind it that would show the gap."""
    path = _victim(stream)[-1]
    _damage_row(path, N_HITS - 4)
    _read_all(stream)
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (extent.last, list(extent.lost)) == (N_HITS, [(N_HITS - 4, N_HITS)])


def test_damage_is_seen_before_anybody_reads(stream: Path) -> None:
    """The watcher works beside a stream that nobody drains, and names the file."""
    path = _victim(stream)[-1]
    os.truncate(path, 0)
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (extent.first, extent.last) == (1, int(path.stem) - 1)
    assert list(extent.damaged) == [str(path)]
    assert SqliteWatcher(stream).received_at(path.parent.name, N_HITS) is None


def test_a_missing_end_is_noticed_by_the_next_segment(stream: Path) -> None:
    """Rows that are simply not there: each that is there is whole, but positions have no gaps."""
    path = _victim(stream)[0]
    following = int(_victim(stream)[1].stem)
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM groups WHERE last = ?", (following - 1,))
    other.close()
    found, _, errors = _read_all(stream)
    assert (len(found), errors) == (N_HITS - 5, 0)
    [note] = mend.notes(path.parent).values()
    assert note.lost == [(following - 5, following - 1)]


def test_its_owner_begins_anew(tmp_path: Path) -> None:
    """A segment that is still written to: what was answered for is there, and nothing is answered for that is not."""
    stream, clock = tmp_path / "stream", FakeClock()
    writer = SqliteWriter(stream, clock=clock)
    for start in range(0, 30, 10):
        append(writer, hits(start, 10))
    [path] = _victim(stream)
    _damage_row(path, 11)
    reader = SqliteReader(stream, "g", clock=FakeClock())
    assert numbers(drain(reader)) == [*range(10), *range(20, 30)]
    with pytest.raises(StreamUnavailable):
        append(writer, hits(30, 10))
    clock.advance(2)
    append(writer, hits(40, 10), close=True)
    again = sorted(numbers(drain(SqliteReader(stream, "other"))))
    assert again == [*range(10), *range(20, 30), *range(40, 50)]


def test_two_readers_find_the_same_damage(stream: Path) -> None:
    """It is set aside once, and both go on."""
    path = _victim(stream)[0]
    _damage_row(path, 6)
    first, second = (SqliteReader(stream, group, clock=FakeClock()) for group in "ab")
    assert first.read(2, 0) is not None
    found = [len(drain_all(reader)) for reader in (second, first)]
    assert found == [N_HITS - 5 + 20, N_HITS - 5 + 20 - 2]
    assert len(mend.notes(path.parent)) == 1


def drain_all(reader: SqliteReader) -> list[Hit]:
    """All hits that are there."""
    return [hit for batch in drain(reader) for hit in batch.hits]


@pytest.mark.parametrize("how_far", ["nothing moved", "moved"])
def test_a_crash_while_it_is_set_aside(stream: Path, how_far: str) -> None:
    """Whoever comes next goes on with it; nothing is skipped meanwhile."""
    path = _victim(stream)[-1]
    damaged = int(path.stem) + 5
    _damage_row(path, damaged)
    part = path.parent / mend.DAMAGED / f"20260210T210000-000001-1{mend.PART}"
    part.mkdir(parents=True)
    if how_far != "nothing moved":
        path.rename(part / path.name)
    _check(stream)
    lost = [place for note in mend.notes(path.parent).values() for place in note.lost]
    assert lost == [(damaged, damaged + 4)]
    assert mend.under_way(path.parent) == []


class _Crash(BaseException):
    """The end of a process, as far as what is on the disk goes."""


@contextmanager
def _crash_at(step: int) -> Iterator[list[str]]:
    """Crash before that step, counted from 0: a segment that is made, a rename, a sync, a folder that is removed.

    The list that is returned tells the steps that were done.
    """
    done: list[str] = []
    with pytest.MonkeyPatch.context() as patch:

        def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
            def act(*args: object, **options: object) -> object:
                if len(done) == step:
                    raise _Crash
                done.append(name)
                return real(*args, **options)

            return act

        patch.setattr(segment, "create", counted("create", segment.create))
        patch.setattr(Path, "rename", counted("rename", Path.rename))
        patch.setattr("pixelake.stream.mend.sync", counted("sync", sync))
        patch.setattr(shutil, "rmtree", counted("rmtree", shutil.rmtree))
        yield done


@pytest.mark.parametrize("newest", [False, True])
@pytest.mark.parametrize("again", [None, 4, 12])
def test_a_crash_at_every_step(original: Path, tmp_path: Path, newest: bool, again: int | None) -> None:
    """Of three runs none is lost or comes twice, wherever the crash was, and wherever a second one is."""
    step, steps = 0, None
    while steps is None:
        stream = tmp_path / str(step)
        folder = shutil.copytree(_victim(original)[0].parent, stream / _victim(original)[0].parent.name)
        _, path, following = segment.segments(folder)
        begin, end = int(path.stem), int(following.stem) - 1 if newest else N_HITS
        if newest:
            segment.unlink(following)
        lost = [(place, place + 4) for place in (begin + 5, begin + 15, int(following.stem) - 5)]
        for first, _ in lost:
            _damage_row(path, first)
        with suppress(_Crash), _crash_at(step) as done:
            mend.set_aside(path, FakeClock())
            steps = done
        if again is not None:
            with suppress(_Crash), _crash_at(again):
                mend.resume(folder)
        found, _, errors = _read_all(stream)
        missing = {place for first, last in lost for place in range(first, last + 1)}
        assert (errors, set(found)) == (0, set(range(1, end + 1)) - missing)
        assert [place for note in mend.notes(folder).values() for place in note.lost] == lost
        assert mend.under_way(folder) == []
        assert not list(folder.rglob(mend.RUNS))
        shutil.rmtree(stream)
        step += 1
    assert steps.count("create") == 3
    assert steps.count("rename") == 9  # the segment, each run when it is whole and into its place, the note, the folder


def test_a_second_segment_waits_for_the_first(stream: Path) -> None:
    """What is half set aside is not taken for missing by whoever sets its neighbour aside."""
    before, path = _victim(stream)[:2]
    _damage_row(path, int(path.stem))
    _damage_row(before, 1)
    with _crash_at(4), pytest.raises(_Crash):
        mend.set_aside(path, FakeClock())
    assert mend.under_way(path.parent) != []
    assert mend.set_aside(before, FakeClock(LATER))
    lost = sorted(place for note in mend.notes(path.parent).values() for place in note.lost)
    assert lost == [(1, 5), (int(path.stem), int(path.stem) + 4)]
    _check(stream)


def test_an_unknown_loss_is_told(stream: Path) -> None:
    """The beginning of the newest segment is destroyed: nobody knows how many hits it had."""
    path = _victim(stream)[-1]
    _change(path, lambda data: data.__setitem__(slice(PAGE), bytes(PAGE)))
    _read_all(stream)
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (list(extent.lost), extent.lost_behind) == ([], int(path.stem) - 1)
    assert list(extent.evidence) == list(extent.set_aside) != []


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"segment": 1}', b'"\xff"', bytes(9)])
@pytest.mark.parametrize("which", SEGMENTS)
def test_a_damaged_note(stream: Path, which: int, data: bytes) -> None:
    """Readers get what there is, and the loss that it told of is one that nobody knows."""
    path = _victim(stream)[which]
    first = int(path.stem) + 5
    _damage_row(path, first)
    _read_all(stream)
    [aside] = mend.notes(path.parent)
    (aside / mend.NOTE).write_bytes(data)
    note = mend.notes(path.parent)[aside]
    assert (note.segment, note.lost, note.more, note.end) == (path.name, [], True, int(path.stem) - 1)
    again = SqliteReader(stream, "again", clock=FakeClock(LATER))
    assert len(drain_all(again)) == N_HITS - 5 + 20
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (extent.last, extent.lost_behind) == (N_HITS, int(path.stem) - 1)
    assert str(aside) in extent.evidence


@pytest.mark.parametrize("beside_damage", [False, True])
@pytest.mark.parametrize("version", [3, 4, 255])
def test_hits_of_a_newer_version_are_no_damage(stream: Path, version: int, beside_damage: bool) -> None:
    """Their partition is held back, whatever else is in it, until somebody comes who can read them."""
    path = _victim(stream)[1]
    if beside_damage:
        _damage_row(path, int(path.stem))
    newer = int(path.stem) + 10
    with closing(segment.connect(path, write=True)) as other:
        (data,) = other.execute("SELECT data FROM groups WHERE first = ?", (newer,)).fetchone()
        other.execute("UPDATE groups SET data = ? WHERE first = ?", (bytes([version]) + data[1:], newer))
    before = path.read_bytes()
    found, others, errors = _read_all(stream)
    assert errors == 1
    assert len(others) == 20
    assert sorted(found) == list(range(1, len(found) + 1))
    assert path.read_bytes() == before
    assert not (path.parent / mend.DAMAGED).exists()
    with closing(segment.connect(path, write=True)) as other:
        other.execute("UPDATE groups SET data = ? WHERE first = ?", (data, newer))
    assert len(_read_all(stream)[0]) == N_HITS - 5 * beside_damage


def test_others_wait_while_it_is_set_aside(stream: Path) -> None:
    """A segment that is out of its place for a moment is not taken for one that is lost."""
    from pixelake.disk import Flock

    path = _victim(stream)[1]
    _damage_row(path, int(path.stem) + 5)
    part = path.parent / mend.DAMAGED / f"20260210T210000-000001-1{mend.PART}"
    part.mkdir(parents=True)
    path.rename(part / path.name)
    busy = Flock(path.parent / "mend.lock")
    assert busy.acquire()
    reader = SqliteReader(stream, "g", clock=FakeClock())
    assert len(drain_all(reader)) < N_HITS
    [extent] = [each for each in SqliteWatcher(stream).extents() if each.partition == path.parent.name]
    assert (extent.first, extent.last, list(extent.damaged)) == (1, N_HITS, [str(part / path.name)])
    busy.release()
    drain_all(reader)
    reader.close()
    assert len(_read_all(stream)[0]) == N_HITS - 5


def test_what_was_set_aside_is_never_removed(tmp_path: Path) -> None:
    """Retention takes the hits and leaves the evidence, and with it the sums."""
    stream, clock = tmp_path / "stream", FakeClock()
    writer = SqliteWriter(stream)
    append(writer, hits(0, 10))
    append(writer, hits(10, 10), close=True)
    [path] = _victim(stream)
    _damage_row(path, 1)
    reader = SqliteReader(stream, "g", retention=1, clock=clock)
    drain(reader)
    clock.advance(1e9)
    reader.commit({path.parent.name: 20})
    [extent] = SqliteWatcher(stream).extents()
    assert extent.first > extent.last
    assert len(extent.set_aside) == 1
    assert segment.segments(path.parent) == []
    shutil.rmtree(path.parent / mend.DAMAGED)
    clock.advance(100)
    reader.commit({path.parent.name: 20})
    assert not path.parent.exists()


@pytest.mark.parametrize("size", [0, 50, 4_000, 8_192])
def test_damaged_positions_of_readers(stream: Path, size: int) -> None:
    """The file of the groups is set aside, and reading begins where the sinks say."""
    reader = SqliteReader(stream, "g")
    reader.commit({"a": 5})
    reader.close()
    path = stream / "groups.sqlite"
    path.write_bytes(b"\xff" * size)
    committed = Committed(stream, "g")
    assert committed.get("a") == 0
    committed.put({"a": 7})
    assert committed.lowest("a") == 7
    committed.close()
    assert (stream / DAMAGED).exists() == bool(size)


def test_a_segment_of_a_newer_version_is_left_alone(original: Path, tmp_path: Path) -> None:
    """It is no damage: nothing is set aside, the others go on, and the operator is told which program to run."""
    stream = shutil.copytree(original, tmp_path / "stream")
    path = _victim(stream)[0]
    with closing(segment.connect(path, write=True)) as connection:
        connection.execute(f"PRAGMA user_version={segment.SCHEMA_VERSION + 1}")
    reader = SqliteReader(stream, "group", retention=1e12)
    found, said = [], []
    for _ in range(30):
        try:
            if (batch := reader.read(100, 0)) is not None:
                found += numbers([batch])
        except StreamError as error:
            said.append(error)
    reader.close()
    assert "newer version" in str(said[0])
    assert said[0].__cause__
    assert path.exists()
    assert not mend.notes(path.parent)
    assert sorted(found) == list(range(N_HITS, N_HITS + 20))


def test_a_version_that_cannot_be_is_damage(original: Path, tmp_path: Path) -> None:
    """No program will ever have written it: the segment is set aside, and all that it holds comes."""
    stream = shutil.copytree(original, tmp_path / "stream")
    path = _victim(stream)[0]
    with closing(segment.connect(path, write=True)) as connection:
        connection.execute("PRAGMA user_version=1234567")
    reader = SqliteReader(stream, "group", retention=1e12)
    batches = drain(reader)
    reader.close()
    assert len(mend.notes(path.parent)) == 1
    assert sum(len(batch.hits) for batch in batches) == N_HITS + 20
