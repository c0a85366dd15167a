"""Small files of an hour become few large ones. Rows are never changed, lost or seen twice.

A compaction reads a version of the table, writes new files beside the old ones,
and exchanges them in one commit that carries no positions. Who reads a version
sees either; appends go on meanwhile, and neither waits for the other: only if
somebody else took one of the old files meanwhile is it dropped. The old files
stay on the disk, for those who still read an older version.
"""

import uuid
from collections import defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, layout, place
from pixelake.warehouse.delta import DeltaWriter
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, DataFile, DeltaLog

PREFIX: Final = "packed-"


class Limits(NamedTuple):
    """Bytes of a packed file; rows and bytes (in memory) of its row groups."""

    file: int
    rows: int
    memory: int


LIMITS: Final = {
    EVENTS_FOLDER: Limits(128 << 20, layout.PACKED_ROWS, layout.PACKED_BYTES),
    # a purge or a replay writes a whole file anew, while the consumer waits
    REJECTS_FOLDER: Limits(8 << 20, layout.GROUP_ROWS, layout.GROUP_BYTES),
}


class Job(NamedTuple):
    """Files of one hour that shall become one or, if they are large, a few."""

    hour: str
    files: Sequence[DataFile]

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Packed:
    """What was done, or what a whole compaction did.

    Attributes:
        table: ``events`` or ``rejects``.
        hour: whose files they were, as their folder.
        files: how many there were.
        rows: in them.
        bytes_before: of the files that were exchanged.
        bytes_after: of those in their place.
        files_after: how many those are; 0: somebody else took one of the files, nothing was done.
    """

    table: str
    hour: str
    files: int
    rows: int
    bytes_before: int
    bytes_after: int
    files_after: int


def plan(log: DeltaLog, without: Container[DataFile] = ()) -> list[Job]:
    """What there is to do, oldest hour first: where two files or more are small, or one was never packed."""
    hours: dict[str, list[DataFile]] = defaultdict(list)
    target = LIMITS[log.folder.name].file
    for file in log.files.values():
        if file.size < target // 2 and file not in without:
            hours[file.name.rpartition("/")[0]].append(file)
    return [
        Job(hour, chunk)
        for hour in sorted(hours)
        for chunk in _chunks(sorted(hours[hour], key=_begin), target)
        if _pays(chunk)
    ]


def _chunks(files: Sequence[DataFile], target: int) -> Iterator[Sequence[DataFile]]:
    """Runs of files, each of about the size of a packed one."""
    chunk: list[DataFile] = []
    for file in files:
        if chunk and sum(each.size for each in chunk) + file.size > target:
            yield chunk
            chunk = []
        chunk.append(file)
    if chunk:
        yield chunk


def _pays(files: Sequence[DataFile]) -> bool:
    return len(files) > 1 or not _is_packed(files[0])


def _is_packed(file: DataFile) -> bool:
    return file.name.rpartition("/")[2].startswith(PREFIX)


def _begin(file: DataFile) -> str:
    """When the first row was received, as text; files without statistics first."""
    return str(file.statistics().get("minValues", {}).get("received_at", ""))


def pack(table: DeltaWriter, job: Job) -> Sequence[AddAction]:
    """Write the rows of a job to a new file, durably. They are not of the table before that is committed.

    Memory: one row group, some 60 MB.

    Raises:
        LakeUnavailable: the disk is full or broken; or a file has not the rows that the log says.
    """
    values = dict(part.split("=", 1) for part in job.hour.split("/"))
    written = layout.Extent()
    added = table.add_file(
        values, f"{PREFIX}{uuid.uuid4()}", lambda file: _fill(file, table, job, written), written, is_new=False
    )
    expected = sum(table.log.rows_of(file) for file in job.files)
    if written.rows != expected:
        raise LakeUnavailable(
            f"the files of {job.hour} have {written.rows:,} rows, but the log says {expected:,}",
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
    """Row groups, by and large in the order of time, as files of one hour follow each other."""
    limits = LIMITS[table.log.folder.name]
    waiting: list[pa.Table] = []
    for part in _parts(table, job):
        if waiting and _is_full([*waiting, part], limits):
            yield _ordered(waiting)
            waiting = []
        waiting.append(part)
    if waiting:
        yield _ordered(waiting)


def _is_full(parts: Sequence[pa.Table], limits: Limits) -> bool:
    return sum(part.num_rows for part in parts) > limits.rows or sum(part.nbytes for part in parts) > limits.memory


def _parts(table: DeltaWriter, job: Job) -> Iterator[pa.Table]:
    schema = layout.with_dictionaries(table.stored)
    for file in job.files:
        path = table.log.folder / file.name
        with durable.reported(f"read {path}"), place.parquet(path) as whole:
            source = place.parquet(path, layout.dictionaries(whole.metadata))
            for group in range(source.num_row_groups):
                yield layout.complete(source.read_row_group(group), schema)


def _ordered(parts: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(parts).unify_dictionaries()
    chunks: Any = whole["partition"].chunks  # dictionaries cannot be sorted, and any order of the partitions will do
    keys = pa.table({"partition": pa.chunked_array([each.indices for each in chunks]), "position": whole["position"]})
    return whole.take(pc.sort_indices(keys, sort_keys=[("partition", "ascending"), ("position", "ascending")]))


def packed(table: DeltaWriter, job: Job, adds: Sequence[AddAction]) -> Packed:
    """What was done; nothing if there are no `adds`."""
    return Packed(
        table=table.log.folder.name,
        hour=job.hour,
        files=len(job.files),
        rows=sum(table.log.rows_of(file) for file in job.files),
        bytes_before=job.size,
        bytes_after=sum(add.size for add in adds),
        files_after=len(adds),
    )
