"""Writes a Delta table whose commits survive a power cut.

`deltalake` makes the commits and never syncs. So the data files are written
and synced here, before the log entry that names them; the entry and its folder
are synced right behind it, and nothing of it is reported before that. Foreign
entries are synced too before we build on them.
"""

import functools
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final, NamedTuple
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from pixelake.clock import SECOND, Clock
from pixelake.errors import Conflict, LakeUnavailable
from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse import durable, layout
from pixelake.warehouse.delta_log import LAST_CHECKPOINT, LOG, DataFile, DeltaLog, entry_name
from pixelake.warehouse.evolve import add_columns
from pixelake.warehouse.place import Place, one_line
from pixelake.warehouse.relayout import bring_up

CHECKPOINT_EVERY: Final = 100
"""Commits between two checkpoints: opening reads at most so many entries."""

ATTEMPTS: Final = 20
"""Commits of others that one of ours may lose against before it gives up."""

QUIET_ROWS: Final = 8_192
"""Rows of a day that are few."""
DAY_OVER: Final = timedelta(hours=2)
"""So long after its end a day is over: nothing of it comes in any more but what is late."""

CONFIGURATION: Final = {
    layout.LAYOUT: str(layout.VERSION),
    "delta.checkpointInterval": str(CHECKPOINT_EVERY),
    "delta.dataSkippingStatsColumns": ",".join(layout.MEASURED),
    "delta.enableExpiredLogCleanup": "false",
}
_HOUR: Final = PARTITION_COLUMNS[-1]
_NO_HOOKS: Final = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


class Change(NamedTuple):
    """Files to add to a table and files to take from it, in one commit; whether other rows are there then."""

    adds: Sequence[AddAction]
    removes: Sequence[DataFile] = ()
    is_new: bool = True


