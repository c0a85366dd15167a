"""What the cost of a design follows from: each figure once, with its unit and where it is from.

Figures that are *measured* are those of the project's own benchmarks and tests
(``bench/README.md``); *set* ones are of `pixelake.aws.terms`; what is *taken* is
an assumption, and yours may be another: each can be told by its name.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from pixelake.aws import terms
from pixelake.errors import SettingsError

_CONSUME, _HITS, _FIREHOSE, _FUNCTIONS = terms.CONSUME, terms.HITS, terms.FIREHOSE, terms.FUNCTIONS
_NEW: Final = "derived: bench collect, each connection new: 1.95 times nginx, of which the event loop alone takes 24"
_LIVE: Final = (
    "measured: entries of up to 5,000 hits of 50 sites, tests/aws/test_cost_calls.py, and a tenth for documents"
)
_LOG_CALL: Final = {"INFO": 350.0, "WARN": 0.0}
"""Bytes that Lambda itself writes of a call that succeeds, by the level of its logs."""
_CALL: Final = "measured: what a call of `consume` asks, tests/aws/test_cost_calls.py"


def _of(default: float, unit: str, source: str, least: float = 0.0) -> Any:
    return field(default=default, metadata={"unit": unit, "source": source, "least": least})


def _memory(name: str) -> Any:
    return _of(_FUNCTIONS[name].memory, "MiB", f"set: terms.FUNCTIONS['{name}']")


def _start(milliseconds: float) -> Any:
    return _of(
        milliseconds, "ms of a core a cold start", "measured: import and first call, docs/deploy/function-sizes.md"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Figures; the unit and the source of each are its metadata."""

    peak: float = _of(5.0, "times the average rate", "taken: the busiest seconds of a month")
    hit_bytes: float = _of(1_000.0, "bytes", "measured: a browser's hit as JSON, tests/aws/test_cost.py", 1)
    log_bytes: float = _of(
        442.0, "bytes", "measured: a line of real-time logs with a hit's fields, bench cloudfront", 1
    )
    row_bytes: float = _of(1_500.0, "bytes", "taken: a row as JSON, before it is converted", 1)
    answer_bytes: float = _of(302.0, "bytes", "measured: the GIF with its headers, tests/aws/test_cost.py")
    lake_bytes: float = _of(18.9, "bytes", "measured: an event in a packed file, bench consume")
    months_kept: float = _of(1.0, "months", "taken: what the events of a month take; each month kept adds as much")
    event_ids: float = _of(0.0, "share of hits", "taken: hits with an event_id; one costs a write and a read")
    waf: float = _of(0.0, "firewalls, 0 or 1", "set: none by default; with one an HTTP API becomes a REST API")
    waf_rules: float = _of(4.0, "rules", "set: a rate and three groups of AWS, deploy/aws/doors.py")
    waf_lists: float = _of(0.0, "rules", "set: a list of addresses for each version of IP in `block`, if any")

    shards: float = _of(0.0, "shards", "0: as many as the peak needs, and terms.SHARDS at least")
    batch: float = _of(_CONSUME.batch, "records", "set: terms.CONSUME", 1)
    window: float = _of(_CONSUME.window, "s", "set: terms.CONSUME")
    queue_batch: float = _of(_HITS.batch, "messages", "set: terms.HITS", 1)
    queue_window: float = _of(_HITS.window, "s", "set: terms.HITS")
    queue_calls: float = _of(_HITS.at_once, "calls at once", "set: terms.HITS", 1)
    object_bytes: float = _of(_FIREHOSE.size, "bytes", "set: terms.FIREHOSE", 1)
    object_window: float = _of(_FIREHOSE.seconds, "s", "set: terms.FIREHOSE")
    gather_bytes: float = _of(_FIREHOSE.gathered, "bytes", "set: terms.FIREHOSE", 1)
    gather_window: float = _of(_FIREHOSE.gather, "s", "set: terms.FIREHOSE")
    packed_bytes: float = _of(5_000.0, "bytes", "measured: a packed record, docs/deploy/functions.md", 1)
    keep_every: float = _of(terms.KEEP_EVERY, "s", "set: terms.KEEP_EVERY", 1)
    polls: float = _of(5 * 3.0, "receives a minute and queue", "AWS: five pollers wait 20 s for messages")

    ingest_memory: float = _memory("ingest")
    consume_memory: float = _memory("consume")
    transform_memory: float = _memory("transform")
    gather_memory: float = _memory("gather")
    aggregate_memory: float = _memory("aggregate")
    api_memory: float = _memory("api")
    keep_memory: float = _memory("keep")
    cold: float = _of(0.01, "share of calls", "taken: AWS tells of less than 1 % in production; few calls have more")
    ingest_start: float = _start(270.0)
    consume_start: float = _start(970.0)
    transform_start: float = _start(630.0)
    gather_start: float = _start(1_220.0)
    aggregate_start: float = _start(280.0)
    api_start: float = _start(4_070.0)
    keep_start: float = _start(1_710.0)
    ingest_ms: float = _of(20.0, "ms", "taken: waits for the stream; of ours 0.05 ms are measured, bench ingest")
    consume_us: float = _of(20.5, "µs of a core a hit", "measured: lake and live store, bench consume")
    aggregate_us: float = _of(5.0, "µs of a core a hit", "taken: it packs bytes, and reads none of them")
    transform_us: float = _of(25.0, "µs of a core a hit", "measured: to judge a line, bench cloudfront, and its JSON")
    keep_us: float = _of(28.9, "µs of a core a hit", "measured: packing 3.1, roll-ups 25.8, bench consume and query")
    call_ms: float = _of(1_500.0, "ms", "taken: what a call of consume or gather waits for S3 and the table")
    aggregate_call_ms: float = _of(100.0, "ms", "taken: what a call of aggregate waits for Kinesis")
    keep_call_ms: float = _of(3_000.0, "ms", "measured: a call with nothing to do, where S3 is near: 2.6 s")
    core_memory: float = _of(1_769.0, "MiB", "AWS: the memory at which a function has one core", 1)

    commit_puts: float = _of(13.0, "PUT and LIST requests a call", f"{_CALL}: 3 and 10")
    commit_gets: float = _of(28.0, "GET and HEAD requests a call", _CALL)
    file_gets: float = _of(3.0, "GET and HEAD requests a file of the hour whose names a function does not know", _CALL)
    known_files: float = _of(1_024.0, "files", "set: warehouse/bring.py; of so many the names are remembered", 1)
    known_rows: float = _of(
        2_000.0, "hits of a file", "set: warehouse/bring.py; names of a larger one are not remembered"
    )
    keep_gets: float = _of(400.0, "GET and HEAD requests a call", "measured: a call with nothing to do")
    keep_puts: float = _of(20.0, "PUT and LIST requests a call", "taken: a call that has little to do")
    live_write: float = _of(2.0, "write units a call", "measured: docs/live.md")
    live_hit: float = _of(0.1, "write units a hit", "measured: docs/live.md, hits of 50 sites")
    live_full: float = _of(40.0, "write units an entry", f"{_LIVE}: once it has all the events that it shows")
    live_more: float = _of(0.017, "write units a hit", f"{_LIVE}: beside these")
    live_read: float = _of(4.0, "read units a call", "measured: docs/live.md")
    live_bytes: float = _of(1 << 30, "bytes", "taken: the table holds 8,192 entries, which forget")

    log_call: float = _of(
        _LOG_CALL[terms.SYSTEM_LOGS],
        "bytes",
        "set: terms.SYSTEM_LOGS; with INFO 350 are taken: Lambda's lines of a call",
    )
    alarms: float = _of(12.0, "alarms", "taken: a stack has 10 to 20")
    viewer_hours: float = _of(30.0, "hours a month", "taken: a live page is open for an hour a day")

    machines: float = _of(0.0, "machines", "0: as many as the peak needs, and 2 at least")
    machine_cores: float = _of(2.0, "cores", "AWS: of both t4g.micro and t4g.small")
    machine_share: float = _of(0.1, "of its cores", "AWS: what a t4g.micro may use all the time")
    small_share: float = _of(0.2, "of its cores", "AWS: what a t4g.small may use all the time; that of `fleet`")
    collect_us: float = _of(55.0, "µs of a core a hit", _NEW)
    margin: float = _of(3.0, "times", "taken: other cores than those measured on, and room for what is not measured")
    machine_metrics: float = _of(
        7.0, "metrics a machine", "AWS: detailed monitoring, of collectors, which come and go by it"
    )
    disk_gb: float = _of(8.0, "GB", "set: of the system, deploy/aws/fleet.py")
    hits_gb: float = _of(20.0, "GB", "set: of hits that are not in the lake yet, deploy/aws/fleet.py; only to S3")
    live_every: float = _of(
        terms.LIVE_WINDOW,
        "s",
        "set: terms.LIVE_WINDOW; a machine that commits by itself writes the live store so often",
        0.1,
    )
    looks: float = _of(100.0, "read units a minute and machine", "measured: docs/registry.md, when nobody comes")
    commit_every: float = _of(60.0, "s", "set: lake_window, of a lake in a bucket", 1)
    machine_puts: float = _of(9.0, "PUT and LIST requests a commit", f"as a call of `consume`; {_CALL}")
    wire_bytes: float = _of(120.0, "bytes", "taken: headers of TCP, IP and TLS around an answer, and what acknowledges")
    request_bytes: float = _of(1_000.0, "bytes", "measured: what a browser sends, bench collect, and its headers below")
    visit_hits: float = _of(3.9, "hits a connection", "taken: the events of a visit, bench query", 1)
    handshake_bytes: float = _of(3_000.0, "bytes", "taken: what a TLS handshake sends to a browser, chain included")


KNOWN: Final[Mapping[str, Any]] = {each.name: each for each in fields(Inputs)}


def told(given: Iterable[str]) -> Inputs:
    """The figures, some of them told as ``name=number``.

    Raises:
        SettingsError: there is no such figure, or it is no number that it may be.
    """
    return Inputs(**dict(map(_pair, given)))


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in KNOWN:
        raise SettingsError(f"there is no figure {name!r}", "`pixelake aws cost --figures` lists them")
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    least = KNOWN[name].metadata["least"]
    if not least <= number < math.inf:
        hint = f"for example {name}={KNOWN[name].default:g}"
        raise SettingsError(f"{name} is a number from {least:g} on, not {value!r}", hint)
    return name, number


def as_text(of: Inputs) -> Iterator[str]:
    """For people: each figure, with its unit and its source."""
    for name, each in KNOWN.items():
        yield f"{name:<18} {getattr(of, name):>14,.6g}  {each.metadata['unit']}; {each.metadata['source']}"
