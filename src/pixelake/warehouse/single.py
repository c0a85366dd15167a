"""One event, whole, by its name.

Its hour, if who asks knows it, tells the folder; its place, if the name tells it, the file and the part of it: the
statistics of all others rule them out unread. Only where neither helps, all of the lake is looked through.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import pyarrow as pa

from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse.rows import rows_of

NAME: Final = re.compile(r"(?P<partition>.+)-(?P<position>\d{1,18})(\.\d+)?", re.ASCII | re.DOTALL)
"""The ``hit_id`` of an ordered stream: `pixelake.stream.base.Batch.ids`."""

_BY_NAME: Final = "select * from events where hit_id = $hit_id"
_HOUR: Final = "".join(f" and {column} = ${column}" for column in PARTITION_COLUMNS)
_PLACE: Final = " and partition = $partition and position = $position"


class Asking(Protocol):
    """The lake, for SQL of our own: `pixelake.warehouse.query.Lakehouse`."""

    def ask(self, text: str, parameters: Mapping[str, Any]) -> pa.Table:
        """The answer to one SELECT.

        Raises:
            QueryError: it takes too long or too much.
            LakeUnavailable: the lake cannot be read.
        """
        ...


def event(lake: Asking, hit_id: str, site: str | None = None, at: datetime | None = None) -> dict[str, Any] | None:
    """The event of that name with all its columns, or None.

    Args:
        lake: where it is.
        hit_id: its name.
        site: it must be of this one.
        at: some moment of the hour (UTC) in which it was received. Not there, it is looked for elsewhere.

    Raises:
        QueryError: it takes too long or too much.
        LakeUnavailable: the lake cannot be read.
    """
    for more, values in _ways(hit_id, at):
        for row in rows_of(lake.ask(_BY_NAME + more, {"hit_id": hit_id, **values}), "lossy"):
            if site in (None, row["site"]):
                return row
    return None


def _ways(hit_id: str, at: datetime | None) -> list[tuple[str, dict[str, Any]]]:
    """Where to look, the quickest first."""
    ways: list[tuple[str, dict[str, Any]]] = []
    if at is not None:
        ways.append(
            (_HOUR, dict(zip(PARTITION_COLUMNS, at.astimezone(UTC).strftime("%Y %m %d %H").split(), strict=True)))
        )
    if found := NAME.fullmatch(hit_id):
        ways.append((_PLACE, {"partition": found["partition"], "position": int(found["position"])}))
    if at is None or not found:  # whoever made the hit named it
        ways.append(("", {}))
    return ways
