"""Rejects that leave their table, each counted once at any moment: replayed ones become events, purged ones go.

A replay takes three commits, of which a crash may leave out the last ones:

1. to the rejects: further elements of a hit that was one reject as a whole and
   are refused themselves; with the running counts ``P/outcomes``.
2. to the events: the events; with ``P/outcomes``, and with ``rejects/replayed``,
   the number of rejects that are events now.
3. to the rejects: without those that are; with ``rejects/replayed``, the number
   taken out since.

Whoever counts the rejects takes off the difference of the two numbers (`pending`).
What is missing of the third commit, `settle` makes good: of a hit that is among
the events and the rejects, the event counts.

A purge is one commit to the rejects, with the running counts ``P/removed``.
So what a table's log says of a partition is to be added up over both tables.
"""

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from pixelake.event import PARTITION_COLUMNS
from pixelake.stream.base import Partition, Position
from pixelake.warehouse import layout, place
from pixelake.warehouse.base import REJECTS, Rejudged
from pixelake.warehouse.delta import Change, DeltaWriter
from pixelake.warehouse.delta_log import DataFile, DeltaLog
from pixelake.warehouse.fresh import above_floor

REPLAYED: Final = "rejects/replayed"
OUTCOMES: Final = "/outcomes"
REMOVED: Final = "/removed"
IMPORTED: Final = "import/"
"""Before the name of a file of rows that is imported: see `pixelake.warehouse.bring`."""
STEP_BYTES: Final = 8 << 20
"""Of files that a purge writes anew under the lock, at once. The consumer waits that long: well below a second."""

Wanted = Callable[[pa.Table], Any]
"""Rows with the columns `LOOKED_AT` -> for each whether it is meant."""
LOOKED_AT: Final = ("hit_id", "received_at", "reason", "partition", "position")
_PLACE: Final = ("hit_id", "partition", "position")
_SEE: Final = '{"see":'


class Tables(NamedTuple):
    """Both tables, open for writing and just refreshed, and the position of each partition."""

    events: DeltaWriter
    rejects: DeltaWriter
    reached: Mapping[Partition, Position]


class Done(NamedTuple):
    """The hit ids of the rejects that were taken out, and the files that were written for it."""

    ids: Collection[str]
    adds: Sequence[AddAction]


def pending(events: DeltaLog, rejects: DeltaLog) -> int:
    """Rejects that are events already, and still among the rejects; below 0 if `rejects` is the newer look."""
    return events.transactions.get(REPLAYED, 0) - rejects.transactions.get(REPLAYED, 0)


def partitions(rejects: DeltaLog) -> Iterator[Partition]:
    """The partitions that the log of the rejects has a position of."""
    counts = (OUTCOMES, REMOVED)
    others = ("rejects/", IMPORTED)  # the former begins what is counted of all partitions
    return (name for name in rejects.transactions if not name.startswith(others) and not name.endswith(counts))


def counted(rejects: DeltaLog, count: str) -> int:
    """What the log of the rejects adds to the outcomes, or to what was removed, of all partitions."""
    return sum(number for name, number in rejects.transactions.items() if name.endswith(count))


def merge(tables: Tables, rejudged: Rejudged) -> Done:
    """Make events of rejects, those that are still there; see `pixelake.warehouse.base.Merger`.

    Raises:
        Conflict: somebody else wrote meanwhile; refresh and call again.
        LakeUnavailable: it is not known to be done; call again.
    """
    settled = settle(tables)
    may = _reaching(_hours(rejudged.events))
    files = [file for file in tables.rejects.log.files.values() if may(file)]
    standing = _standing(tables, files, frozenset(rejudged.origins.values()))
    ids = frozenset(hit_id for found in standing.values() for hit_id in found)
    if not ids:
        return settled
    events = _new(tables.events.log, _of(rejudged.events, rejudged.origins, ids))
    rejects = _new(tables.rejects.log, _of(rejudged.rejects, rejudged.origins, ids))
    more = _refuse(tables, rejects)
    outcomes = _count(events)
    outcomes.subtract(_count_places(tables.rejects.log, standing))
    adds = tables.events.add_files(events)
    _commit(tables.events, Change(adds), {OUTCOMES: outcomes}, len(ids))
    kept = _take_out(tables.rejects, standing, {}, len(ids))
    return Done(ids | frozenset(settled.ids), [*settled.adds, *more, *adds, *kept])


def settle(tables: Tables) -> Done:
    """Take the rejects out that are events already, if a crash left some."""
    if pending(tables.events.log, tables.rejects.log) <= 0:
        return Done((), ())
    found = {}
    for file in tables.rejects.log.files.values():
        rows = _read(tables.rejects.log, file, _PLACE)
        twice = set(_texts(rows, "hit_id")) & _known(tables.events.log, {_hour(file)}, rows)
        if twice:
            found[file] = twice
    ids = frozenset(hit_id for twice in found.values() for hit_id in twice)
    return Done(ids, _take_out(tables.rejects, found, {}, len(ids)) if ids else ())


