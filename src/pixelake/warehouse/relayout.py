"""Brings a table of an older layout to today's: the hour, which was a folder only, becomes a column of the files.

Each file gets a successor beside it, with the same rows in the same order; then
one entry of the log takes all of the old ones out, puts the new ones in, and
says that the folders are the days. Who reads sees the table before or after. The
old files stay on the disk until they are vacuumed.

It may be cut short anywhere. What was written before is of no table; on a disk,
where nobody else writes meanwhile, the next try finds it by its name and goes on.

In a bucket a program of the older version may go on writing for a while. The files
it adds are brought up in the same way, by whoever of this version looks next: until
then `deltalake` would not open the table.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from pixelake.clock import Clock
from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, layout, place
from pixelake.warehouse.delta_log import Action, DataFile, DeltaLog
from pixelake.warehouse.packing import PREFIX

ATTEMPTS: Final = 20
"""Commits of others that may come first. Only what they added is written anew then."""
SPARE: Final = 64 << 20
"""Bytes that stay free on the disk, beside those of the new files."""
_NAMES: Final = uuid.UUID("5b0cf1b5-4d0c-4a0c-9d1f-6f1f4a4e6b52")


def bring_up(log: DeltaLog, clock: Clock) -> None:
    """Bring a table to the layout of today, durably, if it lies in an older one, or some of its files do.

    On a disk the caller holds the lock of the lake, and has mended it. Memory: one row group, some 60 MB.

    Args:
        log: of the table, just refreshed; it shows the new version then.
        clock: for the times in the log.

    Raises:
        LakeUnavailable: the disk has no room for it or is broken, or a file is damaged; nothing has changed then.
    """
    done: dict[str, Action] = {}
    for _ in range(ATTEMPTS):
        if log.layout in (0, layout.VERSION) and not log.strays:
            return
        todo = _todo(log)
        with durable.reported(f"bring {log.folder} to layout {layout.VERSION}"):
            _check_room(log, [file for file in todo if file.path not in done])
            structlog.get_logger().info("the lake is brought to a new layout", table=log.folder.name, files=len(todo))
            for file in todo:
                if file.path not in done:
                    done[file.path] = _successor(log, file, clock)
            if _commit(log, todo, done, clock):
                structlog.get_logger().info("the lake has a new layout", table=log.folder.name, files=len(todo))
        log.refresh()
    raise LakeUnavailable(f"{ATTEMPTS} others committed first to {log.folder}", "try again when fewer write to it")


def _todo(log: DeltaLog) -> list[DataFile]:
    """The files that lie in an older layout."""
    return [file for file in log.files.values() if 0 < log.layout < layout.VERSION or file.path in log.strays]


def _check_room(log: DeltaLog, todo: Sequence[DataFile]) -> None:
    """On a disk, where the new files need as much as the old ones."""
    if not isinstance(log.folder, Path):
        return
    needed = SPARE + sum(file.size for file in todo if not (log.folder / _name(log, file)).exists())
    free = shutil.disk_usage(log.folder).free
    if todo and free < needed:
        raise LakeUnavailable(
            f"to bring {log.folder} to layout {layout.VERSION}, {needed / 1e6:,.0f} MB must be free on its disk;"
            f" there are {free / 1e6:,.0f}",
            "make room there and start again: nothing has changed yet",
        )


def _name(log: DeltaLog, file: DataFile) -> str:
    """Of the successor: in the same folder; on a disk always the same, so that the next try finds it."""
    folder, _, name = file.name.rpartition("/")
    which = uuid.uuid5(_NAMES, file.name) if isinstance(log.folder, Path) else uuid.uuid4()
    prefix = PREFIX if name.startswith(PREFIX) else "part-"
    return f"{folder}/{prefix}{which}-{layout.columns_tag(layout.stored(log.schema))}.zstd.parquet"


def _successor(log: DeltaLog, file: DataFile, clock: Clock) -> Action:
    """The action that adds the successor of a file, which is written and durable."""
    name, extent = _name(log, file), layout.Extent()
    path = log.folder / name
    if isinstance(path, Path) and path.exists():  # whole and synced, for it has its name
        for group in _groups(path, layout.MEASURED):
            extent.add(group)
        size = path.stat().st_size
    else:
        size = durable.write(path, lambda new: _fill(new, log, file, extent))
    if extent.rows != (expected := log.rows_of(file)):
        raise LakeUnavailable(
            f"{file.name} has {extent.rows:,} rows, but the log says {expected:,}",
            "restore the file from a backup; nothing has changed yet",
        )
    values = layout.values_of(layout.folder_of(name))
    return {
        "path": name,
        "partitionValues": {column: values[column] for column in layout.FOLDERS},
        "size": size,
        "modificationTime": clock.now() // 1000,
        "dataChange": False,
        "stats": extent.statistics(),
    }


def _fill(new: IO[bytes], log: DeltaLog, file: DataFile, extent: layout.Extent) -> None:
    schema = layout.with_dictionaries(layout.stored(log.schema))
    is_packed = file.name.rpartition("/")[2].startswith(PREFIX)
    target: pq.ParquetWriter | None = None
    try:
        for group in _groups(log.folder / file.name):
            rows = layout.complete(layout.located(group, file.name), schema)
            if target is None:
                target = layout.writer(
                    new, schema, layout.packed(rows.unify_dictionaries()) if is_packed else layout.FRESH
                )
            target.write_table(rows, row_group_size=rows.num_rows)
            extent.add(rows)
    finally:
        if target is not None:
            target.close()


def _groups(path: place.Place, columns: Any = None) -> Iterator[pa.Table]:
    with durable.reported(f"read {path}"), place.parquet(path) as whole:
        source = place.parquet(path, layout.dictionaries(whole.metadata))
        for group in range(source.num_row_groups):
            yield source.read_row_group(group, columns)


def _commit(log: DeltaLog, todo: Sequence[DataFile], done: Mapping[str, Action], clock: Clock) -> bool:
    """Exchange these files and the columns that are folders, in one entry; False if somebody else wrote one first.

    `deltalake` does not write such an entry: to it the folders of a table never change.
    """
    now = clock.now() // 1000
    properties = dict(log.metadata.get("configuration") or {}) | {layout.LAYOUT: str(layout.VERSION)}
    metadata = dict(log.metadata) | {"partitionColumns": list(layout.FOLDERS), "configuration": properties}
    info = {"timestamp": now, "operation": "RELAYOUT", "engineInfo": "pixelake", "operationParameters": {}}
    actions: list[Action] = [{"commitInfo": info}]
    actions += [{"metaData": metadata}] if log.layout != layout.VERSION else []
    actions += [{"remove": _removal(file, now)} for file in todo]
    actions += [{"add": done[file.path]} for file in todo]
    data = b"\n".join(map(msgspec.json.encode, actions)) + b"\n"
    return durable.create(log.entry(log.version + 1), data)


def _removal(file: DataFile, now: int) -> Action:
    return {
        "path": file.path,
        "deletionTimestamp": now,
        "dataChange": False,
        "extendedFileMetadata": True,
        "partitionValues": layout.values_of(layout.folder_of(file.name)),
        "size": file.size,
    }
