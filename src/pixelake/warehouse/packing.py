"""Which files of a table a compaction makes one of: the policy. Looks at the log only.

- A closed hour has two files at most, one if its rows come to no more than a
  file's bytes. Rows that come late make a file of their own; it joins the packed
  one once it is no longer small beside it.
- The open hour is left alone until it has more than a few files.
- A quiet day, which is over and whose files are small together, becomes one file,
  so that a small site has one a day, not a dozen.

A packed file is written anew only if what joins it has at least half of its
size, or if there would be too many files; so a row is written a few times, not
each time others come. What a plan has done needs no plan.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from pixelake.warehouse import layout
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DataFile, DeltaLog

PREFIX: Final = "packed-"


class Limits(NamedTuple):
    """Bytes of a packed file; rows and bytes (in memory) of its row groups; bytes of a quiet day."""

    file: int
    rows: int
    memory: int
    day: int = 0


LIMITS: Final = {
    EVENTS_FOLDER: Limits(128 << 20, layout.PACKED_ROWS, layout.PACKED_BYTES, 32 << 20),
    # a purge or a replay writes a whole file anew, while the consumer waits
    REJECTS_FOLDER: Limits(8 << 20, layout.GROUP_ROWS, layout.GROUP_BYTES, 8 << 20),
}

HOUR_OVER: Final = timedelta(minutes=5)
"""So long after its end an hour is closed: what was written last is in the lake then."""
DAY_OVER: Final = timedelta(hours=2)
"""The same of a day."""
OPEN_FILES: Final = 6
"""Files of the open hour that are left as they are. Those that have half of what a packed one may have stay anyway."""
OPEN_LEFT: Final = 3
"""Files that it has at most when they have been packed: each time fewer means to write more of them anew."""
CLOSED_LEFT: Final = 2
"""The same of a closed hour, and of a day that was packed once."""
TIER: Final = 2
"""A packed file that is at most so many times as large as what may join it is written anew with it."""
THOROUGH_TIER: Final = 16
"""The same where somebody asked for few files, and not now and then for the least work."""
SHRINKS: Final = 2
"""A fresh file has at least so many times the bytes that its rows have when packed."""


_YEAR: Final = f"{layout.FOLDERS[0]}="


class Job(NamedTuple):
    """Files of one hour, or of one day, that shall become one."""

    folder: str
    files: Sequence[DataFile]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.size for file in self.files)


def is_packed(file: DataFile) -> bool:
    """Whether a compaction wrote it."""
    return file.name.rpartition("/")[2].startswith(PREFIX)


def plan(log: DeltaLog, now: datetime, without: Container[DataFile] = (), *, thorough: bool = True) -> list[Job]:
    """What there is to do, oldest first.

    Args:
        log: of the table.
        now: what time it is, with a zone.
        without: files that are left as they are.
        thorough: also the open hour, whatever it has, and late rows of quiet days, however few.
    """
    limits = LIMITS[log.folder.name]
    days: dict[str, list[DataFile]] = defaultdict(list)
    for file in log.files.values():
        if file not in without and (day := _day(layout.folder_of(file.name))):
            days[day].append(file)
    known = [day for day in sorted(days) if _end(day) is not None]
    return [job for day in known for job in _of_day(day, days[day], limits, now, thorough)]


def _of_day(day: str, files: Sequence[DataFile], limits: Limits, now: datetime, thorough: bool) -> Iterator[Job]:
    tier = THOROUGH_TIER if thorough else TIER
    if _is_over(day, now, DAY_OVER) and _packed_size(files) < limits.day:
        has_one = any(layout.folder_of(file.name) == day for file in files)
        yield from _jobs(day, files, limits, CLOSED_LEFT if has_one and not thorough else 1, tier)
        return
    folders: dict[str, list[DataFile]] = defaultdict(list)
    for file in files:
        folders[layout.folder_of(file.name)].append(file)
    are_over = _is_over(day, now, HOUR_OVER)
    for folder, some in sorted(folders.items()):
        if are_over or _is_over(folder, now, HOUR_OVER):
            yield from _jobs(folder, some, limits, CLOSED_LEFT, tier)
        elif thorough:
            yield from _jobs(folder, some, limits, 1 if _packed_size(some) < limits.file else OPEN_LEFT, tier)
        else:
            small = [file for file in some if file.size < limits.file // 2]
            if len(small) > max(OPEN_LEFT, OPEN_FILES - (len(some) - len(small))):
                yield from _jobs(folder, small, limits, OPEN_LEFT, tier)


def _jobs(folder: str, files: Sequence[DataFile], limits: Limits, most: int, tier: int) -> Iterator[Job]:
    """What leaves `most` of these files at most; more than one is made only where one would be too large."""
    is_settled = len(files) <= most and all(map(is_packed, files))
    if is_settled or (len(files) == 1 and layout.folder_of(files[0].name) != folder):
        return  # one file of an hour is enough of a quiet day
    taken = _joining(files, most, tier)
    parts = -(-_packed_size(taken) // limits.file)
    parts = max(1, min(parts, most - (len(files) - len(taken))))
    yield from (Job(folder, chunk) for chunk in _chunks(sorted(taken, key=_begin), parts))


def _joining(files: Iterable[DataFile], most: int, tier: int) -> list[DataFile]:
    """Those that are not packed, then the smallest: until few enough are left, which are much larger than these."""
    ordered = sorted(files, key=lambda file: (is_packed(file), file.size))
    taken: list[DataFile] = []
    for at, file in enumerate(ordered):
        too_many = len(ordered) - at >= most
        if taken and is_packed(file) and not too_many and file.size > tier * _packed_size(taken):
            break
        taken.append(file)
    return taken


def _chunks(files: Sequence[DataFile], parts: int) -> Iterator[Sequence[DataFile]]:
    """So many runs of files, or fewer, of about the same size."""
    share = sum(file.size for file in files) / parts
    chunk: list[DataFile] = []
    size, left = 0.0, parts - 1
    for file in files:
        if chunk and left and size + file.size / 2 > share:
            yield chunk
            chunk, size, left = [], 0.0, left - 1
        chunk.append(file)
        size += file.size
    yield chunk


def _packed_size(files: Iterable[DataFile]) -> int:
    """The bytes of files once they are packed, as far as one can tell."""
    return sum(file.size if is_packed(file) else file.size // SHRINKS for file in files)


def _begin(file: DataFile) -> str:
    """When the first row was received, as text; files without statistics first."""
    return str(file.statistics().get("minValues", {}).get("received_at", ""))


def _day(folder: str) -> str:
    """The folder of the day; empty of a folder that lies elsewhere."""
    parts = folder.split("/")
    return "/".join(parts[: len(layout.FOLDERS)]) if parts[0].startswith(_YEAR) else ""


def _is_over(folder: str, now: datetime, grace: timedelta) -> bool:
    end = _end(folder)
    return end is not None and now >= end + grace


def _end(folder: str) -> datetime | None:
    """The end of the hour or day of a folder; None if it is of neither."""
    values = layout.values_of(folder)
    try:
        year, month, day = (int(values[name]) for name in layout.FOLDERS)
        begin = datetime(year, month, day, int(values.get("hour", 0)), tzinfo=UTC)
        return begin + timedelta(hours=1 if "hour" in values else 24)
    except (KeyError, ValueError, OverflowError):
        return None