def purge(tables: Tables, wanted: Wanted, clean: set[str]) -> Done:
    """Remove some of the wanted rejects, in one commit; all of them are gone when none is.

    Args:
        tables: refreshed.
        wanted: which.
        clean: paths of files that were looked at and have none; this adds to them.

    Raises:
        Conflict: somebody else wrote meanwhile; refresh and call again.
        LakeUnavailable: it is not known to be done; call again.
    """
    settled = settle(tables)
    log = tables.rejects.log
    found: dict[DataFile, set[str]] = {}
    size = 0
    for file in [file for file in log.files.values() if file.path not in clean]:
        rows = _read(log, file, LOOKED_AT)
        rows = rows.filter(_reached(rows, tables)) if rows.num_rows else rows
        ids = set(_texts(rows.filter(wanted(rows)), "hit_id"))
        if not ids:
            clean.add(file.path)
            continue
        found[file] = ids
        size += file.size
        if size >= STEP_BYTES:
            break
    if not found:
        return Done((), settled.adds)
    gone = frozenset(hit_id for ids in found.values() for hit_id in ids)
    adds = _take_out(tables.rejects, found, {REMOVED: _count_places(log, found)}, 0)
    return Done(gone, [*settled.adds, *adds])


def whole(log: DeltaLog, file: DataFile) -> pa.Table:
    """A file of rejects, with the partition columns.

    Raises:
        OSError, pa.ArrowInvalid: it is not there, or damaged.
    """
    rows = layout.located(place.parquet(log.folder / file.name).read(), file.name)
    return rows.select(REJECTS.names).cast(REJECTS)


def _refuse(tables: Tables, rejects: pa.Table) -> Sequence[AddAction]:
    """Elements that nobody has counted yet, and that are refused."""
    if not rejects.num_rows:
        return ()
    adds = tables.rejects.add_files(rejects)
    _commit(tables.rejects, Change(adds), {OUTCOMES: _count(rejects)}, 0)
    return adds


def _take_out(
    rejects: DeltaWriter,
    found: Mapping[DataFile, Collection[str]],
    counts: Mapping[str, Counter[Partition]],
    replayed: int,
) -> Sequence[AddAction]:
    log = rejects.log
    ids = pa.array([hit_id for names in found.values() for hit_id in names], pa.string())
    emptied = {file for file, names in found.items() if file.statistics().get("numRecords") == len(names)}
    heirs = _heirs(log, found)
    read = [file for file in found if file not in emptied or heirs] + heirs
    rows = pa.concat_tables([REJECTS.empty_table(), *(whole(log, file) for file in read)])
    gone = pc.is_in(rows["hit_id"], value_set=ids)
    kept = _inherited(rows.filter(pc.invert(gone)), rows.filter(gone))
    adds = rejects.add_files(kept)
    _commit(rejects, Change(adds, [*found, *heirs]), counts, replayed)
    return adds


def _heirs(log: DeltaLog, found: Mapping[DataFile, Collection[str]]) -> list[DataFile]:
    """Other files that may have rejects of the same hits: one is written, but what was compacted may lie apart."""
    places = pa.concat_tables([_named(log, file, ids) for file, ids in found.items()])
    may = _reaching(map(_hour, found))
    others = [file for file in log.files.values() if file not in found and may(file)]
    hits = _hits(places)
    return [file for file in others if _may_have(file, places) and not hits.isdisjoint(_hits(_read(log, file, _PLACE)))]


def _hits(rows: pa.Table) -> set[tuple[Any, ...]]:
    """The hits that these rows are elements of."""
    return set(zip(*(rows[name].to_pylist() for name in _PLACE[1:]), strict=True))


def _inherited(kept: pa.Table, gone: pa.Table) -> pa.Table:
    """Of rejects that only name one that goes (``{"see": ...}``), the first has the raw hit now; the others name it."""
    leaving = dict(zip(_texts(gone, "hit_id"), _texts(gone, "raw"), strict=True))
    heirs: dict[str, str] = {}
    raws = []
    for hit_id, raw in zip(_texts(kept, "hit_id"), _texts(kept, "raw"), strict=True):
        see = _see(raw)
        if see not in leaving:
            raws.append(raw)
        elif see in heirs:
            raws.append(msgspec.json.encode({"see": heirs[see]}).decode())
        else:
            heirs[see] = hit_id
            raws.append(leaving[see])
    return kept.set_column(kept.column_names.index("raw"), REJECTS.field("raw"), pa.array(raws, pa.string()))


def _see(raw: str | None) -> str:
    """The reject that has the raw hit, if this one only names it."""
    if raw is None or not raw.startswith(_SEE):
        return ""
    try:
        return str(msgspec.json.decode(raw, type=dict[str, str])["see"])
    except (msgspec.DecodeError, KeyError):
        return ""