class DeltaWriter:
    """One table, open for writing; made if it is not there. One thread, under the lock of the lake.

    One that an older version wrote is brought to today's layout first, which may take long.

    Attributes:
        log: the table as this writer last saw it; every entry of it is durable.
    """

    def __init__(self, folder: Place, schema: pa.Schema, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._delta_schema = Schema.from_arrow(schema)
        self._synced = -1
        self._flush = durable.sync
        self._made: set[str] = set()
        self.log = DeltaLog(folder)
        self.log.refresh()
        bring_up(self.log, clock)
        self._table = self._open()
        with durable.reported(f"open the lake {folder}"), _delta_reported("open", folder):
            add_columns(self._table, self._delta_schema)
        self.refresh()

    @property
    def stored(self) -> pa.Schema:
        """The columns of a file that is written now: all the table has, perhaps more than whoever writes knows."""
        return layout.stored(self.log.schema)

    def _open(self) -> DeltaTable:
        with durable.reported(f"open the lake {self._folder}"), _delta_reported("open", self._folder):
            if isinstance(self._folder, Path):
                durable.make_folder(self._folder / LOG, self._folder.parent)
            return DeltaTable.create(
                str(self._folder),
                self._delta_schema,
                mode="ignore",
                partition_by=list(layout.FOLDERS),
                configuration=CONFIGURATION,
                raise_if_key_not_exists=False,  # one of them is ours
                storage_options=None if isinstance(self._folder, Path) else dict(self._folder.options),
            )

    def refresh(self) -> None:
        """See what others committed, and make it durable.

        Raises:
            LakeUnavailable: the log cannot be read or synced.
        """
        self.log.refresh()
        bring_up(self.log, self._clock)  # somebody with an older version may still write, too
        if isinstance(self._folder, Path):
            with durable.reported(f"sync {self._folder}"):
                self._sync_log(self._folder / LOG)

    def _sync_log(self, folder: Path) -> None:
        if self.log.version == self._synced:
            return
        flush, self._flush = self._flush, durable.rewrite
        for version in range(max(self._synced, self.log.checkpoint) + 1, self.log.version + 1):
            flush(folder / entry_name(version))
        durable.sync(folder)
        self._synced, self._flush = self.log.version, durable.sync

    def add_files(self, rows: pa.Table, *, coarse: bool = False) -> Sequence[AddAction]:
        """Write rows to new files, one an hour, in their order, durably. They belong to the table once committed.

        Args:
            rows: with the columns that are folders.
            coarse: whether the rows of a day that is over are one file if they are few: for rows of many days.

        Raises:
            LakeUnavailable: the disk is full or broken.
        """
        if not rows.num_rows:
            return ()
        if not coarse:
            return [self._add_part(part, PARTITION_COLUMNS) for part in _hours(rows)]
        now = datetime.fromtimestamp(self._clock.now() / SECOND, UTC) - DAY_OVER
        today = tuple(f"{now:%Y %m %d}".split())
        adds = []
        for day in _split(rows.sort_by([(name, "ascending") for name in PARTITION_COLUMNS]), layout.FOLDERS):
            is_over = tuple(day[name][0].as_py() for name in layout.FOLDERS) < today
            if is_over and day.num_rows <= QUIET_ROWS and day[_HOUR][0].as_py() != day[_HOUR][-1].as_py():
                adds.append(self._add_part(day, layout.FOLDERS))
            else:
                adds += [self._add_part(part, PARTITION_COLUMNS) for part in _split(day, PARTITION_COLUMNS)]
        return adds

    def _add_part(self, rows: pa.Table, folders: Iterable[str]) -> AddAction:
        values = {name: rows[name][0].as_py() for name in folders}
        stored, extent = layout.complete(rows, self.stored), layout.Extent()
        extent.add(stored)
        return self.add_file(values, f"part-{uuid.uuid4()}", lambda file: layout.write(stored, file), extent)

    def add_file(
        self,
        values: Mapping[str, str],
        name: str,
        fill: Callable[[IO[bytes]], None],
        extent: layout.Extent,
        is_new: bool = True,
    ) -> AddAction:
        """Write one file of one hour or one day, durably. It belongs to the table once it is committed.

        Args:
            values: that all its rows have: year, month and day, and the hour if it is one.
            name: of the file, without ending; nobody ever had it.
            fill: writes it.
            extent: of what was written, once it is.
            is_new: whether its rows are.

        Raises:
            LakeUnavailable: the disk is full or broken.
        """
        folder = "/".join(f"{name}={value}" for name, value in values.items())
        path = f"{folder}/{name}-{layout.columns_tag(self.stored)}.zstd.parquet"
        with durable.reported(f"write to {self._folder}"):
            self._make_folder(folder)
            try:
                size = durable.write(self._folder / path, fill)
            except FileNotFoundError:  # an empty folder may have been taken away meanwhile; nothing was filled in
                self._made.discard(folder)
                self._make_folder(folder)
                size = durable.write(self._folder / path, fill)
        partition = {name: values[name] for name in layout.FOLDERS}
        return AddAction(path, size, partition, self._clock.now() // 1000, is_new, extent.statistics())

    def _make_folder(self, folder: str) -> None:
        if folder not in self._made and isinstance(self._folder, Path):
            durable.make_folder(self._folder / folder, self._folder)
            self._made.add(folder)

    def discard(self, adds: Iterable[AddAction]) -> None:
        """Remove files that were written and are not of the newest version: they may hold what is erased meanwhile.

        Not where it is not known whether their commit was done: it may still come.

        Raises:
            OSError: some may still be there.
        """
        names = [unquote(add.path) for add in adds if add.path not in self.log.files]
        if isinstance(self._folder, Path):
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
        elif names:
            self._folder.remove(names)

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
        removes = [RemoveAction(file.path, change.is_new, now, file.size) for file in change.removes]
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
                    partition_by=list(layout.FOLDERS),
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
            if isinstance(self._folder, Path):
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
def _delta_reported(doing: str, folder: Place) -> Iterator[None]:
    """Turn what `deltalake` says into `LakeUnavailable`; of an object store it says OSError."""
    kinds = (DeltaError,) if isinstance(folder, Path) else (DeltaError, OSError)
    try:
        yield
    except kinds as error:
        hint = "look at the disk" if isinstance(folder, Path) else folder.hint
        raise LakeUnavailable(f"cannot {doing} {folder}: {one_line(error)}", hint) from error


def _hours(rows: pa.Table) -> Iterator[pa.Table]:
    """The rows of each hour, in their order."""
    if all(pc.all(pc.equal(rows[name], rows[name][0])).as_py() for name in PARTITION_COLUMNS):
        return iter((rows,))  # mostly it is one, and sorting takes a quarter of the time of a write
    return _split(rows.sort_by([(name, "ascending") for name in PARTITION_COLUMNS]), PARTITION_COLUMNS)


def _split(rows: pa.Table, keys: Iterable[str]) -> Iterator[pa.Table]:
    """The runs of equal keys of sorted rows."""
    changed = functools.reduce(pc.or_, (pc.not_equal(rows[name][1:], rows[name][:-1]) for name in keys))
    ends: Any = pc.add(pc.indices_nonzero(changed), 1)
    starts = [0, *ends.to_pylist(), rows.num_rows]
    return (rows.slice(start, end - start) for start, end in pairwise(starts))
