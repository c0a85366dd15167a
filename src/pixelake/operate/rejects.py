"""Looks a reject up by its name; removes those that nobody needs."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pixelake.clock import SECOND, SYSTEM, Clock
from pixelake.operate.render import rows_of
from pixelake.transform.raw import read
from pixelake.warehouse.base import Merger
from pixelake.warehouse.single import NAME, Asking

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_BY_PLACE: Final = "select * from rejects where hit_id = $hit_id and partition = $partition and position = $position"
_BY_NAME: Final = "select * from rejects where hit_id = $hit_id"


def find(lake: Asking, hit_id: str) -> list[dict[str, Any]]:
    """The rejects of that name, at most one by design, with the raw hit.

    A body of many elements is kept once, by its first reject; the further ones
    name it (``{"see": ...}``) and are given its raw hit here.

    Raises:
        QueryError: it takes too long or too much.
        LakeUnavailable: the lake cannot be read.
    """
    rows = named(lake, hit_id)
    for row in rows:
        first = named(lake, elsewhere) if (elsewhere := read(row["raw"]).see) else []
        row["raw"] = first[0]["raw"] if first else row["raw"]
    return rows


def named(lake: Asking, hit_id: str) -> list[dict[str, Any]]:
    """The rejects of that name, as they are.

    By its place if the name tells it: the statistics of all other files and row groups rule them out unread.

    Raises:
        QueryError: it takes too long or too much.
        LakeUnavailable: the lake cannot be read.
    """
    found = NAME.fullmatch(hit_id)
    place = {"partition": found["partition"], "position": int(found["position"])} if found else {}
    rows = lake.ask(_BY_PLACE, {"hit_id": hit_id, **place}) if place else None
    if not rows:
        rows = lake.ask(_BY_NAME, {"hit_id": hit_id})  # whoever made the hit named it
    return list(rows_of(rows))


class Old(NamedTuple):
    """Which rejects to purge: of this reason, and received so many days ago or more; None: of any."""

    reason: str | None = None
    days: float | None = None


def purge(merger: Merger, old: Old, told: Callable[[int], None] = lambda _: None, clock: Clock = SYSTEM) -> int:
    """Remove rejects, and count them as removed. Returns how many.

    Args:
        merger: the lake, open for writing.
        old: which.
        told: called with the number removed so far.
        clock: what is old.

    Raises:
        LakeUnavailable: what was told last is removed, and perhaps more; repeat the call.
    """
    before = (
        None if old.days is None else _EPOCH + timedelta(microseconds=clock.now() - int(old.days * 86_400 * SECOND))
    )
    removed = 0
    for count in merger.purge(lambda rows: _is_old(rows, old.reason, before)):
        removed += count
        told(removed)
    return removed


def _is_old(rows: pa.Table, reason: str | None, before: datetime | None) -> Any:
    wanted: Any = pa.repeat(pa.scalar(value=True), rows.num_rows)
    if reason is not None:
        wanted = pc.and_(wanted, pc.equal(rows["reason"], pa.scalar(reason)))
    if before is not None:
        wanted = pc.and_(wanted, pc.less_equal(rows["received_at"], pa.scalar(before, rows["received_at"].type)))
    return wanted
