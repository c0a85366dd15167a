"""Builds outcomes for the tests of the warehouse."""

import gzip
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from pixelake.event import PARTITION_COLUMNS
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome

START = datetime(2026, 2, 10, 21, 0, tzinfo=UTC)


def event(partition: str, position: int, **columns: Any) -> dict[str, Any]:
    """A row of events, received `position` seconds after `START`."""
    return _place(partition, position, columns) | {
        "source": "http",
        "dialect": "native",
        "method": "GET",
        "site": "shop",
        "event": "pageview",
        "visitor_id": f"visitor-{position}",
        "properties": [("color", ["red", "blue"])],
        "bot": False,
        "duplicate": False,
        **columns,
    }


def reject(partition: str, position: int, **columns: Any) -> dict[str, Any]:
    """A row of rejects."""
    return _place(partition, position, columns) | {"stage": "decode", "reason": "too_long", **columns}


def outcome(
    events: Iterable[dict[str, Any]] = (),
    rejects: Iterable[dict[str, Any]] = (),
    withheld: Sequence[tuple[str, int]] = (),
) -> Outcome:
    """An outcome of these rows, reaching to the highest position of each partition."""
    events, rejects = list(events), list(rejects)
    places = [(row["partition"], row["position"]) for row in (*events, *rejects)] + list(withheld)
    return Outcome(
        events=pa.Table.from_pylist(events, EVENTS),
        rejects=pa.Table.from_pylist(rejects, REJECTS),
        withheld=pa.Table.from_pylist(
            [{"partition": partition, "position": position} for partition, position in withheld], WITHHELD
        ),
        first={name: min(at for other, at in places if other == name) for name, _ in places},
        positions={name: max(at for other, at in places if other == name) for name, _ in places},
    )


def _place(partition: str, position: int, columns: dict[str, Any]) -> dict[str, Any]:
    received_at = columns.get("received_at", START + timedelta(seconds=position))
    folders = dict(zip(PARTITION_COLUMNS, received_at.strftime("%Y %m %d %H").split(), strict=True))
    return {
        "hit_id": f"{partition}-{position}",
        "received_at": received_at,
        "partition": partition,
        "position": position,
        **folders,
    }


def read_files(folder: Path, prefix: str, kind: str) -> list[dict[str, Any]]:
    """The rows of plain files that are in view, as whoever looks into the folder finds them."""
    rows: list[dict[str, Any]] = []
    for path in sorted((folder / prefix).rglob(f"[!._]*.{kind}")):
        if kind == "json.gz":
            rows += [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        elif kind == "parquet":
            rows += pq.ParquetFile(path).read().to_pylist()
        else:
            rows += orc.read_table(path).to_pylist()
    return rows