def _commit(table: DeltaWriter, change: Change, counts: Mapping[str, Counter[Partition]], replayed: int) -> None:
    """A change, and by how much the running counts move."""
    moves = {partition + count: by for count, each in counts.items() for partition, by in each.items() if by}
    if replayed:
        moves[REPLAYED] = replayed
    table.commit(change, {name: table.log.transactions.get(name, 0) + by for name, by in moves.items()})


def _standing(tables: Tables, files: Collection[DataFile], ids: Collection[str]) -> dict[DataFile, set[str]]:
    """The rejects of these names that count."""
    names = pa.array(list(ids), pa.string())
    found = {}
    for file in files:
        rows = _read(tables.rejects.log, file, _PLACE)
        rows = rows.filter(pc.is_in(rows["hit_id"], value_set=names))
        if rows.num_rows and (here := set(_texts(rows.filter(_reached(rows, tables)), "hit_id"))):
            found[file] = here
    return found


def _reached(rows: pa.Table, tables: Tables) -> Any:
    """Which rows count: what lies above the events' position was left by a crash, and will be judged again.

    Not what was imported: of its partitions the rejects have no position.
    """
    log = tables.rejects.log
    floors = {partition: tables.reached.get(partition, 0) for partition in partitions(log)}
    is_above: Any = above_floor(rows, floors)
    return pc.invert(is_above.fill_null(False))


def _of(rows: pa.Table, origins: Mapping[str, str], ids: Container[str]) -> pa.Table:
    """The rows that come of these rejects."""
    return rows.filter(pa.array([origins[hit_id] in ids for hit_id in _texts(rows, "hit_id")], pa.bool_()))


def _new(log: DeltaLog, rows: pa.Table) -> pa.Table:
    """The rows whose hit id the table does not have in their hours."""
    if not rows.num_rows:
        return rows
    known = pa.array(list(_known(log, _hours(rows), rows)), pa.string())
    return rows.filter(pc.invert(pc.is_in(rows["hit_id"], value_set=known)))


def _known(log: DeltaLog, hours: Iterable[str], rows: pa.Table) -> set[str]:
    """The hit ids of these rows that a table has in these hours."""
    may = _reaching(hours)
    names = rows["hit_id"].combine_chunks()
    found: set[str] = set()
    for file in [file for file in log.files.values() if may(file) and _may_have(file, rows)]:
        there: Any = _read(log, file, ("hit_id",))["hit_id"]
        found.update(there.filter(pc.is_in(there, value_set=names)).to_pylist())
    return found


def _may_have(file: DataFile, rows: pa.Table) -> bool:
    """Whether a file's statistics leave room for one of the rows."""
    statistics = file.statistics()
    least, most = statistics.get("minValues", {}), statistics.get("maxValues", {})
    if not least.keys() & most.keys() >= {"partition", "position"}:
        return True
    bounds: list[Any] = [pc.min_max(rows[name]).as_py() for name in ("partition", "position")]
    return all(
        least[name] <= bound["max"] and bound["min"] <= most[name]
        for name, bound in zip(("partition", "position"), bounds, strict=True)
    )


def _read(log: DeltaLog, file: DataFile, columns: Sequence[str]) -> pa.Table:
    return place.parquet(log.folder / file.name).read(columns=list(columns))


def _texts(rows: pa.Table, name: str) -> list[str]:
    found: Any = rows[name].to_pylist()
    return list(found)


def _hours(rows: pa.Table) -> frozenset[str]:
    columns = (_texts(rows, name) for name in PARTITION_COLUMNS)
    return frozenset("/".join(hour) for hour in zip(*columns, strict=True))


def _hour(file: DataFile) -> str:
    """The hour of a file, as ``2026/02/10/21``; the day of one that holds a whole day."""
    return "/".join(layout.values_of(layout.folder_of(file.name)).values())


def _day(hour: str) -> str:
    return "/".join(hour.split("/")[: len(layout.FOLDERS)])


def _reaching(hours: Iterable[str]) -> Callable[[DataFile], bool]:
    """Tells of a file whether it may have rows of these hours; a day among them stands for all of its hours."""
    named = frozenset(hours)
    days = frozenset(map(_day, named))
    whole_days = named & days

    def may(file: DataFile) -> bool:
        hour = _hour(file)
        return hour in named or hour in days or _day(hour) in whole_days

    return may


def _count(rows: pa.Table) -> Counter[Partition]:
    """Rows of each partition."""
    return Counter(_texts(rows, "partition"))


def _count_places(log: DeltaLog, found: Mapping[DataFile, Collection[str]]) -> Counter[Partition]:
    """The found rejects of each partition."""
    counted: Counter[Partition] = Counter()
    for file, ids in found.items():
        counted.update(_count(_named(log, file, ids)))
    return counted


def _named(log: DeltaLog, file: DataFile, ids: Collection[str]) -> pa.Table:
    """Where the rejects of these names are."""
    rows = _read(log, file, _PLACE)
    return rows.filter(pc.is_in(rows["hit_id"], value_set=pa.array(list(ids), pa.string())))
