"""What a swap of rows still has to do to the rejects: ``events/_swap/<id>.parquet``, a note that is written first.

The two tables of a lake cannot commit at once. So a swap is the commit of the
events that says it is: the application transaction ``rejects/swapped`` has its
id from then on. As long as that of the rejects has another one, their table
lacks what the note says, and whoever looks or writes adds it (`is_pending`):

- the hits whose rejects are gone: the rows of the note, ``partition`` and ``position``;
- the files of those that came in their place: written, durable, and in no log yet;
- ``rejects/fewer``, a running count of both logs: how many rejects fewer there are.

Delta's own tools pass over names that begin with an underscore.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from pixelake.errors import LakeUnavailable
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import durable, place
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.place import Place

SWAPPED: Final = "rejects/swapped"
FEWER: Final = "rejects/fewer"
FOLDER: Final = "_swap"
_COLUMNS: Final[Any] = [("partition", pa.string()), ("position", pa.int64())]
_SCHEMA: Final = pa.schema(_COLUMNS)
_ABOUT: Final = b"pixelake"
_PART: Final = 65_536
"""Positions that are written at once."""


class Keys:
    """Hits, by their places; 8 bytes each."""

    def __init__(self) -> None:
        self._positions: dict[Partition, array[int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._positions.values()))

    def add(self, partition: Partition, positions: Iterable[Position]) -> None:
        """More of a partition, in order, all behind those that are there."""
        self._positions.setdefault(partition, array("q")).extend(positions)

    def __iter__(self) -> Iterator[tuple[Partition, Sequence[Position]]]:
        """The positions of each partition, in order."""
        return iter(self._positions.items())

    def within(self, partition: Partition, first: Position, last: Position) -> "array[int]":
        """Those of a partition between two positions, both included."""
        known = self._positions.get(partition, array("q"))
        return known[bisect_left(known, first) : bisect_right(known, last)]

    def may_be_in(self, file: DataFile) -> bool:
        """Whether a file's statistics leave room for a row of one of them."""
        statistics = file.statistics()
        least, most = statistics.get("minValues", {}), statistics.get("maxValues", {})
        if not least.keys() & most.keys() >= {"partition", "position"}:
            return bool(len(self))
        return any(
            least["partition"] <= name <= most["partition"]
            and bisect_right(known, most["position"]) > bisect_left(known, least["position"])
            for name, known in self._positions.items()
        )

    def mask(self, rows: pa.Table) -> Any:
        """For each row with a partition and a position whether it is of one of them."""
        names: Any = rows["partition"].combine_chunks()
        if isinstance(names.type, pa.DictionaryType):
            names = names.cast(pa.string())
        found: Any = pa.repeat(pa.scalar(False), rows.num_rows)
        for name in pc.unique(names).to_pylist() if len(names) else ():
            of_it: Any = pc.equal(names, pa.scalar(name))
            bounds: Any = pc.min_max(rows["position"].filter(of_it)).as_py()
            some = pa.array(self.within(name, bounds["min"], bounds["max"]), pa.int64())
            here: Any = pc.is_in(rows["position"].combine_chunks(), value_set=some)
            found = pc.or_(found, pc.and_(of_it, here))
        return found


class Note(msgspec.Struct, frozen=True):
    """What stands in a note beside the hits.

    Attributes:
        gone: rejects that go, of each partition.
        adds: the files that come; the fields of `AddAction`.
    """

    gone: Mapping[Partition, int]
    adds: Sequence[tuple[str, int, Mapping[str, str | None], int, bool, str]]

    @property
    def files(self) -> list[AddAction]:
        """The files that come."""
        return [AddAction(path, size, dict(values), at, new, stats) for path, size, values, at, new, stats in self.adds]


def make(gone: Counter[Partition], adds: Sequence[AddAction]) -> Note:
    """A note of these."""
    fields = [(a.path, a.size, a.partition_values, a.modification_time, a.data_change, a.stats) for a in adds]
    return Note(dict(gone), fields)


def path_of(events: Place, swap: int) -> Place:
    """Where the note of a swap is, by the folder of the events."""
    return events / FOLDER / f"{swap:020}.parquet"


