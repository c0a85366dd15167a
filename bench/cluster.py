"""What it costs and gains to order packed events by site: bytes an event, and a question about one site.

An hour of events is judged once, then written in each order to files of their
own, as many as there are hours. DuckDB asks them what the questions of pixelake
ask, for a site with few events, one with some, and the largest. The results are
in the docstring of `pixelake.warehouse.layout`.

    scripts/bench cluster                  208,333 events an hour, 24 hours; 2 minutes
    scripts/bench cluster --sites 500
"""

import argparse
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from rig.machine import describe
from rig.population import Population, hits
from rig.servers import scratch
from rig.tables import say, table

from pixelake import build
from pixelake.settings import Settings
from pixelake.stream.base import Batch
from pixelake.transform.retry import Retry
from pixelake.warehouse import layout

START: Final = 1_770_681_600_000_000
"""2026-02-10 00:00 UTC."""
HOUR: Final = 3_600_000_000
PART: Final = 50_000
LEAST: Final = 16_384
"""Rows of a row group, where they are cut at the borders of sites."""
PARTITIONS: Final = ("0123456789ab", "ba9876543210")
QUERY: Final = (
    "select path, count(*) as views, count(distinct visitor_id) as visitors from read_parquet({})"
    " where site = ? and event = 'pageview' and not coalesce(bot, false) group by path order by views desc limit 10"
)

Groups = Callable[[pa.Table], Iterator[pa.Table]]


def events(count: int, sites: int) -> pa.Table:
    """The events of an hour, of two partitions that go side by side, as a compaction reads them."""
    made = hits(count, START, HOUR, Population(sites=sites))
    done, parts = dict.fromkeys(PARTITIONS, 0), []
    with scratch() as folder:
        judge, retry = build.judge(Settings(data=folder / "data")), Retry("judge", threading.Event(), on=())
        while group := list(islice(made, PART)):
            for at, partition in enumerate(PARTITIONS):
                some = group[at::2]
                first = done[partition] + 1
                done[partition] += len(some)
                parts += [each.events for each in judge(Batch(partition, some, range(first, first + len(some))), retry)]
    rows = pa.concat_tables(parts).drop_columns(list(layout.FOLDERS))
    return rows.cast(layout.with_dictionaries(rows.schema)).unify_dictionaries()


def by_time(rows: pa.Table) -> Iterator[pa.Table]:
    """Partition by partition, as they came."""
    yield _sorted(rows, ())


def by_site(rows: pa.Table) -> Iterator[pa.Table]:
    """Site by site, in one row group."""
    yield _sorted(rows, ("site",))


def cut_at_sites(rows: pa.Table) -> Iterator[pa.Table]:
    """Site by site, a row group for each large site, and for some small ones together."""
    ordered = _sorted(rows, ("site",))
    sites = ordered["site"].cast(pa.string()).combine_chunks()
    ends: Any = pc.add(pc.indices_nonzero(pc.not_equal(sites[1:], sites[:-1])), 1)
    start = 0
    for end in [*ends.to_pylist(), ordered.num_rows]:
        if end - start >= LEAST or end == ordered.num_rows:
            yield ordered.slice(start, end - start).unify_dictionaries()
            start = end


ORDERS: Final[dict[str, Groups]] = {
    "partition, position": by_time,
    "site, partition, position": by_site,
    "the same, row groups cut at sites": cut_at_sites,
}


def _sorted(rows: pa.Table, first: tuple[str, ...]) -> pa.Table:
    keys = pa.table({name: _plain(rows[name]) for name in (*first, "partition", "position")})
    return rows.take(pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names]))


def _plain(column: Any) -> Any:
    return column.cast(pa.string()) if isinstance(column.type, pa.DictionaryType) else column


def write(rows: pa.Table, groups: Groups, path: Path) -> tuple[int, float]:
    """Bytes, and seconds of the processor."""
    began = time.process_time()
    with path.open("wb") as file:
        target = None
        for group in groups(rows):
            target = target or layout.writer(file, group.schema, layout.packed(group))
            target.write_table(group, row_group_size=group.num_rows)
        if target:
            target.close()
    return path.stat().st_size, time.process_time() - began


def ask(paths: list[Path], site: str, rounds: int) -> float:
    """Milliseconds: the median of some rounds."""
    took = []
    with duckdb.connect() as database:
        database.execute("set threads = 2")
        for _ in range(rounds):
            began = time.perf_counter()
            database.execute(QUERY.format([str(path) for path in paths]), [site]).fetchall()
            took.append(time.perf_counter() - began)
    return sorted(took)[len(took) // 2] * 1e3


def main() -> None:
    """Write the hour in each order, and ask."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=208_333, help="of the hour; default: 208,333")
    parser.add_argument("--sites", type=int, default=50, help="that they are of; default: 50")
    parser.add_argument("--hours", type=int, default=24, help="files that are asked; default: 24")
    parser.add_argument("--rounds", type=int, default=7, help="of each question; default: 7")
    options = parser.parse_args()
    print(describe(), flush=True)
    say("judging")
    rows = events(options.events, options.sites)
    counts = sorted(pc.value_counts(rows["site"].cast(pa.string())).to_pylist(), key=lambda each: each["counts"])
    asked = {counts[0]["values"]: "least", counts[len(counts) // 2]["values"]: "middle", counts[-1]["values"]: "most"}
    lines = []
    with scratch() as folder:
        for at, (name, groups) in enumerate(ORDERS.items()):
            say(name)
            first = folder / f"{at}-0.parquet"
            size, seconds = write(rows, groups, first)
            paths = [first] + [folder / f"{at}-{hour}.parquet" for hour in range(1, options.hours)]
            for path in paths[1:]:
                shutil.copyfile(first, path)
            times = [f"{ask(paths, site, options.rounds):.0f}" for site in asked]
            lines.append([name, f"{size / rows.num_rows:.2f}", f"{seconds / rows.num_rows * 1e6:.1f}", *times])
    shares = [f"{name} ({each['counts']:,}) ms" for each in counts if (name := asked.get(each["values"]))]
    table(
        f"{rows.num_rows:,} events of {options.sites} sites an hour, {options.hours} hours",
        ["order", "bytes/event", "µs/event", *shares],
        lines,
    )


if __name__ == "__main__":
    main()
