"""Which files are compacted together: few are left, none is written anew for ever, and it comes to an end."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.packing import CLOSED_LEFT, LIMITS, OPEN_FILES, OPEN_LEFT, Job, is_packed, plan

DAY = "year=2026/month=02/day=10"
NOON = datetime(2026, 2, 10, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(days=3)
KB, MB = 1 << 10, 1 << 20


class Table:
    """Files by their sizes only, compacted as if by a compaction.

    Attributes:
        log: what the policy looks at.
        written: bytes that compactions wrote.
    """

    def __init__(self, shrinks: float = 2.3) -> None:
        self.log, self.written = DeltaLog(Path("/nowhere/events")), 0
        self._shrinks, self._count = shrinks, 0

    def add(self, hour: int, size: int, *, packed: bool = False, folder: str = "") -> None:
        """One file more."""
        self._count += 1
        name = f"{folder or f'{DAY}/hour={hour:02}'}/{'packed' if packed else 'part'}-{self._count}.parquet"
        begin = {"minValues": {"received_at": f"2026-02-10T{hour:02}:00:00.{self._count:06}Z"}}
        self.log.files[name] = DataFile(name, size, msgspec.json.encode(begin).decode())

    def compact(self, now: datetime, *, thorough: bool = False) -> list[Job]:
        """Do what is planned; return it."""
        jobs = plan(self.log, now, thorough=thorough)
        for job in jobs:
            size = sum(file.size if is_packed(file) else int(file.size / self._shrinks) for file in job.files)
            for file in job.files:
                del self.log.files[file.path]
            self.written += size
            self.add(int(job.folder[-2:]) if "hour" in job.folder else 0, size, packed=True, folder=job.folder)
        return jobs

    def folders(self) -> Counter[str]:
        """How many files each folder has."""
        return Counter(name.rpartition("/")[0] for name in self.log.files)


def test_the_open_hour_is_left_alone_while_it_has_few_files() -> None:
    """Only the seventh file makes a compaction worth it; by hand a second one does."""
    table = Table()
    for _ in range(OPEN_FILES):
        table.add(12, 8 * KB)
    assert plan(table.log, NOON, thorough=False) == []
    assert [len(job.files) for job in plan(table.log, NOON)] == [OPEN_FILES]
    table.add(12, 8 * KB)
    table.compact(NOON)
    assert sum(table.folders().values()) <= OPEN_LEFT


@pytest.mark.parametrize("size", [10 * KB, 250 * KB, MB])
@pytest.mark.parametrize("each", [2, 6, 60])
def test_an_hour_of_commits(size: int, each: int) -> None:
    """Of 720 commits an hour few files are left at any moment, and a row is written a few times only."""
    table = Table()
    for commit in range(720):
        table.add(12, size)
        if commit % each == each - 1:
            table.compact(NOON)
            assert len(table.log.files) <= OPEN_FILES + 1
    rows = int(720 * size / 2.3)
    table.compact(NOON + timedelta(hours=1, minutes=5))
    assert len(table.log.files) <= CLOSED_LEFT
    assert table.written < 10 * rows


def test_an_hour_is_closed_some_minutes_after_its_end() -> None:
    """What was written last may still be on its way."""
    table = Table()
    table.add(12, MB)
    table.add(12, MB)
    assert plan(table.log, NOON + timedelta(hours=1, minutes=4), thorough=False) == []
    assert len(plan(table.log, NOON + timedelta(hours=1, minutes=5), thorough=False)) == 1


def test_a_large_hour_has_two_files() -> None:
    """However large it is; each has about half of it."""
    table = Table()
    for _ in range(60):
        table.add(12, 30 * MB)
    first, second = table.compact(NOON + timedelta(hours=2))
    assert (len(first.files), len(second.files)) == (30, 30)
    assert table.compact(NOON + timedelta(hours=2)) == []


def test_late_rows_do_not_write_a_large_file_anew() -> None:
    """A file beside the packed one is enough; others join it, until they have half of what is packed."""
    table, now = Table(shrinks=1), NOON + timedelta(hours=2)
    table.add(11, 80 * MB, packed=True)
    for _ in range(10):
        table.add(11, MB // 4)
        table.compact(now)
        assert table.folders() == {f"{DAY}/hour=11": 2}
    assert table.written < 20 * MB
    table.add(11, 90 * MB)
    table.compact(now)
    assert len(table.log.files) == 1


def test_a_quiet_day_becomes_one_file_when_it_is_over() -> None:
    """Not before; and not where its files are large together."""
    table = Table()
    for hour in range(24):
        table.add(hour, 100 * KB)
    table.compact(datetime(2026, 2, 11, 1, 59, tzinfo=UTC))
    assert set(table.folders().values()) == {1}
    assert len(table.folders()) == 24
    (job,) = table.compact(datetime(2026, 2, 11, 2, 0, tzinfo=UTC))
    assert (job.folder, len(job.files)) == (DAY, 24)
    assert table.folders() == {DAY: 1}


def test_a_day_with_much_keeps_its_hours() -> None:
    """Its files are large enough."""
    table = Table()
    for hour in range(24):
        table.add(hour, 4 * MB)
    table.compact(LATER)
    assert len(table.folders()) == 24
    assert table.compact(LATER) == []


def test_one_file_of_a_quiet_day_is_enough() -> None:
    """A day with hits in one hour only needs no file of the day."""
    table = Table()
    table.add(3, 10 * KB)
    assert table.compact(LATER, thorough=True) == []


def test_late_rows_of_a_quiet_day_join_it() -> None:
    """At once if they are as many as a share of it or asked for by hand; else they wait for more."""
    table = Table(shrinks=1)
    table.add(0, 20 * MB, packed=True, folder=DAY)
    table.add(5, KB)
    table.compact(LATER)
    table.compact(LATER)
    assert sum(table.folders().values()) == 2
    assert table.written < MB
    table.compact(LATER, thorough=True)
    assert table.folders() == {DAY: 1}


def test_a_folder_of_others_is_left_alone() -> None:
    """What does not lie as our files do is not touched."""
    table = Table()
    for folder in ("elsewhere", "year=2026/month=13/day=01/hour=00", "year=x/month=02/day=10"):
        table.add(0, KB, folder=folder)
        table.add(0, KB, folder=folder)
    assert plan(table.log, LATER) == []


def test_rejects_have_bounds_of_their_own() -> None:
    """A purge writes a whole file anew: so they stay small, also those of a quiet day."""
    assert LIMITS["rejects"].day <= LIMITS["rejects"].file < LIMITS["events"].day


Sizes = st.lists(
    st.tuples(st.integers(0, 23), st.integers(KB, 200 * MB), st.booleans(), st.booleans()), min_size=1, max_size=60
)


@given(sizes=Sizes, shrinks=st.floats(0.7, 8), thorough=st.booleans(), hours=st.integers(0, 40))
def test_it_comes_to_an_end(
    sizes: Iterable[tuple[int, int, bool, bool]], shrinks: float, thorough: bool, hours: int
) -> None:
    """Whatever there is, a few rounds leave nothing to do, and two files at most of every closed hour."""
    table = Table(shrinks)
    for hour, size, packed, of_the_day in sizes:
        table.add(hour, size, packed=packed, folder=DAY if of_the_day else "")
    now = datetime(2026, 2, 10, tzinfo=UTC) + timedelta(hours=hours)
    for _ in range(6):
        jobs = table.compact(now, thorough=thorough)
        paths = [file.path for job in jobs for file in job.files]
        assert len(paths) == len(set(paths))
        if not jobs:
            break
    assert plan(table.log, now, thorough=thorough) == []
    for folder, count in table.folders().items():
        closed = hours * 60 >= 60 * (int(folder[-2:]) + 1) + 5 if "hour" in folder else hours >= 26
        assert not closed or count <= CLOSED_LEFT
