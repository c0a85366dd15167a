"""A house that files are imported into: a lake, a registry, and what looks into them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixelake.dialects.native import Native
from pixelake.operate.import_logs import House
from pixelake.operate.import_report import Imported
from pixelake.operate.imports import Options, run
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.testing import FakeClock
from pixelake.transform.rules import Known, Rules, make_rules
from pixelake.warehouse.delta_log import DeltaLog
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.sums import LakeReader
from pixelake.warehouse.walk import columns_of, walk

NOW = 1_793_491_200_000_000
"""2026-11-01 00:00 UTC."""
DIALECTS = [Native({})]
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


class Place:
    """A data folder with a lake."""

    def __init__(self, folder: Path, known: Known | None = None, **settings: Any) -> None:
        self.folder = folder
        self.rules: Rules = make_rules(Settings(**settings), DIALECTS, known or Known())
        self.clock = FakeClock(NOW)
        self.registry = SqliteRegistry(folder / "registry.sqlite", clock=self.clock)
        self.lake = Lake(folder / "lake", schema=self.rules.schema)
        self.reader = LakeReader(folder / "lake")

    def house(self, lake: Any = None) -> House:
        """For an import."""
        return House(lake or self.lake, self.rules, self.registry, self.folder, self.clock)

    def take(
        self, *paths: Path, lake: Any = None, streamed: Mapping[str, int] | None = None, **options: Any
    ) -> list[Imported]:
        """Import files; the sums hold then."""
        with Path("/dev/null").open("rb") as nothing:
            report = run(
                self.house(lake),
                [str(path) for path in paths],
                Options(**options),
                dialects=DIALECTS,
                streamed=lambda: streamed or {},
                stdin=nothing,
                told=lambda _done, _all: None,
            )
        assert self.reader.sums().holds
        return list(report.files)

    def table(self, name: str = "events") -> pa.Table:
        """All rows of a table, in order of time."""
        log = DeltaLog(self.folder / "lake" / name)
        log.refresh()
        schema = columns_of(log)
        return pa.concat_tables([schema.empty_table(), *walk(log, schema)])

    def rows(self, name: str = "events") -> list[dict[str, Any]]:
        """The same as rows."""
        return list(self.table(name).to_pylist())


def log_line(number: int, path: str = "/", status: int = 200, agent: str = CHROME, address: str = "") -> str:
    """A line of `combined`, `number` seconds after 2026-10-01."""
    address = address or f"203.0.113.{number % 250}"
    day, rest = divmod(number, 86_400)
    time = f"{1 + day:02}/Oct/2026:{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02} +0000"
    return f'{address} - - [{time}] "GET {path} HTTP/1.1" {status} 12 "-" "{agent}"'
