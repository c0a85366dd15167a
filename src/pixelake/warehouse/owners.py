"""The owners of event ids, as a lake knows them: for a `Seen` that begins anew."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds

from pixelake.warehouse import durable, place
from pixelake.warehouse.base import EVENTS, Claim
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DataFile, DeltaLog
from pixelake.warehouse.place import Place

FROM_LOGS: Final = "import"
"""The `source` of events from logs."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = "year=%Y/month=%m/day=%d/hour=%H"
_LAST: Final = timedelta(seconds=60)
_FILES: Final = 8
_COLUMNS: Final = ("site", "event_id", "hit_id", "received_at", "duplicate")


def owners(lake: Place, since: int) -> Iterator[tuple[Claim, int]]:
    """The events that are no repeats, received since then, and when each was (microseconds UTC); by and large in order.

    An owner that is not in the lake, since it was withheld or removed, is not told; nor is one that came from a log,
    whose event ids are compared among themselves alone.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    start = _EPOCH + timedelta(microseconds=since)
    names = sorted((file.name for file in log.files.values() if file.name >= start.strftime(_HOUR)), key=_hour)
    schema = pa.schema([EVENTS.field(name) for name in (*_COLUMNS, "source")])
    with durable.reported("read the event ids of the lake"):
        for batch in place.scan([log.folder / name for name in names], _COLUMNS, schema, _own(start)):
            times = batch["received_at"].cast(pa.int64()).to_pylist()
            claims = map(Claim, *(batch[name].to_pylist() for name in _COLUMNS[:3]))
            yield from zip(claims, times, strict=True)


def latest(lake: Place, since: int) -> Sequence[Claim]:
    """Some events that are no repeats, the latest that were received since then; none if the latest have no event ids.

    Whoever knows the owners of the lake's event ids knows these: they were asked for before the lake had the events.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    ends = sorted(((_end(file), file.name) for file in log.files.values()), reverse=True)[:_FILES]
    start = _EPOCH + timedelta(microseconds=since)
    schema = pa.schema([EVENTS.field(name) for name in (*_COLUMNS, "source")])
    with durable.reported("read the event ids of the lake"):
        for end, name in ends:
            wanted = _own(max(start, end - _LAST))
            for batch in place.scan([log.folder / name], _COLUMNS, schema, wanted):
                if batch.num_rows:
                    return list(map(Claim, *(batch[column].to_pylist() for column in _COLUMNS[:3])))
    return ()


def _end(file: DataFile) -> datetime:
    """When the last row of a file was received, as far as the log tells."""
    found = file.statistics().get("maxValues", {}).get("received_at")
    return datetime.fromisoformat(found) if found else _EPOCH


def _own(start: datetime) -> Any:
    """Which rows have an event id of their own."""
    field: Any = ds.field
    named: Any = field("event_id").is_valid()
    streamed: Any = field("source") != FROM_LOGS
    return named & streamed & (field("received_at") >= start) & ~(field("duplicate").is_valid() & field("duplicate"))


def _hour(name: str) -> str:
    return name.rpartition("/")[0]
