"""Reads the log of a Delta table: which files it has, and which application transactions.

`deltalake` cannot list application transactions, and its readers give up at a
broken last entry; this one can and does not. It changes nothing on disk, so
that a query or `status` may look at any time.

The log is ``_delta_log/<version>.json``, one action a line, and now and then a
checkpoint of all that is still valid (the Delta protocol, reader version 1).
"""

import re
from collections.abc import Container, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

import msgspec
import pyarrow as pa

from pixelake.errors import LakeUnavailable
from pixelake.warehouse import durable, floor, layout, place
from pixelake.warehouse.place import Place

EVENTS_FOLDER: Final = "events"
REJECTS_FOLDER: Final = "rejects"
"""The two tables of a lake."""
LOG: Final = "_delta_log"
LAST_CHECKPOINT: Final = "_last_checkpoint"
ENTRY: Final = re.compile(r"(\d{20})\.json")
CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint\.parquet")
UNREADABLE: Final = (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError)
"""What reading a file that a power cut left behind may raise."""

_FOLDERS: Final = frozenset(layout.FOLDERS)

Action = Mapping[str, Any]


class DataFile(NamedTuple):
    """A Parquet file of the table: its path as in the log, size in bytes, and statistics (JSON)."""

    path: str
    size: int
    stats: str | None

    @property
    def name(self) -> str:
        """Its path below the table's folder."""
        return unquote(self.path)

    def is_whole(self, table: Path) -> bool:
        """Whether it is there and has its size; its bytes are not looked at."""
        try:
            return (table / self.name).stat().st_size == self.size
        except OSError:
            return False

    def statistics(self) -> Mapping[str, Any]:
        """``numRecords``, ``minValues``, ``maxValues``: as far as the writer gave them."""
        return msgspec.json.decode(self.stats) if self.stats else {}


def entry_name(version: int) -> str:
    """The file name of a log entry."""
    return f"{version:020}.json"


def parse_entry(data: bytes) -> list[Action]:
    """The actions of a log entry.

    Raises:
        ValueError: it is empty or damaged.
    """
    actions = [msgspec.json.decode(line) for line in data.splitlines() if line.strip()]
    if not actions or not all(isinstance(action, dict) for action in actions):
        raise ValueError("no actions")
    return actions


class State(NamedTuple):
    """What a table is made of: its files by path, its application transactions, its newest ``metaData`` action."""

    files: dict[str, DataFile]
    transactions: dict[str, int]
    metadata: Action


def read_checkpoint(path: Place) -> State:
    """The state that a checkpoint holds.

    Raises:
        One of `UNREADABLE`: it is damaged.
        LakeUnavailable: it needs a newer reader, or a newer version of pixelake.
    """
    table = place.parquet(path).read(columns=["txn", "add", "protocol", "metaData"])
    protocol, adds, transactions, metadata = (_column(table, name) for name in ("protocol", "add", "txn", "metaData"))
    for minimum in protocol.field("minReaderVersion").to_pylist():
        _check_reader(minimum)
    columns = [adds.field(name).to_pylist() for name in DataFile._fields]
    files = {path: DataFile(path, size, stats) for path, size, stats in zip(*columns, strict=True)}
    names, versions = (transactions.field(name).to_pylist() for name in ("appId", "version"))
    (told,) = metadata.to_pylist(maps_as_pydicts="strict")
    _check_layout(told)
    return State(files, dict(zip(names, versions, strict=True)), told)


def _column(table: pa.Table, name: str) -> Any:
    """A column of structs without its nulls, as one array."""
    return pa.concat_arrays([chunk.drop_null() for chunk in table[name].chunks])


def _check_reader(minimum: int) -> None:
    if minimum > 1:
        raise LakeUnavailable(
            f"the table needs version {minimum} of Delta's readers",
            "some other program switched on a feature of Delta that pixelake does not read; restore an older version",
        )


def _layout(metadata: Action) -> str:
    """Which version of the layout the files of a table lie in."""
    return (metadata.get("configuration") or {}).get(layout.LAYOUT) or "1"


def _check_layout(metadata: Action) -> None:
    found = _layout(metadata)
    if not found.isdecimal() or int(found) > layout.VERSION:
        raise LakeUnavailable(
            f"a newer version of pixelake wrote the lake (layout {found[:20]!r}, this one knows {layout.VERSION})",
            "run that version of pixelake, or name another lake with --lake",
        )


