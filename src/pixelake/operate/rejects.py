"""Looks a reject up by its name."""

import re
from typing import Any, Final

import msgspec

from pixelake.operate.render import rows_of
from pixelake.warehouse.query import Lakehouse

_NAME: Final = re.compile(r"(?P<partition>.+)-(?P<position>\d{1,18})(\.\d+)?", re.ASCII)
"""The ``hit_id`` of an ordered stream: `pixelake.stream.base.Batch.ids`."""
_BY_PLACE: Final = "select * from rejects where hit_id = ? and partition = ? and position = ?"
_BY_NAME: Final = "select * from rejects where hit_id = ?"


def find(lake: Lakehouse, hit_id: str) -> list[dict[str, Any]]:
    """The rejects of that name, at most one by design, with the raw hit.

    A body of many elements is kept once, by its first reject; the further ones
    name it (``{"see": ...}``) and are given its raw hit here.

    Raises:
        QueryError: it takes too long or too much.
        LakeUnavailable: the lake cannot be read.
    """
    rows = _rows(lake, hit_id)
    for row in rows:
        first = _rows(lake, elsewhere) if (elsewhere := _see(row["raw"])) else []
        row["raw"] = first[0]["raw"] if first else row["raw"]
    return rows


def _rows(lake: Lakehouse, hit_id: str) -> list[dict[str, Any]]:
    """By its place if the name tells it: the statistics of all other files and row groups rule them out unread."""
    found = _NAME.fullmatch(hit_id)
    rows = lake.ask(_BY_PLACE, [hit_id, found["partition"], int(found["position"])]) if found else None
    if not rows:
        rows = lake.ask(_BY_NAME, [hit_id])  # whoever made the hit named it
    return list(rows_of(rows))


def _see(raw: str | None) -> str | None:
    """The reject that has the raw hit, if this one only points there. A raw hit has a method and no such member."""
    try:
        told = msgspec.json.decode(raw or "null")
    except msgspec.DecodeError:
        return None
    return told["see"] if isinstance(told, dict) and set(told) == {"see"} and isinstance(told["see"], str) else None
