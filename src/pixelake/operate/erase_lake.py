"""A person leaves the lake: events, rejects, and every file that held them and is not part of it any more."""

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from pixelake.errors import LakeUnavailable
from pixelake.hit import Hit
from pixelake.operate.erase_hits import Places, places_of, texts_of
from pixelake.operate.person import Who, text_columns
from pixelake.stream.base import Partition, Position
from pixelake.transform.raw import read
from pixelake.warehouse import durable, layout, place
from pixelake.warehouse.base import EVENTS, REJECTS
from pixelake.warehouse.delta_log import EVENTS_FOLDER, REJECTS_FOLDER, UNREADABLE, DataFile, DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.leave import SMALL
from pixelake.warehouse.live_base import NEEDED, Store

LOOK_ROWS: Final = 4_096
"""Rejects that are looked at at once; each may be large."""
LOOKS: Final = 20
"""So often all rejects are looked at again, because somebody replaced a file meanwhile."""
RESOLUTION: Final = 1.0
"""Seconds that an object may be older than its store says."""
_pc: Any = pc


class Searched(NamedTuple):
    """What was looked through: files, rows and bytes; and what went."""

    files: int
    rows: int
    bytes: int
    removed: int


class Found(NamedTuple):
    """Where events are.

    Attributes:
        places: their hits, and which of their elements they are.
        clean: paths of the files that have none of them.
        searched: what was looked through.
    """

    places: dict[tuple[Partition, Position], frozenset[int]]
    clean: Collection[str]
    searched: Searched


def find(lake: Lake, who: Who, told: Callable[[int, int], None]) -> Found:
    """Where their events are. Changes nothing.

    Args:
        lake: open for writing.
        who: whose.
        told: hears how many files are done, and about how many there are.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    places: dict[tuple[Partition, Position], frozenset[int]] = {}
    clean: set[str] = set()
    files = rows = size = 0
    log = DeltaLog(lake.place / EVENTS_FOLDER)
    log.refresh()
    for file in _each_once(log):
        before = len(places)
        with durable.reported(f"read {file.name}"):
            for part in _parts(log, file):
                rows += part.num_rows
                merge(places, places_of(part.filter(who.rows(part)), whole=who.kind == "visitor"))
        if len(places) == before:
            clean.add(file.path)
        files, size = files + 1, size + file.size
        told(files, max(files, len(log.files)))
    return Found(places, clean, Searched(files, rows, size, 0))


def merge(places: dict[tuple[Partition, Position], frozenset[int]], more: Places) -> None:
    """Add places to others."""
    for at, elements in more.items():
        places[at] = places.get(at, frozenset()) | elements


def events(lake: Lake, live: Store | None, who: Who, clean: Collection[str]) -> tuple[int, set[str]]:
    """Take their events out of the lake, and before that off the live store's counts.

    Args:
        lake: open for writing.
        live: likewise; None if there is none.
        who: whose.
        clean: files that have none of theirs.

    Returns:
        How many went, and the files that were replaced.

    Raises:
        WarehouseError: some have left; repeat the call.
    """
    columns = list(dict.fromkeys([*text_columns(lake.columns(EVENTS_FOLDER)), *NEEDED]))

    def gone(rows: pa.Table) -> Any:
        mask = who.rows(rows)
        meant = plain(rows.filter(mask))
        if live and meant.num_rows:
            live.leave(meant)
        return mask

    left = [each for each in lake.leave(gone, columns, clean) if each.adds is not None]
    return sum(each.gone.total() for each in left), {each.file.name for each in left}


def rejects(lake: Lake, who: Who, elements: Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]]) -> Searched:
    """Remove the rejects that hold the id, with all others of the same hits: the raw hit is kept once for all of them.

    Args:
        lake: open for writing.
        who: whose.
        elements: the values of each element of a hit.

    Raises:
        LakeUnavailable: what was removed is; repeat the call.
    """
    files = rows = size = 0
    found: set[str] = set()
    log = DeltaLog(lake.place / REJECTS_FOLDER)
    log.refresh()
    for file in _each_once(log):
        with durable.reported(f"read {file.name}"):
            for part in _parts(log, file):
                rows += part.num_rows
                mask = rejected(part, who, elements)
                found.update(_places(part.filter(mask)).to_pylist())
        files, size = files + 1, size + file.size
    names = pa.array(sorted(found), pa.string())
    removed = sum(lake.purge(lambda part: _pc.is_in(_places(part), value_set=names))) if found else 0
    return Searched(files, rows, size, removed)


def rejected(rows: pa.Table, who: Who, elements: Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]]) -> Any:
    """For each reject whether it holds the id: in its texts, or in what the hit that it keeps says."""
    mask = who.rows(rows)
    raws: list[Any] = rows["raw"].to_pylist()
    return _pc.or_(mask, pa.array([_is_kept(raw, who, elements) for raw in raws], pa.bool_()))


def _is_kept(raw: str | None, who: Who, elements: Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]]) -> bool:
    """Whether a hit that is packed, or whose id is too short to be looked for in its text, says it."""
    if raw is None or (who.in_text and '_base64":' not in raw):
        return False
    hit = read(raw).hit
    if hit is None:
        return False
    if who.in_text:
        return any(who.sent(list(texts_of(hit))))
    return who.kind == "user" and any(map(who.values, elements(hit)))


def lines(rows: Sequence[bytes], who: Who, elements: Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]]) -> Any:
    """For each line of a plain file of JSON, an event or a reject, whether it is theirs."""
    parsed = [msgspec.json.decode(line, type=dict[str, Any]) for line in rows]
    mask = pa.array(who.sent(rows) if who.in_text else [False] * len(rows), pa.bool_())
    for schema, is_of in ((EVENTS, "event"), (REJECTS, "reason")):
        mine = [at for at, row in enumerate(parsed) if is_of in row]
        if not mine:
            continue
        names = [*dict.fromkeys([*text_columns(schema), "hit_id"])]
        wanted = pa.schema([pa.field(name, schema.field(name).type) for name in names])
        table = pa.Table.from_pylist([_as_row(parsed[at], wanted) for at in mine], wanted)
        told = rejected(table, who, elements) if schema is REJECTS else who.rows(table)
        theirs = {at for at, there in zip(mine, told.to_pylist(), strict=True) if there}
        mask = _pc.or_(mask, pa.array([at in theirs for at in range(len(rows))], pa.bool_()))
    return mask.to_pylist()


def _as_row(row: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    found: dict[str, Any] = {name: row.get(name) for name in schema.names}
    if found.get("properties"):
        found["properties"] = list(found["properties"].items())
    return found


def leftovers(
    lake: Lake,
    who: Who,
    known: set[str],
    elements: Callable[[Hit], Sequence[Mapping[str, Sequence[str]]]],
    since: float = 0.0,
) -> tuple[Searched, int]:
    """Remove the files that are no part of the lake any more, and held them: now, whatever their age.

    Whoever calls this maintains the lake alone: what somebody else was about to commit with their rows in it would
    be refused, because its sources are replaced. But others may be writing what came since the erasure began. On a
    disk they have the turn until it is committed; in a bucket nobody can tell, so that files so young stay there.

    Args:
        lake: open for writing; they have left it.
        who: whose.
        known: files of the events that held them.
        elements: the values of each element of a hit.
        since: seconds since the erasure began.

    Returns:
        What was searched and how many files were removed; and how many of these could not be read.

    Raises:
        WarehouseError: it is not known to be done; repeat the call.
    """
    doomed: dict[str, list[str]] = {}
    files = rows = size = torn = 0
    for table in (EVENTS_FOLDER, REJECTS_FOLDER):
        log = DeltaLog(lake.place / table)
        log.refresh()
        needed = {file.name for file in log.files.values()}
        mine = doomed.setdefault(table, [])
        for name, length in _data_files(lake.place / table, known, since).items():
            if name in needed:
                continue
            files, size = files + 1, size + length
            if table == EVENTS_FOLDER and name in known:
                mine.append(name)
                continue
            try:
                for part in _parts(log, DataFile(name, length, None)):
                    rows += part.num_rows
                    mask = rejected(part, who, elements) if table == REJECTS_FOLDER else who.rows(part)
                    if _pc.any(mask).as_py():
                        mine.append(name)
                        break
            except FileNotFoundError:
                continue  # a vacuum was faster
            except UNREADABLE:
                torn += 1
                mine.append(name)
    removed = lake.remove_replaced(doomed) if any(doomed.values()) else 0
    return Searched(files, rows, size, removed), torn


def _data_files(table: place.Place, known: Container[str], since: float) -> dict[str, int]:
    """The data files in a table's folder, and files in the making; not what a recovery set aside, or may be to come."""
    if isinstance(table, Path):
        there = (path for path in table.rglob("*.parquet*") if path.is_file())
        found = {path.relative_to(table).as_posix(): path.stat().st_size for path in there}
    else:
        old = {name: file for name, file in table.found().items() if name in known or file.age > since - RESOLUTION}
        found = {name: file.size for name, file in old.items()}
    return {name: size for name, size in found.items() if name[0] not in "_." and ".parquet" in name}


