"""Hits that come in any order, and again: each is taken once, by its ``hit_id``, and counted where it is committed.

A queue has no places that a lake could compare with its own. So the lake counts
for it: hits that are new get the positions behind the one that is stored, in the
commit that makes them visible. Whoever commits second, to either table, meets a
conflict and looks again. A hit is known if a row of it is in the lake, in the
hour it was received in. One that is withheld leaves no row: if it comes again it
is counted again.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.errors import WarehouseError
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import bring
from pixelake.warehouse.again import Tables
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome

TABLES: Final = ("events", "rejects", "withheld")
"""Of an outcome."""
NOTHING: Final = Outcome(EVENTS.empty_table(), REJECTS.empty_table(), WITHHELD.empty_table(), {}, {})
TURN: Final = "/turn"
"""Behind the name of a partition, in the log of the events: grows when somebody takes out rejects that another left."""
ERASED: Final = "rejects/erased"
"""In the logs of both tables: grows when an erasure begins. Whoever settles hits has asked who is erased before."""


def numbered(tables: Tables, outcome: Outcome, name: Partition) -> Outcome:
    """The hits that are new, each once, behind the stored position of a partition; without any, `positions` is empty.

    Args:
        tables: refreshed, and without rejects above the positions that are reached.
        outcome: of one partition; a position there stands for one hit, which may be there several times.
        name: of the partition that they get.

    Raises:
        WarehouseError: the outcome has several partitions.
        LakeUnavailable: the lake cannot be read.
    """
    if len(outcome.positions) > 1:
        raise WarehouseError("hits in no order are of one partition", "this is a defect: report it")
    known = {_places(rows, bring.known(tables, rows)) for rows in (outcome.events, outcome.rejects) if rows.num_rows}
    gone = frozenset().union(*known) | _again(outcome)
    places = {place for table in TABLES for place in _positions(getattr(outcome, table))}
    start = tables.reached.get(name, 0) + 1
    numbers = {place: number for number, place in enumerate(sorted(places - gone), start)}
    if not numbers:
        return NOTHING
    renamed = {table: _renumbered(getattr(outcome, table), name, numbers) for table in TABLES}
    return Outcome(**renamed, first={name: start}, positions={name: start + len(numbers) - 1})


def _positions(rows: pa.Table) -> list[Position]:
    found: Any = rows["position"].to_pylist()
    return list(found)


def _places(rows: pa.Table, names: frozenset[str]) -> frozenset[Position]:
    """The positions of rows with these names."""
    if not names:
        return frozenset()
    found: Any = pc.is_in(rows["hit_id"], value_set=pa.array(sorted(names), pa.string()))
    return frozenset(_positions(rows.filter(found)))


def _again(outcome: Outcome) -> frozenset[Position]:
    """The positions of hits that are there under an earlier one, too."""
    rows = [row for table in (outcome.events, outcome.rejects) for row in _named(table)]
    firsts: dict[str, Position] = {}
    for hit_id, place in sorted(rows, key=itemgetter(1)):
        firsts.setdefault(hit_id, place)
    return frozenset(place for hit_id, place in rows if place != firsts[hit_id])


def _named(rows: pa.Table) -> list[tuple[str, Position]]:
    names: Any = rows["hit_id"].to_pylist()
    return list(zip(names, _positions(rows), strict=True))


def _renumbered(rows: pa.Table, name: Partition, numbers: Mapping[Position, Position]) -> pa.Table:
    """The rows of these positions, at their new ones in that partition."""
    found: Any = pc.index_in(rows["position"], value_set=pa.array(list(numbers), pa.int64()))
    kept = rows.filter(pc.is_valid(found))
    new: dict[str, Any] = {
        "partition": pa.repeat(pa.scalar(name, pa.string()), kept.num_rows),
        "position": pc.take(pa.array(list(numbers.values()), pa.int64()), found.drop_null()),
    }
    for column, values in new.items():
        at = kept.column_names.index(column)
        kept = kept.set_column(at, kept.schema.field(at), values)
    return kept
