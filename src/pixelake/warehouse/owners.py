"""The owners of event ids and of hits' own names, as a lake knows them: for a `Seen` that begins anew."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.warehouse import durable, place
from pixelake.warehouse.base import EVENTS, NAMES, Claim
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DataFile, DeltaLog
from pixelake.warehouse.place import Place

FROM_LOGS: Final = "import"
"""The `source` of events from logs of web servers."""
OF_FILES: Final = "import-"
"""Before the names of partitions that are files: logs, also of a CDN."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = "year=%Y/month=%m/day=%d/hour=%H"
_LAST: Final = timedelta(seconds=60)
_FILES: Final = 8
_pc: Any = pc
_COLUMNS: Final = ("site", "event_id", "hit_id", "received_at", "duplicate", "partition", "position")
_INDEX: Final = r"\.[0-9]+$"
"""Of an element of a hit, behind the name of that."""
_SCHEMA: Final = pa.schema([EVENTS.field(name) for name in (*_COLUMNS, "source")])


def owners(lake: Place, since: int, *, named: bool = False) -> Iterator[tuple[Claim, int]]:
    """The events that are no repeats, received since then, and when each was (microseconds UTC); by and large in order.

    If `named`, also the names of hits that had their own when they came, and the places that own them
    (`pixelake.warehouse.base.NAMES`). Told as the files are read: it takes the memory of a part of one.

    An owner that is not in the lake, since it was withheld or removed, is not told; nor is one that came from a log,
    whose event ids are compared among themselves alone.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    start = _EPOCH + timedelta(microseconds=since)
    names = sorted((file.name for file in log.files.values() if file.name >= start.strftime(_HOUR)), key=_hour)
    with durable.reported("read the event ids of the lake"):
        for batch in place.scan([log.folder / name for name in names], _COLUMNS, _SCHEMA, _wanted(start, named=named)):
            yield from _claims(batch, named=named)


def latest(lake: Place, since: int, *, named: bool = False) -> Sequence[Claim]:
    """Some of the `owners`, of the latest that were received since then; none if the latest own nothing.

    Whoever knows the owners of the lake's event ids knows these: they were asked for before the lake had the events.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    ends = sorted(((_end(file), file.name) for file in log.files.values()), reverse=True)[:_FILES]
    start = _EPOCH + timedelta(microseconds=since)
    with durable.reported("read the event ids of the lake"):
        for end, name in ends:
            wanted = _wanted(max(start, end - _LAST), named=named)
            for batch in place.scan([log.folder / name], _COLUMNS, _SCHEMA, wanted):
                if found := [claim for claim, _ in _claims(batch, named=named)]:
                    return found
    return ()


def _claims(batch: pa.RecordBatch, *, named: bool) -> Iterator[tuple[Claim, int]]:
    """What the rows own, and since when."""
    columns = {name: batch[name] for name in _COLUMNS} | {"received_at": batch["received_at"].cast(pa.int64())}
    rows: Any = pa.table(columns)
    own = _pc.and_(_pc.is_valid(rows["event_id"]), _pc.invert(rows["duplicate"].fill_null(False)))
    events = rows.filter(own)
    yield from zip(
        map(Claim, *_lists(events, "site", "event_id", "hit_id")), *_lists(events, "received_at"), strict=True
    )
    if named:
        yield from _names(rows)


def _names(rows: Any) -> Iterator[tuple[Claim, int]]:
    """The names of hits that do not come from their places."""
    place_of: Any = _pc.binary_join_element_wise(
        rows["partition"].cast(pa.string()), rows["position"].cast(pa.string()), "-"
    )
    differs = _pc.not_equal(_pc.replace_substring_regex(rows["hit_id"], _INDEX, ""), place_of)
    names = rows.append_column("place", place_of).filter(differs)
    claims = (Claim(NAMES, name, where) for name, where in zip(*_lists(names, "hit_id", "place"), strict=True))
    yield from zip(claims, *_lists(names, "received_at"), strict=True)


def _lists(rows: pa.Table, *columns: str) -> list[list[Any]]:
    return [rows[name].to_pylist() for name in columns]


def _end(file: DataFile) -> datetime:
    """When the last row of a file was received, as far as the log tells."""
    found = file.statistics().get("maxValues", {}).get("received_at")
    return datetime.fromisoformat(found) if found else _EPOCH


def _wanted(start: datetime, *, named: bool) -> Any:
    """Which rows came by a stream since then; if not `named`, with an event id of their own."""
    field: Any = pc.field
    of_a_file: Any = pc.starts_with(field("partition"), pattern=OF_FILES)
    streamed: Any = (field("source") != FROM_LOGS) & ~of_a_file
    since: Any = streamed & (field("received_at") >= start)
    if named:
        return since
    return since & field("event_id").is_valid() & ~(field("duplicate").is_valid() & field("duplicate"))


def _hour(name: str) -> str:
    return name.rpartition("/")[0]
