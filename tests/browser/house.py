"""A web role over a real lake and a real live store, to which a test writes what the consumer would write."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixelake.event import PARTITION_COLUMNS
from pixelake.operate.hits import Hits
from pixelake.operate.replay import Report
from pixelake.operate.snippet import KINDS, snippet
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.warehouse.asking import Questions
from pixelake.warehouse.base import EVENTS, REJECTS, WITHHELD, Outcome
from pixelake.warehouse.clocks import Clocks
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.live_sqlite import LiveReader, LiveStore
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.zones import fixed
from pixelake.web.api import TOKEN, create
from pixelake.web.server import server
from pixelake.web.sources import Sources

SNIPPET = (
    '<img src="http://127.0.0.1:8080/pixel.gif?site=example.com" alt="" referrerpolicy="no-referrer-when-downgrade">'
)
PARTITION = "p-4f1c9a2e"


class House:
    """A running web role, and the two sinks behind it.

    Attributes:
        lost: hits that were accepted and are nowhere, for the sake of a test.
        notices: what `status` tells, beside the sums.
        registry: what is declared; every site that was seen.
        judged: rejects that were to be judged anew.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.registry = SqliteRegistry(folder / "registry" / "registry.sqlite")
        self.address = f"http://127.0.0.1:{port}/?token={self.registry.secret(TOKEN)}"
        self.origin = f"http://127.0.0.1:{port}/"
        self._live_path, self._lake_folder = folder / "live.sqlite", folder / "lake"
        self._live, self._lake = LiveStore(self._live_path), Lake(self._lake_folder)
        self._position = 0
        self.lost = 0
        self.notices: list[Mapping[str, str]] = []
        self.judged: list[str] = []

    def arrive(self, *events: Mapping[str, Any], live: bool = True, lake: bool = True) -> None:
        """These events were sent just now, or at their `received_at`; each sink may still be behind."""
        rows = [self._row(event) for event in events]
        self.registry.add_sites({row["site"] for row in rows})
        outcome = _outcome(rows)
        if live:
            self._live.write(outcome)
        if lake:
            self._lake.write(outcome)

    def _row(self, event: Mapping[str, Any]) -> dict[str, Any]:
        self._position += 1
        at = event.get("received_at", datetime.now(UTC))
        folders = dict(zip(PARTITION_COLUMNS, at.strftime("%Y %m %d %H").split(), strict=True))
        place = {"hit_id": f"{PARTITION}-{self._position}", "partition": PARTITION, "position": self._position}
        usual = {"source": "http", "dialect": "native", "method": "GET", "site": "example.com", "event": "pageview"}
        return (
            usual
            | {"visitor_id": f"v{self._position}", "bot": False, "duplicate": False, **event}
            | place
            | {
                "received_at": at,
                **folders,
            }
        )

    def refuse(self, reason: str, **reject: Any) -> str:
        """This was sent just now, and is no event; returns its name."""
        row = self._row({"visitor_id": None})
        usual = {"stage": "validate", "reason": reason, "detail": "[]", "raw": "{}"}
        kept = {name: row[name] for name in ("hit_id", "received_at", "partition", "position", *PARTITION_COLUMNS)}
        outcome = _outcome([row])
        rejects = pa.Table.from_pylist([usual | kept | reject], REJECTS)
        self._lake.write(replace(outcome, events=EVENTS.empty_table(), rejects=rejects))
        return str(row["hit_id"])

    def judge(self, hit_id: str) -> Report:
        """Judge a reject anew: it becomes an event."""
        self.judged.append(hit_id)
        return Report(looked_at=1, replayed=1)

    def status(self) -> Mapping[str, Any]:
        """Both sums: the lake's, and what the sinks were not given yet."""
        sums = LakeReader(self._lake_folder).sums()
        settled = sum(progress.position for progress in sums.progress.values())
        return {
            "accepted": self._position + self.lost,
            "in_stream": self._position - settled,
            "settled": settled,
            "outcomes": sums.outcomes,
            "in_lake": sums.in_lake,
            "rejected": sums.rejected,
            "withheld": sums.withheld,
            "removed": sums.removed,
            "lag_seconds": 0.0,
            "oldest_hit_age_seconds": 0.0,
            "notices": self.notices,
        }

    def sources(self) -> Sources:
        """What the web role is handed."""
        lake = Lakehouse(self._lake_folder, clocks=self.clocks)
        live = LiveReader(self._live_path)
        questions = Questions(lake, self.clocks, lambda what: getattr(self.registry.snapshot(), what))
        told = (questions, lake, self.clocks, live, self.registry, self.status, "http://127.0.0.1:8080", SNIPPET)
        return Sources(*told, hits=Hits(lake, self.judge), tags=self.tags)

    def tags(self, site: str) -> Mapping[str, str]:
        """What `serve` hands in."""
        return {kind: snippet("http://127.0.0.1:8080", site, kind) for kind in KINDS}

    def clocks(self) -> Clocks:
        """As the sites declare them; any name may be one."""
        return Clocks(fixed("UTC"), {name: site.zones for name, site in self.registry.snapshot().sites.items()})

    def close(self) -> None:
        """Let the stores go."""
        self._live.close()
        self.registry.close()


def _outcome(rows: Iterable[Mapping[str, Any]]) -> Outcome:
    rows = list(rows)
    return Outcome(
        events=pa.Table.from_pylist(rows, EVENTS),
        rejects=REJECTS.empty_table(),
        withheld=WITHHELD.empty_table(),
        first={PARTITION: rows[0]["position"]},
        positions={PARTITION: rows[-1]["position"]},
    )


@contextmanager
def serving(folder: Path) -> Iterator[House]:
    """The web role on a free port, until the end of the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    house = House(folder, listening.getsockname()[1])
    running = server(create(house.sources()))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not running.started:
            time.sleep(0.005)
        yield house
    finally:
        running.should_exit = True
        thread.join(10)
        listening.close()
        house.close()


@dataclass(frozen=True)
class Seen:
    """What a page said, asked and fetched."""

    console: list[str]
    dialogs: list[str]
    requests: list[str]
