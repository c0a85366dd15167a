"""Rows leave a table: the file that holds them gets a successor without them, and the others stay as they are.

A file is looked at first, only the columns that tell; it is written anew only if
some of its rows go. Who reads meanwhile sees the old file or the new one,
because one commit exchanges them; `Lake.leave` and whoever else calls `rewrite`
makes it, and counts in it what has gone. The old file stays on the disk until
it is vacuumed.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from pixelake.errors import LakeUnavailable
from pixelake.stream.base import Partition
from pixelake.warehouse import durable, layout, place
from pixelake.warehouse.again import REMOVED
from pixelake.warehouse.compact import PREFIX
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DataFile

LOOK_ROWS: Final = 16_384
"""Rows that are looked at at once."""
SMALL: Final = 1 << 18
"""Bytes of a file below which it does not pay to read its dictionaries: to open it again takes longer."""

Gone = Callable[[pa.Table], Any]
"""Rows -> for each whether it goes: a boolean array, null like false. It may be asked about some rows twice."""


class Left(NamedTuple):
    """What became of a file.

    Attributes:
        file: which.
        adds: its successor, written and durable, to be committed in its place; empty if no row is left; None if none
            goes and the file stays.
        gone: the rows that go, by partition.
        ids: their hit ids.
    """

    file: DataFile
    adds: Sequence[AddAction] | None
    gone: Counter[Partition]
    ids: frozenset[str]


def rewrite(
    table: DeltaWriter, file: DataFile, gone: Gone, columns: Sequence[str] | None = None, *, named: bool = True
) -> Left:
    """Write a file anew without the rows that go, in their order, durably. Nothing is committed.

    Args:
        table: the file is one of its.
        file: any file of the newest version.
        gone: asked about some thousand rows at a time. Text may come as dictionaries; a column that the file lacks is
            null; the columns that are folders are not there.
        columns: those that `gone` wants to see; None: all that the file has.
        named: whether the hit ids are told; where millions of rows go they would take the memory.

    Returns:
        What to commit: see `Left`. Memory: one row group, some 60 MB.

    Raises:
        LakeUnavailable: the file cannot be read, or the disk is full or broken.
    """
    path = table.log.folder / file.name
    with durable.reported(f"read {path}"), place.parquet(path) as whole:
        source = whole if file.size < SMALL else place.parquet(path, layout.dictionaries(whole.metadata))
        leaving, counted, ids = [], Counter[Partition](), set[str]()
        for part in _looked_at(source, table.stored, columns):
            mask = _mask(gone(part), part.num_rows)
            leaving.append(mask)
            goes = part.filter(mask)
            counted.update(_texts(goes, "partition"))
            ids.update(_texts(goes, "hit_id") if named else ())
        if not counted:
            return Left(file, None, counted, frozenset())
        mask = pa.chunked_array(leaving, pa.bool_())
        adds = () if pc.all(mask).as_py() else (_successor(table, file, source, mask),)
    return Left(file, adds, counted, frozenset(ids))


def put_in_place(table: DeltaWriter, lefts: Sequence[Left]) -> Sequence[AddAction]:
    """Put the successors in the place of their files, and count what has gone (``P/removed``); the files that are new.

    Args:
        table: the events, refreshed; the caller has the turn.
        lefts: of files that lose rows.

    Raises:
        Conflict: somebody took one of the files, or counted, meanwhile; refresh and call again with what is left.
        LakeUnavailable: it is not known to be durable.
    """
    gone: Counter[Partition] = sum((each.gone for each in lefts), Counter())
    adds = [add for each in lefts for add in each.adds or ()]
    known = table.log.transactions
    counts = {partition + REMOVED: known.get(partition + REMOVED, 0) + count for partition, count in gone.items()}
    if lefts:
        table.commit(Change(adds, [each.file for each in lefts]), counts)
    return adds


def _looked_at(source: pq.ParquetFile, schema: pa.Schema, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """The rows in parts, with the columns that are asked for, and those that tell which row it is."""
    there = source.schema_arrow.names
    wanted = list(dict.fromkeys([*(schema.names if columns is None else columns), "hit_id", "partition"]))
    for batch in source.iter_batches(LOOK_ROWS, columns=[name for name in wanted if name in there]):
        rows = pa.Table.from_batches([batch])
        for name in wanted:
            if name not in there and name in schema.names:
                rows = rows.append_column(schema.field(name), pa.nulls(rows.num_rows, schema.field(name).type))
        yield rows


def _mask(said: Any, rows: int) -> Any:
    """What was said of the rows, as one array without nulls."""
    mask = said.combine_chunks() if isinstance(said, pa.ChunkedArray) else said
    if not isinstance(mask, pa.Array):  # a scalar: of all of them
        mask = pa.repeat(mask, rows)
    return mask.fill_null(False)


def _successor(table: DeltaWriter, file: DataFile, source: pq.ParquetFile, gone: Any) -> AddAction:
    folder, _, name = file.name.rpartition("/")
    values = dict(part.split("=", 1) for part in folder.split("/"))
    extent, is_packed = layout.Extent(), name.startswith(PREFIX)
    added = table.add_file(
        values,
        f"{PREFIX if is_packed else 'part-'}{uuid.uuid4()}",
        lambda new: _fill(new, _kept(source, table.stored, gone), extent, is_packed=is_packed),
        extent,
    )
    expected = len(gone) - (pc.sum(gone).as_py() or 0)
    if extent.rows != expected or source.metadata.num_rows != len(gone):
        raise LakeUnavailable(
            f"{extent.rows:,} rows of {file.name} were kept, not {expected:,}", "this is a defect: report it"
        )
    return added


def _kept(source: pq.ParquetFile, schema: pa.Schema, gone: Any) -> Iterator[pa.Table]:
    """The row groups, each without what goes; an empty one is left out."""
    start, wanted = 0, layout.with_dictionaries(schema)
    for group in range(source.num_row_groups):
        rows = source.read_row_group(group)
        kept = rows.filter(pc.invert(gone.slice(start, rows.num_rows)))
        start += rows.num_rows
        if kept.num_rows:
            yield layout.complete(_only_used(kept), wanted)


def _only_used(rows: pa.Table) -> pa.Table:
    """With dictionaries of what is there: those of filtered rows still hold what went, and Parquet keeps them whole."""
    for at, field in enumerate(rows.schema):
        if isinstance(field.type, pa.DictionaryType):
            used: Any = rows.column(at).cast(field.type.value_type)
            rows = rows.set_column(at, field, used.dictionary_encode().unify_dictionaries().cast(field.type))
    return rows


def _fill(file: IO[bytes], groups: Iterator[pa.Table], extent: layout.Extent, *, is_packed: bool) -> None:
    target: pq.ParquetWriter | None = None
    try:
        for group in groups:
            if target is None:
                target = layout.writer(file, group.schema, layout.packed(group) if is_packed else layout.FRESH)
            target.write_table(group, row_group_size=group.num_rows)
            extent.add(group)
    finally:
        if target is not None:
            target.close()


def _texts(rows: pa.Table, name: str) -> list[str]:
    found: Any = rows[name].to_pylist()
    return list(found)
