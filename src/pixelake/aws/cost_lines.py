"""What each design is billed for in a month: units of things that have a price, from events a month and figures.

A line is *fixed* if it is there without a single hit. Shards are fixed, too: one
pays for the busiest second, all month.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

from pixelake.aws import terms
from pixelake.aws.cost_inputs import Inputs

GB: Final = 1 << 30
HOURS: Final = 730.0
MONTH: Final = HOURS * 3_600
A_PUT: Final = 25 * 1_024
A_RECORD: Final = 5 * 1_024
"""Firehose rounds up to a multiple of it."""
A_SHARD: Final = 1 << 20
"""Bytes that a shard takes in a second."""
LOG_EVERY: Final = 300.0
"""Seconds (taken) between two files of standard logs: CloudFront writes several an hour."""
AN_EVENT: Final = 6 << 20
"""Bytes of an event of Lambda at most."""
AN_ENTRY: Final = 5_000.0
"""Hits of an entry of the live store at most: more are halved, until they fit."""
A_LOOK: Final = 2.5
"""Seconds for which the live page waits at once, and a call of `api` lasts."""


class Line(NamedTuple):
    """Something that is billed.

    Attributes:
        name: what for.
        price: its name in `pixelake.aws.prices`.
        units: how many, in a month.
        fixed: without any hit.
    """

    name: str
    price: str
    units: float
    fixed: bool = False


class Load(NamedTuple):
    """What a design has to bear.

    Attributes:
        events: a month.
        of: figures.
    """

    events: float
    of: Inputs

    @property
    def peak(self) -> float:
        """Hits in the busiest second."""
        return self.events / MONTH * self.of.peak

    def shards(self, size: float) -> float:
        """As many as the peak needs, of records of so many bytes."""
        needed = max(self.peak / terms.A_SHARD, self.peak * size / A_SHARD)
        return self.of.shards or max(float(terms.SHARDS), math.ceil(needed))

    def calls(self, batch: float, window: float, sources: float = 1.0) -> float:
        """Calls a month of a mapping: each source waits for a batch, or a while behind the first of one."""
        rate = self.events / MONTH / sources
        if not rate:
            return 0.0
        return sources * MONTH / (batch / rate if rate * window >= batch else max(window, 0.0) + 1 / rate)


def cores(memory: float, of: Inputs) -> float:
    """How much of a core a function of so much memory has; our code uses one at most."""
    return min(1.0, memory / of.core_memory) or 1.0


def _time(name: str, memory: float, seconds: float, *, fixed: bool = False) -> Line:
    return Line(f"{name}: time", "lambda_time", seconds * memory / 1_024, fixed)


def _calls(name: str, calls: float, of: Inputs, *, fixed: bool = False) -> Iterator[Line]:
    """What calls cost whatever they do: a request each, a start of some of them, and what Lambda logs of them."""
    memory, start = getattr(of, f"{name}_memory"), getattr(of, f"{name}_start")
    seconds = calls * of.cold * start / 1e3 / cores(memory, of)
    yield Line(f"{name}: calls", "lambda_requests", calls, fixed)
    yield Line(f"{name}: cold starts", "lambda_time", seconds * memory / 1_024, fixed)
    yield Line(f"{name}: its log", "logs", calls * of.log_call / GB, fixed)


def _worked(name: str, load: Load, calls: float, of: tuple[float, float, float]) -> Iterator[Line]:
    """Calls and time of a function: memory, ms a call, µs of a core a hit."""
    memory, wait, work = of
    core = cores(memory, load.of)
    yield from _calls(name, calls, load.of)
    yield _time(name, memory, calls * wait / 1e3 + load.events * work / 1e6 / core)


def _firewall(load: Load) -> Iterator[Line]:
    of = load.of
    if of.waf:
        yield Line("firewall", "waf_acls", of.waf, fixed=True)
        yield Line("firewall: rules", "waf_rules", of.waf * (of.waf_rules + of.waf_lists), fixed=True)
        yield Line("firewall: requests", "waf_requests", load.events)


def _door(load: Load) -> Iterator[Line]:
    """An HTTP API; one with a firewall is a REST API."""
    of = load.of
    yield Line("REST API", "rest_api", load.events) if of.waf else Line("HTTP API", "http_api", load.events)
    yield from _firewall(load)
    yield Line("answers", "data_out", load.events * of.answer_bytes / GB)
    yield from _calls("ingest", load.events, of)
    yield _time("ingest", of.ingest_memory, load.events * of.ingest_ms / 1e3)


def _cdn(load: Load) -> Iterator[Line]:
    yield Line("CloudFront", "cloudfront_requests", load.events)
    yield Line("answers", "cloudfront_out", load.events * load.of.answer_bytes / GB)
    yield from _firewall(load)


def _kinesis(load: Load, name: str, size: float, records: float) -> Iterator[Line]:
    yield Line(f"{name}: shards", "kinesis_shards", load.shards(size) * HOURS, fixed=True)
    yield Line(f"{name}: puts", "kinesis_puts", records * max(1, math.ceil(size / A_PUT)))


def live_units(of: Inputs, hits: float) -> float:
    """Write units of a write of so many hits into the live store: it shows some of them, and counts all."""
    entries = 2.0 ** max(0, math.ceil(math.log2(max(1.0, hits) / AN_ENTRY)))
    each = hits / entries
    return entries * min(of.live_write + of.live_hit * each, max(of.live_full, of.live_write) + of.live_more * each)


def commit_reads(of: Inputs, hits: float, at_once: float, files: float) -> float:
    """GET and HEAD requests of a call that settles so many hits, where so many run at once, and `keep` has left files.

    It reads the names in each file of the hour once, so those that it and others wrote since its last call; but all
    of them when it has just started, or when they are too large, or too many, to be remembered.
    """
    is_too_much = hits > of.known_rows or files > of.known_files
    unknown = files if is_too_much else min(files, at_once) + of.cold * files
    return of.commit_gets + of.file_gets * unknown


def _settled(load: Load, name: str, calls: float, at_once: float) -> Iterator[Line]:
    """A function that settles: a commit of the lake and a write of the live store each call."""
    of = load.of
    memory = getattr(of, f"{name}_memory")
    files = calls / MONTH * of.keep_every / 2
    hits = load.events / calls if calls else 0.0
    yield from _worked(name, load, calls, (memory, of.call_ms, of.consume_us))
    yield Line("lake: commits", "s3_puts", calls * of.commit_puts)
    yield Line("lake: reads of a commit", "s3_gets", calls * commit_reads(of, hits, at_once, files))
    yield Line("live store: writes", "dynamodb_writes", calls * live_units(of, hits))
    yield Line("live store: reads", "dynamodb_reads", calls * of.live_read)
    yield Line("event ids: writes", "dynamodb_writes", load.events * of.event_ids)
    yield Line("event ids: reads", "dynamodb_reads", load.events * of.event_ids)


def _queue(load: Load, name: str, messages: float, *, sent: bool = True) -> Iterator[Line]:
    """Messages that come one by one, and go ten at a time."""
    if sent:
        yield Line(f"{name}: sent", "sqs", messages)
    yield Line(f"{name}: received and deleted", "sqs", messages * 0.2)
    yield Line(f"{name}: asked in vain", "sqs", load.of.polls * MONTH / 60, fixed=True)


def _delivered(load: Load, billed: float, size: float) -> Iterator[Line]:
    """Firehose, what it calls, and what gathers its files: `billed` bytes, of hits of a size."""
    of = load.of
    yield Line("Firehose", "firehose", billed / GB)
    yield Line("Firehose: conversion", "firehose_conversion", billed / GB)
    calls = load.calls(max(1.0, of.gather_bytes / size), of.gather_window)
    yield from _worked("transform", load, calls, (of.transform_memory, 0.0, of.transform_us))
    files = load.calls(max(1.0, of.object_bytes / of.row_bytes), of.object_window)
    yield Line("Firehose: objects", "s3_puts", files)
    yield from _queue(load, "files told of", files)
    yield from _settled(load, "gather", files, terms.LANDED.at_once)


def _kept(load: Load) -> Iterator[Line]:
    """What every design has behind its way of a hit."""
    of, calls = load.of, MONTH / load.of.keep_every
    core = cores(of.keep_memory, of)
    yield from _calls("keep", calls, of, fixed=True)
    yield _time("keep", of.keep_memory, calls * of.keep_call_ms / 1e3, fixed=True)
    yield Line("keep: packs and counts", "lambda_time", load.events * of.keep_us / 1e6 / core * of.keep_memory / 1_024)
    yield from _asked_by_keep(of)
    yield from _shown(load)


def _asked_by_keep(of: Inputs) -> Iterator[Line]:
    """What it asks of S3, wherever it runs: machines share its schedule, by the registry."""
    calls = MONTH / of.keep_every
    yield Line("keep: writes", "s3_puts", calls * of.keep_puts, fixed=True)
    yield Line("keep: reads", "s3_gets", calls * of.keep_gets, fixed=True)


def _shown(load: Load) -> Iterator[Line]:
    """The lake, the table, and who looks at them."""
    of = load.of
    yield Line("lake", "s3_months", load.events * of.lake_bytes * of.months_kept / GB)
    yield Line("the table", "dynamodb_months", of.live_bytes / GB, fixed=True)
    yield Line("alarms", "alarms", of.alarms, fixed=True)
    yield Line("dashboard of CloudWatch", "boards", 1, fixed=True)
    looks = of.viewer_hours * 3_600 / A_LOOK
    yield Line("api: HTTP API", "http_api", looks, fixed=True)
    yield from _calls("api", looks, of, fixed=True)
    yield _time("api", of.api_memory, looks * A_LOOK, fixed=True)


def stream(load: Load) -> Iterator[Line]:
    """HTTP API -> ingest -> Kinesis -> consume."""
    yield from _door(load)
    yield from _kinesis(load, "Kinesis", load.of.hit_bytes, load.events)
    shards = load.shards(load.of.hit_bytes)
    calls = load.calls(fitting(load.of), load.of.window, shards)
    yield from _settled(load, "consume", calls, shards)
    yield from _kept(load)


def fitting(of: Inputs) -> float:
    """Records of Kinesis that a call gets: a batch, or what fits into an event, in base64 and with their names."""
    return max(1.0, min(of.batch, AN_EVENT / (of.hit_bytes * 4 / 3 + 400)))


def firehose(load: Load) -> Iterator[Line]:
    """HTTP API -> ingest -> Firehose -> S3 -> gather. Each hit is billed as 5 KB."""
    yield from _door(load)
    size = load.of.hit_bytes
    yield from _delivered(load, load.events * math.ceil(size / A_RECORD) * A_RECORD, size)
    yield from _kept(load)


def edge(load: Load) -> Iterator[Line]:
    """CloudFront -> real-time logs -> Kinesis -> aggregate -> Kinesis -> Firehose -> S3 -> gather."""
    of = load.of
    yield from _cdn(load)
    yield Line("real-time logs", "cloudfront_lines", load.events)
    yield from _kinesis(load, "Kinesis, lines", of.log_bytes, load.events)
    calls = load.calls(terms.AGGREGATE.batch, terms.AGGREGATE.window, load.shards(of.log_bytes))
    yield from _worked("aggregate", load, calls, (of.aggregate_memory, of.aggregate_call_ms, of.aggregate_us))
    records = max(calls, load.events * of.log_bytes / of.packed_bytes) if load.events else 0.0
    yield from _kinesis(load, "Kinesis, packed", of.log_bytes, records)
    yield from _delivered(load, records * A_RECORD, of.log_bytes)
    yield from _kept(load)


def edge_plain(load: Load) -> Iterator[Line]:
    """The same without `aggregate`: one stream, and each line is billed as 5 KB."""
    of = load.of
    yield from _cdn(load)
    yield Line("real-time logs", "cloudfront_lines", load.events)
    yield from _kinesis(load, "Kinesis", of.log_bytes, load.events)
    yield from _delivered(load, load.events * math.ceil(of.log_bytes / A_RECORD) * A_RECORD, of.log_bytes)
    yield from _kept(load)


def edge_standard(load: Load) -> Iterator[Line]:
    """CloudFront -> standard logs in S3 -> gather. Up to an hour late."""
    of = load.of
    yield from _cdn(load)
    files = load.calls(max(1.0, of.object_bytes / of.log_bytes), LOG_EVERY)
    yield from _queue(load, "files told of", files)
    yield from _settled(load, "gather", files, terms.LANDED.at_once)
    yield from _kept(load)


def queue(load: Load) -> Iterator[Line]:
    """CloudFront -> REST API -> SQS -> consume."""
    of = load.of
    yield from _cdn(load)
    yield Line("REST API", "rest_api", load.events)
    yield from _queue(load, "SQS", load.events)
    calls = load.calls(of.queue_batch, of.queue_window, of.queue_calls)
    yield from _settled(load, "consume", calls, of.queue_calls)
    yield from _kept(load)


class Machine(NamedTuple):
    """A kind of machine.

    Attributes:
        price: of an hour, in `pixelake.aws.prices`.
        share: of its cores, that it may use all day.
        work: µs of a core a hit.
    """

    price: str
    share: float
    work: float


def collector(of: Inputs) -> Machine:
    """Of `fleet`. What it takes to put into Kinesis was not measured: as much as a consumer is taken."""
    return Machine("t4g_small", of.small_share, of.collect_us + of.consume_us)


def whole(of: Inputs) -> Machine:
    """Of `fleet` with `to=s3`: it collects, settles, packs and rolls up."""
    return Machine("t4g_micro", of.machine_share, of.collect_us + of.consume_us + of.keep_us)


def capacity(of: Inputs, by: Machine) -> tuple[float, float]:
    """Hits a second of a machine, all day and for a while: what was measured, divided by the margin."""
    most = of.machine_cores / max(1e-9, by.work / 1e6 * of.margin)
    return most * by.share, most


def machines(load: Load, by: Machine) -> float:
    """As many as bear the average all day, and the peak; two at least."""
    all_day, most = (max(1e-9, each) for each in capacity(load.of, by))
    needed = max(math.ceil(load.events / MONTH / all_day), math.ceil(load.peak / most))
    return load.of.machines or max(2.0, float(needed))


def _out(load: Load) -> float:
    """GB of answers, as a network counts them."""
    return load.events * (load.of.answer_bytes + load.of.wire_bytes) / GB


def _handshakes(load: Load) -> float:
    """GB of TLS handshakes to browsers."""
    return load.events / load.of.visit_hits * load.of.handshake_bytes / GB


def _alone(load: Load, count: float) -> Iterator[Line]:
    """What so many machines ask of S3 and the table that settle their hits, and keep the lake, by themselves."""
    of = load.of
    commits, writes = (count * MONTH / every for every in (of.commit_every, of.live_every))
    yield Line("lake: commits", "s3_puts", commits * of.machine_puts, fixed=True)
    yield Line("lake: reads of a commit", "s3_gets", commits * of.commit_gets, fixed=True)
    writes = min(writes, load.events)
    hits = load.events / writes if writes else 0.0
    yield Line("live store: writes", "dynamodb_writes", writes * live_units(of, hits))
    yield Line("live store: reads", "dynamodb_reads", writes * of.live_read)
    yield Line("registry: reads", "dynamodb_reads", count * of.looks * MONTH / 60, fixed=True)
    yield from _asked_by_keep(of)
    yield from _shown(load)


def _balanced(load: Load, count: float, price: str) -> Iterator[Line]:
    """So many machines behind a network load balancer that ends TLS."""
    of = load.of
    passed = _out(load) + _handshakes(load) + load.events * of.request_bytes / GB
    opened = load.events / MONTH / of.visit_hits
    yield Line("answers", "data_out", _out(load))
    yield Line("TLS handshakes", "data_out", _handshakes(load))
    yield Line("load balancer", "balancer_hours", HOURS, fixed=True)
    yield Line("load balancer: use", "balancer_units", max(opened / 50, passed / HOURS) * HOURS)
    yield Line("machines", price, count * HOURS, fixed=True)
    yield Line("disks", "disk", count * of.disk_gb, fixed=True)
    yield Line("addresses", "addresses", (2 + count) * HOURS, fixed=True)


def fleet(load: Load) -> Iterator[Line]:
    """A network load balancer with TLS -> collectors on small machines -> Kinesis, packed -> consume."""
    of, by = load.of, collector(load.of)
    count = machines(load, by)
    yield from _balanced(load, count, by.price)
    yield Line("machines: metrics", "metrics", count * of.machine_metrics, fixed=True)
    yield from _kinesis(load, "Kinesis", of.hit_bytes, load.events * of.hit_bytes / A_PUT)
    shards = load.shards(of.hit_bytes)
    calls = load.calls(AN_EVENT / (of.hit_bytes * 4 / 3), of.window, shards)
    yield from _settled(load, "consume", calls, shards)
    yield from _kept(load)


def fleet_s3(load: Load) -> Iterator[Line]:
    """The same with `to=s3`: each machine keeps its hits on a disk, and commits to S3 by itself."""
    by = whole(load.of)
    count = machines(load, by)
    yield from _balanced(load, count, by.price)
    yield Line("disks of hits", "disk", count * load.of.hits_gb, fixed=True)
    yield from _alone(load, count)


def lightsail(load: Load) -> Iterator[Line]:
    """The same on Lightsail, whose price has transfer in it. There is no stack of it."""
    of, count = load.of, machines(load, whole(load.of))
    yield Line("machines", "lightsail", count, fixed=True)
    yield Line("load balancer", "lightsail_balancer", 1, fixed=True)
    both = _out(load) + _handshakes(load) + load.events * of.request_bytes / GB
    yield Line("transfer beyond what is included", "data_out", max(0.0, both - count * 2_048))
    yield from _alone(load, count)


DESIGNS: Final[Mapping[str, Callable[[Load], Iterator[Line]]]] = {
    "stream": stream,
    "firehose": firehose,
    "edge": edge,
    "edge-plain": edge_plain,
    "edge-standard": edge_standard,
    "queue": queue,
    "fleet": fleet,
    "fleet-s3": fleet_s3,
    "lightsail": lightsail,
}
