"""A stream, and lakes that are made of it by different rules: to replay spans, and to compare."""

import threading
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from pixelake.dialects.native import Native
from pixelake.hit import Hit
from pixelake.operate.rerun import Report, Rerun, Wanted
from pixelake.registry.sqlite import SqliteRegistry
from pixelake.settings import Settings
from pixelake.stream.sqlite import SqliteWriter
from pixelake.stream.sqlite_range import Span, SqliteRange
from pixelake.stream.sqlite_reader import SqliteReader
from pixelake.testing import FakeClock
from pixelake.transform.enrich.consent import Policies
from pixelake.transform.enrich.table import make_enrichers
from pixelake.transform.judge import Judge
from pixelake.transform.retry import Retry
from pixelake.transform.rules import Known, Rules, make_rules
from pixelake.transform.schemas import load
from pixelake.warehouse.lake import Lake
from pixelake.warehouse.query import Lakehouse
from pixelake.warehouse.seen_sqlite import SqliteSeen
from pixelake.warehouse.sums import LakeReader, Sums
from pixelake.warehouse.vacuum import maintaining
from tests.hits import append, drain

EVERYTHING = Span(0, 1 << 60)
Row = dict[str, Any]


def rules(folder: Path | None = None, **settings: Any) -> Rules:
    """The rules of the default settings but for these, and of the lists and the schemas in a folder."""
    made = Settings(**settings)
    known = Known(schemas=load(folder), enrichers=make_enrichers(folder)) if folder else Known()
    known = known if folder else known._replace(enrichers=make_enrichers())
    return make_rules(made, [Native(made.aliases)], known)


class World:
    """A stream and a registry; lakes are made beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, FakeClock()
        self.registry = SqliteRegistry(folder / "registry.sqlite", clock=self.clock)
        self._written = 0

    def send(self, *groups: Sequence[Hit]) -> None:
        """Put hits into the stream, each group into a partition of its own."""
        for group in groups:
            append(SqliteWriter(self.folder / "stream"), list(group), close=True)

    def lake(self, name: str) -> "Made":
        """A lake without anything."""
        return Made(self, name)


class Made:
    """A lake that is made of the stream."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.folder = world, world.folder / name
        self.lake = Lake(self.folder / "lake", world.clock)
        self.reader = LakeReader(self.folder / "lake", world.clock)
        self.seen = SqliteSeen(self.folder / "seen.sqlite", clock=world.clock)
        self.name = name

    def judge(self, by: Rules) -> Judge:
        """As the consumer's."""
        return Judge(by, self.world.registry, self.seen)

    def settle(self, by: Rules, limit: int = 7) -> None:
        """Put all hits of the stream that it does not have into the lake, by these rules, in small writes."""
        reader, judge = SqliteReader(self.world.folder / "stream", self.name), self.judge(by)
        try:
            reader.rewind(self.lake.positions())
            for batch in drain(reader, limit):
                for outcome in judge(batch, Retry("judge", threading.Event(), on=())):
                    self.lake.write(outcome)
        finally:
            reader.close()

    def replay(self, by: Rules, span: Span = EVERYTHING, site: str | None = None, lake: Lake | None = None) -> Report:
        """Judge a span anew, by these rules. The counts of the report add up, and the sums hold."""
        policies = Policies(by.do_not_track, self.world.registry.snapshot().policies)
        held = SqliteRange(self.world.folder / "stream")
        rerun = Rerun(
            lambda: lake or self.lake,
            partial(maintaining, self.folder / "lake"),
            held,
            self.judge(by),
            is_anonymous=lambda site, at: policies.of(site, at) == "anonymous",
        )
        report = rerun.run(Wanted(span, site))
        rest = report.as_dict()
        assert rest.pop("looked_at") == sum(rest.values()) - rest["added"] - rest["no_longer_held"]
        assert self.sums().holds
        return report

    def sums(self) -> Sums:
        """Where every outcome is."""
        return self.reader.sums()

    def rows(self, table: str) -> list[Row]:
        """All rows of a table, by name."""
        return self.ask(f"select * from {table} order by hit_id")

    def ask(self, query: str) -> list[Row]:
        """The answer to some SQL."""
        with Lakehouse(self.folder / "lake") as house:
            return house.ask(query).to_pylist()

    def ids(self, table: str) -> list[str]:
        """The names of a table's rows, without their partitions."""
        return sorted(row["hit_id"].partition("-")[2] for row in self.rows(table))

    def counts(self) -> tuple[int, ...]:
        """In the lake, rejected, withheld, removed, outcomes."""
        sums = self.sums()
        assert sums.holds
        return sums.in_lake, sums.rejected, sums.withheld, sums.removed, sums.outcomes

    def files(self, table: str) -> set[str]:
        """The data files of the newest version."""
        lake = Lake(self.folder / "lake", self.world.clock)
        log = (lake._events if table == "events" else lake._rejects).log
        return {file.name for file in log.files.values()}


def differences(one: Made, other: Made) -> Mapping[str, Any]:
    """What is not the same in both lakes: rows in any column, sums."""
    found: dict[str, Any] = {}
    for table in ("events", "rejects"):
        left, right = one.rows(table), other.rows(table)
        if left != right:
            found[table] = [pair for pair in zip(left, right, strict=False) if pair[0] != pair[1]] or (left, right)
    if one.counts() != other.counts():
        found["counts"] = one.counts(), other.counts()
    return found


def purged(rows: pa.Table, *names: str) -> Any:
    """Whether rows have one of these names, without their partitions."""
    return pa.array([name.partition("-")[2] in names for name in rows["hit_id"].to_pylist()])
