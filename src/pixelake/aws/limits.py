"""What a design withstands: which limit is met first, at how many hits a second, and what to do about it.

Quotas are those that an account of AWS begins with in us-east-1; some can be
raised by asking. What follows from our settings is of `pixelake.aws.terms`, what
from figures is of `pixelake.aws.cost_inputs`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pixelake.aws import terms
from pixelake.aws.cost_inputs import Inputs
from pixelake.aws.cost_lines import (
    A_SHARD,
    AN_ENTRY,
    AN_EVENT,
    LOG_EVERY,
    Machine,
    capacity,
    collector,
    commit_reads,
    cores,
    fitting,
    live_units,
    whole,
)

API: Final = 10_000.0
"""Requests a second of all APIs of an account in a region; 5,000 at once beyond that."""
CDN: Final = 250_000.0
"""Requests a second of a distribution."""
AT_ONCE: Final = 1_000.0
"""Calls of Lambda at once, in an account and region; a new account begins with ten."""
SHARD_OUT: Final = 2 * A_SHARD
"""Bytes a second that a shard gives."""
SHARDS: Final = 20_000.0
FIREHOSE_CALLS, FIREHOSE_BYTES = 2_000.0, 5.0 * A_SHARD
"""A second, of a stream of Firehose that is put to."""
IN_FLIGHT: Final = 120_000.0
"""Messages of a queue that were received and not deleted."""
PARTITION: Final = 1_000.0
"""Write units a second of one key of DynamoDB."""
TABLE: Final = 4_000.0
"""Write units a second of a new table on demand; it doubles with its load, to 40,000, and more if asked for."""
BUCKET_GETS: Final = 5_500.0
"""GET and HEAD requests a second below one prefix."""
COMMIT: Final = 0.3
"""Seconds (taken) for which a commit keeps others of the same table from being made."""
NEVER: Final = math.inf


class Limit(NamedTuple):
    """Something that gives out.

    Attributes:
        name: what.
        rate: hits a second at which it does.
        is_ours: a setting of ours, not a quota of AWS.
        remedy: what to do then.
    """

    name: str
    rate: float
    is_ours: bool
    remedy: str


class Load(NamedTuple):
    """What is to be borne: hits a second, with figures; `shards` of each stream."""

    rate: float
    of: Inputs

    @property
    def shards(self) -> float:
        """Those of the figures, else of the stack as it is deployed."""
        return self.of.shards or float(terms.SHARDS)


def needed_shards(rate: float, size: float) -> int:
    """Shards that take so many records of so many bytes a second: a thousand, and 1 MB, each; it gives twice that."""
    return max(1, math.ceil(rate / terms.A_SHARD), math.ceil(rate * size / A_SHARD))


def _api(load: Load, kind: str) -> Iterator[Limit]:
    throttle = terms.throttle(int(load.shards)).rate if kind == "stream" else terms.THROTTLE.rate
    yield Limit("throttle of the API's stage", throttle, True, "follows the shards; else terms.THROTTLE")
    yield Limit("APIs of the account", API, False, "ask for more: Service Quotas, API Gateway, throttle rate")


def _ingest(load: Load) -> Iterator[Limit]:
    rate = AT_ONCE / max(1e-3, load.of.ingest_ms / 1e3)
    yield Limit("calls of ingest at once", rate, False, "ask for more: Service Quotas, Lambda, concurrent executions")


def _shards(load: Load, name: str, size: float) -> Iterator[Limit]:
    more = f"shards={needed_shards(load.rate, size)}, or on demand (shards=0)"
    size = max(1.0, size)
    yield Limit(f"{name}: records into its shards", load.shards * terms.A_SHARD, True, more)
    yield Limit(f"{name}: bytes into its shards", load.shards * A_SHARD / size, True, more)
    yield Limit(
        f"{name}: bytes out of its shards", load.shards * SHARD_OUT / size, True, "fewer readers, or more shards"
    )
    yield Limit(
        f"{name}: shards of the account", SHARDS * terms.A_SHARD, False, "ask for more: Service Quotas, Kinesis"
    )


class Calls(NamedTuple):
    """How a function that settles is called: `sources` wait for a batch or a window, `at_once` calls run."""

    batch: float
    window: float
    sources: float
    at_once: float
    memory: float


def _settled(load: Load, by: Calls) -> Iterator[Limit]:
    of = load.of
    core = cores(by.memory, of)
    took = of.call_ms / 1e3 + by.batch * of.consume_us / 1e6 / core
    done = by.at_once * by.batch / max(1e-3, took)
    yield Limit("calls that settle", done, True, "more at once (shards, terms.HITS.at_once), larger batches")
    for name, commits in _commits(of, by).items():
        yield Limit(name, _full(commits, by), True, "a longer window, or fewer shards: fewer, larger commits")
    writes = max(1.0, live_units(of, by.batch))
    yield Limit("live store: the table", TABLE / writes * by.batch, False, "warm the table before, or ask for more")
    yield Limit("live store: its head, one key", PARTITION * min(by.batch, AN_ENTRY), False, "a longer window")
    if of.event_ids:
        yield Limit("event ids: the table", TABLE / of.event_ids, False, "warm the table before, or ask for more")


def _commits(of: Inputs, by: Calls) -> Mapping[str, float]:
    """Commits a second: the log is one, and each reads names in the files of the hour that `keep` has not packed."""
    low, high = 0.0, BUCKET_GETS
    for _ in range(60):  # the more commits, the more files each of them reads
        rate = (low + high) / 2
        reads = rate * commit_reads(of, by.batch, by.at_once, rate * of.keep_every / 2)
        low, high = (rate, high) if reads < BUCKET_GETS else (low, rate)
    return {"lake: commits": 1 / COMMIT, "lake: reads of commits": high}


def _full(commits: float, by: Calls) -> float:
    """Hits a second at which so many commits a second are made.

    With few sources these must be full batches; else it is enough that each source commits once a window.
    """
    spare = by.sources / commits - by.window
    return by.sources / spare if spare > 0 else commits * by.batch


def _files(load: Load, size: float) -> Iterator[Limit]:
    """What Firehose lands, and what gathers it."""
    of = load.of
    calls = AT_ONCE * of.gather_bytes / max(1.0, size)
    core = cores(of.transform_memory, of)
    took = max(1e-3, of.gather_bytes / max(1.0, size) * of.transform_us / 1e6 / core)
    yield Limit("calls of transform at once", calls / took, False, "ask for more: Service Quotas, Lambda")
    rows = max(1.0, of.object_bytes / of.row_bytes)
    yield from _settled(load, Calls(rows, of.object_window, 1.0, float(terms.LANDED.at_once), of.gather_memory))


def stream(load: Load) -> Iterator[Limit]:
    """HTTP API -> ingest -> Kinesis -> consume."""
    yield from _api(load, "stream")
    yield from _ingest(load)
    yield from _shards(load, "Kinesis", load.of.hit_bytes)
    yield from _settled(load, Calls(fitting(load.of), load.of.window, load.shards, load.shards, load.of.consume_memory))


def firehose(load: Load) -> Iterator[Limit]:
    """HTTP API -> ingest -> Firehose."""
    yield from _api(load, "firehose")
    yield from _ingest(load)
    yield Limit("Firehose: calls", FIREHOSE_CALLS, False, "ask for more: Service Quotas, Firehose")
    size = load.of.hit_bytes
    yield Limit("Firehose: bytes", FIREHOSE_BYTES / size, False, "ask for more: Service Quotas, Firehose")
    yield from _files(load, size)


def edge(load: Load) -> Iterator[Limit]:
    """CloudFront -> Kinesis -> aggregate -> Kinesis -> Firehose. What a stream refuses of a log is lost."""
    of = load.of
    yield Limit("CloudFront: requests", CDN, False, "ask for more: Service Quotas, CloudFront")
    yield from _shards(load, "Kinesis, lines", of.log_bytes)
    core = cores(of.aggregate_memory, of)
    took = of.aggregate_call_ms / 1e3 + terms.AGGREGATE.batch * of.aggregate_us / 1e6 / core
    packed = load.shards * terms.AGGREGATE.batch / max(1e-3, took)
    yield Limit("calls of aggregate", packed, True, "more shards")
    per_record = max(1.0, of.packed_bytes / of.log_bytes)
    yield Limit("Kinesis, packed: records", load.shards * terms.A_SHARD * per_record, True, "more shards")
    yield from _files(load, of.log_bytes)


def edge_standard(load: Load) -> Iterator[Limit]:
    """CloudFront -> S3 -> gather."""
    yield Limit("CloudFront: requests", CDN, False, "ask for more: Service Quotas, CloudFront")
    of = load.of
    rows = max(1.0, of.object_bytes / of.log_bytes)
    yield from _settled(load, Calls(rows, LOG_EVERY, 1.0, float(terms.LANDED.at_once), of.gather_memory))


def queue(load: Load) -> Iterator[Limit]:
    """CloudFront -> REST API -> SQS -> consume."""
    of = load.of
    yield Limit("CloudFront: requests", CDN, False, "ask for more: Service Quotas, CloudFront")
    yield from _api(load, "queue")
    kept = of.queue_window + of.call_ms / 1e3
    yield Limit("SQS: messages in flight", IN_FLIGHT / max(1e-3, kept), False, "ask for more, or a shorter window")
    yield from _settled(load, Calls(of.queue_batch, of.queue_window, of.queue_calls, of.queue_calls, of.consume_memory))


def _machines(load: Load, by: Machine) -> Iterator[Limit]:
    """All day: without credits of a burstable machine."""
    of, count = load.of, load.of.machines or 2.0
    all_day, most = (count * each for each in capacity(of, by))
    more = f"machines={math.ceil(load.rate / max(1e-9, all_day / count))}, or larger ones"
    yield Limit(f"{count:.0f} machines, all day", all_day, True, more)
    yield Limit(f"{count:.0f} machines, for a while", most, True, more)


def fleet(load: Load) -> Iterator[Limit]:
    """Machines behind a balancer -> Kinesis, packed -> consume."""
    of = load.of
    yield from _machines(load, collector(of))
    shards = f"shards={math.ceil(load.rate * of.hit_bytes / A_SHARD)}, or on demand (shards=0)"
    yield Limit("Kinesis: bytes into its shards", load.shards * A_SHARD / of.hit_bytes, True, shards)
    batch = AN_EVENT / (of.hit_bytes * 4 / 3)
    yield from _settled(load, Calls(batch, of.window, load.shards, load.shards, of.consume_memory))


def fleet_s3(load: Load) -> Iterator[Limit]:
    """Machines behind a balancer, each of which settles its hits and commits by itself."""
    of, by = load.of, whole(load.of)
    yield from _machines(load, by)
    count = of.machines or 2.0
    all_day, _ = capacity(of, by)
    commits = of.commit_every / COMMIT
    yield Limit("lake: commits of all machines", commits * all_day, True, "larger machines, or a longer lake_window")
    batch = load.rate / count * of.live_every
    writes = max(1.0, live_units(of, batch)) / max(1.0, batch)
    yield Limit("live store: the table", TABLE / writes, False, "warm the table before, or ask for more")


DESIGNS: Final[Mapping[str, Callable[[Load], Iterator[Limit]]]] = {
    "stream": stream,
    "firehose": firehose,
    "edge": edge,
    "edge-standard": edge_standard,
    "queue": queue,
    "fleet": fleet,
    "fleet-s3": fleet_s3,
}


def limits(design: str, rate: float, of: Inputs) -> Sequence[Limit]:
    """The limits of a design of `DESIGNS` for so many hits a second, the lowest first."""
    return sorted(DESIGNS[design](Load(rate, of)), key=lambda limit: limit.rate)


def as_json(rate: float, of: Inputs, designs: Sequence[str]) -> dict[str, Any]:
    """For programs; a rate without a limit is null."""
    return {
        "rate": rate,
        "shards": needed_shards(rate, of.hit_bytes),
        "topologies": {design: [_told(each, rate) for each in limits(design, rate, of)] for design in designs},
    }


def _told(of: Limit, rate: float) -> dict[str, Any]:
    return {**of._asdict(), "rate": round(of.rate, 1) if of.rate < NEVER else None, "reached": rate >= of.rate}


def as_text(rate: float, of: Inputs, designs: Sequence[str]) -> Iterator[str]:
    """For people."""
    count = needed_shards(rate, of.hit_bytes)
    yield f"Shards for {rate:,.0f} hits of {of.hit_bytes:,.0f} bytes a second: {count}."
    yield f"So many take {count:,} MB and {count * terms.A_SHARD:,} records a second, and give {2 * count:,} MB."
    for design in designs:
        yield ""
        yield f"{design}: {(DESIGNS[design].__doc__ or '').strip()}"
        for limit in limits(design, rate, of):
            yield _line(limit, rate)


def _line(of: Limit, rate: float) -> str:
    mark = "REACHED" if rate >= of.rate else ""
    whose = "ours" if of.is_ours else "AWS"
    return f"  {of.rate:>14,.0f}/s  {mark:<7}  {of.name:<32} {whose:<5} {of.remedy}"