def write(events: Place, swap: int, note: Note, keys: Keys) -> None:
    """Write it, durably.

    Raises:
        OSError: it is not known to be there.
    """
    if isinstance(events, Path):
        durable.make_folder(events / FOLDER, events)

    def fill(file: Any) -> None:
        about = _SCHEMA.with_metadata({_ABOUT: msgspec.json.encode(note)})
        with pq.ParquetWriter(file, about, compression="zstd") as target:
            for name, positions in keys:
                for start in range(0, len(positions), _PART):
                    some = pa.array(positions[start : start + _PART], pa.int64())
                    names = pa.repeat(pa.scalar(name, pa.string()), len(some))
                    target.write_table(pa.Table.from_arrays([names, some], schema=about))

    durable.write(path_of(events, swap), fill)


def read(events: Place, swap: int) -> tuple[Note, Keys]:
    """What a swap still has to do, and the hits whose rejects are gone.

    Raises:
        LakeUnavailable: it cannot be read.
    """
    path, keys = path_of(events, swap), Keys()
    try:
        with durable.reported(f"read {path}"), place.parquet(path) as source:
            note = msgspec.json.decode(source.schema_arrow.metadata[_ABOUT], type=Note)
            for batch in source.iter_batches(_PART):
                names: Any = pc.unique(batch.column("partition")).to_pylist()
                for name in names:
                    its = pc.equal(batch.column("partition"), pa.scalar(name))
                    positions: Any = batch.column("position").filter(its).to_pylist()
                    keys.add(name, positions)
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise LakeUnavailable(f"cannot read {path}: {error}", "restore it from a backup") from error
    return note, keys


def remove(events: Place, swap: int) -> None:
    """Take away a note that nobody needs any more. One that cannot be is small, and means nothing."""
    name = path_of(events, swap).name
    with suppress(OSError):
        if isinstance(events, Path):
            (events / FOLDER / name).unlink(missing_ok=True)
        else:
            events.remove([f"{FOLDER}/{name}"])


def clear(events: Place) -> None:
    """Take away the notes of swaps that never were, on a disk, where nobody else is about to make one.

    The caller holds the lock of the lake, and nothing is pending.
    """
    with suppress(OSError):
        if isinstance(events, Path):
            for path in (events / FOLDER).glob("*.parquet"):
                path.unlink(missing_ok=True)


def swap_of(log: DeltaLog) -> int:
    """The newest swap that a table knows of; 0: none."""
    return log.transactions.get(SWAPPED, 0)


def is_pending(events: DeltaLog, rejects: DeltaLog) -> bool:
    """Whether the rejects lack what the newest swap of the events does to them."""
    return swap_of(events) > swap_of(rejects)


def is_ahead(events: DeltaLog, rejects: DeltaLog) -> bool:
    """Whether the events were looked at before a swap that the rejects show: look again."""
    return swap_of(events) < swap_of(rejects)


def fewer(events: DeltaLog, rejects: DeltaLog) -> int:
    """How many rejects fewer there are than their table says; below 0: more."""
    return events.transactions.get(FEWER, 0) - rejects.transactions.get(FEWER, 0)


class Lacking(NamedTuple):
    """What the rejects lack, as whoever reads their files needs it.

    Attributes:
        note: the file with the hits whose rejects are gone, ``partition`` and ``position``.
        files: of the rejects that came in their place.
    """

    note: str
    files: Sequence[str]


def lacking(events: DeltaLog, rejects: DeltaLog) -> Lacking | None:
    """What the rejects lack of the newest swap of the events; None: nothing. Refreshes both if it is done meanwhile.

    Raises:
        LakeUnavailable: the logs or the note cannot be read.
    """
    for last in (False, True):
        if not is_pending(events, rejects):
            return None
        try:
            note = read(events.folder, swap_of(events))[0]
        except LakeUnavailable:
            if last:
                raise
            events.refresh()
            rejects.refresh()
            continue
        path = path_of(events.folder, swap_of(events))
        return Lacking(str(path), [str(rejects.folder / unquote(add.path)) for add in note.files])
    return None