def _each_once(log: DeltaLog) -> Iterator[DataFile]:
    """Every file of the newest version; those that replace some meanwhile, too."""
    seen: set[str] = set()
    for _ in range(LOOKS):
        files = [file for path, file in log.files.items() if path not in seen]
        if not files:
            return
        for file in files:
            seen.add(file.path)
            log.refresh()
            if file.path in log.files:
                yield file
    raise LakeUnavailable("others write the rejects all the time", "try again")


def _parts(log: DeltaLog, file: DataFile) -> Iterator[pa.Table]:
    """The rows of a file in parts: texts, and where they are."""
    path = log.folder / file.name
    with place.parquet(path) as whole:
        source = whole if file.size < SMALL else place.parquet(path, layout.dictionaries(whole.metadata))
        names = text_columns(whole.schema_arrow)
        wanted = [name for name in source.schema_arrow.names if name in {*names, "position"}]
        for batch in source.iter_batches(LOOK_ROWS, columns=wanted):
            yield pa.Table.from_batches([batch])


def _places(rows: pa.Table) -> Any:
    """Partition and position, as one text."""
    return _pc.binary_join_element_wise(rows["partition"].cast(pa.string()), rows["position"].cast(pa.string()), " ")


def plain(rows: pa.Table) -> pa.Table:
    """The rows with text in place of dictionaries."""
    for at, field in enumerate(rows.schema):
        if isinstance(field.type, pa.DictionaryType):
            rows = rows.set_column(at, field.name, rows.column(at).cast(field.type.value_type))
    return rows
