"""Writes a Delta table whose commits survive a power cut.

`deltalake` makes the commits and never syncs. So the data files are written
and synced here, before the log entry that names them; the entry and its folder
are synced right behind it, and nothing of it is reported before that. Foreign
entries are synced too before we build on them.
"""

import functools
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from pixelake.clock import Clock
from pixelake.errors import Conflict, LakeUnavailable
from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse import durable
from pixelake.warehouse.delta_log import LAST_CHECKPOINT, LOG, DataFile, DeltaLog

CHECKPOINT_EVERY: Final = 100
"""Commits between two checkpoints: opening reads at most so many entries."""

ATTEMPTS: Final = 20
"""Commits of others that one of ours may lose against before it gives up."""

MEASURED: Final = ("received_at", "partition", "position")
"""Columns with statistics in the log. None tells of a person: a log outlives what is erased from its table."""

FOOTER_MEASURED: Final = (*MEASURED, "site", "event", "stage", "reason")
"""Columns with statistics inside a data file, which go with it."""

GROUP_BYTES: Final = 16 << 20
GROUP_ROWS: Final = 100_000
"""Upper bounds of a row group, its bytes before compression. A reader holds a vector of its rows at a time, for each
thread: a group of 300 rejects of 900 KB is too much for a query of 512 MB."""

CONFIGURATION: Final = {
    "delta.checkpointInterval": str(CHECKPOINT_EVERY),
    "delta.dataSkippingStatsColumns": ",".join(MEASURED),
    "delta.enableExpiredLogCleanup": "false",
}
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class Change(NamedTuple):
    """Files to add to a table and files to take from it, in one commit."""

    adds: Sequence[AddAction]
    removes: Sequence[DataFile] = ()


