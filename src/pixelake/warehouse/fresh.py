"""Drops from an outcome what a sink has already written."""

from collections.abc import Mapping
from typing import cast

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.errors import WarehouseError
from pixelake.stream.base import Partition, Position
from pixelake.warehouse.base import Outcome


def above(outcome: Outcome, stored: Mapping[Partition, Position]) -> Outcome:
    """The part of `outcome` above the stored positions; without partitions that have none.

    Raises:
        WarehouseError: a row's partition has no position in the outcome.
    """
    floors = {partition: stored.get(partition, 0) for partition in outcome.positions}
    return Outcome(
        events=rows_above(outcome.events, floors),
        rejects=rows_above(outcome.rejects, floors),
        withheld=rows_above(outcome.withheld, floors),
        first={name: max(first, floors.get(name, 0) + 1) for name, first in outcome.first.items()},
        positions={name: last for name, last in outcome.positions.items() if last > floors[name]},
    )


def rows_above(rows: pa.Table, floors: Mapping[Partition, Position]) -> pa.Table:
    """The rows above the floor of their partition.

    Raises:
        WarehouseError: a row's partition has no floor.
    """
    is_above = above_floor(rows, floors)
    if is_above.null_count:
        raise WarehouseError("an outcome has rows of a partition without a position", "this is a defect: report it")
    # mostly it is all of them, and to copy them takes as long as half of the file
    return rows if pc.all(is_above).as_py() else rows.filter(is_above)


def above_floor(rows: pa.Table, floors: Mapping[Partition, Position]) -> "pa.ChunkedArray[pa.BooleanScalar]":
    """For each row whether it is above the floor of its partition; null where the partition has none."""
    names, limits = pa.array(list(floors), pa.string()), pa.array(list(floors.values()), pa.int64())
    floor = pc.take(limits, pc.index_in(rows["partition"], value_set=names))
    return cast("pa.ChunkedArray[pa.BooleanScalar]", pc.greater(rows["position"], floor))
