"""Rows of another lake come into this one as they are: under their own name, partition and position, each once.

A commit that brings rows to a table carries ``import/<name>``, the number of
lines of the file that are done by it, so that whoever begins again goes on
behind them. It counts the rows as outcomes of their partitions (``P/outcomes``).
A partition that the events know nothing of is noted with the position 0: none
of its hits has come through a stream of this installation.

Left out is what is here already, among the events or the rejects; and what a
stream of this installation is still going to bring.

Lines that cannot be read are rejects of the partition that is named after the
file. They are committed first, with the number of lines up to there, and do not
come again.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from pixelake.errors import LakeUnavailable
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import place
from pixelake.warehouse.again import IMPORTED, OUTCOMES, Done, Tables
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DataFile, DeltaLog
from pixelake.warehouse.fresh import above_floor
from pixelake.warehouse.layout import folder_of, values_of
from pixelake.warehouse.place import Place

READ_ROWS: Final = 65_536
"""Names of a file that are looked at at once."""
SMALL: Final = 2_000
"""Rows of a file whose names are remembered: each batch that is settled asks for those of its hour,"""
REMEMBERED: Final = 1_024
"""of so many files. In a bucket each would cost three requests, again and again."""
_HOUR: Final = len("2026-02-10T21")


class Brought(NamedTuple):
    """Rows to be brought, and what they are of.

    Attributes:
        table: ``events`` or ``rejects``.
        rows: of the schema of that table; their `hit_id` differ.
        unread: rows of `REJECTS`, of lines that could not be read.
        name: of the file.
        first: the first line that these are of.
        last: the last one.
        streamed: partitions of a stream of this installation, and the first position of each that it still holds.
    """

    table: str
    rows: pa.Table
    unread: pa.Table
    name: str
    first: int
    last: int
    streamed: Mapping[Partition, Position] = MappingProxyType({})


def lines_done(log: DeltaLog, name: str) -> int:
    """How many lines of a file are done, by the log of the table."""
    return log.transactions.get(IMPORTED + name, 0)


def bring(tables: Tables, brought: Brought) -> Done:
    """Bring rows; the names of those that are new are told.

    Raises:
        Conflict: somebody else wrote meanwhile; refresh and call again.
        LakeUnavailable: it is not known to be done; call again. Or another process imports the same file.
    """
    target = tables.events if brought.table == EVENTS_FOLDER else tables.rejects
    done = lines_done(target.log, brought.name)
    if done >= brought.last:
        return Done((), ())
    if done != brought.first - 1:
        raise LakeUnavailable("another process imports the same file", "wait for it, and start again")
    new = _expected(tables, _new(tables, brought.rows), brought.streamed)
    unread = _unread(tables, brought)
    names: Any = new["hit_id"].to_pylist()
    adds: list[AddAction] = []
    if target is tables.events:
        if unread.num_rows:
            refused = tables.rejects.add_files(unread, coarse=True)
            counts = _counts(tables.rejects, unread) | {IMPORTED + brought.name: brought.last}
            tables.rejects.commit(Change(refused), counts)
            adds += refused
    else:
        new = pa.concat_tables([new, unread])
    added = target.add_files(new, coarse=True)
    target.commit(Change(added), _counts(target, new, tables.events) | {IMPORTED + brought.name: brought.last})
    return Done(names, [*adds, *added])


def _counts(table: DeltaWriter, rows: pa.Table, positions: DeltaWriter | None = None) -> dict[str, int]:
    """The running counts with these rows."""
    known = table.log.transactions
    partitions: Any = rows["partition"].to_pylist()
    counts = {}
    for partition, count in Counter[Partition](partitions).items():
        counts[partition + OUTCOMES] = known.get(partition + OUTCOMES, 0) + count
        if table is positions and partition not in known:
            counts[partition] = 0
    return counts


def _unread(tables: Tables, brought: Brought) -> pa.Table:
    """The lines that could not be read, without those that were committed before we were cut short.

    By their numbers, too: begun anew, they may be of another hour.
    """
    rows = brought.unread
    if not rows.num_rows:
        return rows
    behind: Any = pc.greater(rows["position"], pa.scalar(lines_done(tables.rejects.log, brought.name)))
    return _new(tables, rows.filter(behind))


def _expected(tables: Tables, rows: pa.Table, streamed: Mapping[Partition, Position]) -> pa.Table:
    """Without what a stream of ours will bring: hits that it holds, above the position that is reached."""
    floors = {partition: max(tables.reached.get(partition, 0), first - 1) for partition, first in streamed.items()}
    comes: Any = above_floor(rows, floors)
    return rows.filter(pc.invert(comes.fill_null(False)))


def _new(tables: Tables, rows: pa.Table) -> pa.Table:
    """The rows whose names are not here."""
    there = pa.array(list(known(tables, rows)), pa.string())
    return rows.filter(pc.invert(pc.is_in(rows["hit_id"], value_set=there))) if len(there) else rows


def known(tables: Tables, rows: pa.Table) -> frozenset[str]:
    """The names of the rows that are in the lake, in the hours that these were received in.

    Raises:
        LakeUnavailable: it cannot be read.
    """
    if not rows.num_rows:
        return frozenset()
    names: Any = rows["hit_id"].combine_chunks()
    logs = tables.events.log, tables.rejects.log
    return frozenset(name for log in logs for name in _known(log, rows, names))


def _known(log: DeltaLog, rows: pa.Table, names: Any) -> Iterator[str]:
    """Those of the names that a table has in the hours of the rows."""
    days = set(zip(*(_texts(rows, name) for name in ("year", "month", "day")), strict=True))
    times: Any = pc.min_max(rows["received_at"])
    first, last = (times[bound].as_py().isoformat()[:_HOUR] for bound in ("min", "max"))
    for file in log.files.values():
        values = values_of(folder_of(file.name))
        if (values["year"], values["month"], values["day"]) in days and _may_have(file, first, last):
            yield from _found(log, file, names)


def _may_have(file: DataFile, first: str, last: str) -> bool:
    """Whether a file's statistics leave room for rows of these hours, as ISO 8601 has them."""
    statistics = file.statistics()
    least, most = (statistics.get(bound, {}).get("received_at") for bound in ("minValues", "maxValues"))
    if not isinstance(least, str) or not isinstance(most, str):
        return True
    return least[:_HOUR] <= last and most[:_HOUR] >= first


def _found(log: DeltaLog, file: DataFile, names: Any) -> Iterator[str]:
    where = log.folder / file.name
    is_small = file.statistics().get("numRecords", SMALL + 1) <= SMALL
    for there in [_small(where)] if is_small else _all(where):
        yield from there.filter(pc.is_in(there, value_set=names)).to_pylist()


@lru_cache(maxsize=REMEMBERED)
def _small(where: Place) -> Any:
    """The names in a file that stays as it is, however often it is asked for."""
    return pa.concat_arrays(list(_all(where)) or [pa.array([], pa.string())])


def _all(where: Place) -> Iterator[Any]:
    for batch in place.parquet(where).iter_batches(READ_ROWS, columns=["hit_id"]):
        yield batch.column(0)


def _texts(rows: pa.Table, name: str) -> Sequence[str]:
    found: Any = rows[name].to_pylist()
    return list(found)
