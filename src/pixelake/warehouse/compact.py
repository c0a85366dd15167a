"""Small files of an hour or a day become few large ones. Rows are never changed, lost or seen twice.

A compaction reads a version of the table, writes new files beside the old ones,
and exchanges them in one commit that carries no positions. Who reads a version
sees either; appends go on meanwhile, and neither waits for the other: only if
somebody else took one of the old files meanwhile is it dropped. The old files
stay on the disk, for those who still read an older version.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, layout, place
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.packing import LIMITS, PREFIX, Job, Limits, plan

__all__ = ["LIMITS", "PREFIX", "Job", "Limits", "Packed", "pack", "packed", "plan"]


@dataclass(frozen=True, slots=True)
class Packed:
    """What was done, or what a whole compaction did.

    Attributes:
        table: ``events`` or ``rejects``.
        folder: of the hour or the day whose files they were.
        files: how many there were.
        rows: in them.
        bytes_before: of the files that were exchanged.
        bytes_after: of those in their place.
        files_after: how many those are; 0: somebody else took one of the files, nothing was done.
    """

    table: str
    folder: str
    files: int
    rows: int
    bytes_before: int
    bytes_after: int
    files_after: int


def pack(table: DeltaWriter, job: Job) -> Sequence[AddAction]:
    """Write the rows of a job to a new file, durably. They are not of the table before that is committed.

    Memory: one row group, some 60 MB.

    Raises:
        LakeUnavailable: the disk is full or broken; or a file has not the rows that the log says.
    """
    values, written = layout.values_of(job.folder), layout.Extent()
    added = table.add_file(
        values, f"{PREFIX}{uuid.uuid4()}", lambda file: _fill(file, table, job, written), written, is_new=False
    )
    expected = sum(table.log.rows_of(file) for file in job.files)
    if written.rows != expected:
        raise LakeUnavailable(
            f"the files of {job.folder} have {written.rows:,} rows, but the log says {expected:,}",
            "this is a defect: report it",
        )
    return [added]


def _fill(file: IO[bytes], table: DeltaWriter, job: Job, written: layout.Extent) -> None:
    target: pq.ParquetWriter | None = None
    try:
        for group in _groups(table, job):
            if target is None:
                target = layout.writer(file, group.schema, layout.packed(group))
            target.write_table(group, row_group_size=group.num_rows)
            written.add(group)
    finally:
        if target is not None:
            target.close()


def _groups(table: DeltaWriter, job: Job) -> Iterator[pa.Table]:
    """Row groups, by and large in the order of time, as the files follow each other."""
    limits = LIMITS[table.log.folder.name]
    waiting: list[pa.Table] = []
    rows = memory = 0
    for part in _parts(table, job):
        rows, memory = rows + part.num_rows, memory + part.nbytes
        if waiting and (rows > limits.rows or memory > limits.memory):
            yield _ordered(waiting)
            waiting, rows, memory = [], part.num_rows, part.nbytes
        waiting.append(part)
    if waiting:
        yield _ordered(waiting)


def _parts(table: DeltaWriter, job: Job) -> Iterator[pa.Table]:
    schema = layout.with_dictionaries(table.stored)
    for file in job.files:
        path = table.log.folder / file.name
        with durable.reported(f"read {path}"), place.parquet(path) as whole:
            source = place.parquet(path, layout.dictionaries(whole.metadata))
            for group in range(source.num_row_groups):
                yield layout.complete(layout.located(source.read_row_group(group), file.name), schema)


def _ordered(parts: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(parts).unify_dictionaries()
    chunks: Any = whole["partition"].chunks  # dictionaries cannot be sorted, and any order of the partitions will do
    keys = pa.table({"partition": pa.chunked_array([each.indices for each in chunks]), "position": whole["position"]})
    return whole.take(pc.sort_indices(keys, sort_keys=[("partition", "ascending"), ("position", "ascending")]))


def packed(table: DeltaWriter, job: Job, adds: Sequence[AddAction]) -> Packed:
    """What was done; nothing if there are no `adds`."""
    return Packed(
        table=table.log.folder.name,
        folder=job.folder,
        files=len(job.files),
        rows=sum(table.log.rows_of(file) for file in job.files),
        bytes_before=job.size,
        bytes_after=sum(add.size for add in adds),
        files_after=len(adds),
    )
