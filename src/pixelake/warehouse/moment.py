"""A lake at one moment: which files a copy of it consists of.

On a disk the lock that writers share is held while the moment is taken, for
some milliseconds: then both tables are as whoever writes next must be able to
find them. In a bucket there is no such lock: the events are looked at, then the
rejects, as whoever counts does (`LakeReader.sums`); and if a replay or a swap
came between, both again. A swap that is still to be done to the rejects has a
note, and files that no log names yet: they belong to the lake, too.

The files that are named stay where they are as long as nobody vacuums.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote

from pixelake.clock import SYSTEM, Clock
from pixelake.errors import LakeUnavailable
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import again, durable, floor, place, swap_note
from pixelake.warehouse.delta_log import EVENTS_FOLDER, LOG, REJECTS_FOLDER, DeltaLog, entry_name
from pixelake.warehouse.lake import LOCK, LOCK_WAIT
from pixelake.warehouse.place import Place
from pixelake.warehouse.sums import progress

ATTEMPTS: Final = 10


class Moment(NamedTuple):
    """A lake at one moment.

    Attributes:
        progress: how far the events are with each partition.
        files: the files of both tables, below the lake, and the size of those that are data; the log's last.
        notes: what small files held, that change or go; by name below the lake.
    """

    progress: Mapping[Partition, Position]
    files: Sequence[tuple[str, int | None]]
    notes: Mapping[str, bytes]


def moment(lake: Place, clock: Clock = SYSTEM) -> Moment | None:
    """The lake now, beside a writer or without one; None before there is one.

    Raises:
        LakeUnavailable: it cannot be read, or others never leave it alone.
    """
    lake = place.absolute(lake)
    if isinstance(lake, Path) and not (lake / EVENTS_FOLDER / LOG).is_dir():
        return None
    with durable.reported(f"read the lake {lake}"):
        lock = durable.locked(lake / LOCK, LOCK_WAIT, clock) if isinstance(lake, Path) else nullcontext()
        with lock:
            for _ in range(ATTEMPTS):
                found = _look(lake)
                if found is not None:
                    return found if found.files else None
    raise LakeUnavailable(f"others never leave the lake {lake} alone", "try again when no replay is under way")


def _look(lake: Place) -> Moment | None:
    """One look; None if something came between that concerns both tables."""
    events, rejects = DeltaLog(lake / EVENTS_FOLDER), DeltaLog(lake / REJECTS_FOLDER)
    events.refresh()
    both = _of_both(events)
    files, positions = _files(events), {name: each.position for name, each in progress(events).items()}
    rejects.refresh()
    if again.pending(events, rejects) < 0 or swap_note.is_ahead(events, rejects):
        return None
    if not isinstance(lake, Path):
        events.refresh()
        if _of_both(events) != both:
            return None
    notes = _floors(lake)
    if swap_note.is_pending(events, rejects):
        swap = swap_note.swap_of(events)
        path = swap_note.path_of(lake / EVENTS_FOLDER, swap)
        notes[f"{EVENTS_FOLDER}/{swap_note.FOLDER}/{path.name}"] = path.read_bytes()
        adds = swap_note.read(lake / EVENTS_FOLDER, swap)[0].files
        files = [*files, *((f"{REJECTS_FOLDER}/{unquote(add.path)}", add.size) for add in adds)]
    return Moment(positions, [*files, *_files(rejects)], notes)


def _of_both(events: DeltaLog) -> Mapping[str, int]:
    """What the events' log notes of changes that concern the rejects, too: not the counts of partitions."""
    known = progress(events)
    return {name: at for name, at in events.transactions.items() if name.partition("/")[0] not in known}


def _files(log: DeltaLog) -> Sequence[tuple[str, int | None]]:
    table = log.folder.name
    found: list[tuple[str, int | None]] = [(f"{table}/{file.name}", file.size) for file in log.files.values()]
    first = max(log.checkpoint, 0)
    names = place.names(log.folder / LOG)
    entries = [entry_name(version) for version in range(first, log.version + 1)]
    if log.checkpoint >= 0:
        entries.insert(0, f"{log.checkpoint:020}.checkpoint.parquet")
    # the entry that a checkpoint stands for is not needed, and may be gone
    return found + [(f"{table}/{LOG}/{name}", None) for name in entries if name in names]


def _floors(lake: Place) -> dict[str, bytes]:
    """How far each table is known to be durable; there is no such note in a bucket."""
    found: dict[str, bytes] = {}
    for table in (EVENTS_FOLDER, REJECTS_FOLDER):
        path = lake / table / floor.FLOOR
        if isinstance(path, Path) and path.exists():
            found[f"{table}/{floor.FLOOR}"] = path.read_bytes()
    return found