class DeltaWriter:
    """One table, open for writing; made if it is not there. One thread, under the lock of the lake.

    ``log`` is the table as this writer last saw it; every entry of it is durable.
    """

    def __init__(self, folder: Path, schema: pa.Schema, clock: Clock) -> None:
        self._folder, self._schema, self._clock = folder, schema, clock
        self._delta_schema = Schema.from_arrow(schema)
        self._stored = pa.schema([field for field in schema if field.name not in PARTITION_COLUMNS])
        self._synced = -1
        self._flush = durable.sync
        self._hours: set[str] = set()
        self.log = DeltaLog(folder)
        self._table = self._open()
        self.refresh()

    def _open(self) -> DeltaTable:
        with durable.reported(f"open the lake {self._folder}"), _delta_reported("open", self._folder):
            durable.make_folder(self._folder / LOG, self._folder.parent)
            return DeltaTable.create(
                str(self._folder),
                self._delta_schema,
                mode="ignore",
                partition_by=list(PARTITION_COLUMNS),
                configuration=CONFIGURATION,
            )

    def refresh(self) -> None:
        """See what others committed, and make it durable.

        Raises:
            LakeUnavailable: the log cannot be read or synced.
        """
        self.log.refresh()
        with durable.reported(f"sync {self._folder}"):
            self._sync_log()

    def _sync_log(self) -> None:
        if self.log.version == self._synced:
            return
        flush, self._flush = self._flush, durable.rewrite
        for version in range(max(self._synced, self.log.checkpoint) + 1, self.log.version + 1):
            flush(self.log.entry(version))
        durable.sync(self._folder / LOG)
        self._synced, self._flush = self.log.version, durable.sync

    def add_files(self, rows: pa.Table) -> Sequence[AddAction]:
        """Write rows to new files, one an hour, durably. They belong to the table once they are committed.

        Raises:
            LakeUnavailable: the disk is full or broken.
        """
        if not rows.num_rows:
            return ()
        keys = [*PARTITION_COLUMNS, *(name for name in ("site", "received_at") if name in rows.column_names)]
        with durable.reported(f"write to {self._folder}"):
            ordered = rows.sort_by([(key, "ascending") for key in keys])
            return [self._add_file(part) for part in _split(ordered, PARTITION_COLUMNS)]

    def _add_file(self, rows: pa.Table) -> AddAction:
        values = {name: rows[name][0].as_py() for name in PARTITION_COLUMNS}
        hour = "/".join(f"{name}={value}" for name, value in values.items())
        if hour not in self._hours:
            durable.make_folder(self._folder / hour, self._folder)
            self._hours.add(hour)
        path = f"{hour}/part-{uuid.uuid4()}.zstd.parquet"
        stored = rows.select(self._stored.names).cast(self._stored)
        size = durable.write(self._folder / path, lambda file: _write_parquet(stored, file))
        return AddAction(path, size, values, self._clock.now() // 1000, True, _statistics(stored))

    def commit(self, change: Change, transactions: Mapping[str, int]) -> None:
        """Make a change and the versions of application transactions visible in one step, durably.

        They are compared and set: if somebody else moved one of them since the
        last `refresh`, or took one of the files, nothing is done.

        Raises:
            Conflict: as said; read again and start over.
            LakeUnavailable: it is not known to be durable.
        """
        expected = {name: self.log.transactions.get(name) for name in transactions}
        for _ in range(ATTEMPTS):
            if self._commit(change, transactions):
                self.refresh()
                self._checkpoint()
                return
            self.refresh()
            moved = any(self.log.transactions.get(name) != version for name, version in expected.items())
            if moved or any(file.path not in self.log.files for file in change.removes):
                raise Conflict(f"somebody else wrote the same to {self._folder.name}", "try again")
        raise LakeUnavailable(f"{ATTEMPTS} others committed first to {self._folder}", "try again")

    def _commit(self, change: Change, transactions: Mapping[str, int]) -> bool:
        """Commit on the very version that `log` shows; False if there is a newer one."""
        now = self._clock.now() // 1000
        removes = [RemoveAction(file.path, True, now, file.size) for file in change.removes]
        properties = CommitProperties(
            app_transactions=[Transaction(name, version, now) for name, version in transactions.items()],
            max_commit_retries=0,
        )
        with durable.reported(f"commit to {self._folder}"), _delta_reported("commit to", self._folder):
            self._table.update_incremental()
            if self._table.version() != self.log.version:
                return False
            try:
                self._table.create_write_transaction(
                    [*change.adds, *removes],
                    mode="append",
                    schema=self._delta_schema,
                    partition_by=list(PARTITION_COLUMNS),
                    commit_properties=properties,
                    post_commithook_properties=_NO_HOOKS,
                )
            except CommitFailedError:
                return False
        return True

    def _checkpoint(self) -> None:
        """Make a checkpoint when one is due. The commits are durable without: a failure is only reported."""
        if self.log.version - self.log.checkpoint < CHECKPOINT_EVERY:
            return
        try:
            self._table.update_incremental()
            self._table.create_checkpoint()
            version = self._table.version()
            durable.sync(self._folder / LOG / f"{version:020}.checkpoint.parquet")
            durable.sync(self._folder / LOG / LAST_CHECKPOINT)
            durable.sync(self._folder / LOG)
        except (DeltaError, OSError) as error:
            structlog.get_logger().warning("no checkpoint of the lake", table=self._folder.name, error=str(error))
        else:
            self.log.checkpoint = version
            # What it holds grows with every commit, and each costs more: 40 ms after 300 of them, 8 when opened anew.
            self._table = self._open()


@contextmanager
def _delta_reported(doing: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except DeltaError as error:
        raise LakeUnavailable(f"cannot {doing} {folder}: {error}", "look at the disk") from error


def _write_parquet(rows: pa.Table, file: IO[bytes]) -> None:
    measured = [name for name in FOOTER_MEASURED if name in rows.column_names]
    with pq.ParquetWriter(file, rows.schema, compression="zstd", write_statistics=measured) as writer:
        for group in _groups(rows):
            writer.write_table(group, row_group_size=group.num_rows)


def _groups(rows: pa.Table) -> Iterator[pa.Table]:
    """The rows in parts within the bounds of a row group, in order; a row that is larger stands alone."""
    if rows.num_rows <= 1 or (rows.nbytes <= GROUP_BYTES and rows.num_rows <= GROUP_ROWS):
        yield rows
        return
    half = rows.num_rows // 2
    yield from _groups(rows.slice(0, half))
    yield from _groups(rows.slice(half))


def _split(rows: pa.Table, keys: Iterable[str]) -> Iterator[pa.Table]:
    """The runs of equal keys of sorted rows."""
    changed = functools.reduce(pc.or_, (pc.not_equal(rows[name][1:], rows[name][:-1]) for name in keys))
    ends: Any = pc.add(pc.indices_nonzero(changed), 1)
    starts = [0, *ends.to_pylist(), rows.num_rows]
    return (rows.slice(start, end - start) for start, end in pairwise(starts))


def _statistics(rows: pa.Table) -> str:
    """Statistics as the Delta protocol has them."""
    bounds: dict[str, Any] = {name: pc.min_max(rows[name]).as_py() for name in MEASURED}
    document: dict[str, Any] = {"numRecords": rows.num_rows}
    for key, side in (("minValues", "min"), ("maxValues", "max")):
        document[key] = {name: _json(bound[side]) for name, bound in bounds.items()}
    document["nullCount"] = dict.fromkeys(MEASURED, 0)
    return msgspec.json.encode(document).decode()


def _json(value: Any) -> Any:
    return value.isoformat(timespec="microseconds").replace("+00:00", "Z") if hasattr(value, "isoformat") else value