class DeltaLog:
    """The state of one table: that of ``version``, or an empty one with version -1.

    One thread. `refresh` reads only what is new.

    Attributes:
        metadata: the newest ``metaData`` action: columns, properties; empty of an empty state.
        strays: paths of files that entries add in folders other than `layout.FOLDERS`: whoever wrote them is older.
    """

    def __init__(self, folder: Place) -> None:
        self.folder = folder
        self._clear()

    def _clear(self) -> None:
        self.version = -1
        self.checkpoint = -1
        self.files: dict[str, DataFile] = {}
        self.transactions: dict[str, int] = {}
        self.metadata: Action = {}
        self.strays: set[str] = set()
        self._identity: Hashable | None = None

    @property
    def schema(self) -> str:
        """The columns, as Delta writes them (JSON); empty of an empty state."""
        return str(self.metadata.get("schemaString", ""))

    @property
    def layout(self) -> int:
        """The version of ours that its files lie in, see `pixelake.warehouse.layout`; 0 of an empty state."""
        return int(_layout(self.metadata)) if self.metadata else 0

    def entry(self, version: int) -> Place:
        """Where a log entry is."""
        return self.folder / LOG / entry_name(version)

    def refresh(self) -> None:
        """Read on up to the newest entry; up to the one before a broken entry.

        Raises:
            LakeUnavailable: the log cannot be read, an entry is lost that was durable, or a newer version wrote it.
        """
        durable_to = floor.read(self.folder)  # before the log, which may go on meanwhile
        with durable.reported(f"read {self.folder}"):
            if self.version < 0 or self._identify(self.version) != self._identity:
                self._begin()
            while self._advance():
                pass
        if self.version < durable_to:
            raise lost_entry(self.folder, self.version + 1)

    def _identify(self, version: int) -> Hashable | None:
        """Tells entries of one version apart: after a recovery it is another one."""
        return place.tag(self.entry(version))

    def _begin(self) -> None:
        """Start from the newest readable checkpoint, else from nothing."""
        self._clear()
        names = place.names(self.folder / LOG)
        for match in sorted(filter(None, map(CHECKPOINT.fullmatch, names)), key=lambda m: m[1], reverse=True):
            try:
                self.files, self.transactions, self.metadata = read_checkpoint(self.folder / LOG / match[0])
            except UNREADABLE:
                continue
            self.version = self.checkpoint = int(match[1])
            self._identity = self._identify(self.version)
            return
        if entry_name(0) not in names and any(map(ENTRY.fullmatch, names)):
            raise LakeUnavailable(
                f"the log of {self.folder} has lost its beginning and has no checkpoint", "restore it from a backup"
            )

    def _advance(self) -> bool:
        try:
            identity = self._identify(self.version + 1)
            actions = parse_entry(self.entry(self.version + 1).read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        for action in actions:
            self._apply(action)
        self.version, self._identity = self.version + 1, identity
        return True

    def _apply(self, action: Action) -> None:
        if add := action.get("add"):
            self.files[add["path"]] = DataFile(add["path"], add["size"], add.get("stats"))
            if not add.get("partitionValues", {}).keys() <= _FOLDERS:
                self.strays.add(add["path"])
        elif remove := action.get("remove"):
            self.files.pop(remove["path"], None)
            self.strays.discard(remove["path"])
        elif txn := action.get("txn"):
            self.transactions[txn["appId"]] = txn["version"]
        elif metadata := action.get("metaData"):
            _check_layout(metadata)
            self.metadata = metadata
        elif protocol := action.get("protocol"):
            _check_reader(protocol["minReaderVersion"])

    def added_since(self, version: int) -> list[DataFile]:
        """The files that came after that version and are still there; more of them if old entries are gone."""
        try:
            entries = [parse_entry(self.entry(each).read_bytes()) for each in range(version + 1, self.version + 1)]
        except UNREADABLE:
            return list(self.files.values())
        paths = [action["add"]["path"] for actions in entries for action in actions if action.get("add")]
        return [self.files[path] for path in paths if path in self.files]

    def damaged(self) -> Sequence[DataFile]:
        """The files that are missing or do not have their size. Looks at each: 3 µs a file on a disk.

        Raises:
            LakeUnavailable: an object store does not tell.
        """
        folder = self.folder
        if isinstance(folder, Path):
            return [file for file in self.files.values() if not file.is_whole(folder)]
        with durable.reported(f"read {folder}"):
            sizes = folder.sizes()  # a request for a thousand files, not for each
        return [file for file in self.files.values() if sizes.get(file.name) != file.size]

    def rows(self, without: Container[DataFile] = ()) -> int:
        """The number of rows, from the log; from a file's footer if the log does not tell."""
        return sum(self.rows_of(file) for file in self.files.values() if file not in without)

    def rows_of(self, file: DataFile) -> int:
        """The number of rows of one file."""
        known = file.statistics().get("numRecords")
        return int(known) if known is not None else int(place.parquet(self.folder / file.name).metadata.num_rows)


def logs_of(lake: Place) -> Mapping[str, DeltaLog]:
    """Those of the two tables of a lake, by name, wherever this process goes; nothing is read yet."""
    return {name: DeltaLog(place.absolute(lake) / name) for name in (EVENTS_FOLDER, REJECTS_FOLDER)}


def lost_entry(table: Place, version: int) -> LakeUnavailable:
    """That an entry of the log, which was durable, is missing or damaged."""
    return LakeUnavailable(
        f"{table / LOG / entry_name(version)} is missing or damaged",
        f"restore it from a backup; to give up all it and newer ones hold, remove {table / floor.FLOOR}",
    )
