"""Reads what stands in a lake, by the place of the hits it comes of. Changes nothing, and waits for nobody."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.stream.base import Partition, Position
from pixelake.warehouse import durable, place
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.place import Place

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT: Final[Any] = pa.timestamp("us", tz="UTC")
_FOREVER: Final = (-(1 << 63), (1 << 63) - 1)


class Rows(NamedTuple):
    """Rows of some hits in both tables."""

    events: pa.Table
    rejects: pa.Table


class _Bounded(NamedTuple):
    """A file, and what its statistics say: partitions, positions, and when its hits were received (µs UTC)."""

    file: DataFile
    partitions: tuple[str, str] | None
    positions: tuple[int, int]
    received: tuple[int, int]

    def may_have(self, partition: Partition, first: Position, last: Position) -> bool:
        """Whether there may be rows between two positions of a partition."""
        if self.partitions is None:
            return True
        least, most = self.partitions
        return least <= partition <= most and first <= self.positions[1] and self.positions[0] <= last


class Table:
    """One of both tables.

    Args:
        folder: of the table.
        schema: the columns to read.
    """

    def __init__(self, folder: Place, schema: pa.Schema) -> None:
        self._log, self._schema = DeltaLog(folder), schema
        self._files: Sequence[_Bounded] = ()
        self.look()

    def look(self) -> None:
        """See the newest version.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        self._log.refresh()
        self._files = [_bounded(file) for file in self._log.files.values()]

    def positions(self, partition: Partition, first: Position, last: Position) -> set[Position]:
        """Those between two, both included, that have rows."""
        found: set[Position] = set()
        for batch in self._scan(partition, first, last, pa.schema([self._schema.field("position")])):
            places: Any = batch.column("position").to_pylist()
            found.update(places)
        return found

    def rows(self, partition: Partition, first: Position, last: Position) -> pa.Table:
        """All rows between two positions, both included."""
        return pa.Table.from_batches(self._scan(partition, first, last, self._schema), self._schema)

    def _scan(
        self, partition: Partition, first: Position, last: Position, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        names = [each.file.name for each in self._files if each.may_have(partition, first, last)]
        here: Any = pc.field("partition") == pa.scalar(partition)
        wanted: Any = here & (pc.field("position") >= first) & (pc.field("position") <= last)
        yield from self._batches(names, schema, wanted)

    def _batches(self, names: Sequence[str], schema: pa.Schema, wanted: Any) -> Iterator[pa.RecordBatch]:
        """Columns of rows; also those that only `wanted` looks at have to be known."""
        known = pa.unify_schemas([schema, pa.schema([self._schema.field(each) for each in _LOOKED_AT])])
        places = [self._log.folder / name for name in names]
        for batch in place.scan(places, schema.names, known, wanted):
            yield batch.select(schema.names)

    def count(self, begin: int, end: int, site: str | None) -> int:
        """The rows of hits received from `begin` up to `end` (µs UTC), not included; of one site, or of all."""
        counted, split = 0, []
        for file, _, _, (least, most) in self._files:
            if site is None and begin <= least and most < end:
                counted += self._log.rows_of(file)
            elif least < end and begin <= most:
                split.append(file.name)
        wanted: Any = (pc.field("received_at") >= _moment(begin)) & (pc.field("received_at") < _moment(end))
        columns = pa.schema([self._schema.field("position")])
        known = self._schema
        if site is not None:
            wanted &= pc.field("site") == pa.scalar(site)
        places = [self._log.folder / name for name in split]
        return counted + sum(batch.num_rows for batch in place.scan(places, columns.names, known, wanted))


_LOOKED_AT: Final = ("partition", "position")


class Standing:
    """Both tables, of one moment; of a newer one if files of that are gone."""

    def __init__(self, events: Table, rejects: Table) -> None:
        self._events, self._rejects = events, rejects

    def places(self, partition: Partition, first: Position, last: Position) -> list[Position]:
        """The positions between these, both included, that have rows in the lake; in order.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        return sorted(
            self._read(
                lambda: self._events.positions(partition, first, last) | self._rejects.positions(partition, first, last)
            )
        )

    def rows(self, partition: Partition, first: Position, last: Position) -> Rows:
        """All rows of the hits between two positions, both included; without the columns that are folders.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        return self._read(
            lambda: Rows(self._events.rows(partition, first, last), self._rejects.rows(partition, first, last))
        )

    def count(self, begin: int, end: int, site: str | None = None) -> int:
        """The rows of hits received from `begin` up to `end` (µs UTC), not included; only the events of one site.

        Raises:
            LakeUnavailable: it cannot be read.
        """
        tables = (self._events, self._rejects) if site is None else (self._events,)
        return self._read(lambda: sum(table.count(begin, end, site) for table in tables))

    def _read(self, ask: Callable[[], T]) -> T:
        """Ask again if a file was vacuumed meanwhile: the newest version does without it."""
        with durable.reported("read the lake"):
            try:
                return ask()
            except FileNotFoundError:
                self._events.look()
                self._rejects.look()
            return ask()


def _bounded(file: DataFile) -> _Bounded:
    statistics = file.statistics()
    least, most = statistics.get("minValues", {}), statistics.get("maxValues", {})
    if not least.keys() & most.keys() >= {"partition", "position", "received_at"}:
        return _Bounded(file, None, _FOREVER, _FOREVER)
    received = _micros(least["received_at"]), _micros(most["received_at"]) + 1_000  # others may round to milliseconds
    return _Bounded(file, (least["partition"], most["partition"]), (least["position"], most["position"]), received)


def _micros(text: str) -> int:
    """A moment as statistics have it, in µs UTC."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> Any:
    """A scalar of Arrow's; beyond the calendar it is no moment, but can be compared."""
    moments: Any = pa.array([micros], _MOMENT)
    return moments[0]
