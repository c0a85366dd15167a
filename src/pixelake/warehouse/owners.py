"""The owners of event ids, as a lake knows them: for a `Seen` that begins anew."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.dataset as ds

from pixelake.warehouse import durable, place
from pixelake.warehouse.base import EVENTS, Claim
from pixelake.warehouse.delta_log import EVENTS_FOLDER, DeltaLog
from pixelake.warehouse.place import Place

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = "year=%Y/month=%m/day=%d/hour=%H"
_COLUMNS: Final = ("site", "event_id", "hit_id", "received_at", "duplicate")


def owners(lake: Place, since: int) -> Iterator[tuple[Claim, int]]:
    """The events that are no repeats, received since then, and when each was (microseconds UTC); by and large in order.

    An owner that is not in the lake, since it was withheld or removed, is not told.

    Raises:
        LakeUnavailable: the lake cannot be read.
    """
    log = DeltaLog(place.absolute(lake) / EVENTS_FOLDER)
    log.refresh()
    start = _EPOCH + timedelta(microseconds=since)
    names = sorted((file.name for file in log.files.values() if file.name >= start.strftime(_HOUR)), key=_hour)
    schema = pa.schema([EVENTS.field(name) for name in _COLUMNS])
    with durable.reported("read the event ids of the lake"):
        for batch in place.scan([log.folder / name for name in names], _COLUMNS, schema, _own(start)):
            times = batch["received_at"].cast(pa.int64()).to_pylist()
            claims = map(Claim, *(batch[name].to_pylist() for name in _COLUMNS[:3]))
            yield from zip(claims, times, strict=True)


def _own(start: datetime) -> Any:
    """Which rows have an event id of their own."""
    field: Any = ds.field
    named: Any = field("event_id").is_valid()
    return named & (field("received_at") >= start) & ~(field("duplicate").is_valid() & field("duplicate"))


def _hour(name: str) -> str:
    return name.rpartition("/")[0]
